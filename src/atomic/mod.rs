//! The only code that writes to a workspace: replace a file, replace a directory, append lines, take the lock. What is
//! read of it within limits is read here too.
//!
//! ```text
//! replace   write .name.XXXX beside ─▶ fsync ─▶ rename over name ─▶ fsync directory
//! ```
//! Whatever moment the process dies at, `name` holds the old bytes or the new ones.

mod append;
pub mod fault;
mod incoming;
mod partial;

pub use incoming::{Incoming, complete_incoming};
pub use partial::Partial;

pub use append::Appender;

use self::fault::point;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

/// What names of half-written files begin with.
const PREFIX: &str = ".mlloop-";

/// Replaces `path` by what `write` writes. Where a link stands, what it leads to is replaced. A device or a pipe is not
/// replaced but written to: `-o /dev/null` by a superuser must not turn the device into a file.
///
/// # Errors
/// Whatever `write`, syncing or renaming says; `path` is then as it was.
pub fn replace<T, E: From<io::Error>>(path: &Path, write: impl FnOnce(&mut dyn Write) -> Result<T, E>) -> Result<T, E> {
    if fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir()) {
        let mut file = BufWriter::with_capacity(1 << 16, OpenOptions::new().write(true).open(path)?);
        let written = write(&mut file)?;
        file.flush()?;
        return Ok(written);
    }
    let end = if path.is_symlink() { fs::canonicalize(path)? } else { path.to_owned() };
    let path = end.as_path();
    let dir = parent(path);
    point()?;
    let mut file = BufWriter::with_capacity(1 << 16, tempfile::Builder::new().prefix(PREFIX).tempfile_in(dir)?);
    let written = write(&mut file)?;
    let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
    set_shared_mode(file.as_file())?;
    point()?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|err| err.error)?;
    point()?;
    sync_dir(dir)?;
    Ok(written)
}

/// Makes the directory `path` from what `fill` puts into an empty one beside it; `path` must not exist.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`] when `path` is there; otherwise whatever `fill` or the system says, and nothing is left.
pub fn new_dir(path: &Path, fill: impl FnOnce(&Path) -> io::Result<()>) -> io::Result<()> {
    if path.exists() {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, format!("{} exists", path.display())));
    }
    let dir = parent(path);
    point()?;
    let beside = tempfile::Builder::new().prefix(PREFIX).tempdir_in(dir)?;
    fill(beside.path())?;
    point()?;
    for entry in fs::read_dir(beside.path())? {
        File::open(entry?.path())?.sync_all()?;
    }
    sync_dir(beside.path())?;
    set_shared_mode(&File::open(beside.path())?)?;
    fs::rename(beside.keep(), path)?;
    point()?;
    sync_dir(dir)
}

/// Appends whole lines to `path` and syncs them; `lines` must end in a newline.
///
/// A last line that an earlier crash cut short is dropped first, so that every line stays whole.
///
/// # Errors
/// Whatever the system says; nothing was added then.
pub fn append(path: &Path, lines: &[u8]) -> io::Result<()> {
    Appender::open(path)?.append(b"", lines, true).map(|_| ())
}

/// Makes what was appended to `path` by whomever survive the death of the machine; a file that is gone needs nothing.
///
/// # Errors
/// Whatever the system says.
pub fn sync_file(path: &Path) -> io::Result<()> {
    match File::open(path) {
        Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(()),
        file => file?.sync_data()?,
    }
    sync_dir(parent(path))
}

/// Moves a file or directory of the workspace to another name in the workspace; what stood there is replaced.
///
/// # Errors
/// Whatever the system says.
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    point()?;
    fs::rename(from, to)?;
    point()?;
    sync_dir(parent(to))?;
    sync_dir(parent(from))
}

