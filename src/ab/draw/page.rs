//! The data of the page's template, as strings.

use super::{chart, words};
use crate::ab::report::{AbReport, OutcomeReport};
use crate::report::number::{clean, count, number, short};
use crate::report::shape::Drawing;
use askama::Template;

const WIDE: f64 = 1100.0;
const HALF: f64 = 500.0;

#[derive(Template)]
#[template(path = "ab.html")]
struct Page {
    mlloop: String,
    made_at: String,
    name: String,
    tone: &'static str,
    headline: String,
    sentence: String,
    source: String,
    rule: String,
    srm: String,
    srm_tone: &'static str,
    distribution: String,
    arms: Vec<[String; 4]>,
    outcomes: Vec<OutcomeView>,
    rails: Vec<[String; 3]>,
    models: Vec<[String; 3]>,
    pairs: Vec<String>,
    epochs: Vec<[String; 4]>,
    notes: Vec<String>,
    settings: String,
}

struct OutcomeView {
    name: String,
    tag: String,
    class: &'static str,
    primary: bool,
    sentence: String,
    unit: &'static str,
    forest: String,
    arms: Vec<[String; 5]>,
    comparisons: Vec<ComparisonView>,
    all_arms: Option<String>,
    cuped: Option<String>,
}

struct ComparisonView {
    who: String,
    difference: String,
    interval: String,
    lift: String,
    p: String,
    fixed: String,
    fixed_interval: String,
    needed: String,
    chart: String,
}

/// Renders the page.
pub(super) fn draw(report: &AbReport) -> String {
    let arm = |arm: &crate::ab::report::ArmFacts| {
        let role = if arm.control { "control: the other arms are compared with it" } else { "" };
        let expected = count(arm.n_expected.round().max(0.0) as u64);
        [short(&arm.name, 60), role.to_owned(), count(arm.n_units), expected]
    };
    let page = Page {
        mlloop: clean(&report.mlloop),
        made_at: report.made_at.strftime("%Y-%m-%d %H:%M UTC").to_string(),
        name: short(&report.source.name, 80),
        tone: words::tone(report),
        headline: words::headline(report),
        sentence: clean(&report.verdict.sentence),
        source: words::source(report),
        rule: words::rule(report),
        srm: words::srm(report),
        srm_tone: chart::srm_tone(report),
        distribution: image("half", HALF, chart::distribution(report, HALF), "Units by arm, expected and observed"),
        arms: report.arms.iter().map(arm).collect(),
        outcomes: report.outcomes.iter().map(outcome).collect(),
        rails: report.guardrails.iter().map(words::rail).collect(),
        models: report.models.iter().map(words::model).collect(),
        pairs: report.paired.iter().map(words::paired).collect(),
        epochs: report.experiment.iter().flat_map(|e| &e.epochs).map(words::epoch).collect(),
        notes: report.notes.iter().map(|note| clean(note)).collect(),
        settings: serde_json::to_string_pretty(&report.settings).unwrap_or_default(),
    };
    // Writing to a string cannot fail.
    page.render().unwrap_or_default()
}

fn image(class: &str, width: f64, piece: chart::Piece, title: &str) -> String {
    let mut drawing = Drawing::default();
    drawing.raw(&piece.svg);
    drawing.image(class, (width, piece.height), title)
}

fn outcome(outcome: &OutcomeReport) -> OutcomeView {
    let kind = outcome.kind;
    let (tag, class) = words::tag(outcome);
    let arm = |arm: &crate::ab::report::ArmOutcome| {
        let missing = if arm.n_missing > 0 { count(arm.n_missing) } else { "0".to_owned() };
        [short(&arm.name, 60), count(arm.n), missing, words::sum(kind, arm.sum), words::mean(kind, arm.mean)]
    };
    let cuped = outcome.cuped.as_ref().map(|cuped| {
        format!(
            "Adjusted by {} (CUPED): variance reduced by {:.1} %, slope {}; {} units have no value there and count \
             as average. Unadjusted: {}.",
            short(&cuped.column, 60),
            100.0 * cuped.variance_reduction,
            number(cuped.theta),
            count(cuped.n_unknown),
            cuped.unadjusted.iter().map(|x| words::gap(kind, *x)).collect::<Vec<_>>().join(", ")
        )
    });
    let title = format!("{} by arm with 95 % intervals", short(&outcome.name, 60));
    OutcomeView {
        name: short(&outcome.name, 80),
        tag,
        class,
        primary: outcome.primary,
        sentence: clean(&outcome.verdict.sentence),
        unit: words::unit(kind),
        forest: image("half", HALF, chart::arms(outcome, HALF), &title),
        arms: outcome.arms.iter().map(arm).collect(),
        comparisons: (0..outcome.comparisons.len()).map(|i| comparison(outcome, i)).collect(),
        all_arms: outcome.all_arms.as_ref().filter(|_| outcome.arms.len() > 2).map(words::fixed),
        cuped,
    }
}

fn comparison(outcome: &OutcomeReport, i: usize) -> ComparisonView {
    let (kind, found) = (outcome.kind, &outcome.comparisons[i]);
    let who = format!("{} minus {}", short(&found.arm, 40), short(&found.against, 40));
    let title = format!("{who}: {} ({})", words::gap(kind, found.difference), words::interval(kind, found));
    let single =
        found.fixed.interval.map(|(low, high)| format!("{} to {}", words::gap(kind, low), words::gap(kind, high)));
    ComparisonView {
        difference: words::gap(kind, found.difference),
        interval: words::interval(kind, found),
        lift: words::lift(found),
        p: words::p(found.p_holm),
        fixed: words::fixed(&found.fixed),
        fixed_interval: single.unwrap_or_default(),
        needed: match found.low > 0.0 || found.high < 0.0 {
            true => "reached".to_owned(),
            false => found.n_to_exclude_zero.map_or("–".to_owned(), count),
        },
        chart: chart::effect(outcome, i, WIDE).map(|piece| image("wide", WIDE, piece, &title)).unwrap_or_default(),
        who,
    }
}
