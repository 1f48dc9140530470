//! Windows over earlier rows: served values are bit-identical to those of `predict` at the same time.

use super::fixture::{Served, ask, get, request, send, settings};
use crate::journal::{Journal, JournalError, Layout, Logged, Window};
use crate::predict::{self, PredictOptions};
use crate::registry::Version;
use crate::serve::{App, ServeSettings};
use crate::stats::random::hash64;
use crate::table::{Column, Input, ReadOptions, Table, Values, read};
use serde_json::{Value, json};
use std::sync::Arc;

const HEADER: &str = "id,card,shop,vip,amount,at,fraud\n";
const FIRST: &str = "card_1d = \"count() by card over 1d\"\nusual = \"mean(amount) by card over 7d\"\n\
    share = \"amount / usual\"\nmiddle = \"median(amount) by shop over 12h\"\n";
const SECOND: &str = "card_3d = \"zscore(amount) by card over 3d\"\nshop_1d = \"sum(amount) by (shop, vip) over 1d\"\n";

/// A draw in [0, n) for a row and a purpose.
fn draw(row: u32, what: u32, n: u64) -> u64 {
    hash64(&row.to_le_bytes(), u64::from(what)) % n
}

/// A payment: id, card, shop, vip, amount, time; an empty cell is missing.
#[derive(Clone)]
struct Pay([String; 6]);

fn pay(row: u32, minute: u64) -> Pay {
    let at = jiff::Timestamp::from_second(1_760_000_000 + minute as i64 * 60).unwrap();
    let vip = if draw(row, 3, 4) == 0 { "1" } else { "0" };
    let amount = (draw(row, 4, 9_000) as f64 + 100.0) / 7.0;
    Pay([
        format!("P{row}"),
        format!("c{}", draw(row, 1, 5)),
        format!("s{}", draw(row, 2, 2)),
        vip.to_owned(),
        amount.to_string(),
        at.to_string(),
    ])
}

impl Pay {
    fn line(&self) -> String {
        self.0.join(",")
    }

    fn json(&self, row: u32) -> Value {
        let cell = |at: usize| if self.0[at].is_empty() { Value::Null } else { json!(self.0[at]) };
        let number: Option<f64> = self.0[4].parse().ok();
        let amount = number.filter(|_| draw(row, 5, 2) == 0).map_or_else(|| cell(4), |number| json!(number));
        let vip = if draw(row, 6, 2) == 0 { json!(self.0[3] == "1") } else { cell(3) };
        json!({ "id": cell(0), "card": cell(1), "shop": cell(2), "vip": vip, "amount": amount, "at": cell(5) })
    }
}

/// Successive payments; with `trouble` some are late, repeated, changed, simultaneous or with missing cells.
fn payments(rows: std::ops::Range<u32>, trouble: bool) -> Vec<Pay> {
    let mut all: Vec<Pay> = Vec::new();
    for row in rows {
        let is = |what: u32, n: u64| trouble && draw(row, what, n) == 0;
        let minute = u64::from(if is(10, 5) { row - row % 5 } else { row }) * 7;
        let mut new = pay(row, minute - if is(11, 12) { draw(row, 12, 1_000) } else { 0 });
        for (what, cell) in [(13, 1), (14, 4), (15, 5)] {
            if is(what, 40) {
                new.0[cell].clear();
            }
        }
        if is(16, 12) && all.len() > 50 {
            let again = all[all.len() - 1 - draw(row, 17, 40) as usize].clone();
            match draw(row, 18, 3) {
                0 => new.0[0] = again.0[0].clone(),
                _ => new = again,
            }
        }
        all.push(new);
    }
    all
}

fn table(rows: &[Pay]) -> String {
    HEADER.replace(",fraud", "") + &rows.iter().map(|row| row.line() + "\n").collect::<String>()
}

