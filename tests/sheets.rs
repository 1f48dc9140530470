//! What is written beside a spreadsheet's table, or in its place, is such a table: the decimal mark, the byte order mark and
//! the ends of lines are those of the input.

use crate::support::{ERROR, Loop, YES};
use serde_json::Value;

/// A number as a German spreadsheet writes it.
fn german(value: f64) -> String {
    value.to_string().replace('.', ",")
}

/// Rows of a shop, as a German spreadsheet saves them: semicolons, decimal commas, a unit, a byte order mark and CRLF.
fn shop(rows: std::ops::Range<u32>, price: bool) -> String {
    let row = |i: u32| {
        let (amount, days) = (f64::from(i * 7919 % 1009) / 4.0 - 20.0, i * 31 % 17);
        let cost = if price { german(amount * 3.5 + f64::from(days) + 100.25) + " €" } else { String::new() };
        format!("k{i};{};{days};{};{cost}\r\n", german(amount), ["ja", "nein"][i as usize % 2])
    };
    "\u{feff}id;amount;days;group;price\r\n".to_owned() + &rows.map(row).collect::<String>()
}

fn trained() -> Loop {
    let work = Loop::new().table("ref.csv", shop(0..400, true)).table("new.csv", shop(400..480, false));
    work.run("init ref.csv --target price").answers(YES);
    let config = work.read("mlloop.toml");
    assert!(config.contains("number = { decimal = \",\", unit = \"€\" }"), "{config}");
    let derived = "\n[features.derived]\nratio = \"amount / (days + 3)\"\n";
    work.write("mlloop.toml", config + derived);
    work.run("train --algorithm decision-tree").answers(YES);
    work
}

/// The records of a text, which must begin and end its lines as the spreadsheet's.
fn records(text: &str, delimiter: char) -> Vec<Vec<String>> {
    let text = text.strip_prefix('\u{feff}').expect("a byte order mark");
    assert_eq!(text.matches('\n').count(), text.matches("\r\n").count(), "every record ends with CRLF");
    let lines = text.strip_suffix("\r\n").expect("a last CRLF").split("\r\n");
    lines.map(|line| line.split(delimiter).map(|cell| cell.trim_matches('"').to_owned()).collect()).collect()
}

#[test]
fn what_is_predicted_is_written_as_the_table_is() {
    let work = trained();
    let line = "predict new.csv --interval 0.9 --explain 2";
    let json = work.run(&format!("{line} --json")).answers(YES).stdout;
    let plain: Vec<Value> = json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let added = ["prediction", "lower", "upper", "contribution_1", "contribution_2"];
    for (format, delimiter) in [("csv", ';'), ("tsv", '\t')] {
        let table = records(&work.run(&format!("{line} --format {format}")).answers(YES).stdout, delimiter);
        assert_eq!(table.len(), 81);
        for name in added {
            let at = table[0].iter().position(|column| column == name).unwrap();
            let written: Vec<&str> = table[1..].iter().map(|row| row[at].as_str()).collect();
            let expected: Vec<String> = plain.iter().map(|row| german(row[name].as_f64().unwrap())).collect();
            assert_eq!(written, expected, "{format} {name}");
            assert!(name == "contribution_2" || written.iter().any(|cell| cell.contains(',')), "{name}");
        }
    }
    // Derived features too, and standard input as a file.
    let ratio = records(&work.run("features new.csv").answers(YES).stdout, ';');
    let exact = work.run("features new.csv --json").answers(YES).stdout;
    let first: Value = serde_json::from_str(exact.lines().next().unwrap()).unwrap();
    assert_eq!((ratio[0].join(";"), &ratio[1][1]), ("id;ratio".to_owned(), &german(first["ratio"].as_f64().unwrap())));
    let piped = work.pipe("predict -", shop(400..480, false)).answers(YES).stdout;
    assert_eq!(piped, work.run("predict new.csv").answers(YES).stdout);
    let some = records(&work.run("predict new.csv --columns prediction,id").answers(YES).stdout, ';');
    assert_eq!(some[0], ["prediction", "id"]);
    // A table with line feeds and without the mark is answered with such a table.
    let unix = shop(400..480, false).replace(['\r', '\u{feff}'], "");
    assert_eq!(work.pipe("predict -", unix).answers(YES).stdout, piped.replace(['\r', '\u{feff}'], ""));
}

