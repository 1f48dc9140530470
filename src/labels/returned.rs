//! Label Studio's exports: JSON with the annotations of each task; JSON-MIN, CSV and TSV with one record for each.
//!
//! | export | the row | the answer | who | how long it took |
//! |---|---|---|---|---|
//! | JSON | `data.row_id` | `annotations[].result[].value`: `{"choices": ["yes"]}`, `{"number": 5}`, `{"text": ["yes"]}` | `completed_by` | `lead_time` |
//! | JSON-MIN | `row_id` | `label`: `"yes"`, `{"choices": ["yes"]}`, `[{"number": 5}]` | `annotator` | `lead_time` |
//! | CSV, TSV | `row_id` | `label`: `yes`, or one of the JSON shapes of JSON-MIN | `annotator` | `lead_time` |
//!
//! In all of them, `id` is Label Studio's number of the task. An answer in another form is an error with its location,
//! never an unanswered row.

use super::LabelError;
use super::answer::{Answer, Answers, Fault, Origin, Place};
use super::studio::CONTROL;
use serde_json::Value;

/// Fields of a JSON-MIN record other than the answer: exported fields, and those that Label Studio adds.
const NO_ANSWER: [&str; 17] = [
    "row_id",
    "batch",
    "stratum",
    "reason",
    "annotators",
    "row",
    "id",
    "annotator",
    "annotation_id",
    "created_at",
    "updated_at",
    "lead_time",
    "agreement",
    "history",
    "reviews",
    "comments",
    "file_upload",
];

/// Where an export stores its answers.
struct Export<'a> {
    /// Our target's name: a project may use it as the name of its control.
    target: &'a str,
}

/// The answers of an export in JSON. Cancelled annotations are skipped; a task without an answer is unanswered.
///
/// # Errors
/// If it is not such an export.
pub(super) fn answers(file: &str, text: &str, target: &str) -> Result<Answers, LabelError> {
    let wrong = |what: String| LabelError::File { file: file.to_owned(), what };
    let value: Value = serde_json::from_str(text).map_err(|err| wrong(format!("is not valid JSON: {err}")))?;
    let tasks = match value {
        Value::Array(tasks) => tasks,
        Value::Object(_) => vec![value],
        _ => return Err(wrong("is not an export of Label Studio: a list of tasks is expected".to_owned())),
    };
    let mut read = Answers::default();
    let export = Export { target };
    for (task, n) in tasks.iter().zip(1..) {
        export.task(task, Place::Task(n), &mut read);
    }
    Ok(read)
}

impl Export<'_> {
    fn task(&self, task: &Value, place: Place, read: &mut Answers) {
        // JSON-MIN puts the data at the same level as the answer.
        let is_full = task["data"].is_object();
        let data = if is_full { &task["data"] } else { task };
        let Some(id) = text_of(&data["row_id"]) else {
            let what = "is missing: this task does not belong to a batch";
            return read.faults.push(Fault::new(place, "row_id", &short(&data["row_id"]), what));
        };
        let unanswered = Answer {
            place,
            id,
            batch: text_of(&data["batch"]).unwrap_or_default(),
            text: String::new(),
            annotator: String::new(),
            at: None,
            origin: Origin::Sheet,
        };
        let n_before = (read.answers.len(), read.faults.len());
        if is_full {
            self.annotations(task, &unanswered, read);
        } else {
            self.record(task, &unanswered, read);
        }
        if (read.answers.len(), read.faults.len()) == n_before {
            read.answers.push(unanswered);
        }
    }

    /// The annotations of a task in full JSON; `completions` in exports of Label Studio before 1.0.
    fn annotations(&self, task: &Value, of: &Answer, read: &mut Answers) {
        let list = if task["annotations"].is_null() { &task["completions"] } else { &task["annotations"] };
        let Some(annotations) = list.as_array() else {
            let what = "is not a list of annotations: export the project as JSON, JSON-MIN or CSV";
            return read.faults.push(Fault::new(of.place, "annotations", &short(list), what));
        };
        for annotation in annotations.iter().filter(|a| a["was_cancelled"] != true && a["skipped"] != true) {
            let said = match self.said(&annotation["result"]) {
                Ok(None) => continue,
                Ok(Some(text)) => text,
                Err((value, what)) => {
                    read.faults.push(Fault::new(of.place, CONTROL, &value, what));
                    continue;
                }
            };
            let at = ["updated_at", "created_at"].into_iter().find_map(|key| annotation[key].as_str()?.parse().ok());
            let (text, annotator) = (said, annotator(&annotation["completed_by"]));
            read.answers.push(Answer { text, annotator, at, origin: origin(annotation), ..of.clone() });
        }
    }

    /// The answer of a JSON-MIN record.
    fn record(&self, record: &Value, of: &Answer, read: &mut Answers) {
        let key = [CONTROL, self.target].into_iter().find(|key| !record[*key].is_null());
        let Some(key) = key else {
            // The control may have another name, which cannot be distinguished from an added field.
            let other = record.as_object().into_iter().flatten().find(|(name, value)| {
                !NO_ANSWER.contains(&name.as_str()) && *name != CONTROL && *name != self.target && !value.is_null()
            });
            if let Some((name, _)) = other {
                let what = format!("may hold the answer, which is expected under {CONTROL:?} or {:?}", self.target);
                read.faults.push(Fault::new(of.place, CONTROL, name, what));
            }
            return;
        };
        let at = ["updated_at", "created_at"].into_iter().find_map(|key| record[key].as_str()?.parse().ok());
        match flat(&record[key]) {
            Ok(None) => {}
            Ok(Some(text)) => {
                let annotator = annotator(&record["annotator"]);
                read.answers.push(Answer { text, annotator, at, origin: origin(record), ..of.clone() });
            }
            Err((value, what)) => read.faults.push(Fault::new(of.place, key, &value, what)),
        }
    }

    /// The answer of an annotation: that of our control tag, or the only answer.
    fn said(&self, result: &Value) -> Result<Option<String>, Wrong> {
        if result.is_null() {
            return Ok(None);
        }
        let Some(all) = result.as_array() else {
            return Err((short(result), "is not a list of results".to_owned()));
        };
        let of = |control: &str| -> Vec<&Value> { all.iter().filter(|part| part["from_name"] == control).collect() };
        let ours = [of(CONTROL), of(self.target)].into_iter().find(|parts| !parts.is_empty());
        let mut said = Vec::new();
        for part in ours.unwrap_or_else(|| all.iter().collect()) {
            match texts(&part["value"]) {
                Some(texts) => said.extend(texts),
                None => return Err((short(&part["type"]), OTHER.to_owned())),
            }
        }
        one(said)
    }
}

