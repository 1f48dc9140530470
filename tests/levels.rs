//! One value, one level: spellings of a value score alike everywhere, and what stays apart is said.

use super::support::{ERROR, Loop, NO, YES};

/// A flag that decides, a region of codes, an amount that does not matter.
fn table(flag: [&str; 2], region: [&str; 3], with_target: bool) -> String {
    let mut text = format!("cust,flag,region,amount{}\n", if with_target { ",churn" } else { "" });
    for row in 0..400 {
        let yes = row * 7919 % 5 < 2;
        let cells = format!("c{row},{},{},{}", flag[usize::from(yes)], region[row * 31 % 3], row * 13 % 97);
        let churn = match (with_target, yes != (row % 11 == 0)) {
            (false, _) => "",
            (true, true) => ",yes",
            (true, false) => ",no",
        };
        text.push_str(&format!("{cells}{churn}\n"));
    }
    text
}

fn trained() -> Loop {
    let work = Loop::new().table("r.csv", table(["False", "True"], ["1", "2", "X"], true));
    work.run("init r.csv").answers(YES);
    work.run("train").answers(YES);
    work
}

#[test]
fn spellings_of_a_value_score_alike() {
    let work = trained();
    work.write("same.csv", table(["False", "True"], ["1", "2", "X"], false));
    let expected = work.run("predict same.csv --columns cust,prediction,score").answers(YES);
    assert_eq!(expected.stderr, "");
    for (flag, region) in [
        (["false", "true"], ["1", "2", "X"]),
        (["FALSE", "TRUE"], ["1.0", "2.0", "x"]),
        (["no", "YES"], ["1e0", "2e0", "X "]),
        (["0", "1"], ["+1", "2.", "\u{a0}X"]),
    ] {
        work.write("other.csv", table(flag, region, false));
        let said = work.run("predict other.csv --columns cust,prediction,score").answers(YES);
        assert_eq!(said.stdout, expected.stdout, "{flag:?} {region:?}");
        assert_eq!(said.stderr, "", "{flag:?} {region:?}");
        // Nothing has changed but the spelling: no level is new.
        let said = work.run("monitor other.csv").answers(NO);
        assert!(said.stdout.contains("0 of 3 columns drifted"), "{}", said.stdout);
    }
}

#[test]
fn a_number_that_is_0_or_1_is_read_from_words_too() {
    let work = Loop::new().table("r.csv", table(["0", "1"], ["a", "b", "c"], true));
    work.run("init r.csv").answers(YES);
    assert!(work.read("mlloop.toml").contains("\"flag\" = \"number\""), "{}", work.read("mlloop.toml"));
    work.run("train").answers(YES);
    work.write("same.csv", table(["0", "1"], ["a", "b", "c"], false));
    let expected = work.run("predict same.csv --columns score").answers(YES).stdout;
    for flag in [["false", "true"], ["FALSE", "True"], ["no", "Yes"], ["0.0", "1e0"]] {
        work.write("other.csv", table(flag, ["a", "b", "c"], false));
        assert_eq!(work.run("predict other.csv --columns score").answers(YES).stdout, expected, "{flag:?}");
        let said = work.run("monitor other.csv").answers(NO);
        assert!(said.stdout.contains("0 of 3 columns drifted"), "{}", said.stdout);
    }
    // Rows of JSON, and a parquet column of true and false.
    let mut lines = String::new();
    for row in table(["false", "true"], ["a", "b", "c"], false).lines().skip(1) {
        let cells: Vec<&str> = row.split(',').collect();
        lines += &format!(
            "{{\"cust\":\"{}\",\"flag\":{},\"region\":\"{}\",\"amount\":{}}}\n",
            cells[0], cells[1], cells[2], cells[3]
        );
    }
    work.write("rows.jsonl", lines);
    assert_eq!(work.run("predict rows.jsonl --columns score --format csv").answers(YES).stdout, expected);
    // What says neither, and a word in a number that is no flag, is an error with its place.
    work.write("other.csv", table(["down", "1"], ["a", "b", "c"], false));
    work.run("predict other.csv").answers(ERROR).says("column \"flag\": \"down\" is not a number");
    work.write("other.csv", table(["0", "1"], ["a", "b", "c"], false).replacen(",13\n", ",true\n", 1));
    work.run("predict other.csv").answers(ERROR).says("column \"amount\": \"true\" is not a number");
    // Rows that are learned from keep their words; the version after it reads them all the same.
    let renamed = table(["no", "yes"], ["a", "b", "c"], true).replace("\nc", "\nd");
    work.write("labelled.csv", renamed);
    work.run("retrain labelled.csv").answers(YES);
    work.run("promote --override test --by ann").answers(YES);
    assert!(work.read("r.csv").contains("\nd0,"), "the reference has the new rows");
    work.run("train").answers(YES);
}

