//! Makes text from tables and files safe for a terminal: no name can move the cursor, hide or reorder text, and
//! lines have a limited length.

use crate::wording::is_unseen;
use std::borrow::Cow;
use std::io::{self, Write};

/// Maximum number of characters shown of a line; a cell may have many more.
const LONGEST_LINE: usize = 1500;

/// The text with all characters escaped that control a terminal: control characters except the line feed, and those
/// that change the direction of text.
#[must_use]
pub fn printable(text: &str) -> String {
    escaped(text, |_| None)
}

/// The same for a name within a line: its line feeds are escaped as well.
#[must_use]
pub fn name(text: &str) -> String {
    printable(text).replace('\n', "\\n")
}

/// The same for a message: text after a line break in a name is indented, so that it does not look like a separate
/// message.
#[must_use]
pub fn message(text: &str) -> String {
    printable(text.trim_end()).replace('\n', "\n  ")
}

/// As [`printable`], but codes for colour and weight are kept if they begin with `mark` instead of `ESC [`. The mark is
/// secret, so that a name in the text cannot contain codes.
#[must_use]
pub fn printable_styled(text: &str, mark: &str) -> String {
    let code = |rest: &str| {
        let code = rest.strip_prefix(mark)?;
        Some(mark.len() + style_code(&format!("\x1b[{}", code.get(..=code.find('m')?)?))? - "\x1b[".len())
    };
    // Remaining marks are in codes: elsewhere their first character was escaped.
    escaped(text, code).replace(mark, "\x1b[")
}

/// The same JSON value with such characters escaped as `\uXXXX`; they occur only in strings.
#[must_use]
pub fn printable_json(json: String) -> String {
    if !json.chars().any(is_unsafe) {
        return json;
    }
    let mut text = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        match is_unsafe(c) {
            true => c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| text.push_str(&format!("\\u{unit:04x}"))),
            false => text.push(c),
        }
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

/// Whether the character controls a terminal; a line feed does not.
fn is_unsafe(c: char) -> bool {
    c != '\n' && steers(c)
}

/// Whether the character is a control, breaks a line, changes the direction of text, or is invisible, so
/// that two names look like one. Joiners are part of normal words and signs, and are not included.
#[must_use]
pub fn steers(c: char) -> bool {
    is_unseen(c) && !matches!(c, '\u{200c}' | '\u{200d}')
}

/// Makes an HTML page safe: characters that move, hide or reorder the text around them are shown as �. In values that a
/// form sends back they are kept as character references, so that the right row is identified.
#[must_use]
pub fn page(html: String) -> String {
    let is_shown = |c: char| !steers(c) || matches!(c, '\n' | '\t');
    if html.chars().all(is_shown) {
        return html;
    }
    let mut told = String::with_capacity(html.len() + 64);
    // Texts in a page are escaped: they contain neither brackets nor quotes.
    let (mut in_tag, mut in_quotes, mut is_sent) = (false, false, false);
    for (at, c) in html.char_indices() {
        match c {
            '"' if in_tag && in_quotes => in_quotes = false,
            '"' if in_tag => {
                (in_quotes, is_sent) = (true, [" value=", " name="].iter().any(|end| html[..at].ends_with(end)))
            }
            '<' if !in_quotes => in_tag = true,
            '>' if !in_quotes => in_tag = false,
            _ => {}
        }
        match c {
            c if is_shown(c) => told.push(c),
            // HTML interprets references to these as characters of another set.
            '\u{80}'..='\u{9f}' if in_quotes && is_sent => told.push(c),
            c if in_quotes && is_sent => told.push_str(&format!("&#x{:x};", u32::from(c))),
            _ => told.push('\u{fffd}'),
        }
    }
    told
}

/// Terminal output that is escaped while written: as by [`printable`], but tabs and line ends are kept.
#[derive(Debug)]
pub struct Screen<W: Write> {
    out: W,
    /// The beginning of a character, or a carriage return that a line feed may follow.
    begun: Vec<u8>,
}

impl<W: Write> Screen<W> {
    /// Writes escaped text to `out`.
    pub fn new(out: W) -> Self {
        Self { out, begun: Vec::new() }
    }

    /// Writes the remaining text.
    ///
    /// # Errors
    /// Errors of the output.
    pub fn finish(mut self) -> io::Result<()> {
        let rest = std::mem::take(&mut self.begun);
        self.show(&rest)?;
        self.out.flush()
    }

    fn show(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut shown = String::with_capacity(bytes.len());
        let text = String::from_utf8_lossy(bytes);
        let mut letters = text.chars().peekable();
        while let Some(c) = letters.next() {
            match c {
                '\t' => shown.push(c),
                '\r' if letters.peek() == Some(&'\n') => shown.push(c),
                _ if is_unsafe(c) && c.is_ascii() => shown.extend(c.escape_default()),
                _ if is_unsafe(c) => shown.extend(c.escape_unicode()),
                _ => shown.push(c),
            }
        }
        self.out.write_all(shown.as_bytes())
    }
}

impl<W: Write> Write for Screen<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.begun.extend_from_slice(bytes);
        let whole = n_whole(&self.begun);
        let rest = self.begun.split_off(whole);
        let ready = std::mem::replace(&mut self.begun, rest);
        self.show(&ready)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Number of bytes before the last character, if that may continue in the next write.
fn n_whole(bytes: &[u8]) -> usize {
    let n = bytes.len();
    if bytes.last() == Some(&b'\r') {
        return n - 1;
    }
    for back in 1..=n.min(3) {
        let wanted = match bytes[n - back] {
            0xc0..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0.. => 4,
            0x80..=0xbf => continue,
            _ => 1,
        };
        return if wanted > back { n - back } else { n };
    }
    n
}

