//! The `mlloop` binary: parse, call, exit status. Only this file prints to stderr or ends the program.

mod cmd;

use clap_complete::CompleteEnv;
use mlloop::printable;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;

fn main() -> ExitCode {
    let status = ends_with();
    leave(status);
    ExitCode::from(status)
}

/// Writes the exit status into the file that `MLLOOP_STATUS_FILE` names: the parent process may end before this one.
fn leave(status: u8) {
    if let Some(path) = std::env::var_os("MLLOOP_STATUS_FILE") {
        // A failure cannot be reported anywhere.
        let _ = mlloop::atomic::replace(path.as_ref(), |out| writeln!(out, "{status}"));
    }
}

fn ends_with() -> u8 {
    CompleteEnv::with_factory(cmd::complete::command).complete();
    let cli = match cmd::parse() {
        Ok(cli) => cli,
        // clap prints help and version to stdout with status 0; usage errors get the format of all other errors.
        Err(err) => {
            let _ = match cmd::usage::in_words(&err) {
                Some(said) => write!(std::io::stderr(), "{}", printable::printable(&said)),
                None => err.print(),
            };
            return u8::try_from(err.exit_code()).unwrap_or(2);
        }
    };
    let exit_zero = cli.global.exit_zero;
    plan_fault();
    mlloop::table::quiet_damage();
    outlive_file_limits();
    match cmd::run(cli) {
        Ok(outcome) => outcome.exit_code(exit_zero),
        Err(err) if is_broken_pipe(&err) => 0,
        Err(err) => {
            let width = cmd::wrap::width(std::io::stderr().is_terminal());
            let say = |text: String| drop(writeln!(std::io::stderr(), "{}", cmd::wrap::message(&text, width)));
            say(format!("mlloop: {}", printable::message(&one_line(&err))));
            if let Some(hint) = cmd::hint::of(&err) {
                say(format!("  hint: {}", printable::message(hint)));
            }
            cmd::Outcome::Error.exit_code(false)
        }
    }
}

/// Makes a write beyond `ulimit -f` fail like one on a full disk; by default the signal would end the process without a
/// message.
fn outlive_file_limits() {
    // If the handler cannot be installed, the signal ends the process as before.
    let _ = signal_hook::flag::register(rustix::process::Signal::XFSZ.as_raw(), std::sync::Arc::default());
}

/// In debug builds, `MLLOOP_FAULT=die:7` ends the process at its seventh write point, `full:7` makes the disk full from
/// that point on; tests use this to show that nothing is lost.
fn plan_fault() {
    use mlloop::atomic::fault::{Fault, plan};
    if cfg!(not(debug_assertions)) {
        return;
    }
    #[expect(clippy::disallowed_methods, reason = "the binary reads the environment")]
    let wanted = std::env::var("MLLOOP_FAULT").unwrap_or_default();
    let fault = match wanted.split_once(':') {
        Some(("die", n)) => n.parse().map(|n| (Fault::Die, n)),
        Some(("full", n)) => n.parse().map(|n| (Fault::Full, n)),
        _ => return,
    };
    if let Ok((fault, n)) = fault {
        plan(fault, n);
    }
}

/// The error and its causes; a cause whose text is already contained is not repeated.
fn one_line(err: &anyhow::Error) -> String {
    err.chain().fold(String::new(), |told, cause| {
        let cause = cause.to_string();
        match told.as_str() {
            "" => cause,
            _ if told.contains(&cause) => told,
            _ => format!("{told}: {cause}"),
        }
    })
}

/// Whether the reader of our output closed the pipe (`| head`), which is not an error.
fn is_broken_pipe(err: &anyhow::Error) -> bool {
    err.chain().any(|cause| {
        let io = cause.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
        let json = cause.downcast_ref::<serde_json::Error>().and_then(serde_json::Error::io_error_kind);
        io.or(json) == Some(std::io::ErrorKind::BrokenPipe)
    })
}
