//! Reading the log from its end, from the last position, and line by line if damaged; and when it is synced.

use super::tests::{all, append, at, cells, ids, layout, new, of_two, row};
use super::*;
use crate::atomic::n_syncs;
use crate::features::{Target, Task};
use crate::table::{ColumnSpec, Kind, Schema, Values};
use std::fs;

/// Rows `first..last` of a day, one a second, with a note of 400 characters each.
fn fill(journal: &Journal, day: &str, rows: std::ops::Range<usize>) {
    let (layout, note, mut lines) = (of_two(), "n".repeat(400), Vec::new());
    let begin = at(day);
    for n in rows {
        let time = begin + jiff::SignedDuration::from_secs(n as i64);
        layout.push(&mut lines, &row(&format!("{day}-{n}"), time, &[0.7], &cells(&["1", &note, "gold"])));
    }
    journal.append(&layout, begin, &lines).unwrap();
}

#[test]
fn the_end_of_the_log_is_read_without_the_rest_and_in_its_order() {
    let (dir, journal) = new();
    let layout = of_two();
    fill(&journal, "2026-10-01", 0..5);
    // 900 rows are about 430 KB: the last 256 KB contain some 540 of them.
    fill(&journal, "2026-10-02", 0..900);
    let recent = |n: usize| ids(&journal.recent(n, &Window::default(), &layout, true).unwrap());
    let found = recent(100);
    assert!((500..600).contains(&found.len()), "{}", found.len());
    assert_eq!(found.last().map(String::as_str), Some("2026-10-02-899"));
    assert_eq!(found[0], format!("2026-10-02-{}", 900 - found.len()), "none is left out between");
    // More than one read covers; then also the day before.
    let found = recent(700);
    assert!(found.len() >= 700 && found.last().unwrap() == "2026-10-02-899", "{}", found.len());
    let found = recent(903);
    assert_eq!((found.len(), found[0].as_str(), found[4].as_str()), (905, "2026-10-01-0", "2026-10-01-4"));
    // Columns are those of the header, which the end does not have.
    let rows = journal.recent(1, &Window::default(), &layout, true).unwrap();
    let Values::Text(notes) = &rows[0].features.as_ref().unwrap().column("note").unwrap().values else { panic!() };
    assert_eq!(notes.get(0).len(), 400);
    // Rows before the end are not read, so a damaged line there does not matter.
    let path = dir.path().join("predictions/2026-10-02.csv");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("2026-10-02-3,", "2026-10-02-3,x,")).unwrap();
    assert_eq!(recent(100).last().map(String::as_str), Some("2026-10-02-899"));
    assert_eq!(recent(905).len(), 904);
}

#[test]
fn who_follows_gets_each_row_once() {
    let (dir, journal) = new();
    let layout = of_two();
    let mut follow = Follow::default();
    let mut news = || {
        let mut batches = Vec::new();
        let each = |batch| {
            batches.push(batch);
            Ok::<(), JournalError>(())
        };
        let scanned = journal.follow(&mut follow, &Window::default(), &layout, each).unwrap();
        (ids(&batches), scanned.n_rows)
    };
    append(&journal, &layout, "a", "2026-10-01", &["1", "", ""]);
    assert_eq!(news(), (vec!["a".to_owned()], 1));
    assert_eq!(news(), (vec![], 0));
    append(&journal, &layout, "b", "2026-10-01T02:00:00Z", &["2", "", ""]);
    append(&journal, &layout, "c", "2026-10-02", &["3", "", ""]);
    assert_eq!(news(), (vec!["b".to_owned(), "c".to_owned()], 2));
    // An incomplete last line is left for the next call.
    let path = dir.path().join("predictions/2026-10-02.csv");
    let whole = fs::read_to_string(&path).unwrap();
    let line = whole.lines().last().unwrap().replacen("c,", "d,", 1);
    fs::write(&path, format!("{whole}{}", &line[..9])).unwrap();
    assert_eq!(news(), (vec![], 0));
    fs::write(&path, format!("{whole}{line}\n")).unwrap();
    assert_eq!(news(), (vec!["d".to_owned()], 1));
    // A file that became shorter counts as a new file.
    fs::write(&path, &whole).unwrap();
    assert_eq!(news(), (vec!["c".to_owned()], 1));
}

#[test]
fn lines_and_files_that_cannot_be_read_are_told_with_their_place() {
    let (dir, journal) = new();
    let layout = of_two();
    for id in ["a", "b"] {
        append(&journal, &layout, id, "2026-10-01", &["1", "", ""]);
    }
    append(&journal, &layout, "c", "2026-10-05", &["1", "", ""]);
    assert_eq!((journal.unread(&Window::default()).unwrap(), journal.damage().unwrap()), (None, vec![]));
    let path = dir.path().join("predictions/2026-10-01.csv");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("\nb,", "\nb,x,")).unwrap();
    let said = journal.unread(&Window::default()).unwrap().unwrap();
    assert!(
        said.starts_with(
            "1 unreadable line of the prediction log is left out (the first is predictions/2026-10-01.csv, "
        ),
        "{said}"
    );
    assert!(said.contains("line 3"), "{said}");
    let damage = journal.damage().unwrap();
    assert_eq!(damage.len(), 1);
    assert!(
        damage[0].file == "predictions/2026-10-01.csv" && damage[0].what.starts_with("has 1 unreadable lines"),
        "{damage:?}"
    );
    assert!(damage[0].what.contains("line 3"), "{damage:?}");
    // A file without its header is not a log; a request for other days is not affected.
    fs::write(&path, "a,b\n1,2\n").unwrap();
    assert_eq!(journal.damage().unwrap()[0].file, "predictions/2026-10-01.csv");
    assert!(journal.unread(&Window::default()).is_err());
    assert_eq!(ids(&all(&journal, &Window::since(at("2026-10-02")), &layout)), ["c"]);
    let before = Window { since: None, until: Some(at("2026-09-30")) };
    assert!(all(&journal, &before, &layout).is_empty());
}

