//! A single expression, such as that of a target.

use super::eval::Scope;
use super::node::Type;
use super::program::Program;
use super::{Definition, Definitions, Problem, raw_columns};
use crate::features::FeatureError;
use crate::table::{Kind, Table, Values};

/// A checked expression over raw columns, without statistics of groups and windows.
#[derive(Debug, Clone)]
pub struct Expression {
    program: Program,
}

impl Expression {
    /// Checks an expression; `name` is its name in messages, and `target` is the column that it must not read.
    ///
    /// # Errors
    /// A sentence with the position of the error.
    pub fn new(name: &str, text: &str, columns: &[(&str, Kind)], target: &str) -> Result<Self, String> {
        // No column can have this name: column names are never empty.
        let definition = Definition { name: "\u{0}".to_owned(), expression: text.to_owned() };
        let program = Program::new(&Definitions(vec![definition]), columns, target);
        let program = program.map_err(|(_, problem)| format!("{name}: {}", problem.told(text)))?;
        if program.n_slots > 0 || program.n_windows > 0 {
            let problem = Problem::new(0, "statistics of groups and windows depend on which rows the table holds");
            return Err(format!("{name}: {}", problem.told(text)));
        }
        Ok(Self { program })
    }

    fn of(&self) -> Type {
        self.program.compiled.first().map_or(Type::Nothing, |compiled| compiled.of)
    }

    /// The kind of its result.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.of().kind()
    }

    /// Whether it is true or false: 1 or 0.
    #[must_use]
    pub fn is_condition(&self) -> bool {
        self.of() == Type::Bool
    }

    /// The raw columns it reads, and their kinds.
    pub fn reads(&self) -> impl Iterator<Item = (&str, Kind)> {
        self.program.reads.iter().map(|(name, kind)| (name.as_str(), *kind))
    }

    /// Its value in every row of a table.
    ///
    /// # Errors
    /// When a column that is read is missing, or of another kind.
    pub fn compute(&self, table: &Table) -> Result<Values, FeatureError> {
        let raw = raw_columns(&self.program, table)?;
        let n_rows = table.n_rows();
        let scope = Scope { n_rows, raw: &raw, earlier: &[], learned: &[], windows: &[] };
        let compute = |compiled: &super::program::Compiled| scope.compute(&compiled.node).into_values(n_rows);
        Ok(self.program.compiled.first().map_or(Values::Number(Vec::new()), compute))
    }
}
