//! `mlloop.toml`: what to learn and how; written by `init`, edited by people.

use super::{Approval, PromoteRules, TrackRules};
use crate::drift::DriftSettings;
use crate::features::{FeatureOptions, derive};
use crate::model::{Named, Params};
use crate::notify;
use crate::pipeline::{Decision, Quality, Recipe, SearchLimits, SplitSpec, TargetSpec, check_weight};
use crate::table::place::is_address;
use crate::table::postgres::Lines;
use crate::table::schema::DEFAULT_MISSING;
use crate::table::{ColumnSpec, Dialect, Kind, NumberFormat, Same, Schema, Spelling, columns};
use crate::wording::{instead, plain, toml_line};
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// The file as a whole.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where the rows are and how they are written.
    pub data: DataSpec,
    /// The column to predict.
    pub target: TargetSpec,
    /// Every column and what it is.
    #[serde(deserialize_with = "columns::deserialize")]
    pub columns: Vec<ColumnSpec>,
    /// Which rows learn and which judge.
    #[serde(default)]
    pub split: SplitSpec,
    /// From columns to features.
    #[serde(default)]
    pub features: FeatureOptions,
    /// The model and its parameters.
    #[serde(default)]
    pub model: Params,
    /// The program that fits instead.
    #[serde(default)]
    pub trainer: Option<TrainerSpec>,
    /// From scores to answers.
    #[serde(default)]
    pub decision: Decision,
    /// How much is done for a good model.
    #[serde(default)]
    pub train: TrainRules,
    /// What counts as drift, and what is a reason to retrain.
    #[serde(default)]
    pub monitor: DriftSettings,
    /// What a challenger learns from, and how soon there may be another.
    #[serde(default)]
    pub retrain: RetrainRules,
    /// Who is told what.
    #[serde(default)]
    pub notify: notify::NoticeSettings,
    /// What holds where people differ.
    #[serde(default)]
    pub labels: LabelRules,
    /// What a challenger has to show.
    #[serde(default)]
    pub promote: PromoteRules,
    /// Where changes are told besides.
    #[serde(default)]
    pub track: TrackRules,
}

/// `[train]`: how much is done for a good model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(from = "TrainKeys")]
pub struct TrainRules {
    /// How much.
    pub quality: Quality,
    /// Where a search for the best ends.
    pub search: SearchLimits,
}

/// `[train]` as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TrainKeys {
    #[serde(default)]
    quality: Quality,
    budget: Option<u32>,
    tries: Option<u32>,
}

impl From<TrainKeys> for TrainRules {
    fn from(TrainKeys { quality, budget, tries }: TrainKeys) -> Self {
        Self { quality, search: SearchLimits { budget, tries } }
    }
}

/// `[labels]`: how what people said becomes one label per row.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabelRules {
    /// What holds where annotators differ.
    #[serde(default)]
    pub policy: LabelPolicy,
    /// How many rows `run` hands out by itself when labels are wanted and no batch is out; never when `None`.
    #[serde(default)]
    pub auto_export: Option<u32>,
    /// The table of PostgreSQL that several machines write labels and feedback to; an empty text is none.
    #[serde(default)]
    pub store: Option<String>,
}

impl LabelRules {
    fn check(&mut self) -> Result<(), String> {
        self.store.take_if(|store| store.trim().is_empty());
        if let Some(store) = &self.store {
            Lines::at(Path::new(store)).map_err(|what| format!("[labels] store: {what}"))?;
        }
        match self.auto_export {
            Some(n) if !(1..=1_000_000).contains(&n) => Err(format!(
                "[labels] auto_export = {n} must be a whole number from 1 to 1000000; leave it out for none"
            )),
            _ => Ok(()),
        }
    }
}

/// What holds where annotators differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LabelPolicy {
    /// None of it, until somebody has decided.
    #[default]
    Adjudicate,
    /// What more of them said than anything else.
    Majority,
    /// None of it; nobody is asked.
    Drop,
}

