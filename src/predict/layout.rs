//! The output for each row: the record, the answers, and the notation of their numbers.

use super::error::PredictError;
use super::options::{Format, PredictOptions};
use crate::pipeline::{Bound, Contribution, Digits, Pipeline, Scores};
use crate::table::{Batch, Ends, NumberFormat, Stream, push_field, record, with_tabs};
use rayon::prelude::*;
use std::borrow::Cow;
use std::io::Write;

/// The text format: that of the input table, except for a requested delimiter.
pub(super) struct Text {
    pub(super) ends: Ends,
    /// The table's delimiter.
    pub(super) delimiter: u8,
    pub(super) tabs: bool,
}

impl Text {
    pub(super) fn of(rows: &Stream, options: &PredictOptions) -> Self {
        Self { ends: rows.ends(), delimiter: rows.delimiter(), tabs: options.format == Format::Tsv }
    }

    /// Converts records with the table's delimiter, each ended by a line feed.
    pub(super) fn records(&self, records: Vec<u8>) -> Vec<u8> {
        match self.tabs {
            true => self.ends.records(with_tabs(&records, self.delimiter), b'\t'),
            false => self.ends.records(records, self.delimiter),
        }
    }
}

/// The names of the answers, with `_` appended if the table has a column of that name.
pub(super) fn free_names(answers: Vec<String>, taken: &[String]) -> Vec<String> {
    let free = |mut name: String| {
        while taken.contains(&name) {
            name.push('_');
        }
        name
    };
    answers.into_iter().map(free).collect()
}

/// One sentence per renamed answer.
pub(super) fn renamed(answers: &[String], taken: &[String]) -> Vec<String> {
    let free = free_names(answers.to_vec(), taken);
    let others = answers.iter().zip(free).filter(|(answer, free)| *answer != free);
    others
        .map(|(answer, free)| {
            format!(
                "the table already has a column {answer:?}: the added column is called \
                                       {free:?}"
            )
        })
        .collect()
}

/// The names of the columns added to each row.
pub(super) fn answers(pipeline: &Pipeline, options: &PredictOptions) -> Vec<String> {
    let words = pipeline.features.texts().next().is_some();
    let reason = |n| {
        let of_all = [format!("reason_{n}"), format!("contribution_{n}")];
        of_all.into_iter().chain(words.then(|| format!("words_{n}")))
    };
    let reasons = (1..=options.explain).flat_map(reason);
    let bounds = if options.interval.is_some() { pipeline.interval_columns() } else { &[] };
    let bounds = bounds.iter().map(|&name| name.to_owned());
    pipeline.answer_columns().into_iter().chain(bounds).chain(reasons).collect()
}

/// Findings about a batch of rows.
pub(super) struct Found<'a> {
    pub(super) pipeline: &'a Pipeline,
    pub(super) scores: &'a Scores,
    pub(super) reasons: &'a [Vec<Contribution>],
    /// The column with the true value of each row, if requested.
    pub(super) bounds: Option<&'a [Bound]>,
}

/// A column of the output.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Field {
    /// A field of the record.
    Raw(usize),
    /// One of the answers.
    Answer(usize),
}

/// Which columns are written, and how.
pub(super) struct Layout {
    pub(super) delimiter: u8,
    pub(super) answers: Vec<String>,
    /// `None`: the unchanged record, then all answers.
    pub(super) fields: Option<Vec<Field>>,
    pub(super) notation: Notation,
}

/// The notation of numbers, matching the table.
pub(super) struct Notation {
    /// Scores and contributions.
    pub(super) scores: NumberFormat,
    /// Numbers of the target.
    pub(super) target: NumberFormat,
}

impl Notation {
    pub(super) fn of(pipeline: &Pipeline) -> Self {
        let schema = &pipeline.schema;
        Self { scores: schema.notation(), target: schema.notation_of(&pipeline.target.name) }
    }
}

/// Formats the lines of `n_rows` rows, in pieces on several threads.
pub(super) fn in_pieces(n_rows: usize, push: impl Fn(usize, &mut Vec<u8>) + Sync) -> Vec<Vec<u8>> {
    const PIECE: usize = 2048;
    let starts: Vec<usize> = (0..n_rows).step_by(PIECE).collect();
    let piece = |&start: &usize| {
        let mut lines = Vec::new();
        (start..(start + PIECE).min(n_rows)).for_each(|row| push(row, &mut lines));
        lines
    };
    starts.par_iter().map(piece).collect()
}

impl Layout {
    pub(super) fn new(
        rows: &Stream,
        answers: Vec<String>,
        options: &PredictOptions,
        notation: Notation,
    ) -> Result<Self, PredictError> {
        let names = rows.names();
        let (asked, answers) = (answers.clone(), free_names(answers, names));
        let place = |column: &String| {
            // An answer takes precedence over a column of the table with the same name.
            let answer = asked.iter().position(|a| a == column);
            let answer = answer.or_else(|| answers.iter().position(|a| a == column)).map(Field::Answer);
            let field = answer.or_else(|| names.iter().position(|n| n == column).map(Field::Raw));
            field.ok_or_else(|| PredictError::NoColumn {
                column: column.clone(),
                have: names.iter().chain(&answers).cloned().collect(),
            })
        };
        let fields = match options.columns.is_empty() {
            true => None,
            false => Some(options.columns.iter().map(place).collect::<Result<Vec<_>, _>>()?),
        };
        // An answer requested by its usual name keeps it: the table's column of that name is not in the output.
        let said = |(asked, free): (String, String)| {
            let by_free = options.columns.is_empty() || !options.columns.contains(&asked);
            if by_free { free } else { asked }
        };
        let answers = asked.into_iter().zip(answers).map(said).collect();
        Ok(Self { delimiter: rows.delimiter(), answers, fields, notation })
    }

