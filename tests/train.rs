//! From a table to a stored version and its scores.

mod exact;

use crate::support::{ERROR, Loop, YES, noise};
use serde_json::json;
use std::fs;

const CHURN: &str = include_str!("../fixtures/tables/churn.csv");

/// A loop whose `mlloop.toml` is written.
fn ready() -> Loop {
    let work = Loop::new().table("churn.csv", CHURN);
    work.run("init churn.csv").answers(YES);
    work
}

/// A loop with a version in production.
fn trained() -> Loop {
    let work = ready();
    work.run("train").answers(YES);
    work
}

/// The columns of CSV text, by name.
fn column(csv: &str, name: &str) -> Vec<String> {
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let at = reader.headers().unwrap().iter().position(|h| h == name).unwrap_or_else(|| panic!("{name} in {csv:.200}"));
    reader.records().map(|record| record.unwrap()[at].to_owned()).collect()
}

#[test]
fn init_says_what_each_column_is() {
    let work = Loop::new().table("churn.csv", CHURN);
    let said = work.run("init churn.csv").answers(YES);
    let said = said.json("/target/column", "churn").json("/target/task", "binary").json("/target/positive", "yes");
    let value = said.value();
    let kinds: Vec<(&str, &str)> = value["columns"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| (c["name"].as_str().unwrap(), c["kind"].as_str().unwrap()))
        .collect();
    assert_eq!(
        kinds,
        [
            ("customer", "id"),
            ("contract", "category"),
            ("months", "number"),
            ("internet", "category"),
            ("paperless", "category"),
            ("monthly_charge", "number"),
            ("total_charge", "number"),
            ("support_calls", "number"),
            ("churn", "category"),
        ]
    );
    assert!(value["columns"].as_array().unwrap().iter().all(|c| !c["reason"].as_str().unwrap().is_empty()));
}

#[test]
fn train_stores_a_version_that_beats_the_baseline() {
    let work = ready();
    let said = work.run("train --cv 3").answers(YES).json("/version", "v0001").json("/role", "production");
    let value = said.value();
    let metric = |name: &str| value["gate"]["metrics"][name]["value"].as_f64().unwrap();
    assert!(metric("roc_auc") > 0.7, "{}", metric("roc_auc"));
    assert!(metric("log_loss") < value["gate"]["baseline"]["metrics"]["log_loss"].as_f64().unwrap());
    assert!(value["cross_validation"]["out_of_fold"]["metrics"]["roc_auc"]["value"].as_f64().unwrap() > 0.7);
    let rows = &value["rows"];
    let count = |part: &str| rows[part].as_u64().unwrap();
    assert_eq!(count("train") + count("tune") + count("gate"), 1200);
    for file in ["model.bin", "pipeline.json", "manifest.json", "golden.csv"] {
        assert!(work.path("models/v0001").join(file).exists(), "{file}");
    }
    let gains: f64 = value["importance"].as_array().unwrap().iter().map(|i| i["gain"].as_f64().unwrap()).sum();
    assert!((gains - 1.0).abs() < 1e-9, "{gains}");
    assert!(work.read("runs/runs.jsonl").contains("\"verb\":\"train\""));
}

#[test]
fn the_second_version_is_the_challenger() {
    let work = trained();
    work.run("train --algorithm decision-tree --text").answers(YES).prints("v0002 is challenger").prints("The tree");
    let status = work.run("status").answers(YES).json("/production", "v0001").json("/challenger", "v0002");
    assert_eq!(status.value()["versions"].as_array().unwrap().len(), 2);
    work.run("predict churn.csv --model v0002 -q").answers(YES);
    work.run("predict churn.csv --model v0003").answers(ERROR).says("there is no version v0003");
}

#[test]
fn predict_adds_answers_and_keeps_the_rest_as_it_was() {
    let work = trained();
    let out = work.run("predict churn.csv").answers(YES).stdout;
    for (line, scored) in CHURN.lines().zip(out.lines()) {
        assert!(scored.starts_with(line), "{scored}");
    }
    assert_eq!(out.lines().count(), CHURN.lines().count());
    assert!(out.starts_with(
        "customer,contract,months,internet,paperless,monthly_charge,total_charge,support_calls,churn,prediction,score\n"
    ));
    let scores: Vec<f64> = column(&out, "score").iter().map(|s| s.parse().unwrap()).collect();
    assert!(scores.iter().all(|s| (0.0..=1.0).contains(s)));
    let threshold =
        serde_json::from_str::<serde_json::Value>(&work.read("models/v0001/pipeline.json")).unwrap()["threshold"]
            .as_f64()
            .unwrap();
    for (prediction, score) in column(&out, "prediction").iter().zip(scores) {
        assert_eq!(prediction, if score >= threshold { "yes" } else { "no" });
    }
}

