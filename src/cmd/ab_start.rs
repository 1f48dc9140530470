use super::output::Style;
use super::{Context, Outcome, Output};
use anyhow::Result;
use mlloop::ab::Experiment;
use mlloop::ab::experiment::{Goal, Guardrail, Measure, Metric};
use mlloop::ab::rollout::schedule;
use mlloop::ab::start::{self, Schedule, StartOutcome, StartRequest, Who};
use mlloop::answers::Started;
use mlloop::period::Period;

/// Start an experiment, or a rollout in steps: a hash of the unit's id assigns each unit to an arm
///
/// The first arm must be in production. `serve` applies the experiment within a second; `ab-report` shows whether an arm
/// is better, `ab-step` takes the next step of a rollout, `ab-stop` ends it. --plan shows the steps and changes nothing.
///
///   mlloop ab-start --b challenger --split .5 --metric accuracy \
///       --planned-n 20000 --duration 28d
///   mlloop ab-start --strategy gradual --from 10% --step 20% --every 24h \
///       --plan
///   mlloop ab-start --strategy canary --from 5% --every 3d \
///       --guardrail log_loss=.02
///   mlloop ab-start --b challenger --shadow --planned-n 5000
///   mlloop ab-start --b v0004 --b v0005 --split .4 --metric outcome \
///       --goal lower --planned-n 30000
///
/// Exit status: 0 it runs (or the same one ran already), 2 error.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// The control arm: production, challenger or a version
    #[arg(long, value_name = "VERSION", default_value = "production")]
    a: Who,
    /// A treatment arm; several are named b, c, …
    #[arg(long, value_name = "VERSION", default_value = "challenger")]
    b: Vec<Who>,
    /// Total share of units of the treatment arms, such as .1 or 10% (default: .5; canary .05, gradual .1)
    #[arg(long, visible_alias = "from", value_name = "SHARE", value_parser = parse_share)]
    split: Option<f64>,
    /// How the share grows: fixed, canary (then all units), gradual (in steps), immediate
    #[arg(long, visible_alias = "strategy", value_name = "NAME", default_value = "fixed", value_parser = super::args::one_of(["fixed", "canary", "gradual", "immediate"], parse_schedule))]
    schedule: Schedule,
    /// Increase of the share per step of a gradual rollout (default: shares .1, .25, .5, 1)
    #[arg(long, value_name = "SHARE", value_parser = parse_share)]
    step: Option<f64>,
    /// Minimum duration of each step, such as 24h (default: --duration in equal parts)
    #[arg(long, value_name = "TIME")]
    every: Option<Period>,
    /// The name of the experiment (default: the versions and the day)
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Salt of the hash of a unit's id (default: the name)
    #[arg(long, value_name = "TEXT")]
    salt: Option<String>,
    /// The deciding metric: outcome, accuracy, log_loss, brier, absolute_error, squared_error, positive_rate
    #[arg(long, value_name = "MEASURE", value_parser = Measure::parse)]
    metric: Option<Measure>,
    /// Whether higher or lower is better (default: as usual for the metric)
    #[arg(long, value_name = "WAY", value_parser = super::args::one_of(["higher", "lower"], super::ab_report::parse_goal), requires = "metric")]
    goal: Option<Goal>,
    /// A guardrail metric and its margin: log_loss=.02 allows the loss to be .02 worse
    #[arg(long, value_name = "MEASURE=MARGIN", value_parser = parse_guardrail)]
    guardrail: Vec<Guardrail>,
    /// Units with a final outcome that each arm needs before a rollout moves on
    #[arg(long, value_name = "N", default_value_t = 200)]
    min_units: u64,
    /// Planned number of units with an outcome; the confidence sequence is narrowest there (default: 10000).
    /// `ab-report --plan` computes it for an effect
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    planned_n: Option<u64>,
    /// The significance level
    #[arg(long, value_name = "ALPHA", default_value_t = 0.05, value_parser = super::ab_report::parse_alpha)]
    alpha: f64,
    /// Planned duration (default: all steps of --every, else 28d)
    #[arg(long, value_name = "TIME")]
    duration: Option<Period>,
    /// Time after the prediction when a unit's outcome is final
    #[arg(long, value_name = "TIME", default_value = "0s")]
    label_window: Period,
    /// Shadow mode: the control arm answers all units, the other arms only score them
    #[arg(long)]
    shadow: bool,
    /// Show the plan; change nothing
    #[arg(long)]
    plan: bool,
    /// Who starts it, for the audit chain
    #[arg(long, value_name = "NAME", value_parser = crate::cmd::args::person)]
    by: Option<String>,
}

