//! Unpacks downloaded zip and gzip files, without trusting their metadata.

use super::fetched::Fetched;
use super::{DownloadRequest, SourceError, http};
use crate::atomic::Incoming;
use crate::printable::steers;
use crate::table::magic;
use crate::workspace::{CONFIG_FILE, OWN_DATA_FILES, is_named};
use flate2::read::MultiGzDecoder;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Component, Path, PathBuf};
use zip::ZipArchive;
use zip::read::ZipFile;
use zip::result::ZipError;

/// Maximum number of files in an archive.
const MAX_MEMBERS: usize = 10_000;
/// Tables compress to a tenth, rarely to a hundredth; a higher ratio means an attempt to fill a disk.
const MAX_RATIO: u64 = 500;
/// Up to this many bytes the ratio is not checked.
const SMALL: u64 = 64 << 20;

/// The unpacked files.
pub(super) struct Unpacked {
    /// The files, relative to `data/`.
    pub names: Vec<PathBuf>,
    /// Notes for the user.
    pub notes: Vec<String>,
}

/// The bytes that may still be written.
struct Budget {
    from: String,
    packed: u64,
    written: u64,
    max: u64,
}

/// Writes a download as files of `incoming`.
pub(super) fn unpack(
    fetched: &Fetched,
    request: &DownloadRequest,
    incoming: &Incoming,
) -> Result<Unpacked, SourceError> {
    let mut file = fetched.open()?;
    let mut head = Vec::new();
    Read::by_ref(&mut file).take(64).read_to_end(&mut head)?;
    file.seek(SeekFrom::Start(0))?;
    let from = request.source.public();
    let mut budget = Budget { from: from.clone(), packed: fetched.bytes, written: 0, max: request.max_bytes };
    if magic::is_zip(&head) {
        return unzip(file, &fetched.name, &mut budget, incoming);
    }
    let text = String::from_utf8_lossy(&head).trim_start().to_lowercase();
    if text.starts_with("<!doctype html") || text.starts_with("<html") {
        let what = "returns a web page, not a table: it may require a login, or the acceptance of terms".to_owned();
        return Err(SourceError::Answer { from, what });
    }
    let gzip = head.starts_with(magic::GZIP);
    let name = match fetched.name.strip_suffix(".gz") {
        Some(name) if gzip && http::is_file_name(name) => name,
        _ => &fetched.name,
    };
    let name = safe(name).map_err(|what| SourceError::Archive { file: from, what })?;
    let mut reader: Box<dyn Read> =
        if gzip { Box::new(MultiGzDecoder::new(BufReader::new(file))) } else { Box::new(file) };
    incoming.write(&name, |out| budget.copy(&mut reader, out))?;
    Ok(Unpacked { names: vec![name], notes: Vec::new() })
}

fn unzip(file: File, name: &str, budget: &mut Budget, incoming: &Incoming) -> Result<Unpacked, SourceError> {
    let bad = |what: String| SourceError::Archive { file: name.to_owned(), what };
    if [".xlsx", ".ods"].iter().any(|ending| name.to_lowercase().ends_with(ending)) {
        return Err(bad("is a spreadsheet: save the sheet as CSV".to_owned()));
    }
    let damaged = |err: ZipError| bad(format!("is not a readable zip archive: {err}"));
    let mut archive = ZipArchive::new(BufReader::new(file)).map_err(damaged)?;
    if archive.has_duplicate_names() {
        return Err(bad("contains two files with the same name".to_owned()));
    }
    if archive.len() > MAX_MEMBERS {
        return Err(bad(format!("contains {} files, more than {MAX_MEMBERS}", archive.len())));
    }
    let (mut names, mut n_hidden) = (Vec::new(), 0_usize);
    for index in 0..archive.len() {
        let mut member = archive.by_index(index).map_err(damaged)?;
        let Some(path) = place_of(&member).map_err(bad)? else { continue };
        if path.components().any(|part| part.as_os_str().to_string_lossy().starts_with(['.', '_'])) {
            n_hidden += 1;
            continue;
        }
        incoming.write(&path, |out| budget.copy(&mut member, out)).map_err(|err| match err {
            SourceError::Io(err)
                if matches!(err.source.kind(), io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory) =>
            {
                bad(format!("contains {} twice", path.display()))
            }
            other => other,
        })?;
        names.push(path);
    }
    if names.is_empty() {
        return Err(bad("contains no file".to_owned()));
    }
    names.sort();
    let notes = (n_hidden > 0).then(|| format!("{n_hidden} hidden files of {name} were left out"));
    Ok(Unpacked { names, notes: notes.into_iter().collect() })
}

/// The destination of a member; `None` for a directory.
fn place_of<R: Read>(member: &ZipFile<'_, R>) -> Result<Option<PathBuf>, String> {
    let name = member.name().map_err(|_| "contains a file whose name is not text".to_owned())?.into_owned();
    let shown = name.escape_default();
    if member.is_symlink() {
        return Err(format!("contains a link, \"{shown}\""));
    }
    // The upper bits are the type of the file; some archivers write none.
    let kind = member.unix_mode().unwrap_or(0) & 0o170_000;
    if !matches!(kind, 0 | 0o100_000 | 0o040_000) {
        return Err(format!("contains \"{shown}\", which is neither a file nor a directory"));
    }
    let path = safe(name.trim_end_matches('/'))?;
    Ok((!member.is_dir()).then_some(path))
}

/// `name` as a path that stays inside `data/` and does not replace one of mlloop's own files.
fn safe(name: &str) -> Result<PathBuf, String> {
    let shown = name.escape_default();
    let path = Path::new(name);
    let mut inside = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(part) => inside.push(part),
            Component::CurDir => {}
            _ => return Err(format!("contains \"{shown}\", which points outside the archive")),
        }
    }
    if inside.as_os_str().is_empty() || name.contains(|c: char| c == '\\' || steers(c)) || name.len() > 1000 {
        return Err(format!("contains a file with an unusual name, \"{shown}\""));
    }
    let is = |part: &OsStr, own: &str| is_named(&part.to_string_lossy(), own);
    let top = inside.iter().next().unwrap_or_default();
    if OWN_DATA_FILES.iter().any(|own| is(top, own)) {
        return Err(format!("contains {shown}, which is a file of the loop"));
    }
    if inside.iter().any(|part| is(part, CONFIG_FILE)) {
        return Err(format!("contains {shown}, which would turn its directory into a loop"));
    }
    Ok(inside)
}

impl Budget {
    /// Copies to the end, within the limits.
    fn copy(&mut self, reader: &mut dyn Read, out: &mut dyn Write) -> Result<(), SourceError> {
        let mut piece = vec![0; 1 << 16];
        loop {
            let n = match reader.read(&mut piece) {
                Ok(0) => return Ok(()),
                Ok(n) => n,
                Err(err) if err.kind() == io::ErrorKind::Interrupted => continue,
                Err(err) => {
                    let what = format!("is damaged or cut short: {err}");
                    return Err(SourceError::Archive { file: self.from.clone(), what });
                }
            };
            self.written += n as u64;
            if self.written > SMALL && self.written / self.packed.max(1) > MAX_RATIO {
                let what = format!("unpacks to more than {MAX_RATIO} times its size");
                return Err(SourceError::Archive { file: self.from.clone(), what });
            }
            if self.written > self.max {
                return Err(SourceError::TooLarge { from: self.from.clone(), max: self.max });
            }
            out.write_all(&piece[..n])?;
        }
    }
}
