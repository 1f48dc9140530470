//! Parses the text of an expression to a tree; every part stores its byte position.
//!
//! ```text
//! or ─▶ and ─▶ not ─▶ comparison, in ─▶ + − ─▶ * / % ─▶ unary − ─▶ number, text, column, call [by … [over …]], if, case, ( )
//! ```
//! An expression has at most [`MAX_BYTES`] bytes, [`MAX_NODES`] parts and a depth of [`MAX_DEPTH`], so that
//! neither parsing nor evaluating it can exhaust the stack or the memory.

use super::functions::{Function, Statistic};
use super::lex::{Token, Tokens};
use super::tree::{Expr, Op, Over, What};
use super::{MAX_BYTES, MAX_DEPTH, MAX_NODES, Problem};
use crate::period::Period;
use crate::wording::instead;

/// The tree of an expression.
pub(super) fn parse(text: &str) -> Result<Expr, Problem> {
    if text.len() > MAX_BYTES {
        return Err(Problem::new(MAX_BYTES, format!("the expression is longer than {MAX_BYTES} bytes")));
    }
    let mut parser = Parser { tokens: Tokens::new(text)?, n_nodes: 0, nested: 0 };
    let expr = parser.or()?;
    match parser.tokens.next() {
        (_, Token::End) => Ok(expr),
        (at, token) => Err(Problem::new(at, format!("unexpected {token}: the end or an operator is expected here"))),
    }
}

struct Parser {
    tokens: Tokens,
    n_nodes: usize,
    /// Levels of the text that are open: brackets, `not`, `-`.
    nested: usize,
}

type Parsed = Result<Expr, Problem>;

impl Parser {
    fn node(&mut self, at: usize, what: What, depth: usize) -> Parsed {
        self.n_nodes += 1;
        if self.n_nodes > MAX_NODES {
            return Err(Problem::new(at, format!("the expression has more than {MAX_NODES} parts")));
        }
        if depth + 1 > MAX_DEPTH {
            return Err(too_deep(at));
        }
        Ok(Expr { at, what, depth: depth + 1 })
    }

    /// Reads one level further in.
    fn within(&mut self, at: usize, read: impl FnOnce(&mut Self) -> Parsed) -> Parsed {
        self.nested += 1;
        if self.nested > MAX_DEPTH {
            return Err(too_deep(at));
        }
        let read = read(self);
        self.nested -= 1;
        read
    }

    fn binary(&mut self, op: Op, left: Expr, right: Expr) -> Parsed {
        let (at, depth) = (left.at, left.depth.max(right.depth));
        self.node(at, What::Binary(op, Box::new(left), Box::new(right)), depth)
    }

    fn or(&mut self) -> Parsed {
        let mut left = self.and()?;
        while self.tokens.take_word("or") {
            let right = self.and()?;
            left = self.binary(Op::Or, left, right)?;
        }
        Ok(left)
    }

    fn and(&mut self) -> Parsed {
        let mut left = self.not()?;
        while self.tokens.take_word("and") {
            let right = self.not()?;
            left = self.binary(Op::And, left, right)?;
        }
        Ok(left)
    }

    fn not(&mut self) -> Parsed {
        let at = self.tokens.at();
        if !self.tokens.take_word("not") {
            return self.comparison();
        }
        let of = self.within(at, Self::not)?;
        let depth = of.depth;
        self.node(at, What::Not(Box::new(of)), depth)
    }

    fn comparison(&mut self) -> Parsed {
        let left = self.sum()?;
        let at = self.tokens.at();
        let negated = self.tokens.is_word("not");
        if negated || self.tokens.is_word("in") {
            self.tokens.next();
            if negated && !self.tokens.take_word("in") {
                return Err(Problem::new(
                    at,
                    "\"not\" cannot be between two values: write not in (…), or != for \
                                             unequal",
                ));
            }
            let (list, depth) = self.list()?;
            let depth = depth.max(left.depth);
            return self.node(left.at, What::In { value: Box::new(left), list, negated }, depth);
        }
        let op = match self.tokens.peek() {
            Token::Sign("==" | "=") => Op::Equal,
            Token::Sign("!=" | "<>") => Op::NotEqual,
            Token::Sign("<") => Op::Less,
            Token::Sign("<=") => Op::AtMost,
            Token::Sign(">") => Op::Greater,
            Token::Sign(">=") => Op::AtLeast,
            _ => return Ok(left),
        };
        self.tokens.next();
        let right = self.sum()?;
        let compared = self.binary(op, left, right)?;
        match self.tokens.peek() {
            Token::Sign("==" | "=" | "!=" | "<>" | "<" | "<=" | ">" | ">=") => {
                Err(Problem::new(self.tokens.at(), "comparisons do not chain: write a < b and b < c"))
            }
            _ => Ok(compared),
        }
    }

