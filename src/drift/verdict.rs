//! Combines columns and triggers into one answer and one sentence.

use super::report::{Answer, ColumnReport, ColumnVerdict, DriftShare, Severity, Trigger, Verdict};
use super::settings::DriftSettings;

/// Triggers that fire because there are new rows to learn from, whatever the columns did.
const VOLUME: [&str; 2] = ["new_rows", "unused_feedback"];

/// Counts the verdicts of the columns that the model reads, unweighted and by importance.
#[must_use]
pub fn drift_share(columns: &[ColumnReport], settings: &DriftSettings) -> DriftShare {
    let read = columns.iter().filter(|column| !column.not_read);
    let is = |wanted: fn(&ColumnVerdict) -> bool| read.clone().filter(move |c| wanted(&c.verdict));
    let weight = |wanted| is(wanted).map(|c| c.importance.unwrap_or(0.0)).fold(0.0, |sum, part| sum + part);
    let drifted = |v: &ColumnVerdict| *v == ColumnVerdict::Drifted;
    let stable = |v: &ColumnVerdict| *v == ColumnVerdict::Stable;
    let (n_drifted, n_stable) = (is(drifted).count() as u64, is(stable).count() as u64);
    let (drifted_weight, stable_weight) = (weight(drifted), weight(stable));
    let share = |part: f64, rest: f64| (part + rest > 0.0).then(|| part / (part + rest));
    // With too few rows, drift can be shown but stability cannot: if one column drifted, the others count as stable.
    let few = |v: &ColumnVerdict| matches!(v, ColumnVerdict::TooFewRows { .. });
    let (n_few, few_weight) = if n_drifted > 0 { (is(few).count() as u64, weight(few)) } else { (0, 0.0) };
    let plain = share(n_drifted as f64, (n_stable + n_few) as f64);
    let weighted = share(drifted_weight, stable_weight + few_weight);
    let is_weighted = settings.weighted.unwrap_or(weighted > plain);
    DriftShare {
        n_drifted,
        n_stable,
        n_unknown: read.clone().count() as u64 - n_drifted - n_stable,
        share: if is_weighted { weighted } else { plain },
        column_share: plain,
        weighted_share: weighted,
        threshold: settings.share_threshold(),
        weighted: is_weighted,
    }
}

/// LOW below a quarter, HIGH above a half. HIGH also if the metric itself has dropped, whatever the columns did, or if
/// a column that the model reads is missing or unreadable: it has no measurable drift, but the model lacks its values.
#[must_use]
pub fn severity(share: &DriftShare, columns: &[ColumnReport], triggers: &[Trigger]) -> Option<Severity> {
    let fired = |name: &str| triggers.iter().any(|trigger| trigger.fired && trigger.name == name);
    let is_lost = |column: &ColumnReport| {
        !column.not_read
            && matches!(column.verdict, ColumnVerdict::CannotTell { .. })
            && column.importance.is_none_or(|part| part > 0.0)
    };
    if fired("metric_drop") || (fired("schema") && columns.iter().any(is_lost)) {
        return Some(Severity::High);
    }
    share.deciding().map(|value| match value {
        v if v < 0.25 => Severity::Low,
        v if v <= 0.5 => Severity::Medium,
        _ => Severity::High,
    })
}

/// The answer: yes if a trigger fired, no if none did and something could be judged. Rejected rows count as arrived.
/// Drift of the target is reported, but is no reason to retrain: `metric_drop` and the score show its effect.
#[must_use]
pub fn verdict(
    share: &DriftShare,
    columns: &[ColumnReport],
    triggers: &[Trigger],
    target_drifted: bool,
    (n_rows, n_left_out): (u64, u64),
) -> Verdict {
    let fired: Vec<&str> = triggers.iter().filter(|t| t.fired).map(|t| t.text.as_str()).collect();
    let judged = share.n_drifted + share.n_stable;
    let by_volume = triggers.iter().filter(|t| t.fired).all(|t| VOLUME.contains(&t.name.as_str()));
    let (retrain, sentence) = match (fired.is_empty(), judged) {
        (false, _) if by_volume => {
            let drift = match (judged, share.n_drifted) {
                (0, _) => "Drift cannot be judged.".to_owned(),
                (_, 0) if target_drifted => "No column drifted, but the target did.".to_owned(),
                (_, 0) => "No drift.".to_owned(),
                _ => format!("{}, which by itself is not a reason to retrain.", share.counted()),
            };
            (Answer::Yes, format!("{drift} {}: enough to retrain.", fired.join("; ")))
        }
        (false, _) => (Answer::Yes, format!("Retrain: {}.", fired.join("; "))),
        (true, 0) => (Answer::CannotTell, cannot_tell(columns, n_rows, n_left_out)),
        (true, _) => {
            let target = if target_drifted { ", the target did," } else { "," };
            (Answer::No, format!("No reason to retrain: {}{target} no trigger fired.", share.counted()))
        }
    };
    Verdict { retrain, severity: severity(share, columns, triggers), sentence, table_first: false }
}