/// The length of a code for weight or colour at the beginning of the text; concealing is not included.
#[must_use]
pub fn style_code(text: &str) -> Option<usize> {
    let codes = text.strip_prefix("\x1b[")?;
    let end = codes.find('m').filter(|end| *end <= 8)?;
    let allowed = |code: &str| matches!(code.parse::<u8>(), Ok(0..=4 | 22 | 24 | 31..=36 | 39 | 91..=96));
    codes[..end].split(';').all(allowed).then_some(end + 3)
}

/// Whether a spreadsheet may interpret this first character as the beginning of a formula.
fn begins_formula(text: &str) -> bool {
    // Spreadsheets in East Asian languages also accept the full-width forms.
    text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'])
}

/// The text in a form that a spreadsheet does not change: a `'` is added before text that looks like a formula or
/// already begins with `'`, so that [`restore`] returns the original text. A plain number is not changed.
///
/// ```text
/// =HYPERLINK("…")  ─▶  '=HYPERLINK("…")          -12.5  ─▶  -12.5          '=x  ─▶  ''=x
/// ```
#[must_use]
pub fn protect(text: &str) -> Cow<'_, str> {
    let is_number = || text.parse::<f64>().is_ok_and(f64::is_finite);
    if (begins_formula(text) && !is_number()) || text.starts_with('\'') {
        format!("'{text}").into()
    } else {
        text.into()
    }
}

/// The text before [`protect`].
#[must_use]
pub fn restore(text: &str) -> &str {
    match text.strip_prefix('\'') {
        Some(rest) if begins_formula(rest) || rest.starts_with('\'') => rest,
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_shows_nothing_that_steers_and_sends_back_what_it_was() {
        let html = "<p title=\"a\u{202e}b\">x\u{1b}[2J\u{2066}\ny</p>\n<input value=\"r\u{202e}\u{7}\u{85}\" name=\"\u{2028}\">";
        let wanted = "<p title=\"a\u{fffd}b\">x\u{fffd}[2J\u{fffd}\ny</p>\n<input value=\"r&#x202e;&#x7;\u{85}\" name=\"&#x2028;\">";
        assert_eq!(page(html.to_owned()), wanted);
        let plain = "<p>\ta é</p>\n".to_owned();
        assert_eq!(page(plain.clone()), plain);
    }

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
            ("zero\u{200b}width\u{feff}\u{e0041}", "zero\\u{200b}width\\u{feff}\\u{e0041}"),
            ("می\u{200c}خواهم 👩\u{200d}💻", "می\u{200c}خواهم 👩\u{200d}💻"),
        ] {
            assert_eq!(printable(text), told);
            assert_eq!(printable_styled(text, "\x1bk;"), told);
        }
        let styled = printable_styled("\x1bk;1mbold\x1bk;0m \x1bk;8mhidden \x1b[31mred", "\x1bk;");
        assert_eq!(styled, "\x1b[1mbold\x1b[0m \\u{1b}k;8mhidden \\u{1b}[31mred");
        assert_eq!(printable("\x1b[1mbold"), "\\u{1b}[1mbold");
        assert_eq!(printable_json("[\"a\u{200b}\u{e0041}\"]".into()), r#"["a\u200b\udb40\udc41"]"#);
    }

    #[test]
    fn a_line_without_end_is_cut() {
        let cut = printable(&format!("{}\nshort\n", "x".repeat(200_000)));
        assert!(cut.len() < 2000 && cut.ends_with("…\nshort\n"));
        let styled = printable_styled(&format!("\x1bk;1m{}\x1bk;0m\n", "x".repeat(200_000)), "\x1bk;");
        assert!(styled.ends_with("…\x1b[0m\n"));
    }

    #[test]
    fn a_name_is_one_line_and_a_message_is_told_from_the_next() {
        assert_eq!(name("a\nmlloop: done"), "a\\nmlloop: done");
        assert_eq!(message("a\nmlloop: done\n"), "a\n  mlloop: done");
    }

    #[test]
    fn a_screen_shows_the_same_however_the_bytes_are_cut() {
        let data = "a,b\r\n\x1b[2J,\u{9b}31m\t日本🦀\u{202e}x\rnow\n";
        let whole = "a,b\r\n\\u{1b}[2J,\\u{9b}31m\t日本🦀\\u{202e}x\\rnow\n";
        for size in 1..=data.len() {
            let mut shown = Vec::new();
            let mut screen = Screen::new(&mut shown);
            data.as_bytes().chunks(size).for_each(|piece| screen.write_all(piece).unwrap());
            screen.finish().unwrap();
            assert_eq!(String::from_utf8(shown).unwrap(), whole, "{size}");
        }
        let mut shown = Vec::new();
        let mut screen = Screen::new(&mut shown);
        screen.write_all(b"\x80\xff\xe2\x82").unwrap();
        screen.finish().unwrap();
        assert_eq!(String::from_utf8(shown).unwrap(), "\u{fffd}\u{fffd}\u{fffd}");
    }

    #[test]
    fn json_keeps_its_value() {
        let value = serde_json::json!({ "na\u{202e}me": "a\u{9b}b\u{7f}\n" });
        let json = printable_json(serde_json::to_string_pretty(&value).unwrap());
        assert!(!json.chars().any(is_unsafe), "{json}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&json).unwrap(), value);
    }
}
