//! The columns of the log, and how a row becomes a line.

use crate::digest::hex;
use crate::features::{Target, Task};
use crate::pipeline::Pipeline;
use crate::registry::Version;
use crate::table::{ColumnSpec, Dialect, Kind, Schema, one_line, push_field, push_number, push_record};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::io::Write as _;

/// The first columns of every file.
const RESERVED: [&str; 6] = ["id", "time", "version", "arm", "score", "prediction"];
/// The prefix of the name of a class's score.
const SCORE: &str = "score:";
/// The prefix for a feature whose name equals that of another column.
const FEATURE: &str = "feature:";

/// The columns logged for a loop's rows.
///
/// ```text
/// id,time,version,arm,score,prediction   [score:CLASS … with several classes]   the loop's columns as raw text
///                                                             [NAME = EXPRESSION … the values of windows]
/// ```
/// - `score` is the score of the positive class or, with several classes, of the predicted one; empty for a number.
/// - The loop's columns are all except the id, the target and ignored ones, in schema order, as received.
/// - A column with one of the reserved names, or one that begins with `score:` or `feature:`, is called `feature:NAME`.
/// - A cell that contains a line break or begins with a quotation mark is written as a JSON string; so a cell that
///   begins with a quotation mark is read as a JSON string.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Layout {
    id: Option<String>,
    missing: Vec<String>,
    classes: Vec<String>,
    features: Vec<ColumnSpec>,
    /// The columns with the values of windows.
    windows: Vec<ColumnSpec>,
}

/// A prediction to be logged.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    /// The id of the row.
    pub id: &'a str,
    /// The time of the prediction; the log stores microseconds.
    pub at: jiff::Timestamp,
    /// The version that predicted.
    pub version: Version,
    /// The arm of an experiment; empty without one.
    pub arm: &'a str,
    /// The row's scores, as [`Scores::row`](crate::pipeline::Scores::row) gives them.
    pub scores: &'a [f64],
    /// The predicted class, an index into the target's classes; `None` for a number, which is then the only score.
    pub class: Option<usize>,
    /// The raw text of each of [`Layout::features`].
    pub features: &'a [Cow<'a, str>],
    /// The value of each of [`Layout::windows`].
    pub windows: &'a [f64],
}

impl Layout {
    /// The log layout of a loop with this schema and target.
    #[must_use]
    pub fn new(schema: &Schema, target: &Target) -> Self {
        let classes = if target.task == Task::Regression { Vec::new() } else { target.classes.clone() };
        Self { classes, ..Self::of_columns(schema, &target.name) }
    }

    /// The columns logged for a loop's rows, for any target.
    #[must_use]
    pub fn of_columns(schema: &Schema, target: &str) -> Self {
        let is_feature = |c: &&ColumnSpec| !matches!(c.kind, Kind::Id | Kind::Ignore) && c.name != target;
        Self {
            id: schema.columns.iter().find(|c| c.kind == Kind::Id).map(|c| c.name.clone()),
            missing: schema.dialect.missing.clone(),
            classes: Vec::new(),
            features: schema.columns.iter().filter(is_feature).cloned().collect(),
            windows: Vec::new(),
        }
    }

    /// The log layout of rows scored by `pipeline`.
    #[must_use]
    pub fn of(pipeline: &Pipeline) -> Self {
        let windows = pipeline.features.derived().window_columns().iter();
        let windows = windows.map(|name| ColumnSpec::new(name.clone(), Kind::Number)).collect();
        Self { windows, ..Self::new(&pipeline.schema, &pipeline.target) }
    }

    /// The same layout with only one of the loop's columns; `None` if it is not logged.
    pub(super) fn only(&self, column: &str) -> Option<Self> {
        let features = vec![self.features.iter().find(|spec| spec.name == column)?.clone()];
        Some(Self { features, windows: Vec::new(), ..self.clone() })
    }

    /// The loop's id column; without one, [`Layout::made_up_id`] gives a row its id.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// The loop's columns that are logged, in their order in [`Row::features`].
    pub fn features(&self) -> impl ExactSizeIterator<Item = &str> {
        self.features.iter().map(|c| c.name.as_str())
    }

    /// The columns with the values of windows, in their order in [`Row::windows`].
    pub fn windows(&self) -> impl ExactSizeIterator<Item = &str> {
        self.windows.iter().map(|c| c.name.as_str())
    }

    /// The classes that have a score column of their own: all of them when there are more than two.
    pub(super) fn scored_classes(&self) -> &[String] {
        if self.classes.len() > 2 { &self.classes } else { &[] }
    }

