//! Follows a graph from its inputs through the trees to its scores.
//!
//! ```text
//! X ──▶ [Cast, Identity, Concat of columns] ──▶ TreeEnsemble… ──▶ [Cast, Identity, Reshape, Mul, Add, ZipMap …] ──▶ scores
//!                                                    └──▶ label ──▶ anything ──▶ label (not read: scores are enough)
//! ```
//!
//! Every value of the graph is a [`Value`]. An unsupported operator is an error only if the scores depend on it; then
//! it is named.

use crate::model::Link;
use crate::model::foreign::ForeignError;
use crate::model::onnx::attributes::Attributes;
use crate::model::onnx::ensemble;
use crate::model::onnx::layout::MAX_FEATURES;
use crate::model::onnx::proto::{GraphProto, NodeProto, TensorProto, ValueInfoProto};
use crate::model::onnx::scores::{Kind, Part, Scores, count};
use std::collections::HashMap;
use std::rc::Rc;

/// A value of the graph, as far as it is understood.
#[derive(Clone)]
enum Value {
    /// Columns of the inputs, in the order of the trees' feature indices.
    Columns(Rc<[Columns]>),
    Scores(Rc<Scores>),
    /// The scores of several ensembles, concatenated.
    Stack(Rc<[Rc<Scores>]>),
    /// A class, or a value computed from classes only.
    Label,
    Constant(Rc<[f64]>),
    /// The output of an unsupported operator, on which scores must not depend.
    Unknown(Rc<str>),
}

/// The columns of one input: its index, and its number of columns if declared.
type Columns = (usize, Option<usize>);

/// The graph being evaluated.
pub(super) struct Graph {
    pub scores: Scores,
    pub n_features: usize,
    /// The inputs' names, when each input is one column.
    pub feature_names: Option<Vec<String>>,
}

/// Reads the one score that `graph` outputs.
pub(super) fn read(graph: &GraphProto) -> Result<Graph, ForeignError> {
    let mut reader = Reader { graph, values: HashMap::new(), columns: None, held: 0 };
    reader.start();
    for node in &graph.node {
        reader.step(node)?;
    }
    reader.finish()
}

struct Reader<'a> {
    graph: &'a GraphProto,
    values: HashMap<&'a str, Value>,
    /// The columns that the trees read.
    columns: Option<Rc<[Columns]>>,
    /// The total size of all values so far, in elements.
    held: usize,
}

/// Maximum total size of values, in elements: a small file must not fill the memory by copying.
const MAX_HELD: usize = 1 << 22;

impl Value {
    /// Size of a copy of this value, in elements.
    fn size(&self) -> usize {
        match self {
            Value::Columns(columns) => columns.len(),
            Value::Scores(scores) => scores.parts.len() + scores.base.len(),
            Value::Stack(stack) => stack.len(),
            Value::Label | Value::Constant(_) | Value::Unknown(_) => 1,
        }
    }
}

fn damaged(reason: String) -> ForeignError {
    ForeignError::Damaged { format: "ONNX", reason }
}

/// The number of columns that an input declares; `None` when it may vary.
fn width(input: &ValueInfoProto) -> Option<usize> {
    let shape = input.r#type.as_ref()?.tensor_type.as_ref()?.shape.as_ref()?;
    match &shape.dim[..] {
        [_] => Some(1),
        [_, columns] => columns.dim_value.and_then(|n| usize::try_from(n).ok()).filter(|&n| n > 0),
        _ => None,
    }
}

impl<'a> Reader<'a> {
    fn start(&mut self) {
        for tensor in &self.graph.initializer {
            if let Some(name) = &tensor.name {
                self.values.insert(name, constant(tensor));
            }
        }
        for (index, input) in self.graph.input.iter().enumerate() {
            let columns = Rc::from([(index, width(input))]);
            self.values.entry(&input.name).or_insert(Value::Columns(columns));
        }
    }

