//! A job: its progress and its result.

use super::{Asked, rendered};
use crate::dashboard::job::Job;
use crate::dashboard::shell::{Shell, when};
use crate::dashboard::web::{Answer, Oops};
use askama::Template;

#[derive(Template)]
#[template(path = "ui_job.html")]
struct Page {
    shell: Shell,
    busy: bool,
    job: Shown,
    answer: String,
    log: String,
    others: Vec<Shown>,
}

/// The page before the first job.
#[derive(Template)]
#[template(path = "ui_no_job.html")]
struct Nothing {
    shell: Shell,
}

struct Shown {
    id: u64,
    title: String,
    command: String,
    by: String,
    started: String,
    ended: String,
    state: &'static str,
    running: bool,
    waits: bool,
}

impl Shown {
    fn of(job: &Job) -> Self {
        Self {
            id: job.id,
            title: job.title.clone(),
            command: job.command(),
            by: job.by.clone(),
            started: when(job.started),
            ended: job.ended.as_ref().map_or_else(String::new, |ended| when(ended.at)),
            state: job.state(),
            running: job.ended.is_none(),
            waits: job.waits,
        }
    }
}

pub(super) fn page(asked: &Asked) -> Result<Answer, Oops> {
    let jobs = &asked.dashboard.jobs;
    let job = match asked.fields.number("id") {
        Some(id) => jobs.get(id),
        None => jobs.latest(1).pop(),
    };
    let Some(job) = job else {
        return match asked.fields.has("id") {
            true => Err(Oops::NotFound("this job does not exist".to_owned())),
            false => rendered(&Nothing { shell: asked.shell("/ui/job", "Jobs")? }),
        };
    };
    let mut log = jobs.log(job.id);
    if let Some(ended) = &job.ended {
        log.push_str(&ended.note);
    }
    rendered(&Page {
        shell: asked.shell("/ui/job", &job.title)?,
        busy: asked.fields.has("busy"),
        answer: jobs.answer(job.id),
        log,
        others: jobs.latest(12).iter().filter(|other| other.id != job.id).map(Shown::of).collect(),
        job: Shown::of(&job),
    })
}
