//! Hand-made graphs: each mode, each operator and each kind of damage.

use super::proto::{
    AttributeProto, DimensionProto, GraphProto, ModelProto, NodeProto, TensorProto, TensorShapeProto, TensorTypeProto,
    TypeProto, ValueInfoProto, data_type,
};
use crate::model::{ForeignError, ForeignModel, Model};
use prost::Message;

fn ints(name: &str, ints: &[i64]) -> AttributeProto {
    AttributeProto { name: name.into(), ints: ints.to_vec(), ..Default::default() }
}

fn floats(name: &str, floats: &[f32]) -> AttributeProto {
    AttributeProto { name: name.into(), floats: floats.to_vec(), ..Default::default() }
}

fn text(name: &str, text: &str) -> AttributeProto {
    AttributeProto { name: name.into(), s: Some(text.into()), ..Default::default() }
}

fn texts(name: &str, texts: &[&str]) -> AttributeProto {
    AttributeProto { name: name.into(), strings: texts.iter().map(|t| (*t).into()).collect(), ..Default::default() }
}

fn node(op: &str, inputs: &[&str], output: &str, attribute: Vec<AttributeProto>) -> NodeProto {
    NodeProto {
        input: inputs.iter().map(|i| (*i).to_owned()).collect(),
        output: vec![output.to_owned()],
        op_type: op.to_owned(),
        attribute,
        ..Default::default()
    }
}

/// One branch on feature 0 at 2.0 with leaves 10 (true) and 20 (false).
fn stump(mode: &str, missing_true: i64) -> Vec<AttributeProto> {
    vec![
        ints("nodes_treeids", &[0, 0, 0]),
        ints("nodes_nodeids", &[5, 9, 7]),
        ints("nodes_truenodeids", &[9, 0, 0]),
        ints("nodes_falsenodeids", &[7, 0, 0]),
        ints("nodes_featureids", &[0, 0, 0]),
        floats("nodes_values", &[2.0, 0.0, 0.0]),
        texts("nodes_modes", &[mode, "LEAF", "LEAF"]),
        ints("nodes_missing_value_tracks_true", &[missing_true, 0, 0]),
        ints("target_treeids", &[0, 0]),
        ints("target_nodeids", &[9, 7]),
        ints("target_ids", &[0, 0]),
        floats("target_weights", &[10.0, 20.0]),
    ]
}

