//! Rare classes, duplicate rows, repeated ids: how `fit` handles real tables.

use super::{Decision, Examples, Fitted, Imbalance, PipelineError, Quality, Recipe, SplitSpec, TargetSpec, fit};
use crate::features::derive::{Definition, Definitions};
use crate::features::{FeatureOptions, Outliers};
use crate::model::Params;
use crate::score::{Metric, doubts};
use crate::stats::random::unit_hash;
use crate::table::{Categories, Column, ColumnSpec, Dialect, Kind, Schema, Table, Texts, Values};
use std::borrow::Cow;

/// Pseudo-random noise.
fn noise(row: usize, salt: u64) -> f64 {
    unit_hash(&(row as u64).to_le_bytes(), salt)
}

struct Rows {
    n: usize,
    model: Params,
    columns: Vec<(&'static str, Kind, Values)>,
    features: FeatureOptions,
    decision: Decision,
    quality: Quality,
}

impl Rows {
    /// `n` rows with an id column.
    fn new(n: usize) -> Self {
        let ids: Vec<String> = (0..n).map(|row| format!("k{row:06}")).collect();
        let ids = Values::Text(ids.iter().map(String::as_str).collect::<Texts>());
        let (model, features, decision, quality) = Default::default();
        Self { n, model, columns: vec![("id", Kind::Id, ids)], features, decision, quality }
    }

    fn number(mut self, name: &'static str, value: impl Fn(usize) -> f64) -> Self {
        self.columns.push((name, Kind::Number, Values::Number((0..self.n).map(value).collect())));
        self
    }

