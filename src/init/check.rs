//! Checks whether `train` can use the table as described.

use super::leaks::LeftOut;
use super::look::NAMES_ROWS;
use super::{InitError, InitRequest, set_kind};
use crate::features::{TextEncoder, near_unique};
use crate::pipeline::{Examples, PipelineError, SplitBy, SplitSpec};
use crate::table::words::PROSE;
use crate::table::{ColumnSpec, Inference, Input, Kind, ReadOptions, Texts, Values, has_word, names_key, read};
use crate::wording::list;
use crate::workspace::Config;
use std::collections::HashSet;

impl InitRequest<'_> {
    /// An id must identify one row. A repeated one identifies an entity with several rows: they stay on one side.
    pub(super) fn split(&self, inference: &mut Inference) -> Result<SplitSpec, InitError> {
        let Some(name) = inference.columns.iter().find(|c| c.kind == Kind::Id).map(|c| c.name.clone()) else {
            return Ok(SplitSpec::default());
        };
        let table = self.read_columns(inference, vec![name.clone()])?;
        let Values::Text(ids) = &table.require(&name)?.values else { return Ok(SplitSpec::default()) };
        let Some((n, first)) = repeats(ids) else { return Ok(SplitSpec::default()) };
        let rows = if n == 1 { "1 row has".to_owned() } else { format!("{n} rows have") };
        let reason = format!("not unique: {rows} the id of another row, such as {first:?}");
        set_kind(inference, &name, Kind::Text, &reason);
        inference.notes.push(format!(
            "the id {name:?} is not unique ({rows} the id of another row, such as {first:?}): all rows of one {name} stay on \
             one side of the split ([split] by = \"column\"). If ids should be unique, remove the copies and run init again"
        ));
        Ok(SplitSpec { by: SplitBy::Column, column: Some(name), ..SplitSpec::default() })
    }

    /// Checks that `train` can use the table with `config`. Long tables are assumed to have enough rows.
    pub(super) fn check(&self, inference: &Inference, config: &Config, left_out: &[LeftOut]) -> Result<(), InitError> {
        /// Up to this number of rows the whole table is checked.
        const SHORT: u64 = 20_000;
        let (file, n_rows) = (self.table.display(), inference.n_rows);
        let is_feature = |spec: &ColumnSpec| {
            spec.name != config.target.column && matches!(spec.kind, Kind::Number | Kind::Category | Kind::Time)
        };
        let has_words = |name: &str| -> Result<bool, InitError> {
            let table = self.read_columns(inference, vec![name.to_owned()])?;
            Ok(matches!(&table.require(name)?.values, Values::Text(texts) if TextEncoder::suits(texts)))
        };
        let mut is_learnable = config.columns.iter().any(is_feature);
        for spec in config.columns.iter().filter(|spec| spec.kind == Kind::Text) {
            is_learnable = is_learnable || has_words(&spec.name)?;
        }
        if !is_learnable {
            return Err(InitError::Option(format!(
                "{file}: no feature is left to predict {:?}: {}",
                config.target.column,
                others(inference, config)
            )));
        }
        if n_rows > SHORT {
            return Ok(());
        }
        let (schema, recipe) = (config.schema(), config.recipe());
        let options = ReadOptions { skip_invalid: self.read.skip_invalid, ..Default::default() };
        let mut table = read(Input::open(self.table)?, &schema, &options)?.table;
        table.unify_levels(&schema);
        let near_unique = near_unique(&table, &config.target.column, &recipe.features);
        let is_left = |spec: &&ColumnSpec| is_feature(spec) && !near_unique.iter().any(|left| left.column == spec.name);
        if let (Some(first), None) = (near_unique.first(), config.columns.iter().find(is_left)) {
            return Err(InitError::Option(format!(
                "{file}: no feature is left to predict {:?}: {}{}",
                config.target.column,
                first.note,
                LeftOut::told(left_out)
            )));
        }
        let examples = Examples::new(table, &schema, &recipe)?;
        examples.parts(&recipe).map(|_| ()).map_err(|err| match err {
            PipelineError::Rows(what) => InitError::Option(format!(
                "{file}: {n_rows} rows are too few for training: {what}{}",
                LeftOut::told(left_out)
            )),
            other => other.into(),
        })
    }
}

/// The kind of each column except the target, with the reason, and other notes on the table.
fn others(inference: &Inference, config: &Config) -> String {
    /// Maximum number of columns that are listed.
    const TOLD: usize = 10;
    let others = inference.columns.iter().filter(|found| found.name != config.target.column);
    let mut told: Vec<String> = others
        .clone()
        .take(TOLD)
        .map(|found| format!("{:?} is {}", found.name, what(found.kind, &found.reason)))
        .collect();
    match others.count() {
        0 => told.push("there is no other column".to_owned()),
        n if n > TOLD => told.push(format!("and {} more", n - TOLD)),
        _ => {}
    }
    told.extend(inference.notes.iter().cloned());
    format!("{} (--kind COLUMN=number or category makes a column a feature)", told.join("; "))
}

fn what(kind: Kind, reason: &str) -> String {
    let kind = match kind {
        Kind::Id => "an id",
        Kind::Text => "a text of single words",
        Kind::Constant => "constant",
        Kind::Ignore => "ignored",
        _ => "no feature",
    };
    match reason.strip_prefix("ignored: ") {
        Some(reason) => format!("{kind}: {reason}"),
        None => format!("{kind}: {reason}"),
    }
}

/// Text columns unused by the model: their cells are single words and differ from row to row.
pub(super) fn not_read(inference: &Inference, config: &Config) -> Option<String> {
    let split = config.split.column.as_deref();
    let is_told = |name: &str| inference.notes.iter().any(|note| note.starts_with(&format!("column {name:?} holds ")));
    let is_known = |name: &str| has_word(name, &NAMES_ROWS) || names_key(name) || is_told(name);
    let unread = inference.columns.iter().filter(|found| {
        found.kind == Kind::Text
            && found.mean_words < PROSE
            && Some(found.name.as_str()) != split
            && !is_known(&found.name)
    });
    let names: Vec<&str> = unread.map(|found| found.name.as_str()).collect();
    let (columns, are) = if names.len() == 1 { ("column", "is") } else { ("columns", "are") };
    (!names.is_empty()).then(|| {
        format!(
            "{columns} {} {are} not used by the model: single words that differ from row to row, not numbers or times",
            list(names)
        )
    })
}

/// Number of rows with the id of an earlier row, and the first such id.
fn repeats(ids: &Texts) -> Option<(u64, String)> {
    let mut seen = HashSet::with_capacity(ids.len());
    let (mut n, mut first) = (0, None);
    for id in ids.iter().filter(|id| !id.is_empty()) {
        if !seen.insert(id) {
            n += 1;
            first.get_or_insert(id);
        }
    }
    first.map(|id| (n, id.chars().take(40).collect()))
}
