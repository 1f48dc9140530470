//! Rows stored one by one give bit-identical values to a table of all rows.

use super::tests::definitions;
use super::{Held, Past, Recent, Windows};
use crate::table::{Column, Kind, MISSING_TIME, Table, Texts, Values};

const MINUTE: i64 = 60_000_000;
const DAY: i64 = 1440 * MINUTE;
/// A time long after all rows.
const NOW: i64 = i64::MAX / 2;

/// Numbers without a pattern.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

/// id, card, amount, time.
type Pay = (String, &'static str, f64, i64);

fn table(rows: &[Pay]) -> Table {
    let texts = |text: fn(&Pay) -> &str| Values::Text(rows.iter().map(text).collect::<Texts>());
    Table::new(vec![
        Column::new("id", texts(|row| &row.0)),
        Column::new("card", texts(|row| row.1)),
        Column::new("amount", Values::Number(rows.iter().map(|row| row.2).collect())),
        Column::new("at", Values::Time(rows.iter().map(|row| row.3).collect())),
    ])
    .unwrap()
}

fn windows(expressions: &[&str]) -> Windows {
    let names: Vec<String> = (0..expressions.len()).map(|n| format!("w{n}")).collect();
    let pairs: Vec<(&str, &str)> = names.iter().map(String::as_str).zip(expressions.iter().copied()).collect();
    let columns = [
        ("id", Kind::Id),
        ("card", Kind::Category),
        ("shop", Kind::Category),
        ("amount", Kind::Number),
        ("at", Kind::Time),
    ];
    Windows::new(&definitions(&pairs), &columns, "y").unwrap().unwrap()
}

const ALL: [&str; 12] = [
    "count() by card over 6h",
    "count() by card over 2d",
    "sum(amount) by card over 6h",
    "mean(amount) by card over 2d",
    "std(amount) by card over 12h",
    "zscore(amount) by card over 2d",
    "median(amount) by card over 1d",
    "median(amount) by card over 90m",
    "min(amount) by card over 6h",
    "max(amount) by card over 1d",
    "count() by (card, amount > 30) over 30m",
    "mean(ln(amount)) by (card, amount > 30) over 30m",
];

/// A stream with most rows of one card; some late, simultaneous, repeated, changed, or with missing cells.
fn stream(n: usize, dice: &mut Dice) -> Vec<Pay> {
    let mut rows: Vec<Pay> = Vec::new();
    let mut now = 0;
    for nth in 0..n {
        if dice.one_in(15) && !rows.is_empty() {
            // No row is later than a day.
            let again = rows[rows.len() - 1 - dice.below(rows.len().min(100) as u64) as usize].clone();
            let changed = (again.0.clone(), "b", dice.below(90) as f64, now - dice.below(1000) as i64 * MINUTE);
            rows.push(if dice.one_in(3) { changed } else { again });
            continue;
        }
        now += if dice.one_in(5) { 0 } else { dice.below(7 * 60) as i64 * MINUTE / 60 };
        let late = if dice.one_in(12) { dice.below(1000) as i64 * MINUTE } else { 0 };
        let card = if dice.one_in(40) { "" } else { ["a", "a", "a", "b", "c"][dice.below(5) as usize] };
        let amount = if dice.one_in(30) { f64::NAN } else { dice.below(10_000) as f64 / 7.0 };
        rows.push((format!("r{nth}"), card, amount, if dice.one_in(40) { MISSING_TIME } else { now - late }));
    }
    rows
}

fn bits(columns: &[Column]) -> Vec<Vec<Option<u64>>> {
    let of = |column: &Column| match &column.values {
        Values::Number(values) => values.iter().map(|value| (!value.is_nan()).then(|| value.to_bits())).collect(),
        other => panic!("{other:?}"),
    };
    columns.iter().map(of).collect()
}

#[test]
fn each_row_has_the_value_that_a_table_of_all_rows_gives() {
    let of = windows(&ALL);
    for (id, seed) in [(Some("id"), 1), (None, 2)] {
        let mut dice = Dice(seed);
        let mut rows = stream(1_500, &mut dice);
        // Stored beforehand, like the last training rows; some of them arrive again.
        let stored = table(&rows[..300]);
        let recent = Recent::new(of.clone(), id, 1_000_000);
        recent.push(&stored, &vec![i64::MIN; 300], NOW).unwrap();
        let mut parts = vec![stored];
        let mut left = rows.split_off(280);
        let mut n_cached = 0;
        while !left.is_empty() {
            let n = (1 + if dice.one_in(3) { dice.below(12) as usize } else { 0 }).min(left.len());
            let request = table(&left.drain(..n).collect::<Vec<_>>());
            let past = Past::of(&of, id, &parts).unwrap();
            let expected = bits(&of.compute(&past, &request).unwrap());
            assert_eq!(bits(&recent.values(&request).unwrap()), expected, "{} rows are left", left.len());
            n_cached += expected[1].iter().flatten().filter(|count| f64::from_bits(**count) > 64.0).count();
            // A row that is not logged is not stored.
            if dice.one_in(10) {
                continue;
            }
            recent.push(&request, &vec![parts.len() as i64; n], NOW).unwrap();
            // Reading the same log again changes nothing.
            if dice.one_in(4) {
                recent.push(&request, &vec![parts.len() as i64; n], NOW).unwrap();
            }
            parts.push(request);
        }
        assert!(n_cached > 300, "{n_cached} rows had many before them");
        assert_eq!((recent.held().n_left, recent.held().n_late), (0, 0));
    }
}

/// One row per minute, of one card or each of another card.
fn steady(range: std::ops::Range<i64>, cards: bool) -> Table {
    let ids: Vec<String> = range.clone().map(|n| format!("r{n}")).collect();
    let own: &[String] = if cards { &ids } else { &[] };
    let cell = |n: usize| own.get(n).map_or("a", String::as_str);
    Table::new(vec![
        Column::new("id", Values::Text(ids.iter().map(String::as_str).collect::<Texts>())),
        Column::new("card", Values::Text((0..ids.len()).map(cell).collect::<Texts>())),
        Column::new("amount", Values::Number(vec![1.0; ids.len()])),
        Column::new("at", Values::Time(range.map(|n| n * MINUTE).collect())),
    ])
    .unwrap()
}

fn told(recent: &Recent, at: i64) -> f64 {
    let row = table(&[("new".to_owned(), "a", 1.0, at)]);
    let Values::Number(values) = &recent.values(&row).unwrap()[0].values else { panic!() };
    values[0]
}

#[test]
fn rows_that_no_window_reaches_leave() {
    for cards in [false, true] {
        let recent = Recent::new(windows(&["count() by card over 2h"]), Some("id"), 1_000_000);
        for day in 0..20 {
            let rows = steady(day * 1440..(day + 1) * 1440, cards);
            recent.push(&rows, &vec![day; 1440], NOW).unwrap();
            // A day, two hours, and rows not swept yet.
            let held = recent.held();
            assert!(held.n_rows <= 2 * 1_560 + 1 && held.n_left == 0, "day {day}: {held:?}");
        }
        if !cards {
            assert_eq!(told(&recent, 20 * DAY), 120.0);
            assert_eq!((told(&recent, 19 * DAY + 5 * MINUTE), recent.held().n_late), (120.0, 0));
            assert_eq!((told(&recent, DAY), recent.held().n_late), (0.0, 1), "the row counts as late");
        }
    }
    // A future time does not age rows.
    let recent = Recent::new(windows(&["count() by card over 2h"]), Some("id"), 1_000_000);
    recent.push(&steady(0..600, false), &[0; 600], 600 * MINUTE).unwrap();
    recent.push(&table(&[("x".to_owned(), "a", 1.0, 99_999 * DAY)]), &[1], 600 * MINUTE).unwrap();
    recent.push(&steady(600..700, false), &[2; 100], 700 * MINUTE).unwrap();
    assert_eq!((told(&recent, 700 * MINUTE), recent.held().n_rows), (120.0, 701));
}

#[test]
fn the_oldest_rows_leave_where_there_are_too_many() {
    for cards in [false, true] {
        let recent =
            Recent::new(windows(&["count() by card over 30d", "sum(amount) by card over 1d"]), Some("id"), 1_000);
        for piece in 0..40 {
            recent.push(&steady(piece * 250..(piece + 1) * 250, cards), &[piece; 250], NOW).unwrap();
            let held = recent.held();
            assert!(held.n_rows <= 1_100, "piece {piece}: {held:?}");
        }
        let Held { n_rows, n_left, .. } = recent.held();
        assert!(n_rows >= 850 && n_left == 10_000 - n_rows, "{n_rows} rows, {n_left} left");
        if !cards {
            // The newest rows are present in all windows.
            assert_eq!(told(&recent, 10_000 * MINUTE), n_rows as f64);
            assert!(recent.held().n_late > 0);
        }
    }
    let recent = Recent::new(windows(&["count() by card over 30d"]), Some("id"), 100);
    let rows: Vec<Pay> = (0..1_000).map(|n| (format!("r{n}"), "a", 1.0, DAY)).collect();
    recent.push(&table(&rows), &vec![0; 1_000], NOW).unwrap();
    assert!(recent.held().n_rows <= 200, "rows of one instant: {:?}", recent.held());
}

/// Memory of this process in MB, if the system reports it.
fn memory_mb() -> f64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    pages.split(' ').nth(1).and_then(|pages| pages.parse::<f64>().ok()).unwrap_or(f64::NAN) * 4096.0 / 1e6
}

