//! Columns of times.

use super::*;

/// 300 rows of days in 2024, written by `write`, and another column.
fn dated(write: impl Fn(usize, &str, &str, &str) -> String) -> Inference {
    let row = |i: usize| {
        let (day, month) = (i * 5 % 28 + 1, i * 5 % 12 + 1);
        let when = write(i, "2024", &format!("{month:02}"), &format!("{day:02}"));
        format!("k{i};{when};{}\n", if i * 7919 % 101 > 50 { "yes" } else { "no" })
    };
    found_in("key;when;churn\n".to_owned() + &(0..300).map(row).collect::<String>())
}

#[test]
fn times_are_read_in_the_forms_that_programs_write() {
    type Write = fn(&str, &str, &str) -> String;
    fn month(m: &str) -> &'static str {
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
            [m.parse::<usize>().unwrap() - 1]
    }
    let forms: [(&str, Write); 17] = [
        ("%d/%b/%y %I:%M %p", |y, m, d| format!("{d}/{}/{} 7:58 PM", month(m), &y[2..])),
        ("%d/%b/%Y:%H:%M:%S %z", |y, m, d| format!("{d}/{}/{y}:19:58:55 +0000", month(m))),
        ("%m/%d/%Y, %I:%M:%S %p", |y, m, d| format!("{m}/{d}/{y}, 7:58:55\u{202f}PM")),
        ("%a, %d %b %Y %H:%M:%S GMT", |y, m, d| format!("Tue, {d} {} {y} 19:58:55 GMT", month(m))),
        ("%d-%b-%y %I.%M.%S.%f %p", |y, m, d| {
            format!("{d}-{}-{} 07.58.55.000000 PM", month(m).to_uppercase(), &y[2..])
        }),
        ("%d.%m.%Y %H:%M Uhr", |y, m, d| format!("{d}.{m}.{y} 19:58 Uhr")),
        ("%Y年%m月%d日", |y, m, d| format!("{y}年{}月{d}日", m.trim_start_matches('0'))),
        ("%Y. %m. %d.", |y, m, d| format!("{y}. {m}. {d}.")),
        ("%Y%m%dT%H%M%S", |y, m, d| format!("{y}{m}{d}T000000")),
        ("%Y%m%d", |y, m, d| format!("{y}{m}{d}")),
        ("%Y%m%d%H%M%S", |y, m, d| format!("{y}{m}{d}130500")),
        ("%Y-%m-%d %I:%M %p", |y, m, d| format!("{y}-{m}-{d} 08:05 PM")),
        ("%Y-%m-%d %I:%M:%S %p", |y, m, d| format!("{y}-{m}-{d} 8:05:30 AM")),
        ("%m/%d/%Y %I:%M %p", |y, m, d| format!("{m}/{d}/{y} 8:05 PM")),
        ("%d.%m.%Y, %H:%M", |y, m, d| format!("{d}.{m}.{y}, 13:08")),
        ("%Y%m%d %H:%M", |y, m, d| format!("{y}{m}{d} 13:08")),
        ("%H:%M", |_, m, d| format!("{m}:{d}")),
    ];
    for (form, write) in forms {
        let found = dated(|_, y, m, d| write(y, m, d));
        let when = finding(&found, "when");
        assert!(when.kind == Kind::Time && when.reason.contains(form), "{form}: {} {}", when.kind, when.reason);
    }
}

#[test]
fn what_says_that_there_is_no_time_is_missing() {
    for (none, like) in [
        ("NaT", "iso"),
        ("nat", "iso"),
        ("0000-00-00", "iso"),
        ("0000-00-00 00:00:00", "iso"),
        ("00/00/0000", "%m/%d/%Y"),
        ("00.00.0000", "%d.%m.%Y"),
    ] {
        let found = dated(|i, y, m, d| match (i % 7, like) {
            (3, _) => none.to_owned(),
            (_, "iso") => format!("{y}-{m}-{d}"),
            (_, "%m/%d/%Y") => format!("{m}/{d}/{y}"),
            _ => format!("{d}.{m}.{y}"),
        });
        let when = finding(&found, "when");
        assert_eq!((when.kind, when.n_missing), (Kind::Time, 43), "{none}: {}", when.reason);
        assert!(when.reason.ends_with(&format!("43 missing, written {none:?}")), "{}", when.reason);
        assert_eq!(found.schema.column("when").unwrap().format.as_deref(), Some(like));
        assert!(found.doubts.is_empty());
    }
    let clock = dated(|i, _, m, d| if i == 9 { "00:00".to_owned() } else { format!("{m}:{d}") });
    assert_eq!(finding(&clock, "when").n_missing, 0, "midnight is a time of day");
}

