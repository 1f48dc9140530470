//! The history of a column in the last comparisons, from the run log of `monitor`.

use super::Asked;
use super::parts::{LAST_RUNS, Level, Over, course_at};
use crate::dashboard::shell::when;
use crate::dashboard::web::Oops;
use crate::drift::report::ColumnReport;
use crate::report::number::{counted, number_or, p_value};
use crate::report::shape::Drawing;
use crate::workspace::Run;

/// A column in the last comparisons.
#[derive(Default)]
pub(super) struct History {
    /// The comparisons in which it had drifted, as a picture and as text.
    pub(super) runs: String,
    pub(super) said: String,
    /// The statistic, p and PSI as line charts; empty with fewer than two comparisons.
    pub(super) courses: Vec<(&'static str, String)>,
    /// The same as a table, newest first.
    pub(super) looks: Vec<Look>,
}

/// A comparison, in numbers.
pub(super) struct Look {
    pub(super) at: String,
    pub(super) verdict: &'static str,
    pub(super) method: String,
    pub(super) statistic: String,
    pub(super) p: String,
    pub(super) psi: String,
}

/// The run log's data on a column in one comparison.
struct Kept {
    at: String,
    drifted: bool,
    method: String,
    statistic: Option<f64>,
    p: Option<f64>,
    threshold: Option<f64>,
    psi: Option<f64>,
}

impl Kept {
    /// `None` if the run log does not list the drifted columns.
    fn of(run: &Run, name: &str) -> Option<Self> {
        let drifted = run.result["drifted"].as_array()?;
        let look = &run.result["columns"][name];
        Some(Self {
            at: when(run.at),
            drifted: drifted.iter().any(|column| column.as_str() == Some(name)),
            method: look[0].as_str().unwrap_or_default().to_owned(),
            statistic: look[1].as_f64(),
            p: look[2].as_f64(),
            threshold: look[3].as_f64(),
            psi: look[4].as_f64(),
        })
    }
}

/// The history of `column` in the last comparisons.
pub(super) fn history(asked: &Asked, column: &ColumnReport) -> Result<History, Oops> {
    let runs = asked.monitor_runs()?;
    let kept: Vec<Kept> = runs.iter().filter_map(|run| Kept::of(run, &column.name)).collect();
    // The list of drifted columns has columns of the table only; the target and the score are compared separately.
    let is_told = |kept: &Kept| kept.drifted || kept.statistic.is_some();
    let kept: Vec<Kept> = kept.into_iter().skip_while(|kept| !is_told(kept)).collect();
    let (Some(first), Some(last)) = (kept.first(), kept.last()) else { return Ok(History::default()) };
    let n = kept.iter().filter(|kept| kept.drifted).count();
    let said = format!(
        "Drifted at {n} of the last {}, {} to {}",
        counted(kept.len() as u64, "comparison", "comparisons"),
        first.at,
        last.at
    );
    let since = kept.iter().rposition(|kept| !kept.drifted).map_or(0, |at| at + 1);
    let since = kept.get(since).map_or_else(|| ".".to_owned(), |kept| format!("; without a break since {}.", kept.at));
    Ok(History {
        runs: squares(&kept, &said),
        said: said + &since,
        courses: courses(&kept, &column.method),
        looks: kept.iter().rev().filter(|kept| kept.statistic.is_some()).map(look).collect(),
    })
}

/// The comparisons as bars; tall bars show drift.
fn squares(kept: &[Kept], said: &str) -> String {
    const SIDE: f64 = 12.0;
    let mut drawing = Drawing::default();
    for (at, kept) in kept.iter().enumerate() {
        let x = at as f64 * SIDE;
        let (class, height) = if kept.drifted { ("bar drifted", SIDE + 4.0) } else { ("ref", 4.0) };
        drawing.rect(class, (x, SIDE + 4.0 - height), (SIDE - 2.0, height));
    }
    drawing.image("runs", (LAST_RUNS as f64 * SIDE, SIDE + 4.0), said)
}

/// The line charts. Statistics of different methods are not comparable, so only those of the current method are drawn.
fn courses(kept: &[Kept], method: &str) -> Vec<(&'static str, String)> {
    let same: Vec<&Kept> = kept.iter().filter(|kept| kept.method == method).collect();
    let points = |of: fn(&Kept) -> Option<f64>| -> Vec<(String, f64)> {
        same.iter().filter_map(|kept| Some((kept.at.clone(), of(kept)?))).collect()
    };
    let p = points(|kept| kept.p);
    let threshold = same.last().and_then(|kept| kept.threshold);
    // The threshold applies to p or, without one, to the statistic.
    let level = |name: &'static str| threshold.map(|value| Level { value, name });
    let (of_p, of_statistic) =
        if p.is_empty() { (None, level("drift from here on")) } else { (level("significant from here down"), None) };
    let all = [
        ("Statistic", points(|kept| kept.statistic), Over::Values, of_statistic),
        ("p", p, Over::Tens, of_p),
        ("PSI", points(|kept| kept.psi), Over::Values, None),
    ];
    let drawn = all
        .into_iter()
        .map(|(name, points, over, level)| (name, course_at(&points, over, level, &format!("{name}, by comparison"))));
    drawn.filter(|(_, drawn)| !drawn.is_empty()).collect()
}

fn look(kept: &Kept) -> Look {
    Look {
        at: kept.at.clone(),
        verdict: if kept.drifted { "drifted" } else { "" },
        method: kept.method.clone(),
        statistic: number_or(kept.statistic),
        p: p_value(kept.p),
        psi: number_or(kept.psi),
    }
}
