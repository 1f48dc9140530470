//! The only code that writes to a workspace: replace a file, replace a directory, append lines, take the lock. Reading
//! with limits is here too.
//!
//! ```text
//! replace   write .mlloop-XXXX beside ─▶ fsync ─▶ rename over name ─▶ fsync directory
//! ```
//! If the process or the machine dies at any moment, `name` has the old bytes or the new ones.

mod append;
mod at;
mod disk;
#[cfg(test)]
pub(crate) use disk::n_syncs;
pub mod fault;
mod incoming;
mod json;
mod lock;
mod may;
mod mode;
mod open;
mod partial;
mod stamp;

pub use incoming::{Incoming, complete_incoming, incoming_of, is_incoming};
pub use json::{pretty, replace_json};
pub use lock::{Lock, lock, lock_holder, lock_in_turn, lock_within};
pub use may::{not_fixed, replaceable};
pub use open::{open, read, read_to_string};
pub use partial::Partial;
pub use stamp::Stamp;

pub use append::{Appender, claim, claimed};
pub use at::{At, AtPath};

use self::fault::point;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::fs::FileExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

/// Prefix of the names of incomplete files.
const PREFIX: &str = ".mlloop-";

/// Replaces `path` by what `write` writes. Of a link, the target is replaced. A device or a pipe is written to, not
/// replaced: `-o /dev/null` by a superuser must not turn the device into a file.
///
/// A file that is replaced keeps its mode; a new one has the mode that the umask leaves.
///
/// # Errors
/// Errors of `write`, syncing or renaming; `path` is then unchanged, or, if only the directory could not be synced,
/// replaced, but a crash of the machine may undo it.
pub fn replace<T, E: From<io::Error>>(path: &Path, write: impl FnOnce(&mut dyn Write) -> Result<T, E>) -> Result<T, E> {
    replace_within(path, mode::ALL, write)
}

/// As [`replace`], for a copy or an extract of `source`: only those who may read `source` may read it.
///
/// # Errors
/// As [`replace`].
pub fn replace_like<T, E: From<io::Error>>(
    path: &Path,
    source: &Path,
    write: impl FnOnce(&mut dyn Write) -> Result<T, E>,
) -> Result<T, E> {
    let limit = mode::of(&fs::metadata(source)?);
    replace_within(path, limit, write)
}

/// As [`replace`], for a file that only its owner may read.
///
/// # Errors
/// As [`replace`].
pub fn replace_private<T, E: From<io::Error>>(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> Result<T, E>,
) -> Result<T, E> {
    replace_within(path, 0o600, write)
}

/// Removes read permission from `path` for those who may not read each of `sources`; sources that are not files are
/// ignored.
///
/// # Errors
/// I/O errors of `path`.
pub fn narrow(path: &Path, sources: &[&Path]) -> io::Result<()> {
    let modes = sources.iter().filter_map(|source| fs::metadata(source).ok()).filter(fs::Metadata::is_file);
    let limit = modes.fold(mode::ALL, |limit, source| limit & mode::of(&source));
    let own = mode::of(&fs::metadata(path)?);
    fs::set_permissions(path, fs::Permissions::from_mode(own & limit))
}

/// Copies the file `from` to `to`, as [`replace_like`] does.
///
/// # Errors
/// I/O errors; `to` is then unchanged.
pub fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let mut file = open::open(from)?;
    replace_like(to, from, |out| io::copy(&mut file, out).map(|_| ()))
}

