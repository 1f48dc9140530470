//! From a table to `mlloop.toml`: the work of `init`.

mod doubt;
mod keys;
mod unknown;

use crate::drift::DriftSettings;
use crate::features::leaks::{How, find_leaks};
use crate::features::{FeatureError, FeatureOptions, Target, Task, TextEncoder, near_unique};
use crate::model::Params;
use crate::pipeline::{Decision, Examples, PipelineError, SplitBy, SplitSpec, TargetSpec};
use crate::table::words::PROSE;
use crate::table::{
    ColumnSpec, Doubt, Finding, InferOptions, Inference, Input, Kind, OneClass, ReadOptions, Rejects, Schema, Table,
    TableError, TableOptions, TargetGuess, Texts, Values, has_word, infer_fitting, names_key, read, schema, stream,
};
use crate::wording::{instead, list};
use crate::workspace::{Config, DataSpec, LabelRules, PromoteRules, Workspace, WorkspaceError};
use serde::Serialize;
use std::collections::HashSet;
use std::path::{Component, Path, PathBuf};

/// Errors of `init`.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// A table problem.
    #[error("{0}")]
    Table(#[from] TableError),
    /// A target problem.
    #[error("{0}")]
    Features(#[from] FeatureError),
    /// Rows that cannot be used for training.
    #[error("{0}")]
    Pipeline(#[from] PipelineError),
    /// A problem of the workspace.
    #[error("{0}")]
    Workspace(#[from] WorkspaceError),
    /// A column whose type the user must decide.
    #[error("{what}: {ways_out}")]
    Doubt {
        /// Which, and its cells.
        what: String,
        /// The remedy.
        ways_out: String,
    },
    /// An option that does not fit the table, or a table that cannot be used for training.
    #[error("{0}")]
    Option(String),
}

/// The options of the command line.
#[derive(Debug, Clone)]
pub struct InitRequest<'a> {
    /// The table, relative to the current directory.
    pub table: &'a Path,
    /// The column to predict.
    pub target: Option<String>,
    /// The positive class.
    pub positive: Option<String>,
    /// The task; guessed when `None`.
    pub task: Option<Task>,
    /// Whether the first record names the columns.
    pub header: Option<bool>,
    /// Missing markers besides the usual ones.
    pub missing: Vec<String>,
    /// Columns to ignore.
    pub ignore: Vec<String>,
    /// Types of columns that were given.
    pub kinds: Vec<(String, Kind)>,
    /// The format of the table.
    pub read: TableOptions,
    /// Replace `mlloop.toml`.
    pub force: bool,
}

/// The decisions.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct InitReport {
    /// The file that was written.
    pub config: String,
    /// The table as `mlloop.toml` names it.
    pub reference: String,
    /// Its rows.
    pub n_rows: u64,
    /// The target.
    pub target: Chosen,
    /// Every column.
    pub columns: Vec<Column>,
    /// Notes for the user.
    pub notes: Vec<String>,
    /// Rows that were left out.
    #[serde(skip)]
    pub rejects: Rejects,
}

/// The target and why.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Chosen {
    /// The column.
    pub column: String,
    /// The task.
    pub task: Task,
    /// The positive class of two.
    pub positive: Option<String>,
    /// Why this column, task and class.
    pub reason: String,
}

/// A column, its kind and the reason.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Column {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// The reason, in one line.
    pub reason: String,
    /// Missing cells.
    pub n_missing: u64,
    /// Distinct values.
    pub n_distinct: u64,
}

/// Words in names of columns that identify a row, at any position.
const NAMES_ROWS: [&str; 8] = ["id", "ids", "uuid", "guid", "key", "no", "nr", "number"];
/// Names of the column with which other tools number the rows of a table; the first means no name.
const COUNTERS: [&str; 8] = ["c1", "index", "idx", "row", "rowid", "rownames", "unnamed: 0", "level_0"];
/// Rows checked for columns that reveal the target.
const SAMPLE_ROWS: usize = 20_000;

