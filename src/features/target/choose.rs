//! The task that fits a target column, and its positive class.

use std::collections::BTreeMap;

use super::{Target, Task, kind_of};
use crate::features::error::FeatureError;
use crate::table::level::{fold, number_text, parse, truth};
use crate::table::{Column, LevelFinder, Same, Values};
use crate::wording::instead;

/// More distinct integers than this are a quantity, not classes (red wine is graded 3 to 8).
const MAX_INTEGER_CLASSES: usize = 10;
/// More classes than this are more likely an id, and each class needs trees of its own.
const MAX_CLASSES: usize = 1000;
/// Distinct numbers are counted up to this limit; beyond it a column is a quantity.
const MAX_COUNTED: usize = MAX_CLASSES + 1;

/// Names of positive classes besides words for yes.
const POSITIVE: [&str; 24] = [
    "fraud",
    "fraudulent",
    "churn",
    "churned",
    "bad",
    "default",
    "defaulted",
    "positive",
    "pos",
    "event",
    "case",
    "converted",
    "click",
    "clicked",
    "spam",
    "malignant",
    "sick",
    "disease",
    "dead",
    "died",
    "failed",
    "failure",
    "exited",
    "left",
];
/// Names of negative classes besides words for no.
const NEGATIVE: [&str; 20] = [
    "genuine",
    "legit",
    "legitimate",
    "good",
    "normal",
    "negative",
    "neg",
    "none",
    "control",
    "ham",
    "benign",
    "healthy",
    "alive",
    "survived",
    "passed",
    "ok",
    "stayed",
    "retained",
    "paid",
    "active",
];

/// Distinct labels with their frequencies, in class order.
struct Seen {
    labels: Vec<(String, u64)>,
    numeric: bool,
    integers: bool,
    n_labelled: u64,
    /// Counting stopped: there are more distinct numbers than the maximum number of classes.
    many: bool,
}

pub(super) fn choose(
    column: &Column,
    positive: Option<&str>,
    task: Option<Task>,
) -> Result<(Target, String), FeatureError> {
    let error = |what: String| FeatureError::Target { column: column.name.clone(), what };
    let seen = look(column)?;
    if seen.n_labelled == 0 {
        return Err(error("every label is missing".to_owned()));
    }
    let [(only, _)] = seen.labels.as_slice() else {
        let (task, why) = decide(&seen, task).map_err(error)?;
        return build(column, seen, positive, task, why).map_err(error);
    };
    let n_missing = column.values.len() as u64 - seen.n_labelled;
    Err(error(match n_missing {
        0 => format!("every label is {only:?}; at least two different labels are needed"),
        n => format!(
            "every label is {only:?} and {n} rows have none; at least two different labels are needed. Check whether \
             a class is read as a missing value, such as NA ([data] missing)"
        ),
    }))
}

fn look(column: &Column) -> Result<Seen, FeatureError> {
    match &column.values {
        Values::Number(values) => Ok(look_at_numbers(values)),
        Values::Category(c) => {
            let mut counts = vec![0_u64; c.levels.len()];
            for &code in &c.codes {
                if let Some(count) = counts.get_mut(code as usize) {
                    *count += 1;
                }
            }
            let labels = c.levels.iter().cloned().zip(counts).filter(|(_, n)| *n > 0);
            Ok(texts(labels.collect()))
        }
        Values::Text(t) => {
            let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
            for text in t.iter().filter(|t| !t.is_empty()) {
                *counts.entry(text).or_default() += 1;
            }
            Ok(texts(counts.into_iter().map(|(l, n)| (l.to_owned(), n)).collect()))
        }
        Values::Time(_) => Err(FeatureError::Target {
            column: column.name.clone(),
            what: format!("contains {}; a target must be a class or a number", kind_of(&column.values)),
        }),
    }
}

/// Texts that are all numbers (levels read as categories) are sorted by value, as numbers are.
fn texts(mut labels: Vec<(String, u64)>) -> Seen {
    let numeric = labels.iter().all(|(l, _)| parse(l).is_some());
    if numeric {
        let value = |l: &(String, u64)| parse(&l.0).unwrap_or(f64::NAN);
        labels.sort_by(|a, b| value(a).total_cmp(&value(b)).then_with(|| a.0.cmp(&b.0)));
    }
    let n_labelled = labels.iter().map(|(_, n)| n).sum();
    Seen { labels, numeric: false, integers: false, n_labelled, many: false }
}

fn look_at_numbers(values: &[f64]) -> Seen {
    let mut counts: BTreeMap<u64, (f64, u64)> = BTreeMap::new();
    let (mut integers, mut n_labelled, mut many) = (true, 0, false);
    for &value in values.iter().filter(|v| !v.is_nan()) {
        n_labelled += 1;
        integers &= value.fract() == 0.0;
        // Negative zero is zero.
        let key = (value + 0.0).to_bits();
        if counts.len() < MAX_COUNTED || counts.contains_key(&key) {
            counts.entry(key).or_insert((value, 0)).1 += 1;
        } else {
            many = true;
        }
    }
    let mut labels: Vec<(f64, u64)> = counts.into_values().collect();
    labels.sort_by(|a, b| a.0.total_cmp(&b.0));
    let labels = labels.into_iter().map(|(v, n)| (number_text(v), n)).collect();
    Seen { labels, numeric: true, integers, n_labelled, many }
}

