//! Traverses two samples together, value by value.

use super::sample::{Cannot, Sample};

/// One distinct value of two samples together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// The value.
    pub value: f64,
    /// Its frequency in the reference; 0 if only the other sample has it.
    pub reference: u64,
    /// Its frequency in the current sample.
    pub current: u64,
}

/// The distinct values of both samples in ascending order, in one pass over the two.
pub fn steps<'a>(reference: &'a Sample, current: &'a Sample) -> impl Iterator<Item = Step> + 'a {
    let (a, b) = (reference.values(), current.values());
    let (mut i, mut j) = (0, 0);
    std::iter::from_fn(move || {
        let value = match (a.get(i), b.get(j)) {
            (Some(&x), Some(&y)) => x.min(y),
            (Some(&x), None) => x,
            (None, Some(&y)) => y,
            (None, None) => return None,
        };
        let mut step = Step { value, reference: 0, current: 0 };
        if a.get(i) == Some(&value) {
            step.reference = reference.counts()[i];
            i += 1;
        }
        if b.get(j) == Some(&value) {
            step.current = current.counts()[j];
            j += 1;
        }
        Some(step)
    })
}

/// The number of distinct values of both samples together.
#[must_use]
pub fn distinct(reference: &Sample, current: &Sample) -> usize {
    steps(reference, current).count()
}

/// Fails if a sample has no observations.
///
/// # Errors
/// If one of the two is empty; the reference is reported first.
pub fn check(reference: &Sample, current: &Sample) -> Result<(), Cannot> {
    if reference.is_empty() {
        return Err(Cannot::because("the reference has no values"));
    }
    if current.is_empty() {
        return Err(Cannot::because("the current table has no values"));
    }
    Ok(())
}

/// The mean of a sample and the sum of squares about it; the mean of equal values is exact.
#[must_use]
pub fn mean_and_squares(sample: &Sample) -> (f64, f64) {
    let Some(&origin) = sample.values().first() else { return (f64::NAN, f64::NAN) };
    let n = sample.n() as f64;
    let weighted = |term: &dyn Fn(f64) -> f64| {
        super::moments::sum_of(sample.values().len(), &|i| sample.counts()[i] as f64 * term(sample.values()[i]))
    };
    let mean = origin + weighted(&|v| v - origin) / n;
    (mean, weighted(&|v| (v - mean) * (v - mean)))
}

/// The `q`-quantile of both samples together, interpolated as numpy does by default.
///
/// As in numpy, the distance is measured from the nearer neighbour; this matters in the last digit of values with a
/// large offset.
#[must_use]
pub fn quantile(reference: &Sample, current: &Sample, q: f64) -> f64 {
    let place = q * ((reference.n() + current.n()) as f64 - 1.0);
    let (below, share) = (place.floor(), place - place.floor());
    let (mut seen, mut low) = (0.0, f64::NAN);
    for step in steps(reference, current) {
        seen += (step.reference + step.current) as f64;
        if low.is_nan() && seen > below {
            low = step.value;
        }
        if seen > below + 1.0 || (seen > below && share == 0.0) {
            let gap = step.value - low;
            return if share >= 0.5 { step.value - gap * (1.0 - share) } else { low + gap * share };
        }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_count_both_sides() {
        let a = Sample::from_values(vec![1.0, 2.0, 2.0]);
        let b = Sample::from_values(vec![2.0, 3.0]);
        let seen: Vec<_> = steps(&a, &b).map(|s| (s.value, s.reference, s.current)).collect();
        assert_eq!(seen, [(1.0, 1, 0), (2.0, 2, 1), (3.0, 0, 1)]);
        assert_eq!(distinct(&a, &b), 3);
        assert_eq!(quantile(&a, &b, 0.25), 2.0);
        assert_eq!(quantile(&a, &b, 1.0), 3.0);
        assert_eq!(quantile(&Sample::from_values(vec![1.0, 2.0]), &Sample::default(), 0.25), 1.25);
    }

    #[test]
    fn an_empty_side_is_named() {
        let (none, some) = (Sample::default(), Sample::from_values(vec![1.0]));
        assert!(check(&none, &none).unwrap_err().0.contains("reference"));
        assert!(check(&some, &none).unwrap_err().0.contains("current"));
        assert!(check(&some, &some).is_ok());
    }
}
