use super::Sequence;
use crate::stats::bivariate::Bivariate;
use crate::stats::contrast::tests::{close, reference};
use crate::stats::contrast::two_proportions;
use crate::stats::random;
use crate::stats::shape::Shape;
use rand::Rng;

#[test]
fn widths_and_p_values_are_those_of_the_paper() {
    for case in reference()["sequence"].as_array().unwrap() {
        let of = |name: &str| case[name].as_f64().unwrap();
        let sequence = Sequence::tuned(of("alpha"), of("planned_n"));
        close("half width", sequence.half_width(of("error"), of("n")), &case["half_width"]);
        close("p", sequence.p(of("effect") / of("error"), of("n")), &case["p"]);
    }
}

#[test]
fn the_rows_that_are_needed_are_those_at_which_zero_is_left_out() {
    let sequence = Sequence::tuned(0.05, 10_000.0);
    let n = sequence.n_to_exclude_zero(1.5, 4_000.0, Shape::default(), 1e9).unwrap();
    let z_at = |m: f64| 1.5 * (m / 4_000.0).sqrt();
    assert!(z_at(n) >= sequence.reach(n) && z_at(n - 1.0) < sequence.reach(n - 1.0), "{n}");
    assert_eq!(sequence.n_to_exclude_zero(0.0, 4_000.0, Shape::default(), 1e9), None);
    assert_eq!(sequence.n_to_exclude_zero(9.0, 4_000.0, Shape::default(), 1e9), Some(4_000.0));
    assert!(sequence.shared_by(3).reach(500.0) > sequence.reach(500.0));
}

/// The share of `n_runs` experiments with 60 daily looks that have a false rejection at any look, by the sequence and
/// by the z-test, which ignores multiple looks.
fn seen(n_runs: u32, rates: (f64, f64), per_day: u32) -> (f64, f64) {
    let planned = f64::from(60 * 2 * per_day);
    let (mut sequence_wrong, mut naive_wrong) = (0, 0);
    for run in 0..n_runs {
        let mut rng = random::rng(7, &format!("peeking {run}"));
        let sequence = Sequence::tuned(0.05, planned);
        let (mut k, mut n) = ((0.0, 0.0), 0.0);
        let (mut left_out, mut called) = (false, false);
        for _ in 0..60 {
            for _ in 0..per_day {
                k.0 += f64::from(u8::from(rng.r#gen::<f64>() < rates.0));
                k.1 += f64::from(u8::from(rng.r#gen::<f64>() < rates.1));
            }
            n += f64::from(per_day);
            let (a, b) = (Bivariate::of_counts(n, k.0), Bivariate::of_counts(n, k.1));
            let error = (a.ratio_variance() + b.ratio_variance()).sqrt();
            let off = (b.mean() - a.mean()) - (rates.1 - rates.0);
            left_out |= sequence.p(off / error, 2.0 * n) < 0.05;
            assert_eq!(sequence.p(off / error, 2.0 * n) < 0.05, off.abs() > sequence.half_width(error, 2.0 * n));
            called |= two_proportions((k.0, n), (k.1, n)).p < 0.05;
        }
        sequence_wrong += u32::from(left_out);
        naive_wrong += u32::from(called);
    }
    (f64::from(sequence_wrong) / f64::from(n_runs), f64::from(naive_wrong) / f64::from(n_runs))
}

#[test]
fn sixty_looks_at_no_effect_keep_the_error_and_a_plain_test_does_not() {
    let (sequence, naive) = seen(600, (0.2, 0.2), 60);
    assert!(sequence < 0.05, "the sequence: {sequence}");
    assert!(naive > 0.2, "the plain test: {naive}");
}

#[test]
fn an_effect_is_inside_at_every_look() {
    let (sequence, _) = seen(300, (0.3, 0.36), 60);
    assert!(sequence < 0.05, "left out in {sequence} of the runs");
}
