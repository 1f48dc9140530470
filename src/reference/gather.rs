//! Collects the rows that a challenger learns from beyond the reference, and the labels used.

use super::plan::Plan;
use super::rows::{Rows, cell};
use super::{Added, ReferenceError, RowNames};
use crate::features::Target;
use crate::labels::{Label, Labels, Source, Used, exported_from, resolve};
use crate::pipeline::Pipeline;
use crate::table::input::is_there;
use crate::table::place;
use crate::table::record::fields_of;
use crate::table::{Input, Kind, ReadOptions, Schema, Spool, TableError, TableOptions, Values, stream};
use crate::workspace::event::TableSeen;
use crate::workspace::{Config, Workspace};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Where to look for training rows.
pub struct Gathering<'a> {
    /// The workspace.
    pub workspace: &'a Workspace,
    /// Its `mlloop.toml`.
    pub config: &'a Config,
    /// The version in production.
    pub pipeline: &'a Pipeline,
    /// The current table; `[monitor] current` when `None`.
    pub current: Option<&'a Spool>,
    /// How the current table is written, if it differs from the reference, and whether invalid rows are skipped.
    pub read: &'a TableOptions,
    /// Rows are only counted: their records are not kept, and columns irrelevant for labels are not read.
    pub count_only: bool,
}

/// Rows, and the labels used.
pub struct Gathered {
    /// What identifies the rows.
    pub names: RowNames,
    /// Rows that are added to the reference, or replace some of its rows.
    pub added: Added,
    /// The labels used.
    pub used: Vec<Label>,
    /// The rows in numbers.
    pub plan: Plan,
    /// The current table, if there is one.
    pub current: Option<TableSeen>,
}

/// Whether a feature has different values in two rows, whatever their notation; a missing value is not different.
fn differs(
    schema: &Schema,
    target: &str,
    (names, here): (&[String], &[String]),
    (there, id): (&Rows, &str),
) -> Result<bool, TableError> {
    let Some(fields) = there.fields(id, names)? else { return Ok(false) };
    let differs = |((name, here), there): ((&String, &String), &String)| {
        let spec = schema.column(name).filter(|spec| !matches!(spec.kind, Kind::Id | Kind::Ignore) && *name != target);
        spec.is_some_and(|spec| {
            let (here, there) = (spec.plain_text(here), spec.plain_text(there));
            !here.is_empty() && !there.is_empty() && here != there
        })
    };
    Ok(names.iter().zip(here).zip(&fields).any(differs))
}

/// The resolved label of a row.
pub(super) struct Holds {
    pub(super) label: String,
    said: Vec<Label>,
}

