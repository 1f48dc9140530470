//! The only code that writes to a workspace: replace a file, replace a directory, append lines, take the lock. What is
//! read of it within limits is read here too.
//!
//! ```text
//! replace   write .mlloop-XXXX beside ─▶ fsync ─▶ rename over name ─▶ fsync directory
//! ```
//! Whatever moment the process or the machine dies at, `name` holds the old bytes or the new ones.

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

/// What names of half-written files begin with.
const PREFIX: &str = ".mlloop-";

/// Replaces `path` by what `write` writes. Where a link stands, what it leads to is replaced. A device or a pipe is not
/// replaced but written to: `-o /dev/null` by a superuser must not turn the device into a file.
///
/// A file that is replaced keeps its mode; a new one has the mode that the umask leaves.
///
/// # Errors
/// Whatever `write`, syncing or renaming says; `path` is then as it was, or, when only the directory could not be synced,
/// replaced for as long as the machine lives.
pub fn replace<T, E: From<io::Error>>(path: &Path, write: impl FnOnce(&mut dyn Write) -> Result<T, E>) -> Result<T, E> {
    replace_within(path, mode::ALL, write)
}

/// As [`replace`], for a copy or an extract of `source`: whoever may not read that may not read this.
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

/// As [`replace`], for what its owner alone may read.
///
/// # Errors
/// As [`replace`].
pub fn replace_private<T, E: From<io::Error>>(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> Result<T, E>,
) -> Result<T, E> {
    replace_within(path, 0o600, write)
}

/// Takes from everybody the file `path` who may not read each of `sources`; those that are no files say nothing.
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
/// I/O errors; `to` is then as it was.
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

/// Makes the directory `path` and those above it that are not there, each of which survives the death of the machine.
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
/// A last line that an earlier crash cut short is dropped first, so that every line stays whole.
///
/// # Errors
/// I/O errors; nothing was added then.
pub fn append(path: &Path, lines: &[u8]) -> io::Result<()> {
    Appender::open(path)?.append(b"", lines, true).map(|_| ())
}

/// Makes what was appended to `path` by whomever survive the death of the machine; a file that is gone needs nothing.
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

/// Moves a file or directory of the workspace to another name in the workspace; what stood there is replaced.
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

/// What was made in `dir`; where that is not there, this is said, and not the name of a file that nobody asked for.
fn inside<T>(dir: &Path, made: io::Result<T>) -> io::Result<T> {
    made.map_err(|err| match err.kind() {
        io::ErrorKind::NotFound => io::Error::new(err.kind(), format!("there is no directory {}", dir.display())),
        _ => err,
    })
}

/// Removes a directory so that no moment shows half of it: it loses its name first.
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
    // Its name is gone for good before half of it can be.
    disk::sync_dir(dir)?;
    disk::remove_dir_all(&beside)?;
    disk::sync_dir(dir)
}

/// Removes a file; one that is not there is no error.
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

/// Removes a mark that does no harm when a loss of power brings it back; one that is not there is no error.
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

/// A whole file of at most `max_bytes`: one that claims to be a model must not fill the memory.
///
/// # Errors
/// Those of reading; [`io::ErrorKind::FileTooLarge`] for a larger one.
pub fn read_at_most(path: &Path, max_bytes: u64) -> io::Result<Vec<u8>> {
    let file = open::open(path)?;
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
/// I/O errors; a file that does not exist has no line.
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

/// Length of the first `len` bytes of `file` up to and with their last newline: what a reader may believe of a file
/// that is being appended to.
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

/// Removes what processes left half written in `dir`, where others may be writing now: what was not written to for an hour
/// before `now`, the time of the last change of a file that was just written. A directory that is not there has nothing.
///
/// # Errors
/// I/O errors.
pub fn remove_old_leftovers(dir: &Path, now: std::time::SystemTime) -> io::Result<()> {
    const AGE: Duration = Duration::from_secs(3600);
    for entry in leftovers(dir)? {
        // Whoever wrote it may take it away at this moment.
        let Ok(facts) = entry.metadata() else { continue };
        let is_old = facts.modified().is_ok_and(|at| now.duration_since(at).is_ok_and(|age| age > AGE));
        if is_old {
            if facts.is_dir() { fs::remove_dir_all(entry.path())? } else { fs::remove_file(entry.path())? }
        }
    }
    Ok(())
}

/// Removes what a killed process left half written in `dir`. Call it under the lock of the workspace. A directory that is
/// not there has nothing.
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

/// What is half written in `dir`.
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
