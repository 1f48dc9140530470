//! Converts limits on columns to limits on features.

use crate::features::{Encoder, Features, Negative};
use crate::model::error::ModelError;
use crate::model::limits::{InteractionRule, Interactions, Limits};
use crate::model::params::Params;
use crate::table::Kind;
use crate::wording::instead;
use std::collections::BTreeSet;

/// The columns of a loop that limits can name.
#[derive(Debug, Clone, Copy)]
pub struct Named<'a> {
    /// Raw and derived columns, the target among them.
    pub columns: &'a [(&'a str, Kind)],
    /// The column to predict.
    pub target: &'a str,
    /// Columns excluded by `[features]`.
    pub drop: &'a [String],
}

impl Params {
    /// Checks that every column in a limit is a feature, and numeric if it has a direction.
    ///
    /// # Errors
    /// A sentence with the key and the column.
    pub fn check_limits(&self, named: Named<'_>) -> Result<(), String> {
        for name in self.monotone.keys() {
            match named.feature("[model.monotone]", name)? {
                Kind::Number => {}
                Kind::Time => {
                    return Err(format!(
                        "[model.monotone] names {name:?}, a time, which becomes several features: derive a number from it"
                    ));
                }
                kind => {
                    return Err(format!("[model.monotone] names {name:?}, a {kind}: only a number can be monotone"));
                }
            }
        }
        let Some(Interactions::Groups(groups)) = &self.interactions else { return Ok(()) };
        if groups.is_empty() || groups.iter().any(Vec::is_empty) {
            return Err(
                "[model] interactions has an empty group: name columns as in [[\"a\", \"b\"], [\"c\"]], or \"none\" \
                        for each column by itself"
                    .to_owned(),
            );
        }
        for group in groups {
            for (at, name) in group.iter().enumerate() {
                named.feature("[model] interactions", name)?;
                if group[..at].contains(name) {
                    return Err(format!("[model] interactions names {name:?} twice in one group"));
                }
            }
        }
        Ok(())
    }

    /// The limits by index of `features`. Limits on an excluded column (constant, or identifying rows) are ignored.
    ///
    /// # Errors
    /// If a column with a direction is not numeric, or its encoding loses the sign.
    pub fn limits(&self, features: &Features) -> Result<Limits, ModelError> {
        let (encoders, sources) = (features.encoders(), features.sources());
        for input in encoders.iter().filter(|input| self.monotone.contains_key(&input.column)) {
            match &input.encoder {
                Encoder::Number(number) if number.negative != Negative::Abs => {}
                Encoder::Number(_) => {
                    return Err(ModelError::NotApplicable {
                        key: "monotone",
                        algorithm: "a column with negative = \"abs\"",
                        hint: "its values lose their sign, and with it their order",
                    });
                }
                _ => {
                    return Err(ModelError::NotApplicable {
                        key: "monotone",
                        algorithm: "a column that is not a number",
                        hint: "only a number can be monotone",
                    });
                }
            }
        }
        let mut limits = Limits::default();
        let direction = |input: &u32| self.monotone.get(&encoders[*input as usize].column).copied();
        if sources.iter().any(|input| direction(input).is_some()) {
            limits.directions = sources.iter().map(direction).collect();
        }
        let of_columns = |is_in: &dyn Fn(&str) -> bool| -> Vec<u32> {
            let features = (0..).zip(sources).filter(|(_, input)| is_in(&encoders[**input as usize].column));
            features.map(|(feature, _)| feature).collect()
        };
        limits.groups = match &self.interactions {
            None => Vec::new(),
            Some(Interactions::Rule(InteractionRule::None)) => {
                encoders.iter().map(|input| of_columns(&|name| name == input.column)).collect()
            }
            Some(Interactions::Groups(groups)) => {
                let named: BTreeSet<&String> = groups.iter().flatten().collect();
                let listed = groups.iter().map(|group| of_columns(&|name| group.iter().any(|column| column == name)));
                let others = of_columns(&|name| !named.contains(&name.to_owned()));
                listed.chain([others]).collect()
            }
        };
        limits.groups.retain(|group| !group.is_empty());
        Ok(limits)
    }
}

impl Named<'_> {
    /// The kind of the feature with that name.
    fn feature(&self, key: &str, name: &str) -> Result<Kind, String> {
        let is_feature = |(column, kind): &&(&str, Kind)| {
            let left_out = *column == self.target || self.drop.iter().any(|dropped| dropped == column);
            !left_out && matches!(kind, Kind::Number | Kind::Category | Kind::Time | Kind::Text)
        };
        let found = self.columns.iter().find(|(column, _)| *column == name);
        match found {
            None => {
                let names = self.columns.iter().filter(is_feature).map(|(column, _)| *column);
                Err(format!("{key} names {name:?}, which is not a column{}", instead(name, names)))
            }
            Some(found) if is_feature(&found) => Ok(found.1),
            Some(_) if name == self.target => Err(format!("{key} names {name:?}, the target, which is not a feature")),
            Some(_) if self.drop.iter().any(|dropped| dropped == name) => {
                Err(format!("{key} names {name:?}, which [features] drop leaves out"))
            }
            Some((_, kind)) => Err(format!("{key} names {name:?}, of kind \"{kind}\", which is not a feature")),
        }
    }
}

#[cfg(test)]
mod tests;
