//! A report like one made by `monitor`.

use crate::drift::report::{
    Answer, Axis, Chunk, ChunkColumn, ColumnReport, ColumnVerdict, DriftReport, DriftShare, Estimate, Finding,
    FindingKind, MetricChange, Multivariate, Performance, Plot, Severity, Side, Summary, Trigger, Verdict,
};
use crate::stats::portable::Portable;

/// A column of numbers that moved by `shift` standard deviations.
pub(super) fn number(name: &str, shift: f64, verdict: ColumnVerdict, importance: f64) -> ColumnReport {
    let bins = 36;
    let edges: Vec<f64> = (0..=bins).map(|i| -3.0 + f64::from(i) * 7.0 / f64::from(bins)).collect();
    let shares = |mean: f64, wobble: f64| -> Vec<f64> {
        let raw: Vec<f64> = (0..bins)
            .map(|i| {
                let x = -3.0 + (f64::from(i) + 0.5) * 7.0 / f64::from(bins) - mean;
                (-x * x / 2.0).exp_portable() * (1.0 + wobble * (f64::from(i) * 2.1).sin_portable())
            })
            .collect();
        let sum: f64 = raw.iter().sum();
        raw.iter().map(|share| share / sum * 0.97).collect()
    };
    let scale = 120.0;
    let side = |mean: f64, n: u64| Summary {
        n,
        n_missing: n / 33,
        n_levels: None,
        mean: Some(400.0 + mean * scale),
        sd: Some(scale),
        min: Some(40.0),
        median: Some(400.0 + mean * scale),
        max: Some(880.0),
    };
    ColumnReport {
        name: name.to_owned(),
        kind: "number".to_owned(),
        method: "ks".to_owned(),
        statistic: Some(0.38 * shift.abs() + 0.0123),
        threshold: 0.01,
        p: Some(if shift.abs() > 0.2 { 1e-9 } else { 0.412_3 }),
        p_adjusted: Some(if shift.abs() > 0.2 { 4e-9 } else { 0.71 }),
        effect: Some(shift.abs()),
        shift: None,
        because: None,
        psi: Some(shift * shift + 0.0043),
        psi_critical: Some(0.0123),
        worth: None,
        importance: Some(importance),
        not_read: false,
        reference: side(0.0, 48_211),
        current: side(shift, 3_412),
        plot: Plot::Number {
            axis: Axis::Linear,
            edges: edges.iter().map(|edge| 400.0 + edge * scale).collect(),
            reference: shares(0.0, 0.02),
            current: shares(shift, 0.12),
        },
        verdict,
    }
}

/// A category whose first level lost a share of `moved`.
pub(super) fn category(name: &str, levels: &[&str], moved: f64, verdict: ColumnVerdict) -> ColumnReport {
    let sum: f64 = (1..=levels.len()).map(|i| 1.0 / i as f64).sum();
    let reference: Vec<f64> = (1..=levels.len()).map(|i| 1.0 / i as f64 / sum).collect();
    let mut current = reference.clone();
    current[0] -= moved;
    *current.last_mut().unwrap() += moved;
    let side = |n: u64| Summary { n, n_levels: Some(levels.len() as u64), ..Summary::default() };
    ColumnReport {
        kind: "category".to_owned(),
        method: "chisquare".to_owned(),
        statistic: Some(812.4 * moved + 3.4),
        reference: side(49_002),
        current: side(3_498),
        plot: Plot::Category { levels: levels.iter().map(|&level| level.to_owned()).collect(), reference, current },
        ..number(name, moved * 2.0, verdict, 0.06)
    }
}

