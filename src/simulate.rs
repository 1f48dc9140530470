//! Traffic generated from a table: the logic of `simulate`.
//!
//! ```text
//! table ─draw rows, new ids, drift─▶ pieces ─rate─▶ POST /predict of a server
//!                                              └───▶ the prediction log, as `predict --log` writes it
//! ```
//! The same table and seed give the same rows. Outcomes come from the table's target.

use crate::journal::{Journal, JournalError, Layout};
use crate::labels::{LabelError, became, record_outcomes};
use crate::pipeline::Pipeline;
use crate::predict::{Log, PredictError, PredictOptions, predict, windows};
use crate::registry::Version;
use crate::stats::random::rng;
use crate::table::{self, Column, Input, Kind, MISSING_TIME, ReadOptions, Schema, Table, TableError, Texts, Values};
use crate::train::{self, TrainError};
use crate::wording::instead;
use crate::workspace::{Workspace, WorkspaceError};
use jiff::Timestamp;
use rand::Rng;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::io::Cursor;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

/// Errors while generating traffic.
#[derive(Debug, thiserror::Error)]
pub enum SimulateError {
    /// Options that are invalid, or do not fit the table.
    #[error("{0}")]
    Usage(String),
    /// The server did not answer, or refused.
    #[error("{url}: {what}")]
    Server {
        /// Its address.
        url: String,
        /// The message of the server.
        what: String,
    },
    /// A table problem.
    #[error("{0}")]
    Table(#[from] TableError),
    /// Production cannot be loaded.
    #[error("{0}")]
    Train(#[from] TrainError),
    /// Rows cannot be scored or logged.
    #[error("{0}")]
    Predict(#[from] PredictError),
    /// The prediction log cannot be written.
    #[error("{0}")]
    Journal(#[from] JournalError),
    /// Outcomes cannot be recorded.
    #[error("{0}")]
    Labels(#[from] LabelError),
    /// A problem of the workspace.
    #[error("{0}")]
    Workspace(#[from] WorkspaceError),
}

/// A column to drift: `amount` or `amount=12`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drift {
    /// The column.
    pub column: String,
    /// A constant value for every row. If `None`, numbers rise by two standard deviations, and categories become the
    /// level that is rarest in the table.
    pub value: Option<String>,
}

impl FromStr for Drift {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (column, value) = match text.split_once('=') {
            Some((column, value)) => (column, Some(value.trim().to_owned())),
            None => (text, None),
        };
        match column.trim() {
            "" => Err("write COLUMN or COLUMN=VALUE".to_owned()),
            column => Ok(Self { column: column.to_owned(), value }),
        }
    }
}

/// The destination of rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum To {
    /// The prediction log of the loop.
    Log,
    /// A server.
    Server {
        /// Its address, such as `http://localhost:8080`.
        url: String,
        /// The token it requires of clients.
        token: Option<String>,
    },
}

/// The options of a simulation.
pub struct SimulateRequest<'a> {
    /// The table to draw rows from; the reference if `None`.
    pub table: Option<&'a Path>,
    /// How many rows.
    pub n: u64,
    /// Rows per second; as fast as accepted if `None`.
    pub rate: Option<f64>,
    /// Whether the outcome is sent with each row.
    pub with_labels: bool,
    /// Which columns drift.
    pub drift: &'a [Drift],
    /// The destination of rows.
    pub to: &'a To,
    /// Current time, injected at each piece.
    pub clock: &'a dyn Fn() -> Timestamp,
    /// Monotonic clock, in seconds.
    pub seconds: &'a dyn Fn() -> f64,
    /// Waits.
    pub pause: &'a dyn Fn(Duration),
    /// Progress callback: the number of rows sent.
    pub progress: &'a dyn Fn(u64),
    /// Seed of the draw.
    pub seed: u64,
}

/// What was sent.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Simulated {
    /// Rows that were scored.
    pub n_rows: u64,
    /// Of these, rows sent with their outcome.
    pub n_outcomes: u64,
    /// Number of requests, or of blocks written to the log.
    pub n_pieces: u64,
    /// The server's address, or `the prediction log`.
    pub to: String,
    /// Columns that drift.
    pub drift: Vec<String>,
    /// The first and the last id; none without rows or without an id column.
    pub ids: Option<(String, String)>,
}

/// Maximum number of rows per request.
const PIECE: u64 = 500;

/// Generates traffic.
///
/// # Errors
/// Errors of the table, the options, the log or the server. Rows sent before stay.
pub fn simulate(workspace: &Workspace, request: &SimulateRequest) -> Result<Simulated, SimulateError> {
    if request.rate.is_some_and(|rate| !(rate.is_finite() && rate > 0.0)) {
        return Err(SimulateError::Usage("--rate must be above 0 (rows per second)".to_owned()));
    }
    let (version, pipeline) = train::load(workspace, None)?;
    let config = workspace.config()?;
    let schema = Schema {
        columns: config.schema().columns.into_iter().filter(|column| column.kind != Kind::Ignore).collect(),
        ..config.schema()
    };
    let path = request.table.map_or_else(|| workspace.path(&config.data.reference), Path::to_owned);
    let options = ReadOptions { optional: optional(&pipeline, &schema), ..ReadOptions::default() };
    let source = drifted(table::read(Input::open(&path)?, &schema, &options)?.table, request.drift, &pipeline)?;
    if source.n_rows() == 0 {
        return Err(SimulateError::Usage(format!("{}: has no row to draw", path.display())));
    }
    let began = (request.clock)();
    let maker = Maker { source: &source, pipeline: &pipeline, schema: &schema, began, seed: request.seed };
    let mut told = Simulated {
        n_rows: 0,
        n_outcomes: 0,
        n_pieces: 0,
        to: match request.to {
            To::Log => "the prediction log".to_owned(),
            To::Server { url, .. } => url.clone(),
        },
        drift: request.drift.iter().map(|drift| drift.column.clone()).collect(),
        ids: maker.id().map(|_| (maker.name(0), maker.name(request.n.saturating_sub(1)))).filter(|_| request.n > 0),
    };
    let piece = request.rate.map_or(PIECE, |rate| (rate.ceil() as u64).clamp(1, PIECE));
    while told.n_rows < request.n {
        if let Some(rate) = request.rate {
            let ahead = told.n_rows as f64 / rate - (request.seconds)();
            if ahead > 0.0 {
                (request.pause)(Duration::from_secs_f64(ahead));
            }
        }
        let rows = maker.rows(told.n_rows, piece.min(request.n - told.n_rows))?;
        told.n_outcomes += match request.to {
            To::Log => log(workspace, version, &maker, &rows, request)?,
            To::Server { url, token } => post(url, token.as_deref(), &maker, &rows, request)?,
        };
        told.n_rows += rows.n_rows() as u64;
        told.n_pieces += 1;
        (request.progress)(told.n_rows);
    }
    Ok(told)
}

/// Columns that the table may lack: those that no feature needs.
fn optional(pipeline: &Pipeline, schema: &Schema) -> Vec<String> {
    let needed: Vec<&str> = pipeline.features.inputs().map(|(name, _)| name).collect();
    let names = schema.columns.iter().map(|column| column.name.clone());
    names.filter(|name| !needed.contains(&name.as_str())).collect()
}

/// The table with the drift applied.
fn drifted(table: Table, drift: &[Drift], pipeline: &Pipeline) -> Result<Table, SimulateError> {
    let mut columns = table.into_columns();
    for Drift { column: name, value } in drift {
        let usage = |what: String| SimulateError::Usage(format!("--drift {name}: {what}"));
        let inputs: Vec<&str> = pipeline.features.inputs().map(|(name, _)| name).collect();
        if !inputs.contains(&name.as_str()) {
            return Err(usage(format!("is not a column that production uses{}", instead(name, inputs))));
        }
        let Some(column) = columns.iter_mut().find(|column| column.name == *name) else {
            return Err(usage("is not in the table".to_owned()));
        };
        column.values = match (&column.values, value) {
            (Values::Number(numbers), None) => {
                let rise = 2.0 * deviation(numbers);
                Values::Number(numbers.iter().map(|number| number + rise).collect())
            }
            (Values::Number(numbers), Some(value)) => {
                let set: f64 = value.parse().map_err(|_| usage(format!("{value:?} is not a number")))?;
                Values::Number(vec![set; numbers.len()])
            }
            (Values::Category(levels), value) => {
                let set = value.clone().or_else(|| rarest(levels)).ok_or_else(|| usage("has no level".to_owned()))?;
                let texts = std::iter::repeat_n(set.as_str(), levels.codes.len());
                Values::Category(table::Categories::from_texts(texts))
            }
            _ => return Err(usage("is neither a number nor a category".to_owned())),
        };
    }
    Ok(Table::new(columns)?)
}

fn deviation(numbers: &[f64]) -> f64 {
    let known: Vec<f64> = numbers.iter().copied().filter(|number| number.is_finite()).collect();
    let n = known.len().max(1) as f64;
    let mean = known.iter().sum::<f64>() / n;
    (known.iter().map(|number| (number - mean).powi(2)).sum::<f64>() / n).sqrt()
}

/// The rarest level; on a tie, the first one.
fn rarest(levels: &table::Categories) -> Option<String> {
    let count = |code: usize| levels.codes.iter().filter(|&&c| c as usize == code).count();
    let present = (0..levels.levels.len()).map(|code| (count(code), code)).filter(|(n, _)| *n > 0);
    present.min().map(|(_, code)| levels.levels[code].clone())
}

/// Draws rows.
struct Maker<'a> {
    source: &'a Table,
    pipeline: &'a Pipeline,
    schema: &'a Schema,
    began: Timestamp,
    seed: u64,
}

