//! Selects rows for labelling: the logic of `label-export`.
//!
//! ```text
//! log or table ─score─▶ candidates ─rank, read in full─▶ pull of each stratum ─draw─▶ rows with their π
//!                                                                                     │
//! label_inbox/to_label.csv ◀── audit: labels-exported ◀── label_inbox/batches/ID/ ◀───┘
//! ```

use super::batch::{Asked, Batch, Inbox, Stratum, recorded};
use super::candidates::{Fetched, Source, fetch, read_options};
use super::choose::{Chooser, Chosen, Pick};
use super::request::{ExportRequest, Format};
use super::sheet::Sheet;
use super::strata::{Strategy, prediction};
use super::{LabelError, Labels, ids, studio, take};
use crate::atomic::{self, At, Lock};
use crate::digest::sha256;
use crate::features::Task;
use crate::features::derive::{Past, Windows};
use crate::journal::{Journal, Layout, Window};
use crate::past;
use crate::pipeline::Pipeline;
use crate::registry::{Role, Version};
use crate::stats::random::hash64;
use crate::table::input::is_there;
use crate::table::{Kind, Spool, Table};
use crate::wording::person_key;
use crate::workspace::audit::Event;
use crate::workspace::event::{Details, LabelsExported};
use crate::workspace::{Config, EventKind, Workspace};
use serde::Serialize;
use serde_json::json;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};

/// What was sent.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Exported {
    /// The batch's name; `None` when nothing is left to label.
    pub batch: Option<String>,
    /// The files.
    pub files: Vec<PathBuf>,
    /// Number of rows to label.
    pub n: u64,
    /// Number of rows by stratum.
    pub strata: BTreeMap<Stratum, u64>,
    /// Number of candidates.
    pub n_candidates: u64,
    /// Rows that are labelled or in an open batch.
    pub n_excluded: u64,
    /// Where candidates came from.
    pub source: String,
    /// The version in production.
    pub version: Version,
    /// Notes for the user.
    pub notes: Vec<String>,
}

/// Selects rows, exports them and records the export.
///
/// # Errors
/// [`LabelError::Out`] if a batch is open, and any error of the rows or the workspace; nothing changed then.
pub fn export(workspace: &Workspace, lock: &Lock, request: &ExportRequest) -> Result<Exported, LabelError> {
    let inbox = Inbox::of(workspace);
    take::complete_import(workspace, lock)?;
    complete(workspace, lock)?;
    let open = inbox.open()?;
    if let Some(batch) = untold(&inbox, &open)? {
        return Ok(told(&inbox, batch, 0, vec!["an interrupted run was completed".to_owned()]));
    }
    if let Some(out) = open.last().filter(|_| !request.force) {
        return Err(LabelError::Out { path: inbox.path(&out.files[0].0), batch: out.batch.clone(), n: out.rows.len() });
    }
    request.check()?;
    let config = workspace.config()?;
    let version = workspace.registry().holder(Role::Production)?;
    let pipeline = workspace.registry().pipeline(version)?;
    let layout = Layout::of(&pipeline);
    let table = table_of(workspace, &config, request)?;
    let past = past::of_version(workspace, version, &pipeline)?;
    let source = source((workspace, past), &config, (&pipeline, &layout), table.as_ref(), request)?;
    let excluded = asked_or_labelled(&Labels::open(workspace)?, &open);
    let chooser = Chooser { workspace, config: &config, version, pipeline: &pipeline, source: &source, request };
    let mut chosen = chooser.choose(&excluded)?;
    if let Source::Log { journal, window, .. } = &source {
        chosen.notes.extend(journal.unread(window)?);
    }
    if chosen.drawn.is_empty() {
        let strata = BTreeMap::new();
        let (n_candidates, n_excluded) = (0, chosen.n_excluded);
        let (files, source, notes) = (Vec::new(), source.name(), chosen.notes);
        return Ok(Exported { batch: None, files, n: 0, strata, n_candidates, n_excluded, source, version, notes });
    }
    let n_excluded = chosen.n_excluded;
    let mut notes = chosen.notes.clone();
    let batch = hand_out(
        workspace,
        lock,
        &Making { request, inbox: &inbox, pipeline: &pipeline, version, source: &source },
        chosen,
    )?;
    if matches!(request.format, Format::Csv) {
        notes.extend(ids::remark(batch.rows.iter().map(|row| row.id.as_str())));
    }
    Ok(told(&inbox, &batch, n_excluded, notes))
}

