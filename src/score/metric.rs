//! The names of the metrics, their direction, and a value with its interval.

use std::fmt;
use std::str::FromStr;

use serde::de::{Error as _, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::features::Task;
use crate::score::ScoreError;

/// The direction in which a metric improves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Higher is better.
    Higher,
    /// Lower is better.
    Lower,
}

/// The single list of all metrics: defines the enum, its names in JSON, directions and ranges.
macro_rules! metrics {
    ($($(#[doc = $doc:literal])+ $variant:ident $name:literal $direction:ident $range:ident;)+) => {
        /// A metric by name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Metric { $($(#[doc = $doc])+ $variant,)+ }

        impl Metric {
            /// Every metric, in the order of reports.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The name in JSON and in `mlloop.toml`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// Whether higher or lower is better.
            #[must_use]
            pub const fn direction(self) -> Direction {
                match self { $(Self::$variant => Direction::$direction,)+ }
            }

            /// The values that the metric can take.
            pub(crate) const fn range(self) -> Range {
                match self { $(Self::$variant => Range::$range,)+ }
            }
        }
    };
}

/// The values of a metric; they determine the scale of a normal interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Range {
    /// A share of rows, 0 to 1.
    Share,
    /// 0 to 1.
    Unit,
    /// 0 and up.
    Positive,
    /// Any number.
    Real,
}

metrics! {
    /// Area under the ROC curve: P(score of a positive > score of a negative), ties count half.
    RocAuc "roc_auc" Higher Unit;
    /// Mean of the one-vs-rest areas under the ROC curve.
    RocAucMacro "roc_auc_macro" Higher Unit;
    /// Mean of the one-vs-rest areas under the ROC curve, weighted by the classes' shares.
    RocAucWeighted "roc_auc_weighted" Higher Unit;
    /// Average precision: Σ (recallₖ − recallₖ₋₁) · precisionₖ over the distinct scores.
    PrAuc "pr_auc" Higher Unit;
    /// Mean of the one-vs-rest average precisions.
    PrAucMacro "pr_auc_macro" Higher Unit;
    /// Mean of −ln p of the true class; p is kept in [ε, 1 − ε], ε = 2⁻⁵².
    LogLoss "log_loss" Lower Positive;
    /// Mean squared distance of the probabilities from the truth (binary: half of the sum over both classes).
    Brier "brier" Lower Positive;
    /// Share of rows predicted right.
    Accuracy "accuracy" Higher Share;
    /// Mean recall of the classes that occur.
    BalancedAccuracy "balanced_accuracy" Higher Unit;
    /// Share of predicted positives that are positive.
    Precision "precision" Higher Share;
    /// Share of positives that are predicted positive.
    Recall "recall" Higher Share;
    /// Share of negatives that are predicted negative.
    Specificity "specificity" Higher Share;
    /// Harmonic mean of precision and recall.
    F1 "f1" Higher Unit;
    /// Mean of the classes' precisions.
    PrecisionMacro "precision_macro" Higher Unit;
    /// Mean of the classes' recalls.
    RecallMacro "recall_macro" Higher Unit;
    /// Mean of the classes' F1.
    F1Macro "f1_macro" Higher Unit;
    /// Mean of the classes' F1, weighted by the classes' shares.
    F1Weighted "f1_weighted" Higher Unit;
    /// Matthews' correlation coefficient.
    Mcc "mcc" Higher Real;
    /// Cohen's kappa of prediction and truth.
    Kappa "kappa" Higher Real;
    /// Coefficient of determination.
    R2 "r2" Higher Real;
    /// Mean absolute error.
    Mae "mae" Lower Positive;
    /// Root of the mean squared error.
    Rmse "rmse" Lower Positive;
    /// Mean of |error| ∕ max(|truth|, 2⁻⁵²), as a share.
    Mape "mape" Lower Positive;
    /// Median absolute error.
    MedianAe "median_ae" Lower Positive;
}

impl Metric {
    /// The metrics of a task, in the order of reports.
    #[must_use]
    pub const fn of(task: Task) -> &'static [Self] {
        use Metric::{
            Accuracy, BalancedAccuracy, Brier, F1, F1Macro, F1Weighted, Kappa, LogLoss, Mae, Mape, Mcc, MedianAe,
            PrAuc, PrAucMacro, Precision, PrecisionMacro, R2, Recall, RecallMacro, Rmse, RocAuc, RocAucMacro,
            RocAucWeighted, Specificity,
        };
        match task {
            Task::Binary => &[
                RocAuc,
                PrAuc,
                LogLoss,
                Brier,
                Accuracy,
                BalancedAccuracy,
                Precision,
                Recall,
                Specificity,
                F1,
                F1Macro,
                F1Weighted,
                Mcc,
                Kappa,
            ],
            Task::Multiclass => &[
                RocAucMacro,
                RocAucWeighted,
                PrAucMacro,
                LogLoss,
                Brier,
                Accuracy,
                BalancedAccuracy,
                PrecisionMacro,
                RecallMacro,
                F1Macro,
                F1Weighted,
                Mcc,
                Kappa,
            ],
            Task::Regression => &[R2, Mae, Rmse, Mape, MedianAe],
        }
    }

    /// The metric that decides by default: `roc_auc`, `f1_macro` or `r2`.
    #[must_use]
    pub const fn primary(task: Task) -> Self {
        match task {
            Task::Binary => Self::RocAuc,
            Task::Multiclass => Self::F1Macro,
            Task::Regression => Self::R2,
        }
    }

    /// Whether `new` is better than `old`; false if one of them is `NaN`.
    #[must_use]
    pub fn is_better(self, new: f64, old: f64) -> bool {
        match self.direction() {
            Direction::Higher => new > old,
            Direction::Lower => new < old,
        }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Metric {
    type Err = ScoreError;

    fn from_str(name: &str) -> Result<Self, ScoreError> {
        Self::ALL.iter().copied().find(|m| m.name() == name).ok_or_else(|| ScoreError::UnknownMetric {
            name: name.to_owned(),
            known: Self::ALL.iter().map(|m| m.name()).collect(),
        })
    }
}

impl Serialize for Metric {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

#[cfg(test)]
impl schemars::JsonSchema for Metric {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Metric".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let names: Vec<&str> = Self::ALL.iter().map(|metric| metric.name()).collect();
        schemars::json_schema!({ "type": "string", "enum": names })
    }
}

impl<'de> Deserialize<'de> for Metric {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// How an interval was computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// Percentiles of the metric over resampled rows.
    Bootstrap,
    /// Normal interval with the infinitesimal-jackknife standard error (large tables).
    Jackknife,
    /// Wilson's score interval of a share, where every resample gives the same value.
    Wilson,
    /// Ranks of the binomial distribution around the median (large tables).
    OrderStatistics,
}

///
/// A metric's value with its 95 % interval.
///
/// `value` is absent if the metric is undefined on these rows; `note` then gives the reason. A value with a note is a
/// convention (precision 0 if no row is predicted positive).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Estimate {
    /// The metric on these rows.
    pub value: Option<f64>,
    /// Lower end of the 95 % interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub low: Option<f64>,
    /// Upper end of the 95 % interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub high: Option<f64>,
    /// How the interval was computed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<Method>,
    /// Why there is no value, or which convention gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// Metrics in the order of reports; a JSON object whose keys are the metrics' names.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Metrics<T = Estimate>(Vec<(Metric, T)>);

impl<T> Metrics<T> {
    /// The metrics in the given order.
    #[must_use]
    pub fn new(entries: Vec<(Metric, T)>) -> Self {
        Self(entries)
    }

    /// The value of `metric`.
    #[must_use]
    pub fn get(&self, metric: Metric) -> Option<&T> {
        self.0.iter().find(|(m, _)| *m == metric).map(|(_, entry)| entry)
    }

    /// The metrics and their values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (Metric, &T)> {
        self.0.iter().map(|(m, entry)| (*m, entry))
    }
}

impl Metrics {
    /// The value of `metric`; `None` if it is missing or undefined.
    #[must_use]
    pub fn value(&self, metric: Metric) -> Option<f64> {
        self.get(metric).and_then(|estimate| estimate.value)
    }
}

#[cfg(test)]
impl<T: schemars::JsonSchema> schemars::JsonSchema for Metrics<T> {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("MetricsOf{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let (names, of) = (generator.subschema_for::<Metric>(), generator.subschema_for::<T>());
        schemars::json_schema!({ "type": "object", "propertyNames": names, "additionalProperties": of })
    }
}

impl<T: Serialize> Serialize for Metrics<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (metric, entry) in &self.0 {
            map.serialize_entry(metric.name(), entry)?;
        }
        map.end()
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Metrics<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder<T>(std::marker::PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for InOrder<T> {
            type Value = Metrics<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of metrics by name")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Metrics(entries))
            }
        }

        deserializer.deserialize_map(InOrder(std::marker::PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::{Estimate, Metric, Metrics};
    use crate::features::Task;

    #[test]
    fn names_are_unique_and_parse_back() {
        for &metric in Metric::ALL {
            assert_eq!(metric.name().parse(), Ok(metric));
        }
        let error = "roc-auc".parse::<Metric>().unwrap_err().to_string();
        assert!(
            error.starts_with("unknown metric \"roc-auc\": did you mean \"roc_auc\"? Choose from roc_auc, "),
            "{error}"
        );
        for task in [Task::Binary, Task::Multiclass, Task::Regression] {
            assert!(Metric::of(task).contains(&Metric::primary(task)));
        }
        assert!(Metric::LogLoss.is_better(0.1, 0.2) && !Metric::RocAuc.is_better(0.1, f64::NAN));
    }

    #[test]
    fn json_keeps_the_order() {
        let estimate = |value| Estimate { value: Some(value), ..Estimate::default() };
        let metrics = Metrics::new(vec![(Metric::RocAuc, estimate(0.5)), (Metric::Accuracy, estimate(0.25))]);
        let json = serde_json::to_string(&metrics).unwrap();
        assert_eq!(json, r#"{"roc_auc":{"value":0.5},"accuracy":{"value":0.25}}"#);
        assert_eq!(serde_json::from_str::<Metrics>(&json).unwrap(), metrics);
        assert!(serde_json::from_str::<Metrics>(r#"{"rocauc":{"value":0.5}}"#).is_err());
    }
}
