//! New lines of the log since the last read, from any process.

use super::read::Scan;
use super::{Journal, JournalError, Layout, Logged, Scanned, Window};
use crate::atomic::{self, At, whole_lines_len};
use crate::table::Input;
use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Cursor, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// How far the files of a log were read.
#[derive(Debug, Clone, Default)]
pub struct Follow {
    read: HashMap<PathBuf, u64>,
}

impl Journal {
    /// Passes the rows appended to the files of `window` since `follow` to `each`, with the columns of `layout`; all
    /// rows of a new file, or of one that became shorter. An incomplete last line is left for the next call.
    ///
    /// # Errors
    /// As [`Journal::scan`]; rows already passed on may be repeated then.
    pub fn follow<E: From<JournalError>>(
        &self,
        follow: &mut Follow,
        window: &Window,
        layout: &Layout,
        mut each: impl FnMut(Logged) -> Result<(), E>,
    ) -> Result<Scanned, E> {
        let everything = Window::default();
        let scan = Scan::new(&everything, layout, true);
        let mut scanned = Scanned::default();
        for (_, path) in self.files(window)? {
            let before = follow.read.get(&path).copied().unwrap_or(0);
            let (input, len) = appended(&path, before).at(&path).map_err(JournalError::from)?;
            if let Some(input) = input {
                scan.input(input, &path.display().to_string(), &mut scanned, &mut each)?;
            }
            follow.read.insert(path, len);
        }
        Ok(scanned)
    }
}

/// The header of a file and its complete lines after the first `before` bytes, if any; and the offset of their end.
fn appended(path: &Path, before: u64) -> io::Result<(Option<Input>, u64)> {
    let mut file = atomic::open(path)?;
    let len = file.metadata()?.len();
    if len == before {
        return Ok((None, before));
    }
    let len = whole_lines_len(&file, len)?;
    let name = path.display().to_string();
    if before == 0 || len < before {
        let input = (len > 0).then(|| Input::from_reader(&name, file.take(len)));
        return Ok((input, len));
    }
    if len == before {
        return Ok((None, before));
    }
    let mut header = Vec::new();
    BufReader::new(&file).read_until(b'\n', &mut header)?;
    file.seek(SeekFrom::Start(before))?;
    let lines = Cursor::new(header).chain(file.take(len - before));
    Ok((Some(Input::from_reader(&name, lines)), len))
}
