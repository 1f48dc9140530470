//! One version: its metrics, a comparison with another version, and predictions for typed values.

use super::judged::Verdict;
use super::parts::{Standing, balance};
use super::{Asked, rendered};
use crate::dashboard::shell::Shell;
use crate::dashboard::web::{Answer, Oops};
use crate::features::TermShare;
use crate::past;
use crate::pipeline::{Contribution, Pipeline, PipelineError, RowEncoder};
use crate::profile::Profile;
use crate::registry::{CURVES, Manifest, Role, Version, read_curves};
use crate::report::curves::{self, Picture};
use crate::report::metrics::{Reading, class_lines, readings};
use crate::report::number::{clean, number, percent, short};
use crate::report::shape::Drawing;
use crate::score::Evaluation;
use crate::score::curve::CurvePoint;
use crate::table::{Cell, Kind};
use askama::Template;

/// Maximum number of inputs in the what-if form.
const MAX_INPUTS: usize = 80;
/// Maximum number of classes listed.
const MAX_CLASSES: usize = 50;

pub(super) fn role_name(role: Option<Role>) -> &'static str {
    match role {
        Some(Role::Production) => "production",
        Some(Role::Challenger) => "challenger",
        None => "",
    }
}

#[derive(Template)]
#[template(path = "ui_model.html")]
struct Model {
    shell: Shell,
    standing: Standing,
    parent: String,
    model: String,
    rows: String,
    data: Vec<[String; 3]>,
    notes: Vec<String>,
    readings: Vec<Reading>,
    other: Option<Beside>,
    others: Vec<(String, bool)>,
    importance: String,
    reliability: String,
    roc: String,
    precision_recall: String,
    report: Vec<[String; 5]>,
    inputs: Vec<Input>,
    n_left_out: usize,
    said: Option<Said>,
}

/// Another version, for comparison.
struct Beside {
    version: String,
    /// Metrics of both, each on the gate rows of its time.
    rows: Vec<(Reading, Option<Reading>)>,
    /// Both on the same rows, if the gate's last verdict is about these two.
    judged: Option<Verdict>,
}

/// Compares `version` with `other`.
fn beside(asked: &Asked, version: Version, own: Option<&Evaluation>, other: Version) -> Result<Beside, Oops> {
    let found = asked.dashboard.workspace.registry().gate(other, &known(asked, other)?)?;
    let mut others = found.as_ref().map_or_else(Vec::new, readings);
    let mut partner = |name: &str| others.iter().position(|row| row.name == name).map(|at| others.swap_remove(at));
    let rows = own.map_or_else(Vec::new, readings);
    let rows = rows.into_iter().map(|row| (partner(row.name), row)).map(|(partner, row)| (row, partner)).collect();
    let judged = asked.verdict_on(version, other).or_else(|| asked.verdict_on(other, version));
    Ok(Beside { version: other.to_string(), rows, judged: judged.as_ref().map(Verdict::of) })
}

/// An input of the what-if form.
struct Input {
    name: String,
    label: String,
    value: String,
    levels: Vec<(String, bool)>,
    hint: String,
    problem: String,
}

struct Said {
    prediction: String,
    scores: Vec<[String; 2]>,
    /// The lowest score that is predicted positive; empty without a threshold.
    threshold: String,
    chart: String,
}

