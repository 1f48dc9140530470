//! Connection limits: in total, per address, and which to close if there is no room.
//!
//! ```text
//! connection ─ room? ──────────────────────────────────────▶ seat
//!                └ no: the longest idle one is closed ─────▶ its seat
//!                         └ none idle: a spare seat ───────▶ one health request, then it is closed
//!                                └ none left: 503
//! ```

use super::limits::Limits;
use super::metrics::Metrics;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, watch};

/// Connections over the limit that may still request health.
const SPARE: usize = 16;
/// Connections without any traffic for this long may be closed.
const IDLE: Duration = Duration::from_secs(1);

/// A request slower than this, in bytes per second since it began, may be closed too: an occasional byte does not keep
/// a seat.
const LEAST_RATE: u64 = 1000;

/// All connections.
pub(super) struct Hall {
    max: usize,
    max_per_address: usize,
    began: Instant,
    seats: Mutex<Seats>,
    n_open: watch::Sender<usize>,
    metrics: Arc<Metrics>,
}

#[derive(Default)]
struct Seats {
    taken: HashMap<u64, Arc<Seat>>,
    by_address: HashMap<IpAddr, usize>,
    n_spare: usize,
    next: u64,
}

/// One connection.
#[derive(Debug)]
pub(super) struct Seat {
    id: u64,
    address: IpAddr,
    is_spare: bool,
    /// Whether one of its requests is being answered; then it may not be closed.
    is_busy: AtomicBool,
    /// Time of the last traffic, in milliseconds since the hall was opened.
    touched_ms: AtomicU64,
    /// When the arriving request began, and its bytes so far.
    asked_ms: AtomicU64,
    came: AtomicU64,
    began: Instant,
    leave: Notify,
    /// Whether the last request stated its length in two ways.
    pub(super) is_ambiguous: AtomicBool,
    /// Whether the next bytes begin a request.
    pub(super) head_comes: AtomicBool,
}

impl Seat {
    /// Whether only health requests are answered here.
    pub(super) fn is_spare(&self) -> bool {
        self.is_spare
    }

    /// Records traffic.
    pub(super) fn touch(&self) {
        self.touched_ms.store(millis(self.began), Ordering::Relaxed);
    }

    /// Counts bytes of a request; returns whether they are the first.
    pub(super) fn came(&self, n: usize) -> bool {
        self.touch();
        let is_first = self.head_comes.swap(false, Ordering::Relaxed);
        if is_first {
            self.asked_ms.store(millis(self.began), Ordering::Relaxed);
            self.came.store(0, Ordering::Relaxed);
        }
        self.came.fetch_add(n as u64, Ordering::Relaxed);
        is_first
    }

    /// Since when it is idle or its request is too slow; `None` if neither.
    fn waits_since(&self, now_ms: u64) -> Option<u64> {
        if self.is_busy.load(Ordering::Relaxed) {
            return None;
        }
        let idle_ms = IDLE.as_millis() as u64;
        let touched = self.touched_ms.load(Ordering::Relaxed);
        if now_ms.saturating_sub(touched) >= idle_ms {
            return Some(touched);
        }
        let asked = self.asked_ms.load(Ordering::Relaxed);
        let took = now_ms.saturating_sub(asked);
        let is_slow = self.came.load(Ordering::Relaxed).saturating_mul(1000) < took.saturating_mul(LEAST_RATE);
        (!self.head_comes.load(Ordering::Relaxed) && took >= idle_ms && is_slow).then_some(asked)
    }

    /// Whether a request is being answered.
    pub(super) fn set_busy(&self, is_busy: bool) {
        self.is_busy.store(is_busy, Ordering::Relaxed);
    }

    /// Returns when the connection must close.
    pub(super) async fn is_asked_to_leave(&self) {
        self.leave.notified().await;
    }
}

fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// Holds a seat; freed when dropped.
pub(super) struct Seated {
    hall: Arc<Hall>,
    pub(super) seat: Arc<Seat>,
}

impl Drop for Seated {
    fn drop(&mut self) {
        self.hall.seats().give_back(&self.seat);
        self.hall.metrics.disconnected();
        self.hall.n_open.send_modify(|n| *n -= 1);
    }
}

impl Hall {
    pub(super) fn new(limits: &Limits, metrics: Arc<Metrics>) -> Arc<Self> {
        Arc::new(Self {
            max: limits.max_connections,
            max_per_address: limits.max_per_address,
            began: Instant::now(),
            seats: Mutex::default(),
            n_open: watch::Sender::new(0),
            metrics,
        })
    }

    fn seats(&self) -> MutexGuard<'_, Seats> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A seat for a connection from `address`; `None` if there is no room.
    pub(super) fn enter(self: &Arc<Self>, address: IpAddr) -> Option<Seated> {
        let mut seats = self.seats();
        let from_here = seats.by_address.get(&address).copied().unwrap_or(0);
        let of = (from_here >= self.max_per_address).then_some(address);
        let is_full = seats.taken.len() >= self.max || of.is_some();
        let is_spare = is_full && !seats.make_room(of, millis(self.began));
        if is_spare && seats.n_spare >= SPARE {
            return None;
        }
        let seat = Arc::new(Seat {
            id: seats.next,
            address,
            is_spare,
            is_busy: AtomicBool::new(false),
            touched_ms: AtomicU64::new(millis(self.began)),
            asked_ms: AtomicU64::default(),
            came: AtomicU64::default(),
            began: self.began,
            leave: Notify::new(),
            is_ambiguous: AtomicBool::new(false),
            head_comes: AtomicBool::new(true),
        });
        seats.next += 1;
        if is_spare {
            seats.n_spare += 1;
        } else {
            seats.taken.insert(seat.id, Arc::clone(&seat));
            *seats.by_address.entry(address).or_default() += 1;
        }
        drop(seats);
        self.metrics.connected();
        self.n_open.send_modify(|n| *n += 1);
        Some(Seated { hall: Arc::clone(self), seat })
    }

    /// Returns when no connections are left.
    pub(super) async fn is_empty(&self) {
        // `self` keeps the sender alive, so waiting cannot fail.
        let _ = self.n_open.subscribe().wait_for(|n| *n == 0).await;
    }
}

impl Seats {
    /// Closes the longest idle connection, of one address or of all; `false` if there is none.
    fn make_room(&mut self, of: Option<IpAddr>, now_ms: u64) -> bool {
        let here = self.taken.values().filter(|seat| of.is_none_or(|address| seat.address == address));
        let waiting = here.filter_map(|seat| Some((seat.waits_since(now_ms)?, seat)));
        let longest = waiting.min_by_key(|(since, _)| *since).map(|(_, seat)| Arc::clone(seat));
        let Some(seat) = longest else { return false };
        self.give_back(&seat);
        seat.leave.notify_one();
        true
    }

