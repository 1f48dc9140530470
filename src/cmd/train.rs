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

/// Fit a model on the reference, evaluate it on rows it never saw, and store it as a version
///
/// The rows are split for good into train, tune and gate (a row never changes sides). The first version becomes
/// production, later ones the challenger. A version whose gate rows speak against it (its threshold calls every row
/// the same, or it is no better than its baseline) never becomes production by itself. What its gate rows show, and what it
/// rests on, is drawn in reports/train_report.html.
///
///   mlloop train
///   mlloop train --cv 5                       out-of-fold metrics besides
///   mlloop train --algorithm random-forest
///   mlloop train --quality fast               one fit instead of several
///   mlloop train --quality best --budget 60s  the best that 60 s of CPU find
///   mlloop train --test holdout.csv           metrics on another table besides
///   mlloop train --full-report                effects, and a learning curve
///   mlloop train --from model.onnx            take in a model made elsewhere
///
/// Exit status: 0 a version was stored, 2 error.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// The kind of model, instead of what mlloop.toml says
    #[arg(long, value_name = "ALGORITHM", value_parser = super::args::one_of(["gradient-boosting", "random-forest", "decision-tree"], parse_algorithm))]
    algorithm: Option<Algorithm>,
    /// How much is done for a good model, instead of what mlloop.toml says: standard (every row that is not in the gate
    /// teaches), fast (one fit: the tune rows decide, and do not teach), or best (up to 13 sets of parameters are tried, and
    /// those that are best together are one model)
    #[arg(long, value_name = "QUALITY", value_parser = super::args::one_of(["standard", "fast", "best"], parse_quality))]
    quality: Option<Quality>,
    /// With --quality best: try nothing more after so much CPU time, such as 60s or 5m
    #[arg(long, value_name = "TIME", value_parser = budget)]
    budget: Option<u32>,
    /// Also score every row by a model that did not see it, in K folds
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u8).range(2..=50))]
    cv: Option<u8>,
    /// Also evaluate on this labelled table
    #[arg(long, value_name = "TABLE")]
    test: Option<PathBuf>,
    /// Store a model made elsewhere: an ONNX tree ensemble, XGBoost JSON or UBJSON, LightGBM text
    #[arg(long, value_name = "FILE", conflicts_with_all = ["algorithm", "cv", "quality", "budget"])]
    from: Option<PathBuf>,
    /// The features of --from are the table's columns in their order, whatever their names
    #[arg(long, requires = "from")]
    features_by_order: bool,
    /// Leave out rows that do not fit, and report them
    #[arg(long)]
    skip_invalid: bool,
    /// Look closer in reports/train_report.html: what the strongest columns do to the prediction, and whether more rows would
    /// help (a few more fits); and draw reports/train_report.png
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
    // A promotion that was interrupted may have left the reference, and its name, behind.
    reference::settle(&ctx.workspace, &lock, ctx.now)?;
    config.data = ctx.workspace.config()?.data;
    let steps = ctx.progress.steps();
    let request = TrainRequest {
        config: &config,
        seed: ctx.seed,
        now: ctx.now,
        cv: args.cv.map(usize::from),
        test: args.test.as_deref(),
        from: args.from.as_deref(),
        features_by_order: args.features_by_order,
        skip_invalid: args.skip_invalid,
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
    let known = [Algorithm::GradientBoosting, Algorithm::RandomForest, Algorithm::DecisionTree];
    known.into_iter().find(|a| a.name() == name).ok_or_else(|| {
        let names: Vec<&str> = known.iter().map(|a| a.name()).collect();
        format!("there are {}", names.join(", "))
    })
}

fn parse_quality(name: &str) -> Result<Quality, String> {
    let known = Quality::NAMES.into_iter().find(|(known, _)| *known == name);
    known.map(|(_, quality)| quality).ok_or_else(|| "there are standard, fast and best".to_owned())
}

/// Whole seconds of CPU time.
fn budget(text: &str) -> Result<u32, String> {
    let found = super::args::duration(text, Duration::from_secs(1))?;
    u32::try_from(found.as_secs()).map_err(|err| err.to_string())
}

/// What was tried, the best first.
fn tried(search: &Search, style: Style) -> String {
    let mut text = format!(
        "\n{}\n",
        style.bold(&format!(
            "{} of {} sets of parameters were tried; {}",
            search.tried.len(),
            search.portfolio,
            match search.n_members() {
                1 => "one is the model".to_owned(),
                n => format!("{n} together are the model"),
            }
        ))
    );
    let _ = writeln!(text, "  {:<32} {:>8} {:>6} {:>7}", "", "loss", "rounds", "share");
    for trial in search.best_first() {
        let share = if trial.weight > 0.0 { percent(trial.weight) } else { String::new() };
        let _ = writeln!(text, "  {:<32} {:>8} {:>6} {share:>7}", trial.name, number(trial.loss), trial.rounds);
    }
    let _ = writeln!(text, "  {:<32} {:>8}", "together", number(search.loss));
    let _ = writeln!(text, "  The loss is that of rows that the model did not see.");
    text
}

/// How often intervals of 90 % held the truth of the gate rows.
fn held(learned: &Trained) -> Option<String> {
    let found = learned.manifest.intervals.iter().find(|coverage| coverage.level == 0.9)?;
    let (what, widest) = Coverage::words(learned.gate.as_ref()?.task);
    Some(format!(
        "90 % {what} hold the truth of {:.1} % of the gate rows, and of {:.1} % of the third {widest} (predict --interval 0.9)",
        found.held * 100.0,
        found.held_widest * 100.0
    ))
}

/// Signs of the longest bar of an importance, and what stands before it.
const MOST_BAR: usize = 40;
const BEFORE_BAR: usize = 36;

fn readable(learned: &Trained, style: Style) -> String {
    let Trained { version, role, manifest, gate, cross_validation, test, importance, .. } = learned;
    let rows = manifest.rows;
    // Writing to a String cannot fail.
    let version = style.bold(&version.to_string());
    let (n_learned, n_gate) = (grouped(rows.train + rows.tune), grouped(rows.gate));
    let learned_from = format!("learned from {n_learned} rows, judged on {n_gate} that it never saw");
    let mut text = if manifest.doubts.is_empty() {
        format!("{version} is {role}: {learned_from}\n")
    } else {
        let said =
            if *role == Role::Production { "is production, against these doubts" } else { "is not fit for production" };
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
    if let Some(search) = &manifest.search {
        text.push_str(&tried(search, style));
    }
    if let Some(rules) = &learned.rules {
        let _ = write!(text, "\n{}\n{rules}", style.bold("The tree"));
    }
    let _ = writeln!(text, "\n{}", style.bold("What matters most"));
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
