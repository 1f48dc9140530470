//! The same numbers everywhere: on any number of threads, and of values that 32 bits cannot hold.

use super::{column, ready};
use crate::serve::client::Server;
use crate::support::{Loop, YES, noise};
use serde_json::json;
use std::fs;

#[test]
fn same_input_and_seed_give_the_same_bytes_on_any_number_of_threads() {
    let bytes = |threads: u32, algorithm: &str| {
        let work = ready();
        work.run(&format!("train --algorithm {algorithm} --threads {threads} --now 2026-01-01T00:00:00Z")).answers(YES);
        ["model.bin", "pipeline.json", "manifest.json", "golden.csv"]
            .map(|file| fs::read(work.path("models/v0001").join(file)).unwrap())
    };
    for algorithm in ["gradient-boosting", "random-forest", "decision-tree"] {
        assert!(bytes(1, algorithm) == bytes(4, algorithm), "{algorithm}");
    }
}

/// Beyond 50 000 rows to learn from, the table is given up column by column and its tune rows do not teach.
#[test]
fn a_table_that_is_given_up_while_it_is_learned_gives_the_same_bytes_on_any_number_of_threads() {
    let mut table = "size,city,day,y\n".to_owned();
    for n in 0..66_000_u64 {
        let mixed = n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20;
        let (size, city, noise) = (mixed % 1000, mixed / 1000 % 30, mixed / 30_000 % 500);
        let size_or_none = if noise == 0 { String::new() } else { size.to_string() };
        let yes = u8::from(size + 20 * city + noise > 1000);
        table.push_str(&format!("{size_or_none},city {city},2026-01-{:02},{yes}\n", 1 + n % 28));
    }
    let ready = Loop::new().table("t.csv", table);
    ready.run("init t.csv --target y").answers(YES);
    let config = ready.read("mlloop.toml");
    ready.write("mlloop.toml", config.replace("# n_estimators = 400 ", "n_estimators = 8 "));
    let bytes = |threads: u32| {
        let work = ready.copy();
        let said = work.run(&format!("train --threads {threads} --now 2026-03-01T00:00:00Z")).answers(YES).value();
        let count = |part: &str| said["rows"][part].as_u64().unwrap();
        assert!(count("train") + count("tune") > 50_000 && count("gate") > 3_000, "{}", said["rows"]);
        let auc = said["gate"]["metrics"]["roc_auc"]["value"].as_f64().unwrap();
        assert!(auc > 0.9, "{auc}");
        ["model.bin", "pipeline.json", "manifest.json", "golden.csv", "profile.json", "scores.json"]
            .map(|file| fs::read(work.path("models/v0001").join(file)).unwrap())
    };
    let one = bytes(1);
    assert!(bytes(2) == one);
    assert!(bytes(5) == one);
}

/// A target of 1e12 and more, of which 32 bits know steps of 65 536: each way to a prediction has the digits of the target.
#[test]
fn a_target_that_32_bits_cannot_hold_is_predicted_in_64_everywhere() {
    let value = |row: u32| 1e12 + 5.0 * f64::from(row % 40) + 0.1 * noise(row, 1);
    let rows = |first: u32, n: u32| -> String {
        let row = |row: u32| format!("k{row},{},{},{}\n", row % 40, (noise(row, 2) * 100.0) as u32, value(row));
        "id,a,b,y\n".to_owned() + &(first..first + n).map(row).collect::<String>()
    };
    let work = Loop::new().table("ref.csv", rows(0, 600)).table("new.csv", rows(5_000, 120));
    work.run("init ref.csv --target y").answers(YES);
    let trained = work
        .run("--set n_estimators=150 --set learning_rate=0.1 train --quality fast --algorithm gradient-boosting")
        .answers(YES)
        .value();
    let r2 = trained["gate"]["metrics"]["r2"]["value"].as_f64().unwrap();
    assert!(r2 > 0.99, "{r2}");
    // In a file as CSV and as Parquet's numbers, and from a server, one by one and together.
    let predicted = work.run("predict new.csv").answers(YES).stdout;
    let (ids, told) = (column(&predicted, "id"), column(&predicted, "prediction"));
    for (at, told) in told.iter().enumerate() {
        let miss = told.parse::<f64>().unwrap() - value(5_000 + at as u32);
        assert!(miss.abs() < 15.0 && told.len() < 25, "{} {told}: {miss}", ids[at]);
    }
    let mut server = Server::start(&work, "");
    let request = |row: u32| json!({ "a": row % 40, "b": (noise(row, 2) * 100.0) as u32 });
    let (_, one) = server.client().post("/predict", &request(5_000).to_string()).unwrap();
    assert_eq!(one["prediction"].to_string(), told[0]);
    let (_, many) =
        server.client().post("/predict", &json!({ "rows": [request(5_000), request(5_001)] }).to_string()).unwrap();
    assert_eq!(many["predictions"][1]["prediction"].to_string(), told[1]);
    server.stop();
    // The graph gives the golden rows what the version gives them, or export refuses.
    work.run("export --format onnx -o y.onnx").answers(YES);
    assert!(work.run("export --format xgboost -o y.json").answers(YES).stderr.contains("multiply by"));
    // What is measured later has those digits too.
    let watched = work.run("monitor new.csv --formats json").value();
    let metrics = watched["performance"]["metrics"].to_string();
    let r2 = watched["performance"]["metrics"].as_array().unwrap().iter().find(|m| m["name"] == "r2").unwrap();
    assert!(r2["value"].as_f64().unwrap() > 0.99, "{metrics}");
}

/// Instants in milliseconds, which 32 bits know in steps of two minutes, and numbers that are too large or too small for
/// them: what differs is told apart, also by a graph. One odd number among usual ones changes nothing for these.
#[test]
fn a_feature_that_32_bits_cannot_hold_is_told_apart_everywhere() {
    type Cell<'a> = &'a dyn Fn(u32, u64) -> String;
    let cells: [(&str, Cell); 4] = [
        ("tick", &|_, second| (1_700_000_000_000 + 1000 * second).to_string()),
        ("large", &|_, second| format!("{second}e300")),
        ("small", &|_, second| format!("{second}e-310")),
        ("odd", &|row, second| if row == 7 { "1e200".into() } else { second.to_string() }),
    ];
    for (name, cell) in cells {
        let rows = |first: u32, n: u32| -> String {
            let row = |row: u32| {
                let second = (noise(row, 3) * 60.0) as u64;
                let late = ["yes", "no"][(second / 30) as usize];
                format!("k{row},{},{},{late}\n", cell(row, second), noise(row, 2))
            };
            format!("id,{name},b,late\n") + &(first..first + n).map(row).collect::<String>()
        };
        let work = Loop::new().table("ref.csv", rows(0, 600)).table("new.csv", rows(5_000, 120));
        work.run("init ref.csv --target late").answers(YES);
        let native = format!("--set features.columns.{name}.impute=\"native\"");
        work.run(&format!("{native} --set n_estimators=60 train --quality fast")).answers(YES);
        let predicted = work.run("predict new.csv").answers(YES).stdout;
        assert_eq!(column(&predicted, "prediction"), column(&rows(5_000, 120), "late"), "{name}");
        work.run("export --format onnx -o late.onnx").answers(YES);
    }
}