/// Reads the table, decides, and writes `mlloop.toml`.
///
/// # Errors
/// If the table is unreadable, there is nothing to predict, or `mlloop.toml` exists.
pub fn init(workspace: &Workspace, wanted: &InitRequest) -> Result<InitReport, InitError> {
    if workspace.config_path().exists() && !wanted.force {
        return Err(WorkspaceError::Exists(workspace.config_path()).into());
    }
    if wanted.table == Path::new("-") {
        return Err(InitError::Option("init needs a file, because `train` reads it again".to_owned()));
    }
    let mut inference = wanted.look()?;
    wanted.refuse_doubts(&inference)?;
    let guess = wanted.target(&inference)?;
    let mut split = wanted.split(&mut inference)?;
    let labels = wanted.read_columns(&inference, vec![guess.name.clone()])?;
    let (target, why) = Target::choose(labels.require(&guess.name)?, wanted.positive.as_deref(), wanted.task)?;
    if wanted.task.is_none() {
        unknown::refuse(wanted.table, &target, &labels)?;
    }
    split.gate = SplitSpec::gate_for(inference.n_rows, target.task, rarest(&target, &labels)?);
    keys::keep_codes_apart(wanted, &mut inference, &target, &labels)?;
    split = keys::split_by_key(wanted, &mut inference, &target, &labels, split)?;
    drop(labels);
    let suspicions = wanted.leave_out_leaks(&mut inference, &target)?;
    inference.notes.extend(suspicions);
    let config = config(workspace, wanted, &inference.schema, &target, split);
    wanted.check(&inference, &config, inference.n_rows)?;
    inference.notes.extend(not_read(&inference, &config));
    write(workspace, wanted, config, inference, target, &format!("{}; {why}", guess.reason))
}

/// Rows of the rarest class that occurs; `None` where numbers are predicted.
fn rarest(target: &Target, labels: &Table) -> Result<Option<u64>, InitError> {
    let mut counts = vec![0_u64; target.classes.len()];
    if counts.is_empty() {
        return Ok(None);
    }
    let y = target.encode(labels.require(&target.name)?)?.y;
    y.iter().filter(|y| !y.is_nan()).for_each(|&class| counts[class as usize] += 1);
    Ok(counts.into_iter().filter(|&n| n > 0).min())
}

/// The content of `mlloop.toml`.
fn config(workspace: &Workspace, wanted: &InitRequest, schema: &Schema, target: &Target, split: SplitSpec) -> Config {
    let positive = (target.task == Task::Binary).then(|| target.classes[1].clone());
    Config {
        data: DataSpec {
            reference: from_workspace(workspace.dir(), wanted.table),
            delimiter: schema.dialect.delimiter,
            header: schema.dialect.header,
            missing: schema.dialect.missing.clone(),
            skip_lines: schema.dialect.skip_lines,
            comment: schema.dialect.comment,
            weight: None,
        },
        target: TargetSpec { column: target.name.clone(), task: Some(target.task), positive, ..Default::default() },
        columns: schema.columns.clone(),
        split,
        features: FeatureOptions::default(),
        model: Params::default(),
        trainer: None,
        decision: Decision::default(),
        train: crate::workspace::TrainRules::default(),
        monitor: DriftSettings::default(),
        labels: LabelRules::default(),
        retrain: crate::workspace::RetrainRules::default(),
        notify: crate::notify::NoticeSettings::default(),
        promote: PromoteRules::default(),
        track: crate::workspace::TrackRules::default(),
    }
}

fn write(
    workspace: &Workspace,
    wanted: &InitRequest,
    config: Config,
    inference: Inference,
    target: Target,
    reason: &str,
) -> Result<InitReport, InitError> {
    let Inference { columns, n_rows, rejects, notes, .. } = inference;
    workspace.create()?;
    let config = Config {
        // The directory certainly exists only now.
        data: DataSpec { reference: from_workspace(workspace.dir(), wanted.table), ..config.data },
        ..config
    };
    let comments: Vec<(String, String)> = columns.iter().map(|c| (c.name.clone(), c.reason.clone())).collect();
    workspace.write_config(&config, &comments, wanted.force)?;
    workspace.keep_secrets_out_of_git()?;
    let column = |finding: Finding| {
        let Finding { name, kind, reason, n_missing, n_distinct, .. } = finding;
        Column { name, kind, reason, n_missing, n_distinct }
    };
    Ok(InitReport {
        config: workspace.config_path().display().to_string(),
        reference: config.data.reference.display().to_string(),
        n_rows,
        target: Chosen {
            column: target.name,
            task: target.task,
            positive: config.target.positive,
            reason: reason.to_owned(),
        },
        columns: columns.into_iter().map(column).collect(),
        notes,
        rejects,
    })
}