#[test]
fn scores_into_a_closed_pipe_end_quietly() {
    let work = trained();
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_mlloop"))
        .args(["predict", "churn.csv"])
        .current_dir(work.path("."))
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8(output.stderr).unwrap().as_str()), (Some(0), ""));
}

#[test]
fn stdin_gz_and_reordered_columns_give_the_same_scores() {
    let work = trained();
    let expected = work.run("predict churn.csv --columns score").answers(YES).stdout;
    assert_eq!(work.pipe("predict - --columns score", CHURN).answers(YES).stdout, expected);
    let mut reader = csv::Reader::from_reader(CHURN.as_bytes());
    let mut turned = csv::WriterBuilder::new().delimiter(b';').from_writer(Vec::new());
    turned.write_record(reader.headers().unwrap().iter().rev().chain(["extra"])).unwrap();
    for record in reader.records() {
        turned.write_record(record.unwrap().iter().rev().chain(["x"])).unwrap();
    }
    let said = work.pipe("predict --delimiter ; --columns score", turned.into_inner().unwrap()).answers(YES);
    assert_eq!(said.stdout, expected);
}

#[test]
fn explanations_name_the_columns_that_move_the_score() {
    let work = trained();
    let out = work.run("predict churn.csv --explain 2").answers(YES).stdout;
    let strongest = column(&out, "reason_1");
    assert!(strongest.iter().filter(|c| *c == "contract" || *c == "months").count() > 600, "{strongest:?}");
    let size = |name: &str| column(&out, name).iter().map(|v| v.parse::<f64>().unwrap().abs()).collect::<Vec<_>>();
    assert!(size("contribution_1").iter().zip(size("contribution_2")).all(|(a, b)| *a >= b));
}

#[test]
fn rows_to_score_may_lack_the_target_but_no_feature() {
    let work = trained();
    let drop = |name: &str| {
        let mut reader = csv::Reader::from_reader(CHURN.as_bytes());
        let at = reader.headers().unwrap().iter().position(|h| h == name).unwrap();
        let mut out = csv::Writer::from_writer(Vec::new());
        let keep = |record: &csv::StringRecord| -> Vec<String> {
            record.iter().enumerate().filter(|(i, _)| *i != at).map(|(_, f)| f.to_owned()).collect()
        };
        out.write_record(keep(reader.headers().unwrap())).unwrap();
        reader.records().for_each(|r| out.write_record(keep(&r.unwrap())).unwrap());
        out.into_inner().unwrap()
    };
    work.pipe("predict", drop("churn")).answers(YES);
    work.pipe("predict", drop("months")).answers(ERROR).says("missing column \"months\"").says("hint: ");
}

#[test]
fn a_level_that_training_did_not_have_is_scored() {
    let work = trained();
    let unseen = CHURN.lines().take(3).collect::<Vec<_>>().join("\n").replace("monthly,", "lifelong,");
    let out = work.pipe("predict --columns score", unseen).answers(YES).stdout;
    assert_eq!(out.lines().count(), 3);
}

#[test]
fn a_bad_cell_is_named_with_its_place_and_nothing_changes() {
    let bad = CHURN.replacen(",63.90,", ",\"63,90\",", 1);
    let work = trained();
    work.write("new.csv", &bad);
    let before = work.files();
    work.run("predict new.csv -o scored.csv")
        .answers(ERROR)
        .says("new.csv: line 2, column \"monthly_charge\": \"63,90\" is not a number")
        .says("hint: ");
    assert_eq!(work.files(), before);
    let said = work.run("predict new.csv --skip-invalid --columns customer").answers(YES).says("1 row was skipped");
    assert_eq!(said.stdout.lines().count(), CHURN.lines().count() - 1);
    work.write("churn.csv", &bad);
    let before = work.files();
    work.run("train").answers(ERROR).says("line 2, column \"monthly_charge\"");
    assert_eq!(work.files(), before);
    work.run("train --skip-invalid").answers(YES).json("/version", "v0002");
}