pub(crate) fn run(args: &Args, ctx: &Context, out: &mut Output) -> Result<Outcome> {
    let metric = args.metric.map(|measure| Metric { measure, goal: args.goal.unwrap_or(measure.goal()) });
    let request = StartRequest {
        a: args.a,
        others: &args.b,
        split: args.split,
        schedule: args.schedule,
        step: args.step,
        every: args.every,
        name: args.name.as_deref(),
        salt: args.salt.as_deref(),
        metric,
        guardrails: &args.guardrail,
        min_units: args.min_units,
        planned_n: args.planned_n,
        alpha: args.alpha,
        duration: args.duration,
        label_window: args.label_window,
        shadow: args.shadow,
        now: ctx.now,
    };
    let experiment = start::plan(&ctx.workspace, &request)?;
    let done = if args.plan {
        "planned"
    } else {
        let lock = ctx.lock()?;
        match start::start(&ctx.workspace, &lock, &experiment, args.by.as_deref())? {
            StartOutcome::Started => "started",
            StartOutcome::Already => "already",
        }
    };
    let answer = Started { done, schedule: schedule(&experiment), experiment: &experiment };
    out.answer(&answer, |style| readable(done, &experiment, style))?;
    Ok(Outcome::Yes)
}

fn readable(done: &str, experiment: &Experiment, style: Style) -> String {
    let said = match done {
        "planned" => "would start",
        "started" => "started",
        _ => "is already running",
    };
    format!("{} {said}\n{}", style.bold(&experiment.name), table(experiment, style))
}

/// Arms and steps as a table.
pub(super) fn table(experiment: &Experiment, style: Style) -> String {
    let arms: Vec<String> = experiment
        .arms
        .iter()
        .zip(experiment.answering())
        .map(|(arm, weight)| format!("{} {} {:.1} %", arm.name, arm.version, weight * 100.0))
        .collect();
    let shadow = if experiment.shadow { "; the other arms only score (shadow)" } else { "" };
    let mut text = format!("now {}{shadow}\n", arms.join(" · "));
    text.push_str(&format!(
        "planned: {} units (the confidence sequence is narrowest there), {}\n",
        experiment.planned_n, experiment.duration
    ));
    if experiment.rollout.is_none() {
        return text;
    }
    text.push_str(&format!("{}\n", style.dim("step   share of the new  holds  not before            state")));
    for step in schedule(experiment) {
        let from = step.from.strftime("%Y-%m-%d %H:%M UTC");
        let state = if step.state == "next" { "" } else { step.state };
        let line =
            format!("{:<6} {:>14.1} %  {:>5}  {from}  {state}", step.step, step.share * 100.0, step.hold.to_string());
        text.push_str(line.trim_end());
        text.push('\n');
    }
    for rail in &experiment.guardrails {
        text.push_str(&format!("continues while {} is not worse by more than {}\n", rail.measure.name(), rail.margin));
    }
    text
}

fn parse_share(text: &str) -> Result<f64, String> {
    let share = match text.trim().strip_suffix('%') {
        Some(percent) => percent.trim().parse().ok().map(|percent: f64| percent / 100.0),
        None => text.parse().ok(),
    };
    let share = share.filter(|share| *share > 0.0 && *share <= 1.0);
    share.ok_or_else(|| "a share above 0 and at most 1, such as .1 or 10%".to_owned())
}

fn parse_schedule(text: &str) -> Result<Schedule, String> {
    match text {
        "fixed" => Ok(Schedule::Fixed),
        "canary" => Ok(Schedule::Canary),
        "gradual" => Ok(Schedule::Gradual),
        "immediate" => Ok(Schedule::Immediate),
        _ => Err("choose fixed, canary, gradual or immediate".to_owned()),
    }
}

fn parse_guardrail(text: &str) -> Result<Guardrail, String> {
    let (name, margin) = text.split_once('=').ok_or("write MEASURE=MARGIN, such as log_loss=.02")?;
    let measure = Measure::parse(name)?;
    let margin = margin.parse().ok().filter(|margin: &f64| *margin >= 0.0 && margin.is_finite());
    let margin = margin.ok_or("the margin is a number of at least 0")?;
    Ok(Guardrail { measure, goal: measure.goal(), margin })
}
