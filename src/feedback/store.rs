//! `data/feedback.csv`: one line per correction, appended and never changed.

use super::FeedbackError;
use crate::atomic::{self, Appender, At};
use crate::digest::sha256;
use crate::registry::Version;
use crate::table::level::truth;
use crate::table::{from_one_line, one_line, push_record};
use crate::wording::instead;
use crate::workspace::Workspace;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read, Seek as _};
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Whether a prediction was right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It was.
    Correct,
    /// It was not, and the actual value is known.
    Incorrect,
    /// A person looked and is not sure.
    Uncertain,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Correct => "correct",
            Self::Incorrect => "incorrect",
            Self::Uncertain => "uncertain",
        })
    }
}

impl FromStr for Verdict {
    type Err = String;

    /// Parses a verdict: its name, or a word for yes or no that is also accepted in labels: `true`, `WAHR`, `falsch`.
    fn from_str(text: &str) -> Result<Self, String> {
        const NAMES: [(&str, Verdict); 3] =
            [("correct", Verdict::Correct), ("incorrect", Verdict::Incorrect), ("uncertain", Verdict::Uncertain)];
        let word = text.trim().to_lowercase();
        let named = NAMES.into_iter().find(|(name, _)| *name == word).map(|(_, verdict)| verdict);
        let said = || truth(&word).map(|yes| if yes { Self::Correct } else { Self::Incorrect });
        named
            .or_else(said)
            .ok_or_else(|| format!("{text:?} is not a verdict{}", instead(text, NAMES.map(|(name, _)| name))))
    }
}

/// A line of `data/feedback.csv`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Entry {
    /// The row.
    pub id: String,
    /// Whether the prediction was right.
    pub verdict: Verdict,
    /// The resulting label; empty if unknown.
    pub label: String,
    /// The annotator; may be empty.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// Anything else.
    pub comment: String,
    /// The version that made the prediction.
    pub version: Version,
    /// The prediction.
    pub prediction: String,
    /// When it was made.
    pub predicted_at: Timestamp,
    /// Free fields by name, such as an account or a period.
    #[serde(default, deserialize_with = "fields", skip_serializing_if = "Fields::is_empty")]
    pub fields: Fields,
}

/// Free fields by name.
pub type Fields = BTreeMap<String, String>;

/// The file that lists the corrections about to be added.
pub(super) const ANNOUNCEMENT: &str = "runs/feedback.json";

const HEADER: &[u8] = b"id,verdict,label,by,at,comment,version,prediction,predicted_at,fields\n";
/// The header before free fields were introduced.
const OLD_HEADER: &[u8] = b"id,verdict,label,by,at,comment,version,prediction,predicted_at\n";

/// Free fields are one cell, as a JSON object; the cell is empty if there are none.
fn fields<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Fields, D::Error> {
    let text = String::deserialize(from)?;
    match text.as_str() {
        "" => Ok(Fields::new()),
        text => serde_json::from_str(text).map_err(|err| serde::de::Error::custom(format!("fields: {err}"))),
    }
}

impl Entry {
    /// The row and the person.
    pub(super) fn key(&self) -> (&str, &str) {
        (&self.id, &self.by)
    }

    /// Whether it gives the same feedback on the same prediction.
    pub(super) fn says_the_same(&self, other: &Self) -> bool {
        let said = |entry: &Self| (entry.verdict, entry.version, entry.predicted_at);
        let texts = |entry: &Self| (entry.label.clone(), entry.comment.clone(), entry.fields.clone());
        said(self) == said(other) && texts(self) == texts(other)
    }

    /// Its line, without the line feed.
    pub(super) fn line(&self) -> String {
        let mut line = Vec::new();
        self.push(&mut line);
        line.pop();
        // Its fields are texts.
        String::from_utf8_lossy(&line).into_owned()
    }

    /// Parses a line, or reports its problem.
    pub(super) fn of_line(line: &str) -> Result<Self, String> {
        let text = [HEADER, line.as_bytes()].concat();
        let mut entries = read(text.as_slice(), 0).map_err(|err| err.to_string())?;
        entries.pop().ok_or_else(|| "is not a correction".to_owned())
    }

