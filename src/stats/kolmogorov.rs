//! The distribution of Kolmogorov's statistic, one sample against a known distribution.

use super::tails::binomial;
use crate::stats::portable::Portable;

/// Above this many observations, only every s-th term of the one-sided sum is used.
const ALL_TERMS: u64 = 100_000;

/// P(Dₙ ≥ d) for `n` observations, two-sided; the choice of methods is that of Simard and L'Ecuyer.
///
/// Near the ends of the range, the closed forms of Ruben and Gambino; for large d, twice the one-sided probability; in
/// between, Durbin's matrix for small n and the expansion of Pelz and Good for large n (R. Simard, P. L'Ecuyer,
/// "Computing the Two-Sided Kolmogorov–Smirnov Distribution", 2011). Absolute error below 1e-10. `n` = 0 gives 1.
///
/// ```
/// // scipy.stats.kstwo.sf(0.05, 500)
/// assert!((mlloop::stats::kolmogorov::survival(500, 0.05) - 0.15866260223815387).abs() < 1e-9);
/// ```
#[must_use]
pub fn survival(n: u64, d: f64) -> f64 {
    if d >= 1.0 {
        return 0.0;
    }
    let (m, t) = (n as f64, n as f64 * d);
    if t <= 0.5 {
        return 1.0;
    }
    let square = t * d;
    let p = if t >= m - 1.0 {
        2.0 * (1.0 - d).powf_portable(m)
    } else if d >= 0.5 || square > 4.0 || (n > 140 && square >= 2.2) {
        if square >= 370.0 { 0.0 } else { 2.0 * one_sided(n, d) }
    } else if n <= 140 || (n <= 100_000 && m * d.powf_portable(1.5) <= 1.4) {
        1.0 - durbin(n, d)
    } else {
        1.0 - pelz_good(m, d)
    };
    p.clamp(0.0, 1.0)
}

/// P(Dₙ⁺ ≥ d) = d Σ C(n, v) (d + v/n)^(v−1) (1 − d − v/n)^(n−v), v from 0 to ⌊n(1 − d)⌋ (Smirnov).
///
/// For large n the terms are smooth and vanish at both ends, so the trapezium rule converges faster than any power.
fn one_sided(n: u64, d: f64) -> f64 {
    let m = n as f64;
    let stride = if n <= ALL_TERMS { 1 } else { n / 20_000 };
    let last = (m * (1.0 - d)).floor() as u64;
    let mut sum = 0.0;
    let mut v = 0;
    while v <= last {
        let p = d + v as f64 / m;
        if p < 1.0 {
            sum += binomial(v as f64, m, p) / p;
        }
        v += stride;
    }
    d * sum * stride as f64
}

/// A square matrix of numbers ≥ 0, scaled by a power of two.
struct Scaled {
    cells: Vec<f64>,
    size: usize,
    exponent: i32,
}

impl Scaled {
    fn times(&self, other: &Self) -> Self {
        let size = self.size;
        let mut cells = vec![0.0; size * size];
        for i in 0..size {
            for k in 0..size {
                let factor = self.cells[i * size + k];
                if factor != 0.0 {
                    for j in 0..size {
                        cells[i * size + j] += factor * other.cells[k * size + j];
                    }
                }
            }
        }
        let mut exponent = self.exponent + other.exponent;
        let largest = cells.iter().copied().fold(0.0, f64::max);
        if largest > 2.0_f64.powi(128) {
            cells.iter_mut().for_each(|c| *c *= 2.0_f64.powi(-128));
            exponent += 128;
        }
        Self { cells, size, exponent }
    }
}

