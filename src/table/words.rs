//! Counts the words of a text, which decides whether a column is read as prose.

/// Mean number of words from which texts are read as prose.
pub(crate) const PROSE: f64 = 3.0;

/// The mean number of words of some texts; 0 without any.
#[must_use]
pub(crate) fn mean_words<'t>(texts: impl Iterator<Item = &'t str>) -> f64 {
    let (n, sum) = texts.fold((0_u32, 0), |(n, sum), text| (n + 1, sum + n_words(text)));
    sum as f64 / f64::from(n.max(1))
}

/// Words are separated by spaces; in scripts without spaces, each letter counts. An e-mail address, a URL or a
/// telephone number is one word, whatever separates its parts.
#[must_use]
fn n_words(text: &str) -> usize {
    let of_piece = |piece: &str| match piece.chars().filter(|c| stands_alone(*c)).count() {
        0 => usize::from(piece.contains(char::is_alphanumeric)),
        n => n,
    };
    text.split_whitespace().map(of_piece).sum()
}

/// Letters of scripts without spaces between words (Thai, Lao, Myanmar, Khmer, kana, Han), and pictograms.
#[must_use]
pub(crate) fn stands_alone(c: char) -> bool {
    matches!(c,
        '\u{e01}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' | '\u{2600}'..='\u{27bf}'
        | '\u{2b00}'..='\u{2bff}' | '\u{3041}'..='\u{30ff}' | '\u{31f0}'..='\u{31ff}' | '\u{3400}'..='\u{4dbf}'
        | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{1f000}'..='\u{1faff}' | '\u{20000}'..='\u{3ffff}')
}

#[cfg(test)]
mod tests {
    use super::n_words;

    #[test]
    fn what_has_no_spaces_is_one_word() {
        for (text, n) in [
            ("anna.bert12@gmail.de", 1),
            ("https://example.org/a-b/c?d=1", 1),
            ("+49 (30) 1234-5678", 3),
            ("988,15 S", 2),
            ("a bad flight — never again", 5),
            ("価格が高い", 5),
            (" ", 0),
        ] {
            assert_eq!(n_words(text), n, "{text}");
        }
    }
}