/// The figures of docs/serving.md.
#[test]
#[ignore = "make simulate"]
#[expect(clippy::print_stdout, reason = "the figures of docs/serving.md")]
fn what_a_million_rows_take() {
    let of = windows(&[
        "count() by card over 1d",
        "count() by card over 7d",
        "count() by card over 30d",
        "mean(amount) by card over 30d",
        "std(amount) by shop over 7d",
        "count() by shop over 7d",
    ]);
    let (before, started) = (memory_mb(), std::time::Instant::now());
    let recent = Recent::new(of, Some("id"), 10_000_000);
    let mut dice = Dice(3);
    let mut rows = |range: std::ops::Range<i64>| {
        let ids: Vec<String> = range.clone().map(|n| format!("row-{n}")).collect();
        let cards: Vec<String> = range.clone().map(|_| format!("card {}", dice.below(200_000))).collect();
        let shops: Vec<String> = range.clone().map(|_| format!("shop {}", dice.below(100))).collect();
        let texts = |texts: &[String]| Values::Text(texts.iter().map(String::as_str).collect::<Texts>());
        Table::new(vec![
            Column::new("id", texts(&ids)),
            Column::new("card", texts(&cards)),
            Column::new("shop", texts(&shops)),
            Column::new("amount", Values::Number(range.clone().map(|n| (n * 7919 % 1000) as f64).collect())),
            Column::new("at", Values::Time(range.map(|n| n * 2_000_000).collect())),
        ])
        .unwrap()
    };
    for piece in 0..1_000 {
        let part = rows(piece * 1_000..(piece + 1) * 1_000);
        recent.push(&part, &[piece; 1_000], NOW).unwrap();
    }
    let (built, held) = (started.elapsed(), recent.held());
    let mb = memory_mb() - before;
    let started = std::time::Instant::now();
    for n in 0..20_000 {
        let row = rows(1_000_000 + n..1_000_001 + n);
        std::hint::black_box(recent.values(&row).unwrap());
        recent.push(&row, &[1_000], NOW).unwrap();
    }
    let us = started.elapsed().as_secs_f64() * 1e6 / 20_000.0;
    println!(
        "{} rows: {mb:.0} MB, built in {:.1} s; {us:.1} us for a row's 6 windows and its push",
        held.n_rows,
        built.as_secs_f64()
    );
}
