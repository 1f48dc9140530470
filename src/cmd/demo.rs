use super::{Context, Outcome, Output};
use anyhow::{Context as _, Result, ensure};
use mlloop::answers::{DemoStep, Demonstrated};
use mlloop::atomic;
use mlloop::demo::{Stream, answer, is_one, payments, visits, without_target};
use mlloop::printable;
use mlloop::table::{Schema, Table, write_csv};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Create simulated card payments with drift in DIR, and run the loop on them
///
/// Each command is printed before it runs, followed by the first lines of its output.
///
///   mlloop demo /tmp/demo
///   mlloop demo /tmp/demo --drifted
///       stop after the drift, to continue in the dashboard
///   mlloop demo /tmp/demo --tables
///       only create the tables
///
/// Exit status: 0 every command ended as expected, 2 error.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// A directory that is empty or does not exist yet
    #[arg(value_name = "DIR")]
    into: PathBuf,
    /// Only create the tables; train nothing
    #[arg(long)]
    tables: bool,
    /// Start again: first remove the files of an earlier demo in DIR
    #[arg(long)]
    reset: bool,
    /// Stop after drift was found
    #[arg(long, conflicts_with = "tables")]
    drifted: bool,
}

/// A step of the demo.
enum Step {
    /// The purpose, the command, how many lines of its output are shown, and the expected exit status.
    Run(&'static str, &'static str, usize, i32),
    /// The first lines of a file that was made.
    Head(&'static str),
    /// The exported rows are labelled from the simulation.
    Answer,
}
use Step::{Answer, Head, Run};

/// Number of lines of a file that are shown.
const N_HEAD: usize = 3;
/// Number of lines to show the whole output.
const WHOLE: usize = usize::MAX;

/// The steps of the demo, in order.
const STEPS: [Step; 19] = [
    Head("data/reference.csv"),
    Run("Guess the type of each column, and write mlloop.toml.", "init data/reference.csv --text", 13, 0),
    Run("Train a model. The first version becomes production.", "train --text", 6, 0),
    Run(
        "New payments arrive, with drift. Score them with reasons, and log the predictions.",
        "predict data/current.csv --log --explain 3 -o predictions.csv",
        WHOLE,
        0,
    ),
    Head("predictions.csv"),
    Run("Is there a reason to retrain? Yes: exit status 0.", "monitor data/current.csv --text", 10, 0),
    Run("Choose payments for people to label.", "label-export -n 2000 --text", 2, 0),
    Answer,
    Run("Import the labels.", "label-import --annotator demo --text", 1, 0),
    Run("Retrain on the reference and the new labels. The result is a challenger.", "retrain --text", 2, 0),
    Run("Is it better on held-out rows? Yes: exit status 0.", "promote --text", 6, 0),
    Run("Train another challenger: one small readable tree.", "train --algorithm decision-tree --text", 1, 0),
    Run("The gate finds it worse and refuses it: exit status 1. Production stays.", "promote --text", 2, 1),
    Run("Restore the previous version, without training.", "rollback --by demo --text", WHOLE, 0),
    Run("Restore the newer version again.", "rollback v0002 --by demo --text", WHOLE, 0),
    Run(
        "A simulated experiment with two pages: is one better?",
        "ab-report visits.csv --arm page --control old --outcome bought --unit visitor --reports reports --text",
        2,
        0,
    ),
    Run(
        "Export the model for other tools: one ONNX graph from raw columns to the score.",
        "export --format onnx -o payments.onnx",
        WHOLE,
        0,
    ),
    Run("A hash chain records every change. Is it intact?", "audit verify --text", WHOLE, 0),
    Run("Show the state of the loop.", "status --text", 5, 0),
];
/// Steps after which drift is found.
const UP_TO_DRIFT: usize = 6;
const N_REFERENCE: usize = 6_000;
const N_CURRENT: usize = 4_000;
const N_VISITS: usize = 20_000;

pub(crate) fn run(args: &Args, ctx: &Context, out: &mut Output) -> Result<Outcome> {
    let dir = &args.into;
    let again = args.reset && dir.exists();
    if again {
        reset(dir)?;
    }
    // Files that people added, and the jobs of pages, are kept.
    let in_use = !again && std::fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some());
    ensure!(!in_use, "{}: is not empty; name an empty directory, or start again with --reset", dir.display());
    let data = dir.join("data");
    std::fs::create_dir_all(&data).with_context(|| data.display().to_string())?;
    let calm = Stream { n_rows: N_REFERENCE, first: 0, drift: 0.0, seed: ctx.seed };
    let shifted = Stream { n_rows: N_CURRENT, first: N_REFERENCE, drift: 1.0, seed: ctx.seed };
    write_table(&data.join("reference.csv"), &payments(calm)?)?;
    let truth = payments(shifted)?;
    write_table(&data.join("current.csv"), &without_target(&truth)?)?;
    write_table(&dir.join("visits.csv"), &visits(N_VISITS, ctx.seed)?)?;
    let mlloop = std::env::current_exe().context("finding mlloop itself")?;
    let steps = match (args.tables, args.drifted) {
        (true, _) => &STEPS[..1],
        (_, true) => &STEPS[..UP_TO_DRIFT],
        _ => &STEPS[..],
    };
    let walk = Walk { mlloop, dir, truth: &truth, ctx, width: out.width(), silent: out.wants_json() };
    let place = printable::name(&data.display().to_string());
    walk.say(
        out,
        &format!("Created {N_REFERENCE} card payments for training and {N_CURRENT} later ones in {place}.\n"),
    )?;
    for step in steps {
        walk.take(step, out)?;
    }
    if out.wants_json() {
        let ran = steps.iter().filter_map(|step| match step {
            Run(why, line, _, status) => Some(DemoStep { why, command: format!("mlloop {line}"), status: *status }),
            Head(_) | Answer => None,
        });
        out.json(&Demonstrated { dir, steps: ran.collect() })?;
    } else if args.drifted {
        let place = printable::name(&dir.display().to_string());
        out.bytes(format!("\nnext: mlloop -C {place} dashboard\n").as_bytes())?;
    } else if !args.tables {
        out.bytes(closing(dir).as_bytes())?;
    }
    Ok(Outcome::Yes)
}

