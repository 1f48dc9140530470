//! Derived features: declared once, the same in every verb.

use crate::serve::client::Server;
use crate::support::{ERROR, Loop, YES, noise};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Accounts of which those are late whose balance is large for their type: no single column says it.
fn accounts(first: u32, n: u32, scale: f64) -> String {
    let types = [("cash", 100.0), ("asset", 10_000.0), ("debt", 1e6), ("", 50.0)];
    let row = |row: u32| {
        let (kind, size) = types[(noise(row, 1) * 3.9) as usize];
        let share = noise(row, 2);
        let balance = if noise(row, 3) < 0.05 { String::new() } else { format!("{:.2}", size * (0.5 + share) * scale) };
        let (month, day) = (1 + (noise(row, 4) * 12.0) as u32, 1 + (noise(row, 5) * 28.0) as u32);
        let opened = if noise(row, 6) < 0.05 {
            String::new()
        } else {
            format!("2025-{month:02}-{day:02}T{:02}:30:00+02:00", row % 24)
        };
        let notes = ["", "ok", "check again", "überfällig, mahnen"][(noise(row, 7) * 4.0) as usize];
        let late = if share + 0.2 * noise(row, 8) > 0.85 { "yes" } else { "no" };
        format!("A{row},{kind},{balance},{opened},\"{notes}\",{late}\n")
    };
    "id,type,balance,opened,notes,late\n".to_owned() + &(first..first + n).map(row).collect::<String>()
}

const COLUMNS: &str = "[columns]\nid = \"id\"\ntype = \"category\"\nbalance = \"number\"\n\
    opened = { kind = \"time\", format = \"iso\" }\nnotes = \"text\"\nlate = \"category\"\n";

const DERIVED: &str = "[features]\ndrop = [\"opened\"]\n[features.derived]\nof_type = \"balance / mean(balance) by type\"\n\
    log_balance = \"log1p(abs(balance))\"\nage = \"floor(days_between(opened, date('2026-01-01')))\"\n\
    words = \"length(notes)\"\nis_late_note = \"contains(lower(notes), 'mahnen')\"\nquarter = \"quarter(opened, '+02:00')\"\n\
    level = \"case when of_type > 1.2 then 'high' when of_type > 0.8 then 'usual' else 'low' end\"\n\
    z = \"zscore(log_balance) by (type, level)\"\n";

fn config(derived: &str) -> String {
    format!(
        "[data]\nreference = \"ref.csv\"\n[target]\ncolumn = \"late\"\n{COLUMNS}{derived}[model]\nalgorithm = \"gradient-boosting\"\n\
         n_estimators = 30\n"
    )
}

fn made() -> Loop {
    Loop::new().table("ref.csv", accounts(0, 900, 1.0)).table("mlloop.toml", config(DERIVED))
}

/// A row of a table as a request.
fn request(header: &str, line: &str) -> Value {
    let (quoted, plain): (Vec<&str>, _) = (line.split('"').collect(), line.replace(['"'], ""));
    let mut cells: Vec<&str> = plain.split(',').collect();
    let notes = quoted[1];
    if notes.contains(',') {
        cells.splice(4..6, [notes]);
    }
    let cell = |(name, cell): (&str, &&str)| {
        let value = match (name, cell.parse::<f64>()) {
            (_, _) if cell.is_empty() => Value::Null,
            ("balance", Ok(number)) => json!(number),
            _ => json!(cell),
        };
        (name.to_owned(), value)
    };
    header.split(',').zip(&cells).map(cell).filter(|(name, _)| name != "late").collect::<serde_json::Map<_, _>>().into()
}

