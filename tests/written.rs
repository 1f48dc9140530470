//! A table as a spreadsheet of another country saves it gives the same loop as the plain one.

use crate::support::{ERROR, Loop, WAITING, YES};
use serde_json::{Value, json};

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

/// The cells of a table with two columns, with decimal points.
fn plainly(text: &str) -> Vec<[String; 2]> {
    let text = text.trim_start_matches('\u{feff}');
    let delimiter = if text.lines().next().unwrap().contains(';') { b';' } else { b',' };
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).has_headers(false).from_reader(text.as_bytes());
    let cells = |record: csv::StringRecord| [0, 1].map(|at| record[at].replace(',', "."));
    reader.records().map(|record| cells(record.unwrap())).collect()
}

#[test]
fn another_countrys_table_gives_the_same_loop() {
    let scores = |name: &str, text: &str| {
        let work = Loop::new().table(name, text);
        work.run(&format!("init {name}")).answers(YES);
        work.run("train").answers(YES);
        let said = work.run(&format!("predict {name} --log --columns prediction,score")).answers(YES);
        (plainly(&said.stdout), work)
    };
    let (plain, _) = scores("plain.csv", CHURN);
    let (written, work) = scores("german.csv", &german(CHURN));
    assert_eq!(plain, written);
    let config = work.read("mlloop.toml");
    assert!(config.contains("number = { decimal = \",\", thousands = \".\" }"), "{config}");
    // Parquet that was made of the table gives the same scores.
    work.run("predict german.csv -o scored.parquet --model v0001").answers(YES);
    let again = work.run("predict scored.parquet --columns prediction,score").answers(YES);
    assert_eq!(plain, plainly(&again.stdout));
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
        .map(|i| format!("c{i},{},{},{}\n", if i == 7 { "n.a.".to_owned() } else { i.to_string() }, i * 7 % 31, i % 2))
        .collect();
    let work = Loop::new().table("t.csv", format!("key,amount,days,y\n{nearly}"));
    work.run("init t.csv").answers(ERROR).says("line 9: \"n.a.\"").says("--missing");
    work.run("init t.csv --missing n.a.").answers(YES);
    work.run("init t.csv --force --kind amount=category").answers(YES);
}

/// Rows whose ids are whole numbers, written by `id`, with their outcomes.
fn numbered(rows: std::ops::Range<u32>, id: impl Fn(u32) -> String) -> String {
    let row = |i: u32| {
        let x = f64::from(i * 7919 % 101) / 10.0;
        format!("{},{x},{},{}\n", id(1_100 + 7 * i), i * 31 % 17, if i * 7919 % 101 > 50 { "yes" } else { "no" })
    };
    "id,x,z,y\n".to_owned() + &rows.map(row).collect::<String>()
}

/// How a number is written as an id.
type Spelling = fn(u32) -> String;

