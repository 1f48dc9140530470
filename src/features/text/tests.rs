use super::TextEncoder;
use crate::features::{Encoder, FeatureOptions, Features, Target, Task, find_leaks};
use crate::stats::random::hash64;
use crate::table::{Cell, Column, Table, Texts, Values};

fn binary() -> Target {
    Target { name: "y".into(), task: Task::Binary, classes: vec!["no".into(), "yes".into()] }
}

/// A pseudo-random number below `n`, determined by row and purpose.
fn drawn(row: usize, what: u64, n: u64) -> u64 {
    hash64(&(row as u64).to_le_bytes(), what) % n
}

/// Reviews of eight words; "terrible" and the pair "not good" are in three of four bad ones.
fn reviews(n: usize, label: impl Fn(usize) -> bool) -> (Vec<String>, Vec<f32>) {
    const PLAIN: [&str; 12] =
        ["seat", "flight", "crew", "bags", "meal", "gate", "good", "not", "time", "plane", "hour", "line"];
    let text = |row: usize| {
        let mut words: Vec<&str> = (0..7).map(|at| PLAIN[drawn(row, 10 + at, 12) as usize]).collect();
        words.retain(|word| !["not", "good"].contains(word));
        let says = drawn(row, 2, 4) > 0;
        match (label(row) == says, drawn(row, 3, 2)) {
            (true, 0) => words.push("Terrible!"),
            (true, _) => words.extend(["not", "good"]),
            (false, 0) => words.push("fine"),
            (false, _) => words.extend(["good", "not", "late"]),
        }
        words.join(" ")
    };
    ((0..n).map(text).collect(), (0..n).map(|row| f32::from(u8::from(label(row)))).collect())
}

fn table(texts: &[String]) -> Table {
    let texts: Texts = texts.iter().map(String::as_str).collect();
    Table::new(vec![Column::new("review", Values::Text(texts))]).unwrap()
}

fn encoder(features: &Features) -> &TextEncoder {
    match &features.encoders()[0].encoder {
        Encoder::Text(encoder) => encoder,
        other => panic!("{other:?}"),
    }
}

/// ROC-AUC of one feature.
fn auc(values: impl Iterator<Item = f32>, y: &[f32]) -> f64 {
    let values: Vec<f64> = values.map(f64::from).collect();
    let ranks = crate::stats::ranks::average(&values);
    let n1 = y.iter().filter(|y| **y == 1.0).count() as f64;
    let sum: f64 = ranks.iter().zip(y).filter(|(_, y)| **y == 1.0).map(|(rank, _)| rank).sum();
    (sum - n1 * (n1 + 1.0) / 2.0) / (n1 * (y.len() as f64 - n1))
}

#[test]
fn words_and_pairs_become_one_score_and_counts() {
    let (texts, y) = reviews(1_200, |row| drawn(row, 1, 2) == 0);
    let (train, test) = (table(&texts[..800]), table(&texts[800..]));
    let (features, matrix) = Features::fit(&train, &binary(), &y[..800], &FeatureOptions::default(), 0).unwrap();
    assert_eq!(**features.names(), ["review (score of yes)", "review (characters)", "review (words)"]);
    let words = texts[0].split(' ').count() as f32;
    assert_eq!(matrix.row(0)[1..], [texts[0].len() as f32, words]);
    let found = features.transform(&test).unwrap();
    // Three rows in four have such a word: the ideal area is .75.
    let of_test = auc((0..400).map(|row| found.row(row)[0]), &y[800..]);
    assert!((0.70..0.80).contains(&of_test), "{of_test}");
    // Values for training rows are as good as for other rows, not better.
    let of_train = auc((0..800).map(|row| matrix.row(row)[0]), &y[..800]);
    assert!((of_train - of_test).abs() < 0.05, "{of_train} {of_test}");
    let strongest = encoder(&features).strongest_of(0, 3);
    let terms: Vec<&str> = strongest.iter().map(|share| share.term.as_str()).collect();
    assert!(terms.contains(&"terrible") && terms.contains(&"fine"), "{strongest:?}");
    let own = encoder(&features).strongest_in("TERRIBLE seat", 0, 5);
    assert_eq!(own[0].term, "terrible");
    assert!(own[0].value > 0.0 && own.len() <= 3, "{own:?}");
}