pub(super) fn told(inbox: &Inbox, batch: &Batch, n_excluded: u64, notes: Vec<String>) -> Exported {
    let mut strata = BTreeMap::new();
    batch.rows.iter().for_each(|row| *strata.entry(row.stratum).or_default() += 1);
    Exported {
        batch: Some(batch.batch.clone()),
        files: batch.files.iter().map(|(name, _)| inbox.path(name)).collect(),
        n: batch.rows.len() as u64,
        strata,
        n_candidates: batch.n_candidates,
        n_excluded,
        source: batch.source.clone(),
        version: batch.version,
        notes,
    }
}

impl ExportRequest<'_> {
    fn check(&self) -> Result<(), LabelError> {
        let usage = |what: &str| Err(LabelError::Usage(what.to_owned()));
        let distinct: HashSet<String> = self.annotators.iter().map(|name| person_key(name)).collect();
        match () {
            () if self.n == 0 => usage("--n must be at least 1"),
            () if !(0.0..=1.0).contains(&self.overlap) => usage("--overlap must be a share from 0 to 1"),
            () if distinct.len() < self.annotators.len() || distinct.contains(&String::new()) => {
                usage("--annotators needs different names, such as ann,bob")
            }
            () if self.overlap > 0.0 && self.annotators.len() < 2 => {
                usage("--overlap gives rows to two people: name them with --annotators ann,bob")
            }
            () => Ok(()),
        }
    }
}

/// The table with the candidates; `None` for the log.
fn table_of(workspace: &Workspace, config: &Config, request: &ExportRequest) -> Result<Option<Spool>, LabelError> {
    if let Some(path) = request.table {
        return match path == Path::new("-") {
            true => Err(LabelError::Usage("--table is read twice: name a file, not stdin".to_owned())),
            false => Ok(Some(Spool::new(path)?)),
        };
    }
    if !Journal::of(workspace).is_empty()? {
        return Ok(None);
    }
    let current = workspace.path(&config.monitor.current);
    match is_there(&current) {
        true => Ok(Some(Spool::new(&current)?)),
        false => Err(LabelError::Usage(format!(
            "there are no rows to choose from: the prediction log is empty (`mlloop predict --log` fills it) and {} \
             does not exist; name a table with --table",
            current.display()
        ))),
    }
}

fn source<'a>(
    (workspace, past): (&Workspace, Option<(Windows, Past)>),
    config: &Config,
    (pipeline, layout): (&Pipeline, &'a Layout),
    table: Option<&'a Spool>,
    request: &ExportRequest,
) -> Result<Source<'a>, LabelError> {
    let mut beside = Vec::new();
    let Some(table) = table else {
        if let Some((windows, past)) = &past {
            beside = past::of_log(workspace, &request.window, (&pipeline.schema, layout), (windows, past))?;
        }
        return Ok(Source::Log { journal: Journal::of(workspace), window: request.window, layout, windows: beside });
    };
    if request.window != Window::default() {
        return Err(LabelError::Usage(
            "--since, --until and --last select from the prediction log, not from a table".to_owned(),
        ));
    }
    let mut schema = config.schema();
    schema.know_flags(&pipeline.schema);
    schema.columns.retain(|c| c.name != pipeline.target.name && c.kind != Kind::Ignore);
    let Some(id) = schema.columns.iter().find(|c| c.kind == Kind::Id).map(|c| c.name.clone()) else {
        let what = "labels are joined by id, but mlloop.toml has no id column: set one under [columns]";
        return Err(LabelError::Usage(what.to_owned()));
    };
    let needed: Vec<&str> = pipeline.features.inputs().map(|(name, _)| name).chain([id.as_str()]).collect();
    let names = schema.columns.iter().map(|c| c.name.clone());
    let optional: Vec<String> = names.filter(|name| !needed.contains(&name.as_str())).collect();
    if let Some((windows, past)) = &past {
        schema.know(&pipeline.schema);
        beside = past::of_table(workspace, table.open()?, &schema, &read_options(&optional), (windows, past))?;
    }
    Ok(Source::Table { table, schema, id, optional, windows: beside })
}