fn replace_within<T, E: From<io::Error>>(
    path: &Path,
    limit: u32,
    write: impl FnOnce(&mut dyn Write) -> Result<T, E>,
) -> Result<T, E> {
    let old = fs::metadata(path).ok();
    if old.as_ref().is_some_and(|found| !found.is_file() && !found.is_dir()) {
        let mut file = BufWriter::with_capacity(1 << 16, OpenOptions::new().write(true).open(path)?);
        let written = write(&mut file)?;
        file.flush()?;
        return Ok(written);
    }
    let end = if path.is_symlink() { fs::canonicalize(path)? } else { path.to_owned() };
    let path = end.as_path();
    let dir = parent(path);
    point()?;
    let beside = inside(dir, mode::new_files(limit).tempfile_in(dir))?;
    disk::created(beside.path());
    let mut file = BufWriter::with_capacity(1 << 16, beside);
    let written = write(&mut file)?;
    let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
    disk::wrote(file.path());
    mode::keep(file.as_file(), old.as_ref(), limit)?;
    point()?;
    disk::sync_file(file.as_file(), file.path())?;
    let from = file.path().to_owned();
    file.persist(path).map_err(|err| err.error)?;
    disk::renamed(&from, path);
    point()?;
    disk::sync_dir(dir)?;
    Ok(written)
}

/// Creates the directory `path` and its missing parents; each survives a crash of the machine.
///
/// # Errors
/// I/O errors.
pub fn make_dirs(path: impl AsRef<Path>) -> io::Result<()> {
    let path = path.as_ref();
    if path.is_dir() || path.as_os_str().is_empty() {
        return Ok(());
    }
    make_dirs(parent(path))?;
    match fs::create_dir(path) {
        Err(err) if err.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => return Ok(()),
        made => made?,
    }
    disk::made_dir(path);
    disk::sync_dir(parent(path))
}

/// Creates the directory `path` from an empty one beside it that `fill` fills; `path` must not exist.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`] if `path` exists; otherwise any error of `fill` or I/O, and nothing is left.
pub fn new_dir(path: &Path, fill: impl FnOnce(&Path) -> io::Result<()>) -> io::Result<()> {
    if path.exists() {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, format!("{} exists", path.display())));
    }
    let dir = parent(path);
    point()?;
    let beside = inside(dir, mode::new_dirs().tempdir_in(dir))?;
    disk::made_dir(beside.path());
    fill(beside.path())?;
    point()?;
    for entry in fs::read_dir(beside.path())? {
        let entry = entry?.path();
        disk::sync_file(&open::open(&entry)?, &entry)?;
    }
    disk::sync_dir(beside.path())?;
    disk::rename(&beside.keep(), path)?;
    point()?;
    disk::sync_dir(dir)
}

/// Appends whole lines to `path` and syncs them; `lines` must end in a newline.
///
/// An incomplete last line of an earlier crash is removed first, so that every line is complete.
///
/// # Errors
/// I/O errors; nothing was added then.
pub fn append(path: &Path, lines: &[u8]) -> io::Result<()> {
    Appender::open(path)?.append(b"", lines, true).map(|_| ())
}

/// Makes lines appended to `path` by any process survive a crash of the machine; a missing file is ignored.
///
/// # Errors
/// I/O errors.
pub fn sync_file(path: &Path) -> io::Result<()> {
    match open::open(path) {
        Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(()),
        file => disk::sync_file(&file?, path)?,
    }
    disk::sync_dir(parent(path))
}

/// Renames a file or directory within the workspace; an existing target is replaced.
///
/// # Errors
/// I/O errors.
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    point()?;
    disk::rename(from, to)?;
    point()?;
    disk::sync_dir(parent(to))?;
    disk::sync_dir(parent(from))
}

/// A new file in `dir`; if `dir` is missing, the error names `dir`, not a temporary file.
fn inside<T>(dir: &Path, made: io::Result<T>) -> io::Result<T> {
    made.map_err(|err| match err.kind() {
        io::ErrorKind::NotFound => io::Error::new(err.kind(), format!("there is no directory {}", dir.display())),
        _ => err,
    })
}

