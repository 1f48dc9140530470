//! `[model.monotone]` and `[model] interactions`: what is refused, and what holds from `train` to `export` and `retrain`.

use crate::retrain;
use crate::support::{ERROR, Loop, YES};

/// Adds to `[model]`, whose last line in the file of `init` is a comment.
fn limited(work: &Loop, model: &str) {
    let toml = work.read("mlloop.toml").replace("\n[decision]", &format!("\n{model}\n[decision]"));
    work.write("mlloop.toml", toml);
}

/// By how much the score falls at most from one step of `months` to the next, for the first rows of the reference.
fn falls(work: &Loop, version: &str) -> f64 {
    let text = work.read("data/reference.csv");
    let mut lines = text.lines();
    let mut grid = format!("{}\n", lines.next().unwrap());
    for (at, line) in lines.take(20).enumerate() {
        let cells: Vec<&str> = line.split(',').collect();
        for months in (0..=70).step_by(2) {
            let mut cells: Vec<String> = cells.iter().map(|&cell| cell.to_owned()).collect();
            (cells[0], cells[2]) = (format!("g{at}-{months}"), months.to_string());
            grid += &(cells.join(",") + "\n");
        }
    }
    work.write("grid.csv", grid);
    let said = work.run(&format!("predict grid.csv --model {version}")).answers(YES);
    let mut reader = csv::Reader::from_reader(said.stdout.as_bytes());
    let at = reader.headers().unwrap().iter().position(|name| name == "score").unwrap();
    let scores: Vec<f64> = reader.records().map(|record| record.unwrap()[at].parse().unwrap()).collect();
    scores.chunks(36).flat_map(|row| row.windows(2)).map(|pair| pair[0] - pair[1]).fold(0.0, f64::max)
}

#[test]
fn a_direction_holds_through_train_export_and_retrain() {
    let work = retrain::labelled();
    assert!(falls(&work, "v0001") > 0.0, "nothing to forbid");
    // `total_charge` moves with `months` in the table, but not in the grid.
    limited(&work, "interactions = [[\"months\", \"contract\"]]\n[model.monotone]\nmonths = \"increasing\"\n");
    work.run("train").answers(YES).json("/version", "v0002");
    assert_eq!(falls(&work, "v0002"), 0.0);
    // Each export runs the graph and compares its scores with the model's.
    work.run("export --format onnx --model v0002 -o model.onnx").answers(YES);
    let manifest = work.read("models/v0002/manifest.json");
    assert!(manifest.contains("\"monotone\"") && manifest.contains("\"interactions\""), "{manifest:.3000}");
    work.run("retrain").answers(YES).json("/version", "v0003");
    assert_eq!(falls(&work, "v0003"), 0.0);
    assert!(work.read("models/v0003/manifest.json").contains("\"monotone\""));
}

#[test]
fn limits_of_other_columns_are_refused_when_the_file_is_read() {
    let work = retrain::labelled();
    let toml = work.read("mlloop.toml");
    for (model, what) in [
        (
            "[model.monotone]\nmonth = \"increasing\"",
            "[model.monotone] names \"month\", which is not a column: did you mean \"months\"?",
        ),
        ("[model.monotone]\ncontract = \"increasing\"", "a category: only a number can be monotone"),
        ("[model.monotone]\nmonths = \"up\"", "did you mean"),
        ("interactions = [[\"months\", \"contrac\"]]", "did you mean \"contract\"?"),
        ("interactions = \"all\"", "interactions must be groups of columns"),
    ] {
        limited(&work, model);
        let said = work.run("status").answers(ERROR);
        let said = if what == "did you mean" { said.says("increasing, decreasing") } else { said.says(what) };
        assert_eq!(said.stderr.trim_end().lines().count(), 1, "{}", said.stderr);
        work.write("mlloop.toml", &toml);
    }
}

#[test]
fn a_derived_feature_has_a_direction_of_its_own() {
    let work = retrain::labelled();
    limited(&work, "[model.monotone]\nmonths = \"decreasing\"\nrate = \"increasing\"\n");
    let derived = "[features.derived]\nrate = \"total_charge / max(months, 1)\"\nyears = \"months / 12\"\n\n[model]";
    work.write("mlloop.toml", work.read("mlloop.toml").replace("\n[model]", &format!("\n{derived}")));
    let said = work.run("train").answers(YES).json("/version", "v0002");
    let notes = said.value()["notes"].to_string();
    assert!(notes.contains("not the derived feature \\\"years\\\" that uses it"), "{notes}");
    assert!(!notes.contains("the derived feature \\\"rate\\\""), "{notes}");
}
