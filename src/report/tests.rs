//! Output is complete, safe, small and visible.

use super::number::percent;
use super::{drift_html, drift_png, drift_svg, drift_text, raster, sample};
use crate::drift::report::{Answer, Axis, DriftReport, Plot};
use resvg::{tiny_skia, usvg};

const SCRIPT: &str = include_str!("templates/columns.js");

fn marks(width: Option<usize>) -> super::Marks<'static> {
    super::Marks { bold: &str::to_owned, dim: &str::to_owned, verdict: &|_, text| text.to_owned(), width }
}

#[test]
fn the_table_fits_the_terminal() {
    for width in [60, 80, 120] {
        let text = drift_text(&sample::report(), marks(Some(width)));
        let head = text.lines().position(|line| line.starts_with("column ")).unwrap();
        for line in text.lines().skip(head).take_while(|line| !line.is_empty()) {
            assert!(line.chars().count() <= width, "{width}: {line}");
        }
    }
    let all = drift_text(&sample::report(), marks(Some(120)));
    assert_eq!(all, drift_text(&sample::report(), marks(None)));
    // The importance column is dropped first, and is omitted if there is no model.
    let head = |text: &str| text.lines().find(|line| line.starts_with("column ")).unwrap().to_owned();
    assert!(head(&all).ends_with("PSI importance  verdict"), "{all}");
    let heads = [106, 116].map(|width| head(&drift_text(&sample::report(), marks(Some(width)))));
    assert!(heads.iter().all(|head| head.contains("statistic") && !head.contains("importance")), "{heads:?}");
    let mut alone = sample::report();
    alone.columns.iter_mut().for_each(|column| column.importance = None);
    assert!(head(&drift_text(&alone, marks(None))).ends_with("PSI  verdict"));
    let share = percent(sample::report().columns[0].importance.unwrap()).replace('\u{a0}', " ");
    let row = all.lines().find(|line| line.starts_with(&sample::report().columns[0].name)).unwrap();
    assert!(row.contains(&format!(" {share}  ")), "{row}");
}

fn plain(report: &DriftReport) -> String {
    drift_text(report, marks(None))
}

/// A report in which every text is an injection attempt.
fn hostile() -> DriftReport {
    const ATTACK: &str = "<script>alert('x')</script>\"&\u{1b}[2J\u{202e}\u{0}]]>";
    let mut report = sample::report();
    for column in &mut report.columns {
        column.name = ATTACK.to_owned();
        column.method = ATTACK.to_owned();
        column.kind = ATTACK.to_owned();
        if let Plot::Category { levels, .. } = &mut column.plot {
            levels.fill(ATTACK.to_owned());
        }
    }
    for chunk in &mut report.history {
        chunk.name = ATTACK.to_owned();
    }
    for finding in &mut report.findings {
        finding.text = ATTACK.to_owned();
    }
    for trigger in &mut report.triggers {
        (trigger.name, trigger.text) = (ATTACK.to_owned(), ATTACK.to_owned());
    }
    report.settings = serde_json::json!({ ATTACK: ATTACK });
    report.notes = vec![ATTACK.to_owned()];
    report.verdict.sentence = ATTACK.to_owned();
    (report.predicts, report.version, report.mlloop) = (ATTACK.to_owned(), Some(ATTACK.to_owned()), ATTACK.to_owned());
    (report.reference.name, report.current.name) = (ATTACK.to_owned(), ATTACK.to_owned());
    report
}

/// All pictures of a page.
fn pictures(html: &str) -> Vec<&str> {
    let starts = html.match_indices("<svg xmlns").map(|(at, _)| at);
    starts.map(|at| &html[at..at + html[at..].find("</svg>").unwrap() + 6]).collect()
}

#[test]
fn the_page_says_what_was_found() {
    let html = drift_html(&sample::report());
    for said in
        ["Retraining is warranted", "MEDIUM", "amount_eur", "too few rows", "needs 200 rows", "every value is missing"]
    {
        assert!(html.contains(said), "{said}");
    }
    for said in ["Limits.", "Settings in effect", "since 2026-10-1", "&#60; 0.001", "49\u{a0}672 rows", "±0.7\u{a0}%"]
    {
        assert!(html.contains(said), "{said}");
    }
}

