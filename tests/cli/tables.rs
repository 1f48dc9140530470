//! Tables on the command line: their errors, `split`, and cells that every verb reads alike.

use crate::support::{ERROR, Loop, YES};

#[test]
fn a_table_that_cannot_be_read_is_one_line_and_changes_nothing() {
    let work = Loop::new().table("empty.csv", "").table("header.csv", "a,b\n").table("twice.csv", "a,a\n1,2\n");
    let before = work.files();
    for (table, message) in [
        ("absent.csv", "mlloop: absent.csv: No such file or directory (os error 2)\n"),
        ("empty.csv", "mlloop: empty.csv: is empty\n"),
        ("header.csv", "mlloop: header.csv: has a header but no rows\n"),
        (
            "twice.csv",
            "mlloop: twice.csv: line 1: the header has the name \"a\" 2 times, in fields 1, 2: name each anew\n",
        ),
    ] {
        let said = work.run(&format!("-C new init {table}")).answers(ERROR);
        assert_eq!(said.stderr, message);
    }
    assert_eq!(work.files(), before);
    assert!(!work.path("new").exists());
}

/// Rows that stand several times under other ids: both sides have copies of each other's rows, which is no drift.
#[test]
fn a_split_by_hash_of_a_table_with_copies_is_calm() {
    let mut lines = include_str!("../../fixtures/tables/churn.csv").lines();
    let header = lines.next().unwrap();
    let copies = lines.take(300).enumerate().flat_map(|(row, line)| {
        let cells = line.split_once(',').unwrap().1;
        (0..4).map(move |copy| format!("{row}-{copy},{cells}\n"))
    });
    let work = Loop::new().table("churn.csv", format!("{header}\n{}", copies.collect::<String>()));
    work.run("split churn.csv --how hash --by customer --reference 0.5").answers(YES);
    let report = work.run("monitor --reference data/reference.csv data/current.csv --multivariate").value();
    let found = &report["multivariate"];
    assert_eq!(found["drifted"], false, "{found}");
    assert!((found["roc_auc"].as_f64().unwrap() - 0.5).abs() < 0.05, "{found}");
    assert_eq!(report["verdict"]["retrain"], "no", "{}", report["verdict"]);
}

#[test]
fn outcomes_that_production_does_not_know_are_none_and_are_named() {
    let table = include_str!("../../fixtures/tables/churn.csv");
    let work = Loop::new().table("churn.csv", table);
    work.run("init churn.csv").answers(YES);
    work.run("train --algorithm decision-tree").answers(YES);
    let mut text = format!("{}\n", table.lines().next().unwrap());
    for (row, line) in table.lines().skip(1).enumerate() {
        let (rest, truth) = line.rsplit_once(',').unwrap();
        let truth = if row % 10 == 4 { "maybe" } else { truth };
        text.push_str(&format!("N{rest},{truth}\n"));
    }
    work.write("new.csv", text);
    let report = work.run("monitor new.csv").answers(YES).value();
    assert_eq!(report["performance"]["n"], 1080);
    assert!(report.to_string().contains("120 outcomes are unknown to production"), "{report}");
}

#[test]
fn split_cuts_a_table_that_is_here() {
    let table = include_str!("../../fixtures/tables/churn.csv");
    let work = Loop::new().table("churn.csv", table);
    let line = "split churn.csv --how hash --by customer --reference 0.8";
    work.run(line).answers(YES);
    let rows = |name: &str| work.read(name).lines().skip(1).map(str::to_owned).collect::<Vec<_>>();
    let (reference, current) = (rows("data/reference.csv"), rows("data/current.csv"));
    assert_eq!(reference.len() + current.len(), 1200);
    assert!((0.75..0.85).contains(&(reference.len() as f64 / 1200.0)), "{}", reference.len());
    let all: std::collections::BTreeSet<&str> = table.lines().skip(1).collect();
    let both: std::collections::BTreeSet<&str> = reference.iter().chain(&current).map(String::as_str).collect();
    assert_eq!(both, all, "every row is on one side, as it was");
    work.run(line).answers(crate::support::NO);
    // Other shares would replace the files: only when that is asked for.
    let before = work.files();
    work.run("split churn.csv --how hash --by customer --reference 0.5").answers(ERROR).says("--force");
    assert_eq!(work.files(), before);
    work.run("split churn.csv --how hash --by customer --reference 0.5 --force").answers(YES);
    assert!((500..700).contains(&rows("data/reference.csv").len()));
    // By a number that counts time: the earliest rows are the reference.
    let work = Loop::new().table(
        "t.csv",
        (0..100)
            .map(|n| format!("{},{}\n", (n * 37) % 100, n % 7))
            .fold("step,x\n".to_owned(), |all, line| all + &line),
    );
    work.run("split t.csv --by step --reference 0.6").answers(YES);
    let steps = |name: &str| -> Vec<u32> {
        work.read(name).lines().skip(1).map(|line| line.split(',').next().unwrap().parse().unwrap()).collect()
    };
    assert_eq!(steps("data/reference.csv").len(), 60);
    assert!(steps("data/reference.csv").iter().max() < steps("data/current.csv").iter().min());
    for (line, says) in [
        ("split nothing.csv", "nothing.csv"),
        ("split t.csv --by stp --force", "stp"),
        ("split t.csv --how hash --by x --reference 1.5 --force", "--reference must be a share between 0 and 1"),
    ] {
        work.run(line).answers(ERROR).says(says);
    }
}