/// Hashes of the ids that are not selected again.
fn asked_or_labelled(labels: &Labels, open: &[Batch]) -> HashSet<u64> {
    let asked = open.iter().flat_map(|batch| batch.rows.iter().map(|row| row.id.as_str()));
    labels.ids().into_iter().chain(asked).map(|id| hash64(id.as_bytes(), 0)).collect()
}

/// What a batch is built from, besides its rows.
struct Making<'a> {
    request: &'a ExportRequest<'a>,
    inbox: &'a Inbox<'a>,
    pipeline: &'a Pipeline,
    version: Version,
    source: &'a Source<'a>,
}

/// Names a created batch that has not been reported yet.
const UNTOLD: &str = "untold";

/// The batch of a run that ended before it reported the export.
fn untold<'a>(inbox: &Inbox, open: &'a [Batch]) -> Result<Option<&'a Batch>, LabelError> {
    let path = inbox.path(UNTOLD);
    let name = atomic::read_to_string(&path).if_there().at(path)?;
    Ok(name.and_then(|name| open.iter().find(|batch| batch.batch == name.trim())))
}

/// Call it under the same lock once the caller has received the answer of [`export`]: until then the same answer is
/// returned again.
///
/// # Errors
/// I/O errors.
pub fn exported_is_told(workspace: &Workspace, _lock: &Lock) -> Result<(), LabelError> {
    let path = Inbox::of(workspace).path(UNTOLD);
    Ok(atomic::forget(&path).at(&path)?)
}

/// Writes the batch, records it and moves its files into place.
fn hand_out(workspace: &Workspace, lock: &Lock, making: &Making, chosen: Chosen) -> Result<Batch, LabelError> {
    let Making { request, inbox, pipeline, .. } = making;
    let (mut batch, features, reasons) = making.batch(chosen)?;
    let schema = &pipeline.schema;
    let files = match request.format {
        Format::Csv => {
            let (show_score, form) = (request.show_score, inbox.form()?);
            let sheet = Sheet { features: &features, schema, reasons: &reasons, show_score, form };
            batch.columns = sheet.columns(&batch.target.name);
            vec![("to_label.csv", sheet.write(&batch)?)]
        }
        Format::LabelStudio => {
            let tasks = studio::tasks(&batch, &features, schema, &reasons, request.show_score)?;
            vec![("to_label.json", tasks), ("label_config.xml", studio::config(&batch)?)]
        }
    };
    batch.files = files.iter().map(|(name, bytes)| ((*name).to_owned(), sha256(bytes))).collect();
    inbox.may_put_out(&batch)?;
    let record = inbox.store(lock, &batch, &files)?;
    let told = told(inbox, &batch, 0, Vec::new());
    let untold = inbox.path(UNTOLD);
    atomic::replace(&untold, |out| writeln!(out, "{}", batch.batch)).at(&untold)?;
    let exported = LabelsExported {
        batch: batch.batch.clone(),
        n: Some(told.n),
        strata: json!(told.strata),
        n_candidates: batch.n_candidates,
        strategy: json!(batch.strategy),
        seed: batch.seed,
        version: Some(batch.version),
        source: json!(batch.source),
        files: batch.files.clone(),
        record: Some(record),
    };
    workspace.record(
        lock,
        Event {
            at: request.now,
            event: EventKind::LabelsExported,
            by: request.by.clone(),
            roles: None,
            details: exported.value(),
        },
    )?;
    inbox.put_out(&batch)?;
    Ok(batch)
}

