//! The times of the audit chain: clocks may be wrong, the order of the lines is not.
//!
//! ```text
//! line           1      2      3      4      5           the order in which the changes were made
//! its clock      10:00  11:00  2099   10:30  12:00       3 was ahead, 4 was behind
//! counts from    10:00  11:00  12:00  12:00  12:00       corrected by its neighbours in order
//! ```
//! As many lines as possible keep their clock's time: a longest non-decreasing subsequence of times; of two such
//! subsequences, the one with the later lines. Any other line gets the time of the line before it if its clock was
//! behind, and of the line after it if its clock was ahead. The current time is the last of all, so that no line is in
//! the future.

use super::audit::{Chain, Entry, behind};
use crate::registry::Roles;
use jiff::Timestamp;
use serde::Serialize;

/// A line whose clock is behind that of a preceding line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ClockBack {
    /// The line, from 1.
    pub line: u64,
    /// Its time, by its own clock.
    pub at: Timestamp,
    /// The preceding line with the latest time.
    pub after_line: u64,
    /// The time of that line.
    pub after: Timestamp,
}

/// A line whose own clock is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Moved {
    /// The line, from 1.
    pub line: u64,
    /// Its time, by its own clock.
    pub at: Timestamp,
    /// The time that is used instead.
    pub counts_from: Timestamp,
}

impl Moved {
    /// The remark for the user.
    #[must_use]
    pub fn sentence(&self) -> String {
        let minute = |at: Timestamp| at.strftime("%Y-%m-%d %H:%M");
        let what = match self.at > self.counts_from {
            true => "is ahead of the following lines",
            false => "is behind the preceding lines",
        };
        let (line, at, from) = (self.line, minute(self.at), minute(self.counts_from));
        format!("The clock of line {line} ({at}) {what}: the line counts from {from}.")
    }
}

/// The line that decided about the roles at a time.
#[derive(Debug, Clone, PartialEq)]
pub struct InForce<'a> {
    /// The line.
    pub entry: &'a Entry,
    /// The roles after it.
    pub roles: &'a Roles,
    /// The time that is used instead.
    pub since: Timestamp,
}

/// Which of `times` are in a longest non-decreasing subsequence; of equally long ones, one with the latest lines.
fn in_order(times: &[Timestamp]) -> Vec<bool> {
    // For each length, the last line of the subsequence with the smallest end; and each line's predecessor.
    let mut ends: Vec<usize> = Vec::new();
    let mut before: Vec<Option<usize>> = Vec::with_capacity(times.len());
    for (line, time) in times.iter().enumerate() {
        let length = ends.partition_point(|end| times[*end] <= *time);
        before.push(length.checked_sub(1).map(|shorter| ends[shorter]));
        match ends.get_mut(length) {
            Some(end) => *end = line,
            None => ends.push(line),
        }
    }
    let mut stands = vec![false; times.len()];
    let mut line = ends.last().copied();
    while let Some(at) = line {
        stands[at] = true;
        line = before[at];
    }
    stands
}

/// The corrected time of each of `times`, non-decreasing; the last one is the current time.
fn counted(times: &[Timestamp]) -> Vec<Timestamp> {
    let stands = in_order(times);
    let mut next = times.last().copied().unwrap_or_default();
    let mut counted = times.to_vec();
    // Ahead: use the time of the next line of the subsequence.
    for (time, stands) in counted.iter_mut().zip(&stands).rev() {
        if *stands {
            next = *time;
        } else {
            *time = next.min(*time);
        }
    }
    // Behind: use the time of the previous line.
    let mut latest = Timestamp::MIN;
    for time in &mut counted {
        latest = latest.max(*time);
        *time = latest;
    }
    counted
}

impl Chain {
    /// The time from which each line counts, at `now`.
    #[must_use]
    pub fn times(&self, now: Timestamp) -> Vec<Timestamp> {
        let clocks: Vec<Timestamp> = self.entries.iter().map(|entry| entry.at).chain([now]).collect();
        let mut counted = counted(&clocks);
        counted.pop();
        counted
    }

