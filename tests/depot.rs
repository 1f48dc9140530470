//! `push` and `pull`: a loop that is copied, machines that take turns, and places that are damaged.

mod bucket;

use crate::support::{ERROR, Loop, NO, YES};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

const CHURN: &str = include_str!("../fixtures/tables/churn.csv");

/// A loop with a version, and the name of a place that is not there yet.
fn trained() -> (Loop, String) {
    let work = Loop::new().table("churn.csv", CHURN);
    work.run("init churn.csv").answers(YES);
    train(&work);
    let place = work.path("place").to_str().unwrap().to_owned();
    (work, place)
}

fn train(work: &Loop) {
    work.run("train --algorithm decision-tree").answers(YES);
}

/// What a copy has of a loop: all but what is of one machine alone.
fn shared(work: &Loop, with_data: bool) -> BTreeMap<String, Vec<u8>> {
    let own = |name: &str| {
        let data = ["churn.csv", "data/", "runs/kept/"].iter().any(|data| name.starts_with(data));
        let local = ["runs/", "place/", ".gitignore", "predictions/"].iter().any(|local| name.starts_with(local));
        // What a death left half written goes once it is old enough that nobody can be writing it.
        let leftover = name.rsplit('/').next().is_some_and(|name| name.starts_with(".mlloop-"));
        !local && !leftover && (with_data || !data)
    };
    let name = |path: &Path| path.strip_prefix(work.path("")).unwrap().to_str().unwrap().to_owned();
    work.files().into_iter().map(|(path, bytes)| (name(&path), bytes)).filter(|(path, _)| own(path)).collect()
}

#[test]
fn a_loop_is_the_same_elsewhere_and_what_was_not_sent_is_no_fault() {
    let (work, place) = trained();
    train(&work);
    work.run("promote --override x --by ann").answers(YES);
    work.run("monitor churn.csv");
    work.run("predict churn.csv --log -q");
    work.run(&format!("push {place} --dry-run")).answers(YES).json("/dry_run", true);
    assert!(!work.path("place").exists(), "a dry run makes nothing");
    let said = work.run(&format!("push {place}")).answers(YES).value();
    assert_eq!((&said["line"], &said["new_lines"]), (&3.into(), &3.into()));
    // Two versions that are the same have one set of objects.
    let objects = std::fs::read_dir(work.path("place/objects")).unwrap().count();
    assert_eq!(said["sent"]["files"], objects);
    assert!(said["all"]["files"].as_u64().unwrap() > objects as u64);
    assert_eq!(said["left_out"][0], "churn.csv");
    work.run(&format!("push {place}")).answers(NO).json("/sent/files", 0);

    let other = Loop::new();
    other.run(&format!("pull {place} --dry-run")).answers(YES);
    assert!(other.files().is_empty());
    let said = other.run(&format!("pull {place}")).answers(YES).value();
    assert_eq!((&said["new_lines"], &said["not_here"][0]), (&3.into(), &"churn.csv".into()));
    assert_eq!(shared(&other, false), shared(&work, false));
    let deep = other.run("audit verify --deep").answers(YES).value();
    assert_eq!(
        (&deep["files"]["not_here"][0], &deep["files"]["different"]),
        (&"churn.csv".into(), &Value::Array(vec![]))
    );
    assert_eq!(deep["files"]["versions"].as_array().unwrap().len(), 2);
    other.run("audit verify --deep --text").answers(YES).prints("missing here, not checked: churn.csv");
    let scores = |work: &Loop, table: &Path| work.run(&format!("predict {}", table.display())).answers(YES).stdout;
    assert_eq!(scores(&other, &work.path("churn.csv")), scores(&work, &work.path("churn.csv")));
    other.run(&format!("pull {place}")).answers(NO);
    // Only a file that is absent is excused.
    other.write("churn.csv", "customer\n");
    other.run("audit verify --deep").answers(NO);
    std::fs::remove_file(other.path("churn.csv")).unwrap();

    work.run(&format!("push {place} --data"))
        .answers(YES)
        .json("/new_lines", 0)
        .json("/left_out", Value::Array(vec![]));
    other.run(&format!("pull {place}")).answers(NO);
    other.run(&format!("pull {place} --data")).answers(YES).json("/not_here", Value::Array(vec![]));
    assert_eq!(shared(&other, true), shared(&work, true));
    other.run("audit verify --deep").answers(YES).json("/files/not_here", Value::Array(vec![]));
    other.run("audit replay v0002").answers(YES);
}