impl Gathering<'_> {
    /// Joins labels with their rows.
    ///
    /// # Errors
    /// Errors in the labels, or in a table with training rows.
    pub fn gather(&self, now: jiff::Timestamp) -> Result<Gathered, ReferenceError> {
        let schema = self.config.schema();
        let names = RowNames::of(&schema, &self.config.target.column);
        let mut plan = Plan::default();
        let mut wanted = self.labels(&mut plan)?;
        let usual = self.workspace.path(&self.config.monitor.current);
        let usual = if self.current.is_none() && is_there(&usual) { Some(Spool::new(&usual)?) } else { None };
        let mut sources = Vec::new();
        let mut current = None;
        if let Some(table) = self.current.or(usual.as_ref()) {
            let outcomes = self.config.retrain.outcomes;
            let configured = place::shown(&self.config.monitor.current);
            let file = self.current.map_or(configured, |table| table.path().display().to_string());
            let wants = |id: &str, label: &str| wanted.contains_key(id) || (outcomes && !label.is_empty());
            let rows = self.rows_of_table(table, wants)?;
            (plan.n_unnamed, plan.n_repeated) = (rows.n_unnamed, rows.n_repeated);
            if outcomes {
                self.outcomes(&rows, &mut wanted, &mut plan, now);
            }
            current = Some(TableSeen { path: file, n_rows: rows.n_rows });
            sources.push(rows);
        }
        if !self.count_only && self.config.retrain.outcomes {
            self.earlier_outcomes(&mut wanted, now)?;
        }
        if self.count_only && wanted.is_empty() {
            let added = Added::new(Vec::new());
            return Ok(Gathered { names, added, used: Vec::new(), plan, current });
        }
        let added = match names.id() {
            Some(id) => {
                let there = sources.first().filter(|_| current.is_some());
                let added = self.place((&schema, id), &wanted, there, &mut plan)?;
                self.search(&wanted, &added, &mut sources)?;
                added
            }
            None => {
                self.search(&wanted, &Added::default(), &mut sources)?;
                self.place_by_content(&schema, &wanted, &sources, &mut plan)?
            }
        };
        let mut gathered = Gathered { names, added, used: Vec::new(), plan, current };
        gathered.join(self.workspace, &schema, self.pipeline, wanted, &sources)?;
        Ok(gathered)
    }

    /// One label per row, as the target writes it.
    fn labels(&self, plan: &mut Plan) -> Result<BTreeMap<String, Holds>, ReferenceError> {
        let labels = Labels::held(self.workspace)?;
        let resolution = resolve(&labels, self.config.labels.policy);
        plan.n_conflicts = resolution.conflicts.len() as u64;
        plan.n_by_models = labels.rows().iter().filter(|label| !label.teaches()).count() as u64;
        let mut wanted = BTreeMap::new();
        for row in resolution.agreed {
            let label = as_written(&self.pipeline.target, row.id, row.label, "data/labels.csv")?;
            let said = row.said.into_iter().cloned().collect();
            wanted.insert(row.id.to_owned(), Holds { label, said });
        }
        Ok(wanted)
    }

    /// Current rows with a target value are outcomes, unless a person labelled them.
    fn outcomes(&self, rows: &Rows, wanted: &mut BTreeMap<String, Holds>, plan: &mut Plan, now: jiff::Timestamp) {
        let target = &self.pipeline.target;
        for (id, record) in rows.records.iter().filter(|(id, _)| !id.is_empty()) {
            let told = &record.label;
            if told.is_empty() || wanted.contains_key(id) {
                continue;
            }
            if rows.differ.contains(id) {
                plan.n_conflicts += 1;
                continue;
            }
            let Ok(label) = as_written(target, id, told, "") else {
                plan.not_known(told);
                continue;
            };
            wanted.insert(id.clone(), Holds { said: vec![outcome(id, &label, now)], label });
        }
    }

    /// Outcomes from earlier tables that older versions learned from and that are in no file of labels.
    fn earlier_outcomes(
        &self,
        wanted: &mut BTreeMap<String, Holds>,
        now: jiff::Timestamp,
    ) -> Result<(), ReferenceError> {
        let used = Used::open(self.workspace)?;
        for (id, label) in used.outcomes() {
            if wanted.contains_key(id) {
                continue;
            }
            let Ok(label) = as_written(&self.pipeline.target, id, label, "") else { continue };
            wanted.insert(id.to_owned(), Holds { said: vec![outcome(id, &label, now)], label });
        }
        Ok(())
    }

    /// Reads the reference: rows with another label are replaced; `wanted` keeps the rows that are not in the
    /// reference.
    fn place(
        &self,
        (schema, id): (&Schema, &str),
        wanted: &BTreeMap<String, Holds>,
        current: Option<&Rows>,
        plan: &mut Plan,
    ) -> Result<Added, ReferenceError> {
        let target = &self.pipeline.target;
        let path = self.workspace.path(&self.config.data.reference);
        let options = ReadOptions {
            columns: schema.dialect.header.then(|| vec![id.to_owned(), target.name.clone()]),
            optional: self.config.target.optional(),
            skip_invalid: self.read.skip_invalid,
            no_raw: self.count_only,
            ..ReadOptions::default()
        };
        let mut rows = stream(Input::open(&path)?, schema, &options)?;
        let (names, delimiter) = (rows.names().to_vec(), rows.delimiter());
        let place = names.iter().position(|name| *name == target.name);
        if place.is_none() && schema.dialect.header && !wanted.is_empty() {
            return Err(ReferenceError::Usage(format!(
                "{} has no column {:?} for the new labels: add it; [target] expression fills its empty cells",
                path.display(),
                target.name
            )));
        }
        let mut added = Added { skip_invalid: self.read.skip_invalid, ..Added::new(names) };
        while let Some(batch) = rows.next().transpose()? {
            let Values::Text(ids) = &batch.table.require(id)?.values else { continue };
            for (row, id) in ids.iter().enumerate() {
                plan.n_reference += 1;
                let Some(holds) = wanted.get(id) else { continue };
                added.meet(id);
                if let Some(there) = current.filter(|_| !self.count_only) {
                    let here = fields_of(batch.raw.get(row), delimiter);
                    plan.n_other_features +=
                        u64::from(differs(schema, &target.name, (&added.names, &here), (there, id))?);
                }
                let stands = cell(&batch.table, &target.name, row);
                if as_written(target, id, &stands, "").is_ok_and(|stands| stands == holds.label) {
                    plan.n_confirmed += 1;
                    continue;
                }
                plan.n_corrected += 1;
                let mut fields = if self.count_only { Vec::new() } else { fields_of(batch.raw.get(row), delimiter) };
                if let Some(field) = place.and_then(|place| fields.get_mut(place)) {
                    *field = in_table(schema, &target.name, &holds.label);
                }
                added.push(id, &fields, delimiter);
            }
        }
        Ok(added)
    }

    /// Looks for the features of rows that the reference lacks, source by source, until all are found.
    fn search(
        &self,
        wanted: &BTreeMap<String, Holds>,
        added: &Added,
        sources: &mut Vec<Rows>,
    ) -> Result<(), ReferenceError> {
        let missing = |sources: &[Rows], id: &str| {
            wanted.contains_key(id) && !added.has_met(id) && !sources.iter().any(|rows| rows.records.contains_key(id))
        };
        let is_done = |sources: &[Rows]| !wanted.keys().any(|id| missing(sources, id));
        if !is_done(sources) {
            let rows = self.rows_of_journal(|id| missing(sources, id))?;
            sources.push(rows);
        }
        for version in self.workspace.registry().versions()?.into_iter().rev() {
            if is_done(sources) {
                return Ok(());
            }
            let rows = self.rows_of_version(version, |id| missing(sources, id))?;
            sources.extend(rows);
        }
        Ok(())
    }
}

