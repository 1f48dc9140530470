//! A challenger from the reference and newly labelled rows: the logic of `retrain`.
//!
//! ```text
//! labels ─resolve─▶ one per row ─▶ in the reference? ─yes─▶ another label: the row is updated
//!                                        └─no─▶ features by id from current rows, the log, batches, older versions ─▶ added
//! reference + added ─▶ combined table ─▶ train ─▶ models/vNNNN with added.csv and labels_used.csv ─▶ challenger
//! ```
//! A row's part is a hash of its id, so added rows never move into or out of the gate of another version.

mod again;
pub mod approval;
mod count;
mod error;
mod recipe;
mod replayed;
pub mod standing;
mod steps;

pub(crate) use again::again;
pub use error::RetrainError;
pub use steps::{STEPS, Step};

use self::replayed::Replayed;
use self::steps::Steps;
use crate::atomic::{self, At, Lock};
use crate::digest;
use crate::journal::{Journal, Window};
use crate::labels::orphans;
use crate::model::ModelError;
use crate::pipeline::{Examples, FitProgress, Pipeline, PipelineError, Recipe};
use crate::reference::{self, ADDED, Combined, Gathered, Gathering, Plan};
use crate::registry::{DataDigest, Difference, Version};
use crate::table::{self, ReadOptions, Rejects, Schema, Spool, TableOptions};
use crate::train::{self, Material, Trained};
use crate::workspace::audit::Chain;
use crate::workspace::event::FromLabels;
use crate::workspace::{EventKind, Workspace};
use serde::Serialize;
use serde_json::json;
use std::collections::HashSet;
use std::io;
use std::path::Path;

/// The options of a retraining.
pub struct RetrainRequest<'a> {
    /// The current table; `[monitor] current` when `None`.
    pub current: Option<&'a Spool>,
    /// Parameter overrides, as `key=value`.
    pub set: &'a [String],
    /// Train even with few new labels, or too soon after the last retrain.
    pub force: bool,
    /// The person who requests it, if given.
    pub by: Option<&'a str>,
    /// The format of the current table if it differs from the reference, and whether invalid rows are skipped.
    pub read: TableOptions,
    /// Current time, injected.
    pub now: jiff::Timestamp,
    /// The random seed.
    pub seed: u64,
    /// Progress callback.
    pub progress: &'a FitProgress<'a>,
    /// Monotonic clock, in seconds.
    pub seconds: &'a dyn Fn() -> f64,
}

/// The result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum RetrainOutcome {
    /// There is a new challenger.
    Retrained,
    /// The challenger was trained on all labels, and the gate has not judged it yet.
    Already,
    /// A dry run: there would be a new challenger.
    Would,
    /// Nothing is new.
    Nothing,
    /// The last one was made too recently.
    TooSoon,
    /// Too few new labels.
    TooFew,
}

/// The answer of `retrain`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Retrained {
    /// The result.
    pub done: RetrainOutcome,
    /// The challenger.
    pub version: Option<Version>,
    /// The result, in one sentence.
    pub sentence: String,
    /// The rows used, or to be used.
    pub plan: Plan,
    /// The challenger's metric on the gate rows, in a few words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gate: Option<String>,
    /// The steps, and how long each took.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Step>,
    /// Notes for the user.
    pub notes: Vec<String>,
    /// Rows that were left out.
    #[serde(skip)]
    pub rejects: Rejects,
}

impl Retrained {
    /// The entry for the run log.
    #[must_use]
    pub fn summary(&self) -> serde_json::Value {
        json!({ "done": self.done, "version": self.version, "plan": self.plan, "steps": self.steps })
    }

    fn of(done: RetrainOutcome, version: Option<Version>, sentence: String, plan: Plan, notes: Vec<String>) -> Self {
        Self { done, version, sentence, plan, gate: None, steps: Vec::new(), notes, rejects: Rejects::default() }
    }
}

