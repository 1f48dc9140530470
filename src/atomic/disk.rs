//! The calls with which `atomic` changes the disk. In tests they are recorded, to derive every state that a
//! power loss may leave (`power_loss.rs`).

use std::fs::{self, File};
use std::io;
use std::path::Path;

/// A change of what the disk holds, or a call that makes changes survive a loss of power.
#[cfg(test)]
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Op {
    Create(std::path::PathBuf),
    /// All bytes of a file after a write to it.
    Data(std::path::PathBuf, Vec<u8>),
    MakeDir(std::path::PathBuf),
    Rename(std::path::PathBuf, std::path::PathBuf),
    Remove(std::path::PathBuf),
    SyncFile(std::path::PathBuf),
    SyncDir(std::path::PathBuf),
}

#[cfg(test)]
#[derive(Debug, Default)]
pub(super) struct Tape {
    pub(super) ops: Vec<Op>,
    /// Syncs so far, and which of them fails.
    pub(super) n_syncs: usize,
    pub(super) failing: Option<usize>,
}

#[cfg(test)]
thread_local! {
    pub(super) static TAPE: std::cell::RefCell<Option<Tape>> = const { std::cell::RefCell::new(None) };
}

#[cfg(test)]
fn note(op: impl FnOnce() -> Op) {
    TAPE.with_borrow_mut(|tape| {
        if let Some(tape) = tape {
            tape.ops.push(op());
        }
    });
}

/// Whether tests make this sync fail.
#[cfg(test)]
fn refuse_sync() -> io::Result<()> {
    TAPE.with_borrow_mut(|tape| {
        let Some(tape) = tape else { return Ok(()) };
        tape.n_syncs += 1;
        if tape.failing == Some(tape.n_syncs) { Err(io::Error::other("the disk failed")) } else { Ok(()) }
    })
}

/// The number of syncs of files and directories by `work`.
#[cfg(test)]
pub(crate) fn n_syncs(work: impl FnOnce()) -> usize {
    TAPE.set(Some(Tape::default()));
    work();
    TAPE.take().map_or(0, |tape| tape.n_syncs)
}

macro_rules! noted {
    ($op:expr) => {
        #[cfg(test)]
        note(|| $op);
    };
}

pub(super) fn created(_path: &Path) {
    noted!(Op::Create(_path.to_owned()));
}

/// Bytes of `path` were written or truncated.
pub(super) fn wrote(_path: &Path) {
    noted!(Op::Data(_path.to_owned(), fs::read(_path).expect("it was written just now")));
}

pub(super) fn made_dir(_path: &Path) {
    noted!(Op::MakeDir(_path.to_owned()));
}

pub(super) fn renamed(_from: &Path, _to: &Path) {
    noted!(Op::Rename(_from.to_owned(), _to.to_owned()));
}

pub(super) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    renamed(from, to);
    Ok(())
}

pub(super) fn remove_file(path: &Path) -> io::Result<()> {
    fs::remove_file(path)?;
    noted!(Op::Remove(path.to_owned()));
    Ok(())
}

pub(super) fn remove_dir_all(path: &Path) -> io::Result<()> {
    #[cfg(test)]
    let inside = below(path);
    fs::remove_dir_all(path)?;
    #[cfg(test)]
    inside.into_iter().for_each(|entry| note(|| Op::Remove(entry)));
    noted!(Op::Remove(path.to_owned()));
    Ok(())
}

/// All entries of a directory, deepest first: the order of removal.
#[cfg(test)]
fn below(dir: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(below(&path));
        }
        found.push(path);
    }
    found
}

/// The bytes and the length of `file` survive a loss of power; its name need not.
pub(super) fn sync_file(file: &File, _path: &Path) -> io::Result<()> {
    #[cfg(test)]
    refuse_sync()?;
    file.sync_all()?;
    noted!(Op::SyncFile(_path.to_owned()));
    Ok(())
}

/// The names in `dir` survive a loss of power.
pub(super) fn sync_dir(dir: &Path) -> io::Result<()> {
    #[cfg(test)]
    refuse_sync()?;
    File::open(dir)?.sync_all()?;
    noted!(Op::SyncDir(dir.to_owned()));
    Ok(())
}
