//! A project of a Label Studio server: sends a batch's tasks and fetches the answers.
//!
//! A task is identified by batch and row, so an interrupted transfer can be repeated.

use super::LabelError;
use super::batch::{Batch, Inbox};
use super::export::{Exported, told};
use super::studio::CONTROL;
use crate::atomic::{self, At, Lock};
use crate::digest::sha256;
use crate::features::Task;
use crate::notify::Secret;
use crate::remote::{Access, CallError, Method, Remote, encoded, take_apart};
use crate::workspace::Workspace;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Duration;

/// Tasks per request: an interrupted request loses at most this many.
const TASKS_AT_ONCE: usize = 100;

/// Maximum size of an export that is read.
const MAX_ANSWER: u64 = 256 << 20;

/// Maximum number of pages of a list of projects that are read.
const MAX_PAGES: u32 = 100;

/// The file for fetched answers, until they are imported.
pub(crate) const PULLED: &str = "from_label_studio.json";

/// A server that accepts our token.
pub struct Studio {
    remote: Remote,
}

/// The result of sending tasks to a server.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Pushed {
    /// The project's number.
    pub project: u64,
    /// The project's page.
    pub address: String,
    /// Tasks that were sent.
    pub n_sent: u64,
    /// Tasks of the batch that already existed.
    pub n_there: u64,
}

impl Studio {
    /// The server at `url`. A personal access token (three parts with dots) is exchanged for a temporary one; any other
    /// is a legacy token.
    ///
    /// # Errors
    /// [`LabelError::Usage`] for an invalid URL, [`LabelError::Studio`] if the token is refused or the server does not
    /// answer.
    pub fn connect(url: &str, token: &Secret, timeout: Duration) -> Result<Self, LabelError> {
        let usage = |what: &str| LabelError::Usage(format!("--url: the address of Label Studio {what}"));
        let (login, base) = take_apart(url).map_err(usage)?;
        if login.is_some() {
            return Err(usage("contains a login: put the token into LABEL_STUDIO_API_KEY instead"));
        }
        let remote = |authorization: Option<String>| {
            let hidden = vec![token.clone()];
            let (name, limit, authorities) = ("Label Studio", MAX_ANSWER, None);
            Remote::new(base.clone(), Access { name, authorization, hidden, timeout, limit, authorities })
        };
        let token = token.text().trim();
        if token.split('.').count() != 3 {
            return Ok(Self { remote: remote(Some(format!("Token {token}"))) });
        }
        let asking = Self { remote: remote(None) };
        let answer = asking.send("/api/token/refresh", &json!({ "refresh": token }))?;
        let access = answer["access"].as_str().ok_or_else(|| asking.wrong("the response has no access token"))?;
        Ok(Self { remote: remote(Some(format!("Bearer {access}"))) })
    }

    /// The number of the project with this title; a title of digits is a number.
    ///
    /// # Errors
    /// [`LabelError::Studio`] if the server refuses, or several projects have the title.
    pub fn find(&self, title: &str) -> Result<Option<u64>, LabelError> {
        if let Ok(number) = title.parse::<u64>() {
            let project = self.get(&format!("/api/projects/{number}/"))?;
            return project["id"].as_u64().map(Some).ok_or_else(|| self.wrong("the response has no project"));
        }
        let mut found = Vec::new();
        for page in 1..=MAX_PAGES {
            let query = [("page", page.to_string()), ("page_size", "100".to_owned())];
            let listed =
                self.get(&format!("/api/projects/{}", encoded(&query.each_ref().map(|(k, v)| (*k, v.as_str())))))?;
            let all = listed["results"].as_array().ok_or_else(|| self.wrong("the response has no list of projects"))?;
            found.extend(all.iter().filter(|one| one["title"] == title).filter_map(|one| one["id"].as_u64()));
            if listed["next"].is_null() {
                break;
            }
        }
        match found.as_slice() {
            [] => Ok(None),
            [one] => Ok(Some(*one)),
            several => {
                let numbers: Vec<String> = several.iter().map(u64::to_string).collect();
                Err(self.wrong(&format!(
                    "several projects are called {title:?}: name one by --project {}",
                    numbers.join(" or ")
                )))
            }
        }
    }

