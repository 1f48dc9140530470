//! Findings from answers: agreement, conflicts, suspect labels, and the accuracy of production.

use super::answer::Fault;
use super::batch::{Asked, Batch, Inbox, Stratum};
use super::confident::suspects;
use super::resolve::{ADJUDICATOR, resolve};
use super::sheet::{read, restore, write_list};
use super::store::{Label, Labels};
use super::{LabelError, SUSPECTS};
use crate::stats::agreement::{cohen_kappa, krippendorff_alpha};
use crate::stats::weighted::{self, Share};
use crate::workspace::LabelPolicy;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap, HashSet};

/// What answers show.
#[derive(Debug, Clone, Default, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Findings {
    /// Agreement of annotators; `None` if no row has two answers.
    pub agreement: Option<Agreement>,
    /// Rows with conflicting labels, those of earlier answers included.
    pub n_conflicts: u64,
    /// Suspect labels: production's scores contradict them.
    pub n_suspects: u64,
    /// Accuracy of production; `None` for numbers.
    pub accuracy: Option<Accuracy>,
}

/// Agreement of annotators beyond chance.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Agreement {
    /// Rows answered by two annotators or more.
    pub n_rows: u64,
    /// Krippendorff's α; `None` when nothing varies.
    pub alpha: Option<f64>,
    /// Cohen's κ of each pair that shares rows.
    pub pairs: Vec<Pair>,
}

/// Two annotators who answered the same rows.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Pair {
    /// Who.
    pub annotators: [String; 2],
    /// Rows that both answered.
    pub n_rows: u64,
    /// Cohen's κ; `None` when nothing varies.
    pub kappa: Option<f64>,
}

/// Accuracy of production on the answered rows.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Accuracy {
    /// Answered rows with one label.
    pub n: u64,
    /// Answered rows that are left out because production was trained on them.
    pub n_learned: u64,
    /// Over all candidates, each row weighted by 1/π. Unanswered rows are assumed to be like the answered ones, so π is
    /// the selection probability times the answered share.
    pub weighted: Share,
    /// Number of control rows among them.
    pub n_control: u64,
    /// Over the control rows only; `None` without any.
    pub control: Option<f64>,
    /// Without weights.
    pub unweighted: f64,
}

/// The input of the findings.
pub(super) struct Report<'a> {
    pub inbox: &'a Inbox<'a>,
    pub batches: &'a [&'a Batch],
    pub incoming: &'a [Label],
    pub faults: &'a [Fault],
    pub policy: LabelPolicy,
}

/// A label that looks wrong.
struct Doubt<'a> {
    label: &'a Label,
    likely: &'a str,
    margin: f64,
}