#[test]
fn the_page_needs_nothing_but_itself() {
    let html = drift_html(&sample::report()).replace("http://www.w3.org/2000/svg", "");
    assert_eq!(
        (html.matches("<script").count(), html.matches(SCRIPT.trim_end()).count()),
        (1, 1),
        "only our own script"
    );
    for reference in ["http:", "https:", "src=", "@import", "url(", "<link"] {
        assert!(!html.contains(reference), "{reference}");
    }
}

#[test]
fn hostile_text_stays_text() {
    let report = hostile();
    let (html, svg, text) = (drift_html(&report), drift_svg(&report), plain(&report));
    // The page's own script contains nothing from the report.
    let page = html.replace(&format!("<script>\n{}</script>", SCRIPT.trim_end()), "");
    for drawn in [&page, &svg] {
        assert!(!drawn.contains("<script"));
        assert!(!drawn.contains("</script"));
    }
    for drawn in [&html, &svg, &text] {
        assert!(!drawn.contains(['\u{1b}', '\u{202e}', '\u{0}']));
    }
    assert!(usvg::Tree::from_str(&svg, &raster::options()).is_ok());
    for picture in pictures(&html) {
        usvg::Tree::from_str(picture, &usvg::Options::default()).unwrap();
    }
}

#[test]
fn a_hundred_columns_stay_below_500_kb() {
    let html = drift_html(&sample::wide(100));
    assert!(html.len() < 500_000, "{} bytes", html.len());
    assert!(html.contains("column_099"));
}

#[test]
fn every_finding_has_its_column_and_every_bar_its_number() {
    let report = sample::report();
    let (html, text, markdown) = (drift_html(&report), plain(&report), super::drift_markdown(&report));
    for found in [&html, &text] {
        assert!(found.contains("card_network: 1 level that the reference does not know"), "{found}");
    }
    assert!(markdown.contains("card\\_network: 1 level that the reference"), "{markdown}");
    let legend = "Below it is its critical value: without drift, 1 in 100 comparisons";
    assert!(html.contains(legend) && html.contains("<small>chance: "), "{html}");
    for idle in ["recent accuracy", "age"] {
        assert!(!html.contains(&format!("<span class=\"name\">{idle}")), "{idle} is a row of nothing");
    }
    assert!(html.contains("Off, or no data: recent accuracy, age."));
    let network = report.columns.iter().find(|column| column.name == "card_network").unwrap();
    let Plot::Category { reference, current, .. } = &network.plot else { panic!("levels") };
    for share in reference.iter().chain(current) {
        assert!(html.contains(&format!("{}</text>", super::number::percent(*share))), "{share}");
    }
    for column in &report.columns {
        let named = format!("Larger picture of {}", super::number::short(&column.name, 120));
        assert!(html.contains(&named), "{named}");
    }
}

#[test]
fn every_picture_of_the_page_is_well_formed() {
    let html = drift_html(&sample::wide(30));
    let pictures = pictures(&html);
    assert_eq!(pictures.len(), 2 + 30 + 2 + 2, "dial and share, columns, target and score, history");
    for picture in pictures {
        usvg::Tree::from_str(picture, &usvg::Options::default()).unwrap();
        assert!(picture.contains("<title>"));
    }
}

#[test]
fn the_picture_shows_something_and_has_text_without_fonts() {
    let png = drift_png(&sample::report()).unwrap();
    let dots = tiny_skia::Pixmap::decode_png(&png).unwrap();
    assert_eq!(dots.width(), 2400);
    assert!((1200..3000).contains(&dots.height()), "{}", dots.height());
    // Only the headline: text is set in the embedded font.
    let headline = (140..200).flat_map(|y| (96..900).map(move |x| (x, y)));
    let dark = headline.filter(|(x, y)| dots.pixel(*x, *y).is_some_and(|dot| dot.red() < 80)).count();
    assert!(dark > 2000, "{dark} dark dots");
}

