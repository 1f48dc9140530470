//! Cell formats that a model cannot use as they are: periods, durations, numbers with several units, pairs, spreadsheet
//! errors, and numbers that may be times or codes. They are reported, with a remedy.

use super::decide::Decision;
use super::forms::{MIN_LEVELS, form_of, said};
use super::names::{CODES, ID_WORDS, TIME_WORDS, has_word, names_key, words_of};
use crate::table::Kind;
use crate::table::evidence::{Evidence, MAX_LEVELS};
use crate::table::time::{TimeFormat, write_iso};

/// The same for numbers that may be times.
const MIN_TIMES: u64 = 20;
/// Words in names of columns whose numbers are codes.
const CODE_NAMES: [&str; 13] = [
    "zip",
    "zipcode",
    "postcode",
    "postal",
    "plz",
    "code",
    "phone",
    "telephone",
    "telefon",
    "telefono",
    "tel",
    "mobile",
    "fax",
];
/// What spreadsheets write for a formula without a value, in some of their languages; `#N/A` is missing.
const ERRORS: [&str; 17] = [
    "#DIV/0!",
    "#VALUE!",
    "#REF!",
    "#NAME?",
    "#NUM!",
    "#NULL!",
    "#SPILL!",
    "#CALC!",
    "#ERROR!",
    "#WERT!",
    "#BEZUG!",
    "#ZAHL!",
    "#VALEUR!",
    "#NOMBRE!",
    "#NOM?",
    "#VALOR!",
    "#¡DIV/0!",
];
/// The remarks on the columns.
pub(super) fn of(columns: &[(&str, &Evidence, &Decision)]) -> Vec<String> {
    columns.iter().filter_map(|(name, seen, decision)| told(name, seen, decision)).collect()
}

fn told(name: &str, seen: &Evidence, decision: &Decision) -> Option<String> {
    let first = || seen.levels.iter().next().unwrap_or_default();
    if let Some((n, place)) = seen.longest.as_ref().filter(|_| decision.kind == Kind::Category && few_broken(seen)) {
        return Some(format!(
            "column {name:?}: the cell on line {} spans {} lines ({:?}): check for a missing or extra quote",
            place.line,
            n + 1,
            place.value
        ));
    }
    match decision.kind {
        Kind::Category | Kind::Text | Kind::Id => {
            if let Some(error) = seen.levels.iter().find(|level| ERRORS.contains(level)) {
                return Some(format!(
                    "column {name:?}: {error:?} is a spreadsheet error and is read as a level: correct it, or add \
                     --missing {error:?}"
                ));
            }
            if let Some(told) = spreadsheet_days(name, seen, "text") {
                return Some(told);
            }
            let is_code = has_word(name, &CODES) || has_word(name, &ID_WORDS) || names_key(name);
            let (what, way_out) = said(form_of(seen).filter(|_| !is_code)?);
            Some(format!("column {name:?} contains {what} such as {:?}, which are read as texts: {way_out}", first()))
        }
        Kind::Number if decision.number.is_none() => number_told(name, seen, first()),
        // Groups of digits: `030 123 456`, `1.234.567`.
        Kind::Number
            if has_word(name, &CODE_NAMES) && seen.values(decision.number.as_ref()).integers == seen.present() =>
        {
            Some(may_be_codes(name, first()))
        }
        Kind::Time if decision.format.as_deref().is_some_and(|format| format.contains("%y")) => short_years(name, seen),
        Kind::Time if decision.format.as_deref() == Some("iso") => {
            let clocks = || seen.levels.iter().filter(|level| level.contains(':'));
            let zoned = |level: &&str| level.ends_with(['Z', 'z']) || level[10..].contains(['+', '-']);
            let with = clocks().find(|level| level.is_char_boundary(10) && zoned(level))?;
            let without = clocks().find(|level| level.is_char_boundary(10) && !zoned(level))?;
            Some(format!(
                "column {name:?}: {with:?} has a time zone and {without:?} has none: times without a zone are read \
                 as UTC"
            ))
        }
        _ => None,
    }
}

/// Whether so few cells contain line breaks that they are probably unintended.
fn few_broken(seen: &Evidence) -> bool {
    seen.n_broken * 20 <= seen.present()
}

/// Two-digit years, some of which are read as far in the future: mostly dates of birth.
fn short_years(name: &str, seen: &Evidence) -> Option<String> {
    /// 2035 in microseconds.
    const AHEAD: f64 = 2_051_222_400e6;
    let last = seen.times.ends().high()[0].0;
    let mut day = String::new();
    write_iso(last as i64, &mut day);
    (last >= AHEAD).then(|| {
        format!(
            "column {name:?} has years of two digits: 69 to 99 are read as 19.., the others as 20.., so its latest \
             day is {}; if that is wrong, write four digits",
            day.get(..10).unwrap_or(&day)
        )
    })
}