    fn sum(&mut self) -> Parsed {
        let mut left = self.product()?;
        loop {
            let op = match self.tokens.peek() {
                Token::Sign("+") => Op::Add,
                Token::Sign("-") => Op::Subtract,
                _ => return Ok(left),
            };
            self.tokens.next();
            let right = self.product()?;
            left = self.binary(op, left, right)?;
        }
    }

    fn product(&mut self) -> Parsed {
        let mut left = self.unary()?;
        loop {
            let op = match self.tokens.peek() {
                Token::Sign("*") => Op::Multiply,
                Token::Sign("/") => Op::Divide,
                Token::Sign("%") => Op::Remainder,
                _ => return Ok(left),
            };
            self.tokens.next();
            let right = self.unary()?;
            left = self.binary(op, left, right)?;
        }
    }

    fn unary(&mut self) -> Parsed {
        let at = self.tokens.at();
        if !self.tokens.take_sign("-") {
            return self.primary();
        }
        let of = self.within(at, Self::unary)?;
        let depth = of.depth;
        self.node(at, What::Negate(Box::new(of)), depth)
    }

    fn primary(&mut self) -> Parsed {
        let (at, token) = self.tokens.next();
        match token {
            Token::Number(value) => self.node(at, What::Number(value), 0),
            Token::Text(text) => self.node(at, What::Text(text), 0),
            Token::Quoted(name) => self.node(at, What::Column(name), 0),
            Token::Sign("(") => {
                let inside = self.within(at, Self::or)?;
                self.close()?;
                Ok(inside)
            }
            Token::Word(word) => self.word(at, word),
            token => Err(Problem::new(at, format!("unexpected {token}: a value is expected here"))),
        }
    }

    fn word(&mut self, at: usize, word: String) -> Parsed {
        match word.as_str() {
            "true" | "false" => return self.node(at, What::Bool(word == "true"), 0),
            "missing" => return self.node(at, What::Missing, 0),
            "case" => return self.within(at, |parser| parser.case(at)),
            "if" => return self.within(at, |parser| parser.condition(at)),
            "and" | "or" | "in" | "not" | "when" | "then" | "else" | "end" | "by" => {
                return Err(Problem::new(
                    at,
                    format!("unexpected {word:?}: a value is expected here; if it is a column, write `{word}`"),
                ));
            }
            _ => {}
        }
        if !self.tokens.is_sign("(") {
            return self.node(at, What::Column(word), 0);
        }
        self.within(at, |parser| parser.call(at, &word))
    }

    /// `if(condition, value, otherwise)`.
    fn condition(&mut self, at: usize) -> Parsed {
        let (mut parts, depth) = self.list()?;
        if parts.len() != 3 {
            return Err(Problem::new(
                at,
                format!("if needs a condition and two values, if(c, a, b), and has {} parts", parts.len()),
            ));
        }
        let otherwise = parts.pop().map(Box::new);
        let arms = parts.pop().zip(parts.pop()).map(|(value, condition)| (condition, value));
        self.node(at, What::Case(arms.into_iter().collect(), otherwise), depth)
    }

    /// `case when c then a … [else b] end`.
    fn case(&mut self, at: usize) -> Parsed {
        let (mut arms, mut depth) = (Vec::new(), 0);
        while self.tokens.take_word("when") {
            let condition = self.or()?;
            self.expect_word("then")?;
            let value = self.or()?;
            depth = depth.max(condition.depth).max(value.depth);
            arms.push((condition, value));
        }
        if arms.is_empty() {
            return Err(Problem::new(self.tokens.at(), "case needs when: case when c then a else b end"));
        }
        let otherwise = match self.tokens.take_word("else") {
            true => Some(Box::new(self.or()?)),
            false => None,
        };
        self.expect_word("end")?;
        depth = depth.max(otherwise.as_ref().map_or(0, |otherwise| otherwise.depth));
        self.node(at, What::Case(arms, otherwise), depth)
    }

