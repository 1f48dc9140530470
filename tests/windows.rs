//! Windows over a row's own past: the same in every verb, and what they are worth.

use crate::serve::client::Server;
use crate::support::{ERROR, Loop, YES, noise};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Payments of `n` cards at 60 shops over `days` days, in the order of time. Each card has its usual amount, from 5 to 300.
/// Fraud, which no column shows: a card that is used ten times within hours, an amount five times the card's usual one, and
/// a shop where many cards pay within a day.
fn payments(n: u32, days: u32) -> Vec<(u32, String)> {
    let mut all: Vec<(u32, u32, u32, f64, bool)> = Vec::new();
    let minutes = |draw: f64| (draw * f64::from(days * 1440)) as u32;
    let usual = |card: u32| 5.0 * 60_f64.powf(noise(card, 1));
    let shop = |row: u32| (noise(row, 2) * 60.0) as u32;
    for card in 0..n {
        for nth in 0..days * 3 / 5 {
            let row = card * 1_000 + nth;
            let amount = usual(card) * (0.7 + 0.6 * noise(row, 3));
            let dear = noise(row, 4) < 0.01;
            all.push((minutes(noise(row, 5)), card, shop(row), if dear { amount * 5.0 } else { amount }, dear));
        }
        for burst in 0..days / 60 + u32::from(noise(card, 6) < 0.5) {
            let first = minutes(noise(card * 10 + burst, 7) * 0.99);
            for nth in 0..10 {
                let row = 5_000_000 + card * 100 + burst * 10 + nth;
                let amount = usual(card) * (0.7 + 0.6 * noise(row, 3));
                all.push((first + nth * 40, card, shop(row), amount, nth > 2));
            }
        }
    }
    for raid in 0..days / 6 {
        let (first, where_) = (minutes(noise(raid, 8) * 0.98), (noise(raid, 9) * 60.0) as u32);
        for nth in 0..25 {
            let row = 9_000_000 + raid * 100 + nth;
            let card = (noise(row, 10) * f64::from(n)) as u32;
            all.push((first + nth * 30, card, where_, usual(card) * (0.7 + 0.6 * noise(row, 3)), nth > 5));
        }
    }
    all.sort_by(|a, b| a.0.cmp(&b.0).then(a.3.total_cmp(&b.3)));
    let line = |(at, card, shop, amount, fraud): &(u32, u32, u32, f64, bool)| {
        let (day, hour, minute) = (at / 1440, at / 60 % 24, at % 60);
        let date = jiff_date(day);
        let fraud = if *fraud { "yes" } else { "no" };
        format!("c{card},s{shop},{amount:.2},{date}T{hour:02}:{minute:02}:00Z,{fraud}")
    };
    all.iter().map(|row| (row.0 / 1440, line(row))).collect()
}

/// The date of a day after 2026-01-01.
fn jiff_date(day: u32) -> String {
    let first: jiff::civil::Date = "2026-01-01".parse().unwrap();
    first.checked_add(jiff::Span::new().days(i64::from(day))).unwrap().to_string()
}

const HEADER: &str = "id,card,shop,amount,at,fraud\n";

/// The rows of some days, as a table.
fn table(rows: &[(u32, String)], days: std::ops::Range<u32>) -> String {
    let chosen = rows.iter().enumerate().filter(|(_, (day, _))| days.contains(day));
    HEADER.to_owned() + &chosen.map(|(n, (_, line))| format!("P{n},{line}\n")).collect::<String>()
}

const WINDOWS: &str = "[features.derived]\n\
    card_1d = \"count() by card over 1d\"\ncard_7d = \"count() by card over 7d\"\ncard_30d = \"count() by card over 30d\"\n\
    usual = \"mean(amount) by card over 30d\"\nshare = \"amount / usual\"\n\
    shop_1d = \"count() by shop over 1d\"\nshop_7d = \"count() by shop over 7d\"\nshop_30d = \"count() by shop over 30d\"\n\
    crowd = \"shop_1d / max(shop_30d, 1)\"\n";

