//! Evaluates both versions on the gate rows; writes nothing.

use super::holdout::HoldoutUse;
use super::judge::{Judgement, judge};
use super::rails::{Guardrail, Rails};
use super::report::{GateReport, Pair, sentence};
use super::rows::{Contestant, GateRows, gate_rows};
use super::{GateError, PromoteRequest};
use crate::score::{Estimate, EvaluateOptions, Metric, Metrics, Reading, ScoreError, evaluate as metrics_of};
use crate::table::Rejects;
use crate::workspace::audit::Entry;
use crate::workspace::event::{Decision, HoldoutRows, Verdict};
use crate::workspace::{Config, PromoteRules, Workspace};

/// Compares `challenger` with `production`; `entries` are those of the audit chain.
///
/// # Errors
/// If the two cannot be compared, or a table or a version does not fit.
pub(super) fn evaluate(
    workspace: &Workspace,
    config: &Config,
    entries: &[Entry],
    production: &Contestant,
    challenger: &Contestant,
    request: &PromoteRequest,
) -> Result<(GateReport, HoldoutRows, Rejects), GateError> {
    let rules = &config.promote;
    let rows = gate_rows(workspace, config, production, challenger, request.skip_invalid)?;
    let times = match rows.until {
        Some(_) => Some(challenger.recipe.instants(&rows.table, &challenger.pipeline.schema)?),
        None => None,
    };
    let versions = (production.version, challenger.version);
    let holdout = HoldoutUse::of(entries, versions, &rows, times.as_deref(), rules)?;
    let found = compare(&rows, production, challenger, rules, &holdout, request)?;
    let decision = decide(&found.judgement, &found.guardrails, request.allow_equivalent);
    let mut notes = Vec::new();
    if rows.y.is_empty() {
        notes.push(
            "every labelled row was used to train one of the versions: set a share in [split] gate, or label newer \
             rows"
                .to_owned(),
        );
    }
    notes.extend(rows.copies.clone());
    if let (Some(name), Some(_)) = (&challenger.recipe.weight, &rows.weights) {
        notes.push(format!(
            "metrics, tests and guardrails weight rows by {name:?}; the number of rows that are needed counts each \
             row once"
        ));
    }
    if rows.n_corrected > 0 {
        notes.push(format!("{} labels come from data/labels.csv instead of the table", rows.n_corrected));
    }
    for of in [production, challenger].iter().filter(|of| of.pipeline.model.plan().is_none()) {
        notes.push(format!("{} was trained elsewhere: we cannot verify that it never saw these rows", of.version));
    }
    let holdout_rows = HoldoutRows { n: rows.y.len() as u64, digest: rows.digest.clone(), until: rows.until };
    let report = GateReport {
        format: 1,
        at: request.now,
        production: production.version,
        challenger: challenger.version,
        target: challenger.pipeline.target.name.clone(),
        task: challenger.pipeline.target.task,
        decision,
        sentence: sentence(&found.judgement, &found.guardrails, request.allow_equivalent),
        judgement: found.judgement,
        allow_equivalent: request.allow_equivalent.map(str::to_owned),
        guardrails: found.guardrails,
        holdout,
        metrics: found.metrics,
        rows_digest: rows.digest,
        notes,
    };
    Ok((report, holdout_rows, rows.rejects))
}

/// The verdict.
struct Found {
    judgement: Judgement,
    guardrails: Vec<Guardrail>,
    metrics: Vec<Pair>,
}

fn compare(
    rows: &GateRows,
    production: &Contestant,
    challenger: &Contestant,
    rules: &PromoteRules,
    holdout: &HoldoutUse,
    request: &PromoteRequest,
) -> Result<Found, GateError> {
    let scores = [production.pipeline.score(&rows.table)?, challenger.pipeline.score(&rows.table)?];
    let weights = rows.weights.as_deref();
    let old = Reading { weights, ..production.pipeline.reading(&scores[0], &rows.y) };
    let new = Reading { weights, ..challenger.pipeline.reading(&scores[1], &rows.y) };
    let judgement = judge(&old, &new, rows.entities.as_deref(), rules, holdout.alpha, request.seed)?;
    if rows.y.is_empty() {
        return Ok(Found { judgement, guardrails: Vec::new(), metrics: Vec::new() });
    }
    let rails = Rails {
        rules: &rules.guardrails,
        alpha: rules.alpha,
        rows,
        production: (production, old),
        challenger: (challenger, new),
    };
    Ok(Found { judgement, guardrails: rails.check(request.seconds)?, metrics: side_by_side(&old, &new)? })
}

/// Every metric of the task.
fn side_by_side(old: &Reading, new: &Reading) -> Result<Vec<Pair>, ScoreError> {
    let all = |reading: &Reading| -> Result<Metrics, ScoreError> {
        Ok(metrics_of(reading, None, EvaluateOptions { max_replicates: 0, ..EvaluateOptions::default() })?.metrics)
    };
    let (old, new) = (all(old)?, all(new)?);
    let pair = |(metric, estimate): (Metric, &Estimate)| Pair {
        metric,
        production: estimate.value,
        challenger: new.value(metric),
    };
    Ok(old.iter().map(pair).collect())
}

/// The decision that follows from verdict and guardrails.
fn decide(judgement: &Judgement, guardrails: &[Guardrail], allow_equivalent: Option<&str>) -> Decision {
    let holds = !guardrails.iter().any(|rail| rail.broken);
    match judgement.verdict {
        Verdict::Superior if holds && judgement.enough => Decision::Promote,
        Verdict::Equivalent if holds && allow_equivalent.is_some() => Decision::Promote,
        Verdict::Inconclusive if holds => Decision::Wait,
        _ => Decision::Refuse,
    }
}