impl Making<'_> {
    /// The record of the batch, the features of its rows and the reason for each.
    fn batch(&self, chosen: Chosen) -> Result<(Batch, Table, Vec<String>), LabelError> {
        let Self { request, pipeline, source, .. } = self;
        let mut places: Vec<(u32, u64)> = chosen.drawn.iter().map(|pick| (pick.place, pick.hash)).collect();
        places.sort_unstable();
        let Fetched { ids, table } = fetch(source, &pipeline.schema, &places)?;
        let scores = pipeline.score(&table)?;
        // Rows are shown in random order, so that strata are not seen one after the other.
        let mut order: Vec<u32> = (0..ids.len() as u32).collect();
        order.sort_by_cached_key(|&row| (hash64(ids[row as usize].as_bytes(), request.seed ^ SHUFFLE), row));
        let by_place: HashMap<u32, &Pick> = chosen.drawn.iter().map(|pick| (pick.place, pick)).collect();
        let (mut rows, mut reasons) = (Vec::new(), Vec::new());
        for (n, &row) in order.iter().enumerate() {
            let Some(pick) = by_place.get(&places[row as usize].0) else { continue };
            let of_row = scores.row(row as usize);
            rows.push(Asked {
                id: ids[row as usize].clone(),
                stratum: pick.stratum,
                select_prob: pick.prob,
                annotators: request.annotators_of(n, ids.len()),
                prediction: prediction(pipeline, of_row),
                scores: of_row.to_vec(),
            });
            reasons.push(self.reason(pick.stratum, pick.ratio));
        }
        let shown: Vec<_> = Layout::of(pipeline).features().map(str::to_owned).collect();
        let columns = table.take(&order).into_columns().into_iter().filter(|c| shown.contains(&c.name)).collect();
        let batch = Batch {
            format: 1,
            batch: self.inbox.new_name(request.now)?,
            at: request.now,
            seed: request.seed,
            strategy: request.strategy.to_string(),
            version: self.version,
            source: source.name(),
            n_candidates: chosen.n_candidates,
            target: pipeline.target.clone(),
            columns: Vec::new(),
            files: Vec::new(),
            rows,
        };
        Ok((batch, Table::new(columns)?, reasons))
    }

    fn reason(&self, stratum: Stratum, ratio: Option<f64>) -> String {
        let multiclass = self.pipeline.target.task == Task::Multiclass;
        match (stratum, self.request.strategy) {
            (Stratum::Control, _) => "drawn at random".to_owned(),
            (Stratum::Drifted, _) => match ratio {
                Some(ratio) => format!("rows like this are {ratio:.1} times as frequent as in training"),
                None => "rows like this are more frequent than in training".to_owned(),
            },
            (Stratum::Diverse, _) => "unlike the other chosen rows".to_owned(),
            (Stratum::Uncertain, Strategy::Entropy | Strategy::LeastConfidence) => "the model is unsure".to_owned(),
            (Stratum::Uncertain, Strategy::Margin) => "two classes are close".to_owned(),
            (Stratum::Uncertain, _) if multiclass => "two classes are close".to_owned(),
            (Stratum::Uncertain, _) => "near the operating threshold".to_owned(),
        }
    }
}

/// Separate random stream for the order of the rows.
const SHUFFLE: u64 = 0x7368_7566;

impl ExportRequest<'_> {
    /// The annotators of the `n`th of `of` rows: in rotation; the first rows also get the next annotator.
    fn annotators_of(&self, n: usize, of: usize) -> Vec<String> {
        let people = self.annotators;
        if people.is_empty() {
            return Vec::new();
        }
        let twice = n < (self.overlap * of as f64).ceil() as usize;
        let who = |n: usize| people[n % people.len()].clone();
        if twice { vec![who(n), who(n + 1)] } else { vec![who(n)] }
    }
}

/// Completes or rolls back an interrupted run: a recorded batch is moved into place, an unrecorded one is
/// removed.
///
/// # Errors
/// I/O errors.
pub(super) fn complete(workspace: &Workspace, _lock: &Lock) -> Result<(), LabelError> {
    let inbox = Inbox::of(workspace);
    let names = inbox.names("batches")?;
    if names.is_empty() {
        return Ok(());
    }
    let chain = workspace.audit_chain()?;
    for name in names {
        if recorded(&chain, &name)?.is_none() {
            if chain.broken.is_none() {
                let path = inbox.out(&name);
                atomic::remove_dir(&path).at(&path)?;
            }
            continue;
        }
        if let Some(batch) = inbox.open()?.into_iter().find(|batch| batch.batch == name) {
            inbox.put_out(&batch)?;
        }
    }
    Ok(())
}