#[test]
fn two_machines_take_turns_and_neither_loses_a_line() {
    let (work, place) = trained();
    work.run(&format!("push {place} --data")).answers(YES);
    let other = Loop::new();
    other.run(&format!("pull {place} --data")).answers(YES);
    train(&other);
    other.run("promote --override x --by ben").answers(YES);
    other.run("monitor churn.csv");
    other.run(&format!("push {place}")).answers(YES).json("/new_lines", 2);
    // One line less than the place is no reason to refuse, and no copy.
    work.run(&format!("push {place}")).answers(ERROR).says("has 2 changes more than this loop");
    work.run(&format!("pull {place}")).answers(YES).json("/new_lines", 2);
    assert_eq!(shared(&work, true), shared(&other, true));
    work.run("rollback --by ann").answers(YES);
    work.run(&format!("pull {place}")).answers(NO).json("/lines_ahead", 1);
    work.run(&format!("push {place}")).answers(YES);
    other.run(&format!("pull {place}")).answers(YES).json("/new_lines", 1);
    assert_eq!(shared(&work, true), shared(&other, true));

    // Both go on from the same line.
    train(&work);
    other.run("rollback --to v0002 --by ben");
    train(&other);
    work.run(&format!("push {place}")).answers(YES);
    let before = (other.files(), work.files());
    for verb in ["push", "pull", "pull --force"] {
        let said = other.run(&format!("{verb} {place}")).answers(ERROR).says("diverged after line 4");
        let said = said.says("it ends with line 5 (trained on").says("this loop with line");
        said.says("pull it into a new directory".replace("pull", "Pull").as_str());
    }
    assert_eq!((other.files(), work.files()), before);
    let stranger = trained().0;
    stranger.run(&format!("push {place}")).answers(ERROR).says("is a different loop");
}

#[test]
fn a_push_or_a_pull_that_dies_is_completed_by_the_next() {
    let (work, _) = trained();
    let (mut deaths, whole) = (0, shared(&work, true));
    for n in (1..).step_by(9) {
        let copy = work.copy();
        let died = copy.pipe_with("push place --data", "", &format!("die:{n}"));
        let other = Loop::new();
        let from = copy.path("place");
        let pull = format!("pull {} --data", from.display());
        if from.join("loop.json").exists() {
            other.run(&pull).answers(YES);
        } else {
            other.run(&pull).answers(ERROR).says("contains no loop");
            copy.run("push place --data").answers(YES);
            other.run(&pull).answers(YES);
        }
        assert_eq!(shared(&other, true), whole, "{n}");
        deaths += usize::from(died.status == -1);
        if died.status != -1 {
            break;
        }
    }
    assert!(deaths > 4, "{deaths}");

    // Into a directory without a loop.
    work.run("push place --data").answers(YES);
    let pull = format!("pull {} --data", work.path("place").display());
    for n in (1..).step_by(11) {
        let other = Loop::new();
        let died = other.pipe_with(&pull, "", &format!("die:{n}"));
        let again = other.run(&pull);
        assert!(again.is(YES) || again.is(NO), "{n}: {}", again.stderr);
        other.run("audit verify --deep").answers(YES);
        assert_eq!(shared(&other, true), whole, "{n}");
        if died.status != -1 {
            break;
        }
    }
    std::fs::remove_dir_all(work.path("place")).unwrap();

    // From a loop that is two lines behind, so that there are files to be replaced.
    let behind = work.copy();
    train(&work);
    work.run("promote --override x --by ann").answers(YES);
    work.run("push place --data").answers(YES);
    // A report that both made anew stays the one of this loop's own rows.
    let shared = |work: &Loop| -> BTreeMap<String, Vec<u8>> {
        shared(work, true).into_iter().filter(|(name, _)| !name.starts_with("reports/")).collect()
    };
    let (place, whole) = (work.path("place"), shared(&work));
    for n in (1..).step_by(13) {
        let copy = behind.copy();
        let died = copy.pipe_with(&format!("pull {}", place.display()), "", &format!("die:{n}"));
        copy.run("audit verify --deep").answers(YES);
        copy.run("status").answers(YES);
        let again = copy.run(&format!("pull {}", place.display()));
        assert!(again.is(YES) || again.is(NO), "{}", again.stderr);
        assert_eq!(shared(&copy), whole, "{n}");
        assert!(!copy.path("runs/pulling").exists() && !copy.path(".incoming").exists());
        if died.status != -1 {
            break;
        }
    }
    // What was fetched before is not fetched again.
    let copy = behind.copy();
    let all = copy.run(&format!("pull {} --dry-run", place.display())).answers(YES).value();
    copy.pipe_with(&format!("pull {}", place.display()), "", "full:40");
    let rest = copy.run(&format!("pull {}", place.display())).answers(YES).value();
    let n = |said: &Value| said["fetched"]["files"].as_u64().unwrap();
    assert!(n(&rest) < n(&all), "{rest} {all}");
}

