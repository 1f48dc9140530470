//! New, absent and missing levels are detected, without false alarms, however few rows a level has.

use super::probes::probes;
use super::report::{ColumnReport, ColumnVerdict};
use super::{ColumnPair, DriftSettings, PairValues, compare, compare_one, compare_score, compare_target};
use crate::stats::random::rng;
use crate::stats::sample::Sample;
use rand::Rng;
use std::collections::BTreeMap;

fn pair(name: usize, values: PairValues, n_missing: (u64, u64)) -> ColumnPair {
    ColumnPair { n_missing, ..ColumnPair::of_values(format!("x{name}"), values) }
}

fn category(reference: &[u64], current: &[u64]) -> PairValues {
    let levels = (0..reference.len()).map(|level| format!("l{level:03}")).collect();
    PairValues::Category { levels, reference: reference.to_vec(), current: current.to_vec() }
}

fn number(reference: &[(f64, u64)], current: &[(f64, u64)]) -> PairValues {
    let sample = |counts: &[(f64, u64)]| Sample::from_weighted(counts.to_vec());
    PairValues::Number { reference: sample(reference), current: sample(current), integer: false }
}

/// `n` distinct numbers between 0 and 1.
fn spread(n: u64) -> Vec<(f64, u64)> {
    (0..n).map(|i| ((i as f64 + 0.5) / n as f64, 1)).collect()
}

/// Distinct numbers above 1.
fn beyond(n: u64) -> Vec<(f64, u64)> {
    (0..n).map(|i| (2.0 + i as f64, 1)).collect()
}

fn told(values: PairValues, n_missing: (u64, u64)) -> ColumnReport {
    compare_one(&pair(0, values, n_missing), &DriftSettings::default(), 0)
}

fn with(mut numbers: Vec<(f64, u64)>, more: (f64, u64)) -> Vec<(f64, u64)> {
    numbers.push(more);
    numbers
}

#[test]
fn what_exact_counts_show_is_drift_and_says_what_it_is() {
    let cases = [
        // Missing cells, of a category and of numbers; a column that becomes entirely missing, or stops being so.
        ("missing", 5.280_810_655e-190, told(category(&[3000, 2000], &[48, 32]), (0, 120))),
        ("missing", 5.280_810_655e-190, told(number(&spread(5000), &spread(80)), (0, 120))),
        ("missing", 0.0, told(category(&[3000, 2000], &[0, 0]), (0, 5000))),
        ("missing", 0.0, told(number(&[], &spread(5000)), (5000, 0))),
        // A level that is new, absent, or far more frequent than the few rows in a large reference.
        ("levels", 8.097_357_079e-61, told(category(&[600_000, 400_000, 0], &[588, 392, 20]), (0, 0))),
        ("levels", 8.097_357_079e-61, told(category(&[588, 392, 20], &[600_000, 400_000, 0]), (0, 0))),
        ("levels", 1.7e-58, told(category(&[600_000, 399_999, 1], &[588, 392, 20]), (0, 0))),
        // The only existing level, and a new one.
        ("levels", 1.0e-30, told(category(&[5000, 0], &[180, 20]), (0, 0))),
        // Twenty new levels with one row each.
        (
            "levels",
            8.097_357_079e-61,
            told(category(&[&[1_000_000][..], &[0; 20]].concat(), &[&[980][..], &[1; 20]].concat()), (0, 0)),
        ),
        // Numbers beyond all others, and a special number within their range.
        ("range", 1.619_471_416e-60, told(number(&spread(1_000_000), &[spread(980), beyond(20)].concat()), (0, 0))),
        (
            "levels",
            8.097_357_079e-61,
            told(number(&[(0.0, 600_000), (1.0, 400_000)], &[(0.0, 588), (1.0, 392), (999.0, 20)]), (0, 0)),
        ),
        ("levels", 8.097_357_079e-61, told(number(&spread(1_000_000), &with(spread(980), (0.3, 20))), (0, 0))),
    ];
    for (method, p, report) in cases {
        assert_eq!((report.method.as_str(), &report.verdict), (method, &ColumnVerdict::Drifted), "{report:?}");
        let found = report.p.unwrap();
        // The order of magnitude is enough where other code computes the same digits.
        assert!(found == p || (found.ln() - p.ln()).abs() < 3.0, "{method}: {found:e}, not {p:e}");
        assert!(report.because.is_some() && report.effect > Some(0.2), "{report:?}");
    }
}

