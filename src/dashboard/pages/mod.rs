//! The pages: each has a view model, read from the loop's files, and a template.

pub(super) mod audit;
mod changes;
mod confirm;
pub(super) mod decide;
pub(super) mod drift;
pub(super) mod experiment;
mod fares;
pub(super) mod feedback;
pub(super) mod job;
mod judged;
pub(super) mod label;
mod looks;
pub(super) mod models;
pub(super) mod overview;
mod parts;
mod reasons;
mod row;
mod said;
pub(super) mod settle;
pub(super) mod versions;
mod waiting;

use super::Dashboard;
use super::actions;
use super::kept::Waits;
use super::shell::{Shell, SignIn, Viewer};
use super::web::{Answer, Fields, Oops, own_page, sign_in_page};
use askama::Template;
use axum::http::StatusCode;

/// Renders the page at `path`.
pub(super) fn page(dashboard: &Dashboard, viewer: &Viewer, path: &str, fields: &Fields) -> Result<Answer, Oops> {
    let asked = Asked { dashboard, viewer, fields, is_ahead: false };
    match path.trim_end_matches('/') {
        "/ui" => overview::page(&asked),
        "/ui/drift" => drift::page(&asked),
        "/ui/decide" => decide::page(&asked),
        "/ui/confirm" => confirm::page(&asked),
        "/ui/label" => label::page(&asked),
        "/ui/settle" => settle::page(&asked),
        "/ui/feedback" => feedback::page(&asked),
        "/ui/row" => row::page(&asked),
        "/ui/experiment" => experiment::page(&asked),
        "/ui/models" => versions::page(&asked),
        "/ui/model" => models::model(&asked),
        "/ui/model.onnx" => models::onnx(&asked),
        "/ui/audit" => audit::page(&asked),
        "/ui/job" => job::page(&asked),
        "/ui/sign-in" => {
            let next = own_page(fields.get("next")).to_owned();
            Ok(SignIn { next, ..sign_in_page(dashboard) }.answer(StatusCode::OK))
        }
        _ => Err(Oops::NotFound("this page does not exist".to_owned())),
    }
}

/// Updates the cached counts, so that the next page does not wait for them.
pub(super) fn count(dashboard: &Dashboard, viewer: &Viewer) -> Result<(), Oops> {
    let asked = Asked { dashboard, viewer, fields: &Fields::default(), is_ahead: true };
    asked.chain()?;
    asked.monitor_runs()?;
    asked.drift()?;
    asked.standing(dashboard.workspace.registry().roles()?.production)?;
    asked.judged()?;
    versions::page(&asked).map(|_| ())
}

/// The input of a page.
struct Asked<'a> {
    dashboard: &'a Dashboard,
    viewer: &'a Viewer,
    fields: &'a Fields,
    /// Whether the page is read ahead, without a request.
    is_ahead: bool,
}

/// Files larger than this are counted ahead: meanwhile, requests show the last count.
const LONG: u64 = 4 << 20;

impl Asked<'_> {
    /// Which requests wait for counts of `files` of the loop.
    fn waits(&self, files: &[&str]) -> Waits {
        let dir = self.dashboard.workspace.dir();
        let bytes = |file: &&str| std::fs::metadata(dir.join(file)).map_or(0, |found| found.len());
        match () {
            () if self.is_ahead => Waits::Ahead,
            () if files.iter().map(bytes).sum::<u64>() > LONG => Waits::Nobody,
            () => Waits::Asker,
        }
    }

    fn shell(&self, path: &str, title: &str) -> Result<Shell, Oops> {
        Shell::new(self.dashboard, self.viewer, path, title, self.fields)
    }
}

fn rendered(page: &impl Template) -> Result<Answer, Oops> {
    Ok(Answer::Page(StatusCode::OK, page.render()?))
}

#[derive(Template)]
#[template(path = "ui_problem.html")]
struct Problem {
    title: &'static str,
    what: String,
}

/// The status, the title and the text of an error page.
fn told(oops: &Oops) -> (StatusCode, &'static str, &str) {
    match oops {
        Oops::NotFound(what) => (StatusCode::NOT_FOUND, "Not found", what),
        Oops::Forbidden(what) => (StatusCode::FORBIDDEN, "Not allowed", what),
        Oops::Bad(what) => (StatusCode::BAD_REQUEST, "Invalid input", what),
        Oops::Fault(what) => (StatusCode::INTERNAL_SERVER_ERROR, "The loop's files are unreadable", what),
    }
}

#[derive(Template)]
#[template(path = "ui_trouble.html")]
struct Trouble {
    shell: Shell,
    title: &'static str,
    what: String,
}

/// The error page, with the navigation.
pub(super) fn trouble(dashboard: &Dashboard, viewer: &Viewer, oops: &Oops) -> Answer {
    let (status, title, what) = told(oops);
    let fields = Fields::default();
    let framed = || {
        let shell = Asked { dashboard, viewer, fields: &fields, is_ahead: false }.shell("", title)?;
        Ok::<_, Oops>(Trouble { shell, title, what: what.to_owned() }.render()?)
    };
    framed().map_or_else(|_| problem(oops), |page| Answer::Page(status, page))
}

/// Shows the page of a form sent to `path` again, with the error and the typed values. A form that is only a button is
/// shown as the confirmation page.
pub(super) fn again(dashboard: &Dashboard, viewer: &Viewer, status: StatusCode, path: &str, fields: &Fields) -> Answer {
    let action = path.strip_prefix("/ui/do/").unwrap_or_default();
    let home = actions::home(path, fields).unwrap_or("/ui/confirm");
    match page(dashboard, viewer, home, &fields.with("do", action)) {
        Ok(Answer::Page(StatusCode::OK, page)) => Answer::Page(status, page),
        Ok(answer) => answer,
        Err(oops) => trouble(dashboard, viewer, &oops),
    }
}

/// The error page without a viewer.
pub(super) fn problem(oops: &Oops) -> Answer {
    let (status, title, what) = told(oops);
    let page = Problem { title, what: what.to_owned() };
    Answer::Page(status, page.render().unwrap_or_default())
}
