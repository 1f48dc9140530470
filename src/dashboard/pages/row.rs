//! One prediction: its value, its reasons, and whether it was right.

use super::feedback::{LOOKED_AT, Row, back, encoded, shown, threshold};
use super::models::bar;
use super::parts::balance;
use super::{Asked, rendered};
use crate::dashboard::shell::Shell;
use crate::dashboard::web::{Answer, Oops};
use crate::features::Task;
use crate::journal::{Journal, JournalError, Layout, Logged, Window};
use crate::pipeline::{Pipeline, PipelineError};
use crate::registry::Version;
use crate::report::number::{number, short};
use crate::table::{Table, Values};
use crate::train;
use askama::Template;
use jiff::Timestamp;
use std::collections::HashSet;

/// Displayed for a missing value.
const MISSING: &str = "–";
/// Maximum number of contributions drawn.
const DRAWN: usize = 40;

#[derive(Template)]
#[template(path = "ui_row.html")]
struct Why {
    shell: Shell,
    row: Row,
    classes: Vec<String>,
    is_number: bool,
    explained_by: String,
    /// The unit of contributions, and the meaning of a bar to the right.
    unit: String,
    towards: String,
    /// Number of columns that are not drawn.
    n_left: usize,
    scores: String,
    /// The value typed before the form was shown again.
    actual: String,
    comment: String,
    /// The list to return to.
    back: String,
    chart: String,
    values: Vec<(String, String)>,
    note: Option<String>,
    /// The address of the form for trying other values, filled with these.
    try_address: String,
}

/// One prediction with its values and reasons.
pub(super) fn page(asked: &Asked) -> Result<Answer, Oops> {
    let workspace = &asked.dashboard.workspace;
    let id = asked.fields.get("id");
    let (production, pipeline) = train::load(workspace, None)?;
    let layout = Layout::of(&pipeline);
    let journal = Journal::of(workspace);
    let recent = journal.recent(LOOKED_AT, &Window::default(), &layout, true)?;
    let found = match recent.iter().rev().find_map(|logged| last_of(logged, id)) {
        Some(found) => Some(found),
        None => logged_before(&journal, &layout, id)?,
    };
    let Some(logged) = found else {
        return Err(Oops::NotFound(format!("{}: the prediction log has no prediction with this id", short(id, 80))));
    };
    let judged = asked.judged()?;
    let shown = shown(&logged, 0, &judged.seen(&asked.dashboard.workspace)?.said, threshold(asked)?);
    let features = logged.features.clone();
    let (explained_version, pipeline) = of_version(asked, logged.version[0], (production, pipeline));
    let values = features.as_ref().map_or_else(Vec::new, cells);
    let (explained, note) = match features.as_ref().map(|table| explain(&pipeline, table, &values)) {
        Some(Ok(explained)) => (explained, None),
        Some(Err(err)) => (Explained::default(), Some(err.to_string())),
        None => (Explained::default(), Some("the log has no features of this row".to_owned())),
    };
    let (unit, towards) = measured(&pipeline, &shown.prediction);
    rendered(&Why {
        shell: asked.shell("/ui/feedback", &format!("Prediction of {}", shown.label))?,
        row: shown,
        classes: pipeline.target.classes.clone(),
        is_number: pipeline.target.classes.is_empty(),
        explained_by: explained_version.to_string(),
        unit,
        towards,
        n_left: explained.n_left,
        scores: explained.scores,
        chart: explained.chart,
        try_address: try_address(explained_version, &values),
        values,
        note,
        actual: asked.fields.get("actual").to_owned(),
        comment: asked.fields.get("comment").to_owned(),
        back: back(asked.fields.get("back")),
    })
}

/// The address for trying other values of a row; empty if the row does not fit into a URL.
fn try_address(version: Version, values: &[(String, String)]) -> String {
    const LONGEST: usize = 6000;
    let mut address = format!("/ui/model?version={version}&try=1");
    for (name, value) in values {
        // A missing value is an empty field.
        let value = if value == MISSING { "" } else { value };
        address.push_str(&format!("&{}={}", encoded(&format!("x.{name}")), encoded(value)));
    }
    if address.len() > LONGEST { String::new() } else { address + "#what-if" }
}

