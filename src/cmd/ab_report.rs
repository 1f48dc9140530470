use super::args::UnknownTableArgs;
use super::output::Style;
use super::{Context, Outcome, Output};
use anyhow::{Context as _, Result, bail};
use mlloop::ab::experiment::{FILE, Goal};
use mlloop::ab::log::Asked;
use mlloop::ab::power::{self, Baseline, Effect, PlanRequest};
use mlloop::ab::report::{AbReport, AnalysisSettings, Answer};
use mlloop::ab::request::{OutcomesRequest, Repeated};
use mlloop::ab::table::gather;
use mlloop::ab::{self, AbError, Experiment, draw, files};
use mlloop::answers::Placed;
use mlloop::report::Marks;
use mlloop::table::{InferOptions, push_record};
use std::path::{Path, PathBuf};

/// Is one arm better? A report on an experiment, valid however often you look
///
/// Without TABLE it reports on the loop's experiment, from the prediction log and data/labels.csv. TABLE is any table with
/// one row per unit (or several: --unit combines them); options name its columns. First it checks for a sample ratio
/// mismatch: an always-valid p < .01 stops the report. The first outcome decides, by an always-valid p-value; fixed-sample
/// tests are printed beside it. Arms are texts or numbers. Outcomes are numbers, 0/1, TRUE/FALSE or yes/no.
///
///   mlloop ab-report --text
///   mlloop ab-report --assign 10042
///       the arm of a unit in the loop's experiment
///   mlloop ab-report cookie_cats.csv --arm version --outcome retention_7 \
///       --outcome retention_1 --unit userid
///   mlloop ab-report mail.csv --arm segment --outcome conversion \
///       --control 'No E-Mail'
///   mlloop ab-report clicks.csv --arm group --outcome revenue/sessions \
///       --unit user --pre revenue_before
///   mlloop ab-report orders.csv --arm group --outcome revenue@.9 \
///       --outcome revenue --cap .99 --strata country --correct
///   mlloop ab-report --plan --baseline 12% --effect 5% --per-day 800
///   mlloop ab-report past.csv --plan --outcome revenue --time day --effect 2.5
///   mlloop ab-report daily.csv --arm group --outcome clicks --n pageviews \
///       --planned-n 500000
///   mlloop ab-report ads.csv --arm 'test group' --outcome converted \
///       --weights ad=.96,psa=.04 --reports out
///
/// Exit status: 0 an arm wins, 1 no difference (all arms are equivalent within --margin), 2 error, 3 cannot tell: no
/// decision yet (also at the planned end), too few units, or a sample ratio mismatch.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// CSV (also .gz, .zst) or Parquet; - is stdin
    #[arg(value_name = "TABLE", requires = "outcome")]
    table: Option<PathBuf>,
    /// Only print the arm of this unit in the loop's experiment
    #[arg(long, value_name = "ID", conflicts_with = "table")]
    assign: Vec<String>,
    /// The column that names the arm
    #[arg(long, value_name = "COLUMN", requires = "table")]
    arm: Option<String>,
    /// An outcome: a column, NUMERATOR/DENOMINATOR (or /FIRST+SECOND), or COLUMN@QUANTILE; the first one decides
    #[arg(long, value_name = "COLUMN", requires = "table")]
    outcome: Vec<String>,
    /// The column with the unit's id (default: each row is a unit)
    #[arg(long, value_name = "COLUMN", requires = "table")]
    unit: Option<String>,
    /// A covariate from before the experiment, to reduce variance (CUPED)
    #[arg(long, value_name = "COLUMN", requires = "table")]
    pre: Option<String>,
    /// A column from before the experiment; arms are compared within its levels
    #[arg(long, value_name = "COLUMN", requires = "table")]
    strata: Option<String>,
    /// The column that orders the units in time
    #[arg(long, value_name = "COLUMN", requires = "table")]
    time: Option<String>,
    /// The column with the number of units that each row summarises; outcomes are then counts
    #[arg(long, value_name = "COLUMN", requires = "table")]
    n: Option<String>,
    /// The control arm
    #[arg(long, value_name = "ARM", requires = "table")]
    control: Option<String>,
    /// Only these arms; the first is the control
    #[arg(long, value_name = "ARMS", value_delimiter = ',')]
    arms: Vec<String>,
    /// Merge arms whose names differ only in case or outer spaces, or as 1 and 1.0
    #[arg(long, requires = "table")]
    same_arms: bool,
    /// Refuse arms with less than this fraction of an equal share of the rows, unless --arms or --weights name them
    #[arg(long, default_value_t = 0.02, value_name = "SHARE", value_parser = parse_min_share)]
    min_share: f64,
    /// Cap numbers at this quantile of all units, such as .99, to limit the influence of outliers
    #[arg(long, value_name = "QUANTILE", value_parser = parse_cap, requires = "table")]
    cap: Option<f64>,
    /// Planned shares of the arms, if not equal: ad=.96,psa=.04
    #[arg(long, value_name = "ARM=WEIGHT", value_delimiter = ',', value_parser = parse_weight)]
    weights: Vec<(String, f64)>,
    /// The text of an outcome that counts 1
    #[arg(long, value_name = "TEXT")]
    positive: Option<String>,
    /// Whether higher or lower is better
    #[arg(long, value_name = "WAY", default_value = "higher", value_parser = super::args::one_of(["higher", "lower"], parse_goal))]
    goal: Goal,
    /// How to combine several rows of one unit; by default max for 0 and 1, mean for numbers
    #[arg(long, value_name = "RULE", value_parser = super::args::one_of(["first", "max", "mean", "sum"], parse_repeated))]
    repeated: Option<Repeated>,
    /// Count a missing outcome as 0 (default: the unit does not count for that outcome)
    #[arg(long)]
    missing_zero: bool,
    /// Planned number of units; if you look repeatedly, pass the same number each time
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    planned_n: Option<u64>,
    /// The significance level
    #[arg(long, default_value_t = 0.05, value_name = "ALPHA", value_parser = parse_alpha)]
    alpha: f64,
    /// Equivalence margin: a difference up to this counts as none
    #[arg(long, value_name = "DIFFERENCE", value_parser = parse_margin)]
    margin: Option<f64>,
    /// Let the fixed-sample test decide: only if the size was fixed in advance and nobody looked earlier
    #[arg(long)]
    fixed: bool,
    /// Correct for several outcomes (Holm); default: only the first outcome is tested
    #[arg(long)]
    correct: bool,
    /// Print how many units and days an effect needs, from --baseline or from past units in TABLE (one per row)
    #[arg(long, requires = "effect")]
    plan: bool,
    /// The effect to detect: a number in the outcome's unit, or a share of the baseline such as 5%
    #[arg(long, value_name = "EFFECT", value_parser = parse_effect, requires = "plan", allow_hyphen_values = true)]
    effect: Option<Effect>,
    /// The rate, or with --sd the mean, of the control
    #[arg(long, value_name = "NUMBER", value_parser = parse_number, requires = "plan", conflicts_with = "table")]
    baseline: Option<f64>,
    /// The standard deviation of one unit
    #[arg(long, value_name = "NUMBER", value_parser = parse_number, requires = "baseline")]
    sd: Option<f64>,
    /// The power: the probability of detecting the effect
    #[arg(long, value_name = "CHANCE", default_value_t = 0.8, value_parser = parse_power)]
    power: f64,
    /// Units per day, in all arms
    #[arg(long, value_name = "N", value_parser = parse_number, requires = "plan")]
    per_day: Option<f64>,
    /// Show effects despite a sample ratio mismatch
    #[arg(long)]
    force: bool,
    /// Write ab_report.json, .html and .png to DIR; in a loop's directory it is reports/
    #[arg(long, value_name = "DIR")]
    reports: Option<PathBuf>,
    #[command(flatten)]
    read: UnknownTableArgs,
}

