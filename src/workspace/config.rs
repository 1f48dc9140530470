//! `mlloop.toml`: the configuration of a loop; written by `init`, edited by people.

use super::config_text::place;
use super::sections::{DataSpec, LabelRules, RetrainRules, TrainRules, TrainerSpec};
use super::{PromoteRules, TrackRules};
use crate::drift::DriftSettings;
use crate::features::{FeatureOptions, derive};
use crate::model::{Named, Params};
use crate::notify;
use crate::pipeline::{Decision, Recipe, SplitSpec, TargetSpec, check_weight};
use crate::table::place::is_address;
use crate::table::{ColumnSpec, Dialect, Kind, Schema, TableOptions, columns};
use crate::wording::instead;
use serde::Deserialize;

/// The file as a whole.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where the rows are and how they are written.
    pub data: DataSpec,
    /// The column to predict.
    pub target: TargetSpec,
    /// Every column and its kind.
    #[serde(deserialize_with = "columns::deserialize")]
    pub columns: Vec<ColumnSpec>,
    /// Which rows train and which evaluate.
    #[serde(default)]
    pub split: SplitSpec,
    /// From columns to features.
    #[serde(default)]
    pub features: FeatureOptions,
    /// The model and its parameters.
    #[serde(default)]
    pub model: Params,
    /// The program that trains instead of mlloop.
    #[serde(default)]
    pub trainer: Option<TrainerSpec>,
    /// From scores to predictions.
    #[serde(default)]
    pub decision: Decision,
    /// How much work to spend on a good model.
    #[serde(default)]
    pub train: TrainRules,
    /// The criteria for drift and for retraining.
    #[serde(default)]
    pub monitor: DriftSettings,
    /// The training data of a challenger, and the minimum time between two.
    #[serde(default)]
    pub retrain: RetrainRules,
    /// The recipients of notices.
    #[serde(default)]
    pub notify: notify::NoticeSettings,
    /// The policy for conflicting labels.
    #[serde(default)]
    pub labels: LabelRules,
    /// The criteria for promoting a challenger.
    #[serde(default)]
    pub promote: PromoteRules,
    /// Where changes are also reported.
    #[serde(default)]
    pub track: TrackRules,
}

