//! The prediction log under load: what comes together is written in one piece and synced once.
//!
//! ```text
//! requests ─ lines ─▶ their tray ─▶ one task: append all, sync ─▶ everybody who waited is answered
//!                                    ▲ what comes meanwhile waits for the next piece
//! ```
//! Where nothing is synced a tray belongs to a thread, so that nobody who waits has to be woken from another one.

use super::metrics::Metrics;
use crate::journal::{Durability, Journal, Layout, Writer};
use jiff::Timestamp;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// Lines of one request that have the same columns.
#[derive(Debug)]
pub(super) struct Lines {
    /// Their columns.
    pub(super) layout: Arc<Layout>,
    /// Whole lines.
    pub(super) bytes: Vec<u8>,
    /// How many.
    pub(super) n_rows: u64,
}

/// Lines and who waits for them.
struct Entry {
    at: Timestamp,
    lines: Vec<Lines>,
    done: oneshot::Sender<Result<(), String>>,
}

/// What the requests of one thread want to have written.
#[derive(Default)]
struct Tray {
    entries: Vec<Entry>,
    /// Whether a task is at it.
    taken: bool,
}

/// Trays that threads share out among themselves; more threads than these share.
const N_TRAYS: usize = 64;

thread_local! {
    static TRAY: usize = {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        NEXT.fetch_add(1, Ordering::Relaxed) % N_TRAYS
    };
}

/// The log of a server.
pub(super) struct Log {
    trays: [Mutex<Tray>; N_TRAYS],
    durability: Durability,
    book: Mutex<Book>,
    closed: AtomicBool,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Log {
    /// A log that is written to as safely as asked for.
    pub(super) fn new(journal: Journal, durability: Durability, metrics: Arc<Metrics>) -> Arc<Self> {
        let book = Book { journal, durability, writers: Vec::new(), unsynced: false, is_busy: false, metrics };
        let trays = std::array::from_fn(|_| Mutex::default());
        Arc::new(Self { trays, durability, book: Mutex::new(book), closed: AtomicBool::new(false) })
    }

    /// Logs lines; returns when they are as safe as was asked for.
    ///
    /// # Errors
    /// Why they are not in the log.
    pub(super) async fn commit(self: &Arc<Self>, at: Timestamp, lines: Vec<Lines>) -> Result<(), String> {
        if self.closed.load(Ordering::Relaxed) {
            return Err("the server is stopping".to_owned());
        }
        let (done, told) = oneshot::channel();
        // One sync serves all threads; without one, nobody has to be woken from another thread.
        let which = if self.durability == Durability::Always { 0 } else { TRAY.with(|tray| *tray) };
        let is_first = {
            let mut tray = locked(&self.trays[which]);
            tray.entries.push(Entry { at, lines, done });
            !std::mem::replace(&mut tray.taken, true)
        };
        if is_first {
            // A task of its own, because a request is dropped when its client goes away. It begins after those requests
            // that are ready now.
            tokio::spawn(Arc::clone(self).empty(which));
        }
        told.await.unwrap_or_else(|_| Err("the task that writes the log fell".to_owned()))
    }

    /// Writes what is in a tray until nothing is.
    async fn empty(self: Arc<Self>, which: usize) {
        let mut turn = Turn { tray: &self.trays[which], is_over: false };
        while let Some(entries) = turn.next() {
            if self.durability == Durability::Always {
                let log = Arc::clone(&self);
                // Who waited is told by what became of the entries.
                let _ = tokio::task::spawn_blocking(move || locked(&log.book).commit(entries)).await;
            } else {
                locked(&self.book).commit(entries);
            }
        }
    }

    /// Makes safe what no append has made safe since the last call: appends do it once a second while there are any.
    pub(super) fn sync_after_pause(&self) {
        let mut book = locked(&self.book);
        if !std::mem::take(&mut book.is_busy) {
            book.sync();
        }
    }

    /// Takes nothing more, and makes safe what was written.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
        locked(&self.book).sync();
    }
}