pub(crate) fn run(args: &Args, ctx: &Context, out: &mut Output) -> Result<Outcome> {
    if !args.assign.is_empty() {
        return assign(args, ctx, out);
    }
    if args.plan {
        return plan(args, out);
    }
    let report = match (&args.table, &args.arm) {
        (Some(table), Some(arm)) => of_table(args, table, arm, ctx)?,
        (Some(_), None) => bail!("give --arm COLUMN: the column with the arm"),
        (None, _) => {
            ctx.workspace.config()?;
            let asked = Asked { margin: args.margin, fixed: args.fixed, force: args.force, now: ctx.now };
            ab::log::report(&ctx.workspace, &asked)?
        }
    };
    let in_loop = ctx.workspace.config_path().exists().then(|| ctx.workspace.path("reports"));
    if let Some(dir) = args.reports.clone().or(in_loop) {
        files::write(&dir, &report)?;
    }
    out.answer(&report, |style| readable(&report, style))?;
    Ok(match report.verdict.answer {
        Answer::Winner => Outcome::Yes,
        Answer::NoDifference => Outcome::No,
        Answer::KeepRunning | Answer::SampleRatioMismatch => Outcome::CannotTell,
    })
}

fn of_table(args: &Args, table: &Path, arm: &str, ctx: &Context) -> Result<AbReport> {
    if args.n.is_some() && args.unit.is_some() {
        bail!("--n and --unit exclude each other: with --n each row summarises many units");
    }
    let request = OutcomesRequest {
        table,
        arm,
        outcomes: &args.outcome,
        goal: args.goal,
        unit: args.unit.as_deref(),
        pre: args.pre.as_deref(),
        strata: args.strata.as_deref(),
        time: args.time.as_deref(),
        n: args.n.as_deref(),
        control: args.control.as_deref(),
        arms: &args.arms,
        weights: &args.weights,
        same_arms: args.same_arms,
        min_share: args.min_share,
        cap: args.cap,
        positive: args.positive.as_deref(),
        repeated: args.repeated.unwrap_or(Repeated::Auto),
        missing_is_zero: args.missing_zero,
        read: args.read.options(),
    };
    let settings = AnalysisSettings {
        alpha: args.alpha,
        planned_n: args.planned_n,
        margin: args.margin,
        fixed: args.fixed,
        force: args.force,
        correct: args.correct,
    };
    let gathered = gather(&request)?;
    ctx.progress.rejects(&gathered.rejects);
    let mut report = ab::analyse(&gathered.units, gathered.source, &settings, ctx.now);
    report.notes.splice(0..0, gathered.notes);
    Ok(report)
}