    fn step(&mut self, node: &'a NodeProto) -> Result<(), ForeignError> {
        let mut inputs = Vec::with_capacity(node.input.len());
        for name in &node.input {
            let known = self.values.get(name.as_str()).cloned();
            inputs.push(known.unwrap_or_else(|| Value::Unknown(Rc::from(format!("a missing value {name:?}")))));
        }
        if let Some(scores) = ensemble::read(node) {
            return self.ensemble(node, &inputs, scores?);
        }
        let output = apply(node, &inputs)?;
        self.hold(&output)?;
        for name in &node.output {
            self.values.insert(name, output.clone());
        }
        Ok(())
    }

    fn hold(&mut self, value: &Value) -> Result<(), ForeignError> {
        self.held += value.size();
        if self.held > MAX_HELD { Err(damaged("it copies values too often".into())) } else { Ok(()) }
    }

    /// The trees' outputs: a label and scores, or values alone.
    fn ensemble(&mut self, node: &'a NodeProto, inputs: &[Value], scores: Scores) -> Result<(), ForeignError> {
        let value = match inputs {
            [Value::Columns(columns)] => {
                match &self.columns {
                    Some(before) if before != columns => {
                        return Err(damaged("two ensembles read different columns".into()));
                    }
                    _ => self.columns = Some(Rc::clone(columns)),
                }
                Value::Scores(Rc::new(scores))
            }
            [Value::Unknown(op)] => Value::Unknown(Rc::clone(op)),
            _ => Value::Unknown(Rc::from(format!("{} over something other than features", node.op_type))),
        };
        self.hold(&value)?;
        match &node.output[..] {
            [label, score] if node.op_type == "TreeEnsembleClassifier" => {
                self.values.insert(label, Value::Label);
                self.values.insert(score, value);
            }
            [score] if node.op_type != "TreeEnsembleClassifier" => {
                self.values.insert(score, value);
            }
            outputs => return Err(damaged(format!("{} has {} outputs", node.op_type, outputs.len()))),
        }
        Ok(())
    }

    fn finish(self) -> Result<Graph, ForeignError> {
        let mut found: Vec<Rc<Scores>> = Vec::new();
        let mut unknown: Option<Rc<str>> = None;
        for output in &self.graph.output {
            match self.values.get(output.name.as_str()) {
                Some(Value::Scores(scores)) if !found.iter().any(|f| Rc::ptr_eq(f, scores)) => {
                    found.push(Rc::clone(scores));
                }
                Some(Value::Unknown(op)) => unknown = Some(Rc::clone(op)),
                _ => {}
            }
        }
        // Raw sums and probabilities are the same information.
        if found.len() > 1 {
            found.retain(|scores| scores.kind == Kind::Probabilities);
        }
        let scores = match (found.pop(), unknown) {
            (Some(scores), _) if found.is_empty() => scores,
            (Some(_), _) => return Err(damaged("it has several outputs of scores".into())),
            (None, Some(op)) => return Err(ForeignError::Unsupported { format: "ONNX", what: op.to_string() }),
            (None, None) => return Err(damaged("no output is the score of a tree ensemble".into())),
        };
        let columns = self.columns.unwrap_or_else(|| Rc::from([]));
        let n_features = n_features(&columns, scores.n_features)?;
        let names =
            columns.iter().map(|&(input, width)| (width == Some(1)).then(|| self.graph.input[input].name.clone()));
        let feature_names = names.collect::<Option<Vec<_>>>().filter(|names| names.len() > 1 || n_features == 1);
        Ok(Graph { scores: Rc::unwrap_or_clone(scores), n_features, feature_names })
    }
}

/// The declared number of columns, or else the number that the trees need.
fn n_features(columns: &[Columns], needed: usize) -> Result<usize, ForeignError> {
    let declared = columns.iter().map(|c| c.1).try_fold(0_usize, |sum, width| sum.checked_add(width?));
    match declared {
        Some(n) if n < needed => Err(damaged(format!("a branch tests feature {} of {n}", needed - 1))),
        Some(n) if n > MAX_FEATURES => Err(damaged(format!("it declares {n} features"))),
        Some(n) => Ok(n),
        None => Ok(needed.max(1)),
    }
}

fn constant(tensor: &TensorProto) -> Value {
    tensor.numbers().map_or(Value::Label, |numbers| Value::Constant(Rc::from(numbers)))
}