    /// SHA-256 of its line; without free fields, of the line in the old format.
    fn digest(&self) -> String {
        let mut line = Vec::new();
        self.push(&mut line);
        if self.fields.is_empty() && line.ends_with(b",\n") {
            line.truncate(line.len() - 2);
            line.push(b'\n');
        }
        sha256(&line)
    }

    fn push(&self, lines: &mut Vec<u8>) {
        let verdict = self.verdict.to_string();
        let (at, version, predicted_at) =
            (self.at.to_string(), self.version.to_string(), self.predicted_at.to_string());
        let free = match self.fields.is_empty() {
            true => String::new(),
            // A map of texts can always be written as JSON.
            false => serde_json::to_string(&self.fields).unwrap_or_default(),
        };
        let fields = [
            self.id.as_str(),
            &verdict,
            &self.label,
            &self.by,
            &at,
            &self.comment,
            &version,
            &self.prediction,
            &predicted_at,
            &free,
        ];
        push_record(lines, &fields.map(one_line), b',');
    }
}

/// Every correction, in order; an incomplete last line is skipped.
///
/// # Errors
/// If the file is damaged, with the line.
pub fn entries(workspace: &Workspace) -> Result<Vec<Entry>, FeedbackError> {
    Ok(entries_from(workspace, 0)?.0)
}

/// The corrections after the first `seen` bytes of the file, which must end with a line, and the offset of the end of
/// the last complete line. Fails if the file has become shorter.
///
/// # Errors
/// If the file is damaged.
pub fn entries_from(workspace: &Workspace, seen: u64) -> Result<(Vec<Entry>, u64), FeedbackError> {
    let path = path(workspace);
    let Some(file) = atomic::open(&path).if_there().at(&path)? else { return Ok((Vec::new(), seen)) };
    let whole = || atomic::whole_lines_len(&file, file.metadata()?.len());
    let len = whole().at(&path)?;
    let damaged = |err: csv::Error| FeedbackError::File { path: path.clone(), what: err.to_string() };
    let Some(n_new) = len.checked_sub(seen).filter(|n| *n > 0) else { return Ok((Vec::new(), seen)) };
    (&file).seek(io::SeekFrom::Start(seen)).at(&path)?;
    let header = if seen == 0 { &[][..] } else { HEADER };
    Ok((read(header.chain((&file).take(n_new)), n_new).map_err(damaged)?, len))
}

fn read(lines: impl Read, n_bytes: u64) -> Result<Vec<Entry>, csv::Error> {
    // Lines are rarely shorter than this. Reserving avoids growing the list, which needs both copies in memory.
    let mut entries = Vec::with_capacity(usize::try_from(n_bytes / 80).unwrap_or(0));
    for entry in csv::Reader::from_reader(lines).deserialize::<Entry>() {
        let mut entry = entry?;
        for text in [&mut entry.id, &mut entry.label, &mut entry.by, &mut entry.comment, &mut entry.prediction] {
            *text = from_one_line(text).into_owned();
        }
        entries.push(entry);
    }
    Ok(entries)
}

/// Appends lines: all of them or none, synced.
pub(super) fn append(workspace: &Workspace, entries: &[&Entry]) -> Result<(), FeedbackError> {
    if entries.is_empty() {
        return Ok(());
    }
    let mut lines = Vec::new();
    entries.iter().for_each(|entry| entry.push(&mut lines));
    let path = path(workspace);
    let write = || {
        atomic::make_dirs(workspace.path("data"))?;
        upgrade(&path)?;
        Appender::open(&path)?.append(HEADER, &lines, true)
    };
    match write().at(&path)? {
        true => Ok(()),
        false => Err(FeedbackError::File { path: path.clone(), what: "line 1: is not the expected header".to_owned() }),
    }
}