impl Report<'_> {
    /// Findings about the answers, given all current labels.
    ///
    /// # Errors
    /// If production's training data cannot be read.
    pub(super) fn findings(&self, labels: &Labels) -> Result<Findings, LabelError> {
        Ok(Findings {
            agreement: self.agreement(labels),
            n_conflicts: resolve(labels, self.policy).conflicts.len() as u64,
            n_suspects: self.doubts().len() as u64,
            accuracy: self.accuracy(labels)?,
        })
    }

    /// Every answer to these batches, including earlier imports.
    fn of_batches<'a>(&'a self, labels: &'a Labels) -> impl Iterator<Item = &'a Label> {
        let names: HashSet<&str> = self.batches.iter().map(|batch| batch.batch.as_str()).collect();
        labels.rows().iter().filter(move |label| label.teaches() && names.contains(label.batch.as_str()))
    }

    fn agreement(&self, labels: &Labels) -> Option<Agreement> {
        let mut codes: HashMap<&str, u32> = HashMap::new();
        let mut rows: BTreeMap<&str, BTreeMap<&str, u32>> = BTreeMap::new();
        for label in self.of_batches(labels).filter(|label| label.annotator != ADJUDICATOR) {
            let next = codes.len() as u32;
            let code = *codes.entry(&label.label).or_insert(next);
            rows.entry(&label.id).or_default().insert(&label.annotator, code);
        }
        rows.retain(|_, said| said.len() >= 2);
        if rows.is_empty() {
            return None;
        }
        let mut pairs: BTreeMap<[&str; 2], (Vec<u32>, Vec<u32>)> = BTreeMap::new();
        for said in rows.values() {
            for (n, (a, code_a)) in said.iter().enumerate() {
                for (b, code_b) in said.iter().skip(n + 1) {
                    let pair = pairs.entry([*a, *b]).or_default();
                    pair.0.push(*code_a);
                    pair.1.push(*code_b);
                }
            }
        }
        let finite = |value: f64| Some(value).filter(|value| value.is_finite());
        let units: Vec<Vec<u32>> = rows.values().map(|said| said.values().copied().collect()).collect();
        let pair = |(who, (a, b)): ([&str; 2], (Vec<u32>, Vec<u32>))| Pair {
            annotators: who.map(str::to_owned),
            n_rows: a.len() as u64,
            kappa: finite(cohen_kappa(&a, &b)),
        };
        Some(Agreement {
            n_rows: units.len() as u64,
            alpha: finite(krippendorff_alpha(&units)),
            pairs: pairs.into_iter().map(pair).collect(),
        })
    }

    /// The answers that production's scores contradict, strongest first.
    fn doubts(&self) -> Vec<Doubt<'_>> {
        let mut all = Vec::new();
        for batch in self.batches {
            let classes = &batch.target.classes;
            let rows: HashMap<&str, Vec<f64>> =
                batch.rows.iter().map(|row| (row.id.as_str(), row.class_scores(&batch.target))).collect();
            let mut taken: Vec<(&Label, usize, Vec<f64>)> = Vec::new();
            for label in
                self.incoming.iter().filter(|label| label.batch == batch.batch && label.annotator != ADJUDICATOR)
            {
                let class = classes.iter().position(|class| *class == label.label);
                if let (Some(class), Some(scores)) = (class, rows.get(label.id.as_str())) {
                    taken.push((label, class, scores.clone()));
                }
            }
            let said: Vec<usize> = taken.iter().map(|(_, class, _)| *class).collect();
            let scores: Vec<Vec<f64>> = taken.iter().map(|(_, _, scores)| scores.clone()).collect();
            let doubt =
                |s: super::Suspect| Doubt { label: taken[s.row].0, likely: &classes[s.likely], margin: s.margin };
            all.extend(suspects(&said, &scores, classes.len()).into_iter().map(doubt));
        }
        all
    }

    fn accuracy(&self, labels: &Labels) -> Result<Option<Accuracy>, LabelError> {
        let Some(batch) = self.batches.last().filter(|batch| !batch.target.classes.is_empty()) else {
            return Ok(None);
        };
        let learned = self.inbox.learned(batch.version)?.unwrap_or_default();
        let mut of_batch = Labels::default();
        of_batch.merge(
            self.incoming.iter().chain(labels.rows()).filter(|l| l.batch == batch.batch && l.teaches()).cloned(),
        );
        let resolved = resolve(&of_batch, self.policy);
        let said: HashMap<&str, &str> = resolved.agreed.iter().map(|row| (row.id, row.label)).collect();
        let answered = batch.rows.iter().filter(|row| said.contains_key(row.id.as_str()));
        let (known, fresh): (Vec<&Asked>, Vec<&Asked>) = answered.partition(|row| learned.has(&row.id));
        let answered_share = (known.len() + fresh.len()) as f64 / batch.rows.len().max(1) as f64;
        let rows: Vec<(f64, f64, Stratum)> = fresh
            .into_iter()
            .filter_map(|row| {
                let label = said.get(row.id.as_str())?;
                Some((f64::from(*label == row.prediction), row.select_prob, row.stratum))
            })
            .collect();
        if rows.is_empty() {
            return Ok(None);
        }
        let right: Vec<f64> = rows.iter().map(|row| row.0).collect();
        let control: Vec<f64> = rows.iter().filter(|row| row.2 == Stratum::Control).map(|row| row.0).collect();
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        Ok(Some(Accuracy {
            n: rows.len() as u64,
            n_learned: known.len() as u64,
            weighted: weighted::share(&right, &rows.iter().map(|row| row.1 * answered_share).collect::<Vec<_>>()),
            n_control: control.len() as u64,
            control: (!control.is_empty()).then(|| mean(&control)),
            unweighted: mean(&right),
        }))
    }

    /// Writes `rejected.csv` and `suspects.csv`.
    pub(super) fn write(&self) -> Result<(), LabelError> {
        self.write_rejected()?;
        let notation = self.inbox.notation()?;
        let doubt = |doubt: &Doubt| {
            let Label { id, batch, label, annotator, .. } = doubt.label;
            let margin = format!("{:.3}", doubt.margin);
            [id, batch, label, annotator, doubt.likely, &*notation.respelled(&margin)].map(str::to_owned).to_vec()
        };
        // A suspicion from an earlier import stays open until the row is answered again.
        let answered: HashSet<&str> = self.incoming.iter().map(|label| label.id.as_str()).collect();
        let earlier = self.listed(SUSPECTS)?.into_iter().filter(|row| !answered.contains(row[0].as_str()));
        let doubts: Vec<Vec<String>> = self.doubts().iter().map(doubt).chain(earlier).collect();
        write_list(self.inbox, SUSPECTS, &["id", "batch", "label", "annotator", "likely", "margin"], &doubts)
    }

    /// Writes `rejected.csv`.
    pub(super) fn write_rejected(&self) -> Result<(), LabelError> {
        let fault = |fault: &Fault| {
            let Fault { place, column, value, what } = fault;
            vec![place.to_string(), column.clone(), value.clone(), what.clone()]
        };
        let rows: Vec<Vec<String>> = self.faults.iter().map(fault).collect();
        write_list(self.inbox, "rejected.csv", &["place", "column", "value", "reason"], &rows)
    }

    /// The lines of a list in the inbox, as passed to [`write_list`].
    fn listed(&self, name: &str) -> Result<Vec<Vec<String>>, LabelError> {
        let path = self.inbox.path(name);
        if !path.exists() {
            return Ok(Vec::new());
        }
        let lines = read(&path)?.into_iter().skip(1);
        Ok(lines.map(|line| line.iter().map(|cell| restore(cell).to_owned()).collect()).collect())
    }
}
