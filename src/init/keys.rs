//! Columns that identify entities (customers, accounts): rows of one entity belong in one part of the split.
//!
//! If rows of a customer share an outcome, the model can recognise the customer, and a random split has the same
//! customers in both parts. The similarity of the outcomes of rows with one value is the intraclass correlation
//! (over all pairs of such rows), for classes over their indicators.

use super::{InitError, InitRequest, set_kind};
use crate::features::{Target, Task};
use crate::pipeline::{SplitBy, SplitSpec};
use crate::table::level::Merged;
use crate::table::{Categories, Inference, Kind, MISSING_CODE, Same, Spelling, Table, Values, names_key};

/// Minimum number of values, and minimum share of the rows, of a column that may identify entities.
const MIN_VALUES: u64 = 20;
const MIN_SHARE: f64 = 0.02;
/// Minimum correlation of the outcomes of rows with one value, which must also exceed chance by this many of its
/// standard deviations.
const MIN_ALIKE: f64 = 0.2;
const MIN_TIMES: f64 = 6.0;
/// Hexadecimal digits from which a text is a hash or a UUID.
const MIN_HEX: usize = 16;
/// Minimum rows of each spelling, and maximum p-value of their difference, for two spellings to count as two codes.
const MIN_ROWS: usize = 20;
const MIN_DEVIATIONS: f64 = 5.0;

/// Keeps rows of one customer (account, card, …) in one part if they share their outcomes, and removes the column from
/// the features; for other texts it only adds a remark.
pub(super) fn split_by_key(
    wanted: &InitRequest,
    inference: &mut Inference,
    target: &Target,
    labels: &Table,
    split: SplitSpec,
) -> Result<SplitSpec, InitError> {
    if split.by == SplitBy::Column {
        return Ok(split);
    }
    let n_rows = inference.n_rows;
    let said = |name: &str| wanted.kinds.iter().any(|(known, _)| known == name);
    let may_be = |n: u64| n >= MIN_VALUES && n as f64 >= MIN_SHARE * n_rows as f64 && n < n_rows;
    let columns = inference.columns.iter().filter(|column| {
        column.kind == Kind::Category && column.name != target.name && may_be(column.n_distinct) && !said(&column.name)
    });
    let names: Vec<String> = columns.map(|column| column.name.clone()).collect();
    let y = outcomes(target, labels)?;
    for name in names {
        let table = wanted.read_columns(inference, vec![name.clone()])?;
        let Values::Category(values) = &table.require(&name)?.values else { continue };
        let Some(alike) = alike(values, &y).filter(|alike| *alike >= MIN_ALIKE) else { continue };
        let rows = format!("rows with the same {name} have similar outcomes (intraclass correlation {alike:.2})");
        if names_key(&name) || are_hashes(values) {
            let reason = format!("identifies entities: {} values, repeated", values.levels.len());
            set_kind(inference, &name, Kind::Text, &reason);
            inference.notes.push(format!(
                "column {name:?} identifies entities, and {rows}: they stay on one side of the split ([split] by = \"column\"), \
                 and the column is not a feature. If new rows have the same values, use --kind {name}=category"
            ));
            return Ok(SplitSpec { by: SplitBy::Column, column: Some(name), ..split });
        }
        if values.levels.len() as f64 >= 0.1 * n_rows as f64 {
            inference.notes.push(format!(
                "column {name:?}: {rows}. If later rows have new values, a random split overestimates the model: set by = \
                 \"column\" and column = {name:?} under [split]"
            ));
        }
    }
    Ok(split)
}

/// The outcome of each row, one vector for a number, else one per class, each with mean 0; empty rows are missing.
fn outcomes(target: &Target, labels: &Table) -> Result<Vec<Vec<f64>>, InitError> {
    let y = target.encode(labels.require(&target.name)?)?.y;
    let n_classes = if target.task == Task::Regression { 0 } else { target.classes.len() };
    let of_class =
        |class: usize| y.iter().map(|&v| if v.is_nan() { v } else { f64::from(u8::from(v == class as f64)) }).collect();
    let mut all: Vec<Vec<f64>> = if n_classes == 0 { vec![y] } else { (0..n_classes).map(of_class).collect() };
    for values in &mut all {
        let known = || values.iter().filter(|v| !v.is_nan());
        let mean = known().sum::<f64>() / known().count().max(1) as f64;
        values.iter_mut().for_each(|v| *v -= mean);
    }
    Ok(all)
}

