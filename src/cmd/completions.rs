use super::{Cli, Outcome, Output};
use anyhow::Result;
use clap::CommandFactory;
use clap_complete::Shell;

/// Print the completion script of a shell
///
///   mlloop completions bash > ~/.local/share/bash-completion/completions/mlloop
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// The shell
    shell: Shell,
}

pub(crate) fn run(args: &Args, out: &mut Output) -> Result<Outcome> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "mlloop", &mut script);
    out.bytes(&script)?;
    Ok(Outcome::Yes)
}
