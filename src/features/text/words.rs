//! A text as words: the only tokenizer, for training and scoring.
//!
//! ```text
//! "Don't wait 2h… 価格 👍"  ─▶  don't · wait · 2h · 価 · 格 · 👍
//! ```
//! Words are runs of letters and digits in lower case, after NFKC. In scripts without spaces between words, and for
//! pictograms, each character is a word: pairs of words are then pairs of characters.

use crate::table::words::stands_alone;
use icu_normalizer::ComposingNormalizerBorrowed;
use std::borrow::Cow;

/// Maximum bytes and words read of a text: the cost of a row is bounded.
pub(super) const MAX_BYTES: usize = 64 << 10;
const MAX_WORDS: usize = 2_000;
/// Longer words are cut: natural words are shorter, a URL or an encoded file may not be.
const MAX_WORD_BYTES: usize = 64;

/// The words of one text after another, in a reused buffer.
#[derive(Debug, Default)]
pub struct Words {
    text: String,
    ends: Vec<usize>,
}

impl Words {
    /// Reads the words of a text.
    pub fn read(&mut self, text: &str) {
        self.text.clear();
        self.ends.clear();
        let text = &text[..text.floor_char_boundary(MAX_BYTES)];
        let text = match text.is_ascii() {
            true => Cow::Borrowed(text),
            false => ComposingNormalizerBorrowed::new_nfkc().normalize(text),
        };
        let mut joint = false;
        for c in text.chars().flat_map(char::to_lowercase) {
            let open = self.text.len() > self.end();
            if c.is_alphanumeric() && !stands_alone(c) {
                if joint {
                    self.push('\'');
                }
                self.push(c);
            } else if is_mark(c) {
                if open {
                    self.push(c);
                }
                continue;
            } else if open && !joint && (c == '\'' || c == '\u{2019}') {
                // The next letter decides whether this is within a word or after it.
                joint = true;
                continue;
            } else {
                self.close();
                if stands_alone(c) {
                    self.push(c);
                    self.close();
                }
            }
            joint = false;
            if self.ends.len() >= MAX_WORDS {
                return;
            }
        }
        self.close();
    }

    /// Number of words.
    #[must_use]
    pub fn n_words(&self) -> usize {
        self.ends.len()
    }

    /// The words in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, &end)| &self.text[start..end])
    }

    fn end(&self) -> usize {
        self.ends.last().copied().unwrap_or(0)
    }

    fn push(&mut self, c: char) {
        if self.text.len() - self.end() + c.len_utf8() <= MAX_WORD_BYTES {
            self.text.push(c);
        }
    }

    fn close(&mut self) {
        if self.text.len() > self.end() {
            self.ends.push(self.text.len());
        }
    }
}

/// Marks that extend the preceding letter: accents, points, joiners.
fn is_mark(c: char) -> bool {
    matches!(c,
        '\u{300}'..='\u{36f}' | '\u{591}'..='\u{5c7}' | '\u{64b}'..='\u{65f}' | '\u{93c}' | '\u{94d}' | '\u{9bc}'
        | '\u{9cd}' | '\u{a3c}' | '\u{a4d}' | '\u{abc}' | '\u{acd}' | '\u{b3c}' | '\u{b4d}' | '\u{bcd}' | '\u{c4d}'
        | '\u{cbc}' | '\u{ccd}' | '\u{d4d}' | '\u{dca}' | '\u{200c}' | '\u{200d}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        let mut words = Words::default();
        words.read("something before");
        words.read(text);
        words.iter().map(str::to_owned).collect()
    }

    #[test]
    fn words_of_every_script() {
        assert_eq!(
            words("Don't WAIT, 2h… it's the dogs' 'quote'"),
            ["don't", "wait", "2h", "it's", "the", "dogs", "quote"]
        );
        assert_eq!(words("It\u{2019}s"), ["it's"]);
        assert_eq!(words("価格が 高いAbc👍🏽!"), ["価", "格", "が", "高", "い", "abc", "👍", "🏽"]);
        // Composed or not, in full width or not.
        assert_eq!(words("cafe\u{301} ＡＢＣ CAFÉ"), ["café", "abc", "café"]);
        assert_eq!(words("हिन्दी पाठ"), ["हिन्दी", "पाठ"]);
        assert_eq!(words("İSTANBUL"), ["i\u{307}stanbul"]);
        assert_eq!(words("a\0b\u{feff}c"), ["a", "b", "c"]);
        assert!(words(" …'!\u{301} ").is_empty());
    }

    #[test]
    fn long_texts_and_words_are_cut() {
        assert_eq!(words(&"word ".repeat(50_000)).len(), MAX_WORDS);
        assert_eq!(words(&"é".repeat(100_000)), ["é".repeat(MAX_WORD_BYTES / 2)]);
        assert_eq!(words(&format!("{} end", "x".repeat(70_000))), ["x".repeat(MAX_WORD_BYTES)]);
    }
}
