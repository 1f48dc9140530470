//! Infers a table from its beginning, if that is sufficient, so that a long table need not be read twice.
//!
//! ```text
//! first 256 kB  ─infer_head─▶ a kind per column ─┬─ settled: no row to come can change it, if its cells fit
//!                                                 └─ open: ids, constants, …: more evidence is collected
//! whole table ──stream (typed by the guess)──▶ Stream::settle ─▶ as guessed │ another schema │ infer it
//! ```
//! The result is always the same as that of [`infer`](fn@super::infer).

use super::decide::{self, Beside, Decision};
use super::names::{ID_WORDS, TIME_WORDS, has_word};
use super::{Extent, conclude, gather};
use crate::table::csv::block::Sizes;
use crate::table::evidence::{Evidence, MAX_LEVELS};
use crate::table::input::Unpacked;
use crate::table::json::JsonLines;
use crate::table::stream::Stream;
use crate::table::{DEFAULT_MISSING, InferOptions, Input, Kind, Schema, TableError};

/// Number of bytes examined.
pub(super) const SIZES: Sizes = Sizes { block: 256 << 10, piece: 128 << 10 };

/// The result for the beginning of a table.
#[derive(Debug)]
pub struct Head {
    /// How to read it, as far as known.
    pub schema: Schema,
    /// The columns whose kind later rows may change; see [`ReadOptions::watch`](crate::table::ReadOptions::watch).
    pub open: Vec<String>,
    /// Whether this was the whole table.
    pub whole: bool,
    /// As in [`InferOptions`].
    numbers_vary: bool,
    /// Whether numbers may have a special notation, which only the whole table shows.
    marked: bool,
}

/// The result for the whole table, after it was read with the schema of its [`Head`].
#[derive(Debug, PartialEq, Eq)]
pub enum Settled {
    /// The same as for its beginning.
    AsGuessed,
    /// A different schema.
    Otherwise(Schema),
    /// Undetermined: only [`infer`](fn@super::infer) can decide.
    Unknown,
}

/// Examines about the first 256 kB of a CSV file, or a whole Parquet file.
///
/// # Errors
/// Errors of [`infer`](fn@super::infer) in this part.
pub fn infer_head(input: Input, options: &InferOptions) -> Result<Head, TableError> {
    let name = input.name().to_owned();
    let missing = options.missing.clone().unwrap_or_else(|| DEFAULT_MISSING.map(str::to_owned).to_vec());
    // Nothing stays open if the whole table was examined.
    let of_whole =
        |schema| Head { schema, open: Vec::new(), whole: true, numbers_vary: options.numbers_vary, marked: false };
    let plain = options.of_json();
    let (text, options) = match input.unpack()? {
        Unpacked::Text(text) => (text, options),
        Unpacked::Records(text) => (text, &plain),
        Unpacked::Json(text) => {
            let text = JsonLines::read(&name, text.reader)?.into_text(None);
            let gathered = gather(&name, text, &plain, missing, Extent::Whole)?;
            let schema = conclude(&name, &gathered, options)?.schema;
            return Ok(of_whole(schema));
        }
        #[cfg(feature = "parquet")]
        Unpacked::Parquet(file) => {
            let schema = super::infer(Input::from_file(&name, file), options)?.schema;
            return Ok(of_whole(schema));
        }
    };
    let gathered = gather(&name, text, options, missing, Extent::Head)?;
    let whole = gathered.whole;
    let is_open = |(name, seen): (&String, &Evidence)| {
        let beside = Beside { numbers_vary: options.numbers_vary, decimal: options.decimal, ..Beside::default() };
        let settled = whole || settled(name, &decide::decide(name, seen, beside), seen);
        (!settled).then(|| name.clone())
    };
    let marked = !whole && gathered.seen.iter().any(|seen| seen.marks.any());
    let open = gathered.names.iter().zip(&gathered.seen).filter_map(is_open).collect();
    let schema = conclude(&name, &gathered, options)?.schema;
    Ok(Head { schema, open, whole, numbers_vary: options.numbers_vary, marked })
}

/// Whether later rows cannot change the decision as long as their cells fit. Leading zeros in numbers, and categories
/// that become prose, are checked afterwards.
fn settled(name: &str, decision: &Decision, seen: &Evidence) -> bool {
    // Repeated values stay repeated, but counts beyond some thousands come from a sample.
    let repeats = seen.missing > 0 || seen.distinct.share() < 0.5;
    match decision.kind {
        Kind::Number => {
            let whole_numbers = seen.values(decision.number.as_ref()).integers == seen.present();
            let named = has_word(name, &TIME_WORDS) || whole_numbers && has_word(name, &ID_WORDS);
            !named && (!whole_numbers || repeats)
        }
        Kind::Category => repeats && !has_word(name, &ID_WORDS) && seen.distinct.count() <= MAX_LEVELS as u64,
        Kind::Time => seen.times.fitting().len() == 1,
        Kind::Constant | Kind::Id | Kind::Text | Kind::Ignore => false,
    }
}

/// Whether a column of levels, each with its count, is still a category rather than prose, whatever its name.
///
/// ```
/// use mlloop::table::stays_category;
/// assert!(stays_category([("fiber", 3), ("dsl line", 9)].into_iter()));
/// ```
pub fn stays_category<'a>(levels: impl Iterator<Item = (&'a str, u64)>) -> bool {
    let (mut n_levels, mut n, mut spaced) = (0, 0_u64, 0_u64);
    for (level, count) in levels {
        n_levels += 1;
        n += count;
        spaced += if level.contains(' ') { count } else { 0 };
    }
    n_levels <= MAX_LEVELS || 2 * spaced <= n
}

impl Head {
    /// Compares the guess with the whole table, after `stream` has been read to its end by [`Head::schema`] with
    /// [`Head::open`] watched. Categories of many levels must also be checked with [`stays_category`].
    #[must_use]
    pub fn settle(&self, stream: &Stream<'_>) -> Settled {
        if self.whole {
            return Settled::AsGuessed;
        }
        if self.marked {
            return Settled::Unknown;
        }
        let Some(watched) = stream.watched().filter(|w| !w.has_leading_zero() && stream.rejects().count == 0) else {
            return Settled::Unknown;
        };
        let mut schema = self.schema.clone();
        for (name, seen) in self.open.iter().zip(watched.seen()) {
            if seen.marks.any() {
                return Settled::Unknown;
            }
            if let Some(column) = schema.columns.iter_mut().find(|c| c.name == *name) {
                let beside = Beside { numbers_vary: self.numbers_vary, ..Beside::default() };
                *column = decide::decide(name, seen, beside).spec(name);
            }
        }
        if schema == self.schema { Settled::AsGuessed } else { Settled::Otherwise(schema) }
    }
}
