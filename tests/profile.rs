//! Profiles of tables, merged ones, and those that `train` stores.

use crate::skipped::skipped;
use crate::support::{ERROR, Loop, Said, YES};
use mlloop::profile::{Distribution, Kll, Profile};
use mlloop::registry::{Registry, Version};
use mlloop::table::{Column, Table, Values};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

const CHURN: &str = include_str!("../fixtures/tables/churn.csv");

/// A header, and the rows from `from` to `to`: numbers that differ, few whole ones, a category.
fn rows(from: u32, to: u32) -> String {
    let mut text = "real,whole,city\n".to_owned();
    for i in from..to {
        let real = if i % 10 == 4 { "NA".to_owned() } else { format!("{}", (f64::from(i) * 0.61).sin()) };
        writeln!(text, "{real},{},{}", i % 9, ["Ulm", "Bonn", "Kiel"][(i % 7 % 3) as usize]).unwrap();
    }
    text
}

/// One line on stderr, perhaps with a hint below.
#[track_caller]
fn one_line(said: &Said) {
    let lines: Vec<&str> = said.stderr.lines().collect();
    let hints = lines.iter().filter(|l| l.trim_start().starts_with("hint")).count();
    assert_eq!(lines.len() - hints, 1, "{}", said.stderr);
}

#[test]
fn what_arrives_is_profiled_without_its_target() {
    let work = Loop::new().table("churn.csv", CHURN);
    work.run("init churn.csv").answers(YES);
    let without = |n: usize| -> String {
        let cut = |line: &str| line.rsplitn(n + 1, ',').last().unwrap().to_owned() + "\n";
        CHURN.lines().map(cut).collect()
    };
    work.write("new.csv", without(1));
    let said = work.run("profile new.csv").answers(YES).json("/n_rows", 1200);
    assert_eq!(said.value()["columns"].as_array().unwrap().len(), 8);
    work.write("less.csv", without(2));
    work.run("profile less.csv").answers(ERROR).says("missing column \"support_calls\"");
}

#[test]
fn a_table_is_summarised_column_by_column() {
    let work = Loop::new().table("t.csv", rows(0, 1000));
    let said = work.run("profile t.csv").answers(YES);
    let said = said.json("/format", 1).json("/n_rows", 1000).json("/columns/0/n_missing", 100);
    let said = said.json("/columns/1/shape/numbers/moments/max", 8.0).json("/columns/1/shape/numbers/integer", true);
    let said = said.json("/columns/2/shape/levels/counts/Kiel", 286);
    assert!(Profile::from_json(said.stdout.as_bytes()).unwrap().exact());
    work.run("profile t.csv --text").answers(YES).prints("1000 rows, 3 columns; exact").prints("3 levels: Ulm");
    let piped = work.pipe("profile -", rows(0, 1000)).answers(YES);
    assert_eq!(piped.stdout, said.stdout);
}

#[test]
fn parts_make_the_whole() {
    let work = Loop::new().table("whole.csv", rows(0, 900));
    for (name, from, to) in [("a", 0, 250), ("b", 250, 260), ("c", 260, 900)] {
        work.write(&format!("{name}.csv"), rows(from, to));
        work.run(&format!("profile {name}.csv -o {name}.json")).answers(YES);
    }
    let whole = work.run("profile whole.csv").answers(YES).stdout;
    assert_eq!(work.run("profile a.csv b.csv c.csv").answers(YES).stdout, whole);
    assert_eq!(work.run("profile --merge a.json b.json c.json").answers(YES).stdout, whole);
    assert_eq!(work.run("profile --merge c.json a.json b.json").answers(YES).stdout, whole);
}

