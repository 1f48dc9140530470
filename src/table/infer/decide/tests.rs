use super::*;
use crate::table::cell::Markers;

fn decide_cells(name: &str, cells: &[&str]) -> Decision {
    let markers = Markers::new(&["".to_owned(), "NA".to_owned()]);
    let mut seen = Evidence::default();
    for (cell, line) in cells.iter().zip(2..) {
        seen.push(cell, &markers, &|| line);
    }
    decide(name, &seen, Beside::default())
}

#[test]
fn an_id_that_stands_twice_is_an_id_and_a_key_to_other_rows_is_none() {
    let decided = |n_distinct: usize| {
        let cells: Vec<String> = (0..100).map(|row| ((row % n_distinct) * 7919 % 100_003).to_string()).collect();
        decide_cells("customer_id", &cells.iter().map(String::as_str).collect::<Vec<_>>()).kind
    };
    assert_eq!([decided(100), decided(99), decided(30)], [Kind::Id, Kind::Id, Kind::Category]);
}

#[test]
fn a_number_that_never_varies_is_one_where_it_may() {
    let markers = Markers::new(&[String::new()]);
    let decided = |cell: &str| {
        let mut seen = Evidence::default();
        seen.push(cell, &markers, &|| 2);
        [false, true].map(|numbers_vary| decide("x", &seen, Beside { numbers_vary, ..Beside::default() }).kind)
    };
    assert_eq!(decided("5.0"), [Kind::Constant, Kind::Number]);
    assert_eq!(decided("inf"), [Kind::Constant, Kind::Number]);
    assert_eq!(decided("007"), [Kind::Constant; 2]);
    assert_eq!(decided("a"), [Kind::Constant; 2]);
    assert_eq!(decided(""), [Kind::Constant; 2]);
}

fn kind(name: &str, cells: &[&str]) -> (Kind, String) {
    let decision = decide_cells(name, cells);
    (decision.kind, decision.reason)
}

#[test]
fn days_and_months_are_told_apart_by_evidence() {
    let d = decide_cells("d", &["1/01/2011", "2/01/2011", "13/01/2011"]);
    assert_eq!((d.kind, d.format.as_deref()), (Kind::Time, Some("%d/%m/%Y")));
    assert!(d.reason.contains("day comes first") && d.reason.contains("line 4"), "{}", d.reason);
    let d = decide_cells("d", &["01/02/2025", "01/15/2025"]);
    assert_eq!(d.format.as_deref(), Some("%m/%d/%Y"));
    let d = decide_cells("d", &["01/02/2025", "02/03/2025"]);
    assert!(d.reason.contains("ambiguous"), "{}", d.reason);
    let d = decide_cells("d", &["1/1/2025", "2/1/2025", "3/1/2025"]);
    assert_eq!(d.format.as_deref(), Some("%m/%d/%Y"));
    let d = decide_cells("d", &["1/1/2025", "1/2/2025", "1/3/2025"]);
    assert_eq!(d.format.as_deref(), Some("%d/%m/%Y"));
}

#[test]
fn mixed_dates_name_the_first_that_differs() {
    let (kind, reason) = kind("entry_date", &["01/15/2025", "1-15-2025", "01/16/2025"]);
    assert_eq!(kind, Kind::Category);
    assert!(reason.contains("%m/%d/%Y until \"1-15-2025\" on line 3"), "{reason}");
}

#[test]
fn numbers_codes_and_ids() {
    let rows: Vec<String> = (1..=30).map(|i| i.to_string()).collect();
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    assert_eq!(kind("instant", &rows), (Kind::Id, "counts the rows, 1 to 30".to_owned()));
    assert_eq!(kind("year", &rows).0, Kind::Number);
    let codes: Vec<String> = (1..=30).map(|i| format!("{i:03}")).collect();
    let codes: Vec<&str> = codes.iter().map(String::as_str).collect();
    assert_eq!(kind("zip", &codes).0, Kind::Id);
    assert_eq!(kind("zip", &["01", "02", "01", "11"]).0, Kind::Category);
    assert_eq!(kind("flag", &["0", "1", "0", ""]), (Kind::Number, "0/1 flag; 1 missing".to_owned()));
    assert_eq!(kind("x", &["3", "3"]), (Kind::Constant, "always \"3\"".to_owned()));
    assert_eq!(kind("x", &["3", ""]).0, Kind::Number);
    assert_eq!(kind("x", &["", "NA"]), (Kind::Constant, "always missing".to_owned()));
    assert_eq!(kind("created_at", &["1700000000", "1700000100"]).0, Kind::Time);
    assert_eq!(kind("amount", &["1700000000", "1700000100"]).0, Kind::Number);
    assert_eq!(kind("date", &["20250131", "20250201"]).0, Kind::Time);
    // Numbers that are all valid calendar days are dates, whatever their name; consecutive numbers are not.
    let counted = |first: u32| (0..25).map(|i| (first + i).to_string()).collect::<Vec<_>>();
    let kind_of = |cells: Vec<String>| kind("x", &cells.iter().map(String::as_str).collect::<Vec<_>>()).0;
    assert_eq!([kind_of(counted(20_250_101)), kind_of(counted(20_250_110))], [Kind::Time, Kind::Id]);
    let (kind, reason) = kind("amount", &["$4,500.00", "4500", "0"]);
    assert_eq!((kind, reason.as_str()), (Kind::Number, "whole numbers written like $1,234.56, 0 to 4500, 3 distinct"));
}
