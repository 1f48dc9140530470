//! The end of the log, without reading the rest.

use super::read::Scan;
use super::{Journal, JournalError, Layout, Logged, Scanned, Window};
use crate::atomic::{self, At, whole_lines_len};
use crate::table::Input;
use std::io::{self, BufRead, BufReader, Cursor, Read, Seek, SeekFrom};
use std::path::Path;

/// Bytes read first; at least doubled each time they contain too few rows.
const FIRST: u64 = 1 << 18;
/// Most bytes read for one call.
const MOST: u64 = 1 << 24;

impl Journal {
    /// The last rows of the log, oldest first: at least `n`, unless there are fewer or 16 MB do not contain as many.
    /// With `features` they have the columns of `layout`. Reads only the ends of the newest files of days in `window`.
    ///
    /// # Errors
    /// A file that is not a prediction log, or I/O errors.
    pub fn recent(
        &self,
        n: usize,
        window: &Window,
        layout: &Layout,
        features: bool,
    ) -> Result<Vec<Logged>, JournalError> {
        let scan = Scan::new(window, layout, features);
        let mut newest_first: Vec<Vec<Logged>> = Vec::new();
        let (mut found, mut left) = (0, MOST);
        for (_, path) in self.files(window)?.iter().rev() {
            let mut want = FIRST.min(left);
            loop {
                let (input, read, whole) = end_of(path, want).at(path)?;
                let mut rows = Vec::new();
                if let Some(input) = input {
                    let mut keep = |logged| {
                        rows.push(logged);
                        Ok::<(), JournalError>(())
                    };
                    scan.input(input, &path.display().to_string(), &mut Scanned::default(), &mut keep)?;
                }
                let n_rows: usize = rows.iter().map(Logged::len).sum();
                if whole || found + n_rows >= n || read >= left {
                    found += n_rows;
                    left -= read.min(left);
                    newest_first.push(rows);
                    break;
                }
                // Estimate the bytes from the rows so far, with a margin: reading twice is enough.
                let more = want.saturating_mul((n - found) as u64) / (n_rows.max(1) as u64);
                want = (more + more / 8).max(want * 2).min(left);
            }
            if found >= n || left == 0 {
                break;
            }
        }
        Ok(newest_first.into_iter().rev().flatten().collect())
    }
}

/// The header of a file and its last whole lines, from at most `n` bytes; the number of bytes read, and whether these
/// are all lines.
fn end_of(path: &Path, n: u64) -> io::Result<(Option<Input>, u64, bool)> {
    let mut file = atomic::open(path)?;
    let len = whole_lines_len(&file, file.metadata()?.len())?;
    let name = path.display().to_string();
    if len <= n {
        return Ok(((len > 0).then(|| Input::from_reader(&name, file.take(len))), len, true));
    }
    let mut header = Vec::new();
    BufReader::new((&file).take(len)).read_until(b'\n', &mut header)?;
    let from = len - n;
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(n).read_to_end(&mut bytes)?;
    // The first line is incomplete: skip it.
    let first = bytes.iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |at| at + 1);
    header.extend_from_slice(&bytes[first..]);
    Ok((Some(Input::from_reader(&name, Cursor::new(header))), n, from == 0))
}
