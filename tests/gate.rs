//! `promote`, `approve`, `reject`, `rollback` and pruning: the answers, the audit chain, and what is refused.

mod requests;

use crate::support::{CANNOT_TELL, ERROR, Loop, NO, YES, noise};
use serde_json::{Value, json};

const CHURN: &str = include_str!("../fixtures/tables/churn.csv");

/// Parameters of a version that is not good.
const WEAK: &str = "n_estimators = 1\nmax_depth = 1\nearly_stopping_rounds = 0";

/// How long a row takes in a build for tests, beside other tests, says nothing. A good version gives three rows of ten
/// another class than [`WEAK`].
pub const UNTIMED: &str = "\n[promote.guardrails]\nlatency_ratio = false\nflip_rate = 0.5\n";

/// Replaces the lines of a section of mlloop.toml that are no comments.
fn section(work: &Loop, name: &str, lines: &str) {
    let text = work.read("mlloop.toml");
    let head = format!("[{name}]\n");
    let (before, after) = text.split_once(&head).unwrap();
    let (own, rest) = after.split_once("\n[").unwrap_or((after, ""));
    let comments: Vec<&str> = own.lines().filter(|line| line.starts_with('#') && !line.contains('[')).collect();
    let rest = if rest.is_empty() { String::new() } else { format!("\n[{rest}") };
    work.write("mlloop.toml", format!("{before}{head}{lines}\n{}\n{rest}", comments.join("\n")));
}

/// Trains a version, without the guardrail of latency.
pub fn train(work: &Loop, model: &str, at: &str) {
    let text = work.read("mlloop.toml");
    if !text.contains("\n[promote.guardrails]") {
        work.write("mlloop.toml", text + UNTIMED);
    }
    section(work, "model", &format!("algorithm = \"gradient-boosting\"\n{model}"));
    work.run(&format!("train --now {at}T00:00:00Z")).answers(YES);
}

/// A loop with these versions, the first of which is production.
pub fn with(versions: &[&str], rules: &str) -> Loop {
    let work = Loop::new().table("churn.csv", CHURN);
    work.run("init churn.csv").answers(YES);
    section(&work, "promote", rules);
    for (day, model) in versions.iter().enumerate() {
        train(&work, model, &format!("2026-11-0{}", day + 1));
    }
    work
}

/// A loop whose production is weak and whose challenger is good.
pub fn better(rules: &str) -> Loop {
    with(&[WEAK, ""], rules)
}

/// The kinds of the events in the audit chain, in order.
pub fn events(work: &Loop) -> Vec<String> {
    let lines = work.read("audit.jsonl");
    let kind = |line: &str| serde_json::from_str::<Value>(line).unwrap()["event"].as_str().unwrap().to_owned();
    lines.lines().map(kind).collect()
}

fn last_event(work: &Loop) -> Value {
    serde_json::from_str(work.read("audit.jsonl").lines().last().unwrap()).unwrap()
}

/// (production, challenger, previous) of roles.json.
fn roles(work: &Loop) -> [Value; 3] {
    let roles: Value = serde_json::from_str(&work.read("models/roles.json")).unwrap();
    ["production", "challenger", "previous"].map(|key| roles[key].clone())
}

/// The version in production.
pub fn production(work: &Loop) -> String {
    roles(work)[0].as_str().unwrap().to_owned()
}

