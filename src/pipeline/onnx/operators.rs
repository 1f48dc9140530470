//! The operations of derived features as ONNX operators, with the rules for missing values of
//! [`crate::features::derive`].

use super::calendar::Calendar;
use super::time_missing;
use crate::features::TimePart;
use crate::features::derive::{Binary, Moment, OfTimes, Unary, Zone};
use crate::model::{Element, GraphValue, GraphWriter};
use crate::table::LevelFinder;
use std::collections::HashMap;

/// A value of the graph.
#[derive(Debug, Clone)]
pub(super) enum Value {
    /// 64-bit; `NaN` is missing.
    Number(String),
    /// Microseconds; −2⁶³ is missing.
    Time(String),
    /// The empty text is missing.
    Text(String),
}

impl Value {
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Number(name) | Self::Time(name) | Self::Text(name) => name,
        }
    }
}

/// `values` by the index of a text: 0 for an unknown one, `missing` for the empty one.
pub(super) fn looked_up(
    graph: &mut GraphWriter,
    (text, finder): (&str, Option<&LevelFinder>),
    mut places: Vec<(String, i64)>,
    values: &[f64],
    missing: i64,
) -> String {
    let known: HashMap<String, i64> = places.iter().cloned().collect();
    for (written, name) in finder.map(LevelFinder::spellings).unwrap_or_default() {
        if let Some(&place) = known.get(&name).filter(|_| !known.contains_key(&written)) {
            places.push((written, place));
        }
    }
    places.push((String::new(), missing));
    let (keys, places): (Vec<Vec<u8>>, Vec<i64>) =
        places.into_iter().map(|(text, place)| (text.into_bytes(), place)).unzip();
    let attributes = [
        ("keys_strings", GraphValue::Texts(keys)),
        ("values_int64s", GraphValue::Ints(places)),
        ("default_int64", GraphValue::Int(0)),
    ];
    let place = graph.node_ml("LabelEncoder", &[text], &attributes);
    let values = graph.doubles(values.to_vec(), &[values.len()]);
    graph.node("Gather", &[&values, &place], &[("axis", GraphValue::Int(0))])
}

/// Whether one of several tests is true.
pub(super) fn any<T: Copy>(
    graph: &mut GraphWriter,
    values: &[T],
    test: impl Fn(&mut GraphWriter, T) -> String,
) -> String {
    let mut tests: Vec<String> = values.iter().map(|value| test(graph, *value)).collect();
    let last = tests.pop().unwrap_or_default();
    tests.into_iter().fold(last, |found, test| graph.node("Or", &[&found, &test], &[]))
}

pub(super) fn choice(graph: &mut GraphWriter, condition: &str, yes: &Value, no: &Value) -> Value {
    let chosen = graph.node("Where", &[condition, yes.name(), no.name()], &[]);
    match yes {
        Value::Number(_) => Value::Number(chosen),
        Value::Time(_) => Value::Time(chosen),
        Value::Text(_) => Value::Text(chosen),
    }
}

/// Whether a value is missing.
pub(super) fn missing(graph: &mut GraphWriter, value: &Value) -> String {
    match value {
        Value::Number(name) => graph.node("IsNaN", &[name], &[]),
        Value::Time(name) => time_missing(graph, name),
        Value::Text(name) => {
            let found = looked_up(graph, (name, None), Vec::new(), &[0.0, 1.0], 1);
            let one = graph.double(1.0);
            graph.node("Equal", &[&found, &one], &[])
        }
    }
}

/// `value`, missing if `missing` is true.
pub(super) fn or_missing(graph: &mut GraphWriter, missing: &str, value: &str) -> String {
    let nothing = graph.double(f64::NAN);
    graph.node("Where", &[missing, &nothing, value], &[])
}

/// Values that are not finite become missing.
pub(super) fn finite(graph: &mut GraphWriter, value: &str) -> String {
    let infinite = graph.node("IsInf", &[value], &[]);
    or_missing(graph, &infinite, value)
}

