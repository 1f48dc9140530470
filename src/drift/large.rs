//! Decides whether a change is large, in addition to significant.

use super::settings::DriftSettings;
use crate::stats::portable::Portable;
use crate::stats::{psi, shares};

/// The limits from which a change is large.
#[derive(Debug, Clone, Copy)]
pub struct Large {
    /// In units of Cohen's h.
    effect: f64,
    /// As a PSI instead, if set.
    psi: Option<f64>,
    /// A share that changed by this factor is large as well.
    factor: Option<f64>,
}

impl Large {
    pub(super) fn of(settings: &DriftSettings, factor: Option<f64>) -> Self {
        Self { effect: settings.effect, psi: settings.psi, factor }
    }

    /// Whether counts in the same cells are far apart.
    pub(super) fn is(&self, reference: &[u64], current: &[u64]) -> bool {
        let by_factor = self.factor.is_some_and(|factor| by_factor(reference, current) >= factor);
        by_factor
            || match self.psi {
                Some(limit) => psi::psi_smoothed(reference, current).is_ok_and(|psi| psi >= limit),
                None => shares::effect(reference, current).is_ok_and(|effect| effect >= self.effect),
            }
    }
}

/// The largest factor by which a share changed beyond chance: three standard errors of its logarithm.
fn by_factor(reference: &[u64], current: &[u64]) -> f64 {
    let Ok((p, q)) = shares::shares(reference, current) else { return 1.0 };
    let counts = reference.iter().zip(current).map(|(&r, &c)| (r as f64, c as f64));
    let factors = p.iter().zip(&q).zip(counts).filter(|(_, (r, c))| *r > 0.0 && *c > 0.0);
    let real = factors.map(|((p, q), (r, c))| ((q / p).ln_portable().abs(), (1.0 / r + 1.0 / c).sqrt()));
    real.filter(|(log, error)| *log >= 3.0 * error).map(|(log, _)| log.exp_portable()).fold(1.0, f64::max)
}