#[test]
fn training_scoring_serving_and_monitoring_compute_the_same() {
    let work = made();
    let trained = work.run("train").answers(YES);
    let importance = trained.value()["importance"].to_string();
    assert!(importance.contains("of_type"), "{importance}");
    work.write("new.csv", accounts(5_000, 200, 1.0));
    let scored = work.run("predict new.csv --explain 2").answers(YES).stdout;
    assert!(scored.contains("of_type = balance / mean(balance) by type"), "{scored}");
    // Bit by bit what a request for one row and one for all are told.
    let mut server = Server::start(&work, "");
    let mut client = server.client();
    let new = work.read("new.csv");
    let header = new.lines().next().unwrap();
    let rows: Vec<Value> = new.lines().skip(1).map(|line| request(header, line)).collect();
    let batch: BTreeMap<String, f64> = work
        .run("predict new.csv --columns id,score")
        .answers(YES)
        .stdout
        .lines()
        .skip(1)
        .map(|line| line.split_once(',').map(|(id, score)| (id.to_owned(), score.parse().unwrap())).unwrap())
        .collect();
    let (status, together) = client.post("/predict", &json!({ "rows": rows }).to_string()).unwrap();
    assert_eq!(status, 200, "{together}");
    for (n, (row, of_all)) in rows.iter().zip(together["predictions"].as_array().unwrap()).enumerate() {
        let id = row["id"].as_str().unwrap();
        let expected = batch[id] as f32;
        assert_eq!(of_all["score"].as_f64().unwrap() as f32, expected, "{row}");
        if n < 60 {
            let (_, alone) = client.post("/predict", &row.to_string()).unwrap();
            assert_eq!(alone["score"].as_f64().unwrap() as f32, expected, "{row}");
        }
    }
    let (_, told) = client.post("/predict?explain=9", &rows[0].to_string()).unwrap();
    let reasons = told["contributions"].as_array().unwrap();
    let of_type = reasons.iter().find(|reason| reason["column"] == "of_type").unwrap();
    assert_eq!(of_type["expression"], "balance / mean(balance) by type");
    server.stop();
    // Balances that grew tenfold drift raw and derived.
    work.write("current.csv", accounts(9_000, 400, 10.0));
    let report = work.run("monitor current.csv --formats json").value();
    for name in ["balance", "of_type", "log_balance"] {
        let column = report["columns"].as_array().unwrap().iter().find(|column| column["name"] == name).unwrap();
        assert_eq!(column["verdict"], "drifted", "{column}");
    }
    let calm = report["columns"].as_array().unwrap().iter().find(|column| column["name"] == "words").unwrap();
    assert_ne!(calm["verdict"], json!("drifted"));
}

#[test]
fn a_stored_version_keeps_its_features() {
    let work = made();
    work.run("train").answers(YES);
    work.write("new.csv", accounts(5_000, 50, 1.0));
    let (scores, features) =
        (work.run("predict new.csv").answers(YES).stdout, work.run("features new.csv").answers(YES).stdout);
    let header = "id,of_type,log_balance,age,words,is_late_note,quarter,level,z";
    assert_eq!(features.lines().next(), Some(header));
    assert_eq!(features.lines().count(), 51);
    let other = config("[features.derived]\nother = \"balance * 2\"\n");
    work.write("mlloop.toml", other);
    assert_eq!(work.run("predict new.csv").answers(YES).stdout, scores);
    assert_eq!(work.run("features new.csv --model v0001").answers(YES).stdout, features);
    work.run("features new.csv --columns other").answers(YES).prints("other\n");
    work.run("features new.csv --columns z").answers(ERROR).says("no column \"z\"");
    work.run("features new.csv -o f.parquet").answers(YES);
    assert!(std::fs::read(work.path("f.parquet")).unwrap().starts_with(b"PAR1"));
    work.write("mlloop.toml", config(""));
    work.run("features new.csv").answers(ERROR).says("mlloop.toml has no derived features");
}

/// A graph is given out once golden rows got their scores in it: each operator is there, and says the same.
#[test]
fn a_graph_computes_what_onnx_can_say_and_takes_the_rest() {
    let derived = "[features]\ndrop = [\"opened\"]\n[features.derived]\nhalves = \"round(balance / 100, 1)\"\n\
        tens = \"round(balance, -1) + floor(balance) - ceil(balance / 2)\"\nroot = \"sqrt(balance) + ln(balance) + exp(-balance)\"\n\
        log = \"log1p(abs(balance - 100))\"\nrest = \"balance % 7 - (0 - balance) % 7\"\n\
        within = \"clip(min(balance, 5000), 10, max(halves, 50))\"\nsome = \"coalesce(balance, 0) <= 80 or not (balance > 120)\"\n\
        both = \"some and type in ('cash', 'debt')\"\nset = \"balance in (1, 2, 3) or is_missing(opened)\"\n\
        when = \"if(both, month(opened), weekday(opened, '+02:00'))\"\nend = \"is_month_end(opened)\"\n\
        late_in_year = \"opened >= '2025-07-01'\"\nage = \"days_between(opened, date('2026-01-01'))\"\n\
        of_type = \"zscore(balance) by type\"\nkind = \"case when of_type > 0.5 then 'high' else 'low' end\"\n\
        words = \"length(notes) + count() by (type, kind)\"\n";
    let work = Loop::new().table("ref.csv", accounts(0, 900, 1.0)).table("mlloop.toml", config(derived));
    work.run("train").answers(YES);
    let said = work.run("export --format onnx -o graph.onnx").answers(YES);
    assert!(said.stderr.contains("words"), "what is an input is named: {}", said.stderr);
}

