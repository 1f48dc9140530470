use super::*;
use proptest::prelude::*;

fn format(decimal: char, thousands: Option<char>, unit: Option<&str>) -> NumberFormat {
    NumberFormat { decimal, thousands, unit: unit.map(str::to_owned) }
}

#[test]
fn every_way_of_writing_gives_its_number() {
    for (decimal, thousands, unit, texts, value) in [
        (',', Some('.'), None, &["1.234,56", "1234,56", "+1.234,56"][..], 1234.56),
        ('.', Some(','), None, &["1,234.56", "1234.56"], 1234.56),
        (',', Some(' '), None, &["1 234,56", "1\u{a0}234,56", "1\u{202f}234,56", "1\u{2009}234,56"], 1234.56),
        ('.', Some('\''), None, &["1'234.56", "1\u{2019}234.56"], 1234.56),
        ('.', Some(','), None, &["12,34,567.5", "1,234,567.5"], 1_234_567.5),
        (
            '.',
            Some(','),
            Some("$"),
            &[
                "-$1,234.5",
                "$-1,234.5",
                "($1,234.5)",
                "$(1,234.5)",
                " $ (1,234.5) ",
                "\u{2212}1,234.5",
                "1,234.5-",
                "$1,234.5-",
            ],
            -1234.5,
        ),
        (',', None, Some("EUR"), &["12,5 EUR", "EUR 12,5", "12,5\u{a0}EUR", "12,5"], 12.5),
        (',', None, Some("%"), &["12,5 %", "12,5%"], 12.5),
        ('.', Some(','), Some("$"), &["$ -", " $ -   ", "- $", "$\u{2014}", "$0"], 0.0),
        ('.', Some('\''), Some("Fr."), &["Fr. 2\u{2019}459.5", "2'459.5 Fr.", "2459.5"], 2459.5),
        ('.', None, Some("k"), &["2.5k", "2.5 k"], 2.5),
        ('.', Some(','), None, &[".5", "0.5"], 0.5),
        (',', Some('.'), Some("€"), &["27.307,- €", "€ 27307,--", "27.307,\u{2013}", "27.307,\u{2014} €"], 27307.0),
        ('.', Some('\''), Some("Fr."), &["Fr. -7'875.-", "(7'875.\u{2013})", "-7875.-"], -7875.0),
        ('.', Some(','), None, &["1,234.5 DR", "1,234.5Dr", "-1,234.5", "-１,２３４.５", "(1٬234٫5)"], -1234.5),
        ('.', None, None, &["862 CR", "862.0cr", "８６２", "٨٦٢", "۸۶۲", "८६२"], 862.0),
    ] {
        let format = format(decimal, thousands, unit);
        assert_eq!(format.check(), Ok(()));
        let seen: Vec<Option<f64>> = texts.iter().map(|text| format.parse(text)).collect();
        assert_eq!(seen, vec![Some(value); texts.len()], "{texts:?}");
    }
}

#[test]
fn groups_that_nobody_declared_are_read_where_there_is_one_reading() {
    for (decimal, unit, text, value) in [
        (',', Some("€"), "1.234,50 €", Some(1234.5)),
        (',', Some("€"), "-1 234,5", Some(-1234.5)),
        (',', None, "1’234", Some(1234.0)),
        (',', None, "1.234.567", Some(1_234_567.0)),
        (',', None, "1.234", None),
        (',', None, "1,234.50", None),
        (',', None, "12.34.567", None),
        (',', None, "1.23,5", None),
        ('.', Some("$"), "$1,234.50", Some(1234.5)),
        ('.', Some("$"), "$1,234", None),
        ('.', None, "12,34,567", Some(1_234_567.0)),
    ] {
        assert_eq!(format(decimal, None, unit).parse(text), value, "{decimal} {text}");
    }
    let plain = ["1,234.50", "-1,234,567", "1 234", "1'234.5", "1,234", "12,5", "n 12", "1.234"];
    let values = plain.map(NumberFormat::plain_in_groups);
    assert_eq!(values, [Some(1234.5), Some(-1_234_567.0), Some(1234.0), Some(1234.5), None, None, None, None]);
    assert_eq!(format(',', Some('.'), None).parse("12.34.567"), None);
}

#[test]
fn a_mark_between_thousands_is_told_by_what_is_expected() {
    let german = format(',', Some('.'), Some("€"));
    for (text, value, of, expected, meant) in [
        ("1.222", 1.222, None, 1193.2, Some(1222.0)),
        ("-1.222", -1.222, None, -900.0, Some(-1222.0)),
        ("1,222 €", 1.222, Some(&german), 2000.0, Some(1222.0)),
        ("1.222", 1.222, None, 1.3, None),
        ("1.222", 1.222, None, 20.0, None),
        ("1.22", 1.22, None, 1200.0, None),
        ("0.222", 0.222, None, 222.0, None),
        ("1222", 1222.0, None, 1e6, None),
    ] {
        assert_eq!(misread_thousands(text, value, of, expected), meant, "{text}");
    }
}

#[test]
fn what_is_written_in_another_way_is_no_number() {
    let german = format(',', Some('.'), Some("€"));
    for text in [
        "12.5", "1,234.56", "1.23,4", "1.2345", "0.123", "$5", "1 234", "", "€", "-", "--5", "1,2,3", "1e999", "inf",
        "5 %", "12CR",
    ] {
        assert_eq!(german.parse(text), None, "{text}");
    }
    for part in ["%", "k"] {
        assert_eq!(format('.', None, Some(part)).parse("0.05"), None, "without {part} it is another number");
    }
    assert_eq!([german.parse("-"), german.parse("€ - 5 -")], [None; 2]);
    assert!(format(',', Some(','), None).check().is_err());
    assert!(format(';', None, None).check().is_err());
    assert!(format('.', Some('x'), None).check().is_err());
    assert!(format('.', None, Some("1")).check().is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_reads_back(
        value in prop::num::f64::NORMAL | prop::num::f64::ZERO,
        decimal in prop::sample::select(vec!['.', ',']),
        thousands in prop::sample::select(vec![None, Some(' '), Some('\'')]),
        unit in prop::sample::select(vec![None, Some("%"), Some("$"), Some("k"), Some("руб.")]),
    ) {
        let format = format(decimal, thousands, unit);
        let mut line = Vec::new();
        format.push(&mut line, value);
        prop_assert_eq!(format.parse(std::str::from_utf8(&line).unwrap()), Some(value));
    }

    #[test]
    fn no_text_makes_it_panic(text in "[-0-9.,'()+$€%eE \u{a0}\u{2212}x]{0,12}") {
        for decimal in ['.', ','] {
            let _ = format(decimal, Some(' '), Some("€")).parse(&text);
        }
    }
}
