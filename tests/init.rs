//! What `init` decides, and that `train` runs on what it wrote.

use super::support::{ERROR, Loop, YES};

/// Rows of `header` whose cells a function makes.
fn rows(header: &str, n: usize, cells: impl Fn(usize) -> String) -> String {
    (0..n).fold(format!("{header}\n"), |text, row| text + &cells(row) + "\n")
}

#[test]
fn a_target_of_one_class_is_an_error_of_its_own() {
    let text = rows("id,amount,days,churn", 200, |row| format!("k{row},{}.5,{},no", row * 37 % 101, row * 31 % 97));
    let work = Loop::new().table("r.csv", text);
    let said = work.run("init r.csv").answers(ERROR);
    assert!(said.stderr.contains("r.csv: \"churn\" looks like the target, and it is always \"no\""), "{}", said.stderr);
    assert!(!work.path("mlloop.toml").exists());
    work.run("init r.csv --target amount").answers(YES);
    let said = work.run("init r.csv --target churn --force").answers(ERROR);
    assert!(said.stderr.contains("every label is \"no\""), "{}", said.stderr);
}

#[test]
fn rows_of_an_id_that_repeats_stay_on_one_side() {
    let text = rows("id,x,price", 400, |row| {
        format!("a{:05},{},{}", row - usize::from(row % 100 == 99), row % 83, row * 31 % 397)
    });
    let work = Loop::new().table("r.csv", text);
    let said = work.run("init r.csv --text").answers(YES);
    assert!(!said.stdout.contains("each once") && !said.stdout.contains("each value once"), "{}", said.stdout);
    assert!(said.stderr.contains("the id \"id\" repeats (4 rows have"), "{}", said.stderr);
    let config = work.read("mlloop.toml");
    assert!(config.contains("by = \"column\"") && config.contains("column = \"id\""), "{config}");
    work.run("train").answers(YES);
}

#[test]
fn none_is_a_class_where_it_is_frequent() {
    let text = rows("x,y", 300, |row| format!("{}.5,{}", row * 37 % 101, ["A", "B", "None"][row * 7 % 3]));
    let work = Loop::new().table("r.csv", text);
    let said = work.run("init r.csv --text").answers(YES);
    assert!(said.stdout.contains("\"None\" is a class (100 rows)"), "{}", said.stdout);
    let said = work.run("train").answers(YES);
    assert_eq!(
        said.value()["rows"]["train"].as_u64().unwrap()
            + said.value()["rows"]["tune"].as_u64().unwrap()
            + said.value()["rows"]["gate"].as_u64().unwrap(),
        300
    );
    let said = work.run("predict r.csv --columns score_None").answers(YES);
    assert_eq!(said.stdout.lines().count(), 301);
}

#[test]
fn what_cannot_be_learned_is_said_at_init() {
    let cells = |row: usize| format!("{row},{}", row % 2);
    for (name, text, says) in [
        ("three rows", rows("a,y", 3, cells), "3 rows are too few"),
        ("one column", rows("y", 50, |row| (row % 2).to_string()), "no column is left to learn \"y\" from"),
        ("ids only", rows("id,y", 50, |row| format!("k{row},{}", row % 2)), "no column is left to learn \"y\" from"),
    ] {
        let work = Loop::new().table("r.csv", text);
        let said = work.run("init r.csv --target y").answers(ERROR);
        assert!(said.stderr.contains(says), "{name}: {}", said.stderr);
        assert!(!work.path("mlloop.toml").exists(), "{name}");
    }
}

#[test]
fn columns_called_like_answers_are_columns_like_others() {
    let text = rows("id,score,prediction,y", 300, |row| {
        format!("k{row},{}.5,{},{}", row * 37 % 101, row * 37 % 101 / 10, u8::from(row * 37 % 101 > 50))
    });
    for init in ["init r.csv", "init r.csv --ignore score", "init r.csv --ignore prediction"] {
        let work = Loop::new().table("r.csv", &text);
        work.run(init).answers(YES);
        work.run("train").answers(YES);
        let said = work.run("predict r.csv").answers(YES);
        let header = said.stdout.lines().next().unwrap();
        assert_eq!(header, "id,score,prediction,y,prediction_,score_");
        assert!(said.stderr.contains("what is added is called \"score_\""), "{}", said.stderr);
        work.run("predict r.csv --log --columns id,score").answers(YES);
        work.run("label-export -n 5").answers(YES);
    }
}

#[test]
fn the_task_may_be_said_and_the_guess_is_explained() {
    let text = rows("x,grade", 300, |row| format!("{}.5,{}", row * 37 % 101, 3 + row * 7 % 6));
    let work = Loop::new().table("r.csv", text);
    let said = work.run("init r.csv --text").answers(YES);
    assert!(said.stdout.contains("6 distinct whole numbers are classes"), "{}", said.stdout);
    let said = work.run("init r.csv --task regression --force").answers(YES);
    assert_eq!(said.value()["target"]["task"], "regression");
    assert!(work.read("mlloop.toml").contains("task = \"regression\""));
    let said = work.run("init r.csv --task binary --force").answers(ERROR);
    assert!(said.stderr.contains("6 distinct values"), "{}", said.stderr);
}

#[test]
fn any_name_and_any_cell_can_be_read_back() {
    let long = "x".repeat(200_000);
    for (header, level) in [
        ("\"a\nb\"", "plain"),
        ("\"bell\u{7}\"", "vt\u{b}"),
        ("\"quo\"\"te\"", "'''"),
        ("back\\slash", "\u{1b}[31mred"),
        ("del\u{7f}", long.as_str()),
    ] {
        let text = rows(&format!("{header},x,y"), 120, |row| {
            let level = if row % 2 == 0 { level } else { "other" };
            format!("{level},{},{}", row * 37 % 101, row % 2)
        });
        let work = Loop::new().table("r.csv", text);
        let said = work.run("init r.csv --text").answers(YES);
        assert!(said.stdout.lines().all(|line| line.len() < 2000), "{header:?}");
        work.run("train").answers(YES);
        assert!(!said.stdout.contains('\u{1b}') && !said.stdout.contains('\u{7}'), "{header:?}: {:?}", said.stdout);
    }
}
