//! Rows to scores: valid cells are written straight into the model's matrix, invalid ones are reported.

use super::form::Form;
use super::problem::{Problem, Problems, Refusal, shorten};
use super::rows::{Raw, Rows};
use super::snapshot::Live;
use crate::features::{FeatureError, Refused};
use crate::pipeline::{Bound, Contribution, RowEncoder, Scores};
use crate::table::{Cell, CellReader, Column};

/// The requested additions to scores.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Wanted {
    /// Number of contributions.
    pub(super) explain: usize,
    /// Coverage of intervals and sets.
    pub(super) interval: Option<f64>,
}

/// The scores of rows by one version.
#[derive(Debug)]
pub(super) struct Scored {
    /// One row of scores per row.
    pub(super) scores: Scores,
    /// The strongest contributions of each row, if requested.
    pub(super) reasons: Vec<Vec<Contribution>>,
    /// The prediction interval or set of each row, if requested.
    pub(super) bounds: Vec<Bound>,
    /// Rows with a level that training did not have, by column.
    pub(super) unseen: Vec<(String, u64)>,
}

/// Scores the rows `which` with `live`; `windows` are the values of its windows in these rows.
///
/// # Errors
/// [`Refusal::Rows`] with all invalid cells.
pub(super) fn score(
    live: &Live,
    (form, rows): (&Form, &Rows),
    which: &[usize],
    windows: &[Column],
    wanted: Wanted,
) -> Result<Scored, Refusal> {
    let pipeline = &live.model.pipeline;
    if let Some(level) = wanted.interval {
        pipeline.check_level(level).map_err(|err| Refusal::Malformed(format!("in the address: {err}")))?;
    }
    let Encoded { values, problems, unseen } = encode(live, form, rows, which, windows);
    if !problems.is_empty() {
        return Err(Refusal::Rows(problems));
    }
    let fault = |err: crate::pipeline::PipelineError| Refusal::Internal(err.to_string());
    let (scores, matrix) = pipeline.score_features(values).map_err(fault)?;
    let bounds = wanted.interval.map(|level| pipeline.bounds_of(&matrix, &scores, level)).transpose().map_err(fault)?;
    let reasons = match wanted.explain {
        0 => Vec::new(),
        n => {
            let mut reasons = pipeline.explain(&matrix, &scores, n).map_err(fault)?;
            let cell = |row: usize, column: &str| text_of(live, rows, which[row], column);
            pipeline.name_words(&mut reasons, &scores, cell);
            reasons
        }
    };
    let columns = pipeline.features.inputs().map(|(name, _)| name.to_owned()).zip(unseen);
    Ok(Scored {
        scores,
        reasons,
        bounds: bounds.unwrap_or_default(),
        unseen: columns.filter(|(_, n)| *n > 0).collect(),
    })
}

/// The text of a row in a column; `None` if it is missing or not a text.
fn text_of<'r>(live: &Live, rows: &'r Rows, row: usize, column: &str) -> Option<&'r str> {
    let input = live.model.pipeline.features.inputs().position(|(name, _)| name == column)?;
    match rows.cell(row, *live.inputs.get(input)?) {
        Raw::Text(start, end) => Some(rows.text(start, end)),
        _ => None,
    }
}

/// The features of rows, errors of their cells, and per input the number of unseen levels.
struct Encoded {
    values: Vec<f32>,
    problems: Problems,
    unseen: Vec<u64>,
}

/// The features of the rows `which`.
fn encode(live: &Live, form: &Form, rows: &Rows, which: &[usize], windows: &[Column]) -> Encoded {
    let features = &live.model.pipeline.features;
    let mut encoder = RowEncoder::new(&live.model.pipeline, which.len());
    let mut problems = Problems::default();
    let mut unseen = vec![0; live.inputs.len()];
    let mut digits = String::new();
    for (at, &row) in which.iter().enumerate() {
        for (input, (&place, reader)) in live.inputs.iter().zip(&live.model.readers).enumerate() {
            let raw = rows.cell(row, place);
            if raw == Raw::Absent {
                problems.push(|| Problem::of_cell(row, form.name(place), "missing"));
                continue;
            }
            let wrong = match understand(rows, raw, reader, &mut digits) {
                Some(Cell::Number(value)) if value.is_infinite() => Some(Wrong::NotFinite),
                Some(cell) => {
                    if let Cell::Level(level) = cell {
                        unseen[input] += u64::from(!features.has_level(input, level));
                    }
                    encoder.set(at, input, cell).err().map(Wrong::from)
                }
                None => Some(Wrong::Kind),
            };
            if let Some(wrong) = wrong {
                problems.push(|| Problem::of_cell(row, form.name(place), complaint(rows, raw, reader, &wrong)));
            }
        }
    }
    if !problems.is_empty() {
        return Encoded { values: Vec::new(), problems, unseen };
    }
    let values = encoder.finish(windows).unwrap_or_else(|err| {
        match &err {
            FeatureError::Negative { column, row, value } => problems.push(|| {
                let what = format!("is {value}, which {}", Refused::Negative);
                Problem::of_cell(which[row - 1], column, what)
            }),
            err => problems.push(|| Problem::of_row(which[0], &err.to_string())),
        }
        Vec::new()
    });
    Encoded { values, problems, unseen }
}

/// Why a cell is invalid.
enum Wrong {
    Kind,
    /// `"1e400"`, `"inf"`: not a finite number, as text or as a JSON number.
    NotFinite,
    /// The error of a feature.
    Rule(Refused),
}

impl From<Refused> for Wrong {
    fn from(refused: Refused) -> Self {
        if refused == Refused::Kind { Self::Kind } else { Self::Rule(refused) }
    }
}

/// Interprets a cell for a column: a text is read as in a file; a number in a text column becomes its digits.
pub(super) fn understand<'a>(
    rows: &'a Rows,
    raw: Raw,
    reader: &'a CellReader,
    digits: &'a mut String,
) -> Option<Cell<'a>> {
    match raw {
        Raw::Absent | Raw::Null => Some(Cell::Missing),
        Raw::Nested => None,
        Raw::Text(start, end) => reader.text(rows.text(start, end)),
        Raw::Number(value) => match reader.number(value) {
            Some(cell) => Some(cell),
            None => {
                let mut written = Vec::new();
                crate::table::push_number(&mut written, value);
                digits.clear();
                digits.push_str(&String::from_utf8_lossy(&written));
                reader.text(digits)
            }
        },
        // Read like the words in a file, which may stand for 0 and 1.
        Raw::Bool(value) => reader.text(if value { "true" } else { "false" }),
    }
}

/// The message for an invalid cell.
fn complaint(rows: &Rows, raw: Raw, reader: &CellReader, wrong: &Wrong) -> String {
    let value = match raw {
        Raw::Absent | Raw::Null => "null".to_owned(),
        Raw::Nested => return format!("is a list or an object, not {}", reader.expected()),
        Raw::Bool(value) => value.to_string(),
        Raw::Number(value) => value.to_string(),
        Raw::Text(start, end) => format!("{:?}", shorten(rows.text(start, end))),
    };
    match wrong {
        Wrong::Kind => format!("is {value}, not {}", reader.expected()),
        Wrong::NotFinite => format!("is {value}, which is not finite"),
        Wrong::Rule(rule) => format!("is {value}, which {rule}"),
    }
}
