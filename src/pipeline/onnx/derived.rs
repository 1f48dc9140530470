//! Derived features in a graph, 64-bit, as [`crate::features::derive`] computes them.
//!
//! What operators of ONNX cannot say is an input of the graph under the feature's name, and [`cannot`] says why: what
//! looks into texts (`length`, `contains`, `lower`, …), compares two columns of texts, needs the rules of a time zone, looks
//! up a group by several keys or by a number, or looks back on earlier rows.

use super::{Calendar, column_input, time_missing};
use crate::features::TimePart;
use crate::features::derive::{Binary, Derived, LetterCase, Moment, Node, OfText, OfTimes, Statistic, Unary, Zone};
use crate::model::{Element, GraphValue, GraphWriter};
use crate::table::{Kind, LevelFinder, Schema};

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

/// Why a graph cannot compute a feature; `None` when it can.
pub(super) fn cannot(node: &Node) -> Option<String> {
    let mut found = None;
    node.visit(&mut |node| {
        let what = match node {
            Node::OfText(test, _) => match test {
                OfText::OneOf(_) => return,
                OfText::Length => "it counts the characters of a text",
                OfText::Number => "it reads a number from a text",
                OfText::Contains(_) | OfText::StartsWith(_) | OfText::EndsWith(_) | OfText::Matches(_) => {
                    "it looks into a text"
                }
            },
            Node::Case(LetterCase::Lower | LetterCase::Upper, _) => "it changes the case of a text",
            Node::SameText(..) => "it compares two columns of texts",
            Node::Calendar(_, Zone::Named(zone), _) if zone.to_fixed_offset().is_err() => {
                "it needs the rules of a time zone"
            }
            Node::Window(_) => "it looks back on earlier rows",
            Node::Group { by, .. } if by.len() > 1 => "it looks up a group by several keys",
            Node::Group { by, .. } if !by.iter().all(is_text) => "it looks up a group by a number or a time",
            _ => return,
        };
        found.get_or_insert_with(|| what.to_owned());
    });
    found
}

/// Whether a key is surely a text: a constant group of `case` may be one, a column is looked at where it is read.
fn is_text(key: &Node) -> bool {
    match key {
        Node::Text(_) => true,
        Node::Choose(_, otherwise) => is_text(otherwise),
        Node::Coalesce(parts) => parts.iter().any(is_text),
        Node::Raw(_) | Node::Earlier(_) => true,
        _ => false,
    }
}

/// Writes derived features into a graph, each once.
pub(super) struct Exporter<'a> {
    derived: &'a Derived,
    schema: &'a Schema,
    done: Vec<Option<Value>>,
}

impl<'a> Exporter<'a> {
    pub(super) fn new(derived: &'a Derived, schema: &'a Schema) -> Self {
        Self { derived, schema, done: vec![None; derived.definitions().len()] }
    }

    /// The value of the derived feature at this place.
    pub(super) fn column(&mut self, graph: &mut GraphWriter, place: usize) -> Value {
        if let Some(done) = &self.done[place] {
            return done.clone();
        }
        let derived = self.derived;
        let (name, kind, node) = derived.node(place);
        let value = match why_not(derived, place) {
            None => self.value(graph, node),
            Some(why) => {
                let expression = derived.expression(name).unwrap_or_default();
                let doc = format!("a derived feature that the graph cannot compute ({why}): {expression}");
                typed(kind, column_input(graph, name, kind, Some(&doc)))
            }
        };
        self.done[place] = Some(value.clone());
        value
    }

    fn value(&mut self, graph: &mut GraphWriter, node: &Node) -> Value {
        match node {
            Node::Number(value) => Value::Number(graph.double(*value)),
            Node::Text(text) => Value::Text(graph.texts(std::slice::from_ref(text))),
            Node::Time(time) => Value::Time(graph.int(*time)),
            Node::Raw(place) => {
                let (name, kind) = self.derived.read(*place);
                typed(kind, column_input(graph, name, kind, None))
            }
            Node::Earlier(place) => self.column(graph, *place),
            Node::Map(op, of) => {
                let of = self.number(graph, of);
                Value::Number(unary(graph, *op, &of))
            }
            Node::Zip(Binary::Round, of, digits) => {
                let of = self.number(graph, of);
                let digits = if let Node::Number(digits) = **digits { digits } else { 0.0 };
                Value::Number(rounded(graph, &of, digits))
            }
            Node::Zip(op, left, right) => {
                let (left, right) = (self.number(graph, left), self.number(graph, right));
                Value::Number(binary(graph, *op, &left, &right))
            }
            Node::ZipTimes(op, left, right) => {
                let (left, right) = (self.value(graph, left), self.value(graph, right));
                Value::Number(of_times(graph, *op, left.name(), right.name()))
            }
            Node::Calendar(moment, zone, of) => {
                let of = self.value(graph, of);
                Value::Number(calendar(graph, *moment, zone, of.name()))
            }
            Node::OfText(test, of) => Value::Number(self.one_of_texts(graph, test, of)),
            // What cannot be said is never asked for: see `cannot`.
            Node::Case(_, of) => self.value(graph, of),
            node => self.chosen(graph, node),
        }
    }