#[test]
fn a_wrong_expression_is_told_whatever_the_verb() {
    let work = made();
    for (expression, expected) in [
        (
            "balance / mean(blance) by type",
            "character 16, at `blance) by type`: there is no column \"blance\": did you mean",
        ),
        ("late == 'yes'", "\"late\" is the target"),
        ("type + 1", "+ needs a number here, and this is a text"),
    ] {
        let line = format!("[features.derived]\nx = \"{expression}\"\n");
        work.write("mlloop.toml", config(&line));
        for verb in ["train", "status", "features ref.csv"] {
            let said = work.run(verb).answers(ERROR).says(expected).says("mlloop.toml");
            assert_eq!(said.stderr.lines().count(), 1, "{}", said.stderr);
        }
    }
}

const NUMBERS: &str = "[features]\ndrop = [\"opened\", \"type\"]\n[features.derived]\nof_type = \"balance / mean(balance) by type\"\n\
    words = \"length(notes)\"\n";

/// A program that fits: it leaves what it was given in `seen`, and does what `then` says with the path after --output.
fn trainer(work: &Loop, then: &str, more: &str) {
    let script = format!(
        "while [ $# -gt 0 ]; do eval \"${{1#--}}=\\$2\"; shift 2; done\n\
         {{ head -n 1 \"$train\"; wc -l < \"$train\"; wc -l < \"$tune\"; cat \"$parameters\"; echo \"token=$MLLOOP_TOKEN.\"; }} > seen\n{then}\n"
    );
    work.write("train.sh", script);
    work.write("mlloop.toml", config(NUMBERS) + "[trainer]\ncommand = [\"sh\", \"train.sh\"]\n" + more);
}

#[test]
fn a_program_fits_and_the_rest_stays_ours() {
    let work = made();
    work.write("mlloop.toml", config(NUMBERS));
    work.run("train").answers(YES);
    work.run("export --format xgboost -o fitted.json").answers(YES);
    trainer(&work, "cp fitted.json \"$output\"", "");
    let said = work.run_with("train", &[("MLLOOP_TOKEN", "secret")]).answers(YES).value();
    assert_eq!(said["version"], "v0002");
    let seen = work.read("seen");
    assert!(seen.starts_with("balance,late,of_type,words\n"), "{seen}");
    assert!(seen.contains("token=.") && seen.contains("\"classes\""), "{seen}");
    let rows: Vec<usize> = seen.lines().skip(1).take(2).map(|line| line.trim().parse().unwrap()).collect();
    // Nothing of the gate: 80 % of 900 rows and two headers, give or take what a hash does.
    assert!((680..760).contains(&(rows[0] + rows[1])), "{rows:?}");
    work.write("new.csv", accounts(5_000, 60, 1.0));
    let of = |version: &str| {
        work.run(&format!("predict new.csv --model {version} --columns prediction")).answers(YES).stdout
    };
    assert_eq!(of("v0002").lines().count(), of("v0001").lines().count());
    for (then, more, expected) in [
        ("echo boom >&2; exit 3", "", "failed (exit status: 3); last message: boom"),
        ("sleep 60", "minutes = 0.005\n", "took longer than 0.005 minutes and was stopped"),
        ("true", "", "wrote 0 bytes to the path after --output"),
        ("echo no model > \"$output\"", "", "mlloop: "),
        ("true", "minutes = 0\n", "[trainer] minutes = 0 must be above 0"),
    ] {
        trainer(&work, then, more);
        work.run("train").answers(ERROR).says(expected);
    }
    work.write("mlloop.toml", config(NUMBERS) + "[trainer]\ncommand = [\"no-such-program\"]\n");
    work.run("train").answers(ERROR).says("\"no-such-program\" cannot be started");
    work.run("status").answers(YES).prints("v0002");
}
