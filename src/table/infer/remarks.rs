//! What a person should know of a table besides the kinds of its columns.

use super::decide::{Decision, has_word};
use crate::table::evidence::Evidence;
use crate::table::time::TimeFormat;
use crate::table::{Kind, NumberFormat};

/// Values that often stand for "missing" among small and among large numbers.
const LOW: [f64; 12] =
    [0.0, -1.0, -9.0, -99.0, -999.0, -9999.0, -99999.0, -88.0, -999.9, -32_768.0, -2_147_483_648.0, -1e30];
const HIGH: [f64; 17] = [
    9.0,
    99.0,
    999.0,
    9999.0,
    99999.0,
    999_999.0,
    99.9,
    999.9,
    88.0,
    888.0,
    8888.0,
    88_888.0,
    88_888_888.0,
    32_767.0,
    2_147_483_647.0,
    4_294_967_295.0,
    1e30,
];
/// Other values from which their spacing means something.
const MIN_OTHERS: u64 = 10;
/// Words in names of columns that hold years.
const YEARS: [&str; 6] = ["year", "yr", "years", "jahr", "annee", "ano"];
/// Columns that a remark names.
const SHOWN: usize = 6;

/// All remarks about a table.
pub(super) fn of(names: &[String], seen: &[Evidence], decisions: &[Decision], target: Option<&str>) -> Vec<String> {
    let columns =
        || names.iter().zip(seen).zip(decisions).map(|((name, seen), decision)| (name.as_str(), seen, decision));
    let mut remarks: Vec<String> = columns()
        .filter(|(_, _, decision)| decision.ambiguous)
        .map(|(name, _, decision)| {
            format!("column {name:?}: {}: correct [columns] in mlloop.toml if it is not so", decision.reason)
        })
        .collect();
    remarks.extend(order(&columns().filter(|(name, _, _)| Some(*name) != target).collect::<Vec<_>>()));
    let odd: Vec<(&str, String)> = columns()
        .filter(|(name, _, decision)| decision.kind == Kind::Number && Some(*name) != target)
        .filter_map(|(name, seen, decision)| Some((name, sentinel(name, seen, decision.number.as_ref())?)))
        .collect();
    if !odd.is_empty() {
        let (shown, more) = odd.split_at(odd.len().min(SHOWN));
        let shown: Vec<&str> = shown.iter().map(|(_, told)| told.as_str()).collect();
        let more: Vec<&str> = more.iter().map(|(name, _)| *name).collect();
        let more = if more.is_empty() { String::new() } else { format!("; also in {}", more.join(", ")) };
        remarks.push(format!(
            "values that may mean \"missing\", since no other value is near: {}{more}",
            shown.join(", ")
        ));
    }
    remarks
}

/// Whether the rows have an order in time, which a random split hides.
fn order(columns: &[(&str, &Evidence, &Decision)]) -> Option<String> {
    let flatters = "the latest rows judge a model, where a random split flatters it on ordered data";
    let is_date = |decision: &Decision| {
        let format = decision.format.as_deref().and_then(|format| TimeFormat::new(format).ok());
        decision.kind == Kind::Time && format.is_some_and(|format| !format.is_clock())
    };
    if let Some((name, _, _)) = columns.iter().find(|(_, _, decision)| is_date(decision)) {
        return Some(format!("column {name:?} is a time: with by = \"time\" under [split], {flatters}"));
    }
    let part = |words: &[&str], low: f64, high: f64| {
        columns.iter().find(|(name, seen, _)| {
            let whole = seen.numbers == seen.present() && seen.integers == seen.numbers && seen.numbers > 0;
            whole && seen.distinct.count() > 1 && has_word(name, words) && seen.min >= low && seen.max <= high
        })
    };
    let parts: Vec<&str> = [
        part(&YEARS, 0.0, 2100.0),
        part(&["month", "mon", "mnth", "months", "monat", "mois", "mes"], 1.0, 12.0),
        part(&["day", "dom", "dd", "tag", "jour", "dia"], 1.0, 31.0),
        part(&["hour", "hr", "hours", "stunde", "heure", "hora"], 0.0, 24.0),
    ]
    .into_iter()
    .flatten()
    .map(|(name, _, _)| *name)
    .collect();
    let has_year = part(&YEARS, 0.0, 2100.0).is_some();
    (parts.len() >= 2).then(|| match has_year {
        true => {
            let quoted: Vec<String> = parts.iter().map(|part| format!("{part:?}")).collect();
            format!(
                "columns {} are a time in parts: with by = \"time\" and columns = [{}] under [split], {flatters}",
                parts.join(", "),
                quoted.join(", ")
            )
        }
        false => format!(
            "columns {} are parts of a time without a year: where rows have an order in time, a random split flatters a \
             model; a column with the whole time and by = \"time\" under [split] lets the latest rows judge it",
            parts.join(", ")
        ),
    })
}