    /// The value of a part that is looked up or chosen.
    fn chosen(&mut self, graph: &mut GraphWriter, node: &Node) -> Value {
        match node {
            Node::OneOf(values, of) => {
                let of = self.number(graph, of);
                let equal = |graph: &mut GraphWriter, value: f64| {
                    let value = graph.double(value);
                    graph.node("Equal", &[&of, &value], &[])
                };
                let found = any(graph, values, equal);
                Value::Number(known(graph, &[&of], &found))
            }
            Node::OneOfTimes(values, of) => {
                let of = self.value(graph, of);
                let equal = |graph: &mut GraphWriter, value: i64| {
                    let value = graph.int(value);
                    graph.node("Equal", &[of.name(), &value], &[])
                };
                let found = any(graph, values, equal);
                let found = graph.cast(&found, Element::Double);
                let missing = time_missing(graph, of.name());
                Value::Number(or_missing(graph, &missing, &found))
            }
            Node::IsMissing(of) => {
                let of = self.value(graph, of);
                let missing = missing(graph, &of);
                Value::Number(graph.cast(&missing, Element::Double))
            }
            Node::Coalesce(parts) => {
                let mut parts: Vec<Value> = parts.iter().map(|part| self.value(graph, part)).collect();
                let last = parts.pop().unwrap_or_else(|| Value::Number(graph.double(f64::NAN)));
                parts.into_iter().rev().fold(last, |rest, part| {
                    let missing = missing(graph, &part);
                    choice(graph, &missing, &rest, &part)
                })
            }
            Node::Choose(arms, otherwise) => {
                let arms: Vec<(String, Value)> = arms
                    .iter()
                    .map(|(condition, value)| (self.number(graph, condition), self.value(graph, value)))
                    .collect();
                let last = self.value(graph, otherwise);
                arms.into_iter().rev().fold(last, |rest, (condition, value)| {
                    let one = graph.double(1.0);
                    let holds = graph.node("Equal", &[&condition, &one], &[]);
                    choice(graph, &holds, &value, &rest)
                })
            }
            Node::Group { slot, statistic, of, by } => {
                let of = of.as_ref().map(|of| self.number(graph, of));
                let key = by.first().map(|key| self.value(graph, key));
                let key = key.map_or_else(String::new, |key| key.name().to_owned());
                let finder = by.first().and_then(|key| self.finder(key));
                Value::Number(self.group(graph, *slot, *statistic, of.as_deref(), (&key, finder)))
            }
            _ => Value::Number(graph.double(f64::NAN)),
        }
    }

    fn number(&mut self, graph: &mut GraphWriter, node: &Node) -> String {
        self.value(graph, node).name().to_owned()
    }

    /// How the levels of a raw column are written besides.
    fn finder(&self, node: &Node) -> Option<&'a LevelFinder> {
        let Node::Raw(place) = node else { return None };
        let (name, _) = self.derived.read(*place);
        self.schema.column(name)?.spelling.finder().map(|finder| &**finder)
    }

    fn one_of_texts(&mut self, graph: &mut GraphWriter, test: &OfText, of: &Node) -> String {
        let OfText::OneOf(texts) = test else { return graph.double(f64::NAN) };
        let finder = self.finder(of);
        let value = self.value(graph, of);
        let places = texts.iter().map(|text| (text.clone(), 1)).collect();
        looked_up(graph, (value.name(), finder), places, &[0.0, 1.0, f64::NAN], 2)
    }

    fn group(
        &self,
        graph: &mut GraphWriter,
        slot: usize,
        statistic: Statistic,
        of: Option<&str>,
        key: (&str, Option<&LevelFinder>),
    ) -> String {
        let (keys, values, other) = self.derived.groups(slot);
        let places: Vec<(String, i64)> = keys.iter().zip(1..).map(|(keys, at)| (keys.concat(), at)).collect();
        let missing = keys.len() + 1;
        let mut table = |of: &dyn Fn(&(f64, f64)) -> f64| {
            let all: Vec<f64> = std::iter::once(of(&other)).chain(values.iter().map(of)).chain([f64::NAN]).collect();
            looked_up(graph, key, places.clone(), &all, missing as i64)
        };
        let first = table(&|(first, _)| *first);
        let (Statistic::Zscore, Some(of)) = (statistic, of) else { return first };
        let second = table(&|(_, second)| *second);
        let centred = graph.node("Sub", &[of, &first], &[]);
        let score = graph.node("Div", &[&centred, &second], &[]);
        finite(graph, &score)
    }
}