/// The intraclass correlation of the outcomes of rows with one value; `None` if it may be due to chance.
fn alike(values: &Categories, outcomes: &[Vec<f64>]) -> Option<f64> {
    let (mut together, mut alone, mut n_pairs, mut n) = (0.0, 0.0, 0.0, 0.0);
    for (which, y) in outcomes.iter().enumerate() {
        let mut sums = vec![(0.0_f64, 0.0_f64, 0.0_f64); values.levels.len()];
        for (&code, &v) in values.codes.iter().zip(y).filter(|(code, v)| **code != MISSING_CODE && !v.is_nan()) {
            let slot = &mut sums[code as usize];
            (slot.0, slot.1, slot.2) = (slot.0 + 1.0, slot.1 + v, slot.2 + v * v);
        }
        for (rows, sum, squares) in sums {
            together += sum * sum - squares;
            alone += squares;
            if which == 0 {
                n_pairs += rows * (rows - 1.0);
                n += rows;
            }
        }
    }
    let variance = alone / n;
    if n_pairs <= 0.0 || variance <= 0.0 {
        return None;
    }
    let correlation = together / n_pairs / variance;
    // The sum counts each pair twice. The mean over all pairs is dominated by large groups, which may be further from
    // the overall mean.
    (correlation * (n_pairs / 2.0).sqrt() > MIN_TIMES).then_some(correlation.min(1.0))
}

fn are_hashes(values: &Categories) -> bool {
    let is_hash = |text: &String| {
        let digits = text.chars().filter(char::is_ascii_hexdigit).count();
        digits >= MIN_HEX && text.chars().all(|c| c.is_ascii_hexdigit() || c == '-')
    };
    values.levels.iter().all(is_hash)
}

/// Spellings normally merged are codes if the outcomes of their rows differ: `1.1` and `1.10` of
/// versions, `1E3` and `1000` of diagnoses. Such columns keep all spellings apart.
pub(super) fn keep_codes_apart(
    wanted: &InitRequest,
    inference: &mut Inference,
    target: &Target,
    labels: &Table,
) -> Result<(), InitError> {
    let listed = |same: &Same| matches!(same, Same::Listed(all) if !all.is_empty());
    let merged =
        inference.schema.columns.iter().filter(|column| column.name != target.name && listed(column.spelling.same()));
    let names: Vec<String> = merged.map(|column| column.name.clone()).collect();
    if names.is_empty() {
        return Ok(());
    }
    let y = outcomes(target, labels)?;
    for name in names {
        let Some(at) = inference.schema.columns.iter().position(|column| column.name == name) else { continue };
        let spelling =
            std::mem::replace(&mut inference.schema.columns[at].spelling, Spelling::new(Vec::new(), Same::Rule(false)));
        let table = wanted.read_columns(inference, vec![name.clone()])?;
        let Values::Category(values) = &table.require(&name)?.values else { continue };
        let Same::Listed(all) = spelling.same() else { continue };
        let merged: Merged = all.clone().into_iter().collect();
        match merged.iter().find_map(|(level, others)| differ(values, &y, level, others)) {
            Some((one, other)) => {
                let told = format!(
                    "rows with {one:?} and {other:?} have different outcomes, so each spelling is a separate value"
                );
                let n = values.levels.len();
                inference.columns[at].reason = format!("texts, {n} distinct; {told}");
                inference.columns[at].n_distinct = n as u64;
                inference.notes.push(format!("column {name:?}: {told} (same = false in mlloop.toml)"));
            }
            None => inference.schema.columns[at].spelling = spelling,
        }
    }
    Ok(())
}