/// The value of any operator that is not a tree ensemble.
fn apply(node: &NodeProto, inputs: &[Value]) -> Result<Value, ForeignError> {
    let at = Attributes::of(node);
    let unknown =
        || {
            let before = inputs.iter().find_map(|input| match input {
                Value::Unknown(op) => Some(Rc::clone(op)),
                _ => None,
            });
            Value::Unknown(before.unwrap_or_else(|| {
                let name = node.name.as_deref().filter(|name| !name.is_empty());
                Rc::from(name.map_or_else(
                    || format!("operator {}", node.op_type),
                    |n| format!("operator {} ({n})", node.op_type),
                ))
            }))
        };
    let value = match (node.op_type.as_str(), inputs) {
        ("Constant", []) => node.attribute.iter().find_map(|a| a.t.as_ref()).map(constant),
        ("Identity" | "Dropout", [value, ..]) => Some(value.clone()),
        ("Cast", [value]) if matches!(at.int("to"), Some(1 | 11)) => Some(value.clone()),
        ("Cast", [Value::Constant(values)]) => Some(Value::Constant(Rc::clone(values))),
        ("ZipMap", [Value::Scores(scores)]) => Some(Value::Scores(Rc::clone(scores))),
        ("Normalizer", [Value::Scores(scores)]) if sums_to_one(scores) && at.text("norm", "MAX")? == "L1" => {
            Some(Value::Scores(Rc::clone(scores)))
        }
        ("Reshape", [Value::Scores(scores), Value::Constant(shape)]) if keeps_rows(scores, shape) => {
            Some(Value::Scores(Rc::clone(scores)))
        }
        ("Concat", _) => concat(&at, inputs)?,
        ("ReduceMean", [Value::Stack(stack), rest @ ..]) if axis(&at, rest) == Some(0) => merged(stack, true)?,
        ("Sum" | "Mean" | "Add", _) if inputs.len() > 1 && inputs.iter().all(|v| matches!(v, Value::Scores(_))) => {
            merged(&all_scores(inputs), node.op_type == "Mean")?
        }
        ("Mul" | "Add" | "Sub" | "Div", [Value::Scores(scores), Value::Constant(constant)]) => {
            arithmetic(&node.op_type, scores, constant)
        }
        ("Mul" | "Add", [Value::Constant(constant), Value::Scores(scores)]) => {
            arithmetic(&node.op_type, scores, constant)
        }
        ("Sigmoid", [Value::Scores(scores)]) => linked(scores, Link::Logistic),
        ("Exp", [Value::Scores(scores)]) if scores.base.len() == 1 && scores.kind == Kind::Values => {
            linked(scores, Link::Exp)
        }
        ("Softmax", [Value::Scores(scores)])
            if scores.base.len() > 1 && matches!(at.int("axis"), None | Some(1 | -1)) =>
        {
            linked(scores, Link::Softmax)
        }
        ("ArgMax" | "ArgMin" | "Greater" | "GreaterOrEqual" | "Less" | "LessOrEqual", _) => {
            (!inputs.iter().any(|v| matches!(v, Value::Unknown(_) | Value::Columns(_)))).then_some(Value::Label)
        }
        (_, [_, ..]) if inputs.iter().all(|v| matches!(v, Value::Label | Value::Constant(_))) => Some(Value::Label),
        _ => None,
    };
    Ok(value.unwrap_or_else(unknown))
}

/// Whether every row's scores already sum to one.
fn sums_to_one(scores: &Scores) -> bool {
    scores.kind == Kind::Probabilities && (scores.base.len() == 1 || scores.link != Link::Logistic)
}

/// Whether a reshape keeps each row's scores together: one axis for the rows, the others for one row's scores.
fn keeps_rows(scores: &Scores, shape: &[f64]) -> bool {
    // A binary classifier has two columns in the file and one here.
    let per_row = if scores.kind == Kind::Values { scores.base.len() } else { scores.base.len().max(2) };
    let rows = shape.iter().filter(|&&d| d <= 0.0).count();
    let others: f64 = shape.iter().filter(|&&d| d > 0.0).product();
    rows == 1 && others == per_row as f64
}

fn all_scores(inputs: &[Value]) -> Vec<Rc<Scores>> {
    let scores = |value: &Value| match value {
        Value::Scores(scores) => Some(Rc::clone(scores)),
        _ => None,
    };
    inputs.iter().filter_map(scores).collect()
}

