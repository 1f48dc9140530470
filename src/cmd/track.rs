use super::{Context, Outcome, Output};
use anyhow::{Context as _, Result, anyhow};
use clap::Subcommand;
use mlloop::notify::Secret;
use mlloop::track::{self, Credentials, Server, Synced};
use mlloop::workspace::TrackRules;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Report changes to an MLflow tracking server
///
/// With [track] uri in mlloop.toml, or MLFLOW_TRACKING_URI, every train, retrain, gate verdict, promotion and rollback is
/// reported automatically: a run with parameters, metrics, data sets and artifacts, the model as ONNX, and the aliases
/// champion and challenger. A server that is down or slow never fails a command, and delays it by at most [track]
/// timeout_seconds (10). Unreported changes stay in the audit chain; `sync` sends them with their original times.
///
///   mlloop track sync       send all waiting changes, without a time limit
///   mlloop track            show how many changes wait, and why
///
/// Set the login in MLFLOW_TRACKING_TOKEN, or in MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD; another
/// certificate authority in MLFLOW_TRACKING_SERVER_CERT_PATH.
///
/// Exit status: 0 nothing waits, 1 changes wait, 2 error.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Debug, Clone, Copy, Subcommand)]
enum What {
    /// Send all waiting changes
    Sync,
    /// Show how many changes wait (the default)
    Status,
}

/// Timeout of one request of `sync`: a model may be large.
const PATIENT: Duration = Duration::from_secs(300);

pub(crate) fn run(args: &Args, ctx: &Context, out: &mut Output) -> Result<Outcome> {
    let rules = ctx.workspace.config()?.track;
    let patience = Duration::from_secs_f64(rules.timeout_seconds);
    let server = server(&rules, if matches!(args.what, Some(What::Sync)) { PATIENT } else { patience })?;
    let server =
        server.ok_or_else(|| anyhow!("no tracking server: set [track] uri in mlloop.toml or MLFLOW_TRACKING_URI"))?;
    let synced = match args.what {
        Some(What::Sync) => track::sync(&ctx.workspace, &rules, &server, false, ctx.now)?,
        _ => status(ctx, &server)?,
    };
    synced.notes.iter().for_each(|note| ctx.progress.note(format_args!("note: {note}")));
    out.answer(&synced, |_| text(&synced))?;
    Ok(if synced.waiting == 0 && synced.trouble.is_none() { Outcome::Yes } else { Outcome::No })
}

fn status(ctx: &Context, server: &Server) -> Result<Synced> {
    let last = ctx.workspace.last_entry()?.map_or(0, |entry| entry.seq);
    let cursor = track::cursor(&ctx.workspace)?.filter(|cursor| cursor.server == server.address());
    let (seq, trouble) = cursor.map_or((0, None), |cursor| (cursor.seq.min(last), cursor.last_error));
    Ok(Synced { server: server.address().to_owned(), waiting: last - seq, trouble, ..Synced::default() })
}

fn text(synced: &Synced) -> String {
    let lines = |n: u64| format!("{n} line{} of the audit chain", if n == 1 { "" } else { "s" });
    let mut text = match synced.sent {
        0 => format!("{}\n", synced.server),
        n => format!("{}: sent {n} change{}\n", synced.server, if n == 1 { "" } else { "s" }),
    };
    match (&synced.trouble, synced.waiting) {
        (None, 0) => text.push_str("nothing waits\n"),
        (None, n) => text.push_str(&format!("waiting: {}; `mlloop track sync` sends them\n", lines(n))),
        (Some(what), n) => text.push_str(&format!("waiting: {}: {what}\n", lines(n))),
    }
    text
}

/// Reports the change of a verb to the server, within the time limit of the settings. Nothing here makes a verb fail.
pub(crate) fn after(ctx: &Context) {
    let Ok(config) = ctx.workspace.config() else { return };
    let rules = config.track;
    let limit = Duration::from_secs_f64(rules.timeout_seconds);
    let server = match server(&rules, limit) {
        Ok(Some(server)) => server,
        Ok(None) => return,
        // MLFLOW_TRACKING_URI may be set for another program; an address in mlloop.toml is set for mlloop.
        Err(_) if rules.uri.is_none() => return,
        Err(err) => return ctx.progress.note(format_args!("note: the tracking server was not informed: {err:#}")),
    };
    let (told, tell) = mpsc::channel();
    let (workspace, now, name) = (ctx.workspace.clone(), ctx.now, server.address().to_owned());
    let begun = thread::Builder::new().name("track".to_owned()).spawn(move || {
        // After the time limit the receiver is gone; the cursor stores the progress.
        let _ = told.send(track::sync(&workspace, &rules, &server, true, now));
    });
    let late = || format!("no answer within {} seconds", limit.as_secs_f64());
    let trouble = match begun.map(|_| tell.recv_timeout(limit)) {
        Ok(Ok(Ok(synced))) => {
            synced.notes.iter().for_each(|note| ctx.progress.note(format_args!("note: {note}")));
            synced.trouble
        }
        Ok(Ok(Err(err))) => Some(err.to_string()),
        Ok(Err(_)) => Some(late()),
        Err(err) => Some(err.to_string()),
    };
    if let Some(what) = trouble {
        ctx.progress.note(format_args!("note: could not report to {name}: {what}; `mlloop track sync` repeats it"));
    }
}

/// The server, if one is configured: in the environment, else in the settings.
#[expect(clippy::disallowed_methods, reason = "the binary reads the environment")]
fn server(rules: &TrackRules, timeout: Duration) -> Result<Option<Server>> {
    let set = |name| std::env::var(name).ok().filter(|text: &String| !text.is_empty());
    let Some(uri) = set("MLFLOW_TRACKING_URI").or_else(|| rules.uri.clone()) else { return Ok(None) };
    let authorities = set("MLFLOW_TRACKING_SERVER_CERT_PATH");
    let authorities = authorities.map(|path| std::fs::read(&path).with_context(|| path)).transpose()?;
    let credentials = Credentials {
        user: set("MLFLOW_TRACKING_USERNAME"),
        password: set("MLFLOW_TRACKING_PASSWORD").map(Secret::new),
        token: set("MLFLOW_TRACKING_TOKEN").map(Secret::new),
        authorities,
    };
    Ok(Some(Server::new(&uri, &credentials, timeout)?))
}
