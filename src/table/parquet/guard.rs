//! Bounds on what a Parquet file may claim: positions must be inside the file, and counts must fit its bytes.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::sync::{Arc, Mutex, PoisonError};

use ::parquet::basic::{Encoding, Type};
use ::parquet::column::page::{Page, PageMetadata, PageReader};
use ::parquet::errors::{ParquetError, Result};
use ::parquet::file::reader::{ChunkReader, Length};
use bytes::Bytes;

/// A file that many threads read at once; clones of a [`File`] would share one position.
#[derive(Clone)]
pub(crate) struct Source {
    file: Arc<Mutex<File>>,
    len: u64,
}

impl Source {
    pub(crate) fn new(file: File) -> io::Result<Self> {
        let len = file.metadata()?.len();
        Ok(Self { file: Arc::new(Mutex::new(file)), len })
    }

    fn read_at(&self, start: u64, buf: &mut [u8]) -> io::Result<usize> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(start))?;
        file.read(buf)
    }
}

impl Length for Source {
    fn len(&self) -> u64 {
        self.len
    }
}

/// A reader that starts at a position of a [`Source`].
pub(crate) struct ReadOn {
    source: Source,
    at: u64,
}

impl Read for ReadOn {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.source.read_at(self.at, buf)?;
        self.at += n as u64;
        Ok(n)
    }
}

impl ChunkReader for Source {
    type T = BufReader<ReadOn>;

    fn get_read(&self, start: u64) -> Result<Self::T> {
        Ok(BufReader::new(ReadOn { source: self.clone(), at: start }))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        if start.checked_add(length as u64).is_none_or(|end| end > self.len) {
            return Err(ParquetError::EOF(format!("bytes {start} + {length} are beyond the end of the file")));
        }
        let mut buf = vec![0; length];
        let mut done = 0;
        while done < length {
            let n = self.read_at(start + done as u64, &mut buf[done..])?;
            if n == 0 {
                return Err(ParquetError::EOF("the file became shorter".to_owned()));
            }
            done += n;
        }
        Ok(buf.into())
    }
}

/// A page reader that rejects pages whose counts do not fit their bytes, before allocating for them.
pub(crate) struct Guarded {
    pub(crate) pages: Box<dyn PageReader>,
    pub(crate) physical: Type,
    pub(crate) n_rows: u64,
    pub(crate) nullable: bool,
}

impl Guarded {
    fn check(&self, page: &Page) -> Result<()> {
        let n = u64::from(page.num_values());
        let bytes = page.buffer();
        if let Page::DictionaryPage { .. } = page {
            let least = match self.physical {
                Type::INT64 | Type::DOUBLE => 8,
                Type::INT96 => 12,
                Type::BOOLEAN | Type::FIXED_LEN_BYTE_ARRAY => 1,
                _ => 4,
            };
            return if n * least <= bytes.len() as u64 { Ok(()) } else { Err(implausible("dictionary")) };
        }
        if n > self.n_rows {
            return Err(implausible("page"));
        }
        let lists = match page.encoding() {
            Encoding::DELTA_LENGTH_BYTE_ARRAY => 1,
            Encoding::DELTA_BYTE_ARRAY => 2,
            _ => return Ok(()),
        };
        let mut at = self.values_start(page);
        for _ in 0..lists {
            let values = bytes.get(at..).ok_or_else(|| implausible("page"))?;
            let (count, len) = delta_list(values).ok_or_else(|| implausible("page"))?;
            if count > n {
                return Err(implausible("page"));
            }
            at += len;
        }
        Ok(())
    }

    /// Where the values of a flat column's page begin, after the definition levels.
    fn values_start(&self, page: &Page) -> usize {
        match page {
            Page::DataPageV2 { def_levels_byte_len, rep_levels_byte_len, .. } => {
                (*def_levels_byte_len as usize).saturating_add(*rep_levels_byte_len as usize)
            }
            Page::DataPage { buf, .. } if self.nullable => match buf.first_chunk::<4>() {
                Some(&len) => (u32::from_le_bytes(len) as usize).saturating_add(4),
                None => usize::MAX,
            },
            _ => 0,
        }
    }
}

fn implausible(what: &str) -> ParquetError {
    ParquetError::General(format!("a {what} declares more values than its bytes can contain"))
}

/// The number of values in a delta-packed list of integers and its length in bytes.
///
/// Source: Apache Parquet, "Encodings" (format 2.10), DELTA_BINARY_PACKED.
fn delta_list(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut at = 0;
    let block = varint(bytes, &mut at)?;
    let minis = varint(bytes, &mut at)?;
    let count = varint(bytes, &mut at)?;
    varint(bytes, &mut at)?;
    let per_mini = block.checked_div(minis)?;
    if per_mini == 0 {
        return None;
    }
    let mut left = count.saturating_sub(1);
    while left > 0 {
        varint(bytes, &mut at)?;
        let widths = bytes.get(at..at.checked_add(usize::try_from(minis).ok()?)?)?;
        at += widths.len();
        for &width in widths {
            if left == 0 {
                break;
            }
            at = at.checked_add(usize::try_from(per_mini.checked_mul(u64::from(width))? / 8).ok()?)?;
            left = left.saturating_sub(per_mini);
        }
        if at > bytes.len() {
            return None;
        }
    }
    Some((count, at))
}

fn varint(bytes: &[u8], at: &mut usize) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.get(*at)?;
        *at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

impl Iterator for Guarded {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl PageReader for Guarded {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        let page = self.pages.get_next_page()?;
        if let Some(page) = &page {
            self.check(page)?;
        }
        Ok(page)
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        self.pages.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Result<()> {
        self.pages.skip_next_page()
    }

    fn at_record_boundary(&mut self) -> Result<bool> {
        self.pages.at_record_boundary()
    }
}