#[test]
fn nothing_that_is_damaged_or_forged_is_taken() {
    let (work, place) = trained();
    work.run("push place").answers(YES);
    let index: Value = serde_json::from_str(&work.read("place/loop.json")).unwrap();
    let object = |name: &str| format!("place/objects/{}", index["files"][name]["sha256"].as_str().unwrap());
    let model = object("models/v0001/model.bin");
    let bytes = std::fs::read(work.path(&model)).unwrap();
    let refused = |words: &str| {
        let other = Loop::new();
        other.run(&format!("pull {place}")).answers(ERROR).says(words);
        assert!(!other.path("mlloop.toml").exists() && !other.path("models").exists());
    };
    let changed: Vec<u8> = bytes.iter().enumerate().map(|(n, byte)| if n == 9 { byte ^ 1 } else { *byte }).collect();
    for (damaged, words) in [
        (Some(changed), "has contents that do not match its name"),
        (Some(bytes[..20].to_vec()), "has 20 of "),
        (Some([bytes.clone(), vec![0]].concat()), "has contents that do not match its name"),
        (None, "is missing"),
    ] {
        match damaged {
            Some(damaged) => work.write(&model, damaged),
            None => std::fs::remove_file(work.path(&model)).unwrap(),
        }
        refused(words);
        work.run("push place --recheck").answers(YES).json("/sent/files", 1);
        assert_eq!(std::fs::read(work.path(&model)).unwrap(), bytes);
    }
    Loop::new().run(&format!("pull {place}")).answers(YES);

    let forged = |change: &dyn Fn(&mut Value), words: &str| {
        let mut forged = index.clone();
        change(&mut forged);
        work.write("place/loop.json", forged.to_string());
        refused(words);
    };
    let golden = index["files"]["models/v0001/golden.csv"].clone();
    forged(
        &|it| it["files"]["models/v0001/model.bin"] = golden.clone(),
        "differs from what line 1 of its audit chain recorded",
    );
    forged(
        &|it| it["files"]["models/v0001/extra.bin"] = golden.clone(),
        "differs from what line 1 of its audit chain recorded",
    );
    forged(&|it| it["files"]["models/v0002/model.bin"] = golden.clone(), "is not recorded in its audit chain");
    let without = |it: &mut Value, name: &str| it["files"].as_object_mut().unwrap().remove(name).map(|_| ()).unwrap();
    forged(&|it| without(it, "models/v0001/model.bin"), "is missing; line 1 of its audit chain recorded it");
    forged(&|it| without(it, "audit.jsonl"), "has no audit.jsonl");
    forged(&|it| it["head"]["seq"] = 2.into(), "does not end where loop.json says");
    forged(&|it| it["files"]["audit.jsonl"] = golden.clone(), "of its audit.jsonl is not an event");
    for name in [
        "Makefile",
        "data/other.csv",
        "../x",
        "/etc/x",
        "models/../x",
        "secrets/token",
        "predictions/x.csv",
        "runs/runs.jsonl",
        ".git/hooks/x",
        "models/roles.json",
    ] {
        forged(&|it| it["files"][name] = golden.clone(), "which cannot be a file of a copy");
    }
    forged(
        &|it| it["files"]["reports/x"] = serde_json::json!({"sha256": "../../x", "bytes": 1, "mode": 0}),
        "which cannot be a file of a copy",
    );
    forged(&|it| it["format"] = 2.into(), "has format 2; this mlloop knows 1");
}

