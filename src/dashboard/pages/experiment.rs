//! The experiment: arms, results so far, and the steps of its rollout.

use super::{Asked, rendered};
use crate::ab::experiment::Experiment;
use crate::ab::rollout::{Scheduled, schedule};
use crate::dashboard::shell::{Shell, when};
use crate::dashboard::web::{Answer, Oops};
use crate::report::number::{clean, number_or, short};
use crate::report::shape::{Drawing, at};
use askama::Template;
use serde_json::Value;

#[derive(Template)]
#[template(path = "ui_experiment.html")]
struct Page {
    shell: Shell,
    experiment: Option<Shown>,
    found: Option<Found>,
}

struct Shown {
    name: String,
    unit: String,
    state: String,
    running: bool,
    shadow: bool,
    since: String,
    planned_n: u64,
    /// The planned end.
    planned_end: String,
    alpha: f64,
    arms: Vec<[String; 3]>,
    steps: Vec<Step>,
    went_back: Option<String>,
}

/// A step of the rollout.
struct Step {
    n: usize,
    share: String,
    from: String,
    hold: String,
    state: &'static str,
}

/// The result of the last `ab-report`.
struct Found {
    at: String,
    sentence: String,
    srm: String,
    arms: Vec<[String; 3]>,
    effects: Vec<[String; 4]>,
    /// Each: the measure, the arm, its gain with confidence bounds, the permitted loss, the state.
    rails: Vec<[String; 5]>,
    chart: String,
    notes: Vec<String>,
}

pub(super) fn page(asked: &Asked) -> Result<Answer, Oops> {
    let experiment = Experiment::load(&asked.dashboard.workspace)?;
    let report: Option<Value> = asked.dashboard.workspace.report("ab_report.json")?;
    let found =
        report.filter(|report| experiment.as_ref().is_some_and(|e| report["source"]["name"].as_str() == Some(&e.name)));
    rendered(&Page {
        shell: asked.shell("/ui/experiment", "Experiment")?,
        found: found.as_ref().map(found_in),
        experiment: experiment.as_ref().map(shown),
    })
}

fn shown(experiment: &Experiment) -> Shown {
    let weights = experiment.answering();
    let arms = experiment.arms.iter().zip(weights);
    let step = |step: Scheduled| Step {
        n: step.step,
        share: format!("{:.0} %", 100.0 * step.share),
        from: when(step.from),
        hold: step.hold.to_string(),
        state: step.state,
    };
    let ended = experiment.ended.as_ref().map(|ended| {
        let verdict = ended.verdict.as_deref().unwrap_or_default();
        format!("It ended {}. {}", when(ended.at), clean(verdict))
    });
    Shown {
        name: short(&experiment.name, 80),
        unit: short(&experiment.unit, 80),
        running: experiment.is_running(),
        state: ended.unwrap_or_else(|| "It is running.".to_owned()),
        shadow: experiment.shadow,
        since: experiment.epochs.first().map_or_else(String::new, |epoch| when(epoch.from)),
        planned_n: experiment.planned_n,
        planned_end: experiment
            .epochs
            .first()
            .map_or_else(String::new, |epoch| when(experiment.duration.after(epoch.from))),
        alpha: experiment.alpha,
        arms: arms
            .map(|(arm, weight)| [short(&arm.name, 40), arm.version.to_string(), format!("{:.1} %", 100.0 * weight)])
            .collect(),
        steps: schedule(experiment).into_iter().map(step).collect(),
        went_back: experiment
            .rollout
            .as_ref()
            .and_then(|rollout| rollout.went_back.as_deref().map(|why| short(why, 300))),
    }
}

