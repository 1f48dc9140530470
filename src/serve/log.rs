//! The prediction log under load: what waits is written in one piece and synced once.
//!
//! ```text
//! requests ─ lines ─▶ waiting ─▶ one thread: append all, sync ─▶ everybody who waited is answered
//!                      ▲ what comes meanwhile waits for the next round
//! ```

use super::metrics::Metrics;
use crate::journal::{Durability, Journal, Layout, Writer};
use jiff::Timestamp;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
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

#[derive(Default)]
struct Waiting {
    entries: Vec<Entry>,
    closed: bool,
}

#[derive(Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    filled: Condvar,
}

impl Shared {
    fn waiting(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The one writer of a server.
pub(super) struct Log {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Log {
    /// Starts the thread that writes.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(super) fn start(journal: Journal, durability: Durability, metrics: Arc<Metrics>) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let book = Book { journal, durability, writers: Vec::new(), unsynced: false, metrics };
        let theirs = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("prediction-log".to_owned()).spawn(move || book.keep(&theirs))?;
        Ok(Self { shared, thread: Mutex::new(Some(thread)) })
    }

    /// Logs lines; returns when they are as safe as was asked for.
    ///
    /// # Errors
    /// Why they are not in the log.
    pub(super) async fn commit(&self, at: Timestamp, lines: Vec<Lines>) -> Result<(), String> {
        let (done, told) = oneshot::channel();
        {
            let mut waiting = self.shared.waiting();
            if waiting.closed {
                return Err("the server is stopping".to_owned());
            }
            waiting.entries.push(Entry { at, lines, done });
            // Who is not first has no need to wake the thread.
            if waiting.entries.len() == 1 {
                self.shared.filled.notify_one();
            }
        }
        told.await.unwrap_or_else(|_| Err("the thread that writes the log is gone".to_owned()))
    }

    /// Writes what waits, syncs and ends the thread.
    pub(super) fn close(&self) {
        self.shared.waiting().closed = true;
        self.shared.filled.notify_one();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.close();
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

/// What the thread works with.
struct Book {
    journal: Journal,
    durability: Durability,
    /// One per layout in use.
    writers: Vec<(Arc<Layout>, Writer)>,
    /// Whether something was written that only a later append would sync.
    unsynced: bool,
    metrics: Arc<Metrics>,
}

/// How long the thread waits for more before it syncs what it wrote.
const IDLE: Duration = Duration::from_secs(1);

/// More layouts than these are not kept open: versions with other columns come one after another.
const MAX_WRITERS: usize = 8;

impl Book {
    fn keep(mut self, shared: &Shared) {
        loop {
            let (entries, closed) = {
                let mut waiting = shared.waiting();
                while waiting.entries.is_empty() && !waiting.closed && !self.unsynced {
                    waiting = shared.filled.wait(waiting).unwrap_or_else(PoisonError::into_inner);
                }
                if waiting.entries.is_empty() && !waiting.closed {
                    let waited = shared.filled.wait_timeout(waiting, IDLE);
                    waiting = waited.unwrap_or_else(PoisonError::into_inner).0;
                }
                (std::mem::take(&mut waiting.entries), waiting.closed)
            };
            match entries.is_empty() {
                true => self.sync(),
                false => self.commit(entries),
            }
            if closed {
                break;
            }
        }
        self.sync();
    }

    /// Syncs what a pause or the end would leave unsynced.
    fn sync(&mut self) {
        if std::mem::take(&mut self.unsynced) && self.writers.iter().any(|(_, writer)| writer.sync().is_err()) {
            self.metrics.log_failed();
        }
    }

    /// Writes the lines of all entries, those of one day and layout in one piece, and tells who waits.
    fn commit(&mut self, entries: Vec<Entry>) {
        self.unsynced |= self.durability == Durability::Batch;
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
