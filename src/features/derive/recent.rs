//! Past rows, stored so that the windows of the next row are computed quickly.
//!
//! ```text
//! row ─▶ per stream (value, key, time): the lane of its group ─▶ each window's value, bit-identical to that of a table
//!  └─ once logged ─▶ inserted into each lane; sent again, it replaces itself
//! lanes ─▶ rows beyond all windows are removed, and the oldest rows if there are too many
//! ```

use super::events::{Events, Own};
use super::groups::NONE;
use super::lane::Lane;
use super::node::Window;
use super::past::{Windows, names};
use super::stream::Stream;
use super::window::{Line, Looking};
use crate::features::error::FeatureError;
use crate::table::{Column, Kind, Table, Values};
use sha2::{Digest, Sha256};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Up to this much lateness (a day), all rows of a late row's windows are still stored.
const LATE_US: i64 = 86_400_000_000;
/// Rows added before the lock is released once.
const PIECE: usize = 256;
/// Lanes of a stream that are swept for old rows, per new row; and how many while there are too many rows.
const SWEEP: usize = 2;
const SWEEP_FAST: usize = 64;

/// The rows that windows need, updated row by row.
#[derive(Debug)]
pub struct Recent {
    windows: Windows,
    id: Option<String>,
    max_rows: usize,
    kept: Mutex<Kept>,
}

/// Numbers of stored and removed rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Held {
    /// Rows.
    pub n_rows: u64,
    /// Rows removed because there were too many, although a window may need them.
    pub n_left: u64,
    /// Rows so late that rows of their windows may already have been removed.
    pub n_late: u64,
}

#[derive(Debug, Default)]
struct Kept {
    rows: HashMap<u64, Row>,
    streams: Vec<Stream>,
    n_left: u64,
    n_late: u64,
}

/// A row, and its positions.
#[derive(Debug)]
struct Row {
    logged_us: i64,
    /// Per stream.
    places: Box<[Place]>,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    /// [`NONE`] if the row is in no window of the stream.
    lane: u32,
    at: i64,
}

/// A group's key: long ones by their digest.
fn key_of(keys: &[String]) -> Arc<str> {
    const LONG: usize = 64;
    let key = super::groups::joined(keys);
    if key.len() <= LONG { key.into() } else { crate::digest::hex(&Sha256::digest(key.as_bytes())).into() }
}

impl Recent {
    /// An empty store for `windows`: at most about `max_rows` rows, named by the column `id`.
    #[must_use]
    pub fn new(windows: Windows, id: Option<&str>, max_rows: usize) -> Self {
        let stream = |windows: &Vec<(usize, &Window)>| Stream {
            by_key: HashMap::new(),
            lanes: Vec::new(),
            free: Vec::new(),
            keep_us: longest(windows).saturating_add(LATE_US),
            newest: i64::MIN,
            reached: i64::MIN,
            floor: i64::MIN,
            next: 0,
            in_a_hurry: 0,
        };
        let streams = windows.streams().iter().map(stream).collect();
        let kept = Mutex::new(Kept { streams, ..Kept::default() });
        Self { windows, id: id.map(str::to_owned), max_rows: max_rows.max(1), kept }
    }

    /// The windows.
    #[must_use]
    pub fn windows(&self) -> &Windows {
        &self.windows
    }

