//! The sources of a table's bytes: the only module that knows `-`, gzip, zstd, Parquet and addresses.

use crate::atomic::At;
use std::fmt;
use std::fs::File;
use std::io::{self, Chain, Cursor, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

mod readers;

use self::readers::{Counted, Named};
use super::magic::{self, GZIP, PARQUET, ZSTD};
use super::{place, postgres};
use crate::atomic;
use crate::s3::{self, Object};
use crate::table::TableError;
use crate::table::record::MAX_RECORD_BYTES;
use tempfile::NamedTempFile;

/// Bytes checked at a time while reading a pipe.
const STEP: u64 = 256 << 10;

/// Bytes of a table, of unknown format.
#[derive(Debug)]
pub struct Input {
    name: String,
    body: Body,
    size: Option<u64>,
    consumed: Arc<AtomicU64>,
    /// Whether a database wrote it: see [`records`](super::records).
    records: bool,
}

enum Body {
    File(File),
    Reader(Box<dyn Read + Send>),
}

impl Body {
    fn into_reader(self) -> Box<dyn Read + Send> {
        match self {
            Self::File(file) => Box::new(file),
            Self::Reader(reader) => reader,
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::File(_) => "File",
            Self::Reader(_) => "Reader",
        })
    }
}

/// A table that can be reopened: data from a pipe or a server is stored in a temporary file.
#[derive(Debug)]
pub struct Spool {
    path: PathBuf,
    records: bool,
    kept: Option<NamedTempFile>,
}

impl Spool {
    /// For a file, a table of a database, an object of S3, or standard input for `-`.
    ///
    /// # Errors
    /// If there is no room for data from a pipe, and errors of a server.
    pub fn new(path: &Path) -> Result<Self, TableError> {
        if place::is_address(path) {
            return Self::of_address(path);
        }
        let stdin = path.as_os_str() == "-";
        let piped = stdin || std::fs::metadata(path).is_ok_and(|meta| !meta.is_file() && !meta.is_dir());
        if !piped {
            return Ok(Self { path: path.to_owned(), records: false, kept: None });
        }
        let keep = || {
            let mut kept = NamedTempFile::new()?;
            match stdin {
                true => keep_lines(&mut io::stdin().lock(), &mut kept, HOPELESS)?,
                false => keep_lines(&mut File::open(path)?, &mut kept, HOPELESS)?,
            }
            io::Result::Ok(kept)
        };
        let name = if stdin { "stdin".to_owned() } else { path.display().to_string() };
        let kept = keep().at(&name)?;
        Ok(Self { path: name.into(), records: false, kept: Some(kept) })
    }

    /// All rows as of one moment, however often they are read.
    fn of_address(path: &Path) -> Result<Self, TableError> {
        let rows = open_address(path)?;
        let (name, records) = (rows.name().to_owned(), rows.records);
        let mut kept = NamedTempFile::new().at(&name)?;
        io::copy(&mut rows.into_reader(), &mut kept).at(&name)?;
        Ok(Self { path: name.into(), records, kept: Some(kept) })
    }

    /// A file with its bytes: itself, or the temporary copy.
    #[must_use]
    pub fn file(&self) -> &Path {
        self.kept.as_ref().map_or(&self.path, NamedTempFile::path)
    }

    /// Its path; `stdin` for standard input, and for a database table its address without secrets.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The table from its beginning.
    ///
    /// # Errors
    /// As [`Input::open`].
    pub fn open(&self) -> Result<Input, TableError> {
        let Some(kept) = &self.kept else { return Input::open(&self.path) };
        let name = self.path.display().to_string();
        let file = kept.reopen().at(&name)?;
        Ok(Input { records: self.records, ..Input::from_file(&name, file) })
    }
}

/// Opens the table at an address.
///
/// # Errors
/// Errors in the address, or of the server.
fn open_address(path: &Path) -> Result<Input, TableError> {
    if !s3::is_address(path) {
        return postgres::open(path);
    }
    let wrong = |what: String| TableError::File { file: place::shown(path), what };
    let object = Object::at(path).map_err(|err| wrong(err.why.to_string()))?;
    let (stored, bytes) = object.open().map_err(|err| wrong(err.why.to_string()))?;
    match stored.bytes {
        Some(0) => Err(wrong("is empty".to_owned())),
        _ => Ok(Input::from_reader(&place::shown(path), bytes)),
    }
}

/// Whether the table exists: a file; an address is checked only when opened.
#[must_use]
pub fn is_there(path: &Path) -> bool {
    place::is_address(path) || path.exists()
}