fn config(windows: &str, trees: u32) -> String {
    format!(
        "[data]\nreference = \"ref.csv\"\n[target]\ncolumn = \"fraud\"\n[split]\nby = \"time\"\n[columns]\nid = \"id\"\n\
         card = \"category\"\nshop = \"category\"\namount = \"number\"\nat = {{ kind = \"time\", format = \"iso\" }}\n\
         fraud = \"category\"\n[features]\ndrop = [\"card\", \"shop\"]\n{windows}[model]\nalgorithm = \"gradient-boosting\"\n\
         n_estimators = {trees}\n"
    )
}

/// ROC-AUC on the latest rows.
fn auc(work: &Loop, version: &str) -> f64 {
    let manifest: Value = serde_json::from_str(&work.read(&format!("models/{version}/manifest.json"))).unwrap();
    manifest["gate"]["metrics"]["roc_auc"]["value"].as_f64().unwrap_or_else(|| panic!("{}", manifest["gate"]))
}

/// The columns of a CSV by the first one.
fn by_id(csv: &str) -> BTreeMap<String, String> {
    csv.lines()
        .skip(1)
        .map(|line| line.split_once(',').unwrap())
        .map(|(id, rest)| (id.to_owned(), rest.to_owned()))
        .collect()
}

fn worth(cards: u32, days: u32, trees: u32) -> [f64; 2] {
    let rows = payments(cards, days);
    let work = Loop::new().table("ref.csv", table(&rows, 0..days)).table("mlloop.toml", config("", trees));
    work.run("train").answers(YES);
    work.write("mlloop.toml", config(WINDOWS, trees));
    work.run("train").answers(YES);
    [auc(&work, "v0001"), auc(&work, "v0002")]
}

/// Fraud that no column shows is seen in the windows.
#[test]
fn windows_see_fraud_that_no_column_shows() {
    let [without, with] = worth(40, 60, 30);
    assert!(without < 0.7 && with > 0.9, "{without} without windows, {with} with them");
}

/// Rows of a table that lie between training rows look back on them, too.
#[test]
fn rows_among_the_training_rows_look_back_on_all_of_them() {
    let minute = |row: u32| row * 97 + (noise(row, 1) * 90.0) as u32;
    let line = |row: u32| {
        let (at, card) = (minute(row), (noise(row, 2) * 20.0) as u32);
        let (day, hour, rest) = (at / 1440, at / 60 % 24, at % 60);
        let fraud = if noise(row, 3) < 0.3 { "yes" } else { "no" };
        (card, format!("P{row},c{card},s1,{row}.5,{}T{hour:02}:{rest:02}:00Z,{fraud}\n", jiff_date(day)))
    };
    let is_new = |row: &u32| noise(*row, 4) < 0.3;
    let (new, old): (Vec<u32>, Vec<u32>) = (0..900).partition(is_new);
    let table = |rows: &[u32]| HEADER.to_owned() + &rows.iter().map(|&row| line(row).1).collect::<String>();
    let windows = "[features.derived]\nn_7d = \"count() by card over 7d\"\n";
    let work = Loop::new()
        .table("ref.csv", table(&old))
        .table("mlloop.toml", config(windows, 5))
        .table("new.csv", table(&new));
    work.run("train").answers(YES);
    let found = by_id(&work.run("features new.csv --model v0001").answers(YES).stdout);
    let expected = |row: u32| {
        let earlier = (0..row).filter(|&other| line(other).0 == line(row).0);
        earlier.filter(|&other| minute(row) > minute(other) && minute(row) - minute(other) <= 7 * 1440).count()
    };
    for &row in &new {
        let n: f64 = found[&format!("P{row}")].parse().unwrap();
        assert!((n - expected(row) as f64).abs() < 1e-9, "P{row}: {n} is not {}", expected(row));
    }
}

