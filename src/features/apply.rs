//! Cells to features, column by column within chunks of rows.

use rayon::prelude::*;

use super::encoder::{Encoder, NumberEncoder, RawColumn, write_parts};
use super::error::{FeatureError, Refused};
use super::learn::OutOfFold;
use super::options::TimePart;
use super::target::kind_of;
use super::text::{Reader, TextEncoder};
use crate::table::{Categories, Cell, Column, MISSING_TIME, Table, Texts, Values};

/// Rows that one task fills: their features stay in the second-level cache while column after column is written.
const CHUNK_ROWS: usize = 1024;
/// With fewer rows than this, one thread is faster.
const PARALLEL_ROWS: usize = 4 * CHUNK_ROWS;

/// A raw column of a table with its encoder, ready to be read cell by cell.
pub(super) struct Bound<'a> {
    /// First feature of this column and how many there are.
    start: usize,
    width: usize,
    column: &'a str,
    cells: Cells<'a>,
}

enum Cells<'a> {
    Numbers {
        values: &'a [f64],
        encoder: &'a NumberEncoder,
    },
    Levels {
        codes: &'a [u32],
        slots: Slots<'a>,
        n_levels: usize,
        blocks: &'a [f32],
        folds: Option<&'a [u8]>,
    },
    Times {
        values: &'a [i64],
        parts: &'a [TimePart],
    },
    Texts {
        texts: &'a Texts,
        encoder: &'a TextEncoder,
    },
    /// Features of the training rows, row-major.
    Ready(&'a [f32]),
}

/// From the code of a table's level to the encoder's block.
enum Slots<'a> {
    /// Looked up once per level.
    Table(Vec<u32>),
    /// Looked up per row, if there are fewer rows than levels.
    Search { table: &'a [String], levels: &'a [String] },
}

impl Slots<'_> {
    /// The block of a code: its level's, or the one for missing or unseen.
    fn block(&self, code: u32, n_levels: usize) -> usize {
        match self {
            Self::Table(slots) => slots.get(code as usize).map_or(n_levels, |&s| s as usize),
            Self::Search { table, levels } => {
                table.get(code as usize).map_or(n_levels, |level| position(levels, level) as usize)
            }
        }
    }
}

/// The index of a level, or that of the block for unseen levels.
fn position(levels: &[String], level: &str) -> u32 {
    levels.binary_search_by(|l| l.as_str().cmp(level)).unwrap_or(levels.len() + 1) as u32
}

fn slots<'a>(categories: &'a Categories, levels: &'a [String]) -> Slots<'a> {
    let table = &*categories.levels;
    if table == levels {
        return Slots::Table((0..levels.len() as u32).collect());
    }
    if categories.codes.len() < table.len() {
        return Slots::Search { table, levels };
    }
    Slots::Table(table.iter().map(|level| position(levels, level)).collect())
}

/// Finds every input among `computed` columns and in `table`. A table in the inputs' order is searched in one pass.
pub(super) fn find<'a>(
    table: &'a Table,
    computed: &'a [Column],
    inputs: &[RawColumn],
) -> Result<Vec<&'a Column>, FeatureError> {
    let columns = table.columns();
    let mut found = Vec::with_capacity(inputs.len());
    let mut missing = Vec::new();
    let mut next = 0;
    for input in inputs {
        if let Some(column) = computed.iter().find(|column| column.name == input.column) {
            found.push(column);
            continue;
        }
        let mut around = (next..columns.len()).chain(0..next);
        match around.find(|&idx| columns[idx].name == input.column) {
            Some(idx) => {
                found.push(&columns[idx]);
                next = idx + 1;
            }
            None => missing.push(input.column.clone()),
        }
    }
    if missing.is_empty() { Ok(found) } else { Err(FeatureError::MissingColumns { columns: missing }) }
}

/// Binds a column to its encoder. `blocks` are those of [`Encoder::blocks`]; training rows, whose folds are given, get
/// out-of-fold values instead.
pub(super) fn bind<'a>(
    column: &'a Column,
    encoder: &'a Encoder,
    start: usize,
    blocks: &'a [f32],
    training: Option<(&'a OutOfFold, &'a [u8])>,
) -> Result<Bound<'a>, FeatureError> {
    let cells = match (&column.values, encoder) {
        (Values::Number(values), Encoder::Number(encoder)) => Cells::Numbers { values, encoder },
        (Values::Time(values), Encoder::TimeParts { parts }) => Cells::Times { values, parts },
        (Values::Text(texts), Encoder::Text(encoder)) => match training {
            Some((OutOfFold::Rows(values), _)) => Cells::Ready(values),
            _ => Cells::Texts { texts, encoder },
        },
        (Values::Category(categories), Encoder::OneHot(_) | Encoder::TargetStatistic(_) | Encoder::Codes(_)) => {
            let levels = encoder.levels().unwrap_or_default();
            let slots = slots(categories, levels);
            let (blocks, folds) = match training {
                Some((OutOfFold::Levels(blocks), folds)) => (blocks.as_slice(), Some(folds)),
                _ => (blocks, None),
            };
            Cells::Levels { codes: &categories.codes, slots, n_levels: levels.len(), blocks, folds }
        }
        (values, encoder) => {
            return Err(FeatureError::Kind {
                column: column.name.clone(),
                expected: encoder.kind(),
                found: kind_of(values),
            });
        }
    };
    Ok(Bound { start, width: encoder.n_features(), column: &column.name, cells })
}

