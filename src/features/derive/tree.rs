//! The syntax tree of an expression, before names and types are checked.

use super::functions::{Function, Statistic};
use crate::period::Period;

/// A part of an expression.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Expr {
    /// Its byte position in the text.
    pub(super) at: usize,
    pub(super) what: What,
    /// Levels of parts within it.
    pub(super) depth: usize,
}

/// The kind of a part.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum What {
    Number(f64),
    Text(String),
    Bool(bool),
    Missing,
    Column(String),
    Negate(Box<Expr>),
    Not(Box<Expr>),
    Binary(Op, Box<Expr>, Box<Expr>),
    In {
        value: Box<Expr>,
        list: Vec<Expr>,
        negated: bool,
    },
    Call(Function, Vec<Expr>),
    /// Conditions with their values, and the value otherwise.
    Case(Vec<(Expr, Expr)>, Option<Box<Expr>>),
    Group {
        statistic: Statistic,
        of: Option<Box<Expr>>,
        by: Vec<Expr>,
        over: Option<Over>,
    },
}

/// The length of a window, and its time column if given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Over {
    pub(super) at: usize,
    pub(super) length: Period,
    pub(super) column: Option<(usize, String)>,
}

/// An operator between two parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Op {
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    AtMost,
    Greater,
    AtLeast,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

impl Expr {
    /// Calls `each` with the name and position of every column in it.
    pub(super) fn columns<'e>(&'e self, each: &mut dyn FnMut(&'e str, usize)) {
        match &self.what {
            What::Column(name) => each(name, self.at),
            What::Number(_) | What::Text(_) | What::Bool(_) | What::Missing => {}
            What::Negate(of) | What::Not(of) => of.columns(each),
            What::Binary(_, left, right) => {
                left.columns(each);
                right.columns(each);
            }
            What::In { value, list, .. } => {
                value.columns(each);
                list.iter().for_each(|part| part.columns(each));
            }
            What::Call(_, parts) => parts.iter().for_each(|part| part.columns(each)),
            What::Case(arms, otherwise) => {
                for (condition, value) in arms {
                    condition.columns(each);
                    value.columns(each);
                }
                otherwise.iter().for_each(|part| part.columns(each));
            }
            What::Group { of, by, over, .. } => {
                of.iter().for_each(|part| part.columns(each));
                by.iter().for_each(|key| key.columns(each));
                let column = over.iter().filter_map(|over| over.column.as_ref());
                column.for_each(|(at, name)| each(name, *at));
            }
        }
    }
}