    /// Sends the tasks of the open batch that the project lacks; creates the project if there is none.
    ///
    /// # Errors
    /// [`LabelError::Studio`] if the server refuses, the connection breaks or the project is of another kind. Tasks
    /// already sent remain; the same call sends the rest.
    pub fn push(&self, workspace: &Workspace, title: &str, show: bool) -> Result<Option<Pushed>, LabelError> {
        let inbox = Inbox::of(workspace);
        let Some(batch) = out_there(&inbox)? else { return Ok(None) };
        let tasks = sent_files(&inbox, &batch)?;
        let project = match self.find(title)? {
            Some(project) => project,
            None => self.make(&batch, title, &tasks.config, show)?,
        };
        self.fits(project, &batch)?;
        let there = self.tasks(project, true)?;
        let known: HashSet<(&str, &str)> = there.iter().filter_map(key).collect();
        let missing: Vec<&Value> =
            tasks.tasks.iter().filter(|task| key(task).is_none_or(|key| !known.contains(&key))).collect();
        for part in missing.chunks(TASKS_AT_ONCE) {
            let answer = self.send(&format!("/api/projects/{project}/import?return_task_ids=true"), &json!(part))?;
            if answer["task_count"].as_u64() != Some(part.len() as u64) {
                let took = &answer["task_count"];
                return Err(
                    self.wrong(&format!("it accepted {took} of {} tasks: see the log of Label Studio", part.len()))
                );
            }
        }
        let n_sent = missing.len() as u64;
        let address = format!("{}/projects/{project}", self.remote.address());
        Ok(Some(Pushed {
            project,
            address,
            n_sent,
            n_there: batch.rows.len() as u64 - n_sent.min(batch.rows.len() as u64),
        }))
    }

    /// Fetches the answers into the inbox, and returns the file for [`super::import()`].
    ///
    /// # Errors
    /// [`LabelError::Studio`] if there is no such project, or the response is cut off; nothing changed then.
    pub fn pull(&self, workspace: &Workspace, _lock: &Lock, title: &str) -> Result<PathBuf, LabelError> {
        let project = self.find(title)?.ok_or_else(|| {
            self.wrong(&format!("there is no project {title:?}: name it with --project, or send it one with label-export --to label-studio"))
        })?;
        let tasks = self.tasks(project, false)?;
        let path = Inbox::of(workspace).path(PULLED);
        let write = || {
            path.parent().map_or(Ok(()), atomic::make_dirs)?;
            atomic::replace(&path, |out| out.write_all(Value::Array(tasks).to_string().as_bytes()))
        };
        write().at(&path)?;
        Ok(path)
    }

    fn make(&self, batch: &Batch, title: &str, config: &str, show: bool) -> Result<u64, LabelError> {
        // A row for two people is done when both have answered it.
        let answers = batch.rows.iter().map(|row| row.annotators.len()).max().unwrap_or(0).max(1);
        let made = self.send(
            "/api/projects/",
            &json!({
                "title": title, "label_config": config, "maximum_annotations": answers,
                "sampling": "Sequential sampling", "show_collab_predictions": show,
            }),
        )?;
        made["id"].as_u64().ok_or_else(|| self.wrong("the response has no project number"))
    }

