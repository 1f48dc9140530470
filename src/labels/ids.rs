//! Ids that a spreadsheet changes: leading zeros are dropped, digits after the fifteenth become zeros, and some ids
//! become dates.

use std::collections::HashMap;

/// Number of digits that a spreadsheet keeps.
const DIGITS: usize = 15;

fn is_digits(id: &str) -> bool {
    !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit())
}

fn has_zeros(id: &str) -> bool {
    id.len() > 1 && id.starts_with('0') && is_digits(id)
}

fn is_long(id: &str) -> bool {
    id.len() > DIGITS && is_digits(id)
}

/// Whether a spreadsheet changes an id.
type Changes = fn(&str) -> bool;

/// A warning about ids that a spreadsheet would change; `None` if it changes none.
pub(super) fn remark<'a>(ids: impl Iterator<Item = &'a str> + Clone) -> Option<String> {
    let of = |changes: Changes| {
        let mut changed = ids.clone().filter(|id| changes(id));
        changed.next().map(|first| (first, 1 + changed.count()))
    };
    let kinds: [(Changes, &str); 3] = [
        (has_zeros, "leading zeros"),
        (is_long, "more than 15 digits"),
        (looks_mangled, "the form of a date or of scientific notation"),
    ];
    let found = kinds.into_iter().filter_map(|(changes, what)| of(changes).map(|found| (found, what)));
    let told: Vec<String> = found.map(|((first, n), what)| format!("{n} ids have {what}, such as {first:?}")).collect();
    (!told.is_empty())
        .then(|| format!("{}: spreadsheets change such ids, so import the id column as text", told.join(" and ")))
}

/// Ids with leading zeros, by the form that a spreadsheet gives them.
#[derive(Debug, Default)]
pub(super) struct Zeros<'a>(HashMap<&'a str, Vec<&'a str>>);

impl<'a> Zeros<'a> {
    pub(super) fn of(ids: impl Iterator<Item = &'a str>) -> Self {
        let mut zeros: HashMap<&str, Vec<&str>> = HashMap::new();
        ids.filter(|id| has_zeros(id)).for_each(|id| zeros.entry(id.trim_start_matches('0')).or_default().push(id));
        Self(zeros)
    }

    /// The ids equal to this one with more leading zeros.
    pub(super) fn lost(&self, id: &str) -> impl Iterator<Item = &'a str> {
        let known = self.0.get(id.trim_start_matches('0')).map_or(&[][..], Vec::as_slice);
        let len = if is_digits(id) { id.len() } else { usize::MAX };
        known.iter().copied().filter(move |known| known.len() > len)
    }
}

/// Why an id does not belong to the batch, as a clause.
pub(super) fn strange<'a>(id: &str, zeros: &Zeros, known: impl IntoIterator<Item = &'a str>) -> String {
    if id.is_empty() {
        return "is empty, but the row has an answer or had an id when the batch was created".to_owned();
    }
    let became = if zeros.lost(id).next().is_some() {
        "; a spreadsheet dropped the leading zeros, and several ids become this number"
    } else if power(id).is_some_and(|id| id >= 1e15) {
        "; a spreadsheet rounded a long id to scientific notation, and its digits are lost"
    } else if is_long(id)
        && known.into_iter().any(|known| known.len() == id.len() && known.get(..DIGITS) == id.get(..DIGITS))
    {
        "; a spreadsheet keeps 15 digits of a number and replaced the others by zeros"
    } else if looks_mangled(id) {
        "; a spreadsheet probably turned an id into a date or a number"
    } else {
        return "is not an id of the batch".to_owned();
    };
    format!("is not an id of the batch{became}: import the column as text")
}

/// The number that is written as `2.00E+05` or `4,01235E+18`.
fn power(id: &str) -> Option<f64> {
    let number = id.contains(['e', 'E']).then(|| id.replace(',', ".").parse().ok()).flatten();
    number.filter(|number: &f64| number.is_finite())
}

/// Whether a text looks like an id changed by a spreadsheet: `3-Apr`, `04/03/2026`, `2.00E+05`.
fn looks_mangled(id: &str) -> bool {
    const MONTHS: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    let lower = id.to_lowercase();
    let parts: Vec<&str> = lower.split(['-', '/', '.', ' ']).filter(|part| !part.is_empty()).collect();
    let is_month = |part: &&str| part.len() >= 3 && MONTHS.iter().any(|month| month.starts_with(part));
    let has_month = parts.iter().any(is_month);
    let is_date = (2..=3).contains(&parts.len())
        && parts.iter().all(|part| is_digits(part) || is_month(part))
        && (parts.len() == 3 || has_month);
    is_date || power(id).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_a_spreadsheet_changes_are_told_before_the_work() {
        for (ids, told) in [
            (&["1054", "k01", "0", "a-1", "123456789012345", "7-b", "marta-5", "12e4567"][..], None),
            (
                &["01054", "002", "1054"],
                Some(
                    "2 ids have leading zeros, such as \"01054\": spreadsheets change such ids, so import the id column as text",
                ),
            ),
            (
                &["4012345678901242543", "007", "1"],
                Some(
                    "1 ids have leading zeros, such as \"007\" and 1 ids have more than 15 digits, such as \
                     \"4012345678901242543\": spreadsheets change such ids, so import the id column as text",
                ),
            ),
        ] {
            assert_eq!(remark(ids.iter().copied()).as_deref(), told, "{ids:?}");
        }
        let told = remark(["824E5", "4-mar"].into_iter()).unwrap();
        assert!(told.starts_with("2 ids have the form of a date or of scientific notation"), "{told}");
    }

    #[test]
    fn an_id_that_a_spreadsheet_changed_is_told_with_its_reason() {
        // One is as long as the number after it, and one has a letter that spans the fifteenth byte.
        let known = ["01054", "0077", "077", "x1", "äääääääää.", "4012345678901242543"];
        let zeros = Zeros::of(known.into_iter());
        for (id, of) in [
            ("1054", &["01054"][..]),
            ("77", &["0077", "077"]),
            ("077", &["0077"]),
            ("01054", &[]),
            ("001054", &[]),
            ("x1", &[]),
            ("", &[]),
        ] {
            assert_eq!(zeros.lost(id).collect::<Vec<_>>(), of, "{id}");
        }
        for (id, reason) in [
            ("77", "dropped the leading zeros"),
            ("4,01235E+18", "rounded a long id"),
            ("4.01235E+18", "rounded a long id"),
            ("4012345678901240000", "keeps 15 digits"),
            ("04.03.2026", "into a date"),
            ("2.00E+05", "into a date or a number"),
            ("", "is empty"),
        ] {
            assert!(strange(id, &zeros, known).contains(reason), "{id}: {}", strange(id, &zeros, known));
        }
        assert_eq!(strange("5012345678901240000", &zeros, known), "is not an id of the batch");
    }
}
