//! The result of a round.

use crate::ab::rollout::Move;
use crate::drift::report::DriftReport;
use crate::gate::{Promotion, Ticket};
use crate::labels::Exported;
use crate::monitor;
use crate::registry::Version;
use crate::retrain::{RetrainOutcome, Retrained};
use crate::table::Rejects;
use serde::Serialize;

/// The result of a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum RoundOutcome {
    /// A new version is in production.
    Promoted,
    /// The challenger is not good enough.
    Refused,
    /// Inconclusive: too few gate rows.
    Inconclusive,
    /// It waits for human approval.
    Waiting,
    /// A person rejected it.
    Rejected,
    /// With --step: there is a reason to retrain.
    Reason,
    /// With --step: there is a challenger.
    Challenger,
    /// There is no reason to retrain.
    NoReason,
    /// Too few rows arrived.
    CannotTell,
    /// There is a reason to retrain, but nothing new to train on.
    NothingNew,
    /// There is a reason to retrain, but too few new labels.
    TooFew,
    /// There is a reason to retrain, but the last retrain was too recent.
    TooSoon,
    /// There is a challenger, but a running experiment decides about it.
    Experiment,
}

/// What the rollout of the running experiment did.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Rolled {
    /// The move.
    #[serde(rename = "move")]
    pub moved: Move,
    /// Why.
    pub sentence: String,
    /// The shares of the arms now.
    pub weights: Vec<f64>,
}

/// The answer of `run`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Round {
    /// The result.
    pub done: RoundOutcome,
    /// The version in production now.
    pub production: Option<Version>,
    /// What happened, in a few sentences.
    pub sentence: String,
    /// What the rollout of the running experiment did; absent without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rollout: Option<Rolled>,
    /// What `monitor` found, in short; absent when the loop took up an earlier round.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub monitor: Option<monitor::Brief>,
    /// What `retrain` did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retrain: Option<Retrained>,
    /// The rows exported for labelling; absent if there were none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<Exported>,
    /// The gate's result.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub promotion: Option<Promotion>,
    /// The request that waits for a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<Ticket>,
    /// The whole report, for notifications about drift.
    #[serde(skip)]
    pub report: Option<DriftReport>,
    /// Whether the request is new.
    #[serde(skip)]
    pub is_new_request: bool,
}

impl Round {
    /// A round before any step.
    pub(super) fn begins(production: Option<Version>) -> Self {
        Self {
            done: RoundOutcome::NoReason,
            production,
            sentence: String::new(),
            rollout: None,
            monitor: None,
            retrain: None,
            labels: None,
            promotion: None,
            request: None,
            report: None,
            is_new_request: false,
        }
    }

    /// Rows that were rejected during the round.
    pub fn rejects(&self) -> impl Iterator<Item = &Rejects> {
        let retrained = self.retrain.iter().map(|found| &found.rejects);
        retrained.chain(self.promotion.iter().map(|found| &found.rejects))
    }

    /// Records a person's decision about the request.
    pub fn decided(&mut self, done: RoundOutcome, production: Option<Version>, sentence: &str) {
        self.no_longer_waits();
        self.done = done;
        self.production = production;
        self.add(sentence);
    }

    /// The request was decided: remove the sentence that it waits.
    pub(super) fn no_longer_waits(&mut self) {
        let Some(waits) = self.request.as_ref().map(Ticket::waits) else { return };
        self.sentence = self.sentence.replacen(&waits, "", 1).replace("  ", " ").trim().to_owned();
    }

    pub(super) fn waits(&mut self, ticket: Ticket) {
        self.done = RoundOutcome::Waiting;
        self.request = Some(ticket);
    }

    pub(super) fn learned(&mut self, found: Retrained) {
        self.add(&found.sentence);
        self.done = match found.done {
            RetrainOutcome::TooFew => RoundOutcome::TooFew,
            RetrainOutcome::TooSoon => RoundOutcome::TooSoon,
            _ => RoundOutcome::NothingNew,
        };
        self.retrain = Some(found);
    }

    pub(super) fn add(&mut self, sentence: &str) {
        if !self.sentence.is_empty() {
            self.sentence.push(' ');
        }
        self.sentence.push_str(sentence);
    }
}
