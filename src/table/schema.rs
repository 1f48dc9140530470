//! The dialect of a file and the storage of each of its columns.

use super::id::{self, WholeIds};
use super::level::{Spelling, boolean};
use crate::table::cell;
use crate::table::time::TimeFormat;
use crate::table::{Categories, MISSING_CODE, MISSING_TIME, NumberFormat, Table, Texts, Values};
use crate::wording::Plain;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;

/// What a column is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Identifies the row; never a feature. Stored as text, so leading zeros stay.
    Id,
    /// An instant or a date. Stored as microseconds UTC.
    Time,
    /// A number.
    Number,
    /// One of few texts.
    Category,
    /// Free text; its words are features.
    Text,
    /// Always the same (or always missing); stored as a category, not a feature.
    Constant,
    /// Not read at all.
    Ignore,
}

impl Kind {
    /// The name that `mlloop.toml` uses.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Time => "time",
            Self::Number => "number",
            Self::Category => "category",
            Self::Text => "text",
            Self::Constant => "constant",
            Self::Ignore => "ignore",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The levels of a number that is a flag.
const FLAG: [&str; 2] = ["0", "1"];

/// One column of a [`Schema`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnSpec {
    /// Name in the header.
    pub name: String,
    /// Its kind.
    pub kind: Kind,
    /// For [`Kind::Time`]: a strptime format (`%d/%m/%Y`), or `unix`, `unix_ms`, `iso` (RFC 3339 and its date).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// For [`Kind::Number`]: how its numbers are written, when they are not plain. For [`Kind::Id`]: that ids are whole
    /// numbers, and how they are written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<NumberFormat>,
    /// For [`Kind::Category`]: the levels, and their spellings. The levels 0 and 1 of a [`Kind::Number`] mark it as a
    /// flag.
    #[serde(flatten)]
    pub spelling: Spelling,
}

impl ColumnSpec {
    /// A cell in a form where only its value matters: a number in its shortest form, a time in microseconds since
    /// 1970, `VRAI` and `TRUE` of a category `true`, other texts trimmed.
    pub(crate) fn plain_text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let text = text.trim();
        let value = match self.kind {
            Kind::Number => {
                let number = match &self.number {
                    Some(format) => format.parse(text),
                    None => cell::number(text.as_bytes()),
                };
                // Zero has one sign.
                number.map(|value| Plain(value + 0.0).to_string())
            }
            Kind::Time => {
                let format = TimeFormat::new(self.format.as_deref().unwrap_or("iso")).ok();
                format.and_then(|format| format.parse(text)).map(|at| at.to_string())
            }
            Kind::Category | Kind::Constant => boolean(text).map(str::to_owned),
            Kind::Id | Kind::Text | Kind::Ignore => None,
        };
        value.map_or(Cow::Borrowed(text), Cow::Owned)
    }

    /// A column of that name and kind, with the usual notation.
    pub fn new(name: impl Into<String>, kind: Kind) -> Self {
        Self { name: name.into(), kind, format: None, number: None, spelling: Spelling::default() }
    }

    /// The format of ids that are whole numbers.
    pub(crate) fn whole_ids(&self) -> Option<WholeIds> {
        self.number.clone().filter(|_| self.kind == Kind::Id).map(WholeIds::new)
    }

    /// Whether the column has times of day without a date.
    #[must_use]
    pub fn is_clock(&self) -> bool {
        let format = self.format.as_deref().filter(|_| self.kind == Kind::Time);
        format.and_then(|format| TimeFormat::new(format).ok()).is_some_and(|format| format.is_clock())
    }

    /// Whether a summary word, such as `total`, is one of the listed levels.
    pub(crate) fn has_total_as_level(&self) -> bool {
        self.kind == Kind::Category && self.spelling.levels().iter().any(|level| super::totals::label(level).is_some())
    }

    /// Whether the column is a number that is always 0 or 1: `true` and `no` mean 1 and 0 there.
    #[must_use]
    pub fn is_flag(&self) -> bool {
        self.kind == Kind::Number && self.number.is_none() && self.spelling.levels() == FLAG
    }
}

/// How a CSV file is written. Of this, Parquet uses only `missing`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Dialect {
    /// Field separator: one ASCII byte.
    pub delimiter: char,
    /// Whether the first record names the columns; otherwise they are `c1`, `c2`, ….
    pub header: bool,
    /// Texts that mean "missing", after trimming. The empty text always does.
    pub missing: Vec<String>,
    /// Lines before the header, or before the first row, that are not part of the table.
    #[serde(skip_serializing_if = "is_zero")]
    pub skip_lines: u64,
    /// The first character of lines that are not part of the table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<char>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_zero(n: &u64) -> bool {
    *n == 0
}

impl Dialect {
    /// The same for a file that mlloop writes: no lines before its table.
    #[must_use]
    pub fn own(&self) -> Self {
        Self { skip_lines: 0, comment: None, ..self.clone() }
    }
}