#[test]
fn what_is_written_is_read_back() {
    let work = trained();
    work.run("predict new.csv --log -o scored.csv").answers(YES);
    work.run("predict new.csv -o scored.parquet").answers(YES);
    let again = |name: &str| {
        let said = work.run(&format!("predict {name} --json --columns id,prediction")).answers(YES);
        said.stdout
    };
    assert_eq!(again("scored.csv"), again("new.csv"));
    let monitored = |name: &str| work.run(&format!("monitor {name} --json")).value()["columns"].clone();
    assert_eq!(monitored("scored.csv"), monitored("new.csv"));
    let arms = |name: &str| {
        let said = work.run(&format!("ab-report {name} --arm group --outcome prediction --unit id")).value();
        said["outcomes"].clone()
    };
    assert!(arms("scored.csv").is_array());
    assert_eq!(arms("scored.csv"), arms("scored.parquet"));
}

#[test]
fn the_reference_and_the_inbox_stay_a_spreadsheets() {
    let work = trained();
    work.run("label-export -n 20 --table new.csv").answers(YES);
    let sheet = work.read("label_inbox/to_label.csv");
    let table = records(&sheet, ';');
    let at = |name: &str| table[0].iter().position(|column| column == name).unwrap();
    let negative = table[1..].iter().find(|row| row[at("amount")].contains('-')).expect("an amount below zero");
    assert!(negative[at("amount")].starts_with('-'), "a number gets no apostrophe: {negative:?}");
    // What people type: a number with an apostrophe, and three ways to say nothing.
    let typed = ["'112,5", "-", "n/a", "NA", "\u{2013}"];
    let answered = |first: &str| {
        let line = |(n, row): (usize, &Vec<String>)| {
            let mut row = row.clone();
            if n > 0 {
                row[at("price")] = match (n, typed.get(n - 1)) {
                    (1, _) if !first.is_empty() => first.to_owned(),
                    (_, Some(text)) => (*text).to_owned(),
                    _ => format!("{},75 €", 100 + n),
                };
            }
            row.join(";") + "\r\n"
        };
        "\u{feff}".to_owned() + &table.iter().enumerate().map(line).collect::<String>()
    };
    let refused = work.pipe("label-import -", answered("ca. 100")).answers(ERROR);
    assert!(refused.stderr.contains("hint: correct the cell"), "{}", refused.stderr);
    let taken = work.pipe("label-import - --accept-batch", answered("")).answers(YES).value();
    assert_eq!((&taken["counts"]["added"], &taken["counts"]["unanswered"]), (&16.into(), &4.into()));
    let labels = work.read("data/labels.csv");
    assert!(labels.contains(&format!("{},112.5,", table[1][0])), "{labels}");
    work.run("retrain --force --set monitor.current=new.csv").answers(YES);
    let promoted = work.run("promote --override better --by ann").answers(YES);
    assert!(promoted.stderr.contains("the reference ref.csv now has 16 added rows"), "{}", promoted.stderr);
    let reference = records(&work.read("ref.csv"), ';');
    assert_eq!(reference.len(), 417);
    assert_eq!(reference[400], records(&shop(399..400, true), ';')[1]);
    work.run("audit verify --deep").answers(YES);
    work.run("train --algorithm decision-tree").answers(YES);
}

