use super::ab_start::table;
use super::output::Style;
use super::{Context, Outcome, Output};
use anyhow::Result;
use mlloop::ab::status::{self, Status};
use mlloop::answers::NoExperiment;
use mlloop::period::Period;

/// Show the running experiment: planned end, time left, the verdict so far, and what is missing for a winner
///
///   mlloop ab-status --text
///
/// Exit status: 0 it runs, 1 none runs, 2 error.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {}

pub(crate) fn run(_args: &Args, ctx: &Context, out: &mut Output) -> Result<Outcome> {
    ctx.workspace.config()?;
    let Some(status) = status::status(&ctx.workspace, ctx.now)? else {
        let none = "there is no experiment; `mlloop ab-start` starts one";
        out.answer(&NoExperiment { running: false, sentence: none }, |_| format!("{none}\n"))?;
        return Ok(Outcome::No);
    };
    out.answer(&status, |style| readable(&status, style))?;
    Ok(if status.running { Outcome::Yes } else { Outcome::No })
}

fn readable(status: &Status, style: Style) -> String {
    let day = |at: jiff::Timestamp| at.strftime("%Y-%m-%d %H:%M UTC").to_string();
    let time = match (&status.ended, status.seconds_left) {
        (Some(ended), _) => format!("ended {}", day(ended.at)),
        (None, 0) => format!("planned end {} has passed", day(status.planned_end)),
        (None, left) => format!("planned end {}, {} left", day(status.planned_end), in_days(left)),
    };
    let mut text = format!(
        "{} since {}; {time}\n{}\n{} {} of {} planned units have a final outcome\n{} {}\n",
        style.bold(&status.name),
        day(status.started),
        status.verdict.sentence,
        style.dim("units"),
        status.n_units,
        status.planned_n,
        style.dim("needs"),
        status.needs.sentence
    );
    for rail in &status.guardrails {
        let bounds = match rail.low.is_finite() && rail.high.is_finite() {
            true if rail.gain < 0.0 => {
                format!("{:.4} worse ({:.4} to {:.4} better)", -rail.gain, rail.low, rail.high)
            }
            true => format!("{:.4} better ({:.4} to {:.4})", rail.gain, rail.low, rail.high),
            false => "too few units".to_owned(),
        };
        text.push_str(&format!("{} {} of {}: {bounds}\n", style.dim("guardrail"), rail.measure.name(), rail.arm));
    }
    text + &table(&status.experiment, style)
}

/// Days from one day on, else hours, minutes or seconds.
fn in_days(seconds: i64) -> String {
    match seconds {
        86_400.. => format!("{:.1} days", seconds as f64 / 86_400.0),
        3_600.. => format!("{:.1} hours", seconds as f64 / 3_600.0),
        _ => Period::seconds(seconds).to_string(),
    }
}