#[test]
fn a_better_challenger_is_promoted() {
    let work = better("");
    let before = work.files();
    work.run("promote --dry-run").answers(YES).json("/done", "would").json("/report/judgement/verdict", "superior");
    assert_eq!(work.files(), before, "a dry run changes nothing");
    let said = work.run("promote --by ann --now 2026-11-03T00:00:00Z").answers(YES).json("/done", "promoted");
    said.json("/production", "v0002").json("/report/decision", "promote").json("/report/holdout/uses", 1);
    assert_eq!(events(&work), ["trained", "trained", "gate-verdict", "promoted"]);
    assert_eq!(last_event(&work)["by"], "ann");
    assert_eq!(roles(&work), [json!("v0002"), Value::Null, json!(["v0001"])]);
    assert!(work.read("reports/gate_report.txt").contains("The challenger is better"));
    let report: Value = serde_json::from_str(&work.read("reports/gate_report.json")).unwrap();
    assert_eq!(report["judgement"]["improvement"]["test"], "delong");
    work.run("status").answers(YES).json("/gate/verdict", "superior").json("/pending", Value::Array(Vec::new()));
    work.run("status --text").answers(YES).prints("last gate: v0002 against v0001: superior, promote");
    work.run("promote").answers(YES).json("/done", "already");
    assert_eq!(events(&work).len(), 4, "what is done is not done again");
    train(&work, WEAK, "2026-11-04");
    work.run("promote --version v2").answers(YES).json("/done", "already");
}

#[test]
fn a_worse_one_and_an_equal_one_are_refused() {
    let work = with(&["", WEAK], "");
    let said = work.run("promote").answers(NO).json("/done", "refused").json("/report/judgement/verdict", "regression");
    said.json("/production", "v0001");
    assert_eq!(roles(&work), [json!("v0001"), json!("v0002"), json!([])]);
    assert_eq!(events(&work), ["trained", "trained", "gate-verdict"]);
    work.run("promote --exit-zero").answers(YES);
    let work = with(&["", ""], "");
    let said = work.run("promote").answers(NO).json("/report/judgement/verdict", "equivalent");
    said.json("/report/judgement/improvement/value", 0.0);
    let said = work.run("promote --allow-equivalent 'cheaper to run'").answers(YES).json("/done", "promoted");
    said.json("/report/allow_equivalent", "cheaper to run");
    assert_eq!(last_event(&work)["details"]["allow_equivalent"], "cheaper to run");
}

#[test]
fn an_improvement_that_is_small_or_breaks_a_guardrail_is_refused() {
    let work = better("min_improvement = 0.9");
    let said = work.run("promote").answers(NO).json("/report/judgement/verdict", "superior");
    said.json("/report/judgement/enough", false);
    let work = better("[promote.guardrails]\nlatency_ratio = false\nflip_rate = 0.01");
    let said = work.run("promote --dry-run").answers(NO).json("/report/decision", "refuse").value();
    let rails = said["report"]["guardrails"].as_array().unwrap().iter();
    let broken: Vec<&Value> = rails.filter(|rail| rail["broken"] == true).map(|rail| &rail["name"]).collect();
    assert_eq!(broken, ["flip_rate"]);
    section(&work, "promote", "[promote.guardrails]\nlatency_ratio = false\nflip_rate = false");
    let said = work.run("promote --dry-run").answers(YES).value();
    assert_eq!(said["report"]["guardrails"].as_array().unwrap().len(), 3);
}

#[test]
fn too_few_rows_are_no_answer() {
    let work = Loop::new().table("churn.csv", CHURN);
    work.run("init churn.csv").answers(YES);
    section(&work, "split", "gate = 0.02");
    train(&work, WEAK, "2026-11-01");
    train(&work, "", "2026-11-02");
    let said = work.run("promote").answers(CANNOT_TELL).json("/done", "inconclusive").value();
    let need = &said["report"]["judgement"]["need"];
    assert!(need["more"].as_u64().unwrap() > 0 && need["positives"] == true, "{need}");
    assert!(said["sentence"].as_str().unwrap().contains("more positives are needed"));
    section(&work, "split", "gate = 0.0");
    train(&work, "", "2026-11-03");
    work.run("promote").answers(CANNOT_TELL).json("/report/judgement/n_rows", 0);
}