/// P(Dₙ < d) from the power of Durbin's matrix (G. Marsaglia, W. Tsang, J. Wang, "Evaluating Kolmogorov's
/// Distribution", 2003); for small n·d.
fn durbin(n: u64, d: f64) -> f64 {
    let t = n as f64 * d;
    let k = t.ceil() as usize;
    let h = k as f64 - t;
    let mut base = durbin_matrix(2 * k - 1, h);
    let size = base.size;
    let mut power: Option<Scaled> = None;
    let mut left = n;
    while left > 0 {
        if left % 2 == 1 {
            power = Some(match power {
                None => Scaled { cells: base.cells.clone(), size, exponent: base.exponent },
                Some(p) => p.times(&base),
            });
        }
        left /= 2;
        if left > 0 {
            base = base.times(&base);
        }
    }
    let Some(power) = power else { return 0.0 };
    let (mut p, mut exponent) = (power.cells[(k - 1) * size + k - 1], power.exponent);
    for i in 1..=n {
        p = p * i as f64 / n as f64;
        if p.abs() < 2.0_f64.powi(-128) {
            p *= 2.0_f64.powi(128);
            exponent -= 128;
        }
    }
    p * 2.0_f64.powi(exponent)
}

fn durbin_matrix(size: usize, h: f64) -> Scaled {
    let mut cells = vec![0.0; size * size];
    let mut inverse_factorial = vec![1.0; size + 1];
    for j in 1..=size {
        inverse_factorial[j] = inverse_factorial[j - 1] / j as f64;
    }
    for i in 0..size {
        for j in 1..size {
            if j <= i + 1 {
                cells[i * size + j] = inverse_factorial[i + 1 - j];
            }
        }
    }
    let edge = |j: usize| (1.0 - h.powi(j as i32)) * inverse_factorial[j];
    let corner = (2.0 * h - 1.0).max(0.0).powi(size as i32) - 2.0 * h.powi(size as i32);
    for i in 0..size {
        let value = if i + 1 == size { (1.0 + corner) * inverse_factorial[size] } else { edge(i + 1) };
        cells[i * size] = value;
        cells[(size - 1) * size + (size - 1 - i)] = value;
    }
    Scaled { cells, size, exponent: 0 }
}

/// P(Dₙ < d) to order n^(−3/2) (W. Pelz, I. Good, "Approximating the Lower Tail-areas of the Kolmogorov–Smirnov
/// One-sample Statistic", 1976).
fn pelz_good(n: f64, d: f64) -> f64 {
    let z = n.sqrt() * d;
    let pi2 = std::f64::consts::PI.powi(2);
    let (z2, z4, z6) = (z * z, z.powi(4), z.powi(6));
    if -pi2 / 8.0 / z2 < -708.0 {
        return 0.0;
    }
    let (pi4, pi6) = (pi2 * pi2, pi2.powi(3));
    let mut sums = [0.0; 4];
    let last = (16.0 * z / std::f64::consts::PI).ceil() as i32;
    for k in (1..=last).rev() {
        let m2 = f64::from(2 * k - 1).powi(2);
        let (m4, m6) = (m2 * m2, m2.powi(3));
        let q = (-pi2 * m2 / 8.0 / z2).exp_portable();
        sums[0] += q;
        sums[1] += q * (pi2 / 4.0 * m2 - z2);
        sums[2] +=
            q * (6.0 * z6 + 2.0 * z4 + (2.0 * z4 - 5.0 * z2) * pi2 / 4.0 * m2 + pi4 * (1.0 - 2.0 * z2) / 16.0 * m4);
        sums[3] += q
            * (-30.0 * z6 - 90.0 * z.powi(8)
                + pi2 * (135.0 * z4 - 96.0 * z6) / 4.0 * m2
                + pi4 * (-60.0 * z2 + 212.0 * z4) / 16.0 * m4
                + pi6 * (5.0 - 30.0 * z2) / 64.0 * m6);
    }
    let root = (2.0 * std::f64::consts::PI).sqrt();
    let scales = [z, 6.0 * z4, 72.0 * z.powi(7), 6480.0 * z.powi(10)];
    for (sum, scale) in sums.iter_mut().zip(scales) {
        *sum *= root / scale;
    }
    for k in 1..=last {
        let k2 = f64::from(k).powi(2);
        let q = (-pi2 * k2 / 2.0 / z2).exp_portable();
        sums[2] -= k2 * q * pi2 * root / (36.0 * z.powi(3));
        sums[3] += (3.0 * z2 - pi2 * k2) * k2 * q * pi2 * root / (216.0 * z6);
    }
    sums.iter().zip([1.0, n.sqrt(), n, n.powf_portable(1.5)]).map(|(sum, scale)| sum / scale).sum()
}
