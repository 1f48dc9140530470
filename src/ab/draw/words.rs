//! Findings as text, the same on the page, in the picture and in a terminal.

use crate::ab::report::{
    AbReport, Answer, Comparison, EpochFacts, FixedTest, ModelReport, OutcomeReport, PairedReport, RailReport,
    RailState, SrmState,
};
use crate::ab::units::Kind;
use crate::report::number::{NOTHING, clean, count, number, short};
use crate::wording::in_thousands;

/// The verdict in a few words.
pub(super) fn headline(report: &AbReport) -> String {
    match (report.verdict.answer, &report.verdict.winner) {
        (Answer::Winner, Some(winner)) => format!("{} wins", short(winner, 40)),
        (Answer::Winner, None) | (Answer::NoDifference, _) => "No difference".to_owned(),
        (Answer::KeepRunning, _) if report.outcomes.first().is_some_and(|first| first.untold.is_some()) => {
            "No result".to_owned()
        }
        (Answer::KeepRunning, _) if report.experiment.as_ref().is_some_and(|facts| !facts.running) => {
            "No difference shown".to_owned()
        }
        (Answer::KeepRunning, _) if report.verdict.is_over => "Cannot tell".to_owned(),
        (Answer::KeepRunning, _) => "Keep running".to_owned(),
        (Answer::SampleRatioMismatch, _) => "No result: sample ratio mismatch".to_owned(),
    }
}

/// The colour class of the verdict.
pub(super) fn tone(report: &AbReport) -> &'static str {
    match report.verdict.answer {
        Answer::Winner => "stable",
        Answer::NoDifference | Answer::KeepRunning => "unknown",
        Answer::SampleRatioMismatch => "drifted",
    }
}

/// The verdict on one outcome in two words, and its colour class.
pub(super) fn tag(outcome: &OutcomeReport) -> (String, &'static str) {
    match (&outcome.verdict.answer, &outcome.verdict.winner) {
        (Answer::Winner, Some(winner)) => (format!("{} wins", short(winner, 24)), "stable"),
        _ if !outcome.verdict.worse.is_empty() => ("no arm is shown to be better".to_owned(), "unknown"),
        _ if outcome.untold.is_some() => ("no result".to_owned(), "unknown"),
        (Answer::KeepRunning, _) if outcome.verdict.is_over => ("no difference shown".to_owned(), "unknown"),
        (Answer::KeepRunning, _) => ("no difference shown yet".to_owned(), "unknown"),
        _ => ("no difference".to_owned(), "unknown"),
    }
}

/// The sample ratio in one sentence.
pub(super) fn srm(report: &AbReport) -> String {
    let srm = &report.srm;
    let facts = format!(
        "χ² {} on {} degree{} of freedom, p {} for this look, {} for all looks",
        number(srm.statistic),
        srm.freedom,
        if srm.freedom == 1.0 { "" } else { "s" },
        p(srm.p),
        p(srm.p_always)
    );
    match srm.state {
        SrmState::Ok => format!("Units are distributed over the arms as planned ({facts})."),
        SrmState::Warning => {
            format!("Warning: the distribution of units over the arms is unlikely by chance ({facts}).")
        }
        SrmState::Stop if report.settings.force => {
            format!(
                "Sample ratio mismatch: units are not distributed over the arms as planned ({facts}). The result \
                     is shown because --force was given; do not rely on it."
            )
        }
        SrmState::Stop => format!(
            "Sample ratio mismatch: units are not distributed over the arms as planned \
                                   ({facts})."
        ),
    }
}

/// A p-value with four decimals, enough to distinguish .0744 from .0086.
pub(super) fn p(p: f64) -> String {
    match p {
        p if p.is_nan() => NOTHING.to_owned(),
        p if p < 0.0001 => "< 0.0001".to_owned(),
        p => format!("{p:.4}"),
    }
}

/// A mean: a share in percent, a number with four digits.
pub(super) fn mean(kind: Kind, x: f64) -> String {
    match kind {
        Kind::Share if x.is_finite() => format!("{:.2}\u{a0}%", x * 100.0),
        _ => number(x),
    }
}

/// A sum: two decimals if it is not a whole number, and spaces between thousands as in counts.
pub(super) fn sum(kind: Kind, x: f64) -> String {
    if !x.is_finite() || kind == Kind::Quantile {
        return NOTHING.to_owned();
    }
    let text = if x.fract() == 0.0 { format!("{:.0}", x.abs()) } else { format!("{:.2}", x.abs()) };
    let (whole, decimals) = text.split_at(text.find('.').unwrap_or(text.len()));
    format!("{}{}{decimals}", if x < 0.0 { "−" } else { "" }, in_thousands(whole))
}

/// A difference with its sign: percentage points, or a number.
pub(super) fn gap(kind: Kind, x: f64) -> String {
    let sign = if x > 0.0 { "+" } else { "" };
    match kind {
        _ if !x.is_finite() => NOTHING.to_owned(),
        Kind::Share => format!("{sign}{:.2}", x * 100.0).replace('-', "−"),
        _ => format!("{sign}{}", number(x)),
    }
}

/// The unit of [`gap`].
pub(super) fn unit(kind: Kind) -> &'static str {
    match kind {
        Kind::Share => "percentage points",
        Kind::Mean => "difference of means",
        Kind::Ratio => "difference of ratios",
        Kind::Quantile => "difference of quantiles",
    }
}

