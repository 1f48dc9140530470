//! Runs a graph made by [`super::write`], to check that it gives the model's scores.
//!
//! Each operator follows its ONNX page (operator set 17, `ai.onnx.ml` 3) for the element types that are written,
//! without using the code of pipelines. It is meant for a hundred rows, not for speed; any other operator or type is an
//! error.

use super::call::Call;
use super::elementwise::{arithmetic, clip, compare, logic, unary};
use super::proto::{GraphProto, ModelProto, NodeProto, TensorProto, data_type};
use super::tensor::{Elements, Tensor, common};
use prost::Message;
use std::collections::HashMap;

/// Runs the graph of `model` on `inputs`, by name, and returns its outputs by name.
///
/// # Errors
/// The operator that cannot be run, and the reason.
pub fn run(model: &[u8], inputs: HashMap<String, Tensor>) -> Result<HashMap<String, Tensor>, String> {
    let model = ModelProto::decode(model).map_err(|err| format!("is not an ONNX model: {err}"))?;
    let graph = model.graph.ok_or("has no graph")?;
    let mut values = inputs;
    for constant in &graph.initializer {
        values.insert(constant.name.clone().unwrap_or_default(), constant_of(constant)?);
    }
    for node in &graph.node {
        let made = step(node, &values).map_err(|what| format!("{}: {what}", node.op_type))?;
        let name = node.output.first().ok_or("a node has no output")?;
        values.insert(name.clone(), made);
    }
    outputs(&graph, &mut values)
}

fn outputs(graph: &GraphProto, values: &mut HashMap<String, Tensor>) -> Result<HashMap<String, Tensor>, String> {
    let names = graph.output.iter().map(|output| output.name.clone());
    names.map(|name| values.remove(&name).map(|value| (name.clone(), value)).ok_or(format!("no {name:?}"))).collect()
}

fn constant_of(tensor: &TensorProto) -> Result<Tensor, String> {
    let dims = tensor.dims.iter().map(|&dim| usize::try_from(dim).unwrap_or(0)).collect();
    let elements = match tensor.data_type.unwrap_or(0) {
        data_type::FLOAT => Elements::Float(tensor.float_data.clone()),
        data_type::DOUBLE => Elements::Double(tensor.double_data.clone()),
        data_type::INT64 => Elements::Int64(tensor.int64_data.clone()),
        data_type::STRING => {
            let text = |bytes: &Vec<u8>| String::from_utf8_lossy(bytes).into_owned();
            Elements::Text(tensor.string_data.iter().map(text).collect())
        }
        other => return Err(format!("a constant has elements of type {other}")),
    };
    Tensor { dims, elements }.checked()
}

fn step(node: &NodeProto, values: &HashMap<String, Tensor>) -> Result<Tensor, String> {
    let inputs = node.input.iter().map(|name| values.get(name).ok_or_else(|| format!("{name:?} does not exist")));
    let call = Call { node, inputs: inputs.collect::<Result<_, _>>()? };
    match node.op_type.as_str() {
        "Identity" => call.input(0).cloned(),
        "Cast" => cast(&call),
        "Concat" => concat(&call),
        "Gather" => gather(&call),
        "Reshape" => flat(&call),
        "Where" => choose(&call),
        "ReduceSum" | "ReduceMax" => reduce(&call),
        "ArgMax" => arg_max(&call),
        "LabelEncoder" => encode_labels(&call),
        "TreeEnsembleRegressor" => trees(&call),
        "Neg" | "Exp" | "Log" | "IsNaN" | "IsInf" | "Abs" | "Ceil" | "Floor" | "Round" | "Sqrt" | "Not" => unary(&call),
        "Clip" => clip(&call),
        "Less" | "LessOrEqual" | "Greater" | "GreaterOrEqual" | "Equal" => compare(&call),
        "And" | "Or" | "Xor" => logic(&call),
        "Add" | "Sub" | "Mul" | "Div" | "Mod" | "Max" | "Min" => arithmetic(&call),
        _ => Err("is not known".to_owned()),
    }
}