fn columns() -> Vec<ColumnReport> {
    use ColumnVerdict::{CannotTell, Drifted, Stable, TooFewRows};
    let countries = ["DE", "FR", "US", "GB", "NL", "ES", "IT", "PL", "SE", "AT", "CH", "(other levels)"];
    let mut opened = number("account_opened", -0.6, Drifted, 0.04);
    opened.kind = "time".to_owned();
    if let Plot::Number { edges, .. } = &mut opened.plot {
        *edges = edges.iter().map(|edge| 1.6e15 + edge * 1e11).collect();
    }
    for side in [&mut opened.reference, &mut opened.current] {
        side.median = side.median.map(|median| 1.6e15 + median * 1e11);
        side.mean = None;
    }
    let mut empty =
        number("fax_number_of_the_branch", 0.0, CannotTell { reason: "every value is missing".to_owned() }, 0.0);
    empty.plot = Plot::None;
    (empty.statistic, empty.p, empty.p_adjusted, empty.psi, empty.psi_critical) = (None, None, None, None, None);
    empty.current = Summary { n_missing: 3_498, ..Summary::default() };
    vec![
        number("amount_eur", 0.9, Drifted, 0.31),
        category("card_network", &["visa", "mastercard", "amex", "a new network nobody has heard of"], 0.21, Drifted),
        number("seconds_since_the_previous_payment_of_this_card_at_any_merchant", -0.5, Drifted, 0.14),
        opened,
        number("merchant_risk", 0.03, Stable, 0.11),
        category("country", &countries, 0.01, Stable),
        number("hour_of_day", -0.05, Stable, 0.05),
        number("n_payments_24h", 0.08, Stable, 0.05),
        category("channel", &["web", "shop", "phone"], 0.002, Stable),
        number("balance", 0.01, Stable, 0.02),
        number("new_device_score", 0.4, TooFewRows { need: 200 }, 0.02),
        empty,
    ]
}

fn history() -> Vec<Chunk> {
    let names: Vec<String> = columns().into_iter().map(|column| column.name).collect();
    let chunk = |week: usize| {
        let drifted = |i: usize| match i {
            0 => Some(week >= 6),
            1 => Some(week >= 8),
            2 => Some(week == 3 || week >= 9),
            3 => Some(week >= 10),
            10 => (week < 4).then_some(false),
            11 => None,
            _ => Some(false),
        };
        let columns: Vec<_> = names
            .iter()
            .enumerate()
            .map(|(i, name)| ChunkColumn { name: name.clone(), statistic: Some(0.1), drifted: drifted(i) })
            .collect();
        let n = columns.iter().filter(|column| column.drifted == Some(true)).count();
        let share = (week != 1).then_some(n as f64 / 10.0);
        let day = jiff::civil::date(2026, 8, 31).checked_add(jiff::Span::new().weeks(week as i64)).unwrap();
        let reason = share.is_none().then(|| "1000 rows, 2000 are needed".to_owned());
        Chunk { name: day.to_string(), n_rows: 1000, share, reason, columns }
    };
    (0..12).map(chunk).collect()
}

fn triggers() -> Vec<Trigger> {
    let trigger = |name: &str, value, threshold, fired, text: &str| Trigger {
        name: name.to_owned(),
        value,
        threshold,
        fired,
        text: text.to_owned(),
    };
    vec![
        trigger("drift_share", Some(0.4), Some(0.25), true, "4 of 10 columns drifted"),
        trigger("psi", Some(0.814), Some(0.2), true, "amount_eur has the largest PSI"),
        trigger("new_rows", Some(3498.0), Some(1000.0), true, "rows that no version was trained on"),
        trigger("unused_feedback", Some(12.0), Some(50.0), false, "outcomes that no version was trained on"),
        trigger("recent_accuracy", None, Some(0.7), false, "no recent outcomes"),
        trigger("age", Some(19.0), None, false, "off"),
    ]
}