#[test]
fn what_was_changed_here_is_not_lost() {
    let (work, place) = trained();
    work.run("monitor churn.csv");
    work.run("push place").answers(YES);
    let other = Loop::new();
    other.run(&format!("pull {place}")).answers(YES);

    // Damage is refused, whoever has it.
    let model = std::fs::read(other.path("models/v0001/model.bin")).unwrap();
    other.write("models/v0001/model.bin", "x");
    for verb in ["push", "pull"] {
        other.run(&format!("{verb} {place}")).answers(ERROR).says("models/v0001/model.bin was changed");
    }
    other.write("models/v0001/model.bin", &model);

    // Only here: it stays, and is sent.
    let edit = |work: &Loop, line: &str| work.write("mlloop.toml", work.read("mlloop.toml") + line);
    edit(&other, "\n# other\n");
    other.run(&format!("pull {place}")).answers(NO).json("/ours/0", "mlloop.toml");
    // Only there: that of the place stays there.
    other.run(&format!("push {place}")).answers(YES);
    work.run("push place").answers(NO).json("/theirs/0", "mlloop.toml");
    work.run("pull place").answers(YES);
    assert!(work.read("mlloop.toml").ends_with("# other\n"));

    // Both.
    edit(&work, "# work\n");
    work.run("push place").answers(YES);
    edit(&other, "# mine\n");
    for verb in ["push", "pull"] {
        other.run(&format!("{verb} {place}")).answers(ERROR).says("mlloop.toml was changed both here and in the copy");
    }
    other.run(&format!("pull {place} --force")).answers(YES);
    assert!(other.read("mlloop.toml").ends_with("# work\n"));
    assert!(other.read("runs/backup/mlloop.here.toml").ends_with("# mine\n"));

    // A report that both wrote is of the rows that each saw.
    for one in [&work, &other] {
        one.write("reports/drift_report.txt", one.path("").to_str().unwrap());
    }
    work.run("push place").answers(YES);
    other.run(&format!("pull {place}")).answers(NO).json("/ours/0", "reports/drift_report.txt");
}

#[test]
fn names_of_places_and_directories_that_are_no_loops() {
    let (work, place) = trained();
    work.run("push https://example.org/x")
        .answers(ERROR)
        .says("must be s3://BUCKET/PREFIX, file:///DIRECTORY or a directory");
    work.run("push .").answers(ERROR).says("is the directory of the loop itself");
    work.run("push none/place").answers(ERROR).says("there is no directory none");
    work.run("pull none").answers(ERROR).says("none: contains no loop: `mlloop push none`");
    work.run(&format!("push file://{place}/")).answers(YES).json("/place", place.as_str());
    let stranger = Loop::new().table("audit.jsonl", "mine\n");
    stranger.run(&format!("pull {place}")).answers(ERROR).says("pull into an empty directory");
    assert_eq!(stranger.read("audit.jsonl"), "mine\n");
    let new = Loop::new().table("churn.csv", CHURN);
    new.run("init churn.csv").answers(YES);
    new.run("push place").answers(ERROR).says("there is nothing to push yet");
}