/// The verdict on a table with columns in another notation than the workspace reads (`otherwise`). These come first; if
/// they are the only reason, retraining is not the remedy.
#[must_use]
pub fn corrected_first(verdict: Verdict, triggers: &[Trigger], otherwise: &[String], n_unfit: usize) -> Verdict {
    if otherwise.is_empty() {
        return verdict;
    }
    let table = format!("Correct the table: {}.", otherwise.join("; "));
    let others: Vec<&str> =
        triggers.iter().filter(|t| t.fired && t.name != "schema").map(|t| t.text.as_str()).collect();
    match (verdict.retrain, n_unfit, others.is_empty()) {
        (Answer::Yes, 0, true) => {
            Verdict { sentence: format!("{table} No other trigger fired."), table_first: true, ..verdict }
        }
        (Answer::Yes, 0, false) => Verdict { sentence: format!("{table} Retrain: {}.", others.join("; ")), ..verdict },
        _ => Verdict { sentence: format!("{table} {}", verdict.sentence), ..verdict },
    }
}

fn cannot_tell(columns: &[ColumnReport], n_rows: u64, n_left_out: u64) -> String {
    let need = columns.iter().filter_map(|c| match c.verdict {
        ColumnVerdict::TooFewRows { need } => Some(need),
        _ => None,
    });
    // The smallest effective number of rows of either side in any column.
    let few = columns.iter().filter(|c| matches!(c.verdict, ColumnVerdict::TooFewRows { .. }));
    let worth = few.filter_map(|c| c.worth).map(|(n, m)| n.min(m)).min();
    match (n_rows, need.max()) {
        (_, Some(need)) if n_rows >= need && worth.is_some_and(|worth| worth < need) => format!(
            "Cannot tell: {n_rows} rows arrived, but rows of one entity are correlated: one of the tables counts as \
             only {} independent rows; {need} are needed.",
            worth.unwrap_or_default()
        ),
        (0, _) if n_left_out > 0 => format!("Cannot tell: all {n_left_out} rows of the current table were left out."),
        (0, _) => "Cannot tell: the current table has no rows.".to_owned(),
        (_, Some(need)) => match columns.iter().find_map(ColumnReport::few) {
            Some(few) if few.n_rows.0 < need && n_rows >= need => format!(
                "Cannot tell: {}. Only a large change can be shown until a version is trained on more rows, or min_rows in \
                 [monitor] is lower.",
                few.told()
            ),
            Some(few) if few.n_rows.0 < need => format!("Cannot tell: {}.", few.told()),
            _ => format!("Cannot tell: {n_rows} rows arrived; {need} are needed in each table."),
        },
        _ => "Cannot tell: no column could be judged.".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drift::report::{Multivariate, Summary};
    use crate::drift::{ColumnPair, PairValues, compare};
    use crate::stats::sample::Sample;

    #[test]
    fn a_dropped_metric_is_severe_though_no_column_drifted() {
        let share = drift_share(&[], &DriftSettings::default());
        let trigger = |name: &str, fired| Trigger {
            name: name.to_owned(),
            value: None,
            threshold: None,
            fired,
            text: String::new(),
        };
        assert_eq!(severity(&share, &[], &[trigger("metric_drop", true)]), Some(Severity::High));
        assert_eq!(severity(&share, &[], &[trigger("metric_drop", false), trigger("new_rows", true)]), None);
        assert_eq!(share.weighted_share, None);
    }

    #[test]
    fn the_side_that_has_too_few_rows_is_named() {
        let told = |reference: u64, current: u64| {
            let summary = |n: u64| Summary { n: n - n / 10, n_missing: n / 10, ..Summary::default() };
            let values = PairValues::Number {
                reference: Sample::from_values((0..reference).map(|x| (x % 40) as f64).collect()),
                current: Sample::from_values((0..current).map(|x| (x % 40) as f64).collect()),
                integer: false,
            };
            let summaries = (summary(reference), summary(current));
            let pair = ColumnPair { kind: "number".to_owned(), summaries, ..ColumnPair::of_values("x", values) };
            let columns = compare(&[pair], &DriftSettings::default(), 0);
            let share = drift_share(&columns, &DriftSettings::default());
            verdict(&share, &columns, &[], false, (current, 0)).sentence
        };
        assert!(
            told(150, 5000)
                .starts_with("Cannot tell: the reference has only 150 rows; 200 are needed in each table. Only")
        );
        let both = "Cannot tell: the reference has only 150 rows and the current table 40; 200 are needed in each.";
        assert_eq!(told(150, 40), both);
        assert_eq!(told(5000, 40), "Cannot tell: 40 rows arrived; 200 are needed in each table.");
    }

    #[test]
    fn only_columns_with_more_than_an_equal_share_are_the_main_ones() {
        let told = |shares: &[f64]| {
            let columns = shares.iter().enumerate().map(|(at, &share)| (format!("x{at}"), share)).collect();
            Multivariate {
                roc_auc: 0.8,
                lower: 0.7,
                upper: 0.9,
                threshold: 0.55,
                drifted: true,
                columns,
                n_rows: (9, 9),
            }
            .told(str::to_owned)
        };
        assert_eq!(told(&[0.7, 0.2, 0.1]), "mainly by x0");
        assert_eq!(told(&[0.35, 0.33, 0.32]), "about equally by x0, x1, x2");
        assert_eq!(told(&[1.0]), "by x0");
        assert_eq!(told(&[0.3, 0.26, 0.24, 0.1, 0.1]), "mainly by x0, x1, x2");
        assert_eq!(told(&[0.21, 0.2, 0.2, 0.2, 0.19]), "by 5 columns about equally");
    }
}