    /// The numbers of stored and removed rows.
    #[must_use]
    pub fn held(&self) -> Held {
        let kept = self.kept();
        Held { n_rows: kept.rows.len() as u64, n_left: kept.n_left, n_late: kept.n_late }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn events(&self, part: &Table) -> Result<(Vec<Events>, Vec<u64>), FeatureError> {
        let empty = Values::empty(Kind::Number);
        let events = self.windows.events(&self.windows.raw(part, &empty)?, part.n_rows());
        Ok((events, names(&self.windows, self.id.as_deref(), part)?))
    }

    /// The values of the windows in rows of one request: the result of [`Windows::compute`] for a table of them.
    /// `part` has the columns of [`Windows::part`].
    ///
    /// # Errors
    /// If a column they read is missing, or of another kind.
    pub fn values(&self, part: &Table) -> Result<Vec<Column>, FeatureError> {
        let (events, names) = self.events(part)?;
        let own = Own::of(part, self.id.as_deref(), names);
        let known: HashSet<u64> = {
            let kept = self.kept();
            own.names.iter().copied().filter(|name| kept.rows.contains_key(name)).collect()
        };
        let mut found = vec![vec![f64::NAN; part.n_rows()]; self.windows.names().len()];
        for (place, (windows, events)) in self.windows.streams().iter().zip(&events).enumerate() {
            let rows = events.order();
            for group in rows.chunk_by(|&a, &b| events.groups[a as usize] == events.groups[b as usize]) {
                match (group, known.is_empty()) {
                    ([row], true) => self.look_alone(place, windows, events, *row as usize, &mut found),
                    _ => self.look_together((place, windows, events), group, (&own, &known), &mut found),
                }
            }
        }
        Ok(self.windows.columns(found))
    }

    /// The values of a row that depends only on stored rows.
    fn look_alone(
        &self,
        place: usize,
        windows: &[(usize, &Window)],
        events: &Events,
        row: usize,
        found: &mut [Vec<f64>],
    ) {
        let key = key_of(&events.keys[events.groups[row] as usize]);
        let (at, own) = (events.at[row], events.values[row]);
        let mut kept = self.kept();
        let Kept { streams, n_late, .. } = &mut *kept;
        let stream = &mut streams[place];
        *n_late += u64::from(at.saturating_sub(longest(windows)) < stream.forgotten());
        let lane = stream.by_key.get(&key).copied();
        for (nth, (slot, window)) in windows.iter().enumerate() {
            found[*slot][row] = match lane {
                Some(lane) => stream.lanes[lane as usize].look((nth, window), at, own),
                None => window.of(&[], &[], at, own),
            };
        }
    }

    /// The values of rows of a group that are also in each other's windows, or partly stored already.
    fn look_together(
        &self,
        (place, windows, events): (usize, &[(usize, &Window)], &Events),
        group: &[u32],
        (own, known): (&Own, &HashSet<u64>),
        found: &mut [Vec<f64>],
    ) {
        let at = |row: &u32| events.at[*row as usize];
        let (first, last) = (group.first().map_or(0, at), group.last().map_or(0, at));
        let begin = first.saturating_sub(longest(windows));
        let mut line: Vec<(i64, f64, u64)> = {
            let mut kept = self.kept();
            let Kept { streams, n_late, .. } = &mut *kept;
            let stream = &streams[place];
            let reach = |row: &&u32| at(row).saturating_sub(longest(windows)) < stream.forgotten();
            *n_late += group.iter().filter(reach).count() as u64;
            let key = key_of(&events.keys[group.first().map_or(0, |&row| events.groups[row as usize]) as usize]);
            let lane = stream.by_key.get(&key).map(|&lane| &stream.lanes[lane as usize]);
            let rows = |lane: &Lane| {
                let (from, to) = lane.between(begin, last);
                let row = |place: usize| (lane.at[place], lane.values[place], lane.names[place]);
                (from..to).map(row).filter(|(_, _, name)| !known.contains(name)).collect()
            };
            lane.map(rows).unwrap_or_default()
        };
        let event = |row: usize| (events.at[row], events.values[row], own.names[row]);
        line.extend(group.iter().map(|&row| row as usize).filter(|&row| own.counts[row]).map(event));
        line.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| a.1.total_cmp(&b.1)));
        let times: Vec<i64> = line.iter().map(|(at, ..)| *at).collect();
        let values: Vec<f64> = line.iter().map(|(_, value, _)| *value).collect();
        let names: Vec<u64> = line.iter().map(|(.., name)| *name).collect();
        let looking = |&row: &u32| {
            let row = row as usize;
            let not = (!own.counts[row]).then_some(own.names[row]);
            Looking { row, at: events.at[row], own: events.values[row], not }
        };
        let looking: Vec<Looking> = group.iter().map(looking).collect();
        for (slot, window) in windows {
            window.look(Line { at: &times, values: &values, names: &names }, &looking, &mut found[*slot]);
        }
    }

    /// Adds past rows, each once: a known row is replaced, unless the stored one was logged later.
    ///
    /// # Errors
    /// As [`Recent::values`].
    pub fn push(&self, part: &Table, logged_us: &[i64], now_us: i64) -> Result<(), FeatureError> {
        let (events, names) = self.events(part)?;
        let keys: Vec<Vec<Arc<str>>> =
            events.iter().map(|events| events.keys.iter().map(|keys| key_of(keys)).collect()).collect();
        for start in (0..names.len()).step_by(PIECE) {
            let mut kept = self.kept();
            for row in start..(start + PIECE).min(names.len()) {
                let event = |(events, keys): (&Events, &Vec<Arc<str>>)| match events.groups[row] {
                    NONE => None,
                    group => Some((Arc::clone(&keys[group as usize]), events.at[row], events.values[row])),
                };
                let sees: Vec<_> = events.iter().zip(&keys).map(event).collect();
                kept.put(names[row], logged_us[row], &sees, now_us);
                kept.sweep(now_us, self.max_rows);
            }
        }
        Ok(())
    }
}

