//! Guesses the dialect of a CSV file from its first records.

use crate::table::DEFAULT_MISSING;
use crate::table::NumberFormat;
use crate::table::cell;
use crate::table::number::WAYS;
use crate::table::record::{count_lines, fields_of, first_records};
use std::collections::HashSet;

/// The delimiters tried. On a tie the earlier wins: a semicolon that occurs equally often in every record is hardly
/// ever text, while commas may be decimal ones.
const DELIMITERS: [u8; 4] = [b'\t', b';', b'|', b','];
/// Number of records checked.
const N_RECORDS: usize = 100;

/// The delimiter that splits the first records most evenly; a comma if none splits the first one.
pub(crate) fn delimiter(head: &[u8]) -> u8 {
    let mut best = (0.0, b',');
    for delimiter in DELIMITERS {
        let widths: Vec<usize> =
            first_records(head, delimiter, N_RECORDS).iter().map(|r| fields_of(r, delimiter).len()).collect();
        let share = |width: usize| widths.iter().filter(|&&w| w == width).count() as f64 / widths.len() as f64;
        // Below a title: the most common width, if it differs from the first line's.
        let usual = widths.iter().copied().filter(|&w| w > 1).max_by(|a, b| share(*a).total_cmp(&share(*b)));
        let below = usual.map(share).filter(|s| *s > 0.5).unwrap_or(0.0) * 0.9;
        let even = match widths.first() {
            Some(&first) if first > 1 => share(first).max(below),
            _ => below,
        };
        if even > best.0 {
            best = (even, delimiter);
        }
    }
    best.1
}

/// One cell of the first record, for the message, if the record looks like data and not like names.
///
/// It does if a cell is a number and the cells below it are too, unless the numbers are distinct years (a table with
/// one column a year), or if a cell is empty or repeated and there are numbers.
pub(crate) fn first_record_is_data(head: &[u8], delimiter: u8) -> Option<String> {
    let records = first_records(head, delimiter, N_RECORDS);
    let first = fields_of(records.first()?, delimiter);
    let rest: Vec<Vec<String>> = records[1..].iter().map(|r| fields_of(r, delimiter)).collect();
    let number = |text: &String| written(text);
    let numbers: Vec<(usize, f64)> = first.iter().enumerate().filter_map(|(i, t)| Some((i, number(t)?))).collect();
    let year = |v: f64| v.fract() == 0.0 && (1900.0..=2100.0).contains(&v);
    let rising = numbers.windows(2).all(|w| (w[1].1 - w[0].1).abs() == 1.0);
    if numbers.iter().all(|&(_, v)| year(v)) && rising {
        return None;
    }
    if counts_columns(&numbers) && (0..first.len()).all(|at| rest.iter().all(|row| row.get(at) != Some(&first[at]))) {
        return None;
    }
    let numeric_below = |field: usize| {
        let below: Vec<&String> = rest.iter().filter_map(|r| r.get(field)).filter(|t| !t.is_empty()).collect();
        let fits = below.iter().filter(|t| number(t).is_some()).count();
        fits * 10 >= below.len() * 9
    };
    numbers.iter().find(|&&(field, _)| numeric_below(field)).map(|&(field, _)| first[field].clone())
}

/// The number in a cell, plain or in a spreadsheet's notation: `0,5`, `1.234,50 €`, `12 %`.
fn written(text: &str) -> Option<f64> {
    let is_unit = |c: &char| matches!(c, '€' | '$' | '£' | '¥' | '₹' | '₽' | '₺' | '₩' | '%');
    let of = |&(decimal, thousands): &(char, Option<char>)| {
        let unit = text.chars().find(is_unit).map(String::from);
        NumberFormat { decimal, thousands, unit }.parse(text)
    };
    let is_written = || text.bytes().any(|byte| byte.is_ascii_digit());
    cell::number(text.as_bytes()).or_else(|| if is_written() { WAYS.iter().find_map(of) } else { None })
}

