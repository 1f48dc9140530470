use super::*;
use crate::stats::normal::wilson;
use crate::stats::random::rng;
use rand::Rng;
use rand_xoshiro::Xoshiro256PlusPlus;

/// Whether `recent_accuracy` fires at .7, and its text.
fn accuracy(
    gate_accuracy: Option<f64>,
    n: u64,
    n_effective: Option<f64>,
    value: f64,
    judged: Option<(u64, f64)>,
) -> (bool, String) {
    let share = DriftShare {
        n_drifted: 0,
        n_stable: 0,
        n_unknown: 0,
        share: None,
        column_share: None,
        weighted_share: None,
        threshold: 0.25,
        weighted: false,
    };
    let metric = MetricChange { name: "accuracy".to_owned(), value, interval: None, gate: None };
    let performance = Performance { n, n_effective, n_learned: 0, metrics: vec![metric] };
    let evidence = Evidence {
        volume: Some(Volume::Labelled(0)),
        judged: judged.map(|(n, right)| Judged { n, n_effective: n as f64, right }),
        performance: Some(&performance),
        gate_accuracy,
        ..Evidence::of(&share, &[])
    };
    let trigger = recent_accuracy(&evidence, Limit::At(0.7));
    (trigger.fired, trigger.text)
}

#[test]
fn accuracy_counts_once_enough_is_known() {
    let found = |n, n_effective, value, judged| accuracy(None, n, n_effective, value, judged);
    assert!(found(50, None, 0.4, None).0 && !found(50, None, 0.8, None).0);
    // .6 of 50 is not surprising if .7 is usual, but .6 of 500 is; if the gate had .6, it never is.
    assert!(!found(50, None, 0.6, None).0 && found(500, None, 0.6, None).0);
    assert!(!accuracy(Some(0.58), 5000, None, 0.6, None).0 && accuracy(Some(0.9), 50, None, 0.6, None).0);
    assert!(!accuracy(Some(0.9), 5000, None, 0.72, None).0, "above the line it never fires");
    assert_eq!(found(49, None, 0.6, None), (false, "49 labelled rows; 50 are needed".to_owned()));
    let few = "the labelled rows count as 49 independent rows; 50 are needed";
    assert_eq!(found(300, Some(49.9), 0.6, None), (false, few.to_owned()));
    let weighed = "accuracy 40.0 % on labelled rows that count as 50 independent rows";
    assert_eq!(found(300, Some(50.0), 0.4, None), (true, weighed.to_owned()));
    let judged = "accuracy 90.0 % on 80 predictions that people checked";
    assert_eq!(found(300, None, 0.6, Some((80, 0.9))), (false, judged.to_owned()));
}

/// Number of successes among `n` with probability `p`.
fn draw(rng: &mut Xoshiro256PlusPlus, n: u64, p: f64) -> u64 {
    (0..n).filter(|_| rng.r#gen::<f64>() < p).count() as u64
}

/// The number of `n_weeks` weeks in which `recent_accuracy` fires, and in which accuracy is below .7 at all. The
/// version's accuracy was `before` when it was judged on 1000 rows and is `now`; each week has `n` outcomes.
fn weeks(seed: u64, n_weeks: u64, n: u64, before: f64, now: f64) -> (u64, u64) {
    let mut rng = rng(seed, "recent accuracy");
    let (mut fired, mut below, mut least) = (0, 0, 0.0);
    for week in 0..n_weeks {
        // Each year has its own version and gate.
        if week % 52 == 0 {
            least = wilson(draw(&mut rng, 1000, before) as f64 / 1000.0, 1000.0).0;
        }
        let value = draw(&mut rng, n, now) as f64 / n as f64;
        fired += u64::from(accuracy(Some(least), n, None, value, None).0);
        below += u64::from(value < 0.7);
    }
    (fired, below)
}

#[test]
fn a_quiet_version_fires_in_no_week_of_fifteen_years() {
    // Permanently below the threshold, and below it by chance: the threshold alone fires in nearly every week, and in
    // one of six.
    let (fired, below) = weeks(1, 780, 300, 0.602, 0.602);
    assert!(fired == 0 && below > 770, "{fired} {below}");
    let (fired, below) = weeks(2, 780, 50, 0.75, 0.75);
    assert!(fired == 0 && below > 100, "{fired} {below}");
}

#[test]
fn a_fall_is_seen() {
    for (n, before, now, least) in
        [(300, 0.85, 0.65, 95), (300, 0.75, 0.55, 95), (2000, 0.602, 0.5, 80), (50, 0.9, 0.5, 90)]
    {
        let (fired, _) = weeks(3, 100, n, before, now);
        assert!(fired >= least, "{n} outcomes, {before} to {now}: {fired} of 100");
    }
}

#[test]
fn small_losses_keep_three_digits() {
    let told = [0.4819, 2.8376, 0.0123, 0.000_031_2, 0.0].map(super::four);
    assert_eq!(told, ["0.4819", "2.838", "0.0123", "0.0000312", "0.0000"]);
}
