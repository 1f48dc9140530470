//! The levels that are listed in a schema: those with several spellings, a class called `None`, and words such as
//! `total`.

use super::{Inference, decide};
use crate::table::evidence::{Evidence, MAX_LEVELS};
use crate::table::level::{self, Spelling};
use crate::table::{Kind, totals};

/// With at least this share of the rows, `None` in a target of texts is a class.
const NONE_SHARE: f64 = 0.05;

/// A target of texts may have a class called `None`: it is then a level, although elsewhere the text means "missing".
pub(super) fn none_is_a_class(inference: &mut Inference, seen: &[Evidence]) {
    const NONE: &str = "None";
    let Some(name) = inference.target.as_ref().map(|target| target.name.clone()) else { return };
    let Some(idx) = inference.columns.iter().position(|column| column.name == name) else { return };
    let (spec, finding, seen) = (&mut inference.schema.columns[idx], &mut inference.columns[idx], &seen[idx]);
    let few = seen.levels.len() <= MAX_LEVELS;
    if spec.kind != Kind::Category || !few || (seen.nones as f64) < NONE_SHARE * seen.n as f64 {
        return;
    }
    let known = spec.spelling.levels();
    let mut levels: Vec<String> =
        if known.is_empty() { seen.levels.iter().map(str::to_owned).collect() } else { known.to_vec() };
    levels.push(NONE.to_owned());
    levels.sort_unstable();
    finding.n_missing -= seen.nones;
    finding.n_distinct += 1;
    let left = if finding.n_missing > 0 { format!("; {} missing", finding.n_missing) } else { String::new() };
    finding.reason = finding.reason.replace(&format!("; {}", decide::missing(seen, spec.kind)), &left);
    finding.reason.push_str(&format!("; {NONE:?} is a class ({} rows)", seen.nones));
    spec.spelling = Spelling::new(levels, spec.spelling.same().clone());
}

/// A word such as `total` that is a level here is listed, so that later tables keep its rows too, even if there are
/// few.
pub(super) fn list_totals(inference: &mut Inference, seen: &[Evidence], called_categories: &[String]) {
    for (spec, seen) in inference.schema.columns.iter_mut().zip(seen) {
        let is_category = spec.kind == Kind::Category || called_categories.contains(&spec.name);
        let has_total = || seen.levels.iter().any(|level| totals::label(level).is_some());
        if is_category && spec.spelling.levels().is_empty() && seen.levels.len() <= MAX_LEVELS && has_total() {
            let mut levels: Vec<String> = seen.levels.iter().map(str::to_owned).collect();
            levels.sort_unstable();
            spec.spelling = Spelling::new(levels, spec.spelling.same().clone());
        }
    }
}

/// Levels that are written in several ways get one name; the other spellings are listed.
pub(super) fn name_levels(inference: &mut Inference, seen: &[Evidence]) {
    for ((spec, finding), seen) in inference.schema.columns.iter_mut().zip(&mut inference.columns).zip(seen) {
        if let (Kind::Category, Some((spelling, merged))) = (spec.kind, decide::spelling(seen)) {
            finding.n_distinct = spelling.levels().len() as u64;
            for (name, others) in merged.iter().take(3) {
                finding.reason.push_str(&format!("; {}", level::said(name, others)));
            }
            spec.spelling = spelling;
        }
    }
}