#[test]
fn times_among_one_other_text_or_in_two_ways_are_asked_about() {
    type Write = fn(usize, &str, &str, &str) -> String;
    let cases: [(&str, Why, Write); 7] =
        [
            ("a dash", Why::Nearly, |i, y, m, d| if i % 5 == 0 { "-".to_owned() } else { format!("{y}-{m}-{d}") }),
            ("open", Why::Nearly, |i, y, m, d| if i % 2 == 0 { "open".to_owned() } else { format!("{d}.{m}.{y}") }),
            ("two texts", Why::Nearly, |i, y, m, d| match i % 4 {
                0 => "never".to_owned(),
                1 => "tbd".to_owned(),
                _ => format!("{m}/{d}/{y}"),
            }),
            ("day and month first", Why::Mixed, |i, y, m, d| {
                if i % 2 == 0 { format!("{d}/{m}/{y}") } else { format!("{m}/{d}/{y}") }
            }),
            (
                "ISO and points",
                Why::Mixed,
                |i, y, m, d| if i % 2 == 0 { format!("{y}-{m}-{d}") } else { format!("{d}.{m}.{y}") },
            ),
            ("days of a spreadsheet", Why::Mixed, |i, y, m, d| match d.parse::<usize>() {
                Ok(day) if day <= 12 => (45_292 + i % 366).to_string(),
                _ => format!("{m}/{d}/{y}"),
            }),
            ("three ways", Why::Mixed, |i, y, m, d| match i % 3 {
                0 => format!("{y}-{m}-{d}"),
                1 => format!("{d}.{m}.{y}"),
                _ => format!("{y}/{m}/{d}"),
            }),
        ];
    for (name, why, write) in cases {
        let found = dated(write);
        let doubt = found.doubts.iter().find(|doubt| doubt.column == "when").unwrap_or_else(|| panic!("{name}"));
        assert_eq!((doubt.why, doubt.kind()), (why, Kind::Time), "{name}: {doubt}");
        assert!(doubt.to_string().contains("line "), "{doubt}");
    }
    // Texts that contain no times, and few levels that do.
    for write in [(|i, _, _, _| format!("name {}", i % 150)) as Write, |i, y, _, _| {
        format!("{y}-0{}-01{}", i % 3 + 1, if i % 5 == 0 { " or so" } else { "" })
    }] {
        assert!(dated(write).doubts.is_empty());
    }
}

#[test]
fn days_that_mean_never_are_remarked() {
    for (odd, write) in [
        ("9999-12-31", (|y, m, d| format!("{y}-{m}-{d}")) as fn(&str, &str, &str) -> String),
        ("2099-12-31", |y, m, d| format!("{d}.{m}.{y}")),
        ("1900-01-01", |y, m, d| format!("{m}/{d}/{y}")),
        ("1899-12-30", |y, m, d| format!("{y}-{m}-{d} 00:00:00")),
        ("1970-01-01", |y, m, d| format!("{y}-{m}-{d}T00:00:00Z")),
        ("0001-01-01", |y, m, d| format!("{y}-{m}-{d}")),
        ("9999-12-31", |y, m, d| format!("{y}{m}{d}")),
    ] {
        let parts: Vec<&str> = odd.split('-').collect();
        let found = dated(|i, y, m, d| if i % 7 == 0 { write(parts[0], parts[1], parts[2]) } else { write(y, m, d) });
        assert_eq!(finding(&found, "when").kind, Kind::Time, "{}", finding(&found, "when").reason);
        let told = found.notes.join("\n");
        assert!(told.contains(&format!("{odd} in when (43 cells, next 2024-")), "{odd}: {told}");
        assert!(!dated(|_, y, m, d| write(y, m, d)).notes.join("").contains("in when"));
    }
}