/// The fixture as some programs write it: spaces before quotes, and a comma inside of them.
fn spaced() -> Loop {
    Loop::new()
        .table("churn.csv", include_str!("../../fixtures/tables/churn.csv").replace(",two years,", ", \"two, years\","))
}

#[test]
fn a_quote_after_a_space_is_read_alike_by_every_verb() {
    let work = spaced();
    work.run("init churn.csv").answers(YES);
    work.run("train --algorithm decision-tree --now 2026-11-01T00:00:00Z").answers(YES);
    let said = work.run("predict churn.csv --columns customer,months,contract").answers(YES).stdout;
    let line = |text: &str| said.lines().find(|line| line.starts_with(text)).unwrap().to_owned();
    assert_eq!(line("0010005,"), "0010005,23, \"two, years\"");
    work.run("predict churn.csv --log -o scored.csv --now 2026-11-02T00:00:00Z").answers(YES);
    let now = "--now 2026-11-03T00:00:00Z";
    let answers = work.run("predict churn.csv --columns customer,prediction").answers(YES).stdout;
    let wrong = |line: &str| {
        let (id, predicted) = line.split_once(',').unwrap();
        format!("{id},incorrect,{}\n", if predicted == "yes" { "no" } else { "yes" })
    };
    let rows: String = answers.lines().skip(1).step_by(5).map(wrong).collect();
    work.pipe(&format!("feedback - --by ann {now}"), format!("id,verdict,actual\n{rows}")).answers(YES);
    work.run(&format!("retrain {now}")).answers(YES).json("/done", "retrained");
}

/// A person who runs a verb over many tables sees which one is meant.
#[test]
fn every_error_about_a_table_names_its_file() {
    let row = |n: usize| {
        let (age, churn) = (20 + n * 7 % 50, if n * 7 % 50 > 25 || n.is_multiple_of(11) { "yes" } else { "no" });
        format!("a{n},{age},{},{churn}\n", ["basic", "plus"][n % 2])
    };
    let rows = || (0..500).fold("id,age,plan,churn\n".to_owned(), |text, n| text + &row(n));
    let work = Loop::new().table("tiny.csv", rows());
    work.run("init tiny.csv --target churn").answers(YES);
    work.run("train --set n_estimators=5").answers(YES).json("/role", "production");
    work.write("empty.csv", "");
    work.write("header.csv", "id,age,plan,churn\n");
    work.write("text.csv", rows().replacen(",27,", ",many,", 1));
    work.write("other.csv", rows().replace("id,age,plan,churn", "key,years,paln,chrun"));
    work.write(
        "ab.csv",
        "unit,arm,y,note\n".to_owned()
            + &(0..40).map(|i| format!("u{i},{},{},x{i}\n", ["A", "B"][i % 2], i % 3)).collect::<String>(),
    );
    let files = ["empty.csv", "header.csv", "text.csv", "other.csv", "ab.csv"];
    let mut lines: Vec<String> = Vec::new();
    let verbs =
        ["init FILE --target chum --force", "init FILE --ignore agee --force", "init FILE --kind agee=number --force"];
    let verbs =
        verbs.into_iter().chain(["predict FILE", "monitor FILE", "monitor tiny.csv --reference FILE", "simulate FILE"]);
    let verbs = verbs.chain([
        "train --test FILE",
        "label-import FILE",
        "feedback FILE",
        "monitor tiny.csv --labels FILE",
        "profile FILE",
    ]);
    for verb in verbs {
        lines.extend(files.map(|file| verb.replace("FILE", file)));
    }
    for columns in
        ["--arm amr --outcome y", "--arm arm --outcome yy", "--arm arm --outcome y/n", "--arm arm --outcome note"]
    {
        lines.push(format!("ab-report ab.csv {columns}"));
    }
    for columns in ["--unit zz", "--time zz", "--strata zz", "--pre zz", "--time note", "--n zz", "--arms A,C"] {
        lines.push(format!("ab-report ab.csv --arm arm --outcome y {columns}"));
    }
    let mut nameless = Vec::new();
    for line in lines {
        let (said, file) =
            (work.run(&line), line.split([' ', '=']).find(|word| word.ends_with(".csv") && *word != "tiny.csv"));
        if said.status() == ERROR && !said.stderr.contains(file.unwrap()) {
            nameless.push(format!("{line}: {}", said.stderr));
        }
    }
    assert!(nameless.is_empty(), "{}", nameless.join(""));
}