impl FromStr for LabelPolicy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "adjudicate" => Ok(Self::Adjudicate),
            "majority" => Ok(Self::Majority),
            "drop" => Ok(Self::Drop),
            _ => Err("there are adjudicate, majority and drop".to_owned()),
        }
    }
}

/// `[trainer]`: a program that fits instead of mlloop.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainerSpec {
    /// The program and its first arguments; the paths of the tables, of the parameters and of the output follow.
    pub command: Vec<String>,
    /// How long it may take.
    #[serde(default = "an_hour")]
    pub minutes: f64,
}

fn an_hour() -> f64 {
    60.0
}

impl TrainerSpec {
    fn check(&self) -> Result<(), String> {
        if self.command.first().is_none_or(|program| program.is_empty()) {
            return Err("[trainer] command names no program: command = [\"python\", \"train.py\"]".to_owned());
        }
        if !(self.minutes > 0.0 && self.minutes <= 10_000.0) {
            return Err(format!("[trainer] minutes = {} must be above 0 and at most 10000", self.minutes));
        }
        Ok(())
    }
}

/// `[retrain]`: what a challenger learns from, and how soon there may be another.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RetrainRules {
    /// Fewest rows with a label that no version has learned from.
    pub min_new_labels: u64,
    /// Hours that must have passed since the last retrain.
    pub cooldown_hours: f64,
    /// Share of the reference's training rows that a challenger learns from again, above 0 and at most 1.
    pub replay: f64,
    /// Whether rows of `[monitor] current` whose target is filled in are outcomes.
    pub outcomes: bool,
    /// Whether the challenger is also stored as ONNX, where it can be.
    pub export: bool,
    /// Whether `run` trains a challenger by itself, or asks a person first.
    pub approval: Approval,
}

impl Default for RetrainRules {
    fn default() -> Self {
        Self {
            min_new_labels: 50,
            cooldown_hours: 0.0,
            replay: 1.0,
            outcomes: true,
            export: true,
            approval: Approval::Auto,
        }
    }
}

impl RetrainRules {
    fn check(&self) -> Result<(), String> {
        if !(self.replay > 0.0 && self.replay <= 1.0) {
            return Err(format!("[retrain] replay = {} must be above 0 and at most 1", self.replay));
        }
        if !(self.cooldown_hours.is_finite() && self.cooldown_hours >= 0.0) {
            return Err(format!("[retrain] cooldown_hours = {} must be a number of at least 0", self.cooldown_hours));
        }
        Ok(())
    }
}

/// `[data]`: where the rows are and how they are written.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataSpec {
    /// The rows that production learns from, relative to the workspace.
    pub reference: PathBuf,
    /// Field separator.
    #[serde(default = "comma")]
    pub delimiter: char,
    /// Whether the first record names the columns.
    #[serde(default = "yes")]
    pub header: bool,
    /// Texts that mean "missing".
    #[serde(default = "default_missing")]
    pub missing: Vec<String>,
    /// Lines before the header that are no part of a table.
    #[serde(default)]
    pub skip_lines: u64,
    /// What lines begin with that are no part of a table.
    #[serde(default)]
    pub comment: Option<char>,
    /// The column that says how much each row counts.
    #[serde(default)]
    pub weight: Option<String>,
}

fn comma() -> char {
    ','
}

fn yes() -> bool {
    true
}

fn default_missing() -> Vec<String> {
    DEFAULT_MISSING.map(str::to_owned).to_vec()
}

