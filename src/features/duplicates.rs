//! Duplicate rows.

use std::collections::{HashMap, HashSet};

use rayon::prelude::*;

use super::error::FeatureError;
use crate::stats::random::hash64;
use crate::table::{Column, Table, Values, boolean};

/// The value of a missing cell.
const MISSING: u64 = 0x9e37_79b9_7f4a_7c15;

/// A 64-bit digest of the cells of each row in `columns`, in their order.
///
/// Equal rows have equal digests in any table: a category counts by its text (`TRUE`, `VRAI` and the like as `true`) and a number by its value
/// (−0 is 0, every missing number is the same). Among a million different rows the chance of one collision is 3·10⁻⁸.
///
/// # Errors
/// [`FeatureError::MissingColumns`].
pub fn row_digest(table: &Table, columns: &[&str]) -> Result<Vec<u64>, FeatureError> {
    let missing: Vec<String> = columns.iter().filter(|c| table.column(c).is_none()).map(|&c| c.to_owned()).collect();
    if !missing.is_empty() {
        return Err(FeatureError::MissingColumns { columns: missing });
    }
    let mut digests = vec![columns.len() as u64; table.n_rows()];
    for column in columns.iter().filter_map(|c| table.column(c)) {
        add(column, &mut digests);
    }
    Ok(digests)
}

/// Mixes a cell into each digest; for a few rows, one thread is faster.
fn mix_each(digests: &mut [u64], cell: impl Fn(usize) -> u64 + Sync) {
    const FEW: usize = 4096;
    let mix = |(row, digest): (usize, &mut u64)| *digest = hash64(&cell(row).to_le_bytes(), *digest);
    if digests.len() < FEW {
        digests.iter_mut().enumerate().for_each(mix);
    } else {
        digests.par_iter_mut().enumerate().for_each(mix);
    }
}

fn add(column: &Column, digests: &mut [u64]) {
    match &column.values {
        Values::Number(values) => mix_each(digests, |row| {
            let value = values[row];
            if value.is_nan() { MISSING } else { (value + 0.0).to_bits() }
        }),
        Values::Time(values) => mix_each(digests, |row| values[row] as u64),
        Values::Category(c) => {
            let levels: Vec<u64> = c.levels.iter().map(|l| hash64(boolean(l).unwrap_or(l).as_bytes(), 0)).collect();
            mix_each(digests, |row| levels.get(c.codes[row] as usize).copied().unwrap_or(MISSING));
        }
        Values::Text(texts) => mix_each(digests, |row| match texts.get(row) {
            "" => MISSING,
            text => hash64(text.as_bytes(), 0),
        }),
    }
}

/// Per row, the first row equal to it (itself, if no earlier row is equal).
#[must_use]
pub fn first_equal(digests: &[u64]) -> Vec<u32> {
    let mut first = HashMap::with_capacity(digests.len());
    digests.iter().zip(0_u32..).map(|(&d, row)| *first.entry(d).or_insert(row)).collect()
}

/// How many rows equal an earlier row.
#[must_use]
pub fn count_repeated(digests: &[u64]) -> usize {
    first_equal(digests).iter().zip(0_u32..).filter(|&(&first, row)| first != row).count()
}

/// For each row of `there`, whether it equals a row of `here`.
#[must_use]
pub fn shared(here: &[u64], there: &[u64]) -> Vec<bool> {
    let here: HashSet<u64> = here.iter().copied().collect();
    there.iter().map(|digest| here.contains(digest)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{Categories, MISSING_TIME, Texts};

    fn table(numbers: &[f64], texts: &[&str]) -> Table {
        Table::new(vec![
            Column::new("x", Values::Number(numbers.to_vec())),
            Column::new("c", Values::Category(Categories::from_texts(texts.iter().copied()))),
            Column::new("t", Values::Time(texts.iter().map(|t| if t.is_empty() { MISSING_TIME } else { 7 }).collect())),
            Column::new("s", Values::Text(texts.iter().copied().collect::<Texts>())),
        ])
        .unwrap()
    }

    #[test]
    fn equal_rows_have_equal_digests_in_any_table() {
        let all = ["x", "c", "t", "s"];
        let a = row_digest(&table(&[1.0, 0.0, f64::NAN, 1.0, 1.0], &["a", "b", "", "b", "a"]), &all).unwrap();
        assert_eq!(first_equal(&a), [0, 1, 2, 3, 0]);
        assert_eq!(count_repeated(&a), 1);
        // Another dictionary, a negative zero, another NaN.
        let b = row_digest(&table(&[-0.0, -f64::NAN, 1.0], &["b", "", "z"]), &all).unwrap();
        assert_eq!(b[..2], a[1..3]);
        assert_eq!(shared(&a, &b), [true, true, false]);
        assert_eq!(shared(&b, &a), [false, true, true, false, false]);
    }

    #[test]
    fn booleans_are_equal_in_any_language() {
        let digests = |levels: [&str; 3]| {
            let column = Column::new("c", Values::Category(Categories::from_texts(levels)));
            row_digest(&Table::new(vec![column]).unwrap(), &["c"]).unwrap()
        };
        let wanted = digests(["true", "false", ""]);
        for levels in [["VRAI", "FAUX", ""], ["TRUE", "False", ""], ["Wahr", "FALSCH", ""], ["verdadero", "falso", ""]]
        {
            assert_eq!(digests(levels), wanted, "{levels:?}");
        }
        assert_ne!(digests(["yes", "no", ""]), wanted);
        assert_ne!(digests(["y", "t", ""])[0], digests(["t", "y", ""])[0]);
    }

    #[test]
    fn only_the_named_columns_count() {
        let t = table(&[1.0, 1.0], &["a", "b"]);
        let x = row_digest(&t, &["x"]).unwrap();
        assert_eq!(x[0], x[1]);
        let error = row_digest(&t, &["x", "nope"]).unwrap_err().to_string();
        assert_eq!(error, "missing column \"nope\"");
    }
}
