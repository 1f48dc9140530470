//! The target of predictions.

mod choose;

use serde::{Deserialize, Serialize};

use super::error::FeatureError;
use crate::table::{Column, LevelFinder, MISSING_CODE, Same, Values};
use crate::wording::Plain;

pub use crate::table::level::number_text;

/// The kind of prediction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Task {
    /// One of two classes.
    Binary,
    /// One of three or more classes.
    Multiclass,
    /// A number.
    Regression,
}

/// The target column: its task and its classes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// The column's name.
    pub name: String,
    /// The kind of prediction.
    pub task: Task,
    /// The classes in score order: for binary `[negative, positive]`, for multi-class sorted, for regression empty.
    pub classes: Vec<String>,
}

/// A target column as numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Encoded {
    /// Class index (0-based, in the order of [`Target::classes`]) or value; `NaN` where the label is missing.
    pub y: Vec<f64>,
    /// One sentence per label that was matched to a class although it is spelled differently.
    pub notes: Vec<String>,
}

impl Target {
    /// Determines the task from `column`; see [`Target::choose`], which also returns the reason.
    ///
    /// # Errors
    /// As [`Target::choose`].
    pub fn fit(column: &Column, positive: Option<&str>, task: Option<Task>) -> Result<Self, FeatureError> {
        Self::choose(column, positive, task).map(|(target, _)| target)
    }

    /// Determines the task from `column`, and returns the reason as one sentence.
    ///
    /// Two distinct values are binary. More distinct texts are classes, and so are 3 to 10 distinct integers; other
    /// numbers are a regression. `task` overrides this. Numbers are written in their shortest form (`0.0` and `1.0` are
    /// the classes `0` and `1`), numeric classes are sorted by value, others bytewise.
    ///
    /// The positive class is `positive` if given, else a class with a positive name (`yes`, `true`, `1`, `fraud`,
    /// `churn`, `default`, `>50K`, …), else the rarer one, on a tie the later one. Missing labels are ignored.
    ///
    /// # Errors
    /// [`FeatureError::Target`] for fewer than two values, a time, labels that hardly ever repeat, or an unsuitable
    /// `positive` or `task`.
    pub fn choose(column: &Column, positive: Option<&str>, task: Option<Task>) -> Result<(Self, String), FeatureError> {
        choose::choose(column, positive, task)
    }

    /// Scores per row: one for binary (the positive class) and regression, else one per class.
    #[must_use]
    pub fn n_scores(&self) -> usize {
        match self.task {
            Task::Binary | Task::Regression => 1,
            Task::Multiclass => self.classes.len(),
        }
    }

    /// The index of the class that `label` means, or `None`.
    ///
    /// Tried in turn: an exact match; without surrounding spaces, case and a trailing full stop; an equal number
    /// (`1.0` is `1`); for two classes that mean yes and no, another word for them (`TRUE` for `Yes`).
    /// Each only if exactly one class matches.
    #[must_use]
    pub fn class_of(&self, label: &str) -> Option<usize> {
        LevelFinder::new(&self.classes, &Same::default()).find(label).map(|found| found.level)
    }

    /// The target as numbers.
    ///
    /// # Errors
    /// [`FeatureError::Label`] names the first row whose label is not one of the classes ([`Target::class_of`]);
    /// for a regression, [`FeatureError::Target`] names a column without numbers or a value that is not finite
    /// or too large for an `f32`.
    pub fn encode(&self, column: &Column) -> Result<Encoded, FeatureError> {
        match self.task {
            Task::Regression => self.encode_values(column),
            Task::Binary | Task::Multiclass => self.encode_classes(column),
        }
    }

    fn encode_values(&self, column: &Column) -> Result<Encoded, FeatureError> {
        let Values::Number(values) = &column.values else {
            return Err(self.error(format!("contains {}, but a regression needs numbers", kind_of(&column.values))));
        };
        let mut y = Vec::with_capacity(values.len());
        for (row, &value) in values.iter().enumerate() {
            if !value.is_nan() && !(value as f32).is_finite() {
                return Err(self.error(format!(
                    "row {}: {} is too large to learn: its absolute value is above 3.4e38",
                    row + 1,
                    Plain(value)
                )));
            }
            y.push(value);
        }
        Ok(Encoded { y, notes: Vec::new() })
    }

