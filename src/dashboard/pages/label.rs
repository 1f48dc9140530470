//! The open batch, one row at a time.

use super::{Asked, rendered};
use crate::dashboard::shell::Shell;
use crate::dashboard::web::{Answer, Fields, Oops, may};
use crate::dashboard::{Dashboard, Right};
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
    /// The key of each class, the class, and whether it is the answer.
    classes: Vec<(String, String, bool)>,
    is_number: bool,
    batch: Option<Progress>,
    /// The annotators of the open batch.
    people: Vec<Person>,
    name: String,
    at: usize,
    trail: Trail,
    line: Option<Line>,
    /// The content of the fields: as typed before the form was shown again, otherwise as stored.
    typed: [String; 2],
    /// The rows to label, and whether they are done.
    rows: Vec<(String, bool)>,
    /// Number of rows to settle.
    n_open: usize,
    /// The values typed into the form that selects rows: number, annotators, percentage for two.
    wanted: [String; 3],
    /// Production's prediction for the row, once requested.
    model_says: Option<String>,
}

struct Progress {
    n: usize,
    n_done: usize,
    n_answered: usize,
}

/// A person's open rows and answers so far.
struct Person {
    name: String,
    n: usize,
    n_done: usize,
    n_answered: usize,
    is_viewer: bool,
}

/// The rows visited before, latest last, for going back.
pub(in crate::dashboard) struct Trail(Vec<usize>);

impl Trail {
    /// Maximum number of rows remembered.
    const LONGEST: usize = 100;

    pub(in crate::dashboard) fn of(fields: &Fields) -> Self {
        let rows: Vec<usize> = fields.get("trail").split('.').filter_map(|at| at.parse().ok()).collect();
        Self(rows[rows.len().saturating_sub(Self::LONGEST)..].to_vec())
    }

    pub(in crate::dashboard) fn with(mut self, at: usize) -> Self {
        self.0.push(at);
        self
    }

    /// The address of row `at`, with the way back to this row.
    pub(in crate::dashboard) fn to(&self, at: Option<usize>) -> String {
        let at = at.map_or_else(String::new, |at| format!("at={at}&"));
        format!("/ui/label?{at}trail={}", self.text())
    }

    fn text(&self) -> String {
        self.0.iter().map(ToString::to_string).collect::<Vec<_>>().join(".")
    }

    /// The address of the row visited before.
    fn back(&self) -> Option<String> {
        let (last, before) = self.0.split_last()?;
        Some(Self(before.to_vec()).to(Some(*last)))
    }
}

/// The lines of `person` in the oldest batch in which they have open rows; `None` if there is none.
pub(in crate::dashboard) fn sheet(dashboard: &Dashboard, person: &str) -> Result<Option<FillIn>, Oops> {
    first(dashboard, person, |sheet| !sheet.is_empty())
}

/// The lines of the oldest batch with answers by `person` that are not yet imported.
pub(in crate::dashboard) fn answered(dashboard: &Dashboard, person: &str) -> Result<Option<FillIn>, Oops> {
    first(dashboard, person, |sheet| sheet.n_answered() > 0)
}

fn first(dashboard: &Dashboard, person: &str, fits: impl Fn(&FillIn) -> bool) -> Result<Option<FillIn>, Oops> {
    for batch in fill::out(&dashboard.workspace)? {
        let sheet = FillIn::open(&dashboard.workspace, &batch, person)?;
        if fits(&sheet) {
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
    let note = line.as_ref().map_or("", |line| line.note.as_str());
    let typed = |name: &str, kept: &str| match asked.viewer.alert.is_some() {
        true => asked.fields.get(name).to_owned(),
        false => kept.to_owned(),
    };
    let typed = [typed("answer", answer), typed("note", note)];
    let classes: Vec<String> = target.iter().flat_map(|target| target.classes.iter().cloned()).collect();
    let model_says = line.as_ref().filter(|_| asked.fields.has("score")).and_then(|line| said(&batches, &line.id));
    rendered(&Page {
        shell: asked.shell("/ui/label", "Label")?,
        classes: keys(&classes)
            .into_iter()
            .zip(&classes)
            .map(|(key, class)| (key, class.clone(), class == answer))
            .collect(),
        is_number: target.as_ref().is_some_and(|target| target.task == Task::Regression),
        target: match &target {
            Some(target) => target.name.clone(),
            None => workspace.config()?.target.column,
        },
        people: match batches.first() {
            Some(batch) if may(asked.viewer.session.as_ref(), Right::Label) => people(asked, batch, person)?,
            _ => Vec::new(),
        },
        name: batches.first().map_or_else(String::new, |batch| batch.batch.clone()),
        batch: sheet.as_ref().map(|sheet| Progress {
            n: sheet.len(),
            n_done: sheet.n_done(),
            n_answered: sheet.n_answered(),
        }),
        rows: sheet.iter().flat_map(FillIn::done).map(|(id, done)| (short(id, 30), done)).collect(),
        at: at.unwrap_or(0),
        trail: Trail::of(asked.fields),
        line,
        typed,
        n_open: settle::open(workspace, 0)?.n,
        wanted: [("n", "100"), ("annotators", ""), ("overlap", "10")].map(|(name, usual)| {
            let typed = asked.fields.has(name);
            if typed { asked.fields.get(name) } else { usual }.to_owned()
        }),
        model_says,
    })
}

/// The key for each class: a class that is a digit has that digit; the others have the first unused digits, as long as
/// there are any.
fn keys(classes: &[String]) -> Vec<String> {
    let is_digit = |class: &String| class.len() == 1 && class.as_bytes()[0].is_ascii_digit();
    let mut free = ('1'..='9').map(String::from).filter(|digit| !classes.contains(digit));
    let mut key = |class: &String| if is_digit(class) { class.clone() } else { free.next().unwrap_or_default() };
    classes.iter().map(&mut key).collect()
}

fn people(asked: &Asked, batch: &Batch, viewer: &str) -> Result<Vec<Person>, Oops> {
    let person = |sheet: &FillIn| Person {
        name: sheet.person().to_owned(),
        n: sheet.len(),
        n_done: sheet.n_done(),
        n_answered: sheet.n_answered(),
        is_viewer: sheet.person() == viewer,
    };
    Ok(fill::sheets(&asked.dashboard.workspace, batch)?.iter().map(person).collect())
}

/// The prediction, with its scores, of the version that exported a row.
fn said(batches: &[Batch], id: &str) -> Option<String> {
    let (batch, row) = batches.iter().find_map(|batch| Some((batch, batch.rows.iter().find(|row| row.id == id)?)))?;
    let scores: Vec<String> = row.scores.iter().map(|score| number(*score)).collect();
    Some(format!("{} predicts {} (score {})", batch.version, short(&row.prediction, 60), scores.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_that_is_a_digit_is_its_own_key() {
        let of = |classes: &[&str]| keys(&classes.iter().map(|&class| class.to_owned()).collect::<Vec<_>>()).join(" ");
        assert_eq!(of(&["no", "yes"]), "1 2");
        assert_eq!(of(&["0", "1"]), "0 1");
        assert_eq!(of(&["2", "1", "x", "y"]), "2 1 3 4");
        assert_eq!(of(&["a", "b", "c", "d", "e", "f", "g", "h", "i", "10"]), "1 2 3 4 5 6 7 8 9 ");
    }
}
