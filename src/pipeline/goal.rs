//! Computed targets: `[target] expression`.

use super::{PipelineError, TargetSpec};
use crate::features::FeatureOptions;
use crate::features::derive::{self, Expression};
use crate::table::{Categories, Column, Kind, Schema, Table, Values};

/// The classes of a condition if the target is a category.
const NO_YES: [&str; 2] = ["no", "yes"];

impl TargetSpec {
    /// Checks the expression against the columns, and that no feature reads the same columns.
    ///
    /// # Errors
    /// A sentence with the error and a remedy.
    pub fn check(&self, columns: &[(&str, Kind)], features: &FeatureOptions) -> Result<(), String> {
        let Some(text) = &self.expression else {
            return match self.allow.keys().next() {
                Some(name) => Err(format!("[target] allow names {name:?}, but the target is not computed")),
                None => Ok(()),
            };
        };
        let expression = Expression::new("[target] expression", text, columns, &self.column)?;
        let kind = columns.iter().find(|(name, _)| *name == self.column).map_or(Kind::Number, |(_, kind)| *kind);
        match (expression.kind(), kind) {
            (Kind::Number, Kind::Number) | (Kind::Category, Kind::Category) => {}
            (_, Kind::Category) if expression.is_condition() => {}
            (found, kind) => {
                return Err(format!(
                    "[target] expression gives a {found}, but the target {:?} is a {kind} in [columns]",
                    self.column
                ));
            }
        }
        let reads: Vec<&str> = expression.reads().map(|(name, _)| name).collect();
        for (name, reason) in &self.allow {
            if reason.trim().is_empty() {
                return Err(format!("[target] allow {name:?} needs a reason: why is it available at prediction time?"));
            }
        }
        let is_free = |name: &str| features.drop.iter().any(|dropped| dropped == name) || self.allow.contains_key(name);
        let refuse = |name: &str, how: String| {
            Err(format!(
                "the feature {name:?} {how}, from which the target {:?} is computed, so it reveals the target: drop \
                 it ([features] drop), or allow it with a reason ([target.allow] {name:?} = \"available at \
                 prediction time\")",
                self.column
            ))
        };
        let is_feature = |name: &str, kind: Kind| match kind {
            Kind::Number | Kind::Category | Kind::Time => true,
            Kind::Text => features.reads_text(name),
            Kind::Id | Kind::Constant | Kind::Ignore => false,
        };
        let raw = columns.iter().find(|(name, kind)| is_feature(name, *kind) && reads.contains(name) && !is_free(name));
        if let Some((name, _)) = raw {
            return refuse(name, "is a column".to_owned());
        }
        for (name, origins) in derive::origins(&features.derived, columns, &self.column) {
            let shared = origins.iter().find(|origin| reads.contains(&origin.as_str()));
            if let Some(origin) = shared.filter(|origin| !is_free(&name) && !self.allow.contains_key(*origin)) {
                return refuse(&name, format!("reads the column {origin:?}"));
            }
        }
        Ok(())
    }

    /// The columns of the expression; empty if the target is not computed.
    #[must_use]
    pub fn reads(&self, schema: &Schema) -> Vec<String> {
        let Some(text) = &self.expression else { return Vec::new() };
        let columns: Vec<(&str, Kind)> = schema.columns.iter().map(|c| (c.name.as_str(), c.kind)).collect();
        let expression = Expression::new("[target] expression", text, &columns, &self.column);
        expression.map(|found| found.reads().map(|(name, _)| name.to_owned()).collect()).unwrap_or_default()
    }

    /// Adds the target computed by the expression; existing values, such as corrections by a person, are
    /// kept.
    ///
    /// # Errors
    /// If a column of the expression is missing.
    pub fn complete(&self, table: Table, schema: &Schema) -> Result<Table, PipelineError> {
        let Some(text) = &self.expression else { return Ok(table) };
        let columns: Vec<(&str, Kind)> = schema.columns.iter().map(|c| (c.name.as_str(), c.kind)).collect();
        let expression = Expression::new("[target] expression", text, &columns, &self.column);
        let expression = expression.map_err(PipelineError::Rows)?;
        let kind = schema.column(&self.column).map_or(Kind::Number, |column| column.kind);
        let computed = match (expression.compute(&table)?, kind) {
            (Values::Number(values), Kind::Category) => Values::Category(Categories::from_texts(
                values.iter().map(|value| if value.is_nan() { "" } else { NO_YES[usize::from(*value != 0.0)] }),
            )),
            (values, _) => values,
        };
        let mut columns = table.into_columns();
        match columns.iter_mut().find(|column| column.name == self.column) {
            Some(column) => column.values = filled(&column.values, computed),
            None => columns.push(Column::new(self.column.clone(), computed)),
        }
        Ok(Table::new(columns)?)
    }
}

/// The cells of the first that are not missing, else those of the second.
fn filled(stands: &Values, computed: Values) -> Values {
    match (stands, computed) {
        (Values::Number(stands), Values::Number(computed)) => {
            let filled =
                stands.iter().zip(computed).map(|(stands, value)| if stands.is_nan() { value } else { *stands });
            Values::Number(filled.collect())
        }
        (Values::Category(stands), Values::Category(computed)) => {
            let cell = |row| stands.level(row).or_else(|| computed.level(row)).unwrap_or_default();
            Values::Category(Categories::from_texts((0..stands.codes.len()).map(cell)))
        }
        (_, computed) => computed,
    }
}
