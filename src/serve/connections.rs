//! Connections: how many, for how long, and how they end.

use super::limits::Limits;
use super::metrics::Metrics;
use super::state::App;
use super::tls::Tls;
use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::io::{self, Write};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::time::Sleep;

/// How often the files that decide what answers are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Once a second what a pause left unsynced is synced.
const LOOKS_PER_SYNC: u64 = 5;
/// After the system refused a connection (no file descriptor left), others get the time to close.
const PAUSE: Duration = Duration::from_millis(50);
/// Threads of each worker for what takes long: large bodies, and the disk.
const MAX_BLOCKING: usize = 4;
/// Bytes that are read ahead on a connection; also the longest headers.
const BUFFER: usize = 1 << 16;

/// Answers connections until `stop`, on `n_threads` threads, then lets those that are open finish what they began, and
/// closes the log.
///
/// `router` is [`super::app`] of the state, or one that has it behind it.
///
/// Changes of roles and experiments on disk are taken up meanwhile.
///
/// # Errors
/// When the system gives no threads.
pub async fn serve(
    listener: TcpListener,
    tls: Option<Tls>,
    (state, router): (Arc<App>, Router),
    n_threads: usize,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    let limits = *state.gate.limits();
    let slots = Arc::new(Semaphore::new(limits.max_connections));
    let (stopping, stopped) = watch::channel(false);
    let desk = Desk { tls, router, limits, stopped };
    let workers = (0..n_threads.max(1)).map(|_| Worker::start(&desk)).collect::<io::Result<Vec<_>>>()?;
    let watcher = tokio::spawn(look_at_files(Arc::clone(&state)));
    let mut stop = pin!(stop);
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut stop => break,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let Ok(slot) = Arc::clone(&slots).try_acquire_owned() else {
            state.metrics.refused();
            turn_away(stream);
            continue;
        };
        // A socket belongs to the loop that waits for it.
        let Ok(stream) = stream.into_std() else { continue };
        if let Some(worker) = workers.iter().min_by_key(|worker| worker.n_open()) {
            worker.give(stream, Open::new(&state.metrics, slot, &worker.load));
        }
    }
    drop(listener);
    let _ = stopping.send(true);
    let all = u32::try_from(limits.max_connections).unwrap_or(u32::MAX);
    let _ = tokio::time::timeout(limits.patience, slots.acquire_many(all)).await;
    watcher.abort();
    let close = move || {
        workers.into_iter().for_each(Worker::end);
        state.log.iter().for_each(|log| log.close());
    };
    let _ = tokio::task::spawn_blocking(close).await;
    Ok(())
}

/// What every connection needs.
#[derive(Clone)]
struct Desk {
    tls: Option<Tls>,
    router: Router,
    limits: Limits,
    stopped: watch::Receiver<bool>,
}

/// A thread that waits for its own connections: a request is read, answered and sent without waking another thread.
struct Worker {
    inbox: mpsc::UnboundedSender<(std::net::TcpStream, Open)>,
    /// Held once more by each of its connections.
    load: Arc<()>,
    thread: JoinHandle<()>,
}

impl Worker {
    fn start(desk: &Desk) -> io::Result<Self> {
        let runtime =
            tokio::runtime::Builder::new_current_thread().max_blocking_threads(MAX_BLOCKING).enable_all().build()?;
        let (inbox, mut given) = mpsc::unbounded_channel::<(std::net::TcpStream, Open)>();
        let desk = desk.clone();
        let work = async move {
            while let Some((stream, open)) = given.recv().await {
                let Ok(stream) = TcpStream::from_std(stream) else { continue };
                let desk = desk.clone();
                tokio::spawn(async move {
                    connection(stream, desk).await;
                    drop(open);
                });
            }
        };
        let thread = std::thread::Builder::new().name("serve".to_owned()).spawn(move || runtime.block_on(work))?;
        Ok(Self { inbox, load: Arc::new(()), thread })
    }

    fn n_open(&self) -> usize {
        Arc::strong_count(&self.load)
    }

    fn give(&self, stream: std::net::TcpStream, open: Open) {
        // Whoever is not there any more lets go of the connection.
        let _ = self.inbox.send((stream, open));
    }

    /// Drops what is still open, and waits for the thread.
    fn end(self) {
        drop(self.inbox);
        let _ = self.thread.join();
    }
}

/// Counts a connection, and keeps its place on the server and with its worker, while it is open.
struct Open {
    metrics: Arc<Metrics>,
    _slot: OwnedSemaphorePermit,
    _load: Arc<()>,
}

impl Open {
    fn new(metrics: &Arc<Metrics>, slot: OwnedSemaphorePermit, load: &Arc<()>) -> Self {
        metrics.connected();
        Self { metrics: Arc::clone(metrics), _slot: slot, _load: Arc::clone(load) }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.metrics.disconnected();
    }
}

async fn look_at_files(state: Arc<App>) {
    for look in 1_u64.. {
        tokio::time::sleep(LOOK_EVERY).await;
        if state.is_due() {
            let state = Arc::clone(&state);
            let _ = tokio::task::spawn_blocking(move || state.refresh()).await;
        }
        if let Some(log) = state.log.clone().filter(|_| look.is_multiple_of(LOOKS_PER_SYNC)) {
            let _ = tokio::task::spawn_blocking(move || log.sync_after_pause()).await;
        }
    }
}

/// Says that there is no room, without waiting for anything.
fn turn_away(stream: TcpStream) {
    const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\n\
        Content-Type: application/json\r\nContent-Length: 63\r\n\r\n\
        {\"error\":\"too many connections at once; try again in a second\"}";
    if let Ok(mut stream) = stream.into_std() {
        let _ = stream.write(FULL);
    }
}

async fn connection(stream: TcpStream, desk: Desk) {
    // Answers are written in one piece; waiting for more would only delay them.
    let _ = stream.set_nodelay(true);
    let patience = desk.limits.patience;
    let stream = Patient::new(stream, patience);
    match desk.tls.clone() {
        None => converse(stream, desk).await,
        Some(tls) => {
            let secured = tokio::time::timeout(patience, tls.acceptor.accept(stream)).await;
            if let Ok(Ok(secured)) = secured {
                converse(secured, desk).await;
            }
        }
    }
}

async fn converse(stream: impl AsyncRead + AsyncWrite + Unpin, desk: Desk) {
    let Desk { router, limits, mut stopped, .. } = desk;
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.patience)
        .max_buf_size(BUFFER)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut connection = pin!(connection);
    let is_stopping = tokio::select! {
        _ = connection.as_mut() => false,
        _ = stopped.wait_for(|stopped| *stopped) => true,
    };
    if is_stopping {
        connection.as_mut().graceful_shutdown();
        let _ = connection.await;
    }
}

/// A stream whose other end must take what is written within a while.
struct Patient {
    stream: TcpStream,
    patience: Duration,
    /// Set while the other end takes nothing.
    waiting: Option<Pin<Box<Sleep>>>,
}

impl Patient {
    fn new(stream: TcpStream, patience: Duration) -> Self {
        Self { stream, patience, waiting: None }
    }

    /// Passes on what a write said, or an error when nothing was taken for too long.
    fn watch<T>(&mut self, cx: &mut Context<'_>, wrote: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if wrote.is_ready() {
            self.waiting = None;
            return wrote;
        }
        let patience = self.patience;
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        match waiting.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncRead for Patient {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Patient {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.watch(cx, wrote)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.stream).poll_write_vectored(cx, pieces);
        self.watch(cx, wrote)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
