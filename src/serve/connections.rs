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
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::Sleep;

/// How often the files that decide what answers are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// After the system refused a connection (no file descriptor left), others get the time to close.
const PAUSE: Duration = Duration::from_millis(50);
/// Bytes that are read ahead on a connection; also the longest headers.
const BUFFER: usize = 1 << 16;

/// Answers connections until `stop`, then lets those that are open finish what they began, and closes the log.
///
/// Changes of roles and experiments on disk are taken up meanwhile.
pub async fn serve(listener: TcpListener, tls: Option<Tls>, state: Arc<App>, stop: impl Future<Output = ()>) {
    let limits = *state.gate.limits();
    let router = super::app(Arc::clone(&state));
    let slots = Arc::new(Semaphore::new(limits.max_connections));
    let (stopping, stopped) = watch::channel(false);
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
        let open = Open::new(&state.metrics);
        let (tls, router, stopped) = (tls.clone(), router.clone(), stopped.clone());
        tokio::spawn(async move {
            connection(stream, tls, router, limits, stopped).await;
            drop((open, slot));
        });
    }
    drop(listener);
    let _ = stopping.send(true);
    let all = u32::try_from(limits.max_connections).unwrap_or(u32::MAX);
    let _ = tokio::time::timeout(limits.patience, slots.acquire_many(all)).await;
    watcher.abort();
    if state.log.is_some() {
        let _ = tokio::task::spawn_blocking(move || state.log.as_ref().map(super::log::Log::close)).await;
    }
}

/// Counts a connection while it is open.
struct Open {
    metrics: Arc<Metrics>,
}

impl Open {
    fn new(metrics: &Arc<Metrics>) -> Self {
        metrics.connected();
        Self { metrics: Arc::clone(metrics) }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.metrics.disconnected();
    }
}

async fn look_at_files(state: Arc<App>) {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        if state.is_due() {
            let state = Arc::clone(&state);
            let _ = tokio::task::spawn_blocking(move || state.refresh()).await;
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

async fn connection(
    stream: TcpStream,
    tls: Option<Tls>,
    router: Router,
    limits: Limits,
    stopped: watch::Receiver<bool>,
) {
    // Answers are written in one piece; waiting for more would only delay them.
    let _ = stream.set_nodelay(true);
    let stream = Patient::new(stream, limits.patience);
    match tls {
        None => converse(stream, router, limits, stopped).await,
        Some(tls) => {
            let secured = tokio::time::timeout(limits.patience, tls.acceptor.accept(stream)).await;
            if let Ok(Ok(secured)) = secured {
                converse(secured, router, limits, stopped).await;
            }
        }
    }
}

async fn converse(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    router: Router,
    limits: Limits,
    mut stopped: watch::Receiver<bool>,
) {
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