fn cast(call: &Call) -> Result<Tensor, String> {
    let from = call.input(0)?;
    let numbers: Vec<f64> = match &from.elements {
        Elements::Float(v) => v.iter().map(|&v| f64::from(v)).collect(),
        Elements::Double(v) => v.clone(),
        Elements::Int64(v) => v.iter().map(|&v| v as f64).collect(),
        Elements::Bool(v) => v.iter().map(|&v| f64::from(u8::from(v))).collect(),
        Elements::Text(_) => return Err("texts are not numbers".to_owned()),
    };
    let to = call.int("to", 0);
    let elements = match (i32::try_from(to).unwrap_or(0), &from.elements) {
        (data_type::FLOAT, Elements::Int64(v)) => Elements::Float(v.iter().map(|&v| v as f32).collect()),
        (data_type::FLOAT, _) => Elements::Float(numbers.iter().map(|&v| v as f32).collect()),
        (data_type::DOUBLE, _) => Elements::Double(numbers),
        (data_type::INT64, _) => Elements::Int64(numbers.iter().map(|&v| v as i64).collect()),
        _ => return Err(format!("to elements of type {to}")),
    };
    Ok(Tensor { dims: from.dims.clone(), elements })
}

/// Joins columns.
fn concat(call: &Call) -> Result<Tensor, String> {
    call.expect_axis(1)?;
    let first = call.input(0)?;
    let (rows, _) = first.rows_and_columns()?;
    let mut widths = Vec::new();
    for input in &call.inputs {
        let (n, width) = input.rows_and_columns()?;
        if n != rows {
            return Err(format!("{n} rows beside {rows}"));
        }
        widths.push(width);
    }
    // Rearranges one part after the other to row by row.
    let others: Vec<&Elements> = call.inputs[1..].iter().map(|input| &input.elements).collect();
    let all = first.elements.clone().followed_by(&others)?;
    let mut places = Vec::new();
    for row in 0..rows {
        let mut start = 0;
        for &width in &widths {
            places.extend((0..width).map(|column| start + row * width + column));
            start += rows * width;
        }
    }
    Tensor { dims: vec![rows, widths.iter().sum()], elements: all.pick(&places) }.checked()
}

/// The slices of the first input, along an axis, that the second names.
fn gather(call: &Call) -> Result<Tensor, String> {
    let (from, Elements::Int64(indices)) = (call.input(0)?, &call.input(1)?.elements) else {
        return Err("its indices are not whole numbers".to_owned());
    };
    let axis = usize::try_from(call.int("axis", 0)).map_err(|_| "its axis is negative".to_owned())?;
    let n = *from.dims.get(axis).ok_or("its axis does not exist")?;
    let (outer, inner) = (from.dims[..axis].iter().product::<usize>(), from.dims[axis + 1..].iter().product::<usize>());
    let mut places = Vec::new();
    for block in 0..outer {
        for &index in indices {
            let wrapped = if index < 0 { index + n as i64 } else { index };
            let at = usize::try_from(wrapped).ok().filter(|&at| at < n).ok_or(format!("index {index} of {n}"))?;
            places.extend((0..inner).map(|offset| (block * n + at) * inner + offset));
        }
    }
    let dims = [&from.dims[..axis], &call.input(1)?.dims, &from.dims[axis + 1..]].concat();
    Tensor { dims, elements: from.elements.pick(&places) }.checked()
}

/// The only reshape that we write: to one axis.
fn flat(call: &Call) -> Result<Tensor, String> {
    let from = call.input(0)?;
    match &call.input(1)?.elements {
        Elements::Int64(shape) if shape == &[-1] => {
            Ok(Tensor { dims: vec![from.elements.len()], elements: from.elements.clone() })
        }
        _ => Err("to another shape than one axis".to_owned()),
    }
}

fn choose(call: &Call) -> Result<Tensor, String> {
    let dims = common(&call.inputs)?;
    let [condition, yes, no] = [0, 1, 2].map(|at| call.input(at).and_then(|input| input.broadcast(&dims)));
    let (Elements::Bool(condition), yes, no) = (condition?.elements, yes?.elements, no?.elements) else {
        return Err("its condition is not a truth value".to_owned());
    };
    let n = condition.len();
    let both = yes.followed_by(&[&no])?;
    let places: Vec<usize> = condition.iter().enumerate().map(|(at, &is)| if is { at } else { n + at }).collect();
    Tensor { dims, elements: both.pick(&places) }.checked()
}

/// Sum or maximum of each row, as a column.
fn reduce(call: &Call) -> Result<Tensor, String> {
    let from = call.input(0)?;
    let (rows, width) = from.rows_and_columns()?;
    let of_rows = match call.inputs.get(1).map(|axes| &axes.elements) {
        None => call.ints("axes") == [1],
        Some(axes) => *axes == Elements::Int64(vec![1]),
    };
    if !of_rows || call.int("keepdims", 1) != 1 {
        return Err("of other axes than each row's".to_owned());
    }
    let is_sum = call.node.op_type == "ReduceSum";
    let elements = match &from.elements {
        Elements::Int64(v) if is_sum => Elements::Int64(v.chunks(width).map(|row| row.iter().sum()).collect()),
        Elements::Double(v) if is_sum => Elements::Double(v.chunks(width).map(|row| row.iter().sum()).collect()),
        Elements::Float(v) if !is_sum => {
            let greatest = |row: &[f32]| row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            Elements::Float(v.chunks(width).map(greatest).collect())
        }
        _ => return Err("of such elements".to_owned()),
    };
    Tensor { dims: vec![rows, 1], elements }.checked()
}

