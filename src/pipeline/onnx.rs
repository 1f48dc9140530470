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
//! Numbers come in 64 bits because a threshold may lie between a number and its rounding: the graph rounds where the
//! pipeline does. A level that training did not have is unseen here and there;
//! usual spellings of a level (case, `2.0` for `2`, `true` for `yes`, a space beside it) are found, others are unseen in a graph
//! ([`SPELLINGS`] says so in its metadata). A number that the rule
//! `negative = "error"` would refuse is taken as it is: a graph cannot refuse a row.

mod derived;
mod operators;
#[cfg(test)]
mod parity_tests;

/// What is to be done to texts before they go into a graph.
pub const SPELLINGS: &str = "texts are compared exactly: a level is recognised as it was written in training, in \
                             lower case, in upper case, capitalised, with one space or full stop before or after it, \
                             and as a number in its usual forms (2.0, 2.00, +2, 2e0, 2.00E+00). Normalise other \
                             spellings first: no spaces around, one space between words, composed accents (NFC), no \
                             zero-width characters";

use self::derived::{Exporter, why_not};
use crate::features::{Encoder, Features, LARGEST, Negative, NumberEncoder, RawColumn, Target, Task, TimePart};
use crate::model::{Element, GraphValue, GraphWriter, Model, ModelError};
use crate::pipeline::TargetScale;
use crate::score::Calibration;
use crate::table::{Kind, LevelFinder, MISSING_TIME, Schema};

/// The parts of a pipeline that a graph can say.
#[derive(Debug, Clone, Copy)]
pub struct OnnxParts<'a> {
    /// How the levels of categories are written besides.
    pub schema: &'a Schema,
    /// What is predicted.
    pub target: &'a Target,
    /// From columns to features.
    pub features: &'a Features,
    /// From features to scores.
    pub model: &'a Model,
    /// From what the trees say to the numbers of the target.
    pub scale: &'a TargetScale,
    /// From scores to probabilities.
    pub calibration: &'a Calibration,
    /// Two classes: scores of at least this are positive; 0.5 when absent.
    pub threshold: Option<f64>,
}

impl OnnxParts<'_> {
    /// The graph, for any runtime with `ai.onnx` 17 and `ai.onnx.ml` 3.
    ///
    /// Inputs have the raw columns' names. For a number the output is `prediction` (rows of one column; 64-bit where the target
    /// is scaled because 32 bits do not tell its values apart, else 32-bit); for
    /// classes `prediction` is the class (text, one per row) and `score` holds the probability of the positive class,
    /// or one column per class in the target's order. A raw column of an output's name makes that `prediction_`.
    ///
    /// # Errors
    ///
    /// When the model cannot be written: see [`Model::to_onnx`].
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

    /// A graph that cuts texts into words as the pipeline does is beyond the operators of ONNX: they know neither NFKC nor
    /// scripts without spaces, and other words would be other scores.
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

/// The input of a raw column, declared once; `doc` says what it is instead of the usual.
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
        // Refused before anything is written.
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

/// `value` where it is not below (or above) `bound`, else `instead`; `NaN` stays.
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

/// Whole-number arithmetic on a column.
struct Calendar<'a> {
    graph: &'a mut GraphWriter,
}

