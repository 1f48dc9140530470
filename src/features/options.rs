//! The `[features]` section of `mlloop.toml`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::derive::Definitions;
use super::error::FeatureError;
use crate::table::Table;

/// How raw columns become features; learned on training rows only.
///
/// ```toml
/// [features]
/// drop = ["agent_name"]
/// negative = "missing"
///
/// [features.columns.amount]     # this column only
/// clip = "iqr"
/// negative = "error"
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct FeatureOptions {
    /// Columns that are left out.
    pub drop: Vec<String>,
    /// The value that replaces a missing number.
    pub impute: Impute,
    /// Whether numbers are brought to mean 0 and standard deviation 1, or between 0 and 1. Trees do not need it.
    pub scale: Scale,
    /// How to treat training rows with outliers.
    #[serde(skip_serializing_if = "Outliers::is_default")]
    pub outliers: Outliers,
    /// Whether outliers are clipped.
    pub clip: Clip,
    /// With `clip = "iqr"` or `outliers`: how many inter-quartile ranges beyond the quartiles (Tukey 1977: 1.5).
    pub clip_factor: f64,
    /// What happens to a negative number.
    pub negative: Negative,
    /// How categories become numbers.
    pub encode: Encode,
    /// With `encode = "auto"`: up to this many levels are one-hot, more become target statistics; see
    /// [`FeatureOptions::onehot_limit`] for the default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_onehot: Option<usize>,
    /// Weight of the overall mean in a target statistic, in rows; unset: chosen by how much levels differ, and at least
    /// 10 unless they differ far beyond chance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub smoothing: Option<f64>,
    /// The features of texts of several words.
    #[serde(skip_serializing_if = "Text::is_default")]
    pub text: Text,
    /// The parts of a time that are features; parts that do not vary in training are left out.
    pub time_parts: Vec<TimePart>,
    /// Columns that are computed from others; see [`super::derive`].
    #[serde(skip_serializing_if = "Definitions::is_empty")]
    pub derived: Definitions,
    /// Other rules for single columns.
    pub columns: BTreeMap<String, ColumnOptions>,
}

impl Default for FeatureOptions {
    fn default() -> Self {
        Self {
            drop: Vec::new(),
            impute: Impute::Native,
            scale: Scale::None,
            outliers: Outliers::Keep,
            clip: Clip::None,
            clip_factor: 1.5,
            negative: Negative::Keep,
            encode: Encode::Auto,
            max_onehot: None,
            smoothing: None,
            text: Text::Words,
            time_parts: TimePart::DEFAULT.to_vec(),
            derived: Definitions::default(),
            columns: BTreeMap::new(),
        }
    }
}

impl FeatureOptions {
    /// Maximum number of levels for one-hot encoding with `encode = "auto"`, for `n_rows` training rows.
    ///
    /// 16 for small tables: measured with small boosted trees, 5-fold ROC-AUC of one-hot against target statistics is
    /// .9367 against .9335 on bank-full, whose widest columns have 12 levels, .9288 against .9281 on Adult, equal on
    /// Telco. 4 from 200 000 rows on, where statistics are precise and each feature costs memory and time.
    #[must_use]
    pub fn onehot_limit(&self, n_rows: usize) -> usize {
        self.max_onehot.unwrap_or(if n_rows < 200_000 { 16 } else { 4 })
    }

    /// Whether the words of a text column are used.
    #[must_use]
    pub fn reads_text(&self, column: &str) -> bool {
        let own = self.columns.get(column).and_then(|own| own.text);
        own.unwrap_or(self.text) == Text::Words
    }

    /// Checks the options by themselves and against the columns of `table`.
    ///
    /// # Errors
    /// [`FeatureError::Option`] for a factor or weight that is not a finite number of at least 0, or a column that
    /// the table lacks.
    pub fn check(&self, table: &Table) -> Result<(), FeatureError> {
        let error = |what| Err(FeatureError::Option { what });
        for (name, value) in [("clip_factor", self.clip_factor), ("smoothing", self.smoothing.unwrap_or(0.0))] {
            if !value.is_finite() || value < 0.0 {
                return error(format!("{name} = {value} must be a finite number of at least 0"));
            }
        }
        for (place, column) in self.drop.iter().map(|c| ("drop", c)).chain(self.columns.keys().map(|c| ("columns", c)))
        {
            if table.column(column).is_none() && self.derived.get(column).is_none() {
                return error(format!("{place} names the column {column:?}, which does not exist"));
            }
        }
        Ok(())
    }
}