fn findings() -> Vec<Finding> {
    let finding = |kind, column: Option<&str>, text: &str| Finding {
        kind,
        column: column.map(str::to_owned),
        text: text.to_owned(),
    };
    vec![
        finding(
            FindingKind::CategoricalValues,
            Some("card_network"),
            "1 level that the reference does not know, in 742 of 3498 rows",
        ),
        finding(FindingKind::Range, Some("amount_eur"), "31 values above the reference's largest, 880"),
        finding(FindingKind::Completeness, Some("fax_number_of_the_branch"), "100 % missing, 97 % expected"),
        finding(FindingKind::ExtraColumn, Some("campaign"), "the reference has no such column"),
        finding(FindingKind::Onset, Some("account_opened"), "began to drift since 2026-11-09"),
        finding(FindingKind::Completeness, Some("payment_id"), "2 ids stand more than once, first in row 811"),
    ]
}

fn metric(name: &str, value: f64, gate: f64) -> MetricChange {
    MetricChange { name: name.to_owned(), value, interval: Some((value - 0.02, value + 0.02)), gate: Some(gate) }
}

/// A loop on card payments; four of ten columns drifted.
pub(super) fn report() -> DriftReport {
    let limit = "Estimated from scores alone: blind to a change in what the features mean for the outcome.";
    DriftReport {
        against_training: None,
        format: 1,
        mlloop: "0.1.0".to_owned(),
        made_at: "2026-11-21T06:30:00Z".parse().unwrap(),
        predicts: "fraud".to_owned(),
        version: Some("v0003".to_owned()),
        reference: Side { name: "training rows of v0003".to_owned(), n_rows: 49_672, exact: false, rank_error: 0.0066 },
        current: Side { name: "data/payments_2026-11.csv".to_owned(), n_rows: 3_498, exact: true, rank_error: 0.0 },
        verdict: Verdict {
            retrain: Answer::Yes,
            severity: Some(Severity::Medium),
            sentence: "4 of 10 columns drifted (40 %, threshold 25 %), among them amount_eur, which carries 31 % of the model's gain, and 3498 new rows are there to learn from.".to_owned(),
            table_first: false,
        },
        share: DriftShare { n_drifted: 4, n_stable: 6, n_unknown: 2, share: Some(0.4), column_share: Some(0.4), weighted_share: Some(0.55), threshold: 0.25, weighted: false },
        columns: columns(),
        target: Some(category("fraud", &["no", "yes"], 0.01, ColumnVerdict::Stable)),
        score: Some(number("score", 0.3, ColumnVerdict::Drifted, 0.0)),
        findings: findings(),
        multivariate: Some(Multivariate {
            roc_auc: 0.812,
            lower: 0.794,
            upper: 0.829,
            threshold: 0.55,
            drifted: true,
            columns: vec![("amount_eur".to_owned(), 0.52), ("card_network".to_owned(), 0.31), ("balance".to_owned(), 0.04)],
            n_rows: (3498, 3498),
        }),
        performance: Some(Performance { n: 412, n_effective: None, n_learned: 0, metrics: vec![metric("roc_auc", 0.871, 0.912), metric("f1", 0.61, 0.66)] }),
        alarm: None,
        estimate: Some(Estimate { method: "cbpe".to_owned(), n: 3498, n_learned: 0, metrics: vec![metric("roc_auc", 0.889, 0.912)], limit: limit.to_owned() }),
        triggers: triggers(),
        history: history(),
        settings: serde_json::json!({"preset": "default", "drift_share": 0.25, "columns": {"amount_eur": {"method": "ks"}}}),
        notes: vec!["importance is that of v0003".to_owned()],
    }
}

/// A report with `n` columns of each kind.
pub(super) fn wide(n: usize) -> DriftReport {
    let mut report = report();
    let few = columns();
    report.columns = (0..n)
        .map(|i| ColumnReport {
            name: format!("column_{i:03}_{}", few[i % few.len()].name),
            ..few[i % few.len()].clone()
        })
        .collect();
    for chunk in &mut report.history {
        let one =
            |column: &ColumnReport| ChunkColumn { name: column.name.clone(), statistic: None, drifted: Some(true) };
        chunk.columns = report.columns.iter().map(one).collect();
    }
    report.history = report.history.iter().cycle().take(60).cloned().collect();
    report
}
