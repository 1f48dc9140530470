//! The verdict in one word and in one sentence.

use super::experiment::Goal;
use super::report::{AnalysisSettings, Answer, ArmOutcome, Comparison, OutcomeReport, Srm, Verdict};
use super::units::{Kind, Outcome};
use crate::report::with_sign;
use crate::stats::portable::Portable;

/// Minimum number of units of an arm, for estimating how many are missing.
const MIN_UNITS: u64 = super::sequential::MIN_UNITS as u64;

/// The verdict of one outcome.
pub(super) fn of(
    outcome: &Outcome,
    arms: &[ArmOutcome],
    comparisons: &[Comparison],
    settings: &AnalysisSettings,
    n_units: u64,
) -> Verdict {
    let judged = Judged { outcome, arms, comparisons, settings };
    let n_known: u64 = arms.iter().map(|arm| arm.n).sum();
    let n_left = settings.planned_n.map(|planned| planned.saturating_sub(n_known)).filter(|left| *left > 0);
    if let Some(winner) = judged.winner() {
        let sentence = judged.winning(winner, n_left);
        return Verdict {
            answer: Answer::Winner,
            winner: Some(winner.to_owned()),
            worse: Vec::new(),
            n_left: None,
            is_over: true,
            sentence,
        };
    }
    let is_within = |c: &Comparison, margin: f64| {
        let (low, high) = judged.interval(c);
        low > -margin && high < margin
    };
    if let Some(margin) = settings.margin
        && !comparisons.is_empty()
        && comparisons.iter().all(|c| is_within(c, margin))
    {
        let sentence = format!(
            "No difference: {} stays within ±{margin} of {}{}.",
            judged.others(),
            judged.name(0),
            judged.by_what()
        );
        return Verdict {
            answer: Answer::NoDifference,
            winner: None,
            worse: Vec::new(),
            n_left: None,
            is_over: true,
            sentence,
        };
    }
    judged.open(n_left, n_units)
}

/// The verdict on an outcome that is the same in every unit.
pub(super) fn one_value(outcome: &Outcome, settings: &AnalysisSettings, arms: &[ArmOutcome]) -> Verdict {
    let n_known: u64 = arms.iter().map(|arm| arm.n).sum();
    let n_left = settings.planned_n.map(|planned| planned.saturating_sub(n_known)).filter(|left| *left > 0);
    let what = match outcome.y.iter().find(|y| !y.is_nan()) {
        None => "is not known for any unit".to_owned(),
        Some(value) if outcome.y.iter().all(|y| y.is_nan() || y == value) => format!("is {value} in every unit"),
        Some(_) => "does not vary within any arm".to_owned(),
    };
    if let Some(why) = &outcome.untold {
        let sentence = format!("No result on {}: {why}.", outcome.name);
        return Verdict {
            answer: Answer::KeepRunning,
            winner: None,
            worse: Vec::new(),
            n_left,
            is_over: false,
            sentence,
        };
    }
    let sentence = format!("Keep running: {} {what}, so the arms cannot be compared.", outcome.name);
    Verdict { answer: Answer::KeepRunning, winner: None, worse: Vec::new(), n_left, is_over: false, sentence }
}

struct Judged<'a> {
    outcome: &'a Outcome,
    arms: &'a [ArmOutcome],
    comparisons: &'a [Comparison],
    settings: &'a AnalysisSettings,
}