/// Removes a directory so that no moment shows half of it: it loses its name first.
///
/// # Errors
/// Whatever the system says.
pub fn remove_dir(path: &Path) -> io::Result<()> {
    let dir = parent(path);
    let beside = tempfile::Builder::new().prefix(PREFIX).tempdir_in(dir)?.keep();
    point()?;
    fs::rename(path, &beside)?;
    point()?;
    fs::remove_dir_all(&beside)?;
    sync_dir(dir)
}

/// Removes a file; one that is not there is no error.
///
/// # Errors
/// Whatever the system says.
pub fn remove_file(path: &Path) -> io::Result<()> {
    point()?;
    match fs::remove_file(path) {
        Err(err) if err.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }?;
    point()?;
    sync_dir(parent(path))
}

/// A whole file of at most `max_bytes`: one that claims to be a model must not fill the memory.
///
/// # Errors
/// Those of reading; [`io::ErrorKind::FileTooLarge`] for a larger one.
pub fn read_at_most(path: &Path, max_bytes: u64) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    // Room for all of it at once; the length may be a lie, so that it is read up to the limit and no further.
    let mut bytes = Vec::with_capacity(file.metadata()?.len().min(max_bytes) as usize + 1);
    file.take(max_bytes + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > max_bytes {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("is larger than {max_bytes} bytes")));
    }
    Ok(bytes)
}

