//! How often the gate rows were used: every use makes them slightly less reliable.
//!
//! The audit chain is the record: each `gate-verdict` names the versions and the number of rows. A comparison counts as
//! a use of the current rows if it used at least half of them. With a hash split, the rows of an earlier gate are among
//! the current ones, so their number suffices; with a time split, the current rows up to its latest time are counted.

use super::rows::GateRows;
use crate::registry::Version;
use crate::stats::portable::Portable;
use crate::workspace::audit::Entry;
use crate::workspace::event::GateVerdict;
use crate::workspace::{Holdout, PromoteRules, WorkspaceError, all_of};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::f64::consts::PI;

/// Number of uses from which on a warning is given.
const WARN_FROM: u64 = 5;

/// How often these gate rows were used, and the level of the current test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct HoldoutUse {
    /// The number of this use of the gate rows, from 1; the same two versions count once.
    pub uses: u64,
    /// The significance level of this use.
    pub alpha: f64,
    /// Notes for the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl HoldoutUse {
    /// Counts the earlier uses in `entries`; `times` are the times of the current rows, if they were split by time.
    ///
    /// # Errors
    /// If a verdict does not name its versions and rows: it could not be counted.
    pub(super) fn of(
        entries: &[Entry],
        pair: (Version, Version),
        rows: &GateRows,
        times: Option<&[i64]>,
        rules: &PromoteRules,
    ) -> Result<Self, WorkspaceError> {
        let mut before = BTreeSet::new();
        for line in all_of::<GateVerdict>(entries) {
            let (entry, GateVerdict { production, challenger, rows: earlier, .. }) = line?;
            let earlier = entry.needed("rows", earlier)?;
            let shared = match (earlier.until, times) {
                (Some(until), Some(times)) => times.iter().filter(|t| **t <= until).count() as u64,
                _ => earlier.n,
            };
            if shared * 2 >= rows.y.len() as u64 && (production, challenger) != pair {
                before.insert((production, challenger));
            }
        }
        Ok(Self::at(before.len() as u64 + 1, rules))
    }

    /// The rule for use number `uses`.
    pub(super) fn at(uses: u64, rules: &PromoteRules) -> Self {
        let k = uses as f64;
        let alpha = match rules.holdout {
            Holdout::Warn => rules.alpha,
            Holdout::Spend => 6.0 * rules.alpha / (PI * PI * k * k),
        };
        let note = match rules.holdout {
            Holdout::Spend if uses > 1 => Some(format!(
                "these gate rows are used for the {} time, so this comparison uses alpha = {alpha:.2e}",
                ordinal(uses)
            )),
            Holdout::Warn if uses >= WARN_FROM => Some(format!(
                "these gate rows are used for the {} time: the probability that a challenger was promoted \
                 although it is not better is {:.0} %. To correct for it, set [promote] holdout = \"spend\", or use new rows",
                ordinal(uses),
                100.0 * (1.0 - (1.0 - rules.alpha).powf_portable(k))
            )),
            _ => None,
        };
        Self { uses, alpha, note }
    }
}

fn ordinal(n: u64) -> String {
    let end = match (n % 10, n % 100) {
        (1, rest) if rest != 11 => "st",
        (2, rest) if rest != 12 => "nd",
        (3, rest) if rest != 13 => "rd",
        _ => "th",
    };
    format!("{n}{end}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_uses_together_err_no_more_often_than_alpha() {
        let rules = PromoteRules { holdout: Holdout::Spend, ..PromoteRules::default() };
        let spent: f64 = (1..10_000).map(|k| HoldoutUse::at(k, &rules).alpha).sum();
        assert!(spent < 0.05 && spent > 0.0499, "{spent}");
        assert!((HoldoutUse::at(1, &rules).alpha - 0.030_396_355_092_701_33).abs() < 1e-15);
        let warned = HoldoutUse::at(5, &PromoteRules::default());
        assert!(
            warned.alpha == 0.05
                && warned.note.unwrap().contains(
                    "5th time: the probability that a challenger was promoted although it is not better is 23 %"
                )
        );
        assert_eq!(HoldoutUse::at(4, &PromoteRules::default()).note, None);
        assert_eq!(
            [1, 2, 3, 4, 11, 12, 13, 21, 112].map(ordinal).join(" "),
            "1st 2nd 3rd 4th 11th 12th 13th 21st 112th"
        );
    }

    #[test]
    fn a_use_is_one_of_at_least_half_of_the_rows_by_another_pair() {
        let rows = |n: usize| GateRows {
            table: crate::table::Table::new(Vec::new()).unwrap(),
            y: vec![0.0; n],
            weights: None,
            entities: None,
            digest: String::new(),
            copies: None,
            n_corrected: 0,
            until: None,
            rejects: crate::table::Rejects::default(),
        };
        let verdict = |production: u32, challenger: u32, n: u64, until: Option<i64>| Entry {
            seq: 1,
            at: jiff::Timestamp::UNIX_EPOCH,
            behind: None,
            event: crate::workspace::EventKind::GateVerdict,
            by: None,
            config: None,
            roles: None,
            details: serde_json::json!({
                "production": Version(production), "challenger": Version(challenger), "decision": "refuse",
                "rows": { "n": n, "digest": "d", "until": until },
            }),
            prev: String::new(),
            hash: String::new(),
        };
        let pair = (Version(1), Version(9));
        let uses = |entries: &[Entry], times: Option<&[i64]>| {
            HoldoutUse::of(entries, pair, &rows(10), times, &PromoteRules::default()).map(|found| found.uses)
        };
        assert_eq!(uses(&[], None).unwrap(), 1);
        let earlier = [verdict(1, 2, 5, None), verdict(1, 2, 9, None), verdict(1, 3, 4, None), verdict(1, 9, 10, None)];
        assert_eq!(uses(&earlier, None).unwrap(), 2, "one pair twice, one of too few rows, and the present pair");
        assert_eq!(uses(&[verdict(1, 2, 5, None), verdict(2, 1, 5, None)], None).unwrap(), 3);
        // With a time split, the rows up to the latest time of the earlier comparison count.
        let times: Vec<i64> = (0..10).collect();
        for (until, expected) in [(3, 1), (4, 2), (9, 2)] {
            assert_eq!(uses(&[verdict(1, 2, 100, Some(until))], Some(&times)).unwrap(), expected, "{until}");
        }
        let mut silent = verdict(1, 2, 5, None);
        silent.details["rows"] = serde_json::Value::Null;
        assert!(uses(&[silent], None).is_err(), "a use that is not counted would be one too many");
    }
}
