//! A checked expression: every part has a type, and evaluation cannot fail.

use super::functions::Statistic;
use super::numbers::{Binary, OfTimes, Unary};
use crate::features::TimePart;
use crate::table::{Kind, MISSING_TIME, Values};
use regex::Regex;

/// The type of a part of an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Type {
    Number,
    /// 1, 0 or missing; usable as a number.
    Bool,
    Text,
    Time,
    /// `missing`: compatible with every other type.
    Nothing,
}

impl Type {
    /// The type of a column of that kind; `None` if such columns cannot be used.
    pub(super) fn of(kind: Kind) -> Option<Self> {
        match kind {
            Kind::Number => Some(Self::Number),
            Kind::Time => Some(Self::Time),
            Kind::Id | Kind::Category | Kind::Text | Kind::Constant => Some(Self::Text),
            Kind::Ignore => None,
        }
    }

    /// The type of stored cells.
    pub(super) fn of_values(values: &Values) -> Self {
        match values {
            Values::Number(_) => Self::Number,
            Values::Time(_) => Self::Time,
            Values::Category(_) | Values::Text(_) => Self::Text,
        }
    }

    /// How a derived column of it is stored.
    pub(super) fn kind(self) -> Kind {
        match self {
            Self::Number | Self::Bool | Self::Nothing => Kind::Number,
            Self::Text => Kind::Category,
            Self::Time => Kind::Time,
        }
    }

    pub(super) fn is_number(self) -> bool {
        matches!(self, Self::Number | Self::Bool | Self::Nothing)
    }

    pub(super) fn is_bool(self) -> bool {
        matches!(self, Self::Bool | Self::Nothing)
    }

    /// For messages.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Number => "a number",
            Self::Bool => "true or false",
            Self::Text => "a text",
            Self::Time => "a time",
            Self::Nothing => "missing",
        }
    }

    /// The common type of both, if they can share one column.
    pub(super) fn with(self, other: Self) -> Option<Self> {
        match (self, other) {
            (a, b) if a == b => Some(a),
            (Self::Nothing, other) | (other, Self::Nothing) => Some(other),
            (a, b) if a.is_number() && b.is_number() => Some(Self::Number),
            _ => None,
        }
    }
}

/// A checked part.
#[derive(Debug, Clone)]
pub(crate) enum Node {
    /// A number, or true (1) and false (0); `NaN` is missing.
    Number(f64),
    /// A text; empty is missing.
    Text(String),
    /// A time; [`MISSING_TIME`] is missing.
    Time(i64),
    /// The raw column at this index of the input.
    Raw(usize),
    /// The derived column at this index.
    Earlier(usize),
    /// A function of a number.
    Map(Unary, Box<Node>),
    /// A function of two numbers.
    Zip(Binary, Box<Node>, Box<Node>),
    /// A function of two times.
    ZipTimes(OfTimes, Box<Node>, Box<Node>),
    /// A part of a time.
    Calendar(Moment, Zone, Box<Node>),
    /// A number computed from a text, once per distinct text.
    OfText(OfText, Box<Node>),
    /// A text with another case, once per distinct text.
    Case(LetterCase, Box<Node>),
    /// Whether two texts are equal.
    SameText(Box<Node>, Box<Node>),
    /// Whether a number is one of several.
    OneOf(Vec<f64>, Box<Node>),
    /// Whether a time is one of several.
    OneOfTimes(Vec<i64>, Box<Node>),
    IsMissing(Box<Node>),
    /// The first that is not missing.
    Coalesce(Vec<Node>),
    /// The value of the first condition that is true, else the last.
    Choose(Vec<(Node, Node)>, Box<Node>),
    /// The statistic of the row's group.
    Group {
        slot: usize,
        statistic: Statistic,
        of: Option<Box<Node>>,
        by: Vec<Node>,
    },
    /// A window over the row's own past; always a whole definition.
    Window(Box<Window>),
}

/// A checked window.
#[derive(Debug, Clone)]
pub(crate) struct Window {
    /// Its index among the windows.
    pub(super) slot: usize,
    pub(super) statistic: Statistic,
    pub(super) of: Option<Node>,
    pub(super) by: Vec<Node>,
    pub(super) time: Node,
    pub(super) length_us: i64,
}

impl Window {
    /// A key shared by windows over the same rows and values, whatever their statistics and lengths.
    pub(super) fn stream(&self) -> String {
        format!("{:?} {:?} {:?}", self.of, self.by, self.time)
    }

    /// The parts that it is computed from.
    pub(super) fn parts(&self) -> impl Iterator<Item = &Node> {
        self.of.iter().chain(&self.by).chain([&self.time])
    }
}

/// A part of a time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Moment {
    Part(TimePart),
    Quarter,
    IsMonthEnd,
    IsMonthStart,
}

/// The time zone of calendar functions.
#[derive(Debug, Clone)]
pub(crate) enum Zone {
    Utc,
    Named(jiff::tz::TimeZone),
}

/// A function of a text.
#[derive(Debug, Clone)]
pub(crate) enum OfText {
    Length,
    Number,
    Contains(String),
    StartsWith(String),
    EndsWith(String),
    Matches(Regex),
    OneOf(Vec<String>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LetterCase {
    Lower,
    Upper,
}

impl Node {
    /// The missing constant of a type.
    pub(super) fn nothing(of: Type) -> Self {
        match of {
            Type::Text => Self::Text(String::new()),
            Type::Time => Self::Time(MISSING_TIME),
            Type::Number | Type::Bool | Type::Nothing => Self::Number(f64::NAN),
        }
    }

    /// A part that computes `f` of a number; a constant is evaluated at once.
    pub(super) fn map(f: Unary, of: Self) -> Self {
        match of {
            Self::Number(value) => Self::Number(f.function()(value)),
            of => Self::Map(f, Box::new(of)),
        }
    }

    /// A part that computes `f` of two numbers; if both are constants, it is evaluated at once.
    pub(super) fn zip(f: Binary, left: Self, right: Self) -> Self {
        match (left, right) {
            (Self::Number(left), Self::Number(right)) => Self::Number(f.function()(left, right)),
            (left, right) => Self::Zip(f, Box::new(left), Box::new(right)),
        }
    }

    /// Calls `each` for every part, children first.
    pub(crate) fn visit<'n>(&'n self, each: &mut dyn FnMut(&'n Node)) {
        match self {
            Self::Number(_) | Self::Text(_) | Self::Time(_) | Self::Raw(_) | Self::Earlier(_) => {}
            Self::Map(_, of)
            | Self::Calendar(_, _, of)
            | Self::OfText(_, of)
            | Self::Case(_, of)
            | Self::OneOf(_, of)
            | Self::OneOfTimes(_, of)
            | Self::IsMissing(of) => of.visit(each),
            Self::Zip(_, left, right) | Self::ZipTimes(_, left, right) | Self::SameText(left, right) => {
                left.visit(each);
                right.visit(each);
            }
            Self::Coalesce(parts) => parts.iter().for_each(|part| part.visit(each)),
            Self::Choose(arms, otherwise) => {
                for (condition, value) in arms {
                    condition.visit(each);
                    value.visit(each);
                }
                otherwise.visit(each);
            }
            Self::Group { of, by, .. } => {
                of.iter().for_each(|part| part.visit(each));
                by.iter().for_each(|key| key.visit(each));
            }
            Self::Window(window) => window.parts().for_each(|part| part.visit(each)),
        }
        each(self);
    }
}