#[test]
fn levels_that_stay_apart_are_said_with_their_share() {
    let work = trained();
    work.write("other.csv", table(["down", "up"], ["1", "2", "Y"], false));
    let said = work.run("predict other.csv --columns cust,score").answers(YES);
    let flag =
        "column \"flag\": 400 of 400 rows have a level that training did not have (100.0 %), such as \"up\", \"down\"";
    assert!(
        said.stderr.contains(flag) || said.stderr.contains(&flag.replace("\"up\", \"down\"", "\"down\", \"up\"")),
        "{}",
        said.stderr
    );
    assert!(said.stderr.contains("column \"region\": 133 of 400 rows"), "{}", said.stderr);
}

/// Numbers of another size are said: marks between thousands that are read as decimals, another unit, flags of Access.
#[test]
fn numbers_of_another_size_are_said() {
    type Cell<'a> = &'a dyn Fn(usize) -> String;
    let table = |cell: Cell| {
        let row =
            |row: usize| format!("k{row},{},{},{}\n", cell(row), row * 7 % 10, ["no", "yes"][row * 37 % 101 / 51]);
        "cust,v,b,churn\n".to_owned() + &(0..300).map(row).collect::<String>()
    };
    let size = |row: usize| row * 37 % 101;
    let cases: [(Cell, Cell, &str); 4] = [
        (
            &|row| (1000 + 280 * size(row)).to_string(),
            &|row| format!("{}.000", 1 + size(row) % 29),
            "such as 1: is the number format",
        ),
        (
            &|row| format!("{}.25", 100 + 590 * size(row)),
            &|row| format!("{}.{:03}", 1 + size(row) % 59, size(row)),
            "numbers are outside the training range",
        ),
        (&|row| format!("{}.5", size(row)), &|row| format!("{}.5", 1000 * size(row)), "(0.5 to 100.5), such as"),
        (
            &|row| (size(row) % 2).to_string(),
            &|row| if size(row) % 2 == 1 { "-1" } else { "0" }.to_owned(),
            "(0 to 1), such as -1",
        ),
    ];
    for (reference, current, says) in cases {
        let work = Loop::new().table("r.csv", table(reference)).table("c.csv", table(current));
        work.run("init r.csv --target churn").answers(YES);
        work.run("train --quality fast --set n_estimators=20").answers(YES);
        let said = work.run("predict c.csv --columns score").answers(YES).stderr;
        assert!(said.contains(says) && said.contains("column \"v\": "), "{says}: {said}");
        let same = work.run("predict r.csv --columns score").answers(YES).stderr;
        assert!(!same.contains("outside"), "{same}");
    }
}