    fn learn(self) -> Result<Fitted, PipelineError> {
        let spec = |name: &str, kind| ColumnSpec::new(name, kind);
        let columns = self.columns.iter().map(|(name, kind, _)| spec(name, *kind)).collect();
        let schema = Schema { dialect: Dialect::default(), columns };
        let recipe = Recipe {
            target: TargetSpec { column: "y".to_owned(), task: None, positive: None, ..Default::default() },
            split: SplitSpec::default(),
            features: self.features,
            model: self.model,
            decision: self.decision,
            quality: self.quality,
            search: Default::default(),
            weight: None,
        };
        let table = Table::new(self.columns.into_iter().map(|(name, _, values)| Column::new(name, values)).collect())?;
        let examples = Examples::new(table, &schema, &recipe)?;
        fit(Cow::Owned(examples), &schema, &recipe, 0, &|_, _, _| {})
    }
}

fn noted(fitted: &Fitted, text: &str) -> bool {
    fitted.notes.iter().any(|note| note.contains(text))
}

#[test]
fn twenty_frauds_among_2000_rows_are_learned() {
    let fraud = |row: usize| row % 100 == 37;
    let fitted = Rows::new(2000)
        .number("a", |row| noise(row, 1))
        .number("scenario", |row| if fraud(row) { 1.0 + (row % 3) as f64 } else { 0.0 })
        .number("b", |row| noise(row, 2))
        .number("y", |row| f64::from(u8::from(fraud(row))))
        .learn()
        .unwrap();
    let gate = fitted.gate.as_ref().unwrap();
    assert_eq!((gate.metrics.value(Metric::RocAuc), gate.metrics.value(Metric::F1)), (Some(1.0), Some(1.0)));
    // A perfect result on a few frauds is weak evidence.
    let recall = gate.metrics.get(Metric::F1).unwrap();
    assert!(recall.low.unwrap() < 0.95, "{recall:?}");
    assert_eq!(fitted.importance[0].column, "scenario");
    assert!(noted(&fitted, "\"scenario\" alone separates the target"));
    assert!(doubts(gate).grave.is_empty());
}

#[test]
fn a_tail_that_is_fraud_is_found() {
    // Of 20 000 amounts the 40 above 240 are fraud, the others are below 220; a bin of equal counts holds 80. The cut
    // is half-way between the last honest and the first fraudulent amount seen.
    let amount = |row: usize| if row % 500 == 3 { 240.0 + 60.0 * noise(row, 1) } else { 219.9 * noise(row, 2) };
    let fitted = Rows::new(20_000)
        .number("amount", amount)
        .number("a", |row| noise(row, 3))
        .number("y", |row| f64::from(u8::from(row % 500 == 3)))
        .learn()
        .unwrap();
    let gate = fitted.gate.as_ref().unwrap();
    assert!(gate.metrics.value(Metric::PrAuc).unwrap() > 0.99, "{:?}", gate.metrics);
}

#[test]
fn one_row_of_a_class_is_refused_and_few_are_said() {
    let of = |n: usize| {
        let table = Rows::new(300).number("a", |row| noise(row, 1)).number("b", |row| noise(row, 2));
        table.number("y", move |row| f64::from(u8::from(row < n))).learn()
    };
    let error = of(1).unwrap_err().to_string();
    assert!(error.starts_with("column \"y\" is \"1\" in 1 of 300 labelled rows"), "{error}");
    let fitted = of(3).unwrap();
    assert!(noted(&fitted, "column \"y\" is \"1\" in 3 of 300 labelled rows"));
    // A constant score is not a model, and its threshold does not call every row positive.
    assert!(!doubts(fitted.gate.as_ref().unwrap()).grave.is_empty());
    let all_called = |fitted: &Fitted| {
        let scores = &fitted.scores.values;
        let alerts = scores.iter().filter(|s| **s >= fitted.pipeline.threshold.unwrap()).count();
        alerts * 4 >= scores.len() * 3
    };
    assert!(!all_called(&fitted));
    // The folds of five positives have other score levels than all rows.
    for first in [3, 17, 55] {
        let table = Rows::new(400).number("a", |row| 6.0 * noise(row, 7) - 3.0);
        let fitted = table.number("y", move |row| f64::from(u8::from(row % 80 == first))).learn().unwrap();
        assert!(!all_called(&fitted), "{first}: {:?}", fitted.pipeline.threshold);
    }
}

#[test]
fn copies_under_new_ids_are_counted_at_the_gate() {
    let of = |copies: usize| {
        let table = Rows::new(600).number("a", move |row| noise(row / copies, 1));
        let table = table.number("b", move |row| noise(row / copies, 2));
        table.number("y", move |row| 10.0 * noise(row / copies, 3)).learn().unwrap()
    };
    let fitted = of(10);
    assert!(noted(&fitted, "gate rows are copies of training rows"), "{:?}", fitted.notes);
    assert!(noted(&fitted, "[split] by = \"row\""));
    assert!(!noted(&of(1), "copies"));
}

#[test]
fn an_id_that_repeats_is_no_feature() {
    let fitted = Rows::new(600)
        .number("policy_number", |row| ((row.min(596) * 7_919) % 100_003) as f64)
        .number("a", |row| noise(row, 1))
        .number("y", |row| f64::from(u8::from(noise(row, 1) > 0.5)))
        .learn()
        .unwrap();
    assert_eq!(fitted.importance.len(), 1);
    assert!(noted(&fitted, "column \"policy_number\" is left out: whole numbers, 597 distinct in 600 rows"));
}

#[test]
fn every_row_that_is_not_in_the_gate_teaches() {
    let of = |quality| {
        // No line fits it, so the first tree is a boosted one.
        let mut table = Rows::new(500).number("a", |row| noise(row, 1)).number("y", |row| (12.0 * noise(row, 1)).sin());
        table.quality = quality;
        let fitted = table.learn().unwrap();
        // With squared loss, a cover is a number of rows: each tree gets .8 of the training rows.
        let trees = fitted.pipeline.model.trees().unwrap();
        let crate::model::Node::Branch { cover, .. } = trees[0].nodes[0] else { panic!("a stump at least") };
        (f64::from(cover) / 0.8, fitted.parts)
    };
    let (rows, parts) = of(Quality::Standard);
    let learned = (parts.train.len() + parts.tune.len()) as f64;
    assert!((rows / learned - 1.0).abs() < 0.1, "{rows} of {learned}");
    let (rows, parts) = of(Quality::Fast);
    assert!(rows < parts.train.len() as f64 * 1.1 && parts.tune.len() > 50, "{rows} of {}", parts.train.len());
}

#[test]
fn rounds_that_nothing_may_stop_are_all_grown() {
    let rounds = |params: Params| {
        let mut table = Rows::new(300).number("a", |row| noise(row, 1)).number("y", |row| 3.0 * noise(row, 2));
        table.model = params;
        table.learn().unwrap().pipeline.model.rounds()
    };
    let of = |stop| Params { n_estimators: Some(40), early_stopping_rounds: stop, ..Params::default() };
    assert_eq!(rounds(of(Some(0))), 40);
    // The target has no signal.
    assert!(rounds(of(Some(5))) < 40);
    assert_eq!(
        rounds(Params { algorithm: crate::model::Algorithm::RandomForest, n_estimators: Some(7), ..of(None) }),
        1
    );
}

#[test]
fn targets_that_32_bits_cannot_tell_apart_are_learned_in_64() {
    let of = |base: f64, step: f64| {
        let mut table = Rows::new(400).number("a", |row| noise(row, 1)).number("b", |row| noise(row, 2));
        table.model = Params { n_estimators: Some(50), learning_rate: Some(0.1), ..Params::default() };
        table.number("y", move |row| base + step * (5.0 * noise(row, 1) + noise(row, 2))).learn().unwrap()
    };
    let usual = of(0.0, 1.0);
    let r2 = |fitted: &Fitted| fitted.gate.as_ref().unwrap().metrics.value(Metric::R2).unwrap();
    assert!(r2(&usual) > 0.95, "{}", r2(&usual));
    for (base, step) in [(1e8, 1.0), (-1e12, 3.0), (1.0, 1e-9)] {
        let fitted = of(base, step);
        assert!((r2(&fitted) - r2(&usual)).abs() < 0.003, "{base} {step}: {}", r2(&fitted));
        let mae = fitted.gate.as_ref().unwrap().metrics.value(Metric::Mae).unwrap() / step;
        assert!(
            (mae - usual.gate.as_ref().unwrap().metrics.value(Metric::Mae).unwrap()).abs() < 0.02,
            "{base} {step}: {mae}"
        );
        // Contributions are in the target's unit, and sum to differences of scores.
        let (scores, why) = fitted.pipeline.score_and_explain(&fitted.golden, 2).unwrap();
        let sum = |row: usize| why[row].iter().map(|one| one.value).sum::<f64>();
        for row in 1..20 {
            let apart = scores.values[row] - scores.values[0] - (sum(row) - sum(0));
            assert!(apart.abs() < 1e-5 * step.max(base.abs() * 1e-10), "{base} {step}: {apart}");
        }
        let graph = fitted.pipeline.to_onnx().unwrap();
        fitted.pipeline.agrees(&graph, &fitted.golden).unwrap();
        let dir = tempfile::tempdir().unwrap();
        fitted.pipeline.save(dir.path(), &fitted.golden).unwrap();
        let loaded = super::Pipeline::load(dir.path()).unwrap();
        assert_eq!(loaded.score(&fitted.golden).unwrap(), scores);
    }
    // The variation is lost even in 64 bits.
    assert!(noted(&of(1e16, 100.0), "subtract a constant from the column"));
    assert!(!noted(&of(1e12, 1.0), "subtract a constant"));
    // A target that fits 32 bits is stored without a scale.
    assert!(usual.pipeline.scale.is_identity());
}

/// One value in several spellings has one score, in the graph as in the version.
#[test]
fn a_graph_scores_spelt_cells_as_the_version_does() {
    let level = |row: usize| (row * 7919 % 2, row * 31 % 3);
    let texts = |text: &dyn Fn(usize) -> &'static str| {
        let all: Vec<&str> = (0..400).map(text).collect();
        Values::Category(Categories::from_texts(all.iter().copied()))
    };
    let mut table = Rows::new(400).number("a", |row| noise(row, 1));
    table.columns.push(("flag", Kind::Category, texts(&|row| ["False", "True"][level(row).0])));
    table.columns.push(("code", Kind::Category, texts(&|row| ["1", "2", "X"][level(row).1])));
    let value = |row: usize| 3.0 * level(row).0 as f64 + 2.0 * level(row).1 as f64 + noise(row, 2);
    let Fitted { pipeline, golden, .. } = table.number("y", value).learn().unwrap();
    let (graph, plain) = (pipeline.to_onnx().unwrap(), pipeline.score(&golden).unwrap());
    let spread = plain.values.iter().fold(0.0_f64, |most, score| most.max((score - plain.values[0]).abs()));
    assert!(spread > 3.0, "{spread}");
    for spelt in [
        [("False", "FALSE"), ("True", "true"), ("1", "1.0"), ("2", "2.00E+00"), ("X", "x")],
        [("False", "no"), ("True", "Yes"), ("1", "+1"), ("2", "2e0"), ("X", "X ")],
        [("False", "0"), ("True", "1"), ("1", "1."), ("2", " 2"), ("X", "X\u{a0}")],
    ] {
        let column = |column: &Column| {
            let Values::Category(levels) = &column.values else { return column.clone() };
            let names = if column.name == "flag" { &spelt[..2] } else { &spelt[2..] };
            let spell =
                |row| names.iter().find(|(name, _)| Some(*name) == levels.level(row)).map_or("", |(_, text)| text);
            let texts: Vec<&str> = (0..levels.codes.len()).map(spell).collect();
            Column::new(&column.name, Values::Category(Categories::from_texts(texts.iter().copied())))
        };
        let rows = Table::new(golden.columns().iter().map(column).collect()).unwrap();
        assert_eq!(pipeline.score(&rows).unwrap(), plain, "{spelt:?}");
        pipeline.agrees(&graph, &rows).unwrap_or_else(|err| panic!("{spelt:?}: {err}"));
    }
}

