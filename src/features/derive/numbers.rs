//! Functions of one or two numbers. `NaN` is missing, and a result that is not finite is missing, such as
//! the logarithm of −1 or a division by 0.

use crate::stats::portable::Portable;

/// Functions of one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unary {
    Abs,
    Ceil,
    Exp,
    Floor,
    Ln,
    Log1p,
    Negate,
    Not,
    Sqrt,
}

/// Functions of two numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Binary {
    Add,
    And,
    AtMost,
    Divide,
    Equal,
    Less,
    /// The first, at most the second.
    Lower,
    Max,
    Min,
    Multiply,
    Or,
    /// The first, at least the second.
    Raise,
    Remainder,
    Round,
    Subtract,
}

/// Functions of two times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OfTimes {
    Days,
    Earlier,
    NotLater,
    Same,
}

impl Unary {
    pub(super) fn function(self) -> fn(f64) -> f64 {
        match self {
            Self::Abs => f64::abs,
            Self::Ceil => f64::ceil,
            Self::Exp => exp,
            Self::Floor => f64::floor,
            Self::Ln => ln,
            Self::Log1p => log1p,
            Self::Negate => negate,
            Self::Not => not,
            Self::Sqrt => sqrt,
        }
    }
}

impl Binary {
    pub(super) fn function(self) -> fn(f64, f64) -> f64 {
        match self {
            Self::Add => add,
            Self::And => and,
            Self::AtMost => at_most,
            Self::Divide => divide,
            Self::Equal => equal,
            Self::Less => less,
            Self::Lower => lower,
            Self::Max => max,
            Self::Min => min,
            Self::Multiply => multiply,
            Self::Or => or,
            Self::Raise => raise,
            Self::Remainder => remainder,
            Self::Round => round,
            Self::Subtract => subtract,
        }
    }
}

impl OfTimes {
    pub(super) fn function(self) -> fn(i64, i64) -> f64 {
        match self {
            Self::Days => days,
            Self::Earlier => earlier,
            Self::NotLater => not_later,
            Self::Same => same_time,
        }
    }
}

/// A result, missing if not finite.
fn finite(value: f64) -> f64 {
    if value.is_finite() { value } else { f64::NAN }
}

fn truth(holds: bool) -> f64 {
    if holds { 1.0 } else { 0.0 }
}

/// A comparison: missing where either is.
fn known(left: f64, right: f64, holds: bool) -> f64 {
    if left.is_nan() || right.is_nan() { f64::NAN } else { truth(holds) }
}

fn negate(value: f64) -> f64 {
    -value
}

fn add(left: f64, right: f64) -> f64 {
    finite(left + right)
}

fn subtract(left: f64, right: f64) -> f64 {
    finite(left - right)
}

fn multiply(left: f64, right: f64) -> f64 {
    finite(left * right)
}

fn divide(left: f64, right: f64) -> f64 {
    finite(left / right)
}

/// The remainder of a division, with the sign of the divisor.
fn remainder(left: f64, right: f64) -> f64 {
    let rest = left % right;
    let rest = if rest != 0.0 && (rest < 0.0) != (right < 0.0) { rest + right } else { rest };
    finite(if rest == 0.0 { 0.0_f64.copysign(right) } else { rest })
}

fn equal(left: f64, right: f64) -> f64 {
    known(left, right, left == right)
}

fn less(left: f64, right: f64) -> f64 {
    known(left, right, left < right)
}

fn at_most(left: f64, right: f64) -> f64 {
    known(left, right, left <= right)
}

/// Not: missing stays missing.
fn not(value: f64) -> f64 {
    1.0 - value
}

/// False where either is false, else missing where either is missing.
fn and(left: f64, right: f64) -> f64 {
    if left == 0.0 || right == 0.0 { 0.0 } else { left * right }
}

/// True where either is true, else missing where either is missing.
fn or(left: f64, right: f64) -> f64 {
    if left == 1.0 || right == 1.0 { 1.0 } else { left + right }
}

