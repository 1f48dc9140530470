//! Connections: their number, their duration, and their end.

use super::hall::{Hall, Seat, Seated};
use super::limits::Limits;
use super::state::App;
use super::tls::Tls;
use super::wire::{Patient, Watched};
use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::convert::Infallible;
use std::io::{self, Write};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};

/// How often the snapshot's files are checked.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Pause after a failed accept (no file descriptor left), so that connections can close.
const PAUSE: Duration = Duration::from_millis(50);
/// Time limit for a health request beyond the connection limit.
const SPARE_PATIENCE: Duration = Duration::from_secs(1);
/// Size of a connection's read buffer; also the limit on headers.
const BUFFER: usize = 1 << 16;

/// Serves connections on `n_threads` threads until `stop`. Then open connections finish their requests, within the
/// grace period or until `at_once`, and the log is closed.
///
/// `router` is [`super::app`] of the state, or one that wraps it.
///
/// Meanwhile, changes of roles and experiments on disk are applied.
///
/// # Errors
/// If no threads can be created.
pub async fn serve(
    listener: TcpListener,
    tls: Option<Tls>,
    (state, router): (Arc<App>, Router),
    n_threads: usize,
    (stop, at_once): (impl Future<Output = ()>, impl Future<Output = ()>),
) -> io::Result<()> {
    let limits = *state.gate.limits();
    let hall = Hall::new(&limits, Arc::clone(&state.metrics));
    let (stopping, stopped) = watch::channel(false);
    let desk = Desk { tls, router, limits, stopped };
    let workers = (0..n_threads.max(1)).map(|_| Worker::start(&desk)).collect::<io::Result<Vec<_>>>()?;
    let watcher = Watcher::start(&state)?;
    let job = state.job.as_ref().map(|job| job.start(&state)).transpose()?;
    state.desk.begin(&state)?;
    let mut stop = pin!(stop);
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut stop => break,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, from)) = accepted else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let Some(seated) = hall.enter(from.ip().to_canonical()) else {
            state.metrics.refused();
            state.refused();
            turn_away(stream);
            continue;
        };
        // A socket belongs to one runtime: it is re-registered with that of the worker.
        let Ok(stream) = stream.into_std() else { continue };
        if let Some(worker) = workers.iter().min_by_key(|worker| worker.n_open()) {
            worker.give(stream, seated);
        }
    }
    drop(listener);
    let _ = stopping.send(true);
    tokio::select! {
        _ = tokio::time::timeout(limits.grace, hall.is_empty()) => {}
        () = at_once => {}
    }
    watcher.end();
    state.job.iter().zip(job).for_each(|(job, thread)| job.end(thread));
    state.desk.close();
    workers.into_iter().for_each(Worker::end);
    state.log.iter().for_each(|log| log.close());
    Ok(())
}

/// The common state of all connections.
#[derive(Clone)]
struct Desk {
    tls: Option<Tls>,
    router: Router,
    limits: Limits,
    stopped: watch::Receiver<bool>,
}

/// A connection for a worker: its socket, its seat, and its share of the worker's load.
type Given = (std::net::TcpStream, Seated, Arc<()>);

/// A thread with its own connections: a request is read, answered and sent without waking another thread.
struct Worker {
    inbox: mpsc::UnboundedSender<Given>,
    /// Each of its connections holds a reference.
    load: Arc<()>,
    thread: JoinHandle<()>,
}

impl Worker {
    fn start(desk: &Desk) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (inbox, mut given) = mpsc::unbounded_channel::<Given>();
        let desk = desk.clone();
        let work = async move {
            while let Some((stream, seated, load)) = given.recv().await {
                let Ok(stream) = TcpStream::from_std(stream) else { continue };
                let desk = desk.clone();
                tokio::spawn(async move {
                    tokio::select! {
                        () = connection(stream, &seated.seat, desk) => {}
                        () = seated.seat.is_asked_to_leave() => {}
                    }
                    drop((seated, load));
                });
            }
        };
        let thread = std::thread::Builder::new().name("serve".to_owned()).spawn(move || runtime.block_on(work))?;
        Ok(Self { inbox, load: Arc::new(()), thread })
    }

    fn n_open(&self) -> usize {
        Arc::strong_count(&self.load)
    }

    fn give(&self, stream: std::net::TcpStream, seated: Seated) {
        // If the worker has ended, the connection is dropped.
        let _ = self.inbox.send((stream, seated, Arc::clone(&self.load)));
    }

    /// Drops open connections, and waits for the thread.
    fn end(self) {
        drop(self.inbox);
        let _ = self.thread.join();
    }
}

/// A thread that loads changes from disk.
struct Watcher {
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Watcher {
    fn start(state: &Arc<App>) -> io::Result<Self> {
        let (state, is_over) = (Arc::clone(state), Arc::new(AtomicBool::new(false)));
        let ends = Arc::clone(&is_over);
        let look = move || {
            while !ends.load(Ordering::Relaxed) {
                std::thread::park_timeout(LOOK_EVERY);
                if state.is_due() {
                    state.refresh();
                }
                state.catch_up();
                state.refresh_gauges();
            }
        };
        let thread = std::thread::Builder::new().name("watch".to_owned()).spawn(look)?;
        Ok(Self { is_over, thread })
    }

    /// Ends the thread without waiting for a version that it is loading.
    fn end(self) {
        self.is_over.store(true, Ordering::Relaxed);
        self.thread.thread().unpark();
    }
}

/// Answers 503 without blocking.
fn turn_away(stream: TcpStream) {
    const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\n\
        Content-Type: application/json\r\nContent-Length: 63\r\n\r\n\
        {\"error\":\"too many connections at once; try again in a second\"}";
    if let Ok(mut stream) = stream.into_std() {
        let _ = stream.write(FULL);
    }
}

async fn connection(stream: TcpStream, seat: &Arc<Seat>, desk: Desk) {
    // Answers are written in one piece, so delaying small packets has no benefit.
    let _ = stream.set_nodelay(true);
    let patience = if seat.is_spare() { SPARE_PATIENCE.min(desk.limits.patience) } else { desk.limits.patience };
    let stream = Patient::new(stream, patience);
    match desk.tls.clone() {
        None => converse(stream, seat, patience, desk).await,
        Some(tls) => {
            let secured = tokio::time::timeout(patience, tls.acceptor.accept(stream)).await;
            if let Ok(Ok(secured)) = secured {
                converse(secured, seat, patience, desk).await;
            }
        }
    }
}

async fn converse(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    seat: &Arc<Seat>,
    patience: Duration,
    Desk { router, mut stopped, .. }: Desk,
) {
    let service = Seating { router: TowerToHyperService::new(router), seat: Arc::clone(seat) };
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(patience)
        .max_buf_size(BUFFER)
        .keep_alive(!seat.is_spare())
        .serve_connection(TokioIo::new(Watched::new(stream, Arc::clone(seat))), service);
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

/// Passes the origin of a request to the router.
struct Seating {
    router: TowerToHyperService<Router>,
    seat: Arc<Seat>,
}

impl Service<Request<Incoming>> for Seating {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = <TowerToHyperService<Router> as Service<Request<Incoming>>>::Future;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let (mut parts, body) = request.into_parts();
        parts.extensions.insert(Arc::clone(&self.seat));
        self.router.call(Request::from_parts(parts, body))
    }
}
