//! Remarks about values, names and days.

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
fn a_code_beside_a_few_answers_is_remarked() {
    let told = |low: i64, high: i64, odd: i64| {
        let row = |i: usize| {
            let answer = low + (i as i64 * 3) % (high - low + 1);
            format!("{},{}\n", if i % 30 == 5 { odd } else { answer }, i * 3 % 7 % 2)
        };
        notes(&("answer,y\n".to_owned() + &(0..300).map(row).collect::<String>()))
    };
    for (low, high, odd) in [(1, 7, 99), (1, 5, 99), (0, 1, 9), (1, 7, -99), (0, 3, 999), (1, 7, 77)] {
        assert!(told(low, high, odd).contains(&format!("{odd} in answer (10 cells, next")), "{low} {high} {odd}");
    }
    for (low, high, odd) in [(1, 7, 9), (0, 4, -1), (1, 7, 20), (0, 1, -1), (1, 7, 0)] {
        assert!(!told(low, high, odd).contains("in answer"), "{low} {high} {odd}: {}", told(low, high, odd));
    }
}

#[test]
fn codes_of_surveys_are_remarked_two_at_a_time() {
    let told = |odd: [i64; 2]| {
        let row = |i: usize| format!("{},{}\n", if i % 15 < 2 { odd[i % 2] } else { (18 + i * 7 % 62) as i64 }, i % 2);
        notes(&("age,y\n".to_owned() + &(0..400).map(row).collect::<String>()))
    };
    for (odd, says) in [
        ([-1, -2], "-2 and -1 in age (54 cells, next 18)"),
        ([-8, -9], "-9 and -8 in age (54 cells, next 18)"),
        ([998, 999], "999 and 998 in age (54 cells, next 79)"),
        ([-1, 999], "-1 in age (27 cells, next 18), 999 in age (27 cells, next 79)"),
        ([99, 99], "99 in age (54 cells, next 79)"),
    ] {
        let told = told(odd);
        assert!(told.contains(says), "{says}: {told}");
    }
    assert!(!told([80, 81]).contains("in age") && !told([-1, -500]).contains("in age"));
}

#[test]
fn a_marker_that_looks_like_a_level_is_named() {
    let table = |region: [&str; 3], class: [&str; 3]| {
        let row = |i: usize| format!("{},{},{}\n", region[i % 3], i * 5 % 40, class[i * 7 % 11 % 3]);
        notes(&("region,x,class\n".to_owned() + &(0..200).map(row).collect::<String>()))
    };
    let told = table(["NA", "EU", "AS"], ["a", "b", "c"]);
    assert!(
        told.contains("column \"region\": 67 cells \"NA\" are read as missing; if this is a normal level"),
        "{told}"
    );
    assert!(told.contains("levels = [\"EU\", \"AS\", \"NA\"]"), "{told}");
    let told = table(["x", "y", "z"], ["alt", "both", "null"]);
    assert!(told.contains("cells \"null\" are read as missing; if this is a normal class"), "{told}");
    for (region, class) in [(["NA", "Europe", "Asia"], ["a", "b", "c"]), (["", "EU", "AS"], ["a", "b", ""])] {
        assert!(!table(region, class).contains("read as missing"));
    }
}

#[test]
fn columns_of_nearly_one_name_are_named() {
    let told = |header: &str| notes(&format!("{header},y\n1,2,0\n3,4,1\n5,7,0\n"));
    for header in ["amount,Amount", "net_amount,netAmount", "Größe,GRÖSSE ".replace("ÖSSE", "ÖßE").as_str(), "a b,a.b"]
    {
        assert!(told(header).contains("have almost the same name: both are used"), "{}", told(header));
    }
    for header in ["amount,amounts", "x1,x10", "+,-"] {
        assert!(!told(header).contains("the same name"), "{}", told(header));
    }
}

#[test]
fn an_order_in_time_is_offered_as_the_split() {
    let dated = (0..40).map(|i| format!("2024-01-{:02},{},{}\n", i % 28 + 1, i * 3 % 17, i % 2)).collect::<String>();
    assert!(notes(&format!("when,x,y\n{dated}")).contains("\"when\" is a time: with by = \"time\""));
    let parts =
        (0..40).map(|i| format!("{},{},{},{}\n", 2020 + i / 12, i % 12 + 1, i * 3 % 17, i % 2)).collect::<String>();
    let told = notes(&format!("year,month,x,y\n{parts}"));
    assert!(
        told.contains(
            "columns year, month are the parts of a time: with by = \"time\" and columns = [\"year\", \"month\"]"
        ),
        "{told}"
    );
    assert!(
        notes(&format!("x,month,hour,y\n{parts}")).contains("columns month, hour are parts of a time without a year")
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
        let found = infer(Input::from_reader("t", Cursor::new(format!("date,y\n{text}"))), &InferOptions::default());
        let found = found.unwrap();
        assert!(found.notes[0].contains("ambiguous"), "{:?}", found.notes);
        found.schema.columns[0].format.clone()
    };
    assert_eq!(format(&days(|i| format!("7/{i}/2020"))).as_deref(), Some("%m/%d/%Y"), "eight days in a row");
    assert_eq!(format(&days(|i| format!("{i}/7/2020"))).as_deref(), Some("%d/%m/%Y"));
}