fn value_info(name: &str, columns: i64) -> ValueInfoProto {
    let dims = [None, Some(columns)];
    let dim = dims.map(|dim_value| DimensionProto { dim_value, dim_param: None }).to_vec();
    let tensor_type = Some(TensorTypeProto { elem_type: data_type::FLOAT, shape: Some(TensorShapeProto { dim }) });
    ValueInfoProto { name: name.into(), r#type: Some(TypeProto { tensor_type }), doc_string: None }
}

fn model(nodes: Vec<NodeProto>, constants: &[(&str, &[f32])], output: &str) -> Vec<u8> {
    let tensor = |(name, values): &(&str, &[f32])| TensorProto {
        dims: vec![values.len() as i64],
        data_type: Some(data_type::FLOAT),
        float_data: values.to_vec(),
        name: Some((*name).to_owned()),
        ..Default::default()
    };
    let graph = GraphProto {
        node: nodes,
        initializer: constants.iter().map(tensor).collect(),
        input: vec![value_info("X", 1)],
        output: vec![value_info(output, 1)],
        ..Default::default()
    };
    ModelProto { ir_version: Some(8), graph: Some(graph), ..Default::default() }.encode_to_vec()
}

fn regressor(attributes: Vec<AttributeProto>) -> Result<Model, ForeignError> {
    let bytes = model(vec![node("TreeEnsembleRegressor", &["X"], "y", attributes)], &[], "y");
    ForeignModel::read(&bytes).map(|read| read.model)
}

fn score(model: &Model, x: f32) -> f32 {
    let mut out = [0.0];
    model.score_row(&[x], &mut out).unwrap();
    out[0]
}

#[test]
fn every_mode_parts_at_its_threshold_and_sends_missing_values_where_it_says() {
    let near = [2.0_f32.next_down(), 2.0, 2.0_f32.next_up(), -1e30, 1e30];
    for (mode, passes) in [
        ("BRANCH_LEQ", (|x| x <= 2.0) as fn(f32) -> bool),
        ("BRANCH_LT", |x| x < 2.0),
        ("BRANCH_GT", |x| x > 2.0),
        ("BRANCH_GTE", |x| x >= 2.0),
    ] {
        for missing_true in [0, 1] {
            let model = regressor(stump(mode, missing_true)).unwrap();
            for x in near {
                assert_eq!(score(&model, x), if passes(x) { 10.0 } else { 20.0 }, "{mode} {x}");
            }
            let missing = if missing_true == 1 { 10.0 } else { 20.0 };
            assert_eq!(score(&model, f32::NAN), missing, "{mode} {missing_true}");
        }
    }
    for mode in ["BRANCH_EQ", "BRANCH_NEQ", "BRANCH_MEMBER", ""] {
        let error = regressor(stump(mode, 0)).unwrap_err();
        assert!(matches!(error, ForeignError::Unsupported { .. }), "{error}");
    }
}

/// A stump with one attribute replaced.
fn changed(attribute: AttributeProto) -> Result<Model, ForeignError> {
    let mut attributes = stump("BRANCH_LEQ", 0);
    attributes.retain(|a| a.name != attribute.name);
    attributes.push(attribute);
    regressor(attributes)
}

#[test]
fn damaged_trees_are_errors() {
    for attribute in [
        ints("nodes_truenodeids", &[5, 0, 0]),
        ints("nodes_truenodeids", &[7, 0, 0]),
        ints("nodes_truenodeids", &[8, 0, 0]),
        ints("nodes_truenodeids", &[i64::MIN, 0, 0]),
        ints("nodes_truenodeids", &[9]),
        ints("nodes_nodeids", &[5, 9, 9]),
        ints("nodes_treeids", &[0, 0, 1]),
        ints("nodes_featureids", &[-1, 0, 0]),
        ints("nodes_featureids", &[1, 0, 0]),
        ints("nodes_featureids", &[i64::MAX, 0, 0]),
        floats("nodes_values", &[f32::NAN, 0.0, 0.0]),
        floats("target_weights", &[10.0]),
        floats("target_weights", &[f32::INFINITY, 0.0]),
        ints("target_nodeids", &[9, 5]),
        ints("target_nodeids", &[9, 77]),
        ints("target_ids", &[0, 1]),
        ints("target_ids", &[0, -1]),
        floats("base_values", &[1.0, 2.0]),
        AttributeProto { name: "n_targets".into(), i: Some(i64::MAX), ..Default::default() },
        AttributeProto { name: "n_targets".into(), i: Some(0), ..Default::default() },
        text("aggregate_function", "MIN"),
        text("post_transform", "PROBIT"),
    ] {
        let name = attribute.name.clone();
        assert!(changed(attribute).is_err(), "{name}");
    }
    // Two nodes that point to each other, besides a valid tree.
    let mut attributes = stump("BRANCH_LEQ", 0);
    for a in &mut attributes {
        match a.name.as_str() {
            "nodes_nodeids" => a.ints.extend([20, 21]),
            "nodes_truenodeids" => a.ints.extend([21, 20]),
            "nodes_falsenodeids" => a.ints.extend([22, 23]),
            "nodes_modes" => a.strings.extend([b"BRANCH_LEQ".to_vec(), b"BRANCH_LEQ".to_vec()]),
            "nodes_values" => a.floats.extend([0.0, 0.0]),
            name if name.starts_with("nodes_") => a.ints.extend([0, 0]),
            _ => {}
        }
    }
    assert!(regressor(attributes).is_err());
}

#[test]
fn infinite_thresholds_send_every_number_one_way() {
    let model = changed(floats("nodes_values", &[f32::INFINITY, 0.0, 0.0])).unwrap();
    assert_eq!([score(&model, f32::MAX), score(&model, f32::MIN), score(&model, f32::NAN)], [10.0, 10.0, 20.0]);
    let model = changed(floats("nodes_values", &[f32::NEG_INFINITY, 0.0, 0.0])).unwrap();
    assert_eq!([score(&model, f32::MAX), score(&model, f32::MIN), score(&model, f32::NAN)], [20.0, 20.0, 20.0]);
}

#[test]
fn arithmetic_and_links_after_the_trees_are_followed() {
    let trees = || node("TreeEnsembleRegressor", &["X"], "sum", stump("BRANCH_LEQ", 0));
    let read = |nodes: Vec<NodeProto>, constants: &[(&str, &[f32])]| {
        let bytes = model([vec![trees()], nodes].concat(), constants, "y");
        ForeignModel::read(&bytes).map(|read| score(&read.model, 0.0))
    };
    let constants: &[(&str, &[f32])] = &[("half", &[0.5]), ("one", &[1.0]), ("two", &[1.0, 2.0])];
    let mul = node("Mul", &["sum", "half"], "y", vec![]);
    assert_eq!(read(vec![mul], constants), Ok(5.0));
    let sub = node("Sub", &["sum", "one"], "y", vec![]);
    assert_eq!(read(vec![sub], constants), Ok(9.0));
    let add = node("Add", &["sum", "sum"], "y", vec![]);
    assert!(read(vec![add], constants).is_err());
    let uneven = node("Mul", &["sum", "two"], "y", vec![]);
    assert!(read(vec![uneven], constants).is_err());
    let scaled = [node("Div", &["sum", "one"], "a", vec![]), node("Mul", &["a", "half"], "b", vec![])];
    let exp = [scaled.to_vec(), vec![node("Exp", &["b"], "y", vec![])]].concat();
    assert_eq!(read(exp, constants).map(f32::ln).map(f32::round), Ok(5.0));
    let sigmoid = [scaled.to_vec(), vec![node("Sigmoid", &["b"], "y", vec![])]].concat();
    assert!((read(sigmoid, constants).unwrap() - 0.993_307_1).abs() < 1e-6);
}

#[test]
fn an_operator_that_is_not_understood_is_named() {
    let trees = node("TreeEnsembleRegressor", &["scaled"], "y", stump("BRANCH_LEQ", 0));
    let scaler = NodeProto { name: Some("first".into()), ..node("Scaler", &["X"], "scaled", vec![]) };
    let error = ForeignModel::read(&model(vec![scaler, trees], &[], "y")).unwrap_err().to_string();
    assert_eq!(error, "the ONNX model cannot be imported: operator Scaler (first) is not supported");
    let tanh =
        [node("TreeEnsembleRegressor", &["X"], "sum", stump("BRANCH_LEQ", 0)), node("Tanh", &["sum"], "y", vec![])];
    let error = ForeignModel::read(&model(tanh.to_vec(), &[], "y")).unwrap_err().to_string();
    assert!(error.contains("operator Tanh"), "{error}");
}

/// The stump as a classifier of two classes with these class ids, weights and post-transform.
fn classifier(ids: &[i64], weights: &[f32], extra: Vec<AttributeProto>) -> Result<[f32; 2], ForeignError> {
    let mut attributes = stump("BRANCH_LEQ", 0);
    attributes.retain(|a| !a.name.starts_with("target_"));
    let nodes: Vec<i64> = if ids.len() == 4 { vec![9, 9, 7, 7] } else { vec![9, 7] };
    attributes.extend([
        ints("class_treeids", &vec![0; ids.len()]),
        ints("class_nodeids", &nodes),
        ints("class_ids", ids),
        floats("class_weights", weights),
        texts("classlabels_strings", &["stays", "leaves"]),
    ]);
    attributes.extend(extra);
    let mut trees = node("TreeEnsembleClassifier", &["X"], "label", attributes);
    trees.output.push("p".to_owned());
    let read = ForeignModel::read(&model(vec![trees], &[], "p"))?;
    assert_eq!(read.classes, Some(vec!["stays".to_owned(), "leaves".to_owned()]));
    Ok([score(&read.model, 0.0), score(&read.model, 5.0)])
}

#[test]
fn two_classes_are_read_however_they_are_spelled() {
    let logistic = |m: f32| 1.0 / (1.0 + (-m).exp());
    let post = |name| vec![text("post_transform", name)];
    let is = |read: Result<[f32; 2], ForeignError>, expected: [f32; 2]| {
        let read = read.unwrap();
        assert!((0..2).all(|i| (read[i] - expected[i]).abs() < 1e-6), "{read:?} {expected:?}");
    };
    // Shares of both classes, shares of one, sums of one, sums of both.
    is(classifier(&[0, 1, 0, 1], &[0.75, 0.25, 0.5, 0.5], vec![]), [0.25, 0.5]);
    is(classifier(&[0, 0], &[0.25, 0.5], vec![]), [0.25, 0.5]);
    is(classifier(&[1, 1], &[-1.0, 2.0], post("LOGISTIC")), [logistic(-1.0), logistic(2.0)]);
    let doubled = classifier(&[0, 1, 0, 1], &[1.0, -1.0, -2.0, 2.0], post("LOGISTIC"));
    is(doubled, [logistic(-1.0), logistic(2.0)]);
    let softmax = classifier(&[0, 1, 0, 1], &[1.0, -1.0, -2.0, 2.0], post("SOFTMAX"));
    is(softmax, [logistic(-2.0), logistic(4.0)]);
    let with_base = [post("LOGISTIC"), vec![floats("base_values", &[1.0])]].concat();
    is(classifier(&[0, 0], &[-1.0, 2.0], with_base), [logistic(0.0), logistic(3.0)]);
    // Raw sums are not probabilities.
    assert!(classifier(&[0, 0], &[-1.0, 2.0], vec![]).is_err());
    assert!(classifier(&[0, 0], &[-1.0, 2.0], post("PROBIT")).is_err());
}

#[test]
fn copies_of_copies_do_not_fill_the_memory() {
    let mut nodes = vec![node("TreeEnsembleRegressor", &["X"], "s0", stump("BRANCH_LEQ", 0))];
    for i in 0..40 {
        let (from, stack, to) = (format!("s{i}"), format!("t{i}"), format!("s{}", i + 1));
        let axes = vec![ints("axes", &[0])];
        nodes.push(node(
            "Concat",
            &vec![from.as_str(); 200],
            &stack,
            vec![AttributeProto { name: "axis".into(), i: Some(0), ..Default::default() }],
        ));
        nodes.push(node("ReduceMean", &[&stack], &to, axes));
    }
    assert!(ForeignModel::read(&model(nodes, &[], "s40")).is_err());
    let mut nodes = vec![];
    for i in 0..40 {
        let from = if i == 0 { "X".to_owned() } else { format!("c{i}") };
        nodes.push(node("Concat", &vec![from.as_str(); 200], &format!("c{}", i + 1), vec![]));
    }
    nodes.push(node("TreeEnsembleRegressor", &["c40"], "y", stump("BRANCH_LEQ", 0)));
    assert!(ForeignModel::read(&model(nodes, &[], "y")).is_err());
}
