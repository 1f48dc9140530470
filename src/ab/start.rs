//! Starts an experiment.

use super::AbError;
use super::experiment::{Arm, Epoch, Experiment, FORMAT, Guardrail, Measure, Metric, Rollout, Step};
use crate::atomic::Lock;
use crate::features::{Target, Task};
use crate::period::Period;
use crate::registry::{RegistryError, Role, Version};
use crate::table::Kind;
use crate::train;
use crate::workspace::audit::Event;
use crate::workspace::event::{Details, ExperimentChanged, LogRead};
use crate::workspace::{EventKind, Workspace};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;
use std::str::FromStr;

/// A version by its role or by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// The version with this role.
    Role(Role),
    /// This one.
    Version(Version),
}

impl FromStr for Who {
    type Err = RegistryError;

    fn from_str(text: &str) -> Result<Self, RegistryError> {
        match text {
            "production" => Ok(Self::Role(Role::Production)),
            "challenger" => Ok(Self::Role(Role::Challenger)),
            version => version.parse().map(Self::Version),
        }
    }
}

/// How the share of the other arms grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schedule {
    /// The split is constant: an experiment.
    Fixed,
    /// A small share for half of the time, then all units.
    Canary,
    /// In steps, starting from the split.
    Gradual,
    /// All units at once.
    Immediate,
}

impl Schedule {
    fn name(self) -> &'static str {
        match self {
            Self::Fixed => "fixed",
            Self::Canary => "canary",
            Self::Gradual => "gradual",
            Self::Immediate => "immediate",
        }
    }

    /// The default share of the other arms.
    fn split(self) -> f64 {
        match self {
            Self::Fixed => 0.5,
            Self::Canary => 0.05,
            Self::Gradual => 0.1,
            Self::Immediate => 1.0,
        }
    }

    /// The shares in order, beginning with `split`; the gradual ones grow by `step` if given.
    fn shares(self, split: f64, step: Option<f64>) -> Result<Vec<f64>, AbError> {
        let then: &[f64] = match (self, step) {
            (Self::Gradual, Some(step)) => return by_steps(split, step),
            (_, Some(_)) => return Err(AbError::Usage("--step needs --strategy gradual".to_owned())),
            (Self::Fixed, None) => &[],
            (Self::Canary, None) => &[1.0],
            (Self::Gradual, None) => &[0.25, 0.5, 1.0],
            (Self::Immediate, None) => return Ok(vec![1.0]),
        };
        Ok(std::iter::once(split).chain(then.iter().copied().filter(|share| *share > split)).collect())
    }
}

/// More steps than this are probably a typing error.
const MAX_STEPS: usize = 100;

/// Shares from `split` up to 1, each `step` above the previous one.
fn by_steps(split: f64, step: f64) -> Result<Vec<f64>, AbError> {
    // Decimal steps do not add up exactly: a sum slightly below 1 counts as 1.
    let n = ((1.0 - split) / step - 1e-9).ceil().max(0.0) as usize;
    if n >= MAX_STEPS {
        return Err(AbError::Usage(format!(
            "--step {step}: this gives {} steps; at most {MAX_STEPS} are allowed",
            n + 1
        )));
    }
    let share = |i: usize| ((split + step * i as f64) * 1e9).round() / 1e9;
    Ok((0..=n).map(|i| share(i).min(1.0)).collect())
}

