//! Columns of times, and the days of the week.

use super::{QUIET, column, fired, payments};
use crate::support::{Loop, NO, YES, noise};

#[test]
fn a_time_that_moves_the_model_is_watched() {
    let work = Loop::new().table("ref.csv", payments(0, 800, |_, at| at));
    work.run("init ref.csv --target fraud").answers(YES);
    work.run("train --now 2025-03-01T00:00:00Z").answers(YES);
    work.write("mlloop.toml", format!("{}\n{QUIET}", work.read("mlloop.toml")));
    let monitor = |table: String| {
        work.write("current.csv", table);
        work.run("monitor current.csv --formats json --now 2025-03-02T00:00:00Z")
    };
    let calm = monitor(payments(9000, 400, |_, at| at)).answers(NO).value();
    assert_eq!(column(&calm, "at")["verdict"], "stable");
    assert_eq!(column(&calm, "at")["kind"], "time");
    assert!(column(&calm, "at")["importance"].as_f64() > Some(0.9));
    let night = |_, at: String| format!("{}{:02}{}", &at[..11], at[11..13].parse::<u32>().unwrap() % 6, &at[13..]);
    let far = |row, at: String| if row % 4 == 0 { at.replace("2025", "2052") } else { at };
    for (method, at) in [
        ("missing", &(|_, _| String::new()) as &dyn Fn(u32, String) -> String),
        ("hours", &night),
        ("hours", &|_, at| at[..10].to_owned()),
        ("range", &far),
    ] {
        let report = monitor(payments(9000, 400, at)).answers(YES).value();
        let found = column(&report, "at");
        assert_eq!((&found["verdict"], &found["method"]), (&"drifted".into(), &method.into()), "{found}");
        assert!(fired(&report, "drift_share") && found["because"].is_string(), "{report}");
        let finding = |kind: &str| {
            report["findings"].as_array().unwrap().iter().any(|f| {
                let says = f["text"].as_str().unwrap();
                f["kind"] == kind && f["column"] == "at" && (kind != "range" || says.contains("in the future"))
            })
        };
        assert_eq!((finding("completeness"), finding("range")), (method == "missing", method == "range"));
    }
}

/// The time of an export in the place of the rows' own, times that were cut to days, rows that came twice; the order in
/// which rows stand says nothing.
#[test]
fn rows_that_share_their_times_are_told() {
    let work = Loop::new().table("ref.csv", payments(0, 800, |_, at| at));
    let said = |table: String| -> Vec<String> {
        work.write("current.csv", table);
        let report = work.run("monitor current.csv --reference ref.csv --formats json --now 2025-03-02T00:00:00Z");
        let findings = report.value()["findings"].as_array().unwrap().clone();
        let of_time =
            findings.into_iter().filter(|f| f["column"] == "at").map(|f| f["text"].as_str().unwrap().to_owned());
        of_time.collect()
    };
    let calm = payments(9000, 400, |_, at| at);
    let one = said(payments(9000, 400, |_, _| "2025-02-27T08:00:00Z".to_owned()));
    let found = one.iter().any(|text| {
        text.contains("100.0 % of the rows have the same time, 2025-02-27 08:00:00: is it the time of an export?")
    });
    assert!(found, "{one:?}");
    let twice = calm.clone() + calm.split_once('\n').unwrap().1;
    for table in [twice, payments(9000, 400, |_, at| at[..10].to_owned())] {
        let told = said(table);
        assert!(told.iter().any(|text| text.contains("% of the rows share their time with other rows")), "{told:?}");
    }
    let mut lines: Vec<&str> = calm.lines().collect();
    lines[1..].reverse();
    assert!(said(calm.clone()).is_empty() && said(lines.join("\n") + "\n").is_empty());
}

/// A shop that is open by day on workdays and by night on Sundays: eight weeks of it, and then one day.
#[test]
fn a_day_is_compared_with_its_own_days_of_the_week() {
    let rows = |first: u32, n: u32, days: std::ops::Range<i64>, is_night: &dyn Fn(i64) -> bool| {
        let monday: jiff::Timestamp = "2026-01-05T00:00:00Z".parse().unwrap();
        let row = |row: u32| {
            let day = days.start + (noise(row, 1) * (days.end - days.start) as f64) as i64;
            // Some rows at every hour, so that a day is seen as a whole.
            let hour = match (row % 10, is_night(day)) {
                (0, _) => 24.0 * noise(row, 2),
                (_, true) => 16.0 + 8.0 * noise(row, 2),
                (_, false) => 8.0 + 8.0 * noise(row, 2),
            };
            let at = monday + jiff::SignedDuration::from_secs(day * 86_400 + (hour * 3600.0) as i64);
            let bought = if hour + 6.0 * noise(row, 3) > 15.0 { "yes" } else { "no" };
            format!("{row},{at},{:.2},{bought}\n", 50.0 + 100.0 * noise(row, 4))
        };
        "id,at,amount,bought\n".to_owned() + &(first..first + n).map(row).collect::<String>()
    };
    let open = |day: i64| day % 7 == 6;
    let work = Loop::new().table("ref.csv", rows(0, 3000, 0..56, &open));
    work.run("init ref.csv --target bought").answers(YES);
    work.run("train --algorithm decision-tree --now 2026-03-02T00:00:00Z").answers(YES);
    work.write("mlloop.toml", format!("{}\n{QUIET}", work.read("mlloop.toml")));
    let monitor = |table: String| {
        work.write("current.csv", table);
        let report = work.run("monitor current.csv --formats json --now 2026-03-30T00:00:00Z").value();
        (column(&report, "at").clone(), fired(&report, "psi") || fired(&report, "drift_share"))
    };
    for day in [56, 58, 62, 69] {
        let (at, alarm) = monitor(rows(9000, 400, day..day + 1, &open));
        assert_eq!((&at["verdict"], alarm), (&"stable".into(), false), "day {day}: {at}");
    }
    // A Sunday whose rows come when those of a workday do, and a workday like a Sunday.
    for day in [62, 58] {
        let (at, alarm) = monitor(rows(9000, 400, day..day + 1, &|day| !open(day)));
        assert_eq!(
            (&at["method"], &at["verdict"], alarm),
            (&"hours".into(), &"drifted".into(), true),
            "day {day}: {at}"
        );
    }
}
