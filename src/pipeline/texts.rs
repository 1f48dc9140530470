//! Explanations of texts: the words behind a score, and two numbers per row that measure how its words differ from
//! training.

use super::{Contribution, Pipeline, Scores};
use crate::features::{Task, TermShare, TextEncoder};
use crate::table::{Column, ColumnSpec, Kind, Schema, Table, Texts, Values};
use std::collections::HashMap;

/// Maximum number of words named for a row.
const OF_ROW: usize = 5;
/// Maximum number of words named for a column; with several classes, for each class.
const OF_COLUMN: usize = 10;
const OF_CLASS: usize = 3;
/// Maximum number of scores whose distribution is monitored.
const WATCHED: usize = 3;
/// Maximum number of new words counted, and of those named.
const MAX_NEW: usize = 10_000;
const NAMED: usize = 5;

impl Pipeline {
    /// Adds the words with the strongest effect in each row's texts; `text` returns the cell of a row in a column.
    pub fn name_words<'t>(
        &self,
        why: &mut [Vec<Contribution>],
        scores: &Scores,
        text: impl Fn(usize, &str) -> Option<&'t str>,
    ) {
        for (column, encoder) in self.features.texts() {
            for (row, why) in why.iter_mut().enumerate() {
                let Some(output) = self.explained_output(encoder, scores.row(row)) else { continue };
                let Some(one) = why.iter_mut().find(|one| one.column == column) else { continue };
                if let Some(text) = text(row, column) {
                    one.words = encoder.strongest_in(text, output, OF_ROW);
                }
            }
        }
    }

    /// Which score of a text an explanation is about.
    fn explained_output(&self, encoder: &TextEncoder, scores: &[f64]) -> Option<usize> {
        match self.target.task {
            Task::Regression | Task::Binary => Some(0),
            Task::Multiclass => encoder.output_of(&self.target.classes[self.class_of(scores)?]),
        }
    }

    /// The words with the strongest effect in any row.
    pub(super) fn strongest_words(&self, column: &str) -> Vec<TermShare> {
        let Some((_, encoder)) = self.features.texts().find(|(name, _)| *name == column) else { return Vec::new() };
        if self.target.task != Task::Multiclass {
            return encoder.strongest_of(0, OF_COLUMN);
        }
        let mut all = Vec::new();
        for class in &self.target.classes {
            let Some(output) = encoder.output_of(class) else { continue };
            let of_class = encoder.strongest_of(output, OF_CLASS).into_iter();
            all.extend(of_class.map(|share| TermShare { toward: Some(class.clone()), ..share }));
        }
        all
    }

    /// `schema` with the columns of [`Pipeline::text_columns`].
    #[must_use]
    pub fn schema_with_texts(&self, mut schema: Schema) -> Schema {
        let names: Vec<String> = self.features.texts().flat_map(|(column, encoder)| names(column, encoder)).collect();
        let new: Vec<String> = names.into_iter().filter(|name| schema.column(name).is_none()).collect();
        schema.columns.extend(new.into_iter().map(|name| ColumnSpec::new(name, Kind::Number)));
        schema
    }

    /// For each text column in `table`: the scores of its words, and the share of its words that are unknown from
    /// training.
    #[must_use]
    pub fn text_columns(&self, table: &Table) -> Vec<Column> {
        let of_column = |(column, encoder): (&str, &TextEncoder)| {
            let Some(Values::Text(texts)) = table.column(column).map(|column| &column.values) else {
                return Vec::new();
            };
            let values = encoder.watched(texts, WATCHED);
            names(column, encoder)
                .into_iter()
                .zip(values)
                .map(|(name, values)| Column::new(name, Values::Number(values)))
                .collect()
        };
        let columns = self.features.texts().flat_map(of_column);
        columns.filter(|column| table.column(&column.name).is_none()).collect()
    }

    /// The column of texts that a column of [`Pipeline::text_columns`] is about.
    #[must_use]
    pub fn text_of(&self, name: &str) -> Option<&str> {
        self.features
            .texts()
            .find(|(column, encoder)| names(column, encoder).iter().any(|own| own == name))
            .map(|(column, _)| column)
    }
}

fn names(column: &str, encoder: &TextEncoder) -> Vec<String> {
    let scores = encoder.outputs().iter().take(WATCHED).map(|output| format!("{column} ({output})"));
    scores.chain([unseen_name(column)]).collect()
}

/// The name of the share of unseen words.
#[must_use]
pub fn unseen_name(column: &str) -> String {
    format!("{column} (unseen words)")
}

/// Words unknown from training, and how many rows of a sample have each, by column.
#[derive(Debug, Clone, Default)]
pub struct NewWords(HashMap<String, HashMap<String, u64>>);

impl NewWords {
    /// Counts the words of rows, up to ten thousand different ones of a column.
    pub fn push(&mut self, pipeline: &Pipeline, rows: &Table) {
        for (column, encoder) in pipeline.features.texts() {
            let Some(Values::Text(texts)) = rows.column(column).map(|column| &column.values) else { continue };
            let counts = self.0.entry(column.to_owned()).or_default();
            let mut of_row: Vec<String> = Vec::new();
            for text in texts.iter() {
                of_row.clear();
                encoder.each_unseen(text, |word| of_row.push(word.to_owned()));
                of_row.sort_unstable();
                of_row.dedup();
                for word in of_row.drain(..) {
                    if let Some(count) = counts.get_mut(&word) {
                        *count += 1;
                    } else if counts.len() < MAX_NEW {
                        counts.insert(word, 1);
                    }
                }
            }
        }
    }

    /// The most frequent new words of a column, in a sentence; `None` without any.
    #[must_use]
    pub fn named(&self, column: &str) -> Option<String> {
        let mut all: Vec<(&String, &u64)> = self.0.get(column)?.iter().collect();
        all.sort_unstable_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
        let rows = |n: u64| if n == 1 { "1 row".to_owned() } else { format!("{n} rows") };
        let named: Vec<String> = all.iter().take(NAMED).map(|(word, n)| format!("{word:?} ({})", rows(**n))).collect();
        (!named.is_empty()).then(|| named.join(", "))
    }
}

impl Contribution {
    /// Its words in one line, strongest first: `terrible +0.42, not good +0.31`; empty without any.
    #[must_use]
    pub fn told_words(&self) -> String {
        told_words(&self.words)
    }
}

/// Words with their effects, in one line.
#[must_use]
pub fn told_words(words: &[TermShare]) -> String {
    let told = |share: &TermShare| match &share.toward {
        Some(class) => format!("{} {:+.2} ({class})", share.term, share.value),
        None => format!("{} {:+.2}", share.term, share.value),
    };
    words.iter().map(told).collect::<Vec<_>>().join(", ")
}

/// The columns of texts of a table.
pub(super) fn only_texts(table: &Table, rows: &[u32]) -> Table {
    let texts = table.columns().iter().filter(|column| matches!(column.values, Values::Text(_)));
    Table::new(texts.map(|column| column.take(rows)).collect()).unwrap_or_default()
}

/// The text of a row of a table.
pub(super) fn cell<'t>(table: &'t Table, row: usize, column: &str) -> Option<&'t str> {
    let texts = |column: &'t Column| -> Option<&'t Texts> {
        if let Values::Text(texts) = &column.values { Some(texts) } else { None }
    };
    table.column(column).and_then(texts).map(|texts| texts.get(row))
}