impl InitRequest<'_> {
    /// The inferred schema, with the requested kinds.
    fn look(&self) -> Result<Inference, InitError> {
        let open = || Input::open(self.table);
        let mut found = infer_fitting(open, self.infer_options(Vec::new()))?;
        self.set_kinds(&mut found)?;
        // Requested kinds can reject rows too.
        let asked = |spec: &&ColumnSpec| {
            matches!(spec.kind, Kind::Number | Kind::Time) && self.kinds.iter().any(|(name, _)| *name == spec.name)
        };
        let fitting: Vec<ColumnSpec> = found.schema.columns.iter().filter(asked).cloned().collect();
        if self.read.skip_invalid && !fitting.is_empty() {
            found = infer_fitting(open, self.infer_options(fitting))?;
            self.set_kinds(&mut found)?;
        }
        Ok(found)
    }

    fn infer_options(&self, fitting: Vec<ColumnSpec>) -> InferOptions {
        let usual = schema::DEFAULT_MISSING.map(str::to_owned).into_iter();
        InferOptions {
            delimiter: self.read.delimiter,
            decimal: self.read.decimal,
            skip_lines: self.read.skip_lines,
            comment: self.read.comment,
            header: self.header,
            missing: Some(usual.chain(self.missing.iter().cloned()).collect()),
            target: self.target.clone(),
            skip_invalid: self.read.skip_invalid,
            fitting,
            ..InferOptions::default()
        }
    }

    /// Ignores the columns of `--ignore`, and keeps one id.
    fn set_kinds(&self, inference: &mut Inference) -> Result<(), InitError> {
        for name in &self.ignore {
            if inference.schema.column(name).is_none() {
                let names = inference.columns.iter().map(|c| c.name.as_str());
                return Err(InitError::Option(format!(
                    "{}: --ignore: no column {name:?}{}",
                    self.table.display(),
                    instead(name, names)
                )));
            }
            set_kind(inference, name, Kind::Ignore, "ignored by --ignore");
        }
        for (name, kind) in &self.kinds {
            if inference.schema.column(name).is_none() {
                let names = inference.columns.iter().map(|c| c.name.as_str());
                return Err(InitError::Option(format!(
                    "{}: --kind: no column {name:?}{}",
                    self.table.display(),
                    instead(name, names)
                )));
            }
            match inference.doubts.iter().find(|doubt| doubt.column == *name && doubt.kind() == *kind) {
                // The most common kind, in the most common notation.
                Some(doubt) => {
                    let spec = doubt.spec();
                    set_kind(inference, name, *kind, "set by --kind");
                    inference.schema.columns.iter_mut().filter(|c| c.name == *name).for_each(|c| c.clone_from(&spec));
                }
                // If the kind is the same anyway, the notation is kept.
                None if inference.schema.column(name).is_some_and(|column| column.kind == *kind) => {
                    let found = inference.columns.iter_mut().filter(|found| found.name == *name);
                    found.for_each(|found| found.reason = format!("set by --kind; {}", found.reason));
                }
                None => set_kind(inference, name, *kind, "set by --kind"),
            }
        }
        // A row counter identifies other rows in the next file, so any other id is preferred.
        let mut ids: Vec<&Finding> = inference.columns.iter().filter(|c| c.kind == Kind::Id).collect();
        let is_said =
            |column: &Finding| self.kinds.iter().any(|(name, kind)| *name == column.name && *kind == Kind::Id);
        ids.sort_by_key(|column| {
            (!is_said(column), u8::from(column.counts_rows) + u8::from(!has_word(&column.name, &NAMES_ROWS)))
        });
        let counter = ids.first().filter(|id| id.counts_rows && COUNTERS.contains(&id.name.to_lowercase().as_str())).map(|id| {
            format!(
                "the id {:?} is a row counter: in another file the same numbers mean other rows, and labels would be \
                 joined to wrong rows. Set the id column with --kind COLUMN=id, or exclude this one with --ignore",
                id.name
            )
        });
        let ids: Vec<String> = ids.into_iter().map(|id| id.name.clone()).collect();
        inference.notes.extend(counter);
        for name in ids.iter().skip(1) {
            set_kind(inference, name, Kind::Text, &format!("unique in every row, like the id {:?}", ids[0]));
        }
        Ok(())
    }

    /// A column that is nearly a number or a time needs the user's decision.
    fn refuse_doubts(&self, inference: &Inference) -> Result<(), InitError> {
        let said = |name: &String| self.ignore.contains(name) || self.kinds.iter().any(|(known, _)| known == name);
        let open: Vec<&Doubt> = inference.doubts.iter().filter(|doubt| !said(&doubt.column)).collect();
        if let Some((what, ways_out)) = doubt::of_rows(&open) {
            return Err(InitError::Doubt { what: format!("{}: {what}", self.table.display()), ways_out });
        }
        let mut open = open.into_iter();
        let Some(first) = open.next() else { return Ok(()) };
        let more: Vec<String> = open.map(|doubt| format!("{:?}", doubt.column)).collect();
        let more = if more.is_empty() { String::new() } else { format!("; the same holds for {}", more.join(", ")) };
        Err(InitError::Doubt { what: format!("{}: {first}{more}", self.table.display()), ways_out: first.ways_out() })
    }

    /// Some columns. If rows may be rejected all of them are read, since each can reject a row.
    fn read_columns(&self, inference: &Inference, names: Vec<String>) -> Result<Table, InitError> {
        let skip_invalid = self.read.skip_invalid;
        let options =
            ReadOptions { columns: Some(names).filter(|_| !skip_invalid), skip_invalid, ..Default::default() };
        Ok(read(Input::open(self.table)?, &inference.schema, &options)?.table)
    }

    /// The column to predict, and why.
    fn target(&self, inference: &Inference) -> Result<TargetGuess, InitError> {
        if let Some(OneClass { name, value, missing }) = &inference.one_class {
            let always = if value.is_empty() { "missing".to_owned() } else { format!("{value:?}") };
            let always = match (value.as_str(), missing.as_str()) {
                ("", _) | (_, "") => always,
                (_, missing) => format!("{always} ({missing})"),
            };
            let what = format!(
                "{}: {name:?} looks like the target, but it is always {always}. Use a table with rows of both classes, or \
                 name another column with --target",
                self.table.display()
            );
            return Err(InitError::Option(what));
        }
        inference.target.clone().ok_or_else(|| {
            InitError::Option(format!(
                "{}: no column looks like a target; name it with --target ({})",
                self.table.display(),
                list(inference.columns.iter().map(|c| c.name.as_str()))
            ))
        })
    }

    /// An id must identify one row. A repeated one identifies an entity with several rows: they stay on one side.
    fn split(&self, inference: &mut Inference) -> Result<SplitSpec, InitError> {
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
    fn check(&self, inference: &Inference, config: &Config, n_rows: u64) -> Result<(), InitError> {
        /// Up to this number of rows the whole table is checked.
        const SHORT: u64 = 20_000;
        let file = self.table.display();
        let is_feature = |spec: &crate::table::ColumnSpec| {
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
                "{file}: no feature is left to predict {:?}: all other columns are ids, single-word texts, constants or ignored",
                config.target.column
            )));
        }
        if n_rows > SHORT {
            return Ok(());
        }
        let (schema, recipe) = (config.schema(), config.recipe());
        let options = ReadOptions { skip_invalid: self.read.skip_invalid, ..Default::default() };
        let mut table = read(Input::open(self.table)?, &schema, &options)?.table;
        table.unify_levels(&schema);
        let left_out = near_unique(&table, &config.target.column, &recipe.features);
        let is_left = |spec: &&crate::table::ColumnSpec| {
            is_feature(spec) && !left_out.iter().any(|left| left.column == spec.name)
        };
        if let (Some(first), None) = (left_out.first(), config.columns.iter().find(is_left)) {
            return Err(InitError::Option(format!(
                "{file}: no feature is left to predict {:?}: {}",
                config.target.column, first.note
            )));
        }
        let examples = Examples::new(table, &schema, &recipe)?;
        examples.parts(&recipe).map(|_| ()).map_err(|err| match err {
            PipelineError::Rows(what) => {
                InitError::Option(format!("{file}: {n_rows} rows are too few for training: {what}{}", gone(inference)))
            }
            other => other.into(),
        })
    }

    /// Columns that make up the target are ignored; columns that nearly reveal it are reported.
    fn leave_out_leaks(&self, inference: &mut Inference, target: &Target) -> Result<Vec<String>, InitError> {
        let sample = self.sample(inference)?;
        let labels = target.encode(sample.require(&target.name)?)?;
        let excluded = |c: &&Finding| matches!(c.kind, Kind::Id | Kind::Constant);
        let skip: Vec<String> = inference.columns.iter().filter(excluded).map(|c| c.name.clone()).collect();
        let leaks = find_leaks(&sample, target, &labels.y, &skip, 0);
        for leak in &leaks {
            let reason = match &leak.how {
                How::Formula(formula) => {
                    format!("ignored: {} = {formula}, so it is not available at prediction time", target.name)
                }
                How::Equal => format!("ignored: it equals {}", target.name),
                _ => continue,
            };
            // Who names the kind of a column wants it.
            let is_asked = |column: &String| self.kinds.iter().any(|(name, _)| name == column);
            if leak.columns.iter().any(is_asked) {
                continue;
            }
            for column in &leak.columns {
                set_kind(inference, column, Kind::Ignore, &reason);
            }
        }
        let left_out = |name: &String| inference.schema.column(name).is_some_and(|c| c.kind == Kind::Ignore);
        Ok(leaks.iter().filter(|leak| !leak.columns.iter().any(left_out)).map(ToString::to_string).collect())
    }

    /// The first rows of the table.
    fn sample(&self, inference: &Inference) -> Result<Table, InitError> {
        let options = ReadOptions { skip_invalid: self.read.skip_invalid, ..Default::default() };
        match stream(Input::open(self.table)?, &inference.schema, &options)?.next() {
            Some(batch) => {
                let table = batch?.table;
                let rows: Vec<u32> = (0..u32::try_from(table.n_rows().min(SAMPLE_ROWS)).unwrap_or(0)).collect();
                Ok(table.take(&rows))
            }
            None => Err(InitError::Option(format!("{}: no rows", self.table.display()))),
        }
    }
}