/// One version.
pub(super) fn model(asked: &Asked) -> Result<Answer, Oops> {
    let registry = asked.dashboard.workspace.registry();
    let roles = registry.roles()?;
    let version = asked.version("version")?.or(roles.production);
    let version = version.ok_or_else(|| Oops::NotFound("there is no version yet".to_owned()))?;
    let manifest = known(asked, version)?;
    let gate = registry.gate(version, &manifest)?;
    let other = asked.version("beside")?.map(|other| beside(asked, version, gate.as_ref(), other)).transpose()?;
    let named = other.as_ref().map(|other| other.version.clone()).unwrap_or_default();
    let others = registry.versions()?.into_iter().rev().filter(|other| *other != version).take(200);
    let pipeline = Pipeline::load(&registry.path(version)?)?;
    let (inputs, said) = what_if(asked, &pipeline, version)?;
    let points = points(asked, version, &manifest)?;
    rendered(&Model {
        shell: asked.shell("/ui/models", &version.to_string())?,
        standing: Standing::new(
            version,
            role_name(roles.role_of(version)),
            &manifest,
            asked.dashboard.workspace.config()?.promote.metric,
        ),
        parent: manifest.parent.map_or_else(String::new, |parent| parent.to_string()),
        model: short(&manifest.model.to_string(), 600),
        rows: format!(
            "{} for training, {} of them also for tuning, {} for the gate",
            manifest.rows.train + manifest.rows.tune,
            manifest.rows.tune,
            manifest.rows.gate
        ),
        data: manifest
            .data
            .iter()
            .map(|d| [short(&d.path, 120), d.n_rows.to_string(), d.sha256[..d.sha256.len().min(16)].to_owned()])
            .collect(),
        notes: manifest.notes.iter().map(|note| clean(note)).collect(),
        readings: gate.as_ref().map_or_else(Vec::new, readings),
        other,
        others: others.map(|other| (other.to_string(), other.to_string() == named)).collect(),
        importance: importance(&manifest),
        reliability: picture(gate.as_ref().and_then(|gate| gate.reliability.as_ref()).map(curves::calibration)),
        roc: picture(curves::roc(&points)),
        precision_recall: picture(curves::precision_recall(&points)),
        report: gate.as_ref().map_or_else(Vec::new, |gate| class_lines(gate, MAX_CLASSES)),
        n_left_out: inputs.len().saturating_sub(MAX_INPUTS),
        inputs: inputs.into_iter().take(MAX_INPUTS).collect(),
        said,
    })
}

fn known(asked: &Asked, version: Version) -> Result<Manifest, Oops> {
    let registry = asked.dashboard.workspace.registry();
    if registry.path(version).is_err() {
        return Err(Oops::NotFound(format!("{version} is not stored (any more)")));
    }
    Ok(registry.manifest(version)?)
}

/// The version as an ONNX file.
pub(super) fn onnx(asked: &Asked) -> Result<Answer, Oops> {
    let version = asked.version("version")?.ok_or_else(|| Oops::Bad("which version?".to_owned()))?;
    known(asked, version)?;
    let dir = asked.dashboard.workspace.registry().path(version)?;
    let graph = Pipeline::load(&dir)?.checked_onnx(&dir)?;
    Ok(Answer::File(format!("{version}.onnx"), "application/octet-stream", graph))
}

/// Bars of the most important columns.
fn importance(manifest: &Manifest) -> String {
    const WIDTH: f64 = 640.0;
    const ROW: f64 = 24.0;
    // The font is larger on narrow screens.
    const TOP: f64 = 8.0;
    let rows = manifest.importance.iter();
    let mut all: Vec<(String, f64)> = rows.map(|row| (labelled(&row.column, &row.words), row.gain)).collect();
    all.sort_by(|a, b| b.1.total_cmp(&a.1));
    all.truncate(20);
    let top = all.first().map_or(1.0, |first| first.1.max(1e-12));
    let mut drawing = Drawing::default();
    for (n, (name, value)) in all.iter().enumerate() {
        let y = TOP + n as f64 * ROW;
        drawing.text("end", (300.0, y + 15.0), &short(name, 34));
        drawing.rect("bar stable", (310.0, y + 4.0), ((value / top * 250.0).max(1.0), ROW - 9.0));
        drawing.text("ax", (318.0 + value / top * 250.0, y + 15.0), &percent(*value));
    }
    if all.is_empty() {
        return String::new();
    }
    drawing.image("wide", (WIDTH, TOP + all.len() as f64 * ROW), "Importance of the strongest columns")
}

/// The points of the curves, if the version has any.
fn points(asked: &Asked, version: Version, manifest: &Manifest) -> Result<Vec<CurvePoint>, Oops> {
    const MAX_BYTES: u64 = 1 << 20;
    if !manifest.artifacts.iter().any(|name| name == CURVES) {
        return Ok(Vec::new());
    }
    let bytes = asked.dashboard.workspace.registry().read(version, CURVES, MAX_BYTES)?;
    Ok(read_curves(&bytes))
}

/// As an image; empty without a picture.
fn picture(found: Option<Picture>) -> String {
    found.map_or_else(String::new, Picture::image)
}

