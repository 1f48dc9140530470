use super::output::Style;
use super::{Context, Outcome, Output};
use anyhow::Result;
use mlloop::answers::Examined;
use mlloop::doctor::{Check, State, examine};
use mlloop::printable::name;
use std::fmt::Write as _;

/// Check each part of the loop, report damage, and suggest a repair
///
/// Nothing is changed. All parts are checked, also if one is damaged.
///
///   mlloop doctor
///   mlloop doctor --json | jq '.checks[] | select(.state != "good")'
///
/// Exit status: 0 every part is in order or does not exist yet, 1 a part is damaged, 2 error.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {}

pub(crate) fn run(_args: &Args, ctx: &Context, out: &mut Output) -> Result<Outcome> {
    anyhow::ensure!(
        ctx.workspace.config_path().exists(),
        "{}: no loop here: run `mlloop init TABLE` first, or name its directory with -C DIR",
        ctx.workspace.config_path().display()
    );
    let checks = examine(&ctx.workspace, ctx.now);
    let answer = Examined { is_sound: checks.iter().all(|check| check.state != State::Bad), checks };
    out.answer(&answer, |style| readable(&answer, style))?;
    Ok(if answer.is_sound { Outcome::Yes } else { Outcome::No })
}

fn readable(answer: &Examined, style: Style) -> String {
    let mut text = String::new();
    for Check { part, state, told, advice } in &answer.checks {
        let mark = match state {
            State::Good => "✓",
            State::Missing => "–",
            State::Bad => "✗",
        };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{mark} {:<20} {}", style.bold(part), name(told));
        if let Some(advice) = advice {
            let _ = writeln!(text, "  {:<20} {}", "", style.dim(&format!("→ {}", name(advice))));
        }
    }
    text
}
