//! Text broken between words, so that it fits a terminal.

use mlloop::printable::style_code;

/// The width to fit: COLUMNS, else the width of the terminal; `None` if the output is not a terminal.
pub(crate) fn width(terminal: bool) -> Option<usize> {
    #[expect(clippy::disallowed_methods, reason = "the one place that asks for COLUMNS")]
    let columns = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let asked = || terminal_size::terminal_size().filter(|_| terminal).map(|(width, _)| usize::from(width.0));
    columns.or_else(asked).filter(|width| *width >= 40)
}

/// Breaks lines that are longer than `width` between words. The continuation is aligned with the last column of the
/// line that leaves room for words, or indented a little.
pub(crate) fn wrapped(text: &str, width: usize) -> String {
    by_lines(text, width, |line| hanging(line, width))
}

/// Wraps a message, whose lines have no columns: continuation lines are indented a little. Unchanged without a `width`.
pub(crate) fn message(text: &str, width: Option<usize>) -> String {
    width.map_or_else(|| text.to_owned(), |width| by_lines(text, width, |line| indent(line) + 2))
}

fn by_lines(text: &str, width: usize, hang: impl Fn(&str) -> usize) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let (line, end) = line.strip_suffix('\n').map_or((line, ""), |line| (line, "\n"));
        match visible(line) <= width {
            true => out.push_str(line),
            false => wrap_line(line, width, hang(line), &mut out),
        }
        out.push_str(end);
    }
    out
}

/// Number of characters without colour codes.
fn visible(text: &str) -> usize {
    let mut n = 0;
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let code = if c == '\x1b' { style_code(rest) } else { None };
        n += usize::from(code.is_none());
        rest = &rest[code.unwrap_or(c.len_utf8())..];
    }
    n
}

fn wrap_line(line: &str, width: usize, indent: usize, out: &mut String) {
    // Keep a number and its unit together.
    let line = &*line.replace(" %", "\u{a0}%");
    let mut column = 0;
    let mut gap = 0;
    for word in line.split(' ') {
        if word.is_empty() {
            gap += 1;
            continue;
        }
        let n = visible(word);
        if column > indent && column + gap + n > width {
            out.push('\n');
            out.push_str(&" ".repeat(indent));
            column = indent;
        } else {
            out.push_str(&" ".repeat(gap));
            column += gap;
        }
        out.push_str(&word.replace("\u{a0}%", " %"));
        column += n;
        gap = 1;
    }
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// The start of the line's last column that leaves room for words; else the line's indentation plus two.
fn hanging(line: &str, width: usize) -> usize {
    let own = indent(line);
    let body = &line[own..];
    let begins = body.char_indices().filter(|&(at, letter)| letter != ' ' && body[..at].ends_with("  "));
    let mut columns = begins.map(|(at, _)| own + visible(&body[..at]));
    columns.rfind(|column| *column <= width * 6 / 10).unwrap_or(own + 2)
}

#[cfg(test)]
mod tests {
    use super::{message, wrapped};

    #[test]
    fn long_lines_are_broken_between_words_below_their_column() {
        let line = "  income  number    whole numbers, 0 to 100, 97 distinct";
        let broken =
            "  income  number    whole numbers, 0\n                    to 100, 97\n                    distinct";
        assert_eq!(wrapped(line, 36), broken);
        assert_eq!(wrapped("a b\n", 40), "a b\n");
        assert_eq!(wrapped("a share of rows of 18 % of all\n", 21), "a share of rows of\n  18 % of all\n");
        let colored = format!("\x1b[1m{}\x1b[0m", "x".repeat(40));
        assert_eq!(wrapped(&colored, 40), colored);
    }

    #[test]
    fn what_follows_hangs_below_the_last_column_with_room() {
        let line = "   5  2026-11-30 01:59  gate-verdict     v0002 was compared with v0001";
        assert_eq!(
            wrapped(line, 60),
            "   5  2026-11-30 01:59  gate-verdict     v0002 was compared\n                        with v0001"
        );
    }

    #[test]
    fn messages_are_broken_without_columns() {
        let text = "note: a  long line of a message with 18 % in it\n  and a second line of the same message";
        let broken = "note: a  long line of a message\n  with 18 % in it\n  and a second line of the same\n    message";
        assert_eq!(message(text, Some(32)), broken);
        assert_eq!(message(text, None), text);
    }
}