/// Whether the numbers count the columns from 0 or 1, as generated names do (`id,0,1,2,y`).
fn counts_columns(numbers: &[(usize, f64)]) -> bool {
    const FEWEST: usize = 3;
    let begins = numbers.first().is_some_and(|&(_, value)| value == 0.0 || value == 1.0);
    let follows = |pair: &[(usize, f64)]| pair[1].1 - pair[0].1 == (pair[1].0 - pair[0].0) as f64;
    begins && numbers.len() >= FEWEST && numbers.windows(2).all(follows)
}

/// A second record that looks like another header.
#[derive(Debug, PartialEq)]
pub(crate) struct SecondHeader {
    /// Lines from the first record to it.
    pub(crate) after: u64,
    /// Some of its texts.
    pub(crate) cells: String,
    /// Whether numbers are below its texts; otherwise no row below has any of the texts.
    pub(crate) above_numbers: bool,
}

/// The second record, if it looks like a header: texts above numbers, or, in a table without numbers, texts that do
/// not occur below, where few texts repeat.
pub(crate) fn second_header(head: &[u8], delimiter: u8) -> Option<SecondHeader> {
    const FEWEST: usize = 6;
    let records = first_records(head, delimiter, N_RECORDS);
    if records.len() < FEWEST {
        return None;
    }
    let second = fields_of(records[1], delimiter);
    let first = fields_of(records[0], delimiter);
    let below: Vec<Vec<String>> = records[2..].iter().map(|r| fields_of(r, delimiter)).collect();
    let cells_below = |field: usize| -> Vec<&String> {
        below.iter().filter_map(|r| r.get(field)).filter(|text| !text.is_empty()).collect()
    };
    let is_number = |text: &String| written(text).is_some();
    let is_numeric = |field: &usize| {
        let cells = cells_below(*field);
        !cells.is_empty() && cells.iter().all(|text| is_number(text))
    };
    let is_text = |text: &str| !DEFAULT_MISSING.contains(&text) && text.chars().any(char::is_alphabetic);
    let numeric: Vec<usize> = (0..second.len()).filter(is_numeric).collect();
    let no_numbers = |cells: &[String]| numeric.iter().all(|&field| !cells.get(field).is_some_and(is_number));
    if !no_numbers(&second) || !no_numbers(&first) {
        return None;
    }
    let texts = |fields: &[usize]| -> Vec<&String> {
        fields.iter().map(|&field| &second[field]).filter(|text| is_text(text)).collect()
    };
    let above_numbers = texts(&numeric);
    let (found, is_above) = if numeric.is_empty() {
        (texts(&unlike_below(&second, cells_below)?), false)
    } else {
        let enough = above_numbers.len() >= 2 || (above_numbers.len() == 1 && numeric.len() == 1);
        (above_numbers, enough)
    };
    let many = is_above || (numeric.is_empty() && found.len() >= 2);
    let cells = found.iter().take(3).map(|text| format!("{:?}", cell::shorten(text))).collect::<Vec<_>>().join(", ");
    let at = records[1].as_ptr() as usize - head.as_ptr() as usize;
    many.then(|| SecondHeader { after: count_lines(&head[..at]), cells, above_numbers: is_above })
}