/// A share of the scores is high; the others are in a narrow range.
fn scores(n: u64, share: f64, low: f64) -> Vec<(f64, u64)> {
    let n_high = (n as f64 * share) as u64;
    let within = |n: u64, from: f64, width: f64| (0..n).map(move |i| (from + width * (i as f64 + 0.5) / n as f64, 1));
    within(n - n_high, low, 0.02).chain(within(n_high, 0.6, 0.3)).collect()
}

#[test]
fn scores_that_move_in_rank_only_do_not_drift() {
    let judge = |current: Vec<(f64, u64)>, n_infinite, settings: &DriftSettings| {
        let column = ColumnPair { n_infinite, ..pair(0, number(&scores(1000, 0.2, 0.1), &current), (0, 0)) };
        compare_score(&column, settings, 0)
    };
    let (usual, none) = (DriftSettings::default(), [(0, 0); 2]);
    // Half of the narrow range: .8 * .01 over a standard deviation of .259.
    let quiet = judge(scores(700, 0.2, 0.11), none, &usual);
    assert!(quiet.effect > Some(0.4) && quiet.p_adjusted < Some(1e-9), "{quiet:?}");
    assert_eq!((&quiet.verdict, quiet.because.as_deref()), (&ColumnVerdict::Stable, None));
    assert!((quiet.is_rank_only().unwrap() - 0.031).abs() < 0.001, "{quiet:?}");
    // More high scores, and all of them a little higher.
    for current in [scores(700, 0.35, 0.1), scores(700, 0.2, 0.19)] {
        let moved = judge(current, none, &usual);
        assert_eq!((&moved.verdict, moved.is_rank_only()), (&ColumnVerdict::Drifted, None), "{moved:?}");
        assert!(moved.shift > Some(0.25), "{moved:?}");
    }
    // Infinite scores do not count as a small shift, and other presets are not affected.
    assert_eq!(judge(scores(660, 0.2, 0.1), [(0, 0), (0, 40)], &usual).verdict, ColumnVerdict::Drifted);
    let by_psi = DriftSettings { preset: super::Preset::Psi, ..DriftSettings::default() };
    let moved = judge(scores(700, 0.2, 0.11), none, &by_psi);
    assert_eq!((&moved.verdict, moved.shift), (&ColumnVerdict::Drifted, None));
    // Scores that did not move at all are no rank shift either.
    assert_eq!(judge(scores(700, 0.2, 0.1), none, &usual).is_rank_only(), None);
}

#[test]
fn infinite_numbers_are_cells_of_their_own() {
    let judge = |n_infinite, n_values: (u64, u64)| {
        let values = number(&spread(n_values.0), &spread(n_values.1));
        let column = ColumnPair { n_infinite, ..pair(0, values, (0, 0)) };
        compare_one(&column, &DriftSettings::default(), 0)
    };
    for (n_infinite, n_values) in [
        ([(0, 0), (0, 40)], (5000, 160)),
        // All of the shift, on one side, and with the opposite sign.
        ([(0, 0), (0, 1000)], (1000, 0)),
        ([(1000, 0), (0, 1000)], (0, 0)),
    ] {
        let report = judge(n_infinite, n_values);
        assert_eq!((report.method.as_str(), &report.verdict), ("infinite", &ColumnVerdict::Drifted), "{report:?}");
    }
    assert_eq!(judge([(0, 0), (50, 48)], (950, 952)).verdict, ColumnVerdict::Stable);
    assert_eq!(judge([(0, 0), (1000, 1000)], (0, 0)).verdict, ColumnVerdict::Stable);
}

/// The decisive change must itself be large: a few more missing cells in a million, plus a distribution that differs by
/// chance, are not drift.
#[test]
fn what_is_significant_is_what_must_be_large() {
    // Half a percent more missing is significant, but small.
    let report = told(number(&spread(1_000_000), &spread(995_000)), (0, 5_000));
    assert_eq!((report.method.as_str(), &report.verdict), ("missing", &ColumnVerdict::Stable), "{report:?}");
    assert!(report.p < Some(1e-100) && report.effect < Some(0.2) && report.because.is_none());
}

fn draw(random: &mut impl Rng, n: usize, upto: &[f64], missing: f64) -> (Vec<u64>, u64) {
    let (mut counts, mut n_missing) = (vec![0; upto.len()], 0);
    for _ in 0..n {
        if random.r#gen::<f64>() < missing {
            n_missing += 1;
        } else {
            let u: f64 = random.r#gen();
            counts[upto.partition_point(|edge| *edge < u).min(upto.len() - 1)] += 1;
        }
    }
    (counts, n_missing)
}

