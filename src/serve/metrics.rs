//! Counters, in the Prometheus text format.
//!
//! Source: "Exposition formats", prometheus.io/docs/instrumenting/exposition_formats, version 0.0.4.

use super::endpoint::Endpoint;
use crate::features::derive::Held;
use crate::registry::Version;
use crate::report::prometheus::Page;
use axum::http::StatusCode;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Upper ends of the latency histogram's buckets, in seconds.
const BUCKETS_S: [f64; 15] =
    [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];
const N_ENDPOINTS: usize = Endpoint::ALL.len();

/// Counts since the start.
#[derive(Debug)]
pub(super) struct Metrics {
    latency: [Histogram; N_ENDPOINTS],
    answers: Mutex<BTreeMap<(usize, u16), u64>>,
    predictions: Mutex<BTreeMap<(Version, String), u64>>,
    shadow: Mutex<BTreeMap<(Version, &'static str), u64>>,
    unseen: Mutex<BTreeMap<String, u64>>,
    logged_rows: AtomicU64,
    logged_bytes: AtomicU64,
    log_commits: AtomicU64,
    log_failures: AtomicU64,
    reloads: AtomicU64,
    reload_failures: AtomicU64,
    connections: AtomicU64,
    refused_connections: AtomicU64,
    panics: AtomicU64,
}

#[derive(Debug, Default)]
struct Histogram {
    counts: [AtomicU64; BUCKETS_S.len() + 1],
    sum_ns: AtomicU64,
}

impl Histogram {
    fn observe(&self, took: Duration) {
        let seconds = took.as_secs_f64();
        let bucket = BUCKETS_S.iter().position(|&end| seconds <= end).unwrap_or(BUCKETS_S.len());
        self.counts[bucket].fetch_add(1, Relaxed);
        self.sum_ns.fetch_add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX), Relaxed);
    }
}