#[test]
fn long_columns_are_sketched_the_same_on_any_number_of_threads() {
    let work = Loop::new().table("t.csv", rows(0, 30_000));
    let one = work.run("profile t.csv --threads 1").answers(YES).stdout;
    assert!(one.contains("\"kll\""));
    assert_eq!(work.run("profile t.csv --threads 3").answers(YES).stdout, one);
    work.run("profile t.csv --text").answers(YES).prints("sketched, ranks within 0.07 % of the rows");
    let exact = work.run("profile t.csv --exact").answers(YES).stdout;
    let (sketched, exact) =
        (Profile::from_json(one.as_bytes()).unwrap(), Profile::from_json(exact.as_bytes()).unwrap());
    assert!(exact.exact() && !sketched.exact());
    let (a, b) = (sketched.columns[0].sample(), exact.columns[0].sample());
    assert_eq!((a.n(), b.n()), (27_000, 27_000));
    assert!((sketched.columns[0].quantile(0.3).unwrap() - exact.columns[0].quantile(0.3).unwrap()).abs() < 0.01);
    assert_eq!(sketched.columns[1], exact.columns[1]);
}

#[test]
fn bad_input_is_one_line_and_status_2() {
    let work =
        Loop::new().table("t.csv", rows(0, 50)).table("empty.csv", "").table("other.csv", "real,town\n1,a\n2,b\n");
    work.write("d/x", "");
    work.run("profile t.csv -o t.json").answers(YES);
    let text = work.read("t.json");
    work.write("cut.json", &text[..text.len() / 2]);
    work.write("odd.json", text.replace("\"n_rows\": 50", "\"n_rows\": 51"));
    work.run("profile other.csv -o other.json").answers(YES);
    for (line, said) in [
        ("profile none.csv", "none.csv"),
        ("profile empty.csv", "is empty"),
        ("profile d", "is a directory"),
        ("profile t.csv other.csv", "other.csv"),
        ("profile --merge none.json", "none.json"),
        ("profile --merge d", "d: "),
        ("profile --merge t.csv", "t.csv: not a profile"),
        ("profile --merge cut.json", "cut.json: not a profile"),
        ("profile --merge odd.json", "do not add up to 51 rows"),
        ("profile --merge t.json other.json", "other.json: column \"town\" is only in the later profile"),
    ] {
        one_line(&work.run(line).answers(ERROR).says(said));
    }
}

#[test]
fn train_keeps_what_it_trained_on_and_how_it_scores() {
    let work = Loop::new().table("churn.csv", CHURN);
    work.run("init churn.csv").answers(YES);
    let value = work.run("train").answers(YES).value();
    let registry = Registry::new(work.path("models"));
    let (trained_on, scores) = (registry.profile(Version(1)).unwrap(), registry.score_profile(Version(1)).unwrap());
    let rows = &value["rows"];
    assert_eq!(trained_on.n_rows, rows["train"].as_u64().unwrap() + rows["tune"].as_u64().unwrap());
    assert!(trained_on.column("churn").unwrap().levels().unwrap().contains_key("yes"));
    assert_eq!(scores.n_rows, rows["gate"].as_u64().unwrap());
    assert_eq!(scores.columns.iter().map(|c| c.name.as_str()).collect::<Vec<_>>(), ["score"]);
    assert!(scores.columns[0].quantile(1.0).unwrap() <= 1.0);

    let path = work.path("models/v0001/profile.json");
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    let message = registry.profile(Version(1)).unwrap_err().to_string();
    assert!(message.contains("profile.json: not a profile"), "{message}");
    std::fs::remove_file(&path).unwrap();
    let message = registry.profile(Version(1)).unwrap_err().to_string();
    assert!(message.ends_with("version v0001 has no profile of its training rows"), "{message}");
}