/// The date of a spreadsheet day number.
fn day(format: &str, value: f64) -> Option<String> {
    let mut text = String::new();
    write_iso(TimeFormat::new(format).ok()?.parse(&value.to_string())?, &mut text);
    text.truncate(10);
    Some(text)
}

/// Numbers in a date column within the range of spreadsheet day numbers from 1954 to 2119.
fn spreadsheet_days(name: &str, seen: &Evidence, kind: &str) -> Option<String> {
    const DAYS: [&str; 5] = ["dob", "birthday", "fecha", "termin", "deadline"];
    let is_day = |word: &String| word.ends_with("date") || word.ends_with("datum") || DAYS.contains(&word.as_str());
    let named = has_word(name, &TIME_WORDS) || words_of(name).iter().any(is_day);
    let values = &seen.plain;
    let all = values.n == seen.present() && values.min >= 20_000.0 && values.max < 80_000.0;
    if !(named && all && seen.distinct.count() >= MIN_TIMES) {
        return None;
    }
    // Day 25 569 is 1970-01-01.
    let from = day("unix", (values.min.floor() - 25_569.0) * 86_400.0)?;
    Some(format!(
        "column {name:?} is read as a {kind} and may contain spreadsheet day numbers, days since 1899-12-30 ({} is {from}): \
         if so, save the column as a date",
        values.min
    ))
}

/// Plain numbers that may be times or codes.
fn number_told(name: &str, seen: &Evidence, first: &str) -> Option<String> {
    let (values, distinct) = (&seen.plain, seen.distinct.count());
    let within = |low: f64, high: f64| values.min >= low && values.max < high;
    let whole = values.integers == seen.present();
    // 2000 to 2038.
    let since = [("unix", "seconds", 1.0), ("unix_ms", "milliseconds", 1e3)];
    let epoch = since.into_iter().find(|(_, _, factor)| within(946_684_800.0 * factor, 2_147_483_648.0 * factor));
    if let Some((format, unit, _)) = epoch.filter(|_| whole && distinct >= MIN_TIMES) {
        let (from, to) = (day(format, values.min)?, day(format, values.max)?);
        return Some(format!(
            "column {name:?} is read as a number and may be {unit} since 1970 ({from} to {to}): if so, add --kind \
             {name}=time"
        ));
    }
    if let Some(told) = spreadsheet_days(name, seen, "number") {
        return Some(told);
    }
    if let Some(place) = seen.marks.may_be_thousands() {
        return Some(format!(
            "column {name:?}: every separator is followed by exactly three digits, and no number without one is \
             above 999, such as {:?} on line {}: if they separate thousands, set number = {{ decimal = \",\", \
             thousands = \".\" }} under [columns]",
            place.value, place.line
        ));
    }
    if let Some((short, long)) = twice_written(seen) {
        return Some(format!(
            "column {name:?} is read as a number, and {long:?} as {short:?}: if they are versions or codes, add \
             --kind {name}=category, and same = false in mlloop.toml"
        ));
    }
    let all = |fits: fn(&str) -> bool| seen.levels.iter().all(fits);
    let is_code =
        all(is_exponent) || all(|text| text.starts_with('+') && text.len() > 7) || has_word(name, &CODE_NAMES);
    (whole && distinct as usize >= MIN_LEVELS && seen.first_not_number.is_none() && is_code)
        .then(|| may_be_codes(name, first))
}

fn may_be_codes(name: &str, first: &str) -> String {
    format!(
        "column {name:?} is read as numbers such as {first:?}, which may be codes: if so, add --kind {name}=category"
    )
}

/// `3.1` and `3.10`: one number, but two versions of a program. Only for few distinct cells without a sign.
fn twice_written(seen: &Evidence) -> Option<(&str, &str)> {
    let is_version = |text: &str| {
        let digits = |part: &str| (1..=2).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
        text.split_once('.').is_some_and(|(major, minor)| digits(major) && digits(minor))
    };
    let all = seen.levels.len() <= MAX_LEVELS && seen.levels.iter().all(is_version);
    let long = seen.levels.iter().filter(|text| all && text.ends_with('0'));
    long.filter_map(|long| Some((seen.levels.iter().find(|short| long.strip_suffix('0') == Some(short))?, long))).next()
}

/// `12E5`, which a spreadsheet reads as a number, but which may be a stock code.
fn is_exponent(text: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    text.split_once(['e', 'E']).is_some_and(|(mantissa, exponent)| digits(mantissa) && digits(exponent))
}

#[cfg(test)]
mod tests {
    use crate::table::{InferOptions, Input, infer};
    use std::io::Cursor;

    type Cell<'a> = &'a dyn Fn(usize) -> String;

    /// The remarks on a column of 60 cells.
    fn notes(name: &str, cell: Cell) -> String {
        let row = |i: usize| format!("{};{};{}\n", cell(i), i * 7 % 40, ["no", "yes"][i * 3 % 7 % 2]);
        let text = format!("{name};x;churn\n") + &(0..60).map(row).collect::<String>();
        infer(Input::from_reader("t", Cursor::new(text)), &InferOptions::default()).unwrap().notes.join("\n")
    }

