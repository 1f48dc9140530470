//! The methods to compare two columns, by name.

use crate::wording::instead;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::stats::sample::{Cannot, Measured, Sample};
use crate::stats::{anderson, binned, cramer, distances, epps, exact, ks, levels, location, mmd, shares, tvd};

/// The type of a column's content, for its comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnKind {
    /// Numbers with an order and distances.
    Number,
    /// Levels without an order.
    Category,
}

/// A method of comparing two columns, defined as Evidently defines the method of that name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(into = "&'static str", try_from = "String")]
pub enum Method {
    /// Kolmogorov–Smirnov.
    Ks,
    /// χ² of the current counts against the reference's shares.
    Chisquare,
    /// Two proportions.
    Z,
    /// Wasserstein's distance over the reference's standard deviation.
    Wasserstein,
    /// Jensen–Shannon distance.
    JensenShannon,
    /// Kullback–Leibler divergence.
    KlDiv,
    /// Population stability index.
    Psi,
    /// Anderson–Darling.
    Anderson,
    /// Cramér–von Mises.
    CramerVonMises,
    /// Hellinger distance.
    Hellinger,
    /// Student's t with a common variance.
    TTest,
    /// Mann–Whitney, one-sided.
    MannWhitney,
    /// Energy distance.
    Energy,
    /// Epps–Singleton.
    EppsSingleton,
    /// Fisher's exact test of two levels.
    FisherExact,
    /// G test on raw counts.
    GTest,
    /// Total variation distance with a permutation test.
    Tvd,
    /// Maximum mean discrepancy with a permutation test.
    EmpiricalMmd,
}

/// How a method decides drift.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Call {
    /// The p-value is below the threshold.
    PBelow,
    /// The p-value is at or below the threshold.
    PAtMost,
    /// The distance is at or above the threshold.
    AtLeast,
    /// The distance is above the threshold.
    Above,
}

impl Method {
    /// Every method, in the order in which they are listed.
    pub const ALL: [Self; 18] = [
        Self::Ks,
        Self::Chisquare,
        Self::Z,
        Self::Wasserstein,
        Self::JensenShannon,
        Self::KlDiv,
        Self::Psi,
        Self::Anderson,
        Self::CramerVonMises,
        Self::Hellinger,
        Self::TTest,
        Self::MannWhitney,
        Self::Energy,
        Self::EppsSingleton,
        Self::FisherExact,
        Self::GTest,
        Self::Tvd,
        Self::EmpiricalMmd,
    ];

    /// Name, alternative name, fits numbers, fits categories, decision rule, threshold.
    const fn facts(self) -> (&'static str, Option<&'static str>, bool, bool, Call, f64) {
        match self {
            Self::Ks => ("ks", None, true, false, Call::PAtMost, 0.05),
            Self::Chisquare => ("chisquare", None, false, true, Call::PBelow, 0.05),
            Self::Z => ("z", None, false, true, Call::PBelow, 0.05),
            Self::Wasserstein => ("wasserstein", None, true, false, Call::AtLeast, 0.1),
            Self::JensenShannon => ("jensenshannon", None, true, true, Call::AtLeast, 0.1),
            Self::KlDiv => ("kl_div", None, true, true, Call::AtLeast, 0.1),
            Self::Psi => ("psi", None, true, true, Call::AtLeast, 0.1),
            Self::Anderson => ("anderson", None, true, false, Call::PBelow, 0.1),
            Self::CramerVonMises => ("cramer_von_mises", None, true, false, Call::PAtMost, 0.1),
            Self::Hellinger => ("hellinger", None, true, true, Call::AtLeast, 0.1),
            Self::TTest => ("t_test", None, true, false, Call::PBelow, 0.05),
            Self::MannWhitney => ("mannw", None, true, false, Call::PBelow, 0.05),
            Self::Energy => ("ed", Some("energy"), true, false, Call::Above, 0.1),
            Self::EppsSingleton => ("es", Some("epps_singleton"), true, false, Call::PBelow, 0.05),
            Self::FisherExact => ("fisher_exact", None, false, true, Call::PBelow, 0.1),
            Self::GTest => ("g_test", None, false, true, Call::PBelow, 0.1),
            Self::Tvd => ("TVD", Some("tvd"), false, true, Call::PBelow, 0.1),
            Self::EmpiricalMmd => ("empirical_mmd", None, true, false, Call::PBelow, 0.1),
        }
    }

