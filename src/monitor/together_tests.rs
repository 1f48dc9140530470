use super::*;
use crate::stats::betting::Bets;
use crate::stats::random::rng;
use rand::Rng;

fn row(about: Option<u64>, loss: f64, weight: f64) -> Seen {
    Seen { at: 0, loss, weight, about }
}

#[test]
fn a_thing_is_one_bet_and_a_row_about_nothing_one_of_its_own() {
    let rows = [
        row(Some(7), 1.0, 1.0),
        row(None, 0.5, 0.25),
        row(Some(8), 0.0, 1.0),
        row(Some(7), 0.0, 1.0),
        row(Some(8), 1.0, 0.5),
    ];
    let found: Vec<(f64, f64)> = together(&rows).iter().map(|unit| (unit.loss, unit.weight)).collect();
    // Sizes 1, 2, 2: the customers of half of the rows have two.
    assert_eq!(found, [(0.5, 1.0), (0.5, 0.125), (1.0 / 3.0, 0.75)]);
    // Rows that are their own entity are unchanged.
    let alone: Vec<Seen> = rows.iter().map(|seen| Seen { about: None, ..*seen }).collect();
    let same = together(&alone);
    assert!(same.iter().zip(&alone).all(|(a, b)| a.loss == b.loss && a.weight == b.weight) && same.len() == 5);
    // One customer with a hundred rows counts like the others.
    let mut uneven: Vec<Seen> = (0..120).map(|n| row(Some(n % 30), 0.2, 1.0)).collect();
    uneven.extend((0..60).map(|_| row(Some(99), 1.0, 1.0)));
    let weights: Vec<f64> = together(&uneven).iter().map(|unit| unit.weight).collect();
    assert!(weights.len() == 31 && weights.iter().all(|weight| *weight == 1.0), "{weights:?}");
}

#[test]
fn what_becomes_known_of_a_thing_later_in_the_week_is_no_further_bet() {
    let at = |day: i64, about| Seen { at: day * DAY_MICROS + 5, ..row(about, day as f64, 1.0) };
    let week = [at(0, Some(1)), at(0, Some(1)), at(2, Some(1)), at(2, Some(2)), at(3, None), at(4, Some(2))];
    let days: Vec<f64> = first_days(&week).iter().map(|row| row.loss).collect();
    assert_eq!(days, [0.0, 0.0, 2.0, 3.0]);
}

/// Weeks of new customers with correlated errors: a customer's rate is 0, `error`·2 or 1, with mean `error`.
fn week(random: &mut impl Rng, sizes: &[usize], error: f64) -> Vec<Seen> {
    let mut rows = Vec::new();
    for &n in sizes {
        let about = Some(random.r#gen());
        // Half of the variance is between customers that are always or never wrong.
        let always = random.gen_bool(error);
        for _ in 0..n {
            let wrong = if random.gen_bool(0.7) { always } else { random.gen_bool(error) };
            rows.push(row(about, f64::from(u8::from(wrong)), 1.0));
        }
    }
    rows
}

/// The week in which a simulation of `n_weeks` raises the alarm, with customers as bets and with rows as bets; the
/// error is `.15` until `change`.
fn life(seed: u64, n_weeks: usize, sizes: &[usize], (change, after): (usize, f64)) -> [Option<usize>; 2] {
    let mut random = rng(seed, "customers in weeks");
    let mut bets = [Bets::above(0.15), Bets::above(0.15)];
    let mut found = [None; 2];
    for n in 0..n_weeks {
        let rows = week(&mut random, sizes, if n < change { 0.15 } else { after });
        for (bets, units) in bets.iter_mut().zip([together(&rows), rows.clone()]) {
            bets.open();
            units.iter().for_each(|unit| bets.take(unit.loss, unit.weight));
        }
        for (found, bets) in found.iter_mut().zip(&bets) {
            *found = found.or(bets.are_won(0.03).then_some(n));
        }
    }
    found
}

/// Number of false alarms in `n` simulations: customers as bets, rows as bets.
fn false_alarms(n: u64, n_weeks: usize, sizes: &[usize]) -> [usize; 2] {
    let mut false_alarms = [0; 2];
    for seed in 0..n {
        let found = life(seed, n_weeks, sizes, (n_weeks, 0.15));
        false_alarms.iter_mut().zip(found).for_each(|(n, found)| *n += usize::from(found.is_some()));
    }
    false_alarms
}

#[test]
fn errors_that_go_together_raise_no_alarm_and_a_fall_is_seen() {
    let [customers, rows] = false_alarms(40, 26, &[20; 50]);
    assert!(customers <= 3 && rows >= 20, "{customers} and {rows} of 40 lives of half a year at .03");
    let delays: Vec<Option<usize>> = (0..20).map(|seed| life(seed, 40, &[20; 50], (13, 0.35))[0]).collect();
    let seen = delays.iter().filter(|week| week.is_some_and(|week| (13..17).contains(&week))).count();
    assert!(seen >= 18, "{delays:?}");
}

#[test]
#[ignore = "make simulate"]
#[expect(clippy::print_stdout, reason = "the figures of docs/methods.md")]
fn errors_that_go_together_raise_no_alarm_at_length() {
    let uneven: Vec<usize> = (1..=50).map(|k| 1 + 200 / k).collect();
    for (name, sizes) in [("50 of 20", vec![20; 50]), ("50 of 1 + 200 ∕ k", uneven), ("8 of 100", vec![100; 8])] {
        let [customers, rows] = false_alarms(1000, 260, &sizes);
        println!("{name}: {customers} of 1000 lives by customer, {rows} by row; 30 are allowed");
        // .03 plus three standard errors.
        assert!(customers <= 46, "{name}: {customers}");
    }
    for after in [0.2, 0.25, 0.35] {
        let mut delays: Vec<usize> = (0..200).filter_map(|seed| life(seed, 156, &[20; 50], (52, after))[0]).collect();
        delays.retain(|week| *week >= 52);
        delays.sort_unstable();
        println!(
            "errors from .15 to {after}: {} of 200 seen, median delay {} weeks",
            delays.len(),
            delays[delays.len() / 2] - 51
        );
    }
}
