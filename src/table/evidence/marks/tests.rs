use super::*;
use crate::table::cell;

fn marks(cells: &[&str]) -> Marks {
    let mut all = Marks::default();
    for (cell, line) in cells.iter().zip(2..) {
        match cell::number(cell.as_bytes()) {
            Some(value) => all.push_plain(value, cell, &|| line),
            None => all.push_other(cell, &|| line),
        };
    }
    all
}

fn written(cells: &[&str], decimal: Option<char>) -> Written {
    marks(cells).written(cells.len() as u64, decimal, false)
}

fn like(decimal: char, thousands: Option<char>, unit: Option<&str>) -> Written {
    Written::Like(NumberFormat { decimal, thousands, unit: unit.map(str::to_owned) })
}

#[test]
fn every_way_is_told_from_all_cells() {
    for (cells, expected) in [
        (&["1.234,56", "7", "12,5"][..], like(',', Some('.'), None)),
        (&["1,234.56", "7", "12.5"], like('.', Some(','), None)),
        (&["1 234,56", "1\u{202f}000", "5"], like(',', Some(' '), None)),
        (&["1'234.50", "5"], like('.', Some('\''), None)),
        (&["27.307,- €", "863,- €"], like(',', Some('.'), Some("€"))),
        (&["27'307.-", "863.-"], like('.', Some('\''), None)),
        (&["12,5", "7"], like(',', None, None)),
        (&["1,234", "1,234,567"], like('.', Some(','), None)),
        (&["1,234", "0,5"], like(',', None, None)),
        (&["1,234", "12345,6"], like(',', None, None)),
        (&["1.234", "1.234.567"], like(',', Some('.'), None)),
        (&["$5", "$1,234.50", "($7.25)"], like('.', Some(','), Some("$"))),
        (&["$5", "12.5"], like('.', None, Some("$"))),
        (&["12,5 %", "7 %"], like(',', None, Some("%"))),
        (&["\u{2212}5", "3.5"], like('.', None, None)),
        (&["1 234", "5"], like('.', Some(' '), None)),
        (&["1,234.5", "12.50 EUR"], like('.', Some(','), Some("EUR"))),
        (&["834.61 CR", "2,459.12 DR", "7 CR"], like('.', Some(','), None)),
        (&["８６２", "２４５９"], like('.', None, None)),
        (&["٢٬٤٥٩٫١٢", "7"], like('.', Some(','), None)),
        (&["1.5", "2"], Written::Plain),
        (&["a", "b"], Written::Plain),
        (
            &["3-", "4"],
            Written::Mostly { format: None, others: vec![Place { line: 2, value: "3-".to_owned() }], n_others: 1 },
        ),
    ] {
        assert_eq!(written(cells, None), expected, "{cells:?}");
    }
}

#[test]
fn what_two_ways_read_differently_is_asked_unless_other_columns_tell() {
    let cells = ["1,234", "5", "12,345"];
    let first = Place { line: 2, value: "1,234".to_owned() };
    assert_eq!(written(&cells, None), Written::Ambiguous(first));
    assert_eq!(written(&cells, Some('.')), like('.', Some(','), None));
    assert_eq!(written(&cells, Some(',')), like(',', None, None));
    let thousands: Vec<String> = (0..60).map(|i| format!("{}.{:03}", i % 9 + 1, i)).chain(["7".to_owned()]).collect();
    let thousands: Vec<&str> = thousands.iter().map(String::as_str).collect();
    assert!(matches!(written(&thousands, None), Written::Ambiguous(_)));
    assert_eq!(written(&thousands, Some(',')), like(',', Some('.'), None));
    assert_eq!(written(&thousands, Some('.')), Written::Plain);
    assert_eq!(written(&thousands[..60], None), Written::Plain, "three decimals everywhere");
    assert_eq!(
        [marks(&["1,5"]).decimal(), marks(&["1.5"]).decimal(), marks(&["1 234"]).decimal()],
        [Some(','), Some('.'), None]
    );
}

#[test]
fn a_sign_is_no_digit() {
    for sign in ["-", "+", ""] {
        let cells: Vec<String> = (0..60).map(|i| format!("{sign}{}.{:03}", i % 9 + 1, i)).collect();
        let mut cells: Vec<&str> = cells.iter().map(String::as_str).collect();
        cells.push("-961");
        assert!(matches!(written(&cells, None), Written::Ambiguous(_)), "{sign:?}");
        // Fewer are enough if most are whole numbers.
        let few: Vec<&str> = cells[..6].iter().copied().chain(["-863"; 9]).collect();
        assert!(matches!(written(&few, None), Written::Ambiguous(_)), "{sign:?}");
        assert_eq!(written(&few[..8], None), Written::Plain);
        assert_eq!(written(&few.iter().copied().chain(["1.5"]).collect::<Vec<_>>(), None), Written::Plain);
    }
}