#[test]
fn lines_are_synced_at_once_once_a_second_or_not_at_all() {
    let times = ["2026-10-01T00:00:00Z", "2026-10-01T00:00:00.4Z", "2026-10-01T00:00:01.2Z", "2026-10-02T00:00:00Z"];
    // The number of disk syncs for each append, for a call of `sync`, and at the end.
    let asked = |durability: Durability| {
        let (_dir, journal) = new();
        let layout = of_two();
        // The directories of the log exist already.
        append(&journal, &layout, "z", "2026-09-30", &["1", "", ""]);
        let mut writer = journal.writer(&layout, durability);
        assert_eq!(writer.path(), None);
        let mut found: Vec<usize> = Vec::new();
        for time in times {
            let mut lines = Vec::new();
            layout.push(&mut lines, &row("a", at(time), &[0.7], &cells(&["1", "", ""])));
            found.push(n_syncs(|| writer.append(at(time), &lines).unwrap()));
            assert!(writer.path().unwrap().ends_with(format!("predictions/{}.csv", &time[..10])));
        }
        found.push(n_syncs(|| writer.sync().unwrap()));
        found.push(n_syncs(|| drop(writer)));
        found
    };
    // A new file is synced with its name (2), an old one without (1).
    assert_eq!(asked(Durability::Always), [2, 1, 1, 2, 2, 0]);
    // The previous file is synced, with its name, and so is the new one a second later.
    assert_eq!(asked(Durability::Batch), [2, 0, 2, 4, 2, 2]);
    assert_eq!(asked(Durability::Off), [0, 0, 0, 0, 2, 0]);
}

#[test]
fn numbers_and_windows_come_back_where_they_were_written() {
    let (dir, journal) = new();
    let columns = [("key", Kind::Id), ("size", Kind::Number)].map(|(name, kind)| ColumnSpec::new(name, kind));
    let target = Target { name: "y".to_owned(), task: Task::Regression, classes: Vec::new() };
    let schema = Schema { columns: columns.to_vec(), ..Schema::default() };
    let layout = Layout::new(&schema, &target).with_windows(vec![ColumnSpec::new("mean(size, 1h)", Kind::Number)]);
    let (time, mut lines) = (at("2026-10-01"), Vec::new());
    layout.push(&mut lines, &Row { class: None, windows: &[2.5], ..row("a", time, &[17.25], &cells(&["4"])) });
    journal.append(&layout, time, &lines).unwrap();
    let text = fs::read_to_string(dir.path().join("predictions/2026-10-01.csv")).unwrap();
    assert_eq!(text.lines().nth(1), Some("a,2026-10-01T00:00:00Z,v0003,b,,17.25,4,2.5"), "{text}");
    let rows = all(&journal, &Window::default(), &layout);
    let Values::Number(seen) = &rows[0].features.as_ref().unwrap().column("mean(size, 1h)").unwrap().values else {
        panic!()
    };
    assert_eq!((seen[0], rows[0].prediction.get(0)), (2.5, "17.25"));
}

#[test]
fn scores_of_several_classes_stay_together_over_many_batches() {
    let (_dir, journal) = new();
    let layout = layout(&[("key", Kind::Id)], &["a", "b", "c"]);
    let (time, mut known) = (at("2026-10-01"), Vec::new());
    for (n, scores) in [[0.2, 0.5, 0.3], [0.6, 0.1, 0.3]].iter().enumerate() {
        // Another header each day: two files, so two batches.
        let time = time + jiff::SignedDuration::from_hours(24 * n as i64);
        let mut lines = Vec::new();
        let id = format!("r{n}");
        layout.push(&mut lines, &Row { class: Some(1 - n), ..row(&id, time, scores, &[]) });
        journal.append(&layout, time, &lines).unwrap();
        known.push((id, Outcome::new(n as f64, None)));
    }
    assert!(Outcomes::default().is_empty());
    let outcomes = Outcomes::new(known);
    assert!(!outcomes.is_empty());
    let joined = journal.join(&Window::default(), &layout, &outcomes, None).unwrap();
    assert_eq!(joined.rows.class_scores, [vec![0.2, 0.6], vec![0.5, 0.1], vec![0.3, 0.3]]);
    assert_eq!(joined.rows.score, [0.5, 0.6]);
}

#[test]
fn a_log_is_empty_until_something_is_in_it() {
    let (dir, journal) = new();
    assert!(journal.is_empty().unwrap());
    fs::create_dir_all(dir.path().join("predictions")).unwrap();
    for other in ["notes.txt", "2026-1-2.csv", "2026-01-02.1.csv"] {
        fs::write(dir.path().join("predictions").join(other), "x").unwrap();
    }
    assert!(journal.is_empty().unwrap(), "these are no files of the log");
    fill(&journal, "2026-10-01", 0..1);
    assert!(!journal.is_empty().unwrap());
}
