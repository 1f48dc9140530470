//! Assembles the report from both profiles and the sampled scores.

use super::arrive::Arrived;
use super::form::{self, ABSENT, MISFIT_SHARE};
use super::reference::Reference;
use super::served::Served;
use super::watch::{Production, Watch};
use super::{MonitorError, Monitored, days};
use crate::drift::report::{
    AgainstTraining, Chunk, ChunkColumn, ColumnReport, ColumnVerdict, DriftReport, Side, Trigger,
};
use crate::drift::settings::{Count, DriftSettings, Preset};
use crate::drift::triggers::{Evidence, Volume, triggers};
use crate::drift::{
    ColumnPair, PairValues, compare, compare_score, compare_target, corrected_first, drift_share, verdict,
};
use crate::features::Task;
use crate::journal::Outcomes;
use crate::profile::{Limits, Profile, ProfileBuilder};
use crate::reference::{FROM_CURRENT, Plan};
use crate::registry::RegistryError;
use crate::score::Metric;
use crate::table::{Column, ColumnSpec, Kind, Table, Values};
use crate::wording::list;
use std::path::Path;

impl Watch<'_> {
    pub(super) fn report(
        &self,
        compared_with: &Reference,
        arrived: &Arrived,
        current_side: Side,
        outcomes: &Outcomes,
    ) -> Result<Monitored, MonitorError> {
        let Self { request, settings, production, .. } = self;
        let reference = &compared_with.profile;
        let pairs = self.pairs(reference, &arrived.profile, arrived);
        let columns = compare(&pairs, settings, request.seed);
        let n_rows = arrived.profile.n_rows;
        let share = drift_share(&columns, settings);
        let served = self.served(outcomes)?;
        let at_gate = self.gate_scores(arrived)?;
        let score = self.score(arrived, at_gate.as_ref())?;
        let mut notes = self.notes(compared_with, arrived, served.as_ref());
        let (known, n_learned) = self.performance(arrived, served.as_ref(), &mut notes)?;
        let alarm = self.alarm(arrived, served.as_ref().map_or(&[], |served| &served.seen))?;
        let (alarm, kept) = alarm.map_or((None, None), |(alarm, kept)| (Some(alarm), kept));
        let tells_apart = self.multivariate(compared_with, arrived, &mut notes)?;
        let (unfit, otherwise) = (self.unfit(arrived, &columns), self.otherwise());
        let found = Evidence {
            score: score.as_ref(),
            multivariate: tells_apart.as_ref(),
            unfit: &unfit,
            otherwise: &otherwise,
            performance: known.as_ref(),
            n_learned,
            alarm: alarm.as_ref(),
            ..Evidence::of(&share, &columns)
        };
        let triggers = self.reasons(&found, n_rows, &mut notes)?;
        let history = self.history(reference, arrived);
        let target = self.target(reference, arrived);
        let target_drifted = target.as_ref().is_some_and(|target| target.verdict == ColumnVerdict::Drifted);
        let verdict = verdict(&share, &columns, &triggers, target_drifted, (n_rows, arrived.rejects.count));
        let mut findings = self.findings(&pairs, &columns, arrived)?;
        findings.extend(form::onsets(&history));
        let report = DriftReport {
            format: 1,
            mlloop: env!("CARGO_PKG_VERSION").to_owned(),
            made_at: request.now,
            predicts: self.config.as_ref().map(|c| c.target.column.clone()).unwrap_or_default(),
            version: production.as_ref().map(|p| p.version.to_string()),
            reference: compared_with.side.clone(),
            current: current_side,
            verdict: corrected_first(verdict, &triggers, &otherwise, unfit.len()),
            share,
            target,
            score,
            findings,
            multivariate: tells_apart,
            performance: known,
            alarm,
            estimate: self.estimate(arrived, at_gate.as_ref())?,
            triggers,
            history,
            settings: effective(settings),
            notes,
            against_training: self.against_training(compared_with, arrived)?,
            columns,
        };
        let (rejects, reference_rejects) = (arrived.rejects.clone(), compared_with.rejects.clone());
        Ok(Monitored { report, kept, rejects, reference_rejects })
    }

    /// The triggers, from what was `found` and from the state of the workspace.
    fn reasons(
        &self,
        found: &Evidence<'_>,
        n_rows: u64,
        notes: &mut Vec<String>,
    ) -> Result<Vec<Trigger>, MonitorError> {
        let Self { request, settings, production, .. } = self;
        let learnable = self.learnable()?;
        notes.extend(learnable.iter().flat_map(Plan::about_ids));
        notes.extend(learnable.as_ref().and_then(|plan| self.only_there(plan)));
        let volume = match (settings.triggers.count, &learnable) {
            _ if self.config.is_none() => None,
            (Count::All, _) => Some(Volume::All(self.n_since_retrain(n_rows)?)),
            (Count::Labelled, Some(plan)) => Some(Volume::Labelled(plan.n_new)),
            (Count::Labelled, None) => Some(Volume::NoVersion),
        };
        let evidence = Evidence {
            volume,
            n_feedback: learnable.as_ref().map(|plan| plan.n_new_by_people),
            judged: self.judged()?,
            gate_accuracy: production.as_ref().and_then(|p| p.metrics()?.get(Metric::Accuracy)?.low),
            primary: production.as_ref().and_then(|p| p.gate.as_ref()).map(|gate| gate.primary),
            age_days: production.as_ref().map(|p| days(p.manifest.trained_at, request.now)),
            force: request.force,
            ..*found
        };
        Ok(triggers(&evidence, settings))
    }

    /// A note that a retrain finds the new rows only if it is given the same table as this monitor run.
    fn only_there(&self, plan: &Plan) -> Option<String> {
        let table = self.request.current?.path();
        let n = plan.features_from.get(FROM_CURRENT).copied().filter(|_| plan.n_new > 0)?;
        let real = |path: &Path| path.canonicalize().ok();
        (real(table) != real(&self.workspace.path(&self.settings.current))).then(|| {
            let file = table.display();
            format!(
                "the features of {n} labelled rows are only in {file}: to train on them, run `mlloop retrain {file}`"
            )
        })
    }

    /// Every number, category and time except the target, if both sides have it. Times only if production reads them or
    /// they are monitored on request; other presets do not support times.
    fn pairs(&self, reference: &Profile, current: &Profile, arrived: &Arrived) -> Vec<ColumnPair> {
        let target = self.config.as_ref().map_or("", |config| config.target.column.as_str());
        let judged = |column: &ColumnSpec| match column.kind {
            Kind::Number | Kind::Category | Kind::Constant => true,
            Kind::Time => {
                self.settings.preset == Preset::Default && (self.reads(&column.name) || self.watches(&column.name))
            }
            Kind::Id | Kind::Text | Kind::Ignore => false,
        };
        // The inputs of the target are known once the outcome is: in new rows they are mostly missing.
        let outcome = self.config.as_ref().map(|config| config.target.reads(&self.schema)).unwrap_or_default();
        let is_outcome = |c: &ColumnSpec| outcome.contains(&c.name) && !self.reads(&c.name);
        let is_feature =
            |c: &ColumnSpec| c.name != target && self.weight() != Some(&c.name) && self.entity() != Some(&c.name);
        let columns = self.profiled_schema.columns.iter().filter(|c| judged(c) && is_feature(c) && !is_outcome(c));
        let pair = |c: &ColumnSpec| {
            let unfit = self.misfit(&c.name, arrived).filter(|(share, _)| *share > MISFIT_SHARE).map(|(_, text)| text);
            let absent = arrived.absent.contains(&c.name).then(|| ABSENT.to_owned());
            let (reference, of_gate) = self.text_reference(&c.name, reference);
            let not_read = !of_gate && !self.reads(&c.name);
            Some(ColumnPair { unfit: unfit.or(absent), not_read, of_gate, ..self.pair(reference, current, &c.name)? })
        };
        columns.filter_map(pair).collect()
    }

    /// Whether scores depend on a column; without production this is unknown, so every column counts.
    pub(super) fn reads(&self, name: &str) -> bool {
        let reads = |p: &Production| {
            let features = &p.pipeline.features;
            features.inputs().any(|(column, _)| column == name) || features.columns().any(|column| column == name)
        };
        self.production.as_ref().is_none_or(reads)
    }

    /// Whether `[monitor.watch]` names a column.
    fn watches(&self, name: &str) -> bool {
        self.settings.watch.iter().any(|column| column.name == name)
    }

    /// Columns to be monitored that the reference lacks: production was trained before they were configured.
    fn unwatched(&self, reference: &Reference) -> Option<String> {
        let absent = |column: &&ColumnSpec| reference.profile.column(&column.name).is_none();
        let names: Vec<&str> = self.settings.watch.iter().filter(absent).map(|column| column.name.as_str()).collect();
        let why = match reference.is_training {
            true => {
                "production was trained before they were listed: available from the next version on, or at once \
                     with --reference FILE"
            }
            false => "the reference does not have them",
        };
        (!names.is_empty()).then(|| format!("not watched yet: {} ({why})", list(names)))
    }

    fn pair(&self, reference: &Profile, current: &Profile, name: &str) -> Option<ColumnPair> {
        let mut pair = ColumnPair::of(name, reference, current)?;
        pair.worth = self.worth(name, reference, current);
        if let PairValues::Time { present, then, .. } = &mut pair.values {
            *present = Some(self.request.now.as_microsecond());
            let trained_at = self.production.as_ref().map(|production| production.manifest.trained_at);
            *then = Some(trained_at.unwrap_or(self.request.now).as_microsecond());
        }
        let mut importance = self.production.iter().flat_map(|production| &production.manifest.importance);
        let text = self.production.as_ref().and_then(|production| production.pipeline.text_of(name));
        pair.importance = importance.find(|entry| entry.column == text.unwrap_or(name)).map(|entry| entry.gain);
        Some(pair)
    }

    /// Whether the column is a monitored feature of texts, which is compared with the gate rows: the vocabulary comes
    /// from the training rows.
    fn text_reference<'p>(&'p self, name: &str, reference: &'p Profile) -> (&'p Profile, bool) {
        let of_gate = self.production.as_ref().and_then(|production| production.texts.as_ref());
        match of_gate {
            Some(of_gate) if reference.column(name).is_none() => (of_gate, true),
            _ => (reference, false),
        }
    }

    fn target(&self, reference: &Profile, arrived: &Arrived) -> Option<ColumnReport> {
        let name = &self.config.as_ref()?.target.column;
        let pair = self.pair(reference, &arrived.profile, name)?;
        let is_number = self.production.as_ref().is_none_or(|at| at.pipeline.target.task == Task::Regression);
        let mut pair = if is_number { pair } else { pair.as_classes() };
        let (n, n_missing) = (pair.n_rows().1, pair.n_missing.1);
        // Unknown values are not outcomes.
        pair.n_missing = (0, 0);
        (n > n_missing).then(|| compare_target(&pair, &self.settings, self.request.seed))
    }

    /// Compares the scores of the sampled rows with those of the gate rows.
    fn score(&self, arrived: &Arrived, at_gate: Option<&Profile>) -> Result<Option<ColumnReport>, MonitorError> {
        let Some((stored, column)) = at_gate.and_then(|stored| Some((stored, stored.columns.first()?))) else {
            return Ok(None);
        };
        let values = arrived.sample.rows().iter().map(|row| row.scores[0]).collect();
        let current = Table::new(vec![Column::new(&column.name, Values::Number(values))])?;
        let entity = arrived.profile.entities.as_ref().map(|entities| entities.column.as_str());
        let about: Vec<Option<u64>> = arrived.sample.rows().iter().map(|row| row.about).collect();
        let mut profile = ProfileBuilder::of_table(&current, Limits::default()).by_entity(entity);
        profile.push_about(&current, Some(&about))?;
        let now = profile.finish();
        let pair = ColumnPair::of(&column.name, stored, &now);
        let pair = pair.map(|pair| ColumnPair { worth: self.worth(&column.name, stored, &now), of_gate: true, ..pair });
        Ok(pair.map(|pair| compare_score(&pair, &self.settings, self.request.seed)))
    }

    /// The profile of production's scores on its gate rows, if there are current scores to compare with it.
    fn gate_scores(&self, arrived: &Arrived) -> Result<Option<Profile>, MonitorError> {
        let Some(production) = self.production.as_ref().filter(|_| !arrived.sample.rows().is_empty()) else {
            return Ok(None);
        };
        match self.workspace.registry().score_profile(production.version) {
            // An older version without stored scores; any other error is reported.
            Err(RegistryError::NoProfile { .. }) => Ok(None),
            stored => Ok(Some(stored?)),
        }
    }

    /// A rolling reference hides slow changes, so the training rows are always compared as well.
    fn against_training(
        &self,
        compared_with: &Reference,
        arrived: &Arrived,
    ) -> Result<Option<AgainstTraining>, MonitorError> {
        let Some(training) = self.training()?.filter(|_| !compared_with.is_training) else { return Ok(None) };
        let columns =
            compare(&self.pairs(&training.profile, &arrived.profile, arrived), &self.settings, self.request.seed);
        let share = drift_share(&columns, &self.settings);
        Ok(Some(AgainstTraining {
            reference: training.side,
            share,
            columns: columns.iter().map(chunk_column).collect(),
        }))
    }

    fn history(&self, reference: &Profile, arrived: &Arrived) -> Vec<Chunk> {
        let chunk = |(name, profile): &(String, Profile)| {
            let columns = compare(&self.pairs(reference, profile, arrived), &self.settings, self.request.seed);
            let mut cells: Vec<ChunkColumn> = columns.iter().map(chunk_column).collect();
            cells.sort_by(|a, b| a.name.cmp(&b.name));
            let share = drift_share(&columns, &self.settings).deciding();
            let reason = share.is_none().then(|| unjudged(&columns, profile.n_rows));
            Chunk { name: name.clone(), n_rows: profile.n_rows, share, reason, columns: cells }
        };
        arrived.pieces.iter().map(chunk).collect()
    }

    fn notes(&self, reference: &Reference, arrived: &Arrived, served: Option<&Served>) -> Vec<String> {
        let mut notes = Vec::new();
        if let Some(served) = served.filter(|served| !served.known.y.is_empty()) {
            notes.push(served.note());
            let is_logged = served.known.about.iter().any(Option::is_some);
            if let Some(column) = self.entity().filter(|_| !is_logged) {
                notes.push(format!(
                    "the prediction log does not contain {column:?}, so each logged outcome counts as independent"
                ));
            }
        }
        if arrived.n_repeated > 0 {
            notes.push(format!(
                "{} rows have the id of another row in the table: scores and performance use the last row of each id",
                arrived.n_repeated
            ));
        }
        notes.extend(self.about_entities(reference, arrived));
        if !arrived.sample.is_whole() {
            let n = arrived.sample.rows().len();
            notes.push(format!("score drift and performance are measured on a random sample of {n} rows"));
        }
        notes.extend(self.unwatched(reference));
        notes.extend(arrived.left_out.iter().cloned());
        if !arrived.absent.is_empty() {
            let absent = list(arrived.absent.iter().map(String::as_str));
            notes.push(format!("no row is scored: production needs {absent}, which the table does not have"));
        }
        for (rejects, of) in [(&arrived.rejects, ""), (&reference.rejects, " of the reference")] {
            match rejects.count {
                0 => {}
                1 => notes.push(format!("1 row{of} was left out")),
                n => notes.push(format!("{n} rows{of} were left out")),
            }
        }
        notes
    }
}

