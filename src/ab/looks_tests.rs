//! The effect over time in a report equals the reports made at those times.

use super::super::experiment::Goal;
use super::super::units::Stratum;
use super::super::{limits, quantile};
use super::*;
use crate::stats::{normal, random};
use rand::Rng;

/// Heavy-tailed values in two arms, with pre-experiment values of the same units.
fn units(n: usize) -> Units {
    let mut random = random::rng(7, "looks");
    let mut gauss = || normal::quantile(random.gen_range(1e-9..1.0 - 1e-9));
    let before: Vec<f64> = (0..n).map(|_| gauss()).collect();
    let y = before.iter().map(|x| (0.8 * x + 0.8 * gauss()).exp()).collect();
    let mut outcome = Outcome::new("y", Goal::Higher, y);
    outcome.pre = Some(("before".to_owned(), before));
    let strata = vec![Stratum { shares: vec![0.5, 0.5] }];
    let arm = (0..n).map(|unit| (unit * 7919 % 10 % 2) as u16).collect();
    Units { arms: vec!["a".into(), "b".into()], strata, stratum: vec![0; n], arm, at: None, outcomes: vec![outcome] }
}

#[test]
fn a_look_is_what_the_report_said_then() {
    let settings = AnalysisSettings { planned_n: Some(2000), ..AnalysisSettings::default() };
    let made: [fn(Outcome, &Units) -> Outcome; 4] = [
        |outcome, _| Outcome { pre: None, ..outcome },
        |outcome, _| outcome,
        |outcome, _| limits::capped(Outcome { pre: None, ..outcome }, 0.95, &mut Vec::new()).unwrap(),
        |outcome, units| quantile::of_arms(Outcome { pre: None, ..outcome }, &units.arm, 2, 0.5).unwrap(),
    ];
    for (case, make) in made.into_iter().enumerate() {
        let as_of = |n: usize| {
            let all = units(1500);
            let part = all.first(n, &all.outcomes[0]);
            let outcome = make(part.outcomes[0].clone(), &part);
            outcomes(&Units { outcomes: vec![outcome], ..part }, &settings).0.remove(0)
        };
        let report = as_of(1500);
        assert_eq!(report.looks.len(), N_LOOKS);
        let mut n_told = 0;
        for look in report.looks.iter().skip(3).step_by(11) {
            let then = &as_of(look.n as usize).comparisons[0];
            let said = then.low.is_finite() && then.high.is_finite();
            let said = said.then_some(Effect { difference: then.difference, low: then.low, high: then.high });
            assert_eq!(look.effects, [said], "case {case}, {} units", look.n);
            n_told += usize::from(look.effects[0].is_some());
        }
        assert!(n_told >= 3, "case {case}: {n_told}");
    }
}

/// Outcomes of two or three arms with growing effects: some are detected only by Holm's procedure.
fn of_effects(effects: &[f64], n_arms: usize, n: usize) -> Units {
    let mut random = random::rng(11, "families");
    let mut gauss = || normal::quantile(random.gen_range(1e-9..1.0 - 1e-9));
    let arm: Vec<u16> = (0..n).map(|unit| (unit % n_arms) as u16).collect();
    let outcome = |(at, effect): (usize, &f64)| {
        let y = arm.iter().map(|&arm| gauss() + effect * f64::from(arm)).collect();
        Outcome::new(format!("y{at}"), Goal::Higher, y)
    };
    let outcomes = effects.iter().enumerate().map(outcome).collect();
    let strata = vec![Stratum { shares: vec![1.0 / n_arms as f64; n_arms] }];
    let arms = ["a", "b", "c"].map(str::to_owned)[..n_arms].to_vec();
    Units { arms, strata, stratum: vec![0; n], arm, at: None, outcomes }
}

#[test]
fn an_interval_excludes_zero_exactly_where_its_p_is_at_most_alpha() {
    let (mut n_shown, mut n_by_holm) = (0, 0);
    for (correct, fixed) in [(true, false), (true, true), (false, false), (false, true)] {
        for n_arms in [2, 3] {
            for size in (1..30).step_by(4) {
                let part = f64::from(size) / 100.0;
                let units = of_effects(&[0.3, part, 0.5 * part], n_arms, 1200);
                let settings = AnalysisSettings { correct, fixed, ..AnalysisSettings::default() };
                let reports = outcomes(&units, &settings).0;
                let family = if correct { 3 * (n_arms - 1) } else { n_arms - 1 };
                for report in &reports {
                    for found in &report.comparisons {
                        let (p, single, (low, high)) = match fixed {
                            true => {
                                (found.fixed.p_holm.unwrap(), found.fixed.p.unwrap(), found.fixed.interval.unwrap())
                            }
                            false => (found.p_holm, found.p, (found.low, found.high)),
                        };
                        let is_shown = p <= settings.alpha;
                        assert_eq!(
                            is_shown,
                            low > 0.0 || high < 0.0,
                            "{correct} {fixed} {n_arms} {part} {p} {low} {high}"
                        );
                        n_shown += usize::from(is_shown);
                        // If the error were divided by all comparisons, this interval would contain 0.
                        n_by_holm += usize::from(is_shown && single * family as f64 > settings.alpha);
                    }
                    let last = &report.looks.last().unwrap().effects;
                    let wanted: Vec<Option<Effect>> = report.comparisons.iter().map(effect).collect();
                    assert_eq!(*last, wanted);
                }
            }
        }
    }
    assert!(n_shown > 50 && n_by_holm > 0, "{n_shown} {n_by_holm}");
}

#[test]
fn one_extreme_unit_in_each_arm_is_told() {
    let noted = |extreme: &[usize]| {
        let mut units = of_effects(&[0.05], 2, 1200);
        extreme.iter().for_each(|&unit| units.outcomes[0].y[unit] = 900.0);
        outcomes(&units, &AnalysisSettings::default()).1
    };
    assert_eq!(noted(&[]), [""; 0]);
    assert!(noted(&[10])[0].contains("one unit makes up most of the variance: without the value 900 in a"));
    let both = noted(&[10, 21]);
    let wanted = "one unit of each arm together make up most of the variance: without the values 900 in a and 900 in b";
    assert!(both.len() == 1 && both[0].contains(wanted), "{both:?}");
}