impl Config {
    /// Reads the text of a `mlloop.toml`.
    ///
    /// # Errors
    /// What is wrong with it, with line and column.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut config: Self = toml::from_str(text).map_err(|err| place(text, &err))?;
        config.watch()?;
        let named = |name: &str| config.columns.iter().find(|c| c.name == name);
        match named(&config.target.column) {
            None => {
                return Err(format!(
                    "[target] column = {:?} is not in [columns]{}",
                    config.target.column,
                    instead(&config.target.column, config.columns.iter().map(|c| c.name.as_str()))
                ));
            }
            Some(c) if matches!(c.kind, Kind::Ignore | Kind::Id | Kind::Time | Kind::Text) => {
                return Err(format!("the target {:?} must be a number or a category in [columns]", c.name));
            }
            Some(_) => {}
        }
        if is_address(&config.data.reference) {
            return Err("[data] reference must be a file, for what versions learned from must stay as it was: \
                        `mlloop download ADDRESS` makes one"
                .to_owned());
        }
        if !config.data.delimiter.is_ascii() {
            return Err("[data] delimiter must be one ASCII character".to_owned());
        }
        let ids: Vec<&str> = config.columns.iter().filter(|c| c.kind == Kind::Id).map(|c| c.name.as_str()).collect();
        if ids.len() > 1 {
            return Err(format!("[columns] names several ids ({}): keep one, the others are text", ids.join(", ")));
        }
        for column in &config.columns {
            if let Some(number) = &column.number {
                number.check().map_err(|what| format!("[columns] {:?}: {what}", column.name))?;
                if !matches!(column.kind, Kind::Number | Kind::Id) {
                    return Err(format!(
                        "[columns] {:?} says how numbers are written, but is neither a number nor an id",
                        column.name
                    ));
                }
            }
        }
        let columns: Vec<(&str, Kind)> = config.columns.iter().map(|c| (c.name.as_str(), c.kind)).collect();
        derive::check(&config.features.derived, &columns, &config.target.column)?;
        config.target.check(&columns, &config.features)?;
        config.check_limits(&columns)?;
        if let Some(weight) = &config.data.weight {
            check_weight(weight, &columns, &config.target.column, (&config.features, &config.decision))?;
        }
        config.split.shares()?;
        let numbers = config.columns.iter().filter(|c| c.kind == Kind::Number).map(|c| c.name.as_str());
        config.split.check_parts(&numbers.collect::<Vec<_>>())?;
        config.monitor.check(&config.columns.iter().map(|c| c.name.as_str()).collect::<Vec<_>>())?;
        config.train.search.check()?;
        config.labels.check()?;
        config.retrain.check()?;
        config.trainer.as_ref().map_or(Ok(()), TrainerSpec::check)?;
        config.notify.check()?;
        config.promote.check()?;
        config.track.check()?;
        Ok(config)
    }

    /// Lets columns that are watched though the model does not read them be read: they are of the kind that `[monitor.watch]`
    /// says, and no features. The same of the column that `[monitor] entity` names.
    fn watch(&mut self) -> Result<(), String> {
        let entity = self.monitor.entity.as_deref();
        let ignored = self.columns.iter_mut().find(|c| Some(c.name.as_str()) == entity && c.kind == Kind::Ignore);
        if let Some(column) = ignored {
            *column = ColumnSpec::new(column.name.clone(), Kind::Text);
            self.features.drop.push(column.name.clone());
        }
        for watched in &self.monitor.watch {
            let name = &watched.name;
            let wrong = |what: String| Err(format!("[monitor.watch] {name:?} {what}"));
            if *name == self.target.column {
                return wrong("is the target, which is watched anyway".to_owned());
            }
            let names = self.columns.iter().map(|column| column.name.clone()).collect::<Vec<_>>();
            let Some(column) = self.columns.iter_mut().find(|column| column.name == *name) else {
                let there = instead(name, names.iter().map(String::as_str));
                return wrong(format!("is not in [columns]{there}"));
            };
            if column.kind == Kind::Ignore {
                *column = watched.clone();
                self.features.drop.push(name.clone());
            } else if column.kind != watched.kind {
                return wrong(format!("is {:?}, but {:?} in [columns]", watched.kind.name(), column.kind.name()));
            }
        }
        Ok(())
    }

    /// Whether what `[model]` forbids trees to do is about features of this loop.
    fn check_limits(&self, columns: &[(&str, Kind)]) -> Result<(), String> {
        let derived = derive::kinds(&self.features.derived, columns, &self.target.column);
        let all: Vec<(&str, Kind)> =
            columns.iter().copied().chain(derived.iter().map(|(name, kind)| (name.as_str(), *kind))).collect();
        self.model.check_limits(Named {
            columns: &all,
            target: &self.target.column,
            drop: &self.recipe().features.drop,
        })?;
        match self.target.task {
            Some(task) if !self.model.monotone.is_empty() => {
                self.model.check(task).map(|_| ()).map_err(|err| format!("[model] {err}"))
            }
            _ => Ok(()),
        }
    }

    /// How the loop's tables are written and typed.
    #[must_use]
    pub fn schema(&self) -> Schema {
        let DataSpec { delimiter, header, missing, skip_lines, comment, .. } = &self.data;
        Schema {
            dialect: Dialect {
                delimiter: *delimiter,
                header: *header,
                missing: missing.clone(),
                skip_lines: *skip_lines,
                comment: *comment,
            },
            columns: self.columns.clone(),
        }
    }

    /// The column that says what a row is about, where rows about the same thing are alike.
    #[must_use]
    pub fn entity(&self) -> Option<&str> {
        self.monitor.entity.as_deref().or(self.split.key())
    }

    /// What decides what is learned.
    #[must_use]
    pub fn recipe(&self) -> Recipe {
        let mut features = self.features.clone();
        features.drop.extend(self.data.weight.iter().filter(|name| !self.features.drop.contains(name)).cloned());
        Recipe {
            target: self.target.clone(),
            split: self.split.clone(),
            features,
            model: self.model.clone(),
            decision: self.decision.clone(),
            quality: self.train.quality,
            search: self.train.search,
            weight: self.data.weight.clone(),
        }
    }

    /// The file that `init` writes; `comments` are (column, why it is what it is).
    #[must_use]
    pub fn to_commented_toml(&self, comments: &[(String, String)]) -> String {
        let mut text =
            String::from("# What this loop learns, and how. Written by `mlloop init`; edit it as you like.\n\n");
        self.write_data(&mut text);
        self.write_columns(&mut text, comments);
        self.write_split(&mut text);
        text.push_str(TAIL);
        text
    }

    fn write_split(&self, text: &mut String) {
        let SplitSpec { by, column, columns, tune, gate } = &self.split;
        let by = quote(&format!("{by:?}").to_lowercase());
        let column = column.as_ref().map(|name| format!("column = {}\n", quote(name))).unwrap_or_default();
        let parts: Vec<String> = columns.iter().map(|name| quote(name)).collect();
        let columns = if parts.is_empty() { String::new() } else { format!("columns = [{}]\n", parts.join(", ")) };
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "\n[split]\nby = {by:<9} # id; row: equal rows stay together (also without an id column); time: the latest rows \
             judge; column: column = \"customer\"\n{column}{columns}tune = {tune:<7} # share of rows for early stopping, calibration \
             and the threshold\ngate = {gate:<7} # share of rows that no version learns from; versions are compared on them\n"
        );
    }

    fn write_data(&self, text: &mut String) {
        let DataSpec { reference, delimiter, header, missing, skip_lines, comment, weight } = &self.data;
        let quoted: Vec<String> = missing.iter().map(|m| quote(m)).collect();
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "[data]\nreference = {}   # the rows to learn from, relative to this file\ndelimiter = {}\nheader = {header}\n\
             missing = [{}]   # texts that mean \"missing\"; spaces around them do not count\n",
            quote(&reference.to_string_lossy()),
            quote(&delimiter.to_string()),
            quoted.join(", "),
        );
        if *skip_lines > 0 {
            let _ = writeln!(text, "skip_lines = {skip_lines}   # lines before the header that are no part of a table");
        }
        if let Some(mark) = comment {
            let mark = quote(&mark.to_string());
            let _ = writeln!(text, "comment = {mark}   # what lines begin with that are no part of a table");
        }
        if let Some(weight) = weight {
            let _ = writeln!(text, "weight = {}   # how much each row counts", quote(weight));
        }
        text.push('\n');
        let _ = writeln!(text, "[target]\ncolumn = {}", quote(&self.target.column));
        if let Some(task) = self.target.task {
            let name = format!("{task:?}").to_lowercase();
            let _ = writeln!(text, "task = {}   # binary, multiclass or regression", quote(&name));
        }
        if let Some(positive) = &self.target.positive {
            let _ = writeln!(text, "positive = {}   # the class that scores count toward", quote(positive));
        }
        text.push('\n');
    }

    fn write_columns(&self, text: &mut String, comments: &[(String, String)]) {
        text.push_str(
            "# id: names the row, never a feature · time · number · category: one of few texts · text: kept, not a feature\n\
             # constant: not a feature · ignore: not read\n\
             # Levels that differ in case, in spaces around them or as 2 and 2.0 are one value; same = false keeps them apart,\n\
             # same = { Yes = [\"ja\"] } adds other spellings.\n[columns]\n",
        );
        for column in &self.columns {
            let kind = quote(column.kind.name());
            let name = quote(&column.name);
            let why = comments.iter().find(|(name, _)| *name == column.name);
            let comment = why.map(|(_, why)| comment(why)).unwrap_or_default();
            let mut parts = vec![format!("kind = {kind}")];
            parts.extend(column.format.as_ref().map(|format| format!("format = {}", quote(format))));
            parts.extend(column.number.as_ref().map(|number| format!("number = {}", number_format(number))));
            parts.extend(written_spelling(&column.spelling));
            let _ = match parts.as_slice() {
                [_] => writeln!(text, "{name} = {kind}{comment}"),
                parts => writeln!(text, "{name} = {{ {} }}{comment}", parts.join(", ")),
            };
        }
    }
}