#[test]
fn words_that_say_nothing_are_no_score() {
    for seed in 0..8 {
        let (texts, _) = reviews(300, |row| drawn(row, 1, 2) == 0);
        let y: Vec<f32> = (0..300).map(|row| drawn(row, 100 + seed, 2) as f32).collect();
        let (features, _) = Features::fit(&table(&texts), &binary(), &y, &FeatureOptions::default(), seed).unwrap();
        assert!(encoder(&features).outputs().is_empty(), "seed {seed}");
    }
}

#[test]
fn every_way_to_the_features_is_the_same() {
    let (mut texts, y) = reviews(700, |row| drawn(row, 1, 2) == 0);
    texts[3] = String::new();
    let all = table(&texts);
    let (train, others): (Vec<u32>, [Vec<u32>; 2]) = ((0..600).collect(), [(600..650).collect(), (650..700).collect()]);
    let pool = |n: usize| rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap();
    let options = FeatureOptions::default();
    let fit = || Features::fit(&all.take(&train), &binary(), &y[..600], &options, 3).unwrap();
    let (features, matrix) = pool(1).install(fit);
    assert_eq!(pool(3).install(fit).0, features);
    assert!(matrix.row(3).iter().all(|value| value.is_nan()));
    let parts = (train.as_slice(), [others[0].as_slice(), &others[1]]);
    let (same, of_train, [first, _]) =
        Features::fit_from(all.clone(), parts, (&binary(), &y[..600], None), &options, 3).unwrap();
    assert_eq!(same, features);
    let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<u32>>();
    assert_eq!(bits(&of_train.values), bits(&matrix.values));
    // Stored, read back, and applied one cell at a time.
    let read: Features = serde_json::from_str(&serde_json::to_string_pretty(&features).unwrap()).unwrap();
    assert_eq!(read, features);
    for row in 0..50 {
        let mut one = vec![0.0; 3];
        read.encode(0, Cell::Level(&texts[600 + row]), &mut one).unwrap();
        assert_eq!(bits(&one), bits(first.row(row)));
    }
}

#[test]
fn made_up_rows_see_what_their_text_sees() {
    let (mut texts, mut y) = reviews(400, |row| drawn(row, 1, 4) == 0);
    let made: Vec<usize> = (0..400).filter(|&row| y[row] == 1.0).collect();
    for &row in &made {
        texts.push(texts[row].clone());
        y.push(1.0);
    }
    let all = table(&texts);
    let options = FeatureOptions::default();
    let (features, with) = Features::fit_with_made(&all, made.len(), (&binary(), &y, None), &options, 0).unwrap();
    let real: Vec<u32> = (0..400).collect();
    let (same, without) = Features::fit(&all.take(&real), &binary(), &y[..400], &options, 0).unwrap();
    assert_eq!(features, same);
    for (at, &row) in made.iter().enumerate() {
        let first = (0..row).find(|&other| texts[other] == texts[row]).unwrap_or(row);
        assert_eq!(with.row(400 + at), without.row(first));
    }
}