impl Calendar<'_> {
    fn with(&mut self, op: &str, value: &str, number: i64) -> String {
        let number = self.graph.int(number);
        self.graph.node(op, &[value, &number], &[])
    }

    /// The remainder with the divisor's sign.
    fn rem(&mut self, value: &str, divisor: i64) -> String {
        self.with("Mod", value, divisor)
    }

    /// The quotient, rounded down.
    fn div(&mut self, value: &str, divisor: i64) -> String {
        let rest = self.rem(value, divisor);
        let whole = self.graph.node("Sub", &[value, &rest], &[]);
        self.with("Div", &whole, divisor)
    }

    /// The sum of `number · value` over the terms.
    fn sum(&mut self, terms: &[(i64, &str)]) -> String {
        let mut total = self.graph.int(0);
        for &(number, value) in terms {
            let term = self.with("Mul", value, number);
            total = self.graph.node("Add", &[&total, &term], &[]);
        }
        total
    }

    /// Year, month (March is 0), day of month − 1 of days since 1970-01-01, as [`crate::features::time::part`] finds them.
    fn civil(&mut self, days: &str) -> (String, String, String) {
        let shifted = self.with("Add", days, 719_468);
        let era = self.div(&shifted, 146_097);
        let day_of_era = self.rem(&shifted, 146_097);
        let (a, b, c) = (self.div(&day_of_era, 1460), self.div(&day_of_era, 36_524), self.div(&day_of_era, 146_096));
        let corrected = self.sum(&[(1, &day_of_era), (-1, &a), (1, &b), (-1, &c)]);
        let year_of_era = self.div(&corrected, 365);
        let (leap, century) = (self.div(&year_of_era, 4), self.div(&year_of_era, 100));
        let day_of_year = self.sum(&[(1, &day_of_era), (-365, &year_of_era), (-1, &leap), (1, &century)]);
        let five = self.sum(&[(5, &day_of_year)]);
        let five = self.with("Add", &five, 2);
        let month = self.div(&five, 153);
        let start = self.sum(&[(153, &month)]);
        let start = self.with("Add", &start, 2);
        let start = self.div(&start, 5);
        let day = self.sum(&[(1, &day_of_year), (-1, &start)]);
        let after_december = self.div(&month, 10);
        let year = self.sum(&[(1, &year_of_era), (400, &era), (1, &after_december)]);
        (year, month, day)
    }

    /// Days since 1970-01-01 of the first of January of a year.
    fn new_year(&mut self, year: &str) -> String {
        let year = self.with("Add", year, -1);
        let era = self.div(&year, 400);
        let year_of_era = self.rem(&year, 400);
        let (leap, century) = (self.div(&year_of_era, 4), self.div(&year_of_era, 100));
        let days = self.sum(&[(146_097, &era), (365, &year_of_era), (1, &leap), (-1, &century)]);
        self.with("Add", &days, 306 - 719_468)
    }

    fn part(&mut self, part: TimePart, micros: &str) -> String {
        const DAY_US: i64 = 86_400_000_000;
        let days = self.div(micros, DAY_US);
        let in_day = self.rem(micros, DAY_US);
        let seconds = self.div(&in_day, 1_000_000);
        match part {
            TimePart::Second => self.rem(&seconds, 60),
            TimePart::Minute => {
                let minutes = self.div(&seconds, 60);
                self.rem(&minutes, 60)
            }
            TimePart::Hour => self.div(&seconds, 3600),
            TimePart::DayOfWeek => {
                let shifted = self.with("Add", &days, 3);
                let day = self.rem(&shifted, 7);
                self.with("Add", &day, 1)
            }
            TimePart::DayOfMonth => {
                let day = self.civil(&days).2;
                self.with("Add", &day, 1)
            }
            TimePart::Month => {
                let month = self.civil(&days).1;
                let month = self.with("Add", &month, 2);
                let month = self.rem(&month, 12);
                self.with("Add", &month, 1)
            }
            TimePart::Year => self.civil(&days).0,
            TimePart::DayOfYear => {
                let year = self.civil(&days).0;
                let first = self.new_year(&year);
                let day = self.sum(&[(1, &days), (-1, &first)]);
                self.with("Add", &day, 1)
            }
            TimePart::Days => {
                let micros = self.graph.cast(micros, Element::Double);
                let day = self.graph.double(DAY_US as f64);
                self.graph.node("Div", &[&micros, &day], &[])
            }
        }
    }
}

fn time_features(graph: &mut GraphWriter, micros: &str, parts: &[TimePart]) -> String {
    let missing = time_missing(graph, micros);
    let nothing = graph.floats(vec![f32::NAN], &[1]);
    let mut features = Vec::new();
    for &part in parts {
        let value = Calendar { graph }.part(part, micros);
        let value = graph.cast(&value, Element::Float);
        features.push(graph.node("Where", &[&missing, &nothing, &value], &[]));
    }
    let features: Vec<&str> = features.iter().map(String::as_str).collect();
    graph.node("Concat", &features, &[("axis", GraphValue::Int(1))])
}

