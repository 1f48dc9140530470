//! The gate with two models: what it changes, records and writes, and what stops it before it changes anything.

use super::super::trained::{Loop, at, request};
use super::super::{Decided, Status, Verdict, approve, find, pending, reject, rollback, ticket};
use super::*;
use std::fs;

const BOTH: (Option<Version>, Option<Version>) = (Some(Version(1)), Some(Version(2)));

fn said<T>(result: Result<T, GateError>) -> String {
    result.err().map(|err| err.to_string()).unwrap_or_default()
}

/// Checks that v0001 is still production and v0002 still the challenger.
fn is_unchanged(l: &Loop) -> bool {
    let (production, challenger, previous) = l.roles();
    (production, challenger) == BOTH && previous.is_empty()
}

#[test]
fn a_better_version_becomes_production_and_the_reasons_are_written() {
    let l = Loop::new();
    let would = l.promote(|request| request.dry_run = true).unwrap();
    assert!(would.done == PromoteOutcome::Would && is_unchanged(&l) && l.events(2).is_empty());
    assert!(!l.path("reports").exists());
    l.write("reports/.mlloop-half", "what a process left that died while it wrote a report");

    let done = l.promote(|request| request.by = Some("ann")).unwrap();
    assert!(!l.path("reports/.mlloop-half").exists());
    assert_eq!((done.done, done.production), (PromoteOutcome::Promoted, Some(Version(2))));
    assert_eq!(l.roles(), (Some(Version(2)), None, vec![Version(1)]));
    let lines = l.lines(2);
    assert_eq!(l.events(2), [EventKind::GateVerdict, EventKind::Promoted]);
    assert_eq!((lines[1].by.as_deref(), lines[1].at, &lines[1].details["from"]), (Some("ann"), at(1), &"v0001".into()));

    let report = done.report.unwrap();
    assert_eq!(report.judgement.verdict, Verdict::Superior);
    assert_eq!(report.notes, <Vec<String>>::new());
    assert_eq!(l.work.report::<GateReport>("gate_report.json").unwrap().as_ref(), Some(&report));
    assert!(l.read("reports/gate_report.txt").contains(&report.sentence));
    assert!(l.read("reports/gate_report.html").contains("v0002"));
    let of = |name: &str| report.metrics.iter().find(|pair| pair.metric.to_string() == name).unwrap();
    let better = of("roc_auc");
    assert!(report.metrics.len() > 5 && better.challenger.unwrap() > better.production.unwrap() + 0.1, "{better:?}");

    // The calibration error is that of the metrics, and all guardrails are listed.
    let names: Vec<&str> = report.guardrails.iter().map(|rail| rail.name.as_str()).collect();
    assert_eq!(names, ["calibration", "slices", "flip_rate", "schema", "latency_ratio"]);
    let (old, new) = (of("brier").production.unwrap(), of("brier").challenger.unwrap());
    assert!((report.guardrails[0].value.unwrap() - (new - old) / old).abs() < 1e-9);
    assert!(report.guardrails[1].text.starts_with("none of"), "{}", report.guardrails[1].text);
    let share = report.guardrails[2].value.unwrap();
    assert!(share > 0.05 && share < 0.5, "{share}");
    assert_eq!((report.guardrails[3].value, report.guardrails.iter().any(|rail| rail.broken)), (Some(0.0), false));

    // A challenger that is not better is refused, and that is recorded too.
    let n = l.lines(0).len();
    let refused = l.promote(|request| request.version = Some(Version(1))).unwrap();
    assert_eq!((refused.done, refused.production), (PromoteOutcome::Refused, Some(Version(2))));
    assert_eq!(l.events(n), [EventKind::GateVerdict]);
    assert_eq!(l.work.report::<GateReport>("gate_report.json").unwrap(), refused.report);
}

#[test]
fn a_repeated_promotion_does_what_is_left_of_it() {
    let l = Loop::new();
    l.promote(|_| {}).unwrap();
    l.edit("[promote]\n", "[promote]\nkeep_versions = 1\n");
    for _ in 0..3 {
        l.work.registry().store(|_, dir| fs::write(dir.join("scores.json"), "{}")).unwrap();
    }
    // Nothing is left to promote: without a version, and with production's.
    let again = l.promote(|_| {}).unwrap();
    assert_eq!((again.done, again.pruned), (PromoteOutcome::Already, vec![Version(3), Version(4)]));
    l.work.registry().store(|_, dir| fs::write(dir.join("scores.json"), "{}")).unwrap();
    let again = l.promote(|request| request.version = Some(Version(2))).unwrap();
    assert_eq!((again.done, again.pruned), (PromoteOutcome::Already, vec![Version(5)]));
    assert_eq!(again.sentence, "v0002 is already in production.");
}

