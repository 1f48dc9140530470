//! Definitions that were checked against the columns of a table.

use super::check::{Names, check, window};
use super::node::{Node, Type};
use super::parse::parse;
use super::tree::{Expr, What};
use super::{Definitions, MAX_DERIVED, Problem};
use crate::table::Kind;
use crate::wording::instead;

/// A definition that can be computed.
#[derive(Debug, Clone)]
pub(super) struct Compiled {
    pub(super) name: String,
    pub(super) of: Type,
    pub(super) node: Node,
    /// Whether it depends on its row alone, not on a window or a training statistic.
    pub(super) is_plain: bool,
}

/// All definitions, and the raw columns that they read.
#[derive(Debug, Clone, Default)]
pub(super) struct Program {
    pub(super) compiled: Vec<Compiled>,
    /// The raw columns in the order in which they are first named.
    pub(super) reads: Vec<(String, Kind)>,
    /// How many statistics of groups there are.
    pub(super) n_slots: usize,
    /// How many windows there are.
    pub(super) n_windows: usize,
}

/// The name of the column with the values of a window. No user's table has it.
fn column_of(name: &str, expression: &str) -> String {
    format!("{name} = {}", expression.trim())
}

/// The meaning of names while a definition is checked.
struct Known<'a> {
    program: &'a mut Program,
    columns: &'a [(&'a str, Kind)],
    /// The target, which no expression may read.
    target: &'a str,
    /// All definitions with their trees, and the index of this one.
    trees: &'a [(&'a str, Expr)],
    place: usize,
}

impl Names for Known<'_> {
    fn find(&mut self, name: &str) -> Result<(Node, Type), String> {
        if let Some(place) = self.program.compiled.iter().position(|c| c.name == name) {
            return Ok((Node::Earlier(place), self.program.compiled[place].of));
        }
        if let Some(later) = self.trees.iter().position(|(known, _)| *known == name) {
            return Err(match cycle(self.trees, self.place, later) {
                Some(way) => format!("features depend on each other in a circle: {way}"),
                None => format!("{name:?} is defined further down: move its line above this one"),
            });
        }
        if name == self.target {
            return Err(format!("{name:?} is the target: it is not available at prediction time"));
        }
        let Some((_, kind)) = self.columns.iter().find(|(known, _)| *known == name) else {
            let derived = self.program.compiled.iter().map(|c| c.name.as_str());
            let columns = self.columns.iter().map(|(name, _)| *name).filter(|known| *known != self.target);
            return Err(format!("there is no column {name:?}{}", instead(name, derived.chain(columns))));
        };
        let Some(of) = Type::of(*kind) else {
            return Err(format!("column {name:?} is not read because its kind is \"ignore\" in [columns]"));
        };
        let place = self.program.reads.iter().position(|(known, _)| known == name).unwrap_or_else(|| {
            self.program.reads.push((name.to_owned(), *kind));
            self.program.reads.len() - 1
        });
        Ok((Node::Raw(place), of))
    }

    fn slot(&mut self) -> Result<usize, String> {
        self.program.n_slots += 1;
        Ok(self.program.n_slots - 1)
    }

    fn clock(&mut self) -> Result<(Node, Type), String> {
        let mut times = self.columns.iter().filter(|(_, kind)| *kind == Kind::Time).map(|(name, _)| *name);
        match (times.next(), times.next()) {
            (Some(name), None) => self.find(name),
            (None, _) => Err("a window needs a time column, and [columns] has none".to_owned()),
            (Some(one), Some(other)) => Err(format!(
                "there are several time columns, such as {one:?} and {other:?}: name one, as in over 7d of {one}"
            )),
        }
    }
}

impl Known<'_> {
    /// Checks a whole definition.
    fn define(&mut self, tree: &Expr) -> Result<(Node, Type), Problem> {
        let What::Group { statistic, of, by, over: Some(over) } = &tree.what else { return check(tree, self) };
        let slot = self.program.n_windows;
        let window = window((*statistic, of.as_deref(), by), over, slot, self)?;
        if !window.parts().all(|part| self.program.is_plain(part)) {
            let what = "a window can only use values of single rows, not other windows or statistics of groups";
            return Err(Problem::new(tree.at, what));
        }
        self.program.n_windows += 1;
        Ok((Node::Window(Box::new(window)), Type::Number))
    }
}