/// Why no column of a piece could be judged: too few rows, or the reason for the first column.
fn unjudged(columns: &[ColumnReport], n_rows: u64) -> String {
    let too_few = |column: &&ColumnReport| matches!(column.verdict, ColumnVerdict::TooFewRows { .. });
    let at = columns.iter().find(too_few).or(columns.first());
    match at.map(|column| &column.verdict) {
        Some(ColumnVerdict::TooFewRows { need }) => match at.and_then(ColumnReport::few) {
            Some(few) if few.n_rows.0 < few.need => few.told(),
            _ => format!("{n_rows} rows, {need} are needed"),
        },
        Some(ColumnVerdict::CannotTell { reason }) => reason.clone(),
        _ => "there is no column to compare".to_owned(),
    }
}

fn chunk_column(column: &ColumnReport) -> ChunkColumn {
    let drifted = match column.verdict {
        ColumnVerdict::Drifted => Some(true),
        ColumnVerdict::Stable => Some(false),
        _ => None,
    };
    ChunkColumn { name: column.name.clone(), statistic: column.statistic, drifted }
}

/// The settings, with unset values filled in from the preset.
fn effective(settings: &DriftSettings) -> serde_json::Value {
    let set = DriftSettings {
        drift_share: Some(settings.share_threshold()),
        psi: if settings.preset == Preset::Psi { Some(settings.psi_threshold()) } else { settings.psi },
        ..settings.clone()
    };
    serde_json::json!(set)
}