/// Rules for one column; absent keys are as for all columns.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct ColumnOptions {
    /// The value that replaces a missing number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub impute: Option<Impute>,
    /// Whether the number is standardised.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scale: Option<Scale>,
    /// Whether the number is clipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clip: Option<Clip>,
    /// What happens to a negative number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub negative: Option<Negative>,
    /// How the category becomes numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encode: Option<Encode>,
    /// The features of the text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<Text>,
}

/// The value that replaces a missing number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Impute {
    /// Nothing: the trees handle missing values.
    #[default]
    Native,
    /// The median of the training rows (of an even number, the mean of the middle two).
    Median,
    /// The mean of the training rows.
    Mean,
}

/// How numbers are scaled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Scale {
    /// As they are.
    #[default]
    None,
    /// `(x − mean) / sd` of the training rows, with the population standard deviation; an `sd` of 0 counts as 1.
    Standard,
    /// `(x − min) / (max − min)` of the training rows: 0 to 1 there, and beyond for rows beyond; a span of 0 counts as 1.
    Minmax,
}

/// How to treat training rows with a number outside `[Q1 − f·IQR, Q3 + f·IQR]` of these rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Outliers {
    /// They stay as they are.
    #[default]
    Keep,
    /// The number is clipped, also in scored rows: `clip = "iqr"` for every column.
    Clip,
    /// The row is not used for training. Gate rows and scored rows stay.
    Drop,
}

impl Outliers {
    fn is_default(&self) -> bool {
        *self == Self::Keep
    }
}

/// Whether outliers are clipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Clip {
    /// As they are.
    #[default]
    None,
    /// To `[Q1 − f·IQR, Q3 + f·IQR]` of the training rows; a column whose IQR is 0 stays as it is.
    Iqr,
}

/// What happens to a negative number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Negative {
    /// It stays.
    #[default]
    Keep,
    /// It counts as missing.
    Missing,
    /// It becomes 0.
    Zero,
    /// Its absolute value is used.
    Abs,
    /// The row is refused.
    Error,
}

/// How categories become numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Encode {
    /// One-hot for few levels, target statistics for many.
    #[default]
    Auto,
    /// One 0/1 feature per level.
    Onehot,
    /// Smoothed target statistics.
    Target,
}

/// The features of texts of several words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Text {
    /// Scores of words and pairs of words, and the length of the text.
    #[default]
    Words,
    /// Nothing: they are left out.
    Drop,
}

impl Text {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
    fn is_default(&self) -> bool {
        *self == Self::Words
    }
}

/// The parts of a time, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum TimePart {
    /// Second within the minute, 0–59.
    Second,
    /// Minute within the hour, 0–59.
    Minute,
    /// Hour within the day, 0–23.
    Hour,
    /// 1 (Monday) – 7 (Sunday).
    DayOfWeek,
    /// 1–31.
    DayOfMonth,
    /// 1–366.
    DayOfYear,
    /// 1–12.
    Month,
    /// The year.
    Year,
    /// Days since 1970-01-01, with fractions. Rows later than training fall beyond every split of a tree.
    Days,
}

impl TimePart {
    /// Whether later rows have values of it that earlier rows lack, at least in the first year.
    #[must_use]
    pub const fn moves_on(self) -> bool {
        matches!(self, Self::DayOfMonth | Self::DayOfYear | Self::Month | Self::Year | Self::Days)
    }

    /// The default parts.
    pub const DEFAULT: [Self; 7] =
        [Self::Minute, Self::Hour, Self::DayOfWeek, Self::DayOfMonth, Self::DayOfYear, Self::Month, Self::Year];

    /// Its name behind the column's, as in `dteday:hour`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Second => "second",
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::DayOfWeek => "day_of_week",
            Self::DayOfMonth => "day_of_month",
            Self::DayOfYear => "day_of_year",
            Self::Month => "month",
            Self::Year => "year",
            Self::Days => "days",
        }
    }
}
