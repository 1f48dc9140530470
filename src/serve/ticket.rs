//! Limits that bound memory: concurrent requests, bytes in flight, bytes and rows of one request, time.
//!
//! ```text
//! request ─ ticket ─ body bytes charged as they arrive ─ place (one of max_in_flight) ─ cells, answer charged ─▶ sent
//!                       └ budget used up: 503              └ none left: 503                            all released
//! ```
//! A place is taken once the body has arrived: slow clients hold none.

use super::hall::Seat;
use super::limits::Limits;
use super::problem::Refusal;
use axum::body::{Body, Bytes, HttpBody};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use hyper::body::{Frame, SizeHint};
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

/// Requests that hold more bytes than this are large: a quarter of the bytes in flight is reserved for the others.
const LARGE: usize = 64 << 10;

/// Most values in one body of another protocol, cells included.
const MAX_VALUES: usize = 1 << 20;
/// Bytes of a separately stored value.
const BYTES_PER_VALUE: usize = 40;

/// Counts requests and bytes in flight.
#[derive(Debug)]
pub(super) struct Gate {
    limits: Limits,
    places: AtomicUsize,
    tickets: AtomicUsize,
    bytes: AtomicUsize,
}

impl Gate {
    pub(super) fn new(limits: Limits) -> Arc<Self> {
        let none = || AtomicUsize::new(0);
        Arc::new(Self { limits, places: none(), tickets: none(), bytes: none() })
    }

    /// The limits.
    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The ticket of a new request, which holds no bytes and no place yet.
    pub(super) fn ticket(self: &Arc<Self>, seat: Option<Arc<Seat>>) -> Ticket {
        self.tickets.fetch_add(1, Ordering::Relaxed);
        Ticket { gate: Arc::clone(self), bytes: 0, has_place: false, seat }
    }

    /// Requests being answered.
    pub(super) fn in_flight(&self) -> usize {
        self.places.load(Ordering::Relaxed)
    }

    /// Requests whose body is being received.
    pub(super) fn arriving(&self) -> usize {
        self.tickets.load(Ordering::Relaxed).saturating_sub(self.in_flight())
    }

    /// Whether the next request would be refused.
    pub(super) fn is_full(&self) -> bool {
        self.in_flight() >= self.limits.max_in_flight
            || self.bytes.load(Ordering::Relaxed) >= self.limits.max_bytes_in_flight
    }
}

/// The resources of one request: bytes, and a processing place; released when dropped.
#[derive(Debug)]
pub(super) struct Ticket {
    gate: Arc<Gate>,
    bytes: usize,
    has_place: bool,
    /// The connection; it may not be closed while its request has a place.
    seat: Option<Arc<Seat>>,
}

/// The connection of a request.
pub(super) fn seat(parts: &Parts) -> Option<Arc<Seat>> {
    parts.extensions.get::<Arc<Seat>>().cloned()
}

impl Ticket {
    /// Takes a place.
    ///
    /// # Errors
    /// [`Refusal::Overload`] if there is none.
    pub(super) fn take_place(&mut self) -> Result<(), Refusal> {
        let taken = self.gate.places.fetch_add(1, Ordering::Relaxed);
        self.has_place = true;
        self.seat.iter().for_each(|seat| seat.set_busy(true));
        if taken < self.gate.limits.max_in_flight { Ok(()) } else { Err(Refusal::Overload) }
    }

    /// Charges for the values in a body of another protocol before parsing: one for each character that begins or ends
    /// a value.
    ///
    /// # Errors
    /// [`Refusal::TooLarge`], and as [`Ticket::charge`].
    pub(super) fn charge_values(&mut self, body: &[u8]) -> Result<(), Refusal> {
        let n = body.iter().filter(|byte| matches!(byte, b',' | b'\n' | b'{' | b'[')).count();
        if n > MAX_VALUES {
            return Err(Refusal::TooLarge(format!("more than {MAX_VALUES} values; send them in several requests")));
        }
        self.charge(n * BYTES_PER_VALUE)
    }

    /// Accounts for more bytes.
    ///
    /// # Errors
    /// [`Refusal::Overload`] if too many are held at once.
    pub(super) fn charge(&mut self, bytes: usize) -> Result<(), Refusal> {
        self.bytes = self.bytes.saturating_add(bytes);
        let max = self.gate.limits.max_bytes_in_flight;
        let max = if self.bytes > LARGE { max - max / 4 } else { max };
        let held = self.gate.bytes.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        if held <= max { Ok(()) } else { Err(Refusal::Overload) }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.gate.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
        self.gate.tickets.fetch_sub(1, Ordering::Relaxed);
        if self.has_place {
            self.gate.places.fetch_sub(1, Ordering::Relaxed);
            self.seat.iter().for_each(|seat| seat.set_busy(false));
        }
    }
}

const BOM: &[u8] = "\u{feff}".as_bytes();

/// Refuses a body not declared as JSON.
///
/// # Errors
/// [`Refusal::MediaType`].
pub(super) fn expect_json(headers: &HeaderMap) -> Result<(), Refusal> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    let is_json = essence.eq_ignore_ascii_case("application/json")
        || (essence.len() > 17 && essence.to_ascii_lowercase().ends_with("+json"));
    if is_json { Ok(()) } else { Err(Refusal::MediaType) }
}

