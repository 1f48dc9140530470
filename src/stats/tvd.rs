//! The total variation distance and its permutation test.

use crate::stats::portable::Portable;
use rand::Rng;

use super::random::rng;
use super::sample::{Cannot, Measured};
use super::shares::totals;
use super::tails::ln_choose;

/// Number of permutations.
const DEALS: u32 = 1000;

/// ½ Σ |p − q| of two aligned tables of counts, and its permutation p-value: (1 + permutations at least as large)/(1 +
/// 1000), never 0 (B. Phipson, G. Smyth, "Permutation P-values Should Never Be Zero", 2010).
///
/// Rows are not permuted one by one: all counts of a side are drawn together from the multivariate hypergeometric
/// distribution. The same `seed` gives the same p.
///
/// # Errors
/// If a side is empty.
pub fn tvd(reference: &[u64], current: &[u64], seed: u64) -> Result<Measured, Cannot> {
    let (n, m) = totals(reference, current)?;
    let apart = |r: u64, c: u64| (u128::from(r) * u128::from(m)).abs_diff(u128::from(c) * u128::from(n));
    let observed: u128 = reference.iter().zip(current).map(|(&r, &c)| apart(r, c)).sum();
    let mut random = rng(seed, "tvd");
    let mut as_large = 0;
    for _ in 0..DEALS {
        let (mut left, mut places, mut found) = (n + m, n, 0_u128);
        for (&r, &c) in reference.iter().zip(current) {
            let drawn = hypergeometric(left, r + c, places, &mut random);
            found += apart(drawn, r + c - drawn);
            left -= r + c;
            places -= drawn;
        }
        as_large += u32::from(found >= observed);
    }
    let statistic = observed as f64 / (2.0 * n as f64 * m as f64);
    Ok(Measured { statistic, p: Some(f64::from(1 + as_large) / f64::from(1 + DEALS)) })
}

/// The number of `marked` rows, out of `all`, in a random draw of `draws`: by inversion outwards from the mode, in
/// about as many steps as the standard deviation.
fn hypergeometric(all: u64, marked: u64, draws: u64, random: &mut impl Rng) -> u64 {
    let (low, high) = ((marked + draws).saturating_sub(all), marked.min(draws));
    if low == high {
        return low;
    }
    let mode = (u128::from(marked + 1) * u128::from(draws + 1) / u128::from(all + 2)) as u64;
    let mode = mode.clamp(low, high);
    // p(k + 1) / p(k)
    let rise =
        |k: u64| ((marked - k) as f64 / (k + 1) as f64) * ((draws - k) as f64 / (all - marked + k + 1 - draws) as f64);
    let top = (ln_choose(marked, mode) + ln_choose(all - marked, draws - mode) - ln_choose(all, draws)).exp_portable();
    let mut left = random.r#gen::<f64>() - top;
    let (mut up, mut down, mut p_up, mut p_down) = (mode, mode, top, top);
    while left > 0.0 && (up < high || down > low) {
        if up < high {
            p_up *= rise(up);
            up += 1;
            left -= p_up;
            if left <= 0.0 {
                return up;
            }
        }
        if down > low {
            p_down /= rise(down - 1);
            down -= 1;
            left -= p_down;
            if left <= 0.0 {
                return down;
            }
        }
        if p_up.max(p_down) < 1e-300 {
            break;
        }
    }
    mode
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_have_the_right_mean_and_variance() {
        let mut random = rng(7, "test");
        let draws: Vec<f64> = (0..20_000).map(|_| hypergeometric(1000, 300, 200, &mut random) as f64).collect();
        let mean = crate::stats::moments::mean(&draws);
        let variance = crate::stats::moments::variance(&draws);
        assert!((mean - 60.0).abs() < 0.2, "{mean}");
        let expected = 200.0 * 0.3 * 0.7 * 800.0 / 999.0;
        assert!((variance - expected).abs() < 1.2, "{variance}");
    }

    #[test]
    fn p_tells_same_from_different() {
        let same = tvd(&[500, 300, 200], &[490, 310, 200], 1).unwrap();
        assert!(same.p.unwrap() > 0.5);
        assert_eq!(tvd(&[5, 5], &[5, 5], 1).unwrap(), Measured { statistic: 0.0, p: Some(1.0) });
        let far = tvd(&[500_000, 300_000], &[300_000, 500_000], 1).unwrap();
        assert!(far.p.unwrap() < 0.002);
        assert!(tvd(&[], &[], 1).is_err());
    }
}