    /// Frees the seat, unless it was taken away already.
    fn give_back(&mut self, seat: &Seat) {
        if seat.is_spare {
            self.n_spare -= 1;
        } else if self.taken.remove(&seat.id).is_some()
            && let Some(n) = self.by_address.get_mut(&seat.address)
        {
            *n -= 1;
            if *n == 0 {
                self.by_address.remove(&seat.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(n: u8) -> IpAddr {
        [10, 0, 0, n].into()
    }

    fn hall(max_connections: usize, max_per_address: usize) -> Arc<Hall> {
        let limits = Limits { max_connections, max_per_address, ..Limits::default() };
        Hall::new(&limits, Arc::new(Metrics::new()))
    }

    /// Simulates a time without traffic.
    fn age(seated: &Seated, hall: &mut Arc<Hall>) {
        let _ = hall;
        seated.seat.touched_ms.store(0, Ordering::Relaxed);
    }

    #[test]
    fn who_is_over_the_limit_may_ask_about_health() {
        let hall = hall(3, 2);
        let mine: Vec<Seated> = (0..2).filter_map(|_| hall.enter(address(1))).collect();
        assert!(mine.iter().all(|seated| !seated.seat.is_spare()));
        let third = hall.enter(address(1)).unwrap();
        assert!(third.seat.is_spare(), "an address has two");
        let other = hall.enter(address(2)).unwrap();
        assert!(!other.seat.is_spare());
        assert!(hall.enter(address(3)).unwrap().seat.is_spare(), "three are all");
        let spare: Vec<Option<Seated>> = (0..SPARE).map(|_| hall.enter(address(3))).collect();
        assert_eq!(spare.iter().flatten().count(), SPARE - 1, "one of them is still taken");
        drop((mine, third));
        assert!(!hall.enter(address(1)).unwrap().seat.is_spare());
        assert_eq!(hall.seats().by_address, HashMap::from([(address(2), 1)]));
    }

    #[test]
    fn a_byte_now_and_then_keeps_no_seat() {
        let mut hall = hall(3, 3);
        Arc::get_mut(&mut hall).unwrap().began = Instant::now().checked_sub(20 * IDLE).unwrap();
        let seats: Vec<Seated> = (1..=3).filter_map(|n| hall.enter(address(n))).collect();
        // Each request began ten seconds ago, and bytes of each arrived just now: one is fast enough.
        for (seated, n_bytes) in seats.iter().zip([25, 20_000, 26]) {
            assert!(seated.seat.came(n_bytes) && !seated.seat.came(0));
            seated.seat.asked_ms.store(10_000, Ordering::Relaxed);
        }
        seats[2].seat.asked_ms.store(9_000, Ordering::Relaxed);
        let mut came = Vec::new();
        for (n, gone) in [(4, 2), (5, 0)] {
            came.push(hall.enter(address(n)).unwrap());
            assert!(!came.last().unwrap().seat.is_spare());
            assert!(!hall.seats().taken.contains_key(&seats[gone].seat.id), "the older one first");
        }
        assert!(hall.seats().taken.contains_key(&seats[1].seat.id));
        // A connection between two requests, or one being answered, is not slow.
        seats[1].seat.came.store(1, Ordering::Relaxed);
        let now = millis(hall.began);
        assert_eq!(seats[1].seat.waits_since(now), Some(10_000));
        seats[1].seat.set_busy(true);
        assert_eq!(seats[1].seat.waits_since(now), None);
        seats[1].seat.set_busy(false);
        seats[1].seat.head_comes.store(true, Ordering::Relaxed);
        assert_eq!(seats[1].seat.waits_since(now), None);
    }

    #[test]
    fn who_makes_us_wait_longest_goes_first() {
        let mut hall = hall(3, 3);
        // The hall is older than the idle limit.
        let old = Instant::now().checked_sub(10 * IDLE).unwrap();
        Arc::get_mut(&mut hall).unwrap().began = old;
        let seats: Vec<Seated> = (1..=3).filter_map(|n| hall.enter(address(n))).collect();
        assert!(hall.enter(address(4)).unwrap().seat.is_spare(), "all are lively");
        seats.iter().for_each(|seated| age(seated, &mut hall));
        seats[0].seat.set_busy(true);
        seats[2].seat.touched_ms.store(5, Ordering::Relaxed);
        assert!(!hall.enter(address(4)).unwrap().seat.is_spare());
        assert!(!hall.seats().taken.contains_key(&seats[1].seat.id), "neither the busy one nor the younger");
        let left = hall.enter(address(4)).unwrap();
        assert!(!left.seat.is_spare(), "the one that came had gone by itself");
        drop(seats);
        assert_eq!(hall.seats().by_address, HashMap::from([(address(4), 1)]));
    }
}
