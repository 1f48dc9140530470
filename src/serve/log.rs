//! The prediction log under load: lines of concurrent requests are written in one piece and synced once.
//!
//! ```text
//! always      requests ─ lines ─▶ the log's own thread: append all, sync ─▶ all of them are answered
//!                                  ▲ later lines wait for the next piece
//! batch, off  requests ─ lines ─▶ tray of their thread ─▶ one task: append all ─▶ all are answered
//!                                  the log's own thread syncs once a second
//! ```
//! A sync may take long, so only the log's own thread ever waits for one. An append without a sync takes
//! microseconds; waking another thread for it would cost more.

use super::metrics::Metrics;
use crate::atomic;
use crate::journal::{Durability, Journal, Layout, Writer};
use jiff::Timestamp;
use std::collections::HashSet;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
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

/// Lines and the request waiting for them.
struct Entry {
    at: Timestamp,
    lines: Vec<Lines>,
    done: oneshot::Sender<Result<(), String>>,
}

/// The entries to be written for the requests of one thread.
#[derive(Default)]
struct Tray {
    entries: Vec<Entry>,
    /// Whether a task is emptying it.
    taken: bool,
}

/// Number of trays; beyond this many threads, they share.
const N_TRAYS: usize = 64;
/// How often unsynced lines are synced, and a failed log is retried.
const SYNC_EVERY: Duration = Duration::from_secs(1);

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
    shared: Arc<Shared>,
    /// The channel to the log's own thread; `None` once closed.
    inbox: Mutex<Option<Sender<Entry>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// The state shared by the log's own thread and the request threads.
struct Shared {
    book: Mutex<Book>,
    /// Whether the last write failed, so that the next will probably fail too.
    is_failing: AtomicBool,
    metrics: Arc<Metrics>,
    dir: PathBuf,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

const STOPPING: &str = "the server is stopping";

impl Log {
    /// A log in the directory `dir`, with the requested durability.
    ///
    /// # Errors
    /// If no thread can be created.
    pub(super) fn new(
        journal: Journal,
        dir: PathBuf,
        durability: Durability,
        metrics: Arc<Metrics>,
    ) -> io::Result<Arc<Self>> {
        let book = Book { journal, durability, writers: Vec::new(), unsynced: HashSet::new() };
        let shared = Arc::new(Shared { book: Mutex::new(book), is_failing: AtomicBool::new(false), metrics, dir });
        let (inbox, entries) = channel();
        let theirs = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("log".to_owned()).spawn(move || theirs.keep(&entries))?;
        Ok(Arc::new(Self {
            trays: std::array::from_fn(|_| Mutex::default()),
            durability,
            shared,
            inbox: Mutex::new(Some(inbox)),
            thread: Mutex::new(Some(thread)),
        }))
    }

    /// Logs lines; returns once they have the requested durability.
    ///
    /// # Errors
    /// Why they are not in the log.
    pub(super) async fn commit(self: &Arc<Self>, at: Timestamp, lines: Vec<Lines>) -> Result<(), String> {
        let (done, told) = oneshot::channel();
        let entry = Entry { at, lines, done };
        if self.durability == Durability::Always {
            let sent = locked(&self.inbox).as_ref().map(|inbox| inbox.send(entry));
            if !matches!(sent, Some(Ok(()))) {
                return Err(STOPPING.to_owned());
            }
        } else {
            self.put(entry)?;
        }
        told.await.unwrap_or_else(|_| Err("the thread that writes the log stopped".to_owned()))
    }

    /// Puts lines into the tray of this thread.
    fn put(self: &Arc<Self>, entry: Entry) -> Result<(), String> {
        if locked(&self.inbox).is_none() {
            return Err(STOPPING.to_owned());
        }
        let which = TRAY.with(|tray| *tray);
        let is_first = {
            let mut tray = locked(&self.trays[which]);
            tray.entries.push(entry);
            !std::mem::replace(&mut tray.taken, true)
        };
        if is_first {
            // A separate task, because a request is dropped when its client disconnects. It starts after the requests
            // that are ready now.
            tokio::spawn(Arc::clone(self).empty(which));
        }
        Ok(())
    }

    /// Writes the entries of a tray until it is empty.
    async fn empty(self: Arc<Self>, which: usize) {
        let mut turn = Turn { tray: &self.trays[which], is_over: false };
        while let Some(entries) = turn.next() {
            self.shared.commit(entries);
        }
    }

    /// Whether the next line will probably not be written.
    pub(super) fn is_failing(&self) -> bool {
        self.shared.is_failing.load(Ordering::Relaxed)
    }