    /// Its name on the command line and in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.facts().0
    }

    /// Whether it can compare columns of this kind.
    #[must_use]
    pub const fn fits(self, kind: ColumnKind) -> bool {
        match kind {
            ColumnKind::Number => self.facts().2,
            ColumnKind::Category => self.facts().3,
        }
    }

    /// The threshold unless one is given: a p-value for tests, a distance for the others.
    #[must_use]
    pub const fn default_threshold(self) -> f64 {
        self.facts().5
    }

    /// Whether the score is a p-value, small for drift; otherwise a distance, large for drift.
    #[must_use]
    pub const fn by_p(self) -> bool {
        matches!(self.facts().4, Call::PBelow | Call::PAtMost)
    }

    /// The value that is compared with the threshold; `NaN` if a test has no p-value.
    #[must_use]
    pub fn score(self, measured: &Measured) -> f64 {
        if self.by_p() { measured.p.unwrap_or(f64::NAN) } else { measured.statistic }
    }

    /// Whether this is drift: a p-value below the threshold (`ks`, `cramer_von_mises`: at or below), a distance at or
    /// above it (`ed`: above).
    #[must_use]
    pub fn drifted(self, measured: &Measured, threshold: f64) -> bool {
        let score = self.score(measured);
        match self.facts().4 {
            Call::PBelow => score < threshold,
            Call::PAtMost => score <= threshold,
            Call::AtLeast => score >= threshold,
            Call::Above => score > threshold,
        }
    }

    /// Compares two samples of numbers. `integer`: both columns have an integer type, which affects binning.
    ///
    /// # Errors
    /// If the method is for categories, or has no result.
    pub fn measure_numbers(
        self,
        reference: &Sample,
        current: &Sample,
        integer: bool,
        seed: u64,
    ) -> Result<Measured, Cannot> {
        let found = match self {
            Self::Ks => ks::test(reference, current),
            Self::Wasserstein => distances::wasserstein(reference, current),
            Self::JensenShannon => binned::jensen_shannon(reference, current, integer),
            Self::KlDiv => binned::kl_div(reference, current, integer),
            Self::Psi => binned::psi(reference, current, integer),
            Self::Anderson => anderson::test(reference, current),
            Self::CramerVonMises => cramer::test(reference, current),
            Self::Hellinger => binned::hellinger(reference, current, integer),
            Self::TTest => location::t_test(reference, current),
            Self::MannWhitney => location::mann_whitney(reference, current),
            Self::Energy => distances::energy(reference, current),
            Self::EppsSingleton => epps::test(reference, current),
            Self::EmpiricalMmd => mmd::test(reference, current, seed),
            Self::Chisquare | Self::Z | Self::FisherExact | Self::GTest | Self::Tvd => {
                Err(Cannot::because(format!("{self} compares categories, not numbers")))
            }
        }?;
        self.told(found)
    }

    /// Rejects a result that is not a number.
    fn told(self, found: Measured) -> Result<Measured, Cannot> {
        match self.score(&found).is_nan() {
            true => Err(Cannot::because("the values are too large, or vary too little, for this method")),
            false => Ok(found),
        }
    }

    /// Compares counts over the same `levels`, which are sorted: numbers used as levels by value, texts by characters.
    /// Levels that occur on neither side are ignored.
    ///
    /// # Errors
    /// If the method is for numbers, the lengths differ, or it has no result.
    pub fn measure_categories(
        self,
        levels: &[&str],
        reference: &[u64],
        current: &[u64],
        seed: u64,
    ) -> Result<Measured, Cannot> {
        if levels.len() != reference.len() || levels.len() != current.len() {
            return Err(Cannot::because("the two tables have different cells"));
        }
        let found = match self {
            Self::Chisquare => levels::chi_squared_shares(reference, current),
            Self::Z => levels::z_test(reference, current),
            Self::FisherExact => exact::fisher_exact(reference, current),
            Self::GTest => levels::g_test(reference, current),
            Self::Tvd => tvd::tvd(reference, current, seed),
            Self::JensenShannon => shares::jensen_shannon(reference, current),
            Self::KlDiv => shares::kl_div(reference, current),
            Self::Psi => shares::psi(reference, current),
            Self::Hellinger => shares::hellinger(reference, current),
            _ => Err(Cannot::because(format!("{self} compares numbers, not categories"))),
        }?;
        self.told(found)
    }

    /// The method that Evidently picks by default.
    ///
    /// `reference_rows` counts reference rows with a value, `distinct` the distinct values of both columns together. Up
    /// to 1000 rows it is a test, above a distance; numbers with at most five values are treated as categories. If the
    /// method does not support numbers, such a column must be measured by its levels.
    #[must_use]
    pub const fn evidently_choice(kind: ColumnKind, reference_rows: u64, distinct: usize) -> Self {
        let many = matches!(kind, ColumnKind::Number) && distinct > 5;
        match (reference_rows <= 1000, many) {
            (true, true) => Self::Ks,
            (true, false) if distinct > 2 => Self::Chisquare,
            (true, false) => Self::Z,
            (false, true) => Self::Wasserstein,
            (false, false) => Self::JensenShannon,
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// An unknown method name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown method {0:?}{there}", there = instead(.0, Method::ALL.map(Method::name)))]
pub struct UnknownMethod(pub String);

impl FromStr for Method {
    type Err = UnknownMethod;

    fn from_str(name: &str) -> Result<Self, UnknownMethod> {
        let called = |m: &Self| m.name() == name || m.facts().1 == Some(name);
        Self::ALL.into_iter().find(called).ok_or_else(|| UnknownMethod(name.to_owned()))
    }
}

impl TryFrom<String> for Method {
    type Error = UnknownMethod;

    fn try_from(name: String) -> Result<Self, UnknownMethod> {
        name.parse()
    }
}

impl From<Method> for &'static str {
    fn from(method: Method) -> Self {
        method.name()
    }
}

#[cfg(test)]
mod oracle;

#[cfg(test)]
mod reference;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for method in Method::ALL {
            assert_eq!(method.to_string().parse(), Ok(method));
            let json = serde_json::to_string(&method).unwrap();
            assert_eq!(serde_json::from_str::<Method>(&json).unwrap(), method);
            assert!(method.fits(ColumnKind::Number) || method.fits(ColumnKind::Category));
        }
        assert_eq!("epps_singleton".parse(), Ok(Method::EppsSingleton));
        assert_eq!("tvd".parse(), Ok(Method::Tvd));
        let unknown = "kolmogorov".parse::<Method>().unwrap_err().to_string();
        assert!(unknown.contains("kolmogorov") && unknown.contains("ks, chisquare"), "{unknown}");
    }

    #[test]
    fn thresholds_are_met_as_the_peer_meets_them() {
        let at = |p| Measured { statistic: 0.1, p: Some(p) };
        assert!(Method::Ks.drifted(&at(0.05), 0.05) && !Method::Chisquare.drifted(&at(0.05), 0.05));
        assert!(Method::Psi.drifted(&at(1.0), 0.1) && !Method::Energy.drifted(&at(1.0), 0.1));
        assert!(!Method::Ks.drifted(&Measured { statistic: 1.0, p: None }, 0.05));
    }

    /// Sums and squares overflow long before the values do; the result is then 0, ∞ or undefined, none of which is
    /// valid. Ranks do not overflow.
    #[test]
    fn numbers_whose_sums_overflow_are_measured_by_rank_or_not_at_all() {
        let spread = |scale: f64, shift: f64| {
            Sample::from_values(
                (0..300).map(|i| scale * ((f64::from(i) - 150.0) / 150.0 + shift).clamp(-1.0, 1.0)).collect(),
            )
        };
        for scale in [1e150, 1e160, 1e200, 1e300, f64::MAX] {
            let (a, b) = (spread(scale, 0.0), spread(scale, 0.9));
            let by_unit = (spread(1.0, 0.0), spread(1.0, 0.9));
            for method in Method::ALL.into_iter().filter(|m| m.fits(ColumnKind::Number)) {
                let Ok(found) = method.measure_numbers(&a, &b, false, 1) else { continue };
                let unit = method.measure_numbers(&by_unit.0, &by_unit.1, false, 1).unwrap();
                let threshold = method.default_threshold();
                // The energy distance has the column's units.
                assert!(
                    method == Method::Energy || method.drifted(&found, threshold) == method.drifted(&unit, threshold),
                    "{method} at {scale:e}: {found:?}, {unit:?}"
                );
            }
            assert!(Method::Ks.measure_numbers(&a, &b, false, 0).is_ok());
        }
        let far = spread(f64::MAX, 0.0);
        for method in [Method::TTest, Method::Wasserstein] {
            assert!(method.measure_numbers(&far, &far, false, 0).is_err(), "{method}");
        }
    }

    #[test]
    fn the_wrong_kind_is_refused() {
        let sample = Sample::from_values(vec![1.0, 2.0]);
        assert!(Method::Z.measure_numbers(&sample, &sample, false, 0).is_err());
        assert!(Method::Ks.measure_categories(&["a"], &[1], &[1], 0).is_err());
        assert!(Method::Psi.measure_categories(&["a"], &[1, 2], &[1, 2], 0).is_err());
    }
}
