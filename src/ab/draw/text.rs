//! The report as text for a terminal.

use super::words;
use crate::ab::report::{AbReport, OutcomeReport};
use crate::report::number::{clean, count, short};
use std::fmt::Write;

const NAME: usize = 22;
const MAX_NOTES: usize = 8;

/// A report and the styling of text.
pub(super) struct Terminal<'a> {
    pub(super) report: &'a AbReport,
    pub(super) bold: &'a dyn Fn(&str) -> String,
    pub(super) dim: &'a dyn Fn(&str) -> String,
    pub(super) verdict: &'a dyn Fn(&str, &str) -> String,
}

impl Terminal<'_> {
    pub(super) fn draw(&self) -> String {
        let report = self.report;
        // Writing to a String cannot fail.
        let mut text = format!(
            "{}\n{}\n\n",
            (self.verdict)(words::tone(report), &words::headline(report)),
            clean(&report.verdict.sentence)
        );
        let _ = writeln!(text, "{} {}", (self.dim)("read  "), words::source(report));
        let _ = writeln!(text, "{} {}", (self.dim)("split "), words::srm(report));
        let _ = writeln!(text, "{} {}\n", (self.dim)("rule  "), words::rule(report));
        if report.outcomes.is_empty() {
            for arm in &report.arms {
                let name = short(&arm.name, NAME);
                let _ = writeln!(text, "{name:NAME$} {:>12} units, {:.0} expected", count(arm.n_units), arm.n_expected);
            }
            text.push('\n');
        }
        report.outcomes.iter().for_each(|outcome| text += &self.outcome(outcome));
        text += &self.experiment();
        for note in report.notes.iter().take(MAX_NOTES) {
            let _ = writeln!(text, "{} {}", (self.dim)("note:"), clean(note));
        }
        text
    }

    /// The parts that only the loop's experiment has: guardrails, models, pairs, epochs.
    fn experiment(&self) -> String {
        let (report, mut text) = (self.report, String::new());
        for [what, gain, state] in report.guardrails.iter().map(words::rail) {
            let _ = writeln!(text, "{} {what}: {gain}; {}", (self.dim)("guardrail"), (self.bold)(&state));
        }
        for [who, n, metrics] in report.models.iter().map(words::model) {
            let _ = writeln!(text, "{} {who}, {n} units: {metrics}", (self.dim)("model"));
        }
        for pair in report.paired.iter().map(words::paired) {
            let _ = writeln!(text, "{} {pair}", (self.dim)("same rows, for a single look:"));
        }
        for [from, weights, n, gaps] in report.experiment.iter().flat_map(|e| &e.epochs).map(words::epoch) {
            let _ =
                writeln!(text, "{} since {from}: weights {weights}; units {n}; difference {gaps}", (self.dim)("epoch"));
        }
        text
    }

    fn outcome(&self, outcome: &OutcomeReport) -> String {
        let (tag, _) = words::tag(outcome);
        let mut text = format!("{}  {tag}\n", (self.bold)(&short(&outcome.name, 60)));
        if let Some(why) = &outcome.untold {
            let _ = writeln!(text, "  {}\n", clean(why));
            return text;
        }
        let head = format!("  {:NAME$} {:>10} {:>12} {:>10}", "arm", "units", "sum", "mean");
        let _ = writeln!(text, "{}", (self.dim)(&head));
        for arm in &outcome.arms {
            let sum = words::sum(outcome.kind, arm.sum);
            let mean = words::mean(outcome.kind, arm.mean);
            let _ = writeln!(text, "  {:NAME$} {:>10} {sum:>12} {mean:>10}", short(&arm.name, NAME), count(arm.n));
        }
        for comparison in &outcome.comparisons {
            let who = format!("{} minus {}", short(&comparison.arm, NAME), short(&comparison.against, NAME));
            let _ = writeln!(
                text,
                "  {who}: {} (always-valid {}), lift {}, always-valid p {}",
                words::gap(outcome.kind, comparison.difference),
                words::interval(outcome.kind, comparison),
                words::lift(comparison),
                words::p(comparison.p_holm)
            );
            let between =
                comparison.fixed.interval.filter(|(low, _)| low.is_finite()).map_or_else(String::new, |ends| {
                    format!("{} to {}, ", words::gap(outcome.kind, ends.0), words::gap(outcome.kind, ends.1))
                });
            let _ = writeln!(
                text,
                "  {}",
                (self.dim)(&format!(
                    "fixed-horizon test (one look, at a size set beforehand): {between}{}",
                    words::fixed(&comparison.fixed)
                ))
            );
        }
        if let Some(cuped) = &outcome.cuped {
            let _ = writeln!(
                text,
                "  adjusted by {}: variance reduced by {:.1} %",
                clean(&cuped.column),
                100.0 * cuped.variance_reduction
            );
        }
        text.push('\n');
        text
    }
}
