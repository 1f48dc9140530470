//! Verbs that this build does not have.

use super::{Context, Outcome, Output};
use anyhow::{Result, bail};

/// All arguments after the verb.
#[derive(Debug, clap::Args)]
#[command(about = "Not in this build", disable_help_flag = true)]
pub(crate) struct Args {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<String>,
}

/// Tells how to get a build that has the verb.
pub(crate) fn run(_: &Args, _: &Context, _: &mut Output) -> Result<Outcome> {
    bail!(
        "this mlloop was built without serve and dashboard; `cargo build --release` or `make install` builds all of it"
    )
}