#[test]
fn a_month_below_more_title_lines_is_scored_and_learned_from() {
    let work = trained();
    let titled = |price| shop(400..480, price).replacen('\u{feff}', "\u{feff}Umsatz im Mai;;;;\r\n;;;;\r\n", 1);
    work.write("month.csv", titled(false));
    work.run("predict month.csv").answers(ERROR).says("the header is on line 3: give --skip-lines 2");
    for verb in ["predict", "features"] {
        let plain = work.run(&format!("{verb} new.csv")).answers(YES).stdout;
        assert_eq!(work.run(&format!("{verb} month.csv --skip-lines 2")).answers(YES).stdout, plain);
    }
    work.write("known.csv", titled(true));
    let report = work.run("monitor known.csv --skip-lines 2").value();
    let triggers = report["triggers"].as_array().unwrap();
    let new_rows = triggers.iter().find(|trigger| trigger["name"] == "new_rows").unwrap();
    assert_eq!(new_rows["value"].as_f64(), Some(80.0));
    work.run("retrain known.csv --force").answers(ERROR).says("the header is on line 3");
    let made = work.run("retrain known.csv --force --skip-lines 2").answers(YES).value();
    assert_eq!(made["plan"]["n_added"], 80, "{made}");
    // The reference, too, was saved with titles since.
    let reference = work.read("ref.csv");
    work.write("ref.csv", reference.replacen('\u{feff}', "\u{feff}Umsatz;;;;\r\n;;;;\r\n# bis Mai\r\n", 1));
    work.run("train").answers(ERROR).says("the header is on line 4: give --skip-lines 3");
    let made = work.run("train --algorithm decision-tree --skip-lines 2 --comment #").answers(YES).value();
    let sides = ["train", "tune", "gate"].map(|side| made["rows"][side].as_u64().unwrap());
    assert_eq!(sides.iter().sum::<u64>(), 400, "{made}");
}

#[test]
fn the_parts_of_a_sheet_are_sheets() {
    let work = Loop::new().table("all.csv", shop(0..400, true).replacen('\u{feff}', "\u{feff}Umsatz;;;;\r\n", 1));
    work.run("split all.csv --how hash --by id --reference 0.5 --skip-lines 1").answers(YES);
    let parts = ["data/reference.csv", "data/current.csv"].map(|name| records(&work.read(name), ';'));
    assert_eq!(parts[0][0], parts[1][0]);
    assert_eq!(parts[0].len() + parts[1].len(), 402);
    assert!(parts.iter().all(|part| part.len() > 100), "both have rows");
}

#[test]
fn suspect_labels_have_the_decimal_mark_of_the_table() {
    let table = |rows: std::ops::Range<u32>, known: bool| {
        let row = |i: u32| {
            let amount = f64::from(i * 7919 % 1009) / 4.0;
            let paid = if amount > 120.0 { "ja" } else { "nein" };
            format!("k{i};{};{};{}\r\n", german(amount), i * 31 % 17, if known { paid } else { "" })
        };
        "\u{feff}id;amount;days;paid\r\n".to_owned() + &rows.map(row).collect::<String>()
    };
    let work = Loop::new().table("ref.csv", table(0..600, true)).table("new.csv", table(600..900, false));
    work.run("init ref.csv --target paid").answers(YES);
    work.run("train").answers(YES);
    work.run("label-export -n 200 --strategy random --table new.csv --show-score").answers(YES);
    let mut sheet = records(&work.read("label_inbox/to_label.csv"), ';');
    let place = |name: &str| sheet[0].iter().position(|column| column == name).unwrap();
    let (predicted, target) = (place("prediction"), place("paid"));
    for (n, row) in sheet.iter_mut().enumerate().skip(1) {
        let other = if row[predicted] == "ja" { "nein" } else { "ja" };
        row[target] = if n <= 6 { other.to_owned() } else { row[predicted].clone() };
    }
    let answers: String = sheet.iter().map(|row| row.join(";") + "\r\n").collect();
    let said = work.pipe("label-import - --accept-batch", format!("\u{feff}{answers}")).answers(YES).value();
    let listed = records(&work.read("label_inbox/suspects.csv"), ';');
    assert_eq!(said["n_suspects"], listed.len() - 1);
    let margin = listed[0].iter().position(|column| column == "margin").unwrap();
    let is_german = |row: &Vec<String>| row[margin].starts_with("0,") || row[margin].starts_with("1,");
    assert!(listed.len() > 1 && listed[1..].iter().all(is_german), "{listed:?}");
}
