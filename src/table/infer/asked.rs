//! How a column is written if the user declares its kind, although its cells alone would suggest another kind.

use super::decide::{Beside, numeric_time, written_time};
use crate::table::NumberFormat;
use crate::table::evidence::{Evidence, Written};

/// A name that marks any column as a time.
const A_TIME: &str = "time";

/// The notation of all or most of its cells as numbers, if they are not plain.
pub(super) fn as_number(seen: &Evidence, beside: Beside) -> Option<NumberFormat> {
    let (decimal, semicolons) = (beside.decimal, beside.semicolons);
    let usual = seen.marks.written(seen.present(), decimal, semicolons);
    match (usual, seen.marks.written_with_unit(false, decimal, semicolons)) {
        (Written::Like(format), _) | (_, Written::Like(format)) => Some(format),
        (Written::Mostly { format, .. }, _) => format,
        _ => None,
    }
}

/// The format of all or most of its cells as times.
pub(super) fn as_time(seen: &Evidence) -> Option<String> {
    let whole = seen.plain.integers == seen.present();
    let plain = || (seen.plain.n == seen.present()).then(|| numeric_time(A_TIME, seen, whole)).flatten();
    let most = || Some(seen.times.nearly(seen.present())?.format.name().to_owned());
    written_time(seen).or_else(plain).and_then(|decision| decision.format).or_else(most)
}
