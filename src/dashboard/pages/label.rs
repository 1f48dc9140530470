//! The batch that is out, one row at a time.

use super::{Asked, rendered};
use crate::dashboard::Dashboard;
use crate::dashboard::shell::Shell;
use crate::dashboard::web::{Answer, Oops};
use crate::features::Task;
use crate::labels::fill::{self, FillIn, Line};
use crate::labels::{Batch, settle};
use crate::report::number::{number, short};
use askama::Template;

#[derive(Template)]
#[template(path = "ui_label.html")]
struct Page {
    shell: Shell,
    target: String,
    classes: Vec<(usize, String, bool)>,
    is_number: bool,
    batch: Option<Progress>,
    at: usize,
    last: Option<u64>,
    line: Option<Line>,
    /// Rows to settle.
    n_open: usize,
    /// What production says of the row, once it was asked for.
    model_says: Option<String>,
}

struct Progress {
    name: String,
    n: usize,
    n_done: usize,
    n_answered: usize,
}

/// The lines that `person` is asked of the oldest batch that is out and still has some; none when nothing is asked.
pub(in crate::dashboard) fn sheet(dashboard: &Dashboard, person: &str) -> Result<Option<FillIn>, Oops> {
    for batch in fill::out(&dashboard.workspace)? {
        let sheet = FillIn::open(&dashboard.workspace, &batch, person)?;
        if !sheet.is_empty() {
            return Ok(Some(sheet));
        }
    }
    Ok(None)
}

pub(super) fn page(asked: &Asked) -> Result<Answer, Oops> {
    let dashboard = asked.dashboard;
    let workspace = &dashboard.workspace;
    let person = asked.viewer.session.as_ref().map_or("", |session| session.name.as_str());
    let batches = fill::out(workspace)?;
    let sheet = if person.is_empty() { None } else { sheet(dashboard, person)? };
    let target = batches.last().map(|batch| batch.target.clone());
    let at = match (&sheet, asked.fields.number("at")) {
        (Some(sheet), Some(at)) => usize::try_from(at).ok().filter(|at| *at < sheet.len()).or_else(|| sheet.next(0)),
        (Some(sheet), None) => sheet.next(0),
        (None, _) => None,
    };
    let line = at.and_then(|at| sheet.as_ref()?.line(at));
    let answer = line.as_ref().map_or("", |line| line.answer.as_str());
    let classes = target.iter().flat_map(|target| target.classes.iter());
    let model_says = line.as_ref().filter(|_| asked.fields.has("score")).and_then(|line| said(&batches, &line.id));
    rendered(&Page {
        shell: asked.shell("/ui/label", "Label")?,
        classes: (1..).zip(classes).map(|(n, class)| (n, class.clone(), class == answer)).collect(),
        is_number: target.as_ref().is_some_and(|target| target.task == Task::Regression),
        target: match &target {
            Some(target) => target.name.clone(),
            None => workspace.config()?.target.column,
        },
        batch: sheet.as_ref().zip(batches.first()).map(|(sheet, batch)| Progress {
            name: batch.batch.clone(),
            n: sheet.len(),
            n_done: sheet.n_done(),
            n_answered: sheet.n_answered(),
        }),
        at: at.unwrap_or(0),
        last: asked.fields.number("last"),
        line,
        n_open: settle::open(workspace, 0)?.n,
        model_says,
    })
}

/// What the version that asked says of a row, with its scores.
fn said(batches: &[Batch], id: &str) -> Option<String> {
    let (batch, row) = batches.iter().find_map(|batch| Some((batch, batch.rows.iter().find(|row| row.id == id)?)))?;
    let scores: Vec<String> = row.scores.iter().map(|score| number(*score)).collect();
    Some(format!("{} says {} (score {})", batch.version, short(&row.prediction, 60), scores.join(", ")))
}
