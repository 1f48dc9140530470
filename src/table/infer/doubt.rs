//! Columns that are of one kind except for a few cells: reported, because they would silently become a category of a
//! thousand levels.

use super::decide::{Beside, Decision, FEW_LEVELS};
use super::forms::is_about;
use super::names::{CODES, ID_WORDS, has_word, names_key};
use crate::table::evidence::{Evidence, Place, Written};
use crate::table::{ColumnSpec, Kind, NumberFormat};
use std::fmt;

/// Share of cells that must be of the kind, in percent.
const MOSTLY: u64 = 90;
/// A column whose kind the user should decide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubt {
    /// The column.
    pub column: String,
    /// Why it is open.
    pub why: Why,
    /// Some of the cells that do not fit: line and text.
    pub cells: Vec<(u64, String)>,
    /// How many do not.
    pub n_cells: u64,
    /// Cells that are not missing.
    pub n_present: u64,
    /// Its kind without these cells.
    kind: Kind,
    time: Option<String>,
    number: Option<NumberFormat>,
}

/// Why the kind of a column is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// Its numbers can be read in two ways.
    Ambiguous,
    /// Its numbers are written in several ways.
    Mixed,
    /// Most of its cells are numbers or times, and some are not.
    Nearly,
    /// It identifies the rows, but a few of its cells are missing.
    Nameless,
}

/// A column that would be the id, in a table without one, if a few of its cells were not missing. Rows of totals and
/// remarks have no id, and without an id, labels and outcomes cannot be matched to their rows.
pub(super) fn nameless(names: &[String], seen: &[Evidence], decisions: &[Decision]) -> Option<Doubt> {
    /// Minimum number of rows for a share to mean something; at most one row in this many may lack an id.
    const MIN_ROWS: u64 = 50;
    const ONE_IN: u64 = 40;
    if decisions.iter().any(|decision| decision.kind == Kind::Id) {
        return None;
    }
    let is_id = |(at, name, seen): &(usize, &String, &Evidence)| {
        let is_text = seen.spaced * 100 < seen.present() && seen.text_bytes <= 40 * seen.present();
        let whole = seen.plain.n == 0 || seen.plain.integers == seen.plain.n;
        let named = names_key(name) || has_word(name, &ID_WORDS);
        let missing = (1..=seen.n / ONE_IN).contains(&seen.missing);
        missing && seen.n >= MIN_ROWS && seen.distinct.all_once() && is_text && whole && (named || *at == 0)
    };
    let (_, name, seen) = names.iter().zip(seen).enumerate().map(|(at, (name, seen))| (at, name, seen)).find(is_id)?;
    Some(Doubt {
        column: name.clone(),
        why: Why::Nameless,
        cells: seen.missing_cells.iter().map(|place| (place.line, place.value.clone())).collect(),
        n_cells: seen.missing,
        n_present: seen.n,
        kind: Kind::Id,
        time: None,
        number: None,
    })
}

/// The doubt about a column, if any.
pub(super) fn of(name: &str, seen: &Evidence, decision: &Decision, beside: Beside) -> Option<Doubt> {
    // Numbers that are plain in one notation are doubtful as well.
    let open = matches!(decision.kind, Kind::Category | Kind::Text | Kind::Id)
        || (decision.kind == Kind::Number && decision.number.is_none());
    if !open || has_word(name, &CODES) {
        return None;
    }
    if seen.leading_zero().is_some() || seen.long.is_some() {
        return None;
    }
    let present = seen.present();
    let doubt = |why, kind, places: Vec<Place>, n_cells| Doubt {
        column: name.to_owned(),
        why,
        cells: places.into_iter().map(|place| (place.line, place.value)).collect(),
        n_cells,
        n_present: present,
        kind,
        time: None,
        number: None,
    };
    let mostly = |n_others: u64| is_few(n_others, present) && seen.distinct.count() > FEW_LEVELS;
    // A single text in many cells is a missing marker, not a level beside hundreds of numbers.
    let marker = |n_others: u64| {
        seen.marks.few_texts(n_others).is_some_and(|texts| seen.distinct.count() > FEW_LEVELS + texts as u64)
    };
    if let Written::Ambiguous(place) = seen.marks.written_with_unit(seen.is_unique(), beside.decimal, beside.semicolons)
    {
        return Some(doubt(Why::Ambiguous, Kind::Number, vec![place], present));
    }
    match seen.marks.written(present, beside.decimal, beside.semicolons) {
        Written::Ambiguous(place) if seen.marks.all_numbers() => {
            return Some(doubt(Why::Ambiguous, Kind::Number, vec![place], present));
        }
        Written::Mostly { format, others, n_others }
            if seen.marks.all_numbers() || mostly(n_others) || marker(n_others) =>
        {
            let why = if seen.marks.all_numbers() { Why::Mixed } else { Why::Nearly };
            return Some(Doubt { number: format, ..doubt(why, Kind::Number, others, n_others) });
        }
        _ => {}
    }
    let near = seen.times.nearly(present)?;
    let many = |n_texts: usize| seen.distinct.count() > FEW_LEVELS + n_texts as u64;
    let why = if mostly(near.n_others) || near.few_texts.is_some_and(many) {
        Why::Nearly
    } else if near.mixed && many(0) {
        Why::Mixed
    } else {
        return None;
    };
    let time = Some(near.format.name().to_owned());
    Some(Doubt { time, ..doubt(why, Kind::Time, near.others, near.n_others) })
}

