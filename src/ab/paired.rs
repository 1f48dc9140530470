//! Shadow experiments: all arms scored the same rows, so differences are computed row by row.

use super::estimate::Estimate;
use super::experiment::{Experiment, Goal, Measure};
use super::exposed::Settled;
use super::law::{self, Law};
use super::report::{
    AbReport, AnalysisSettings, Answer, ArmFacts, ArmOutcome, Comparison, Effect, FixedTest, Look, OutcomeReport,
    PairedReport, Srm, SrmState,
};
use super::sequential::{Sequential, is_enough, n_to_enough};
use super::units::Outcome;
use super::{AbError, family, verdict};
use crate::features::{Target, Task};
use crate::score::paired::{delong, mcnemar};
use crate::stats::bivariate::Bivariate;
use crate::stats::sequence::Sequence;
use crate::stats::shape::{self, Shape};
use crate::stats::tails;

/// Number of looks drawn.
const N_LOOKS: usize = 48;

/// The report on a shadow experiment, without the facts of the experiment.
pub(super) fn analyse(
    found: &Settled,
    experiment: &Experiment,
    settings: &AnalysisSettings,
    now: jiff::Timestamp,
) -> AbReport {
    let mut measures = vec![(experiment.metric.measure, experiment.metric.goal)];
    for rail in experiment.guardrails.iter().map(|rail| (rail.measure, rail.goal)) {
        if !measures.contains(&rail) {
            measures.push(rail);
        }
    }
    let rows = Rows { found, experiment, settings, complete: complete(found, experiment) };
    let outcomes: Vec<OutcomeReport> =
        measures.into_iter().enumerate().map(|(i, (measure, goal))| rows.outcome(measure, goal, i == 0)).collect();
    // No unit is assigned to an arm, so there is no sample ratio to check.
    let srm = Srm { statistic: 0.0, freedom: 0.0, p: 1.0, p_always: 1.0, state: SrmState::Ok };
    let n = rows.complete.len() as u64;
    let arm = |(i, arm): (usize, &super::Arm)| ArmFacts {
        name: arm.name.clone(),
        control: i == 0,
        version: Some(arm.version.to_string()),
        n_units: n,
        n_expected: n as f64,
        share: 1.0,
    };
    AbReport {
        format: 1,
        mlloop: env!("CARGO_PKG_VERSION").to_owned(),
        made_at: now,
        verdict: verdict::overall(&srm, false, &outcomes),
        source: found.source(experiment),
        srm,
        arms: experiment.arms.iter().enumerate().map(arm).collect(),
        outcomes,
        experiment: None,
        guardrails: Vec::new(),
        models: Vec::new(),
        paired: Vec::new(),
        settings: *settings,
        notes: vec!["a shadow experiment: all arms scored the same rows, which are compared row by row".to_owned()],
    }
}

/// The rows scored by every arm.
fn complete(found: &Settled, experiment: &Experiment) -> Vec<usize> {
    let scored = |unit: &usize| (0..experiment.arms.len()).all(|arm| found.predicted(*unit, arm).is_some());
    (0..found.n()).filter(scored).collect()
}

struct Rows<'a> {
    found: &'a Settled,
    experiment: &'a Experiment,
    settings: &'a AnalysisSettings,
    complete: Vec<usize>,
}