/// A running demo.
struct Walk<'a> {
    mlloop: PathBuf,
    dir: &'a Path,
    truth: &'a Table,
    ctx: &'a Context,
    width: Option<usize>,
    /// Whether to print nothing.
    silent: bool,
}

impl Walk<'_> {
    fn say(&self, out: &mut Output, text: &str) -> Result<()> {
        if self.silent { Ok(()) } else { out.bytes(text.as_bytes()) }
    }

    fn take(&self, step: &Step, out: &mut Output) -> Result<()> {
        match *step {
            Run(why, line, shown, status) => {
                let cut = if shown == WHOLE { String::new() } else { format!(" | head -{shown}") };
                self.say(out, &format!("\n# {why}\n$ mlloop {line}{cut}\n"))?;
                let said = self.run(line, status)?;
                self.say(out, &said.split_inclusive('\n').take(shown).collect::<String>())
            }
            Head(file) => {
                let path = self.dir.join(file);
                let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
                let head: String = text.split_inclusive('\n').take(N_HEAD).collect();
                self.say(out, &format!("$ head -{N_HEAD} {file}\n{}", printable::printable(&head)))
            }
            Answer => {
                let n = answer_batch(self.dir, self.truth)?;
                self.say(out, &format!("{n} payments were labelled from the simulation.\n"))
            }
        }
    }

    /// Runs one command and returns its output.
    fn run(&self, line: &str, status: i32) -> Result<String> {
        let mut command = Command::new(&self.mlloop);
        command.args(line.split(' ')).args(["--seed", &self.ctx.seed.to_string()]).current_dir(self.dir);
        if let Some(width) = self.width {
            command.env("COLUMNS", width.to_string());
        }
        let child = command
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .map_err(|err| io::Error::new(err.kind(), format!("mlloop {line}: {err}")))?;
        ensure!(
            child.status.code() == Some(status),
            "the step `mlloop {line}` ended unexpectedly with {}",
            child.status
        );
        Ok(String::from_utf8_lossy(&child.stdout).into_owned())
    }
}

/// The files of a demo in its directory, besides mlloop's own (`.mlloop…`).
const MADE: [&str; 14] = [
    "visits.csv",
    "data",
    "models",
    "reports",
    "runs",
    "predictions",
    "label_inbox",
    "approvals",
    "mlloop.toml",
    "audit.jsonl",
    "ab.json",
    "predictions.csv",
    "payments.onnx",
    ".gitignore",
];

/// Removes only the files of a demo. Any other directory is not changed.
fn reset(dir: &Path) -> Result<()> {
    let io = |path: &Path| path.display().to_string();
    let entries = |dir: &Path| -> Result<Vec<std::fs::DirEntry>> {
        let found = std::fs::read_dir(dir).and_then(Iterator::collect::<io::Result<Vec<_>>>);
        found.with_context(|| io(dir))
    };
    let mut found = entries(dir)?;
    if found.is_empty() {
        return Ok(());
    }
    ensure!(is_one(dir), "{}: not the directory of a demo; nothing was removed", dir.display());
    found.retain(|entry| {
        let name = entry.file_name();
        MADE.iter().any(|made| name == *made) || name.to_string_lossy().starts_with(".mlloop")
    });
    for entry in &found {
        ensure!(
            !entry.file_type()?.is_symlink(),
            "{}: not created by a demo; nothing was removed: move it away, or name another directory",
            entry.path().display()
        );
    }
    // The files that identify a demo go last, so that an interrupted reset can be repeated. Jobs started from a page
    // stay: this process may be one.
    let (mut marks, mut others) = (Vec::new(), Vec::new());
    for path in found.iter().map(std::fs::DirEntry::path) {
        match path.file_name().and_then(|name| name.to_str()) {
            Some("visits.csv" | "data") => marks.push(path),
            Some("runs") => {
                others.extend(entries(&path)?.iter().map(std::fs::DirEntry::path).filter(|p| !p.ends_with("jobs")))
            }
            _ => others.push(path),
        }
    }
    for path in others.iter().chain(&marks) {
        let removed = if path.is_dir() { atomic::remove_dir(path) } else { atomic::remove_file(path) };
        removed.with_context(|| io(path))?;
    }
    Ok(())
}

fn closing(dir: &Path) -> String {
    let dir = printable::name(&dir.display().to_string());
    format!(
        "\nReports: drift_report.html, gate_report.html and ab_report.html in {dir}/reports. Settings: {dir}/mlloop.toml.\n\
         `mlloop -C {dir} audit --text` lists every change.\n"
    )
}

fn write_table(path: &Path, table: &Table) -> Result<()> {
    atomic::replace(path, |out| write_csv(out, table, &Schema::default())).with_context(|| path.display().to_string())
}

/// Writes label_inbox/to_label_labeled.csv; returns the number of answers.
fn answer_batch(dir: &Path, truth: &Table) -> Result<u64> {
    let (batch, answered) = (dir.join("label_inbox/to_label.csv"), dir.join("label_inbox/to_label_labeled.csv"));
    let from = File::open(&batch).with_context(|| batch.display().to_string())?;
    let n = atomic::replace(&answered, |out| answer(from, truth, out).map_err(io::Error::from));
    n.with_context(|| answered.display().to_string())
}
