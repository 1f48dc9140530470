use super::args::TableArgs;
use super::output::Style;
use super::{Context, Outcome, Output};
use anyhow::Result;
use mlloop::answers::Listed;
use mlloop::model::Algorithm;
use mlloop::pipeline::{Coverage, Quality, Search, told_words};
use mlloop::printable::{name, printable};
use mlloop::reference;
use mlloop::registry::Role;
use mlloop::report::{grouped, number, percent};
use mlloop::score::report;
use mlloop::train::{self, TrainRequest, Trained};
use serde_json::json;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Fit a model on the reference, evaluate it on held-out rows, and store it as a version
///
/// The rows are split permanently into train, tune and gate (the holdout): a row never changes sides. The first version
/// becomes production, later ones the challenger. A version that predicts one class for every gate row, or is no better
/// than its baseline, never becomes production automatically. reports/train_report.html shows the metrics on the gate
/// rows and the importance of the columns.
///
///   mlloop train
///   mlloop train --cv 5                       also out-of-fold metrics
///   mlloop train --algorithm random-forest
///   mlloop train --quality fast               one fit instead of several
///   mlloop train --quality best --budget 60s  search for 60 s of CPU time
///   mlloop train --test holdout.csv           also metrics on another table
///   mlloop train --full-report                effects, and a learning curve
///   mlloop train --from model.onnx            import a model trained elsewhere
///   mlloop train --skip-lines 2               skip two lines above the header
///
/// Exit status: 0 a version was stored, 2 error.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// The algorithm (default: as in mlloop.toml)
    #[arg(long, value_name = "ALGORITHM", value_parser = super::args::one_of(Algorithm::ALL.map(Algorithm::name), parse_algorithm))]
    algorithm: Option<Algorithm>,
    /// How much work to spend (default: as in mlloop.toml): standard (refit on train and tune rows), fast (one fit on the
    /// train rows; the tune rows only set rounds, calibration and threshold), or best (try up to 13 parameter sets, and
    /// blend the best ones into one model)
    #[arg(long, value_name = "QUALITY", value_parser = super::args::one_of(["standard", "fast", "best"], parse_quality))]
    quality: Option<Quality>,
    /// With --quality best: stop the search after this CPU time, such as 60s or 5m
    #[arg(long, value_name = "TIME", value_parser = budget)]
    budget: Option<u32>,
    /// Also run K-fold cross-validation, and print out-of-fold metrics
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u8).range(2..=50))]
    cv: Option<u8>,
    /// Also evaluate on this labelled table
    #[arg(long, value_name = "TABLE")]
    test: Option<PathBuf>,
    /// Import a model trained elsewhere: an ONNX tree ensemble, XGBoost JSON or UBJSON, LightGBM text
    #[arg(long, value_name = "FILE", conflicts_with_all = ["algorithm", "cv", "quality", "budget"])]
    from: Option<PathBuf>,
    /// Match the features of --from with the table's columns by order, not by name
    #[arg(long, requires = "from")]
    features_by_order: bool,
    #[command(flatten)]
    read: TableArgs,
    /// Add to reports/train_report.html the effects of the strongest columns and a learning curve (a few more fits), and
    /// draw reports/train_report.png
    #[arg(long)]
    full_report: bool,
}

pub(crate) fn run(args: &Args, ctx: &Context, out: &mut Output) -> Result<Outcome> {
    let mut config = ctx.workspace.config()?;
    if let Some(algorithm) = args.algorithm {
        config.model.algorithm = algorithm;
    }
    if let Some(quality) = args.quality {
        config.train.quality = quality;
    }
    if args.budget.is_some() {
        config.train.search.budget = args.budget;
    }
    let started = Instant::now();
    let lock = ctx.lock()?;
    // An interrupted promotion may not have updated the reference and its name.
    reference::settle(&ctx.workspace, &lock, ctx.now)?;
    config.data = ctx.workspace.config()?.data;
    config.read_by(&args.read.options());
    let steps = ctx.progress.steps();
    let request = TrainRequest {
        config: &config,
        seed: ctx.seed,
        now: ctx.now,
        cv: args.cv.map(usize::from),
        test: args.test.as_deref(),
        from: args.from.as_deref(),
        features_by_order: args.features_by_order,
        skip_invalid: args.read.skip_invalid,
        progress: &|what, done, total| steps.at(what, done, total),
    };
    let learned = train::train(&ctx.workspace, &lock, &request)?;
    let closer = args.full_report.then(|| train::look_closer(&ctx.workspace, &request, &learned)).transpose()?;
    steps.finish();
    train::write_page(&ctx.workspace, &learned, closer.as_ref())?;
    ctx.progress.rejects(&learned.rejects);
    learned.manifest.notes.iter().for_each(|note| ctx.progress.note(format_args!("note: {note}")));
    let decides = ctx.workspace.config()?.promote.metric;
    let mut summary =
        json!({ "version": learned.version, "role": learned.role, "gate": learned.manifest.headline(decides) });
    if let Some(search) = &learned.manifest.search {
        summary["search"] = json!(search);
    }
    ctx.log("train", started, summary)?;
    let answer = Listed { version: learned.version, role: Some(learned.role), manifest: learned.manifest.clone() };
    out.answer(&answer, |style| readable(&learned, style))?;
    Ok(Outcome::Yes)
}

