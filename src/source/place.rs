//! Turns fetched bytes into the files of `data/`.

use super::archive::{self, Unpacked};
use super::fetched::Fetched;
use super::record;
use super::split;
use super::{DownloadRequest, Downloaded, FileRecord, Record, Source, SourceError};
use crate::atomic::Incoming;
use crate::atomic::{self, At, AtPath};
use crate::digest;
use crate::workspace::audit::Event;
use crate::workspace::event::{self, Details};
use crate::workspace::{EventKind, Workspace, WorkspaceError};
use serde_json::json;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// Unpacks, splits, and moves all files to `data/` at once; the change is recorded.
pub(super) fn place(
    workspace: &Workspace,
    request: &DownloadRequest,
    fetched: &Fetched,
) -> Result<Downloaded, SourceError> {
    workspace.create()?;
    let lock = workspace.lock()?;
    let recorded = recorded(workspace, fetched)?;
    let data = workspace.path("data");
    let mut incoming = Incoming::begin(&data).at(&data)?;
    if let Source::File(path) = request.source {
        incoming = incoming.like(path).at(path)?;
    }
    let Unpacked { mut names, mut notes } = archive::unpack(fetched, request, &incoming)?;
    let split = match request.split {
        Some(split) => {
            let made = split::split(&names, split, request, &incoming)?;
            names.extend([PathBuf::from(split::REFERENCE), PathBuf::from(split::CURRENT)]);
            notes.extend(made.note());
            Some(made)
        }
        None => None,
    };
    let (files, changed) = take_in(&names, request, &incoming, &data)?;
    let record = Record {
        format: 1,
        source: source_name(request),
        downloaded_at: request.now,
        bytes: fetched.bytes,
        sha256: fetched.sha256.clone(),
        etag: fetched.etag.clone(),
        last_modified: fetched.last_modified.clone(),
        files,
        split,
    };
    if !changed && recorded && record::read(workspace)?.is_some_and(|was| was.files == record.files) {
        notes.push("identical to the last download".to_owned());
        return Ok(Downloaded { record, new: false, notes });
    }
    incoming.write(Path::new("SOURCE.json"), |out| out.write_all(&atomic::pretty(&record)?))?;
    incoming.commit().at(&data)?;
    let said = event::Downloaded {
        source: record.source.clone(),
        bytes: record.bytes,
        sha256: record.sha256.clone(),
        files: json!(record.files),
        split: json!(record.split),
    };
    let details = said.value();
    workspace.record(&lock, Event { at: request.now, event: EventKind::Downloaded, by: None, roles: None, details })?;
    Ok(Downloaded { record, new: true, notes })
}

fn source_name(request: &DownloadRequest) -> String {
    match request.source {
        // A relative path would mean something else to the next reader.
        Source::File(path) => path.canonicalize().unwrap_or_else(|_| path.clone()).display().to_string(),
        other => other.public(),
    }
}

/// Whether the audit chain already records these bytes; a broken chain is detected before anything changes.
fn recorded(workspace: &Workspace, fetched: &Fetched) -> Result<bool, SourceError> {
    let chain = workspace.audit_chain()?;
    if let Some(broken) = chain.broken {
        let what = format!("line {} {}; see `mlloop audit verify`", broken.line, broken.what);
        return Err(WorkspaceError::Audit { path: workspace.path("audit.jsonl"), what }.into());
    }
    let last = chain.last_of(|_, _: &event::Downloaded| true)?;
    Ok(last.is_some_and(|(_, said)| said.sha256 == fetched.sha256))
}

/// Compares each file with the existing one: equal ones are kept, different ones need `--force`.
fn take_in(
    names: &[PathBuf],
    request: &DownloadRequest,
    incoming: &Incoming,
    data: &Path,
) -> Result<(Vec<FileRecord>, bool), SourceError> {
    let (mut files, mut changed) = (Vec::new(), false);
    for name in names {
        let (staged, target) = (incoming.path(name), data.join(name));
        let (bytes, sha256) = File::open(&staged).and_then(digest::of).at(&staged)?;
        let there = match File::open(&target) {
            Ok(file) if file.metadata().is_ok_and(|meta| meta.len() == bytes) => {
                Some(digest::of(file).is_ok_and(|(_, there)| there == sha256))
            }
            Ok(_) => Some(false),
            Err(err) if err.kind() == io::ErrorKind::NotFound => None,
            Err(err) => return Err(AtPath::new(target, err).into()),
        };
        match there {
            Some(true) => incoming.drop_file(name).at(&staged)?,
            Some(false) if target.is_dir() || !request.force => return Err(SourceError::Exists(target)),
            _ => changed = true,
        }
        files.push(FileRecord { file: Path::new("data").join(name).display().to_string(), bytes, sha256 });
    }
    Ok((files, changed))
}