/// The columns with few texts, if in each of them the text of the second record occurs in no record below; `None` if
/// any of these texts does, or is empty.
fn unlike_below<'a>(second: &[String], cells_below: impl Fn(usize) -> Vec<&'a String>) -> Option<Vec<usize>> {
    /// Minimum number of records below, and minimum mean number of times that each text occurs there.
    const FEWEST: usize = 40;
    const OFTEN: usize = 8;
    let mut columns = Vec::new();
    for (field, text) in second.iter().enumerate() {
        let below = cells_below(field);
        let distinct: HashSet<&String> = below.iter().copied().collect();
        let is_telling = below.len() >= FEWEST && distinct.len() > 1 && distinct.len() * OFTEN <= below.len();
        if is_telling && (text.is_empty() || distinct.contains(text)) {
            return None;
        }
        columns.extend(is_telling.then_some(field));
    }
    Some(columns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_first_record_of_written_numbers_is_data() {
        for first in ["K0;a;0,5;nein", "K0;a;12,50 €;nein", "K0;a;1.234,50;nein", "K0;a;5 %;nein"] {
            let cell = first.split(';').nth(2).unwrap();
            let rows: String =
                (1..30).map(|i| format!("K{i};b;{};ja\n", cell.replace('5', &(i % 9).to_string()))).collect();
            let text = format!("{first}\n{rows}");
            assert_eq!(first_record_is_data(text.as_bytes(), b';').as_deref(), Some(cell), "{first}");
            let named = format!("id;kind;x;y\n{rows}");
            assert_eq!(first_record_is_data(named.as_bytes(), b';'), None, "{first}");
        }
    }

    #[test]
    fn delimiters() {
        for (head, expected) in [
            ("a,b\n1,2\n", b','),
            ("a;b\n1,5;2,5\n3;4\n", b';'),
            ("1,5;2,5\n3,5;4,5\n", b';'),
            ("a\tb c\n1\t2\n", b'\t'),
            ("a|b\n1|2\n", b'|'),
            ("\"a;b\",c\n\"x;y\",\"1,5\"\n", b','),
            ("one\ntwo\n", b','),
            ("Extract of May\n\na;b\n1;2\n3;4\n", b';'),
            ("name,tags\nx,a;b\ny,a;b;c\n", b','),
            ("Konto:;\"DE1\";\nVon:;1.3.;\n\na;b;c;d;\nx;y;1,5;z;\nx;y;2,5;z;\nx;y;3,5;z;\nx;y;4,5;z;\n", b';'),
        ] {
            assert_eq!(delimiter(head.as_bytes()) as char, expected as char, "{head:?}");
        }
    }

    #[test]
    fn a_second_header_is_told_from_a_first_row() {
        let levels = |n: usize| format!("K{n},{},{}\n", ["north", "south", "east"][n % 3], ["yes", "no"][n % 2]);
        let texts: String = (0..60).map(levels).collect();
        let found = |second: &str| second_header(format!("id,region,y\n{second}\n{texts}").as_bytes(), b',');
        let second = found("key,text,ja/nein").unwrap();
        assert_eq!((second.after, second.above_numbers), (1, false));
        assert_eq!(second.cells, "\"text\", \"ja/nein\"");
        for row in ["key,west,yes", "key,,ja/nein", "key,west,"] {
            assert_eq!(found(row), None, "{row}");
        }
        let numbers: String = (0..60).map(|n| format!("K{n},{n},{}.5\n", n * 3)).collect();
        let second = second_header(format!("id,age,income\n\nkey,years,EUR\n{numbers}").as_bytes(), b',').unwrap();
        assert_eq!((second.after, second.above_numbers), (2, true), "a blank line stands between");
        assert_eq!(second_header(format!("id,age,income\nkey,,EUR\n{numbers}").as_bytes(), b','), None);
    }

    #[test]
    fn headers() {
        assert_eq!(first_record_is_data(b"39, Private\n50, Private\n", b','), Some("39".to_owned()));
        assert_eq!(first_record_is_data(b"age,job\n50,Private\n", b','), None);
        assert_eq!(first_record_is_data(b"country,2019,2020\nDE,1,2\n", b','), None);
        assert_eq!(first_record_is_data(b"id,0,1,2,churn\na,5,7,9,no\nb,6,8,0,yes\n", b','), None);
        assert_eq!(first_record_is_data(b"0,1,2,3\n4.5,0.1,7,no\n5.5,0.2,8,yes\n", b','), None);
        assert!(first_record_is_data(b"a,0,1,2,yes\nb,5,7,9,no\nc,6,8,0,yes\n", b',').is_some());
        assert!(first_record_is_data(b"0,1,2\n3,4,5\n0,7,8\n", b',').is_some());
        assert_eq!(first_record_is_data(b"name,v2\nx,1\n", b','), None);
        assert_eq!(first_record_is_data(b"a,1\nb,x\n", b','), None);
    }
}
