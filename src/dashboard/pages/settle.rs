//! Answers that conflict or look wrong, for an adjudicator.

use super::{Asked, rendered};
use crate::dashboard::shell::Shell;
use crate::dashboard::web::{Answer, Fields, Oops};
use crate::features::Task;
use crate::labels::settle::{self, Decision, Open};
use crate::report::number::short;
use askama::Template;

/// Rows per page and per form.
const SHOWN: usize = 20;

#[derive(Template)]
#[template(path = "ui_settle.html")]
struct Page {
    shell: Shell,
    target: String,
    is_number: bool,
    rows: Vec<Row>,
    n: usize,
}

struct Row {
    open: Open,
    why: String,
    /// Each class, whether it is the current label, and whether it was chosen before the form was shown again.
    classes: Vec<(String, bool, bool)>,
}

pub(super) fn page(asked: &Asked) -> Result<Answer, Oops> {
    let found = settle::open(&asked.dashboard.workspace, SHOWN)?;
    let classes = found.target.as_ref().map(|target| target.classes.clone()).unwrap_or_default();
    let chosen = decisions(asked.fields);
    let row = |open: Open| Row {
        why: short(&open.why, 300),
        classes: classes
            .iter()
            .map(|class| {
                let is_chosen = chosen.iter().any(|(id, _, answer)| *id == open.id && answer == class);
                (class.clone(), *class == open.label, is_chosen)
            })
            .collect(),
        open,
    };
    rendered(&Page {
        shell: asked.shell("/ui/label", "Settle")?,
        is_number: found.target.as_ref().is_some_and(|target| target.task == Task::Regression),
        target: found.target.map_or_else(String::new, |target| target.name),
        rows: found.rows.into_iter().map(row).collect(),
        n: found.n,
    })
}

/// What the form decides; rows without an answer stay open.
pub(in crate::dashboard) fn decisions(fields: &Fields) -> Vec<Decision> {
    let field = |name: &str, n: usize| fields.get(&format!("{name}-{n}")).trim().to_owned();
    let one = |n: usize| Some((field("id", n), field("batch", n), field("answer", n))).filter(|one| !one.2.is_empty());
    (0..SHOWN).filter_map(one).collect()
}
