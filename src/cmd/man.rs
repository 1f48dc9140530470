use super::{Cli, Outcome, Output};
use anyhow::{Context, Result};
use clap::CommandFactory;

/// Print the man page of mlloop, or of one verb
///
///   mlloop man train | man -l -
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// The verb
    verb: Option<String>,
}

pub(crate) fn run(args: &Args, out: &mut Output) -> Result<Outcome> {
    let mut command = Cli::command();
    command.build();
    if let Some(verb) = &args.verb {
        let found = command.find_subcommand(verb).cloned();
        command = found.with_context(|| format!("there is no verb {verb:?}; `mlloop --help` lists them"))?;
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(command).render(&mut page)?;
    out.bytes(&page)?;
    Ok(Outcome::Yes)
}
