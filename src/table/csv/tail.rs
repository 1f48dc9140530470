//! Notices a file whose last record is none: cut off and then filled up with empty fields, a total, a remark.

use super::index::Index;
use crate::table::cell::number;
use crate::table::rejects::{Fault, What};

/// Blank fields at the end of a record that make it suspicious, at least.
const MIN_RUN: usize = 3;
/// Records from which "hardly any other" means something: a single such record among 200 is the last one by chance once
/// in 200 files.
const MIN_ROWS: u64 = 200;

/// What one piece shows about blank fields at record ends.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tail {
    /// Rows with the right number of fields, before any is rejected.
    pub(crate) n_rows: u64,
    /// Rows whose last three fields are blank.
    n_blank: u64,
    /// Blank fields at the end of the last row.
    last_run: usize,
    /// Whether the last row is a total of the others.
    total: bool,
    /// Rows of which only the first field is filled, those of them that nothing but such rows and empty ones follows, and how
    /// many rows these end with.
    n_alone: u64,
    n_last_alone: u64,
    alone_run: u64,
    /// Whether the piece holds any record.
    any: bool,
}

/// The sum over all pieces so far.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TailWatch {
    n_fields: usize,
    n_rows: u64,
    n_blank: u64,
    last_run: usize,
    total: bool,
    n_alone: u64,
    n_last_alone: u64,
    alone_run: u64,
}

/// What is wrong with the last records.
#[derive(Debug)]
pub(crate) struct Ending {
    what: String,
    n: usize,
}

impl Ending {
    /// The rows of the last piece that it is about, and the faults that they are.
    pub(crate) fn of(&self, index: &Index<'_>) -> (Vec<usize>, Vec<Fault>) {
        let rows: Vec<usize> = (index.n_rows().saturating_sub(self.n)..index.n_rows()).collect();
        let fault =
            |row: &usize| Fault { line: index.line_at(index.span(*row).0), what: What::Record(self.what.clone()) };
        let faults = rows.iter().map(fault).collect();
        (rows, faults)
    }
}

impl Tail {
    pub(crate) fn of(index: &Index<'_>) -> Self {
        let (n_rows, n_fields) = (index.n_rows(), index.n_fields);
        let any = n_rows > 0 || !index.bad.is_empty();
        let is_alone = |row: usize| {
            n_fields >= MIN_FIELDS
                && (1..n_fields).rev().all(|field| index.is_blank_field(row, field))
                && !index.is_blank_field(row, 0)
        };
        let is_empty = |row: usize| (0..n_fields).all(|field| index.is_blank_field(row, field));
        let n_alone = (0..n_rows).filter(|&row| is_alone(row)).count() as u64;
        // A bad record after the last row is the file's end, and is an error of its own.
        let whole = n_rows > 0 && index.bad.last().is_none_or(|b| b.at < index.span(n_rows - 1).0);
        let run = || (0..n_rows).rev().take_while(|&row| whole && (is_alone(row) || is_empty(row)));
        let (alone_run, n_last_alone) = (run().count() as u64, run().filter(|&row| is_alone(row)).count() as u64);
        let total = is_total(index);
        let told = Self { n_rows: n_rows as u64, total, n_alone, n_last_alone, alone_run, any, ..Self::default() };
        if n_fields <= MIN_RUN {
            return told;
        }
        let blank = |row: usize| (n_fields - MIN_RUN..n_fields).rev().all(|field| index.is_blank_field(row, field));
        let n_blank = (0..n_rows).filter(|&row| blank(row)).count() as u64;
        let last_run = if whole {
            (0..n_fields).rev().take_while(|&field| index.is_blank_field(n_rows - 1, field)).count()
        } else {
            0
        };
        Self { n_blank, last_run, ..told }
    }
}

/// Fields from which a row that has only the first is a remark below the table, and rows from which none else is one.
const MIN_FIELDS: usize = 3;
const MIN_OTHERS: u64 = 20;
/// Words with which the row of totals begins that a spreadsheet puts below a table.
const TOTALS: [&str; 41] = [
    "total",
    "totals",
    "grand total",
    "sum",
    "subtotal",
    "overall",
    "gesamt",
    "gesamtsumme",
    "summe",
    "totaal",
    "totale",
    "suma",
    "итого",
    "всего",
    "sous-total",
    "zwischensumme",
    "teilsumme",
    "somma",
    "somme",
    "razem",
    "összesen",
    "celkem",
    "合计",
    "合計",
    "average",
    "mean",
    "durchschnitt",
    "moyenne",
    "promedio",
    "ergebnis",
    "gesamtergebnis",
    "min",
    "max",
    "minimum",
    "maximum",
    "count",
    "anzahl",
    "nombre",
    "median",
    "mittelwert",
    "std",
];