/// Values at the time of the request.
#[derive(Debug)]
pub(super) struct Now<'a> {
    /// Requests being answered.
    pub(super) in_flight: usize,
    /// Requests whose body is being received.
    pub(super) arriving: usize,
    /// Whether files changed and could not be loaded.
    pub(super) stale: bool,
    /// Each role or arm with its version.
    pub(super) versions: Vec<(&'a str, Version)>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Metrics {
    pub(super) fn new() -> Self {
        Self {
            latency: std::array::from_fn(|_| Histogram::default()),
            answers: Mutex::default(),
            predictions: Mutex::default(),
            shadow: Mutex::default(),
            unseen: Mutex::default(),
            logged_rows: AtomicU64::new(0),
            logged_bytes: AtomicU64::new(0),
            log_commits: AtomicU64::new(0),
            log_failures: AtomicU64::new(0),
            reloads: AtomicU64::new(0),
            reload_failures: AtomicU64::new(0),
            connections: AtomicU64::new(0),
            refused_connections: AtomicU64::new(0),
            panics: AtomicU64::new(0),
        }
    }

    /// A request was answered.
    pub(super) fn answered(&self, endpoint: Endpoint, status: StatusCode, took: Duration) {
        self.latency[endpoint as usize].observe(took);
        *locked(&self.answers).entry((endpoint as usize, status.as_u16())).or_default() += 1;
    }

    /// Rows were answered by `version` in `arm` (empty without an experiment).
    pub(super) fn predicted(&self, version: Version, arm: &str, n_rows: u64) {
        let mut predictions = locked(&self.predictions);
        match predictions.iter_mut().find(|((known, name), _)| *known == version && name == arm) {
            Some((_, count)) => *count += n_rows,
            None => {
                predictions.insert((version, arm.to_owned()), n_rows);
            }
        }
    }

    /// Counts rows with levels unseen in training, by column.
    pub(super) fn unseen(&self, columns: &[(String, u64)]) {
        if columns.is_empty() {
            return;
        }
        let mut unseen = locked(&self.unseen);
        for (column, n) in columns {
            *unseen.entry(column.clone()).or_default() += n;
        }
    }

    /// Counts rows scored by a shadow arm, or not.
    pub(super) fn shadowed(&self, version: Version, outcome: &'static str, n_rows: u64) {
        *locked(&self.shadow).entry((version, outcome)).or_default() += n_rows;
    }

    /// Counts rows written to the log.
    pub(super) fn logged(&self, n_rows: u64, bytes: usize) {
        self.log_commits.fetch_add(1, Relaxed);
        self.logged_rows.fetch_add(n_rows, Relaxed);
        self.logged_bytes.fetch_add(bytes as u64, Relaxed);
    }

    /// The log could not be written.
    pub(super) fn log_failed(&self) {
        self.log_failures.fetch_add(1, Relaxed);
    }

    /// Files changed; `fine` tells whether they were loaded.
    pub(super) fn reloaded(&self, fine: bool) {
        if fine { &self.reloads } else { &self.reload_failures }.fetch_add(1, Relaxed);
    }

    /// A connection was opened.
    pub(super) fn connected(&self) {
        self.connections.fetch_add(1, Relaxed);
    }

    /// A connection was closed.
    pub(super) fn disconnected(&self) {
        self.connections.fetch_sub(1, Relaxed);
    }

    /// A connection was turned away.
    pub(super) fn refused(&self) {
        self.refused_connections.fetch_add(1, Relaxed);
    }

    /// A request caused a panic, and was answered with 500.
    pub(super) fn panicked(&self) {
        self.panics.fetch_add(1, Relaxed);
    }

    /// The whole text.
    pub(super) fn text(&self, now: &Now) -> String {
        let mut page = Page::default();
        page.head("mlloop_requests_total", "counter", "Requests by endpoint and status.");
        for ((endpoint, status), n) in locked(&self.answers).iter() {
            let path = Endpoint::ALL[*endpoint].label();
            page.line("mlloop_requests_total", &[("endpoint", path), ("status", &status.to_string())], *n as f64);
        }
        self.latencies(&mut page);
        page.head("mlloop_predictions_total", "counter", "Rows answered, by version and arm.");
        for ((version, arm), n) in locked(&self.predictions).iter() {
            page.line("mlloop_predictions_total", &[("version", &version.to_string()), ("arm", arm)], *n as f64);
        }
        page.head("mlloop_unseen_levels_total", "counter", "Rows with a level that training did not have, by column.");
        for (column, n) in locked(&self.unseen).iter() {
            page.line("mlloop_unseen_levels_total", &[("column", column)], *n as f64);
        }
        page.head("mlloop_shadow_rows_total", "counter", "Rows given to the other arms of a shadow experiment.");
        for ((version, outcome), n) in locked(&self.shadow).iter() {
            page.line(
                "mlloop_shadow_rows_total",
                &[("version", &version.to_string()), ("outcome", outcome)],
                *n as f64,
            );
        }
        page.head("mlloop_version_info", "gauge", "Served versions: 1 for each role or arm with its version.");
        for (role, version) in &now.versions {
            page.line("mlloop_version_info", &[("role", role), ("version", &version.to_string())], 1.0);
        }
        let plain: [(&str, &str, &str, f64); 12] = [
            ("mlloop_log_rows_total", "counter", "Rows in the prediction log.", load(&self.logged_rows)),
            ("mlloop_log_bytes_total", "counter", "Bytes written to the prediction log.", load(&self.logged_bytes)),
            ("mlloop_log_commits_total", "counter", "Writes to the prediction log.", load(&self.log_commits)),
            ("mlloop_log_failures_total", "counter", "Writes that failed.", load(&self.log_failures)),
            ("mlloop_reloads_total", "counter", "Loaded changes of roles or experiment.", load(&self.reloads)),
            ("mlloop_reload_failures_total", "counter", "Changes that failed to load.", load(&self.reload_failures)),
            ("mlloop_stale", "gauge", "1 while a change cannot be loaded.", f64::from(u8::from(now.stale))),
            ("mlloop_in_flight", "gauge", "Requests being answered.", now.in_flight as f64),
            ("mlloop_arriving", "gauge", "Requests whose body is arriving.", now.arriving as f64),
            ("mlloop_connections", "gauge", "Open connections.", load(&self.connections)),
            (
                "mlloop_connections_refused_total",
                "counter",
                "Connections over the limit.",
                load(&self.refused_connections),
            ),
            ("mlloop_panics_total", "counter", "Internal errors, answered with 500.", load(&self.panics)),
        ];
        for (name, kind, help, value) in plain {
            page.head(name, kind, help);
            page.line(name, &[], value);
        }
        page.text
    }

    fn latencies(&self, page: &mut Page) {
        const NAME: &str = "mlloop_request_seconds";
        page.head(NAME, "histogram", "Time from a request's headers to its answer.");
        for endpoint in Endpoint::ALL {
            let histogram = &self.latency[endpoint as usize];
            let counts: Vec<u64> = histogram.counts.iter().map(|count| count.load(Relaxed)).collect();
            let total: u64 = counts.iter().sum();
            if total == 0 {
                continue;
            }
            let path = endpoint.label();
            let mut below = 0;
            for (end, count) in BUCKETS_S.iter().zip(&counts) {
                below += count;
                page.line(&format!("{NAME}_bucket"), &[("endpoint", path), ("le", &end.to_string())], below as f64);
            }
            page.line(&format!("{NAME}_bucket"), &[("endpoint", path), ("le", "+Inf")], total as f64);
            page.line(&format!("{NAME}_sum"), &[("endpoint", path)], load(&histogram.sum_ns) / 1e9);
            page.line(&format!("{NAME}_count"), &[("endpoint", path)], total as f64);
        }
    }
}