fn is_few(n_others: u64, present: u64) -> bool {
    n_others * 100 <= present * (100 - MOSTLY)
}

impl Doubt {
    /// Accepts the kind of most cells; rows with other cells are left out, unless they are many.
    pub(super) fn take(&self, decision: &mut Decision) -> bool {
        let too_many = (self.why == Why::Nearly || self.time.is_some()) && !is_few(self.n_cells, self.n_present);
        if self.why == Why::Ambiguous || too_many {
            return false;
        }
        let Self { kind, n_cells, n_present, .. } = self;
        decision.kind = *kind;
        decision.format.clone_from(&self.time);
        decision.number.clone_from(&self.number);
        decision.reason = format!("{} of {n_present} cells; {n_cells} do not fit", n_present - n_cells);
        true
    }

    /// What the column is without the cells that do not fit.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The column without the cells that do not fit.
    #[must_use]
    pub fn spec(&self) -> ColumnSpec {
        ColumnSpec {
            format: self.time.clone(),
            number: self.number.clone(),
            ..ColumnSpec::new(self.column.clone(), self.kind)
        }
    }

    /// The format of its times or numbers.
    fn like(&self) -> String {
        match (&self.time, &self.number) {
            (Some(format), _) => format!("times written {format}"),
            (None, Some(format)) => format!("numbers written like {}", format.example()),
            (None, None) => "plain numbers".to_owned(),
        }
    }
}

impl Doubt {
    /// What the user can do about it in `init`.
    #[must_use]
    pub fn ways_out(&self) -> String {
        let Self { column, why, .. } = self;
        match why {
            Why::Ambiguous => "add --decimal . or --decimal ,".to_owned(),
            Why::Mixed => {
                let kind = self.kind;
                format!(
                    "write all cells in the same way, or declare that it is not a {kind}: --kind \
                         {column}=category"
                )
            }
            Why::Nameless => {
                format!(
                    "remove these rows, or give them an id, or declare that the column is not an id: --kind \
                         {column}=category"
                )
            }
            Why::Nearly if !self.cells.is_empty() && self.cells.iter().all(|(_, text)| is_about(text)) => {
                format!("write the number alone, or declare that it is not a number: --kind {column}=category")
            }
            Why::Nearly => format!(
                "add --missing TEXT for a text that means missing, or declare the kind of the column: --kind \
                 {column}=category"
            ),
        }
    }
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { column, n_cells, n_present, .. } = self;
        let cells: Vec<String> = self.cells.iter().map(|(line, text)| format!("line {line}: {text:?}")).collect();
        let (cells, n_fitting) = (cells.join(", "), n_present - n_cells);
        let (are, like) = (if *n_cells == 1 { "is" } else { "are" }, self.like());
        match self.why {
            Why::Ambiguous => write!(
                f,
                "column {column:?} can be read with a decimal point or with a decimal comma, and no other column \
                 decides it ({cells})"
            ),
            Why::Mixed => write!(
                f,
                "column {column:?} is written in several ways: {n_fitting} of {n_present} cells are {like}, {n_cells} {are} \
                 not ({cells})"
            ),
            Why::Nameless => write!(
                f,
                "column {column:?} has a unique id in {n_present} rows, but none in {n_cells} ({cells}): these may \
                 be totals, remarks, or lost ids"
            ),
            Why::Nearly => {
                write!(
                    f,
                    "column {column:?}: {n_fitting} of {n_present} cells are {like}, {n_cells} {are} not ({cells})"
                )
            }
        }
    }
}