/// How many units an effect needs.
fn plan(args: &Args, out: &mut Output) -> Result<Outcome> {
    let Some(effect) = args.effect else { bail!("--plan: give --effect") };
    let (baseline, per_day) = match (&args.table, args.baseline) {
        (Some(table), _) => {
            let options = InferOptions {
                delimiter: args.read.table.delimiter,
                skip_invalid: args.read.table.skip_invalid,
                ..InferOptions::default()
            };
            let (outcome, time) = (&args.outcome[0], args.time.as_deref());
            let past = ab::history(table, outcome, time, args.positive.as_deref(), &options)?;
            let baseline = Baseline::of_values(&past.values);
            (
                baseline.with_context(|| format!("{outcome:?} is the same in every row: cannot plan from it"))?,
                past.per_day,
            )
        }
        (None, Some(mean)) => match args.sd {
            Some(sd) if sd > 0.0 => (Baseline::of_mean(mean, sd), None),
            None if mean > 0.0 && mean < 1.0 => (Baseline::of_share(mean), None),
            _ => bail!("--baseline {mean}: a rate must be between 0 and 1; a mean needs --sd above 0"),
        },
        (None, None) => bail!("--plan: give --baseline, or a TABLE of past units with --outcome"),
    };
    let sum: f64 = args.weights.iter().map(|(_, weight)| weight).sum();
    let weights = match args.weights.as_slice() {
        [] => vec![0.5, 0.5],
        given if given.len() > 1 && given.iter().all(|(_, weight)| *weight > 0.0) => {
            given.iter().map(|(_, weight)| weight / sum).collect()
        }
        _ => bail!("--weights: a plan needs at least two arms, each with a weight above 0; the first is the control"),
    };
    let per_day = args.per_day.or(per_day);
    let request = PlanRequest { baseline, effect, weights, alpha: args.alpha, power: args.power, per_day };
    let plan = power::plan(&request)?;
    out.answer(&plan, |style| {
        let n = plan.n_by_arm.iter().map(ToString::to_string).collect::<Vec<_>>().join(" + ");
        format!(
            "{}\n{} {} (units by arm)\nnext: pass --planned-n {} to ab-report; then look as often as you like\n",
            plan.sentence,
            style.dim("arms"),
            n,
            plan.n_units
        )
    })?;
    Ok(Outcome::Yes)
}

