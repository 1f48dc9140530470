//! The encoders of raw columns: data only, so that they can be stored, read and exported.

use serde::{Deserialize, Serialize};

use super::error::FeatureError;
use super::options::{Negative, TimePart};
use super::text::TextEncoder;
use super::time;
use crate::table::Kind;

/// A raw column and its encoder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawColumn {
    /// The raw column's name.
    pub column: String,
    /// How its cells become features.
    pub encoder: Encoder,
}

/// How the cells of one raw column become one or more features.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Encoder {
    /// A number stays one feature.
    Number(NumberEncoder),
    /// A category becomes 0/1 features.
    OneHot(OneHotEncoder),
    /// A category becomes the mean target of its rows.
    TargetStatistic(TargetStatistic),
    /// A category becomes its code in a model trained elsewhere.
    Codes(CodeEncoder),
    /// A time becomes parts of the calendar.
    TimeParts {
        /// The parts, one feature each.
        parts: Vec<TimePart>,
    },
    /// A text becomes scores of its words for the target, and its length.
    Text(TextEncoder),
}

/// A number: `negative`, then `clip`, then `fill`, then `scale`, all in `f64`; then rounded to `f32`.
///
/// Numbers that differ in `f64` but not in `f32` are always scaled. Infinities and numbers beyond [`LARGEST`] are
/// limited to it, with their sign: trees use the order only, and an extreme row still gets a score. Missing stays
/// `NaN` without `fill`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NumberEncoder {
    /// The treatment of negative numbers.
    pub negative: Negative,
    /// Lowest and highest value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clip: Option<(f64, f64)>,
    /// The replacement of a missing value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fill: Option<f64>,
    /// The subtrahend and then the divisor (not 0): mean and standard deviation, or minimum and range.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scale: Option<(f64, f64)>,
    /// Whether the training rows had whole numbers only, some of four or more digits: fractions are then probably
    /// misread thousands separators.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub whole: bool,
}

/// A category as 0/1 features.
///
/// ```text
/// levels    ["Month-to-month", "One year", "Two year"]    hot = [0, 1, 2]   one feature per hot level
/// levels    ["No", "Yes"]                                 hot = [1]         one of two is enough
/// missing                                                                   a last feature, if training had missing cells
/// ```
/// A level unseen in training, and a missing cell if training had none, get the row `unseen`: all 0; with two levels,
/// the features of the more frequent one (all 0 would mean the first level).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OneHotEncoder {
    /// The levels of the training rows, sorted.
    pub levels: Vec<String>,
    /// Indices into `levels` that have a feature, ascending.
    pub hot: Vec<u32>,
    /// Whether missing cells have a feature of their own, the last.
    pub missing: bool,
    /// The features of an unseen level.
    pub unseen: Vec<f32>,
}

/// A category as smoothed means of the target: (Σ y + a·prior) / (n + a) over the training rows of the level
/// (Micci-Barreca, "A Preprocessing Scheme for High-Cardinality Categorical Attributes", 2001, with fixed a).
///
/// ```text
/// values   level 0: s0 s1 …      (levels.len() + 2) × outputs.len()
///          level 1: s0 s1 …
///          …
///          missing: s0 s1 …      the prior when training had no missing cells
///          unseen:  s0 s1 …      the prior
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TargetStatistic {
    /// The levels of the training rows, sorted.
    pub levels: Vec<String>,
    /// The meaning of each statistic, as in the feature's name: `share of Yes`, `mean of cnt`.
    pub outputs: Vec<String>,
    /// The statistics, see the picture.
    pub values: Vec<f32>,
}

/// A category as one feature: a code per level. A missing cell and a level without a code are missing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CodeEncoder {
    /// The levels, sorted.
    pub levels: Vec<String>,
    /// The code of each level.
    pub codes: Vec<f32>,
}