#[test]
fn a_terminal_gets_the_essence() {
    let text = plain(&sample::report());
    assert!(text.starts_with("Retraining is warranted\n4 of 10 columns drifted"), "{text}");
    assert!(text.contains("MEDIUM ████████░░░░░░░░░░░░  40 % of columns drifted (threshold 25 %)"), "{text}");
    assert!(text.contains("and 6 more, 0 of them drifted"), "{text}");
    assert!(text.contains("and 1 more in reports/drift_report.html"), "{text}");
    assert!(text.contains("seconds_since_the_pre…"), "{text}");
    let row = text.lines().find(|line| line.starts_with("amount_eur")).unwrap();
    assert!(row.contains('█') && row.contains("< 0.001") && row.ends_with("drifted"), "{row}");
    assert!(text.contains("target stable (p ") && text.contains(" · score "), "{text}");
    assert!(text.contains("roc_auc 0.8890 (gate 0.9120)"), "{text}");
    assert!((20..=32).contains(&text.lines().count()), "{} lines", text.lines().count());
}

#[test]
fn a_report_of_nothing_is_drawn_too() {
    let mut report = sample::report();
    report.columns.clear();
    report.history.clear();
    report.triggers.clear();
    report.findings.clear();
    (report.target, report.score, report.multivariate) = (None, None, None);
    (report.performance, report.estimate, report.verdict.severity) = (None, None, None);
    (report.share.share, report.share.column_share, report.share.weighted_share) = (None, None, None);
    report.verdict.retrain = Answer::CannotTell;
    (report.share.n_drifted, report.share.n_stable, report.share.n_unknown) = (0, 0, 0);
    assert!(drift_html(&report).contains("Too little to tell"));
    assert!(drift_png(&report).is_ok());
    assert!(plain(&report).contains("no column could be judged"));
}

#[test]
fn degenerate_plots_are_drawn() {
    let mut report = sample::report();
    let plots = [
        Plot::Number { axis: Axis::Linear, edges: vec![], reference: vec![], current: vec![] },
        Plot::Number { axis: Axis::Linear, edges: vec![5.0, 5.0], reference: vec![1.0], current: vec![0.0] },
        Plot::Number {
            axis: Axis::Linear,
            edges: vec![0.0, f64::INFINITY],
            reference: vec![1.0],
            current: vec![f64::NAN],
        },
        Plot::Number {
            axis: Axis::Linear,
            edges: vec![0.0, 1.0, 1.0, 9.0],
            reference: vec![0.1, 0.8, 0.1],
            current: vec![1.0, 0.0, 0.0],
        },
        Plot::Number { axis: Axis::Log, edges: vec![0.0, 10.0], reference: vec![1.0], current: vec![1.0] },
        Plot::Number { axis: Axis::Quantile, edges: vec![1.0, 1.0], reference: vec![1.0], current: vec![1.0] },
        Plot::Category { levels: vec![], reference: vec![], current: vec![] },
        Plot::Category { levels: vec![String::new()], reference: vec![], current: vec![1.0] },
    ];
    for (column, plot) in report.columns.iter_mut().zip(plots) {
        column.plot = plot;
    }
    assert!(!drift_html(&report).contains("NaN"));
    assert!(drift_png(&report).is_ok());
    assert!(!plain(&report).contains("NaN"));
}

/// Writes the output for viewing: `cargo test --lib report::tests::to_look_at -- --ignored` with a target folder.
#[test]
#[ignore = "writes files to look at"]
#[expect(clippy::disallowed_methods, reason = "a folder for people, not a workspace")]
fn to_look_at() {
    let folder = std::path::PathBuf::from(std::env::var("REPORT_FOLDER").unwrap());
    std::fs::write(folder.join("drift.html"), drift_html(&sample::report())).unwrap();
    std::fs::write(folder.join("wide.html"), drift_html(&sample::wide(100))).unwrap();
    std::fs::write(folder.join("drift.svg"), drift_svg(&sample::report())).unwrap();
    std::fs::write(folder.join("drift.png"), drift_png(&sample::report()).unwrap()).unwrap();
    std::fs::write(folder.join("drift.txt"), plain(&sample::report())).unwrap();
}