/// The path on which a definition depends on itself through another one: `a → b → a`.
fn cycle(trees: &[(&str, Expr)], from: usize, through: usize) -> Option<String> {
    // For each definition, the one it was reached from.
    let mut before = vec![None; trees.len()];
    before[through] = Some(from);
    let mut open = vec![through];
    while let Some(at) = open.pop() {
        if at == from {
            let mut way = vec![trees[from].0];
            let mut place = before[from]?;
            while place != from {
                way.push(trees[place].0);
                place = before[place]?;
            }
            way.push(trees[from].0);
            way.reverse();
            return Some(way.join(" → "));
        }
        trees[at].1.columns(&mut |name, _| {
            if let Some(next) = trees.iter().position(|(known, _)| *known == name)
                && before[next].is_none()
            {
                before[next] = Some(at);
                open.push(next);
            }
        });
    }
    None
}

impl Program {
    /// Checks `definitions` against the `columns` of a table.
    ///
    /// # Errors
    /// The name of the definition, and the error.
    pub(super) fn new(
        definitions: &Definitions,
        columns: &[(&str, Kind)],
        target: &str,
    ) -> Result<Self, (String, Problem)> {
        let mut trees = Vec::new();
        for (place, definition) in definitions.0.iter().enumerate() {
            let wrong = |problem| (definition.name.clone(), problem);
            let refuse = |what: String| Err(wrong(Problem::new(0, what)));
            if place == MAX_DERIVED {
                return refuse(format!("there are more than {MAX_DERIVED} derived features"));
            }
            if definition.name.trim() != definition.name || definition.name.is_empty() {
                return refuse("the name is empty, or begins or ends with a space".to_owned());
            }
            if columns.iter().any(|(name, _)| *name == definition.name) || definition.name == target {
                return refuse("[columns] has a column of that name: give the derived feature another name".to_owned());
            }
            if trees.iter().any(|(name, _)| *name == definition.name) {
                return refuse("duplicate name".to_owned());
            }
            trees.push((definition.name.as_str(), parse(&definition.expression).map_err(wrong)?));
        }
        let mut program = Self::default();
        for (place, (name, tree)) in trees.iter().enumerate() {
            let mut known = Known { program: &mut program, columns, target, trees: &trees, place };
            let (node, of) = known.define(tree).map_err(|problem| ((*name).to_owned(), problem))?;
            if of == Type::Nothing {
                return Err(((*name).to_owned(), Problem::new(0, "every value is missing")));
            }
            let is_plain = program.is_plain(&node);
            program.compiled.push(Compiled { name: (*name).to_owned(), of, node, is_plain });
        }
        Ok(program)
    }

    /// Whether a part depends on its row alone.
    fn is_plain(&self, node: &Node) -> bool {
        let mut plain = true;
        node.visit(&mut |part| match part {
            Node::Window(_) | Node::Group { .. } => plain = false,
            Node::Earlier(place) => plain &= self.compiled[*place].is_plain,
            _ => {}
        });
        plain
    }

    /// The columns with the values of windows, by slot.
    pub(super) fn window_columns(&self, definitions: &Definitions) -> Vec<String> {
        let windows = self.compiled.iter().filter(|compiled| matches!(compiled.node, Node::Window(_)));
        let column = |compiled: &Compiled| {
            let expression = definitions.get(&compiled.name).map_or("", |definition| &definition.expression);
            column_of(&compiled.name, expression)
        };
        windows.map(column).collect()
    }

    /// Per definition, the raw columns that it reads, directly or through other definitions.
    pub(super) fn origins(&self) -> Vec<Vec<&str>> {
        let mut all: Vec<Vec<&str>> = Vec::new();
        for compiled in &self.compiled {
            let mut own: Vec<&str> = Vec::new();
            let mut add = |name| {
                if !own.contains(&name) {
                    own.push(name)
                }
            };
            compiled.node.visit(&mut |node| match node {
                Node::Raw(place) => add(self.reads[*place].0.as_str()),
                Node::Earlier(place) => all[*place].iter().for_each(|name| add(name)),
                _ => {}
            });
            all.push(own);
        }
        all
    }
}