/// The metrics of the rows stored for windows, by version.
pub(super) fn past(versions: &[(&str, Held)]) -> String {
    let mut page = Page::default();
    if versions.is_empty() {
        return page.text;
    }
    let mut tell = |name: &str, kind: &str, help: &str, of: fn(&Held) -> u64| {
        page.head(name, kind, help);
        versions.iter().for_each(|(version, held)| page.line(name, &[("version", version)], of(held) as f64));
    };
    tell("mlloop_past_rows", "gauge", "Rows stored for windows over earlier rows.", |held| held.n_rows);
    let left = "Rows dropped although windows reach them: too many rows.";
    tell("mlloop_past_left_total", "counter", left, |held| held.n_left);
    tell("mlloop_past_late_total", "counter", "Late rows, whose windows may miss other rows.", |held| held.n_late);
    page.text
}

fn load(counter: &AtomicU64) -> f64 {
    counter.load(Relaxed) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_as_prometheus_reads_it() {
        let metrics = Metrics::new();
        metrics.answered(Endpoint::Predict, StatusCode::OK, Duration::from_micros(300));
        metrics.answered(Endpoint::Predict, StatusCode::OK, Duration::from_secs(60));
        metrics.predicted(Version(2), "a\"b", 7);
        metrics.predicted(Version(2), "a\"b", 1);
        metrics.unseen(&[("plan".to_owned(), 3)]);
        metrics.unseen(&[("plan".to_owned(), 2)]);
        metrics.reloaded(false);
        let text =
            metrics.text(&Now { in_flight: 3, arriving: 2, stale: true, versions: vec![("production", Version(2))] });
        for line in [
            "mlloop_requests_total{endpoint=\"/predict\",status=\"200\"} 2",
            "mlloop_request_seconds_bucket{endpoint=\"/predict\",le=\"0.00025\"} 0",
            "mlloop_request_seconds_bucket{endpoint=\"/predict\",le=\"0.0005\"} 1",
            "mlloop_request_seconds_bucket{endpoint=\"/predict\",le=\"+Inf\"} 2",
            "mlloop_request_seconds_sum{endpoint=\"/predict\"} 60.0003",
            "mlloop_predictions_total{version=\"v0002\",arm=\"a\\\"b\"} 8",
            "mlloop_unseen_levels_total{column=\"plan\"} 5",
            "mlloop_version_info{role=\"production\",version=\"v0002\"} 1",
            "mlloop_reload_failures_total 1",
            "mlloop_stale 1",
            "mlloop_in_flight 3",
            "mlloop_arriving 2",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (_, value) = line.rsplit_once(' ').unwrap();
            assert!(value.parse::<f64>().is_ok(), "{line}");
        }
    }
}
