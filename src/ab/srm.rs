//! The sample ratio: whether units are distributed over the arms as assigned.

use super::report::{AnalysisSettings, ArmFacts, Srm, SrmState};
use super::units::Units;
use crate::stats::portable::Portable;
use crate::stats::{contrast, sequence, tails};

/// A p of a single look below this is a warning.
const SRM_WARNING: f64 = 0.01;
/// A p of a single look below this stops the report, if only one look is planned.
const SRM_STOP: f64 = 0.001;
/// An always-valid p below this stops the report: the probability that a correct assignment is ever stopped.
const SRM_STOP_ALWAYS: f64 = 0.01;
/// Compares units with the expected counts: χ² by stratum, summed, and its always-valid version.
pub(super) fn sample_ratio(units: &Units, settings: &AnalysisSettings) -> (Srm, Vec<ArmFacts>) {
    let counts = units.counts();
    let planned = settings.planned_n.map_or(units.n() as f64, |n| n as f64).max(1.0);
    let (mut statistic, mut freedom, mut evidence) = (0.0, 0.0, 0.0);
    let mut expected = vec![0.0; units.arms.len()];
    for (stratum, counts) in units.strata.iter().zip(&counts) {
        let n: f64 = counts.iter().sum();
        if n > 0.0 {
            let test = contrast::fit(counts, &stratum.shares);
            statistic += test.statistic;
            freedom += test.freedom.unwrap_or(0.0);
            evidence += sequence::ln_evidence_of_shares(counts, &stratum.shares, SRM_STOP_ALWAYS, planned);
        }
        expected.iter_mut().zip(&stratum.shares).for_each(|(all, share)| *all += n * share);
    }
    let p = if freedom > 0.0 { tails::chi_squared(statistic, freedom) } else { 1.0 };
    let p_always = (-evidence).exp_portable().min(1.0);
    let stops = if settings.fixed { p < SRM_STOP } else { p_always < SRM_STOP_ALWAYS };
    let state = match p {
        _ if stops => SrmState::Stop,
        p if p < SRM_WARNING => SrmState::Warning,
        _ => SrmState::Ok,
    };
    let arm = |(arm, name): (usize, &String)| {
        let n: f64 = counts.iter().map(|stratum| stratum[arm]).sum();
        ArmFacts {
            name: name.clone(),
            control: arm == 0,
            version: None,
            n_units: n as u64,
            n_expected: expected[arm],
            share: n / units.n().max(1) as f64,
        }
    };
    (Srm { statistic, freedom, p, p_always, state }, units.arms.iter().enumerate().map(arm).collect())
}
