use super::{Context, Outcome, Output};
use anyhow::{Context as _, Result, ensure};
use mlloop::atomic;
use mlloop::demo::{Stream, payments};
use mlloop::table::{Schema, write_csv};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Make a small drifting stream of card payments in DIR and run the loop on it
///
/// Every command is shown before it runs, so that the demo reads as a walk through mlloop.
///
///   mlloop demo /tmp/demo
///
/// Exit status: 0 every command did what it should, 2 error.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// A directory that is empty or does not exist yet
    #[arg(value_name = "DIR")]
    into: PathBuf,
}

/// What the demo says and runs, in order: (what for, command).
const STEPS: [(&str, &str); 7] = [
    ("What is in the table? mlloop decides, says why, and writes mlloop.toml.", "init data/reference.csv --text"),
    ("Learn from it. The first version becomes production.", "train --text"),
    (
        "Score the payments that arrived since, with the three strongest reasons for each.",
        "predict data/current.csv --explain 3 -o predictions.csv",
    ),
    (
        "Is there a reason to retrain? Compare what arrived with what production was trained on.",
        "monitor data/current.csv --text",
    ),
    (
        "A second opinion that a person can read: one small tree. It becomes the challenger.",
        "train --algorithm decision-tree --text",
    ),
    ("The model for other tools: one graph from raw columns to the score.", "export --format onnx -o payments.onnx"),
    ("Where the loop stands.", "status --text"),
];
const N_REFERENCE: usize = 6_000;
const N_CURRENT: usize = 2_000;

pub(crate) fn run(args: &Args, ctx: &Context, out: &mut Output) -> Result<Outcome> {
    let dir = &args.into;
    let in_use = std::fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some());
    ensure!(!in_use, "{}: is not empty; name a directory for the demo to fill", dir.display());
    let data = dir.join("data");
    std::fs::create_dir_all(&data).with_context(|| data.display().to_string())?;
    let calm = Stream { n_rows: N_REFERENCE, first: 0, drift: 0.0, seed: ctx.seed };
    let shifted = Stream { n_rows: N_CURRENT, first: N_REFERENCE, drift: 1.0, seed: ctx.seed };
    write_stream(&data.join("reference.csv"), calm)?;
    write_stream(&data.join("current.csv"), shifted)?;
    let mlloop = std::env::current_exe().context("finding mlloop itself")?;
    let intro = format!(
        "{N_REFERENCE} card payments to learn from, and {N_CURRENT} that came after the world had changed, are in {}.\n",
        data.display()
    );
    out.bytes(intro.as_bytes())?;
    for (why, line) in STEPS {
        out.bytes(format!("\n# {why}\n$ mlloop {line}\n").as_bytes())?;
        let shown = step(&mlloop, dir, line, ctx.seed)?;
        out.bytes(&shown)?;
    }
    let closing = format!(
        "\nLook at {0}/mlloop.toml (what was decided), {0}/reports/drift_report.html (what changed),\n{0}/predictions.csv (scores with their reasons) and {0}/models (the versions).\n",
        dir.display()
    );
    out.bytes(closing.as_bytes())?;
    Ok(Outcome::Yes)
}

fn write_stream(path: &Path, stream: Stream) -> Result<()> {
    let table = payments(stream)?;
    atomic::replace(path, |out| write_csv(out, &table, &Schema::default())).with_context(|| path.display().to_string())
}

/// Runs one command in `dir` as a person would, and gives what it printed.
fn step(mlloop: &Path, dir: &Path, line: &str, seed: u64) -> Result<Vec<u8>> {
    let child = Command::new(mlloop)
        .args(line.split(' '))
        .args(["--seed", &seed.to_string()])
        .current_dir(dir)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|err| io::Error::new(err.kind(), format!("mlloop {line}: {err}")))?;
    ensure!(child.status.success(), "the step `mlloop {line}` ended with {}", child.status);
    Ok(child.stdout)
}