    fn encode_classes(&self, column: &Column) -> Result<Encoded, FeatureError> {
        let mut reader = LabelReader::new(self);
        let n_rows = column.values.len();
        let mut y = Vec::with_capacity(n_rows);
        match &column.values {
            Values::Category(categories) => {
                // One lookup per level that occurs; each cell is then an index.
                let mut classes: Vec<Option<f64>> = vec![None; categories.levels.len()];
                for (row, &code) in categories.codes.iter().enumerate() {
                    if code == MISSING_CODE {
                        y.push(f64::NAN);
                        continue;
                    }
                    let slot = &mut classes[code as usize];
                    let class = match *slot {
                        Some(class) => class,
                        None => *slot.insert(reader.read(&categories.levels[code as usize], row)?),
                    };
                    y.push(class);
                }
            }
            Values::Number(values) => {
                let mut known: Vec<(u64, f64)> = Vec::new();
                for (row, &value) in values.iter().enumerate() {
                    y.push(reader.read_number(value, row, &mut known)?);
                }
            }
            Values::Text(texts) => {
                for (row, text) in texts.iter().enumerate() {
                    y.push(if text.is_empty() { f64::NAN } else { reader.read(text, row)? });
                }
            }
            Values::Time(_) => {
                return Err(self.error("contains times, but the classes are texts or numbers".to_owned()));
            }
        }
        Ok(Encoded { y, notes: reader.notes })
    }

    fn error(&self, what: String) -> FeatureError {
        FeatureError::Target { column: self.name.clone(), what }
    }
}

/// Reads labels one at a time and records the ones that are spelled differently from their class.
struct LabelReader<'a> {
    target: &'a Target,
    labels: LevelFinder,
    bent: Vec<String>,
    notes: Vec<String>,
}

impl<'a> LabelReader<'a> {
    /// Up to this many corrected spellings are listed; a last note counts the rest.
    const MAX_NOTES: usize = 8;

    fn new(target: &'a Target) -> Self {
        Self {
            target,
            labels: LevelFinder::new(&target.classes, &Same::default()),
            bent: Vec::new(),
            notes: Vec::new(),
        }
    }

    fn read(&mut self, label: &str, row: usize) -> Result<f64, FeatureError> {
        let Some(found) = self.labels.find(label) else {
            return Err(FeatureError::Label {
                column: self.target.name.clone(),
                row: row + 1,
                value: label.chars().take(80).collect(),
                classes: self.target.classes.clone(),
            });
        };
        if !found.exact && self.bent.len() < Self::MAX_NOTES && !self.bent.iter().any(|b| b == label) {
            self.bent.push(label.to_owned());
            let class = &self.target.classes[found.level];
            self.notes.push(format!("column {:?}: the label {label:?} is read as {class:?}", self.target.name));
        }
        Ok(found.level as f64)
    }

    /// `known` maps the bits of a number to its class; there are few, so a linear search is faster than a map.
    fn read_number(&mut self, value: f64, row: usize, known: &mut Vec<(u64, f64)>) -> Result<f64, FeatureError> {
        if value.is_nan() {
            return Ok(f64::NAN);
        }
        let bits = value.to_bits();
        if let Some(&(_, class)) = known.iter().find(|(b, _)| *b == bits) {
            return Ok(class);
        }
        let class = self.read(&number_text(value), row)?;
        known.push((bits, class));
        Ok(class)
    }
}

/// The kind of a column, for messages.
pub(super) fn kind_of(values: &Values) -> &'static str {
    match values {
        Values::Number(_) => "numbers",
        Values::Category(_) => "categories",
        Values::Time(_) => "times",
        Values::Text(_) => "texts",
    }
}

#[cfg(test)]
mod tests;
