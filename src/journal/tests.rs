use super::*;
use crate::features::{Target, Task};
use crate::registry::Version;
use crate::table::{ColumnSpec, Dialect, Kind, NumberFormat, Schema, Values};
use std::borrow::Cow;
use std::fs;

fn spec(name: &str, kind: Kind) -> ColumnSpec {
    ColumnSpec::new(name, kind)
}

pub(super) fn layout(columns: &[(&str, Kind)], classes: &[&str]) -> Layout {
    let columns = columns.iter().map(|(name, kind)| spec(name, *kind)).collect();
    let task = if classes.len() > 2 { Task::Multiclass } else { Task::Binary };
    let classes = classes.iter().map(|class| (*class).to_owned()).collect();
    let target = Target { name: "y".to_owned(), task, classes };
    Layout::new(&Schema { dialect: Dialect::default(), columns }, &target)
}

pub(super) fn of_two() -> Layout {
    layout(
        &[
            ("key", Kind::Id),
            ("score", Kind::Number),
            ("note", Kind::Text),
            ("plan", Kind::Category),
            ("y", Kind::Category),
        ],
        &["no", "yes"],
    )
}

pub(super) fn at(text: &str) -> jiff::Timestamp {
    Window::parse_instant(text).unwrap()
}

pub(super) fn row<'a>(id: &'a str, at: jiff::Timestamp, score: &'a [f64], features: &'a [Cow<'a, str>]) -> Row<'a> {
    Row {
        id,
        at,
        version: Version(3),
        arm: "b",
        scores: score,
        class: Some(usize::from(score[0] > 0.5)),
        features,
        windows: &[],
    }
}

pub(super) fn cells<'a>(cells: &[&'a str]) -> Vec<Cow<'a, str>> {
    cells.iter().map(|cell| Cow::Borrowed(*cell)).collect()
}

pub(super) fn new() -> (tempfile::TempDir, Journal) {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::of(&Workspace::new(dir.path()));
    (dir, journal)
}

pub(super) fn append(journal: &Journal, layout: &Layout, id: &str, time: &str, features: &[&str]) {
    let mut lines = Vec::new();
    layout.push(&mut lines, &row(id, at(time), &[0.7], &cells(features)));
    journal.append(layout, at(time), &lines).unwrap();
}

pub(super) fn all(journal: &Journal, window: &Window, layout: &Layout) -> Vec<Logged> {
    let mut batches = Vec::new();
    journal
        .scan(window, layout, true, |batch| {
            batches.push(batch);
            Ok::<(), JournalError>(())
        })
        .unwrap();
    batches
}

pub(super) fn ids(batches: &[Logged]) -> Vec<String> {
    batches.iter().flat_map(|batch| batch.id.iter().map(str::to_owned).collect::<Vec<_>>()).collect()
}

