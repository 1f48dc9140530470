//! The meaning of one cell's text: spaces, quotes, missing markers, numbers.

/// The texts that mean "missing".
#[derive(Debug, Clone, Default)]
pub(crate) struct Markers {
    texts: Vec<Box<[u8]>>,
    longest: usize,
    /// Whether a marker is itself a number (`-999`), so that it must be checked before parsing.
    numeric: bool,
}

impl Markers {
    pub(crate) fn new(missing: &[String]) -> Self {
        let texts: Vec<Box<[u8]>> = missing.iter().map(|m| m.trim().as_bytes().into()).collect();
        let longest = texts.iter().map(|t| t.len()).max().unwrap_or(0);
        let numeric = texts.iter().any(|t| number(t).is_some());
        Self { texts, longest, numeric }
    }

    /// Whether some marker is a number.
    pub(crate) fn any_numeric(&self) -> bool {
        self.numeric
    }

    /// Whether a trimmed text means "missing"; a text without visible characters always does.
    pub(crate) fn is_missing(&self, text: &[u8]) -> bool {
        is_blank(text) || (text.len() <= self.longest && self.texts.iter().any(|m| **m == *text))
    }

    /// The number in a trimmed text: `NaN` if missing, `None` if invalid.
    #[inline]
    pub(crate) fn number(&self, text: &[u8]) -> Option<f64> {
        if self.numeric && self.is_missing(text) {
            return Some(f64::NAN);
        }
        match number(text) {
            Some(value) => Some(value),
            None if self.is_missing(text) => Some(f64::NAN),
            None => None,
        }
    }
}

/// Whether a trimmed text has no visible character: only no-break, ideographic and zero-width spaces.
fn is_blank(text: &[u8]) -> bool {
    let unseen =
        |c: char| c.is_whitespace() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' | '\u{ad}');
    match text.first() {
        None => true,
        Some(first) if first.is_ascii() => false,
        Some(_) => std::str::from_utf8(text).is_ok_and(|text| text.chars().all(unseen)),
    }
}

/// A decimal number: `1e5`, `+1`, `.5`, `64.000`, also `inf` and `-Infinity`; not `nan`, `1,000` or `0x1f`.
#[inline]
pub(crate) fn number(text: &[u8]) -> Option<f64> {
    let digits = match text.first() {
        Some(b'+') if !matches!(text.get(1), Some(b'+' | b'-')) => &text[1..],
        Some(_) => text,
        None => return None,
    };
    fast_float2::parse::<f64, _>(digits).ok().filter(|v| !v.is_nan())
}

/// Drops spaces, tabs and carriage returns around a field.
#[inline]
pub(crate) fn trim(mut field: &[u8]) -> &[u8] {
    while let [b' ' | b'\t' | b'\r', rest @ ..] = field {
        field = rest;
    }
    while let [rest @ .., b' ' | b'\t' | b'\r'] = field {
        field = rest;
    }
    field
}

/// The content of a trimmed field that begins with `"`, without its quotes and with doubled ones halved.
///
/// Text after the closing quote is kept, as the `csv` crate does: `"a"b` is `ab`.
pub(crate) fn unquote<'a>(field: &'a str, scratch: &'a mut String) -> &'a str {
    let inner = &field[1..];
    match memchr::memchr(b'"', inner.as_bytes()) {
        None => return inner.trim_matches([' ', '\t']),
        Some(end) if end + 1 == inner.len() => return inner[..end].trim_matches([' ', '\t']),
        Some(_) => {}
    }
    scratch.clear();
    let mut rest = inner;
    while let Some(end) = memchr::memchr(b'"', rest.as_bytes()) {
        scratch.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        if !rest.starts_with('"') {
            break;
        }
        scratch.push('"');
        rest = &rest[1..];
    }
    scratch.push_str(rest);
    scratch.trim_matches([' ', '\t'])
}

/// The text in a spreadsheet's forced-text form: `="007"` is `007`.
pub(crate) fn unforced(text: &str) -> &str {
    let inner = text.strip_prefix("=\"").and_then(|rest| rest.strip_suffix('"'));
    inner.filter(|inner| !inner.contains('"')).map_or(text, |inner| inner.trim_matches([' ', '\t']))
}

/// A text for an error message: at most 60 characters of it.
pub(crate) fn shorten(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_decimal() {
        for (text, value) in
            [("1e5", 1e5), ("+1", 1.0), ("64.000", 64.0), (".5", 0.5), ("-0.25", -0.25), ("5.", 5.0), ("007", 7.0)]
        {
            assert_eq!(number(text.as_bytes()), Some(value), "{text}");
        }
        for text in ["inf", "+Inf", "-inf", "Infinity", "1e999"] {
            assert!(number(text.as_bytes()).is_some_and(f64::is_infinite), "{text}");
        }
        for text in ["", "nan", "infinit", "1,5", "1 2", "0x1f", "+-1", "++1", "$5", "5%", "-", ".", "e5"] {
            assert_eq!(number(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn a_numeric_marker_is_missing_not_a_number() {
        let markers = Markers::new(&["-999".to_owned(), "?".to_owned()]);
        assert!(markers.number(b"-999").unwrap().is_nan());
        assert!(markers.number(b"?").unwrap().is_nan());
        assert!(markers.number(b"").unwrap().is_nan());
        assert_eq!(markers.number(b"-998"), Some(-998.0));
        assert_eq!(markers.number(b"NA"), None);
    }

    #[test]
    fn a_text_that_shows_nothing_is_missing() {
        let markers = Markers::default();
        for text in ["", "\u{a0}", "\u{3000}\u{3000}", "\u{200b}", "\u{a0} \u{2009}", "\u{feff}"] {
            assert!(markers.is_missing(text.as_bytes()), "{text:?}");
            assert!(markers.number(text.as_bytes()).is_some_and(f64::is_nan), "{text:?}");
        }
        assert!(!markers.is_missing("\u{a0}x".as_bytes()) && !markers.is_missing("é".as_bytes()));
    }

    #[test]
    fn a_text_that_a_spreadsheet_keeps_is_that_text() {
        for (text, content) in [
            ("=\"007\"", "007"),
            ("=\"\"", ""),
            ("=\" a \"", "a"),
            ("=1+2", "=1+2"),
            ("=\"a\"&\"b\"", "=\"a\"&\"b\""),
            ("=", "="),
        ] {
            assert_eq!(unforced(text), content);
        }
    }

    #[test]
    fn quotes_come_off() {
        let mut scratch = String::new();
        for (field, content) in [
            ("\"a\"", "a"),
            ("\"\"", ""),
            ("\"a\"\"b\"", "a\"b"),
            ("\"\"\"\"", "\""),
            ("\"a\"b", "ab"),
            ("\"a\"b\"c", "ab\"c"),
            ("\" a \"", "a"),
            ("\"a\nb\"", "a\nb"),
        ] {
            assert_eq!(unquote(field, &mut scratch), content, "{field}");
        }
    }
}