/// The text of a `mlloop.toml` with another `[data] reference`.
pub(super) fn with_reference(text: &str, reference: &str) -> Result<String, String> {
    #[derive(Deserialize)]
    struct File {
        data: Data,
    }
    #[derive(Deserialize)]
    struct Data {
        reference: toml::Spanned<String>,
    }
    let file: File = toml::from_str(text).map_err(|err| place(text, &err))?;
    let span = file.data.reference.span();
    let (Some(before), Some(after)) = (text.get(..span.start), text.get(span.end..)) else {
        return Err("[data] reference is not found".to_owned());
    };
    Ok(format!("{before}{}{after}", quote(reference)))
}

/// How numbers are written, as an inline table.
fn number_format(format: &NumberFormat) -> String {
    let thousands = format.thousands.map(|c| format!(", thousands = {}", quote(&c.to_string()))).unwrap_or_default();
    let unit = format.unit.as_ref().map(|unit| format!(", unit = {}", quote(unit))).unwrap_or_default();
    format!("{{ decimal = {}{thousands}{unit} }}", quote(&format.decimal.to_string()))
}

/// `levels = […]` and `same = …`, where something is said.
fn written_spelling(spelling: &Spelling) -> Vec<String> {
    let list = |texts: &[String]| format!("[{}]", texts.iter().map(|t| quote(t)).collect::<Vec<_>>().join(", "));
    let mut parts = Vec::new();
    if !spelling.levels().is_empty() {
        parts.push(format!("levels = {}", list(spelling.levels())));
    }
    match spelling.same() {
        Same::Rule(true) => {}
        Same::Rule(false) => parts.push("same = false".to_owned()),
        Same::Listed(listed) => {
            let pairs = listed.iter().map(|(name, others)| format!("{} = {}", quote(name), list(others)));
            parts.push(format!("same = {{ {} }}", pairs.collect::<Vec<_>>().join(", ")));
        }
    }
    parts
}

