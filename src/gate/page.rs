//! The gate's report as a page: style and picture are embedded, no scripts, no external resources.

use super::judge::Judgement;
use super::report::{GateReport, Pair};
use crate::report::number::{clean, fixed, fixed_or, number, number_or, percent};
use crate::report::shape::{Drawing, at};
use crate::score::{Direction, Improvement, Test};
use crate::workspace::event::Decision;
use askama::Template;

const WIDTH: f64 = 1100.0;
const HEIGHT: f64 = 150.0;
/// Room for labels on either side.
const PAD: f64 = 30.0;

#[derive(Template)]
#[template(path = "gate.html")]
struct Page {
    mlloop: &'static str,
    made_at: String,
    target: String,
    production: String,
    challenger: String,
    tone: &'static str,
    headline: &'static str,
    sentence: String,
    rows: String,
    metric: &'static str,
    interval: String,
    test: String,
    guardrails: Vec<RailRow>,
    metrics: Vec<MetricRow>,
    notes: Vec<String>,
    rules: String,
}

struct RailRow {
    name: String,
    text: String,
    value: String,
    limit: String,
    broken: bool,
}

struct MetricRow {
    name: &'static str,
    production: String,
    challenger: String,
    difference: String,
    /// Whether higher or lower is better.
    direction: &'static str,
    /// The meaning of the difference.
    verdict: &'static str,
    decides: bool,
}

impl GateReport {
    /// The report as a page: style and picture are embedded, no scripts, no external resources.
    #[must_use]
    pub fn html(&self) -> String {
        draw(self)
    }
}

/// Renders the page.
fn draw(report: &GateReport) -> String {
    let j = &report.judgement;
    let found = j.improvement.as_ref();
    let metric = found.map_or("", |found| found.metric.name());
    let positives = j.n_positive.map_or_else(String::new, |n| format!(", {n} of them positive"));
    let page = Page {
        mlloop: env!("CARGO_PKG_VERSION"),
        made_at: report.at.strftime("%Y-%m-%d %H:%M UTC").to_string(),
        target: clean(&report.target),
        production: report.production.to_string(),
        challenger: report.challenger.to_string(),
        tone: match report.decision {
            Decision::Promote => "stable",
            Decision::Refuse => "drifted",
            Decision::Wait => "unknown",
        },
        headline: report.headline(),
        sentence: clean(&report.sentence),
        rows: format!("{} gate rows{positives}; neither version was trained on them.", j.n_rows),
        metric,
        interval: found.map_or_else(String::new, |found| interval(j, found)),
        test: found.map_or_else(String::new, |found| test(j, found)),
        guardrails: report.guardrails.iter().map(rail).collect(),
        metrics: report.metrics.iter().map(|pair| metric_row(pair, metric)).collect(),
        notes: report.holdout.note.iter().chain(&report.notes).map(|note| clean(note)).collect(),
        rules: format!(
            "alpha = {}\nmargin = {}\ndelta = {}\nmin_improvement = {}\nuse of these rows: {}",
            j.alpha, j.margin, j.delta, j.min_improvement, report.holdout.uses
        ),
    };
    // Rendering to a String fails only if a Display does.
    page.render().unwrap_or_default()
}

/// A metric of both models, their difference, and whether higher is better.
fn metric_row(pair: &Pair, deciding: &str) -> MetricRow {
    let both = pair.production.zip(pair.challenger);
    let higher = pair.metric.direction() == Direction::Higher;
    MetricRow {
        name: pair.metric.name(),
        production: fixed_or(pair.production),
        challenger: fixed_or(pair.challenger),
        difference: both.map_or(String::new(), |(old, new)| {
            let sign = if new > old { "+" } else { "" };
            format!("{sign}{}", fixed(new - old))
        }),
        direction: if higher { "higher is better" } else { "lower is better" },
        verdict: match both {
            Some((old, new)) if pair.metric.is_better(new, old) => "better",
            Some((old, new)) if pair.metric.is_better(old, new) => "worse",
            Some(_) => "the same",
            None => "",
        },
        decides: pair.metric.name() == deciding,
    }
}

fn rail(rail: &super::Guardrail) -> RailRow {
    RailRow {
        name: rail.name.replace('_', " "),
        text: clean(&rail.text),
        value: number_or(rail.value),
        limit: number_or(rail.limit),
        broken: rail.broken,
    }
}

/// The test, as text.
fn test(j: &Judgement, found: &Improvement) -> String {
    let how = match found.test {
        Test::DeLong => "DeLong's test of two ROC areas on the same rows",
        Test::McNemar => "McNemar's mid-p test, with the bounds of Bonett and Price",
        Test::Bootstrap => "the paired bootstrap and a permutation test of both models' answers",
    };
    let relative =
        j.relative.map_or_else(String::new, |share| format!(", {} of production's value", percent(share.abs())));
    format!(
        "{} → {}: {} by {}{relative}. The ends of the line are one-sided bounds with error probability {} each, by \
         {how}. Left of the dashed line at −{} a challenger is worse; right of the line at {} it is better.",
        number(found.production),
        number(found.challenger),
        if found.value < 0.0 { "worse" } else { "better" },
        number(found.value.abs()),
        percent(j.alpha),
        number(j.delta),
        number(j.margin),
    )
}