/// A loop whose first version was trained on `n` payments with windows.
fn loop_of(n: u32) -> Served {
    let fraud = |row: &Pay| if row.0[4].parse::<f64>().unwrap() > 900.0 { "yes" } else { "no" };
    let rows = payments(0..n, false);
    let text =
        HEADER.to_owned() + &rows.iter().map(|row| format!("{},{}\n", row.line(), fraud(row))).collect::<String>();
    let served = Served::of("ref.csv", text, config(FIRST));
    served.train(0);
    served
}

fn config(windows: &str) -> String {
    format!(
        "[data]\nreference = \"ref.csv\"\n[target]\ncolumn = \"fraud\"\n[split]\nby = \"time\"\n[columns]\nid = \"id\"\n\
         card = \"category\"\nshop = \"category\"\nvip = \"number\"\n\
         amount = \"number\"\nat = {{ kind = \"time\", format = \"iso\" }}\nfraud = \"category\"\n[features]\n\
         drop = [\"card\", \"shop\"]\n[features.derived]\n{windows}[model]\nalgorithm = \"gradient-boosting\"\n"
    )
}

/// The result of one row: its windows and its score, as bits; `None` is missing.
type Got = (String, Vec<Option<u64>>, u64);

fn bits(value: f64) -> Option<u64> {
    (!value.is_nan()).then(|| value.to_bits())
}

fn values(column: &Column) -> &[f64] {
    match &column.values {
        Values::Number(values) => values,
        other => panic!("{other:?}"),
    }
}

/// The current result of `predict`.
fn predicted(served: &Served, version: u32, rows: &[Pay]) -> Vec<Got> {
    let pipeline = served.workspace.registry().pipeline(Version(version)).unwrap();
    let text = table(rows);
    let input = || Ok(Input::from_reader("rows", std::io::Cursor::new(text.clone())));
    let of = (&served.workspace, Version(version), &pipeline);
    let windows = predict::windows(input, of, &PredictOptions::default(), true).unwrap();
    let options = ReadOptions { optional: vec!["fraud".to_owned()], ..ReadOptions::default() };
    let cells = read(input().unwrap(), &pipeline.schema, &options).unwrap().table;
    let filled = Table::new([cells.columns(), &windows].concat()).unwrap();
    let scores = pipeline.score(&filled).unwrap();
    let got = |(row, pay): (usize, &Pay)| {
        let windows = windows.iter().map(|column| bits(values(column)[row])).collect();
        (pay.0[0].clone(), windows, scores.row(row)[0].to_bits())
    };
    rows.iter().enumerate().map(got).collect()
}

/// The log rows of a version.
fn logged(served: &Served, version: u32) -> Vec<Got> {
    let pipeline = served.workspace.registry().pipeline(Version(version)).unwrap();
    let layout = Layout::of(&pipeline);
    let names = pipeline.features.derived().window_columns();
    let mut all = Vec::new();
    let scan = |logged: Logged| {
        let table = logged.features.as_ref().unwrap();
        for row in (0..logged.len()).filter(|&row| logged.version[row] == Version(version)) {
            let windows = names.iter().map(|name| bits(values(table.column(name).unwrap())[row])).collect();
            all.push((logged.id.get(row).to_owned(), windows, logged.score[row].to_bits()));
        }
        Ok::<(), JournalError>(())
    };
    Journal::of(&served.workspace).scan(&Window::default(), &layout, true, scan).unwrap();
    all
}

fn post(state: &Arc<App>, path: &str, rows: &[Pay]) -> (u16, Value) {
    let rows: Vec<Value> = rows.iter().zip(0..).map(|(row, n)| row.json(n)).collect();
    let body = if rows.len() == 1 { rows[0].to_string() } else { json!(rows).to_string() };
    ask(state, request(path, body))
}

