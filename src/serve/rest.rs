//! Reads and drops the rest of a refused body, for a while.
//!
//! A refused client is often still sending. If its connection were closed at once, the system would discard the
//! response together with the unread bytes, and the client would see a broken connection instead of 413 or 503.

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// A body up to this size has arrived with its headers.
const SMALL: u64 = 16 << 10;
/// Most bytes read of the rest.
const MOST: usize = 64 << 20;
/// Longest time spent on reading it.
const LONGEST: Duration = Duration::from_secs(2);

/// A body whose rest is read when it is dropped.
struct Lingering {
    body: Body,
    is_over: bool,
}

/// Wraps a body, so that the unread rest is read and dropped.
pub(super) fn lingering(body: Body) -> Body {
    match body.size_hint().exact() {
        Some(bytes) if bytes <= SMALL => body,
        _ => Body::new(Lingering { body, is_over: false }),
    }
}

impl HttpBody for Lingering {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        self.is_over |= matches!(polled, Poll::Ready(None | Some(Err(_))));
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Lingering {
    fn drop(&mut self) {
        if self.is_over || self.body.is_end_stream() {
            return;
        }
        let mut body = std::mem::take(&mut self.body);
        let reading = async move {
            let mut n = 0;
            while let Some(Ok(frame)) = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
                n += frame.data_ref().map_or(0, Bytes::len);
                if n > MOST {
                    return;
                }
            }
        };
        // Without a runtime there is no connection.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(tokio::time::timeout(LONGEST, reading));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// A body of this many pieces of 64 KB, which counts those read.
    struct Pieces(usize, Arc<AtomicUsize>);

    impl HttpBody for Pieces {
        type Data = Bytes;
        type Error = axum::Error;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
            if self.0 == 0 {
                return Poll::Ready(None);
            }
            self.0 -= 1;
            self.1.fetch_add(1, Ordering::Relaxed);
            Poll::Ready(Some(Ok(Frame::data(Bytes::from(vec![0; 1 << 16])))))
        }
    }

    #[tokio::test]
    async fn what_is_not_wanted_is_read_up_to_a_bound() {
        for (n, read) in [(10, 10), (5000, (MOST >> 16) + 1)] {
            let seen = Arc::new(AtomicUsize::new(0));
            drop(lingering(Body::new(Pieces(n, Arc::clone(&seen)))));
            for _ in 0..200 {
                tokio::task::yield_now().await;
            }
            assert_eq!(seen.load(Ordering::Relaxed), read);
        }
    }
}
