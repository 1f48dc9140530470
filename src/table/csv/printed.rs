//! Lines among the rows that come from printing: page numbers and drawn lines.

/// Words before the number of a page.
const PAGES: [&str; 17] = [
    "page",
    "seite",
    "pagina",
    "página",
    "pág",
    "pag",
    "strona",
    "sida",
    "side",
    "стр",
    "страница",
    "sivu",
    "oldal",
    "blatt",
    "hoja",
    "feuille",
    "folio",
];
/// Words between the number of a page and the number of pages.
const OF: [&str; 10] = ["of", "von", "de", "di", "van", "/", "из", "sur", "z", "av"];
/// The beginnings of a line with the print time.
const PRINTED: [&str; 18] = [
    "printed on",
    "printed at",
    "printed by",
    "printed:",
    "print date",
    "gedruckt am",
    "gedruckt von",
    "ausgedruckt am",
    "druckdatum",
    "imprimé le",
    "édité le",
    "stampato il",
    "impreso el",
    "impresso em",
    "afgedrukt op",
    "wydrukowano",
    "exported on",
    "exportiert am",
];

/// The page information in a row of `n_fields`, if it contains nothing else.
pub(super) fn page_line(
    n_fields: usize,
    is_blank: impl Fn(usize) -> bool,
    mut cell: impl FnMut(usize) -> String,
) -> Option<String> {
    // Most rows end here.
    if n_fields < 3 || !(is_blank(0) || is_blank(1) || is_blank(n_fields - 1)) {
        return None;
    }
    let filled: Vec<usize> = (0..n_fields).filter(|&field| !is_blank(field)).collect();
    if 2 * filled.len() > n_fields + 1 {
        return None;
    }
    let text = filled.into_iter().map(|field| cell(field).trim().to_owned()).collect::<Vec<_>>().join(" ");
    says_page(&text).then_some(text)
}

/// `Page 3 of 12`, `- Seite 3 -`, `Printed on 2026-03-01`.
pub(super) fn says_page(text: &str) -> bool {
    const LONGEST: usize = 120;
    if text.len() > LONGEST {
        return false;
    }
    let text = text.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
    if PRINTED.iter().any(|begin| text.starts_with(begin)) {
        return true;
    }
    let words = text.replace('/', " / ").replace([':', '.'], " ");
    let words: Vec<&str> = words.split_whitespace().collect();
    let is_count = |word: &str| word.len() <= 5 && word.bytes().all(|b| b.is_ascii_digit());
    match words[..] {
        [page, n] => PAGES.contains(&page) && is_count(n),
        [page, n, of, all] => PAGES.contains(&page) && is_count(n) && OF.contains(&of) && is_count(all),
        _ => false,
    }
}

/// `|----|:---:|`, `+====+`, `-----`: a line drawn below a header or around a table.
pub(super) fn is_ruled(line: &str) -> bool {
    const FEWEST: usize = 3;
    let is_drawn = |byte: u8| matches!(byte, b'-' | b'=' | b'_');
    let fits = |byte: u8| is_drawn(byte) || matches!(byte, b'+' | b'|' | b':' | b' ' | b'\t' | b'\r');
    // Most lines are decided by their first byte.
    line.bytes().all(fits) && line.bytes().filter(|&byte| is_drawn(byte)).count() >= FEWEST && !is_sparse(line)
}

/// A row may have a dash in each cell, if all values are missing.
fn is_sparse(line: &str) -> bool {
    let drawn = |c: char| matches!(c, '-' | '=' | '_');
    line.split(['|', '\t', ' ', '+']).all(|cell| cell.chars().filter(|c| drawn(*c)).count() <= 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_printed_pages_are_told_from_rows() {
        for text in
            ["Page 3 of 12", "- Seite 3 -", "Pág. 3/12", "Page: 3", "Gedruckt am 01.03.2026 Seite 1", "Printed on 2026"]
        {
            assert!(says_page(text), "{text}");
        }
        for text in ["Page", "page turner", "Side 3 entrance", "Paging 3", "3", ""] {
            assert!(!says_page(text), "{text}");
        }
        for line in ["-----", "|----|:---:|", "+====+===+", "| --- | --- |"] {
            assert!(is_ruled(line), "{line}");
        }
        for line in ["-", "-|-|-|-", "- - -", "---1", "", "|||", "-5|-3"] {
            assert!(!is_ruled(line), "{line}");
        }
        let said =
            |cells: &[&str]| page_line(cells.len(), |field| cells[field].is_empty(), |field| cells[field].to_owned());
        assert_eq!(said(&["Seite 1", "", "", ""]).as_deref(), Some("Seite 1"));
        assert_eq!(said(&["", "", "", "Page 2"]).as_deref(), Some("Page 2"));
        assert_eq!(said(&["Page", "", "", "5"]).as_deref(), Some("Page 5"));
        assert_eq!((said(&["Seite 1", "2", "3", "yes"]), said(&["Seite 4", "x", "", ""])), (None, None));
    }
}