/// The right to empty a tray; given back also when its holder falls or is dropped.
struct Turn<'a> {
    tray: &'a Mutex<Tray>,
    is_over: bool,
}

impl Turn<'_> {
    /// What is in the tray; `None`, and the tray is free for another, when nothing is.
    fn next(&mut self) -> Option<Vec<Entry>> {
        let mut tray = locked(self.tray);
        tray.taken = !tray.entries.is_empty();
        self.is_over = !tray.taken;
        tray.taken.then(|| std::mem::take(&mut tray.entries))
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            // Who is in the tray learns of it.
            *locked(self.tray) = Tray::default();
        }
    }
}

/// Lines of one day for one writer.
struct Piece {
    writer: usize,
    day: i64,
    at: Timestamp,
    bytes: Vec<u8>,
    n_rows: u64,
}

impl Piece {
    fn add(&mut self, bytes: &[u8], n_rows: u64) {
        self.bytes.extend_from_slice(bytes);
        self.n_rows += n_rows;
    }
}

/// The open files.
struct Book {
    journal: Journal,
    durability: Durability,
    /// One per layout in use.
    writers: Vec<(Arc<Layout>, Writer)>,
    /// Whether something was written that only a later append would sync.
    unsynced: bool,
    /// Whether something was written since it was last asked.
    is_busy: bool,
    metrics: Arc<Metrics>,
}

/// More layouts than these are not kept open: versions with other columns come one after another.
const MAX_WRITERS: usize = 8;

impl Book {
    /// Syncs what a pause or the end would leave unsynced.
    fn sync(&mut self) {
        if std::mem::take(&mut self.unsynced) && self.writers.iter().any(|(_, writer)| writer.sync().is_err()) {
            self.metrics.log_failed();
        }
    }

    /// Writes the lines of all entries, those of one day and layout in one piece, and tells who waits.
    fn commit(&mut self, entries: Vec<Entry>) {
        self.unsynced |= self.durability == Durability::Batch;
        self.is_busy = true;
        let mut pieces: Vec<Piece> = Vec::new();
        let mut waiting = Vec::with_capacity(entries.len());
        for Entry { at, lines, done } in entries {
            let day = at.as_second().div_euclid(86_400);
            let mut places = Vec::with_capacity(lines.len());
            for Lines { layout, bytes, n_rows } in lines {
                let writer = self.writer(&layout);
                let place = pieces.iter().position(|piece| piece.writer == writer && piece.day == day);
                places.push(place.unwrap_or(pieces.len()));
                match place {
                    Some(place) => pieces[place].add(&bytes, n_rows),
                    None => pieces.push(Piece { writer, day, at, bytes, n_rows }),
                }
            }
            waiting.push((places, done));
        }
        let written: Vec<Result<(), String>> = pieces.iter().map(|piece| self.write(piece)).collect();
        for (places, done) in waiting {
            let wrong = places.iter().find_map(|&place| written[place].as_ref().err());
            // Who asked may have gone away.
            let _ = done.send(wrong.map_or(Ok(()), |err| Err(err.clone())));
        }
        if self.writers.len() > MAX_WRITERS {
            self.writers.drain(..self.writers.len() - MAX_WRITERS);
        }
    }

    fn write(&mut self, piece: &Piece) -> Result<(), String> {
        match self.writers[piece.writer].1.append(piece.at, &piece.bytes) {
            Ok(()) => {
                self.metrics.logged(piece.n_rows, piece.bytes.len());
                Ok(())
            }
            Err(err) => {
                self.metrics.log_failed();
                Err(err.to_string())
            }
        }
    }

    /// The place of the writer for a layout.
    fn writer(&mut self, layout: &Arc<Layout>) -> usize {
        let same = |(known, _): &(Arc<Layout>, Writer)| Arc::ptr_eq(known, layout) || known == layout;
        match self.writers.iter().rposition(same) {
            Some(place) => place,
            None => {
                self.writers.push((Arc::clone(layout), self.journal.writer(layout, self.durability)));
                self.writers.len() - 1
            }
        }
    }
}
