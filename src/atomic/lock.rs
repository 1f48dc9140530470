//! Locks that keep processes from changing the same files at once.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::time::Duration;

/// A file that no other process can lock until this is dropped, also by the death of the process.
#[derive(Debug)]
pub(super) struct Held(File);

impl Held {
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] if another process holds it; otherwise any I/O error.
    pub(super) fn new(file: File) -> io::Result<Self> {
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
            Err(TryLockError::Error(err)) => Err(err),
        }
    }
}

/// Closing the file is not enough: a child process that another thread is just starting also has it open, until it
/// executes its program.
impl Drop for Held {
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}

impl Deref for Held {
    type Target = File;

    fn deref(&self) -> &File {
        &self.0
    }
}

impl DerefMut for Held {
    fn deref_mut(&mut self) -> &mut File {
        &mut self.0
    }
}

/// The lock of a workspace, held until dropped (also by the death of the process).
#[derive(Debug)]
pub struct Lock {
    _file: Held,
}

/// Takes the lock `path`.
///
/// # Errors
/// [`io::ErrorKind::WouldBlock`] if another process holds it; otherwise any I/O error.
pub fn lock(path: &Path) -> io::Result<Lock> {
    // Opening for reading and writing never blocks on a pipe.
    let file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path)?;
    let file = super::open::only_plain(file)?;
    let mut file = Held::new(file).map_err(|err| match err.kind() {
        io::ErrorKind::WouldBlock => {
            io::Error::new(err.kind(), format!("{} is locked by another mlloop process", path.display()))
        }
        _ => err,
    })?;
    // Other processes name the holder in their messages; nothing else needs this number.
    let _ = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
    Ok(Lock { _file: file })
}

/// The interval between two attempts to take a lock.
const STEP: Duration = Duration::from_millis(20);

/// Takes the lock `path`; while another process holds it, waits for `limit` at most.
///
/// # Errors
/// As [`lock`].
pub fn lock_within(path: &Path, limit: Duration) -> io::Result<Lock> {
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

/// Takes the lock `path` as [`lock_within`] does, but restarts `limit` whenever another process gets the lock
/// meanwhile, up to twelve times: a queue of short changes is not reported as a hang.
///
/// # Errors
/// As [`lock`].
pub fn lock_in_turn(path: &Path, limit: Duration) -> io::Result<Lock> {
    let (mut holder, mut tried) = (lock_holder(path), lock_within(path, limit.min(STEP)));
    let (mut left, mut in_all) = (limit, limit.saturating_mul(TURNS));
    while let Err(err) = &tried {
        if err.kind() != io::ErrorKind::WouldBlock || left.is_zero() || in_all.is_zero() {
            break;
        }
        let now = lock_holder(path);
        if now.is_some() && now != holder {
            (holder, left) = (now, limit);
        }
        (left, in_all) = (left.saturating_sub(STEP), in_all.saturating_sub(STEP));
        tried = lock_within(path, STEP);
    }
    tried
}

/// How many times [`lock_in_turn`] restarts its limit.
pub const TURNS: u32 = 12;

/// The process that last wrote its number into the lock `path`: the holder, if the lock is held.
#[must_use]
pub fn lock_holder(path: &Path) -> Option<u32> {
    super::read_to_string(path).ok()?.trim().parse().ok()
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests write what other processes would")]
mod tests {
    use super::*;

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
    fn patience_counts_from_the_last_change_of_hands() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(".mlloop.lock");
        let limit = 20 * STEP;
        let held = lock(&path).unwrap();
        assert!(lock_in_turn(&path, limit).is_err(), "no other process gets it");
        let hands = path.clone();
        // The lock changes holders every five steps, and is free after thirty: longer than the limit.
        let others = std::thread::spawn(move || {
            for process in 0..6 {
                std::fs::write(&hands, format!("{process}\n")).unwrap();
                std::thread::sleep(5 * STEP);
            }
            drop(held);
        });
        lock_in_turn(&path, limit).unwrap();
        others.join().unwrap();
    }

    #[test]
    fn a_process_that_is_just_starting_does_not_keep_a_lock() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(".mlloop.lock");
        let held = lock(&path).unwrap();
        // A child process of another thread inherits open files, like a cloned file.
        let in_the_child = held._file.try_clone().unwrap();
        drop(held);
        lock(&path).unwrap();
        drop(in_the_child);
    }
}
