//! Any split of a table gives the same profile.

use super::*;
use crate::table::{Categories, Column, Values};

/// A small table with all kinds of columns.
fn table(n: usize) -> Table {
    let numbers = |f: &dyn Fn(usize) -> f64| Values::Number((0..n).map(f).collect());
    let letters: Vec<String> = (0..n).map(|i| ["a", "bb", "", "c"][i * i % 7 % 4].to_owned()).collect();
    let letters = || letters.iter().map(String::as_str);
    Table::new(vec![
        Column::new("real", numbers(&|i| if i % 5 == 3 { f64::NAN } else { (i as f64 * 0.77).sin() * 1e3 + 0.1 })),
        Column::new("whole", numbers(&|i| (i % 4) as f64 - 1.0)),
        Column::new("wild", numbers(&|i| [f64::INFINITY, -0.0, 0.0, 1e300, f64::NEG_INFINITY][i % 5])),
        Column::new("nothing", numbers(&|_| f64::NAN)),
        Column::new("city", Values::Category(Categories::from_texts(letters()))),
        Column::new("at", Values::Time((0..n as i64).map(|i| if i == 2 { i64::MIN } else { i * 1_000_000 }).collect())),
        Column::new("note", Values::Text(letters().collect())),
    ])
    .unwrap()
}

fn rows(table: &Table, from: usize, to: usize) -> Table {
    table.take(&(from as u32..to as u32).collect::<Vec<_>>())
}

fn json(profile: &Profile) -> String {
    String::from_utf8(profile.to_json().unwrap()).unwrap()
}

#[test]
fn every_cut_gives_the_same_bytes_when_exact() {
    let n = 60;
    let table = table(n);
    let whole = Profile::of_table(&table);
    assert!(whole.exact());
    let expected = json(&whole);
    for first in 0..=n {
        for second in first..=n {
            let cuts = [(0, first), (first, second), (second, n)];
            let mut merged = Profile::of_table(&rows(&table, 0, 0));
            let mut builder = ProfileBuilder::of_table(&table, Limits::default());
            for (from, to) in cuts {
                let part = rows(&table, from, to);
                merged.merge(&Profile::of_table(&part), Limits::default()).unwrap();
                builder.push(&part).unwrap();
            }
            assert_eq!(json(&merged), expected, "merged at {first} and {second}");
            assert_eq!(json(&builder.finish()), expected, "fed at {first} and {second}");
        }
    }
}

#[test]
fn every_cut_agrees_on_what_is_sketched_and_keeps_the_error() {
    let n = 3000;
    let limits = Limits { values: 500, levels: 10 };
    let values: Vec<f64> = (0..n).map(|i| (i * 7919 % n) as f64).collect();
    let of = |values: &[f64]| {
        let table = Table::new(vec![Column::new("x", Values::Number(values.to_vec()))]).unwrap();
        let mut builder = ProfileBuilder::of_table(&table, limits);
        builder.push(&table).unwrap();
        builder.finish()
    };
    let whole = of(&values);
    assert!(!whole.exact());
    for cut in (0..=n).step_by(37) {
        let mut merged = of(&values[..cut]);
        merged.merge(&of(&values[cut..]), limits).unwrap();
        let column = &merged.columns[0];
        assert!(!merged.exact() && merged.n_rows == n as u64);
        let (sample, moments) = (column.sample(), column.numbers().unwrap().moments);
        assert_eq!((sample.n(), moments.n, moments.min, moments.max), (n as u64, n as u64, 0.0, n as f64 - 1.0));
        assert!((moments.mean - (n as f64 - 1.0) / 2.0).abs() < 1e-9);
        let mut below = 0;
        for (value, count) in sample.values().iter().zip(sample.counts()) {
            below += count;
            assert!((below as f64 - value - 1.0).abs() / n as f64 <= 2.0 * merged.rank_error().max(1.0 / n as f64));
        }
    }
}

#[test]
fn batches_and_threads_do_not_change_a_sketch() {
    let values: Vec<f64> = (0..100_000).map(|i| (f64::from(i) * 0.37).sin()).collect();
    let table = Table::new(vec![Column::new("x", Values::Number(values))]).unwrap();
    let fed = |size: usize, threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let mut builder = ProfileBuilder::of_table(&table, Limits::default());
            for from in (0..table.n_rows()).step_by(size) {
                builder.push(&rows(&table, from, (from + size).min(table.n_rows()))).unwrap();
            }
            json(&builder.finish())
        })
    };
    let whole = fed(100_000, 1);
    assert!(whole.contains("\"kll\""));
    for (size, threads) in [(1, 1), (999, 2), (4096, 3), (33_333, 1)] {
        assert_eq!(fed(size, threads), whole, "{size} {threads}");
    }
}

#[test]
fn json_comes_back_as_it_was() {
    for (n, values) in [(0, 100), (1, 100), (50, 100), (1000, 10_000), (1000, 100)] {
        let table = table(n);
        let mut builder = ProfileBuilder::of_table(&table, Limits { values, levels: 2 });
        builder.push(&table).unwrap();
        let profile = builder.finish();
        assert_eq!(Profile::from_json(&profile.to_json().unwrap()).unwrap(), profile, "{n} {values}");
    }
}

