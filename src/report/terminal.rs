//! The report in about 20 lines of a terminal.

use super::Marks;
use super::number::{NOTHING, clean, fixed_or, metric, p_value, percent, short};
use super::words::{self, Tone};
use crate::drift::report::{ColumnReport, DriftReport, Plot};
use std::fmt::Write;

const MAX_COLUMNS: usize = 6;
const MAX_FINDINGS: usize = 5;
const MAX_TRIGGERS: usize = 4;
/// Characters of a histogram.
const SPARK_WIDTH: usize = 12;
const NAME_WIDTH: usize = 22;

/// A report and the styling of text.
pub(super) struct Terminal<'a> {
    pub(super) report: &'a DriftReport,
    pub(super) marks: Marks<'a>,
}

impl Terminal<'_> {
    pub(super) fn draw(&self) -> String {
        let mut text = self.head();
        text += &self.columns();
        text += &self.beyond_columns();
        text += &self.triggers();
        text += &self.findings();
        text += &self.notes();
        text.replace('\u{a0}', " ")
    }

    fn head(&self) -> String {
        let report = self.report;
        let mut text =
            format!("{}\n{}\n\n", (self.marks.bold)(words::headline(report)), clean(&report.verdict.sentence));
        let (share, of_what) = words::share(report);
        let severity = words::severity(report.verdict.severity);
        let dial = share.map_or_else(
            || "no column could be judged".to_owned(),
            |share| {
                let threshold = percent(report.share.threshold);
                format!("{}  {} {of_what} (threshold {threshold})", meter(share), percent(share))
            },
        );
        let _ = writeln!(text, "{} {} {dial}", (self.marks.dim)("severity "), (self.marks.bold)(severity));
        let counts = words::share_counts(report).map(|(tone, n)| format!("{n} {}", tone.class())).join(" · ");
        let _ = writeln!(text, "{} {counts}", (self.marks.dim)("columns  "));
        let watched = words::watched_only(report);
        if !watched.is_empty() {
            let _ = writeln!(text, "{} {watched}", (self.marks.dim)("watched  "));
        }
        let _ = writeln!(text, "{} {}", (self.marks.dim)("reference"), words::side(&report.reference));
        let _ = writeln!(text, "{} {}", (self.marks.dim)("current  "), words::side(&report.current));
        if let (Some(found), Some(since)) = (&report.against_training, words::since_training(report)) {
            let _ = writeln!(
                text,
                "{} {since} (against the {})",
                (self.marks.dim)("training "),
                clean(&found.reference.name)
            );
        }
        text + "\n"
    }

    fn columns(&self) -> String {
        let columns = words::drifted_first(self.report);
        if columns.is_empty() {
            return String::new();
        }
        let is_weighed = columns.iter().any(|column| column.importance.is_some());
        let table = Layout::new(self.marks.width, is_weighed);
        let head = table.line(["column", "reference", "current", "method", "statistic", "p", "PSI", "importance"]);
        let mut text = (self.marks.dim)(&format!("{head}  verdict")) + "\n";
        for column in columns.iter().take(MAX_COLUMNS) {
            text += &self.column(column, &table);
        }
        if columns.len() > MAX_COLUMNS {
            let rest = &columns[MAX_COLUMNS..];
            let n_drifted = rest.iter().filter(|column| Tone::of(&column.verdict) == Tone::Drifted).count();
            let more = format!("and {} more, {n_drifted} of them drifted", rest.len());
            let _ = writeln!(text, "{}", (self.marks.dim)(&more));
        }
        text + "\n"
    }

    fn column(&self, column: &ColumnReport, table: &Layout) -> String {
        let sparks = sparks(&column.plot);
        let row = table.line([
            &short(&column.name, table.name),
            &sparks[0],
            &sparks[1],
            &short(&column.method, 14),
            &fixed_or(column.statistic),
            &p_value(column.p_adjusted.or(column.p)),
            &psi(column),
            &column.importance.map_or_else(|| NOTHING.to_owned(), percent),
        ]);
        format!("{row}  {}\n", (self.marks.verdict)(Tone::of(&column.verdict).class(), &words::verdict_of(column)))
    }

    /// Target, score, all columns together, and the estimate from scores: one line each, if known.
    fn beyond_columns(&self) -> String {
        let report = self.report;
        let mut text = String::new();
        let mut told = |what: &str, said: String| {
            let _ = writeln!(text, "{} {said}", (self.marks.dim)(&format!("{what:9}")));
        };
        let sides = [("target", &report.target), ("score", &report.score)].into_iter().filter_map(|(what, column)| {
            let column = column.as_ref()?;
            let (verdict, psi) = (words::verdict(&column.verdict), psi(column));
            Some(format!("{what} {verdict} (p {}, PSI {psi})", p_value(column.p_adjusted.or(column.p))))
        });
        let sides: Vec<String> = sides.collect();
        if !sides.is_empty() {
            told("also", sides.join(" · "));
        }
        if let Some(seen) = &report.multivariate {
            let how = match seen.drifted {
                true => format!("distinguished, {}", seen.told(|name| short(name, NAME_WIDTH))),
                false if seen.is_open() => "cannot tell".to_owned(),
                false => "alike".to_owned(),
            };
            let (auc, low, high) = (metric(seen.roc_auc), metric(seen.lower), metric(seen.upper));
            told("together", format!("{how} (roc_auc {auc}, 95 % interval {low} to {high})"));
        }
        for (what, metrics) in [
            ("outcomes", report.performance.as_ref().map(|known| &known.metrics)),
            ("estimate", report.estimate.as_ref().map(|promised| &promised.metrics)),
        ] {
            let shown = metrics.into_iter().flatten().take(3);
            let shown: Vec<String> = shown
                .map(|m| {
                    let gate = m.gate.map_or_else(|| NOTHING.to_owned(), metric);
                    format!("{} {} (gate {gate})", clean(&m.name), metric(m.value))
                })
                .collect();
            if !shown.is_empty() {
                told(what, shown.join(" · "));
            }
        }
        if text.is_empty() { text } else { text + "\n" }
    }

    fn triggers(&self) -> String {
        let fired: Vec<_> = self.report.triggers.iter().filter(|trigger| trigger.fired).collect();
        let mut text = String::new();
        for trigger in fired.iter().take(MAX_TRIGGERS) {
            let _ = write!(text, "{} {}", (self.marks.bold)("fired"), clean(&trigger.name));
            let _ = writeln!(text, "{}: {}", words::held(trigger), (self.marks.dim)(&clean(&trigger.text)));
        }
        if fired.len() > MAX_TRIGGERS {
            let _ = writeln!(text, "and {} more triggers", fired.len() - MAX_TRIGGERS);
        }
        text
    }

    fn findings(&self) -> String {
        let findings = &self.report.findings;
        let mut text = String::new();
        for finding in findings.iter().take(MAX_FINDINGS) {
            let kind = format!("{}:", words::finding(finding.kind));
            let _ = writeln!(text, "{} {}", (self.marks.bold)(&kind), words::found(finding));
        }
        if findings.len() > MAX_FINDINGS {
            // Without a loop there is no HTML page.
            let place = if self.report.predicts.is_empty() { "--json" } else { "reports/drift_report.html" };
            let more = format!("and {} more in {place}", findings.len() - MAX_FINDINGS);
            let _ = writeln!(text, "{}", (self.marks.dim)(&more));
        }
        text
    }
}

