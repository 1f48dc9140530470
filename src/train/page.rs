//! `reports/train_report.html` and `.png`: the quality of the version just trained, its important columns, and
//! doubts.

use super::closer::{Closer, Effect, Seen};
use super::{TrainError, Trained};
use crate::atomic::{self, At};
use crate::features::Task;
use crate::pipeline::{Coverage, Importance, Search, Trial};
use crate::registry::Role;
use crate::report::curves::{self, Picture};
use crate::report::metrics::{Reading, class_lines, readings};
use crate::report::number::{clean, count, fixed, number, percent, short};
use crate::report::{DRAWS, ReportError, importance_picture};
use crate::score::{Evaluation, ThresholdRule};
use crate::workspace::Workspace;
use askama::Template;

/// Maximum number of columns, classes and effects listed.
const MAX_COLUMNS: usize = 40;
const MAX_CLASSES: usize = 30;

#[derive(Template)]
#[template(path = "train.html")]
struct Page {
    mlloop: &'static str,
    made_at: String,
    target: String,
    version: String,
    tone: &'static str,
    headline: String,
    sentence: String,
    rows: String,
    doubts: Vec<String>,
    notes: Vec<String>,
    readings: Vec<Reading>,
    pictures: Vec<(&'static str, &'static str, String)>,
    confusion: Option<Table>,
    cost: String,
    classes: Vec<[String; 5]>,
    intervals: Vec<String>,
    importance: Vec<Share>,
    effects: Vec<String>,
    predicted: String,
    learning: String,
    learned: String,
    tried: Vec<[String; 4]>,
    data: Vec<[String; 3]>,
    parameters: String,
}

/// Rows by true (down) and predicted (across) class.
struct Table {
    names: Vec<String>,
    rows: Vec<(String, Vec<String>)>,
}

/// The importance of a column.
struct Share {
    column: String,
    gain: String,
    width: String,
    permutation: String,
}

/// Writes the page, and the picture if there is a detailed report.
///
/// # Errors
/// Drawing and I/O errors.
pub fn write(workspace: &Workspace, learned: &Trained, closer: Option<&Closer>) -> Result<(), TrainError> {
    let dir = workspace.path("reports");
    atomic::make_dirs(&dir).at(&dir)?;
    let page = draw(learned, closer)?;
    let path = dir.join("train_report.html");
    atomic::replace(&path, |out| out.write_all(page.as_bytes())).at(&path)?;
    if closer.is_some() && DRAWS {
        let path = dir.join("train_report.png");
        let picture = picture(learned)?;
        atomic::replace(&path, |out| out.write_all(&picture)).at(&path)?;
    }
    Ok(())
}

/// Draws the page.
fn draw(learned: &Trained, closer: Option<&Closer>) -> Result<String, TrainError> {
    let (manifest, gate) = (&learned.manifest, learned.gate.as_ref());
    let fit = manifest.doubts.is_empty();
    let parameters = serde_json::to_string_pretty(&manifest.model).unwrap_or_default();
    let page = Page {
        mlloop: env!("CARGO_PKG_VERSION"),
        made_at: manifest.trained_at.strftime("%Y-%m-%d %H:%M UTC").to_string(),
        target: clean(&learned.pipeline.target.name),
        version: learned.version.to_string(),
        tone: if fit { "stable" } else { "drifted" },
        headline: headline(learned),
        sentence: manifest.headline(None),
        rows: format!(
            "Trained on {} rows, evaluated on {} gate rows that were not used for training.",
            count(manifest.rows.train + manifest.rows.tune),
            count(manifest.rows.gate)
        ),
        doubts: manifest.doubts.iter().map(|doubt| clean(doubt)).collect(),
        notes: manifest.notes.iter().map(|note| clean(note)).collect(),
        readings: gate.map_or_else(Vec::new, readings),
        pictures: pictures(learned)?.into_iter().map(|(title, what, drawn)| (title, what, drawn.image())).collect(),
        confusion: gate.and_then(confusion),
        cost: gate.and_then(|gate| cost(gate, &manifest.recipe)).unwrap_or_default(),
        classes: gate.map_or_else(Vec::new, |gate| class_lines(gate, MAX_CLASSES)),
        intervals: manifest.intervals.iter().map(|held| interval(held, learned.pipeline.target.task)).collect(),
        importance: importance(learned),
        effects: closer
            .map_or_else(Vec::new, |closer| closer.effects.iter().map(|effect| drawn(effect, closer)).collect()),
        predicted: closer.map_or_else(String::new, |closer| clean(&closer.predicted)),
        learning: closer.and_then(learning).map_or_else(String::new, Picture::image),
        learned: closer.map_or_else(String::new, Closer::told),
        tried: manifest.search.as_ref().map_or_else(Vec::new, tried),
        data: manifest
            .data
            .iter()
            .map(|d| [short(&d.path, 120), count(d.n_rows), d.sha256[..d.sha256.len().min(16)].to_owned()])
            .collect(),
        parameters: parameters.lines().map(clean).collect::<Vec<_>>().join("\n"),
    };
    // Rendering to a String fails only when a Display does.
    Ok(page.render().unwrap_or_default())
}

