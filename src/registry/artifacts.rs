//! Files beside a manifest that show how good a version is.

use crate::pipeline::Fitted;
use crate::report;
use crate::score::Confusion;
use crate::score::report::classification_report;
use crate::table::push_record;

/// The files by name: what the columns matter, and for classes the classification report and the confusion matrix of the
/// gate rows.
#[must_use]
pub fn artifacts(fitted: &Fitted) -> Vec<(&'static str, Vec<u8>)> {
    let shares: Vec<(String, f64)> = fitted.importance.iter().map(|c| (c.column.clone(), c.gain)).collect();
    let title = format!("What {:?} depends on", fitted.pipeline.target.name);
    let mut files = vec![("importance.svg", report::importance_svg(&title, &shares).into_bytes())];
    if let Some(gate) = &fitted.gate
        && let Some(confusion) = &gate.confusion
    {
        files.push(("classification_report.txt", classification_report(confusion, &gate.classes, 4).into_bytes()));
        files.push(("confusion_matrix.csv", confusion_csv(confusion, &gate.classes)));
    }
    files
}

/// Gate rows by true (down) and predicted (across) class.
fn confusion_csv(confusion: &Confusion, classes: &[String]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let head: Vec<&str> = std::iter::once("true \\ predicted").chain(classes.iter().map(String::as_str)).collect();
    push_record(&mut bytes, &head, b',');
    for (truth, class) in classes.iter().enumerate() {
        let cells = (0..classes.len()).map(|predicted| confusion.cell(truth, predicted).to_string());
        let line: Vec<String> = std::iter::once(class.clone()).chain(cells).collect();
        push_record(&mut bytes, &line, b',');
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::confusion_csv;
    use crate::score::Confusion;

    #[test]
    fn rows_are_the_truth() {
        let matrix = Confusion::from_cells(2, vec![5.0, 1.0, 2.0, 3.0]);
        let text = String::from_utf8(confusion_csv(&matrix, &["no".into(), "yes, \"sure\"".into()])).unwrap();
        assert_eq!(text, "true \\ predicted,no,\"yes, \"\"sure\"\"\"\nno,5,1\n\"yes, \"\"sure\"\"\",2,3\n");
    }
}
