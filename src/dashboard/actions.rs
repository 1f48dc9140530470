//! What forms do: each runs a command as a job, or answers a row of a batch.

use super::auth::{Right, Session};
use super::job::Job;
use super::jobs::{NoJob, WhenBusy};
use super::pages::label::Trail;
use super::web::{Answer, Fields, Oops};
use super::{Dashboard, pages};
use crate::demo;
use crate::gate;
use crate::labels::ADJUDICATOR;
use crate::labels::fill::UNCERTAIN;
use crate::labels::settle::{self, Decision};
use crate::report::number::{counted, short as short_text};
use crate::wording::person_key;
use std::sync::PoisonError;
use std::time::Duration;

/// How long a form waits for a short command before it shows the page of the job.
const PATIENCE: Duration = Duration::from_secs(20);

/// A command requested by a page.
pub(super) struct Verb {
    /// As text: "Approve v0002-3f9a12c4".
    pub(super) title: String,
    pub(super) arguments: Vec<String>,
    /// Whether it may take long, so that its own page shows its progress.
    pub(super) long: bool,
    /// The page shown afterwards.
    pub(super) back: String,
}

/// The right that the form at `path` needs; `None` if there is no such form.
pub(super) fn right(path: &str) -> Option<Right> {
    Some(match path.strip_prefix("/ui/do/")? {
        "answer" | "settle" | "import" | "export" | "feedback" | "monitor" | "ab-look" => Right::Label,
        "close" | "run" | "retrain" | "judge" | "approve" | "reject" | "rollback" | "ab-step" | "ab-stop"
        | "ab-promote" | "reset-demo" => Right::Approve,
        _ => return None,
    })
}

/// The page with the form that is sent to `path`; `None` if the form has no text fields.
pub(super) fn home(path: &str, fields: &Fields) -> Option<&'static str> {
    Some(match path.strip_prefix("/ui/do/")? {
        "feedback" if !fields.get("id").is_empty() => "/ui/row",
        "answer" | "export" | "import" => "/ui/label",
        "settle" => "/ui/settle",
        "reject" | "rollback" => "/ui/confirm",
        _ => return None,
    })
}

/// Executes the form at `path` for the signed-in user.
pub(super) fn act(dashboard: &Dashboard, session: &Session, path: &str, fields: &Fields) -> Result<Answer, Oops> {
    let action = path.strip_prefix("/ui/do/").unwrap_or_default();
    if action == "answer" {
        return answer(dashboard, session, fields);
    }
    let verb = verb(dashboard, session, action, fields)?;
    let busy = |no: NoJob| match no {
        NoJob::Busy(id) => Answer::Go(format!("/ui/job?id={id}&busy")),
        NoJob::Io(what) => pages::problem(&Oops::Fault(what)),
    };
    // Answers are queued while a long job runs: their meaning does not depend on when they are imported.
    let when = if ["feedback", "import", "settle"].contains(&action) { WhenBusy::Wait } else { WhenBusy::Refuse };
    let started = dashboard.jobs.start(&verb.title, verb.arguments, &session.name, when);
    let done = match started {
        Ok(id) if verb.long => return Ok(Answer::Go(format!("/ui/job?id={id}"))),
        started => started.and_then(|id| dashboard.jobs.wait(id, PATIENCE)),
    };
    let refused = |job: &Job| job.ended.as_ref().is_some_and(|ended| ended.status == Some(2));
    if let Ok(job) = &done
        && action == "feedback"
        && refused(job)
    {
        // Show the form again with its values and the error.
        return Err(Oops::Bad(dashboard.jobs.log(job.id).trim().to_owned()));
    }
    Ok(done.map_or_else(busy, |job| match job.runs() {
        false => Answer::Go(format!("{}{}job={}", verb.back, if verb.back.contains('?') { '&' } else { '?' }, job.id)),
        true => Answer::Go(format!("/ui/job?id={}", job.id)),
    }))
}