impl Maker<'_> {
    /// The id column of the loop.
    fn id(&self) -> Option<String> {
        Layout::of(self.pipeline).id().map(str::to_owned)
    }

    /// The id of the row `n`, unique over calls of `simulate`.
    fn name(&self, n: u64) -> String {
        format!("sim-{}-{n:06}", self.began.as_microsecond())
    }

    /// The rows from `first` on.
    fn rows(&self, first: u64, n: u64) -> Result<Table, SimulateError> {
        let mut random = rng(self.seed, &format!("simulate {first}"));
        let rows: Vec<u32> = (0..n).map(|_| random.gen_range(0..self.source.n_rows() as u32)).collect();
        let mut columns = self.source.take(&rows).into_columns();
        if let Some(id) = self.id() {
            let names: Vec<String> = (first..first + n).map(|row| self.name(row)).collect();
            let values = Values::Text(names.iter().map(String::as_str).collect::<Texts>());
            match columns.iter_mut().find(|column| column.name == id) {
                Some(column) => column.values = values,
                None => columns.push(Column::new(id, values)),
            }
        }
        Ok(Table::new(columns)?)
    }

    fn has_outcomes(&self) -> bool {
        self.source.column(&self.pipeline.target.name).is_some()
    }
}

/// Scores and logs the rows, as `predict --log` does; returns the number of outcomes.
fn log(
    workspace: &Workspace,
    version: Version,
    maker: &Maker,
    rows: &Table,
    request: &SimulateRequest,
) -> Result<u64, SimulateError> {
    let mut csv = Vec::new();
    table::write_csv(&mut csv, rows, maker.schema).map_err(|err| SimulateError::Usage(err.to_string()))?;
    let outcomes = request.with_labels && maker.has_outcomes();
    let now = (request.clock)();
    let journal = Journal::of(workspace);
    let mut options = PredictOptions { columns: vec!["prediction".to_owned()], ..PredictOptions::default() };
    let name = request.table.map_or_else(
        || "rows drawn from the reference".to_owned(),
        |table| format!("rows drawn from {}", table.display()),
    );
    let input = || Input::from_reader(&name, Cursor::new(csv.clone()));
    options.windows = windows(|| Ok(input()), (workspace, version, maker.pipeline), &options, true)?;
    let log = Log { journal: &journal, version, arm: "", now, outcomes };
    let told = predict(input(), maker.pipeline, &options, Some(log), &mut std::io::sink())?;
    let n = told.outcomes.len() as u64;
    if n > 0 {
        let known = told.outcomes.into_iter().map(|(id, value)| became(id, value, now, version));
        record_outcomes(workspace, &workspace.lock()?, known, now)?;
    }
    Ok(n)
}

