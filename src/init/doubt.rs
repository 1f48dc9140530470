//! Doubtful rows: a second header among the rows, or a remark.

use crate::table::{Doubt, Why};
use crate::wording::list;

/// Maximum number of stored cells of a doubt; beyond it the rest is unknown.
const SHOWN: u64 = 3;

/// The message about rows whose cells are invalid in several columns, with the remedies; `None` if the invalid cells
/// are in different rows.
pub(super) fn of_rows(doubts: &[&Doubt]) -> Option<(String, String)> {
    let (first, more) = doubts.split_first()?;
    let lines = |doubt: &Doubt| -> Vec<u64> { doubt.cells.iter().map(|(line, _)| *line).collect() };
    let are_alike = |doubt: &&&Doubt| doubt.why == Why::Nearly && lines(doubt) == lines(first);
    let is_row =
        first.why == Why::Nearly && first.n_cells <= SHOWN && !more.is_empty() && more.iter().all(|d| are_alike(&d));
    if !is_row {
        return None;
    }
    let lines: Vec<String> = lines(first).iter().map(u64::to_string).collect();
    let cells: Vec<String> = doubts.iter().filter_map(|doubt| Some(format!("{:?}", doubt.cells.first()?.1))).collect();
    let columns = list(doubts.iter().map(|doubt| doubt.column.as_str()));
    let (line, hold, it) = if lines.len() == 1 { ("line", "holds", "it") } else { ("lines", "hold", "them") };
    Some((
        format!(
            "{line} {} {hold} texts where the other rows hold numbers or times, in {columns} ({}): a header in other words, a \
             line of units, or a remark",
            lines.join(", "),
            list(cells.iter().map(String::as_str))
        ),
        format!("remove {it}, or leave {it} out with --skip-invalid"),
    ))
}
