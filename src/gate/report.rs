//! The report of the gate, as JSON and as text.

use super::holdout::HoldoutUse;
use super::judge::Judgement;
use super::rails::Guardrail;
use crate::features::Task;
use crate::registry::Version;
use crate::report::number::{change, clean, with_sign};
use crate::score::Metric;
use crate::workspace::event::{Decision, Verdict};
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;

/// One metric of both versions on the gate rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Pair {
    /// The metric.
    pub metric: Metric,
    /// Production's value; absent if it is undefined.
    pub production: Option<f64>,
    /// The challenger's.
    pub challenger: Option<f64>,
}

/// `reports/gate_report.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct GateReport {
    /// Version of this format: 1.
    pub format: u32,
    /// When it was made.
    pub at: jiff::Timestamp,
    /// The version in production.
    pub production: Version,
    /// The challenger.
    pub challenger: Version,
    /// The target.
    pub target: String,
    /// The task.
    pub task: Task,
    /// The decision.
    pub decision: Decision,
    /// The reason, in one sentence.
    pub sentence: String,
    /// The verdict and the test.
    pub judgement: Judgement,
    /// The reason for allowing an equivalent challenger, if one was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_equivalent: Option<String>,
    /// The guardrails.
    pub guardrails: Vec<Guardrail>,
    /// How often these gate rows were used.
    pub holdout: HoldoutUse,
    /// All metrics of the task.
    pub metrics: Vec<Pair>,
    /// SHA-256 over keys and labels of the gate rows.
    pub rows_digest: String,
    /// Notes for the user.
    pub notes: Vec<String>,
}

impl GateReport {
    /// The report in about 25 lines; `bold` and `dim` style text, or return it unchanged.
    #[must_use]
    pub fn text(&self, bold: &dyn Fn(&str) -> String, dim: &dyn Fn(&str) -> String) -> String {
        // Writing to a String cannot fail.
        let mut text = format!("{}\n{}\n\n", bold(self.headline()), self.sentence);
        let _ = writeln!(
            text,
            "{} {}, the challenger, against {} in production",
            dim("versions "),
            self.challenger,
            self.production
        );
        let j = &self.judgement;
        let positives = j.n_positive.map_or_else(String::new, |n| format!(", {n} of them positive"));
        let _ = writeln!(text, "{} {}{positives}; neither version was trained on them", dim("gate rows"), j.n_rows);
        if let Some(found) = &j.improvement {
            let confidence = format!("{:.2}", 100.0 * (1.0 - j.alpha));
            let confidence = confidence.trim_end_matches('0').trim_end_matches('.');
            let relative = j.relative.map_or_else(String::new, |share| format!(" ({} %)", with_sign(100.0 * share, 2)));
            let _ = writeln!(
                text,
                "{} {} {} → {}: {} by {:.4}{relative}, one-sided {confidence} % bounds: {}, {}",
                dim("test     "),
                found.metric,
                rounded(Some(found.production)),
                rounded(Some(found.challenger)),
                if found.value < 0.0 { "worse" } else { "better" },
                found.value.abs(),
                change(found.low),
                change(found.high),
            );
        }
        text.push_str(&self.table(dim));
        for note in self.holdout.note.iter().chain(&self.notes) {
            let _ = writeln!(text, "{} {note}", dim("note     "));
        }
        text
    }

    pub(super) fn headline(&self) -> &'static str {
        match (self.decision, self.judgement.verdict) {
            (Decision::Promote, Verdict::Superior) => "The challenger is better",
            (Decision::Promote, _) => "The challenger is not worse, which is enough here",
            (Decision::Wait, _) => "Inconclusive: the gate rows are not enough to decide",
            (Decision::Refuse, Verdict::Regression) => "The challenger is worse",
            (Decision::Refuse, Verdict::Equivalent) => "The challenger is not better",
            (Decision::Refuse, _) => "The challenger stays out of production",
        }
    }

    fn table(&self, dim: &dyn Fn(&str) -> String) -> String {
        let mut text = format!("\n{}\n", dim("metric               production   challenger"));
        for pair in &self.metrics {
            let (old, new) = (rounded(pair.production), rounded(pair.challenger));
            let mark = if Some(pair.metric) == self.judgement.improvement.as_ref().map(|i| i.metric) {
                "  decides"
            } else {
                ""
            };
            let _ = writeln!(text, "{:<20} {old:>10}   {new:>10}{mark}", pair.metric.name());
        }
        let _ = writeln!(text, "\n{}", dim("guardrail             value   limit"));
        for rail in &self.guardrails {
            let number = |v: Option<f64>| v.map_or_else(|| "-".to_owned(), |v| format!("{v:.3}"));
            let state = if rail.broken { "BROKEN" } else { "holds" };
            let _ = writeln!(
                text,
                "{:<18} {:>8} {:>7}  {state}: {}",
                rail.name,
                number(rail.value),
                number(rail.limit),
                clean(&rail.text)
            );
        }
        text
    }
}

fn rounded(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.4}"))
}