/// What was ignored without being asked for, with the reasons and the way to keep it.
fn gone(inference: &Inference) -> String {
    let ignored = inference.columns.iter().filter(|c| c.kind == Kind::Ignore && c.reason.starts_with("ignored: "));
    let told: Vec<String> = ignored.map(|c| format!("{} is {}", c.name, c.reason)).collect();
    if told.is_empty() { String::new() } else { format!("; {} (--kind NAME=number keeps a column)", told.join("; ")) }
}

/// Text columns unused by the model: their cells are single words and differ from row to row.
fn not_read(inference: &Inference, config: &Config) -> Option<String> {
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

fn set_kind(inference: &mut Inference, name: &str, kind: Kind, reason: &str) {
    let found = inference.columns.iter_mut().find(|c| c.name == name);
    if let (Some(spec), Some(found)) = (inference.schema.columns.iter_mut().find(|c| c.name == name), &found) {
        spec.kind = kind;
        spec.number = match kind {
            Kind::Id => found.whole_ids.clone(),
            Kind::Number => found.as_number.clone(),
            _ => None,
        };
        spec.format = found.as_time.clone().filter(|_| kind == Kind::Time);
        spec.spelling = Default::default();
    }
    if let Some(finding) = found {
        finding.kind = kind;
        reason.clone_into(&mut finding.reason);
    }
}

/// The path of `table`, given relative to the current directory, relative to `dir`; absolute paths are kept.
fn from_workspace(dir: &Path, table: &Path) -> PathBuf {
    if table.is_absolute() {
        return table.to_owned();
    }
    let (Ok(dir), Ok(table)) = (dir.canonicalize(), table.canonicalize()) else { return table.to_owned() };
    let (dir, table): (Vec<Component>, Vec<Component>) = (dir.components().collect(), table.components().collect());
    let shared = dir.iter().zip(&table).take_while(|(a, b)| a == b).count();
    let up = dir[shared..].iter().map(|_| Component::ParentDir);
    up.chain(table[shared..].iter().copied()).collect()
}
