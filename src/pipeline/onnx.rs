//! A whole pipeline as one ONNX graph over raw columns.
//!
//! ```text
//! tenure    double [rows, 1] ──▶ Where, Sub, Div ──▶ Cast ──┐
//! Contract  string [rows, 1] ──▶ LabelEncoder ──▶ Gather ──┼▶ Concat ──▶ TreeEnsemble ──▶ link ──▶ calibration ──▶ score
//! dteday    int64  [rows, 1] ──▶ Mod, Div …     ──▶ Cast ──┘                                          └──▶ prediction
//! ```
//!
//! | column | input | missing |
//! |---|---|---|
//! | number | 64-bit, as a data frame has it | `NaN` |
//! | category | text | the empty text |
//! | time | microseconds since 1970-01-01 UTC | −2⁶³ |
//!
//! Inputs have 64 bits because a threshold may be between a number and its rounded value: the graph rounds at the same
//! point as the pipeline. A level unseen in training is unseen in both; common spellings of a level (case, `2.0` for
//! `2`, `true` for `yes`, a space beside it) are recognised, others are unseen in a graph ([`SPELLINGS`] in its
//! metadata says so). A number that the rule `negative = "error"` would refuse is accepted: a graph cannot refuse a
//! row.

mod calendar;
mod calibration;
mod derived;
mod operators;
#[cfg(test)]
mod parity_tests;

/// How to prepare texts for a graph.
pub const SPELLINGS: &str = "texts are compared exactly: a level is recognised as it was written in training, in \
                             lower case, in upper case, capitalised, with one space or full stop before or after it, \
                             and as a number in its usual forms (2.0, 2.00, +2, 2e0, 2.00E+00). Normalise other \
                             spellings first: no spaces around, one space between words, composed accents (NFC), no \
                             zero-width characters";

use self::calendar::time_features;
use self::calibration::calibrated;
use self::derived::{Exporter, why_not};
use crate::features::{Encoder, Features, LARGEST, Negative, NumberEncoder, RawColumn, Target, Task};
use crate::model::{Element, GraphValue, GraphWriter, Model, ModelError};
use crate::pipeline::TargetScale;
use crate::score::Calibration;
use crate::table::{Kind, LevelFinder, MISSING_TIME, Schema};

/// The parts of a pipeline that a graph can represent.
#[derive(Debug, Clone, Copy)]
pub struct OnnxParts<'a> {
    /// Other spellings of the levels of categories.
    pub schema: &'a Schema,
    /// The target.
    pub target: &'a Target,
    /// From columns to features.
    pub features: &'a Features,
    /// From features to scores.
    pub model: &'a Model,
    /// The scale from the trees' output to the numbers of the target.
    pub scale: &'a TargetScale,
    /// From scores to probabilities.
    pub calibration: &'a Calibration,
    /// Two classes: scores of at least this are positive; 0.5 when absent.
    pub threshold: Option<f64>,
}

