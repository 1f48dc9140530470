//! Label Studio: the exported tasks and labelling interface. `returned` reads the answers.

use super::LabelError;
use super::batch::{Asked, Batch};
use super::sheet;
use crate::atomic::At;
use crate::features::Task;
use crate::markup::escaped;
use crate::table::{Schema, Table};
use serde_json::{Map, Value, json};

/// The control tag that answers carry.
pub(super) const CONTROL: &str = "label";
const OBJECT: &str = "row";

/// The tasks of a batch, for import into a project: each row nested under `data.row`, its id in `data.row_id`, and
/// production's prediction attached, with its score if `show_score` is set.
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
    let mut text = serde_json::to_vec_pretty(&tasks).at("to_label.json")?;
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
///
/// # Errors
/// When the target or a class has a character that XML cannot hold: Label Studio would not load the interface.
pub(super) fn config(batch: &Batch) -> Result<Vec<u8>, LabelError> {
    let names = std::iter::once(&batch.target.name).chain(&batch.target.classes);
    if let Some(name) = names.into_iter().find(|name| name.contains(is_beyond_xml)) {
        let what = "has a control character, which Label Studio cannot take: use --format csv";
        return Err(LabelError::Usage(format!("{name:?} {what}")));
    }
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
    Ok(text.into_bytes())
}

/// The text as the value of an attribute.
fn escape(text: &str) -> String {
    escaped(text).replace('\n', "&#10;").replace('\t', "&#9;").replace('\r', "&#13;")
}

/// Whether XML cannot represent the character.
fn is_beyond_xml(c: char) -> bool {
    matches!(c, '\u{0}'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}')
}

#[cfg(test)]
mod tests {
    use super::{escape, is_beyond_xml};

    #[test]
    fn what_xml_has_no_way_to_write_is_known() {
        let beyond: Vec<u32> =
            (0..0x1_0000).filter_map(char::from_u32).filter(|c| is_beyond_xml(*c)).map(u32::from).collect();
        // Char of XML 1.0: tab, line feed, carriage return, and everything from the space on but two.
        let known: Vec<u32> = (0..0x20).filter(|c| ![9, 10, 13].contains(c)).chain([0xfffe, 0xffff]).collect();
        assert_eq!(beyond, known);
        assert_eq!(escape("<a \"b\">\r\n\t&"), "&lt;a &quot;b&quot;&gt;&#13;&#10;&#9;&amp;");
    }
}
