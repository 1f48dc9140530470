use super::{Context, Outcome, Output};
use anyhow::{Context as _, Result, ensure};
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
/// Every command is shown before it runs, so that the demo reads as a walk through mlloop.
///
///   mlloop demo /tmp/demo
///   mlloop demo /tmp/demo --drifted           up to the drift, to go on in the dashboard
///   mlloop demo /tmp/demo --tables            only make the tables, for a loop of your own
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
    /// What for, the command, and the exit status that is its answer.
    Run(&'static str, &'static str, i32),
    /// What for: the rows that were handed out are answered as the stream knows them.
    Answer(&'static str),
}
use Step::{Answer, Run};

/// What the demo says and runs, in order.
const STEPS: [Step; 18] = [
    Run("What is in the table? mlloop decides, says why, and writes mlloop.toml.", "init data/reference.csv --text", 0),
    Run("Learn from it. The first version becomes production.", "train --text", 0),
    Run(
        "The world changes. Score the payments that arrive, with their strongest reasons, and keep a log of it.",
        "predict data/current.csv --log --explain 3 -o predictions.csv",
        0,
    ),
    Run(
        "Is there a reason to retrain? Compare what arrived with what production was trained on. Yes: exit status 0.",
        "monitor data/current.csv --text",
        0,
    ),
    Run(
        "Which payments should a person look at? They leave with the probability of being chosen.",
        "label-export -n 2000 --text",
        0,
    ),
    Answer(
        "Somebody fills in label_inbox/to_label.csv. Here the answers are simulated: the stream knows what was fraud.",
    ),
    Run("Take the answers in.", "label-import --annotator demo --text", 0),
    Run("Learn from the reference and the answers. The result is a challenger, never production.", "retrain --text", 0),
    Run(
        "Does it deserve production? Both are judged on rows that neither learned from. It does: exit status 0.",
        "promote --text",
        0,
    ),
    Run("Another challenger: one small tree that a person can read.", "train --algorithm decision-tree --text", 0),
    Run("It is worse, and the gate says so: exit status 1, and production stays.", "promote --text", 1),
    Run(
        "What if the new version causes trouble? Back to the one before, without training.",
        "rollback --by demo --text",
        0,
    ),
    Run("And forward again.", "rollback v0002 --by demo --text", 0),
    Run(
        "Was one arm better? A made-up experiment with two pages; one may look as often as one likes.",
        "ab-report visits.csv --arm page --control old --outcome bought --unit visitor --reports reports --text",
        0,
    ),
    Run(
        "The model for other tools: one graph from raw columns to the score.",
        "export --format onnx -o payments.onnx",
        0,
    ),
    Run("Every change is in a chain of hashes. Is it whole?", "audit verify --text", 0),
    Run("What was done?", "audit --text", 0),
    Run("Where the loop stands.", "status --text", 0),
];
/// Steps after which drift is found.
const UP_TO_DRIFT: usize = 4;
const N_REFERENCE: usize = 6_000;
const N_CURRENT: usize = 4_000;
const N_VISITS: usize = 20_000;

pub(crate) fn run(args: &Args, ctx: &Context, out: &mut Output) -> Result<Outcome> {
    let dir = &args.into;
    let again = args.reset && dir.exists();
    if again {
        reset(dir)?;
    }
    // What people put beside a demo stays when it begins again.
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
    let intro = format!(
        "{N_REFERENCE} card payments to learn from, and {N_CURRENT} that came after the world had changed, are in {}.\n",
        printable::name(&data.display().to_string())
    );
    out.bytes(intro.as_bytes())?;
    let reference = data.join("reference.csv");
    let text = std::fs::read_to_string(&reference).with_context(|| reference.display().to_string())?;
    let head: String = text.split_inclusive('\n').take(3).collect();
    out.bytes(format!("\n$ head -3 data/reference.csv\n{head}").as_bytes())?;
    if args.tables {
        return Ok(Outcome::Yes);
    }
    let n_steps = if args.drifted { UP_TO_DRIFT } else { STEPS.len() };
    for step in &STEPS[..n_steps] {
        match step {
            Run(why, line, status) => {
                out.bytes(format!("\n# {why}\n$ mlloop {line}\n").as_bytes())?;
                out.bytes(&run_step(&mlloop, dir, line, *status, ctx)?)?;
            }
            Answer(why) => {
                let n = answer_batch(dir, &truth)?;
                out.bytes(format!("\n# {why}\n{n} payments answered\n").as_bytes())?;
            }
        }
    }
    let end =
        if args.drifted { format!("\nGo on with: mlloop -C {} dashboard\n", dir.display()) } else { closing(dir) };
    out.bytes(end.as_bytes())?;
    Ok(Outcome::Yes)
}

/// What a demo leaves behind, and nothing else, is removed.
fn reset(dir: &Path) -> Result<()> {
    let made = |name: &str| dir.join(name);
    ensure!(is_one(dir), "{}: is not the directory of a demo; nothing was removed", dir.display());
    let removed = |path: PathBuf| match path.is_dir() {
        true => atomic::remove_dir(&path).with_context(|| path.display().to_string()),
        false => Ok(()),
    };
    for name in ["data", "models", "reports", "predictions", "label_inbox", "label_outbox", "profiles", "approvals"] {
        removed(made(name))?;
    }
    for entry in std::fs::read_dir(made("runs")).into_iter().flatten().flatten() {
        let path = entry.path();
        // What pages ran is theirs: this may be one of it.
        if path.is_file() {
            std::fs::remove_file(&path).with_context(|| path.display().to_string())?;
        } else if !path.ends_with("jobs") {
            removed(path)?;
        }
    }
    for name in [
        "visits.csv",
        "mlloop.toml",
        "audit.jsonl",
        "predictions.csv",
        "payments.onnx",
        "ab.json",
        ".gitignore",
        ".mlloop.lock",
    ] {
        let path = made(name);
        if path.is_file() {
            std::fs::remove_file(&path).with_context(|| path.display().to_string())?;
        }
    }
    Ok(())
}

fn closing(dir: &Path) -> String {
    let dir = printable::name(&dir.display().to_string());
    format!(
        "\nLook at\n  {dir}/reports/drift_report.html   what changed\n  {dir}/reports/gate_report.html    who deserves production, and why\n  \
         {dir}/reports/ab_report.html      the experiment\n  {dir}/mlloop.toml                 what was decided about the table\n  \
         {dir}/predictions.csv             scores with their reasons\n"
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

/// Runs one command in `dir` as a person would, and gives what it printed.
fn run_step(mlloop: &Path, dir: &Path, line: &str, status: i32, ctx: &Context) -> Result<Vec<u8>> {
    let child = Command::new(mlloop)
        .args(line.split(' '))
        .args(["--seed", &ctx.seed.to_string()])
        .current_dir(dir)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|err| io::Error::new(err.kind(), format!("mlloop {line}: {err}")))?;
    ensure!(child.status.code() == Some(status), "the step `mlloop {line}` ended with {}", child.status);
    Ok(child.stdout)
}