impl Gathered {
    /// Adds the rows that the reference lacks, and records which labels were used.
    fn join(
        &mut self,
        workspace: &Workspace,
        schema: &Schema,
        pipeline: &Pipeline,
        wanted: BTreeMap<String, Holds>,
        sources: &[Rows],
    ) -> Result<(), ReferenceError> {
        let used = Used::open(workspace)?;
        let is_new = |label: &Label| !used.has(label);
        let delimiter = u8::try_from(schema.dialect.delimiter).unwrap_or(b',');
        let names = self.added.names().to_vec();
        let place = |name: &str| names.iter().position(|own| own == name);
        let (id_place, target_place) = (self.names.id().and_then(place), place(&pipeline.target.name));
        let mut batches = BTreeSet::new();
        for (id, holds) in wanted {
            self.plan.n_labels += 1;
            if !self.added.has_met(&id) {
                let mut found = None;
                for rows in sources.iter().filter(|rows| rows.records.contains_key(&id)).take(1) {
                    found = rows.fields(&id, &names)?.map(|fields| (rows.from, fields));
                }
                let Some((from, mut fields)) = found else {
                    self.plan.without(&id);
                    batches.extend(holds.said.into_iter().map(|label| label.batch).filter(|batch| !batch.is_empty()));
                    continue;
                };
                let label = in_table(schema, &pipeline.target.name, &holds.label);
                for (place, text) in [(id_place, &id), (target_place, &label)] {
                    if let Some(field) = place.and_then(|place| fields.get_mut(place)) {
                        field.clone_from(text);
                    }
                }
                self.added.push(&id, &fields, delimiter);
                self.plan.n_added += 1;
                *self.plan.features_from.entry(from).or_default() += 1;
            }
            // If the reference has the same label, nothing is learned.
            if self.added.contains(&id) {
                let new = || holds.said.iter().filter(|label| is_new(label));
                self.plan.n_new += u64::from(new().count() > 0);
                self.plan.n_new_by_people += u64::from(new().any(|label| label.source == Source::Human));
            }
            self.used.extend(holds.said);
        }
        self.plan.exported_from = exported_from(workspace, &batches)?;
        Ok(())
    }
}

/// The outcome of a row in a table, as a label without annotator.
fn outcome(id: &str, label: &str, now: jiff::Timestamp) -> Label {
    Label {
        id: id.to_owned(),
        label: label.to_owned(),
        annotator: String::new(),
        labelled_at: now,
        source: Source::Outcome,
        batch: String::new(),
        select_prob: None,
        model_version: None,
    }
}

/// A label as written in the workspace's tables, whose numbers may have their own notation.
fn in_table(schema: &Schema, target: &str, label: &str) -> String {
    match (schema.number_format(target), label.parse()) {
        (Some(format), Ok(value)) => format.text(value),
        _ => label.to_owned(),
    }
}

/// The label in the notation of the target's classes, or a number unchanged.
pub(super) fn as_written(target: &Target, id: &str, label: &str, file: &str) -> Result<String, TableError> {
    let known = match target.classes.as_slice() {
        [] => label.trim().parse::<f64>().ok().filter(|value| value.is_finite()).map(|value| value.to_string()),
        classes => target.class_of(label).map(|class| classes[class].clone()),
    };
    known.ok_or_else(|| TableError::File {
        file: Path::new(file).display().to_string(),
        what: match target.classes.as_slice() {
            [] => format!("the label {label:?} of {id:?} is not a number"),
            classes => format!("the label {label:?} of {id:?} is not one of the classes {}", classes.join(", ")),
        },
    })
}