/// Trains a challenger on the reference and the labels. Without a lock it only reports what would be done.
///
/// # Errors
/// Any error of the labels, the tables, the parameters or the workspace; there is no new version then.
pub fn retrain(
    workspace: &Workspace,
    lock: Option<&Lock>,
    request: &RetrainRequest,
) -> Result<Retrained, RetrainError> {
    let steps = Steps::new(request.seconds);
    steps.begin("check");
    let mut config = workspace.config()?;
    if let Some(lock) = lock {
        reference::settle(workspace, lock, request.now)?;
        config = workspace.config()?;
    }
    reference::adoptable(workspace, &config)?;
    let chain = workspace.audit_chain()?;
    if let Some(lock) = lock {
        remove(workspace, lock, &orphans(workspace)?)?;
        steps.begin("backup");
        backup(workspace)?;
    }
    steps.begin("load");
    let (production, pipeline) = train::load(workspace, None)?;
    let manifest = workspace.registry().manifest(production)?;
    let (recipe, mut notes) = recipe::choose(workspace, &config, production, &manifest, &chain, request.set)?;
    let gathering = Gathering {
        workspace,
        config: &config,
        pipeline: &pipeline,
        current: request.current,
        read: &request.read,
        count_only: false,
    };
    steps.begin("preprocess");
    let gathered = gathering.gather(request.now)?;
    notes.extend(gathered.plan.notes().into_iter().chain(remarks(workspace, &chain)?));
    if let Some(answer) = refusal(workspace, &config.retrain, request, &chain, &gathered, &notes)? {
        return Ok(answer);
    }
    let Some(lock) = lock else {
        let sentence = format!("A challenger would be trained: {}.", gathered.plan.told());
        return Ok(Retrained::of(RetrainOutcome::Would, None, sentence, gathered.plan, notes));
    };
    (config.model, config.features, config.decision) =
        (recipe.model.clone(), recipe.features.clone(), recipe.decision.clone());
    let job = Job { workspace, lock, config: &config, request, steps: &steps, gathered: &gathered, recipe: &recipe };
    let learned = job.learn(production, &pipeline.schema, notes)?;
    steps.begin("log");
    let sentence = format!("{} is the challenger: {}.", learned.version, gathered.plan.told());
    let mut answer = Retrained {
        gate: Some(learned.manifest.headline(config.promote.metric)),
        rejects: learned.rejects,
        ..Retrained::of(
            RetrainOutcome::Retrained,
            Some(learned.version),
            sentence,
            gathered.plan,
            learned.manifest.notes,
        )
    };
    write_report(workspace, &answer)?;
    steps.begin("clean up");
    for dir in ["models", "data", "reports", "runs"].map(|dir| workspace.path(dir)) {
        atomic::remove_leftovers(&dir).at(dir)?;
    }
    answer.steps = steps.done();
    Ok(answer)
}

/// Why no challenger is trained, if there is a reason.
fn refusal(
    workspace: &Workspace,
    rules: &crate::workspace::RetrainRules,
    request: &RetrainRequest,
    chain: &Chain,
    gathered: &Gathered,
    notes: &[String],
) -> Result<Option<Retrained>, RetrainError> {
    let plan = &gathered.plan;
    let answer = |done, version, sentence| Some(Retrained::of(done, version, sentence, plan.clone(), notes.to_vec()));
    let is_nothing = plan.n_new == 0 && request.set.is_empty();
    if request.force {
        return Ok(None);
    }
    let last = chain.last_retrain()?;
    if is_nothing {
        let roles = workspace.registry().roles()?;
        let waits = chain.ends_with(&EventKind::Retrained);
        return Ok(match (last, roles.challenger) {
            (Some((_, version)), Some(challenger)) if version == challenger && waits => {
                let sentence = format!("{version} was trained on all labels, and there is nothing new since.");
                answer(RetrainOutcome::Already, Some(version), sentence)
            }
            _ => {
                let known = format!("{} rows of the reference and {} other rows", plan.n_reference, plan.n_added);
                let which = if plan.leaves_out() { "usable label" } else { "label" };
                let without = match plan.n_without_features {
                    0 => String::new(),
                    1 => "; the features of 1 labelled row were not found".to_owned(),
                    n => format!("; the features of {n} labelled rows were not found"),
                };
                let sentence =
                    format!("Nothing new: every {which} of {known} was already used to train a version{without}.");
                answer(RetrainOutcome::Nothing, None, sentence)
            }
        });
    }
    if let Some((entry, version)) = last {
        let hours = request.now.duration_since(entry.at).as_secs_f64() / 3600.0;
        // If a clock was ahead, the time since then is unknown.
        if (0.0..rules.cooldown_hours).contains(&hours) {
            let sentence = format!(
                "Too soon: {version} was trained {hours:.1} hours ago, [retrain] cooldown_hours = {}; --force trains \
                 now.",
                rules.cooldown_hours
            );
            return Ok(answer(RetrainOutcome::TooSoon, None, sentence));
        }
    }
    if plan.n_new < rules.min_new_labels && request.set.is_empty() {
        let sentence = format!(
            "Too few: {} rows have new labels, {} more are needed ([retrain] min_new_labels = {}); --force trains \
             with these.",
            plan.n_new,
            rules.min_new_labels - plan.n_new,
            rules.min_new_labels
        );
        return Ok(answer(RetrainOutcome::TooFew, None, sentence));
    }
    Ok(None)
}

/// Notes if the reference does not match the chain, or lines of the log are unreadable.
fn remarks(workspace: &Workspace, chain: &Chain) -> Result<Vec<String>, RetrainError> {
    let told = |Difference { file, what }| {
        format!("{file} {what}: if it is right, record that with `mlloop audit accept {file}`")
    };
    let altered = workspace.reference_differs(chain)?.map(told);
    Ok(altered.into_iter().chain(Journal::of(workspace).unread(&Window::default())?).collect())
}

fn remove(workspace: &Workspace, _lock: &Lock, orphans: &[Version]) -> Result<(), RetrainError> {
    for version in orphans {
        let path = workspace.registry().path(*version)?;
        atomic::remove_dir(&path).at(path)?;
    }
    Ok(())
}