/// An invalid value, and the problem with it.
type Wrong = (String, String);

const OTHER: &str = "is not a choice, number or text: this is another kind of project";

/// The answer, if exactly one is given.
fn one(mut said: Vec<String>) -> Result<Option<String>, Wrong> {
    match said.len() {
        0 | 1 => Ok(said.pop()),
        _ => Err((said.join(", "), "is more than one answer by one annotator".to_owned())),
    }
}

/// The answer in a field of JSON-MIN: a text or number, otherwise one value or a list of them.
fn flat(value: &Value) -> Result<Option<String>, Wrong> {
    let parts = match value {
        Value::Object(_) => std::slice::from_ref(value),
        Value::Array(parts) => parts,
        _ => return Ok(text_of(value)),
    };
    let mut said = Vec::new();
    for part in parts {
        match part {
            Value::Object(_) => said.extend(texts(part).ok_or_else(|| (short(value), OTHER.to_owned()))?),
            _ => said.extend(vec![text_of(part).ok_or_else(|| (short(value), OTHER.to_owned()))?]),
        }
    }
    one(said)
}

/// The answer in a cell of a CSV export: the text, or JSON as in JSON-MIN if it begins like JSON.
pub(super) fn of_cell(cell: &str) -> Result<Option<String>, Wrong> {
    match cell.starts_with(['{', '[']).then(|| serde_json::from_str::<Value>(cell)) {
        Some(Ok(value)) => flat(&value),
        _ => Ok(Some(cell.to_owned()).filter(|text| !text.is_empty())),
    }
}

/// The texts of a choice, a number or a text area; `None` for any other value. An empty choice gives an empty list.
fn texts(value: &Value) -> Option<Vec<String>> {
    let list = |texts: &Value| match texts {
        Value::Array(texts) => {
            let all: Option<Vec<Option<String>>> = texts.iter().map(scalar).collect();
            Some(all?.into_iter().flatten().collect())
        }
        single => Some(scalar(single)?.into_iter().collect()),
    };
    ["choices", "number", "text"].into_iter().find_map(|key| value.get(key)).and_then(list)
}

/// The text of a scalar; `Some(None)` for an empty one, `None` for a list, an object or null.
fn scalar(value: &Value) -> Option<Option<String>> {
    match value {
        Value::String(_) | Value::Number(_) | Value::Bool(_) => Some(text_of(value)),
        _ => None,
    }
}

/// How an answer was made. `Create annotations from predictions` leaves the prediction's number and no time.
fn origin(annotation: &Value) -> Origin {
    let took_time = match &annotation["lead_time"] {
        Value::Number(seconds) => seconds.as_f64().is_some_and(|seconds| seconds > 0.0),
        _ => false,
    };
    let from_prediction = |part: &Value| part["origin"] == "prediction";
    let parts = annotation["result"].as_array().map_or(&[][..], Vec::as_slice);
    let copied = !annotation["parent_prediction"].is_null() || (!parts.is_empty() && parts.iter().all(from_prediction));
    match (took_time, copied) {
        (true, _) => Origin::Timed,
        (false, true) => Origin::Copied,
        (false, false) => Origin::Untimed,
    }
}

/// The annotator: the e-mail address if there is one, otherwise Label Studio's number.
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
