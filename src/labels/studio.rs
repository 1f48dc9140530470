//! Label Studio: tasks and the labelling interface that go out, and the export that comes back.

use super::LabelError;
use super::answers::{Answer, Answers, Fault, Place};
use super::batch::{Asked, Batch};
use super::sheet;
use crate::features::Task;
use crate::table::{Schema, Table};
use serde_json::{Map, Value, json};

/// The control tag that answers carry.
pub(super) const CONTROL: &str = "label";
const OBJECT: &str = "row";

/// The tasks of a batch, for import into a project: each row nested under `data.row`, its id in `data.row_id`, and what
/// production says attached as a prediction, with its score when `show_score` is set.
///
/// # Errors
/// When a cell cannot be written.
pub(super) fn tasks(
    batch: &Batch,
    features: &Table,
    schema: &Schema,
    reasons: &[String],
    show_score: bool,
) -> Result<Vec<u8>, LabelError> {
    let names: Vec<&str> = features.columns().iter().map(|c| c.name.as_str()).collect();
    let cells = sheet::cells(features, schema)?;
    let mut tasks = Vec::with_capacity(batch.rows.len());
    for ((row, cells), reason) in batch.rows.iter().zip(cells).zip(reasons) {
        let table: Map<String, Value> =
            names.iter().zip(cells).map(|(name, cell)| ((*name).to_owned(), cell.into())).collect();
        let data = json!({
            "row_id": row.id,
            "batch": batch.batch,
            "stratum": row.stratum,
            "reason": reason,
            "annotators": row.annotators.join(", "),
            "row": table,
        });
        tasks.push(json!({ "data": data, "predictions": [prediction(batch, row, show_score)] }));
    }
    let mut text = serde_json::to_vec_pretty(&tasks)
        .map_err(|err| LabelError::Io { path: "to_label.json".into(), source: err.into() })?;
    text.push(b'\n');
    Ok(text)
}

fn prediction(batch: &Batch, row: &Asked, show_score: bool) -> Value {
    let (kind, value) = match batch.target.task {
        Task::Regression => ("number", json!({ "number": row.prediction.parse::<f64>().ok() })),
        _ => ("choices", json!({ "choices": [row.prediction] })),
    };
    let result = json!([{ "from_name": CONTROL, "to_name": OBJECT, "type": kind, "value": value }]);
    let mut prediction = json!({ "model_version": batch.version, "result": result });
    if show_score {
        prediction["score"] = row.scores.iter().copied().fold(f64::NEG_INFINITY, f64::max).into();
    }
    prediction
}

/// The labelling interface: the row as a table, one choice per class or a number.
pub(super) fn config(batch: &Batch) -> Vec<u8> {
    let mut text = format!(
        "<View>\n  <Header value=\"{}\"/>\n  <Table name=\"{OBJECT}\" value=\"${OBJECT}\"/>\n",
        escape(&batch.target.name)
    );
    if batch.target.task == Task::Regression {
        text.push_str(&format!("  <Number name=\"{CONTROL}\" toName=\"{OBJECT}\" required=\"true\"/>\n"));
    } else {
        text.push_str(&format!(
            "  <Choices name=\"{CONTROL}\" toName=\"{OBJECT}\" choice=\"single-radio\" required=\"true\">\n"
        ));
        for class in &batch.target.classes {
            text.push_str(&format!("    <Choice value=\"{}\"/>\n", escape(class)));
        }
        text.push_str("  </Choices>\n");
    }
    text.push_str("</View>\n");
    text.into_bytes()
}

fn escape(text: &str) -> String {
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
    escaped.replace('\n', "&#10;").replace('\t', "&#9;")
}

