//! Tensors of the open inference protocol (KServe V2): JSON, optionally followed by binary data.

use super::super::problem::{Refusal, shorten};
use super::super::snapshot::Snapshot;
use super::{Asked, Form, One};
use crate::features::Task;
use crate::table::Kind;
use axum::http::HeaderMap;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// A request.
#[derive(Deserialize)]
struct Infer {
    #[serde(default)]
    id: Option<String>,
    inputs: Vec<Tensor>,
}

/// A column, or a matrix of features in their order.
#[derive(Deserialize)]
struct Tensor {
    name: String,
    shape: Vec<usize>,
    datatype: String,
    #[serde(default)]
    parameters: Map<String, Value>,
    #[serde(default)]
    data: Option<Value>,
}

/// Most values of a tensor; a larger shape is an error.
const MOST: usize = 1 << 24;

/// Rows from tensors: one tensor per column, with one value per row; or a single tensor with several columns.
pub(super) fn read(body: &[u8], headers: &HeaderMap, model: String) -> Result<Asked, Refusal> {
    let wrong = |what: String| Refusal::Malformed(format!("the body is not an inference request: {what}"));
    let length = headers.get("inference-header-content-length").map(|length| length.to_str().unwrap_or_default());
    let length = length.map(|length| length.parse::<usize>().map_err(|err| wrong(err.to_string()))).transpose()?;
    let (head, mut binary) = body
        .split_at_checked(length.unwrap_or(body.len()))
        .ok_or_else(|| wrong("its header is longer than the body".to_owned()))?;
    let infer: Infer = serde_json::from_slice(head).map_err(|err| wrong(err.to_string()))?;
    let mut columns = Vec::new();
    for tensor in &infer.inputs {
        let n = tensor.shape.iter().try_fold(1_usize, |n, &size| n.checked_mul(size)).filter(|&n| n <= MOST);
        let n = n.ok_or_else(|| wrong(format!("the shape of {:?} is too large", shorten(&tensor.name))))?;
        let values = tensor.values(&mut binary).map_err(&wrong)?;
        if values.len() != n {
            let (name, has) = (shorten(&tensor.name), values.len());
            return Err(wrong(format!("{name:?} has {has} values, but its shape has {n}")));
        }
        columns.push(values);
    }
    let rows = match infer.inputs.as_slice() {
        [] => return Err(wrong("it has no input".to_owned())),
        [one] if one.shape.len() > 1 && one.shape[1] != 1 => {
            let width = one.shape[1..].iter().try_fold(1_usize, |n, &size| n.checked_mul(size));
            let width = width.unwrap_or(usize::MAX).max(1);
            json!({ "inputs": columns[0].chunks(width).collect::<Vec<_>>() })
        }
        tensors => {
            let n_rows = columns[0].len();
            if columns.iter().any(|column| column.len() != n_rows) {
                return Err(wrong("its inputs differ in length".to_owned()));
            }
            let names: Vec<&str> = tensors.iter().map(|tensor| tensor.name.as_str()).collect();
            let row = |n: usize| columns.iter().map(|column| column[n].clone()).collect::<Vec<Value>>();
            json!({ "dataframe_split": { "columns": names, "data": (0..n_rows).map(row).collect::<Vec<_>>() } })
        }
    };
    Ok(Asked { rows: rows.to_string().into(), form: Form::Tensors { model, id: infer.id } })
}

impl Tensor {
    /// The values in order: from `data`, or the next bytes of `binary`.
    fn values(&self, binary: &mut &[u8]) -> Result<Vec<Value>, String> {
        if let Some(data) = &self.data {
            let mut values = Vec::new();
            flatten(data, &mut values, 8)?;
            return Ok(values);
        }
        let name = shorten(&self.name);
        let size = self.parameters.get("binary_data_size").and_then(Value::as_u64);
        let size = size.ok_or_else(|| format!("{name:?} has no data"))?;
        let cut = usize::try_from(size).ok().and_then(|size| binary.split_at_checked(size));
        let (own, rest) = cut.ok_or_else(|| format!("the bytes of {name:?} are missing"))?;
        *binary = rest;
        decode(&self.datatype, own).ok_or_else(|| format!("the bytes of {name:?} are not {}", shorten(&self.datatype)))
    }
}

fn flatten(data: &Value, values: &mut Vec<Value>, depth: usize) -> Result<(), String> {
    match data {
        Value::Array(list) if depth > 0 => list.iter().try_for_each(|item| flatten(item, values, depth - 1)),
        Value::Array(_) | Value::Object(_) => Err("its data are not values".to_owned()),
        value => {
            values.push(value.clone());
            Ok(())
        }
    }
}