/// The figures of docs/features.md.
#[test]
#[ignore = "make simulate"]
#[expect(clippy::print_stdout, reason = "the figures of docs/features.md")]
fn windows_see_fraud_that_no_column_shows_in_a_year() {
    let [without, with] = worth(300, 365, 200);
    println!("ROC-AUC on the latest rows: {without:.3} without windows, {with:.3} with them");
    assert!(without < 0.65 && with > 0.95, "{without} without windows, {with} with them");
}

/// Each row has one value, whatever part of its past is in the table, in the version and in the log.
#[test]
fn every_verb_looks_back_on_the_same_rows() {
    let rows = payments(25, 60);
    let work = Loop::new().table("ref.csv", table(&rows, 0..40)).table("mlloop.toml", config(WINDOWS, 10));
    work.run("train").answers(YES);
    work.write("all.csv", table(&rows, 0..60));
    work.write("new.csv", table(&rows, 40..60));
    let whole = by_id(&work.run("features all.csv").answers(YES).stdout);
    let new = by_id(&work.run("features new.csv --model v0001").answers(YES).stdout);
    assert!(new.len() > 100 && new.values().any(|cells| cells.split(',').nth(2).unwrap().parse::<u32>().unwrap() > 20));
    for (id, cells) in &new {
        assert_eq!(cells, &whole[id], "{id}");
    }
    // Turned around, the rows get the same scores; and so they do in parts, once the first part was logged.
    let scores = by_id(&work.run("predict new.csv --columns id,score").answers(YES).stdout);
    let text = table(&rows, 40..60);
    let turned = HEADER.to_owned()
        + &text.lines().skip(1).collect::<Vec<_>>().into_iter().rev().map(|l| format!("{l}\n")).collect::<String>();
    assert_eq!(by_id(&work.pipe("predict - --columns id,score", turned).answers(YES).stdout), scores);
    for days in [40..45, 45..52, 52..60] {
        work.write("part.csv", table(&rows, days));
        let part = by_id(&work.run("predict part.csv --log --columns id,score").answers(YES).stdout);
        assert!(part.iter().all(|(id, score)| scores[id] == *score));
    }
    // A second time changes nothing: a row is known by its id.
    assert_eq!(by_id(&work.run("predict new.csv --columns id,score").answers(YES).stdout), scores);
    let log = std::fs::read_dir(work.path("predictions")).unwrap().next().unwrap().unwrap().path();
    let header = std::fs::read_to_string(log).unwrap().lines().next().unwrap().to_owned();
    assert!(header.ends_with(",shop_30d = count() by shop over 30d"), "{header}");
    let skew = |work: &Loop, with: &str| {
        let report = work.run(&format!("monitor {with} --formats json")).value();
        let columns = report["columns"].as_array().unwrap().clone();
        assert!(
            columns.iter().any(|column| column["name"] == "card_7d")
                && columns.iter().all(|c| c["name"] != "card_7d = count() by card over 7d")
        );
        let found = report["findings"].as_array().unwrap().clone();
        found.into_iter().filter(|finding| finding["kind"] == "skew").collect::<Vec<_>>()
    };
    assert_eq!(skew(&work, "new.csv"), Vec::<Value>::new());
    // A row of day 50 that comes late: it is in the windows of rows that were answered without it.
    work.write("late.csv", format!("{HEADER}L1,c3,s5,10.00,{}T12:00:00Z,no\n", jiff_date(50)));
    work.run("predict late.csv --log").answers(YES);
    let found = skew(&work, "");
    let of_week = found.iter().find(|finding| finding["column"] == "card_7d").unwrap_or_else(|| panic!("{found:?}"));
    assert!(
        of_week["text"]
            .as_str()
            .unwrap()
            .contains("logged values differ from the values computed with all earlier rows")
    );
    // What the version stored is held to its digest, and needed.
    std::fs::remove_file(work.path("models/v0001/past.csv")).unwrap();
    work.run("predict new.csv").answers(ERROR).says("past.csv");
}