/// The answers of an export: full JSON, in which each task has its annotations, or JSON-MIN, in which each record is one.
/// Cancelled annotations are left out; a task without an answer is unanswered.
///
/// # Errors
/// When it is no such export.
pub(super) fn answers(file: &str, text: &str) -> Result<Answers, LabelError> {
    let wrong = |what: String| LabelError::File { file: file.to_owned(), what };
    let value: Value = serde_json::from_str(text).map_err(|err| wrong(format!("is not valid JSON: {err}")))?;
    let tasks = match value {
        Value::Array(tasks) => tasks,
        Value::Object(_) => vec![value],
        _ => return Err(wrong("is not an export of Label Studio: a list of tasks is expected".to_owned())),
    };
    let mut read = Answers::default();
    for (task, n) in tasks.iter().zip(1..) {
        of_task(task, Place::Task(n), &mut read);
    }
    Ok(read)
}

fn of_task(task: &Value, place: Place, read: &mut Answers) {
    // JSON-MIN lays the data flat beside the answer.
    let data = if task["data"].is_object() { &task["data"] } else { task };
    let Some(id) = text_of(&data["row_id"]) else {
        let what = "is missing: this task did not go out with a batch";
        return read.faults.push(Fault::new(place, "row_id", &short(&data["row_id"]), what));
    };
    let answer = |text: String, by: &Value, at: &Value| Answer {
        place,
        id: id.clone(),
        batch: text_of(&data["batch"]).unwrap_or_default(),
        text,
        annotator: annotator(by),
        at: at.as_str().and_then(|at| at.parse().ok()),
    };
    let before = read.answers.len();
    if let Some(annotations) = task["annotations"].as_array() {
        for annotation in annotations.iter().filter(|a| a["was_cancelled"] != true) {
            let Some(said) = said(&annotation["result"], place, read) else { continue };
            let at = if annotation["updated_at"].is_string() {
                &annotation["updated_at"]
            } else {
                &annotation["created_at"]
            };
            read.answers.push(answer(said, &annotation["completed_by"], at));
        }
    } else if let Some(said) = text_of(&task[CONTROL]) {
        read.answers.push(answer(said, &task["annotator"], &task["updated_at"]));
    }
    if read.answers.len() == before {
        read.answers.push(answer(String::new(), &Value::Null, &Value::Null));
    }
}

/// What an annotation says: the answer of our control tag, or the only answer there is.
fn said(result: &Value, place: Place, read: &mut Answers) -> Option<String> {
    let all = result.as_array()?;
    let ours: Vec<&Value> = all.iter().filter(|part| part["from_name"] == CONTROL).collect();
    let parts: Vec<&Value> = if ours.is_empty() { all.iter().collect() } else { ours };
    let mut said: Vec<String> = Vec::new();
    for part in &parts {
        let value = &part["value"];
        let texts = value["choices"].as_array().or_else(|| value["text"].as_array());
        match texts {
            Some(texts) => said.extend(texts.iter().filter_map(text_of)),
            None => said.extend(text_of(&value["number"]).or_else(|| text_of(&value["text"]))),
        }
    }
    match said.len() {
        0 if parts.is_empty() => None,
        0 => {
            let kind = short(&parts[0]["type"]);
            read.faults.push(Fault::new(
                place,
                CONTROL,
                &kind,
                "is no choice, number or text: another kind of project",
            ));
            None
        }
        1 => said.pop(),
        _ => {
            read.faults.push(Fault::new(place, CONTROL, &said.join(", "), "is more than one answer by one annotator"));
            None
        }
    }
}

/// Who answered: the address when there is one, otherwise the number that Label Studio knows them by.
fn annotator(by: &Value) -> String {
    match by {
        Value::Object(_) => text_of(&by["email"]).or_else(|| text_of(&by["id"])).unwrap_or_default(),
        _ => text_of(by).unwrap_or_default(),
    }
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(yes) => Some(yes.to_string()),
        _ => None,
    }
}

fn short(value: &Value) -> String {
    text_of(value).unwrap_or_else(|| if value.is_null() { String::new() } else { value.to_string() })
}