impl Config {
    /// Parses a `mlloop.toml`.
    ///
    /// # Errors
    /// The error, with line and column.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut config: Self = toml::from_str(text).map_err(|err| {
            let said = place(text, &err);
            let next = mended(text, &said).unwrap_or_default();
            said + &next
        })?;
        config.watch()?;
        config.check_target()?;
        if is_address(&config.data.reference) {
            return Err("[data] reference must be a file, because the training rows of versions must not change: \
                        `mlloop download ADDRESS` makes one"
                .to_owned());
        }
        if !config.data.delimiter.is_ascii() {
            return Err("[data] delimiter must be one ASCII character".to_owned());
        }
        let ids: Vec<&str> = config.columns.iter().filter(|c| c.kind == Kind::Id).map(|c| c.name.as_str()).collect();
        if ids.len() > 1 {
            return Err(format!("[columns] has several ids ({}): keep one, make the others text", ids.join(", ")));
        }
        for column in &config.columns {
            if let Some(number) = &column.number {
                number.check().map_err(|what| format!("[columns] {:?}: {what}", column.name))?;
                if !matches!(column.kind, Kind::Number | Kind::Id) {
                    return Err(format!(
                        "[columns] {:?} has a number format, but is neither a number nor an id",
                        column.name
                    ));
                }
            }
        }
        let columns: Vec<(&str, Kind)> = config.columns.iter().map(|c| (c.name.as_str(), c.kind)).collect();
        derive::check(&config.features.derived, &columns, &config.target.column)?;
        config.target.check(&columns, &config.features)?;
        config.check_limits(&columns)?;
        if let Some(weight) = &config.data.weight {
            check_weight(weight, &columns, &config.target.column, (&config.features, &config.decision))?;
        }
        config.split.shares()?;
        let numbers = config.columns.iter().filter(|c| c.kind == Kind::Number).map(|c| c.name.as_str());
        config.split.check_parts(&numbers.collect::<Vec<_>>())?;
        config.monitor.check(&config.columns.iter().map(|c| c.name.as_str()).collect::<Vec<_>>())?;
        config.train.search.check()?;
        config.labels.check()?;
        config.retrain.check()?;
        config.trainer.as_ref().map_or(Ok(()), TrainerSpec::check)?;
        config.notify.check()?;
        config.promote.check()?;
        config.track.check()?;
        Ok(config)
    }

    /// Whether the target is a column that can be predicted.
    fn check_target(&self) -> Result<(), String> {
        let target = &self.target.column;
        match self.columns.iter().find(|c| c.name == *target) {
            None => Err(format!(
                "[target] column = {target:?} is not in [columns]{}",
                instead(target, self.columns.iter().map(|c| c.name.as_str()))
            )),
            Some(c) if matches!(c.kind, Kind::Ignore | Kind::Id | Kind::Time | Kind::Text) => {
                Err(format!("the target {target:?} must have the type number or category in [columns]"))
            }
            Some(_) => Ok(()),
        }
    }

    /// Reads monitored columns that the model does not use: their kind is that in `[monitor.watch]`, and they are not
    /// features. Also reads the column in `[monitor] entity`.
    fn watch(&mut self) -> Result<(), String> {
        let entity = self.monitor.entity.as_deref();
        let ignored = self.columns.iter_mut().find(|c| Some(c.name.as_str()) == entity && c.kind == Kind::Ignore);
        if let Some(column) = ignored {
            *column = ColumnSpec::new(column.name.clone(), Kind::Text);
            self.features.drop.push(column.name.clone());
        }
        for watched in &self.monitor.watch {
            let name = &watched.name;
            let wrong = |what: String| Err(format!("[monitor.watch] {name:?} {what}"));
            if *name == self.target.column {
                return wrong("is the target, which is always monitored".to_owned());
            }
            let names = self.columns.iter().map(|column| column.name.clone()).collect::<Vec<_>>();
            let Some(column) = self.columns.iter_mut().find(|column| column.name == *name) else {
                let there = instead(name, names.iter().map(String::as_str));
                return wrong(format!("is not in [columns]{there}"));
            };
            if column.kind == Kind::Ignore {
                *column = watched.clone();
                self.features.drop.push(name.clone());
            } else if column.kind != watched.kind {
                return wrong(format!("is {:?}, but {:?} in [columns]", watched.kind.name(), column.kind.name()));
            }
        }
        Ok(())
    }

    /// Checks that the limits on trees in `[model]` name features of this loop.
    fn check_limits(&self, columns: &[(&str, Kind)]) -> Result<(), String> {
        let derived = derive::kinds(&self.features.derived, columns, &self.target.column);
        let all: Vec<(&str, Kind)> =
            columns.iter().copied().chain(derived.iter().map(|(name, kind)| (name.as_str(), *kind))).collect();
        self.model.check_limits(Named {
            columns: &all,
            target: &self.target.column,
            drop: &self.recipe().features.drop,
        })?;
        match self.target.task {
            Some(task) if !self.model.monotone.is_empty() => {
                self.model.check(task).map(|_| ()).map_err(|err| format!("[model] {err}"))
            }
            _ => Ok(()),
        }
    }

    /// How the loop's tables are written and typed.
    #[must_use]
    pub fn schema(&self) -> Schema {
        let DataSpec { delimiter, header, missing, skip_lines, comment, .. } = &self.data;
        Schema {
            dialect: Dialect {
                delimiter: *delimiter,
                header: *header,
                missing: missing.clone(),
                skip_lines: *skip_lines,
                comment: *comment,
            },
            columns: self.columns.clone(),
        }
    }

    /// Reads the reference with the options of the command line, if given.
    pub fn read_by(&mut self, options: &TableOptions) {
        let Dialect { delimiter, skip_lines, comment, .. } = options.dialect(&self.schema().dialect);
        (self.data.delimiter, self.data.skip_lines, self.data.comment) = (delimiter, skip_lines, comment);
    }

    /// The column that identifies a row's entity, for tables with several rows of one entity.
    #[must_use]
    pub fn entity(&self) -> Option<&str> {
        self.monitor.entity.as_deref().or(self.split.key())
    }

    /// The settings that determine training.
    #[must_use]
    pub fn recipe(&self) -> Recipe {
        let mut features = self.features.clone();
        features.drop.extend(self.data.weight.iter().filter(|name| !self.features.drop.contains(name)).cloned());
        Recipe {
            target: self.target.clone(),
            split: self.split.clone(),
            features,
            model: self.model.clone(),
            decision: self.decision.clone(),
            quality: self.train.quality,
            search: self.train.search,
            weight: self.data.weight.clone(),
        }
    }
}

/// The error that remains if a line is corrected as its error `said` suggests: `line 2: a text needs quotes: a = "b"`.
fn mended(text: &str, said: &str) -> Option<String> {
    let (at, better) = said.strip_prefix("line ")?.split_once(": a text needs quotes: ")?;
    let line = at.parse::<usize>().ok()?.checked_sub(1)?;
    let lines: Vec<&str> = text.lines().enumerate().map(|(at, own)| if at == line { better } else { own }).collect();
    let text = lines.join("\n");
    let next = place(&text, &toml::from_str::<Config>(&text).err()?);
    Some(format!("; and {}", next.strip_prefix(&format!("line {at}: "))?))
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