/// A Python with the `datasketches` package, in an environment of its own, or `None` after saying so.
fn python() -> Option<PathBuf> {
    let base = std::env::var("MLLOOP_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("datasketches");
    let python = dir.join("bin/python");
    let works = |python: &Path| {
        Command::new(python).args(["-c", "import datasketches"]).output().is_ok_and(|said| said.status.success())
    };
    if !works(&python) {
        let _ = Command::new(&base).args(["-m", "venv"]).arg(&dir).output();
        let _ = Command::new(&python).args(["-m", "pip", "install", "--quiet", "datasketches"]).output();
    }
    if !works(&python) {
        skipped(format_args!("{base} cannot install the datasketches package to compare with"));
        return None;
    }
    Some(python)
}

const EXCHANGE: &str = r#"
import sys
from pathlib import Path
from datasketches import kll_doubles_sketch
folder = Path(sys.argv[1])
for path in sorted(folder.glob("*.ours")):
    n = int(path.stem)
    theirs = kll_doubles_sketch.deserialize(path.read_bytes())
    assert theirs.n == n and theirs.k == 4096, (n, theirs)
    if n:
        assert theirs.get_min_value() == 0 and theirs.get_max_value() == n - 1
        for share in (0.01, 0.1, 0.5, 0.9):
            assert abs(theirs.get_rank(share * n) - share) < 0.003 + 1 / n, (n, share)
    path.with_suffix(".again").write_bytes(theirs.serialize())
    # It goes on counting, and merges with its own kind.
    more = kll_doubles_sketch(4096)
    for value in range(n, n + 20000):
        theirs.update(value)
        more.update(value)
    assert theirs.n == n + 20000
    theirs.merge(more)
    path.with_suffix(".more").write_bytes(theirs.serialize())
for k, n in [(200, 0), (200, 1), (200, 150), (200, 50000), (8, 1000), (4096, 300000), (1000, 2000)]:
    sketch = kll_doubles_sketch(k)
    for value in range(n):
        sketch.update((value * 7919) % n)
    (folder / f"{k}-{n}.theirs").write_bytes(sketch.serialize())
"#;

#[test]
fn sketches_are_exchanged_with_datasketches() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut ours = vec![(0, Kll::new(4096))];
    for n in [10_001_u64, 50_000, 400_000] {
        let values = (0..n).map(|i| (i * 7919 % n) as f64).collect();
        let table = Table::new(vec![Column::new("x", Values::Number(values))]).unwrap();
        let profile = Profile::of_table(&table);
        let Distribution::Sketch(sketch) = &profile.columns[0].numbers().unwrap().distribution else { panic!() };
        ours.push((n, sketch.clone()));
    }
    for (n, sketch) in &ours {
        std::fs::write(folder.path().join(format!("{n}.ours")), sketch.to_bytes()).unwrap();
    }
    let said = Command::new(python).args(["-c", EXCHANGE]).arg(folder.path()).output().unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let read = |name: String| Kll::from_bytes(&std::fs::read(folder.path().join(name)).unwrap()).unwrap();
    for (n, sketch) in &ours {
        assert_eq!(&read(format!("{n}.again")), sketch, "what they write of ours is ours");
        assert_eq!(read(format!("{n}.more")).n(), n + 40_000);
    }
    for (k, n) in [(200, 0), (200, 1), (200, 150), (200, 50_000), (8, 1000), (4096, 300_000), (1000, 2000)] {
        let sketch = read(format!("{k}-{n}.theirs"));
        assert_eq!((sketch.n(), sketch.weighted().map(|(_, w)| w).sum::<u64>()), (n, n));
        let below: u64 = sketch.weighted().filter(|(v, _)| *v < n as f64 / 2.0).map(|(_, w)| w).sum();
        assert!((below as f64 - n as f64 / 2.0).abs() <= 2.0 * sketch.rank_error() * n as f64 + 1.0, "{k} {n}");
    }
}

#[test]
fn a_profile_in_a_loop_counts_the_levels_that_the_model_has() {
    let row = |i: u32| {
        let (kind, flag) = (["Neu", "neu", "alt"][i as usize % 3], ["WAHR", "TRUE", "FALSE"][i as usize % 3]);
        format!("k{i},{kind},{flag},{},{}\n", i * 7 % 41, ["yes", "no"][i as usize % 2])
    };
    let work = Loop::new().table("t.csv", "id,kind,flag,x,y\n".to_owned() + &(0..240).map(row).collect::<String>());
    let levels = |said: Said| {
        let profile = said.answers(YES).value();
        let columns = profile["columns"].as_array().unwrap().clone();
        let of = |name: &str| {
            let column = columns.iter().find(|column| column["name"] == name).unwrap();
            column["shape"]["levels"]["counts"].as_object().unwrap().len()
        };
        ["kind", "flag"].map(of)
    };
    let alone = levels(work.run("profile t.csv"));
    work.run("init t.csv --target y").answers(YES);
    assert_eq!(levels(work.run("profile t.csv")), alone);
    assert_eq!(alone[0], 2);
}