/// The improvement with its bounds, above the ranges for worse, equal and better.
fn interval(j: &Judgement, found: &Improvement) -> String {
    let ends = [found.low, found.high, found.value, -j.delta, j.margin, 0.0];
    let (least, most) = ends.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), &x| (a.min(x), b.max(x)));
    let room = 0.12 * (most - least).max(f64::MIN_POSITIVE);
    let (from, to) = (least - room, most + room);
    let x = |value: f64| PAD + (WIDTH - 2.0 * PAD) * (value - from) / (to - from);
    let mut drawing = Drawing::default();
    let (top, height) = (28.0, 76.0);
    for (class, name, start, end) in [
        ("worse", "worse", from, -j.delta),
        ("asgood", "as good", -j.delta, j.margin),
        ("better", "better", j.margin, to),
    ] {
        drawing.rect(class, (x(start), top), (x(end) - x(start), height));
        if x(end) - x(start) > 70.0 {
            drawing.text("ax mid", (f64::midpoint(x(start), x(end)), top - 9.0), name);
        }
    }
    for edge in [-j.delta, j.margin] {
        drawing.line("edge", (x(edge), top), (x(edge), top + height));
    }
    drawing.line("zero", (x(0.0), top), (x(0.0), top + height));
    let middle = top + height / 2.0;
    drawing.line("whisker", (x(found.low), middle), (x(found.high), middle));
    for end in [found.low, found.high] {
        drawing.line("whisker", (x(end), middle - 9.0), (x(end), middle + 9.0));
    }
    let dot = format!(r#"<circle class="dot" cx="{}" cy="{}" r="6"/>"#, at(x(found.value)), at(middle));
    drawing.raw(&dot);
    labels(&mut drawing, found, &x, top + height + 20.0);
    let title =
        format!("better by {}, one-sided bounds {} and {}", number(found.value), number(found.low), number(found.high));
    drawing.image("wide", (WIDTH, HEIGHT), &title)
}

/// Numbers below the ends, the dot and 0; a number that would overlap an earlier one is omitted.
fn labels(drawing: &mut Drawing, found: &Improvement, x: &impl Fn(f64) -> f64, y: f64) {
    const APART: f64 = 64.0;
    let mut taken: Vec<f64> = Vec::new();
    for value in [found.low, found.high, found.value, 0.0] {
        let place = x(value);
        if taken.iter().all(|other| (other - place).abs() > APART) {
            drawing.text("ax mid", (place, y), &number(value));
            taken.push(place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::report::tests::report;

    #[test]
    fn the_page_says_what_was_found_and_cannot_be_steered() {
        let mut report = report();
        report.target = "<script>churn".to_owned();
        report.guardrails[0].text = "city = </td><script>\u{1b}[2J (200 rows)".to_owned();
        let page = draw(&report);
        for text in [
            "The challenger is better",
            "roc_auc",
            "better by 0.0312",
            "<circle class=\"dot\"",
            "broken",
            "v0002 against v0001",
            "higher is better; decides",
        ] {
            assert!(page.contains(text), "{text}\n{page}");
        }
        assert!(
            !page.contains("<script")
                && !page.contains('\u{1b}')
                && !page.contains("http://") | page.contains("www.w3.org")
        );
        assert!(!page.contains("NaN") && !page.contains("inf"));
    }

    /// The picture without coordinates: the shapes and the texts.
    fn drawn(low: f64, high: f64) -> (Vec<usize>, Vec<String>) {
        let mut report = report();
        (report.judgement.delta, report.judgement.margin) = (0.01, 0.01);
        let found = report.judgement.improvement.as_mut().unwrap();
        (found.low, found.high, found.value) = (low, high, f64::midpoint(low, high));
        let picture = interval(&report.judgement, report.judgement.improvement.as_ref().unwrap());
        let shapes = ["class=\"worse\"", "class=\"asgood\"", "class=\"better\"", "class=\"edge\"", "class=\"zero\""];
        let shapes = shapes.iter().chain(&["class=\"whisker\"", "class=\"dot\""]);
        let words = picture
            .split("<text")
            .skip(1)
            .map(|rest| rest.split_once('>').and_then(|(_, text)| text.split_once("</text>")).unwrap().0.to_owned());
        (shapes.map(|shape| picture.matches(shape).count()).collect(), words.collect())
    }

    #[test]
    fn the_picture_has_three_fields_with_their_borders_and_the_interval_with_its_numbers() {
        let whole = vec![1, 1, 1, 2, 1, 3, 1];
        let words = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let (shapes, said) = drawn(-0.02, 0.04);
        assert_eq!(shapes, whole);
        assert_eq!(said, words(&["worse", "as good", "better", "−0.02", "0.04", "0.01", "0"]));
        // Narrow fields have no name, and numbers do not overlap.
        let (shapes, said) = drawn(0.3, 0.33);
        assert_eq!((shapes, said), (whole, words(&["worse", "better", "0.3", "0.33", "0"])));
    }

    #[test]
    fn no_interval_is_no_picture_and_an_empty_one_is() {
        let mut report = report();
        let found = report.judgement.improvement.as_mut().unwrap();
        (found.low, found.high, found.value) = (0.0, 0.0, 0.0);
        (report.judgement.delta, report.judgement.margin) = (0.0, 0.0);
        assert!(!draw(&report).contains("NaN"));
        report.judgement.improvement = None;
        report.guardrails.clear();
        let page = draw(&report);
        assert!(!page.contains("class=\"wide\"") && page.contains("Not checked: there are no gate rows"));
    }
}