/// The request to start an experiment.
#[derive(Debug, Clone)]
pub struct StartRequest<'a> {
    /// The first arm, which is in production.
    pub a: Who,
    /// The other arms.
    pub others: &'a [Who],
    /// Total share of units of the other arms.
    pub split: Option<f64>,
    /// How that share grows.
    pub schedule: Schedule,
    /// The increment per step of a gradual rollout.
    pub step: Option<f64>,
    /// Minimum duration of each step; by default, the duration divided equally.
    pub every: Option<Period>,
    /// Its name.
    pub name: Option<&'a str>,
    /// The text hashed with a unit's id; by default the name.
    pub salt: Option<&'a str>,
    /// The deciding metric, and whether higher or lower is better.
    pub metric: Option<Metric>,
    /// Measures that must not become worse, each with its margin.
    pub guardrails: &'a [Guardrail],
    /// Units that each arm needs before a guardrail is checked.
    pub min_units: u64,
    /// Planned number of units with an outcome; by default [`USUAL_N`].
    pub planned_n: Option<u64>,
    /// The significance level.
    pub alpha: f64,
    /// Planned duration; by default all steps, or 28 days.
    pub duration: Option<Period>,
    /// Time after the prediction when a unit's outcome is final.
    pub label_window: Period,
    /// Whether the first arm answers all requests and the others only score.
    pub shadow: bool,
    /// Current time, injected.
    pub now: Timestamp,
}

/// The default planned number of units.
pub const USUAL_N: u64 = 10_000;
/// The default duration, in seconds.
const USUAL_SECONDS: i64 = 28 * 86_400;
/// The default margin of a guardrail on a share.
const USUAL_MARGIN: f64 = 0.02;

/// Creates the experiment that `request` describes; nothing is changed.
///
/// # Errors
/// Versions that are missing or the same, a first arm that is not in production, a measure not defined for the target.
pub fn plan(workspace: &Workspace, request: &StartRequest) -> Result<Experiment, AbError> {
    let (config, registry) = (workspace.config()?, workspace.registry());
    let version = |who: Who| match who {
        Who::Role(role) => registry.holder(role),
        Who::Version(version) => registry.path(version).map(|_| version),
    };
    let first = version(request.a)?;
    let production = registry.holder(Role::Production)?;
    if first != production {
        return Err(AbError::Usage(format!(
            "the first arm is {first}, but {production} is in production: the first arm must be the production version"
        )));
    }
    let mut versions = vec![first];
    for who in request.others {
        versions.push(version(*who)?);
    }
    let mut arms: Vec<Arm> = Vec::new();
    for (name, version) in ('a'..='z').zip(&versions) {
        if arms.iter().any(|arm| arm.version == *version) {
            return Err(AbError::Usage(format!("{version} cannot be two arms of one experiment")));
        }
        arms.push(Arm { name: name.to_string(), version: *version });
    }
    let (_, pipeline) = train::load(workspace, Some(first))?;
    for arm in &arms[1..] {
        comparable(&pipeline.target, &train::load(workspace, Some(arm.version))?.1.target, arm.version)?;
    }
    let task = pipeline.target.task;
    let metric = request.metric.unwrap_or_else(|| Measure::usual(task).metric());
    metric.measure.check(task)?;
    request.guardrails.iter().try_for_each(|rail| rail.measure.check(task))?;
    let day = request.now.strftime("%Y-%m-%d");
    let usual_name = || format!("{}-{day}", versions.iter().map(ToString::to_string).collect::<Vec<_>>().join("-"));
    let name = request.name.map_or_else(usual_name, str::to_owned);
    let unit = config.columns.iter().find(|column| column.kind == Kind::Id).map_or("id", |column| &column.name);
    let mut experiment = Experiment {
        format: FORMAT,
        salt: request.salt.unwrap_or(&name).to_owned(),
        name,
        unit: unit.to_owned(),
        arms,
        shadow: request.shadow,
        metric,
        planned_n: request.planned_n.unwrap_or(USUAL_N),
        alpha: request.alpha,
        duration: request.duration.unwrap_or(Period::seconds(USUAL_SECONDS)),
        label_window: request.label_window,
        guardrails: guardrails(request, task, metric),
        rollout: None,
        epochs: Vec::new(),
        ended: None,
    };
    weights(&mut experiment, request)?;
    experiment.checked().map_err(AbError::Usage)
}

fn comparable(first: &Target, other: &Target, version: Version) -> Result<(), AbError> {
    let same = first.task == other.task && first.classes == other.classes;
    let refuse = || AbError::Usage(format!("{version} does not predict the same target as production"));
    same.then_some(()).ok_or_else(refuse)
}