/// Copies files that people edit, or that are replaced as a whole, to `runs/backup/`.
fn backup(workspace: &Workspace) -> Result<(), RetrainError> {
    let dir = workspace.path("runs/backup");
    atomic::make_dirs(&dir).at(&dir)?;
    for name in ["mlloop.toml", "data/labels.csv", "models/roles.json"].map(Path::new) {
        let (from, to) = (workspace.path(name), dir.join(name.file_name().unwrap_or_default()));
        atomic::copy(&from, &to).if_there().at(from)?;
    }
    Ok(())
}

fn write_report(workspace: &Workspace, answer: &Retrained) -> Result<(), RetrainError> {
    let path = workspace.path("reports/retrain_report.json");
    Ok(atomic::replace_json(&path, answer).at(path)?)
}

/// The combined table under the reference's name, since it is the reference after a promotion, and the added rows.
fn digests(config: &crate::workspace::Config, combined: &Combined, n_added: usize, added: &[u8]) -> Vec<DataDigest> {
    let path = config.data.reference.display().to_string();
    let sha256 = digest::sha256(added);
    vec![
        DataDigest { path, n_rows: combined.counts.n_rows(), sha256: combined.sha256.clone() },
        DataDigest { path: ADDED.to_owned(), n_rows: n_added as u64, sha256 },
    ]
}

/// A retraining in progress.
struct Job<'a> {
    workspace: &'a Workspace,
    lock: &'a Lock,
    config: &'a crate::workspace::Config,
    request: &'a RetrainRequest<'a>,
    steps: &'a Steps<'a>,
    gathered: &'a Gathered,
    recipe: &'a Recipe,
}

impl Job<'_> {
    /// Trains a challenger; `known` is the schema of production, its parent.
    fn learn(&self, parent: Version, known: &Schema, mut notes: Vec<String>) -> Result<Trained, RetrainError> {
        let Self { workspace, config, request, gathered, steps, .. } = *self;
        steps.begin("combine");
        let mut schema = config.schema();
        schema.know_flags(known);
        let combined = reference::combined(&workspace.path(&config.data.reference), &schema, &gathered.added)?;
        if combined.counts.n_left_out > 0 {
            let (n, name) = (combined.counts.n_left_out, config.data.reference.display());
            notes.push(format!("{n} records of {name} that are not valid rows are left out (--skip-invalid)"));
        }
        let mut added = Vec::new();
        gathered.added.write(&mut added, &schema.dialect).at(self.workspace.path(ADDED))?;
        let data = digests(config, &combined, gathered.added.len(), &added);
        let counts = combined.counts;
        let optional = config.target.optional();
        let options = ReadOptions { skip_invalid: request.read.skip_invalid, optional, ..ReadOptions::default() };
        let read = table::read(combined.into_input(), &schema, &options)?;
        notes.extend(read.notes);
        let fresh: HashSet<&str> = gathered.added.ids().collect();
        let replay = Replayed::new(config.retrain.replay, &gathered.names, request.seed)?;
        let thin = |examples: &Examples| replay.thin(examples, self.recipe, &fresh);
        let extra = |dir: &Path, pipeline: &Pipeline| self.store(dir, pipeline, &added);
        let from_labels = FromLabels {
            parent: Some(parent),
            n_labels: Some(gathered.plan.n_labels),
            n_new: Some(gathered.plan.n_new),
            n_added: Some(counts.n_added),
            n_replaced: Some(counts.n_replaced),
            current: gathered.current.clone(),
        };
        let material = Material {
            table: read.table,
            rejects: read.rejects,
            notes,
            data,
            thin: &thin,
            extra: &extra,
            by: request.by,
            from_labels: Some(from_labels),
            step: &|name| steps.begin(name),
        };
        let request = train::TrainRequest {
            config,
            seed: request.seed,
            now: request.now,
            cv: None,
            test: None,
            from: None,
            features_by_order: false,
            skip_invalid: request.read.skip_invalid,
            progress: request.progress,
        };
        Ok(train::learn(workspace, self.lock, &request, material)?)
    }

    /// The files stored with the version: the rows it adds, the labels it used, and a copy in an open format.
    fn store(&self, dir: &Path, pipeline: &Pipeline, added: &[u8]) -> io::Result<()> {
        if !self.gathered.added.is_empty() {
            atomic::replace(&dir.join(ADDED), |out| out.write_all(added))?;
        }
        crate::labels::Used::save(dir, &self.gathered.used)?;
        self.steps.begin("export");
        match self.config.retrain.export.then(|| pipeline.checked_onnx(dir)) {
            Some(Ok(onnx)) => atomic::replace(&dir.join("model.onnx"), |out| out.write_all(&onnx)),
            // If ONNX is not possible, it is omitted; `export` reports why.
            None | Some(Err(PipelineError::Model(ModelError::Unsupported(_)))) => Ok(()),
            Some(Err(wrong)) => Err(io::Error::other(wrong)),
        }
    }
}