    #[test]
    fn what_a_model_cannot_read_as_it_is_written_is_said() {
        let told: [(&str, Cell, &str); 19] = [
            (
                "amt",
                &|i| {
                    if i % 3 == 0 { format!("{}.{:03}", 1 + i % 12, i * 37 % 1000) } else { format!("{}", i * 7 % 999) }
                },
                "every separator is followed by exactly three digits",
            ),
            ("app", &|i| format!("3.{}", [1, 10, 2, 9][i % 4]), "and \"3.10\" as \"3.1\": if they are versions"),
            (
                "mobilePhone",
                &|i| format!("1{} {:03} 789", i % 9, i * 37 % 990),
                "such as \"10 000 789\", which may be codes",
            ),
            ("born", &|i| format!("{:02}.03.{:02}", i % 28 + 1, 40 + i), "has years of two digits"),
            ("contact", &|i| format!("+4915{:08}", i * 7919 % 50), "such as \"+491500000000\", which may be codes"),
            ("zip_code", &|i| (10_000 + i * 7919 % 50).to_string(), "if so, add --kind zip_code=category"),
            ("v", &|i| format!("{}Q{}", 2000 + i % 20, i % 4 + 1), "contains periods such as \"2000Q1\""),
            ("v", &|i| format!("{}h {}m", i % 50, i), "contains durations such as \"0h 0m\""),
            ("v", &|i| if i % 2 == 0 { format!("{i}.5 GB") } else { format!("{i} MB") }, "numbers with several units"),
            ("v", &|i| format!("{}.25, 7.{i}", i % 9), "contains two numbers in a cell such as \"0.25, 7.0\""),
            ("v", &|i| ["red", "#DIV/0!", "blue"][i % 3].into(), "\"#DIV/0!\" is a spreadsheet error"),
            ("event", &|i| (1_700_000_000 + i * 3601).to_string(), "seconds since 1970 (2023-11-14 to 2023-11-17)"),
            ("event", &|i| (1_700_000_000_123_usize + i * 3_601_000).to_string(), "milliseconds since 1970"),
            (
                "order_date",
                &|i| (45_000 + i * 37 % 61).to_string(),
                "may contain spreadsheet day numbers, days since 1899-12-30 (45000 is 2023-03-15)",
            ),
            ("Lieferdatum", &|i| (44_000 + i).to_string(), "may contain spreadsheet day numbers"),
            ("v", &|i| format!("~{}", i * 7 % 40), "contains approximate numbers or bounds such as \"~0\""),
            ("v", &|i| format!("{}{}", ["<", "", ">"][i % 3], i * 7 % 40), "contains approximate numbers or bounds"),
            ("v", &|i| ["1e5", "2E3", "12e4", "9e9"][i % 4].into(), "which may be codes: if so, add --kind v=category"),
            ("v", &|i| format!("2024-03-{:02}T10:00:00{}", i % 28 + 1, ["Z", ""][i % 2]), "has a time zone and"),
        ];
        for (name, cell, says) in told {
            let notes = notes(name, cell);
            assert!(notes.contains(says), "{says}: {notes}");
        }
    }

    #[test]
    fn usual_cells_need_no_remark() {
        let quiet: [(&str, Cell); 10] = [
            ("price", &|i| format!("{}.{:02}", i % 7, i * 10 % 100)),
            ("rate", &|i| format!("{}", (i % 90) as f64 / 10.0)),
            ("sold", &|i| format!("{:02}.03.{:02}", i % 28 + 1, i % 25)),
            ("size", &|i| ["S", "M", "L"][i % 3].into()),
            ("dependents", &|i| ["0", "1", "2", "3+"][i % 4].into()),
            ("room_code", &|i| format!("{}Q{}", 2000 + i % 20, i % 4 + 1)),
            ("v", &|i| format!("{}", 45_000 + i * 37 % 61)),
            ("amount", &|i| format!("{}.5", 1_000_000_000 + i * 50_000_000)),
            ("v", &|i| format!("{} kg", i * 7 % 31)),
            ("date", &|i| format!("2024-03-{:02}T10:00:00Z", i % 28 + 1)),
        ];
        for (name, cell) in quiet {
            let notes = notes(name, cell);
            for said in ["holds", "may be", "may hold", "approximate", "has none", "two digits", "versions"] {
                assert!(!notes.contains(said), "{name}: {notes}");
            }
        }
    }

    #[test]
    fn a_few_approximate_numbers_are_asked_about() {
        let few = (0..60).map(|i| format!("{}{},{}\n", if i % 20 == 3 { "~" } else { "" }, i * 7 % 40, i % 2));
        let few = infer(
            Input::from_reader("t", Cursor::new("x,churn\n".to_owned() + &few.collect::<String>())),
            &InferOptions::default(),
        );
        assert!(few.unwrap().doubts[0].ways_out().starts_with("write the number alone, or"));
    }
}