#[test]
fn a_stream_is_served_to_the_bit_as_it_is_predicted() {
    let served = loop_of(400);
    let stream = payments(400..2_400, true);
    let mut state = served.open();
    let mut expected: [Vec<Got>; 2] = Default::default();
    let (mut at, mut n_asked, mut version) = (0, 0, 1);
    while at < stream.len() {
        let n = match draw(n_asked, 20, 10) {
            0..5 => 1,
            5..9 => 1 + draw(n_asked, 21, 20) as usize,
            _ => 60 + draw(n_asked, 21, 60) as usize,
        };
        let rows = &stream[at..(at + n).min(stream.len())];
        expected[version as usize - 1].extend(predicted(&served, version, rows));
        if n_asked % 9 == 5 {
            // Another server of the same loop answers.
            assert_eq!(post(&served.open(), "/predict", rows).0, 200);
            state.catch_up();
        } else {
            let (status, answer) = post(&state, "/predict", rows);
            assert_eq!(status, 200, "{answer}");
        }
        let before = at;
        at += rows.len();
        n_asked += 1;
        let passes = |place: usize| before < place && at >= place;
        if passes(600) || passes(1_700) {
            state = served.open();
        }
        if passes(1_100) {
            super::fixture::write(served.workspace.path("mlloop.toml"), config(SECOND));
            served.train(3);
            served.promote(2);
            state.refresh();
            version = 2;
        }
    }
    assert!(n_asked > 100 && expected.iter().all(|all| all.len() > 500), "{n_asked} requests");
    for (version, expected) in (1..).zip(&expected) {
        let found = logged(&served, version);
        assert_eq!(found.len(), expected.len());
        for (row, (found, expected)) in found.iter().zip(expected).enumerate() {
            assert_eq!(found, expected, "row {row} of version {version}");
        }
        let many = found.iter().filter(|(_, windows, _)| windows[0].is_some()).count();
        assert!(many > 400, "{many} rows of version {version} have a first window");
    }
}

/// Each arm has its own windows over all rows, whichever arm answered them; unlogged requests leave no trace.
#[test]
fn arms_and_shadows_look_back_on_all_rows() {
    let served = loop_of(300);
    super::fixture::write(served.workspace.path("mlloop.toml"), config(SECOND));
    served.train(3);
    served.experiment_by("id", [0.5, 0.5], true);
    let state = served.open();
    let stream = payments(300..500, false);
    let mut expected: [Vec<Got>; 2] = Default::default();
    for rows in stream[..120].chunks(7) {
        expected[0].extend(predicted(&served, 1, rows));
        expected[1].extend(predicted(&served, 2, rows));
        assert_eq!(post(&state, "/predict", rows).0, 200);
    }
    for version in [1, 2] {
        assert_eq!(logged(&served, version), expected[version as usize - 1]);
    }
    served.experiment_by("id", [0.5, 0.5], false);
    state.refresh();
    for rows in stream[120..].chunks(5) {
        let of = [1, 2].map(|version| predicted(&served, version, rows));
        let (_, answer) = post(&state, "/predict_ab?explain=2", rows);
        for (row, told) in answer["predictions"].as_array().unwrap().iter().enumerate() {
            let arm = usize::from(told["version"] == "v0002");
            expected[arm].push(of[arm][row].clone());
            assert_eq!(told["contributions"].as_array().unwrap().len(), 2, "{told}");
        }
    }
    for version in [1, 2] {
        assert!(expected[version as usize - 1].len() > 140);
        assert_eq!(logged(&served, version), expected[version as usize - 1]);
    }
}

fn metric(state: &Arc<App>, name: &str) -> f64 {
    let text = String::from_utf8(send(state, get("/metrics")).1).unwrap();
    let line = text.lines().find(|line| line.starts_with(&format!("{name}{{version=\"v0001\"}} ")));
    line.unwrap_or_else(|| panic!("{name}: {text}")).rsplit_once(' ').unwrap().1.parse().unwrap()
}

/// The windows of a row that is requested without being logged.
fn looked_at(served: &Served, state: &Arc<App>, row: &Pay) -> Vec<Option<u64>> {
    assert_eq!(post(state, "/predict", std::slice::from_ref(row)).0, 200);
    logged(served, 1).pop().unwrap().1
}