/// The command of an action; typed text is never interpreted as an option.
pub(super) fn verb(dashboard: &Dashboard, session: &Session, action: &str, fields: &Fields) -> Result<Verb, Oops> {
    let by = format!("--by={}", session.name);
    Ok(match action {
        "monitor" => long("Compare the current data with the reference", &["monitor"], "/ui/drift"),
        "run" => long("Run the loop once", &["run", &by], "/ui/decide"),
        "retrain" => long("Retrain, then run the gate", &["run", "--force", "--yes=retraining", &by], "/ui/decide"),
        "judge" => long("Run the gate on the challenger", &["promote", &by], "/ui/decide"),
        "approve" | "reject" | "rollback" => decision(dashboard, &by, action, fields)?,
        "import" => import(dashboard, session, &by, fields)?,
        "close" => {
            let batch = wanted(fields, "batch", "the batch")?;
            short(&format!("Close batch {batch}"), &["label-import", &by, &format!("--close={batch}")], "/ui/label")
        }
        "settle" => settled(dashboard, session, &by, fields)?,
        "reset-demo" => reset(dashboard)?,
        "export" => {
            let n = fields.number("n").filter(|n| (1..=100_000).contains(n));
            let n = n.ok_or_else(|| Oops::Bad("the number of rows must be from 1 to 100000".to_owned()))?;
            let mut arguments = vec!["label-export".to_owned(), format!("-n={n}"), by];
            arguments.extend(dealt(fields)?);
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            long("Choose rows to label", &arguments, "/ui/label")
        }
        "feedback" => feedback(&by, fields)?,
        "ab-look" => long("Analyse the experiment", &["ab-report"], "/ui/experiment"),
        "ab-step" => short("Take the next step of the rollout", &["ab-step", &by], "/ui/experiment"),
        "ab-stop" => short("End the experiment", &["ab-stop", &by], "/ui/experiment"),
        "ab-promote" => {
            let arguments = ["ab-stop", "--promote-winner", &by];
            long("End the experiment and promote the winner", &arguments, "/ui/experiment")
        }
        _ => return Err(Oops::NotFound("this form does not exist".to_owned())),
    })
}

fn decision(dashboard: &Dashboard, by: &str, action: &str, fields: &Fields) -> Result<Verb, Oops> {
    let reason = || Ok::<_, Oops>(format!("--reason={}", wanted(fields, "reason", "the reason")?));
    Ok(match action {
        "approve" => {
            let id = wanted(fields, "id", "the request")?;
            let trains =
                gate::find(&dashboard.workspace, &id).is_ok_and(|ticket| ticket.asks == gate::Asks::Retraining);
            match trains {
                true => long(&format!("Approve {id}"), &["approve", "--judge", by, "--", &id], "/ui/decide"),
                false => short(&format!("Approve {id}"), &["approve", by, "--", &id], "/ui/decide"),
            }
        }
        "reject" => {
            let id = wanted(fields, "id", "the request")?;
            short(&format!("Reject {id}"), &["reject", by, &reason()?, "--", &id], "/ui/decide")
        }
        _ => match fields.get("version").trim() {
            "" => short("Roll back", &["rollback", by, &reason()?], "/ui/decide"),
            to => short(&format!("Roll back to {to}"), &["rollback", by, &reason()?, "--", to], "/ui/decide"),
        },
    })
}

/// Imports answers given on the page by the signed-in user, or by the person named in the form.
fn import(dashboard: &Dashboard, session: &Session, by: &str, fields: &Fields) -> Result<Verb, Oops> {
    let person = Some(fields.get("of")).filter(|of| !of.is_empty()).unwrap_or(&session.name);
    if person_key(person) == ADJUDICATOR {
        return Err(Oops::Bad(format!("the {ADJUDICATOR} decides on the page Settle")));
    }
    let nothing = || Oops::NotFound(format!("all answers of {person} are already imported"));
    let sheet = pages::label::answered(dashboard, person)?.ok_or_else(nothing)?;
    let file = sheet.path.canonicalize().map_err(|_| nothing())?;
    let who = format!("--annotator={person}");
    let arguments = ["label-import", "--partial", by, &who, "--", &file.display().to_string()];
    let whose = if person == session.name { String::new() } else { format!(" of {person}") };
    let n = counted(sheet.n_answered() as u64, "answer", "answers");
    Ok(short(&format!("Import {n}{whose}"), &arguments, "/ui/label"))
}

/// Decisions on answers that conflict or look wrong.
fn settled(dashboard: &Dashboard, session: &Session, by: &str, fields: &Fields) -> Result<Verb, Oops> {
    let workspace = &dashboard.workspace;
    let decisions = pages::settle::decisions(fields);
    let open = settle::open(workspace, usize::MAX)?;
    let target = open.target.ok_or_else(|| Oops::NotFound("nothing is left to settle".to_owned()))?;
    if decisions.is_empty() {
        return Err(Oops::Bad("nothing was chosen".to_owned()));
    }
    // Decide only open rows: the adjudicator's label overrules all others.
    let in_question = |(id, batch, _): &&Decision| open.rows.iter().any(|row| row.id == *id && row.batch == *batch);
    if let Some((id, ..)) = decisions.iter().find(|decision| !in_question(decision)) {
        return Err(Oops::NotFound(format!("{} is already settled", short_text(id, 60))));
    }
    let file = settle::write(workspace, &target.name, &session.name, &decisions)?;
    let file = file.canonicalize().map_err(|err| Oops::Fault(err.to_string()))?;
    let arguments = ["label-import", "--partial", by, "--accept-batch", "--", &file.display().to_string()];
    let n = counted(decisions.len() as u64, "row", "rows");
    Ok(short(&format!("Settle {n}"), &arguments, "/ui/label"))
}