fn found_in(report: &Value) -> Found {
    let text = |value: &Value| value.as_str().map_or_else(String::new, |text| short(text, 400));
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let arms = list(&report["arms"]).into_iter().map(|arm| {
        let n = arm["n_units"].as_u64().map_or_else(|| "–".to_owned(), |n| n.to_string());
        [text(&arm["name"]), n, number_or(arm["n_expected"].as_f64())]
    });
    let mut effects = Vec::new();
    for outcome in list(&report["outcomes"]) {
        for comparison in list(&outcome["comparisons"]) {
            let of = |key: &str| number_or(comparison[key].as_f64());
            let against = format!("{} against {}", text(&comparison["arm"]), text(&comparison["against"]));
            effects.push([
                text(&outcome["name"]),
                against,
                of("difference"),
                match comparison["low"].as_f64().zip(comparison["high"].as_f64()) {
                    Some(_) => format!("{} to {}", of("low"), of("high")),
                    None => "not known yet".to_owned(),
                },
            ]);
        }
    }
    let looks = list(&report["outcomes"][0]["looks"]);
    let band = looks.iter().filter_map(|look| {
        let effect = &look["effects"][0];
        let of = |key: &str| effect[key].as_f64();
        Some((look["n"].as_u64()?, of("low")?, of("difference")?, of("high")?))
    });
    Found {
        at: report["made_at"].as_str().and_then(|at| at.parse().ok()).map_or_else(String::new, when),
        sentence: text(&report["verdict"]["sentence"]),
        srm: format!("{} (p {})", text(&report["srm"]["state"]), number_or(report["srm"]["p"].as_f64())),
        arms: arms.collect(),
        chart: band_chart(&band.collect::<Vec<_>>()),
        effects,
        rails: list(&report["guardrails"]).iter().map(rail).collect(),
        notes: list(&report["notes"]).iter().map(text).collect(),
    }
}

/// A guardrail of the last report.
fn rail(rail: &Value) -> [String; 5] {
    let text = |key: &str| rail[key].as_str().map_or_else(String::new, |text| short(text, 60).replace('_', " "));
    let number = |key: &str| number_or(rail[key].as_f64());
    let gain = match rail["low"].as_f64().zip(rail["high"].as_f64()) {
        Some(_) => format!("{} ({} to {})", number("gain"), number("low"), number("high")),
        None => "too few units".to_owned(),
    };
    [text("measure"), text("arm"), gain, number("margin"), text("state")]
}

/// The effect and its confidence sequence by number of units: (units, lower end, effect, upper end).
fn band_chart(looks: &[(u64, f64, f64, f64)]) -> String {
    const WIDTH: f64 = 760.0;
    const HEIGHT: f64 = 190.0;
    let finite: Vec<_> = looks.iter().filter(|(_, low, _, high)| low.is_finite() && high.is_finite()).collect();
    let (Some(first), Some(last)) = (finite.first(), finite.last()) else { return String::new() };
    if finite.len() < 2 {
        return String::new();
    }
    // The intervals of the first looks are so wide that they would flatten all others.
    let half = &finite[finite.len() / 4..];
    let low = half.iter().map(|look| look.1).fold(0.0, f64::min);
    let high = half.iter().map(|look| look.3).fold(0.0, f64::max);
    let spread = (high - low).max(1e-12);
    let x = |n: u64| 84.0 + (n - first.0) as f64 / ((last.0 - first.0) as f64).max(1.0) * (WIDTH - 104.0);
    let y = |value: f64| 10.0 + (high - value.clamp(low, high)) / spread * (HEIGHT - 46.0);
    let point = |n: u64, value: f64| format!("{} {}", at(x(n)), at(y(value)));
    let upper = finite.iter().map(|look| point(look.0, look.3));
    let lower = finite.iter().rev().map(|look| point(look.0, look.1));
    let middle: Vec<String> = finite.iter().map(|look| point(look.0, look.2)).collect();
    let mut drawing = Drawing::default();
    drawing.path("ref", &format!("M{}Z", upper.chain(lower).collect::<Vec<_>>().join("L")));
    drawing.path("cur stable", &format!("M{}", middle.join("L")));
    drawing.line("limit", (84.0, y(0.0)), (WIDTH - 20.0, y(0.0)));
    for value in [low, 0.0, high] {
        drawing.text("ax end", (78.0, y(value) + 4.0), &number_or(Some(value)));
    }
    drawing.text("ax", (84.0, HEIGHT - 8.0), &format!("{} units", first.0));
    drawing.text("ax mid", (WIDTH / 2.0, HEIGHT - 8.0), "units so far");
    drawing.text("ax end", (WIDTH - 20.0, HEIGHT - 8.0), &format!("{} units", last.0));
    drawing.image(
        "wide",
        (WIDTH, HEIGHT),
        "The effect on the deciding outcome, with its confidence sequence, by \
                                            number of units",
    )
}