/// A basic TOML string on one line, as a value or a key.
fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            c if c.is_control() => {
                // Writing to a String cannot fail.
                let _ = write!(quoted, "\\u{:04X}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// A comment at the end of a line: one line without control characters, of bounded length.
fn comment(text: &str) -> String {
    const LONGEST: usize = 300;
    let plain: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST).collect();
    let cut = if text.chars().nth(LONGEST).is_some() { "…" } else { "" };
    format!("   # {plain}{cut}")
}

fn place(text: &str, err: &toml::de::Error) -> String {
    let message = plain(err.message());
    let Some(span) = err.span() else { return message };
    let line = text[..span.start.min(text.len())].matches('\n').count();
    if err.message().starts_with("duplicate key") {
        return format!("line {}: {}", line + 1, twice(text, line));
    }
    // What serde says is about a value that is TOML; else it is the line that is none.
    let is_toml = message != err.message().trim_end() || err.message().contains("is not a kind");
    let written = text.lines().nth(line).and_then(toml_line).filter(|_| !is_toml);
    format!("line {}: {}", line + 1, written.unwrap_or(message))
}

/// What stands a second time, from a line counted from 0, and where it stood before.
fn twice(text: &str, line: usize) -> String {
    let name = |line: &str| {
        let plain = line.split('#').next().unwrap_or_default().trim();
        let end = if plain.starts_with('[') { plain.len() } else { plain.find('=').unwrap_or(plain.len()) };
        plain[..end].trim().to_owned()
    };
    let key = text.lines().nth(line).map(name).unwrap_or_default();
    let before: Vec<&str> = text.lines().take(line).collect();
    let first = before.iter().rposition(|line| name(line) == key);
    let first = first.map_or_else(String::new, |at| format!("; it stood before on line {}", at + 1));
    format!("{key} stands a second time{first}: put both together")
}

/// The sections that have defaults, as comments that show them.
const TAIL: &str = r#"
[features]
# impute = "native"    # native: the trees handle missing values; median; mean
# scale = "none"       # standard: mean 0, deviation 1; minmax: 0 to 1
# outliers = "keep"    # rows that are learned from: clip, or drop
# clip = "none"        # iqr: outliers are moved to the fences
# drop = []            # columns to leave out
# [features.derived]   # columns that are computed from others, one by one; see docs/features.md
# ratio = "a / max(b, 1)"

[model]
algorithm = "gradient-boosting"   # random-forest, decision-tree
# n_estimators = 400   # these and other names mean what they mean in XGBoost and scikit-learn;
# max_depth = 6        # what is not set suits the table
# learning_rate = 0.05
# interactions = [["a", "b"], ["c"]]   # columns that may act together; "none": each by itself
# [model.monotone]     # the prediction may only rise or only fall with these
# balance = "increasing"

# [train]
# quality = "standard" # fast: one fit; the tune rows decide, and do not teach; best: a search over many
# budget = 60          # seconds of CPU time after which best tries nothing more
# tries = 12           # so many sets of parameters are tried by best

# [trainer]            # a program that fits instead; see docs/features.md
# command = ["python", "train.py"]

[decision]
imbalance = "none"       # weights: rare classes weigh more; smote: made-up rows of the rare classes
calibration = "auto"     # platt, isotonic, none
threshold = "f1"         # 0.35; { alerts = 0.02 }; { cost_fp = 1, cost_fn = 10 }

[monitor]
current = "data/current.csv"   # what arrived since, unless `monitor` is given a table
# preset = "default"     # evidently, psi
# drift_share = 0.25     # from this share of drifted columns on, retrain
# [monitor.triggers]     # each can be switched off with false
# psi = 0.2
# new_rows = 1000
# unused_feedback = 50
# count = "labelled"
# recent_accuracy = 0.7
# metric_drop = "sure"  # or by how much the primary metric may drop: 0.05
# max_age_days = 90      # off unless set
# [monitor.watch]        # columns that the model does not read, ignored ones too: in the report, no reason to retrain
# region = "category"    # number, time; { kind = "time", format = "%d/%m/%Y" }
# [monitor.columns."NAME"]
# method = "wasserstein" # ks, psi, jensenshannon, chisquare, …; see docs/methods.md
# threshold = 0.1

# [labels]
# policy = "adjudicate"  # where annotators differ: nothing until decided; majority; drop
# auto_export = 300      # rows that `run` hands out to be labelled when it finds drift or too few labels; unset: none
# store = "postgres://USER@HOST/DATABASE/TABLE"  # labels and feedback of several machines; no password: PGPASSWORD, ~/.pgpass

# [retrain]
# min_new_labels = 50      # fewer new labels than this are too few to learn from
# cooldown_hours = 0       # hours since the last retrain
# replay = 1.0             # share of the old training rows that is learned from again
# approval = "auto"        # manual: `run` asks before it trains, a person answers with `approve` or `reject`

# [notify]
# channels = ["email"]     # console, email, webhook: who is told of drift, versions, decisions and failures
# [notify.email]           # user and password: MLLOOP_SMTP_USER, MLLOOP_SMTP_PASSWORD
# host = "smtp.example.org"
# from = "mlloop@example.org"
# to = ["ml@example.org"]

[promote]
min_improvement = 0.02   # least improvement, as a share of production's value
approval = "auto"        # manual: `promote` asks, a person answers with `approve` or `reject`
# notice = "2h"          # with auto: told so long before the promotion, which `reject` stops; 0s: at once
# metric = "pr_auc"      # unset: roc_auc, f1_macro or r2
# alpha = 0.05           # chance of promoting a challenger that is no better
# margin = 0.0           # the improvement must surely be above this
# delta = 0.01           # surely less than this worse is equivalent, see --allow-equivalent
# approval_days = 7
# keep_versions = 5      # older ones are pruned, never production, its predecessor or the challenger
# holdout = "warn"       # spend: each further use of the same gate rows is tested more strictly
# [promote.guardrails]   # each can be switched off with false
# calibration = 0.05     # largest rise of the Brier score, as a share
# slices = 0.1           # largest rise of the loss in a level or a quarter of a column, as a share
# flip_rate = 0.3        # largest share of rows whose class changes
# latency_ratio = 3.0
# schema = true          # the same columns are needed
"#;

#[cfg(test)]
mod tests {
    use super::{comment, place, quote, with_reference};

    #[test]
    fn what_stands_twice_is_named_with_both_lines() {
        for (text, says) in [
            (
                "[promote]\nalpha = 0.1\n[labels]\n[promote] # mine\n",
                "line 4: [promote] stands a second time; it stood before on line 1: put both together",
            ),
            (
                "[promote]\nalpha = 0.1 # a\nalpha=0.2\n",
                "line 3: alpha stands a second time; it stood before on line 2: put both together",
            ),
        ] {
            let err = toml::from_str::<toml::Table>(text).unwrap_err();
            assert_eq!(place(text, &err), says);
        }
    }

    #[test]
    fn any_text_is_a_key_and_a_comment_on_one_line() {
        for name in ["a\nb", "a\r\nb", "tab\t", "bell\u{7}", "\u{7f}", "quo\"te", "back\\slash", "\u{85}", "'", "é", ""]
        {
            let text = format!("{} = {}{}\n", quote(name), quote(name), comment(name));
            let table: toml::Table = toml::from_str(&text).unwrap();
            assert_eq!(table[name].as_str(), Some(name));
            assert_eq!(text.lines().count(), 1, "{text}");
        }
        assert!(comment(&"x".repeat(200_000)).len() < 400);
    }

    #[test]
    fn only_the_reference_is_renamed() {
        let text = "[data]  # where\nreference = '../a b.parquet'   # rows\nheader = true\n[target]\ncolumn = \"y\"\n";
        let renamed = with_reference(text, "data/reference.csv").unwrap();
        assert_eq!(renamed, text.replace("'../a b.parquet'", "\"data/reference.csv\""));
    }
}