#[test]
fn rare_levels_beyond_the_cap_are_counted_together() {
    let texts = ["a", "b", "b", "c", "c", "c", "d"];
    let table = Table::new(vec![Column::new("x", Values::Category(Categories::from_texts(texts)))]).unwrap();
    let mut builder = ProfileBuilder::of_table(&table, Limits { values: 9, levels: 3 });
    builder.push(&table).unwrap();
    let profile = builder.finish();
    let Shape::Levels(levels) = &profile.columns[0].shape else { panic!() };
    assert_eq!(levels.counts.iter().map(|(l, n)| (l.as_str(), *n)).collect::<Vec<_>>(), [("a", 1), ("b", 2), ("c", 3)]);
    assert_eq!((levels.other, levels.n(), profile.exact()), (1, 7, false));
}

#[test]
fn a_column_that_does_not_match_is_named() {
    let a = Profile::of_table(&table(5));
    let mut renamed = a.clone();
    renamed.columns[1].name = "other".to_owned();
    let message = a.clone().merge(&renamed, Limits::default()).unwrap_err().to_string();
    assert_eq!(message, "column \"other\" is only in the later profile");
    let mut turned = a.clone();
    turned.columns[1].kind = Kind::Category;
    turned.columns[1].shape = a.columns[4].shape.clone();
    let message = a.clone().merge(&turned, Limits::default()).unwrap_err().to_string();
    assert_eq!(message, "column \"whole\" is of kind number in one profile and category in the other");
}

#[test]
fn damaged_json_is_an_error() {
    let text = json(&Profile::of_table(&table(40)));
    for (from, to, said) in [
        ("\"format\":1", "\"format\":2", "format 2"),
        ("\"n_rows\":40", "\"n_rows\":18446744073709551615", "the row count 18446744073709551615"),
        ("\"n_rows\":40", "\"n_rows\":41", "do not add up to 41 rows"),
        ("\"counts\":[10,10,10,10]", "\"counts\":[10,10,10,0]", "count 0"),
        ("\"counts\":[10,10,10,10]", "\"counts\":[10,10,10,11]", "do not agree"),
        ("\"counts\":[10,10,10,10]", "\"counts\":\"AAAA\"", "cut short"),
        ("\"counts\":[10,10,10,10]", "\"counts\":[18446744073709551615,10,10,10]", "do not agree"),
        ("{\"exact\":{\"values\":[],\"counts\":[]}}", "{\"kll\":\"!\"}", "not base64"),
        ("{\"exact\":{\"values\":[],\"counts\":[]}}", "{\"kll\":\"AgEPAQAQ\"}", "ends too early"),
    ] {
        assert!(text.contains(from), "{from}\n{text}");
        let message = Profile::from_json(text.replace(from, to).as_bytes()).unwrap_err().to_string();
        assert!(message.contains(said) && message.starts_with("not a profile"), "{message}");
    }
    for len in (0..text.len()).step_by(13) {
        assert!(Profile::from_json(&text.as_bytes()[..len]).is_err());
    }
}

#[test]
fn quantiles_are_those_of_the_inverted_cdf() {
    let table = Table::new(vec![Column::new("x", Values::Number(vec![4.0, 1.0, 2.0, 2.0]))]).unwrap();
    let profile = Profile::of_table(&table);
    let at = |share| profile.columns[0].quantile(share).unwrap();
    assert_eq!([at(0.0), at(0.25), at(0.5), at(0.75), at(0.76), at(1.0)], [1.0, 1.0, 2.0, 2.0, 4.0, 4.0]);
}

/// Sums that overflow are missing, and results that need no sums remain.
#[test]
fn sums_that_overflow_are_left_out_however_the_table_is_cut() {
    let values = |scale: f64| Values::Number((0..40).map(|i| scale * (1.0 - f64::from(i % 3) / 10.0)).collect());
    let table = Table::new(vec![Column::new("max", values(f64::MAX)), Column::new("squares", values(1e200))]).unwrap();
    let whole = Profile::of_table(&table);
    let mut parts = Profile::of_table(&rows(&table, 0, 17));
    parts.merge(&Profile::of_table(&rows(&table, 17, 40)), Limits::default()).unwrap();
    for profile in [&whole, &parts] {
        let of = |name: &str| profile.column(name).unwrap().numbers().unwrap().moments;
        assert!(of("max").variance().is_nan() && of("squares").variance().is_nan());
        assert!((of("squares").known_mean().unwrap() / 0.9025e200 - 1.0).abs() < 1e-12);
        assert_eq!(profile.column("max").unwrap().quantile(0.5), Some(f64::MAX * (1.0 - 1.0 / 10.0)));
        assert_eq!(Profile::from_json(&profile.to_json().unwrap()).unwrap(), *profile);
    }
}
