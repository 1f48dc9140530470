//! The curve of a report equals the reports of those days.

use super::super::experiment::Goal;
use super::super::units::Stratum;
use super::super::{limits, quantile};
use super::*;
use crate::stats::{normal, random};
use rand::Rng;

/// Heavy values in two arms, with the same units before the experiment.
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