/// Why the challenger is promoted or not, in one sentence.
pub(super) fn sentence(judgement: &Judgement, guardrails: &[Guardrail], allow: Option<&str>) -> String {
    let broken: Vec<String> =
        guardrails.iter().filter(|g| g.broken).map(|g| format!("{} ({})", g.name, g.text)).collect();
    let mut text = match (&judgement.improvement, judgement.verdict) {
        (None, _) => "There are too few gate rows for a test.".to_owned(),
        (Some(i), Verdict::Superior) => {
            format!("{} is better by {:.4}; the lower bound is {:.4}.", i.metric, i.value, i.low)
        }
        (Some(i), Verdict::Equivalent) if i.high < 0.0 => {
            format!("{} is shown to be worse, but by less than delta = {:.4}.", i.metric, judgement.delta)
        }
        (Some(i), Verdict::Equivalent) => format!(
            "{}: not worse by more than delta = {:.4}; no improvement above {:.4} is shown.",
            i.metric, judgement.delta, judgement.margin
        ),
        (Some(i), Verdict::Regression) => format!("{} is shown to be worse, by {:.4}.", i.metric, -i.value),
        (Some(i), Verdict::Inconclusive) => {
            format!("{}: the difference may be anything between {} and {}.", i.metric, change(i.low), change(i.high))
        }
    };
    if judgement.verdict == Verdict::Superior && !judgement.enough {
        let _ =
            write!(text, " That is less than min_improvement = {} of production's value.", judgement.min_improvement);
    }
    if let (Verdict::Equivalent, Some(reason)) = (judgement.verdict, allow) {
        let _ = write!(text, " A challenger that is not worse is allowed: {reason}.");
    }
    if let Some(need) = &judgement.need {
        let of = if need.positives { "positives" } else { "rows" };
        let _ = write!(text, " About {} more {of} are needed ({} in all)", need.more, need.in_all);
        text.push_str(&match need.effect {
            e if e > 0.0 => format!(" to detect an improvement of {e:.4} with 80 % power."),
            _ => ".".to_owned(),
        });
    }
    if !broken.is_empty() {
        let _ = write!(text, " Broken: {}.", broken.join("; "));
    }
    text
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::score::{Improvement, Test};
    use crate::workspace::PromoteRules;

    /// A challenger that is better, with one guardrail broken.
    pub(in crate::gate) fn report() -> GateReport {
        let improvement = Improvement {
            metric: Metric::RocAuc,
            production: 0.8100,
            challenger: 0.8412,
            value: 0.0312,
            error: 0.0069,
            low: 0.0198,
            high: 0.0426,
            p: Some(6e-6),
            test: Test::DeLong,
        };
        let rails = [("slices", true), ("schema", false)].map(|(name, broken)| Guardrail {
            name: name.to_owned(),
            value: Some(0.25),
            limit: Some(0.1),
            broken,
            text: "contract = monthly (412 rows)".to_owned(),
        });
        GateReport {
            format: 1,
            at: jiff::Timestamp::UNIX_EPOCH,
            production: Version(1),
            challenger: Version(2),
            target: "churn".to_owned(),
            task: Task::Binary,
            decision: Decision::Promote,
            sentence: "It is better.".to_owned(),
            judgement: Judgement {
                verdict: Verdict::Superior,
                improvement: Some(improvement),
                relative: Some(0.0385),
                enough: true,
                alpha: 0.05,
                margin: 0.0,
                delta: 0.01,
                min_improvement: 0.02,
                n_rows: 1450,
                n_positive: Some(385),
                need: None,
            },
            allow_equivalent: None,
            guardrails: rails.to_vec(),
            holdout: HoldoutUse::at(1, &PromoteRules::default()),
            metrics: vec![Pair { metric: Metric::RocAuc, production: Some(0.81), challenger: Some(0.8412) }],
            rows_digest: "85c1".to_owned(),
            notes: vec!["a note".to_owned()],
        }
    }

    fn plain(text: &str) -> String {
        text.to_owned()
    }

    #[test]
    fn the_text_is_for_people_and_cannot_steer_a_terminal() {
        let mut report = report();
        report.guardrails[0].text = "city = \u{1b}[2Jx".to_owned();
        let text = report.text(&plain, &plain);
        assert!(!text.contains('\u{1b}'), "{text:?}");
        for said in [
            "roc_auc 0.8100 → 0.8412: better by 0.0312 (+3.85 %), one-sided 95 % bounds: +0.0198",
            "BROKEN",
            "note      a note",
        ] {
            assert!(text.contains(said), "{said}\n{text}");
        }
    }

    #[test]
    fn each_verdict_has_its_sentence() {
        let GateReport { mut judgement, guardrails, .. } = report();
        let mut told = |verdict, low, high, value| {
            judgement.verdict = verdict;
            let found = judgement.improvement.as_mut().unwrap();
            (found.low, found.high, found.value) = (low, high, value);
            sentence(&judgement, &[], None)
        };
        assert_eq!(
            told(Verdict::Superior, 0.02, 0.04, 0.03),
            "roc_auc is better by 0.0300; the lower bound is 0.0200."
        );
        assert_eq!(told(Verdict::Regression, -0.04, -0.02, -0.03), "roc_auc is shown to be worse, by 0.0300.");
        assert!(
            told(Verdict::Equivalent, -0.009, -0.001, -0.005).starts_with("roc_auc is shown to be worse, but by less")
        );
        assert!(
            told(Verdict::Equivalent, -0.009, 0.003, 0.0).starts_with("roc_auc: not worse by more than delta = 0.0100")
        );
        assert!(
            told(Verdict::Inconclusive, -0.02, 0.03, 0.0)
                .starts_with("roc_auc: the difference may be anything between −0.0200 and +0.0300")
        );
        let broken = sentence(&judgement, &guardrails, None);
        assert!(broken.ends_with("Broken: slices (contract = monthly (412 rows))."), "{broken}");
    }
}
