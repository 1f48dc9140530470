//! `predict --log`: every row is in the log before its answer leaves, whole, whoever writes and whatever dies.

use crate::support::{ERROR, Loop, YES};
use std::collections::HashSet;

const CHURN: &str = include_str!("../fixtures/tables/churn.csv");

/// A loop with a version in production and a table of three rows to score.
fn trained() -> Loop {
    let work = Loop::new().table("churn.csv", CHURN);
    work.run("init churn.csv").answers(YES);
    work.run("train --algorithm decision-tree --now 2026-11-01T00:00:00Z").answers(YES);
    let few: String = CHURN.lines().take(4).map(|line| format!("{line}\n")).collect();
    work.write("few.csv", few);
    work
}

const LOG: &str = "predictions/2026-11-20.csv";
const AT: &str = "--now 2026-11-20T09:30:00Z";

/// The ids of every line of a log, each of which must be whole.
fn ids(text: &str) -> Vec<&str> {
    let n_fields = text.lines().next().unwrap().split(',').count();
    assert!(text.ends_with('\n'));
    text.lines()
        .skip(1)
        .map(|line| {
            assert_eq!(line.split(',').count(), n_fields, "{line}");
            line.split(',').next().unwrap()
        })
        .collect()
}

#[test]
fn what_is_answered_is_logged() {
    let work = trained();
    let answered = work.run(&format!("predict few.csv --log --arm b {AT}")).answers(YES);
    let log = work.read(LOG);
    let header = "id,time,version,arm,score,prediction,contract,months,internet,paperless,monthly_charge,total_charge,support_calls";
    assert_eq!(log.lines().next(), Some(header));
    assert_eq!(ids(&log), ["0010000", "0010001", "0010002"]);
    for (logged, answered) in log.lines().skip(1).zip(answered.stdout.lines().skip(1)) {
        let (logged, answered): (Vec<&str>, Vec<&str>) = (logged.split(',').collect(), answered.split(',').collect());
        assert_eq!(logged[1..4], ["2026-11-20T09:30:00Z", "v0001", "b"]);
        assert_eq!(logged[5], answered[9]);
        let (exact, shown): (f64, f64) = (logged[4].parse().unwrap(), answered[10].parse().unwrap());
        assert!((exact - shown).abs() < 1e-6, "{exact} {shown}");
        assert_eq!(logged[6..], answered[1..8]);
    }
    let found = work.run("audit show --for 0010001").answers(YES).value();
    assert_eq!(found["predictions"][0]["version"], "v0001");
    assert_eq!(found["predictions"][0]["arm"], "b");
    work.run("audit show --for nobody").answers(1);
    work.run("audit --for 0010001 --text").answers(YES).prints("2026-11-20 09:30  v0001 predicted yes (score ");
    work.run("predict few.csv --arm b").answers(ERROR).says("--log");
    // The table holds what became of the rows: that is learned from only where somebody says so.
    assert!(answered.stderr.contains("add --outcomes to record them as labels"), "{}", answered.stderr);
    assert!(!work.path("data/labels.csv").exists());
    let asked = work
        .run(&format!("predict few.csv --log --outcomes {AT}"))
        .answers(YES)
        .says("3 outcomes as labels, 3 of them new");
    assert!(!asked.stderr.contains("to record them"), "{}", asked.stderr);
}

#[test]
fn any_way_of_writing_a_table_gives_the_same_log() {
    let work = trained();
    work.run(&format!("predict few.csv --log {AT}")).answers(YES);
    let expected = work.read(LOG);
    let quoted: String = work
        .read("few.csv")
        .lines()
        .map(|line| line.split(',').map(|cell| format!(" \"{cell}\"")).collect::<Vec<_>>().join(";") + "\r\n")
        .collect();
    let other = trained();
    other.write("quoted.csv", quoted);
    other.run(&format!("predict quoted.csv --delimiter ; --log {AT}")).answers(YES);
    assert_eq!(other.read(LOG), expected);
}

#[test]
fn a_row_needs_an_id_where_the_loop_has_one() {
    let work = trained();
    let few = work.read("few.csv");
    let without: String = few.lines().map(|line| format!("{}\n", line.split_once(',').unwrap().1)).collect();
    work.write("without.csv", &without);
    work.run("predict without.csv").answers(YES);
    work.run("predict without.csv --log").answers(ERROR).says("\"customer\"");
    work.write("empty.csv", few.replace("0010001", ""));
    work.run(&format!("predict empty.csv --log -o out.csv {AT}")).answers(ERROR).says("row 2");
    assert!(!work.path("predictions").exists() && !work.path("out.csv").exists());
    // A loop without an id column names rows after their content.
    let nameless = Loop::new().table("churn.csv", without_id(CHURN)).table("few.csv", without);
    nameless.run("init churn.csv").answers(YES);
    nameless.run("train --algorithm decision-tree").answers(YES);
    nameless.run(&format!("predict few.csv --log {AT}")).answers(YES);
    nameless.run(&format!("predict few.csv --log {AT}")).answers(YES);
    let log = nameless.read(LOG);
    let ids = ids(&log);
    assert!(ids.iter().all(|id| id.starts_with("row-")));
    assert_eq!((ids.len(), ids.iter().collect::<HashSet<_>>().len()), (6, 3));
}

fn without_id(table: &str) -> String {
    table.lines().map(|line| format!("{}\n", line.split_once(',').unwrap().1)).collect()
}

#[test]
fn wherever_it_dies_lines_are_whole_and_repeating_logs_the_rest() {
    let work = trained();
    let line = format!("predict few.csv --log {AT}");
    let n = work.dies_everywhere(&line, "", |copy| {
        copy.run(&line).answers(YES);
        let log = copy.read(LOG);
        let ids = ids(&log);
        // What was written before the death may stand there too; nothing is torn and nothing is lost.
        assert!(ids.len() == 3 || ids.len() == 6, "{log}");
        assert_eq!(ids.iter().collect::<HashSet<_>>().len(), 3);
    });
    assert!(n >= 3, "{n} points");
    for n in 1..=n {
        let copy = work.copy();
        copy.pipe_with(&line, "", &format!("full:{n}")).answers(ERROR).says("predictions");
        assert!(!copy.path(LOG).exists() || copy.read(LOG).is_empty());
    }
}

#[test]
fn eight_processes_at_once_lose_nothing() {
    let work = trained();
    let header = CHURN.lines().next().unwrap();
    let rows: Vec<&str> = CHURN.lines().skip(1).collect();
    std::thread::scope(|scope| {
        for writer in 0..8 {
            let (work, rows) = (&work, &rows);
            scope.spawn(move || {
                for round in 0..3 {
                    let own = rows.iter().map(|row| format!("{writer}-{round}-{row}\n")).collect::<String>();
                    work.pipe(&format!("predict --log {AT}"), format!("{header}\n{own}")).answers(YES);
                }
            });
        }
    });
    let log = work.read(LOG);
    let ids = ids(&log);
    assert_eq!((ids.len(), ids.iter().collect::<HashSet<_>>().len()), (8 * 3 * rows.len(), 8 * 3 * rows.len()));
}
