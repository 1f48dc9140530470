//! Server-sent events: whether the loop has changed since a page was rendered, and the progress of the running job.

use super::Dashboard;
use crate::atomic::Stamp;
use crate::printable;
use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderValue, Response};
use hyper::body::{Body as Frames, Bytes, Frame};
use serde_json::json;
use std::convert::Infallible;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Interval, MissedTickBehavior, interval};

/// The polling interval.
const EVERY: Duration = Duration::from_secs(1);
/// After this many polls without a change, a comment is sent to keep the connection alive.
const QUIET: u32 = 10;
/// Polls after which the stream ends; the browser reconnects.
const MAX_LOOKS: u32 = 3600;

/// Files that show whether the loop has changed.
const WATCHED: [&str; 8] = [
    "audit.jsonl",
    "roles.json",
    "ab.json",
    "approvals",
    "label_inbox",
    "reports/drift_report.json",
    "reports/gate_report.json",
    "data/feedback.csv",
];

/// A text that changes when a file shown on pages is written.
pub(super) fn stamp(dir: &Path) -> String {
    stamp_of(dir, &WATCHED)
}

/// A text that changes when one of these files is written.
pub(super) fn stamp_of(dir: &Path, names: &[&str]) -> String {
    let all: Vec<String> = names.iter().map(|name| format!("{:?}", Stamp::of(&dir.join(name)))).collect();
    crate::digest::sha256(all.join("|").as_bytes())[..16].to_owned()
}

pub(super) fn stream(dashboard: Arc<Dashboard>) -> Response<Body> {
    let mut looks = interval(EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut response = Response::new(Body::new(Events { dashboard, looks, last: String::new(), quiet: 0, n: 0 }));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

struct Events {
    dashboard: Arc<Dashboard>,
    looks: Interval,
    last: String,
    quiet: u32,
    n: u32,
}

impl Events {
    fn news(&self) -> String {
        let jobs = &self.dashboard.jobs;
        let job = jobs
            .running()
            .or_else(|| jobs.latest(1).pop())
            .map(|job| json!({ "id": job.id, "state": job.state(), "log": printable::printable(&jobs.log(job.id)) }));
        let unended = jobs.unended();
        json!({ "stamp": stamp(self.dashboard.workspace.dir()), "job": job, "unended": unended }).to_string()
    }
}

impl Frames for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        while self.looks.poll_tick(cx).is_ready() {
            self.n += 1;
            if self.n > MAX_LOOKS {
                return Poll::Ready(None);
            }
            let news = self.news();
            if news != self.last {
                let frame = format!("data: {news}\n\n");
                (self.last, self.quiet) = (news, 0);
                return Poll::Ready(Some(Ok(Frame::data(frame.into()))));
            }
            self.quiet += 1;
            if self.quiet >= QUIET {
                self.quiet = 0;
                return Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b": still here\n\n")))));
            }
        }
        Poll::Pending
    }
}
