//! Calls of functions: the types of their values, and the constants that some of them need.

use super::Problem;
use super::check::{Checked, Names, NoNames, alike, check, checked, instant, number, stated, text, time};
use super::functions::Function;
use super::node::{LetterCase, Moment, Node, OfText, Type, Zone};
use super::numbers::{Binary, OfTimes, Unary};
use super::tree::Expr;
use crate::features::TimePart;
use regex::RegexBuilder;

/// Bytes that a compiled `matches` may take.
const MAX_REGEX: usize = 1 << 20;

/// What is read off a time, by the function of that name.
fn moment(function: Function) -> Option<(Moment, Type)> {
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

/// Checks a call.
pub(super) fn call(at: usize, function: Function, parts: &[Expr], names: &mut dyn Names) -> Checked {
    let name = function.name();
    if let Some((moment, of)) = moment(function) {
        let zone = parts.get(1).map_or(Ok(Zone::Utc), |zone| self::zone(zone, name))?;
        return Ok((Node::Calendar(moment, zone, Box::new(time(&parts[0], names, name)?)), of));
    }
    let of_number = match function {
        Function::Abs => Some(Unary::Abs),
        Function::Ceil => Some(Unary::Ceil),
        Function::Exp => Some(Unary::Exp),
        Function::Floor => Some(Unary::Floor),
        Function::Ln => Some(Unary::Ln),
        Function::Log1p => Some(Unary::Log1p),
        Function::Sqrt => Some(Unary::Sqrt),
        _ => None,
    };
    if let Some(f) = of_number {
        return Ok((Node::map(f, number(&parts[0], names, name)?), Type::Number));
    }
    let of_text = |test: OfText, names: &mut dyn Names| {
        let of = if matches!(test, OfText::Length | OfText::Number) { Type::Number } else { Type::Bool };
        Ok((Node::OfText(test, Box::new(text(&parts[0], names, name)?)), of))
    };
    match function {
        Function::Clip => {
            let low = Node::zip(Binary::Raise, number(&parts[0], names, name)?, number(&parts[1], names, name)?);
            Ok((Node::zip(Binary::Lower, low, number(&parts[2], names, name)?), Type::Number))
        }
        Function::Min | Function::Max => {
            let f = if function == Function::Min { Binary::Min } else { Binary::Max };
            let mut nodes =
                parts.iter().map(|part| number(part, names, name)).collect::<Result<Vec<_>, _>>()?.into_iter();
            let first = nodes.next().unwrap_or(Node::Number(f64::NAN));
            Ok((nodes.fold(first, |found, next| Node::zip(f, found, next)), Type::Number))
        }
        Function::Round => {
            let digits = parts.get(1).map_or(Ok(0.0), self::digits)?;
            Ok((Node::zip(Binary::Round, number(&parts[0], names, name)?, Node::Number(digits)), Type::Number))
        }
        Function::Coalesce => {
            let parts = parts.iter().map(|part| checked(part, names)).collect::<Result<_, _>>()?;
            match alike(parts)? {
                (_, Type::Nothing) => Err(Problem::new(at, "every value is missing")),
                (nodes, of) => Ok((Node::Coalesce(nodes), of)),
            }
        }
        Function::IsMissing => Ok((Node::IsMissing(Box::new(check(&parts[0], names)?.0)), Type::Bool)),
        Function::Date => Ok((Node::Time(instant(&parts[0], &stated(&parts[0], name)?)?), Type::Time)),
        Function::DaysBetween => {
            let (from, to) = (time(&parts[0], names, name)?, time(&parts[1], names, name)?);
            Ok((Node::ZipTimes(OfTimes::Days, Box::new(from), Box::new(to)), Type::Number))
        }
        Function::Lower => Ok((Node::Case(LetterCase::Lower, Box::new(text(&parts[0], names, name)?)), Type::Text)),
        Function::Upper => Ok((Node::Case(LetterCase::Upper, Box::new(text(&parts[0], names, name)?)), Type::Text)),
        Function::Length => of_text(OfText::Length, names),
        Function::Number => of_text(OfText::Number, names),
        Function::Contains => of_text(OfText::Contains(stated(&parts[1], name)?), names),
        Function::StartsWith => of_text(OfText::StartsWith(stated(&parts[1], name)?), names),
        Function::EndsWith => of_text(OfText::EndsWith(stated(&parts[1], name)?), names),
        _ => of_text(OfText::Matches(pattern(&parts[1], name)?), names),
    }
}

fn digits(expr: &Expr) -> Result<f64, Problem> {
    match check(expr, &mut NoNames)? {
        (Node::Number(digits), _) if digits.fract() == 0.0 && digits.abs() <= 15.0 => Ok(digits),
        _ => Err(Problem::new(expr.at, "round needs a whole number of digits from -15 to 15")),
    }
}

fn pattern(expr: &Expr, of: &str) -> Result<regex::Regex, Problem> {
    let text = stated(expr, of)?;
    RegexBuilder::new(&text).size_limit(MAX_REGEX).dfa_size_limit(MAX_REGEX).nest_limit(100).build().map_err(|err| {
        let what = err.to_string();
        let last = what.lines().last().unwrap_or_default().trim_start_matches("error: ");
        Problem::new(expr.at, format!("'{text}' is no pattern: {last}"))
    })
}

/// A time zone by name, or an offset such as `+02:00`.
fn zone(expr: &Expr, of: &str) -> Result<Zone, Problem> {
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
