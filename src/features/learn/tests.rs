use super::*;
use crate::features::target::{Target, Task};
use crate::features::{LARGEST, Outliers};
use crate::stats::random::unit_hash;
use crate::table::Categories;

fn encoder(values: &[f64], options: &FeatureOptions) -> NumberEncoder {
    number(&Column::new("x", Values::Number(values.to_vec())), values, options).unwrap().unwrap()
}

#[test]
fn numbers_stay_as_they_are_by_default() {
    let e = encoder(&[1.0, -2.0, f64::NAN], &FeatureOptions::default());
    assert_eq!(e, NumberEncoder::default());
    assert_eq!(e.apply(-2.0), Some(-2.0));
    assert!(e.apply(f64::NAN).unwrap().is_nan());
    assert_eq!((e.apply(1e300), e.apply(f64::NEG_INFINITY)), (Some(LARGEST), Some(-LARGEST)));
}

#[test]
fn the_steps_are_learned_one_on_the_other() {
    let options = FeatureOptions {
        negative: Negative::Missing,
        clip: Clip::Iqr,
        impute: Impute::Mean,
        scale: Scale::Standard,
        ..FeatureOptions::default()
    };
    // Kept: 1 2 3 4 100; Q1 2, Q3 4, fences -1 and 7; clipped: 1 2 3 4 7, mean 3.4; -50 and NaN are filled.
    let e = encoder(&[1.0, 2.0, 3.0, 4.0, 100.0, -50.0, f64::NAN], &options);
    assert_eq!((e.clip, e.fill), (Some((-1.0, 7.0)), Some(3.4)));
    let (mean, sd) = e.scale.unwrap();
    // Squared distances from 3.4: 5.76 + 1.96 + 0.16 + 0.36 + 12.96, over 7 rows.
    assert!((mean - 3.4).abs() < 1e-12 && (sd - (21.2_f64 / 7.0).sqrt()).abs() < 1e-12, "{mean} {sd}");
    assert_eq!(e.apply(100.0), Some(((7.0 - mean) / sd) as f32));
    assert_eq!(e.apply(-50.0), e.apply(f64::NAN));
}

#[test]
fn each_negative_rule_does_what_it_says() {
    let of = |negative| NumberEncoder { negative, ..NumberEncoder::default() }.apply(-3.0);
    assert_eq!((of(Negative::Keep), of(Negative::Zero), of(Negative::Abs)), (Some(-3.0), Some(0.0), Some(3.0)));
    assert!(of(Negative::Missing).unwrap().is_nan());
    assert_eq!(of(Negative::Error), None);
    let options = FeatureOptions { negative: Negative::Error, ..FeatureOptions::default() };
    let error = number(&Column::new("x", Values::Number(vec![])), &[1.0, -3.0], &options).unwrap_err().to_string();
    assert_eq!(error, "column \"x\", row 2: -3 is negative, and the rule for this column is negative = \"error\"");
}

#[test]
fn a_column_of_one_value_is_left_out() {
    let none = |values: &[f64], options: &FeatureOptions| {
        number(&Column::new("x", Values::Number(values.to_vec())), values, options).unwrap().is_none()
    };
    let native = FeatureOptions::default();
    let filled = FeatureOptions { impute: Impute::Median, ..FeatureOptions::default() };
    assert!(none(&[2.0, 2.0], &native) && none(&[f64::NAN, f64::NAN], &native) && none(&[], &native));
    assert!(!none(&[2.0, f64::NAN], &native), "missing cells are informative");
    assert!(none(&[2.0, f64::NAN], &filled), "not after they are filled");
    assert!(none(&[f64::NAN], &filled));
    // A fence of width 0 would make most columns of counts constant.
    let clipped = FeatureOptions { clip: Clip::Iqr, ..FeatureOptions::default() };
    assert_eq!(encoder(&[0.0, 0.0, 0.0, 0.0, 9.0], &clipped).clip, None);
}

fn learned(values: &[&str], options: &FeatureOptions, y: &[f32]) -> Option<Learned> {
    let target = Target { name: "y".into(), task: Task::Binary, classes: vec!["n".into(), "p".into()] };
    let column = Column::new("c", Values::Category(Categories::from_texts(values.iter().copied())));
    learn(&column, &Outcome::new(&target, y, 1, None), options).unwrap()
}

fn one_hot_of(values: &[&str]) -> OneHotEncoder {
    match learned(values, &FeatureOptions::default(), &vec![0.0; values.len()]).unwrap().encoder {
        Encoder::OneHot(e) => e,
        other => panic!("{other:?}"),
    }
}