impl Terminal<'_> {
    /// Restrictions on the results above.
    fn notes(&self) -> String {
        let note = |note: &String| format!("{} {}\n", (self.marks.dim)("note:"), clean(note));
        self.report.notes.iter().take(MAX_FINDINGS).map(note).collect()
    }
}

/// The columns of the table that are shown, so that it fits the terminal.
struct Layout {
    shown: [bool; 8],
    name: usize,
}

impl Layout {
    const WIDTHS: [usize; 8] = [NAME_WIDTH, SPARK_WIDTH, SPARK_WIDTH, 14, 9, 8, 7, 10];
    /// The spaces before each column.
    const GAPS: [usize; 8] = [0, 2, 2, 2, 1, 1, 1, 1];
    const VERDICT: usize = 13;
    /// The order in which columns are dropped: importance, statistic, method, the two pictures, p.
    const DROPPED: [usize; 6] = [7, 4, 3, 1, 2, 5];

    /// The columns that fit a width; without importances, that column is omitted.
    fn new(width: Option<usize>, is_weighed: bool) -> Self {
        let mut layout = Self { shown: [true; 8], name: NAME_WIDTH };
        layout.shown[7] = is_weighed;
        let Some(width) = width else { return layout };
        if width < 100 {
            layout.name = 18;
        }
        for column in Self::DROPPED {
            if layout.width() + Self::VERDICT <= width {
                break;
            }
            layout.shown[column] = false;
        }
        layout
    }

    fn width(&self) -> usize {
        let widths = (1..Self::WIDTHS.len()).filter(|&at| self.shown[at]).map(|at| Self::WIDTHS[at] + Self::GAPS[at]);
        self.name + widths.sum::<usize>()
    }

    /// A row of the table, padded before styling: escape codes have no width.
    fn line(&self, cells: [&str; 8]) -> String {
        let cell = |(at, text): (usize, &str)| {
            let (width, gap) = (if at == 0 { self.name } else { Self::WIDTHS[at] }, Self::GAPS[at]);
            let padded = if at < 4 { format!("{text:width$}") } else { format!("{text:>width$}") };
            " ".repeat(gap) + &padded
        };
        cells.into_iter().enumerate().filter(|(at, _)| self.shown[*at]).map(cell).collect()
    }
}

/// The PSI of a column, in aligned form.
fn psi(column: &ColumnReport) -> String {
    column.psi.map_or_else(|| NOTHING.to_owned(), metric)
}

/// A share as a bar of 20 characters.
fn meter(share: f64) -> String {
    let full = (share.clamp(0.0, 1.0) * 20.0).round() as usize;
    "█".repeat(full) + &"░".repeat(20 - full)
}

/// Both distributions as characters on a common scale.
fn sparks(plot: &Plot) -> [String; 2] {
    let (Plot::Number { reference, current, .. } | Plot::Category { reference, current, .. }) = plot else {
        return [String::new(), String::new()];
    };
    let sides = match plot {
        Plot::Number { .. } => [pooled(reference), pooled(current)],
        _ => [reference, current].map(|shares| shares.iter().take(SPARK_WIDTH).copied().collect()),
    };
    let top = sides.iter().flatten().copied().filter(|share| share.is_finite()).fold(0.0, f64::max);
    sides.map(|side| side.iter().map(|share| sign(*share, top)).collect())
}

/// Neighbouring bins are pooled until they fit.
fn pooled(shares: &[f64]) -> Vec<f64> {
    let n = shares.len().min(SPARK_WIDTH);
    let cut = |i: usize| i * shares.len() / n.max(1);
    // Pooled groups alternate between three and four bins: sums would look like a comb, so use means.
    (0..n).map(|i| &shares[cut(i)..cut(i + 1)]).map(|group| group.iter().sum::<f64>() / group.len() as f64).collect()
}

fn sign(share: f64, top: f64) -> char {
    const SIGNS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    match share > 0.0 && top > 0.0 {
        true => SIGNS[((share / top * 8.0).ceil() as usize).clamp(1, 8) - 1],
        false => ' ',
    }
}
