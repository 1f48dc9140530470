//! Notes for the user on rows from spreadsheets that are not data or are incomplete: means below the other rows, and
//! merged cells.

use super::decide::Decision;
use super::names::{ID_WORDS, has_word, names_key};
use crate::table::Kind;
use crate::table::evidence::Evidence;
use crate::wording::list;

/// Minimum number of rows for a mostly empty column to mean something.
const MIN_ROWS: u64 = 20;

/// The remarks; the last row is known only if the `whole` table was read.
pub(super) fn of(names: &[String], seen: &[Evidence], decisions: &[Decision], whole: bool) -> Vec<String> {
    let means = if whole { means(names, seen, decisions) } else { None };
    means.into_iter().chain(merged(names, seen, decisions)).collect()
}

/// An unlabelled last row that is the mean of the others in every numeric column.
fn means(names: &[String], seen: &[Evidence], decisions: &[Decision]) -> Option<String> {
    let numbers = || names.iter().zip(seen).zip(decisions).filter(|(_, decision)| decision.kind == Kind::Number);
    let ends = || numbers().map(|((name, seen), decision)| (name, seen.ends_with_mean(decision.number.as_ref())));
    let found: Vec<&str> = ends().filter(|(_, mean)| *mean == Some(true)).map(|(name, _)| name.as_str()).collect();
    if ends().any(|(_, mean)| mean == Some(false)) {
        return None;
    }
    // A cell that is missing only in this row.
    let alone = seen.iter().filter(|seen| seen.missing == 1).filter_map(|seen| seen.missing_cells.first());
    let line = alone.map(|place| place.line).filter(|&line| line > seen[0].n).max();
    let enough = if line.is_some() { 2 } else { 3 };
    let row = line.map_or_else(|| "the last row".to_owned(), |line| format!("line {line}, the last row,"));
    (found.len() >= enough).then(|| {
        format!(
            "{row} is the mean of all other rows, in {}: if it is a summary and not a data row, remove it",
            list(found.iter().copied())
        )
    })
}

/// A column that identifies an entity and is mostly empty: of merged cells, only the first is saved.
fn merged(names: &[String], seen: &[Evidence], decisions: &[Decision]) -> Option<String> {
    let is_merged = |(at, name, seen, decision): &(usize, &String, &Evidence, &Decision)| {
        let leads = *at == 0 || names_key(name) || has_word(name, &ID_WORDS);
        let mostly_empty = 2 * seen.missing >= seen.n && seen.present() > 2;
        let is_name = matches!(decision.kind, Kind::Category | Kind::Text | Kind::Id) || seen.distinct.all_once();
        leads && mostly_empty && is_name && seen.marked == 0 && seen.n >= MIN_ROWS
    };
    let columns = names.iter().zip(seen).zip(decisions).enumerate();
    let mut columns = columns.map(|(at, ((name, seen), decision))| (at, name, seen, decision));
    let (_, name, seen, _) = columns.find(is_merged)?;
    Some(format!(
        "column {name:?} is empty in {} of {} rows: if these were merged cells, of which only the first keeps its text, fill \
         it into every row",
        seen.missing, seen.n
    ))
}
