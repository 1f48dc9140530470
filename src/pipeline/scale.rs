//! Scales predicted numbers to the range of the trees.
//!
//! Trees add 32-bit numbers, which have steps of 8 at 1e8 and of 65 536 at 1e12, and ignore gains below 1e-6.
//! Such a target is learned as its distance from the mean, in standard deviations, and rescaled in 64 bits.

use crate::features::is_coarse;
use crate::stats::moments;
use crate::stats::portable::Portable;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Standard deviations without scaling: squares of smaller differences are below the engine's minimum gain of 1e-6,
/// and squares of larger ones lose precision in 32 bits.
const USUAL: std::ops::Range<f64> = 0.01..1e6;
/// Digits of a standard deviation that 32 bits can represent.
const DIGITS: i32 = 7;

/// The subtrahend and the divisor for the numbers to learn.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TargetScale {
    centre: f64,
    unit: f64,
}

impl Default for TargetScale {
    /// Numbers are learned unscaled.
    fn default() -> Self {
        Self { centre: 0.0, unit: 1.0 }
    }
}

impl TargetScale {
    /// The scale for the numbers to learn: the identity for most.
    pub(super) fn of(y: &[f64]) -> Self {
        let (mean, deviation) = (moments::mean(y), moments::variance(y).sqrt());
        let is_usual = USUAL.contains(&deviation) && !is_coarse(y, deviation);
        // A target that is constant, or constant in 64 bits, has no scale.
        if is_usual || !mean.is_finite() || !deviation.is_normal() {
            return Self::default();
        }
        Self { centre: mean, unit: deviation }
    }

    /// Whether numbers are learned unscaled.
    #[must_use]
    pub fn is_identity(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a stored scale is valid.
    pub(super) fn is_sound(&self) -> bool {
        self.centre.is_finite() && self.unit.is_normal() && self.unit > 0.0
    }

    /// The number on the trees' scale.
    #[must_use]
    pub fn learned(&self, y: f64) -> f32 {
        ((y - self.centre) / self.unit) as f32
    }

    /// The output of a tree, as a number of the target: with the tree's precision.
    pub(super) fn told(&self, margin: f32) -> f64 {
        if self.is_identity() {
            return f64::from(margin);
        }
        let told = self.centre + self.unit * f64::from(margin);
        let place = self.unit.log10_portable().floor() as i32 - DIGITS;
        // Powers of ten are exact up to 22 only, and the other factor is at most 2^53.
        let power = 10_f64.powi(place.abs());
        let rounded = if place < 0 { (told * power).round() / power } else { (told / power).round() * power };
        if rounded.is_finite() { rounded } else { told }
    }

    /// Whether two numbers differ by at most this share of a unit, or of their size on the trees' scale, plus a last
    /// digit.
    pub(super) fn is_near(&self, found: f64, expected: f64, tolerance: f64) -> bool {
        let size = self.unit.max((expected - self.centre).abs());
        let last = expected.abs().next_up() - expected.abs();
        // A missing value is not near any number.
        (found - expected).abs() <= tolerance * size + 2.0 * last
    }

    /// The unit in which trees learn.
    #[must_use]
    pub fn unit(&self) -> f64 {
        self.unit
    }

    /// A number of the target with its significant digits.
    #[must_use]
    pub fn digits(&self, value: f64) -> Digits {
        if self.is_identity() { Digits::short(value) } else { Digits::Long(value) }
    }

    /// The part of the number that a tree contributes.
    pub(super) fn part(&self, contribution: f32) -> f64 {
        self.unit * f64::from(contribution)
    }

    /// The centre added to a tree's number times [`TargetScale::unit`].
    #[must_use]
    pub fn centre(&self) -> f64 {
        self.centre
    }
}

/// A number with its significant digits: seven, plus those of the centre if there is one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum Digits {
    /// The trees' output.
    Short(f32),
    /// Converted back from a scale.
    Long(f64),
}

impl Digits {
    /// A probability or a contribution.
    #[must_use]
    pub fn short(value: f64) -> Self {
        Self::Short(value as f32)
    }

    /// The same number in 64 bits, with the digits it has in 32.
    #[must_use]
    pub fn widened(self) -> f64 {
        match self {
            Self::Short(value) => value.to_string().parse().unwrap_or(f64::NAN),
            Self::Long(value) => value,
        }
    }
}

impl fmt::Display for Digits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short(value) => value.fmt(f),
            Self::Long(value) => value.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::TargetScale;

    fn numbers(base: f64, step: f64) -> Vec<f64> {
        (0..1000).map(|i| base + step * f64::from(i)).collect()
    }

    #[test]
    fn what_32_bits_tell_apart_stays_as_it_is() {
        for (base, step) in [(0.0, 1.0), (100.0, 5.0), (-1e6, 100.0), (0.0, 0.001), (5.0, 0.0)] {
            assert!(TargetScale::of(&numbers(base, step)).is_identity(), "{base} {step}");
        }
    }

    #[test]
    fn large_and_small_numbers_come_back_to_seven_digits_of_what_differs() {
        for (base, step) in
            [(1e8, 5.0), (1e12, 1.0), (-1e12, 0.5), (0.0, 1e-9), (0.0, 1e9), (1e-90, 1e-92), (0.0, 1e30), (1e15, 1.0)]
        {
            let numbers = numbers(base, step);
            let scale = TargetScale::of(&numbers);
            assert!(!scale.is_identity(), "{base} {step}");
            for y in numbers {
                let back = scale.told(scale.learned(y));
                assert!(scale.is_near(back, y, 1e-6), "{back} for {y}");
            }
        }
        // Only the significant digits.
        let told = TargetScale::of(&numbers(1e8, 5.0)).told(0.123_456_79);
        assert!(told.to_string().len() <= "100002675.7195".len(), "{told}");
    }
}