/// The lowest score that is predicted positive; empty without a threshold.
fn threshold(pipeline: &Pipeline) -> String {
    match (pipeline.threshold, pipeline.target.classes.as_slice()) {
        (Some(threshold), [_, positive]) => format!("{} from {} on", short(positive, 60), number(threshold)),
        _ => String::new(),
    }
}

/// The form, filled with typed or typical values, and the version's prediction.
fn what_if(asked: &Asked, pipeline: &Pipeline, version: Version) -> Result<(Vec<Input>, Option<Said>), Oops> {
    let tried = asked.fields.has("try");
    let usual = asked.dashboard.workspace.registry().profile(version).ok();
    let readers = pipeline.cell_readers()?;
    let mut row = RowEncoder::new(pipeline, 1);
    let (mut inputs, mut fits) = (Vec::new(), true);
    for (place, ((name, kind), reader)) in pipeline.features.inputs().zip(&readers).enumerate() {
        let field = format!("x.{name}");
        let value = match asked.fields.has(&field) {
            true => asked.fields.get(&field).to_owned(),
            false => usual.as_ref().and_then(|profile| usual_value(profile, name, kind)).unwrap_or_default(),
        };
        let cell = if value.trim().is_empty() { Some(Cell::Missing) } else { reader.text(&value) };
        let problem = match cell {
            // A typed number may overflow; in tables and requests this is refused earlier.
            Some(Cell::Number(x)) if !x.is_finite() => "this is not a finite number".to_owned(),
            Some(cell) => match row.set(0, place, cell) {
                Ok(_) => String::new(),
                Err(err) => err.to_string(),
            },
            None => format!("this is not {}", reader.expected()),
        };
        fits &= problem.is_empty();
        let levels = pipeline.features.levels().find(|(column, _)| *column == name);
        let levels: Vec<String> =
            levels.map(|(_, levels)| levels.iter().take(100).cloned().collect()).unwrap_or_default();
        inputs.push(Input {
            name: field,
            label: short(name, 60),
            levels: levels.into_iter().map(|level| (level.clone(), level == value)).collect(),
            value,
            hint: reader.expected(),
            problem: if tried { problem } else { String::new() },
        });
    }
    if !tried || !fits {
        return Ok((inputs, None));
    }
    let windows = past::of_cells(&asked.dashboard.workspace, version, pipeline, row.cells())?;
    let (scores, matrix) = pipeline.score_features(row.finish(&windows).map_err(PipelineError::from)?)?;
    let mut why = pipeline.explain(&matrix, &scores, 12)?;
    let typed = |_: usize, name: &str| {
        inputs.iter().find(|input| input.name == format!("x.{name}")).map(|input| input.value.as_str())
    };
    pipeline.name_words(&mut why, &scores, typed);
    let found = scores.row(0);
    let class = pipeline.class_of(found).and_then(|class| pipeline.target.classes.get(class).cloned());
    let names = match pipeline.target.classes.as_slice() {
        [] => vec![pipeline.target.name.clone()],
        [_, positive] => vec![positive.clone()],
        classes => classes.to_vec(),
    };
    let bars: Vec<(String, f64)> = why.into_iter().flatten().map(bar).collect();
    let said = Said {
        threshold: threshold(pipeline),
        prediction: class.map_or_else(|| number(found[0]), |class| short(&class, 80)),
        scores: names.iter().zip(found).map(|(name, score)| [short(name, 60), number(*score)]).collect(),
        chart: balance(&bars),
    };
    Ok((inputs, Some(said)))
}

/// A contribution as a bar; that of a text with its strongest words.
pub(super) fn bar(one: Contribution) -> (String, f64) {
    (labelled(&one.column, &one.words), one.value)
}

fn labelled(column: &str, words: &[TermShare]) -> String {
    let terms: Vec<&str> = words.iter().take(3).map(|word| word.term.as_str()).collect();
    if terms.is_empty() { column.to_owned() } else { format!("{}: {}", short(column, 12), terms.join(", ")) }
}

/// The median of a number in the training data; other inputs are left empty.
fn usual_value(profile: &Profile, name: &str, kind: Kind) -> Option<String> {
    let column = profile.column(name).filter(|_| kind == Kind::Number)?;
    Some(column.quantile(0.5)?.to_string())
}
