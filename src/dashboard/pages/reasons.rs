//! The current reasons to retrain, as in `status`; not those of the last `monitor` run.

use super::Asked;
use crate::dashboard::shell::when;
use crate::dashboard::web::Oops;
use crate::drift;
use crate::drift::report::{Answer, ColumnVerdict, DriftReport, Trigger};
use crate::registry::Version;
use crate::report::number::{clean, number, p_value, percent, short, words};
use crate::retrain::standing::Standing;

/// Triggers counted for each page; all others are from the last `monitor` run.
const COUNTED: [&str; 3] = ["new_rows", "unused_feedback", "age"];

/// A reason to retrain, and how close it is to firing.
pub(super) struct Bar {
    pub(super) name: String,
    pub(super) text: String,
    /// Its current value, and its threshold.
    pub(super) of: String,
    /// 0 to 100.
    pub(super) progress: u32,
    pub(super) fired: bool,
    /// When it was measured; empty if it is counted now.
    pub(super) as_of: String,
}

/// All reasons, and the conclusion.
pub(super) struct Reasons {
    /// The evaluated ones, fired ones first.
    pub(super) bars: Vec<Bar>,
    /// Those that are disabled or have no data.
    pub(super) idle: String,
    pub(super) sentence: String,
    pub(super) tone: &'static str,
    /// The time of the data behind the sentence.
    pub(super) as_of: String,
}

impl Reasons {
    pub(super) fn fired(&self) -> impl Iterator<Item = &Bar> {
        self.bars.iter().filter(|bar| bar.fired)
    }
}

/// The reasons to retrain `production`.
pub(super) fn reasons(
    asked: &Asked,
    production: Option<Version>,
    report: Option<&DriftReport>,
) -> Result<Reasons, Oops> {
    let standing = asked.standing(production)?;
    let name = |trigger: &Standing| words(&trigger.name);
    let mut bars: Vec<Bar> = standing.triggers.iter().filter_map(bar).collect();
    bars.sort_by_key(|bar| !bar.fired);
    let idle: Vec<String> = standing.triggers.iter().filter(|trigger| bar(trigger).is_none()).map(name).collect();
    let idle = match idle.is_empty() {
        true => String::new(),
        false => format!("Off, or no data: {}.", idle.join(", ")),
    };
    let (sentence, tone) = headline(&standing.triggers, report, production);
    let as_of = match report {
        Some(report) if production.is_some() => {
            format!("The current data was compared {}; labels, feedback and age are as of now.", when(report.made_at))
        }
        _ => String::new(),
    };
    Ok(Reasons { bars, idle, sentence, tone, as_of })
}

/// The state of the loop in a sentence, and its colour.
fn headline(
    standing: &[Standing],
    report: Option<&DriftReport>,
    production: Option<Version>,
) -> (String, &'static str) {
    let Some(version) = production else {
        return ("Nothing is in production yet: `mlloop train` makes the first version.".to_owned(), "unknown");
    };
    let live: Vec<Trigger> = standing.iter().filter(|trigger| trigger.is_on).map(live).collect();
    let counted: Vec<&str> = live.iter().filter(|trigger| trigger.fired).map(|trigger| trigger.text.as_str()).collect();
    let counted = match counted.is_empty() {
        true => String::new(),
        false => format!(" {}: a reason to retrain.", counted.join("; ")),
    };
    let Some(report) = report else {
        let sentence = format!(
            "{version} is in production. The current data has not been compared with its \
                                reference yet."
        );
        return (sentence + &counted, "unknown");
    };
    if report.version != Some(version.to_string()) {
        let of = report.version.as_deref().map_or_else(|| "no version".to_owned(), clean);
        let sentence = format!(
            "{version} is in production. The current data was last compared for {of}: refresh the analysis to \
             evaluate {version}."
        );
        return (sentence + &counted, "unknown");
    }
    if report.verdict.table_first && live.iter().all(|trigger| !trigger.fired || trigger.name == "schema") {
        return (clean(&report.verdict.sentence), "unknown");
    }
    let target = report.target.as_ref().is_some_and(|target| target.verdict == ColumnVerdict::Drifted);
    let now = drift::verdict(&report.share, &report.columns, &live, target, (report.current.n_rows, 0));
    match now.retrain {
        // Only the report knows why.
        Answer::CannotTell if report.verdict.retrain == Answer::CannotTell => {
            (clean(&report.verdict.sentence), "unknown")
        }
        answer => (clean(&now.sentence), super::parts::tone(answer)),
    }
}

/// A trigger as `monitor` would report it now.
fn live(standing: &Standing) -> Trigger {
    Trigger {
        name: standing.name.clone(),
        value: standing.count,
        threshold: standing.threshold,
        fired: standing.fired,
        text: told(standing),
    }
}

/// The finding, as text.
fn told(standing: &Standing) -> String {
    let n = standing.count.unwrap_or(0.0);
    match standing.name.as_str() {
        "new_rows" => format!("{n:.0} rows are new"),
        "unused_feedback" => format!("{n:.0} rows have new human labels that no version was trained on"),
        "age" => format!("production is {n:.1} days old"),
        _ => standing.text.clone().unwrap_or_default(),
    }
}

fn bar(standing: &Standing) -> Option<Bar> {
    let (count, threshold) = standing.count.zip(standing.threshold).filter(|_| standing.is_on)?;
    let set = |x: f64| match standing.name.as_str() {
        "drift_share" | "recent_accuracy" => percent(x),
        "new_rows" | "unused_feedback" | "schema" => format!("{x:.0}"),
        // For a huge e-value only the magnitude matters.
        "metric_drop" if x > 1e6 => "above 1 000 000".to_owned(),
        _ => number(x),
    };
    let fires = match standing.name.as_str() {
        "score_drift" => format!("p {}, can fire at {} or below", p_value(Some(count)), set(threshold)),
        "recent_accuracy" => format!("{}, fires below {}", set(count), set(threshold)),
        "multivariate" => format!("lower bound {}, fires above {}", set(count), set(threshold)),
        "new_rows" | "unused_feedback" | "age" => format!("{} of {}", set(count), set(threshold)),
        _ => format!("{}, fires at {}", set(count), set(threshold)),
    };
    let measured = !COUNTED.contains(&standing.name.as_str());
    Some(Bar {
        name: words(&standing.name),
        text: short(&told(standing), 240),
        of: fires,
        progress: standing.progress_percent.unwrap_or(0.0) as u32,
        fired: standing.fired,
        as_of: standing.as_of.filter(|_| measured).map(when).unwrap_or_default(),
    })
}
