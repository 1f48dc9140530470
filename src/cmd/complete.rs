//! Values for shell completion: versions, columns, experiments, requests and batches of the current loop.

use clap::{Command, CommandFactory};
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate};
use mlloop::workspace::Workspace;
use mlloop::workspace::event::ExperimentChanged;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// The options and arguments whose values are looked up, by name, with their lookup.
type Lookup = fn(&Workspace) -> Vec<String>;
const LOOKUPS: [(&str, &[&str], Lookup); 12] = [
    ("predict", &["model"], versions),
    ("features", &["model"], versions),
    ("export", &["model", "version"], versions),
    ("rollback", &["version"], versions),
    ("promote", &["version", "challenger"], versions),
    ("ab-start", &["control", "treatment", "a", "b"], versions),
    ("predict", &["columns"], columns),
    ("ab-start", &["unit"], columns),
    ("ab-report", &["experiment"], experiments),
    ("approve", &["id"], requests),
    ("reject", &["id"], requests),
    ("label-import", &["file"], batches),
];

/// Adds the values of the loop to the command's completion.
pub(crate) fn command() -> Command {
    let mut command = super::Cli::command();
    for (verb, args, lookup) in LOOKUPS {
        command = command.mut_subcommand(verb, |verb| {
            let known: Vec<String> = verb.get_arguments().map(|arg| arg.get_id().to_string()).collect();
            args.iter().filter(|name| known.iter().any(|id| id == *name)).fold(verb, |verb, name| {
                verb.mut_arg(*name, |arg| {
                    arg.add(ArgValueCompleter::new(move |typed: &OsStr| candidates(typed, lookup)))
                })
            })
        });
    }
    command
}

fn candidates(typed: &OsStr, lookup: Lookup) -> Vec<CompletionCandidate> {
    let Some(typed) = typed.to_str() else { return Vec::new() };
    // In a list, the part after the last comma is completed.
    let (before, last) = typed.rfind(',').map_or(("", typed), |at| typed.split_at(at + 1));
    let names = lookup(&Workspace::new(loop_dir()));
    let fitting = names.into_iter().filter(|name| name.starts_with(last));
    fitting.map(|name| CompletionCandidate::new(format!("{before}{name}"))).collect()
}

/// The directory after `-C` on the line that is being completed, else the loop that encloses the current directory.
fn loop_dir() -> PathBuf {
    let words: Vec<String> = std::env::args().collect();
    let named = words.windows(2).find(|pair| pair[0] == "-C" || pair[0] == "--dir").map(|pair| PathBuf::from(&pair[1]));
    named.or_else(super::context::enclosing_loop).unwrap_or_else(|| PathBuf::from("."))
}

fn versions(workspace: &Workspace) -> Vec<String> {
    workspace.registry().versions().unwrap_or_default().iter().map(ToString::to_string).collect()
}

fn columns(workspace: &Workspace) -> Vec<String> {
    workspace.config().map(|config| config.columns.into_iter().map(|column| column.name).collect()).unwrap_or_default()
}

fn experiments(workspace: &Workspace) -> Vec<String> {
    let Ok(chain) = workspace.audit_chain() else { return Vec::new() };
    let mut found: Vec<String> = chain.all_of::<ExperimentChanged>().flatten().map(|(_, said)| said.name).collect();
    found.sort();
    found.dedup();
    found
}

fn requests(workspace: &Workspace) -> Vec<String> {
    mlloop::gate::pending(workspace)
        .map(|tickets| tickets.into_iter().map(|ticket| ticket.id).collect())
        .unwrap_or_default()
}

/// Answered sheets in the inbox.
fn batches(workspace: &Workspace) -> Vec<String> {
    let inbox = workspace.path("label_inbox");
    let is_sheet = |path: &Path| path.extension().is_some_and(|ending| ending == "csv" || ending == "json");
    let entries = std::fs::read_dir(inbox).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.filter(|path| is_sheet(path)).map(|path| path.display().to_string()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use mlloop::workspace::EventKind;
    use mlloop::workspace::audit::Event;
    use mlloop::workspace::event::Details;

    #[test]
    fn experiments_that_the_chain_knows_are_named_once() {
        let dir = tempfile::tempdir().unwrap();
        let workspace = Workspace::new(dir.path());
        let lock = workspace.lock().unwrap();
        let changes =
            [(EventKind::AbStarted, "trial"), (EventKind::AbStopped, "trial"), (EventKind::AbStarted, "again")];
        for (event, name) in changes {
            let changed = ExperimentChanged {
                name: name.to_owned(),
                weights: vec![0.5, 0.5],
                why: String::new(),
                experiment: serde_json::json!({ "name": name }),
                log: None,
                labels: None,
            };
            let at = jiff::Timestamp::UNIX_EPOCH;
            let event = Event { at, event, by: None, roles: None, details: changed.value() };
            workspace.record(&lock, event).unwrap();
        }
        assert_eq!(experiments(&workspace), ["again", "trial"]);
    }
}