/// The first two spellings of a level whose rows have significantly different outcomes.
fn differ(values: &Categories, outcomes: &[Vec<f64>], level: &str, others: &[String]) -> Option<(String, String)> {
    let rows_of = |text: &str, y: &[f64]| -> Vec<f64> {
        let Ok(code) = values.levels.binary_search_by(|known| known.as_str().cmp(text)) else { return Vec::new() };
        let own = values.codes.iter().zip(y).filter(|(known, v)| **known as usize == code && !v.is_nan());
        own.map(|(_, v)| *v).collect()
    };
    let apart = |a: &[f64], b: &[f64]| {
        let moments = |values: &[f64]| {
            let n = values.len() as f64;
            let mean = values.iter().sum::<f64>() / n;
            (n, mean, values.iter().map(|v| (v - mean).powi(2)).sum::<f64>())
        };
        let ((n, mean, squares), (m, other, more)) = (moments(a), moments(b));
        // The pooled variance under equality, so that rows without variation do not decide alone.
        let between = n * m / (n + m) * (mean - other).powi(2);
        let variance = (squares + more + between) / (n + m);
        variance > 0.0 && (mean - other).abs() > MIN_DEVIATIONS * (variance * (1.0 / n + 1.0 / m)).sqrt()
    };
    let enough = |rows: &[f64]| rows.len() >= MIN_ROWS;
    let found = others.iter().find(|other| {
        outcomes.iter().any(|y| {
            let (a, b) = (rows_of(level, y), rows_of(other, y));
            enough(&a) && enough(&b) && apart(&a, &b)
        })
    })?;
    Some((level.to_owned(), found.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn centred(mut y: Vec<f64>) -> Vec<Vec<f64>> {
        let mean = y.iter().sum::<f64>() / y.len() as f64;
        y.iter_mut().for_each(|v| *v -= mean);
        vec![y]
    }

    fn keys(n: usize, size: usize) -> Categories {
        let texts: Vec<String> = (0..n * size).map(|row| format!("k{:05}", row % n)).collect();
        Categories::from_texts(texts.iter().map(String::as_str))
    }

    #[test]
    fn rows_that_share_an_outcome_are_alike_and_others_are_not() {
        let hash = |row: u64| crate::stats::random::unit_hash(&row.to_le_bytes(), 3);
        let shared = centred((0..1200).map(|row| f64::from(u8::from(hash(row % 300) < 0.3))).collect());
        assert!((alike(&keys(300, 4), &shared).unwrap() - 1.0).abs() < 1e-9);
        // In 40 independent draws, none is detected.
        for draw in 0..40 {
            let own = centred((0..1200).map(|row| f64::from(u8::from(hash(row + 5000 * draw) < 0.3))).collect());
            assert_eq!(alike(&keys(300, 4), &own), None);
        }
    }

    #[test]
    fn hashes_are_told_from_texts() {
        let all = |texts: [&str; 2]| are_hashes(&Categories::from_texts(texts));
        assert!(all(["0123456789abcdef0", "ffffffffffffffff"]) && all(["550e8400-e29b-41d4-a716-446655440000"; 2]));
        assert!(!all(["0123456789abcdef0", "berlin"]) && !all(["12345", "67890"]));
    }

    #[test]
    fn spellings_with_other_outcomes_are_codes() {
        let texts: Vec<&str> = ["1.1", "1.10"].repeat(40);
        let values = Categories::from_texts(texts.iter().copied());
        let others = ["1.10".to_owned()];
        let by_code = centred((0..80).map(|row| f64::from(u8::from(row % 2 == 0))).collect());
        assert_eq!(differ(&values, &by_code, "1.1", &others), Some(("1.1".to_owned(), "1.10".to_owned())));
        let by_chance = centred((0..80).map(|row| f64::from(u8::from(row / 2 % 3 == 0))).collect());
        assert_eq!(differ(&values, &by_chance, "1.1", &others), None);
        assert_eq!(differ(&values, &centred(vec![1.0; 80]), "1.1", &others), None);
    }
}
