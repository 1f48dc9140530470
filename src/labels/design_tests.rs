//! The design by simulation: probabilities are exact, and means are unbiased where "most uncertain" is not.

use super::*;
use crate::stats::weighted;
use rand::Rng;

/// Binary scores of a calibrated model that is often certain, and whether its prediction at .5 is right.
fn population(n: usize) -> (Vec<f64>, Vec<f64>) {
    let mut random = rng(1, "population");
    let scores: Vec<f64> = (0..n)
        .map(|_| {
            let (u, sure): (f64, bool) = (random.r#gen(), random.gen_bool(0.7));
            if sure { 0.1 * u * u } else { u }
        })
        .collect();
    let right = scores.iter().map(|p| f64::from((random.r#gen::<f64>() < *p) == (*p >= 0.5))).collect();
    (scores, right)
}

fn by_uncertainty(scores: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| (scores[a] - 0.5).abs().total_cmp(&(scores[b] - 0.5).abs()));
    order
}

/// 20 % control, 10 % selected with certainty, the rest pulled by uncertainty.
fn mixed(scores: &[f64], n: usize) -> Pull {
    let order = by_uncertainty(scores);
    let certain: Vec<u32> = order.iter().skip(n).step_by(7).take(n / 10).map(|&row| row as u32).collect();
    let k = 0.7 * n as f64;
    let mut t = vec![0.0_f32; scores.len()];
    for (rank, &row) in order.iter().enumerate() {
        t[row] = if certain.contains(&(row as u32)) { 0.0 } else { pull_of_rank(rank, k) as f32 };
    }
    let total: f32 = t.iter().sum();
    t.iter_mut().for_each(|t| *t *= k as f32 / total);
    Pull { n_rows: scores.len(), control: 0.2 * n as f64, certain, targeted: vec![(Stratum::Uncertain, t)] }
}

fn mean_and_deviation(values: &[f64]) -> (f64, f64) {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    (mean, (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (values.len() - 1) as f64).sqrt())
}

#[test]
fn the_weighted_mix_is_unbiased_and_narrower_than_the_control_where_most_uncertain_only_is_wrong() {
    let (scores, right) = population(10_000);
    let truth = right.iter().sum::<f64>() / right.len() as f64;
    assert!((truth - 0.895).abs() < 0.015, "{truth}");
    let most: f64 = by_uncertainty(&scores)[..500].iter().map(|&row| right[row]).sum::<f64>() / 500.0;
    assert!(most < 0.6, "500 most uncertain rows estimate {most}");
    let pull = mixed(&scores, 500);
    let (mut mixes, mut controls, mut errors) = (Vec::new(), Vec::new(), Vec::new());
    for seed in 0..200 {
        let drawn = draw(&pull, 500, seed);
        assert_eq!(drawn.len(), 500);
        let values: Vec<f64> = drawn.iter().map(|d| right[d.row as usize]).collect();
        let found = weighted::mean(&values, &drawn.iter().map(|d| d.prob).collect::<Vec<_>>());
        mixes.push(found.value);
        errors.push(found.error);
        let control: Vec<f64> =
            drawn.iter().filter(|d| d.stratum == Stratum::Control).map(|d| right[d.row as usize]).collect();
        assert!((85..=115).contains(&control.len()), "{}", control.len());
        controls.push(control.iter().sum::<f64>() / control.len() as f64);
    }
    let ((mix, mix_sd), (control, control_sd)) = (mean_and_deviation(&mixes), mean_and_deviation(&controls));
    // Four standard errors of a mean of 200.
    assert!((mix - truth).abs() < 4.0 * mix_sd / 14.1, "{mix} {mix_sd} {truth}");
    assert!((control - truth).abs() < 4.0 * control_sd / 14.1, "{control} {control_sd} {truth}");
    assert!((0.025..0.035).contains(&control_sd), "{control_sd}");
    assert!(mix_sd < 0.019 && mix_sd < 0.65 * control_sd, "{mix_sd} {control_sd}");
    let told = mean_and_deviation(&errors).0;
    assert!((0.9..1.4).contains(&(told / mix_sd)), "the error told is {told}, the real one {mix_sd}");
}

#[test]
fn rows_are_drawn_as_often_as_their_probability_says() {
    let (scores, _) = population(400);
    let pull = mixed(&scores, 60);
    let (mut seen, mut controls) = (vec![0.0; 400], vec![0.0; 400]);
    let mut prob = vec![0.0; 400];
    let rounds = 2000;
    for seed in 0..rounds {
        for Drawn { row, prob: p, stratum } in draw(&pull, 60, seed) {
            seen[row as usize] += 1.0;
            prob[row as usize] = p;
            controls[row as usize] += f64::from(stratum == Stratum::Control);
        }
    }
    let rounds = rounds as f64;
    for row in 0..400 {
        let p: f64 = prob[row];
        assert!(p > 0.0, "row {row} never came");
        let error = (p * (1.0 - p) / rounds).sqrt();
        assert!((seen[row] / rounds - p).abs() <= 4.5 * error + 1e-12, "row {row}: {} of {p}", seen[row] / rounds);
        assert!((controls[row] / rounds - 0.03).abs() < 4.5 * (0.03 * 0.97 / rounds).sqrt(), "row {row}: control");
    }
    assert!((prob.iter().sum::<f64>() - 60.0).abs() < 1e-6);
    assert!((0..400).filter(|row| prob[*row] == 1.0).count() >= 6, "rows for sure, and those whose pull is as strong");
}

#[test]
fn half_of_a_stratum_comes_from_its_first_rows() {
    let share = |upto: usize| (0..upto).map(|rank| pull_of_rank(rank, 100.0)).sum::<f64>();
    let all = share(1_000_000);
    assert!((share(100) / all - 0.5).abs() < 0.01 && (share(300) / all - 0.75).abs() < 0.01);
}

#[test]
fn small_populations_are_taken_whole_and_the_random_strategy_is_even() {
    let pull = Pull { n_rows: 30, control: 50.0, ..Pull::default() };
    let all = draw(&pull, 50, 0);
    assert_eq!(all.len(), 30);
    assert!(all.iter().all(|d| d.prob == 1.0 && d.stratum == Stratum::Control));
    let even = draw(&Pull { n_rows: 200, control: 50.0, ..Pull::default() }, 50, 3);
    assert_eq!(even.len(), 50);
    assert!(even.iter().all(|d| (d.prob - 0.25).abs() < 1e-12));
    assert!(draw(&Pull::default(), 10, 0).is_empty());
    assert_eq!(draw(&pull, 7, 5), draw(&pull, 7, 5));
    assert_ne!(draw(&pull, 7, 5), draw(&pull, 7, 6));
}

#[test]
fn a_stratum_with_too_few_rows_leaves_its_share_to_all() {
    let mut t = vec![0.0_f32; 1000];
    t[..5].iter_mut().for_each(|t| *t = 16.0);
    let pull = Pull { n_rows: 1000, control: 20.0, certain: Vec::new(), targeted: vec![(Stratum::Drifted, t)] };
    let drawn = draw(&pull, 100, 1);
    assert_eq!(drawn.len(), 100);
    assert_eq!(drawn.iter().filter(|d| d.row < 5 && d.prob == 1.0).count(), 5);
    assert!(drawn.iter().filter(|d| d.row >= 5).all(|d| (d.prob - 95.0 / 995.0).abs() < 1e-9));
}
