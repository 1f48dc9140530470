//! The run log: one JSON line per run of a verb that changed something or answered a question.

use super::{Workspace, WorkspaceError};
use crate::atomic::{self, At};
use serde::{Deserialize, Serialize};
use std::io::{self, Read as _, Seek as _};
use std::path::PathBuf;

/// One run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Run {
    /// When it began (RFC 3339).
    pub at: jiff::Timestamp,
    /// The verb.
    pub verb: String,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// The result: versions, metrics, counts.
    pub result: serde_json::Value,
}

/// Bytes at the end of the log that are read first if only the last runs are needed.
const TAIL: u64 = 1 << 20;

impl Workspace {
    /// The last run of `verb` in the run log.
    ///
    /// # Errors
    /// As [`Workspace::runs`].
    pub fn last_run(&self, verb: &str) -> Result<Option<Run>, WorkspaceError> {
        Ok(self.last_runs(verb, 1)?.pop())
    }

    /// The last `n` runs of `verb` in the run log, oldest first. Reads the end of the log, and all of it only if the
    /// end has fewer.
    ///
    /// # Errors
    /// As [`Workspace::runs`].
    pub fn last_runs(&self, verb: &str, n: usize) -> Result<Vec<Run>, WorkspaceError> {
        let path = self.runs_path();
        let Some(facts) = std::fs::metadata(&path).if_there().at(path)? else { return Ok(Vec::new()) };
        let mut runs = if facts.len() > TAIL { self.read_runs(verb, facts.len() - TAIL)? } else { Vec::new() };
        if runs.len() < n {
            runs = self.read_runs(verb, 0)?;
        }
        Ok(runs.split_off(runs.len().saturating_sub(n)))
    }

    /// Every run of `verb` in the run log, oldest first. An incomplete last line of a crash is skipped.
    ///
    /// # Errors
    /// If the log exists and is unreadable, or a line is not a run.
    pub fn runs(&self, verb: &str) -> Result<Vec<Run>, WorkspaceError> {
        self.read_runs(verb, 0)
    }

    /// The runs of `verb` in the lines that start at byte `from` or later.
    fn read_runs(&self, verb: &str, from: u64) -> Result<Vec<Run>, WorkspaceError> {
        let path = self.runs_path();
        let read = || {
            let mut file = atomic::open(&path)?;
            file.seek(io::SeekFrom::Start(from.saturating_sub(1)))?;
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            io::Result::Ok(bytes)
        };
        let Some(bytes) = read().if_there().at(&path)? else { return Ok(Vec::new()) };
        let after = |end: Option<usize>| end.map_or(0, |end| end + 1);
        let start = if from == 0 { 0 } else { after(bytes.iter().position(|&byte| byte == b'\n')) };
        let whole = &bytes[start..after(bytes.iter().rposition(|&byte| byte == b'\n')).max(start)];
        let mut runs = Vec::new();
        for (n, line) in whole.split_inclusive(|&byte| byte == b'\n').enumerate() {
            let run: Run = serde_json::from_slice(line).map_err(|err| {
                let place = if from == 0 { format!("line {}", n + 1) } else { format!("a line after byte {from}") };
                let what = format!("{place} is not a valid run: {err}; remove the line");
                WorkspaceError::Audit { path: path.clone(), what }
            })?;
            if run.verb == verb {
                runs.push(run);
            }
        }
        Ok(runs)
    }

    fn runs_path(&self) -> PathBuf {
        self.path("runs/runs.jsonl")
    }

    /// Adds a line to the run log.
    ///
    /// # Errors
    /// I/O errors.
    pub fn log(&self, run: &Run) -> Result<(), WorkspaceError> {
        let path = self.runs_path();
        let append = || {
            atomic::make_dirs(self.path("runs"))?;
            let mut line = serde_json::to_vec(run)?;
            line.push(b'\n');
            atomic::append(&path, &line)
        };
        Ok(append().at(&path)?)
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests write what they damage")]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_end_of_a_long_log_gives_the_same_runs_as_all_of_it() {
        let dir = tempfile::tempdir().unwrap();
        let workspace = Workspace::new(dir.path());
        assert_eq!(workspace.last_run("monitor").unwrap(), None);
        let run = |verb: &str, n: usize| Run {
            at: jiff::Timestamp::UNIX_EPOCH,
            verb: verb.to_owned(),
            seconds: 0.0,
            result: json!({ "n": n, "fill": "x".repeat(200) }),
        };
        workspace.log(&run("train", 0)).unwrap();
        let lines = |n: usize| serde_json::to_string(&run("monitor", n)).unwrap() + "\n";
        let path = dir.path().join("runs/runs.jsonl");
        let mut text = std::fs::read_to_string(&path).unwrap();
        text.extend((0..6000).map(lines));
        std::fs::write(&path, text.clone() + "{\"at\": cut").unwrap();
        assert!(text.len() as u64 > TAIL);
        let all = workspace.runs("monitor").unwrap();
        assert_eq!(all.len(), 6000, "the incomplete line is skipped");
        assert_eq!(workspace.last_runs("monitor", 3).unwrap(), all[5997..]);
        assert_eq!(workspace.last_runs("monitor", 7000).unwrap(), all);
        assert_eq!(workspace.last_run("train").unwrap(), Some(run("train", 0)), "it is before the part read first");
        // The position of the end does not matter: at a line's first byte, or inside of it.
        for len in [TAIL - 1, TAIL, TAIL + 1] {
            let cut = text.len() - len as usize;
            let start = text[..cut].rfind('\n').map_or(0, |at| at + 1);
            std::fs::write(&path, &text[start..]).unwrap();
            let all = workspace.runs("monitor").unwrap();
            assert_eq!(workspace.last_runs("monitor", 3000).unwrap(), all[all.len() - 3000..]);
        }
        std::fs::write(&path, format!("{text}nonsense\n")).unwrap();
        for found in [workspace.runs("monitor"), workspace.last_runs("monitor", 1)] {
            assert!(found.unwrap_err().to_string().contains("is not a valid run"));
        }
    }
}
