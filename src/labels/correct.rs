//! A table with its labels updated by the latest known labels.

use super::{LabelError, Resolved};
use crate::features::Target;
use crate::journal::{Outcome, Outcomes};
use crate::table::{Categories, Column, Table, TableError, Values};
use std::collections::HashMap;

/// Replaces the target column of `table` by the current labels, matched by the texts of its `id` column.
/// Returns the table and the number of changed labels.
///
/// # Errors
/// A label that is not one of the target's classes (or not a number), or a missing column.
pub fn correct(table: Table, id: &str, target: &Target, resolved: &[Resolved<'_>]) -> Result<(Table, u64), LabelError> {
    let file = |err: TableError| LabelError::File { file: "data/labels.csv".to_owned(), what: err.to_string() };
    let by_id: HashMap<&str, &str> = resolved.iter().map(|row| (row.id, row.label)).collect();
    let Values::Text(ids) = &table.require(id).map_err(file)?.values else { return Ok((table, 0)) };
    let mut said = HashMap::new();
    for (row, id) in ids.iter().enumerate() {
        if let Some(label) = by_id.get(id) {
            said.insert(row, normal(target, id, label)?);
        }
    }
    let place = table.columns().iter().position(|c| c.name == target.name);
    let (Some(place), false) = (place, said.is_empty()) else { return Ok((table, 0)) };
    let mut columns = table.into_columns();
    let (values, n_changed) = replaced(&columns[place].values, &said);
    columns[place] = Column::new(target.name.clone(), values);
    Ok((Table::new(columns).map_err(file)?, n_changed))
}

/// The rows and their labels, to be joined with the predictions.
///
/// # Errors
/// A label that is not one of the target's classes, or not a number.
pub fn outcomes(target: &Target, resolved: &[Resolved<'_>]) -> Result<Outcomes, LabelError> {
    // There are few classes: each spelling is parsed once.
    let mut understood: HashMap<&str, f64> = HashMap::new();
    let mut known = Vec::with_capacity(resolved.len());
    for row in resolved {
        let y = match understood.get(row.label) {
            Some(y) => *y,
            None => {
                let label = normal(target, row.id, row.label)?;
                let class = target.classes.iter().position(|class| *class == label).map(|class| class as f64);
                let y = class.or_else(|| label.parse().ok()).unwrap_or(f64::NAN);
                *understood.entry(row.label).or_insert(y)
            }
        };
        if !y.is_nan() {
            known.push((row.id.to_owned(), Outcome::new(y, row.select_prob())));
        }
    }
    Ok(Outcomes::new(known))
}

/// The label as the target writes it.
fn normal(target: &Target, id: &str, label: &str) -> Result<String, LabelError> {
    let known = match target.classes.as_slice() {
        [] => label.trim().parse::<f64>().ok().filter(|v| v.is_finite()).map(|_| label.trim().to_owned()),
        classes => target.class_of(label).map(|class| classes[class].clone()),
    };
    known.ok_or_else(|| LabelError::File {
        file: "data/labels.csv".to_owned(),
        what: match target.classes.as_slice() {
            [] => format!("the label {label:?} of {id:?} is not a number"),
            classes => format!("the label {label:?} of {id:?} is not one of the classes {}", classes.join(", ")),
        },
    })
}

fn replaced(values: &Values, said: &HashMap<usize, String>) -> (Values, u64) {
    let mut n_changed = 0;
    let values = match values {
        Values::Number(old) => {
            let mut new = old.clone();
            for (&row, label) in said {
                // `normal` has checked that it is a number, if the column contains numbers.
                let label = label.parse().unwrap_or(f64::NAN);
                n_changed += u64::from(new[row] != label);
                new[row] = label;
            }
            Values::Number(new)
        }
        Values::Category(old) => {
            let texts: Vec<&str> = (0..old.codes.len())
                .map(|row| {
                    let before = old.level(row).unwrap_or_default();
                    let now = said.get(&row).map_or(before, String::as_str);
                    n_changed += u64::from(now != before);
                    now
                })
                .collect();
            Values::Category(Categories::from_texts(texts.iter().copied()))
        }
        other => other.clone(),
    };
    (values, n_changed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::Task;
    use crate::labels::{Labels, resolve};
    use crate::table::Texts;
    use crate::workspace::LabelPolicy;

    fn labels(rows: &[(&str, &str)]) -> Labels {
        let mut text = "id,label,annotator,labelled_at,source\n".to_owned();
        for (id, label) in rows {
            text.push_str(&format!("{id},{label},ann,2026-11-20T10:00:00Z,human\n"));
        }
        Labels::read("labels.csv", text.as_bytes()).unwrap()
    }

    fn target(task: Task, classes: &[&str]) -> Target {
        Target { name: "y".to_owned(), task, classes: classes.iter().map(|c| (*c).to_owned()).collect() }
    }

    fn table(values: Values) -> Table {
        let ids = Values::Text(["a", "b", "c"].into_iter().collect::<Texts>());
        Table::new(vec![Column::new("id", ids), Column::new("y", values)]).unwrap()
    }

    #[test]
    fn what_is_known_by_now_takes_the_place_of_what_stood_there() {
        let target = target(Task::Binary, &["no", "yes"]);
        let before = table(Values::Category(Categories::from_texts(["no", "yes", ""])));
        let labels = labels(&[("a", "YES"), ("b", "yes"), ("c", "no"), ("z", "no")]);
        let resolved = resolve(&labels, LabelPolicy::Adjudicate);
        let (after, n) = correct(before, "id", &target, &resolved.agreed).unwrap();
        assert_eq!(n, 2);
        assert_eq!(target.encode(after.require("y").unwrap()).unwrap().y, [1.0, 1.0, 0.0]);
    }

    #[test]
    fn what_holds_is_an_outcome_of_the_row() {
        let classes = target(Task::Binary, &["no", "yes"]);
        let labels = labels(&[("a", "YES"), ("b", "no"), ("c", "yes")]);
        let known = outcomes(&classes, &resolve(&labels, LabelPolicy::Adjudicate).agreed).unwrap();
        let outcome = |y| Some(Outcome::new(y, None));
        assert_eq!(["a", "b", "c", "z"].map(|id| known.of(id)), [outcome(1.0), outcome(0.0), outcome(1.0), None]);
        let number = target(Task::Regression, &[]);
        let refused = outcomes(&number, &resolve(&labels, LabelPolicy::Adjudicate).agreed).unwrap_err();
        assert!(refused.to_string().contains("\"YES\" of \"a\" is not a number"), "{refused}");
    }

    #[test]
    fn numbers_are_numbers_and_what_is_none_is_refused() {
        let number = target(Task::Regression, &[]);
        let column = || table(Values::Number(vec![1.0, 2.0, f64::NAN]));
        let good = labels(&[("c", "2.5")]);
        let (after, n) = correct(column(), "id", &number, &resolve(&good, LabelPolicy::Drop).agreed).unwrap();
        assert_eq!((after.require("y").unwrap().values.clone(), n), (Values::Number(vec![1.0, 2.0, 2.5]), 1));
        let bad = labels(&[("c", "many")]);
        let refused = correct(column(), "id", &number, &resolve(&bad, LabelPolicy::Drop).agreed).unwrap_err();
        assert!(refused.to_string().contains("\"many\" of \"c\" is not a number"), "{refused}");
        let codes = target(Task::Binary, &["0", "1"]);
        let (after, _) =
            correct(column(), "id", &codes, &resolve(&labels(&[("c", "1.0")]), LabelPolicy::Drop).agreed).unwrap();
        assert_eq!(after.require("y").unwrap().values, Values::Number(vec![1.0, 2.0, 1.0]));
    }
}