impl Rows<'_> {
    fn value(&self, measure: Measure, unit: usize, arm: usize) -> f64 {
        self.found.predicted(unit, arm).map_or(f64::NAN, |predicted| measure.of(predicted, self.found.y[unit]))
    }

    fn outcome(&self, measure: Measure, goal: Goal, primary: bool) -> OutcomeReport {
        let n_arms = self.experiment.arms.len();
        let known: Vec<usize> =
            self.complete.iter().copied().filter(|&u| !self.value(measure, u, 0).is_nan()).collect();
        let planned = self.settings.planned_n.map_or(known.len() as f64, |n| n as f64).max(1.0);
        let sequence = Sequence::tuned(self.settings.alpha, planned).shared_by(n_arms - 1);
        let sequential = Sequential { sequence, bounded: false };
        let shapes: Vec<Option<OfGaps>> = (1..n_arms).map(|arm| self.shape(measure, arm, &known)).collect();
        let y = known.iter().map(|&unit| self.value(measure, unit, 0)).collect();
        let outcome = Outcome::new(measure.name(), goal, y);
        let mut gaps = vec![Bivariate::default(); n_arms - 1];
        let (n_looks, mut done, mut looks) = (N_LOOKS.min(known.len()), 0, Vec::new());
        for look in 1..=n_looks {
            let end = known.len() * look / n_looks;
            for &unit in &known[done..end] {
                let first = self.value(measure, unit, 0);
                gaps.iter_mut().zip(1..).for_each(|(gap, arm)| gap.push(self.value(measure, unit, arm) - first, 1.0));
            }
            done = end;
            let at = jiff::Timestamp::from_microsecond(self.found.at(known[end - 1])).ok();
            let effects = gaps.iter().zip(&shapes).map(|(gap, shape)| effect(gap, *shape, sequential)).collect();
            looks.push(Look { n: end as u64, at: at.map(|at| at.to_string()), effects });
        }
        let mut comparisons: Vec<Comparison> =
            (1..n_arms).map(|arm| self.comparison(arm, &gaps[arm - 1], shapes[arm - 1], sequential)).collect();
        family::adjust(&mut comparisons);
        let arms: Vec<ArmOutcome> = (0..n_arms).map(|arm| self.arm(measure, arm, &known)).collect();
        // Each row is in all arms, but counts as one unit of the plan.
        let one = &arms[..1];
        let mut verdict = verdict::of(
            &outcome,
            &arms,
            &comparisons,
            &AnalysisSettings { planned_n: None, ..*self.settings },
            known.len() as u64,
        );
        if verdict.answer != Answer::Winner {
            verdict = verdict::of(&outcome, one, &comparisons, self.settings, known.len() as u64);
        }
        let name = measure.name().to_owned();
        OutcomeReport {
            untold: None,
            name,
            primary,
            kind: outcome.kind,
            goal,
            verdict,
            arms,
            comparisons,
            all_arms: None,
            cuped: None,
            looks,
        }
    }

    fn arm(&self, measure: Measure, arm: usize, known: &[usize]) -> ArmOutcome {
        let mut all = Bivariate::default();
        known.iter().for_each(|&unit| all.push(self.value(measure, unit, arm), 1.0));
        ArmOutcome {
            name: self.experiment.arms[arm].name.clone(),
            n: known.len() as u64,
            n_missing: (self.complete.len() - known.len()) as u64,
            sum: all.sum(),
            mean: if known.is_empty() { f64::NAN } else { all.mean() },
            error: all.ratio_variance().sqrt(),
        }
    }

    /// The distribution of the differences between an arm and the first; `None` if they are all equal.
    fn shape(&self, measure: Measure, arm: usize, known: &[usize]) -> Option<OfGaps> {
        let gap = |&unit: &usize| self.value(measure, unit, arm) - self.value(measure, unit, 0);
        let gaps: Vec<f64> = known.iter().map(gap).collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len().max(1) as f64;
        let residuals: Vec<f64> = gaps.iter().map(|gap| gap - mean).collect();
        let (skewness, kurtosis) = shape::of_residuals(&residuals)?;
        Some(OfGaps { skewness, kurtosis, law: Law::of(&residuals, gaps) })
    }

    fn comparison(&self, arm: usize, gap: &Bivariate, shape: Option<OfGaps>, sequential: Sequential) -> Comparison {
        let names = &self.experiment.arms;
        let found = estimate(gap, shape);
        let always = sequential.of(&found, None);
        let (z, freedom) = (found.z(), found.n - 1.0);
        let single = tails::student_above(self.settings.alpha, freedom) * found.error;
        Comparison {
            arm: names[arm].name.clone(),
            against: names[0].name.clone(),
            n: found.n as u64,
            difference: found.difference,
            error: found.error,
            low: always.low,
            high: always.high,
            p: always.p,
            p_holm: 1.0,
            lift: None,
            fixed: FixedTest {
                test: "paired_t".to_owned(),
                statistic: Some(z).filter(|z| z.is_finite()),
                freedom: (freedom > 0.0).then_some(freedom),
                p: Some(tails::student(z, freedom)).filter(|p| p.is_finite()),
                p_holm: None,
                interval: single.is_finite().then_some((found.difference - single, found.difference + single)),
            },
            enough: is_enough(&found),
            n_to_enough: n_to_enough(&found),
            n_to_exclude_zero: sequential.n_to_exclude_zero(&found),
        }
    }
}

/// The distribution of single differences.
#[derive(Debug, Clone, Copy)]
struct OfGaps {
    skewness: f64,
    kurtosis: f64,
    law: Law,
}

/// The estimate from the mean of differences; `shape` is that of single differences.
fn estimate(gap: &Bivariate, shape: Option<OfGaps>) -> Estimate {
    let (n, error) = (gap.n(), gap.ratio_variance().sqrt());
    let of_mean = |of: OfGaps| {
        let skewness = of.skewness / n.sqrt();
        Shape { skewness, kurtosis: (of.kurtosis - 3.0) / n, lean: skewness }
    };
    Estimate {
        difference: gap.mean(),
        error,
        own_error: error,
        shape: shape.map_or(Shape::UNKNOWN, of_mean),
        n,
        start: law::start([n], [shape.as_ref().map(|of| &of.law)]),
        means: [f64::NAN; 2],
        errors: [f64::NAN; 2],
    }
}

fn effect(gap: &Bivariate, shape: Option<OfGaps>, sequential: Sequential) -> Option<Effect> {
    let always = sequential.of(&estimate(gap, shape), None);
    let known = always.low.is_finite() && always.high.is_finite();
    known.then(|| Effect { difference: gap.mean(), low: always.low, high: always.high })
}

/// McNemar's and DeLong's tests of each arm against the first.
pub(super) fn tests(found: &Settled, experiment: &Experiment, target: &Target) -> Result<Vec<PairedReport>, AbError> {
    let rows: Vec<usize> = complete(found, experiment).into_iter().filter(|&unit| !found.y[unit].is_nan()).collect();
    let of = |arm: usize| rows.iter().filter_map(move |&unit| found.predicted(unit, arm));
    let positive: Vec<bool> = rows.iter().map(|&unit| found.y[unit] == 1.0).collect();
    let both = positive.iter().filter(|y| **y).count().min(positive.iter().filter(|y| !**y).count());
    let right = |arm: usize| of(arm).zip(&rows).map(|(p, &unit)| p.value == found.y[unit]).collect::<Vec<bool>>();
    let scores = |arm: usize| of(arm).map(|p| p.score).collect::<Vec<f64>>();
    let test = |arm: usize| {
        let delong = match target.task == Task::Binary && both >= 2 {
            true => Some(delong(&positive, &scores(0), &scores(arm))?),
            false => None,
        };
        let mcnemar = if target.task == Task::Regression { None } else { Some(mcnemar(&right(0), &right(arm))?) };
        Ok(PairedReport {
            arm: experiment.arms[arm].name.clone(),
            against: experiment.arms[0].name.clone(),
            n: rows.len() as u64,
            mcnemar,
            delong,
        })
    };
    (1..experiment.arms.len()).map(test).collect()
}
