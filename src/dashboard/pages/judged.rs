//! The gate's verdict, as shown on several pages, and what happened afterwards.

use super::Asked;
use crate::dashboard::shell::when;
use crate::dashboard::web::Oops;
use crate::gate::GateReport;
use crate::report::number::{clean, fixed, fixed_or, number, short, words};
use crate::score::Direction;
use crate::workspace::audit::{Chain, Entry};
use crate::workspace::event::{GateVerdict, Promoted, Rejected, RolledBack};

/// The gate's verdict.
pub(super) struct Verdict {
    pub(super) at: String,
    pub(super) headline: String,
    pub(super) sentence: String,
    /// Each metric for both versions, and how they compare.
    pub(super) metrics: Vec<Compared>,
    pub(super) guardrails: Vec<Rail>,
    /// The deciding test, with both bounds.
    pub(super) difference: String,
    /// What happened to the challenger since; empty if nothing.
    pub(super) became: String,
}

/// A metric of both versions on the same rows.
pub(super) struct Compared {
    pub(super) name: &'static str,
    pub(super) decides: bool,
    pub(super) said: String,
    pub(super) production: String,
    pub(super) challenger: String,
}

/// The guardrails.
pub(super) struct Rail {
    pub(super) name: String,
    pub(super) broken: bool,
    /// The value and its limit.
    pub(super) held: String,
    pub(super) text: String,
}

impl Verdict {
    pub(super) fn of(report: &GateReport) -> Self {
        let test = report.judgement.improvement.as_ref();
        let metrics = report.metrics.iter().map(|pair| {
            let gain = pair.challenger.zip(pair.production).map(|(new, old)| match pair.metric.direction() {
                Direction::Higher => new - old,
                Direction::Lower => old - new,
            });
            Compared {
                name: pair.metric.name(),
                decides: test.is_some_and(|test| test.metric == pair.metric),
                said: match gain {
                    Some(gain) if gain > 0.0 => format!("better by {}", fixed(gain)),
                    Some(gain) if gain < 0.0 => format!("worse by {}", fixed(-gain)),
                    Some(_) => "the same".to_owned(),
                    None => "–".to_owned(),
                },
                production: fixed_or(pair.production),
                challenger: fixed_or(pair.challenger),
            }
        });
        let mut metrics: Vec<Compared> = metrics.collect();
        metrics.sort_by_key(|metric| !metric.decides);
        Self {
            at: when(report.at),
            headline: format!(
                "{} against {}: {}",
                report.challenger,
                report.production,
                report.judgement.verdict.name()
            ),
            sentence: clean(&report.sentence),
            metrics,
            guardrails: report.guardrails.iter().map(rail).collect(),
            difference: difference(report),
            became: String::new(),
        }
    }

    /// The same, with what happened to the challenger since.
    pub(super) fn with_outcome(report: &GateReport, chain: &Chain) -> Result<Self, Oops> {
        Ok(Self { became: became(report, chain)?, ..Self::of(report) })
    }
}

fn rail(rail: &crate::gate::Guardrail) -> Rail {
    let held = match (rail.value, rail.limit) {
        (Some(value), Some(limit)) => format!("{}, at most {}", number(value), number(limit)),
        (Some(value), None) => number(value),
        (None, Some(limit)) => format!("at most {}", number(limit)),
        (None, None) => String::new(),
    };
    Rail { name: words(&rail.name), broken: rail.broken, held, text: short(&rail.text, 200) }
}

fn difference(report: &GateReport) -> String {
    let j = &report.judgement;
    let Some(found) = &j.improvement else {
        return format!("Too few gate rows for a test: {}. No version was trained on them.", j.n_rows);
    };
    // Each bound is wrong with probability alpha.
    let confidence = format!("{:.2}", 100.0 * (1.0 - j.alpha));
    let confidence = confidence.trim_end_matches('0').trim_end_matches('.');
    format!(
        "{}, on {} gate rows that no version was trained on: {} → {}, {} by {}; one-sided {confidence} % bounds: {}, \
         {}.",
        found.metric,
        j.n_rows,
        fixed(found.production),
        fixed(found.challenger),
        if found.value < 0.0 { "worse" } else { "better" },
        fixed(found.value.abs()),
        fixed(found.low),
        fixed(found.high),
    )
}

/// What happened to the challenger after the verdict: promoted, rejected, rolled back.
fn became(report: &GateReport, chain: &Chain) -> Result<String, Oops> {
    let mut told = Vec::new();
    // Use the order of the lines: clocks may be wrong.
    let version = report.challenger;
    let verdict = chain.last_of(|_, said: &GateVerdict| said.challenger == version)?;
    let since = verdict.map_or(0, |(entry, _)| entry.seq);
    for entry in chain.entries.iter().filter(|entry| entry.seq > since) {
        let promoted = entry.of::<Promoted>()?.filter(|said| said.version == version).map(|_| ("promoted", None));
        let rejected = entry.of::<Rejected>()?.filter(|said| said.version == Some(version));
        let back = entry.of::<RolledBack>()?.filter(|said| said.from == version);
        let became = promoted
            .or(rejected.map(|said| ("rejected", said.reason)))
            .or(back.map(|said| ("rolled back", said.reason)));
        let Some((text, reason)) = became else { continue };
        told.push(format!("{text} {}{}", when(entry.at), by_and_why(entry, reason.as_deref())));
    }
    Ok(match told.is_empty() {
        true => String::new(),
        false => format!("{} was {}.", report.challenger, told.join(", then ")),
    })
}

fn by_and_why(entry: &Entry, reason: Option<&str>) -> String {
    let by = entry.by.as_deref().map_or_else(String::new, |by| format!(" by {}", short(by, 60)));
    let why = reason.map_or_else(String::new, |why| format!(" ({})", short(why, 200)));
    by + &why
}

impl Asked<'_> {
    /// The gate's last verdict, if it is about these two versions.
    pub(super) fn verdict_on(
        &self,
        production: crate::registry::Version,
        challenger: crate::registry::Version,
    ) -> Option<GateReport> {
        self.verdict().filter(|report| report.production == production && report.challenger == challenger)
    }
}