/// The smaller one; ignores missing values.
fn min(left: f64, right: f64) -> f64 {
    if right.is_nan() || left <= right { left } else { right }
}

/// The larger one; ignores missing values.
fn max(left: f64, right: f64) -> f64 {
    if right.is_nan() || left >= right { left } else { right }
}

/// Raised to `low`, unless `low` is missing; a missing value stays missing.
fn raise(value: f64, low: f64) -> f64 {
    if value < low { low } else { value }
}

/// Lowered to `high`, unless `high` is missing; a missing value stays missing.
fn lower(value: f64, high: f64) -> f64 {
    if value > high { high } else { value }
}

fn ln(value: f64) -> f64 {
    finite(value.ln_portable())
}

fn log1p(value: f64) -> f64 {
    finite(value.ln_1p_portable())
}

fn exp(value: f64) -> f64 {
    finite(value.exp_portable())
}

fn sqrt(value: f64) -> f64 {
    finite(value.sqrt())
}

/// Rounded to `digits` decimal places, half to even.
fn round(value: f64, digits: f64) -> f64 {
    let scale = 10_f64.powi(digits.abs() as i32);
    match digits {
        0.0 => value.round_ties_even(),
        digits if digits > 0.0 => {
            // If scaling overflows, the number has no digits there: keep it.
            let scaled = value * scale;
            if scaled.is_finite() { scaled.round_ties_even() / scale } else { value }
        }
        _ => (value / scale).round_ties_even() * scale,
    }
}

/// Days from one time to another, with fractions.
fn days(from: i64, to: i64) -> f64 {
    const DAY_US: f64 = 86_400e6;
    (i128::from(to) - i128::from(from)) as f64 / DAY_US
}

fn same_time(left: i64, right: i64) -> f64 {
    truth(left == right)
}

fn earlier(left: i64, right: i64) -> f64 {
    truth(left < right)
}

fn not_later(left: i64, right: i64) -> f64 {
    truth(left <= right)
}

/// The median of sorted values.
pub(super) fn middle(sorted: &[f64]) -> f64 {
    let half = sorted.len() / 2;
    match sorted.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => sorted[half],
        _ => f64::midpoint(sorted[half - 1], sorted[half]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_finite_is_missing() {
        for (value, what) in [
            (divide(1.0, 0.0), "1/0"),
            (divide(0.0, 0.0), "0/0"),
            (multiply(1e300, 1e300), "overflow"),
            (ln(0.0), "ln 0"),
            (ln(-1.0), "ln -1"),
            (log1p(-1.0), "log1p -1"),
            (sqrt(-1.0), "sqrt -1"),
            (exp(1e4), "exp"),
            (remainder(1.0, 0.0), "1 % 0"),
        ] {
            assert!(value.is_nan(), "{what} is {value}");
        }
    }

    #[test]
    fn logic_knows_three_values() {
        let nan = f64::NAN;
        assert_eq!((and(0.0, nan), and(nan, 0.0), or(1.0, nan), or(nan, 1.0)), (0.0, 0.0, 1.0, 1.0));
        assert!(and(1.0, nan).is_nan() && or(0.0, nan).is_nan() && not(nan).is_nan() && equal(nan, nan).is_nan());
        assert_eq!(
            (min(nan, 2.0), min(2.0, nan), max(nan, 2.0), max(3.0, 2.0), min(3.0, 2.0)),
            (2.0, 2.0, 2.0, 3.0, 2.0)
        );
    }

    #[test]
    fn rounding_and_remainders_are_those_of_numpy() {
        assert_eq!(
            (round(0.5, 0.0), round(1.5, 0.0), round(2.675, 2.0), round(1250.0, -2.0)),
            (0.0, 2.0, 2.68, 1200.0)
        );
        assert_eq!(round(1e300, 15.0), 1e300);
        assert_eq!((remainder(-7.0, 3.0), remainder(7.0, -3.0), remainder(6.0, 3.0)), (2.0, -2.0, 0.0));
    }
}