/// The interval of a confidence sequence.
pub(super) fn interval(kind: Kind, comparison: &Comparison) -> String {
    match comparison.low.is_finite() {
        true => format!("{} to {}", gap(kind, comparison.low), gap(kind, comparison.high)),
        false => NOTHING.to_owned(),
    }
}

/// The relative lift with its interval.
pub(super) fn lift(comparison: &Comparison) -> String {
    let percent = |x: f64| format!("{}{:.1}\u{a0}%", if x > 0.0 { "+" } else { "" }, x * 100.0).replace('-', "−");
    match comparison.lift {
        Some(lift) => format!("{} ({} to {})", percent(lift.value), percent(lift.low), percent(lift.high)),
        None => NOTHING.to_owned(),
    }
}

/// A fixed-horizon test: its name and its numbers.
pub(super) fn fixed(test: &FixedTest) -> String {
    let name = match test.test.as_str() {
        "two_proportion_z" => "z of two proportions",
        "welch_t" => "Welch's t",
        "paired_t" => "paired t",
        "chi_squared" => "χ²",
        "z" => "z",
        _ => return NOTHING.to_owned(),
    };
    let freedom = test.freedom.map_or(String::new(), |freedom| format!(" on {}", number(freedom)));
    let statistic = test.statistic.map_or(NOTHING.to_owned(), |x| format!("{x:.4}").replace('-', "−"));
    let single = test.p.unwrap_or(f64::NAN);
    let holm =
        test.p_holm.filter(|holm| *holm > single).map_or(String::new(), |holm| format!(", after Holm {}", p(holm)));
    format!("{name} {statistic}{freedom}, p {}{holm}", p(single))
}

/// The data source, in one line.
pub(super) fn source(report: &AbReport) -> String {
    let source = &report.source;
    let unit = source.unit.as_ref().map_or("one a row".to_owned(), |unit| format!("by {}", clean(unit)));
    format!("{}: {} rows, {} units ({unit})", clean(&source.name), count(source.n_rows), count(source.n_units))
}

/// The decision rule, in one line.
pub(super) fn rule(report: &AbReport) -> String {
    let settings = &report.settings;
    let planned =
        settings.planned_n.map_or("the current number of units".to_owned(), |n| format!("{} units", count(n)));
    match settings.fixed {
        true => format!("The test for a single look decides, at α = {}.", settings.alpha),
        false => format!(
            "The always-valid p decides, at α = {}: it is valid however often you look. The sequence is tuned to \
             {planned}.",
            settings.alpha
        ),
    }
}

/// A guardrail in an arm: its name, its gain, and its state.
pub(super) fn rail(rail: &RailReport) -> [String; 3] {
    let state = match rail.state {
        RailState::Holds => "holds",
        RailState::Broken => "broken",
        RailState::CannotTell => "cannot tell",
    };
    let what = format!("{} of {}, at most {} worse", rail.measure.name(), clean(&rail.arm), rail.margin);
    let gain = match rail.low.is_finite() {
        true => format!("{} better ({} to {})", number(rail.gain), number(rail.low), number(rail.high)),
        false => NOTHING.to_owned(),
    };
    [what, gain, state.to_owned()]
}

/// A period of constant weights: start, weights, units, differences.
pub(super) fn epoch(epoch: &EpochFacts) -> [String; 4] {
    let joined = |parts: Vec<String>| parts.join(" · ");
    let gap = |found: &Option<(f64, f64)>| {
        found.map_or(NOTHING.to_owned(), |(gap, error)| format!("{} ± {}", number(gap), number(1.96 * error)))
    };
    [
        epoch.from.strftime("%Y-%m-%d %H:%M").to_string(),
        joined(epoch.weights.iter().map(|weight| format!("{:.1}\u{a0}%", weight * 100.0)).collect()),
        joined(epoch.n_units.iter().map(|n| count(*n)).collect()),
        joined(epoch.differences.iter().map(gap).collect()),
    ]
}

/// The model of an arm: its name, number of units, and metrics.
pub(super) fn model(model: &ModelReport) -> [String; 3] {
    let metrics = model.metrics.iter().map(|(name, value)| format!("{name} {}", number(*value))).collect::<Vec<_>>();
    [format!("{} ({})", clean(&model.arm), clean(&model.version)), count(model.n), metrics.join(" · ")]
}

/// Two models on the same rows.
pub(super) fn paired(paired: &PairedReport) -> String {
    let mut parts = vec![format!("{} against {} on {} rows", paired.arm, paired.against, count(paired.n))];
    if let Some(test) = &paired.mcnemar {
        parts.push(format!(
            "only {} correct in {}, only {} correct in {}, McNemar's mid-p {}",
            paired.against,
            count(test.only_a),
            paired.arm,
            count(test.only_b),
            p(test.p)
        ));
    }
    if let Some(test) = &paired.delong {
        parts.push(format!("roc_auc {} against {}, DeLong's p {}", number(test.auc_b), number(test.auc_a), p(test.p)));
    }
    clean(&parts.join("; "))
}

#[cfg(test)]
mod tests {
    use super::sum;

    #[test]
    fn sums_stand_below_each_other_in_one_style() {
        let told = [39_457.8, 45_687.0, -1_234_567.25, 812.0, f64::NAN].map(|x| sum(crate::ab::units::Kind::Mean, x));
        assert_eq!(told, ["39\u{a0}457.80", "45\u{a0}687", "−1\u{a0}234\u{a0}567.25", "812", "–"]);
    }
}
