//! Which column is likely to be the one to predict.

use super::decide::words_of;
use crate::table::evidence::{Evidence, MAX_LEVELS};
use crate::table::{ColumnSpec, Kind};

/// A column to predict, with why it was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetGuess {
    /// Its name.
    pub name: String,
    /// Why, as a clause.
    pub reason: String,
}

/// Names that say it outright.
const STRONG: [&str; 24] = [
    "target",
    "label",
    "class",
    "churn",
    "churned",
    "fraud",
    "y",
    "outcome",
    "response",
    "survived",
    "defaulted",
    "cnt",
    "quality",
    "exited",
    "attrition",
    "converted",
    "conversion",
    "default",
    "distress",
    "diagnosis",
    "species",
    "income",
    "subscribed",
    "risk",
];
/// Names of usual things to estimate.
const WEAK: [&str; 10] = ["price", "score", "rating", "sales", "demand", "value", "amount", "spend", "cost", "paid"];
/// Words that turn the column into something about the target.
const NOT_TARGET: [&str; 8] = ["pred", "prediction", "proba", "probability", "predicted", "prob", "estimate", "next"];

/// The likeliest target, if any column can be one.
pub(crate) fn guess(columns: &[ColumnSpec], seen: &[Evidence]) -> Option<TargetGuess> {
    let fits = |i: usize| {
        let few = seen[i].distinct.count() <= MAX_LEVELS as u64;
        columns[i].kind == Kind::Number || (columns[i].kind == Kind::Category && few)
    };
    let candidates: Vec<usize> = (0..columns.len()).filter(|&i| fits(i)).collect();
    let last = columns.len().checked_sub(1)?;
    // Of equally likely ones the last: targets stand at the end.
    let best =
        candidates.into_iter().max_by_key(|&i| (strength(&columns[i].name, seen[i].distinct.count(), i == last), i))?;
    let (score, reason) = (
        strength(&columns[best].name, seen[best].distinct.count(), best == last),
        reason(&columns[best].name, best == last),
    );
    (score > 0).then(|| TargetGuess { name: columns[best].name.clone(), reason })
}

fn strength(name: &str, n_distinct: u64, is_last: bool) -> u32 {
    let by_name = match named(name) {
        Named::Strong => 4,
        Named::Weak => 1,
        Named::No => 0,
        Named::Never => return 0,
    };
    by_name + if is_last { 3 } else { 0 } + if is_last && n_distinct <= 20 { 1 } else { 0 }
}

fn reason(name: &str, is_last: bool) -> String {
    match (named(name), is_last) {
        (Named::Strong | Named::Weak, true) => "the last column, and its name says so".to_owned(),
        (Named::Strong | Named::Weak, false) => "its name says so".to_owned(),
        _ => "the last column; say --target NAME if it is another".to_owned(),
    }
}

enum Named {
    Strong,
    Weak,
    No,
    Never,
}

fn named(name: &str) -> Named {
    let words = words_of(name);
    let has = |list: &[&str]| words.iter().any(|w| list.contains(&w.as_str()));
    // `default.payment.next.month` is about the next month, not about the target.
    if has(&["default", "target"]) {
        return Named::Strong;
    }
    if has(&NOT_TARGET) {
        return Named::Never;
    }
    if has(&STRONG) {
        Named::Strong
    } else if has(&WEAK) {
        Named::Weak
    } else {
        Named::No
    }
}
