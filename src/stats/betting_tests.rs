use super::*;
use crate::stats::random::rng;
use rand::Rng;
use rand_xoshiro::Xoshiro256PlusPlus;

#[test]
fn nothing_speaks_against_a_share_that_is_as_high_or_was_not_looked_at() {
    assert!(share_below(0.0, 0.0, 0.7).abs() < 1e-9);
    assert!(share_below(80.0, 100.0, 0.7) < 0.0);
    assert!(share_below(5e5, 1e6, 0.7) > 1000.0);
    // Only successes: E = 1/(n+1) under any hypothesis.
    assert!((share_below(100.0, 100.0, 1e-3) + 101_f64.ln()).abs() < 1e-9);
}

/// The expectation of the e-value under the hypothesis, summed over the whole distribution.
#[test]
fn its_expectation_is_one_at_the_edge_and_less_within() {
    for n in [1_u32, 7, 50] {
        for (least, truth) in [(0.7, 0.7), (0.7, 0.8), (0.05, 0.05), (0.99, 0.99)] {
            let (n, p): (f64, f64) = (f64::from(n), truth);
            let mut choose = 0.0; // ln C(n, k)
            let mut expected = 0.0;
            for k in 0..=n as u32 {
                let k = f64::from(k);
                let log_p = choose + k * p.ln() + (n - k) * (1.0 - p).ln();
                expected += (log_p + share_below(k, n, least)).exp();
                choose += ((n - k) / (k + 1.0)).ln();
            }
            assert!(expected < 1.0 + 1e-9, "{n} {least} {truth}: {expected}");
            assert!(least != truth || expected > 1.0 - 1e-9, "{n} {least}: {expected}");
        }
    }
}