    /// Closes the log to new lines, and returns once the earlier ones are durable.
    pub(super) fn close(&self) {
        drop(locked(&self.inbox).take());
        if let Some(thread) = locked(&self.thread).take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    /// The log's own thread, until all senders are closed.
    fn keep(&self, entries: &Receiver<Entry>) {
        let mut looked = Instant::now();
        loop {
            match entries.recv_timeout(SYNC_EVERY) {
                Ok(first) => {
                    let all = std::iter::once(first).chain(entries.try_iter()).collect();
                    // After a panic, the dropped entries notify the waiting requests.
                    let _ = catch_unwind(AssertUnwindSafe(|| self.commit(all)));
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if looked.elapsed() >= SYNC_EVERY {
                looked = Instant::now();
                self.sync();
                if self.is_failing.load(Ordering::Relaxed) && self.probe().is_ok() {
                    self.is_failing.store(false, Ordering::Relaxed);
                }
            }
        }
        self.sync();
    }

    /// Writes the lines of all entries, and notifies the requests.
    fn commit(&self, entries: Vec<Entry>) {
        let (written, waiting) = locked(&self.book).write(entries);
        for (piece, result) in &written {
            match result {
                Ok(()) => self.metrics.logged(piece.n_rows, piece.bytes.len()),
                Err(_) => self.metrics.log_failed(),
            }
        }
        self.is_failing.store(written.iter().any(|(_, result)| result.is_err()), Ordering::Relaxed);
        for (places, done) in waiting {
            let wrong = places.iter().find_map(|&place| written[place].1.as_ref().err());
            // The client may have disconnected.
            let _ = done.send(wrong.map_or(Ok(()), |err| Err(err.clone())));
        }
    }

    /// Syncs unsynced lines; no writer waits for it.
    fn sync(&self) {
        let unsynced = std::mem::take(&mut locked(&self.book).unsynced);
        for path in unsynced {
            if atomic::sync_file(&path).is_err() {
                self.metrics.log_failed();
            }
        }
    }

    /// Whether there is room on the disk again.
    fn probe(&self) -> io::Result<()> {
        let path = self.dir.join(".mlloop-probe");
        atomic::replace(&path, |out| out.write_all(&[b'\n'; 1 << 16]))?;
        atomic::remove_file(&path)
    }
}

/// The right to empty a tray; released also if its holder panics or is dropped.
struct Turn<'a> {
    tray: &'a Mutex<Tray>,
    is_over: bool,
}

impl Turn<'_> {
    /// The entries of the tray; if it is empty, `None`, and another task may take the tray.
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
            // Dropped entries notify the waiting requests.
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
    /// Files that the log's own thread has to sync.
    unsynced: HashSet<PathBuf>,
}

/// Maximum number of layouts kept open; only successive versions have different columns.
const MAX_WRITERS: usize = 8;

/// The pieces with the lines of a waiting request.
type Waiting = (Vec<usize>, oneshot::Sender<Result<(), String>>);

/// A piece, and whether it is written.
type Written = (Piece, Result<(), String>);

impl Book {
    /// Writes the lines of all entries, those of one day and layout in one piece.
    fn write(&mut self, entries: Vec<Entry>) -> (Vec<Written>, Vec<Waiting>) {
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
        let append = |piece: Piece| {
            let written = self.append(&piece).map_err(|err| err.to_string());
            (piece, written)
        };
        let written = pieces.into_iter().map(append).collect();
        if self.writers.len() > MAX_WRITERS {
            self.writers.drain(..self.writers.len() - MAX_WRITERS);
        }
        (written, waiting)
    }

    fn append(&mut self, piece: &Piece) -> Result<(), crate::journal::JournalError> {
        let writer = &mut self.writers[piece.writer].1;
        writer.append(piece.at, &piece.bytes)?;
        if self.durability == Durability::Batch
            && let Some(path) = writer.path()
            && !self.unsynced.contains(&path)
        {
            self.unsynced.insert(path);
        }
        Ok(())
    }

    /// The index of the writer for a layout.
    fn writer(&mut self, layout: &Arc<Layout>) -> usize {
        let same = |(known, _): &(Arc<Layout>, Writer)| Arc::ptr_eq(known, layout) || known == layout;
        match self.writers.iter().rposition(same) {
            Some(place) => place,
            None => {
                // The log's own thread syncs once a second; the writer itself would sync while requests wait for it.
                let durability =
                    if self.durability == Durability::Always { Durability::Always } else { Durability::Off };
                self.writers.push((Arc::clone(layout), self.journal.writer(layout, durability)));
                self.writers.len() - 1
            }
        }
    }
}
