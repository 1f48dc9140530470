//! Functions that are bit-identical on every system.
//!
//! `f64::exp` and similar functions call the system's C library. Their last bit differs between libraries, their
//! versions, and processors with and without fused multiply-add. A version is reproducible byte for byte on another
//! machine only without them. Roots, sums and products are exact everywhere by IEEE 754.

/// `exp`, `ln` and similar functions from one library (the crate `libm`) on all systems, accurate to one unit in the
/// last place. Edge cases are those of the `f64` methods of the same name.
pub trait Portable: Sized {
    /// The number in 64 bits.
    fn wide(self) -> f64;
    /// The nearest number of this type.
    fn narrow(value: f64) -> Self;

    /// eˣ.
    #[must_use]
    fn exp_portable(self) -> Self {
        Self::narrow(libm::exp(self.wide()))
    }

    /// eˣ − 1.
    #[must_use]
    fn exp_m1_portable(self) -> Self {
        Self::narrow(libm::expm1(self.wide()))
    }

    /// The natural logarithm.
    #[must_use]
    fn ln_portable(self) -> Self {
        Self::narrow(libm::log(self.wide()))
    }

    /// ln(1 + x).
    #[must_use]
    fn ln_1p_portable(self) -> Self {
        Self::narrow(libm::log1p(self.wide()))
    }

    /// The logarithm to base 2.
    #[must_use]
    fn log2_portable(self) -> Self {
        Self::narrow(libm::log2(self.wide()))
    }

    /// The logarithm to base 10.
    #[must_use]
    fn log10_portable(self) -> Self {
        Self::narrow(libm::log10(self.wide()))
    }

    /// xʸ.
    #[must_use]
    fn powf_portable(self, power: Self) -> Self {
        Self::narrow(libm::pow(self.wide(), power.wide()))
    }

    /// The sine.
    #[must_use]
    fn sin_portable(self) -> Self {
        Self::narrow(libm::sin(self.wide()))
    }

    /// The cosine.
    #[must_use]
    fn cos_portable(self) -> Self {
        Self::narrow(libm::cos(self.wide()))
    }

    /// The angle from 0 to π with this cosine.
    #[must_use]
    fn acos_portable(self) -> Self {
        Self::narrow(libm::acos(self.wide()))
    }

    /// The hyperbolic cosine.
    #[must_use]
    fn cosh_portable(self) -> Self {
        Self::narrow(libm::cosh(self.wide()))
    }

    /// The cube root.
    #[must_use]
    fn cbrt_portable(self) -> Self {
        Self::narrow(libm::cbrt(self.wide()))
    }

    /// √(x² + y²) without intermediate overflow.
    #[must_use]
    fn hypot_portable(self, other: Self) -> Self {
        Self::narrow(libm::hypot(self.wide(), other.wide()))
    }
}

impl Portable for f64 {
    fn wide(self) -> f64 {
        self
    }

    fn narrow(value: f64) -> Self {
        value
    }
}

/// Computed in 64 bits, so that nearly all values are correctly rounded, like those of C libraries.
impl Portable for f32 {
    fn wide(self) -> f64 {
        f64::from(self)
    }

    fn narrow(value: f64) -> Self {
        value as f32
    }
}

#[cfg(test)]
mod tests {
    use super::Portable;
    use xxhash_rust::xxh3::xxh3_64;

    /// Test values within the domain of each function, of both signs where possible.
    fn values() -> Vec<f64> {
        (1..4000).map(|k| f64::from(k) * 0.012_345_678_9).collect()
    }

    #[test]
    fn they_are_within_a_unit_in_the_last_place_of_those_of_the_system() {
        let near = |ours: f64, theirs: f64| (ours - theirs).abs() <= 2.0 * f64::EPSILON * theirs.abs();
        for x in values() {
            let share = x / 50.0;
            for (name, ours, theirs) in [
                ("exp", (-x).exp_portable(), (-x).exp()),
                ("exp_m1", x.exp_m1_portable(), x.exp_m1()),
                ("ln", x.ln_portable(), x.ln()),
                ("ln_1p", share.ln_1p_portable(), share.ln_1p()),
                ("log2", x.log2_portable(), x.log2()),
                ("log10", x.log10_portable(), x.log10()),
                ("powf", x.powf_portable(1.7), x.powf(1.7)),
                ("sin", share.sin_portable(), share.sin()),
                ("cos", share.cos_portable(), share.cos()),
                ("acos", share.acos_portable(), share.acos()),
                ("cosh", share.cosh_portable(), share.cosh()),
                ("cbrt", (-x).cbrt_portable(), (-x).cbrt()),
                ("hypot", x.hypot_portable(3.0), x.hypot(3.0)),
            ] {
                assert!(near(ours, theirs), "{name} of {x}: {ours:e} {theirs:e}");
            }
            let narrow = x as f32;
            assert!((narrow.exp_portable() - narrow.exp()).abs() <= f32::EPSILON * narrow.exp(), "{narrow}");
        }
    }

    #[test]
    fn edges_are_those_of_the_methods_of_the_same_name() {
        assert_eq!((f64::NEG_INFINITY.exp_portable(), 0_f64.ln_portable()), (0.0, f64::NEG_INFINITY));
        assert_eq!((800_f64.exp_portable(), f32::INFINITY.exp_portable()), (f64::INFINITY, f32::INFINITY));
        assert!((-1_f64).ln_portable().is_nan() && f64::NAN.exp_portable().is_nan());
        assert_eq!((0_f64.exp_portable(), 1_f64.ln_portable(), 8_f64.log2_portable()), (1.0, 0.0, 3.0));
        assert_eq!((1e3_f64.log10_portable(), 0_f64.powf_portable(0.0)), (3.0, 1.0));
    }

    #[test]
    fn every_bit_is_as_it_was_on_the_machine_where_this_was_written() {
        let all = |x: f64| {
            let share = x / 50.0;
            [
                (-x).exp_portable(),
                share.exp_m1_portable(),
                x.ln_portable(),
                share.ln_1p_portable(),
                x.log2_portable(),
                x.log10_portable(),
                x.powf_portable(-1.3),
                x.sin_portable(),
                x.cos_portable(),
                share.acos_portable(),
                share.cosh_portable(),
                x.cbrt_portable(),
                x.hypot_portable(share),
                f64::from((share as f32).exp_portable()),
            ]
        };
        let bytes: Vec<u8> = values().into_iter().flat_map(all).flat_map(f64::to_le_bytes).collect();
        assert_eq!(xxh3_64(&bytes), 0x3cb6_9e9f_f418_7993);
    }
}
