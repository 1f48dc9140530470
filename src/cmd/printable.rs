//! Text from tables and files as a terminal may be given it: nothing in a name moves the cursor, hides or reorders text, and
//! no line is without end.

/// Characters of a line that are shown; a cell may have many more.
const LONGEST_LINE: usize = 1500;

/// The text with every character escaped that does something to a terminal instead of standing in it: controls but the line
/// feed, and those that change the direction of text.
pub(crate) fn printable(text: &str) -> String {
    escaped(text, |_| None)
}

/// As [`printable`]; the codes of [`Style`](super::output::Style) for colour and weight stay.
pub(crate) fn printable_styled(text: &str) -> String {
    escaped(text, style_code)
}

/// The same value in JSON that shows nothing but what it holds: such characters stand in strings only, as `\uXXXX`.
pub(crate) fn printable_json(json: String) -> String {
    if !json.chars().any(is_unsafe) {
        return json;
    }
    let mut text = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        // All of them lie in the basic plane.
        if is_unsafe(c) { text.push_str(&format!("\\u{:04x}", u32::from(c))) } else { text.push(c) }
    }
    text
}

fn escaped(text: &str, keep: impl Fn(&str) -> Option<usize>) -> String {
    let mut told = String::with_capacity(text.len());
    let mut rest = text;
    let mut n_chars = 0;
    while let Some(c) = rest.chars().next() {
        let code = keep(rest);
        n_chars = if c == '\n' { 0 } else { n_chars + usize::from(code.is_none()) };
        let len = match code {
            Some(len) => {
                told.push_str(&rest[..len]);
                len
            }
            None if n_chars >= LONGEST_LINE => {
                told.push_str(if n_chars == LONGEST_LINE { "…" } else { "" });
                c.len_utf8()
            }
            None if is_unsafe(c) => {
                match c.is_ascii() {
                    true => told.extend(c.escape_default()),
                    false => told.extend(c.escape_unicode()),
                }
                c.len_utf8()
            }
            None => {
                told.push(c);
                c.len_utf8()
            }
        };
        rest = &rest[len..];
    }
    told
}

fn is_unsafe(c: char) -> bool {
    let reorders = matches!(c, '\u{200e}' | '\u{200f}' | '\u{61c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let breaks = matches!(c, '\u{2028}' | '\u{2029}');
    (c.is_control() && c != '\n') || reorders || breaks
}

/// The length of a code that sets weight or colour at the beginning of the text; concealing is none.
pub(crate) fn style_code(text: &str) -> Option<usize> {
    let codes = text.strip_prefix("\x1b[")?;
    let end = codes.find('m').filter(|end| *end <= 8)?;
    let allowed = |code: &str| matches!(code.parse::<u8>(), Ok(0..=4 | 22 | 24 | 31..=36 | 39 | 91..=96));
    codes[..end].split(';').all(allowed).then_some(end + 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_moves_hides_or_reorders_is_escaped() {
        for (text, told) in [
            ("plain, ünï ✓ 日本\n", "plain, ünï ✓ 日本\n"),
            ("a\rb\tc", "a\\rb\\tc"),
            ("\x1b[2Jgone", "\\u{1b}[2Jgone"),
            ("\x1b]0;title\x07", "\\u{1b}]0;title\\u{7}"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("exe\u{202e}gpj", "exe\\u{202e}gpj"),
            ("\u{2066}a\u{2069}", "\\u{2066}a\\u{2069}"),
            ("\x7f", "\\u{7f}"),
        ] {
            assert_eq!(printable(text), told);
            assert_eq!(printable_styled(text), told);
        }
        assert_eq!(printable_styled("\x1b[1mbold\x1b[0m \x1b[8mhidden"), "\x1b[1mbold\x1b[0m \\u{1b}[8mhidden");
        assert_eq!(printable("\x1b[1mbold"), "\\u{1b}[1mbold");
    }

    #[test]
    fn a_line_without_end_is_cut() {
        let cut = printable(&format!("{}\nshort\n", "x".repeat(200_000)));
        assert!(cut.len() < 2000 && cut.ends_with("…\nshort\n"));
        let styled = printable_styled(&format!("\x1b[1m{}\x1b[0m\n", "x".repeat(200_000)));
        assert!(styled.ends_with("…\x1b[0m\n"));
    }

    #[test]
    fn json_keeps_its_value() {
        let value = serde_json::json!({ "na\u{202e}me": "a\u{9b}b\u{7f}\n" });
        let json = printable_json(serde_json::to_string_pretty(&value).unwrap());
        assert!(!json.chars().any(is_unsafe), "{json}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&json).unwrap(), value);
    }
}
