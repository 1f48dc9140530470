//! Stops a process, or fills its disk, at a chosen write: tests show that nothing is lost.
//!
//! Every write of a workspace passes numbered points. In debug builds a test can make the process die, or find the
//! disk full, at one of them; in release builds a point does nothing.

use std::io;
#[cfg(debug_assertions)]
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What happens at the chosen point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The process ends immediately, as by `kill -9`.
    Die,
    /// The disk is full from there on.
    Full,
}

#[cfg(debug_assertions)]
static PASSED: AtomicU64 = AtomicU64::new(0);
#[cfg(debug_assertions)]
static DIE_AT: AtomicU64 = AtomicU64::new(u64::MAX);
#[cfg(debug_assertions)]
static FULL_FROM: AtomicU64 = AtomicU64::new(u64::MAX);

/// Plans `fault` at the `n`th point of this process, counted from 1. Ignored in release builds.
pub fn plan(fault: Fault, n: u64) {
    #[cfg(debug_assertions)]
    match fault {
        Fault::Die => DIE_AT.store(n, Relaxed),
        Fault::Full => FULL_FROM.store(n, Relaxed),
    }
    #[cfg(not(debug_assertions))]
    let _ = (fault, n);
}

/// Passes a fault point.
#[cfg(debug_assertions)]
pub(super) fn point() -> io::Result<()> {
    let n = PASSED.fetch_add(1, Relaxed) + 1;
    if n == DIE_AT.load(Relaxed) {
        std::process::abort();
    }
    if n >= FULL_FROM.load(Relaxed) {
        return Err(io::ErrorKind::StorageFull.into());
    }
    Ok(())
}

#[cfg(not(debug_assertions))]
#[expect(clippy::unnecessary_wraps, reason = "a debug build can fail here")]
pub(super) fn point() -> io::Result<()> {
    Ok(())
}

/// Writes `bytes` with a fault point in the middle, so that a crash there leaves half of them.
pub(super) fn torn(bytes: &[u8], mut write: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    if cfg!(not(debug_assertions)) {
        return write(bytes);
    }
    let (first, second) = bytes.split_at(bytes.len() / 2);
    write(first)?;
    point()?;
    write(second)
}