#[test]
fn names_codes_and_what_is_switched_off_are_left_out() {
    let y: Vec<f32> = (0..200).map(|row| (row % 2) as f32).collect();
    let kept =
        |texts: Vec<String>, options: &FeatureOptions| Features::fit(&table(&texts), &binary(), &y, options, 0).is_ok();
    let options = FeatureOptions::default();
    assert!(!kept((0..200).map(|row| format!("id-{row}")).collect(), &options));
    assert!(!kept((0..200).map(|row| format!("Ada Lovelace{row}")).collect(), &options));
    let (texts, _) = reviews(200, |row| row % 2 == 1);
    assert!(kept(texts.clone(), &options));
    for json in [r#"{"text": "drop"}"#, r#"{"columns": {"review": {"text": "drop"}}}"#] {
        assert!(!kept(texts.clone(), &serde_json::from_str(json).unwrap()), "{json}");
    }
    let other: FeatureOptions =
        serde_json::from_str(r#"{"text": "drop", "columns": {"review": {"text": "words"}}}"#).unwrap();
    assert!(kept(texts, &other));
}

#[test]
fn hostile_texts_are_bounded() {
    let kinds: [&dyn Fn(usize) -> String; 5] = [
        &|row| "word ".repeat(if row == 0 { 40_000 } else { 3 }),
        &|row| format!("\0\0 {row} \u{202e}\u{feff} 👍🏽👩‍👩‍👧 {}", "\u{301}".repeat(300)),
        &|row| format!("品質が悪い{}", if row % 2 == 0 { "返品" } else { "良い" }),
        &|row| (0..500).map(|at| format!("w{} ", row * 500 + at)).collect(),
        &|row| "a".repeat(50_000 + row),
    ];
    let y: Vec<f32> = (0..200).map(|row| (row % 2) as f32).collect();
    for (kind, text) in kinds.iter().enumerate() {
        let texts: Vec<String> = (0..200).map(text).collect();
        let Ok((features, _)) = Features::fit(&table(&texts), &binary(), &y, &FeatureOptions::default(), 0) else {
            assert_eq!(kind, 4, "one word alone is no text");
            continue;
        };
        let found = features.transform(&table(&texts)).unwrap();
        assert!(found.values.iter().all(|value| value.is_finite()));
        assert!(encoder(&features).n_terms() <= super::MAX_TERMS);
        if kind == 2 {
            let strongest = encoder(&features).strongest_of(0, 8);
            assert!(strongest.iter().any(|share| share.term == "返 品"), "{strongest:?}");
        }
    }
}

#[test]
fn damaged_files_are_refused() {
    let stored =
        r#"{"outputs": ["score of a"], "centres": [0], "terms": ["a", "b"], "idf": [1, 1], "weights": [1, 2]}"#;
    assert!(serde_json::from_str::<TextEncoder>(stored).is_ok());
    for (from, to) in
        [(r#""a", "b""#, r#""b", "a""#), ("[1, 2]", "[1]"), ("[1, 1]", "[1]"), ("[0]", "[]"), ("[1, 2]", "[1, 1e39]")]
    {
        let damaged = stored.replace(from, to);
        assert_ne!(damaged, stored);
        assert!(serde_json::from_str::<TextEncoder>(&damaged).is_err(), "{damaged}");
    }
}

#[test]
fn rows_about_one_thing_are_in_one_fold() {
    // Each of 60 shops has its own word and outcome, so that a shop's other rows reveal a row's outcome.
    let shop = |row: usize| row / 10;
    let texts: Vec<String> = (0..600).map(|row| format!("word{} of day {}", shop(row), drawn(row, 1, 7))).collect();
    let y: Vec<f32> = (0..600).map(|row| drawn(shop(row), 5, 2) as f32).collect();
    let groups: Vec<u64> = (0..600).map(|row| shop(row) as u64).collect();
    let outputs = |groups: Option<&[u64]>| {
        let taught = (&binary(), y.as_slice(), groups);
        let (features, _) = Features::fit_with_made(&table(&texts), 0, taught, &FeatureOptions::default(), 0).unwrap();
        encoder(&features).outputs().len()
    };
    assert_eq!((outputs(None), outputs(Some(&groups))), (1, 0));
}

#[test]
fn texts_that_give_the_target_away_are_suspected() {
    let (mut texts, y) = reviews(400, |row| drawn(row, 1, 2) == 0);
    let y: Vec<f64> = y.into_iter().map(f64::from).collect();
    let found = |texts: &[String]| {
        find_leaks(&table(texts), &binary(), &y, &[], 0).iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert!(found(&texts).is_empty());
    for (text, y) in texts.iter_mut().zip(&y) {
        text.push_str(if *y == 1.0 { " refund was paid" } else { " case is open" });
    }
    let found = found(&texts);
    assert!(found.len() == 1 && found[0].starts_with("column \"review\" alone separates the target"), "{found:?}");
}