/// What pandas and spreadsheets make of 1100.
fn spellings() -> [(&'static str, Spelling); 6] {
    [
        ("float", |id| format!("{id}.0")),
        ("zeros", |id| format!("{id:08}")),
        ("powers", |id| format!("{:.4}e+03", f64::from(id) / 1000.0)),
        ("comma", |id| format!("\"{},{:03}\"", id / 1000, id % 1000)),
        ("point", |id| if id % 1000 == 0 { id.to_string() } else { format!("{}.{:03}", id / 1000, id % 1000) }),
        ("space", |id| format!("{}\u{a0}{:03}", id / 1000, id % 1000)),
    ]
}

/// Rows of the current table that production has not learned from, as its trigger counts them.
fn new_rows(report: &Value) -> Value {
    let triggers = report["triggers"].as_array().unwrap();
    triggers.iter().find(|trigger| trigger["name"] == "new_rows").unwrap()["value"].clone()
}

#[test]
fn an_id_that_is_a_whole_number_is_the_same_row_however_it_is_written() {
    let plain = |id: u32| id.to_string();
    let work = Loop::new().table("ref.csv", numbered(0..300, plain));
    work.run("init ref.csv").answers(YES);
    assert!(work.read("mlloop.toml").contains("{ kind = \"id\", number = { decimal = \".\" } }"));
    work.run("train --algorithm decision-tree").answers(YES);
    work.write("plain.csv", numbered(0..400, plain));
    let monitored = |name: &str| {
        let found = work.run(&format!("monitor {name}.csv --json")).value();
        let new = new_rows(&found);
        (found["performance"]["n_learned"].clone(), found["performance"]["n"].clone(), new, found["findings"].clone())
    };
    let expected = monitored("plain");
    assert_eq!((&expected.2, &expected.3), (&json!(100.0), &json!([])), "the rows that the reference does not have");
    for (name, spelt) in spellings() {
        work.write(&format!("{name}.csv"), numbered(0..400, spelt));
        assert_eq!(monitored(name), expected, "{name}");
        let said = work.run(&format!("retrain --dry-run --set monitor.current={name}.csv")).answers(YES).value();
        assert_eq!(
            (&said["plan"]["n_reference"], &said["plan"]["n_new"]),
            (&300.into(), &100.into()),
            "{name}: {said}"
        );
    }
    // One that could be two rows is neither.
    work.write("two.csv", numbered(0..3, |id| if id == 1_107 { "1.000".to_owned() } else { id.to_string() }));
    work.run("predict two.csv --log").answers(ERROR).says("line 3, column \"id\": \"1.000\" is not an unambiguous id");
}

#[test]
fn answers_find_their_rows_however_an_id_is_written() {
    let work = Loop::new().table("ref.csv", numbered(0..300, |id| id.to_string()));
    work.run("init ref.csv").answers(YES);
    work.run("train --algorithm decision-tree").answers(YES);
    for (n, (name, spelt)) in (0_u32..).zip(spellings()) {
        let rows = 300 + 20 * n..320 + 20 * n;
        work.write("current.csv", numbered(rows.clone(), spelt));
        work.run("predict current.csv --log").answers(YES);
        let (first, second) = (1_100 + 7 * rows.start, 1_107 + 7 * rows.start);
        let cell = |id: u32| spelt(id).replace('"', "");
        work.run(&format!("feedback '{}' correct", cell(first))).answers(YES);
        let followed = work.run(&format!("audit --for '{}'", cell(first))).answers(YES).value();
        assert_eq!(
            (&followed["id"], followed["feedback"].as_array().map(Vec::len)),
            (&first.to_string().into(), Some(1))
        );
        assert_eq!(work.run(&format!("feedback list {first}")).answers(YES).value().as_array().map(Vec::len), Some(1));
        work.run("label-export -n 10 --table current.csv --force").answers(YES);
        let sheet = work.read("label_inbox/to_label.csv");
        assert!(sheet.contains(&format!("\n{second},")) || !sheet.contains(&spelt(second)), "{name}: {sheet}");
        let answer = |line: &str| {
            let mut cells: Vec<String> = line.split(',').map(str::to_owned).collect();
            let header: Vec<&str> = sheet.lines().next().unwrap().split(',').collect();
            let at = |name: &str| header.iter().position(|column| *column == name).unwrap();
            cells[at("y")] = "yes".to_owned();
            cells[0] = spelt(cells[0].parse().unwrap());
            cells.join(",") + "\n"
        };
        let answered: String = sheet.lines().skip(1).map(answer).collect();
        let header = sheet.lines().next().unwrap();
        work.write("answers.csv", format!("{header}\n{answered}"));
        let taken = work.run("label-import answers.csv --accept-batch").answers(YES).value();
        assert_eq!(taken["counts"]["added"], 10, "{name}: {taken}");
    }
}

#[test]
fn an_id_with_thousands_is_an_id() {
    let grouped = |id: u32| format!("\"{},{:03}\"", id / 1000, id % 1000);
    let work = Loop::new().table("ref.csv", numbered(0..300, grouped));
    work.run("init ref.csv").answers(YES);
    let config = work.read("mlloop.toml");
    assert!(config.contains("{ kind = \"id\", number = { decimal = \".\", thousands = \",\" } }"), "{config}");
    work.run("train --algorithm decision-tree").answers(YES);
    work.write("plain.csv", numbered(0..400, |id| id.to_string()));
    assert_eq!(new_rows(&work.run("monitor plain.csv --json").value()), json!(100.0));
    // Points between thousands, where nothing else in the table tells what points are.
    work.write("german.csv", numbered(0..300, |id| format!("{}.{:03}", id / 1000, id % 1000)));
    work.run("init german.csv --force").answers(YES);
    let config = work.read("mlloop.toml");
    assert!(config.contains("{ kind = \"id\", number = { decimal = \",\", thousands = \".\" } }"), "{config}");
}

#[test]
fn labels_with_thousands_are_asked_for_where_production_says_that_they_are_such() {
    let price = |i: u32| 80.0 + f64::from(i * 7919 % 1009) * 9.5;
    let rows: String = (0..400).map(|i| format!("k{i},{},{}\n", price(i) / 3.0, price(i))).collect();
    let work = Loop::new().table("ref.csv", format!("id,x,price\n{rows}"));
    work.run("init ref.csv --target price").answers(YES);
    work.run("train --algorithm decision-tree").answers(YES);
    let current: String = (400..500).map(|i| format!("k{i},{},\n", price(i) / 3.0)).collect();
    work.write("current.csv", format!("id,x,price\n{current}"));
    work.run("label-export -n 40 --table current.csv").answers(YES);
    let sheet = work.read("label_inbox/to_label.csv");
    let at = sheet.lines().next().unwrap().split(',').position(|column| column == "price").unwrap();
    let answered = |write: &dyn Fn(f64) -> String| {
        let line = |(n, line): (usize, &str)| {
            let mut cells: Vec<String> = line.split(',').map(str::to_owned).collect();
            if n > 0 {
                cells[at] = write(price(cells[0][1..].parse().unwrap()).round());
            }
            cells.join(";") + "\n"
        };
        sheet.lines().enumerate().map(line).collect::<String>()
    };
    let german = |price: f64| match price {
        price if price < 1000.0 => price.to_string(),
        price => format!("{}.{:03}", (price / 1000.0).floor(), price % 1000.0),
    };
    let refused = work.pipe("label-import -", answered(&german)).answers(ERROR);
    assert!(
        refused.stderr.contains("is ambiguous: it can mean") && refused.stderr.contains("is nearer to"),
        "{}",
        refused.stderr
    );
    // A thousand times too small in plain digits is seen by the range.
    let held = work.pipe("label-import -", answered(&|price| (price / 1000.0).to_string())).answers(WAITING).value();
    let guards = held["guards"].as_array().unwrap();
    assert!(guards.iter().any(|guard| guard["name"] == "label-range" && guard["fired"] == true), "{held}");
    work.pipe("label-import -", answered(&|price| price.to_string())).answers(YES).json("/counts/added", 40);
}

#[test]
fn a_file_is_what_its_name_says() {
    let work = Loop::new().table("ref.csv", numbered(0..300, |id| id.to_string()));
    work.run("init ref.csv").answers(YES);
    work.run("train --algorithm decision-tree").answers(YES);
    let plain = work.run("predict ref.csv --columns id,prediction,score").answers(YES).stdout;
    for name in ["a.csv.gz", "a.csv.zst", "a.jsonl.gz", "a.tsv", "a.tsv.zst", "a.parquet", "a.jsonl"] {
        work.run(&format!("predict ref.csv -o {name}")).answers(YES);
        let again = work.run(&format!("predict {name} --columns id,prediction,score")).answers(YES).stdout;
        assert_eq!(again.replace('\t', ","), plain, "{name}");
    }
    let bytes = |name: &str| std::fs::read(work.path(name)).unwrap();
    assert_eq!((&bytes("a.csv.gz")[..2], &bytes("a.csv.zst")[..4]), (&b"\x1f\x8b"[..], &b"\x28\xb5\x2f\xfd"[..]));
    assert!(work.read("a.tsv").starts_with("id\tx\tz\ty\tprediction"));
    for (command, name) in [
        ("predict ref.csv", "a.xlsx"),
        ("predict ref.csv", "a.json"),
        ("predict ref.csv", "a.parquet.gz"),
        ("predict ref.csv --format csv", "b.parquet"),
        ("predict ref.csv --json", "c.parquet"),
        ("profile ref.csv", "a.ods"),
        ("retrain --force", "a.zip"),
    ] {
        work.run(&format!("{command} -o {name}")).answers(ERROR).says(&format!("-o {name}:"));
        assert!(!work.path(name).exists(), "{name}");
    }
    assert!(!work.path("models/v0002").exists(), "a name is refused before anything is done");
    work.run("profile ref.csv -o p.json.gz").answers(YES);
    assert_eq!(&bytes("p.json.gz")[..2], b"\x1f\x8b");
}