/// A challenger learns from labelled rows, and their windows hold the rows that nobody labelled.
#[test]
fn a_challenger_looks_back_on_rows_without_labels() {
    let rows = payments(25, 60);
    let work = Loop::new().table("ref.csv", table(&rows, 0..40)).table("mlloop.toml", config(WINDOWS, 10));
    work.run("train").answers(YES);
    let text = table(&rows, 40..60);
    let (mut labelled, mut others) = (HEADER.to_owned(), HEADER.replace(",fraud", ""));
    for (n, line) in text.lines().skip(1).enumerate() {
        match n % 3 {
            0 => labelled += &format!("{line}\n"),
            _ => others += &format!("{}\n", line.rsplit_once(',').unwrap().0),
        }
    }
    work.write("others.csv", others);
    work.write("labelled.csv", labelled);
    work.run("predict others.csv --log").answers(YES);
    work.run("predict labelled.csv --log --outcomes").answers(YES);
    work.run("retrain --force").answers(YES);
    work.write("all.csv", table(&rows, 0..60));
    let whole = by_id(&work.run("features all.csv --columns id,card_7d,shop_30d").answers(YES).stdout);
    let by_row: BTreeMap<(String, String), String> = rows
        .iter()
        .enumerate()
        .map(|(n, (_, line))| (line.split(',').collect::<Vec<_>>(), &whole[&format!("P{n}")]))
        .map(|(cells, windows)| ((cells[0].to_owned(), cells[3].to_owned() + cells[2]), windows.clone()))
        .collect();
    let golden = work.read("models/v0002/golden.csv");
    let mut lines = golden.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let header = lines.next().unwrap();
    let place = |name: &str| header.iter().position(|column| *column == name).unwrap_or_else(|| panic!("{header:?}"));
    let (card, at, amount) = (place("card"), place("at"), place("amount"));
    let (week, month) = (place("card_7d = count() by card over 7d"), place("shop_30d = count() by shop over 30d"));
    let mut n_new = 0;
    for cells in lines {
        let amount: f64 = cells[amount].parse().unwrap();
        let key = (cells[card].to_owned(), format!("{}{amount:.2}", cells[at]));
        assert_eq!(format!("{},{}", cells[week], cells[month]), by_row[&key], "{cells:?}");
        n_new += usize::from(cells[at] >= jiff_date(40).as_str());
    }
    assert!(n_new > 50, "{n_new}");
    work.run("promote").status();
    work.run("label-export --n 12").answers(YES);
}

/// The rows of a table as requests of some rows each.
fn requests(table: &str) -> Vec<String> {
    let mut lines = table.lines();
    let names: Vec<&str> = lines.next().unwrap().split(',').collect();
    let cells = |line: &str| {
        let cells = names.iter().zip(line.split(',')).filter(|(name, _)| **name != "fraud");
        cells.map(|(name, cell)| ((*name).to_owned(), json!(cell))).collect::<serde_json::Map<_, _>>()
    };
    let rows: Vec<Value> = lines.map(|line| Value::Object(cells(line))).collect();
    let (mut left, mut pieces) = (&rows[..], Vec::new());
    while !left.is_empty() {
        let n = 1 + (noise(left.len() as u32, 11) * 8.0) as usize;
        let (piece, rest) = left.split_at(n.min(left.len()));
        pieces.push(json!(piece).to_string());
        left = rest;
    }
    pieces
}

