//! The words that mark rows that sum up others, in several languages.

/// First words of a summary row at an end of a table.
pub(crate) const TOTALS: [&str; 113] = [
    "total",
    "totals",
    "grand total",
    "sum",
    "subtotal",
    "subtotals",
    "sub-total",
    "sub total",
    "overall",
    "gesamt",
    "gesamtsumme",
    "summe",
    "totaal",
    "subtotaal",
    "totale",
    "subtotale",
    "totali",
    "totales",
    "totaux",
    "total général",
    "suma",
    "summa",
    "delsumma",
    "итого",
    "всего",
    "sous-total",
    "zwischensumme",
    "teilsumme",
    "endsumme",
    "somma",
    "somme",
    "razem",
    "toplam",
    "yhteensä",
    "összesen",
    "celkem",
    "合计",
    "合計",
    "总计",
    "小计",
    "insgesamt",
    "gesamtbetrag",
    "zusammen",
    "eindtotaal",
    "i alt",
    "sammanlagt",
    "сумма",
    "в целом",
    "σύνολο",
    "ogółem",
    "łącznie",
    "genel toplam",
    "ukupno",
    "skupaj",
    "spolu",
    "σ",
    "tot",
    "ges",
    "tổng",
    "集計",
    "総計",
    "المجموع",
    "סה\"כ",
    "jumlah",
    "average",
    "averages",
    "avg",
    "mean",
    "durchschnitt",
    "gemiddelde",
    "gemiddeld",
    "moyenne",
    "promedio",
    "media",
    "média",
    "średnia",
    "medel",
    "平均",
    "ergebnis",
    "teilergebnis",
    "gesamtergebnis",
    "min",
    "max",
    "minimum",
    "maximum",
    "count",
    "anzahl",
    "nombre",
    "median",
    "médiane",
    "mediana",
    "mittelwert",
    "mittel",
    "ø",
    "std",
    "stdev",
    "std dev",
    "stddev",
    "std. dev",
    "standard deviation",
    "standardabweichung",
    "stdabw",
    "écart-type",
    "écart type",
    "varianz",
    "variance",
    "variation",
    "25%",
    "50%",
    "75%",
    "25 %",
    "50 %",
    "75 %",
];
/// Those that are also names of people or things.
pub(crate) const NAMES: [&str; 9] = ["max", "media", "min", "sum", "count", "variation", "tot", "ges", "zusammen"];

/// Maximum number of words of a label: a sentence is not a label.
const MOST_WORDS: usize = 5;

/// The first two bytes of those words, in both cases; any byte for non-ASCII words.
static STARTS: [[bool; 256]; 256] = {
    let mut starts = [[false; 256]; 256];
    let mut at = 0;
    while at < TOTALS.len() {
        let word = TOTALS[at].as_bytes();
        let (first, second) = (word[0] as usize, word[1] as usize);
        let (upper, second_upper) = (word[0].to_ascii_uppercase() as usize, word[1].to_ascii_uppercase() as usize);
        starts[first][second] = true;
        starts[upper][second] = true;
        starts[upper][second_upper] = true;
        at += 1;
    }
    let mut first = 128;
    while first < 256 {
        starts[first] = [true; 256];
        first += 1;
    }
    starts
};

/// The label of a row that sums up others, in lower case and without surrounding marks: such a word, alone, first or
/// last (`Subtotal Rome`, `Rome Total (30)`, `-- Total --`, `Total: Rome`).
pub(crate) fn label(cell: &str) -> Option<String> {
    let cell = bare(cell).to_lowercase();
    let is_word = |word: &str| TOTALS.contains(&word);
    if is_word(&cell) {
        return Some(cell);
    }
    let words: Vec<&str> = cell.split([' ', ':', '\u{a0}']).map(bare).filter(|word| !word.is_empty()).collect();
    let pair = |words: &[&str]| matches!(words, [first, second] if is_word(&format!("{first} {second}")));
    let ends = [words.first(), words.last()].into_iter().flatten().any(|word| is_word(word))
        || words.first_chunk::<2>().is_some_and(|words| pair(words))
        || words.last_chunk::<2>().is_some_and(|words| pair(words));
    (words.len() <= MOST_WORDS && ends).then_some(cell)
}

/// A text without surrounding marks and without a trailing count in brackets.
pub(crate) fn bare(text: &str) -> &str {
    let is_mark = |c: char| !c.is_alphanumeric() && c != '%' && c != 'ø' && c != 'Ø';
    let text = text.trim_matches(|c: char| is_mark(c) && !['(', ')', '[', ']'].contains(&c));
    let counted = text.strip_suffix([')', ']']).and_then(|inner| inner.rsplit_once(['(', '[']));
    let text = match counted {
        Some((before, count)) if count.contains(|c: char| c.is_ascii_digit()) && !before.trim().is_empty() => before,
        _ => text,
    };
    text.trim_matches(is_mark)
}

/// Whether the trimmed bytes of a cell may be such a label: a fast test that excludes most cells.
pub(crate) fn may_be_label(cell: &[u8]) -> bool {
    let starts = |word: &[u8]| match word {
        [first, second, ..] => STARTS[usize::from(*first)][usize::from(*second)],
        _ => false,
    };
    let Some(&first) = cell.first() else { return false };
    // Marks before or after the words: checked in detail.
    let marked = |byte: u8| byte.is_ascii_punctuation() && byte != b'.';
    if starts(cell) || marked(first) || cell.last().is_some_and(|&byte| marked(byte)) {
        return true;
    }
    memchr::memrchr(b' ', cell).and_then(|at| cell.get(at + 1..)).is_some_and(starts)
        || memchr::memchr(b':', cell).is_some()
        || cell.is_ascii() && two_last(cell).is_some_and(starts)
}

/// The last two words.
fn two_last(cell: &[u8]) -> Option<&[u8]> {
    let last = memchr::memrchr(b' ', cell)?;
    let at = memchr::memrchr(b' ', &cell[..last]).map_or(0, |at| at + 1);
    Some(&cell[at..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_of_sums_are_known_as_people_write_them() {
        for text in [
            "Total",
            "TOTAL:",
            "Total Rome",
            "Rome Total",
            "Q1 Total",
            "Rome Total (30)",
            "-- Total --",
            "*** TOTAL ***",
            "Total: Rome",
            "Rome: Total",
            "Rome - Subtotal",
            "[Total]",
            "(Total)",
            "= Summe",
            "Summe Rom",
            "Gemiddelde",
            "Subtotale Roma",
            "Moyenne",
            "Total (n=30)",
            "Grand Total",
            "The grand total",
            "Ø",
            "Ø Rom",
            "Sous-total Paris",
            "Total général",
            "Sub-total",
            "Mean [12]",
            "итого",
            "合計",
            "Média",
            "Insgesamt",
            "Σ",
            "Сумма",
            "Tot.",
            "I alt",
            "Σύνολο",
            "集計",
        ] {
            assert!(label(text).is_some(), "{text}");
            assert!(may_be_label(text.as_bytes()), "{text}");
        }
        assert_eq!(label(" -- Rome TOTAL (30) -- ").as_deref(), Some("rome total"));
        for text in [
            "Totally",
            "Sumatra",
            "Rome",
            "Maxime",
            "subtotalled",
            "Total waste of money and also time",
            "12",
            "",
            "(30)",
            "--",
            "mean-spirited",
            "Rome (total excluded) now",
        ] {
            assert_eq!(label(text), None, "{text}");
        }
    }
}