/// Whether a cell is such a word, or begins with one where more fields are blank (`TOTAL GÉNÉRAL`).
fn says_total(cell: &str, n_blank: usize) -> bool {
    let begins = |word: &&str| cell.strip_prefix(*word).is_some_and(|rest| rest.starts_with(' '));
    TOTALS.contains(&cell) || (n_blank > 1 && TOTALS.iter().any(begins))
}

/// Whether the last row begins with such a word, or ends a group with one (`basic Total`), and leaves other fields blank or
/// fills them with numbers alone.
fn is_total(index: &Index<'_>) -> bool {
    let Some(row) = index.n_rows().checked_sub(1).filter(|&row| row > 0) else { return false };
    if index.n_fields < 3 || index.bad.last().is_some_and(|bad| bad.at > index.span(row).0) {
        return false;
    }
    let mut fields = (0..index.n_fields).skip_while(|&field| index.is_blank_field(row, field));
    let Some(first) = fields.next() else { return false };
    let (mut scratch, mut above) = (String::new(), String::new());
    let word = index.cell(row, first, &mut scratch).trim_end_matches([':', '.', ' ']).to_lowercase();
    let n_blank = (0..index.n_fields).filter(|&field| index.is_blank_field(row, field)).count();
    let ends = || word.rsplit_once(' ').is_some_and(|(_, last)| n_blank > 0 && TOTALS.contains(&last));
    let mut scratch = String::new();
    let counted = TOTALS.contains(&word.as_str())
        && fields.all(|field| number(index.cell(row, field, &mut scratch).trim().as_bytes()).is_some());
    // A word that stands in other rows too is a level.
    ((says_total(&word, n_blank) || ends()) && n_blank > 0 || counted)
        && !(0..row).any(|row| index.cell(row, first, &mut above).to_lowercase() == word)
}

impl TailWatch {
    pub(crate) fn new(n_fields: usize) -> Self {
        Self { n_fields, n_rows: 0, n_blank: 0, last_run: 0, total: false, n_alone: 0, n_last_alone: 0, alone_run: 0 }
    }

    /// Adds the next piece in file order.
    pub(crate) fn add(&mut self, tail: &Tail) {
        self.n_rows += tail.n_rows;
        self.n_blank += tail.n_blank;
        self.n_alone += tail.n_alone;
        if tail.any {
            (self.last_run, self.total) = (tail.last_run, tail.total);
            // A piece of nothing else goes on with the run before it.
            let before = if tail.alone_run == tail.n_rows { (self.n_last_alone, self.alone_run) } else { (0, 0) };
            (self.n_last_alone, self.alone_run) = (before.0 + tail.n_last_alone, before.1 + tail.alone_run);
        }
    }

    /// After the last piece: what is wrong with the last record, if it is a total or looks cut off.
    ///
    /// It looks cut off when at least three fields and a third of the record are blank up to its end, some field is not,
    /// and at most one record in a thousand ends like that elsewhere.
    pub(crate) fn truncated(&self, names: &[String]) -> Option<Ending> {
        if self.total {
            return Some(Ending { what: "looks like a total of the rows above, not a data row".to_owned(), n: 1 });
        }
        if self.n_last_alone > 0 && self.n_last_alone == self.n_alone && self.n_rows > MIN_OTHERS + self.alone_run {
            let what = match self.n_alone {
                1 => "has only its first field, unlike all other rows: it looks like a remark below the table, not a \
                      data row"
                    .to_owned(),
                n => format!(
                    "has only its first field, like {n} of the last {} rows and no others: they look like remarks \
                     below the table, not data rows",
                    self.alone_run
                ),
            };
            return Some(Ending { what, n: usize::try_from(self.alone_run).unwrap_or(1) });
        }
        let run = self.last_run;
        let suspicious = run >= MIN_RUN && 3 * run >= self.n_fields && run < self.n_fields && self.n_rows >= MIN_ROWS;
        let elsewhere = self.n_blank.saturating_sub(1);
        if !suspicious || elsewhere * 1000 > self.n_rows {
            return None;
        }
        let (first, last) = (&names[self.n_fields - run], &names[self.n_fields - 1]);
        let what = format!(
            "the last record looks truncated: its last {run} fields ({first} to {last}) are blank, which is rare in \
             this file"
        );
        Some(Ending { what, n: 1 })
    }
}