    /// The line that decided which versions held which roles at `instant`: the last one that changed them and counts
    /// from `instant` or earlier. At `now` it is the last one of all.
    #[must_use]
    pub fn roles_at(&self, instant: Timestamp, now: Timestamp) -> Option<InForce<'_>> {
        let times = self.times(now);
        let until_then = self.entries.iter().zip(times).rev().filter(|(_, since)| *since <= instant);
        until_then.filter_map(|(entry, since)| Some(InForce { entry, roles: entry.roles.as_ref()?, since })).next()
    }

    /// The lines that changed roles, have a corrected time, and affect the answer for `instant`: it is between their
    /// two times or between the lines around them, or the line in effect has the same corrected time.
    #[must_use]
    pub fn moved_at(&self, instant: Timestamp, now: Timestamp) -> Vec<Moved> {
        let times = self.times(now);
        let decided = self.roles_at(instant, now);
        let is_moved = |at: usize| {
            let (clock, counts) = (self.entries[at].at, times[at]);
            behind(clock, counts).or(behind(counts, clock)).is_some()
        };
        let touches = |at: &usize| {
            let (clock, counts) = (self.entries[*at].at, times[*at]);
            let before = (0..*at).rev().find(|line| !is_moved(*line)).map_or(Timestamp::MIN, |line| times[line]);
            let after = (*at..times.len()).find(|line| !is_moved(*line)).map_or(now.max(counts), |line| times[line]);
            let is_between = |first: Timestamp, last: Timestamp| first <= instant && instant < last;
            is_between(before, after)
                || is_between(clock.min(counts), clock.max(counts))
                || decided.as_ref().is_some_and(|decided| decided.since == counts)
        };
        let changed = (0..times.len()).filter(|at| self.entries[*at].roles.is_some() && is_moved(*at));
        changed
            .filter(touches)
            .map(|at| Moved { line: self.entries[at].seq, at: self.entries[at].at, counts_from: times[at] })
            .collect()
    }

    /// The lines whose clock was behind that of an earlier line, whether or not they were marked when written.
    #[must_use]
    pub fn clock_went_back(&self) -> Vec<ClockBack> {
        let mut found = Vec::new();
        let Some(mut latest) = self.entries.first() else { return found };
        for entry in &self.entries[1..] {
            if let Some(after) = behind(latest.at, entry.at) {
                found.push(ClockBack { line: entry.seq, at: entry.at, after_line: latest.seq, after });
            }
            if entry.at >= latest.at {
                latest = entry;
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(times: &[i64]) -> Vec<Timestamp> {
        times.iter().map(|&time| Timestamp::from_second(time).unwrap()).collect()
    }

    #[test]
    fn a_line_counts_from_where_its_neighbours_allow() {
        for (clocks, expected) in [
            (&[1, 2, 3][..], &[1, 2, 3][..]),
            // Behind, ahead, both in a row, and a time ahead limited by the current time.
            (&[10, 20, 0, 30], &[10, 20, 20, 30]),
            (&[10, 99, 20, 30], &[10, 20, 20, 30]),
            (&[10, 11, 99, 5, 12, 13], &[10, 11, 12, 12, 12, 13]),
            (&[10, 20, 99, 30], &[10, 20, 30, 30]),
            // If two times contradict each other, the later line is trusted.
            (&[10, 40, 30, 50], &[10, 30, 30, 50]),
            (&[7, 7, 7], &[7, 7, 7]),
            // If the current time is before all others, it is the wrong one.
            (&[10, 20, 30, 0], &[10, 20, 30, 30]),
        ] {
            assert_eq!(counted(&seconds(clocks)), seconds(expected), "{clocks:?}");
        }
    }

    #[test]
    fn times_never_fall_and_the_present_sees_the_end_of_the_chain() {
        // Every permutation of six times, two of which are equal.
        let mut clocks = [1, 2, 3, 3, 5, 6];
        let mut n = 0;
        loop {
            let counts = counted(&seconds(&clocks));
            assert!(counts.is_sorted(), "{clocks:?}: {counts:?}");
            let kept = counts.iter().zip(seconds(&clocks)).filter(|(counts, clock)| **counts == *clock).count();
            let longest = (0..64_u32)
                .map(|mask| (0..6).filter(|at| mask >> at & 1 == 1).map(|at| clocks[at]).collect::<Vec<i64>>())
                .filter(|run| run.is_sorted())
                .map(|run| run.len())
                .max();
            assert!(Some(kept) >= longest, "{clocks:?}: {counts:?}");
            n += 1;
            // The next permutation.
            let Some(at) = (0..5).rfind(|at| clocks[*at] < clocks[at + 1]) else { break };
            let with = (at + 1..6).rfind(|with| clocks[at] < clocks[*with]).unwrap();
            clocks.swap(at, with);
            clocks[at + 1..].reverse();
        }
        assert_eq!(n, 360);
    }
}