impl Judged<'_> {
    fn name(&self, arm: usize) -> &str {
        self.arms.get(arm).map_or("", |arm| &arm.name)
    }

    fn others(&self) -> String {
        self.comparisons.iter().map(|c| c.arm.as_str()).collect::<Vec<_>>().join(", ")
    }

    /// The p-value that decides.
    fn p(&self, comparison: &Comparison) -> f64 {
        if self.settings.fixed { comparison.fixed.p_holm.unwrap_or(1.0) } else { comparison.p_holm }
    }

    /// The deciding interval; that of a single look is undefined with too few units.
    fn interval(&self, comparison: &Comparison) -> (f64, f64) {
        match self.settings.fixed {
            true => {
                comparison.fixed.interval.filter(|_| comparison.enough).unwrap_or((f64::NEG_INFINITY, f64::INFINITY))
            }
            false => (comparison.low, comparison.high),
        }
    }

    /// The name of the deciding test, if it is not the usual one.
    fn by_what(&self) -> &'static str {
        if self.settings.fixed { ", by the test for a single look" } else { "" }
    }

    fn is_shown(&self, comparison: &Comparison) -> bool {
        // The always-valid p-value holds for any number of units; a test for a single look does not.
        (comparison.enough || !self.settings.fixed) && self.p(comparison) <= self.settings.alpha
    }

    /// How much better the arm of a comparison is than the first.
    fn gain(&self, comparison: &Comparison) -> f64 {
        match self.outcome.goal {
            Goal::Higher => comparison.difference,
            Goal::Lower => -comparison.difference,
        }
    }

    /// The best of the arms that are better than the first; the first if all others are worse.
    fn winner(&self) -> Option<&str> {
        let shown = || self.comparisons.iter().filter(|c| self.is_shown(c));
        let better = shown().filter(|c| self.gain(c) > 0.0).max_by(|a, b| self.gain(a).total_cmp(&self.gain(b)));
        match better {
            Some(best) => Some(&best.arm),
            None if shown().count() == self.comparisons.len() && !self.comparisons.is_empty() => Some(self.name(0)),
            None => None,
        }
    }

    fn winning(&self, winner: &str, n_left: Option<u64>) -> String {
        let (best, over) = match self.comparisons.iter().find(|c| c.arm == winner) {
            Some(comparison) => (comparison, self.name(0)),
            // If the first arm won, name the closest of the others.
            None => (self.nearest(), self.nearest().arm.as_str()),
        };
        let is_first = winner == self.name(0);
        let turned = |x: f64| if is_first { -x } else { x };
        let (low, high) = self.interval(best);
        let (low, high) = if is_first { (-high, -low) } else { (low, high) };
        let means = match is_first {
            true => (self.mean_of(&best.against), self.mean_of(&best.arm)),
            false => (self.mean_of(&best.arm), self.mean_of(&best.against)),
        };
        // Means are over all units, differences over the periods in which both arms had units.
        let gap = self.say_gap(means.0 - means.1);
        // The test for a single look uses unadjusted values.
        let is_adjusted = self.outcome.pre.is_some() && !self.settings.fixed;
        let apart = self.outcome.pre.is_none() && gap != self.say_gap(turned(best.difference));
        let gap = if self.outcome.pre.is_some() == is_adjusted { self.say_gap(turned(best.difference)) } else { gap };
        let within = if apart { " while both arms had units" } else { "" };
        let early = n_left.map_or(String::new(), |left| {
            format!(
                " The experiment may stop now, {left} units before \
                                                                 the plan."
            )
        });
        let fixed = self.by_what();
        let runner_up = self.runner_up(winner).unwrap_or_default();
        let a = if is_adjusted { "an adjusted" } else { "a" };
        format!(
            "{winner} wins on {}: {} against {} of {over}, {a} difference of {}{}{within} ({} to {}; {} {}{fixed}).{runner_up}{early}",
            self.outcome.name,
            self.say(means.0),
            self.say(means.1),
            gap,
            self.points(),
            self.say_gap(low),
            self.say_gap(high),
            if self.settings.fixed { "p" } else { "always-valid p" },
            say_p(self.p(best)),
        )
    }

    /// Another arm that is also better than the first.
    fn runner_up(&self, winner: &str) -> Option<String> {
        let others: Vec<&str> = self
            .comparisons
            .iter()
            .filter(|c| c.arm != winner && winner != self.name(0) && self.is_shown(c) && self.gain(c) > 0.0)
            .map(|c| c.arm.as_str())
            .collect();
        (!others.is_empty()).then(|| {
            format!(
                " {} is also better than {}; whether {winner} is the best of them is not tested.",
                others.join(", "),
                self.name(0)
            )
        })
    }

    fn nearest(&self) -> &Comparison {
        let nearest = self.comparisons.iter().max_by(|a, b| self.gain(a).total_cmp(&self.gain(b)));
        // `winner` is called first; it finds no winner without a comparison.
        nearest.unwrap_or(&self.comparisons[0])
    }

    fn mean_of(&self, name: &str) -> f64 {
        self.arms.iter().find(|arm| arm.name == name).map_or(f64::NAN, |arm| arm.mean)
    }

    /// The verdict without a winner.
    fn open(&self, n_left: Option<u64>, n_units: u64) -> Verdict {
        let (worse, rest): (Vec<_>, Vec<_>) = self.comparisons.iter().partition(|c| self.is_shown(c));
        let names = |found: &[&Comparison]| found.iter().map(|c| c.arm.clone()).collect::<Vec<String>>();
        let (worse, rest) = (names(&worse), names(&rest).join(", "));
        let (name, few) = (&self.outcome.name, self.comparisons.iter().any(|c| !c.enough));
        if let Some(left) = n_left {
            let sentence = format!(
                "Keep running: {left} more units until the planned number; no difference is shown on {name} \
                         yet."
            );
            return Verdict { answer: Answer::KeepRunning, winner: None, worse, n_left, is_over: false, sentence };
        }
        if few || self.comparisons.is_empty() {
            let left = self.missing(n_units);
            let sentence =
                format!("Keep running: too few units to compare the arms on {name}; about {left} more are needed.");
            return Verdict {
                answer: Answer::KeepRunning,
                winner: None,
                worse,
                n_left: Some(left),
                is_over: false,
                sentence,
            };
        }
        let n_known: u64 = self.arms.iter().map(|arm| arm.n).sum();
        // Reaching the planned number of units does not make an undecided result a "no": only a margin can show
        // equality.
        let (n_more, what) = self.needs(n_known);
        let is_over = self.settings.margin.is_none() && (self.settings.planned_n.is_some() || self.settings.fixed);
        let begin = match (is_over, self.settings.planned_n) {
            (true, Some(_)) => "Cannot tell: the planned number of units is reached, and",
            (true, None) => "Cannot tell:",
            (false, _) => "Keep running:",
        };
        let smallest = say_p(self.comparisons.iter().map(|c| self.p(c)).fold(1.0, f64::min));
        let p = if self.settings.fixed { "p" } else { "always-valid p" };
        let (first, by) = (self.name(0), self.by_what());
        let shown = match worse.is_empty() {
            true => format!("no difference is shown between {first} and {} ({p} {smallest}{by})", self.others()),
            false => format!("{} is worse than {first}, and no difference is shown for {rest}", worse.join(", ")),
        };
        let widest = self.widest();
        let sentence = format!("{begin} on {name} {shown}; a difference of up to {widest} is not ruled out. {what}");
        Verdict { answer: Answer::KeepRunning, winner: None, worse, n_left: n_more, is_over, sentence }
    }

    /// The largest difference that is not ruled out.
    fn widest(&self) -> String {
        let reach = |c| {
            let (low, high) = self.interval(c);
            low.abs().max(high.abs())
        };
        let widest = self.comparisons.iter().map(reach).fold(0.0, f64::max);
        format!("{}{}", self.say_gap(widest).trim_start_matches('+'), self.points())
    }

    /// The approximate number of units until the margin decides, also as text: an interval narrows with the square root
    /// of the number of units.
    fn needs(&self, n_known: u64) -> (Option<u64>, String) {
        let Some(margin) = self.settings.margin else {
            let more = 3 * n_known;
            let what = format!(
                "About {more} more units halve the interval. Give the smallest difference that matters with \
                 --margin, and the planned number of units with --planned-n."
            );
            return (Some(more), what);
        };
        let factor = |c: &Comparison| {
            let room = margin - c.difference.abs();
            let (low, high) = self.interval(c);
            let half = f64::midpoint(high, -low);
            (room > 0.0).then(|| (half / room).powi(2))
        };
        let factors: Option<Vec<f64>> = self.comparisons.iter().map(factor).collect();
        match factors.map(|all| all.into_iter().fold(1.0, f64::max)).filter(|factor| factor.is_finite()) {
            Some(factor) => {
                let more = ((factor - 1.0) * n_known as f64).ceil() as u64;
                (Some(more), format!("About {more} more units show whether it stays within ±{margin}."))
            }
            None => (None, format!("More units show whether it stays within ±{margin}.")),
        }
    }

    /// Approximate number of units missing until the arms can be compared.
    fn missing(&self, n_units: u64) -> u64 {
        let least = self.arms.iter().map(|arm| arm.n).min().unwrap_or(0);
        let by_least = MIN_UNITS.saturating_sub(least) * self.arms.len() as u64;
        let more = |c: &Comparison| c.n_to_enough.map(|enough| enough.saturating_sub(c.n));
        let by_shape = self.comparisons.iter().filter_map(more).max();
        // Without variance the number is unknown: suggest twice as many.
        by_shape.map_or(if by_least > 0 { by_least } else { n_units }, |more| more.max(by_least))
    }

    fn say(&self, x: f64) -> String {
        match self.outcome.kind {
            Kind::Share => format!("{:.2} %", 100.0 * x),
            _ => digits(x),
        }
    }

    fn points(&self) -> &'static str {
        if self.outcome.kind == Kind::Share { " points" } else { "" }
    }

    fn say_gap(&self, x: f64) -> String {
        match self.outcome.kind {
            Kind::Share => with_sign(100.0 * x, 2),
            _ if x >= 0.0 => format!("+{}", digits(x)),
            _ => digits(x).replace('-', "−"),
        }
    }
}

/// Four significant digits.
fn digits(x: f64) -> String {
    let decimals = if x == 0.0 { 0 } else { (3 - x.abs().log10_portable().floor() as i32).clamp(0, 9) as usize };
    format!("{x:.decimals$}")
}

fn say_p(p: f64) -> String {
    if p < 0.0001 { "below 0.0001".to_owned() } else { format!("{p:.4}") }
}

/// The verdict of the whole report: that of the deciding outcome, unless a sample ratio mismatch stops it.
pub(super) fn overall(srm: &Srm, stopped: bool, outcomes: &[OutcomeReport]) -> Verdict {
    let mismatch = || Verdict {
        answer: Answer::SampleRatioMismatch,
        winner: None,
        worse: Vec::new(),
        n_left: None,
        is_over: false,
        sentence: format!(
            "Sample ratio mismatch: units are not distributed over the arms as planned (χ² {:.2}, p {}), so no arm \
             can be judged. Check first: assignment, logging, and which units were left out.",
            srm.statistic,
            say_p(srm.p)
        ),
    };
    match outcomes.first() {
        Some(first) if !stopped => first.verdict.clone(),
        _ => mismatch(),
    }
}