/// The features of one cell; `blocks` are those of [`Encoder::blocks`].
pub(super) fn encode(encoder: &Encoder, blocks: &[f32], cell: Cell<'_>, out: &mut [f32]) -> Result<(), Refused> {
    match (encoder, cell) {
        (Encoder::Number(encoder), Cell::Number(value)) => out[0] = encoder.apply(value).ok_or(Refused::Negative)?,
        (Encoder::Number(encoder), Cell::Missing) => out[0] = encoder.apply(f64::NAN).ok_or(Refused::Negative)?,
        (Encoder::TimeParts { parts }, Cell::Time(micros)) => write_parts(parts, micros, out),
        (Encoder::TimeParts { parts }, Cell::Missing) => write_parts(parts, MISSING_TIME, out),
        (Encoder::Text(encoder), Cell::Level(text)) => encoder.apply(&mut Reader::default(), text, out),
        (Encoder::Text(encoder), Cell::Missing) => encoder.apply(&mut Reader::default(), "", out),
        (Encoder::OneHot(_) | Encoder::TargetStatistic(_) | Encoder::Codes(_), Cell::Level(_) | Cell::Missing) => {
            let levels = encoder.levels().unwrap_or_default();
            let block = match cell {
                Cell::Level(level) => position(levels, level) as usize,
                _ => levels.len(),
            };
            out.copy_from_slice(&blocks[block * out.len()..(block + 1) * out.len()]);
        }
        _ => return Err(Refused::Kind),
    }
    Ok(())
}

/// A table with every input bound to its encoder; writes the features of some rows at a time.
pub struct Rows<'a> {
    bound: Vec<Bound<'a>>,
    n_rows: usize,
    n_features: usize,
}

impl<'a> Rows<'a> {
    pub(super) fn new(bound: Vec<Bound<'a>>, n_rows: usize) -> Self {
        let n_features = bound.iter().map(|b| b.width).sum();
        Self { bound, n_rows, n_features }
    }

    /// Writes the features of the rows from `first` on into `out`, row-major, as many rows as fit.
    ///
    /// # Errors
    /// [`FeatureError::Negative`] if that rule is `error`.
    pub fn fill(&self, first: usize, out: &mut [f32]) -> Result<(), FeatureError> {
        fill_chunk(&self.bound, first, self.n_features, out)
    }

    /// The features of all rows, row-major.
    ///
    /// When several rows are refused, the error is that of the first chunk that has one, so it does not depend on
    /// threads.
    pub(super) fn all(&self) -> Result<Vec<f32>, FeatureError> {
        let mut values = vec![0.0_f32; self.n_rows * self.n_features];
        if self.n_rows < PARALLEL_ROWS {
            self.fill(0, &mut values)?;
            return Ok(values);
        }
        let refused = values
            .par_chunks_mut(CHUNK_ROWS * self.n_features)
            .enumerate()
            .filter_map(|(chunk, out)| self.fill(chunk * CHUNK_ROWS, out).err().map(|e| (chunk, e)))
            .min_by_key(|(chunk, _)| *chunk);
        match refused {
            Some((_, error)) => Err(error),
            None => Ok(values),
        }
    }
}

/// Joins the features of several columns into rows. `cells` holds those of one column after another, each column
/// row-major with its own width.
pub(super) fn side_by_side(cells: &[f32], widths: &[usize], n_rows: usize) -> Vec<f32> {
    let n_features: usize = widths.iter().sum();
    let mut values = vec![0.0_f32; n_rows * n_features];
    values.par_chunks_mut((CHUNK_ROWS * n_features).max(1)).enumerate().for_each(|(chunk, out)| {
        let mut start = 0;
        for &width in widths {
            let cells = cells[start * n_rows + chunk * CHUNK_ROWS * width..].chunks_exact(width);
            for (row, cells) in out.chunks_exact_mut(n_features).zip(cells) {
                row[start..start + width].copy_from_slice(cells);
            }
            start += width;
        }
    });
    values
}

fn fill_chunk(bound: &[Bound<'_>], first: usize, n_features: usize, out: &mut [f32]) -> Result<(), FeatureError> {
    for b in bound {
        let features = out.chunks_exact_mut(n_features).map(|row| &mut row[b.start..b.start + b.width]);
        match &b.cells {
            Cells::Numbers { values, encoder } => {
                for ((row, feature), &value) in (first..).zip(features).zip(&values[first..]) {
                    feature[0] = encoder.apply(value).ok_or_else(|| FeatureError::Negative {
                        column: b.column.to_owned(),
                        row: row + 1,
                        value,
                    })?;
                }
            }
            Cells::Levels { codes, slots, n_levels, blocks, folds } => {
                let per_fold = (n_levels + 2) * b.width;
                for ((row, feature), &code) in (first..).zip(features).zip(&codes[first..]) {
                    let fold = folds.map_or(0, |f| usize::from(f[row]) * per_fold);
                    let block = fold + slots.block(code, *n_levels) * b.width;
                    feature.copy_from_slice(&blocks[block..block + b.width]);
                }
            }
            Cells::Times { values, parts } => {
                for (feature, &micros) in features.zip(&values[first..]) {
                    write_parts(parts, micros, feature);
                }
            }
            Cells::Texts { texts, encoder } => {
                let mut reader = Reader::default();
                for (row, feature) in (first..).zip(features) {
                    encoder.apply(&mut reader, texts.get(row), feature);
                }
            }
            Cells::Ready(values) => {
                let cells = values[first * b.width..].chunks_exact(b.width);
                features.zip(cells).for_each(|(feature, cells)| feature.copy_from_slice(cells));
            }
        }
    }
    Ok(())
}
