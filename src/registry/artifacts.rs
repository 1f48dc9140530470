//! Files beside a manifest with the results of a version.

use crate::pipeline::{Fitted, told_words};
use crate::printable::protect;
use crate::report;
use crate::score::Confusion;
use crate::score::curve::CurvePoint;
use crate::score::report::classification_report;
use crate::table::push_record;
use std::borrow::Cow;
use std::fmt::Write;

/// The points of the ROC and precision-recall curves of a version with two classes.
pub const CURVES: &str = "curves.csv";

/// The files by name: the importance of columns, and for classes the classification report and the confusion matrix of
/// the gate rows; for two classes also their curves.
#[must_use]
pub fn artifacts(fitted: &Fitted) -> Vec<(&'static str, Vec<u8>)> {
    let shares: Vec<(String, f64)> = fitted.importance.iter().map(|c| (c.column.clone(), c.gain)).collect();
    let with_words = fitted.importance.iter().filter(|c| !c.words.is_empty());
    let words: Vec<String> = with_words.map(|c| format!("{}: {}", c.column, told_words(&c.words))).collect();
    let title = format!("What {:?} depends on", fitted.pipeline.target.name);
    let mut files = vec![("importance.svg", report::importance_svg(&title, &shares, &words).into_bytes())];
    if let Some(gate) = &fitted.gate
        && let Some(confusion) = &gate.confusion
    {
        files.push(("classification_report.txt", classification_report(confusion, &gate.classes, 4).into_bytes()));
        files.push(("confusion_matrix.csv", confusion_csv(confusion, &gate.classes)));
    }
    if let Some(gate) = fitted.gate.as_ref().filter(|gate| !gate.curve.is_empty()) {
        files.push((CURVES, curves_csv(&gate.curve)));
    }
    files
}

/// A line per threshold, the highest first.
fn curves_csv(points: &[CurvePoint]) -> Vec<u8> {
    let mut text = "threshold,false_positive_rate,recall,precision\n".to_owned();
    for p in points {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{},{},{},{}", p.threshold, p.false_positive_rate, p.recall, p.precision);
    }
    text.into_bytes()
}

/// Reads the points written by [`artifacts`] under [`CURVES`]; other lines are skipped.
#[must_use]
pub fn read_curves(bytes: &[u8]) -> Vec<CurvePoint> {
    let text = String::from_utf8_lossy(bytes);
    let point = |line: &str| {
        let numbers: Vec<f64> = line.split(',').map_while(|cell| cell.parse().ok()).collect();
        let [threshold, false_positive_rate, recall, precision] = numbers.try_into().ok()?;
        Some(CurvePoint { threshold, false_positive_rate, recall, precision })
    };
    text.lines().skip(1).filter_map(point).collect()
}

/// Gate rows by true (down) and predicted (across) class.
fn confusion_csv(confusion: &Confusion, classes: &[String]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let shown: Vec<Cow<str>> = classes.iter().map(|class| protect(class)).collect();
    let head: Vec<&str> = std::iter::once("true \\ predicted").chain(shown.iter().map(AsRef::as_ref)).collect();
    push_record(&mut bytes, &head, b',');
    for (truth, class) in shown.iter().enumerate() {
        let cells = (0..classes.len()).map(|predicted| confusion.cell(truth, predicted).to_string());
        let line: Vec<String> = std::iter::once(class.to_string()).chain(cells).collect();
        push_record(&mut bytes, &line, b',');
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::super::fitted::fitted;
    use super::{CURVES, artifacts, confusion_csv, curves_csv, read_curves};
    use crate::features::Task;
    use crate::score::Confusion;
    use crate::score::curve::CurvePoint;

    #[test]
    fn curves_are_read_as_they_were_written() {
        let point = |x: f64| CurvePoint { threshold: x, false_positive_rate: x / 3.0, recall: 1.0, precision: 0.1 + x };
        let points = vec![point(0.7), point(0.123_456_789)];
        assert_eq!(read_curves(&curves_csv(&points)), points);
        assert!(read_curves(b"threshold\nx,1,2,3\n1,2\n").is_empty());
    }

    #[test]
    fn the_files_are_those_of_the_task() {
        let classes = ["importance.svg", "classification_report.txt", "confusion_matrix.csv"];
        for (task, names) in [
            (Task::Regression, &classes[..1]),
            (Task::Multiclass, &classes[..]),
            (Task::Binary, &[classes[0], classes[1], classes[2], CURVES][..]),
        ] {
            let of = fitted(task);
            let files = artifacts(&of);
            assert_eq!(files.iter().map(|(name, _)| *name).collect::<Vec<_>>(), names, "{task:?}");
            let text = |at: usize| String::from_utf8(files[at].1.clone()).unwrap();
            assert!(text(0).starts_with("<svg") && text(0).contains("What &quot;y&quot; depends on"), "{}", text(0));
            let Some(gate) = of.gate.filter(|_| names.len() > 1) else { continue };
            assert!(gate.classes.iter().all(|class| text(1).contains(class)), "{}", text(1));
            let n: f64 = text(2)
                .lines()
                .skip(1)
                .flat_map(|line| line.split(',').skip(1))
                .map(|n| n.parse::<f64>().unwrap())
                .sum();
            assert_eq!(n, gate.n_rows as f64, "each gate row is in the matrix");
            if task == Task::Binary {
                assert_eq!(read_curves(&files[3].1), gate.curve);
            }
        }
    }

    #[test]
    fn rows_are_the_truth() {
        let matrix = Confusion::from_cells(2, vec![5.0, 1.0, 2.0, 3.0]);
        let text = String::from_utf8(confusion_csv(&matrix, &["no".into(), "yes, \"sure\"".into()])).unwrap();
        assert_eq!(text, "true \\ predicted,no,\"yes, \"\"sure\"\"\"\nno,5,1\n\"yes, \"\"sure\"\"\",2,3\n");
        // The user may open it in a spreadsheet.
        let text = String::from_utf8(confusion_csv(&matrix, &["=HYPERLINK(1)".into(), "-1".into()])).unwrap();
        assert_eq!(text, "true \\ predicted,'=HYPERLINK(1),-1\n'=HYPERLINK(1),5,1\n-1,2,3\n");
    }
}