/// The format, from the first bytes.
pub(crate) enum Unpacked {
    /// CSV text, decompressed.
    Text(Text),
    /// A seekable Parquet file.
    #[cfg(feature = "parquet")]
    Parquet(File),
    /// JSON, one object per line.
    Json(Text),
    /// Output of a database: commas and a header, whatever the dialect of the workspace's files.
    Records(Text),
}

/// CSV text with its length as far as known.
pub(crate) struct Text {
    pub(crate) reader: Box<dyn Read + Send>,
    /// Expected bytes of text, if the file is not compressed.
    pub(crate) size: Option<u64>,
    /// Bytes read from the file so far, before decompression.
    pub(crate) consumed: Arc<AtomicU64>,
    /// The number of the first line: 0 if it is not part of the file.
    pub(crate) first_line: u64,
    /// Remarks for the user on what was read.
    pub(crate) notes: Vec<String>,
}

impl Text {
    /// Detects JSON lines from their first bytes.
    fn told(self, head: &[u8]) -> Unpacked {
        if magic::is_json_lines(head) { Unpacked::Json(self) } else { Unpacked::Text(self) }
    }
}

impl Input {
    /// Opens a file, a table of a database, an object of S3, or standard input for `-`.
    ///
    /// # Errors
    /// When it cannot be opened, is a directory, or is an empty file.
    pub fn open(path: &Path) -> Result<Self, TableError> {
        if path.as_os_str() == "-" {
            return Ok(Self::from_reader("stdin", io::stdin()));
        }
        if place::is_address(path) {
            return open_address(path);
        }
        let name = path.display().to_string();
        let file = File::open(path).at(&name)?;
        let meta = file.metadata().at(&name)?;
        if meta.is_dir() {
            return Err(TableError::File { file: name, what: "is a directory, not a table".to_owned() });
        }
        if meta.is_file() {
            if meta.len() == 0 {
                return Err(empty(&name));
            }
            let size = Some(meta.len());
            return Ok(Self { name, body: Body::File(file), size, consumed: Arc::default(), records: false });
        }
        Ok(Self::from_reader(&name, file))
    }

    /// Opens a file of the loop; a pipe or a device is an error.
    ///
    /// # Errors
    /// As [`Input::open`].
    pub(crate) fn own(path: &Path) -> Result<Self, TableError> {
        let name = path.display().to_string();
        let file = atomic::open(path).at(&name)?;
        Ok(Self::from_file(&name, file))
    }

    /// A file already open, under the name used in errors.
    pub(crate) fn from_file(name: &str, file: File) -> Self {
        let size = file.metadata().map(|meta| meta.len()).ok();
        Self { name: name.to_owned(), body: Body::File(file), size, consumed: Arc::default(), records: false }
    }

    /// Any reader, under the name that errors use.
    pub fn from_reader(name: &str, reader: impl Read + Send + 'static) -> Self {
        let body = Body::Reader(Box::new(reader));
        Self { name: name.to_owned(), body, size: None, consumed: Arc::default(), records: false }
    }

    /// Rows as a database writes them: CSV with commas and a header.
    #[cfg_attr(not(feature = "postgres"), allow(dead_code, reason = "there is no database"))]
    pub(crate) fn from_records(name: &str, reader: impl Read + Send + 'static) -> Self {
        Self { records: true, ..Self::from_reader(name, reader) }
    }

    /// The file's path, or `stdin`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Bytes of the file on disk, if known.
    #[must_use]
    pub fn size(&self) -> Option<u64> {
        self.size
    }

    /// The bytes, unchanged.
    pub(crate) fn into_reader(self) -> Box<dyn Read + Send> {
        self.body.into_reader()
    }