fn parse_algorithm(name: &str) -> Result<Algorithm, String> {
    let known = Algorithm::ALL.into_iter().find(|algorithm| algorithm.name() == name);
    known.ok_or_else(|| format!("choose {}", Algorithm::ALL.map(Algorithm::name).join(", ")))
}

fn parse_quality(name: &str) -> Result<Quality, String> {
    let known = Quality::NAMES.into_iter().find(|(known, _)| *known == name);
    known.map(|(_, quality)| quality).ok_or_else(|| "choose standard, fast or best".to_owned())
}

/// Whole seconds of CPU time.
fn budget(text: &str) -> Result<u32, String> {
    let found = super::args::duration(text, Duration::from_secs(1))?;
    u32::try_from(found.as_secs()).map_err(|err| err.to_string())
}

/// The parameter sets tried, best first.
fn tried(search: &Search, style: Style) -> String {
    let mut text = format!(
        "\n{}\n",
        style.bold(&format!(
            "tried {} of {} parameter sets; {}",
            search.tried.len(),
            search.portfolio,
            match search.n_members() {
                1 => "the model uses one".to_owned(),
                n => format!("the model blends {n}"),
            }
        ))
    );
    let _ = writeln!(text, "  {:<32} {:>8} {:>6} {:>7}", "", "loss", "rounds", "share");
    for trial in search.best_first() {
        let share = if trial.weight > 0.0 { percent(trial.weight) } else { String::new() };
        let _ = writeln!(text, "  {:<32} {:>8} {:>6} {share:>7}", trial.name, number(trial.loss), trial.rounds);
    }
    let _ = writeln!(text, "  {:<32} {:>8}", "together", number(search.loss));
    let _ = writeln!(text, "  The loss is on rows that the model was not fitted on.");
    text
}

/// The coverage of 90 % intervals on the gate rows.
fn held(learned: &Trained) -> Option<String> {
    let found = learned.manifest.intervals.iter().find(|coverage| coverage.level == 0.9)?;
    let (what, widest) = Coverage::words(learned.gate.as_ref()?.task);
    Some(format!(
        "90 % {what} cover {:.1} % of the gate rows, and {:.1} % of the third {widest} (predict --interval 0.9)",
        found.held * 100.0,
        found.held_widest * 100.0
    ))
}

/// Width of the longest importance bar, and of the text before it, in characters.
const MOST_BAR: usize = 40;
const BEFORE_BAR: usize = 36;

fn readable(learned: &Trained, style: Style) -> String {
    let Trained { version, role, manifest, gate, cross_validation, test, importance, .. } = learned;
    let rows = manifest.rows;
    // Writing to a String cannot fail.
    let version = style.bold(&version.to_string());
    let (n_learned, n_gate) = (grouped(rows.train + rows.tune), grouped(rows.gate));
    let learned_from = format!("trained on {n_learned} rows, evaluated on {n_gate} held-out rows");
    let mut text = if manifest.doubts.is_empty() {
        format!("{version} is {role}: {learned_from}\n")
    } else {
        let said = if *role == Role::Production {
            "is in production despite these problems"
        } else {
            "is not fit for production"
        };
        format!("{version} {said}: {}\n{role}, {learned_from}\n", manifest.doubts.join("; "))
    };
    let evaluations = [
        ("On the gate rows", gate.as_ref()),
        ("Out of fold", cross_validation.as_ref().map(|cv| &cv.out_of_fold)),
        ("On the test table", test.as_ref()),
    ];
    for (title, evaluation) in evaluations {
        if let Some(evaluation) = evaluation {
            let _ = write!(text, "\n{}\n{}", style.bold(title), report::render(evaluation, style.width()));
        }
    }
    if let Some(line) = held(learned) {
        let _ = writeln!(text, "{line}");
    }
    // The few trials of a small table are only shown on the page; those of a requested search are printed.
    let was_asked = manifest.recipe["quality"] == "best";
    if let Some(search) = manifest.search.as_ref().filter(|_| was_asked) {
        text.push_str(&tried(search, style));
    }
    if let Some(rules) = &learned.rules {
        let _ = write!(text, "\n{}\n{rules}", style.bold("The tree"));
    }
    let _ = writeln!(text, "\n{}", style.bold("Importance"));
    let room = style.width().map_or(MOST_BAR, |width| width.saturating_sub(BEFORE_BAR).min(MOST_BAR));
    for column in importance.iter().take(8) {
        let bar = "▇".repeat((column.gain * room as f64).round() as usize);
        let _ = writeln!(text, "  {:<24} {:>5.1} %  {bar}", name(&column.column), column.gain * 100.0);
        if !column.words.is_empty() {
            let _ = writeln!(text, "    {}", style.dim(&printable(&told_words(&column.words))));
        }
    }
    text
}
