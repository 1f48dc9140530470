//! A small loop with two trained versions, for tests. The target depends on both columns; production was trained when
//! it depended on only one.

use super::{GateError, PromoteRequest, Promotion, promote};
use crate::atomic::Lock;
use crate::registry::{Roles, Version};
use crate::train::{TrainRequest, train};
use crate::workspace::audit::{Entry, Event};
use crate::workspace::{ADDED, EventKind, Workspace};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};

const TOML: &str = "[data]\nreference = \"r.csv\"\n[target]\ncolumn = \"y\"\n[columns]\nid = \"id\"\nx = \"number\"\n\
    w = \"number\"\nkind = \"category\"\ny = \"category\"\n[model]\nn_estimators = 20\n[promote]\n[promote.guardrails]\n\
    slice_rows = 30\nflip_rate = 0.5\nlatency_ratio = 1e6\n";

/// 600 rows: `y` depends on `x` alone, or on `x` and `w`.
fn table(of_both: bool, is_number: bool) -> String {
    let mut text = "id,x,w,kind,y\n".to_owned();
    for row in 0..600 {
        let (x, w) = (row * 7919 % 1000, row * 104_729 % 997);
        let sum = if of_both { x + w } else { 2 * x };
        let y = match is_number {
            true => sum.to_string(),
            false => if sum >= 1000 { "yes" } else { "no" }.to_owned(),
        };
        text.push_str(&format!("r{row:04},{x}.{row},{w},{},{y}\n", ["a", "b"][row % 2]));
    }
    text
}

pub(super) struct Loop {
    dir: tempfile::TempDir,
    pub(super) work: Workspace,
}

impl Loop {
    /// v0001 is production, v0002 the challenger; the target is a class.
    pub(super) fn new() -> Self {
        Self::of(false)
    }

    /// The same, with a class or a number as the target.
    pub(super) fn of(is_number: bool) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let l = Self { work: Workspace::new(dir.path()), dir };
        let kind = if is_number { "y = \"number\"" } else { "y = \"category\"" };
        l.write("mlloop.toml", &TOML.replace("y = \"category\"", kind));
        for (version, of_both) in [(1, false), (2, true)] {
            l.write("r.csv", &table(of_both, is_number));
            assert_eq!(l.train(None), Version(version));
        }
        assert_eq!(l.roles(), (Some(Version(1)), Some(Version(2)), vec![]));
        l
    }

    /// Trains on the reference, or imports a model.
    pub(super) fn train(&self, from: Option<&Path>) -> Version {
        let request = TrainRequest {
            config: &self.work.config().unwrap(),
            seed: 0,
            now: at(0),
            cv: None,
            test: None,
            from,
            features_by_order: false,
            skip_invalid: false,
            progress: &|_, _, _| {},
        };
        train(&self.work, &self.lock(), &request).unwrap().version
    }

    pub(super) fn path(&self, file: &str) -> PathBuf {
        self.dir.path().join(file)
    }

    pub(super) fn write(&self, file: &str, text: &str) {
        let path = self.path(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(super) fn read(&self, file: &str) -> String {
        fs::read_to_string(self.path(file)).unwrap()
    }

    /// Replaces text in `mlloop.toml`.
    pub(super) fn edit(&self, from: &str, to: &str) {
        let text = self.read("mlloop.toml");
        assert!(text.contains(from), "{from}");
        self.write("mlloop.toml", &text.replacen(from, to, 1));
    }

    /// Marks these rows as added to the reference by the version.
    pub(super) fn adds(&self, version: Version, rows: &str) {
        self.write(&format!("models/{version}/{ADDED}"), rows);
        let files = self.work.registry().digests(version).unwrap();
        self.record(EventKind::Trained, json!({ "version": version, "files": files }), None);
    }

    pub(super) fn record(&self, event: EventKind, details: serde_json::Value, roles: Option<Roles>) {
        self.work.record(&self.lock(), Event { at: at(0), event, by: None, roles, details }).unwrap();
    }

    pub(super) fn lock(&self) -> Lock {
        self.work.lock().unwrap()
    }

    pub(super) fn roles(&self) -> (Option<Version>, Option<Version>, Vec<Version>) {
        let roles = self.work.registry().roles().unwrap();
        (roles.production, roles.challenger, roles.previous)
    }

    /// The lines of the audit chain from number `n` on.
    pub(super) fn lines(&self, n: usize) -> Vec<Entry> {
        self.work.audit_chain().unwrap().entries.split_off(n)
    }

    pub(super) fn events(&self, n: usize) -> Vec<EventKind> {
        self.lines(n).into_iter().map(|line| line.event).collect()
    }

    /// Runs the gate with a request that `change` modifies.
    pub(super) fn promote(&self, change: impl FnOnce(&mut PromoteRequest<'static>)) -> Result<Promotion, GateError> {
        let mut request = request();
        change(&mut request);
        let lock = (!request.dry_run).then(|| self.lock());
        promote(&self.work, lock.as_ref(), &request)
    }
}

/// The challenger against production.
pub(super) fn request() -> PromoteRequest<'static> {
    PromoteRequest {
        version: None,
        dry_run: false,
        by: None,
        allow_equivalent: None,
        overridden: None,
        skip_invalid: false,
        now: at(1),
        seed: 0,
        seconds: &|| 0.0,
    }
}

/// A time `hours` after the two versions were trained.
pub(super) fn at(hours: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hours)
}
