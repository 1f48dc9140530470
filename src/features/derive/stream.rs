//! The lanes of windows that see the same rows with the same values.

use super::lane::Lane;
use std::collections::HashMap;
use std::sync::Arc;

/// The lanes of windows that see the same rows with the same values.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) by_key: HashMap<Arc<str>, u32>,
    pub(super) lanes: Vec<Lane>,
    /// Lanes without a group.
    pub(super) free: Vec<u32>,
    /// How long a row is kept.
    pub(super) keep_us: i64,
    pub(super) newest: i64,
    /// Rows before this time were removed because no window reached them.
    pub(super) reached: i64,
    /// Rows before this time were removed because there were too many.
    pub(super) floor: i64,
    /// The next lane to sweep, and how many to sweep at the faster rate.
    pub(super) next: usize,
    pub(super) in_a_hurry: usize,
}

impl Stream {
    /// No window reaches back before this time. A future time does not age rows.
    pub(super) fn reach(&mut self, now_us: i64) -> i64 {
        self.reached = self.reached.max(self.newest.min(now_us).saturating_sub(self.keep_us));
        self.reached
    }

    /// Rows before this time may have been removed.
    pub(super) fn forgotten(&self) -> i64 {
        self.floor.max(self.reached)
    }

    pub(super) fn lane(&mut self, key: &Arc<str>) -> u32 {
        if let Some(&lane) = self.by_key.get(key) {
            return lane;
        }
        let lane = match self.free.pop() {
            Some(lane) => {
                self.lanes[lane as usize] = Lane::new(Arc::clone(key));
                lane
            }
            None => {
                self.lanes.push(Lane::new(Arc::clone(key)));
                self.lanes.len() as u32 - 1
            }
        };
        self.by_key.insert(Arc::clone(key), lane);
        lane
    }

    /// Frees an empty lane.
    pub(super) fn close(&mut self, lane: u32) {
        let empty = &mut self.lanes[lane as usize];
        if empty.at.is_empty() && self.by_key.get(&empty.key) == Some(&lane) {
            self.by_key.remove(&empty.key);
            *empty = Lane::new("".into());
            self.free.push(lane);
        }
    }
}