#[test]
fn other_metrics_and_uses_of_the_rows() {
    for (metric, test) in [("accuracy", "mcnemar"), ("pr_auc", "bootstrap"), ("log_loss", "bootstrap")] {
        let work = better(&format!("metric = \"{metric}\"\nholdout = \"spend\""));
        let said = work.run("promote --dry-run").json("/report/judgement/improvement/test", test);
        let said = said.json("/report/judgement/improvement/metric", metric).json("/report/holdout/uses", 1).value();
        let found = &said["report"]["judgement"]["improvement"];
        let value = |key: &str| found[key].as_f64().unwrap();
        assert!(value("low") < value("value") && value("value") < value("high"), "{found}");
        assert!(value("value") > 0.0, "positive is better, also for {metric}");
        let spent = 6.0 * 0.05 / std::f64::consts::PI.powi(2);
        assert!((said["report"]["judgement"]["alpha"].as_f64().unwrap() - spent).abs() < 1e-12);
    }
    let work = with(&["", WEAK], "holdout = \"spend\"");
    work.run("promote").answers(NO);
    work.run("promote").answers(NO).json("/report/holdout/uses", 1);
    train(&work, "max_depth = 2", "2026-11-05");
    let said = work.run("promote").json("/report/holdout/uses", 2).value();
    let spent = 6.0 * 0.05 / std::f64::consts::PI.powi(2) / 4.0;
    assert!((said["report"]["judgement"]["alpha"].as_f64().unwrap() - spent).abs() < 1e-12);
}

#[test]
fn rollback_goes_back_and_only_where_production_was() {
    let work = better("");
    work.run("rollback").answers(ERROR).says("nothing to go back to");
    work.run("promote").answers(YES);
    train(&work, WEAK, "2026-11-04");
    work.run("rollback v3").answers(ERROR).says("was never in production");
    work.run("rollback v9").answers(ERROR).says("no version v0009");
    work.run("rollback --by ann --reason 'it was tried'")
        .answers(YES)
        .json("/from", "v0002")
        .json("/production", "v0001");
    assert_eq!(roles(&work), [json!("v0001"), json!("v0003"), json!([])]);
    let event = last_event(&work);
    assert_eq!((&event["event"], &event["details"]["reason"]), (&"rolled-back".into(), &"it was tried".into()));
    work.run("rollback").answers(YES).json("/already", true);
    work.run("rollback v2").answers(YES).json("/production", "v0002");
    assert_eq!(roles(&work)[2], json!(["v0001"]));
    let model = std::fs::read(work.path("models/v0001/model.bin")).unwrap();
    work.write("models/v0001/model.bin", &model[..model.len() / 2]);
    let before = work.files();
    work.run("rollback v1").answers(ERROR).says("model.bin");
    assert_eq!(work.files(), before);
}

