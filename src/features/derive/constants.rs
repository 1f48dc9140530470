//! Text constants that are parsed when an expression is checked: times, patterns, time zones.

use super::Problem;
use super::functions::Function;
use super::node::{Moment, Type, Zone};
use super::tree::{Expr, What};
use crate::features::TimePart;
use crate::table::time::TimeFormat;
use regex::RegexBuilder;

/// Maximum size of a compiled `matches` pattern, in bytes.
const MAX_REGEX: usize = 1 << 20;

/// A constant text in the expression.
pub(super) fn stated(expr: &Expr, of: &str) -> Result<String, Problem> {
    match &expr.what {
        What::Text(text) => Ok(text.clone()),
        _ => Err(Problem::new(
            expr.at,
            format!(
                "{of} needs a constant text in quotes here, not a text that varies by \
                                                row"
            ),
        )),
    }
}

/// A constant time in the expression, written as a text.
pub(super) fn instant(expr: &Expr, text: &str) -> Result<i64, Problem> {
    let iso = TimeFormat::Iso;
    iso.parse(text).ok_or_else(|| Problem::new(expr.at, format!("'{text}' is not {}", iso.expected())))
}

/// The part of a time returned by the function of that name.
pub(super) fn moment(function: Function) -> Option<(Moment, Type)> {
    let part = |part| Some((Moment::Part(part), Type::Number));
    match function {
        Function::Year => part(TimePart::Year),
        Function::Month => part(TimePart::Month),
        Function::Day => part(TimePart::DayOfMonth),
        Function::DayOfYear => part(TimePart::DayOfYear),
        Function::Weekday => part(TimePart::DayOfWeek),
        Function::Hour => part(TimePart::Hour),
        Function::Minute => part(TimePart::Minute),
        Function::Quarter => Some((Moment::Quarter, Type::Number)),
        Function::IsMonthEnd => Some((Moment::IsMonthEnd, Type::Bool)),
        Function::IsMonthStart => Some((Moment::IsMonthStart, Type::Bool)),
        _ => None,
    }
}

pub(super) fn pattern(expr: &Expr, of: &str) -> Result<regex::Regex, Problem> {
    let text = stated(expr, of)?;
    RegexBuilder::new(&text).size_limit(MAX_REGEX).dfa_size_limit(MAX_REGEX).nest_limit(100).build().map_err(|err| {
        let what = err.to_string();
        let last = what.lines().last().unwrap_or_default().trim_start_matches("error: ");
        Problem::new(expr.at, format!("'{text}' is not a valid pattern: {last}"))
    })
}

/// A time zone by name, or an offset such as `+02:00`.
pub(super) fn zone(expr: &Expr, of: &str) -> Result<Zone, Problem> {
    let name = stated(expr, of)?;
    if name == "UTC" {
        return Ok(Zone::Utc);
    }
    let offset = || {
        let (sign, rest) =
            name.strip_prefix('+').map(|rest| (1, rest)).or(name.strip_prefix('-').map(|rest| (-1, rest)))?;
        let (hours, minutes) = rest.split_once(':')?;
        let (hours, minutes): (i32, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
        let seconds = (hours <= 25 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))?;
        Some(jiff::tz::TimeZone::fixed(jiff::tz::Offset::from_seconds(seconds).ok()?))
    };
    let known = offset().or_else(|| jiff::tz::TimeZone::get(&name).ok());
    known.map(Zone::Named).ok_or_else(|| {
        Problem::new(
            expr.at,
            format!("the time zone '{name}' is not known: write one such as 'Europe/Berlin' or '+02:00'"),
        )
    })
}
