//! Writes graphs: a small builder, and the trees of a model.

use crate::features::Task;
use crate::model::error::ModelError;
use crate::model::onnx::proto::{
    AttributeProto, DimensionProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, StringStringEntryProto,
    TensorProto, TensorShapeProto, TensorTypeProto, TypeProto, ValueInfoProto, attribute_type, data_type,
};
use crate::model::{Link, Model, Node, Tree};
use prost::Message;

/// Operator sets that runtimes have supported since 2022.
const OPSET: i64 = 17;
const OPSET_ML: i64 = 3;
const IR_VERSION: i64 = 8;
const ML: &str = "ai.onnx.ml";

/// The name of a value of the graph.
pub(crate) type Name = String;

/// The element type of a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Element {
    Float,
    Double,
    Int64,
    Text,
}

impl Element {
    fn code(self) -> i32 {
        match self {
            Element::Float => data_type::FLOAT,
            Element::Double => data_type::DOUBLE,
            Element::Int64 => data_type::INT64,
            Element::Text => data_type::STRING,
        }
    }
}

/// An attribute's value.
pub(crate) enum Value<'a> {
    Int(i64),
    Ints(Vec<i64>),
    Floats(Vec<f32>),
    Text(&'a str),
    Texts(Vec<Vec<u8>>),
}

/// A graph that grows node by node; values get names that no column can have.
#[derive(Default)]
pub(crate) struct Writer {
    graph: GraphProto,
    named: usize,
}

impl Writer {
    fn fresh(&mut self) -> Name {
        self.named += 1;
        // Column names contain no control characters.
        format!("\u{1}{}", self.named)
    }

    /// An input of any number of rows and `columns` columns.
    pub(crate) fn input(&mut self, name: &str, element: Element, columns: usize, doc: &str) -> Name {
        let mut input = value_info(name, element, Some(columns));
        input.doc_string = Some(doc.to_owned());
        self.graph.input.push(input);
        name.to_owned()
    }

    /// Whether there is an input of that name.
    pub(crate) fn has_input(&self, name: &str) -> bool {
        self.graph.input.iter().any(|input| input.name == name)
    }

    /// Declares a value as an output: rows of `columns` values, or one value per row without `columns`.
    pub(crate) fn output(&mut self, value: &str, name: &str, element: Element, columns: Option<usize>) {
        // An output must not have the name of an input.
        let mut name = name.to_owned();
        while self.graph.input.iter().any(|input| input.name == name) {
            name.push('_');
        }
        let mut identity = node("Identity", &[value]);
        identity.output = vec![name.clone()];
        self.graph.node.push(identity);
        self.graph.output.push(value_info(&name, element, columns));
    }