    /// Whether the project's answers can be imported for the batch: people may have changed its interface.
    fn fits(&self, project: u64, batch: &Batch) -> Result<(), LabelError> {
        let found = self.get(&format!("/api/projects/{project}/"))?;
        let control = &found["parsed_label_config"][CONTROL];
        let is_number = control["type"] == "Number";
        let classes: Vec<&str> = control["labels"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let fits = match batch.target.task {
            Task::Regression => is_number,
            _ => !is_number && batch.target.classes.iter().all(|class| classes.contains(&class.as_str())),
        };
        if control.is_null() || fits {
            return Ok(());
        }
        Err(self.wrong(&format!(
            "project {project} asks a different question ({CONTROL} has {}): name another project with --project",
            if is_number { "a number".to_owned() } else { classes.join(", ") }
        )))
    }

    /// The project's tasks with their annotations: only answered ones, or all.
    fn tasks(&self, project: u64, all: bool) -> Result<Vec<Value>, LabelError> {
        let all = if all { "&download_all_tasks=true" } else { "" };
        match self.get(&format!("/api/projects/{project}/export?exportType=JSON{all}"))? {
            Value::Array(tasks) => Ok(tasks),
            _ => Err(self.wrong("its export is not a list of tasks")),
        }
    }

    fn get(&self, path: &str) -> Result<Value, LabelError> {
        self.remote.ask(Method::Get, path, None).map_err(|err| self.trouble(&err))
    }

    fn send(&self, path: &str, body: &Value) -> Result<Value, LabelError> {
        let body = body.to_string().into_bytes();
        self.remote.ask(Method::Post, path, Some((&body, "application/json"))).map_err(|err| self.trouble(&err))
    }

    fn trouble(&self, err: &CallError) -> LabelError {
        match err {
            CallError::Refused { status: 401, said, .. } => {
                let said = if said.is_empty() { String::new() } else { format!(": {said}") };
                self.wrong(&format!("it rejects the token in LABEL_STUDIO_API_KEY (401){said}"))
            }
            CallError::Refused { status: 404, .. } => self.wrong(
                "this project does not exist, or the server is not \
                                                                  Label Studio (404)",
            ),
            err => self.wrong(&err.told()),
        }
    }

    fn wrong(&self, what: &str) -> LabelError {
        LabelError::Studio { address: self.remote.address().to_owned(), what: self.remote.scrub(what) }
    }
}

/// The export for Label Studio that is not imported yet, as it was reported.
///
/// # Errors
/// If a record cannot be read.
pub fn out_in_studio(workspace: &Workspace) -> Result<Option<Exported>, LabelError> {
    let inbox = Inbox::of(workspace);
    Ok(out_there(&inbox)?.map(|batch| told(&inbox, &batch, 0, Vec::new())))
}

const TASKS: &str = "to_label.json";
const CONFIG: &str = "label_config.xml";

fn out_there(inbox: &Inbox) -> Result<Option<Batch>, LabelError> {
    let last = inbox.open()?.pop();
    Ok(last.filter(|batch| batch.files.iter().any(|(name, _)| name == TASKS)))
}

/// The files of a batch.
struct Files {
    tasks: Vec<Value>,
    config: String,
}

/// The files of the batch, which must be unchanged since the export.
fn sent_files(inbox: &Inbox, batch: &Batch) -> Result<Files, LabelError> {
    let read = |name: &str| {
        let path = inbox.path(name);
        let bytes = std::fs::read(&path).at(&path)?;
        let digest = batch.files.iter().find(|(file, _)| file == name).map(|(_, digest)| digest);
        if digest != Some(&sha256(&bytes)) {
            return Err(LabelError::file(
                &path,
                "was changed after the batch was created: create another batch with \
                                                --force",
            ));
        }
        Ok((path, bytes))
    };
    let ((path, tasks), (_, config)) = (read(TASKS)?, read(CONFIG)?);
    let tasks = serde_json::from_slice(&tasks).map_err(|err| LabelError::file(&path, err.to_string()))?;
    Ok(Files { tasks, config: String::from_utf8_lossy(&config).into_owned() })
}

/// The identity of a task: its batch and its row.
fn key(task: &Value) -> Option<(&str, &str)> {
    Some((task["data"]["batch"].as_str()?, task["data"]["row_id"].as_str()?))
}
