//! Derived features in a graph, 64-bit, as [`crate::features::derive`] computes them.
//!
//! A feature that ONNX operators cannot compute is an input of the graph, and [`cannot`] states why: it
//! reads parts of texts (`length`, `contains`, `lower`, …), compares two text columns, needs the rules of a time zone,
//! looks up a group by several keys or by a number, or depends on earlier rows.

use super::operators::{
    Value, any, binary, calendar, choice, finite, known, looked_up, missing, of_times, or_missing, rounded, unary,
};
use super::{column_input, time_missing};
use crate::features::derive::{Binary, Derived, LetterCase, Node, OfText, Statistic, Zone};
use crate::model::{Element, GraphWriter};
use crate::table::{Kind, LevelFinder, Schema};

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
                    "it searches in a text"
                }
            },
            Node::Case(LetterCase::Lower | LetterCase::Upper, _) => "it changes the case of a text",
            Node::SameText(..) => "it compares two columns of texts",
            Node::Calendar(_, Zone::Named(zone), _) if zone.to_fixed_offset().is_err() => "it needs time zone rules",
            Node::Window(_) => "it uses earlier rows",
            Node::Group { by, .. } if by.len() > 1 => "it looks up a group by several keys",
            Node::Group { by, .. } if !by.iter().all(is_text) => "it looks up a group by a number or a time",
            _ => return,
        };
        found.get_or_insert_with(|| what.to_owned());
    });
    found
}

/// Whether a key can be a text: a constant result of `case` can; a column is checked where it is read.
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

    /// The value of the derived feature at this index.
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
            // Unsupported parts never reach this point: see `cannot`.
            Node::Case(_, of) => self.value(graph, of),
            node => self.chosen(graph, node),
        }
    }

    /// The value of a lookup or a choice.
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

    /// Other spellings of the levels of a raw column.
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

/// Why the graph does not compute the derived feature at this index; `None` if it does.
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