/// Scores (32-bit) as probabilities (64-bit), as [`Calibration::apply_row`] gives them.
fn calibrated(graph: &mut GraphWriter, scores: &str, calibration: &Calibration, width: usize) -> String {
    let scores = graph.cast(scores, Element::Double);
    let Calibration::PerClass { classes } = calibration else {
        return one_calibrated(graph, &scores, calibration);
    };
    let mut columns = Vec::new();
    for (class, calibration) in classes.iter().take(width).enumerate() {
        let place = graph.int(class as i64);
        let score = graph.node("Gather", &[&scores, &place], &[("axis", GraphValue::Int(1))]);
        columns.push(one_calibrated(graph, &score, calibration));
    }
    let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    let scores = graph.node("Concat", &columns, &[("axis", GraphValue::Int(1))]);
    let axis = graph.int(1);
    let whole = graph.node("ReduceSum", &[&scores, &axis], &[("keepdims", GraphValue::Int(1))]);
    let (zero, equal) = (graph.double(0.0), graph.double(1.0 / width as f64));
    let some = graph.node("Greater", &[&whole, &zero], &[]);
    let shares = graph.node("Div", &[&scores, &whole], &[]);
    graph.node("Where", &[&some, &shares, &equal], &[])
}

fn one_calibrated(graph: &mut GraphWriter, scores: &str, calibration: &Calibration) -> String {
    match calibration {
        Calibration::None | Calibration::PerClass { .. } => scores.to_owned(),
        Calibration::Platt { a, b } => platt(graph, scores, *a, *b),
        Calibration::Isotonic { x, y } => isotonic(graph, scores, x, y),
    }
}

/// 1 / (1 + exp(a · log-odds + b)), log-odds of scores kept 1e-15 from 0 and 1.
fn platt(graph: &mut GraphWriter, scores: &str, a: f64, b: f64) -> String {
    const EDGE: f64 = 1e-15;
    let (low, high) = (graph.double(EDGE), graph.double(1.0 - EDGE));
    let inside = graph.node("Max", &[scores, &low], &[]);
    let inside = graph.node("Min", &[&inside, &high], &[]);
    let one = graph.double(1.0);
    let rest = graph.node("Sub", &[&one, &inside], &[]);
    let odds = graph.node("Div", &[&inside, &rest], &[]);
    let log_odds = graph.node("Log", &[&odds], &[]);
    let (a, b) = (graph.double(a), graph.double(b));
    let slope = graph.node("Mul", &[&log_odds, &a], &[]);
    let line = graph.node("Add", &[&slope, &b], &[]);
    let power = graph.node("Exp", &[&line], &[]);
    let whole = graph.node("Add", &[&one, &power], &[]);
    graph.node("Div", &[&one, &whole], &[])
}

/// Straight lines between points: the number of points at or below a score picks its line.
fn isotonic(graph: &mut GraphWriter, scores: &str, x: &[f64], y: &[f64]) -> String {
    let n = x.len().min(y.len());
    if n == 0 {
        return graph.double(f64::NAN);
    }
    // Beyond the first and the last point the lines are flat.
    let lines: Vec<[f64; 4]> = (0..=n)
        .map(|above| match above {
            0 => [x[0], 1.0, y[0], 0.0],
            _ if above == n => [x[n - 1], 1.0, y[n - 1], 0.0],
            _ => [x[above - 1], x[above] - x[above - 1], y[above - 1], y[above] - y[above - 1]],
        })
        .collect();
    let points = graph.doubles(x[..n].to_vec(), &[1, n]);
    let passed = graph.node("GreaterOrEqual", &[scores, &points], &[]);
    let passed = graph.cast(&passed, Element::Int64);
    let axis = graph.int(1);
    let line = graph.node("ReduceSum", &[&passed, &axis], &[("keepdims", GraphValue::Int(1))]);
    let pick = |graph: &mut GraphWriter, of: usize| {
        let table = graph.doubles(lines.iter().map(|line| line[of]).collect(), &[n + 1]);
        graph.node("Gather", &[&table, &line], &[("axis", GraphValue::Int(0))])
    };
    let (start, run, base, rise) = (pick(graph, 0), pick(graph, 1), pick(graph, 2), pick(graph, 3));
    let along = graph.node("Sub", &[scores, &start], &[]);
    let share = graph.node("Div", &[&along, &run], &[]);
    let gain = graph.node("Mul", &[&rise, &share], &[]);
    graph.node("Add", &[&base, &gain], &[])
}
