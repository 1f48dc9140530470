//! Guesses how a CSV file is written from its first records.

use crate::table::DEFAULT_MISSING;
use crate::table::cell;
use crate::table::record::{fields_of, first_records};

/// The delimiters that are tried. Where several fit equally well the earlier wins: a semicolon that stands the same
/// number of times in every record is hardly ever text, while commas may be decimal ones.
const DELIMITERS: [u8; 4] = [b'\t', b';', b'|', b','];
/// Records that are looked at.
const N_RECORDS: usize = 100;

/// The delimiter that splits the first records most evenly; a comma when none splits the first one.
pub(crate) fn delimiter(head: &[u8]) -> u8 {
    let mut best = (0.0, b',');
    for delimiter in DELIMITERS {
        let widths: Vec<usize> =
            first_records(head, delimiter, N_RECORDS).iter().map(|r| fields_of(r, delimiter).len()).collect();
        let share = |width: usize| widths.iter().filter(|&&w| w == width).count() as f64 / widths.len() as f64;
        let even = match widths.first() {
            Some(&first) if first > 1 => share(first),
            // Below a title: the width that most lines have, if it is not what the first line says.
            _ => {
                let usual = widths.iter().copied().filter(|&w| w > 1).max_by(|a, b| share(*a).total_cmp(&share(*b)));
                usual.map(share).filter(|s| *s > 0.5).unwrap_or(0.0) * 0.9
            }
        };
        if even > best.0 {
            best = (even, delimiter);
        }
    }
    best.1
}

/// The first record, when it looks like data rather than like names; one of its cells, for the message.
///
/// It does when a cell is a number and the cells below it are too, unless the numbers are distinct years
/// (a table with one column a year), or when a cell is empty or stands twice while numbers stand in it.
pub(crate) fn first_record_is_data(head: &[u8], delimiter: u8) -> Option<String> {
    let records = first_records(head, delimiter, N_RECORDS);
    let first = fields_of(records.first()?, delimiter);
    let rest: Vec<Vec<String>> = records[1..].iter().map(|r| fields_of(r, delimiter)).collect();
    let number = |text: &String| cell::number(text.as_bytes());
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

/// Whether the numbers count the columns from 0 or 1, as names do that a program gave (`id,0,1,2,y`).
fn counts_columns(numbers: &[(usize, f64)]) -> bool {
    const FEWEST: usize = 3;
    let begins = numbers.first().is_some_and(|&(_, value)| value == 0.0 || value == 1.0);
    let follows = |pair: &[(usize, f64)]| pair[1].1 - pair[0].1 == (pair[1].0 - pair[0].0) as f64;
    begins && numbers.len() >= FEWEST && numbers.windows(2).all(follows)
}

/// The texts of the second record, when it looks like a header of its own: texts stand in it where numbers stand below.
pub(crate) fn second_header(head: &[u8], delimiter: u8) -> Option<String> {
    const FEWEST: usize = 6;
    let records = first_records(head, delimiter, N_RECORDS);
    if records.len() < FEWEST {
        return None;
    }
    let second = fields_of(records[1], delimiter);
    let first = fields_of(records[0], delimiter);
    let below: Vec<Vec<String>> = records[2..].iter().map(|r| fields_of(r, delimiter)).collect();
    let is_number = |text: &String| cell::number(text.as_bytes()).is_some();
    let numeric = |field: usize| {
        let cells: Vec<&String> = below.iter().filter_map(|r| r.get(field)).filter(|text| !text.is_empty()).collect();
        !cells.is_empty() && cells.iter().all(|text| is_number(text))
    };
    let columns: Vec<usize> = (0..second.len()).filter(|&field| numeric(field)).collect();
    let is_text = |text: &str| !DEFAULT_MISSING.contains(&text) && text.chars().any(char::is_alphabetic);
    let texts: Vec<&String> = columns.iter().map(|&field| &second[field]).filter(|text| is_text(text)).collect();
    let no_numbers = |cells: &[String]| columns.iter().all(|&field| !cells.get(field).is_some_and(is_number));
    let enough = texts.len() >= 2 || (texts.len() == 1 && columns.len() == 1);
    (enough && no_numbers(&second) && no_numbers(&first))
        .then(|| texts.iter().take(3).map(|text| format!("{:?}", cell::shorten(text))).collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

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
        ] {
            assert_eq!(delimiter(head.as_bytes()) as char, expected as char, "{head:?}");
        }
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