/// Cumulated shares proportional to 1/k.
fn zipf(n_levels: usize) -> Vec<f64> {
    let total: f64 = (1..=n_levels).map(|k| 1.0 / k as f64).sum();
    let cumulated = (1..=n_levels).scan(0.0, |sum, k| {
        *sum += 1.0 / k as f64 / total;
        Some(*sum)
    });
    cumulated.collect()
}

/// How often each question's p is at most .01 without drift, as (answers, false alarms).
fn false_answers(draws: usize) -> BTreeMap<&'static str, (u64, u64)> {
    let mut random = rng(31, "small cells");
    let mut counted = BTreeMap::new();
    for (n, m) in [(5000, 200), (200, 200), (300, 3000)] {
        for n_levels in [2, 5, 50, 200] {
            let upto = zipf(n_levels);
            for missing in [0.0, 0.02, 0.1, 0.5] {
                for draw_of in 0..draws {
                    let (reference, before) = draw(&mut random, n, &upto, missing);
                    let (current, now) = draw(&mut random, m, &upto, missing);
                    // The same counts as levels, and as numbers.
                    let values = if draw_of % 2 == 0 {
                        category(&reference, &current)
                    } else {
                        let numbered =
                            |counts: &[u64]| (0..).map(f64::from).zip(counts.iter().copied()).collect::<Vec<_>>();
                        number(&numbered(&reference), &numbered(&current))
                    };
                    for probe in probes(&pair(0, values, (before, now))).unwrap_or_default() {
                        let (all, false_ones) = counted.entry(probe.method).or_insert((0, 0));
                        *all += 1;
                        *false_ones += u64::from(probe.p <= 0.01);
                    }
                }
            }
        }
    }
    counted
}

fn hold_the_level(draws: usize) {
    let counted = false_answers(draws);
    for method in ["homogeneity", "ks", "levels", "missing", "range"] {
        let (all, false_ones) = counted[method];
        let expected = 0.01 * all as f64;
        assert!(false_ones as f64 <= expected + 3.0 * expected.sqrt(), "{method}: {false_ones} of {all}");
    }
}

#[test]
fn small_cells_hold_their_level() {
    hold_the_level(30);
}

#[test]
#[ignore = "make simulate"]
fn small_cells_hold_their_level_at_length() {
    hold_the_level(2000);
}

/// In how many of `draws` tables of 30 columns with 200 rows, five percentage points more missing cells in one column
/// are detected.
fn power(base: f64, draws: usize) -> f64 {
    let mut random = rng(37, "missing cells");
    let upto = zipf(5);
    let mut found = 0;
    for _ in 0..draws {
        let column = |i| {
            let now = if i == 0 { base + 0.05 } else { base };
            let (reference, before) = draw(&mut random, 5000, &upto, base);
            let (current, now) = draw(&mut random, 200, &upto, now);
            pair(i, category(&reference, &current), (before, now))
        };
        let pairs: Vec<ColumnPair> = (0..30).map(column).collect();
        let columns = compare(&pairs, &DriftSettings::default(), 0);
        found += usize::from(
            columns.iter().any(|c| c.name == "x0" && c.method == "missing" && c.verdict == ColumnVerdict::Drifted),
        );
    }
    found as f64 / draws as f64
}

#[test]
fn five_points_more_missing_cells_are_found_at_two_hundred_rows() {
    assert!(power(0.0, 40) >= 0.9);
}

#[test]
#[ignore = "make simulate"]
fn power_against_missing_cells_at_length() {
    for (base, least) in [(0.0, 0.95), (0.01, 0.7), (0.02, 0.4)] {
        let found = power(base, 500);
        assert!(found >= least, "{base}: {found}");
    }
}

/// For a stable column the test closest to a decision is reported, never a test without counts.
#[test]
fn a_stable_column_tells_the_question_that_is_nearest_to_deciding() {
    let near = told(category(&[1250, 1250], &[40, 40]), (2500, 120));
    assert_eq!((&near.verdict, near.method.as_str()), (&ColumnVerdict::Stable, "missing"));
    assert!((near.p.unwrap() - 0.006).abs() < 0.001 && near.effect.unwrap() > 0.15, "{near:?}");
    // A p of one half is not worth reporting: the distribution as a whole is reported.
    let far = told(category(&[1250, 1250], &[60, 60]), (2500, 120));
    assert_eq!((&far.verdict, far.method.as_str()), (&ColumnVerdict::Stable, "homogeneity"));
}