/// The requested guardrails; a rollout gets at least one on the deciding metric.
fn guardrails(request: &StartRequest, task: Task, metric: Metric) -> Vec<Guardrail> {
    let Metric { measure, goal } = metric;
    match request.guardrails {
        [] if request.schedule != Schedule::Fixed && task != Task::Regression => {
            vec![Guardrail { measure, goal, margin: USUAL_MARGIN }]
        }
        asked => asked.to_vec(),
    }
}

/// Sets the first weights and the steps of the rollout.
fn weights(experiment: &mut Experiment, request: &StartRequest) -> Result<(), AbError> {
    if request.shadow && (request.split.is_some() || request.schedule != Schedule::Fixed) {
        let what = "in a shadow experiment the first arm answers all requests: --split and --strategy cannot be combined \
             with --shadow";
        return Err(AbError::Usage(what.to_owned()));
    }
    if request.schedule == Schedule::Fixed && (request.step.is_some() || request.every.is_some()) {
        return Err(AbError::Usage("--step and --every need --strategy canary or gradual".to_owned()));
    }
    let split = if request.shadow { 0.0 } else { request.split.unwrap_or(request.schedule.split()) };
    let shares = request.schedule.shares(split, request.step)?;
    let weights = experiment.weights_for(shares[0]);
    experiment.epochs = vec![Epoch { from: request.now, weights }];
    if request.schedule != Schedule::Fixed {
        let hold = request.every.unwrap_or_else(|| experiment.duration.part(shares.len()));
        if request.duration.is_none() && request.every.is_some() {
            experiment.duration = hold.times(shares.len());
        }
        let needed = hold.times(shares.len());
        if needed > experiment.duration {
            return Err(AbError::Usage(format!(
                "--duration {} is too short: {} steps of {hold} need {needed}",
                experiment.duration,
                shares.len()
            )));
        }
        experiment.rollout = Some(Rollout {
            schedule: request.schedule.name().to_owned(),
            min_units: request.min_units,
            steps: shares.into_iter().map(|share| Step { share, hold }).collect(),
            at: 0,
            went_back: None,
        });
    }
    Ok(())
}

/// The result of a start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum StartOutcome {
    /// It runs now.
    Started,
    /// The same experiment is already running.
    Already,
}

/// Starts `experiment`, which [`plan`] created.
///
/// # Errors
/// [`AbError::Running`] if another one is running; errors of the workspace.
pub fn start(
    workspace: &Workspace,
    lock: &Lock,
    experiment: &Experiment,
    by: Option<&str>,
) -> Result<StartOutcome, AbError> {
    if let Some(running) = Experiment::load(workspace)?.filter(Experiment::is_running) {
        let mut same = experiment.clone();
        same.epochs[0].from = running.epochs[0].from;
        return if running == same { Ok(StartOutcome::Already) } else { Err(AbError::Running(running.name)) };
    }
    commit(workspace, lock, EventKind::AbStarted, experiment, by, experiment.epochs[0].from, ("", None))?;
    Ok(StartOutcome::Started)
}

/// The data behind a verdict on an experiment.
pub(super) struct MadeFrom {
    /// Rows of the prediction log.
    pub(super) log: Option<LogRead>,
    /// SHA-256 of the labels, if there are any.
    pub(super) labels: Option<String>,
}

/// Writes a change of the experiment: its line in the audit chain is the commit; `ab.json` is derived from it.
pub(super) fn commit(
    workspace: &Workspace,
    lock: &Lock,
    event: EventKind,
    experiment: &Experiment,
    by: Option<&str>,
    at: Timestamp,
    (why, made_from): (&str, Option<MadeFrom>),
) -> Result<(), AbError> {
    let (log, labels) = made_from.map(|it| (it.log, it.labels)).unzip();
    let changed = ExperimentChanged {
        name: experiment.name.clone(),
        weights: experiment.weights().to_vec(),
        why: why.to_owned(),
        experiment: json!(experiment),
        log,
        labels,
    };
    let details = changed.value();
    workspace.record(lock, Event { at, event, by: by.map(str::to_owned), roles: None, details })?;
    Ok(())
}
