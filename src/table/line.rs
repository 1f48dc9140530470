//! Cells that stay on one line, for files to which whole lines are appended.

use std::borrow::Cow;

/// The text without line breaks: one that has any is written as a JSON string, and so is one that begins with a
/// quotation mark, so that [`from_one_line`] returns every text.
#[must_use]
pub fn one_line(text: &str) -> Cow<'_, str> {
    match text.trim_start().starts_with('"') || memchr::memchr2(b'\n', b'\r', text.as_bytes()).is_some() {
        true => serde_json::Value::from(text).to_string().into(),
        false => text.into(),
    }
}

/// The text before [`one_line`].
#[must_use]
pub fn from_one_line(text: &str) -> Cow<'_, str> {
    match text.starts_with('"') {
        // A text that is not a JSON string was not written by `one_line`.
        true => serde_json::from_str::<String>(text).map_or(Cow::Borrowed(text), Cow::Owned),
        false => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_text_is_one_line_and_comes_back(text in "[a\"\\\\\n\r,é ]{0,12}") {
            let written = one_line(&text);
            prop_assert!(!written.contains(['\n', '\r']));
            prop_assert_eq!(from_one_line(&written), text.as_str());
        }
    }
}
