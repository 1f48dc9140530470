//! Evaluations as text for a terminal.

use std::fmt::Write;

use crate::printable;
use crate::score::confusion::{ClassScores, Confusion};
use crate::score::{Estimate, Evaluation, Method};

/// An evaluation as text: metrics with intervals and baseline, then the classification report and the confusion
/// matrix for classes. The table of metrics is narrower if `width` columns are too few.
#[must_use]
pub fn render(evaluation: &Evaluation, width: Option<usize>) -> String {
    let mut text = metrics_table(evaluation, width);
    if let Some(confusion) = &evaluation.confusion {
        text.push('\n');
        text.push_str(&classification_report(confusion, &evaluation.classes, 4));
        text.push('\n');
        text.push_str(&confusion_table(confusion, &evaluation.classes));
    }
    text
}

/// Widths of the columns of the table of metrics: name, value, interval, baseline.
const WIDTHS: [usize; 4] = [18, 10, 23, 10];

/// The metrics, one per line: value, 95 % interval, baseline, and a note if there is one. If `width` is too small for
/// the usual layout, columns are as wide as their content.
#[must_use]
pub fn metrics_table(evaluation: &Evaluation, width: Option<usize>) -> String {
    let mut lines = vec![["metric", "value", "95 % interval", "baseline", ""].map(str::to_owned)];
    for (metric, estimate) in evaluation.metrics.iter() {
        let beside = evaluation.baseline.as_ref().map(|b| b.metrics.get(metric).copied().flatten());
        let baseline = beside.map_or(String::new(), |value| value.map_or("-".to_owned(), number));
        let value = estimate.value.map_or("-".to_owned(), number);
        let note = estimate.note.as_deref().unwrap_or_default();
        lines.push([metric.name().to_owned(), value, interval(estimate), baseline, note.to_owned()]);
    }
    let own = |at: usize| lines.iter().map(|cells| cells[at].chars().count()).max().unwrap_or(0);
    let usual = WIDTHS.iter().sum::<usize>() + 4;
    let [a, b, c, d] = if width.is_some_and(|width| width < usual) { [0, 1, 2, 3].map(own) } else { WIDTHS };
    let mut text = String::new();
    for [name, value, interval, baseline, note] in &lines {
        let line = format!("{name:<a$} {value:>b$}  {interval:<c$} {baseline:>d$}  {note}");
        let _ = writeln!(text, "{}", line.trim_end());
    }
    let _ = writeln!(text, "{}", footer(evaluation));
    text
}

fn interval(estimate: &Estimate) -> String {
    match (estimate.low, estimate.high) {
        (Some(low), Some(high)) => format!("{} to {}", number(low), number(high)),
        _ => String::new(),
    }
}

/// Four decimals for shares and similar values, six digits for others.
fn number(value: f64) -> String {
    let size = value.abs();
    if size >= 1e7 || (size > 0.0 && size < 1e-3) {
        format!("{value:.3e}")
    } else if size >= 100.0 {
        format!("{value:.2}")
    } else {
        format!("{value:.4}")
    }
}

fn footer(evaluation: &Evaluation) -> String {
    let mut text = format!("{} rows", evaluation.n_rows);
    if let Some(positives) = evaluation.n_positive {
        let _ = write!(text, ", {positives} positive");
    }
    if let Some(threshold) = evaluation.threshold {
        let _ = write!(text, "; predicted positive at a score of {} or more", number(threshold));
    }
    let used = |method| evaluation.metrics.iter().any(|(_, e)| e.method == Some(method));
    let names = [
        (Method::Bootstrap, "bootstrap over rows"),
        (Method::Jackknife, "infinitesimal jackknife"),
        (Method::OrderStatistics, "order statistics"),
        (Method::Wilson, "Wilson"),
    ];
    let named: Vec<&str> = names.iter().filter(|(method, _)| used(*method)).map(|(_, name)| *name).collect();
    if !named.is_empty() {
        let _ = write!(text, "; intervals: {}", named.join(", "));
    }
    text
}

/// Precision, recall, F1 and support of each class and their means, in the layout of scikit-learn's
/// `classification_report` with `digits` decimals.
#[must_use]
pub fn classification_report(confusion: &Confusion, classes: &[String], digits: usize) -> String {
    const LONGEST_LINE: &str = "weighted avg";
    let name = |class: usize| classes.get(class).map_or_else(|| class.to_string(), |name| printable::name(name));
    let seen = confusion.seen();
    let names: Vec<String> = seen.iter().map(|&c| name(c)).collect();
    let longest = names.iter().map(|n| n.chars().count()).max().unwrap_or(0);
    let width = longest.max(LONGEST_LINE.len()).max(digits);
    let row = |name: &str, s: ClassScores| {
        let (p, r, f, support) = (s.precision, s.recall, s.f1, count(s.support));
        format!("{name:>width$}  {p:>9.digits$} {r:>9.digits$} {f:>9.digits$} {support:>9}\n")
    };
    let mut text = format!("{:>width$}  {:>9} {:>9} {:>9} {:>9}\n\n", "", "precision", "recall", "f1-score", "support");
    for (&class, name) in seen.iter().zip(&names) {
        text.push_str(&row(name, confusion.class(class, 0.0)));
    }
    let (overall, accuracy) = (confusion.macro_mean(0.0), confusion.accuracy());
    let _ = writeln!(
        text,
        "\n{:>width$}  {:>9} {:>9} {accuracy:>9.digits$} {:>9}",
        "accuracy",
        "",
        "",
        count(overall.support)
    );
    text.push_str(&row("macro avg", overall));
    text.push_str(&row(LONGEST_LINE, confusion.weighted_mean(0.0)));
    text
}

/// A count without decimals, a weight with one.
fn count(weight: f64) -> String {
    if weight.fract() == 0.0 { format!("{weight:.0}") } else { format!("{weight:.1}") }
}

/// The confusion matrix with its classes; with more than 12 classes, it is only in the JSON.
#[must_use]
pub fn confusion_table(confusion: &Confusion, classes: &[String]) -> String {
    const MOST_CLASSES: usize = 12;
    let seen = confusion.seen();
    if seen.len() > MOST_CLASSES {
        return String::new();
    }
    let name = |class: usize| {
        let name = classes.get(class).map_or_else(|| class.to_string(), |name| printable::name(name));
        name.chars().take(16).collect::<String>()
    };
    let cells = seen.iter().flat_map(|&t| seen.iter().map(move |&p| (t, p)));
    let widest_cell = cells.map(|(t, p)| count(confusion.cell(t, p)).len()).max().unwrap_or(0);
    let widest_name = seen.iter().map(|&c| name(c).chars().count()).max().unwrap_or(0);
    let (width, head) = (widest_cell.max(widest_name), widest_name.max("true \\ predicted".len()));
    let mut text = format!("{:<head$}", "true \\ predicted");
    for &class in &seen {
        let _ = write!(text, "  {:>width$}", name(class));
    }
    text.push('\n');
    for &truth in &seen {
        let _ = write!(text, "{:<head$}", name(truth));
        for &predicted in &seen {
            let _ = write!(text, "  {:>width$}", count(confusion.cell(truth, predicted)));
        }
        text.push('\n');
    }
    text
}