#[test]
fn one_hot_has_as_few_features_as_tell_the_levels_apart() {
    let e = one_hot_of(&["b", "a", "b"]);
    assert_eq!((e.hot, e.missing, e.unseen), (vec![1], false, vec![1.0]), "unseen goes with the more frequent level");
    assert_eq!(one_hot_of(&["b", "a", "a"]).unseen, [0.0]);
    let e = one_hot_of(&["b", "a", "", "c"]);
    assert_eq!((e.hot, e.missing, e.unseen), (vec![0, 1, 2], true, vec![0.0; 4]));
    let e = one_hot_of(&["a", "", "a"]);
    assert_eq!((e.hot, e.missing), (vec![0], false));
    assert!(learned(&["a", "a"], &FeatureOptions::default(), &[0.0; 2]).is_none());
}

#[test]
fn a_target_statistic_is_smoothed_and_leaves_its_own_fold_out() {
    let values: Vec<&str> = ["a", "b", "a", "", "b", "c", "a", "a"].repeat(4);
    let y: Vec<f32> = (0..values.len()).map(|i| f32::from(u8::from(i % 3 == 0))).collect();
    let options = FeatureOptions { encode: Encode::Target, smoothing: Some(2.5), ..FeatureOptions::default() };
    let learned = learned(&values, &options, &y).unwrap();
    let Encoder::TargetStatistic(e) = &learned.encoder else { panic!("{:?}", learned.encoder) };
    assert_eq!(
        (e.levels.as_slice(), e.outputs.as_slice()),
        (["a", "b", "c"].map(str::to_owned).as_slice(), ["share of p".to_owned()].as_slice())
    );
    let prior = f64::from(y.iter().sum::<f32>()) / y.len() as f64;
    let smoothed = |level: &str, keep: &dyn Fn(usize) -> bool| {
        let rows: Vec<usize> = (0..y.len()).filter(|&r| values[r] == level && keep(r)).collect();
        let sum: f64 = rows.iter().map(|&r| f64::from(y[r])).sum();
        ((sum + 2.5 * prior) / (rows.len() as f64 + 2.5)) as f32
    };
    for (slot, level) in ["a", "b", "c", ""].iter().enumerate() {
        assert_eq!(e.values[slot], smoothed(level, &|_| true), "{level:?}");
    }
    assert_eq!(e.values[4], prior as f32);
    let target = Target { name: "y".into(), task: Task::Binary, classes: vec!["n".into(), "p".into()] };
    let outcome = Outcome::new(&target, &y, 1, None);
    let Some(OutOfFold::Levels(blocks)) = &learned.out_of_fold else { panic!("target statistics have levels") };
    assert_eq!(blocks.len(), FOLDS * 5);
    for fold in 0..FOLDS {
        let keep = |r: usize| usize::from(outcome.folds()[r]) != fold;
        assert_eq!(blocks[fold * 5], smoothed("a", &keep), "fold {fold}");
        assert_eq!(blocks[fold * 5 + 3], smoothed("", &keep), "fold {fold}");
    }
}

#[test]
fn the_overall_mean_weighs_little_only_where_levels_differ_far_beyond_chance() {
    let names: Vec<String> = (0..100).map(|level| format!("z{level}")).collect();
    // Twenty rows a level; `of` computes a row's value from its level and a noise in [0, 1).
    let weight = |of: &dyn Fn(usize, f64) -> f64, task: Task| {
        let noise = |row: usize| unit_hash(&(row as u64).to_le_bytes(), 7);
        let y: Vec<f32> = (0..2000).map(|row| of(row % 100, noise(row)) as f32).collect();
        let classes = if task == Task::Binary { vec!["n".into(), "p".into()] } else { Vec::new() };
        let target = Target { name: "y".into(), task, classes };
        let outcome = Outcome::new(&target, &y, 1, None);
        let slots: Vec<u32> = (0..2000).map(|row| row % 100).collect();
        let found = target_statistic(names.clone(), slots, &outcome, None);
        let Encoder::TargetStatistic(e) = found.encoder else { panic!("no target statistic") };
        // The weight follows from the first level's statistic: (sum + a·mean)/(20 + a).
        let rows = || (0..2000).step_by(100);
        let sum: f64 = rows().map(|row| f64::from(y[row])).sum();
        let mean = y.iter().map(|y| f64::from(*y)).sum::<f64>() / 2000.0;
        (sum - 20.0 * f64::from(e.values[0])) / (f64::from(e.values[0]) - mean)
    };
    let spread = |level: usize| (level as f64 - 50.3) / 10.0;
    // σ² = 1/12, τ² = 8.3: a hundredth of a row.
    let strong = weight(&|level, noise| spread(level) + noise, Task::Regression);
    assert!(strong.abs() < 0.1, "{strong}");
    // σ² = 300, τ² = 8.3: 36 rows.
    let weak = weight(&|level, noise| spread(level) + 60.0 * noise, Task::Regression);
    assert!((20.0..80.0).contains(&weak), "{weak}");
    let chance = weight(&|_, noise| noise, Task::Regression);
    assert!(chance > 100.0, "{chance}");
    // One row in a hundred, by chance: a level with three of them is not significant.
    let rare = weight(&|_, noise| f64::from(u8::from(noise < 0.01)), Task::Binary);
    assert!(rare >= 9.9, "{rare}");
    let sure = weight(&|level, _| f64::from(u8::from(level % 2 == 0)), Task::Binary);
    assert!(sure.abs() < 0.1, "{sure}");
}

