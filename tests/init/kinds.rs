//! Kinds that a person names.

use crate::support::{ERROR, Loop, YES};

#[test]
fn a_kind_that_a_column_has_anyway_keeps_how_it_is_written() {
    let row = |i: u32| {
        let (day, month) = (1 + i % 28, 1 + i % 12);
        format!(
            "k{i};{},{:02} €;{day:02}.{month:02}.2024;{}\n",
            100 + i * 7 % 900,
            i % 100,
            ["no", "yes"][(i % 2) as usize]
        )
    };
    let table = "key;paid;since;late\n".to_owned() + &(0..300).map(row).collect::<String>();
    let columns = |options: &str| {
        let work = Loop::new().table("t.csv", &table);
        work.run(&format!("init t.csv {options}")).answers(YES);
        let toml = work.read("mlloop.toml");
        let lines = toml.lines().filter(|line| ["\"paid\"", "\"since\""].iter().any(|name| line.starts_with(name)));
        let settings = lines.map(|line| line.split('#').next().unwrap().trim().to_owned());
        settings.collect::<Vec<String>>()
    };
    let plain = columns("");
    assert!(plain[0].contains("decimal = \",\"") && plain[1].contains("%d.%m.%Y"), "{plain:?}");
    assert_eq!(columns("--kind paid=number --kind since=time"), plain);
}

#[test]
fn a_kind_that_is_said_reads_cells_as_they_are_written() {
    // Alone these are levels, a number and a text.
    let row = |i: u32| {
        let (paid, event, due) = (i % 9, 1_700_000_000 + i * 3601, 1 + i % 3);
        format!("k{i};{paid},50 €;{event};{due:02}.02.2024;{};{}\n", i * 7 % 50, ["no", "yes"][(i % 2) as usize])
    };
    let table = "key;paid_code;event;due;x;late\n".to_owned() + &(0..120).map(row).collect::<String>();
    let work = Loop::new().table("t.csv", &table);
    let said = work.run("init t.csv --kind paid_code=number --kind event=time --kind due=category");
    said.answers(YES);
    let toml = work.read("mlloop.toml");
    assert!(
        toml.contains("\"paid_code\" = { kind = \"number\", number = { decimal = \",\", unit = \"€\" } }"),
        "{toml}"
    );
    assert!(toml.contains("\"event\" = { kind = \"time\", format = \"unix\" }"), "{toml}");
    work.run("train").answers(YES);
}

/// What the target is computed from is left out; who names its kind keeps it, and who loses all columns by it is told.
#[test]
fn what_makes_up_the_target_is_kept_when_its_kind_is_named() {
    let row = |n: u32| {
        let (price, units) = (3 + n * 7 % 41, 1 + n * 13 % 29);
        format!("{},{units},{price},{}\n", ["Rome", "Oslo", "Bern"][n as usize % 3], units * price)
    };
    let rows: String = (0..600).map(row).collect();
    let work = Loop::new().table("sales.csv", format!("city,units,price,revenue\n{rows}"));
    work.run("init sales.csv --target revenue")
        .answers(ERROR)
        .says("revenue = units * price")
        .says("--kind NAME=number keeps a column");
    work.run("init sales.csv --target revenue --kind units=number --kind price=number").answers(YES);
    let config = work.read("mlloop.toml");
    for column in ["units", "price"] {
        assert!(config.contains(&format!("\"{column}\" = \"number\"")), "{config}");
    }
}

/// Rows that sum up others are named; who says that their word is a level keeps them, in every later command.
#[test]
fn a_level_that_says_total_is_kept_when_its_kind_is_named() {
    let mut rows = String::new();
    for n in 0..120_usize {
        let (direct, indirect) = (n * 37 % 90, 1 + n * 13 % 29);
        rows.push_str(&format!("direct,{direct}.25,{}\nindirect,{indirect}.5,no\n", ["yes", "no"][n % 2]));
        // Groups of other sizes, so that the rows could be totals.
        let more = if n % 7 == 0 { "other,1.00,no\n" } else { "" };
        let total = 75 + 100 * (direct + indirect + usize::from(n % 7 == 0));
        rows.push_str(&format!("{more}Total,{}.{:02},yes\n", total / 100, total % 100));
    }
    let work = Loop::new().table("t.csv", format!("kind,amount,churn\n{rows}"));
    work.run("init t.csv")
        .answers(ERROR)
        .says("line 5: looks like a total of rows above it, not a data row: its numbers are their sums")
        .says("if \"Total\" is a level, keep such rows with --kind kind=category");
    let report = work.run("init t.csv --kind kind=category").answers(YES).value();
    assert_eq!(report["n_rows"], 360 + 18, "{report}");
    assert!(work.read("mlloop.toml").contains("\"Total\""));
    work.run("train").answers(YES);
    // A table of one group has no other totals that tell of a level.
    let work = work.table("few.csv", "kind,amount\ndirect,10.25\nindirect,1001.5\nTotal,1011.75\n");
    assert_eq!(work.run("predict few.csv").answers(YES).stdout.lines().count(), 4);
}
