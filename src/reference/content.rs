//! Finds rows without ids that are already in the reference.

use super::gather::{Gathering, Holds, as_written};
use super::plan::Plan;
use super::rows::{Rows, cell};
use super::{Added, ReferenceError};
use crate::features::row_digest;
use crate::table::{Input, ReadOptions, Schema, push_record, read, stream};
use std::collections::{BTreeMap, HashMap};
use std::io::Cursor;

impl Gathering<'_> {
    /// Like [`Gathering::place`], for rows without ids. Rows already in the reference are recognised by the values of
    /// their cells, because the log has its own notation of numbers and times. A row with the same content and label is
    /// the same row, and none is corrected.
    pub(super) fn place_by_content(
        &self,
        schema: &Schema,
        wanted: &BTreeMap<String, Holds>,
        sources: &[Rows],
        plan: &mut Plan,
    ) -> Result<Added, ReferenceError> {
        let target = &self.pipeline.target;
        let path = self.workspace.path(&self.config.data.reference);
        let options = ReadOptions {
            optional: self.config.target.optional(),
            skip_invalid: self.read.skip_invalid,
            no_raw: true,
            ..ReadOptions::default()
        };
        let mut rows = stream(Input::open(&path)?, schema, &options)?;
        let mut added = Added { skip_invalid: self.read.skip_invalid, ..Added::new(rows.names().to_vec()) };
        let known = self.by_content(schema, added.names(), wanted, sources)?;
        let recipe = self.config.recipe();
        let columns = recipe.contents(schema);
        while let Some(batch) = rows.next().transpose()? {
            plan.n_reference += batch.table.n_rows() as u64;
            for (row, digest) in digests(&batch.table, &columns)?.into_iter().enumerate() {
                let Some(ids) = known.get(&digest) else { continue };
                let stands = as_written(target, "", &cell(&batch.table, &target.name, row), "").ok();
                for id in ids {
                    let is_same = wanted.get(*id).is_some_and(|holds| Some(&holds.label) == stands.as_ref());
                    if is_same && !added.has_met(id) {
                        added.meet(id);
                        plan.n_confirmed += 1;
                    }
                }
            }
        }
        Ok(added)
    }

    /// The names of the rows that were found, by the values of their cells.
    fn by_content<'w>(
        &self,
        schema: &Schema,
        names: &[String],
        wanted: &'w BTreeMap<String, Holds>,
        sources: &[Rows],
    ) -> Result<HashMap<u64, Vec<&'w str>>, ReferenceError> {
        let delimiter = u8::try_from(schema.dialect.delimiter).unwrap_or(b',');
        let place = names.iter().position(|name| *name == self.pipeline.target.name);
        let mut text = Vec::new();
        if schema.dialect.header {
            push_record(&mut text, names, delimiter);
        }
        let mut found = Vec::new();
        for (id, holds) in wanted {
            let Some(rows) = sources.iter().find(|rows| rows.records.contains_key(id)) else { continue };
            let Some(mut fields) = rows.fields(id, names)? else { continue };
            if let Some(field) = place.and_then(|place| fields.get_mut(place)) {
                field.clone_from(&holds.label);
            }
            push_record(&mut text, &fields, delimiter);
            found.push(id.as_str());
        }
        let mut by: HashMap<u64, Vec<&str>> = HashMap::new();
        if found.is_empty() {
            return Ok(by);
        }
        let schema = Schema { dialect: schema.dialect.own(), columns: schema.columns.clone() };
        let optional = self.config.target.optional();
        let options = ReadOptions { optional, blank_misfits: true, whole: true, ..ReadOptions::default() };
        let table = read(Input::from_reader("the rows with labels", Cursor::new(text)), &schema, &options)?.table;
        let recipe = self.config.recipe();
        for (id, digest) in found.into_iter().zip(digests(&table, &recipe.contents(&schema))?) {
            by.entry(digest).or_default().push(id);
        }
        Ok(by)
    }
}

fn digests(table: &crate::table::Table, columns: &[&str]) -> Result<Vec<u64>, ReferenceError> {
    row_digest(table, columns).map_err(|err| ReferenceError::Usage(err.to_string()))
}
