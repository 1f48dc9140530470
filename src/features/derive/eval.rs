//! Evaluates checked expressions, a column at a time. A single row is a column of one cell, evaluated by the same code.

use super::cells::{Cells, Levels, Strings, Vector};
use super::groups::Learned;
use super::node::{LetterCase, Moment, Node, OfText, Zone};
use crate::features::TimePart;
use crate::features::time::part;
use crate::table::{Column, MISSING_CODE, MISSING_TIME, Values};
use std::borrow::Cow;

/// The inputs of expressions.
pub(super) struct Scope<'a> {
    pub(super) n_rows: usize,
    /// The raw columns that are read, by index.
    pub(super) raw: &'a [&'a Values],
    /// The derived columns so far.
    pub(super) earlier: &'a [Column],
    /// The statistics of groups, by slot.
    pub(super) learned: &'a [Learned],
    /// The values of windows, by slot.
    pub(super) windows: &'a [&'a Values],
}

impl<'a> Scope<'a> {
    /// The values of a part.
    pub(super) fn compute(&self, node: &'a Node) -> Vector<'a> {
        match node {
            Node::Number(value) => Vector::Number(Cells::One(*value)),
            Node::Time(value) => Vector::Time(Cells::One(*value)),
            Node::Text(text) => Vector::Text(Strings::one(text)),
            Node::Raw(place) => Vector::of(self.raw[*place]),
            Node::Earlier(place) => Vector::of(&self.earlier[*place].values),
            Node::Map(f, of) => Vector::Number(self.numbers(of).map(f.function())),
            Node::Zip(f, left, right) => Vector::Number(self.numbers(left).zip(self.numbers(right), f.function())),
            Node::ZipTimes(f, left, right) => Vector::Number(self.zip_times(f.function(), left, right)),
            Node::Calendar(moment, zone, of) => Vector::Number(calendar(*moment, zone, &self.compute(of).times())),
            Node::OfText(test, of) => Vector::Number(of_text(test, &self.compute(of).texts())),
            Node::Case(case, of) => Vector::Text(self.compute(of).texts().levels_as(|text| match case {
                LetterCase::Lower => text.to_lowercase(),
                LetterCase::Upper => text.to_uppercase(),
            })),
            Node::SameText(left, right) => {
                let (left, right) = (self.compute(left).texts(), self.compute(right).texts());
                let same = |row: usize| match (left.get(row), right.get(row)) {
                    (Some(left), Some(right)) => f64::from(u8::from(left == right)),
                    _ => f64::NAN,
                };
                Vector::Number(Cells::Many((0..self.n_rows).map(same).collect()))
            }
            Node::OneOf(values, of) => {
                let found =
                    |value: f64| if value.is_nan() { value } else { f64::from(u8::from(values.contains(&value))) };
                Vector::Number(self.numbers(of).map(found))
            }
            Node::OneOfTimes(values, of) => Vector::Number(self.compute(of).times().each(|value| match value {
                MISSING_TIME => f64::NAN,
                value => f64::from(u8::from(values.contains(&value))),
            })),
            Node::IsMissing(of) => Vector::Number(self.compute(of).missing()),
            Node::Coalesce(parts) => {
                let parts: Vec<Vector> = parts.iter().map(|part| self.compute(part)).collect();
                let known: Vec<Cells<f64>> = parts.iter().map(Vector::missing).collect();
                let choice = |row: usize| known.iter().position(|missing| missing.get(row) == 0.0);
                self.pick(parts, |row| choice(row).unwrap_or(0))
            }
            Node::Choose(arms, otherwise) => {
                let conditions: Vec<Cells<f64>> = arms.iter().map(|(condition, _)| self.numbers(condition)).collect();
                let values = arms.iter().map(|(_, value)| value).chain([&**otherwise]).map(|value| self.compute(value));
                let choice = |row: usize| conditions.iter().position(|holds| holds.get(row) == 1.0);
                self.pick(values.collect(), |row| choice(row).unwrap_or(conditions.len()))
            }
            Node::Window(window) => Vector::of(self.windows[window.slot]),
            Node::Group { slot, of, by, .. } => {
                let of = of.as_ref().map(|of| self.numbers(of));
                let keys: Vec<Vector> = by.iter().map(|key| self.compute(key)).collect();
                Vector::Number(Cells::Many(Cow::Owned(self.learned[*slot].apply(of.as_ref(), &keys, self.n_rows))))
            }
        }
    }

    pub(super) fn numbers(&self, node: &'a Node) -> Cells<'a, f64> {
        self.compute(node).numbers()
    }

    fn zip_times(&self, f: fn(i64, i64) -> f64, left: &'a Node, right: &'a Node) -> Cells<'a, f64> {
        let (left, right) = (self.compute(left).times(), self.compute(right).times());
        let of = |left: i64, right: i64| {
            if left == MISSING_TIME || right == MISSING_TIME { f64::NAN } else { f(left, right) }
        };
        match (&left, &right) {
            (Cells::One(left), Cells::One(right)) => Cells::One(of(*left, *right)),
            _ => Cells::Many((0..self.n_rows).map(|row| of(left.get(row), right.get(row))).collect()),
        }
    }

    /// For every row, the cell of the column that `choice` selects; all columns have one type.
    fn pick(&self, parts: Vec<Vector<'a>>, choice: impl Fn(usize) -> usize) -> Vector<'a> {
        match parts.first() {
            Some(Vector::Time(_)) => {
                let parts: Vec<_> = parts.into_iter().map(Vector::times).collect();
                Vector::Time(Cells::Many((0..self.n_rows).map(|row| parts[choice(row)].get(row)).collect()))
            }
            Some(Vector::Text(_)) => {
                let parts: Vec<_> = parts.into_iter().map(Vector::texts).collect();
                let mut starts = vec![0];
                let mut levels = Vec::new();
                for part in &parts {
                    levels.extend((0..part.levels.len()).map(|level| part.levels.get(level).to_owned()));
                    starts.push(levels.len() as u32);
                }
                let code = |row: usize| {
                    let at = choice(row);
                    match parts[at].codes.get(row) {
                        MISSING_CODE => MISSING_CODE,
                        code => starts[at] + code,
                    }
                };
                let codes = Cells::Many((0..self.n_rows).map(code).collect());
                Vector::Text(Strings { codes, levels: Levels::Owned(levels) })
            }
            _ => {
                let parts: Vec<_> = parts.into_iter().map(Vector::numbers).collect();
                Vector::Number(Cells::Many((0..self.n_rows).map(|row| parts[choice(row)].get(row)).collect()))
            }
        }
    }
}

fn of_text(test: &OfText, strings: &Strings) -> Cells<'static, f64> {
    let truth = |holds: bool| f64::from(u8::from(holds));
    match test {
        OfText::Length => strings.each(f64::NAN, |text| text.chars().count() as f64),
        OfText::Number => strings.each(f64::NAN, number_of),
        OfText::Contains(part) => strings.each(f64::NAN, |text| truth(text.contains(part.as_str()))),
        OfText::StartsWith(part) => strings.each(f64::NAN, |text| truth(text.starts_with(part.as_str()))),
        OfText::EndsWith(part) => strings.each(f64::NAN, |text| truth(text.ends_with(part.as_str()))),
        OfText::Matches(pattern) => strings.each(f64::NAN, |text| truth(pattern.is_match(text))),
        OfText::OneOf(texts) => strings.each(f64::NAN, |text| truth(texts.iter().any(|one| one == text))),
    }
}

/// A text parsed as a number, as in a file; missing if it is not a number.
fn number_of(text: &str) -> f64 {
    crate::table::number_in(text.as_bytes()).filter(|value| value.is_finite()).unwrap_or(f64::NAN)
}

fn calendar(moment: Moment, zone: &Zone, times: &Cells<i64>) -> Cells<'static, f64> {
    const DAY_US: i64 = 86_400_000_000;
    let there = |time: i64| match zone {
        Zone::Utc => time,
        Zone::Named(zone) => local(zone, time),
    };
    let is_first = |time: i64| part(TimePart::DayOfMonth, time) == 1.0;
    times.each(|time| {
        if time == MISSING_TIME {
            return f64::NAN;
        }
        let time = there(time);
        match moment {
            Moment::Part(which) => part(which, time),
            Moment::Quarter => ((part(TimePart::Month, time) - 1.0) / 3.0).floor() + 1.0,
            Moment::IsMonthStart => f64::from(u8::from(is_first(time))),
            Moment::IsMonthEnd => f64::from(u8::from(is_first(time.saturating_add(DAY_US)))),
        }
    })
}

/// The zone's local time in microseconds, as if it were UTC.
fn local(zone: &jiff::tz::TimeZone, time: i64) -> i64 {
    match jiff::Timestamp::from_microsecond(time) {
        Ok(at) => time + i64::from(zone.to_offset(at).seconds()) * 1_000_000,
        // Outside the calendar's range.
        Err(_) => time,
    }
}