#[test]
fn what_all_cells_have_beside_their_digits_is_a_unit() {
    let with_unit = |cells: &[&str]| {
        let (left, right) = cells.split_at(cells.len() / 2);
        let mut all = marks(left);
        all.merge(marks(right));
        all.written_with_unit(false, None, false)
    };
    for (cells, expected) in [
        (&["2.459,12 грн", "5,5 грн", "-7 грн"][..], like(',', Some('.'), Some("грн"))),
        (&["Fr. 2\u{2019}459.12", "Fr. 12.50"], like('.', Some('\''), Some("Fr."))),
        (&["2459.12 kg", "8.5 kg", "12 kg"], like('.', None, Some("kg"))),
        (&["37.8\u{b0}C", "36\u{b0}C"], like('.', None, Some("\u{b0}C"))),
        (&["2.5k", "31.7k"], like('.', None, Some("k"))),
        (&["\u{20bf}2,459.12", "\u{20bf}-7.5", "-\u{20bf}3.25"], like('.', Some(','), Some("\u{20bf}"))),
        (&["Fr. -2\u{2019}459.12", "Fr. 7.00"], like('.', Some('\''), Some("Fr."))),
        (&["2 459 Ft", "12 Ft"], like('.', Some(' '), Some("Ft"))),
        (&["'862.89", "'7"], like('.', None, Some("'"))),
        (&["24 months", "12 months"], like('.', None, Some("months"))),
        // Names, shares of other units, codes, and texts.
        (&["Room 12", "Room 7"], Written::Plain),
        (&["2.5 kg", "2.5 g"], Written::Plain),
        (&["2.5 kg", "2.5"], Written::Plain),
        (&["INV-100", "INV-200"], Written::Plain),
        (&["K007", "K0.5"], Written::Plain),
        (&["8:30 h", "9:15 h"], Written::Plain),
        (&["a", "b"], Written::Plain),
    ] {
        assert_eq!(with_unit(cells), expected, "{cells:?}");
    }
    assert!(matches!(with_unit(&["2,459 \u{5186}", "863 \u{5186}"]), Written::Ambiguous(_)));
    assert_eq!(marks(&["1001A", "1002A"]).written_with_unit(true, None, false), Written::Plain);
}

#[test]
fn a_dash_beside_a_unit_is_zero() {
    assert_eq!(written(&["$ -", "$1,234.50", "$ 7.00"], None), like('.', Some(','), Some("$")));
    assert_eq!(written(&["- €", "1.234,50 €"], None), like(',', Some('.'), Some("€")));
}

#[test]
fn few_texts_among_numbers_are_told_from_many() {
    let texts = |cells: &[&str], n| marks(cells).few_texts(n);
    assert_eq!(texts(&["1", "-", "2", "-", "n/a"], 3), Some(2));
    assert_eq!(texts(&["1", "-", "x", "y"], 3), None);
    assert_eq!(texts(&["1", "-", "2", "x", "3", "y", "4"], 3), Some(3), "beside more numbers");
    let nine: Vec<String> = (0..30).map(|i| if i < 9 { format!("x{i}!") } else { i.to_string() }).collect();
    assert_eq!(texts(&nine.iter().map(String::as_str).collect::<Vec<_>>(), 9), None);
    assert_eq!(texts(&["1", "2"], 0), None);
    assert_eq!(texts(&["1,5", "-", "$2"], 2), None, "a number written otherwise is no text");
}

#[test]
fn cells_that_do_not_fit_are_named() {
    let misfit = |cells: &[&str]| match written(cells, None) {
        Written::Mostly { others, n_others, .. } => (n_others, others[0].line, others[0].value.clone()),
        other => panic!("{other:?}"),
    };
    assert_eq!(misfit(&["1.234,5", "2,5", "1,234.5", "3,5"]), (1, 4, "1,234.5".to_owned()));
    assert_eq!(misfit(&["5 %", "0.05", "7 %"]), (1, 3, "0.05".to_owned()));
    assert_eq!(misfit(&["$5", "€7", "$8"]), (1, 3, "€7".to_owned()));
    assert_eq!(misfit(&["1", "2", "n.a."]), (1, 4, "n.a.".to_owned()));
}
