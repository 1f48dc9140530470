//! Whole lines at the end of a file to which several processes append.
//!
//! ```text
//! lock the file ─▶ drop a last line that a crash cut short ─▶ write ─▶ sync ─▶ unlock
//! ```

use super::fault::{self, point};
use super::{disk, parent, whole_lines_len};
use std::borrow::Cow;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

/// A file that stays open to be appended to.
#[derive(Debug)]
pub struct Appender {
    path: PathBuf,
    file: File,
    /// Whether the header was already compared with the file's; it does not change later.
    headed: bool,
}

impl Appender {
    /// Opens `path`, and creates it if missing.
    ///
    /// # Errors
    /// I/O errors.
    pub fn open(path: &Path) -> io::Result<Self> {
        #[cfg(test)]
        let is_new = !path.exists();
        let file = super::open::only_plain(OpenOptions::new().create(true).read(true).append(true).open(path)?)?;
        #[cfg(test)]
        if is_new {
            disk::created(path);
        }
        Ok(Self { path: path.to_owned(), file, headed: false })
    }

    /// Appends `lines`, which end in a newline, all or none of them. An empty file gets `header` first; a file with
    /// another header is left unchanged, and the result is `false`.
    ///
    /// An incomplete last line of an earlier crash is removed first, so that every line is complete. Without `sync` the
    /// lines survive a crash of this process, not of the machine.
    ///
    /// # Errors
    /// I/O errors; nothing was added then.
    pub fn append(&mut self, header: &[u8], lines: &[u8], sync: bool) -> io::Result<bool> {
        debug_assert!(lines.ends_with(b"\n"), "append takes whole lines");
        self.lock()?;
        let appended = self.append_locked(header, lines, sync);
        self.file.unlock()?;
        appended
    }

    /// Makes appended lines survive a crash of the machine.
    ///
    /// # Errors
    /// I/O errors.
    pub fn sync(&self) -> io::Result<()> {
        disk::sync_file(&self.file, &self.path)?;
        disk::sync_dir(parent(&self.path))
    }

    /// Locks the file that is now at the path; if the open file was removed or replaced, opens the new one.
    fn lock(&mut self) -> io::Result<()> {
        loop {
            self.file.lock()?;
            let own = self.file.metadata()?;
            match fs::metadata(&self.path) {
                Ok(named) if (named.dev(), named.ino()) == (own.dev(), own.ino()) => return Ok(()),
                Err(err) if err.kind() != io::ErrorKind::NotFound => return Err(err),
                _ => *self = Self::open(&self.path)?,
            }
        }
    }

    fn append_locked(&mut self, header: &[u8], lines: &[u8], sync: bool) -> io::Result<bool> {
        let len = self.file.metadata()?.len();
        let whole = whole_lines_len(&self.file, len)?;
        if whole > 0 && !self.headed && !self.begins_with(header)? {
            return Ok(false);
        }
        if whole < len {
            self.file.set_len(whole)?;
            disk::wrote(&self.path);
        }
        let is_new = whole == 0;
        let lines = if is_new { Cow::Owned([header, lines].concat()) } else { Cow::Borrowed(lines) };
        let write = || {
            point()?;
            fault::torn(&lines, |part| (&self.file).write_all(part).map(|()| disk::wrote(&self.path)))?;
            point()?;
            match (sync, is_new) {
                (true, true) => self.sync(),
                (true, false) => disk::sync_file(&self.file, &self.path),
                (false, _) => Ok(()),
            }
        };
        if let Err(err) = write() {
            // If the disk is full, remove the partial line, so that readers never see it.
            let _ = self.file.set_len(whole).map(|()| disk::wrote(&self.path));
            return Err(err);
        }
        self.headed = true;
        Ok(true)
    }

    fn begins_with(&self, header: &[u8]) -> io::Result<bool> {
        let mut first = vec![0; header.len()];
        match self.file.read_exact_at(&mut first, 0) {
            Ok(()) => Ok(first == header),
            Err(err) if err.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
            Err(err) => Err(err),
        }
    }
}

/// Renames the file `from`, to which other processes may append, to `to`, and reads its complete lines. Waits for a
/// running append; later appends start a new file.
///
/// # Errors
/// I/O errors.
pub fn claim(from: &Path, to: &Path) -> io::Result<Vec<u8>> {
    super::rename(from, to)?;
    claimed(to)
}

/// The complete lines of a claimed file.
///
/// # Errors
/// I/O errors.
pub fn claimed(path: &Path) -> io::Result<Vec<u8>> {
    let file = super::open(path)?;
    // A process that opened it under its old name may still write.
    file.lock()?;
    let mut lines = vec![0; whole_lines_len(&file, file.metadata()?.len())? as usize];
    file.read_exact_at(&mut lines, 0)?;
    file.unlock()?;
    Ok(lines)
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests write what they damage")]
mod tests {
    use super::*;

    #[test]
    fn a_file_keeps_the_header_it_began_with() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log.csv");
        fs::write(&path, "a,").unwrap();
        let mut first = Appender::open(&path).unwrap();
        let mut other = Appender::open(&path).unwrap();
        assert!(first.append(b"a,b\n", b"1,2\n", true).unwrap());
        assert!(!other.append(b"a,b,c\n", b"1,2,3\n", true).unwrap());
        assert!(!other.append(b"a,c\n", b"1,2\n", true).unwrap());
        assert!(Appender::open(&path).unwrap().append(b"a,b\n", b"3,4\n", false).unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap(), "a,b\n1,2\n3,4\n");
    }

    #[test]
    fn a_file_that_was_removed_begins_anew() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log.csv");
        let mut open = Appender::open(&path).unwrap();
        open.append(b"a\n", b"1\n", true).unwrap();
        fs::remove_file(&path).unwrap();
        open.append(b"a\n", b"2\n", true).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "a\n2\n");
    }

    #[test]
    fn a_file_that_was_claimed_gets_no_line_more() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("waiting"), dir.path().join("taking"));
        let mut open = Appender::open(&from).unwrap();
        open.append(b"", b"1\n2\n", true).unwrap();
        fs::write(&from, b"1\n2\nhalf a li").unwrap();
        assert_eq!(claim(&from, &to).unwrap(), b"1\n2\n");
        open.append(b"", b"3\n", true).unwrap();
        assert_eq!((claimed(&to).unwrap(), fs::read(&from).unwrap()), (b"1\n2\n".to_vec(), b"3\n".to_vec()));
    }

    /// The result of `work` while another handle holds the lock of `path` and writes `rest` a little later.
    fn beside_a_writer<T: Send>(path: &Path, rest: &[u8], work: impl FnOnce() -> T + Send) -> T {
        let other = OpenOptions::new().append(true).open(path).unwrap();
        other.lock().unwrap();
        std::thread::scope(|scope| {
            let done = scope.spawn(work);
            std::thread::sleep(std::time::Duration::from_millis(100));
            (&other).write_all(rest).unwrap();
            other.unlock().unwrap();
            done.join().unwrap()
        })
    }

    #[test]
    fn who_is_writing_is_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log.csv");
        fs::write(&path, "1\n").unwrap();
        assert_eq!(beside_a_writer(&path, b"2\n", || claimed(&path).unwrap()), b"1\n2\n");
        // The half-written line is completed, and the next one follows it.
        fs::write(&path, "1\nha").unwrap();
        beside_a_writer(&path, b"lf\n", || super::super::append(&path, b"3\n").unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap(), "1\nhalf\n3\n");
    }
}
