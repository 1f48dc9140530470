//! The response format of predictions.

use super::scoring::Scored;
use super::snapshot::Live;
use crate::pipeline::{Bound, Contribution, Digits};
use serde::ser::{Serialize, SerializeMap, Serializer};

/// The answer to a request with many rows.
#[derive(Debug, serde::Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Many<'a> {
    /// The request id.
    pub(super) request_id: &'a str,
    /// The experiment that chose the arms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) experiment: Option<&'a str>,
    /// How many outcomes that came with the rows were recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) n_outcomes: Option<usize>,
    /// One per row, in the order of the rows.
    pub(super) predictions: Vec<Answer<'a>>,
}

/// The answer to one row.
#[derive(Debug, serde::Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Answer<'a> {
    /// The request id; given once for many rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
    /// The id of the row in the log, for feedback.
    id: &'a str,
    prediction: Prediction<'a>,
    /// For two classes: the probability of the positive class.
    #[serde(skip_serializing_if = "Option::is_none")]
    score: Option<f32>,
    /// For several classes: the probability of each.
    #[serde(skip_serializing_if = "Option::is_none")]
    scores: Option<ByClass<'a>>,
    /// With `interval`: lower end of the prediction interval.
    #[serde(skip_serializing_if = "Option::is_none")]
    lower: Option<Digits>,
    /// Upper end of the prediction interval.
    #[serde(skip_serializing_if = "Option::is_none")]
    upper: Option<Digits>,
    /// The prediction set of classes.
    #[serde(skip_serializing_if = "Option::is_none")]
    set: Option<Vec<&'a str>>,
    version: &'a str,
    /// The arm of the row.
    arm: Option<&'a str>,
    /// The experiment that chose the arm; given once for many rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    experiment: Option<&'a str>,
    /// How many outcomes that came with the row were recorded; given once for many rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    n_outcomes: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    contributions: Option<Vec<Reason<'a>>>,
}

#[derive(Debug, serde::Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(untagged)]
enum Prediction<'a> {
    Class(&'a str),
    Number(Digits),
}

/// A contribution, to seven digits.
#[derive(Debug, serde::Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Reason<'a> {
    column: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    expression: Option<&'a str>,
    value: f32,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    words: Vec<Word<'a>>,
}

/// A word of a text, and its contribution to the score of the text.
#[derive(Debug, serde::Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Word<'a> {
    term: &'a str,
    value: f32,
}

impl<'a> Reason<'a> {
    fn new(Contribution { column, expression, value, words }: &'a Contribution) -> Self {
        let words = words.iter().map(|word| Word { term: &word.term, value: word.value as f32 }).collect();
        Self { column, expression: expression.as_deref(), value: *value as f32, words }
    }
}

/// Scores by class, to the seven digits that trees compute with.
#[derive(Debug)]
struct ByClass<'a> {
    classes: &'a [String],
    scores: &'a [f64],
}

#[cfg(test)]
impl schemars::JsonSchema for ByClass<'_> {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ByClass".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        std::collections::BTreeMap::<String, f32>::json_schema(generator)
    }
}

impl Serialize for ByClass<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.scores.len()))?;
        for (class, &score) in self.classes.iter().zip(self.scores) {
            map.serialize_entry(class, &(score as f32))?;
        }
        map.end()
    }
}

impl<'a> Answer<'a> {
    /// The prediction of `scored` for row number `row`.
    pub(super) fn new(live: &'a Live, scored: &'a Scored, row: usize, id: &'a str, arm: Option<&'a str>) -> Self {
        let pipeline = &live.model.pipeline;
        let scores = scored.scores.row(row);
        let class = pipeline.class_of(scores);
        let prediction = match class {
            Some(class) => Prediction::Class(&pipeline.target.classes[class]),
            None => Prediction::Number(pipeline.scale.digits(scores[0])),
        };
        let (lower, upper, set) = match scored.bounds.get(row) {
            Some(&Bound::Number { lower, upper }) => {
                (Some(pipeline.scale.digits(lower)), Some(pipeline.scale.digits(upper)), None)
            }
            Some(Bound::Classes(set)) => {
                (None, None, Some(set.iter().map(|&class| pipeline.target.classes[class].as_str()).collect()))
            }
            None => (None, None, None),
        };
        Self {
            request_id: None,
            id,
            prediction,
            score: (class.is_some() && scores.len() == 1).then(|| scores[0] as f32),
            scores: (scores.len() > 1).then(|| ByClass { classes: &pipeline.target.classes, scores }),
            lower,
            upper,
            set,
            version: &live.model.name,
            arm,
            experiment: None,
            n_outcomes: None,
            contributions: scored.reasons.get(row).map(|reasons| reasons.iter().map(Reason::new).collect()),
        }
    }

    /// The same as the whole answer to a request with one row.
    pub(super) fn alone(self, request_id: &'a str, experiment: Option<&'a str>, n_outcomes: Option<usize>) -> Self {
        Self { request_id: Some(request_id), experiment, n_outcomes, ..self }
    }
}