    fn call(&mut self, at: usize, name: &str) -> Parsed {
        let (mut parts, depth) = self.list()?;
        if self.tokens.take_word("by") {
            let Some(statistic) = Statistic::of(name) else {
                return Err(Problem::new(
                    at,
                    format!("{name} cannot be used with groups{}", instead(name, Statistic::ALL.map(|(name, _)| name))),
                ));
            };
            let wanted = usize::from(statistic != Statistic::Count);
            if parts.len() != wanted {
                return Err(Problem::new(at, format!("{name} by takes {wanted} values and has {}", parts.len())));
            }
            let by = self.keys()?;
            let over = self.over()?;
            let depth = by.iter().map(|key| key.depth).fold(depth, usize::max);
            return self.node(at, What::Group { statistic, of: parts.pop().map(Box::new), by, over }, depth);
        }
        match Function::of(name) {
            Some(function) => {
                function.check_count(parts.len()).map_err(|what| Problem::new(at, what))?;
                self.node(at, What::Call(function, parts), depth)
            }
            None if Statistic::of(name).is_some() => {
                Err(Problem::new(at, format!("{name} is a statistic of a group: write {name}(…) by column")))
            }
            None => {
                let names = Function::ALL.iter().map(|(name, ..)| *name);
                let names = names.chain(Statistic::ALL.map(|(name, _)| name)).chain(["if"]);
                Err(Problem::new(at, format!("there is no function {name:?}{}", instead(name, names))))
            }
        }
    }

    /// The keys of groups: a column, or several in parentheses.
    fn keys(&mut self) -> Result<Vec<Expr>, Problem> {
        if self.tokens.is_sign("(") {
            let (keys, _) = self.list()?;
            if keys.is_empty() {
                return Err(Problem::new(self.tokens.at(), "by needs a column"));
            }
            return Ok(keys);
        }
        let (at, token) = self.tokens.next();
        match token {
            Token::Word(name) | Token::Quoted(name) => Ok(vec![self.node(at, What::Column(name), 0)?]),
            token => Err(Problem::new(at, format!("unexpected {token}: a column is expected after by"))),
        }
    }

    /// `over 7d`, `over 7d of column`: the length of a window.
    fn over(&mut self) -> Result<Option<Over>, Problem> {
        if !self.tokens.take_word("over") {
            return Ok(None);
        }
        let (at, token) = self.tokens.next();
        let length = match &token {
            Token::Length(text) | Token::Text(text) => text.parse().map_err(|what: String| Problem::new(at, what))?,
            token => {
                let what = format!(
                    "unexpected {token}: a length of time is expected after over: write 30m, 12h, 7d \
                                    or 2w"
                );
                return Err(Problem::new(at, what));
            }
        };
        if length == Period::default() {
            return Err(Problem::new(at, "a window needs a length above 0"));
        }
        if !self.tokens.take_word("of") {
            return Ok(Some(Over { at, length, column: None }));
        }
        match self.tokens.next() {
            (place, Token::Word(name) | Token::Quoted(name)) => {
                Ok(Some(Over { at, length, column: Some((place, name)) }))
            }
            (place, token) => Err(Problem::new(
                place,
                format!(
                    "unexpected {token}: a time column is expected after \
                                                               of"
                ),
            )),
        }
    }

    /// Values in brackets with commas, and their depth.
    fn list(&mut self) -> Result<(Vec<Expr>, usize), Problem> {
        let (at, token) = self.tokens.next();
        if token != Token::Sign("(") {
            return Err(Problem::new(at, format!("unexpected {token}: ( is expected here")));
        }
        let (mut parts, mut depth) = (Vec::new(), 0);
        if self.tokens.take_sign(")") {
            return Ok((parts, depth));
        }
        loop {
            let part = self.within(at, Self::or)?;
            depth = depth.max(part.depth);
            parts.push(part);
            if !self.tokens.take_sign(",") {
                self.close()?;
                return Ok((parts, depth));
            }
        }
    }

    fn close(&mut self) -> Result<(), Problem> {
        match self.tokens.next() {
            (_, Token::Sign(")")) => Ok(()),
            (at, token) => Err(Problem::new(at, format!("unexpected {token}: ) is expected here"))),
        }
    }

    fn expect_word(&mut self, word: &str) -> Result<(), Problem> {
        match self.tokens.take_word(word) {
            true => Ok(()),
            false => Err(Problem::new(
                self.tokens.at(),
                format!("unexpected {}: {word} is expected here", self.tokens.peek()),
            )),
        }
    }
}

fn too_deep(at: usize) -> Problem {
    Problem::new(at, format!("the expression is more than {MAX_DEPTH} levels deep"))
}
