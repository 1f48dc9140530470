//! `monitor --preset evidently`, from two files to verdicts, against what Evidently says of the same files.

use crate::support::{Loop, oracle};
use serde_json::Value;

/// What we answer otherwise, on purpose: texts have no drift here, and `?` means missing.
const OTHERWISE: [(&str, &str); 3] = [("high_card", "uniq"), ("na_tokens", "dash"), ("na_tokens", "s")];

#[test]
fn the_preset_is_evidently() {
    let Some(folder) = oracle() else { return };
    let expected: Value = serde_json::from_slice(&std::fs::read(folder.join("expected.json")).unwrap()).unwrap();
    let work = Loop::new();
    let (mut n_columns, mut complaints) = (0, Vec::new());
    for (pair, tables) in expected["pairs"].as_object().unwrap() {
        // Where Evidently refuses the tables, there is nothing to compare with.
        let Some(columns) = tables["evidently_preset"]["columns"].as_object() else { continue };
        let [reference, current] = ["ref.csv", "cur.csv"].map(|file| folder.join(pair).join(file));
        let line = format!(
            "monitor --json --exit-zero --preset evidently --reference {} {}",
            reference.display(),
            current.display()
        );
        let report = work.run(&line).value();
        for (name, theirs) in columns.iter().filter(|(name, _)| !OTHERWISE.contains(&(pair, name))) {
            n_columns += 1;
            let ours = report["columns"].as_array().unwrap().iter().find(|column| column["name"] == **name);
            let Some(ours) = ours else {
                complaints.push(format!("{pair}/{name} is not in the report"));
                continue;
            };
            let is_distance = theirs["method"].as_str().unwrap().contains("distance");
            let found = ours[if is_distance { "statistic" } else { "p" }].as_f64().unwrap_or(f64::NAN);
            let score = theirs["score"].as_f64().unwrap();
            let drifted = ours["verdict"] == "drifted";
            if (found - score).abs() > 1e-9 * score.abs().max(1.0) || drifted != (theirs["status"] == "FAIL") {
                complaints.push(format!("{pair}/{name}: {theirs}, found {found}, {}", ours["verdict"]));
            }
        }
    }
    assert!(complaints.is_empty(), "{} of {n_columns}\n{}", complaints.len(), complaints.join("\n"));
    assert!(n_columns > 150, "{n_columns}");
}
