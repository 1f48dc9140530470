//! Guesses how a CSV file is written from its first records.

use crate::table::cell;
use crate::table::csv::block::first_records;
use crate::table::record::fields_of;

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
        let Some(&first) = widths.first().filter(|&&w| w > 1) else { continue };
        let even = widths.iter().filter(|&&w| w == first).count() as f64 / widths.len() as f64;
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
    let numeric_below = |field: usize| {
        let below: Vec<&String> = rest.iter().filter_map(|r| r.get(field)).filter(|t| !t.is_empty()).collect();
        let fits = below.iter().filter(|t| number(t).is_some()).count();
        fits * 10 >= below.len() * 9
    };
    numbers.iter().find(|&&(field, _)| numeric_below(field)).map(|&(field, _)| first[field].clone())
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
        assert_eq!(first_record_is_data(b"name,v2\nx,1\n", b','), None);
        assert_eq!(first_record_is_data(b"a,1\nb,x\n", b','), None);
    }
}