/// A value at an end of the column that often means "missing" and stands alone.
fn sentinel(name: &str, seen: &Evidence, written: Option<&NumberFormat>) -> Option<String> {
    let others = seen.distinct.count().checked_sub(1).filter(|&n| n >= MIN_OTHERS)?;
    if written.is_some() {
        return None;
    }
    let often = |n: u64| n >= 2 && n * 200 >= seen.present();
    let told = |value: f64, n: u64, next: f64| format!("{value} in {name} ({n} cells, next {next})");
    let [(low, n_low), (next, _)] = seen.ends.low();
    let spacing = (seen.max - next) / others as f64;
    let alone = low < 0.0 && next >= 0.0 || low == 0.0 && next - low > 3.0 * spacing;
    if LOW.contains(&low) && often(n_low) && alone {
        return Some(told(low, n_low, next));
    }
    let [(high, n_high), (next, _)] = seen.ends.high();
    let range = next - seen.min;
    let alone = high - next > 3.0 * range / others as f64 && high - next > range / 2.0;
    (HIGH.contains(&high) && often(n_high) && alone).then(|| told(high, n_high, next))
}

#[cfg(test)]
mod tests {
    use crate::table::{InferOptions, Input, infer};
    use std::io::Cursor;

    fn notes(text: &str) -> String {
        infer(Input::from_reader("t", Cursor::new(text.to_owned())), &InferOptions::default()).unwrap().notes.join("\n")
    }

    #[test]
    fn values_that_stand_alone_are_remarked() {
        let row = |i: usize| {
            let days = if i.is_multiple_of(4) { 999 } else { i * 7 % 30 };
            let pressure = if i.is_multiple_of(50) { 0 } else { 60 + i * 3 % 50 };
            let balance = if i.is_multiple_of(10) { -1 } else { (i * 31 % 97) as i64 };
            format!("{days},{pressure},{balance},{},{}\n", i * 5 % 40, i % 2)
        };
        let text = "days,pressure,balance,count,y\n".to_owned() + &(0..200).map(row).collect::<String>();
        let told = notes(&text);
        for part in
            ["999 in days (50 cells, next 29)", "0 in pressure (4 cells, next 61)", "-1 in balance (20 cells, next 0)"]
        {
            assert!(told.contains(part), "{told}");
        }
        assert!(!told.contains("in count"), "{told}");
    }

    #[test]
    fn an_order_in_time_is_offered_as_the_split() {
        let dated =
            (0..40).map(|i| format!("2024-01-{:02},{},{}\n", i % 28 + 1, i * 3 % 17, i % 2)).collect::<String>();
        assert!(notes(&format!("when,x,y\n{dated}")).contains("\"when\" is a time: with by = \"time\""));
        let parts =
            (0..40).map(|i| format!("{},{},{},{}\n", 2020 + i / 12, i % 12 + 1, i * 3 % 17, i % 2)).collect::<String>();
        let told = notes(&format!("year,month,x,y\n{parts}"));
        assert!(
            told.contains(
                "columns year, month are a time in parts: with by = \"time\" and columns = [\"year\", \"month\"]"
            ),
            "{told}"
        );
        assert!(
            notes(&format!("x,month,hour,y\n{parts}"))
                .contains("columns month, hour are parts of a time without a year")
        );
        let clock = (0..40).map(|i| format!("{}:{:02},{},{}\n", i % 24, i, i * 3 % 17, i % 2)).collect::<String>();
        let found =
            infer(Input::from_reader("t", Cursor::new(format!("at,x,y\n{clock}"))), &InferOptions::default()).unwrap();
        assert_eq!(found.schema.columns[0].format.as_deref(), Some("%H:%M"));
        assert!(!found.notes.iter().any(|note| note.contains("[split]")), "a time of day orders nothing");
    }

    #[test]
    fn dates_that_can_be_read_in_two_ways_are_said() {
        let days = |first: fn(u32) -> String| (3..11).map(|i| format!("{},{}\n", first(i), i % 2)).collect::<String>();
        let format = |text: &str| {
            let found =
                infer(Input::from_reader("t", Cursor::new(format!("date,y\n{text}"))), &InferOptions::default());
            let found = found.unwrap();
            assert!(found.notes[0].contains("ambiguous"), "{:?}", found.notes);
            found.schema.columns[0].format.clone()
        };
        assert_eq!(format(&days(|i| format!("7/{i}/2020"))).as_deref(), Some("%m/%d/%Y"), "eight days in a row");
        assert_eq!(format(&days(|i| format!("{i}/7/2020"))).as_deref(), Some("%d/%m/%Y"));
    }
}
