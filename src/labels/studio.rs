//! Label Studio: the tasks and the labelling interface that go out. What comes back is read by `returned`.

use super::LabelError;
use super::batch::{Asked, Batch};
use super::sheet;
use crate::features::Task;
use crate::markup::escaped;
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
    escaped(text).replace('\n', "&#10;").replace('\t', "&#9;")
}