/// A condition as 1 and 0, missing if one of the numbers is.
pub(super) fn known(graph: &mut GraphWriter, of: &[&str], holds: &str) -> String {
    let holds = graph.cast(holds, Element::Double);
    of.iter().fold(holds, |holds, number| {
        let missing = graph.node("IsNaN", &[number], &[]);
        or_missing(graph, &missing, &holds)
    })
}

pub(super) fn unary(graph: &mut GraphWriter, op: Unary, of: &str) -> String {
    match op {
        Unary::Abs => graph.node("Abs", &[of], &[]),
        Unary::Ceil => graph.node("Ceil", &[of], &[]),
        Unary::Floor => graph.node("Floor", &[of], &[]),
        Unary::Negate => graph.node("Neg", &[of], &[]),
        Unary::Not => {
            let one = graph.double(1.0);
            graph.node("Sub", &[&one, of], &[])
        }
        Unary::Exp | Unary::Ln | Unary::Sqrt => {
            let name = match op {
                Unary::Exp => "Exp",
                Unary::Ln => "Log",
                _ => "Sqrt",
            };
            let value = graph.node(name, &[of], &[]);
            finite(graph, &value)
        }
        Unary::Log1p => {
            // ln(u)·x/(u − 1) with u = 1 + x: rounding errors of u cancel.
            let one = graph.double(1.0);
            let sum = graph.node("Add", &[of, &one], &[]);
            let rest = graph.node("Sub", &[&sum, &one], &[]);
            let log = graph.node("Log", &[&sum], &[]);
            let ratio = graph.node("Div", &[of, &rest], &[]);
            let value = graph.node("Mul", &[&log, &ratio], &[]);
            let tiny = graph.node("Equal", &[&sum, &one], &[]);
            let value = graph.node("Where", &[&tiny, of, &value], &[]);
            finite(graph, &value)
        }
    }
}

pub(super) fn binary(graph: &mut GraphWriter, op: Binary, left: &str, right: &str) -> String {
    let arithmetic = match op {
        Binary::Add => Some("Add"),
        Binary::Subtract => Some("Sub"),
        Binary::Multiply => Some("Mul"),
        Binary::Divide => Some("Div"),
        _ => None,
    };
    if let Some(name) = arithmetic {
        let value = graph.node(name, &[left, right], &[]);
        return finite(graph, &value);
    }
    let pick = |graph: &mut GraphWriter, test: &str, yes: &str, no: &str| graph.node("Where", &[test, yes, no], &[]);
    match op {
        Binary::Equal | Binary::Less | Binary::AtMost => {
            let name = match op {
                Binary::Equal => "Equal",
                Binary::Less => "Less",
                _ => "LessOrEqual",
            };
            let holds = graph.node(name, &[left, right], &[]);
            known(graph, &[left, right], &holds)
        }
        Binary::And | Binary::Or => {
            let (deciding, name) = if op == Binary::And { (0.0, "Mul") } else { (1.0, "Add") };
            let deciding = graph.double(deciding);
            let (a, b) = (graph.node("Equal", &[left, &deciding], &[]), graph.node("Equal", &[right, &deciding], &[]));
            let decided = graph.node("Or", &[&a, &b], &[]);
            let both = graph.node(name, &[left, right], &[]);
            pick(graph, &decided, &deciding, &both)
        }
        Binary::Min | Binary::Max => {
            let name = if op == Binary::Min { "LessOrEqual" } else { "GreaterOrEqual" };
            let unknown = graph.node("IsNaN", &[right], &[]);
            let first = graph.node(name, &[left, right], &[]);
            let first = graph.node("Or", &[&unknown, &first], &[]);
            pick(graph, &first, left, right)
        }
        Binary::Raise => {
            let beyond = graph.node("Less", &[left, right], &[]);
            pick(graph, &beyond, right, left)
        }
        Binary::Lower => {
            let beyond = graph.node("Greater", &[left, right], &[]);
            pick(graph, &beyond, right, left)
        }
        _ => {
            let zero = graph.double(0.0);
            let rest = graph.node("Mod", &[left, right], &[("fmod", GraphValue::Int(1))]);
            let none = graph.node("Equal", &[&rest, &zero], &[]);
            let some = graph.node("Not", &[&none], &[]);
            let (a, b) = (graph.node("Less", &[&rest, &zero], &[]), graph.node("Less", &[right, &zero], &[]));
            let apart = graph.node("Xor", &[&a, &b], &[]);
            let apart = graph.node("And", &[&apart, &some], &[]);
            let moved = graph.node("Add", &[&rest, right], &[]);
            let value = pick(graph, &apart, &moved, &rest);
            finite(graph, &value)
        }
    }
}