#[test]
fn an_id_that_stands_twice_is_refused_by_name() {
    let work = ready();
    let first = CHURN.lines().nth(1).unwrap();
    work.write("churn.csv", format!("{CHURN}{first}\n"));
    work.run("train")
        .answers(ERROR)
        .says("duplicate id \"0010000\" in column \"customer\", in labelled rows 1 and 1201");
}

#[test]
fn damaged_versions_are_refused() {
    let work = trained();
    for file in ["model.bin", "pipeline.json", "golden.csv"] {
        let path = work.path("models/v0001").join(file);
        let good = fs::read(&path).unwrap();
        for damage in [good[..good.len() / 2].to_vec(), Vec::new(), [&b"\x00"[..], &good[1..]].concat()] {
            fs::write(&path, &damage).unwrap();
            work.run("predict churn.csv").answers(ERROR).says("v0001");
        }
        fs::write(&path, good).unwrap();
    }
    work.run("predict churn.csv -q").answers(YES);
    let path = work.path("models/v0001/golden.csv");
    let golden = fs::read_to_string(&path).unwrap();
    let last = golden.trim_end().rfind(',').unwrap();
    fs::write(&path, format!("{},0.123456\n", &golden[..last])).unwrap();
    work.run("predict churn.csv").answers(ERROR).says("golden.csv: was changed after v0001");
}

#[test]
fn a_version_that_its_gate_speaks_against_is_not_production_by_itself() {
    let work = ready();
    let config = work.read("mlloop.toml");
    work.write("mlloop.toml", config.replace("threshold = \"f1\"", "threshold = 1.0"));
    let said = work.run("train --text").answers(YES);
    said.prints("v0001 is not fit for production: at its threshold it predicts no gate row as positive")
        .prints("challenger, trained on");
    work.run("promote")
        .answers(ERROR)
        .says("v0001 is not fit for it: at its threshold it predicts no gate row as positive");
    // The next one that is fit becomes production without a comparison; a person may decide otherwise before.
    let other = work.copy();
    other.write("mlloop.toml", config);
    other.run("train").answers(YES).json("/version", "v0002").json("/role", "production");
    work.run("promote --override tried --by ann").answers(YES).json("/production", "v0001");
}

#[test]
fn what_shows_how_good_a_version_is_stands_beside_it() {
    let work = trained();
    let manifest: serde_json::Value = serde_json::from_str(&work.read("models/v0001/manifest.json")).unwrap();
    let names = ["importance.svg", "classification_report.txt", "confusion_matrix.csv", "curves.csv"];
    assert_eq!(manifest["artifacts"], serde_json::json!(names));
    assert!(work.read("models/v0001/importance.svg").contains("contract"));
    assert!(work.read("models/v0001/classification_report.txt").contains("f1-score"));
    let curves = work.read("models/v0001/curves.csv");
    let points: Vec<Vec<f64>> =
        curves.lines().skip(1).map(|line| line.split(',').map(|cell| cell.parse().unwrap()).collect()).collect();
    // The area under the stored points is the metric of the manifest, as far as thinned points can tell.
    let mut area = 0.0;
    let mut last = [0.0, 0.0];
    for point in &points {
        area += (point[1] - last[0]) * f64::midpoint(point[2], last[1]);
        last = [point[1], point[2]];
    }
    let told = manifest["gate"]["metrics"]["roc_auc"]["value"].as_f64().unwrap();
    assert!((area - told).abs() < 0.01, "{area} beside {told}");
    assert_eq!(last, [1.0, 1.0]);
    let matrix = work.read("models/v0001/confusion_matrix.csv");
    assert!(matrix.starts_with("true \\ predicted,no,yes\nno,"), "{matrix}");
    let counts = matrix.lines().skip(1).flat_map(|line| line.split(',').skip(1));
    let rows: f64 = counts.map(|n| n.parse::<f64>().unwrap()).sum();
    assert_eq!(Some(rows as u64), manifest["rows"]["gate"].as_u64());
}

#[test]
fn parameters_of_mlloop_toml_are_used_and_checked() {
    let work = ready();
    let config = work.read("mlloop.toml");
    let set = |text: &str| {
        work.write(
            "mlloop.toml",
            config.replace("# n_estimators = 400   # parameter names", &format!("{text}   # these")),
        );
    };
    set("n_estimators = 17\nearly_stopping_rounds = 0");
    assert_eq!(work.run("train").answers(YES).value()["model"]["rounds"], 17);
    set("n_estimators = 0");
    work.run("train").answers(ERROR).says("n_estimators");
    set("n_trees = 5");
    work.run("train").answers(ERROR).says("unknown key \"n_trees\"");
}