/// Reads a whole body, within the limits of size and time.
///
/// # Errors
/// [`Refusal::TooLarge`], [`Refusal::Slow`], [`Refusal::Overload`], [`Refusal::Malformed`] if the client disconnected.
pub(super) async fn read(body: Body, ticket: &mut Ticket) -> Result<Bytes, Refusal> {
    let limits = ticket.gate.limits;
    let too_large = || Refusal::TooLarge(format!("the body is larger than {} bytes", limits.max_body_bytes));
    let lower = body.size_hint().lower();
    if lower > limits.max_body_bytes as u64 {
        return Err(too_large());
    }
    let mut body = body;
    // Allocate once if the length is known: untouched pages use no memory, and nothing is copied again.
    let expected = body.size_hint().exact().map_or(0, |bytes| usize::try_from(bytes).unwrap_or(0));
    let reading = async {
        let mut first = Bytes::new();
        let mut rest: Vec<u8> = Vec::new();
        let mut charged = 0;
        while let Some(frame) = next_frame(&mut body).await {
            let frame = frame.map_err(|err| Refusal::Malformed(format!("the body is incomplete: {err}")))?;
            let Ok(bytes) = frame.into_data() else { continue };
            let come = first.len() + rest.len() + bytes.len();
            if come > limits.max_body_bytes {
                return Err(too_large());
            }
            // A body of unknown length doubles its buffer as it grows.
            let held = if expected == 0 { come.max(rest.capacity()) } else { come };
            ticket.charge(held.saturating_sub(charged))?;
            charged = charged.max(held);
            if first.is_empty() && rest.is_empty() {
                first = bytes;
            } else {
                if rest.is_empty() {
                    rest = Vec::with_capacity(expected.max(come));
                    rest.extend_from_slice(&std::mem::take(&mut first));
                }
                rest.extend_from_slice(&bytes);
            }
        }
        let body: Bytes = if rest.is_empty() { first } else { rest.into() };
        // Some programs start a text with a byte order mark.
        Ok(if body.starts_with(BOM) { body.slice(BOM.len()..) } else { body })
    };
    tokio::time::timeout(limits.patience, reading).await.unwrap_or(Err(Refusal::Slow))
}

async fn next_frame(body: &mut Body) -> Option<Result<Frame<Bytes>, axum::Error>> {
    std::future::poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await
}

/// A response that releases its ticket once it is sent.
///
/// It is sent in pieces, so that a client that does not read keeps holding its ticket.
pub(super) struct Held {
    bytes: Bytes,
    _ticket: Ticket,
}

/// Bytes sent at a time.
const PIECE: usize = 1 << 16;

impl Held {
    /// A body of these bytes.
    pub(super) fn new(bytes: Vec<u8>, ticket: Ticket) -> Self {
        Self { bytes: bytes.into(), _ticket: ticket }
    }
}

impl HttpBody for Held {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.bytes.is_empty() {
            return Poll::Ready(None);
        }
        let piece = self.bytes.len().min(PIECE);
        Poll::Ready(Some(Ok(Frame::data(self.bytes.split_to(piece)))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_gate_lets_nobody_in_until_somebody_leaves() {
        let gate = Gate::new(Limits { max_in_flight: 2, max_bytes_in_flight: 100, ..Limits::default() });
        let (mut first, mut second, mut third) = (gate.ticket(None), gate.ticket(None), gate.ticket(None));
        assert_eq!((gate.arriving(), gate.is_full()), (3, false), "who has no body yet has no place");
        first.take_place().unwrap();
        second.take_place().unwrap();
        assert!(matches!(third.take_place(), Err(Refusal::Overload)));
        drop(third);
        assert_eq!((gate.in_flight(), gate.arriving(), gate.is_full()), (2, 0, true));
        drop(first);
        second.charge(90).unwrap();
        let mut third = gate.ticket(None);
        third.take_place().unwrap();
        assert!(matches!(third.charge(20), Err(Refusal::Overload)));
        drop((second, third));
        assert_eq!((gate.in_flight(), gate.arriving(), gate.bytes.load(Ordering::Relaxed)), (0, 0, 0));
    }

    #[test]
    fn large_bodies_leave_room_for_small_ones() {
        let gate = Gate::new(Limits { max_bytes_in_flight: 4 * LARGE, ..Limits::default() });
        let (mut large, mut more, mut small) = (gate.ticket(None), gate.ticket(None), gate.ticket(None));
        large.charge(3 * LARGE).unwrap();
        assert!(matches!(more.charge(LARGE + 1), Err(Refusal::Overload)));
        drop(more);
        small.charge(LARGE).unwrap();
        assert!(matches!(small.charge(1), Err(Refusal::Overload)));
    }

    #[test]
    fn only_json_is_json() {
        let told = |kind: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, kind.parse().unwrap());
            expect_json(&headers).is_ok()
        };
        for kind in ["application/json", "Application/JSON; charset=utf-8", "application/vnd.api+json"] {
            assert!(told(kind), "{kind}");
        }
        for kind in ["text/plain", "application/x-www-form-urlencoded", "application/jsonl", ""] {
            assert!(!told(kind), "{kind}");
        }
        assert!(expect_json(&HeaderMap::new()).is_err());
    }
}