/// The index of each row's maximum; on a tie, the first one.
fn arg_max(call: &Call) -> Result<Tensor, String> {
    call.expect_axis(1)?;
    let (rows, width) = call.input(0)?.rows_and_columns()?;
    let Elements::Double(values) = &call.input(0)?.elements else { return Err("of such elements".to_owned()) };
    let best = |row: &[f64]| {
        let greater = |best: usize, at: usize| if row[at] > row[best] { at } else { best };
        (1..width).fold(0, greater) as i64
    };
    if call.int("keepdims", 1) != 0 {
        return Err("with another shape".to_owned());
    }
    Tensor { dims: vec![rows], elements: Elements::Int64(values.chunks(width).map(best).collect()) }.checked()
}

fn encode_labels(call: &Call) -> Result<Tensor, String> {
    let from = call.input(0)?;
    let Elements::Text(texts) = &from.elements else { return Err("of other elements than texts".to_owned()) };
    let (keys, values) = (call.texts("keys_strings"), call.ints("values_int64s"));
    let by_key: HashMap<&str, i64> = keys.iter().map(String::as_str).zip(values.iter().copied()).collect();
    let default = call.int("default_int64", -1);
    let found = texts.iter().map(|text| by_key.get(text.as_str()).copied().unwrap_or(default)).collect();
    Ok(Tensor { dims: from.dims.clone(), elements: Elements::Int64(found) })
}

/// Sums of leaves, in the order of the trees.
fn trees(call: &Call) -> Result<Tensor, String> {
    let (rows, width) = call.input(0)?.rows_and_columns()?;
    let Elements::Float(x) = &call.input(0)?.elements else { return Err("of other than 32-bit numbers".to_owned()) };
    let n_targets = usize::try_from(call.int("n_targets", 0)).unwrap_or(0);
    let (tree_ids, node_ids) = (call.ints("nodes_treeids"), call.ints("nodes_nodeids"));
    let place: HashMap<(i64, i64), usize> = tree_ids.iter().copied().zip(node_ids.iter().copied()).zip(0..).collect();
    let mut leaves: HashMap<(i64, i64), Vec<(usize, f32)>> = HashMap::new();
    let (leaf_trees, leaf_nodes) = (call.ints("target_treeids"), call.ints("target_nodeids"));
    for (at, (&target, &weight)) in call.ints("target_ids").iter().zip(call.floats("target_weights")).enumerate() {
        let target = usize::try_from(target).ok().filter(|&target| target < n_targets).ok_or("a target too many")?;
        leaves.entry((leaf_trees[at], leaf_nodes[at])).or_default().push((target, weight));
    }
    let mut roots: Vec<i64> = tree_ids.to_vec();
    roots.dedup();
    let modes = call.texts("nodes_modes");
    let mut sums = vec![0.0_f32; rows * n_targets];
    for row in 0..rows {
        let of_row = &x[row * width..(row + 1) * width];
        for &tree in &roots {
            let mut at = *place.get(&(tree, 0)).ok_or("a tree without a root")?;
            while modes[at] != "LEAF" {
                if modes[at] != "BRANCH_LT" {
                    return Err(format!("the mode {} is not known", modes[at]));
                }
                let value = *of_row.get(call.ints("nodes_featureids")[at] as usize).ok_or("a feature too many")?;
                let missing_yes = call.ints("nodes_missing_value_tracks_true")[at] != 0;
                let yes = if value.is_nan() { missing_yes } else { value < call.floats("nodes_values")[at] };
                let next = call.ints(if yes { "nodes_truenodeids" } else { "nodes_falsenodeids" })[at];
                at = *place.get(&(tree, next)).ok_or("a branch to nowhere")?;
            }
            for &(target, weight) in leaves.get(&(tree, node_ids[at])).map_or(&[][..], Vec::as_slice) {
                sums[row * n_targets + target] += weight;
            }
        }
    }
    Tensor { dims: vec![rows, n_targets], elements: Elements::Float(sums) }.checked()
}