#[test]
fn init_lists_other_spellings_and_they_may_be_kept_apart() {
    let mut text = table(["False", "True"], ["a", "b", "c"], true);
    text = text.replacen(",a,", ",A,", 20).replacen(",yes\n", ",Yes\n", 9).replacen(",no\n", ",no \n", 5);
    let work = Loop::new().table("r.csv", &text);
    let said = work.run("init r.csv --text").answers(YES);
    assert!(said.stdout.contains("\"A\" is read as \"a\""), "{}", said.stdout);
    let config = work.read("mlloop.toml");
    assert!(
        config.contains(r#""region" = { kind = "category", levels = ["a", "b", "c"], same = { "a" = ["A"] } }"#),
        "{config}"
    );
    assert!(
        config.contains(r#""churn" = { kind = "category", levels = ["no", "yes"], same = { "yes" = ["Yes"] } }"#),
        "{config}"
    );
    work.run("train").answers(YES);
    // Rows whose target is spelt otherwise are of the same two classes.
    assert!(!work.run("status").answers(YES).value()["production"].is_null());
    let apart = config.replace(r#"levels = ["a", "b", "c"], same = { "a" = ["A"] }"#, "same = false");
    work.write("mlloop.toml", apart);
    work.run("train").answers(YES);
    work.write("one.csv", "cust,flag,region,amount\nc1,True,A,3\nc2,True,a,3\nc3,True,B,3\n");
    let said = work.run("predict one.csv --model v0002").answers(YES);
    assert!(said.stderr.contains("column \"region\": 1 of 3 rows has a level"), "{}", said.stderr);
    let said = work.run("predict one.csv --model v0001").answers(YES);
    assert_eq!(said.stderr, "");
}

/// A LightGBM model of one split: the level "X" of `region` is churn.
const LIGHTGBM: &str = "tree
version=v4
num_class=1
num_tree_per_iteration=1
label_index=0
max_feature_idx=1
objective=binary sigmoid:1
feature_names=region amount
feature_infos=-1:0:1:2 [0:96]
tree_sizes=288

Tree=0
num_leaves=2
num_cat=1
split_feature=0
split_gain=1
threshold=0
decision_type=1
left_child=-1
right_child=-2
leaf_value=1 -1
leaf_weight=150 150
leaf_count=150 150
internal_value=0
internal_weight=300
internal_count=300
cat_boundaries=0 1
cat_threshold=4
is_linear=0
shrinkage=1


end of trees

pandas_categorical:[[\"1\", \"2\", \"X\"]]
";

#[test]
fn categories_of_a_model_made_elsewhere_are_mapped_by_name_and_level() {
    let work = Loop::new().table("r.csv", table(["False", "True"], ["1.0", "2.0", "x"], true)).table("m.txt", LIGHTGBM);
    work.run("init r.csv --target churn").answers(YES);
    work.run("train --from m.txt").answers(YES);
    work.write("one.csv", "cust,flag,region,amount\nc1,True,X,3\nc2,True,2,3\nc3,True,1.0,3\n");
    let said = work.run("predict one.csv --columns score").answers(YES);
    let scores: Vec<f64> = said.stdout.lines().skip(1).map(|line| line.parse().unwrap()).collect();
    let low = 1.0 / (1.0 + 1_f64.exp());
    for (score, expected) in scores.iter().zip([1.0 - low, low, low]) {
        assert!((score - expected).abs() < 1e-6, "{scores:?}");
    }
}

#[test]
fn a_model_whose_features_do_not_fit_by_name_level_or_range_is_refused() {
    let train = |model: &str, region: [&str; 3]| {
        let work = Loop::new().table("r.csv", table(["False", "True"], region, true)).table("m.txt", model);
        work.run("init r.csv --target churn").answers(YES);
        work.run("train --from m.txt").answers(ERROR).stderr
    };
    let same = ["1", "2", "X"];
    let says = |model: &str, region, what: &str| {
        let said = train(model, region);
        assert!(said.contains(what), "{said}");
    };
    says(
        &LIGHTGBM.replace("region amount", "region money"),
        same,
        "1 of the model's 2 features have no column in the table: \"money\"",
    );
    says(&LIGHTGBM.replace("region amount", "Column_0 Column_1"), same, "--features-by-order");
    says(&LIGHTGBM.replace("[0:96]", "[1000:2000]"), same, "400 of 400 values of the column \"amount\" are outside");
    says(LIGHTGBM, ["north", "south", "west"], "has levels such as 1, 2, X, the column others: north, south, west");
    says(&LIGHTGBM.replace("pandas_categorical", "other"), same, "does not say which level is which code");
}

#[test]
fn a_model_without_names_is_taken_by_order_when_asked() {
    let nameless = LIGHTGBM.replace("region amount", "Column_0 Column_1");
    let text = table(["0", "1"], ["1", "2", "X"], true).replace(",flag,", ",skip,");
    let work = Loop::new().table("r.csv", text).table("m.txt", nameless);
    work.run("init r.csv --target churn --ignore skip").answers(YES);
    work.run("train --from m.txt --features-by-order").answers(YES);
}

/// Outcomes that are only spelt in another way are no drift of the target, and are measured as what they are.
#[test]
fn a_target_that_is_spelt_in_another_way_does_not_drift() {
    let work = trained();
    let rows = table(["False", "True"], ["1", "2", "X"], true).replace("\nc", "\nd");
    let monitor = |text: String| {
        work.write("now.csv", text);
        work.run("monitor now.csv --formats json").value()
    };
    let plain = monitor(rows.clone());
    let spelt = monitor(rows.replace(",yes\n", ",YES \n").replace(",no\n", ",No\n"));
    assert_eq!(plain["target"]["verdict"], "stable", "{}", plain["target"]);
    assert_eq!(spelt["target"]["verdict"], "stable", "{}", spelt["target"]);
    assert_eq!(spelt["performance"], plain["performance"]);
    assert!(!plain["performance"].is_null());
}