/// The arm of each requested unit.
fn assign(args: &Args, ctx: &Context, out: &mut Output) -> Result<Outcome> {
    let none = || AbError::None(ctx.workspace.path(FILE));
    let experiment = Experiment::load(&ctx.workspace)?.ok_or_else(none)?;
    let assigner = experiment.assigner();
    let placed = args.assign.iter().map(|id| {
        let arm = &experiment.arms[assigner.arm(id.as_bytes())];
        (id.as_str(), arm.name.as_str(), arm.version, assigner.position(id.as_bytes()))
    });
    if out.wants_json() {
        let units: Vec<Placed> =
            placed.map(|(unit, arm, version, position)| Placed { unit, arm, version, position }).collect();
        out.json(&units)?;
        return Ok(Outcome::Yes);
    }
    let mut lines = b"unit,arm,version,position\n".to_vec();
    for (unit, arm, version, position) in placed {
        push_record(&mut lines, &[unit, arm, &version.to_string(), &position.to_string()], b',');
    }
    out.bytes(&lines)?;
    Ok(Outcome::Yes)
}

fn readable(report: &AbReport, style: Style) -> String {
    let marks = Marks {
        bold: &|text| style.bold(text),
        dim: &|text| style.dim(text),
        verdict: &|tone, text| style.verdict(tone, text),
        width: style.width(),
    };
    draw::text(report, marks)
}

fn parse_weight(text: &str) -> Result<(String, f64), String> {
    let parsed = text.rsplit_once('=').and_then(|(arm, weight)| Some((arm.to_owned(), weight.trim().parse().ok()?)));
    parsed
        .filter(|(_, weight): &(String, f64)| weight.is_finite() && *weight >= 0.0)
        .ok_or_else(|| "write ARM=WEIGHT, such as ad=.96".to_owned())
}

pub(super) fn parse_goal(text: &str) -> Result<Goal, String> {
    match text {
        "higher" => Ok(Goal::Higher),
        "lower" => Ok(Goal::Lower),
        _ => Err("choose higher or lower".to_owned()),
    }
}

fn parse_repeated(text: &str) -> Result<Repeated, String> {
    match text {
        "first" => Ok(Repeated::First),
        "max" => Ok(Repeated::Max),
        "mean" => Ok(Repeated::Mean),
        "sum" => Ok(Repeated::Sum),
        _ => Err("choose first, max, mean or sum".to_owned()),
    }
}

pub(super) fn parse_alpha(text: &str) -> Result<f64, String> {
    let alpha = text.parse().ok().filter(|alpha| *alpha > 0.0 && *alpha <= 0.5);
    alpha.ok_or_else(|| "give a number above 0 and at most 0.5".to_owned())
}

fn parse_min_share(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share| (0.0..0.5).contains(share));
    share.ok_or_else(|| "give a number of at least 0 and below 0.5".to_owned())
}

fn parse_cap(text: &str) -> Result<f64, String> {
    let cap = text.parse().ok().filter(|cap| *cap > 0.5 && *cap < 1.0);
    cap.ok_or_else(|| "give a number between 0.5 and 1, such as .99".to_owned())
}

fn parse_number(text: &str) -> Result<f64, String> {
    let number = match text.strip_suffix('%') {
        Some(percent) => percent.trim().parse().ok().map(|percent: f64| percent / 100.0),
        None => text.parse().ok(),
    };
    number.filter(|number| number.is_finite()).ok_or_else(|| "give a number, or a share such as 12%".to_owned())
}

fn parse_effect(text: &str) -> Result<Effect, String> {
    let effect = parse_number(text)?;
    Ok(if text.ends_with('%') { Effect::Relative(effect) } else { Effect::Absolute(effect) })
}

fn parse_power(text: &str) -> Result<f64, String> {
    let power = text.parse().ok().filter(|power| *power > 0.0 && *power < 1.0);
    power.ok_or_else(|| "give a number between 0 and 1, such as .8".to_owned())
}

fn parse_margin(text: &str) -> Result<f64, String> {
    let margin = text.parse().ok().filter(|margin: &f64| *margin > 0.0 && margin.is_finite());
    margin.ok_or_else(|| "give a number above 0".to_owned())
}
