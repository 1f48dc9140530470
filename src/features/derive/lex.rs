//! The tokens of an expression.

use super::Problem;
use std::fmt;

/// A token.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    Number(f64),
    /// A length of time: `7d`.
    Length(String),
    /// `'text'` or `"text"`; a doubled quotation mark means one.
    Text(String),
    /// A column's name or a keyword.
    Word(String),
    /// A column's name in back quotes.
    Quoted(String),
    Sign(&'static str),
    End,
}

/// Longest first, so that `<=` is not `<` and `=`.
const SIGNS: [&str; 16] = ["==", "!=", "<>", "<=", ">=", "(", ")", ",", "+", "-", "*", "/", "%", "<", ">", "="];

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(value) => write!(f, "{value}"),
            Self::Length(text) => f.write_str(&short(text)),
            Self::Text(text) => write!(f, "'{}'", short(text)),
            Self::Word(word) | Self::Quoted(word) => write!(f, "{:?}", short(word)),
            Self::Sign(sign) => f.write_str(sign),
            Self::End => f.write_str("the end"),
        }
    }
}

fn short(text: &str) -> String {
    const SHOWN: usize = 40;
    let cut = if text.chars().nth(SHOWN).is_some() { "…" } else { "" };
    format!("{}{cut}", text.chars().take(SHOWN).collect::<String>())
}

/// The tokens of an expression, read from the front.
#[derive(Debug)]
pub(super) struct Tokens {
    all: Vec<(usize, Token)>,
    next: usize,
}

impl Tokens {
    pub(super) fn new(text: &str) -> Result<Self, Problem> {
        let mut all = Vec::new();
        let mut at = 0;
        while let Some(c) = text[at..].chars().next() {
            if c.is_whitespace() {
                at += c.len_utf8();
                continue;
            }
            let (token, length) = token(&text[at..], c).map_err(|what| Problem::new(at, what))?;
            all.push((at, token));
            at += length;
        }
        all.push((text.len(), Token::End));
        Ok(Self { all, next: 0 })
    }

    /// Returns the next token without consuming it.
    pub(super) fn peek(&self) -> &Token {
        &self.all[self.next].1
    }

    /// The byte position of the next token.
    pub(super) fn at(&self) -> usize {
        self.all[self.next].0
    }

    pub(super) fn next(&mut self) -> (usize, Token) {
        let token = self.all[self.next].clone();
        // At the end, the end token is returned again and again.
        self.next = (self.next + 1).min(self.all.len() - 1);
        token
    }

    pub(super) fn is_word(&self, word: &str) -> bool {
        matches!(self.peek(), Token::Word(next) if next == word)
    }

    pub(super) fn is_sign(&self, sign: &str) -> bool {
        matches!(self.peek(), Token::Sign(next) if *next == sign)
    }

    pub(super) fn take_word(&mut self, word: &str) -> bool {
        let is_next = self.is_word(word);
        if is_next {
            self.next();
        }
        is_next
    }

    pub(super) fn take_sign(&mut self, sign: &str) -> bool {
        let is_next = self.is_sign(sign);
        if is_next {
            self.next();
        }
        is_next
    }
}

/// The first token of `text`, which begins with `first`, and its length in bytes.
fn token(text: &str, first: char) -> Result<(Token, usize), String> {
    let second_is_digit = text[first.len_utf8()..].starts_with(|c: char| c.is_ascii_digit());
    match first {
        '\'' | '"' | '`' => quoted(text, first),
        c if c.is_ascii_digit() || (c == '.' && second_is_digit) => number(text),
        c if c.is_alphabetic() || c == '_' => {
            let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(text.len());
            Ok((Token::Word(text[..end].to_owned()), end))
        }
        c => match SIGNS.iter().find(|sign| text.starts_with(**sign)) {
            Some(sign) => Ok((Token::Sign(sign), sign.len())),
            None => Err(format!(
                "{c:?} is not allowed in an expression; write a column name that contains it in `back quotes`"
            )),
        },
    }
}

fn quoted(text: &str, mark: char) -> Result<(Token, usize), String> {
    let mut inside = String::new();
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if c != mark {
            inside.push(c);
            continue;
        }
        if chars.next_if(|(_, next)| *next == mark).is_some() {
            inside.push(mark);
            continue;
        }
        let token = if mark == '`' { Token::Quoted(inside) } else { Token::Text(inside) };
        return Ok((token, at + 1));
    }
    Err(format!("the text that begins with {mark} has no closing {mark}"))
}

fn number(text: &str) -> Result<(Token, usize), String> {
    let bytes = text.as_bytes();
    let digits = |from: usize| from + bytes[from..].iter().take_while(|b| b.is_ascii_digit()).count();
    let mut end = digits(0);
    if bytes.get(end) == Some(&b'.') {
        end = digits(end + 1);
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        let after = digits(end + 1 + sign);
        if after > end + 1 + sign {
            end = after;
        }
    }
    match text[..end].parse::<f64>() {
        Ok(value) if value.is_finite() && !text[end..].starts_with(|c: char| c.is_alphanumeric() || c == '_') => {
            Ok((Token::Number(value), end))
        }
        Ok(value) if !value.is_finite() => Err(format!("{} is beyond the largest number", short(&text[..end]))),
        _ => {
            let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.')).unwrap_or(text.len());
            // Digits and a unit: the parser checks the length, and whether one is allowed here.
            if text[..end]
                .strip_suffix(['w', 'd', 'h', 'm', 's'])
                .is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit()))
            {
                return Ok((Token::Length(text[..end].to_owned()), end));
            }
            let word = short(&text[..end]);
            Err(format!("{word} is not a number; if it is a column, write `{word}`"))
        }
    }
}