/// Why the graph does not compute the derived feature at this place; `None` when it does.
pub(super) fn why_not(derived: &Derived, place: usize) -> Option<String> {
    let (_, _, node) = derived.node(place);
    let number_key = |node: &Node| match node {
        Node::Group { by, .. } => by.iter().any(|key| match key {
            Node::Raw(place) => matches!(derived.read(*place).1, Kind::Number | Kind::Time),
            Node::Earlier(place) => derived.node(*place).1 != Kind::Category,
            _ => false,
        }),
        _ => false,
    };
    let mut by_number = false;
    node.visit(&mut |node| by_number |= number_key(node));
    cannot(node).or_else(|| by_number.then(|| "it looks up a group by a number or a time".to_owned()))
}

fn typed(kind: Kind, name: String) -> Value {
    match kind {
        Kind::Number => Value::Number(name),
        Kind::Time => Value::Time(name),
        _ => Value::Text(name),
    }
}

/// `values` by the place of a text: 0 for one that has none, `missing` for the empty one.
fn looked_up(
    graph: &mut GraphWriter,
    (text, finder): (&str, Option<&LevelFinder>),
    mut places: Vec<(String, i64)>,
    values: &[f64],
    missing: i64,
) -> String {
    for (written, name) in finder.map(LevelFinder::spellings).unwrap_or_default() {
        let place = places.iter().find(|(text, _)| *text == name).map(|(_, place)| *place);
        if let Some(place) = place.filter(|_| places.iter().all(|(text, _)| *text != written)) {
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

/// Whether one of several tests holds.
fn any<T: Copy>(graph: &mut GraphWriter, values: &[T], test: impl Fn(&mut GraphWriter, T) -> String) -> String {
    let mut tests: Vec<String> = values.iter().map(|value| test(graph, *value)).collect();
    let last = tests.pop().unwrap_or_default();
    tests.into_iter().fold(last, |found, test| graph.node("Or", &[&found, &test], &[]))
}

fn choice(graph: &mut GraphWriter, condition: &str, yes: &Value, no: &Value) -> Value {
    let chosen = graph.node("Where", &[condition, yes.name(), no.name()], &[]);
    match yes {
        Value::Number(_) => Value::Number(chosen),
        Value::Time(_) => Value::Time(chosen),
        Value::Text(_) => Value::Text(chosen),
    }
}

/// Whether a value is missing.
fn missing(graph: &mut GraphWriter, value: &Value) -> String {
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

/// `value`, missing where `missing` holds.
fn or_missing(graph: &mut GraphWriter, missing: &str, value: &str) -> String {
    let nothing = graph.double(f64::NAN);
    graph.node("Where", &[missing, &nothing, value], &[])
}

/// What is not finite is missing.
fn finite(graph: &mut GraphWriter, value: &str) -> String {
    let infinite = graph.node("IsInf", &[value], &[]);
    or_missing(graph, &infinite, value)
}

/// A condition as 1 and 0, missing where one of the numbers is.
fn known(graph: &mut GraphWriter, of: &[&str], holds: &str) -> String {
    let holds = graph.cast(holds, Element::Double);
    of.iter().fold(holds, |holds, number| {
        let missing = graph.node("IsNaN", &[number], &[]);
        or_missing(graph, &missing, &holds)
    })
}

fn unary(graph: &mut GraphWriter, op: Unary, of: &str) -> String {
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
            // ln(u)·x/(u − 1) with u = 1 + x: what is lost in u is lost on both sides.
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

fn binary(graph: &mut GraphWriter, op: Binary, left: &str, right: &str) -> String {
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

fn rounded(graph: &mut GraphWriter, of: &str, digits: f64) -> String {
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

fn of_times(graph: &mut GraphWriter, op: OfTimes, left: &str, right: &str) -> String {
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

fn calendar(graph: &mut GraphWriter, moment: Moment, zone: &Zone, time: &str) -> String {
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