/// The longest of some windows.
fn longest(windows: &[(usize, &Window)]) -> i64 {
    windows.iter().map(|(_, window)| window.length_us).max().unwrap_or(0)
}

/// A row as input of a stream: its group, its time and its value.
type Sees = Option<(Arc<str>, i64, f64)>;

impl Kept {
    fn put(&mut self, name: u64, logged_us: i64, sees: &[Sees], now_us: i64) {
        if let Some(known) = self.rows.get_mut(&name) {
            if known.logged_us > logged_us {
                return;
            }
            known.logged_us = logged_us;
            let is_same = |((place, stream), sees): ((&Place, &Stream), &Sees)| match sees {
                None => place.lane == NONE,
                Some((key, at, value)) => stream.lanes.get(place.lane as usize).is_some_and(|lane| {
                    let same = |found: usize| lane.values[found].to_bits() == value.to_bits();
                    lane.key == *key && lane.find(name, *at).is_some_and(same)
                }),
            };
            if known.places.iter().zip(&self.streams).zip(sees).all(is_same) {
                return;
            }
            self.remove(name);
        }
        let mut places = Vec::with_capacity(sees.len());
        for (stream, sees) in self.streams.iter_mut().zip(sees) {
            places.push(match sees {
                Some((key, at, value)) if *at >= stream.reach(now_us).max(stream.floor) => {
                    stream.newest = stream.newest.max(*at);
                    let lane = stream.lane(key);
                    stream.lanes[lane as usize].insert(name, *at, *value);
                    Place { lane, at: *at }
                }
                _ => Place { lane: NONE, at: 0 },
            });
        }
        if places.iter().any(|place| place.lane != NONE) {
            self.rows.insert(name, Row { logged_us, places: places.into() });
        }
    }

    fn remove(&mut self, name: u64) {
        let Some(row) = self.rows.remove(&name) else { return };
        for (stream, place) in self.streams.iter_mut().zip(&row.places) {
            if let Some(lane) = stream.lanes.get_mut(place.lane as usize)
                && let Some(found) = lane.find(name, place.at)
            {
                lane.remove(found);
                stream.close(place.lane);
            }
        }
    }

    /// Sweeps a few lanes for old rows.
    fn sweep(&mut self, now_us: i64, max_rows: usize) {
        if self.rows.len() > max_rows && self.streams.iter().all(|stream| stream.in_a_hurry == 0) {
            self.raise(max_rows);
        }
        for place in 0..self.streams.len() {
            let stream = &mut self.streams[place];
            let n = if stream.in_a_hurry > 0 { SWEEP_FAST } else { SWEEP };
            for _ in 0..n.min(stream.lanes.len()) {
                self.sweep_one(place, now_us);
            }
        }
    }

    fn sweep_one(&mut self, place: usize, now_us: i64) {
        let Self { rows, streams, n_left, .. } = self;
        let stream = &mut streams[place];
        let reach = stream.reach(now_us);
        stream.next = if stream.next + 1 < stream.lanes.len() { stream.next + 1 } else { 0 };
        let hurries = std::mem::take(&mut stream.in_a_hurry);
        stream.in_a_hurry = hurries.saturating_sub(1);
        let lane = &mut stream.lanes[stream.next];
        let n = lane.at.partition_point(|&at| at < stream.floor.max(reach));
        // Removal moves all later rows, so wait until several can be removed together.
        if n == 0 || (hurries == 0 && n * 2 < lane.at.len()) {
            return;
        }
        for (name, at) in lane.take_first(n) {
            let Some(row) = rows.get_mut(&name) else { continue };
            row.places[place].lane = NONE;
            if row.places.iter().all(|place| place.lane == NONE) {
                rows.remove(&name);
                *n_left += u64::from(at >= reach);
            }
        }
        stream.close(stream.next as u32);
    }

    /// Too many rows: mark the oldest tenth, estimated from a sample, for removal.
    fn raise(&mut self, max_rows: usize) {
        const SAMPLE: usize = 2_000;
        let goes = 1.0 - 0.9 * max_rows as f64 / self.rows.len() as f64;
        for (place, stream) in self.streams.iter_mut().enumerate() {
            let seen = self.rows.values().map(|row| row.places[place]).filter(|place| place.lane != NONE);
            let mut times: Vec<i64> = seen.map(|place| place.at).take(SAMPLE).collect();
            times.sort_unstable();
            let Some(&floor) = times.get((times.len() as f64 * goes) as usize) else { continue };
            // Rows with equal times are removed together, if necessary.
            stream.floor = if floor > stream.floor { floor } else { stream.floor.saturating_add(1) };
            stream.in_a_hurry = stream.lanes.len();
        }
    }
}