/// A server that is killed, one that changes over to another version, and `predict --log` beside it answer as `predict`
/// does on all rows at once, and `monitor` finds nothing.
#[test]
fn a_server_looks_back_on_what_anybody_answered() {
    let rows = payments(25, 60);
    let work = Loop::new().table("ref.csv", table(&rows, 0..40)).table("mlloop.toml", config(WINDOWS, 10));
    work.run("train").answers(YES);
    work.write("new.csv", table(&rows, 40..60));
    let expected = by_id(&work.run("predict new.csv --columns id,score").answers(YES).stdout);
    let mut scores: BTreeMap<String, f64> = BTreeMap::new();
    let mut ask = |server: &Server, days: std::ops::Range<u32>, version: &str| {
        let mut client = server.client();
        for body in requests(&table(&rows, days)) {
            let (status, answer) = client.post("/predict", &body).unwrap();
            assert_eq!(status, 200, "{answer}");
            for told in answer["predictions"].as_array().unwrap() {
                assert_eq!(told["version"], version);
                scores.insert(told["id"].as_str().unwrap().to_owned(), told["score"].as_f64().unwrap());
            }
        }
    };
    let mut server = Server::start(&work, "");
    ask(&server, 40..46, "v0001");
    server.signal("KILL");
    server.exit();
    let server = Server::start(&work, "");
    ask(&server, 46..48, "v0001");
    // Another program answers.
    let kept = |server: &Server| {
        let text = server.get("/metrics");
        let line = text.lines().find(|line| line.starts_with("mlloop_past_rows{version=\"v0001\"}")).unwrap();
        line.rsplit_once(' ').unwrap().1.parse::<u32>().unwrap()
    };
    let before = kept(&server);
    let part = table(&rows, 48..50);
    work.write("part.csv", &part);
    work.run("predict part.csv --log").answers(YES);
    server.waits_for(&format!("mlloop_past_rows{{version=\"v0001\"}} {}", before + part.lines().count() as u32 - 1));
    ask(&server, 50..54, "v0001");
    assert!(scores.len() > 100);
    for (id, score) in &scores {
        assert_eq!(expected[id].parse::<f64>().unwrap(), *score, "{id}");
    }
    // The log holds what all rows give, and so does the page on which a person tries rows.
    let findings = |work: &Loop| {
        let report = work.run("monitor --formats json").value();
        let all = report["findings"].as_array().unwrap().clone();
        all.into_iter().filter(|finding| finding["kind"] == "skew").collect::<Vec<_>>()
    };
    assert_eq!(findings(&work), Vec::<Value>::new());
    let text = table(&rows, 54..55);
    let next: Vec<&str> = text.lines().nth(1).unwrap().split(',').collect();
    let [id, card, shop, amount, at] = next[..5] else { panic!("{next:?}") };
    let page =
        server.get(&format!("/ui/model?version=v0001&try=1&x.card={card}&x.shop={shop}&x.amount={amount}&x.at={at}"));
    let said = page
        .split("<p>yes ")
        .nth(1)
        .and_then(|rest| rest.split(['<', ' ', ',']).next())
        .unwrap_or_else(|| panic!("{page}"));
    let (said, score): (f64, f64) = (said.parse().unwrap(), expected[id].parse().unwrap());
    assert!((said - score).abs() <= 1e-3 * score, "{said}, {score}");
    // A second version with a window more.
    work.write(
        "mlloop.toml",
        config(&WINDOWS.replace("shop_1d =", "shop_2d = \"count() by shop over 2d\"\nshop_1d ="), 12),
    );
    work.run("train").answers(YES);
    work.run("promote --version v0002 --override longer --by ann").answers(YES);
    server.waits_for("mlloop_past_rows{version=\"v0002\"}");
    let expected = by_id(&work.run("predict new.csv --columns id,score").answers(YES).stdout);
    let mut scores: BTreeMap<String, f64> = BTreeMap::new();
    let mut client = server.client();
    for body in requests(&table(&rows, 54..60)) {
        let (_, answer) = client.post("/predict", &body).unwrap();
        for told in answer["predictions"].as_array().unwrap() {
            scores.insert(told["id"].as_str().unwrap().to_owned(), told["score"].as_f64().unwrap());
        }
    }
    for (id, score) in &scores {
        assert_eq!(expected[id].parse::<f64>().unwrap(), *score, "{id} by the second version");
    }
    assert!(scores.len() > 50);
    assert_eq!(findings(&work), Vec::<Value>::new());
}