impl Encoder {
    /// The kind of the raw column.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Number(_) => Kind::Number,
            Self::OneHot(_) | Self::TargetStatistic(_) | Self::Codes(_) => Kind::Category,
            Self::TimeParts { .. } => Kind::Time,
            Self::Text(_) => Kind::Text,
        }
    }

    /// The number of features.
    #[must_use]
    pub fn n_features(&self) -> usize {
        match self {
            Self::Number(_) | Self::Codes(_) => 1,
            Self::OneHot(e) => e.hot.len() + usize::from(e.missing),
            Self::TargetStatistic(e) => e.outputs.len(),
            Self::TimeParts { parts } => parts.len(),
            Self::Text(e) => e.n_features(),
        }
    }

    /// The features' names: `tenure`, `Contract=Two year`, `city (share of Yes)`, `dteday:hour`.
    #[must_use]
    pub fn names(&self, column: &str) -> Vec<String> {
        match self {
            Self::Number(_) | Self::Codes(_) => vec![column.to_owned()],
            Self::OneHot(e) => {
                let levels = e.hot.iter().filter_map(|&l| e.levels.get(l as usize));
                let mut names: Vec<String> = levels.map(|l| format!("{column}={l}")).collect();
                names.extend(e.missing.then(|| format!("{column} is missing")));
                names
            }
            Self::TargetStatistic(e) => e.outputs.iter().map(|o| format!("{column} ({o})")).collect(),
            Self::TimeParts { parts } => parts.iter().map(|p| format!("{column}:{}", p.name())).collect(),
            Self::Text(e) => e.names(column),
        }
    }

    /// The levels of a category.
    #[must_use]
    pub fn levels(&self) -> Option<&[String]> {
        match self {
            Self::OneHot(e) => Some(&e.levels),
            Self::TargetStatistic(e) => Some(&e.levels),
            Self::Codes(e) => Some(&e.levels),
            Self::Number(_) | Self::TimeParts { .. } | Self::Text(_) => None,
        }
    }

    /// The features of a category, one block per level, then one for missing and one for unseen; no blocks for other
    /// kinds.
    #[must_use]
    pub fn blocks(&self) -> Vec<f32> {
        match self {
            Self::OneHot(e) => e.blocks(),
            Self::TargetStatistic(e) => e.values.clone(),
            Self::Codes(e) => e.codes.iter().copied().chain([f32::NAN; 2]).collect(),
            Self::Number(_) | Self::TimeParts { .. } | Self::Text(_) => Vec::new(),
        }
    }

    /// Checks the invariants of a stored encoder, so that a damaged file cannot cause a panic later.
    pub(super) fn check(&self, column: &str) -> Result<(), FeatureError> {
        let damaged = |what| Err(FeatureError::Damaged { column: column.to_owned(), what });
        if self.levels().is_some_and(|levels| !levels.is_sorted_by(|a, b| a < b)) {
            return damaged("levels are not sorted");
        }
        match self {
            Self::Number(e) => {
                let numbers =
                    [e.clip.map(|c| c.0), e.clip.map(|c| c.1), e.fill, e.scale.map(|s| s.0), e.scale.map(|s| s.1)];
                if numbers.into_iter().flatten().any(|v| !v.is_finite())
                    || e.clip.is_some_and(|(low, high)| low > high)
                    || e.scale.is_some_and(|(_, sd)| sd <= 0.0)
                {
                    return damaged("a bound, a fill value or a scale is not a finite number");
                }
            }
            Self::OneHot(e) => {
                if !e.hot.is_sorted_by(|a, b| a < b) || e.hot.iter().any(|&h| h as usize >= e.levels.len()) {
                    return damaged("a feature refers to a level that does not exist");
                }
                if e.unseen.len() != self.n_features() || e.unseen.iter().any(|v| !v.is_finite()) {
                    return damaged("the features of unseen levels do not match");
                }
            }
            Self::TargetStatistic(e) => {
                if (e.levels.len() + 2).checked_mul(e.outputs.len()) != Some(e.values.len()) {
                    return damaged("statistics and levels differ in number");
                }
                if e.values.iter().any(|v| !v.is_finite()) {
                    return damaged("a statistic is not finite");
                }
            }
            Self::Codes(e) => {
                if e.levels.len() != e.codes.len() || e.codes.iter().any(|code| !code.is_finite()) {
                    return damaged("levels and codes do not match");
                }
            }
            // A text encoder is checked when it is read.
            Self::TimeParts { .. } | Self::Text(_) => {}
        }
        if self.n_features() == 0 { damaged("no feature") } else { Ok(()) }
    }
}

impl NumberEncoder {
    /// The feature of a cell; `None` when the negative-value rule refuses it.
    #[must_use]
    #[inline]
    pub fn apply(&self, value: f64) -> Option<f32> {
        let mut v = self.sign(value)?;
        if let Some((low, high)) = self.clip {
            // `clamp` keeps NaN.
            v = v.clamp(low, high);
        }
        if let (true, Some(fill)) = (v.is_nan(), self.fill) {
            v = fill;
        }
        if let Some((mean, sd)) = self.scale {
            v = (v - mean) / sd;
        }
        Some(narrow(v))
    }

    /// The negative-value rule; `None` refuses.
    #[inline]
    pub(super) fn sign(&self, value: f64) -> Option<f64> {
        // Test the rule first, as it is constant for a column: a branch on signs is mispredicted.
        if self.negative == Negative::Keep || value >= 0.0 || value.is_nan() {
            return Some(value);
        }
        match self.negative {
            Negative::Keep => Some(value),
            Negative::Missing => Some(f64::NAN),
            Negative::Zero => Some(0.0),
            Negative::Abs => Some(-value),
            Negative::Error => None,
        }
    }
}

impl OneHotEncoder {
    fn blocks(&self) -> Vec<f32> {
        let width = self.hot.len() + usize::from(self.missing);
        let mut blocks = vec![0.0; (self.levels.len() + 2) * width];
        for (feature, &level) in self.hot.iter().enumerate() {
            blocks[level as usize * width + feature] = 1.0;
        }
        let missing = self.levels.len() * width;
        if self.missing {
            blocks[missing + width - 1] = 1.0;
        } else {
            blocks[missing..missing + width].copy_from_slice(&self.unseen);
        }
        blocks[missing + width..].copy_from_slice(&self.unseen);
        blocks
    }
}

/// Writes the parts of an instant.
pub(super) fn write_parts(parts: &[TimePart], micros: i64, out: &mut [f32]) {
    for (slot, &part) in out.iter_mut().zip(parts) {
        *slot = narrow(time::part(part, micros));
    }
}

/// The largest number passed to a model. The engine separates missing values from others at twice the largest value of
/// a feature, which must be finite too.
pub const LARGEST: f32 = f32::MAX / 4.0;

/// Converts to `f32`; finite numbers stay finite, and infinities become ±[`LARGEST`].
pub(super) fn narrow(value: f64) -> f32 {
    (value as f32).clamp(-LARGEST, LARGEST)
}

/// Maximum step between neighbouring 32-bit numbers at the values' magnitude, as a share of their standard deviation.
const MAX_STEP: f64 = 1e-3;

/// Whether neighbouring 32-bit numbers at the values' magnitude are far apart for the spread of the values: 8 at 1e8,
/// 65 536 at 1e12.
pub(crate) fn is_coarse(values: &[f64], deviation: f64) -> bool {
    let largest = values.iter().fold(0.0_f64, |most, v| most.max(v.abs())) as f32;
    f64::from(largest.next_up() - largest) > MAX_STEP * deviation
}
