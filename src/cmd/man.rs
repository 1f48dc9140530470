use super::{Cli, Outcome, Output};
use anyhow::{Context, Result};
use clap::CommandFactory;
use mlloop::atomic;
use std::path::PathBuf;

/// Print the man page of mlloop, or of one command
///
///   mlloop man train | man -l -
///   mlloop man --to ~/.local/share/man/man1
///       write a page for mlloop and one for each command
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// The command
    verb: Option<String>,
    /// Write all pages into this directory
    #[arg(long, value_name = "DIR", conflicts_with = "verb")]
    to: Option<PathBuf>,
}

pub(crate) fn run(args: &Args, out: &mut Output) -> Result<Outcome> {
    let mut command = Cli::command();
    command.build();
    if let Some(dir) = &args.to {
        write_all(&command, dir)?;
        return Ok(Outcome::Yes);
    }
    if let Some(verb) = &args.verb {
        let found = command.find_subcommand(verb).cloned();
        command = found.with_context(|| format!("there is no command {verb:?}; `mlloop --help` lists them"))?;
    }
    out.bytes(&page(command)?)?;
    Ok(Outcome::Yes)
}

fn page(command: clap::Command) -> Result<Vec<u8>> {
    let mut page = Vec::new();
    let source = concat!("mlloop ", env!("CARGO_PKG_VERSION"));
    clap_mangen::Man::new(command).source(source).render(&mut page)?;
    Ok(page)
}

fn write_all(command: &clap::Command, dir: &PathBuf) -> Result<()> {
    std::fs::create_dir_all(dir).with_context(|| dir.display().to_string())?;
    let verbs = command.get_subcommands().filter(|verb| verb.get_name() != "help");
    for one in std::iter::once(command).chain(verbs) {
        // Verbs are called "mlloop-train" once the command is built.
        let path = dir.join(format!("{}.1", one.get_display_name().unwrap_or("mlloop")));
        let page = page(one.clone())?;
        atomic::replace(&path, |out| out.write_all(&page)).with_context(|| path.display().to_string())?;
    }
    Ok(())
}