/// Five years of weekly looks at all data so far.
#[test]
fn looking_every_week_does_not_add_up() {
    let mut rng = rng(7, "share below");
    let crossed = |rng: &mut Xoshiro256PlusPlus| {
        let mut k = 0.0;
        (1..=260).any(|week| {
            k += f64::from((0..20).filter(|_| rng.r#gen::<f64>() < 0.7).count() as u32);
            share_below(k, f64::from(week * 20), 0.7) >= 20_f64.ln()
        })
    };
    let n = (0..400).filter(|_| crossed(&mut rng)).count();
    assert!(n <= 32, "{n} of 400 at a level of .05");
    assert!(n >= 2, "{n} of 400: no evidence at all is no test");
}

const WEEKS: usize = 260;
/// A loss and its weight in a week.
type Draw<'a> = dyn Fn(&mut Xoshiro256PlusPlus, usize) -> (f64, f64) + 'a;

/// A run of five years: the week in which the bets win, if any. A week has `n` losses with the mean `of_week`; wealth
/// is checked after each one.
fn life(rng: &mut Xoshiro256PlusPlus, n: usize, limit: f64, alpha: f64, draw: &Draw<'_>) -> Option<usize> {
    let mut bets = Bets::above(limit);
    (0..WEEKS).find(|&week| {
        bets.open();
        for _ in 0..n {
            let (loss, weight) = draw(rng, week);
            bets.take(loss, weight);
        }
        bets.are_won(alpha)
    })
}

/// A Brier score: the square of a share with mean `p`, skewed like such losses.
fn brier(rng: &mut Xoshiro256PlusPlus, p: f64) -> f64 {
    // E = p: a loss near 0 for most rows, and a large one for some.
    let score = p * rng.r#gen::<f64>() * 2.0;
    let y = f64::from(rng.r#gen::<f64>() < score);
    (score - y).powi(2)
}

/// The mean of [`brier`]: E[s(1−s)] with s uniform on [0, 2p].
fn brier_mean(p: f64) -> f64 {
    p - 4.0 * p * p / 3.0
}

/// One loss in three has weight 1, the others a quarter: of two kinds of rows, the hard kind is sampled four times as
/// often.
fn asked(rng: &mut Xoshiro256PlusPlus, rates: [f64; 2]) -> (f64, f64) {
    let hard = rng.r#gen::<f64>() < 4.0 / 5.0;
    let rate = rates[usize::from(hard)];
    (f64::from(rng.r#gen::<f64>() < rate), if hard { 0.25 } else { 1.0 })
}

/// The number of false alarms in `n_lives` runs at a level of .05, at the boundary of the hypothesis.
fn false_alarms(seed: u64, n_lives: usize, n: usize) -> [usize; 4] {
    let kinds: [(f64, &Draw<'_>); 4] = [
        // Errors; a rare class; scores; and unequally sampled rows, half of which are hard: mean .5·.05 + .5·.35.
        (0.15, &|rng, _| (f64::from(rng.r#gen::<f64>() < 0.15), 1.0)),
        (0.01, &|rng, _| (f64::from(rng.r#gen::<f64>() < 0.01), 1.0)),
        (brier_mean(0.3), &|rng, _| (brier(rng, 0.3), 1.0)),
        (0.2, &|rng, _| asked(rng, [0.05, 0.35])),
    ];
    kinds.map(|(limit, draw)| {
        (0..n_lives as u64)
            .filter(|life_no| {
                let mut rng = rng(seed.wrapping_mul(1000) + life_no, "quiet life");
                life(&mut rng, n, limit, 0.05, draw).is_some()
            })
            .count()
    })
}

#[test]
fn a_quiet_life_of_five_years_raises_no_alarm_beyond_its_level() {
    let found = false_alarms(1, 60, 20);
    assert!(found.iter().all(|n| *n <= 8), "{found:?} of 60");
}

#[test]
#[ignore = "make simulate"]
#[expect(clippy::print_stderr, reason = "figures for docs/methods.md")]
fn a_thousand_lives_of_five_years_hold_the_level() {
    for n in [20, 100] {
        let found = false_alarms(2, 1000, n);
        eprintln!("false alarms in 1000 lives of {n} labels a week: {found:?}");
        // .05 plus three standard errors.
        assert!(found.iter().all(|n| *n <= 70), "{n} a week: {found:?}");
        assert!(found.iter().any(|n| *n >= 2), "{n} a week: {found:?}: no evidence at all is no test");
    }
}

/// The median number of labels until a change in week 52 is detected, and the number of runs in which it is not.
fn labels_until_found(seed: u64, n_lives: u64, n: usize, limit: f64, draw: &Draw<'_>) -> (f64, usize, usize) {
    let (mut found, mut early, mut never) = (Vec::new(), 0, 0);
    for life_no in 0..n_lives {
        let mut rng = rng(seed + life_no, "changed life");
        match life(&mut rng, n, limit, 0.05, draw) {
            Some(week) if week < 52 => early += 1,
            Some(week) => found.push(((week - 51) * n) as f64),
            None => never += 1,
        }
    }
    found.sort_by(f64::total_cmp);
    (found[found.len() / 2], early, never)
}

#[test]
fn a_sudden_and_a_gradual_change_are_found_about_when_it_is_said() {
    // Errors go from 10 % to 20 % in week 52, or over half a year from then on; the limit is 12 %.
    let rate = |week: usize, weeks: f64| 0.1 + 0.1 * ((week as f64 - 51.0) / weeks).clamp(0.0, 1.0);
    let error = |p: f64, rng: &mut Xoshiro256PlusPlus| (f64::from(rng.r#gen::<f64>() < p), 1.0);
    let sudden = labels_until_found(1, 40, 50, 0.12, &|rng, week| error(rate(week, 1.0), rng));
    let gradual = labels_until_found(1, 40, 50, 0.12, &|rng, week| error(rate(week, 26.0), rng));
    let said = losses_needed(0.12, 0.2, 0.4, 0.05, 52).unwrap();
    assert!((0.5..2.0).contains(&(sudden.0 / said)), "{sudden:?} where {said} are said");
    assert!(gradual.0 > sudden.0 && gradual.0 < sudden.0 + 26.0 * 50.0, "{gradual:?} {sudden:?}");
    assert!(sudden.1 + gradual.1 <= 2 && sudden.2 + gradual.2 == 0, "{sudden:?} {gradual:?}");
    assert_eq!(losses_needed(0.12, 0.11, 0.3, 0.05, 52), None);
}

/// The estimate of `label-export --for-monitoring` for labels per week and growth of the loss, compared with the weeks
/// until bets win, checked after each label. In each run the loss of .1 grows in week 26; the limit is .12, the level
/// that of a first version.
fn said_and_seen(n_lives: u64, growths: &[f64], labels: &[usize]) -> Vec<(usize, f64, f64, f64)> {
    let mut all = Vec::new();
    for (&growth, &n) in growths.iter().flat_map(|growth| labels.iter().map(move |n| (growth, n))) {
        let (before, after) = (0.1, 0.1 * (1.0 + growth));
        let said = losses_needed(0.12, after, 0.3, 0.018, 26).unwrap() / n as f64;
        let mut weeks: Vec<f64> = Vec::new();
        for life in 0..n_lives {
            let mut rng = rng(900 + life, "said and seen");
            let mut bets = Bets::above(0.12);
            let won = (0..26 * n + 200 * n).find(|&label| {
                if label % n == 0 {
                    bets.open();
                }
                let p = if label < 26 * n { before } else { after };
                bets.take(f64::from(rng.r#gen::<f64>() < p), 1.0);
                bets.are_won(0.018)
            });
            weeks.extend(won.map(|label| (label as f64 + 1.0) / n as f64 - 26.0).filter(|weeks| *weeks > 0.0));
        }
        all.push((n, growth, said, weeks.iter().sum::<f64>() / weeks.len().max(1) as f64));
    }
    all
}

#[test]
fn delays_are_those_that_are_said() {
    for (n, growth, said, seen) in said_and_seen(20, &[0.5, 1.0], &[100]) {
        assert!((0.5..1.5).contains(&(seen / said)), "{n} labels, growth {growth}: {seen} weeks where {said} are said");
    }
}

#[test]
#[ignore = "make simulate"]
#[expect(clippy::print_stderr, reason = "figures for docs/methods.md")]
fn delays_are_those_that_are_said_at_length() {
    for (n, growth, said, seen) in said_and_seen(300, &[0.5, 1.0, 2.0], &[25, 50, 100, 200, 400]) {
        eprintln!("{n} labels a week, loss grown by {growth}: {said:.1} weeks said, {seen:.1} seen");
        assert!((0.5..1.5).contains(&(seen / said)), "{n} {growth}");
    }
}
