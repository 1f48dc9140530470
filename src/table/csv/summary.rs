//! Summary rows as spreadsheets write them above and below a table.

use super::index::Index;
use crate::table::cell::number;
use crate::table::totals::{self, NAMES, TOTALS};

/// The summary rows at one end of a piece: the number of rows up to the last summary row, counted from that end,
/// including remarks and empty rows between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Above,
    Below,
}

/// How a row is marked as a summary: by its first cell, or by another cell, which may also be a person called Max.
#[derive(PartialEq)]
enum Says {
    First,
    Other,
}

/// A maximum or a person; a single such row is a person.
const MAX: &str = "max";

/// The number of summary rows at one end; 0 without any. A field that is `exempt` has such words as levels.
pub(super) fn run(index: &Index<'_>, side: Side, exempt: &[bool]) -> usize {
    let n_rows = index.n_rows();
    if index.n_fields < 3 || n_rows < 2 {
        return 0;
    }
    let row_at = |n: usize| if side == Side::Above { n } else { n_rows - 1 - n };
    let mut found: Vec<(usize, usize, String, Says)> = Vec::new();
    for n in 0..n_rows - 1 {
        let row = row_at(n);
        match word_of(index, row) {
            Some((field, ..)) if exempt.get(field).copied().unwrap_or(false) => break,
            Some((field, word, says)) => found.push((n, field, word, says)),
            None if n_filled(index, row) <= 1 => {}
            None => break,
        }
    }
    let Some(end) = found.last().map(|(n, ..)| n + 1) else { return 0 };
    let others = || (end..n_rows).map(row_at);
    let mut scratch = String::new();
    // A word that also occurs in other rows is a level.
    let is_level = found.iter().any(|(_, field, word, _)| {
        others().any(|row| totals::bare(index.cell(row, *field, &mut scratch)).to_lowercase() == *word)
    });
    let is_sure = |(.., word, says): &(usize, usize, String, Says)| match says {
        Says::First => word != MAX,
        Says::Other => !NAMES.contains(&word.as_str()),
    };
    let sure = found.iter().any(is_sure) || found.len() > 1;
    if is_level || !sure { 0 } else { end }
}

/// The words that mark the summary rows.
pub(super) fn words(index: &Index<'_>, rows: &[usize]) -> Vec<String> {
    let mut scratch = String::new();
    let word =
        |&row: &usize| word_of(index, row).map(|(field, ..)| index.cell(row, field, &mut scratch).trim().to_owned());
    rows.iter().filter_map(word).collect()
}

fn n_filled(index: &Index<'_>, row: usize) -> usize {
    (0..index.n_fields).filter(|&field| !index.is_blank_field(row, field)).count()
}

/// The field and the word that mark a row as a summary, if its other fields are blank or numbers.
fn word_of(index: &Index<'_>, row: usize) -> Option<(usize, String, Says)> {
    let mut scratch = String::new();
    let n_blank = index.n_fields - n_filled(index, row);
    let filled: Vec<usize> = (0..index.n_fields).filter(|&field| !index.is_blank_field(row, field)).collect();
    let mut texts = Vec::new();
    for &field in &filled {
        let cell = totals::bare(index.cell(row, field, &mut scratch)).to_lowercase();
        if texts.is_empty() || number(cell.as_bytes()).is_none() {
            texts.push((field, cell));
        }
    }
    let (field, first) = texts.first()?.clone();
    let alone = texts.len() == 1 && filled.len() > 1;
    let ends = first.rsplit_once(' ').is_some_and(|(_, last)| n_blank > 0 && TOTALS.contains(&last));
    if (says_total(&first, n_blank) || ends) && n_blank > 0 || TOTALS.contains(&first.as_str()) && alone {
        return Some((field, first, Says::First));
    }
    // One text among numbers.
    let is_word = |(_, text): &&(usize, String)| TOTALS.contains(&text.as_str());
    let (field, other) = texts.iter().skip(1).find(is_word)?.clone();
    let numbers = texts.len() == 2 && number(first.as_bytes()).is_some();
    (numbers && n_blank > 0).then_some((field, other, Says::Other))
}

/// Whether a cell is such a word, or, if more fields are blank, begins with one (`TOTAL GÉNÉRAL`).
fn says_total(cell: &str, n_blank: usize) -> bool {
    let begins = |word: &&str| cell.strip_prefix(*word).is_some_and(|rest| rest.starts_with([' ', ':']));
    TOTALS.contains(&cell) || (n_blank > 1 && TOTALS.iter().any(begins))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run_of(rows: &str, side: Side) -> usize {
        run(&Index::new(rows.as_bytes(), 1, b',', 4), side, &[])
    }

    #[test]
    fn rows_that_sum_up_others_are_found_at_both_ends() {
        let rows = "K1,18,500.2,yes\nK2,80,899,no\nK3,44,700,no\n";
        let sums = "Min,18,500,\nMax,80,899,\nMittelwert,47,699,\n,,,\nStdAbw,3,4,\n";
        assert_eq!([Side::Above, Side::Below].map(|side| run_of(rows, side)), [0, 0]);
        assert_eq!(run_of(&format!("{rows}{sums}"), Side::Below), 5);
        assert_eq!(run_of(&format!("{sums}{rows}"), Side::Above), 5);
        assert_eq!(run_of(&format!("{rows}{sums}as of today,,,\n"), Side::Below), 6, "a remark below the sums");
        assert_eq!(run_of(&format!("{rows}as of today,,,\n"), Side::Below), 0);
        assert_eq!(run_of(&format!("{rows}Max,18,500,\n{rows}Max,19,500,\n"), Side::Below), 0, "a level");
        for label in ["-- Total --", "Total: all", "K Total (3)", "*** GRAND TOTAL ***"] {
            assert_eq!(run_of(&format!("{rows}{label},142,,\n"), Side::Below), 1, "{label}");
        }
        let between = "18,500.2,north,yes\n80,899,south,no\n";
        assert_eq!(run_of(&format!("{between}18,500,Min,\n80,899,Max,\n"), Side::Below), 2);
        assert_eq!(run_of(&format!("{between}18,500,Max,\n"), Side::Below), 0, "somebody may be called Max");
        assert_eq!(run_of(&format!("{between}18,500,,Mean\n"), Side::Below), 1);
        assert_eq!(run_of(&format!("{between}18,500,Max,yes\n19,400,Min,no\n"), Side::Below), 0);
    }
}