/// The last whole line of `path`, without its newline; `None` when there is none.
///
/// # Errors
/// Whatever the system says; a file that does not exist has no line.
pub fn last_line(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let file = match File::open(path) {
        Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    let end = whole_lines_len(&file, file.metadata()?.len())?;
    if end == 0 {
        return Ok(None);
    }
    let start = whole_lines_len(&file, end - 1)?;
    let mut line = vec![0; (end - 1 - start) as usize];
    file.read_exact_at(&mut line, start)?;
    Ok(Some(line))
}

/// Length of the first `len` bytes of `file` up to and with their last newline: what a reader may believe of a file
/// that is being appended to.
///
/// # Errors
/// Whatever the system says.
pub fn whole_lines_len(file: &File, len: u64) -> io::Result<u64> {
    const STEP: u64 = 4096;
    let mut tail = vec![0; STEP as usize];
    let mut end = len;
    while end > 0 {
        let start = end.saturating_sub(STEP);
        let piece = &mut tail[..(end - start) as usize];
        file.read_exact_at(piece, start)?;
        if let Some(newline) = memchr::memrchr(b'\n', piece) {
            return Ok(start + newline as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

/// The lock of a workspace, held until dropped (also by the death of the process).
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// Takes the lock `path`, or says that another process holds it.
///
/// # Errors
/// [`io::ErrorKind::WouldBlock`] when it is held; otherwise whatever the system says.
pub fn lock(path: &Path) -> io::Result<Lock> {
    let mut file = OpenOptions::new().create(true).truncate(false).write(true).open(path)?;
    match file.try_lock() {
        Ok(()) => {
            // For those who find it held; without it they are told less.
            let _ = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
            Ok(Lock { _file: file })
        }
        Err(TryLockError::WouldBlock) => {
            Err(io::Error::new(io::ErrorKind::WouldBlock, format!("{} is held by another mlloop", path.display())))
        }
        Err(TryLockError::Error(err)) => Err(err),
    }
}

/// Takes the lock `path`; while another process holds it, waits for `limit` at most.
///
/// # Errors
/// As [`lock`].
pub fn lock_within(path: &Path, limit: Duration) -> io::Result<Lock> {
    const STEP: Duration = Duration::from_millis(20);
    let mut left = limit;
    loop {
        match lock(path) {
            Err(err) if err.kind() == io::ErrorKind::WouldBlock && !left.is_zero() => {
                std::thread::sleep(STEP.min(left));
                left = left.saturating_sub(STEP);
            }
            taken => return taken,
        }
    }
}

/// The process that wrote its number into the lock `path` last: the holder, when the lock is held.
#[must_use]
pub fn lock_holder(path: &Path) -> Option<u32> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    }
}

fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Temporary files are made for their owner alone; what replaces a workspace file is as readable as any other file.
fn set_shared_mode(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mode = if file.metadata()?.is_dir() { 0o755 } else { 0o644 };
    file.set_permissions(fs::Permissions::from_mode(mode))
}

/// Removes what a killed process left half written in `dir`. Call it under the lock of the workspace.
///
/// # Errors
/// Whatever listing or removing says.
pub fn remove_leftovers(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(PREFIX) {
            match entry.file_type()?.is_dir() {
                true => fs::remove_dir_all(entry.path())?,
                false => fs::remove_file(entry.path())?,
            }
        }
    }
    Ok(())
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests write what they damage")]
mod tests {
    use super::*;

    #[test]
    fn a_failed_replacement_leaves_the_old_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("roles.json");
        fs::write(&path, "old").unwrap();
        let failed = replace(&path, |out| {
            out.write_all(b"half")?;
            Err::<(), _>(io::Error::other("disk full"))
        });
        assert!(failed.is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        replace(&path, |out| out.write_all(b"new")).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
    }

    #[test]
    fn a_link_stays_and_a_pipe_is_written_to() {
        let dir = tempfile::tempdir().unwrap();
        let [real, link, pipe] = ["real", "link", "pipe"].map(|name| dir.path().join(name));
        fs::write(&real, "old").unwrap();
        std::os::unix::fs::symlink("real", &link).unwrap();
        replace(&link, |out| out.write_all(b"new")).unwrap();
        assert!(link.is_symlink());
        assert_eq!(fs::read_to_string(&real).unwrap(), "new");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let reader = std::thread::spawn({
            let pipe = pipe.clone();
            move || fs::read_to_string(pipe).unwrap()
        });
        replace(&pipe, |out| out.write_all(b"through")).unwrap();
        assert_eq!(reader.join().unwrap(), "through");
        assert!(!fs::metadata(&pipe).unwrap().is_file());
        let full = replace(Path::new("/dev/full"), |out| out.write_all(b"x"));
        assert_eq!(full.unwrap_err().kind(), io::ErrorKind::StorageFull);
    }

    #[test]
    fn a_file_is_read_up_to_its_limit_and_refused_beyond() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("model.bin");
        fs::write(&path, "1234").unwrap();
        assert_eq!(read_at_most(&path, 4).unwrap(), b"1234");
        let refused = read_at_most(&path, 3).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::FileTooLarge);
        assert_eq!(refused.to_string(), "is larger than 3 bytes");
    }

    #[test]
    fn a_line_that_a_crash_cut_short_is_dropped_by_the_next() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("runs.jsonl");
        append(&path, b"one\n").unwrap();
        fs::write(&path, [&b"one\n"[..], &[b'x'; 10_000]].concat()).unwrap();
        append(&path, b"two\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\ntwo\n");
    }

    #[test]
    fn the_last_line_is_the_last_whole_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit.jsonl");
        assert_eq!(last_line(&path).unwrap(), None);
        for (bytes, expected) in [("", None), ("half", None), ("one\n", Some("one")), ("one\ntwo\nhalf", Some("two"))] {
            fs::write(&path, bytes).unwrap();
            assert_eq!(last_line(&path).unwrap().as_deref(), expected.map(str::as_bytes), "{bytes:?}");
        }
    }

    #[test]
    fn a_lock_is_held_until_it_is_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(".mlloop.lock");
        let held = lock(&path).unwrap();
        assert_eq!(lock(&path).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        assert_eq!(lock_holder(&path), Some(std::process::id()));
        drop(held);
        lock(&path).unwrap();
    }

    #[test]
    fn what_a_killed_process_left_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join(".mlloop-half")).unwrap();
        fs::write(dir.path().join(".mlloop-half/model.bin"), "x").unwrap();
        fs::write(dir.path().join("roles.json"), "{}").unwrap();
        remove_leftovers(dir.path()).unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
