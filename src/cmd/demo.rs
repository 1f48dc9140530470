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

/// Make a small drifting stream of card payments in DIR and run the loop on it
///
/// Every command is shown before it runs, and the first lines of what it says, so that the demo reads as a walk through
/// mlloop.
///
///   mlloop demo /tmp/demo
///   mlloop demo /tmp/demo --drifted
///       up to the drift, to go on in the dashboard
///   mlloop demo /tmp/demo --tables
///       only make the tables, for a loop of your own
///
/// Exit status: 0 every command did what it should, 2 error.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// A directory that is empty or does not exist yet
    #[arg(value_name = "DIR")]
    into: PathBuf,
    /// Make the tables and stop: nothing is trained
    #[arg(long)]
    tables: bool,
    /// Begin again: remove what an earlier demo left in DIR
    #[arg(long)]
    reset: bool,
    /// Stop where drift was found: what to do about it is left to a person
    #[arg(long, conflicts_with = "tables")]
    drifted: bool,
}

/// A step of the walk.
enum Step {
    /// What for, the command, how many lines of its output are shown, and the exit status that is its answer.
    Run(&'static str, &'static str, usize, i32),
    /// The first lines of a file that was made.
    Head(&'static str),
    /// The rows that were handed out are answered as the stream knows them.
    Answer,
}
use Step::{Answer, Head, Run};

/// Lines of a file that are shown.
const N_HEAD: usize = 3;
/// Lines of an output that is shown whole.
const WHOLE: usize = usize::MAX;

/// What the demo says and runs, in order.
const STEPS: [Step; 19] = [
    Head("data/reference.csv"),
    Run(
        "What is in the table? mlloop decides, says why, and writes mlloop.toml.",
        "init data/reference.csv --text",
        13,
        0,
    ),
    Run("Learn from it. The first version becomes production.", "train --text", 6, 0),
    Run(
        "The world changes. Score what arrives, with reasons, and log the predictions.",
        "predict data/current.csv --log --explain 3 -o predictions.csv",
        WHOLE,
        0,
    ),
    Head("predictions.csv"),
    Run("Is there a reason to retrain? Yes: exit status 0.", "monitor data/current.csv --text", 11, 0),
    Run("Which payments should a person look at?", "label-export -n 2000 --text", WHOLE, 0),
    Answer,
    Run("Import the answers.", "label-import --annotator demo --text", 1, 0),
    Run("Learn from reference and answers: a challenger, never production.", "retrain --text", 2, 0),
    Run("Is it better, on rows that neither learned from? Yes: exit status 0.", "promote --text", 6, 0),
    Run("Another challenger: one small tree that a person can read.", "train --algorithm decision-tree --text", 1, 0),
    Run("It is worse, and the gate says so: exit status 1. Production stays.", "promote --text", 2, 1),
    Run(
        "Trouble with the new version? Back to the one before, without training.",
        "rollback --by demo --text",
        WHOLE,
        0,
    ),
    Run("And forward again.", "rollback v0002 --by demo --text", WHOLE, 0),
    Run(
        "A made-up experiment with two pages: was one better?",
        "ab-report visits.csv --arm page --control old --outcome bought --unit visitor --reports reports --text",
        2,
        0,
    ),
    Run(
        "The model for other tools: one graph from raw columns to the score.",
        "export --format onnx -o payments.onnx",
        WHOLE,
        0,
    ),
    Run("Every change is in a chain of hashes. Is it whole?", "audit verify --text", WHOLE, 0),
    Run("Where the loop stands.", "status --text", 5, 0),
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
    // What people put beside a demo, and what pages ran, stays when it begins again.
    let in_use = !again && std::fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some());
    ensure!(
        !in_use,
        "{}: is not empty; name a directory for the demo to fill, or begin again with --reset",
        dir.display()
    );
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
        &format!("{N_REFERENCE} card payments to learn from, and {N_CURRENT} later ones, are in {place}.\n"),
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
        out.bytes(format!("\nGo on with: mlloop -C {place} dashboard\n").as_bytes())?;
    } else if !args.tables {
        out.bytes(closing(dir).as_bytes())?;
    }
    Ok(Outcome::Yes)
}

/// The walk through a demo.
struct Walk<'a> {
    mlloop: PathBuf,
    dir: &'a Path,
    truth: &'a Table,
    ctx: &'a Context,
    width: Option<usize>,
    /// Whether nothing is said on the way.
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
                self.say(out, &format!("{n} payments are answered here as the stream knows them.\n"))
            }
        }
    }

    /// Runs one command as a person would, and gives what it printed.
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
        ensure!(child.status.code() == Some(status), "the step `mlloop {line}` ended with {}", child.status);
        Ok(String::from_utf8_lossy(&child.stdout).into_owned())
    }
}

/// What a demo leaves in its directory, beside files of mlloop's own (`.mlloop…`).
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

/// Removes what a demo left behind, and nothing else. A directory that is none of a demo stays as it is.
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
    ensure!(is_one(dir), "{}: is not the directory of a demo; nothing was removed", dir.display());
    found.retain(|entry| {
        let name = entry.file_name();
        MADE.iter().any(|made| name == *made) || name.to_string_lossy().starts_with(".mlloop")
    });
    for entry in &found {
        ensure!(
            !entry.file_type()?.is_symlink(),
            "{}: was not made by a demo; nothing was removed: take it out, or name another directory",
            entry.path().display()
        );
    }
    // What says that it is a demo goes last, so that a reset that was cut short can be repeated. What pages ran is
    // theirs: this may be one of it.
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
        "\nLook at {dir}/reports/drift_report.html, gate_report.html and ab_report.html; at {dir}/mlloop.toml,\n\
         and with `mlloop -C {dir} audit --text` at every change.\n"
    )
}

fn write_table(path: &Path, table: &Table) -> Result<()> {
    atomic::replace(path, |out| write_csv(out, table, &Schema::default())).with_context(|| path.display().to_string())
}

/// Writes label_inbox/to_label_labeled.csv; the number of answers.
fn answer_batch(dir: &Path, truth: &Table) -> Result<u64> {
    let (batch, answered) = (dir.join("label_inbox/to_label.csv"), dir.join("label_inbox/to_label_labeled.csv"));
    let from = File::open(&batch).with_context(|| batch.display().to_string())?;
    let n = atomic::replace(&answered, |out| answer(from, truth, out).map_err(io::Error::from));
    n.with_context(|| answered.display().to_string())
}