pub(super) fn rounded(graph: &mut GraphWriter, of: &str, digits: f64) -> String {
    let scale = graph.double(10_f64.powi(digits.abs() as i32));
    if digits == 0.0 {
        return graph.node("Round", &[of], &[]);
    }
    let (there, back) = if digits > 0.0 { ("Mul", "Div") } else { ("Div", "Mul") };
    let scaled = graph.node(there, &[of, &scale], &[]);
    let whole = graph.node("Round", &[&scaled], &[]);
    let value = graph.node(back, &[&whole, &scale], &[]);
    let infinite = graph.node("IsInf", &[&scaled], &[]);
    graph.node("Where", &[&infinite, of, &value], &[])
}

pub(super) fn of_times(graph: &mut GraphWriter, op: OfTimes, left: &str, right: &str) -> String {
    let value = match op {
        OfTimes::Days => {
            let apart = graph.node("Sub", &[right, left], &[]);
            let apart = graph.cast(&apart, Element::Double);
            let day = graph.double(86_400e6);
            graph.node("Div", &[&apart, &day], &[])
        }
        OfTimes::Earlier | OfTimes::NotLater | OfTimes::Same => {
            let name = match op {
                OfTimes::Earlier => "Less",
                OfTimes::NotLater => "LessOrEqual",
                _ => "Equal",
            };
            let holds = graph.node(name, &[left, right], &[]);
            graph.cast(&holds, Element::Double)
        }
    };
    [left, right].into_iter().fold(value, |value, time| {
        let missing = time_missing(graph, time);
        or_missing(graph, &missing, &value)
    })
}

pub(super) fn calendar(graph: &mut GraphWriter, moment: Moment, zone: &Zone, time: &str) -> String {
    const DAY_US: i64 = 86_400_000_000;
    let offset = match zone {
        Zone::Utc => 0,
        Zone::Named(zone) => zone.to_fixed_offset().map_or(0, |offset| i64::from(offset.seconds()) * 1_000_000),
    };
    let shifted = |graph: &mut GraphWriter, by: i64| match by {
        0 => time.to_owned(),
        by => {
            let by = graph.int(by);
            graph.node("Add", &[time, &by], &[])
        }
    };
    let first = |graph: &mut GraphWriter, there: &str| {
        let day = Calendar { graph }.part(TimePart::DayOfMonth, there);
        let one = graph.int(1);
        graph.node("Equal", &[&day, &one], &[])
    };
    let value = match moment {
        Moment::Part(part) => {
            let there = shifted(graph, offset);
            Calendar { graph }.part(part, &there)
        }
        Moment::Quarter => {
            let there = shifted(graph, offset);
            let month = Calendar { graph }.part(TimePart::Month, &there);
            let month = Calendar { graph }.with("Add", &month, 2);
            Calendar { graph }.with("Div", &month, 3)
        }
        Moment::IsMonthStart => {
            let there = shifted(graph, offset);
            first(graph, &there)
        }
        Moment::IsMonthEnd => {
            let there = shifted(graph, offset + DAY_US);
            first(graph, &there)
        }
    };
    let value = graph.cast(&value, Element::Double);
    let missing = time_missing(graph, time);
    or_missing(graph, &missing, &value)
}