/// The page shows what the gate rows say of the version; a closer look shows what columns do and whether more rows would help.
#[test]
fn the_page_of_a_version_says_what_it_rests_on() {
    let rows = |n: u32| -> String {
        let row = |row: u32| {
            let (age, plan) =
                (20 + (noise(row, 1) * 50.0) as u32, ["basic", "<b>pro</b>"][(noise(row, 2) * 2.0) as usize]);
            let churn = noise(row, 3) < if age > 45 { 0.8 } else { 0.2 };
            format!(
                "k{row},{age},{plan},{},{}\n",
                f64::from(age) * 2.5 + 30.0 * noise(row, 4),
                if churn { "yes" } else { "no" }
            )
        };
        "id,age,plan,fee,churn\n".to_owned() + &(0..n).map(row).collect::<String>()
    };
    let work = Loop::new().table("ref.csv", rows(600));
    work.run("init ref.csv --target churn").answers(YES);
    let costs = work.read("mlloop.toml").replace("threshold = \"f1\"", "threshold = { cost_fp = 1, cost_fn = 5 }");
    work.write("mlloop.toml", costs);
    let fit = "--set n_estimators=30 train --quality fast";
    let manifest = work.run(fit).answers(YES).value();
    let page = work.read("reports/train_report.html");
    let value = manifest["gate"]["metrics"]["roc_auc"]["value"].as_f64().unwrap();
    for said in ["v0001 is in production", "ROC curve", "Calibration", "misses at 5 cost", "--full-report"] {
        assert!(page.contains(said), "{said}");
    }
    assert!(page.contains(&format!(">{value:.4}</td>")), "{value}");
    assert!(
        !page.contains("<b>pro") && !page.contains("<script") && !page.contains("NaN") && !page.contains('\u{fffd}')
    );
    assert!(!work.path("reports/train_report.png").exists(), "nobody looked closer");
    work.run(&format!("{fit} --full-report")).answers(YES);
    let page = work.read("reports/train_report.html");
    for said in [
        "Effect of the strongest columns",
        "mean probability of yes",
        "Would more rows help?",
        "Doubling the rows made it",
        "&lt;b&gt;pro",
    ] {
        assert!(page.contains(said), "{said}");
    }
    // Four models: of an eighth, a quarter, a half and all of the rows that are not in the gate.
    let learned = manifest["rows"]["train"].as_u64().unwrap() + manifest["rows"]["tune"].as_u64().unwrap();
    assert!(
        page.contains(&format!("with {learned}. Doubling")) || page.contains(&format!("with {} ", learned / 1000)),
        "{learned}"
    );
    assert_eq!(page.split("by number of training rows").nth(1).unwrap().matches("class=\"whisker\"").count(), 4);
    assert!(work.path("reports/train_report.png").metadata().unwrap().len() > 10_000);
    // Numbers: what was predicted against the truth.
    work.run("init ref.csv --target fee --force").answers(YES);
    work.run(fit).answers(YES);
    let page = work.read("reports/train_report.html");
    let drawn = page.split("Predicted and true numbers").nth(1).unwrap();
    assert!(
        drawn.split("</svg>").next().unwrap().matches("<circle").count() > 80 && page.contains("true minus predicted")
    );
}

#[test]
fn the_best_of_several_is_one_model_that_can_be_trained_again_and_leaves_as_one_graph() {
    let work = ready();
    let manifest =
        work.run("--set n_estimators=40 --set train.tries=3 train --quality best --budget 10m").answers(YES).value();
    let tried = manifest["search"]["tried"].as_array().unwrap();
    assert_eq!(tried.len(), 3, "{manifest}");
    let shares: f64 = tried.iter().map(|trial| trial["weight"].as_f64().unwrap()).sum();
    assert!((shares - 1.0).abs() < 1e-12);
    assert_eq!(manifest["recipe"]["search"], json!({ "tries": 3 }), "what a replay needs, and no time");
    work.run("audit replay v0001").answers(YES).json("/agrees", true);
    work.run("export --format onnx -o best.onnx").answers(YES);
    work.run("train --quality best --budget 0s").answers(ERROR).says("such as 30s");
    work.run("--set train.tries=0 train --quality best").answers(ERROR).says("tries must be at least 1");
}