#[test]
fn a_version_that_does_not_exist_is_said_before_all_else() {
    let l = Loop::new();
    let none = |version: u32| {
        said(l.promote(|request| {
            request.version = Some(Version(version));
            request.overridden = Some("nobody says who");
        }))
    };
    assert!(none(9).contains("there is no version v0009"), "{}", none(9));
    fs::rename(l.path("models/v0001"), l.path("away")).unwrap();
    let gone = said(l.promote(|request| request.version = Some(Version(1))));
    assert!(gone.contains("there is no version v0001"), "production itself: {gone}");
    fs::rename(l.path("away"), l.path("models/v0001")).unwrap();
    assert!(none(2).contains("--override needs --by NAME"), "{}", none(2));
    let details = serde_json::json!({ "version": "v0001", "from": "v0001" });
    l.record(EventKind::RolledBack, details, Some(Roles::default()));
    assert!(none(9).contains("there is no version v0009"), "without production: {}", none(9));
    assert!(none(2).contains("--override needs --by NAME"), "{}", none(2));
    assert!(said(l.promote(|request| request.version = Some(Version(2)))).contains("no version is in production"));
}

#[test]
fn a_person_decides_against_the_gate_but_not_against_a_damaged_file() {
    let l = Loop::new();
    let over = || l.promote(|request| (request.overridden, request.by) = (Some("we know"), Some("ann")));
    let model = fs::read(l.path("models/v0002/model.bin")).unwrap();
    fs::write(l.path("models/v0002/model.bin"), &model[1..]).unwrap();
    assert!(said(over()).contains("model.bin: was changed after v0002 was stored"));
    assert!(is_unchanged(&l) && l.events(2).is_empty());
    fs::write(l.path("models/v0002/model.bin"), &model).unwrap();
    assert_eq!(over().unwrap().sentence, "v0002 was promoted against the gate, by ann: we know.");
    assert_eq!((l.roles(), l.events(2)), ((Some(Version(2)), None, vec![Version(1)]), vec![EventKind::Promoted]));
    assert_eq!(l.lines(2)[0].details["override"], "we know");

    // A rollback to it is refused too.
    let back = || rollback(&l.work, &l.lock(), None, Some("bob"), None, at(2));
    let model = fs::read(l.path("models/v0001/model.bin")).unwrap();
    fs::write(l.path("models/v0001/model.bin"), &model[1..]).unwrap();
    assert!(said(back()).contains("model.bin: was changed after v0001 was stored"));
    assert_eq!(l.roles().0, Some(Version(2)));
    fs::write(l.path("models/v0001/model.bin"), &model).unwrap();
    let done = back().unwrap();
    assert_eq!((done.production, done.from, done.already), (Version(1), Version(2), false));
    assert_eq!(l.roles(), (Some(Version(1)), None, vec![]));
    // A former production version is found in the chain, although no role names it now.
    let forth = rollback(&l.work, &l.lock(), Some(Version(2)), None, None, at(3)).unwrap();
    assert_eq!((forth.production, l.roles().2), (Version(2), vec![Version(1)]));
}

#[test]
fn a_request_waits_once_and_its_approval_is_recorded_and_kept() {
    let l = Loop::new();
    l.edit("[promote]\n", "[promote]\napproval = \"manual\"\n");
    let waits = l.promote(|_| {}).unwrap();
    let asked = waits.request.unwrap();
    assert_eq!((waits.done, is_unchanged(&l)), (PromoteOutcome::Waiting, true));
    assert_eq!(l.events(2), [EventKind::GateVerdict, EventKind::ApprovalRequested]);
    assert!(l.path("reports/gate_report.json").exists());
    assert_eq!(pending(&l.work).unwrap(), std::slice::from_ref(&asked));
    let again = l.promote(|request| request.now = at(2)).unwrap();
    assert_eq!((again.request.as_ref(), l.events(2).len()), (Some(&asked), 2), "the same request waits");

    let decide = || approve(&l.work, &l.lock(), &asked.id, "bob", at(3)).unwrap();
    let Decided { request, production, already, .. } = decide();
    assert_eq!((production, already, request.status), (Some(Version(2)), false, Status::Approved));
    assert_eq!(l.events(4), [EventKind::Approved, EventKind::Promoted]);
    assert_eq!(l.lines(4)[0].by.as_deref(), Some("bob"));
    let is_kept = || find(&l.work, &asked.id).unwrap() == request;
    assert!(is_kept(), "{:?}", find(&l.work, &asked.id));
    // A process crashed before it wrote the file: the next one writes it, and no line is repeated.
    ticket::save(&l.work, &asked).unwrap();
    assert!(decide().already && is_kept());
    assert_eq!(l.events(4).len(), 2);
}

#[test]
fn a_rejection_is_recorded_and_kept() {
    let l = Loop::new();
    l.edit("[promote]\n", "[promote]\napproval = \"manual\"\n");
    let asked = l.promote(|_| {}).unwrap().request.unwrap();
    let no = || reject(&l.work, &l.lock(), &asked.id, "bob", "not now", at(3)).unwrap();
    let request = no().request;
    assert_eq!((request.status, request.reason.as_deref()), (Status::Rejected, Some("not now")));
    assert_eq!((l.events(4), l.roles()), (vec![EventKind::Rejected], (Some(Version(1)), None, vec![])));
    assert_eq!(find(&l.work, &asked.id).unwrap(), request);
    ticket::save(&l.work, &asked).unwrap();
    assert!(no().already && find(&l.work, &asked.id).unwrap() == request && l.events(4).len() == 1);
}