/// .59 % of 200 000 rows become .89 %: small for a feature, but for the target it changes the meaning of every score.
#[test]
fn a_base_rate_that_moves_by_half_is_target_drift() {
    let rate = |now: u64| pair(0, category(&[1180, 198_820], &[now, 200_000 - now]), (0, 0));
    let settings = DriftSettings::default();
    assert_eq!(compare_target(&rate(1780), &settings, 0).verdict, ColumnVerdict::Drifted);
    assert_eq!(compare_one(&rate(1780), &settings, 0).verdict, ColumnVerdict::Stable);
    // A tenth more is significant, but not large.
    assert_eq!(compare_target(&rate(1330), &settings, 0).verdict, ColumnVerdict::Stable);
}

/// A flag of 0 and 1, and the numbers of three classes, are columns of numbers.
#[test]
fn classes_that_are_numbers_drift_as_those_that_are_words() {
    let of = |counts: &[u64]| {
        let values = (0..counts.len()).map(|class| class as f64).collect();
        Sample::from_counts(values, counts.to_vec()).unwrap()
    };
    for (then, now) in
        [(vec![198_820, 1180], vec![198_220, 1780]), (vec![20_000, 19_600, 400], vec![20_000, 19_360, 640])]
    {
        let values = PairValues::Number { reference: of(&then), current: of(&now), integer: true };
        let numbers = pair(0, values, (0, 0));
        let words = pair(0, category(&then, &now), (0, 0));
        let settings = DriftSettings::default();
        let [numbers, words] = [numbers.as_classes(), words].map(|pair| compare_target(&pair, &settings, 0));
        assert_eq!(numbers.verdict, ColumnVerdict::Drifted);
        assert_eq!((numbers.p, numbers.psi), (words.p, words.psi));
    }
}

/// Exact tests can show drift with any number of rows, but few rows never show its absence.
#[test]
fn few_rows_show_a_drift_where_the_test_is_exact() {
    for (n, missing) in [(19, 180), (0, 50), (0, 20)] {
        let found = told(category(&[2500, 2500], &[n, 0]), (0, missing));
        assert_eq!((&found.verdict, found.method.as_str()), (&ColumnVerdict::Drifted, "missing"), "{found:?}");
    }
    let calm = told(category(&[2500, 2500], &[25, 25]), (0, 0));
    assert_eq!((&calm.verdict, calm.method.as_str()), (&ColumnVerdict::TooFewRows { need: 200 }, "homogeneity"));
    // One drifted column among thirty that cannot be judged does not make the table drifted.
    let settings = DriftSettings::default();
    let pairs: Vec<ColumnPair> = (0..30)
        .map(|i| {
            if i == 0 {
                pair(i, category(&[2500, 2500], &[0, 0]), (0, 50))
            } else {
                pair(i, category(&[2500, 2500], &[25, 25]), (0, 0))
            }
        })
        .collect();
    let share = super::drift_share(&compare(&pairs, &settings, 0), &settings);
    assert_eq!((share.n_drifted, share.n_stable, share.n_unknown), (1, 0, 29));
    assert_eq!(
        (share.column_share, share.counted().as_str()),
        (Some(1.0 / 30.0), "1 column drifted, 29 cannot be judged")
    );
}

#[test]
fn a_constant_that_was_rounded_is_no_drift_and_one_that_moved_is() {
    use crate::profile::Profile;
    use crate::table::{Column, Table, Values};
    let profile = |value: &dyn Fn(usize) -> f64| {
        Profile::of_table(&Table::new(vec![Column::new("x", Values::Number((0..1000).map(value).collect()))]).unwrap())
    };
    let verdict = |now: &dyn Fn(usize) -> f64| {
        let pair = ColumnPair::of("x", &profile(&|_| 5.5), &profile(now)).unwrap();
        compare_one(&pair, &DriftSettings::default(), 0)
    };
    for now in [|row: usize| 5.5 + 1e-9 * row as f64 / 1000.0, |row: usize| 5.5 - 6e-7 * (row % 2) as f64] {
        let column = verdict(&now);
        assert_eq!((column.verdict, column.psi), (ColumnVerdict::Stable, None), "{:?}", column.because);
    }
    for now in [|row: usize| 5.5 + 1e-5 * (row % 2) as f64, |row: usize| if row < 50 { 5.6 } else { 5.5 }] {
        assert_eq!(verdict(&now).verdict, ColumnVerdict::Drifted);
    }
}