#[test]
fn only_rows_in_the_log_are_looked_back_on() {
    let served = loop_of(300);
    let unlogged = App::open(served.workspace.clone(), &ServeSettings { log: None, ..settings() }).unwrap();
    let rows = payments(300..330, false);
    let before = metric(&unlogged, "mlloop_past_rows");
    assert_eq!(post(&unlogged, "/predict", &rows).0, 200);
    assert_eq!(metric(&unlogged, "mlloop_past_rows"), before, "it logs nothing, and so it remembers nothing");
    // If the log cannot be written, the rows are not stored.
    let state = served.open();
    super::fixture::write(served.workspace.path("predictions"), "no directory");
    assert_eq!(post(&state, "/predict", &rows).0, 503);
    std::fs::remove_file(served.workspace.path("predictions")).unwrap();
    assert_eq!(metric(&state, "mlloop_past_rows"), before);
    // An invalid row refuses its request, and none of it is stored.
    let mut wrong = rows.clone();
    wrong[3].0[4] = "dear".to_owned();
    assert_eq!(post(&state, "/predict", &wrong).0, 422);
    assert_eq!(metric(&state, "mlloop_past_rows"), before);
    let next = payments(330..331, false).remove(0);
    let expected = predicted(&served, 1, std::slice::from_ref(&next)).remove(0).1;
    assert_eq!(looked_at(&served, &state, &next), expected);
    assert_eq!(metric(&state, "mlloop_past_rows"), before + 1.0);
    unlogged.catch_up();
    assert_eq!(metric(&unlogged, "mlloop_past_rows"), before + 1.0, "what others log it looks back on");
}

#[test]
fn too_many_rows_leave_and_it_is_said() {
    let served = loop_of(300);
    let state = App::open(served.workspace.clone(), &ServeSettings { past_rows: 100, ..settings() }).unwrap();
    assert_eq!(ask(&served.open(), get("/ready")).1.get("past"), None, "there is room for all");
    for rows in payments(300..900, false).chunks(50) {
        assert_eq!(post(&state, "/predict", rows).0, 200);
        let kept = metric(&state, "mlloop_past_rows");
        assert!(kept <= 120.0, "{kept}");
    }
    assert!(metric(&state, "mlloop_past_left_total") > 300.0);
    let told = ask(&state, get("/ready")).1;
    let past = told["past"].as_str().unwrap_or_default();
    assert!(past.starts_with("the windows of v0001 miss rows: ") && past.contains("--past-rows"), "{told}");
}

#[test]
fn what_the_version_stored_is_held_to_its_digest() {
    let served = loop_of(300);
    super::fixture::write(served.workspace.path("models/v0001/past.csv"), "id,card\n");
    let Err(err) = App::open(served.workspace.clone(), &settings()) else { panic!("it is damaged") };
    assert!(err.to_string().contains("past.csv"), "{err}");
}

/// A flag may be a JSON boolean; other numbers may not.
#[test]
fn truths_are_numbers_in_a_column_of_flags() {
    let served = loop_of(300);
    let state = served.open();
    let row = pay(400, 2_800).json(1);
    let mut scores = Vec::new();
    for vip in [json!(true), json!("True"), json!(1), json!("yes"), json!(false), json!(0)] {
        let mut row = row.clone();
        row["vip"] = vip;
        let (status, answer) = ask(&state, request("/predict", row.to_string()));
        assert_eq!(status, 200, "{answer}");
        scores.push(answer["score"].clone());
    }
    assert!(scores[..4].iter().all(|score| *score == scores[0]) && scores[4] == scores[5], "{scores:?}");
    let mut row = row.clone();
    row["amount"] = json!(true);
    let (status, answer) = ask(&state, request("/predict", row.to_string()));
    assert_eq!((status, &answer["problems"][0]["problem"]), (422, &json!("is true, not a number")));
}