/// Resets the demo, up to the drift.
fn reset(dashboard: &Dashboard) -> Result<Verb, Oops> {
    let dir = dashboard.workspace.dir().canonicalize().map_err(|err| Oops::Fault(err.to_string()))?;
    if !demo::is_one(&dir) {
        return Err(Oops::Forbidden("this loop is not a demo".to_owned()));
    }
    Ok(long("Reset the demo", &["demo", "--reset", "--drifted", "--", &dir.display().to_string()], "/ui"))
}

/// Arguments for the annotators and the share of rows given to two of them; empty if the form names no people.
fn dealt(fields: &Fields) -> Result<Vec<String>, Oops> {
    let people = fields.get("annotators").trim();
    if people.is_empty() {
        return Ok(Vec::new());
    }
    let overlap = match fields.get("overlap").trim() {
        "" => 0.0,
        text => match text.parse::<f64>() {
            Ok(percent) if (0.0..=100.0).contains(&percent) => percent / 100.0,
            _ => {
                return Err(Oops::Bad("the percentage of rows for two people must be from 0 to 100".to_owned()));
            }
        },
    };
    Ok(vec![format!("--annotators={people}"), format!("--overlap={overlap}")])
}

fn feedback(by: &str, fields: &Fields) -> Result<Verb, Oops> {
    let (id, verdict) =
        (wanted(fields, "id", "the row")?, wanted(fields, "verdict", "the verdict (correct, incorrect or uncertain)")?);
    let mut arguments = vec!["feedback".to_owned(), by.to_owned()];
    for name in ["actual", "comment"] {
        match fields.get(name).trim() {
            "" => {}
            text => arguments.push(format!("--{name}={text}")),
        }
    }
    arguments.extend(["--".to_owned(), id.clone(), verdict]);
    let back = pages::feedback::back(fields.get("back"));
    Ok(Verb { title: format!("Feedback on {id}"), arguments, long: false, back })
}

fn long(title: &str, arguments: &[&str], back: &str) -> Verb {
    let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
    Verb { title: title.to_owned(), arguments, long: true, back: back.to_owned() }
}

fn short(title: &str, arguments: &[&str], back: &str) -> Verb {
    Verb { long: false, ..long(title, arguments, back) }
}

/// A required field.
fn wanted(fields: &Fields, name: &str, what: &str) -> Result<String, Oops> {
    match fields.get(name).trim() {
        "" => Err(Oops::Bad(format!("{what} is missing"))),
        text => Ok(text.to_owned()),
    }
}

/// Saves an answer to a row of the open batch.
fn answer(dashboard: &Dashboard, session: &Session, fields: &Fields) -> Result<Answer, Oops> {
    let _one = dashboard.filling.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(mut sheet) = pages::label::sheet(dashboard, &session.name)? else {
        return Err(Oops::NotFound("no batch is open: it was already imported".to_owned()));
    };
    let (id, note) = (fields.get("id"), fields.get("note").trim());
    let at = usize::try_from(fields.number("at").unwrap_or(0)).unwrap_or(0);
    let trail = Trail::of(fields);
    let line = sheet.done().position(|(row, _)| row == id).and_then(|at| sheet.line(at));
    let line = line.ok_or_else(|| Oops::NotFound(format!("{id} is not one of your rows")))?;
    let (answer, note) = match fields.get("what") {
        "uncertain" => (String::new(), uncertain(note)),
        "clear" => (String::new(), String::new()),
        "note" => (line.answer, note.to_owned()),
        "skip" => return Ok(Answer::Go(trail.with(at).to(Some(at + 1)))),
        _ => (fields.get("answer").trim().to_owned(), note.to_owned()),
    };
    if fields.get("what").is_empty() && answer.is_empty() {
        return Err(Oops::Bad("an answer is a class or a number; use Skip to go on without an answer".to_owned()));
    }
    if let Some(what) = sheet.fault(&dashboard.workspace, &answer)?.filter(|_| !answer.is_empty()) {
        return Err(Oops::Bad(format!("{} {what}", short_text(&answer, 60))));
    }
    sheet.answer(id, &answer, &note)?;
    Ok(Answer::Go(match fields.get("what") {
        "clear" | "note" => trail.to(Some(at)),
        _ => trail.with(at).to(sheet.next(at + 1)),
    }))
}

/// The note of an uncertain answer.
fn uncertain(note: &str) -> String {
    match note {
        "" => UNCERTAIN.to_owned(),
        note if note.starts_with(UNCERTAIN) => note.to_owned(),
        note => format!("{UNCERTAIN}: {note}"),
    }
}
