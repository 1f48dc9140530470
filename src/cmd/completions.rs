use super::{Outcome, Output};
use anyhow::{Context as _, Result};
use clap_complete::env::Shells;

/// Print the completion script for a shell
///
/// It completes versions, columns, experiments, requests and batches of the current loop.
///
///   mlloop completions bash \
///       > ~/.local/share/bash-completion/completions/mlloop
///   mlloop completions zsh > ~/.zfunc/_mlloop
///   mlloop completions fish > ~/.config/fish/completions/mlloop.fish
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// The shell
    #[arg(value_parser = ["bash", "zsh", "fish", "elvish", "powershell"])]
    shell: String,
}

/// zsh loads the file as the function `_mlloop` at the first completion: without this line, the first completion would
/// do nothing.
const AUTOLOADED: &str =
    "\nif [ \"$funcstack[1]\" = \"_mlloop\" ]; then\n    _clap_dynamic_completer_mlloop \"$@\"\nfi\n";

pub(crate) fn run(args: &Args, out: &mut Output) -> Result<Outcome> {
    let shells = Shells::builtins();
    let shell = shells.completer(&args.shell).context("no such shell")?;
    let mut script = Vec::new();
    shell.write_registration("COMPLETE", "mlloop", "mlloop", "mlloop", &mut script)?;
    if args.shell == "zsh" {
        script.extend_from_slice(AUTOLOADED.as_bytes());
    }
    out.bytes(&script)?;
    Ok(Outcome::Yes)
}
