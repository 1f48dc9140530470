//! What Overview, Decide, Drift and Models say, held to what the verbs say.

use crate::dashboard::{Person, TOKEN, sign_in};
use crate::run::{asking, poor};
use crate::serve::client::Server;
use crate::support::{Loop, WAITING, YES};
use serde_json::Value;

fn manual(work: Loop) -> Loop {
    let toml = work.read("mlloop.toml");
    work.write("mlloop.toml", toml.replace("\napproval = \"auto\"", "\napproval = \"manual\""));
    work
}

fn server(work: &Loop) -> Server {
    Server::start_with(work, "--no-log", &[("MLLOOP_TOKEN", TOKEN)])
}

fn person<'a>(server: &'a Server, name: &str) -> Person<'a> {
    sign_in(server, name, TOKEN).unwrap_or_else(|status| panic!("{name}: {status}"))
}

fn json(work: &Loop, path: &str) -> Value {
    serde_json::from_str(&work.read(path)).unwrap()
}

/// A metric as pages set it.
fn fixed(value: &Value) -> String {
    format!("{:.4}", value.as_f64().unwrap()).replace('-', "−")
}

/// The text of a page without tags, so that a test reads what a person reads.
fn text(page: &str) -> String {
    let mut text = String::new();
    let mut is_tag = false;
    for c in page.chars() {
        match c {
            '<' => is_tag = true,
            '>' => (is_tag, text) = (false, text + " "),
            c if !is_tag => text.push(c),
            _ => {}
        }
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace("&#38;", "&").replace("&#39;", "'")
}

/// The press is the approval: one job trains and judges; what comes of it somebody else approves, who sees all of it.
#[test]
fn a_retraining_is_one_press_and_its_promotion_is_shown_whole() {
    let work = manual(asking());
    work.run("monitor").is(YES);
    let server = server(&work);
    let (bea, ann) = (person(&server, "bea"), person(&server, "ann"));
    assert!(bea.get("/ui/decide").contains("do=retrain"));
    let asked = text(&bea.get("/ui/confirm?do=retrain"));
    assert!(asked.contains("another person must approve it") && asked.contains("--yes=retraining --by=bea"), "{asked}");
    let job = bea.job("/ui/do/retrain", "");
    assert!(job.contains("waits for approval"), "{job}");
    let chain = work.read("audit.jsonl");
    let of = |event: &str| chain.lines().rfind(|line| line.contains(&format!("\"event\":\"{event}\""))).unwrap();
    for (event, by) in [("retrained", "bea"), ("approved", "bea"), ("approval-requested", "bea")] {
        assert!(of(event).contains(&format!("\"by\":\"{by}\"")), "{}", of(event));
    }
    // Bea asked, so she is told so, and is given no way to agree.
    let page = bea.get("/ui/decide");
    assert!(page.contains("another person must approve it") && !page.contains("do=approve"), "{page}");
    assert!(!page.contains("do=retrain") && page.contains("nothing is trained until then"), "{page}");
    let id = json_id(&work);
    let refused = text(&bea.get(&format!("/ui/confirm?do=approve&id={id}")));
    assert!(refused.contains("There is nothing to decide here") && refused.contains("You requested this"), "{refused}");
    // What Ann is asked names everything that she approves.
    let report = json(&work, "reports/gate_report.json");
    let (test, ticket) = (&report["judgement"]["improvement"], json(&work, &format!("approvals/{id}.json")));
    let asked = ann.get(&format!("/ui/confirm?do=approve&id={id}"));
    let said = text(&asked);
    let mut wanted = vec![
        "v0002 replaces v0001 in production".to_owned(),
        ticket["digest"].as_str().unwrap().to_owned(),
        format!("one-sided 95 % bounds: {}, {}", fixed(&test["low"]), fixed(&test["high"])),
        "rows of the reference 600 700".to_owned(),
        "new labels – 100".to_owned(),
        "n trees 1 30".to_owned(),
    ];
    for pair in report["metrics"].as_array().unwrap() {
        wanted.push(format!("{} {}", fixed(&pair["production"]), fixed(&pair["challenger"])));
    }
    for rail in report["guardrails"].as_array().unwrap() {
        wanted.push(rail["name"].as_str().unwrap().replace('_', " "));
    }
    for part in wanted {
        assert!(said.contains(&part), "{part}\n{said}");
    }
    assert!(said.contains(", at most "), "guardrails stand with their limits: {said}");
    // Left open over the promotion, it asks no more.
    ann.follow("/ui/do/approve", &format!("id={id}"));
    let late = text(&ann.get(&format!("/ui/confirm?do=approve&id={id}")));
    assert!(late.contains("There is nothing to decide here. It was approved by ann"), "{late}");
    // What became of the verdict is told beside it.
    assert!(text(&ann.get("/ui/decide")).contains("v0002 was promoted "));
    let asked = text(&ann.get("/ui/confirm?do=rollback&version=v0001"));
    assert!(asked.contains("v0001 (") && asked.contains("replaces v0002 ("), "{asked}");
    ann.follow("/ui/do/rollback", "version=v0001&reason=the+call+centre+complains");
    let page = text(&ann.get("/ui/decide"));
    assert!(page.contains("then rolled back") && page.contains("by ann (the call centre complains)"), "{page}");
    assert!(page.contains("v0002 was in production until "), "{page}");
}

/// The request that waits.
fn json_id(work: &Loop) -> String {
    let status = work.run("status").answers(YES).value();
    status["pending"][0]["id"].as_str().unwrap().to_owned()
}

/// What the pages give as reasons is what `status` counts now, not what `monitor` said before the retraining.
#[test]
fn reasons_are_those_of_now() {
    let work = poor("\n[monitor.triggers]\nunused_feedback = 50\n");
    work.run("run --step monitor --force").is(YES);
    let before = json(&work, "reports/drift_report.json")["verdict"]["sentence"].as_str().unwrap().to_owned();
    let server = server(&work);
    let ann = person(&server, "ann");
    let unused = "rows have new human labels that no version was trained on";
    for (path, asked) in [("/ui", false), ("/ui/decide", false)] {
        let page = text(&ann.get(path));
        assert_eq!(page.contains("requested by hand (--force)"), asked, "a wish is no measurement: {page}");
    }
    let had = text(&ann.get("/ui/decide"));
    work.run("retrain").answers(YES);
    let triggers = work.run("status").answers(YES).value();
    let fired = |name: &str| {
        let all = triggers["retrain"]["triggers"].as_array().unwrap();
        all.iter().find(|trigger| trigger["name"] == name).unwrap()["fired"].as_bool().unwrap()
    };
    for path in ["/ui", "/ui/decide"] {
        let page = text(&ann.get(path));
        assert_eq!(page.contains(&format!("{unused} (")), fired("unused_feedback"), "{before}\n{had}\n{page}");
        assert!(!fired("unused_feedback") && !page.contains("requested by hand (--force)"), "{page}");
    }
    // The challenger waits for the gate, which is told first; nothing else is offered beside it.
    let page = text(&ann.get("/ui"));
    assert!(page.contains("v0002 is trained, and the gate has not judged it"), "{page}");
    assert!(page.contains("The gate has not judged v0002 yet") && !page.contains("Production and challenger"));
    assert!(!ann.get("/ui/decide").contains("do=retrain"));
    // Judged, both stand beside each other with the numbers of the same rows.
    work.run("promote --dry-run").is(YES);
    assert!(text(&ann.get("/ui")).contains("The gate has not judged v0002 yet"), "a dry run judges nothing");
    let work = manual(work);
    work.run("promote --by carol").answers(WAITING);
    let report = json(&work, "reports/gate_report.json");
    let page = text(&ann.get("/ui"));
    assert!(page.contains("Production and challenger on the same gate rows"), "{page}");
    for pair in report["metrics"].as_array().unwrap() {
        let both = format!("{} {}", fixed(&pair["production"]), fixed(&pair["challenger"]));
        assert!(page.contains(&both), "{both}\n{page}");
    }
}

/// Is it still good, and why: performance, estimate, thresholds and what decided are those of the report.
#[test]
fn drift_is_told_with_what_decided_and_how_production_fares() {
    let work = poor("");
    work.run("monitor").is(YES);
    work.run("monitor").is(YES);
    let report = json(&work, "reports/drift_report.json");
    let server = server(&work);
    let ann = person(&server, "ann");
    let (overview, drift) = (text(&ann.get("/ui")), text(&ann.get("/ui/drift")));
    let performance = report["performance"]["metrics"].as_array().unwrap();
    for metric in performance {
        let (low, high) = (fixed(&metric["interval"][0]), fixed(&metric["interval"][1]));
        let line = format!("{} {low} to {high} {}", fixed(&metric["value"]), fixed(&metric["gate"]));
        assert!(drift.contains(&line), "{line}\n{drift}");
    }
    assert!(
        overview.contains("Current performance") && overview.contains(&fixed(&performance[0]["value"])),
        "{overview}"
    );
    for metric in report["estimate"]["metrics"].as_array().into_iter().flatten() {
        assert!(drift.contains(&fixed(&metric["value"])), "{metric}\n{drift}");
    }
    assert!(ann.get("/ui/drift").contains("Performance over time"), "two comparisons are a course");
    // Every trigger with a value has a bar and says where it fires.
    let standing = work.run("status").answers(YES).value();
    let all = standing["retrain"]["triggers"].as_array().unwrap();
    let told = all.iter().filter(|t| t["is_on"] == true && !t["count"].is_null() && !t["threshold"].is_null()).count();
    assert_eq!(ann.get("/ui").matches("<progress").count(), told, "{overview}");
    assert!(told > 3, "{standing}");
    // The ratio says of what it is one.
    let share = &report["share"];
    let of = if share["weighted"] == true {
        "of the model's importance drifted"
    } else {
        "of the columns that can be judged"
    };
    assert!(drift.contains(of), "{of}\n{drift}");
    let log = work.read("runs/runs.jsonl");
    let runs: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let runs: Vec<Value> = runs.into_iter().filter(|run| run["verb"] == "monitor").collect();
    for column in report["columns"].as_array().unwrap() {
        let name = column["name"].as_str().unwrap();
        let page = text(&ann.get(&format!("/ui/drift?column={name}")));
        let (adjusted, limit) = (column["p_adjusted"].as_f64(), column["threshold"].as_f64().unwrap());
        let wanted = match (column["verdict"].as_str().unwrap(), adjusted) {
            ("drifted", Some(_)) => "and large: ",
            ("stable", Some(p)) if p <= limit => "but small: effect ",
            ("stable", Some(_)) => "not significant: p (adjusted) ",
            _ => continue,
        };
        assert!(page.contains(wanted) && page.contains("p (adjusted)"), "{name}: {wanted}\n{page}");
        assert!(page.contains("of the last 2 comparisons"), "{page}");
        // What the run log keeps of a column is what the report said of it, and is drawn.
        let (kept, first) = (&runs[1]["result"]["columns"][name], &runs[0]["result"]["columns"][name]);
        assert_eq!(kept[0], column["method"]);
        for (at, key) in [(1, "statistic"), (3, "threshold"), (4, "psi")] {
            let (kept, wanted) = (kept[at].as_f64().unwrap(), column[key].as_f64().unwrap());
            assert!((kept - wanted).abs() <= 1e-4 * wanted.abs(), "{name} {key}: {kept} {wanted}");
        }
        assert_eq!((kept[2].as_f64().is_some(), kept, first.is_array()), (adjusted.is_some(), first, true));
        let drawn = ann.get(&format!("/ui/drift?column={name}"));
        for line in ["Statistic over time", "p over time", "PSI over time"] {
            assert!(drawn.contains(line), "{name}: {line}\n{drawn}");
        }
        assert_eq!(drawn.split("In numbers").nth(1).unwrap().matches("<tr>").count(), 3, "{drawn}");
    }
    assert!(text(&ann.get("/ui/drift?q=nothing-has-this")).contains("Show all columns"));
}

/// A report that is damaged takes no page down: the page says so, and the way to write it anew stays.
#[test]
fn pages_go_on_beside_a_damaged_report_and_a_broken_chain() {
    let work = poor("");
    let server = server(&work);
    let ann = person(&server, "ann");
    // Nothing was compared yet, and no page says that nothing was found.
    let page = text(&ann.get("/ui/decide"));
    assert!(page.contains("The current data has not been compared with the reference yet"), "{page}");
    work.run("monitor").is(YES);
    for name in ["drift_report.json", "gate_report.json"] {
        work.write(&format!("reports/{name}"), "{\"format\":1");
    }
    for path in ["/ui", "/ui/drift", "/ui/decide"] {
        let page = ann.get(path);
        let said = text(&page);
        assert!(said.contains("drift_report.json: ") && said.contains("refresh the analysis"), "{path}: {said}");
        let remedy = if path == "/ui/decide" { "do=run" } else { "do=monitor" };
        assert!(page.contains(remedy), "{path}: {said}");
    }
    ann.get("/ui/models");
    let page = text(&ann.get("/ui/audit?on=2090-01-01"));
    assert!(page.contains("2090-01-01 is in the future"), "{page}");
    for (day, what) in [("2026-10-31", "nothing was in production."), ("2026-11-01", "v0001 was in production.")] {
        let page = text(&ann.get(&format!("/ui/audit?on={day}")));
        let said = format!("At the beginning of {day} (UTC) {what}");
        assert!(page.contains(&said), "{said}\n{page}");
    }
    work.write("audit.jsonl", work.read("audit.jsonl").replacen("v0001", "v0009", 1));
    let page = text(&ann.get("/ui/audit"));
    assert!(page.contains("broken at line 1") && page.contains("trained not checked v0009 was trained"), "{page}");
}

/// What is to be done next stands on the overview, whatever it is.
#[test]
fn the_overview_names_the_next_step() {
    let work = poor("\n[monitor.triggers]\nmax_age_days = 5\n");
    work.run("monitor").is(YES);
    let server = server(&work);
    let ann = person(&server, "ann");
    let page = text(&ann.get("/ui"));
    assert!(page.contains("A retraining is needed (") && page.contains("there are 100 labels"), "{page}");
    // Without labels the next step is to choose rows.
    let labels = work.read("data/labels.csv");
    std::fs::remove_file(work.path("data/labels.csv")).unwrap();
    let page = text(&ann.get("/ui"));
    assert!(page.contains("there are no new labels: choose rows to label"), "{page}");
    work.write("data/labels.csv", labels);
    // What happens by itself is told as that.
    let toml = work.read("mlloop.toml");
    work.write("mlloop.toml", toml.replace("\napproval = \"auto\"", "\nnotice = \"2h\"\napproval = \"auto\""));
    work.run("retrain").answers(YES);
    work.run("promote").answers(WAITING);
    let page = text(&ann.get("/ui"));
    assert!(page.contains("v0002 replaces v0001 in production at the next run after "), "{page}");
    assert!(page.contains("Unless rejected") && !page.contains("waits for approval to replace"), "{page}");
}

/// What no row of a table may have is no value to try; the threshold stands beside the score.
#[test]
fn what_if_refuses_what_prediction_refuses() {
    let work = poor("");
    let server = server(&work);
    let ann = person(&server, "ann");
    let said = text(&ann.get("/ui/model?try=1&x.months=1e999"));
    assert!(said.contains("this is not a finite number") && !said.contains("It would say"), "{said}");
    let said = text(&ann.get("/ui/model?try=1&x.months=3"));
    assert!(said.contains("It would say: ") && said.contains("from 0."), "{said}");
}

/// A row's values can be tried out: unchanged they are answered as they were, and a time is the instant that it was.
#[test]
fn a_row_can_be_tried_with_other_values() {
    let work = poor("");
    work.run("predict data/current.csv --log -o scored.csv").answers(YES);
    let server = server(&work);
    let ann = person(&server, "ann");
    let list = ann.get("/ui/feedback");
    let id = list.split("name=\"id\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let page = ann.get(&format!("/ui/row?id={id}"));
    let score = text(&page).split("with score ").nth(1).unwrap().split(',').next().unwrap().to_owned();
    let address = page.split("href=\"/ui/model?version=v0001&#38;try=1").nth(1).unwrap().split('"').next().unwrap();
    let tried =
        ann.get(&format!("/ui/model?version=v0001&try=1{}", address.replace("&#38;", "&").replace("#what-if", "")));
    let said = text(&tried).split("It would say: ").nth(1).unwrap().chars().take(200).collect::<String>();
    let found: f64 = said.split_whitespace().find_map(|word| word.trim_end_matches(',').parse().ok()).unwrap();
    assert!((found - score.parse::<f64>().unwrap()).abs() < 1e-4, "{score}: {said}");
    assert!(!tried.contains("class=\"wrong\""), "{tried}");
}

/// Rows are dealt to people by name, and any metric of the versions is drawn.
#[test]
fn rows_are_dealt_on_the_page_and_every_metric_is_drawn() {
    let work = poor("");
    work.run("train --seed 2").answers(YES);
    let server = server(&work);
    let ann = person(&server, "ann");
    let page = ann.get("/ui/label");
    assert!(page.contains("name=\"annotators\"") && page.contains("name=\"overlap\""), "{page}");
    let asked = text(&ann.get("/ui/confirm?do=export&n=20&annotators=ann%2Cbea&overlap=50"));
    assert!(asked.contains("mlloop label-export -n=20 --by=ann --annotators=ann,bea --overlap=0.5"), "{asked}");
    let refused = ann.send("/ui/do/export", "n=20&annotators=ann&overlap=200");
    assert!(refused.status == 400 && refused.body.contains("must be from 0 to 100"), "{}", refused.body);
    assert!(refused.body.contains("name=\"annotators\" value=\"ann\""), "{}", refused.body);
    let models = text(&ann.get("/ui/models?metric=brier"));
    assert!(models.contains("brier, version by version") && models.contains("(decides)"), "{models}");
    let first = ann.get("/ui/models");
    assert!(!first.contains("brier, version by version") && first.contains("<option value=\"brier\">"), "{first}");
}