/// A recomputed prediction with its explanation.
#[derive(Default)]
struct Explained {
    chart: String,
    scores: String,
    /// Number of columns that are not drawn.
    n_left: usize,
}

fn explain(pipeline: &Pipeline, table: &Table, values: &[(String, String)]) -> Result<Explained, PipelineError> {
    let (found, why) = pipeline.score_and_explain(table, usize::MAX)?;
    let named = |column: String| match values.iter().find(|(name, _)| *name == column) {
        Some((name, value)) => format!("{} = {}", short(name, 24), short(value, 16)),
        None => column,
    };
    let why: Vec<(String, f64)> =
        why.into_iter().flatten().map(bar).map(|(name, moved)| (named(name), moved)).collect();
    Ok(Explained {
        chart: balance(&why[..why.len().min(DRAWN)]),
        scores: scores(pipeline, found.row(0)),
        n_left: why.len().saturating_sub(DRAWN),
    })
}

/// The scores, each with its class if there are several.
fn scores(pipeline: &Pipeline, scores: &[f64]) -> String {
    let classes = &pipeline.target.classes;
    let named = |(n, score): (usize, &f64)| match classes.get(n).filter(|_| scores.len() > 1) {
        Some(class) => format!("{} {}", short(class, 40), number(*score)),
        None => number(*score),
    };
    scores.iter().enumerate().map(named).collect::<Vec<_>>().join(", ")
}

/// The unit of contributions, and the meaning of positive ones.
fn measured(pipeline: &Pipeline, prediction: &str) -> (String, String) {
    let target = &pipeline.target;
    match (target.task, pipeline.model.n_margins()) {
        (Task::Regression, _) => (format!("units of {}", short(&target.name, 60)), "a higher number".to_owned()),
        (Task::Binary, n) => {
            let unit = if n == 1 { "log-odds" } else { "probability" };
            (unit.to_owned(), target.classes.get(1).cloned().unwrap_or_default())
        }
        (Task::Multiclass, _) => ("raw score".to_owned(), prediction.to_owned()),
    }
}

/// The last row of `id` among these.
fn last_of(logged: &Logged, id: &str) -> Option<Logged> {
    (0..logged.len()).rev().find(|&row| logged.id.get(row) == id).map(|row| logged.take(&[row as u32]))
}

/// The last row with this `id` in the whole log, which is searched backwards.
fn logged_before(journal: &Journal, layout: &Layout, id: &str) -> Result<Option<Logged>, Oops> {
    let Some(latest) = journal.latest(&HashSet::from([id]))?.remove(id) else { return Ok(None) };
    let at = Window { since: Some(latest.at), until: latest.at.checked_add(jiff::SignedDuration::from_micros(1)).ok() };
    let mut found = None;
    journal.scan(&at, layout, true, |logged| {
        found = last_of(&logged, id).or(found.take());
        Ok::<(), JournalError>(())
    })?;
    Ok(found)
}

/// The version that predicted; production if its files are gone.
fn of_version(asked: &Asked, version: Version, production: (Version, Pipeline)) -> (Version, Pipeline) {
    if version == production.0 {
        return production;
    }
    train::load(&asked.dashboard.workspace, Some(version)).unwrap_or(production)
}

/// The cells of a table's only row.
pub(super) fn cells(table: &Table) -> Vec<(String, String)> {
    let text = |values: &Values| match values {
        values if values.is_missing(0) => MISSING.to_owned(),
        // Not rounded, because the user judges an amount by it.
        Values::Number(values) => values.first().map_or_else(String::new, ToString::to_string),
        Values::Category(categories) => short(categories.level(0).unwrap_or_default(), 2000),
        Values::Time(values) => {
            Timestamp::from_microsecond(values[0]).map_or_else(|_| String::new(), |at| at.to_string())
        }
        Values::Text(texts) => short(texts.get(0), 2000),
    };
    table.columns().iter().map(|column| (short(&column.name, 80), text(&column.values))).collect()
}