/// 200 levels of 15 rows; `share` is that of the positive rows of a level.
fn statistics_of(share: impl Fn(usize) -> f64) -> (Vec<f32>, f64) {
    let levels: Vec<String> = (0..200).map(|level| format!("{level:03}")).collect();
    let values: Vec<&str> = (0..3000).map(|row| levels[row % 200].as_str()).collect();
    let chance = |row: usize| crate::stats::random::unit_hash(&(row as u64).to_le_bytes(), 5);
    let y: Vec<f32> = (0..3000).map(|row| f32::from(u8::from(chance(row) < share(row % 200)))).collect();
    let options = FeatureOptions { encode: Encode::Target, ..FeatureOptions::default() };
    let learned = learned(&values, &options, &y).unwrap();
    let Encoder::TargetStatistic(e) = learned.encoder else { panic!() };
    (e.values[..200].to_vec(), f64::from(y.iter().sum::<f32>()) / 3000.0)
}

#[test]
fn levels_that_do_not_differ_have_no_statistics_of_their_own() {
    let spread =
        |values: &[f32], mean: f64| (values.iter().map(|v| (f64::from(*v) - mean).powi(2)).sum::<f64>() / 200.0).sqrt();
    // One row in fifty is positive in every level: with a weight of 10 rows levels would spread by .02.
    let (values, mean) = statistics_of(|_| 0.02);
    assert!(spread(&values, mean) < 0.004, "{}", spread(&values, mean));
    // A tenth of the levels is different.
    let (values, mean) = statistics_of(|level| if level % 10 == 0 { 0.6 } else { 0.02 });
    let of = |keep: fn(usize) -> bool| {
        let own: Vec<f64> = values.iter().enumerate().filter(|(at, _)| keep(*at)).map(|(_, v)| f64::from(*v)).collect();
        own.iter().sum::<f64>() / own.len() as f64
    };
    assert!(of(|at| at % 10 == 0) > 0.35 && of(|at| at % 10 > 0) < 0.06, "{mean}");
}

#[test]
fn numbers_are_brought_between_0_and_1() {
    let minmax = FeatureOptions { scale: Scale::Minmax, ..FeatureOptions::default() };
    let e = encoder(&[3.0, 7.0, f64::NAN, 5.0], &minmax);
    assert_eq!((e.apply(3.0), e.apply(7.0), e.apply(4.0), e.apply(9.0)), (Some(0.0), Some(1.0), Some(0.25), Some(1.5)));
    assert!(e.apply(f64::NAN).unwrap().is_nan());
    let toml: FeatureOptions = toml::from_str("scale = \"minmax\"\noutliers = \"drop\"").unwrap();
    assert_eq!((toml.scale, toml.outliers), (Scale::Minmax, Outliers::Drop));
}

#[test]
fn numbers_far_from_0_have_a_scale_that_tells_them_apart() {
    let told_apart = |at: f64, step: f64| {
        let values: Vec<f64> = (0..50).map(|k| at + step * f64::from(k)).collect();
        let e = encoder(&values, &FeatureOptions::default());
        let features: Vec<f32> = values.iter().map(|&v| e.apply(v).unwrap()).collect();
        assert!(features.is_sorted_by(|a, b| a < b), "{at} + {step}k");
        e.scale.is_some()
    };
    assert!(told_apart(1.7e12, 1000.0) && told_apart(-1e9, 1.0) && told_apart(1.0, 1e-9) && told_apart(1e-46, 1e-46));
    assert!(!told_apart(0.0, 1.0) && !told_apart(1e6, 1e4) && !told_apart(1e-30, 1e-31));
    // A very large number does not change the others.
    assert_eq!(
        encoder(&[0.5, 1.5, f64::NAN, f64::INFINITY, 1e30], &FeatureOptions::default()),
        NumberEncoder::default()
    );
}