/// The default missing markers.
pub const DEFAULT_MISSING: [&str; 12] =
    ["", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "null", "NULL", "None", "?"];

impl Default for Dialect {
    fn default() -> Self {
        Self {
            delimiter: ',',
            header: true,
            missing: DEFAULT_MISSING.map(str::to_owned).to_vec(),
            skip_lines: 0,
            comment: None,
        }
    }
}

/// The dialect of a file and its columns.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Schema {
    /// How the file is written.
    pub dialect: Dialect,
    /// The columns, in the file's order when it was inferred.
    pub columns: Vec<ColumnSpec>,
}

impl Schema {
    /// The first column with the time of a row; a time of day alone is not enough.
    #[must_use]
    pub fn time(&self) -> Option<&ColumnSpec> {
        self.columns.iter().find(|column| column.kind == Kind::Time && !column.is_clock())
    }

    /// How the numbers of the column of that name are written, when they are not plain.
    #[must_use]
    pub fn number_format(&self, name: &str) -> Option<&NumberFormat> {
        self.column(name).filter(|column| column.kind == Kind::Number).and_then(|column| column.number.as_ref())
    }

    /// The notation of added numbers, such as scores: with the decimal mark of the table's columns, so
    /// that one spreadsheet reads both.
    #[must_use]
    pub fn notation(&self) -> NumberFormat {
        let has_comma = |column: &ColumnSpec| column.number.as_ref().is_some_and(|format| format.decimal == ',');
        let decimal = if self.columns.iter().any(has_comma) { ',' } else { '.' };
        NumberFormat { decimal, ..NumberFormat::default() }
    }

    /// The notation of numbers of this column, such as predictions.
    #[must_use]
    pub fn notation_of(&self, name: &str) -> NumberFormat {
        self.number_format(name).cloned().unwrap_or_else(|| self.notation())
    }

    /// The name of the id column.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.columns.iter().find(|column| column.kind == Kind::Id).map(|column| column.name.as_str())
    }

    /// The id that a text means, written by a person or another program; the text itself if it is
    /// ambiguous.
    #[must_use]
    pub fn id_of<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let text = text.trim();
        let format = self.columns.iter().find(|column| column.kind == Kind::Id).and_then(|id| id.number.as_ref());
        format.and_then(|format| id::read(text, format)).unwrap_or(Cow::Borrowed(text))
    }

    /// The column of that name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&ColumnSpec> {
        self.columns.iter().find(|c| c.name == name)
    }

    /// Copies the levels and the flags from another schema of the same columns.
    pub fn know(&mut self, other: &Self) {
        for column in self.columns.iter_mut().filter(|column| column.kind == Kind::Category) {
            if let Some(known) = other.column(&column.name) {
                column.spelling.know(known.spelling.levels());
            }
        }
        self.know_flags(other);
    }

    /// Copies the flags from another schema of the same columns.
    pub fn know_flags(&mut self, other: &Self) {
        self.flag(|name| other.column(name).is_some_and(ColumnSpec::is_flag));
    }

    /// Marks numeric columns that contain only 0 and 1 as flags.
    pub fn find_flags(&mut self, table: &Table) {
        self.flag(|name| match table.column(name).map(|column| &column.values) {
            Some(Values::Number(values)) => {
                let is_one = |value: &f64| value.is_nan() || *value == 0.0 || *value == 1.0;
                values.iter().all(is_one) && values.contains(&0.0) && values.contains(&1.0)
            }
            _ => false,
        });
    }

    /// Marks the numeric columns of these names as flags.
    pub(crate) fn flag(&mut self, is_flag: impl Fn(&str) -> bool) {
        for column in &mut self.columns {
            let open = column.kind == Kind::Number && column.number.is_none() && column.spelling.is_empty();
            if open && is_flag(&column.name) {
                column.spelling.know(&FLAG.map(str::to_owned));
            }
        }
    }
}

impl Values {
    /// Cells that are all missing, as a column of that kind stores them.
    #[must_use]
    pub fn missing(kind: Kind, n_rows: usize) -> Self {
        match kind {
            Kind::Number => Self::Number(vec![f64::NAN; n_rows]),
            Kind::Time => Self::Time(vec![MISSING_TIME; n_rows]),
            Kind::Category | Kind::Constant => {
                Self::Category(Categories { codes: vec![MISSING_CODE; n_rows], levels: Default::default() })
            }
            Kind::Id | Kind::Text | Kind::Ignore => Self::Text(std::iter::repeat_n("", n_rows).collect()),
        }
    }

    /// No cells, as a column of that kind stores them.
    #[must_use]
    pub fn empty(kind: Kind) -> Self {
        match kind {
            Kind::Number => Self::Number(Vec::new()),
            Kind::Time => Self::Time(Vec::new()),
            Kind::Category | Kind::Constant => Self::Category(Categories::default()),
            Kind::Id | Kind::Text | Kind::Ignore => Self::Text(Texts::default()),
        }
    }
}
