//! Columns of free text, from `init` to `monitor`.

use crate::serve::client::Server;
use crate::support::{ERROR, Loop, NO, YES, noise};
use serde_json::{Value, json};

const PLAIN: [&str; 10] = ["seat", "flight", "crew", "bags", "meal", "gate", "plane", "hour", "line", "cabin"];

/// What a row's text says, where it is bad or not.
fn review(row: u32, bad: bool, plain: &[&str]) -> String {
    let word = |at: u32| plain[(noise(row, 10 + at) * plain.len() as f64) as usize];
    let says = match (bad == (noise(row, 2) < 0.85), noise(row, 3) < 0.5) {
        (true, true) => "terrible",
        (true, false) => "never again",
        (false, true) => "lovely",
        (false, false) => "well done",
    };
    format!("{} {} {says} {} {} {}", word(0), word(1), word(2), word(3), word(4))
}

fn table(first: u32, n: u32, plain: &[&str], bad: impl Fn(u32) -> bool, told: impl Fn(u32) -> bool) -> String {
    let row = |row: u32| {
        let label = if bad(row) { "bad" } else { "good" };
        format!("{row},{:.2},\"{}\",{label}\n", 50.0 + 100.0 * noise(row, 4), review(row, told(row), plain))
    };
    "id,price,review,mood\n".to_owned() + &(first..first + n).map(row).collect::<String>()
}

fn is_bad(row: u32) -> bool {
    noise(row, 1) < 0.5
}

fn review_of<'a>(list: &'a Value, key: &str) -> &'a Value {
    list.as_array().unwrap().iter().find(|entry| entry[key] == "review").unwrap()
}

#[test]
fn texts_teach_explain_and_are_watched() {
    let work = Loop::new().table("ref.csv", table(0, 1_400, &PLAIN, is_bad, is_bad));
    let said = work.run("init ref.csv --target mood").answers(YES).value();
    assert_eq!(said["columns"].as_array().unwrap().iter().find(|c| c["name"] == "review").unwrap()["kind"], "text");
    let trained = work.run("train --now 2026-01-01T00:00:00Z --json").answers(YES).value();
    // Six rows in seven say it.
    let area = trained["gate"]["metrics"]["roc_auc"]["value"].as_f64().unwrap();
    assert!((0.75..0.95).contains(&area), "{area}");
    let words = &review_of(&trained["importance"], "column")["words"];
    let terms: Vec<&str> = words.as_array().unwrap().iter().map(|word| word["term"].as_str().unwrap()).collect();
    assert!(terms.contains(&"terrible") && terms.contains(&"lovely"), "{terms:?}");
    assert!(work.read("models/v0001/importance.svg").contains("terrible"));

    // Reasons name words, in files and over HTTP, and both give the same score.
    work.write("new.csv", "id,price,review\nn1,80,Terrible seat and crew\nn2,80,\n");
    let lines = work.run("predict new.csv --explain 1 --format jsonl").answers(YES).stdout;
    let first: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    assert_eq!(first["reason_1"], "review");
    assert!(first["words_1"].as_str().unwrap().starts_with("terrible "), "{first}");
    let mut server = Server::start(&work, "");
    let row = json!({ "id": "n1", "price": 80, "review": "Terrible seat and crew" }).to_string();
    let (status, answer) = server.client().post("/predict?explain=1", &row).unwrap();
    assert_eq!((status, &answer["contributions"][0]["words"][0]["term"]), (200, &json!("terrible")), "{answer}");
    let apart = answer["score"].as_f64().unwrap() - first["score"].as_f64().unwrap();
    assert!(apart.abs() < 1e-6, "{answer} {first}");
    server.stop();

    let refused = work.run("export --format onnx -o x.onnx").answers(ERROR);
    assert!(refused.stderr.contains("\"review\"") && refused.stderr.lines().count() == 1, "{}", refused.stderr);

    // The same words are no drift; others are, and are named.
    let quiet = "[monitor.triggers]\nnew_rows = false\nrecent_accuracy = false\nmetric_drop = false\n";
    work.write("mlloop.toml", format!("{}\n{quiet}", work.read("mlloop.toml")));
    let monitor = |table: String| {
        work.write("current.csv", table);
        work.run("monitor current.csv --formats json --now 2026-01-02T00:00:00Z")
    };
    let found =
        |report: &Value| report["findings"].as_array().unwrap().iter().find(|f| f["kind"] == "vocabulary").cloned();
    let calm = monitor(table(5_000, 400, &PLAIN, is_bad, is_bad)).answers(NO).value();
    assert_eq!(found(&calm), None);
    let columns: Vec<&str> = calm["columns"].as_array().unwrap().iter().map(|c| c["name"].as_str().unwrap()).collect();
    assert!(columns.contains(&"review (score of bad)") && columns.contains(&"review (unseen words)"), "{columns:?}");
    let other = ["seat", "flight", "crew", "bags", "meal", "gate", "plane", "hour", "chatbot", "voucher"];
    let report = monitor(table(5_000, 400, &other, is_bad, is_bad)).answers(YES).value();
    let finding = found(&report).unwrap();
    let text = finding["text"].as_str().unwrap();
    assert!(finding["column"] == "review" && text.contains("\"chatbot\"") && text.contains("\"voucher\""), "{text}");
    // Texts that say something else are drift without a new word.
    let report = monitor(table(5_000, 400, &PLAIN, |_| true, |_| true)).value();
    let score = report["columns"].as_array().unwrap().iter().find(|c| c["name"] == "review (score of bad)").unwrap();
    assert_eq!((&score["verdict"], found(&report)), (&json!("drifted"), None));

    // Switched off, the other columns alone teach.
    work.write("mlloop.toml", work.read("mlloop.toml").replacen("[features]", "[features]\ntext = \"drop\"", 1));
    let without = work.run("train --now 2026-01-03T00:00:00Z --json").answers(YES).value();
    assert!(without["importance"].as_array().unwrap().iter().all(|c| c["column"] != "review"));
}

#[test]
fn texts_without_meaning_promise_nothing() {
    let chance = |row: u32| noise(row, 99) < 0.5;
    let work = Loop::new().table("ref.csv", table(0, 900, &PLAIN, chance, is_bad));
    work.run("init ref.csv --target mood").answers(YES);
    let trained = work.run("train --now 2026-01-01T00:00:00Z --json").answers(YES).value();
    let area = &trained["gate"]["metrics"]["roc_auc"];
    assert!(area["low"].as_f64() < Some(0.5) && area["high"].as_f64() > Some(0.5), "{area}");
    assert_eq!(review_of(&trained["importance"], "column")["words"], Value::Null);
}
