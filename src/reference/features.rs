//! Finds the features of labelled rows by id.

use super::gather::Gathering;
use super::plan::FROM_CURRENT;
use super::rows::{Record, Rows, cell};
use super::{ADDED, Added, ReferenceError, RowNames};
use crate::journal::{Journal, Layout, Window};
use crate::pipeline::Pipeline;
use crate::registry::Version;
use crate::table::{ReadOptions, Schema, Spool, Table, TableError, push_record, stream, write_rows};
use std::collections::BTreeMap;

impl Gathering<'_> {
    /// The rows of a table that `wants` names, by id and the text of the target's cell; the last row of an id counts.
    /// If rows are only counted, no other column is read.
    ///
    /// # Errors
    /// Errors in the table, with line and column, including rows that are not wanted.
    pub(super) fn rows_of_table(
        &self,
        table: &Spool,
        wants: impl Fn(&str, &str) -> bool,
    ) -> Result<Rows, ReferenceError> {
        let mut schema = self.config.schema();
        schema.know_flags(&self.pipeline.schema);
        schema.dialect = self.read.dialect(&schema.dialect);
        let Pipeline { features, target, .. } = self.pipeline;
        let names = RowNames::of(&schema, &target.name);
        let needed: Vec<&str> = match self.count_only {
            true => Vec::new(),
            false => features.inputs().map(|(name, _)| name).collect(),
        };
        let counted = names.id().into_iter().chain([target.name.as_str()]).map(str::to_owned).collect();
        let is_optional = |name: &String| !needed.contains(&name.as_str()) && names.id() != Some(name);
        let only_ids = self.count_only && names.id().is_some();
        let options = ReadOptions {
            optional: schema.columns.iter().map(|c| c.name.clone()).filter(is_optional).collect(),
            columns: (self.count_only && schema.dialect.header).then_some(counted),
            skip_invalid: self.read.skip_invalid,
            no_raw: only_ids,
            ..ReadOptions::default()
        };
        let mut input = stream(table.open()?, &schema, &options)?;
        let mut rows = Rows::new(FROM_CURRENT, input.names().to_vec(), input.delimiter());
        while let Some(batch) = input.next().transpose()? {
            let ids = names.of_batch(&batch, &rows.names, rows.delimiter)?;
            rows.n_rows += batch.table.n_rows() as u64;
            for (row, id) in ids.into_iter().enumerate() {
                let label = cell(&batch.table, &target.name, row);
                if wants(&id, &label) {
                    let raw = if only_ids { Vec::new() } else { batch.raw.get(row).to_vec() };
                    rows.take(id, Record { raw, label });
                }
            }
        }
        Ok(rows)
    }

    /// The logged rows that `wants` names, as of their last prediction.
    ///
    /// # Errors
    /// Errors in the log.
    pub(super) fn rows_of_journal(&self, wants: impl Fn(&str) -> bool) -> Result<Rows, ReferenceError> {
        let layout = Layout::of(self.pipeline);
        let only_ids = self.count_only && layout.id().is_some();
        let mut rows = Rows::new("predictions", Vec::new(), b',');
        let mut latest: BTreeMap<String, i64> = BTreeMap::new();
        let schema = Schema { columns: self.pipeline.schema.columns.clone(), ..Schema::default() };
        Journal::of(self.workspace).scan(&Window::default(), &layout, !only_ids, |logged| {
            let chosen = (0..logged.len() as u32).filter(|row| wants(logged.id.get(*row as usize)));
            let logged = logged.take(&chosen.collect::<Vec<u32>>());
            if only_ids {
                let found =
                    logged.id.iter().map(|id| (id.to_owned(), Record { raw: Vec::new(), label: String::new() }));
                rows.records.extend(found);
                return Ok(());
            }
            let Some(table) = &logged.features else { return Ok(()) };
            rows.names = table.columns().iter().map(|c| c.name.clone()).collect();
            for (row, raw) in records_of(table, &schema)?.into_iter().enumerate() {
                let (id, time) = (logged.id.get(row), logged.time[row]);
                if latest.get(id).is_none_or(|at| *at <= time) {
                    latest.insert(id.to_owned(), time);
                    rows.records.insert(id.to_owned(), Record { raw, label: String::new() });
                }
            }
            Ok::<(), ReferenceError>(())
        })?;
        Ok(rows)
    }

    /// The rows that `wants` names among those added by an older version.
    ///
    /// # Errors
    /// Errors in its file.
    pub(super) fn rows_of_version(
        &self,
        version: Version,
        wants: impl Fn(&str) -> bool,
    ) -> Result<Option<Rows>, ReferenceError> {
        let schema = self.config.schema();
        let Some(added) = Added::of(self.workspace, self.config, version)? else { return Ok(None) };
        let delimiter = u8::try_from(schema.dialect.delimiter).unwrap_or(b',');
        let mut rows = Rows::new(ADDED, added.names().to_vec(), delimiter);
        for (id, raw) in added.records().filter(|(id, _)| wants(id)) {
            rows.records.insert(id.to_owned(), Record { raw: raw.to_vec(), label: String::new() });
        }
        Ok(Some(rows))
    }
}

/// Every row as it would be written to a file.
fn records_of(table: &Table, schema: &Schema) -> Result<Vec<Vec<u8>>, ReferenceError> {
    let mut text = Vec::new();
    let wrong = |what: String| TableError::File { file: "predictions".to_owned(), what };
    write_rows(&mut text, table, schema).map_err(|err| wrong(err.to_string()))?;
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_slice());
    let record = |row: csv::StringRecord| {
        let mut raw = Vec::new();
        push_record(&mut raw, &row.iter().collect::<Vec<_>>(), b',');
        raw
    };
    let rows = reader.records().map(|row| row.map(record));
    Ok(rows.collect::<Result<_, csv::Error>>().map_err(|err| wrong(err.to_string()))?)
}