/// The axis of a reduction: an attribute in older operator sets, an input in newer ones.
fn axis(at: &Attributes<'_>, inputs: &[Value]) -> Option<i64> {
    match (at.ints("axes"), inputs) {
        ([axis], []) => Some(*axis),
        ([], [Value::Constant(axes)]) if axes.len() == 1 => Some(axes[0] as i64),
        _ => None,
    }
}

/// Joins columns side by side, or scores one after another.
fn concat(at: &Attributes<'_>, inputs: &[Value]) -> Result<Option<Value>, ForeignError> {
    let axis = at.int("axis").unwrap_or(1);
    let mut columns = Vec::new();
    for input in inputs {
        if let Value::Columns(more) = input {
            columns.extend_from_slice(more);
        }
        if columns.len() > MAX_FEATURES {
            return Err(damaged("it joins too many columns".into()));
        }
    }
    let all_columns = inputs.iter().all(|v| matches!(v, Value::Columns(_)));
    if all_columns && matches!(axis, 1 | -1) && columns.iter().all(|c| c.1.is_some() || columns.len() == 1) {
        return Ok(Some(Value::Columns(Rc::from(columns))));
    }
    let stack = all_scores(inputs);
    Ok((axis == 0 && !stack.is_empty() && stack.len() == inputs.len()).then(|| Value::Stack(Rc::from(stack))))
}

/// The sum or mean of several ensembles as one ensemble; `None` if a link is in between.
fn merged(stack: &[Rc<Scores>], mean: bool) -> Result<Option<Value>, ForeignError> {
    let Some(first) = stack.first() else { return Ok(None) };
    let alike =
        |s: &Rc<Scores>| s.link == Link::Identity && s.kind != Kind::Margins && s.base.len() == first.base.len();
    if !stack.iter().all(alike) {
        return Ok(None);
    }
    let mut sum = Scores::clone(first);
    for scores in &stack[1..] {
        let twice = |part: &Part| sum.parts.iter().any(|other| Rc::ptr_eq(&part.trees, &other.trees));
        if scores.parts.iter().any(twice) {
            return Err(damaged("it adds one ensemble to itself".into()));
        }
        sum.parts.extend_from_slice(&scores.parts);
        sum.base.iter_mut().zip(&scores.base).for_each(|(a, b)| *a += b);
        sum.n_features = sum.n_features.max(scores.n_features);
    }
    if mean {
        rescale(&mut sum, 1.0 / count(stack.len()));
    }
    Ok(Some(Value::Scores(Rc::new(sum))))
}

fn rescale(scores: &mut Scores, factor: f64) {
    scores.parts.iter_mut().for_each(|part| part.factor *= factor);
    scores.base.iter_mut().for_each(|b| *b *= factor);
}

/// A constant applied to scores; `None` if the result is not an ensemble.
fn arithmetic(op: &str, scores: &Rc<Scores>, constant: &[f64]) -> Option<Value> {
    let &first = constant.first()?;
    if constant.iter().any(|&c| c != first) || !first.is_finite() {
        return None;
    }
    let nothing = if matches!(op, "Mul" | "Div") { 1.0 } else { 0.0 };
    if first == nothing {
        return Some(Value::Scores(Rc::clone(scores)));
    }
    if scores.link != Link::Identity || scores.kind == Kind::Probabilities {
        return None;
    }
    let mut scores = Scores::clone(scores);
    match op {
        "Mul" => rescale(&mut scores, first),
        "Div" => rescale(&mut scores, 1.0 / first),
        "Add" => scores.base.iter_mut().for_each(|b| *b += first),
        _ => scores.base.iter_mut().for_each(|b| *b -= first),
    }
    Some(Value::Scores(Rc::new(scores)))
}

/// Raw sums through a link.
fn linked(scores: &Rc<Scores>, link: Link) -> Option<Value> {
    if scores.link != Link::Identity || scores.kind == Kind::Probabilities {
        return None;
    }
    let mut scores = Scores::clone(scores);
    scores.link = link;
    if link != Link::Exp {
        scores.kind = Kind::Probabilities;
    }
    Some(Value::Scores(Rc::new(scores)))
}