    /// A node of the standard operators with one output.
    pub(crate) fn node(&mut self, op: &str, inputs: &[&str], attributes: &[(&str, Value<'_>)]) -> Name {
        self.push(node(op, inputs), attributes)
    }

    /// A node of the machine-learning operators with one output.
    pub(crate) fn node_ml(&mut self, op: &str, inputs: &[&str], attributes: &[(&str, Value<'_>)]) -> Name {
        self.push(NodeProto { domain: Some(ML.to_owned()), ..node(op, inputs) }, attributes)
    }

    fn push(&mut self, mut node: NodeProto, attributes: &[(&str, Value<'_>)]) -> Name {
        let output = self.fresh();
        node.output = vec![output.clone()];
        node.attribute = attributes.iter().map(|(name, value)| attribute(name, value)).collect();
        self.graph.node.push(node);
        output
    }

    /// Casts `value` to another element type.
    pub(crate) fn cast(&mut self, value: &str, to: Element) -> Name {
        self.node("Cast", &[value], &[("to", Value::Int(i64::from(to.code())))])
    }

    fn constant(&mut self, tensor: TensorProto) -> Name {
        let name = self.fresh();
        self.graph.initializer.push(TensorProto { name: Some(name.clone()), ..tensor });
        name
    }

    /// A constant of 32-bit numbers of this shape.
    pub(crate) fn floats(&mut self, values: Vec<f32>, dims: &[usize]) -> Name {
        self.constant(TensorProto { float_data: values, ..tensor(Element::Float, dims) })
    }

    /// A constant of 64-bit numbers of this shape.
    pub(crate) fn doubles(&mut self, values: Vec<f64>, dims: &[usize]) -> Name {
        self.constant(TensorProto { double_data: values, ..tensor(Element::Double, dims) })
    }

    /// A constant of one 64-bit number.
    pub(crate) fn double(&mut self, value: f64) -> Name {
        self.doubles(vec![value], &[1])
    }

    /// A constant of whole numbers of this shape.
    pub(crate) fn ints(&mut self, values: Vec<i64>, dims: &[usize]) -> Name {
        self.constant(TensorProto { int64_data: values, ..tensor(Element::Int64, dims) })
    }

    /// A constant of one whole number.
    pub(crate) fn int(&mut self, value: i64) -> Name {
        self.ints(vec![value], &[1])
    }

    /// A constant list of texts.
    pub(crate) fn texts(&mut self, values: &[String]) -> Name {
        let string_data = values.iter().map(|v| v.clone().into_bytes()).collect();
        self.constant(TensorProto { string_data, ..tensor(Element::Text, &[values.len()]) })
    }

    /// The file.
    pub(crate) fn finish(mut self, doc: &str, metadata: &[(&str, String)]) -> Vec<u8> {
        self.graph.name = Some("mlloop".to_owned());
        self.graph.doc_string = Some(doc.to_owned());
        let opset = |domain: &str, version| OperatorSetIdProto { domain: domain.to_owned(), version: Some(version) };
        let entry =
            |(key, value): &(&str, String)| StringStringEntryProto { key: (*key).to_owned(), value: value.clone() };
        let model = ModelProto {
            ir_version: Some(IR_VERSION),
            producer_name: Some("mlloop".to_owned()),
            producer_version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            graph: Some(self.graph),
            opset_import: vec![opset("", OPSET), opset(ML, OPSET_ML)],
            metadata_props: metadata.iter().map(entry).collect(),
        };
        model.encode_to_vec()
    }
}

fn node(op: &str, inputs: &[&str]) -> NodeProto {
    let input = inputs.iter().map(|&input| input.to_owned()).collect();
    NodeProto { op_type: op.to_owned(), input, ..NodeProto::default() }
}

fn tensor(element: Element, dims: &[usize]) -> TensorProto {
    let dims = dims.iter().map(|&d| d as i64).collect();
    TensorProto { dims, data_type: Some(element.code()), ..TensorProto::default() }
}

fn attribute(name: &str, value: &Value<'_>) -> AttributeProto {
    let mut attribute = AttributeProto { name: name.to_owned(), ..AttributeProto::default() };
    attribute.r#type = Some(match value {
        Value::Int(v) => {
            attribute.i = Some(*v);
            attribute_type::INT
        }
        Value::Ints(v) => {
            attribute.ints.clone_from(v);
            attribute_type::INTS
        }
        Value::Floats(v) => {
            attribute.floats.clone_from(v);
            attribute_type::FLOATS
        }
        Value::Text(v) => {
            attribute.s = Some(v.as_bytes().to_vec());
            attribute_type::STRING
        }
        Value::Texts(v) => {
            attribute.strings.clone_from(v);
            attribute_type::STRINGS
        }
    });
    attribute
}

fn value_info(name: &str, element: Element, columns: Option<usize>) -> ValueInfoProto {
    let rows = DimensionProto { dim_param: Some("rows".to_owned()), dim_value: None };
    let columns = columns.map(|n| DimensionProto { dim_param: None, dim_value: Some(n as i64) });
    let dim = std::iter::once(rows).chain(columns).collect();
    let tensor_type = Some(TensorTypeProto { elem_type: element.code(), shape: Some(TensorShapeProto { dim }) });
    ValueInfoProto { name: name.to_owned(), r#type: Some(TypeProto { tensor_type }), doc_string: None }
}

/// The node table of a TreeEnsembleRegressor.
#[derive(Default)]
struct NodeTable {
    tree_ids: Vec<i64>,
    node_ids: Vec<i64>,
    features: Vec<i64>,
    values: Vec<f32>,
    modes: Vec<Vec<u8>>,
    yes: Vec<i64>,
    no: Vec<i64>,
    missing_yes: Vec<i64>,
    leaf_trees: Vec<i64>,
    leaf_nodes: Vec<i64>,
    leaf_targets: Vec<i64>,
    leaf_weights: Vec<f32>,
}

impl NodeTable {
    /// Adds a tree; `base` is added to its leaves, per margin of the tree.
    fn push(&mut self, tree: &Tree, base: &[f32]) -> Result<(), ModelError> {
        let id = self.tree_ids.last().map_or(0, |last| last + 1);
        for (at, node) in (0..).zip(&tree.nodes) {
            self.tree_ids.push(id);
            self.node_ids.push(at);
            match node {
                Node::Leaf { values, .. } => {
                    self.row(0, 0.0, "LEAF", [0, 0], false);
                    for ((target, &value), &base) in tree.outputs.clone().zip(values).zip(base) {
                        self.leaf_trees.push(id);
                        self.leaf_nodes.push(at);
                        self.leaf_targets.push(target as i64);
                        self.leaf_weights.push(base + value);
                    }
                }
                Node::Branch { feature, threshold, default_left, left, right, .. } => {
                    self.row(*feature, *threshold, "BRANCH_LT", [*left, *right], *default_left);
                }
                Node::Choice { .. } => {
                    return Err(ModelError::Unsupported(
                        "branches on codes of categories cannot be written as ONNX".into(),
                    ));
                }
            }
        }
        Ok(())
    }

    fn row(&mut self, feature: u32, value: f32, mode: &str, children: [u32; 2], missing_yes: bool) {
        self.features.push(i64::from(feature));
        self.values.push(value);
        self.modes.push(mode.as_bytes().to_vec());
        self.yes.push(i64::from(children[0]));
        self.no.push(i64::from(children[1]));
        self.missing_yes.push(i64::from(missing_yes));
    }
}

impl Model {
    /// Adds the trees to a graph: from features (32-bit, one column each) to margins (32-bit).
    ///
    /// The intercepts are added to the leaves of the first trees: a runtime then adds the same numbers in the same
    /// order as [`Model::margins`] does.
    fn write_margins(&self, writer: &mut Writer, features: &str) -> Result<Name, ModelError> {
        let mut table = NodeTable::default();
        let mut base = self.base_scores().to_vec();
        for tree in self.trees()? {
            table.push(&tree, &base[tree.outputs.clone()])?;
            base[tree.outputs.clone()].fill(0.0);
        }
        let mut fed = vec![false; self.n_margins()];
        table.leaf_targets.iter().for_each(|&target| fed[target as usize] = true);
        for (output, fed) in fed.into_iter().enumerate() {
            if !fed {
                let nodes = vec![Node::Leaf { values: vec![0.0], cover: 0.0 }];
                table.push(&Tree { nodes, outputs: output..output + 1 }, &base[output..=output])?;
            }
        }
        let attributes = [
            ("n_targets", Value::Int(self.n_margins() as i64)),
            ("aggregate_function", Value::Text("SUM")),
            ("post_transform", Value::Text("NONE")),
            ("nodes_treeids", Value::Ints(table.tree_ids)),
            ("nodes_nodeids", Value::Ints(table.node_ids)),
            ("nodes_featureids", Value::Ints(table.features)),
            ("nodes_values", Value::Floats(table.values)),
            ("nodes_modes", Value::Texts(table.modes)),
            ("nodes_truenodeids", Value::Ints(table.yes)),
            ("nodes_falsenodeids", Value::Ints(table.no)),
            ("nodes_missing_value_tracks_true", Value::Ints(table.missing_yes)),
            ("target_treeids", Value::Ints(table.leaf_trees)),
            ("target_nodeids", Value::Ints(table.leaf_nodes)),
            ("target_ids", Value::Ints(table.leaf_targets)),
            ("target_weights", Value::Floats(table.leaf_weights)),
        ];
        Ok(writer.node_ml("TreeEnsembleRegressor", &[features], &attributes))
    }

    /// Adds the model to a graph: from features (32-bit, one column each) to scores (32-bit, as [`Model::scores`]).
    ///
    /// # Errors
    ///
    /// If a tree splits on codes of categories or has linear leaves.
    pub(crate) fn write_onnx(&self, writer: &mut Writer, features: &str) -> Result<Name, ModelError> {
        let margins = self.write_margins(writer, features)?;
        let scores = match self.link() {
            Link::Identity if self.task() == Task::Regression => margins,
            Link::Identity => {
                let (none, all) = (writer.floats(vec![0.0], &[]), writer.floats(vec![1.0], &[]));
                writer.node("Clip", &[&margins, &none, &all], &[])
            }
            // Exponentials are computed in 64 bits, as in the model.
            Link::Exp => {
                let margins = writer.cast(&margins, Element::Double);
                let scores = writer.node("Exp", &[&margins], &[]);
                writer.cast(&scores, Element::Float)
            }
            Link::Logistic => {
                let margins = writer.cast(&margins, Element::Double);
                let scores = logistic(writer, &margins);
                writer.cast(&scores, Element::Float)
            }
            Link::Softmax => softmax(writer, &margins),
        };
        if self.n_margins() == self.n_scores() {
            return Ok(scores);
        }
        // Two margins of a binary model: the second is the positive class.
        let second = writer.int(1);
        Ok(writer.node("Gather", &[&scores, &second], &[("axis", Value::Int(1))]))
    }

    /// The model as ONNX: `features` (32-bit, rows of [`Model::n_features`] columns in that order, `NaN` for missing)
    /// to `score` (32-bit, rows of [`Model::n_scores`] columns).
    ///
    /// # Errors
    ///
    /// If a tree splits on codes of categories or has linear leaves.
    pub fn to_onnx(&self) -> Result<Vec<u8>, ModelError> {
        let mut writer = Writer::default();
        let features = writer.input("features", Element::Float, self.n_features(), "NaN is missing");
        let scores = self.write_onnx(&mut writer, &features)?;
        writer.output(&scores, "score", Element::Float, Some(self.n_scores()));
        Ok(writer.finish("a tree ensemble over features", &[]))
    }
}

/// 1 / (1 + e⁻ᵛ) of 64-bit values.
fn logistic(writer: &mut Writer, values: &str) -> Name {
    let one = writer.double(1.0);
    let negative = writer.node("Neg", &[values], &[]);
    let power = writer.node("Exp", &[&negative], &[]);
    let whole = writer.node("Add", &[&one, &power], &[]);
    writer.node("Div", &[&one, &whole], &[])
}

/// The softmax of 32-bit rows, with exponentials in 64 bits.
fn softmax(writer: &mut Writer, margins: &str) -> Name {
    let rows = [("axes", Value::Ints(vec![1])), ("keepdims", Value::Int(1))];
    let greatest = writer.node("ReduceMax", &[margins], &rows);
    let below = writer.node("Sub", &[margins, &greatest], &[]);
    let below = writer.cast(&below, Element::Double);
    let weights = writer.node("Exp", &[&below], &[]);
    let axis = writer.int(1);
    let whole = writer.node("ReduceSum", &[&weights, &axis], &[("keepdims", Value::Int(1))]);
    let scores = writer.node("Div", &[&weights, &whole], &[]);
    writer.cast(&scores, Element::Float)
}