    pub(super) fn header(&self, raw: &[u8]) -> Vec<u8> {
        let mut line = Vec::new();
        self.record(raw, &mut line, |k, line| push_field(line, &self.answers[k], self.delimiter));
        line
    }

    /// The lines of a batch, in pieces.
    pub(super) fn batch(&self, batch: &Batch, found: &Found<'_>) -> Vec<Vec<u8>> {
        in_pieces(found.scores.n_rows(), |row, lines| {
            let answer = Answer { found, row, delimiter: self.delimiter };
            let raw = if batch.raw.is_empty() { &[] } else { batch.raw.get(row) };
            self.record(raw, lines, |k, line| answer.push(k, &self.notation, line));
        })
    }

    /// One line: the record and the answers, or the requested columns.
    fn record(&self, raw: &[u8], line: &mut Vec<u8>, answer: impl Fn(usize, &mut Vec<u8>)) {
        match &self.fields {
            None => {
                line.extend_from_slice(raw);
                for k in 0..self.answers.len() {
                    line.push(self.delimiter);
                    answer(k, line);
                }
            }
            Some(fields) => {
                let ends = record::field_ends(raw, self.delimiter);
                for (n, field) in fields.iter().enumerate() {
                    if n > 0 {
                        line.push(self.delimiter);
                    }
                    match *field {
                        Field::Answer(k) => answer(k, line),
                        Field::Raw(k) => {
                            let start = if k == 0 { 0 } else { ends.get(k - 1).map_or(raw.len(), |end| end + 1) };
                            line.extend_from_slice(&raw[start..ends.get(k).copied().unwrap_or(raw.len())]);
                        }
                    }
                }
            }
        }
        line.push(b'\n');
    }
}

/// The answers for one row.
pub(super) struct Answer<'a> {
    pub(super) found: &'a Found<'a>,
    pub(super) row: usize,
    pub(super) delimiter: u8,
}

/// An answer for one row.
pub(super) enum Said<'a> {
    Text(Cow<'a, str>),
    Number(Digits),
    /// A number of the target.
    Target(Digits),
    Nothing,
}

impl<'a> Answer<'a> {
    fn push(&self, k: usize, notation: &Notation, line: &mut Vec<u8>) {
        let mut number = |value: Digits, format: &NumberFormat| match format.is_plain() {
            // Writing to a Vec cannot fail.
            true => drop(write!(line, "{value}")),
            false => push_field(line, &format.respelled(&value.to_string()), self.delimiter),
        };
        match self.said(k) {
            Said::Text(text) => push_field(line, &text, self.delimiter),
            Said::Number(value) => number(value, &notation.scores),
            Said::Target(value) => number(value, &notation.target),
            Said::Nothing => {}
        }
    }

    pub(super) fn said(&self, k: usize) -> Said<'a> {
        let Found { pipeline, scores, reasons, bounds } = *self.found;
        let scores = scores.row(self.row);
        let class = pipeline.class_of(scores);
        let n_scores = if class.is_some() { scores.len() } else { 0 };
        let n_bounds = if bounds.is_some() { pipeline.interval_columns().len() } else { 0 };
        match (k, class) {
            (0, Some(class)) => Said::Text(Cow::Borrowed(&pipeline.target.classes[class])),
            (0, None) => Said::Target(pipeline.scale.digits(scores[0])),
            (k, _) if k <= n_scores => Said::Number(Digits::short(scores[k - 1])),
            (k, _) if k <= n_scores + n_bounds => match bounds.map(|bounds| &bounds[self.row]) {
                Some(Bound::Number { lower, .. }) if k == n_scores + 1 => Said::Target(pipeline.scale.digits(*lower)),
                Some(Bound::Number { upper, .. }) => Said::Target(pipeline.scale.digits(*upper)),
                Some(Bound::Classes(set)) => {
                    let names: Vec<&str> = set.iter().map(|&class| pipeline.target.classes[class].as_str()).collect();
                    Said::Text(Cow::Owned(names.join("|")))
                }
                None => Said::Nothing,
            },
            (k, _) => {
                let n = k - n_scores - n_bounds - 1;
                let width = if pipeline.features.texts().next().is_some() { 3 } else { 2 };
                let Some(reason) = reasons.get(self.row).and_then(|reasons| reasons.get(n / width)) else {
                    return Said::Nothing;
                };
                match (n % width, &reason.expression) {
                    (2, _) => Said::Text(Cow::Owned(reason.told_words())),
                    (0, None) => Said::Text(Cow::Borrowed(&reason.column)),
                    (0, Some(expression)) => Said::Text(Cow::Owned(format!("{} = {expression}", reason.column))),
                    _ => Said::Number(Digits::short(reason.value)),
                }
            }
        }
    }
}
