//! What `init` decides, and that `train` runs on what it wrote.

mod kinds;

use super::support::{ERROR, Loop, YES, noise};

/// Rows of `header` whose cells a function makes.
fn rows(header: &str, n: usize, cells: impl Fn(usize) -> String) -> String {
    (0..n).fold(format!("{header}\n"), |text, row| text + &cells(row) + "\n")
}

#[test]
fn a_target_of_one_class_is_an_error_of_its_own() {
    let text = rows("id,amount,days,churn", 200, |row| format!("k{row},{}.5,{},no", row * 37 % 101, row * 31 % 97));
    let work = Loop::new().table("r.csv", text);
    let said = work.run("init r.csv").answers(ERROR);
    assert!(said.stderr.contains("r.csv: \"churn\" looks like the target, but it is always \"no\""), "{}", said.stderr);
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
    assert!(!said.stdout.contains("unique whole") && !said.stdout.contains("unique values"), "{}", said.stdout);
    assert!(said.stderr.contains("the id \"id\" is not unique (4 rows have"), "{}", said.stderr);
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
        ("no outcome", rows("a,y", 300, |row| format!("{row},")), "every label is missing"),
        ("one column", rows("y", 50, |row| (row % 2).to_string()), "no feature is left to predict \"y\""),
        (
            "names only",
            rows("c,y", 300, |row| format!("name-{}-of-row,{}", row.min(290), row % 2)),
            "no feature is left to predict \"y\": column \"c\" is left out",
        ),
        (
            "two different rows",
            rows("flag,y", 700, |row| if row % 3 == 0 { "True,yes" } else { "False,no" }.to_owned()),
            "only 2 of 700 rows differ, and equal rows stay on one side",
        ),
        ("ids only", rows("id,y", 50, |row| format!("k{row},{}", row % 2)), "no feature is left to predict \"y\""),
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
        assert!(said.stderr.contains("the added column is called \"score_\""), "{}", said.stderr);
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

/// Customers with a fee that decides whether they leave.
fn customers(n: u32, fee: impl Fn(u32) -> String) -> String {
    let row = |row: u32| {
        let leaves = if (row * 37) % 100 > 60 { "yes" } else { "no" };
        format!(
            "K{row:04},{},{},{},{leaves}\n",
            row * 7 % 60,
            fee((row * 37) % 100),
            ["basic", "plus", "pro"][row as usize % 3]
        )
    };
    "cust,months,fee,plan,churn\n".to_owned() + &(0..n).map(row).collect::<String>()
}

#[test]
fn what_spreadsheets_put_below_a_table_is_no_row() {
    let plain = customers(120, |fee| fee.to_string());
    let init = |text: String| Loop::new().table("t.csv", text).run("init t.csv");
    assert_eq!(init(plain.clone() + ",,,,\n, ,,,\n,,,,\n").answers(YES).value()["n_rows"], 120);
    let (months, fees) = (0..120_u32).fold((0, 0), |(m, f), row| (m + row * 7 % 60, f + (row * 37) % 100));
    for (tail, says) in [
        ("Source: CRM,,,,\n".to_owned(), "a remark below the table"),
        (format!(",{months},{fees},,\n"), "is the sum of all rows above"),
        (format!("Everything,{months},{fees},all,yes\n"), "is the sum of all rows above"),
        (format!("TOTAL GÉNÉRAL,{months},1,,\n"), "looks like a total"),
        ("Average,36.0,48.90,,\n".to_owned(), "looks like a total"),
        ("120,120,120,120,120\nCount,120,120,120,120\n".to_owned(), "looks like a total"),
        ("basic Ergebnis,412,880,,\n".to_owned(), "looks like a total"),
        ("\"Note: fees, in EUR\",,,,\n,,,,\nSource: CRM,,,,\n".to_owned(), "like 2 of the last 3 rows"),
    ] {
        init(plain.clone() + &tail).answers(ERROR).says(says);
    }
    // The same above the rows, or among them, where the rows of totals have no id.
    let (header, rows) = plain.split_once('\n').unwrap();
    let above = format!("{header}\nEverything,{months},{fees},,\n{rows}");
    init(above).answers(ERROR).says("the first row is the sum of all rows below, in months, fee");
    let groups: Vec<&str> = rows.lines().collect();
    let grouped = groups.chunks(60).map(|group| format!("{}\n,1722,3035.90,basic Total,\n", group.join("\n")));
    let grouped = format!("{header}\n{}K9999,1,2,pro,no\n", grouped.collect::<String>());
    let work = Loop::new().table("t.csv", grouped);
    let says = "line 62: \"basic Total\" in column \"plan\" reads like a total, and \"cust\" is empty, which the other rows fill";
    work.run("init t.csv").answers(ERROR).says(says).says("with --kind plan=category");
    let says = "\"cust\" has a unique id in 123 rows, but none in 2 (line 62";
    work.run("init t.csv --kind plan=category").answers(ERROR).says(says);
    work.run("init t.csv --kind plan=category --kind cust=category").answers(YES);
    // A quote that was never meant to be one.
    let quoted = plain.lines().enumerate().map(|(n, row)| match n {
        20 | 60 => row.replacen("basic", "\"basic", 1).replacen("plus", "\"plus", 1).replacen("pro", "\"pro", 1) + "\n",
        _ => format!("{row}\n"),
    });
    let said = init(quoted.collect());
    assert!(
        said.status() == 2 || said.stderr.contains("lines") && said.stderr.contains("a missing or extra quote"),
        "{}",
        said.stderr
    );
    // A file that came after another with the columns in another order.
    let other = plain.clone() + "plan,cust,months,fee,churn\nbasic,K9,1,2,no\n";
    init(other).answers(ERROR).says("line 122: repeats the header with the columns in another order");
    init("[{\"a\": 1, \"b\": 2},\n {\"a\": 2, \"b\": 3}]\n".to_owned()).answers(ERROR).says("jq -c '.[]'");
}

#[test]
fn numbers_with_any_unit_and_numbers_beside_one_text_are_seen() {
    let column = |fee: &dyn Fn(u32) -> String| {
        let said = Loop::new().table("t.csv", customers(200, fee).replace(',', ";")).run("init t.csv");
        let found = || said.value()["columns"].as_array().unwrap()[2]["kind"].as_str().unwrap().to_owned();
        (said.status(), if said.status() == 0 { found() } else { said.stderr.clone() })
    };
    for unit in ["kg", "Ft", "грн", "\u{b0}C", "k"] {
        assert_eq!(column(&|fee| format!("{fee}.5 {unit}")), (0, "number".to_owned()), "{unit}");
    }
    assert_eq!(column(&|fee| if fee < 10 { "$ -".to_owned() } else { format!("${fee}.50") }), (0, "number".to_owned()));
    let (status, said) = column(&|fee| if fee < 30 { "-".to_owned() } else { format!("{fee}.25") });
    assert!(status == 2 && said.contains("are plain numbers, 60 are not") && said.contains("--missing"), "{said}");
    let (status, said) = column(&|fee| if fee < 90 { format!("-{fee}") } else { format!("-2.4{fee}") });
    assert!(status == 2 && said.contains("a decimal point or with a decimal comma"), "{said}");
}

#[test]
fn rows_about_the_same_customer_stay_on_one_side() {
    // Four rows of each; whether a customer leaves is chance, and the same in all four.
    let table = |name: &str, key: &dyn Fn(u32) -> String| {
        let row = |row: u32| {
            let leaves = ["no", "yes"][(noise(row / 4, 9) * 2.0) as usize];
            format!("{},{},{leaves}\n", key(row / 4), noise(row, 8))
        };
        format!("{name},x,churn\n") + &(0..1200).map(row).collect::<String>()
    };
    let text = |customer: u32| format!("K{customer:05}");
    let number = |customer: u32| (1000 + customer * 7 % 5003).to_string();
    let hash = |customer: u32| format!("{:016x}", u64::from(customer).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let keys: [(&str, &dyn Fn(u32) -> String); 3] = [("customer_id", &text), ("cust", &number), ("ref", &hash)];
    for (name, key) in keys {
        let work = Loop::new().table("t.csv", table(name, key));
        let said = work.run("init t.csv").answers(YES);
        let toml = work.read("mlloop.toml");
        assert!(
            toml.contains("by = \"column\"") && toml.contains(&format!("column = \"{name}\"")),
            "{name}: {}",
            said.stderr
        );
        let trained = work.run("--set n_estimators=20 train --quality fast");
        let area = trained.value()["gate"]["metrics"]["roc_auc"]["value"].as_f64().unwrap();
        assert!((area - 0.5).abs() < 0.12, "{name}: nothing can be known of a new customer: {area}");
    }
    // Where the outcomes of one value are not alike, it is a column like others.
    let work = Loop::new().table("t.csv", {
        let row =
            |row: u32| format!("K{:05},{},{}\n", row / 4, noise(row, 8), ["no", "yes"][(noise(row, 7) * 2.0) as usize]);
        "customer_id,x,churn\n".to_owned() + &(0..1200).map(row).collect::<String>()
    });
    work.run("init t.csv").answers(YES);
    assert!(!work.read("mlloop.toml").contains("by = \"column\""));
}

#[test]
fn a_counter_is_no_id_beside_another_and_codes_are_no_spellings() {
    let row = |row: u32| {
        let which = row as usize % 3;
        format!("{row},K{row:05},{},{}\n", ["1.1", "1.10", "2.0.1"][which], ["no", "yes", "no"][which])
    };
    let text = ",cust,ver,churn\n".to_owned() + &(0..300).map(row).collect::<String>();
    let work = Loop::new().table("t.csv", text.clone());
    let told = work.run("init t.csv").answers(YES).value();
    let kinds: Vec<&str> = told["columns"].as_array().unwrap().iter().map(|c| c["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds[..2], ["text", "id"]);
    let notes = told["notes"].to_string();
    assert!(notes.contains("\\\"1.1\\\" and \\\"1.10\\\" have different outcomes"), "{notes}");
    assert!(work.read("mlloop.toml").contains("same = false"));
    // The only one is taken, with a word.
    let alone = text
        .lines()
        .map(|line| [line.split(',').next().unwrap(), line.rsplit(',').next().unwrap()].join(",") + ",7.5\n");
    let alone: String = alone.enumerate().map(|(n, line)| line.replace("7.5", &format!("{}.5", n * 7 % 41))).collect();
    let alone = alone.replacen(",churn,0.5", ",churn,x", 1);
    let notes =
        Loop::new().table("t.csv", alone).run("init t.csv --target churn").answers(YES).value()["notes"].to_string();
    assert!(notes.contains("is a row counter"), "{notes}");
}

#[test]
fn columns_that_no_model_reads_are_named() {
    let row = |i: u32| {
        format!(
            "k{i}x;{:.2}/{:.2};{};{}\n",
            f64::from(i) / 7.0,
            f64::from(i) / 3.0,
            i * 7 % 50,
            ["no", "yes"][(i % 2) as usize]
        )
    };
    let table = "key;pressure;x;late\n".to_owned() + &(0..120).map(row).collect::<String>();
    let notes = Loop::new().table("t.csv", table).run("init t.csv").answers(YES).value()["notes"].to_string();
    assert!(notes.contains("column pressure is not used by the model: single words"), "{notes}");
}

/// The share of the gate is told with the reason, and so are two columns that are about equally likely to be the target.
#[test]
fn the_gate_and_a_second_likely_target_are_told() {
    let table = rows("region,charges,income,salary,age", 400, |row| {
        format!(
            "{},{}.5,{}.5,{}.25,{}",
            ["n", "s"][row % 2],
            row * 7 % 301,
            row * 11 % 97,
            row * 13 % 211,
            20 + row % 60
        )
    });
    let report = Loop::new().table("t.csv", table).run("init t.csv").answers(YES).value();
    let reason = report["target"]["reason"].as_str().unwrap();
    assert_eq!(report["target"]["column"], "salary");
    assert!(reason.contains("charges is about as likely: choose it with --target"), "{reason}");
    assert_eq!(
        (report["gate"]["share"].as_f64(), report["gate"]["n_rows"].as_u64()),
        (Some(0.2), Some(80)),
        "{report}"
    );
}