/// Converts a file without free fields: a new header, and an empty cell at the end of each line.
fn upgrade(path: &Path) -> io::Result<()> {
    let Some(file) = atomic::open(path).if_there()? else { return Ok(()) };
    let mut text = Vec::new();
    let len = atomic::whole_lines_len(&file, file.metadata()?.len())?;
    file.take(len).read_to_end(&mut text)?;
    let Some(lines) = text.strip_prefix(OLD_HEADER) else { return Ok(()) };
    atomic::replace(path, |out| {
        out.write_all(HEADER)?;
        // Line breaks inside cells are escaped, so each record is one line.
        for line in lines.split_inclusive(|&byte| byte == b'\n') {
            out.write_all(line.strip_suffix(b"\n").unwrap_or(line))?;
            out.write_all(b",\n")?;
        }
        Ok(())
    })
}

/// The announcement: the number of existing lines, and the SHA-256 of each line to be added.
#[derive(Debug, Serialize, Deserialize)]
struct Announced {
    after: usize,
    lines: Vec<String>,
}

/// Announces the lines that will be added after the first `after` ones. Without lines, nothing is written.
pub(super) fn announce<'a>(
    workspace: &Workspace,
    after: usize,
    entries: impl Iterator<Item = &'a Entry>,
) -> Result<(), FeedbackError> {
    let lines: Vec<String> = entries.map(Entry::digest).collect();
    if lines.is_empty() {
        return Ok(());
    }
    let path = announcement(workspace);
    let write = || {
        atomic::make_dirs(workspace.path("runs"))?;
        atomic::replace(&path, |out| Ok::<(), io::Error>(serde_json::to_writer(out, &Announced { after, lines })?))
    };
    Ok(write().at(&path)?)
}

/// Checks that the lines after the first `after` ones are the announced lines, or the first of them.
///
/// # Errors
/// [`FeedbackError::File`] with the line if they are not.
pub(super) fn announced(workspace: &Workspace, after: usize, entries: &[Entry]) -> Result<(), FeedbackError> {
    if entries.is_empty() {
        return Ok(());
    }
    let path = announcement(workspace);
    let lines = match atomic::read(&path).if_there().at(&path)? {
        None => Vec::new(),
        Some(bytes) => {
            let said: Announced = serde_json::from_slice(&bytes).map_err(|err| FeedbackError::File {
                path: path.clone(),
                what: format!("does not list which corrections were about to be added: {err}"),
            })?;
            if said.after == after { said.lines } else { Vec::new() }
        }
    };
    let n_known = entries.iter().zip(&lines).take_while(|(entry, line)| entry.digest() == **line).count();
    if n_known == entries.len() {
        return Ok(());
    }
    let n = entries.len() - n_known;
    let what = format!(
        "the last {n} lines (from the correction of {:?} on) were not written by `mlloop feedback`: remove them, or \
         accept them with `mlloop audit accept data/feedback.csv --by YOU`",
        entries[n_known].id
    );
    Err(FeedbackError::File { path: self::path(workspace), what })
}

/// The problem with `runs/feedback.json`, which lists the last added lines: it is unreadable, or does not match
/// `known`, the existing corrections.
pub(super) fn announcement_fault(
    workspace: &Workspace,
    known: &[Entry],
) -> Result<Option<&'static str>, FeedbackError> {
    let path = announcement(workspace);
    let Some(bytes) = atomic::read(&path).if_there().at(&path)? else { return Ok(None) };
    let Ok(Announced { after, lines }) = serde_json::from_slice::<Announced>(&bytes) else {
        return Ok(Some("cannot be parsed"));
    };
    let stand =
        known.get(after..).map(|entries| entries.iter().zip(&lines).all(|(entry, line)| entry.digest() == *line));
    Ok((stand != Some(true)).then_some("does not record what was added last"))
}

fn announcement(workspace: &Workspace) -> PathBuf {
    workspace.path(ANNOUNCEMENT)
}

fn path(workspace: &Workspace) -> PathBuf {
    workspace.path("data/feedback.csv")
}