/// Decodes little-endian values; non-finite numbers become missing, because JSON cannot represent them.
fn decode(datatype: &str, bytes: &[u8]) -> Option<Vec<Value>> {
    fn each<const N: usize>(bytes: &[u8], value: impl Fn([u8; N]) -> Value) -> Option<Vec<Value>> {
        let (whole, rest) = bytes.as_chunks::<N>();
        rest.is_empty().then(|| whole.iter().map(|chunk| value(*chunk)).collect())
    }
    match datatype {
        "FP64" => each(bytes, |b: [u8; 8]| json!(f64::from_le_bytes(b))),
        "FP32" => each(bytes, |b: [u8; 4]| json!(f32::from_le_bytes(b))),
        "INT64" => each(bytes, |b: [u8; 8]| json!(i64::from_le_bytes(b))),
        "INT32" => each(bytes, |b: [u8; 4]| json!(i32::from_le_bytes(b))),
        "INT16" => each(bytes, |b: [u8; 2]| json!(i16::from_le_bytes(b))),
        "INT8" => each(bytes, |b: [u8; 1]| json!(i8::from_le_bytes(b))),
        "UINT64" => each(bytes, |b: [u8; 8]| json!(u64::from_le_bytes(b))),
        "UINT32" => each(bytes, |b: [u8; 4]| json!(u32::from_le_bytes(b))),
        "UINT16" => each(bytes, |b: [u8; 2]| json!(u16::from_le_bytes(b))),
        "UINT8" => each(bytes, |b: [u8; 1]| json!(b[0])),
        "BOOL" => each(bytes, |b: [u8; 1]| json!(b[0] != 0)),
        "BYTES" => {
            let (mut rest, mut values) = (bytes, Vec::new());
            while let Some((length, after)) = rest.split_first_chunk::<4>() {
                let (text, after) = after.split_at_checked(u32::from_le_bytes(*length) as usize)?;
                values.push(json!(std::str::from_utf8(text).ok()?));
                rest = after;
            }
            rest.is_empty().then_some(values)
        }
        _ => None,
    }
}

/// The answer.
pub(super) fn write(predictions: &[One], model: &str, id: Option<&str>) -> Value {
    let n = predictions.len();
    let all = |get: fn(&One) -> Value| predictions.iter().map(get).collect::<Vec<Value>>();
    let kind = if predictions.iter().all(|one| one.prediction.is_number()) { "FP64" } else { "BYTES" };
    let prediction = all(|one| one.prediction.clone());
    let mut outputs = vec![json!({ "name": "prediction", "datatype": kind, "shape": [n], "data": prediction })];
    if predictions.iter().any(|one| one.score.is_some()) {
        let data = all(|one| json!(one.score));
        outputs.push(json!({ "name": "score", "datatype": "FP64", "shape": [n], "data": data }));
    }
    if let Some(classes) = predictions.first().and_then(|one| one.scores.as_ref()) {
        let flat = predictions.iter().filter_map(|one| one.scores.as_ref()).flat_map(|scores| scores.values());
        let data: Vec<&Value> = flat.collect();
        outputs.push(json!({ "name": "scores", "datatype": "FP64", "shape": [n, classes.len()], "data": data,
            "parameters": { "classes": classes.keys().map(String::as_str).collect::<Vec<_>>().join(",") } }));
    }
    outputs.push(json!({ "name": "id", "datatype": "BYTES", "shape": [n], "data": all(|one| json!(one.id)) }));
    let mut told = json!({
        "model_name": model,
        "model_version": predictions.first().map(|one| &one.version),
        "outputs": outputs,
    });
    if let Some(id) = id {
        told["id"] = id.into();
    }
    told
}

/// The inputs and outputs of the model.
pub(super) fn describe(snapshot: &Snapshot, name: &str) -> Value {
    let Some(live) = &snapshot.production else {
        return json!({ "name": name, "versions": [], "platform": "mlloop", "inputs": [], "outputs": [] });
    };
    let pipeline = &live.model.pipeline;
    let tensor = |name: &str, is_number: bool| json!({ "name": name, "datatype": if is_number { "FP64" } else { "BYTES" }, "shape": [-1] });
    let is_number = |column: &str| pipeline.schema.column(column).is_some_and(|spec| spec.kind == Kind::Number);
    let inputs: Vec<Value> = pipeline.features.inputs().map(|(column, _)| tensor(column, is_number(column))).collect();
    let mut outputs = vec![tensor("prediction", pipeline.target.task == Task::Regression)];
    match pipeline.target.task {
        Task::Binary => outputs.push(tensor("score", true)),
        Task::Multiclass => {
            outputs.push(json!({ "name": "scores", "datatype": "FP64", "shape": [-1, pipeline.target.classes.len()] }));
        }
        Task::Regression => {}
    }
    outputs.push(tensor("id", false));
    json!({ "name": name, "versions": [live.model.name], "platform": "mlloop", "inputs": inputs, "outputs": outputs })
}
