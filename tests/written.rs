//! A table as a spreadsheet of another country saves it gives the same loop as the plain one.

use crate::support::{ERROR, Loop, YES};

const CHURN: &str = include_str!("../fixtures/tables/churn.csv");

/// Semicolons, a decimal comma, thousands, a byte order mark and CRLF.
fn german(text: &str) -> String {
    let cell = |cell: &str| {
        if cell.parse::<f64>().is_err() || (cell.len() > 1 && cell.starts_with('0') && !cell.contains('.')) {
            return cell.to_owned();
        }
        let (sign, digits) = cell.strip_prefix('-').map_or(("", cell), |digits| ("-", digits));
        let (whole, decimals) = digits.split_once('.').map_or((digits, None), |(whole, rest)| (whole, Some(rest)));
        let mut grouped = String::new();
        for (n, digit) in whole.chars().enumerate() {
            if n > 0 && (whole.len() - n) % 3 == 0 {
                grouped.push('.');
            }
            grouped.push(digit);
        }
        format!("{sign}{grouped}{}", decimals.map(|rest| format!(",{rest}")).unwrap_or_default())
    };
    let line = |line: &str| line.split(',').map(cell).collect::<Vec<_>>().join(";") + "\r\n";
    "\u{feff}".to_owned() + &text.lines().map(line).collect::<String>()
}

#[test]
fn another_countrys_table_gives_the_same_loop() {
    let scores = |name: &str, text: &str| {
        let work = Loop::new().table(name, text);
        work.run(&format!("init {name}")).answers(YES);
        work.run("train").answers(YES);
        let said = work.run(&format!("predict {name} --log --columns prediction,score")).answers(YES);
        (said.stdout.replace(';', ","), work)
    };
    let (plain, _) = scores("plain.csv", CHURN);
    let (written, work) = scores("german.csv", &german(CHURN));
    assert_eq!(plain, written);
    let config = work.read("mlloop.toml");
    assert!(config.contains("number = { decimal = \",\", thousands = \".\" }"), "{config}");
    // Parquet that was made of the table gives the same scores.
    work.run("predict german.csv -o scored.parquet --model v0001").answers(YES);
    let again = work.run("predict scored.parquet --columns prediction,score").answers(YES);
    assert_eq!(plain, again.stdout.replace(';', ","));
    let first = work.run("predict german.csv --json").answers(YES);
    let row: serde_json::Value = serde_json::from_str(first.stdout.lines().next().unwrap()).unwrap();
    assert!(row["total_charge"].is_number() && row["score"].is_number(), "{row}");
    // The other way of writing is refused by cell.
    work.write("mixed.csv", german(CHURN).replacen(",", "'", 1));
    work.run("predict mixed.csv").answers(ERROR).says("written like");
}

#[test]
fn what_can_be_read_in_two_ways_is_asked() {
    let rows: String = (0..60).map(|i| format!("c{i},\"{},{:03}\",{}\n", i % 9 + 1, i * 7, i % 2)).collect();
    let work = Loop::new().table("t.csv", format!("key,amount,y\n{rows}"));
    work.run("init t.csv").answers(ERROR).says("--decimal");
    assert!(!work.path("mlloop.toml").exists());
    work.run("init t.csv --decimal .").answers(YES);
    assert!(work.read("mlloop.toml").contains("thousands = \",\""));
    let nearly: String = (0..60)
        .map(|i| format!("c{i},{},{}\n", if i == 7 { "n.a.".to_owned() } else { i.to_string() }, i % 2))
        .collect();
    let work = Loop::new().table("t.csv", format!("key,amount,y\n{nearly}"));
    work.run("init t.csv").answers(ERROR).says("line 9: \"n.a.\"").says("--missing");
    work.run("init t.csv --missing n.a.").answers(YES);
    work.run("init t.csv --force --kind amount=category").answers(YES);
}