    /// Detects the format from the first bytes and unpacks.
    pub(crate) fn unpack(self) -> Result<Unpacked, TableError> {
        let Self { name, body, size, consumed, records } = self;
        if records {
            let reader = Box::new(Counted { reader: body.into_reader(), consumed: Arc::clone(&consumed) });
            // The header is not a line of the file.
            return Ok(Unpacked::Records(Text { reader, size, consumed, first_line: 0, notes: Vec::new() }));
        }
        let (head, mut rest) = match body {
            Body::File(mut file) => {
                let head = first_bytes(&mut file).at(&name)?;
                if head.starts_with(PARQUET) {
                    return parquet(&name, file);
                }
                file.seek(SeekFrom::Start(0)).at(&name)?;
                (head, Box::new(Counted { reader: file, consumed: Arc::clone(&consumed) }) as Box<dyn Read + Send>)
            }
            Body::Reader(reader) => {
                let mut reader = Counted { reader, consumed: Arc::clone(&consumed) };
                let head = first_bytes(&mut reader).at(&name)?;
                let whole: Chain<_, _> = Cursor::new(head.clone()).chain(reader);
                (head, Box::new(whole) as Box<dyn Read + Send>)
            }
        };
        if head.is_empty() {
            return Err(empty(&name));
        }
        if head.starts_with(PARQUET) {
            let file = spool(&mut rest).at(&name)?;
            return parquet(&name, file);
        }
        let packed: Box<dyn Read + Send> = if head.starts_with(GZIP) {
            Box::new(Named { reader: flate2::read::MultiGzDecoder::new(io::BufReader::new(rest)), packing: "gzip" })
        } else if head.starts_with(ZSTD) {
            let decoder = zstd::stream::read::Decoder::new(rest).at(&name)?;
            Box::new(Named { reader: decoder, packing: "zstd" })
        } else {
            reject_foreign(&name, &head)?;
            return Ok(Text { reader: rest, size, consumed, first_line: 1, notes: Vec::new() }.told(&head));
        };
        let mut packed = packed;
        let head = first_bytes(&mut packed).at(&name)?;
        if head.is_empty() {
            return Err(empty(&name));
        }
        reject_packed(&name, &head)?;
        let reader = Box::new(Cursor::new(head.clone()).chain(packed));
        Ok(Text { reader, size: None, consumed, first_line: 1, notes: Vec::new() }.told(&head))
    }
}

fn empty(name: &str) -> TableError {
    TableError::File { file: name.to_owned(), what: "is empty".to_owned() }
}

/// Files that users often mistake for tables.
fn reject_foreign(name: &str, head: &[u8]) -> Result<(), TableError> {
    let what = if magic::is_zip(head) {
        "is a zip archive or a spreadsheet: unpack it, or save the sheet as CSV"
    } else if head.starts_with(&[0xff, 0xfe]) || head.starts_with(&[0xfe, 0xff]) {
        "is UTF-16 text: convert it to UTF-8 (iconv -f UTF-16 -t UTF-8)"
    } else if head.starts_with(b"BZh") || head.starts_with(&[0xfd, b'7', b'z', b'X']) {
        "is packed with bzip2 or xz: unpack it, or pack it with gzip or zstd"
    } else {
        return Ok(());
    };
    Err(TableError::File { file: name.to_owned(), what: what.to_owned() })
}

/// The same for the content of gzip or zstd.
fn reject_packed(name: &str, head: &[u8]) -> Result<(), TableError> {
    if head.starts_with(PARQUET) {
        let what = "is a packed Parquet file: unpack it first".to_owned();
        return Err(TableError::File { file: name.to_owned(), what });
    }
    reject_foreign(name, head)
}

/// Up to the first four bytes.
fn first_bytes(reader: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(4);
    reader.take(4).read_to_end(&mut head)?;
    Ok(head)
}

/// For text whose first line is longer than any record, only this much is kept: enough for the reader to report it.
const HOPELESS: usize = 2 * MAX_RECORD_BYTES;

/// Copies to the end, or `hopeless` bytes of text without a line feed: an endless line must not fill the disk.
fn keep_lines(from: &mut impl Read, to: &mut impl io::Write, hopeless: usize) -> io::Result<()> {
    let head = first_bytes(from)?;
    to.write_all(&head)?;
    let mut goes_on = head.contains(&b'\n') || magic::is_packed(&head);
    let (mut part, mut kept) = (Vec::new(), 0);
    while !goes_on {
        part.clear();
        let n = from.take(STEP).read_to_end(&mut part)?;
        to.write_all(&part)?;
        kept += n;
        goes_on = memchr::memchr(b'\n', &part).is_some();
        if !goes_on && (n == 0 || kept >= hopeless) {
            return Ok(());
        }
    }
    io::copy(from, to).map(drop)
}

#[cfg(feature = "parquet")]
#[expect(clippy::unnecessary_wraps, reason = "a build without Parquet says so here")]
fn parquet(_: &str, file: File) -> Result<Unpacked, TableError> {
    Ok(Unpacked::Parquet(file))
}

#[cfg(not(feature = "parquet"))]
fn parquet(name: &str, _: File) -> Result<Unpacked, TableError> {
    let what = "is Parquet, and this mlloop was built without it (cargo build --features parquet)";
    Err(TableError::File { file: name.to_owned(), what: what.to_owned() })
}

/// Parquet is read from its end, so a pipe is copied to an unnamed temporary file.
fn spool(reader: &mut impl Read) -> io::Result<File> {
    let mut file = tempfile::tempfile()?;
    io::copy(reader, &mut file)?;
    file.seek(SeekFrom::Start(0))?;
    Ok(file)
}

#[cfg(test)]
mod tests;