#[test]
fn old_versions_go_and_needed_ones_stay() {
    let work = with(&[WEAK, WEAK, WEAK, WEAK, ""], "keep_versions = 1");
    work.write("ab.json", r#"{"arms":[{"name":"a","version":"v0002"}]}"#);
    let said = work.run("promote").answers(YES).json("/pruned", json!(["v0003", "v0004"]));
    drop(said);
    let mut left: Vec<String> = std::fs::read_dir(work.path("models"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    left.sort();
    assert_eq!(left, ["roles.json", "v0001", "v0002", "v0005"]);
    assert_eq!(events(&work)[5..], ["gate-verdict", "promoted", "pruned"]);
    assert_eq!(last_event(&work)["details"]["versions"], json!(["v0003", "v0004"]));
    work.run("promote").answers(YES).json("/done", "already").json("/pruned", json!([]));
    work.run("rollback").answers(YES).json("/production", "v0001");
}

#[test]
fn what_cannot_be_compared_is_refused_by_name() {
    let work = Loop::new().table("churn.csv", CHURN);
    work.run("promote").answers(ERROR).says("no loop here");
    assert!(!work.path(".mlloop.lock").exists());
    work.run("init churn.csv").answers(YES);
    work.run("promote").answers(ERROR).says("no version is in production");
    work.run("rollback").answers(ERROR).says("no version is in production");
    train(&work, WEAK, "2026-11-01");
    work.run("promote").answers(NO).json("/done", "nothing");
    work.run("promote --version v7").answers(ERROR).says("no version v0007");
    section(&work, "split", "by = \"row\"");
    train(&work, "", "2026-11-02");
    let before = work.files();
    work.run("promote").answers(ERROR).says("split differently");
    assert_eq!(work.files(), before);
    section(&work, "split", "by = \"id\"");
    train(&work, "", "2026-11-03");
    let toml = work.read("mlloop.toml").replace(UNTIMED, "");
    for (rules, says) in [
        ("metric = \"r2\"", "unknown metric \"r2\""),
        ("metric = \"auc\"", "unknown metric \"auc\""),
        ("alpha = 0.7", "alpha = 0.7"),
        ("delta = -1.0", "delta = -1"),
        ("keep_versions = 0", "keep_versions"),
        ("approval = \"maybe\"", "maybe"),
        ("wrong = 1", "unknown key \"wrong\""),
        ("[promote.guardrails]\nslices = true", "slices takes a number"),
    ] {
        work.write("mlloop.toml", &toml);
        section(&work, "promote", rules);
        work.run("promote --dry-run").answers(ERROR).says(says);
    }
    work.write("mlloop.toml", &toml);
    work.write("churn.csv", CHURN.replacen("monthly,3,", "monthly,three,", 1));
    work.run("promote").answers(ERROR).says("\"three\" is not a number");
    work.run("promote --skip-invalid --dry-run").says("1 row was skipped");
    work.write("churn.csv", CHURN);
    work.write("models/v0003/manifest.json", "{}");
    work.run("promote").answers(ERROR).says("manifest.json: was changed after v0003");
}

#[test]
fn several_classes_numbers_and_time_have_their_gate() {
    for (target, metric) in [("contract", "roc_auc_macro"), ("months", "r2")] {
        let work = Loop::new().table("churn.csv", CHURN);
        work.run(&format!("init churn.csv --target {target}")).answers(YES);
        section(&work, "split", "gate = 0.2");
        section(&work, "promote", &format!("metric = \"{metric}\""));
        train(&work, WEAK, "2026-11-01");
        train(&work, "n_estimators = 60", "2026-11-02");
        let said = work.run("promote --text").answers(YES);
        said.prints(&format!("{metric} ")).prints("The challenger is better").prints("2 is in production now");
        let report: Value = serde_json::from_str(&work.read("reports/gate_report.json")).unwrap();
        let found = &report["judgement"]["improvement"];
        assert_eq!((&found["metric"], &found["test"]), (&metric.into(), &"bootstrap".into()));
        let rails: Vec<&str> =
            report["guardrails"].as_array().unwrap().iter().map(|rail| rail["name"].as_str().unwrap()).collect();
        assert_eq!(rails.contains(&"flip_rate"), target == "contract", "numbers have no classes");
        // The same rows and seed give the same judgement on any number of threads.
        let again = |threads: u8| {
            work.run(&format!("promote --version v1 --dry-run --threads {threads}")).value()["report"]["judgement"]
                .clone()
        };
        assert_eq!(again(1), again(3));
        assert_eq!(again(2)["verdict"], "regression");
    }
}

#[test]
fn later_rows_judge_when_time_splits() {
    let day = |row: usize| format!("2026-{:02}-{:02}", 1 + row / 120, 1 + row % 120 / 5);
    let table = |rows: std::ops::Range<usize>| {
        let line = |row: usize| format!("{},{}\n", day(row), CHURN.lines().nth(row + 1).unwrap());
        format!("since,{}\n", CHURN.lines().next().unwrap()) + &rows.map(line).collect::<String>()
    };
    let work = Loop::new().table("churn.csv", table(0..900));
    work.run("init churn.csv").answers(YES);
    section(&work, "split", "by = \"time\"");
    train(&work, WEAK, "2026-11-01");
    work.write("churn.csv", table(0..1200));
    train(&work, "", "2026-11-02");
    // The gate of the first version, rows 720 to 899, has taught the second: the last fifth of all rows judges.
    let said = work.run("promote --dry-run").value();
    let n = said["report"]["judgement"]["n_rows"].as_u64().unwrap();
    assert!((230..=245).contains(&n), "{n}");
}

#[test]
fn after_a_rollback_it_is_said_of_which_version_things_were_told() {
    let work = better("");
    work.run("promote --now 2026-11-10T00:00:00Z").answers(YES);
    work.write("data/current.csv", CHURN);
    work.run("monitor --now 2026-11-11T00:00:00Z");
    let report = work.run("report").answers(YES);
    assert!(!report.stdout.contains("is in production now"), "{}", report.stdout);
    work.run("status --text")
        .answers(YES)
        .prints("last monitor: v0002: ")
        .prints("superior, promote, 2026-11-10 00:00 UTC\n");
    work.run("rollback --by ann --now 2026-11-12T00:00:00Z").answers(YES);
    work.run("report")
        .answers(YES)
        .prints("> The drift below was measured for v0002 on 2026-11-11. v0001 is in production now: run `mlloop monitor`")
        .prints("> The gate below promoted v0002 on 2026-11-10. v0001 is in production now: the promotion was not completed, or was rolled back.")
        .prints("### Gate: v0002 against v0001");
    let json = work.run("report --format json").answers(YES).json("/drift_of", "v0002").value();
    assert_eq!((&json["gate_of"], json["notes"].as_array().unwrap().len()), (&json!(["v0001", "v0002"]), 2));
    work.run("status --text")
        .answers(YES)
        .prints("; v0001 is now in production and was not monitored yet")
        .prints("superior, promote, 2026-11-10 00:00 UTC; rolled back to v0001, 2026-11-12 00:00 UTC");
    work.run("status").answers(YES).json("/monitor/version", "v0002").json("/since/production", "v0001");
    work.run("monitor --now 2026-11-13T00:00:00Z");
    let report = work.run("report --format json").answers(YES).json("/drift_of", "v0001").value();
    assert_eq!(report["notes"].as_array().unwrap().len(), 1, "the gate stays one of another version");
}

/// Rows whose amounts are of a size by which they are easily told apart.
fn amounts(first: u32, n: u32, size: f64) -> String {
    let mut text = "id,amount,tenure,plan,churn\n".to_owned();
    for row in first..first + n {
        let (amount, tenure) = (noise(row, 1), noise(row, 2));
        let churn = if amount + noise(row, 3) > 1.0 { "yes" } else { "no" };
        let plan = ["a", "b", "c"][(noise(row, 4) * 3.0) as usize];
        text += &format!("K{row},{:.3},{:.0},{plan},{churn}\n", (50.0 + 30.0 * amount) * size, 60.0 * tenure);
    }
    text
}

#[test]
fn after_a_rollback_rows_are_compared_with_those_of_the_version_in_production() {
    let work = Loop::new().table("ref.csv", amounts(0, 600, 1.0));
    work.run("init ref.csv").answers(YES);
    work.run("train --algorithm decision-tree").answers(YES);
    work.write("other.csv", amounts(600, 500, 100.0));
    work.write("same.csv", amounts(1100, 500, 1.0));
    work.run("retrain --set monitor.current=other.csv").answers(YES);
    work.run("promote --override x --by ann").answers(YES);
    assert!(work.read("ref.csv").contains("K600,"));
    let told = |file: &str| {
        let report = work.run(&format!("monitor {file} --multivariate")).value();
        report["multivariate"]["roc_auc"].as_f64().unwrap()
    };
    assert!(told("same.csv") > 0.65, "v0002 learned from both sizes");
    work.run("rollback --by ann").answers(YES);
    let [same, other] = ["same.csv", "other.csv"].map(told);
    assert!(same < 0.56 && other > 0.95, "{same} {other}");
}

#[test]
fn status_shows_the_metric_that_decides() {
    let work = with(&[WEAK], "metric = \"accuracy\"");
    work.run("status --text").answers(YES).prints("  accuracy 0.");
    section(&work, "promote", "");
    work.run("status --text").answers(YES).prints("  roc_auc 0.");
}