    /// The id of a row in a loop without an id column: `row-` and 16 hexadecimal digits of the SHA-256 of its logged
    /// columns, so that equal rows have equal ids. Numbers and times count by value, in any format.
    #[must_use]
    pub fn made_up_id(&self, features: &[Cow<str>]) -> String {
        let mut hasher = Sha256::new();
        for (text, spec) in features.iter().zip(&self.features) {
            let is_missing = self.missing.iter().any(|missing| missing.trim() == text.trim());
            let text = if is_missing { Cow::default() } else { spec.plain_text(text) };
            hasher.update((text.len() as u64).to_le_bytes());
            hasher.update(text.as_bytes());
        }
        format!("row-{}", hex(&hasher.finalize()[..8]))
    }

    /// The header and its newline.
    pub(super) fn header(&self) -> Vec<u8> {
        let mut names: Vec<Cow<str>> = RESERVED.map(Cow::from).to_vec();
        names.extend(self.scored_classes().iter().map(|class| score_name(class).into()));
        names.extend(self.features().chain(self.windows()).map(feature_name));
        // Line breaks in the name of a class or column are escaped, so that the header is one line.
        let names: Vec<Cow<str>> = names.iter().map(|name| one_line(name)).collect();
        let mut line = Vec::new();
        push_record(&mut line, &names, b',');
        line
    }

    /// The same layout with window columns.
    #[cfg(test)]
    pub(super) fn with_windows(self, windows: Vec<ColumnSpec>) -> Self {
        Self { windows, ..self }
    }

    /// Adds the line of a row.
    pub fn push(&self, lines: &mut Vec<u8>, row: &Row) {
        push_cell(lines, row.id);
        // Writing to a Vec cannot fail.
        let _ = write!(lines, ",{},{},", micros(row.at), row.version);
        push_cell(lines, row.arm);
        lines.push(b',');
        match row.class {
            Some(class) => {
                push_number(lines, if row.scores.len() == 1 { row.scores[0] } else { row.scores[class] });
                lines.push(b',');
                push_cell(lines, self.classes.get(class).map_or("", String::as_str));
            }
            None => {
                lines.push(b',');
                push_number(lines, row.scores.first().copied().unwrap_or(f64::NAN));
            }
        }
        for class in 0..self.scored_classes().len() {
            lines.push(b',');
            push_number(lines, row.scores.get(class).copied().unwrap_or(f64::NAN));
        }
        for n in 0..self.features.len() {
            lines.push(b',');
            push_cell(lines, row.features.get(n).map_or("", |text| text));
        }
        for n in 0..self.windows.len() {
            lines.push(b',');
            push_number(lines, row.windows.get(n).copied().unwrap_or(f64::NAN));
        }
        lines.push(b'\n');
    }

    /// The schema of a log file: the reserved columns, the scores of classes, and with `features` the loop's columns.
    pub(super) fn schema(&self, features: bool) -> Schema {
        let kinds = [Kind::Text, Kind::Time, Kind::Category, Kind::Text, Kind::Number, Kind::Text];
        let mut columns: Vec<ColumnSpec> = RESERVED.iter().zip(kinds).map(|(name, kind)| spec(name, kind)).collect();
        columns[1].format = Some("iso".to_owned());
        columns.extend(self.scored_classes().iter().map(|class| spec(&one_line(&score_name(class)), Kind::Number)));
        if features {
            columns.extend(self.specs().map(|c| {
                let name = one_line(&feature_name(&c.name)).into_owned();
                ColumnSpec { name, ..c.clone() }
            }));
        }
        let missing = if self.missing.is_empty() { vec![String::new()] } else { self.missing.clone() };
        Schema { dialect: Dialect { missing, ..Dialect::default() }, columns }
    }

    /// The loop's columns that are logged, and those of windows.
    pub(super) fn specs(&self) -> impl Iterator<Item = &ColumnSpec> {
        self.features.iter().chain(&self.windows)
    }
}

fn spec(name: &str, kind: Kind) -> ColumnSpec {
    ColumnSpec::new(name, kind)
}

fn score_name(class: &str) -> String {
    format!("{SCORE}{class}")
}

fn feature_name(name: &str) -> Cow<'_, str> {
    match RESERVED.contains(&name) || name.starts_with(SCORE) || name.starts_with(FEATURE) {
        true => format!("{FEATURE}{name}").into(),
        false => name.into(),
    }
}

/// The instant as the log writes it.
fn micros(at: jiff::Timestamp) -> jiff::Timestamp {
    jiff::Timestamp::from_microsecond(at.as_microsecond()).unwrap_or(at)
}

fn push_cell(line: &mut Vec<u8>, text: &str) {
    push_field(line, &one_line(text), b',');
}
