//! The normal distribution, to ten digits.

use crate::stats::portable::Portable;
use crate::stats::special::erfc;
use std::f64::consts::SQRT_2;

/// P(Z ≤ z) of the standard normal distribution.
///
/// ```
/// // scipy.stats.norm.cdf(1.96)
/// assert!((mlloop::stats::normal::cdf(1.96) - 0.9750021048517795).abs() < 1e-10);
/// ```
#[must_use]
pub fn cdf(z: f64) -> f64 {
    0.5 * erfc(-z / SQRT_2)
}

/// The z such that a share `p` of the standard normal distribution is below it, for `p` in (0, 1); infinite at 0 and 1
/// (M. Wichura, "Algorithm AS241: The Percentage Points of the Normal Distribution", 1988).
///
/// ```
/// // scipy.stats.norm.ppf(0.975)
/// assert!((mlloop::stats::normal::quantile(0.975) - 1.959963984540054).abs() < 1e-14);
/// // scipy.stats.norm.ppf([0.3, 1e-20])
/// assert!((mlloop::stats::normal::quantile(0.3) - -0.5244005127080409).abs() < 1e-15);
/// assert!((mlloop::stats::normal::quantile(1e-20) - -9.262340089798408).abs() < 1e-13);
/// ```
#[must_use]
pub fn quantile(p: f64) -> f64 {
    if !(p > 0.0 && p < 1.0) {
        return match p {
            0.0 => f64::NEG_INFINITY,
            1.0 => f64::INFINITY,
            _ => f64::NAN,
        };
    }
    let ratio = |over: &[f64; 8], below: &[f64; 8], r: f64| {
        let polynomial = |factors: &[f64; 8]| factors.iter().fold(0.0, |sum, factor| sum * r + factor);
        polynomial(over) / polynomial(below)
    };
    let q = p - 0.5;
    if q.abs() <= 0.425 {
        return q * ratio(&CENTRE, &CENTRE_BELOW, 0.180625 - q * q);
    }
    let r = (-p.min(1.0 - p).ln_portable()).sqrt();
    let z = match r <= 5.0 {
        true => ratio(&MIDDLE, &MIDDLE_BELOW, r - 1.6),
        false => ratio(&TAIL, &TAIL_BELOW, r - 5.0),
    };
    z.copysign(q)
}

// Coefficients of a rational function for each part: numerator and denominator, highest power first.
const CENTRE: [f64; 8] = [
    2509.0809287301227,
    33430.57558358813,
    67265.7709270087,
    45921.95393154987,
    13731.69376550946,
    1971.5909503065513,
    133.14166789178438,
    3.3871328727963665,
];
const CENTRE_BELOW: [f64; 8] = [
    5226.495278852854,
    28729.085735721943,
    39307.89580009271,
    21213.794301586597,
    5394.196021424751,
    687.1870074920579,
    42.31333070160091,
    1.0,
];
const MIDDLE: [f64; 8] = [
    0.0007745450142783414,
    0.022723844989269184,
    0.2417807251774506,
    1.2704582524523684,
    3.6478483247632045,
    5.769497221460691,
    4.630337846156546,
    1.4234371107496835,
];
const MIDDLE_BELOW: [f64; 8] = [
    1.0507500716444169e-09,
    0.0005475938084995345,
    0.015198666563616457,
    0.14810397642748008,
    0.6897673349851,
    1.6763848301838038,
    2.053191626637759,
    1.0,
];
const TAIL: [f64; 8] = [
    2.0103343992922881e-07,
    2.7115555687434876e-05,
    0.0012426609473880784,
    0.026532189526576124,
    0.29656057182850487,
    1.7848265399172913,
    5.463784911164114,
    6.657904643501103,
];
const TAIL_BELOW: [f64; 8] = [
    2.0442631033899397e-15,
    1.421511758316446e-07,
    1.8463183175100548e-05,
    0.0007868691311456133,
    0.014875361290850615,
    0.1369298809227358,
    0.599832206555888,
    1.0,
];

/// The two-sided p-value of `z`: P(|Z| ≥ |z|).
///
/// ```
/// // 2 * scipy.stats.norm.sf(2.5)
/// assert!((mlloop::stats::normal::two_sided_p(-2.5) - 0.012419330651552265).abs() < 1e-10);
/// ```
#[must_use]
pub fn two_sided_p(z: f64) -> f64 {
    erfc(z.abs() / SQRT_2)
}

/// Wilson's 95 % score interval of a share `p` observed in `n` rows (n may be an effective sample size).
///
/// Stays inside [0, 1] and is not empty at p = 0 or 1 (E. Wilson, "Probable Inference, the Law of Succession, and
/// Statistical Inference", 1927). `NaN` if `n` is 0.
///
/// ```
/// // statsmodels proportion_confint(8, 10, method="wilson")
/// let (low, high) = mlloop::stats::normal::wilson(0.8, 10.0);
/// assert!((low - 0.4901624715).abs() < 1e-9 && (high - 0.9433178485).abs() < 1e-9);
/// ```
#[must_use]
pub fn wilson(p: f64, n: f64) -> (f64, f64) {
    let z = quantile(0.975);
    let z2 = z * z / n;
    let centre = (p + z2 / 2.0) / (1.0 + z2);
    let half = z * (p * (1.0 - p) / n + z2 / (4.0 * n)).sqrt() / (1.0 + z2);
    (centre - half, centre + half)
}