fn headline(learned: &Trained) -> String {
    match (learned.role, learned.manifest.doubts.is_empty()) {
        (Role::Production, true) => format!("{} is in production", learned.version),
        (Role::Production, false) => format!("{} is in production, despite doubts", learned.version),
        (Role::Challenger, true) => format!("{} is the challenger", learned.version),
        (Role::Challenger, false) => format!("{} is not fit for production", learned.version),
    }
}

/// The results on the gate rows: a heading, an explanation, and the picture.
fn pictures(learned: &Trained) -> Result<Vec<(&'static str, &'static str, Picture)>, TrainError> {
    let mut found = Vec::new();
    if let Some(gate) = &learned.gate {
        let same = "Predicted probability against observed share; on the dashed line both are equal.";
        found.extend(gate.reliability.as_ref().map(|bins| ("Calibration", same, curves::calibration(bins))));
        found.extend(curves::roc(&gate.curve).map(|drawn| {
            (
                "ROC curve",
                "Recall (true positive rate) against the false \
                                                                positive rate.",
                drawn,
            )
        }));
        let both = "Precision at each recall: the share of predicted positives that are positive.";
        found.extend(curves::precision_recall(&gate.curve).map(|drawn| ("Precision and recall", both, drawn)));
    }
    let pairs = learned.pairs()?;
    found.extend(
        curves::against(&pairs).map(|drawn| ("Predicted and true", "On the dashed line both are equal.", drawn)),
    );
    let small = "A trend in the errors means that the model can still improve.";
    found.extend(curves::residuals(&pairs).map(|drawn| ("Errors", small, drawn)));
    Ok(found)
}

fn confusion(gate: &Evaluation) -> Option<Table> {
    let cells = gate.confusion.as_ref()?;
    let names: Vec<String> = gate.classes.iter().take(MAX_CLASSES).map(|name| short(name, 24)).collect();
    let row = |truth: usize| (0..names.len()).map(|class| number(cells.cell(truth, class))).collect();
    let rows = names.iter().cloned().enumerate().map(|(truth, name)| (name, row(truth))).collect();
    Some(Table { names, rows })
}

/// The cost of the mistakes on the gate rows, if mlloop.toml defines costs.
fn cost(gate: &Evaluation, recipe: &serde_json::Value) -> Option<String> {
    let rule: ThresholdRule = serde_json::from_value(recipe.pointer("/decision/threshold")?.clone()).ok()?;
    let (ThresholdRule::Cost { cost_fp, cost_fn }, Some(cells)) = (rule, gate.confusion.as_ref()) else { return None };
    let (alarms, misses) = (cells.cell(0, 1), cells.cell(1, 0));
    let whole = cost_fp * alarms + cost_fn * misses;
    Some(format!(
        "At the threshold: {} false alarms at {} and {} misses at {} cost {}, {} a row.",
        number(alarms),
        number(cost_fp),
        number(misses),
        number(cost_fn),
        number(whole),
        number(whole / gate.n_rows as f64)
    ))
}

fn interval(held: &Coverage, task: Task) -> String {
    let (what, widest) = Coverage::words(task);
    format!(
        "{} {what} contain the true value of {} of the gate rows, and of {} of the third {widest}.",
        percent(held.level),
        percent(held.held),
        percent(held.held_widest)
    )
}

fn importance(learned: &Trained) -> Vec<Share> {
    let largest = learned.importance.iter().map(|row| row.gain).fold(f64::MIN_POSITIVE, f64::max);
    let share = |row: &Importance| Share {
        column: match row.words.is_empty() {
            true => short(&row.column, 80),
            false => {
                let words: Vec<&str> = row.words.iter().take(8).map(|word| word.term.as_str()).collect();
                format!("{}: {}", short(&row.column, 60), short(&words.join(", "), 120))
            }
        },
        gain: percent(row.gain),
        width: format!("{:.0}", 100.0 * row.gain / largest),
        permutation: row.permutation.map_or_else(|| "–".to_owned(), fixed),
    };
    learned.importance.iter().take(MAX_COLUMNS).map(share).collect()
}

fn drawn(effect: &Effect, closer: &Closer) -> String {
    match &effect.seen {
        Seen::Numbers(points) => curves::effect_of_number(&effect.column, points, &closer.predicted),
        Seen::Levels(levels) => curves::effect_of_levels(&effect.column, levels, &closer.predicted),
    }
    .image()
}

fn learning(closer: &Closer) -> Option<Picture> {
    curves::learning(&closer.learning, closer.metric.name())
}

/// The trials, best first.
fn tried(search: &Search) -> Vec<[String; 4]> {
    let share = |weight: f64| if weight > 0.0 { percent(weight) } else { String::new() };
    let line = |trial: &Trial| [clean(&trial.name), number(trial.loss), trial.rounds.to_string(), share(trial.weight)];
    search.best_first().into_iter().map(line).collect()
}

/// The version in one picture: its metric, its important columns, and the results on the gate rows.
fn picture(learned: &Trained) -> Result<Vec<u8>, TrainError> {
    let title = format!("{}: {}", headline(learned), learned.manifest.headline(None));
    let shares: Vec<(String, f64)> = learned.importance.iter().map(|row| (row.column.clone(), row.gain)).collect();
    let drawn = pictures(learned)?.into_iter().map(|(name, _, drawn)| (name, drawn)).collect();
    importance_picture(&title, &shares, drawn).map_err(|err: ReportError| TrainError::Picture(err.to_string()))
}