#[test]
fn the_reference_gets_the_rows_of_production_before_and_after_an_approval() {
    let l = Loop::new();
    l.edit("[promote]\n", "[promote]\napproval = \"manual\"\n");
    l.adds(Version(2), "id,x,w,kind,y\nnew2,1.5,2,a,no\n");
    let asked = l.promote(|_| {}).unwrap().request.unwrap();
    assert!(!l.read("r.csv").contains("new2"));
    let n = l.lines(0).len();
    approve(&l.work, &l.lock(), &asked.id, "bob", at(3)).unwrap();
    assert!(l.read("r.csv").ends_with("\nnew2,1.5,2,a,no\n"));
    assert_eq!(l.events(n), [EventKind::Approved, EventKind::Promoted, EventKind::ReferenceUpdated]);
    // A process crashed between the promotion and the reference: the next decision completes it first.
    fs::remove_file(l.path("data/reference.json")).unwrap();
    l.write("r.csv", &l.read("r.csv").replace("new2,1.5,2,a,no\n", ""));
    assert!(said(approve(&l.work, &l.lock(), "v0009", "bob", at(4))).contains("v0009"));
    assert!(l.read("r.csv").ends_with("\nnew2,1.5,2,a,no\n") && l.path("data/reference.json").exists());
}

#[test]
fn rows_that_do_not_fit_the_reference_stop_a_promotion_before_it() {
    let l = Loop::new();
    l.adds(Version(2), "id,x\nnew2,1.5\n");
    let n = l.lines(0).len();
    let stopped = said(l.promote(|request| (request.overridden, request.by) = (Some("we know"), Some("ann"))));
    assert!(stopped.contains("has the columns id, x, but the reference has id, x, w, kind, y"), "{stopped}");
    assert!(is_unchanged(&l) && l.events(n).is_empty());
}

#[test]
fn notes_say_what_the_gate_rows_are() {
    let l = Loop::new();
    let reference = l.read("r.csv");
    let notes = |version: u32| {
        let would = l.promote(|request| (request.dry_run, request.version) = (true, Some(Version(version)))).unwrap();
        would.report.unwrap().notes
    };
    let copies: String = reference.lines().skip(1).take(60).map(|line| format!("c{line}\n")).collect();
    l.write("r.csv", &format!("{reference}{copies}"));
    assert!(notes(2).len() == 1 && notes(2)[0].contains("equal a training row"), "{:?}", notes(2));
    l.write("r.csv", &reference);
    let other = |row: usize| if reference.lines().nth(row + 1).unwrap().ends_with("yes") { "no" } else { "yes" };
    let mut labels = "id,label,annotator,labelled_at,source\n".to_owned();
    for row in [3, 4] {
        labels.push_str(&format!("r{row:04},{},ann,2026-11-20T10:00:00Z,human\n", other(row)));
    }
    l.write("data/labels.csv", &labels);
    assert_eq!(notes(2), ["2 labels come from data/labels.csv instead of the table"]);
    fs::remove_file(l.path("data/labels.csv")).unwrap();
    // A model trained elsewhere.
    let tree = "Tree=0\nnum_leaves=2\nnum_cat=0\nsplit_feature=0\nsplit_gain=1\nthreshold=500\ndecision_type=10\n\
        left_child=-1\nright_child=-2\nleaf_value=-2 2\nleaf_weight=1 1\nleaf_count=1 1\ninternal_value=0\n\
        internal_weight=0\ninternal_count=2\nis_linear=0\nshrinkage=1\n\n\n";
    let head = "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nlabel_index=0\nmax_feature_idx=1\n\
        objective=binary sigmoid:1\nfeature_names=x w\nfeature_infos=[0:1000] [0:1000]\n";
    l.write("model.txt", &format!("{head}tree_sizes={}\n\n{tree}end of trees\n", tree.len()));
    assert_eq!(l.train(Some(&l.path("model.txt"))), Version(3));
    assert_eq!(notes(3), ["v0003 was trained elsewhere: we cannot verify that it never saw these rows"]);
}

#[test]
fn without_a_gate_row_nothing_is_measured_and_the_note_says_why() {
    let l = Loop::new();
    let load = |version: u32| {
        let mut of = Contestant::load(&l.work, Version(version)).unwrap();
        (of.recipe.split.gate, of.recipe.split.tune) = (0.0, 0.3);
        of
    };
    let (entries, config) = (l.lines(0), l.work.config().unwrap());
    let (report, rows, _) = evaluate(&l.work, &config, &entries, &load(1), &load(2), &request()).unwrap();
    assert_eq!((rows.n, report.decision), (0, Decision::Wait));
    assert!(
        report.notes.len() == 1 && report.notes[0].starts_with("every labelled row was used"),
        "{:?}",
        report.notes
    );
    assert!(report.guardrails.is_empty() && report.metrics.is_empty());
}