/// Sends the rows to a server; returns the number of outcomes.
fn post(
    url: &str,
    token: Option<&str>,
    maker: &Maker,
    rows: &Table,
    request: &SimulateRequest,
) -> Result<u64, SimulateError> {
    let wrong = |what: String| SimulateError::Server { url: url.to_owned(), what };
    let target = &maker.pipeline.target.name;
    let sent: Vec<&Column> = rows.columns().iter().filter(|column| column.name != *target).collect();
    let object =
        |row: usize| sent.iter().map(|column| (column.name.clone(), cell(&column.values, row))).collect::<Map<_, _>>();
    let mut body = json!({ "rows": (0..rows.n_rows()).map(object).collect::<Vec<_>>() });
    let mut n_outcomes = 0;
    if let Some(labels) = rows.column(target).filter(|_| request.with_labels) {
        let labels: Vec<Value> = (0..rows.n_rows()).map(|row| cell(&labels.values, row)).collect();
        n_outcomes = labels.iter().filter(|label| !label.is_null()).count() as u64;
        body["true_labels"] = json!(labels);
    }
    let agent = ureq::Agent::config_builder()
        .timeout_global(Some(Duration::from_secs(60)))
        .max_redirects(0)
        .http_status_as_error(false)
        .build()
        .new_agent();
    let mut call = agent.post(format!("{}/predict", url.trim_end_matches('/'))).content_type("application/json");
    if let Some(token) = token {
        call = call.header("Authorization", format!("Bearer {token}"));
    }
    let mut answer = call.send(&body.to_string()).map_err(|err| wrong(err.to_string()))?;
    if answer.status().is_success() {
        return Ok(n_outcomes);
    }
    let status = answer.status().as_u16();
    let said = answer.body_mut().read_to_string().unwrap_or_default();
    let told = serde_json::from_str::<Value>(&said).ok();
    let told = told.and_then(|told| ["detail", "title"].iter().find_map(|key| told[*key].as_str().map(str::to_owned)));
    Err(wrong(format!("answered {status}: {}", told.unwrap_or_else(|| said.chars().take(200).collect()))))
}

/// A cell as JSON.
fn cell(values: &Values, row: usize) -> Value {
    match values {
        Values::Number(numbers) if numbers[row].is_finite() => json!(numbers[row]),
        Values::Number(_) => Value::Null,
        Values::Category(levels) => json!(levels.level(row)),
        Values::Time(times) if times[row] == MISSING_TIME => Value::Null,
        Values::Time(times) => json!(Timestamp::from_microsecond(times[row]).map(|time| time.to_string()).ok()),
        Values::Text(texts) => json!(Some(texts.get(row)).filter(|text| !text.is_empty())),
    }
}
