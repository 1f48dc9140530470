//! A cache of frequently read values, each valid until one of its files changes.

use super::pages::feedback::Judged;
use super::pages::versions::Facts;
use super::web::Oops;
use crate::drift::report::DriftReport;
use crate::registry::Version;
use crate::retrain::standing::Progress;
use crate::workspace::Run;
use crate::workspace::audit::Chain;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A value and the stamp of its files.
pub(super) struct Kept<T>(Mutex<Option<Held<T>>>);

struct Held<T> {
    of: String,
    value: Arc<T>,
    /// When it was first seen to be out of date.
    stale: Option<Instant>,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

/// Which requests wait for a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Waits {
    /// The request itself.
    Asker,
    /// None: the old value is shown until the new one has been read ahead.
    Nobody,
    /// The thread that reads ahead; requests do not wait.
    Ahead,
}

/// A value not read ahead for this long is read by the next request.
const LATE: Duration = Duration::from_secs(10);

impl<T> Kept<T> {
    /// The value at `stamp`, taken before reading: later writes are read next time.
    pub(super) fn get(
        &self,
        stamp: &str,
        waits: Waits,
        read: impl FnOnce() -> Result<T, Oops>,
    ) -> Result<Arc<T>, Oops> {
        let mut kept = self.lock();
        if let Some(held) = &mut *kept {
            if held.of == stamp {
                return Ok(Arc::clone(&held.value));
            }
            let since = held.stale.get_or_insert_with(Instant::now);
            if waits == Waits::Nobody && since.elapsed() < LATE {
                return Ok(Arc::clone(&held.value));
            }
        }
        // Requests for the same value share one read, unless there is an old value to show.
        let goes_on = waits == Waits::Ahead && kept.is_some();
        let held = (!goes_on).then_some(kept);
        let value = Arc::new(read()?);
        let mut kept = held.unwrap_or_else(|| self.lock());
        *kept = Some(Held { of: stamp.to_owned(), value: Arc::clone(&value), stale: None });
        Ok(value)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Held<T>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Values by version; the oldest are dropped if there are too many.
pub(super) struct ByVersion<T>(Mutex<BTreeMap<Version, (String, Arc<T>)>>);

impl<T> Default for ByVersion<T> {
    fn default() -> Self {
        Self(Mutex::new(BTreeMap::new()))
    }
}

/// Maximum number of versions.
const MAX_VERSIONS: usize = 2000;

impl<T> ByVersion<T> {
    /// The value of `version` as of `stamp`.
    pub(super) fn get(
        &self,
        version: Version,
        stamp: &str,
        read: impl FnOnce() -> Result<T, Oops>,
    ) -> Result<Arc<T>, Oops> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, value)) = kept.get(&version)
            && of == stamp
        {
            return Ok(Arc::clone(value));
        }
        let value = Arc::new(read()?);
        kept.insert(version, (stamp.to_owned(), Arc::clone(&value)));
        if kept.len() > MAX_VERSIONS {
            kept.pop_first();
        }
        Ok(value)
    }
}

/// The last comparison, or why its report is unreadable: pages are shown without it.
pub(super) type LastDrift = Result<Option<Arc<DriftReport>>, String>;

/// All cached values.
#[derive(Default)]
pub(super) struct AllKept {
    pub(super) chain: Kept<Chain>,
    pub(super) drift: Kept<LastDrift>,
    /// The last runs of `monitor`.
    pub(super) runs: Kept<Vec<Run>>,
    pub(super) standing: Kept<Progress>,
    pub(super) judged: Kept<Judged>,
    pub(super) versions: ByVersion<Facts>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_read_once_for_each_stamp() {
        let kept = Kept::default();
        let read = |stamp: &str, value: u32| kept.get(stamp, Waits::Asker, || Ok(value)).map(|kept| *kept).unwrap_or(0);
        assert_eq!([read("a", 1), read("a", 2), read("b", 3), read("a", 4)], [1, 1, 3, 4]);
        assert!(kept.get("c", Waits::Asker, || Err(Oops::Fault("gone".into()))).is_err());
        assert_eq!(read("a", 5), 4, "what could not be read replaces nothing");
    }

    #[test]
    fn what_takes_long_is_shown_as_it_was_until_it_was_read_ahead() {
        let kept = Kept::default();
        let read = |stamp: &str, waits, value: u32| kept.get(stamp, waits, || Ok(value)).map(|kept| *kept).unwrap_or(0);
        assert_eq!(read("a", Waits::Nobody, 1), 1, "the first is waited for");
        assert_eq!([read("b", Waits::Nobody, 2), read("b", Waits::Nobody, 3)], [1, 1]);
        // No request waits while it is read ahead.
        let ahead = kept.get("b", Waits::Ahead, || {
            assert_eq!(read("b", Waits::Nobody, 5), 1);
            Ok(4)
        });
        assert_eq!(ahead.map(|kept| *kept).unwrap_or(0), 4);
        assert_eq!(read("b", Waits::Nobody, 6), 4);
        // Not read ahead: the request reads it.
        assert_eq!(read("c", Waits::Nobody, 7), 4);
        if let Some(held) = &mut *kept.0.lock().unwrap() {
            held.stale = Instant::now().checked_sub(LATE);
        }
        assert_eq!(read("c", Waits::Nobody, 8), 8);
    }
}