impl OnnxParts<'_> {
    /// The graph, for any runtime with `ai.onnx` 17 and `ai.onnx.ml` 3.
    ///
    /// Inputs have the raw columns' names. For a number the output is `prediction` (rows of one column; 64-bit if the
    /// target is scaled because 32 bits cannot distinguish its values, else 32-bit); for classes `prediction` is the
    /// class (text, one per row) and `score` holds the probability of the positive class, or one column per class in
    /// the target's order. If a raw column has an output's name, that becomes `prediction_`.
    ///
    /// # Errors
    ///
    /// If the model cannot be written: see [`Model::to_onnx`].
    pub fn to_onnx(&self) -> Result<Vec<u8>, ModelError> {
        self.check_texts()?;
        let mut graph = GraphWriter::default();
        let mut parts = Vec::new();
        let derived = self.features.derived();
        let mut exporter = Exporter::new(derived, self.schema);
        for input in self.features.encoders() {
            if let Some(place) = derived.place(&input.column) {
                let value = exporter.column(&mut graph, place);
                parts.push(encoded(&mut graph, value.name(), &input.encoder, None));
                continue;
            }
            let finder = self.schema.column(&input.column).and_then(|spec| spec.spelling.finder());
            let value = column_input(&mut graph, &input.column, input.encoder.kind(), None);
            parts.push(encoded(&mut graph, &value, &input.encoder, finder.map(|finder| &**finder)));
        }
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let features = graph.node("Concat", &parts, &[("axis", GraphValue::Int(1))]);
        let scores = self.model.write_onnx(&mut graph, &features)?;
        let width = self.target.n_scores();
        let exact = calibrated(&mut graph, &scores, self.calibration, width);
        let score = graph.cast(&exact, Element::Float);
        match self.target.task {
            Task::Regression if !self.scale.is_identity() => {
                let (centre, unit) = (graph.double(self.scale.centre()), graph.double(self.scale.unit()));
                let scaled = graph.node("Mul", &[&exact, &unit], &[]);
                let told = graph.node("Add", &[&scaled, &centre], &[]);
                graph.output(&told, "prediction", Element::Double, Some(1));
            }
            Task::Regression => graph.output(&score, "prediction", Element::Float, Some(1)),
            _ => {
                let class = self.class(&mut graph, &exact);
                graph.output(&class, "prediction", Element::Text, None);
                graph.output(&score, "score", Element::Float, Some(width));
            }
        }
        let metadata = [
            ("target", self.target.name.clone()),
            ("classes", self.target.classes.join("\n")),
            ("spellings", SPELLINGS.to_owned()),
        ];
        Ok(graph.finish("a pipeline from raw columns to scores", &metadata))
    }

    /// ONNX operators cannot split texts into words as the pipeline does: they support neither NFKC nor
    /// scripts without spaces, and other words would give other scores.
    fn check_texts(&self) -> Result<(), ModelError> {
        let is_text = |input: &&RawColumn| matches!(input.encoder, Encoder::Text(_));
        match self.features.encoders().iter().find(is_text) {
            Some(RawColumn { column, .. }) => Err(ModelError::Unsupported(format!(
                "ONNX cannot split the texts of column {column:?} into words as mlloop does: serve the version with \
                 mlloop, or train one without this column ([features.columns.{column:?}] text = \"drop\")"
            ))),
            None => Ok(()),
        }
    }

    /// The class of each row as text.
    fn class(&self, graph: &mut GraphWriter, scores: &str) -> String {
        let classes = graph.texts(&self.target.classes);
        let index = if self.target.task == Task::Binary {
            let threshold = graph.double(self.threshold.unwrap_or(0.5));
            let positive = graph.node("GreaterOrEqual", &[scores, &threshold], &[]);
            let index = graph.cast(&positive, Element::Int64);
            let all = graph.int(-1);
            graph.node("Reshape", &[&index, &all], &[])
        } else {
            // The first of equal scores.
            graph.node("ArgMax", &[scores], &[("axis", GraphValue::Int(1)), ("keepdims", GraphValue::Int(0))])
        };
        graph.node("Gather", &[&classes, &index], &[("axis", GraphValue::Int(0))])
    }
}

/// The input of a raw column, declared once; `doc` describes an unusual format.
fn column_input(graph: &mut GraphWriter, name: &str, kind: Kind, doc: Option<&str>) -> String {
    let (element, usual) = match kind {
        Kind::Number => (Element::Double, "a number; NaN is missing"),
        Kind::Time => (Element::Int64, "microseconds since 1970-01-01 UTC; -9223372036854775808 is missing"),
        _ => (Element::Text, "a category or a text; the empty text is missing"),
    };
    if graph.has_input(name) {
        return name.to_owned();
    }
    graph.input(name, element, 1, doc.unwrap_or(usual))
}

/// The features of the values of one column, 32-bit.
fn encoded(graph: &mut GraphWriter, value: &str, encoder: &Encoder, finder: Option<&LevelFinder>) -> String {
    match encoder {
        Encoder::Number(number) => number_feature(graph, value.to_owned(), number),
        Encoder::OneHot(_) | Encoder::TargetStatistic(_) | Encoder::Codes(_) => {
            category_features(graph, value, encoder, finder)
        }
        Encoder::TimeParts { parts } => time_features(graph, value, parts),
        // Already refused.
        Encoder::Text(_) => value.to_owned(),
    }
}