#[test]
fn rows_come_back_with_their_columns_under_their_own_names() {
    let (dir, journal) = new();
    let layout = of_two();
    append(&journal, &layout, "a,1", "2026-11-20T10:00:00.123456789Z", &["0.5", "two\nlines, \"quoted\"", "gold"]);
    append(&journal, &layout, "\"b\"", "2026-11-20T11:00:00Z", &["", "", ""]);
    let text = fs::read_to_string(dir.path().join("predictions/2026-11-20.csv")).unwrap();
    assert_eq!(text.lines().next(), Some("id,time,version,arm,score,prediction,feature:score,note,plan"));
    assert_eq!(
        text.lines().nth(1),
        Some(r#""a,1",2026-11-20T10:00:00.123456Z,v0003,b,0.7,yes,0.5,"""two\nlines, \""quoted\""""",gold"#)
    );
    assert_eq!(text.lines().count(), 3);
    let batches = all(&journal, &Window::default(), &layout);
    assert_eq!(ids(&batches), ["a,1", "\"b\""]);
    let batch = &batches[0];
    assert_eq!(batch.version, [Version(3), Version(3)]);
    assert_eq!((batch.arm.get(1), batch.prediction.get(1)), ("b", "yes"));
    assert_eq!(batch.score, [0.7, 0.7]);
    assert_eq!(batch.time[0], 1_795_168_800_123_456);
    let features = batch.features.as_ref().unwrap();
    let names: Vec<&str> = features.columns().iter().map(|c| c.name.as_str()).collect();
    assert_eq!(names, ["key", "score", "note", "plan"]);
    let Values::Text(notes) = &features.column("note").unwrap().values else { panic!() };
    assert_eq!(notes.get(0), "two\nlines, \"quoted\"");
    let Values::Number(scores) = &features.column("score").unwrap().values else { panic!() };
    assert!(scores[0] == 0.5 && scores[1].is_nan());
}

#[test]
fn several_classes_have_a_score_each() {
    let (dir, journal) = new();
    let layout = layout(&[("key", Kind::Id), ("score:a", Kind::Number)], &["a", "b", "c"]);
    let mut lines = Vec::new();
    let scores = [0.2, 0.5, 0.3];
    layout.push(&mut lines, &Row { class: Some(1), ..row("x", at("2026-11-20"), &scores, &cells(&["7"])) });
    journal.append(&layout, at("2026-11-20"), &lines).unwrap();
    let text = fs::read_to_string(dir.path().join("predictions/2026-11-20.csv")).unwrap();
    assert!(
        text.starts_with("id,time,version,arm,score,prediction,score:a,score:b,score:c,feature:score:a\n"),
        "{text}"
    );
    assert!(text.ends_with("Z,v0003,b,0.5,b,0.2,0.5,0.3,7\n"), "{text}");
    let batches = all(&journal, &Window::default(), &layout);
    assert_eq!(batches[0].class_scores, [[0.2], [0.5], [0.3]]);
}

#[test]
fn a_day_takes_another_file_for_other_columns_and_reads_both() {
    let (dir, journal) = new();
    let (one, two) = (of_two(), layout(&[("key", Kind::Id), ("plan", Kind::Category)], &["no", "yes"]));
    let mut writers = [&one, &two].map(|layout| journal.writer(layout, Durability::Batch));
    for n in 0..6 {
        let mut lines = Vec::new();
        let (layout, features): (&Layout, &[&str]) =
            if n % 2 == 0 { (&one, &["1", "x", "gold"]) } else { (&two, &["tin"]) };
        layout.push(&mut lines, &row(&n.to_string(), at("2026-11-20"), &[0.1], &cells(features)));
        writers[n % 2].append(at("2026-11-20"), &lines).unwrap();
    }
    assert_eq!(fs::read_dir(dir.path().join("predictions")).unwrap().count(), 2);
    let batches = all(&journal, &Window::default(), &one);
    assert_eq!(ids(&batches), ["0", "2", "4", "1", "3", "5"]);
    let second = batches[1].features.as_ref().unwrap();
    assert!(
        second.column("score").unwrap().values.is_missing(0) && !second.column("plan").unwrap().values.is_missing(0)
    );
}

#[test]
fn a_window_takes_days_and_instants() {
    let (dir, journal) = new();
    let layout = of_two();
    for (id, time) in [("a", "2026-11-18T23:59:59Z"), ("b", "2026-11-19T12:00:00Z"), ("c", "2026-11-20T00:00:00Z")] {
        append(&journal, &layout, id, time, &["1", "", ""]);
    }
    fs::write(dir.path().join("predictions/notes.csv"), "no log").unwrap();
    let now = at("2026-11-20T06:00:00Z");
    let found = |window: Window| ids(&all(&journal, &window, &layout));
    assert_eq!(found(Window::since(at("2026-11-19"))), ["b", "c"]);
    assert_eq!(found(Window::since(at("2026-11-19T12:00:01Z"))), ["c"]);
    assert_eq!(found(Window { until: Some(at("2026-11-20")), ..Window::default() }), ["a", "b"]);
    assert_eq!(found(Window::last(Window::parse_length("1d").unwrap(), now)), ["b", "c"]);
    assert_eq!(found(Window::last(Window::parse_length("2d").unwrap(), now)), ["a", "b", "c"]);
    for wrong in ["", "d", "28", "-1d", "1y", "é"] {
        assert!(Window::parse_length(wrong).is_err(), "{wrong}");
    }
    assert!(Window::parse_instant("yesterday").is_err());
}

#[test]
fn what_is_no_row_is_passed_over_and_told() {
    let (dir, journal) = new();
    let layout = of_two();
    append(&journal, &layout, "a", "2026-11-20", &["1", "x", "gold"]);
    let path = dir.path().join("predictions/2026-11-20.csv");
    let mut text = fs::read_to_string(&path).unwrap();
    text.push_str("b,soon,v0001,,0.5,yes,1,,\nc,2026-11-20T00:00:00Z,champion,,0.5,yes,1,,\nd,2026-11-20T00:00:00Z,v1");
    fs::write(&path, &text).unwrap();
    let mut found = Vec::new();
    let scanned = journal.scan(&Window::default(), &layout, false, |batch| {
        found.push(batch);
        Ok::<(), JournalError>(())
    });
    let scanned = scanned.unwrap();
    assert_eq!((ids(&found), scanned.n_rows, scanned.n_rejected), (vec!["a".to_owned()], 1, 2));
    append(&journal, &layout, "e", "2026-11-20", &["1", "x", "gold"]);
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(text.lines().filter(|line| line.starts_with("d,")).count(), 0, "the unfinished line went");
    assert_eq!(ids(&all(&journal, &Window::default(), &layout)), ["a", "e"]);
}

#[test]
fn writers_at_once_lose_nothing_and_keep_lines_whole() {
    let (_dir, journal) = new();
    let layout = of_two();
    std::thread::scope(|scope| {
        for writer in 0..8 {
            let (journal, layout) = (&journal, &layout);
            scope.spawn(move || {
                let mut open = journal.writer(layout, Durability::Off);
                for block in 0..50 {
                    let mut lines = Vec::new();
                    for n in 0..20 {
                        let id = format!("{writer}-{block}-{n}");
                        layout.push(&mut lines, &row(&id, at("2026-11-20"), &[0.7], &cells(&["1", "a\nb", "gold"])));
                    }
                    open.append(at("2026-11-20"), &lines).unwrap();
                }
            });
        }
    });
    let batches = all(&journal, &Window::default(), &layout);
    let mut found = ids(&batches);
    assert_eq!(found.len(), 8000);
    found.sort();
    found.dedup();
    assert_eq!(found.len(), 8000);
    for writer in 0..8 {
        let of_one: Vec<String> =
            ids(&batches).into_iter().filter(|id| id.starts_with(&format!("{writer}-"))).collect();
        let in_order: Vec<String> = (0..50).flat_map(|b| (0..20).map(move |n| format!("{writer}-{b}-{n}"))).collect();
        assert_eq!(of_one, in_order);
    }
}

#[test]
fn outcomes_join_however_late_and_the_last_prediction_of_an_id_counts() {
    let (dir, journal) = new();
    let layout = of_two();
    for (id, time) in [("a", "2026-10-01"), ("b", "2026-10-02"), ("a", "2026-10-03"), ("c", "2026-10-04")] {
        append(&journal, &layout, id, time, &["1", "", "gold"]);
    }
    let labels = dir.path().join("labels.csv");
    fs::write(&labels, "id,label,source\na,yes,human\nc,no,outcome\nb,yes,model\nz,no,human\n").unwrap();
    let target = Target { name: "y".to_owned(), task: Task::Binary, classes: vec!["no".to_owned(), "yes".to_owned()] };
    let outcomes =
        Outcomes::read(&labels, &outcomes::Reading { id: &ColumnSpec::new("key", Kind::Id), target: &target }).unwrap();
    let joined = journal.join(&Window::default(), &layout, &outcomes, None).unwrap();
    assert_eq!(joined.rows.id.iter().collect::<Vec<_>>(), ["a", "a", "c"]);
    let y = |joined: &Joined| joined.outcomes.iter().map(|outcome| outcome.y).collect::<Vec<f64>>();
    assert_eq!(y(&joined), [1.0, 1.0, 0.0]);
    assert!(joined.about.is_empty());
    // The entity column of each row is included, unless it is not logged.
    let about = |column| journal.join(&Window::default(), &layout, &outcomes, Some(column)).unwrap().latest();
    let (plans, none) = (about("plan"), about("key"));
    assert!(plans.about.len() == 2 && plans.about[0] == plans.about[1] && plans.rows.features.is_none());
    assert!(none.about.is_empty() && y(&none) == [1.0, 0.0]);
    let latest = joined.latest();
    assert_eq!(latest.rows.time, [at("2026-10-03").as_microsecond(), at("2026-10-04").as_microsecond()]);
    assert_eq!(y(&latest), [1.0, 0.0]);
}

#[test]
fn rows_that_were_asked_stand_for_those_that_were_not() {
    let dir = tempfile::tempdir().unwrap();
    let labels = dir.path().join("labels.csv");
    let target = Target { name: "y".to_owned(), task: Task::Binary, classes: vec!["no".to_owned(), "yes".to_owned()] };
    let read = |rows: &str| {
        fs::write(&labels, format!("id,label,source,select_prob\n{rows}")).unwrap();
        Outcomes::read(&labels, &outcomes::Reading { id: &ColumnSpec::new("key", Kind::Id), target: &target })
    };
    let found = read("a,yes,human,0.25\nb,no,human,\nc,no,outcome,0.25\n").unwrap();
    assert_eq!(["a", "b", "c"].map(|id| found.of(id).unwrap().weight), [4.0, 1.0, 1.0]);
    assert_eq!(found.of("d"), None);
    let error = read("a,yes,human,0.25\nb,no,human,1.5\n").unwrap_err().to_string();
    assert!(error.contains("the select_prob of \"b\" must be above 0 and at most 1"), "{error}");
}

#[test]
fn the_last_prediction_of_a_row_is_found_from_the_end() {
    let (_dir, journal) = new();
    let layout = of_two();
    for (id, time) in [("a", "2026-10-01"), ("b", "2026-10-02T01:00:00Z"), ("b", "2026-10-02"), ("c", "2026-10-03")] {
        append(&journal, &layout, id, time, &["1", "", ""]);
    }
    let found = journal.latest(&["a", "b", "z"].into()).unwrap();
    assert_eq!(found.len(), 2);
    assert_eq!(
        found["b"],
        Latest { at: at("2026-10-02T01:00:00Z"), version: Version(3), prediction: "yes".to_owned() }
    );
}

#[test]
fn the_last_rows_of_many_ids_are_in_the_order_of_the_log() {
    let (dir, journal) = new();
    let layout = of_two();
    let (time, ids) = (at("2026-10-02"), (0..60).map(|n| format!("k{}", n * 37 % 60)).collect::<Vec<_>>());
    let mut lines = Vec::new();
    for id in &ids {
        layout.push(&mut lines, &row(id, time, &[0.7], &cells(&["1", "", ""])));
    }
    journal.append(&layout, time, &lines).unwrap();
    let labels = dir.path().join("labels.csv");
    let rows: String = ids.iter().map(|id| format!("{id},yes,human\n")).collect();
    fs::write(&labels, format!("id,label,source\n{rows}")).unwrap();
    let target = Target { name: "y".to_owned(), task: Task::Binary, classes: vec!["no".to_owned(), "yes".to_owned()] };
    let outcomes =
        Outcomes::read(&labels, &outcomes::Reading { id: &ColumnSpec::new("key", Kind::Id), target: &target }).unwrap();
    let latest = journal.join(&Window::default(), &layout, &outcomes, None).unwrap().latest();
    assert_eq!(latest.rows.id.iter().collect::<Vec<_>>(), ids);
}

#[test]
fn of_equal_times_the_line_that_was_written_last_counts() {
    let (dir, journal) = new();
    let layout = of_two();
    for score in [0.7, 0.3] {
        let mut lines = Vec::new();
        let time = at("2026-10-02");
        layout.push(&mut lines, &row("a", time, &[score], &cells(&["1", "", ""])));
        journal.append(&layout, time, &lines).unwrap();
    }
    assert_eq!(journal.latest(&["a"].into()).unwrap()["a"].prediction, "no");
    let labels = dir.path().join("labels.csv");
    fs::write(&labels, "id,label,source\na,yes,human\n").unwrap();
    let target = Target { name: "y".to_owned(), task: Task::Binary, classes: vec!["no".to_owned(), "yes".to_owned()] };
    let outcomes =
        Outcomes::read(&labels, &outcomes::Reading { id: &ColumnSpec::new("key", Kind::Id), target: &target }).unwrap();
    let latest = journal.join(&Window::default(), &layout, &outcomes, None).unwrap().latest();
    assert_eq!((latest.rows.len(), latest.rows.score[0]), (1, 0.3));
}

#[test]
fn equal_rows_have_equal_made_up_ids() {
    let number = NumberFormat { decimal: ',', thousands: Some('.'), unit: None };
    let columns = vec![
        ColumnSpec::new("a", Kind::Number),
        ColumnSpec::new("b", Kind::Category),
        ColumnSpec { number: Some(number), ..ColumnSpec::new("c", Kind::Number) },
        ColumnSpec { format: Some("%d.%m.%Y".to_owned()), ..ColumnSpec::new("d", Kind::Time) },
    ];
    let layout = Layout::of_columns(&Schema { columns, ..Schema::default() }, "y");
    let id = |texts: &[&str]| layout.made_up_id(&cells(texts));
    let row = id(&["1", "a", "1.234,5", "01.02.2026"]);
    assert!(row.starts_with("row-") && row.len() == 20);
    for same in [["1.0", "a", "1234,50", "1.2.2026"], ["1e0", " a", "1.234,5", "01.02.2026"]] {
        assert_eq!(id(&same), row, "{same:?}");
    }
    for other in
        [["1", "a", "1.234,5", "02.01.2026"], ["1", "A", "1.234,5", "01.02.2026"], ["", "1a", "1.234,5", "01.02.2026"]]
    {
        assert_ne!(id(&other), row, "{other:?}");
    }
    assert_eq!(id(&["", "a", "", ""]), id(&["NA", "a", "", "NA"]), "what is missing is missing");
    assert_ne!(id(&["1", "a"]), id(&["", "1a"]));
    assert_ne!(id(&["1", "a", "", ""]), id(&["1", "b", "", ""]));
}