fn decide(seen: &Seen, task: Option<Task>) -> Result<(Task, String), String> {
    let n = seen.labels.len();
    match task {
        Some(Task::Regression) if !seen.numeric => Err("contains texts, but a regression needs numbers".to_owned()),
        Some(Task::Regression) => Ok((Task::Regression, "a number, as configured".to_owned())),
        Some(Task::Binary) if n > 2 => {
            Err(format!("has {} distinct values, but two classes are requested", count(seen)))
        }
        Some(Task::Multiclass) => {
            check_classes(seen)?;
            Ok((Task::Multiclass, format!("{n} classes, as configured")))
        }
        Some(Task::Binary) => Ok((Task::Binary, "two classes, as configured".to_owned())),
        None if n == 2 => Ok((Task::Binary, "two distinct values".to_owned())),
        None if !seen.numeric => {
            check_classes(seen)?;
            Ok((Task::Multiclass, format!("{n} distinct texts are classes")))
        }
        None if seen.integers && n <= MAX_INTEGER_CLASSES => Ok((
            Task::Multiclass,
            format!("{n} distinct whole numbers are classes (override with task = \"regression\")"),
        )),
        None if seen.integers => {
            Ok((Task::Regression, format!("{} distinct whole numbers are a quantity", count(seen))))
        }
        None => Ok((Task::Regression, "numbers with fractions are a quantity".to_owned())),
    }
}

fn count(seen: &Seen) -> String {
    if seen.many { format!("more than {MAX_CLASSES}") } else { seen.labels.len().to_string() }
}

fn check_classes(seen: &Seen) -> Result<(), String> {
    let n = seen.labels.len() as u64;
    if seen.many || n > MAX_CLASSES as u64 {
        return Err(format!(
            "has {} distinct values, more than the {MAX_CLASSES} classes that can be learned",
            count(seen)
        ));
    }
    if n > 20 && seen.n_labelled < 2 * n {
        return Err(format!("has {n} distinct values in {} rows: an id or free text, not classes", seen.n_labelled));
    }
    Ok(())
}

fn build(
    column: &Column,
    seen: Seen,
    positive: Option<&str>,
    task: Task,
    why: String,
) -> Result<(Target, String), String> {
    let name = column.name.clone();
    if positive.is_some() && task != Task::Binary {
        return Err(format!(
            "a positive class needs a target with two classes; the column has {} distinct values",
            count(&seen)
        ));
    }
    let classes: Vec<String> = seen.labels.iter().map(|(l, _)| l.clone()).collect();
    match task {
        Task::Regression => Ok((Target { name, task, classes: Vec::new() }, why)),
        Task::Multiclass => Ok((Target { name, task, classes }, why)),
        Task::Binary => {
            let (index, reason) = match positive {
                Some(label) => {
                    let found = LevelFinder::new(&classes, &Same::default()).find(label);
                    let index = found.map(|f| f.level).ok_or_else(|| {
                        let there = instead(label, classes.iter().map(String::as_str));
                        format!("the positive class {label:?} does not occur{there}")
                    })?;
                    (index, "as configured".to_owned())
                }
                None => guess(&seen.labels),
            };
            let why = format!("{why}; {:?} is the positive class: {reason}", classes[index]);
            let classes = vec![classes[1 - index].clone(), classes[index].clone()];
            Ok((Target { name, task, classes }, why))
        }
    }
}

/// The positive one of two classes and why.
fn guess(labels: &[(String, u64)]) -> (usize, String) {
    let says: Vec<Option<bool>> = labels.iter().map(|(l, _)| word(l)).collect();
    match (says[0], says[1]) {
        (Some(true), Some(false) | None) => return (0, "its name says so".to_owned()),
        (Some(false) | None, Some(true)) => return (1, "its name says so".to_owned()),
        (Some(false), None) => return (1, format!("{:?} says no", labels[0].0)),
        (None, Some(false)) => return (0, format!("{:?} says no", labels[1].0)),
        _ => {}
    }
    // 0/1 and -1/1, in any notation.
    if let (Some(low), Some(high)) = (parse(&labels[0].0), parse(&labels[1].0))
        && low <= 0.0
        && high > 0.0
    {
        return (1, "it is the greater number".to_owned());
    }
    if labels[0].1 < labels[1].1 {
        return (0, "it is the rarer one".to_owned());
    }
    let tie = labels[0].1 == labels[1].1;
    (1, if tie { "both are equally frequent, and it sorts last" } else { "it is the rarer one" }.to_owned())
}

/// Whether a label names the positive (`true`) or the negative class.
fn word(label: &str) -> Option<bool> {
    let text = fold(label);
    // 1 means "yes" if the other class is 0, but not if it is 2; numbers are compared by value.
    if parse(&text).is_some() {
        return None;
    }
    if let Some(says) = truth(&text) {
        return Some(says);
    }
    if POSITIVE.contains(&text.as_str()) || text.starts_with('>') {
        return Some(true);
    }
    let denied = ["no ", "not ", "non ", "no_", "not_", "non_", "non-", "not-", "no-"];
    (NEGATIVE.contains(&text.as_str()) || text.starts_with('<') || denied.iter().any(|d| text.starts_with(d)))
        .then_some(false)
}