/// Whether a time is missing.
fn time_missing(graph: &mut GraphWriter, micros: &str) -> String {
    let never = graph.int(MISSING_TIME);
    graph.node("Equal", &[micros, &never], &[])
}

/// The derived features that a graph takes as inputs, since it cannot compute them, and why.
pub(super) fn outside(features: &Features) -> Vec<(String, String)> {
    let derived = features.derived();
    let needed = |name: &str| features.columns().any(|column| column == name);
    let places = (0..derived.definitions().len()).map(|place| (derived.node(place).0, place));
    places
        .filter(|(name, _)| needed(name))
        .filter_map(|(name, place)| Some((name.to_owned(), why_not(derived, place)?)))
        .collect()
}

/// `value` if it is not below (or above) `bound`, else `instead`; `NaN` is kept.
fn bounded(graph: &mut GraphWriter, value: &str, op: &str, bound: f64, instead: &str) -> String {
    let bound = graph.double(bound);
    let beyond = graph.node(op, &[value, &bound], &[]);
    graph.node("Where", &[&beyond, instead, value], &[])
}

/// [`NumberEncoder::apply`] in a graph.
fn number_feature(graph: &mut GraphWriter, input: String, encoder: &NumberEncoder) -> String {
    let mut value = input;
    let instead = match encoder.negative {
        Negative::Keep | Negative::Error => None,
        Negative::Missing => Some(graph.double(f64::NAN)),
        Negative::Zero => Some(graph.double(0.0)),
        Negative::Abs => Some(graph.node("Neg", &[&value], &[])),
    };
    if let Some(instead) = instead {
        value = bounded(graph, &value, "Less", 0.0, &instead);
    }
    let clamp = |graph: &mut GraphWriter, value: &str, low: f64, high: f64| {
        let (low_name, high_name) = (graph.double(low), graph.double(high));
        let value = bounded(graph, value, "Less", low, &low_name);
        bounded(graph, &value, "Greater", high, &high_name)
    };
    if let Some((low, high)) = encoder.clip {
        value = clamp(graph, &value, low, high);
    }
    if let Some(fill) = encoder.fill {
        let fill = graph.double(fill);
        let missing = graph.node("IsNaN", &[&value], &[]);
        value = graph.node("Where", &[&missing, &fill, &value], &[]);
    }
    if let Some((mean, sd)) = encoder.scale {
        let (mean, sd) = (graph.double(mean), graph.double(sd));
        let centred = graph.node("Sub", &[&value, &mean], &[]);
        value = graph.node("Div", &[&centred, &sd], &[]);
    }
    value = clamp(graph, &value, -f64::from(LARGEST), f64::from(LARGEST));
    graph.cast(&value, Element::Float)
}

/// A row of the encoder's blocks per cell: one block per level, then missing, then unseen.
fn category_features(graph: &mut GraphWriter, input: &str, encoder: &Encoder, finder: Option<&LevelFinder>) -> String {
    let levels = encoder.levels().unwrap_or_default();
    let n = levels.len();
    let mut keys: Vec<Vec<u8>> = levels.iter().map(|level| level.clone().into_bytes()).collect();
    let mut places: Vec<i64> = (0..n as i64).collect();
    if !levels.iter().any(String::is_empty) {
        keys.push(Vec::new());
        places.push(n as i64);
    }
    // A graph compares texts only: usual spellings of a level are keys of their own.
    for (text, name) in finder.map(LevelFinder::spellings).unwrap_or_default() {
        if let Ok(place) = levels.binary_search(&name) {
            keys.push(text.into_bytes());
            places.push(place as i64);
        }
    }
    let attributes = [
        ("keys_strings", GraphValue::Texts(keys)),
        ("values_int64s", GraphValue::Ints(places)),
        ("default_int64", GraphValue::Int(n as i64 + 1)),
    ];
    let place = graph.node_ml("LabelEncoder", &[input], &attributes);
    let all = graph.int(-1);
    let place = graph.node("Reshape", &[&place, &all], &[]);
    let blocks = graph.floats(encoder.blocks(), &[n + 2, encoder.n_features()]);
    graph.node("Gather", &[&blocks, &place], &[("axis", GraphValue::Int(0))])
}
