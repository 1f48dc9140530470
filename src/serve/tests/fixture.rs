//! A served loop, and helpers for requests.

use crate::init::{self, InitRequest};
use crate::journal::{Durability, Journal, JournalError, Layout, Logged, Window};
use crate::registry::{Roles, Version};
use crate::serve::{App, JobSettings, Limits, ServeSettings, app};
use crate::train::{self, TrainRequest as Learn};
use crate::workspace::audit::Event;
use crate::workspace::{EventKind, Workspace};
use axum::body::Body;
use axum::http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use tower::ServiceExt;

pub(super) const CHURN: &str = include_str!("../../../fixtures/tables/churn.csv");
pub(super) const ROW: &str = r#"{"customer": "0010000", "contract": "monthly", "months": 3, "internet": "dsl", "paperless": "yes",
    "monthly_charge": 63.90, "total_charge": 191.70, "support_calls": 0}"#;

pub(super) fn now() -> jiff::Timestamp {
    "2026-11-20T12:00:00Z".parse().unwrap()
}

pub(super) fn settings() -> ServeSettings {
    ServeSettings {
        now,
        seed: 7,
        limits: Limits::default(),
        log: Some(Durability::Always),
        token: None,
        predict_token: None,
        hosts: vec!["models.example".into()],
        is_local: true,
        n_threads: 2,
        past_rows: 100_000,
        label_studio: false,
        job: JobSettings::default(),
        tell: |_| {},
    }
}

/// A loop with as many versions as seeds; the first is production.
pub(super) struct Served {
    _dir: tempfile::TempDir,
    pub(super) workspace: Workspace,
}

#[expect(clippy::disallowed_methods, reason = "tests write what they serve")]
pub(super) fn write(path: impl AsRef<Path>, bytes: impl AsRef<[u8]>) {
    std::fs::create_dir_all(path.as_ref().parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

impl Served {
    pub(super) fn new(seeds: &[u64]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let workspace = Workspace::new(dir.path());
        let table = dir.path().join("churn.csv");
        write(&table, CHURN);
        let wanted = InitRequest {
            table: &table,
            target: None,
            positive: None,
            task: None,
            header: None,
            missing: Vec::new(),
            ignore: Vec::new(),
            kinds: Vec::new(),
            read: Default::default(),
            force: false,
        };
        init::init(&workspace, &wanted).unwrap();
        let served = Self { _dir: dir, workspace };
        seeds.iter().for_each(|&seed| served.train(seed));
        served
    }

    /// A loop with this table and configuration.
    pub(super) fn of(name: &str, table: impl AsRef<[u8]>, config: String) -> Self {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path().join(name), table);
        write(dir.path().join("mlloop.toml"), config);
        let workspace = Workspace::new(dir.path());
        Self { _dir: dir, workspace }
    }

    pub(super) fn train(&self, seed: u64) {
        let mut config = self.workspace.config().unwrap();
        config.model.n_estimators = Some(10 + seed as u32);
        let progress = |_: &str, _: u64, _: u64| {};
        let request = Learn {
            config: &config,
            seed,
            now: now(),
            cv: None,
            test: None,
            from: None,
            features_by_order: false,
            skip_invalid: false,
            progress: &progress,
        };
        train::train(&self.workspace, &self.workspace.lock().unwrap(), &request).unwrap();
    }

    /// Makes a version production, as `promote` does.
    pub(super) fn promote(&self, version: u32) {
        let lock = self.workspace.lock().unwrap();
        let roles = Roles { production: Some(Version(version)), ..self.workspace.registry().roles().unwrap() };
        let event = Event { at: now(), event: EventKind::Promoted, by: None, roles: Some(roles), details: Value::Null };
        self.workspace.record(&lock, event).unwrap();
    }

    /// Starts an experiment between versions 1 and 2.
    pub(super) fn experiment(&self, weights: [f64; 2], shadow: bool) {
        self.experiment_by("customer", weights, shadow);
    }

    pub(super) fn experiment_by(&self, unit: &str, weights: [f64; 2], shadow: bool) {
        let mut ab: Value = serde_json::from_str(include_str!("../../../fixtures/tables/ab.json")).unwrap();
        ab["arms"] = json!([{ "name": "a", "version": "v0001" }, { "name": "b", "version": "v0002" }]);
        ab["unit"] = unit.into();
        ab["shadow"] = shadow.into();
        ab["epochs"] = json!([{ "from": "2026-11-01T08:00:00Z", "weights": weights }]);
        ab.as_object_mut().unwrap().remove("rollout");
        write(self.workspace.path("ab.json"), ab.to_string());
    }

    pub(super) fn open(&self) -> Arc<App> {
        App::open(self.workspace.clone(), &settings()).unwrap()
    }

    /// (id, version, arm, score, months) of every logged row.
    pub(super) fn logged(&self) -> Vec<(String, String, String, f64)> {
        let layout = Layout::of(&train::load(&self.workspace, None).unwrap().1);
        let mut rows = Vec::new();
        let scan = |logged: Logged| {
            for row in 0..logged.len() {
                let (id, arm) = (logged.id.get(row).to_owned(), logged.arm.get(row).to_owned());
                rows.push((id, logged.version[row].to_string(), arm, logged.score[row]));
            }
            Ok::<(), JournalError>(())
        };
        Journal::of(&self.workspace).scan(&Window::default(), &layout, false, scan).unwrap();
        rows
    }
}

pub(super) fn request(path: &str, body: impl Into<Body>) -> Request<Body> {
    let builder = Request::builder().uri(path).header("host", "localhost").header("content-type", "application/json");
    builder.method("POST").body(body.into()).unwrap()
}

pub(super) fn get(path: &str) -> Request<Body> {
    Request::builder().uri(path).header("host", "localhost").body(Body::empty()).unwrap()
}

pub(super) fn send(state: &Arc<App>, request: Request<Body>) -> (StatusCode, Vec<u8>, Response<()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let response = app(Arc::clone(state)).oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes().to_vec();
        (parts.status, bytes, Response::from_parts(parts, ()))
    })
}

pub(super) fn ask(state: &Arc<App>, request: Request<Body>) -> (u16, Value) {
    let (status, bytes, _) = send(state, request);
    let value = serde_json::from_slice(&bytes).unwrap_or_else(|_| String::from_utf8_lossy(&bytes).as_ref().into());
    (status.as_u16(), value)
}

/// The columns of the n-th record as JSON.
pub(super) fn record(n: usize, types: bool) -> Value {
    let mut lines = CHURN.lines();
    let names: Vec<&str> = lines.next().unwrap().split(',').collect();
    let fields = lines.nth(n).unwrap().split(',');
    let cell = |text: &str| match text.parse::<f64>() {
        _ if text.is_empty() => Value::Null,
        Ok(number) if types && !text.starts_with("00") => json!(number),
        _ => text.into(),
    };
    names
        .iter()
        .zip(fields)
        .map(|(name, text)| ((*name).to_owned(), cell(text)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}