#[test]
fn rows_with_outliers_are_dropped_and_counted() {
    let of = |outliers| {
        let mut table = Rows::new(500)
            .number("a", |row| if row % 50 == 0 { 1000.0 } else { noise(row, 1) })
            .number("y", |row| f64::from(u8::from(noise(row, 1) > 0.5)));
        table.features.outliers = outliers;
        table.learn().unwrap()
    };
    let (kept, dropped) = (of(Outliers::Keep), of(Outliers::Drop));
    let learned = |fitted: &Fitted| fitted.parts.train.len() + fitted.parts.tune.len();
    let n = learned(&kept) - learned(&dropped);
    assert!(n >= 5 && kept.parts.gate == dropped.parts.gate, "{n}");
    assert!(noted(
        &dropped,
        &format!("outliers: {n} of {} rows are not used for training (\"a\" in {n})", learned(&kept))
    ));
    assert!(!noted(&kept, "outliers"));
    assert!(noted(&of(Outliers::Clip), "have clipped numbers"));
}

#[test]
fn made_up_rows_do_not_count_in_statistics_of_groups() {
    let mut rows = Rows::new(600)
        .number("g", |row| (row % 3) as f64)
        .number("v", |row| noise(row, 1))
        .number("y", |row| f64::from(u8::from(row % 10 == 0)));
    let definition =
        |name: &str, expression: &str| Definition { name: name.to_owned(), expression: expression.to_owned() };
    rows.features.derived = Definitions(vec![definition("n", "count() by g"), definition("w", "v * 2")]);
    rows.features.drop = vec!["g".to_owned(), "v".to_owned()];
    rows.decision.imbalance = Imbalance::Smote;
    let fitted = rows.learn().unwrap();
    let groups = vec![
        Column::new("g", Values::Number(vec![0.0, 1.0, 2.0])),
        Column::new("v", Values::Number(vec![0.5, 0.5, 0.5])),
    ];
    let computed = fitted.pipeline.features.derived().columns(&Table::new(groups).unwrap()).unwrap();
    let Values::Number(counts) = &computed[0].values else { panic!("{computed:?}") };
    let n_real = fitted.parts.train.len() + fitted.parts.tune.len();
    assert_eq!(counts.iter().sum::<f64>(), n_real as f64, "{counts:?}");
}
