//! The names of months in English, German, French, Spanish, Portuguese, Italian, Dutch and the languages of
//! Scandinavia; a name in several of them is the same month.

/// By month, in lower case.
const NAMES: [&[&str]; 12] = [
    &[
        "january", "jan", "januar", "jänner", "jän", "januari", "janvier", "janv", "enero", "ene", "janeiro",
        "gennaio", "gen",
    ],
    &[
        "february",
        "feb",
        "februar",
        "feber",
        "februari",
        "février",
        "févr",
        "fév",
        "febrero",
        "fevereiro",
        "fev",
        "febbraio",
    ],
    &["march", "mar", "märz", "mär", "mrz", "mars", "marzo", "março", "maart", "mrt", "marts"],
    &["april", "apr", "avril", "avr", "abril", "abr", "aprile"],
    &["may", "mai", "mayo", "maio", "maggio", "mag", "mei", "maj"],
    &["june", "jun", "juni", "juin", "junio", "junho", "giugno", "giu"],
    &["july", "jul", "juli", "juillet", "juil", "julio", "julho", "luglio", "lug"],
    &["august", "aug", "août", "agosto", "ago", "augustus", "augusti"],
    &["september", "sep", "sept", "septembre", "septiembre", "setembro", "set", "settembre"],
    &["october", "oct", "oktober", "okt", "octobre", "octubre", "outubro", "out", "ottobre", "ott"],
    &["november", "nov", "novembre", "noviembre", "novembro"],
    &[
        "december",
        "dec",
        "dezember",
        "dez",
        "décembre",
        "déc",
        "diciembre",
        "dic",
        "dezembro",
        "dicembre",
        "des",
        "desember",
    ],
];

/// Parses the name of a month at the beginning of a text: 1 to 12, and the rest.
pub(super) fn month(text: &[u8]) -> Option<(i64, &[u8])> {
    let n_ascii = text.iter().take_while(|b| b.is_ascii_alphabetic() || **b >= 0x80).count();
    let (name, rest) = text.split_at(n_ascii);
    let name = std::str::from_utf8(name).ok()?.to_lowercase();
    let found = NAMES.iter().position(|names| names.contains(&name.as_str()))?;
    Some((found as i64 + 1, rest))
}