/// Removes a directory so that it is never seen half removed: it is renamed first.
///
/// # Errors
/// I/O errors.
pub fn remove_dir(path: &Path) -> io::Result<()> {
    let dir = parent(path);
    let beside = tempfile::Builder::new().prefix(PREFIX).tempdir_in(dir)?.keep();
    disk::made_dir(&beside);
    point()?;
    disk::rename(path, &beside)?;
    point()?;
    // The old name must be gone durably before any content is removed.
    disk::sync_dir(dir)?;
    disk::remove_dir_all(&beside)?;
    disk::sync_dir(dir)
}

/// Removes a file; a missing one is not an error.
///
/// # Errors
/// I/O errors.
pub fn remove_file(path: &Path) -> io::Result<()> {
    point()?;
    match disk::remove_file(path) {
        Err(err) if err.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }?;
    point()?;
    disk::sync_dir(parent(path))
}

/// Removes a marker that does no harm if a power loss brings it back; a missing one is not an error.
///
/// # Errors
/// I/O errors.
pub fn forget(path: &Path) -> io::Result<()> {
    point()?;
    match disk::remove_file(path) {
        Err(err) if err.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// A whole file of at most `max_bytes`: a file that is not really a model must not fill the memory.
///
/// # Errors
/// Those of reading; [`io::ErrorKind::FileTooLarge`] for a larger one.
pub fn read_at_most(path: &Path, max_bytes: u64) -> io::Result<Vec<u8>> {
    let file = open::open(path)?;
    // Allocate once; the length may be wrong, so read no further than the limit.
    let mut bytes = Vec::with_capacity(file.metadata()?.len().min(max_bytes) as usize + 1);
    file.take(max_bytes + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > max_bytes {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("is larger than {max_bytes} bytes")));
    }
    Ok(bytes)
}

/// The last complete line of `path`, without its newline; `None` if there is none.
///
/// # Errors
/// I/O errors; a missing file has no line.
pub fn last_line(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let file = match open::open(path) {
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

/// Length of the first `len` bytes of `file` up to and including their last newline: the part that a reader of a
/// growing file can use.
///
/// # Errors
/// I/O errors.
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

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    }
}

/// Removes incomplete files of other processes in `dir`, where some may be writing now: those not modified for an hour
/// before `now`, the modification time of a file just written. A missing directory is ignored.
///
/// # Errors
/// I/O errors.
pub fn remove_old_leftovers(dir: &Path, now: std::time::SystemTime) -> io::Result<()> {
    const AGE: Duration = Duration::from_secs(3600);
    for entry in leftovers(dir)? {
        // Its writer may remove it at this moment.
        let Ok(facts) = entry.metadata() else { continue };
        let is_old = facts.modified().is_ok_and(|at| now.duration_since(at).is_ok_and(|age| age > AGE));
        if is_old {
            if facts.is_dir() { fs::remove_dir_all(entry.path())? } else { fs::remove_file(entry.path())? }
        }
    }
    Ok(())
}

/// Removes incomplete files of killed processes in `dir`. Call it under the lock of the workspace. A missing directory
/// is ignored.
///
/// # Errors
/// I/O errors.
pub fn remove_leftovers(dir: &Path) -> io::Result<()> {
    for entry in leftovers(dir)? {
        match entry.file_type()?.is_dir() {
            true => fs::remove_dir_all(entry.path())?,
            false => fs::remove_file(entry.path())?,
        }
    }
    Ok(())
}

/// Incomplete files in `dir`.
fn leftovers(dir: &Path) -> io::Result<Vec<fs::DirEntry>> {
    let entries = match fs::read_dir(dir) {
        Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let is_one = |entry: &fs::DirEntry| entry.file_name().to_string_lossy().starts_with(PREFIX);
    entries.filter(|entry| entry.as_ref().map_or(true, is_one)).collect()
}

#[cfg(test)]
#[path = "atomic_tests.rs"]
#[expect(clippy::disallowed_methods, reason = "tests write what they damage")]
mod tests;

#[cfg(test)]
#[path = "power_loss.rs"]
#[expect(clippy::disallowed_methods, reason = "tests write what they damage")]
mod power_loss;
