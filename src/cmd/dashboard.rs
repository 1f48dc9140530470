use super::serve::{self, Pages, random};
use super::{Context, Outcome, Output};
use anyhow::Result;

/// Open the loop's pages in a browser: inspect, approve or reject, label, give feedback
///
/// The same server as `serve`, on port 8050. Without MLLOOP_TOKEN a token is created for this run. The printed address
/// contains it: keep it secret. You are asked for your name; the audit chain records it with your actions.
///
///   mlloop dashboard
///   mlloop -C loops/churn dashboard --port 0
///   MLLOOP_TOKEN=… mlloop dashboard --users team.txt
///
/// Exit status: 0 stopped by a signal, 2 error.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
#[group(id = "dashboard")]
pub(crate) struct Args {
    #[command(flatten)]
    serve: serve::Args,
}

pub(crate) fn run(args: &Args, ctx: &Context, out: &mut Output) -> Result<Outcome> {
    #[expect(clippy::disallowed_methods, reason = "the binary reads the environment")]
    let has_token = std::env::var("MLLOOP_TOKEN").is_ok_and(|token| !token.trim().is_empty());
    let own_token = (!has_token).then(|| random().iter().map(|byte| format!("{byte:02x}")).collect());
    serve::serve(&args.serve, ctx, out, &Pages { port: 8050, own_token, open: true })
}
