//! The pages: each a view model that reads the loop's files, and a template.

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
pub(super) mod models;
pub(super) mod overview;
mod parts;
mod reasons;
pub(super) mod settle;
pub(super) mod versions;
mod waiting;

use super::Dashboard;
use super::shell::Viewer;
use super::web::{Answer, Fields, Oops, sign_in_page};
use askama::Template;
use axum::http::StatusCode;

/// Makes the page at `path`.
pub(super) fn page(dashboard: &Dashboard, viewer: &Viewer, path: &str, fields: &Fields) -> Result<Answer, Oops> {
    let asked = Asked { dashboard, viewer, fields };
    match path.trim_end_matches('/') {
        "/ui" => overview::page(&asked),
        "/ui/drift" => drift::page(&asked),
        "/ui/decide" => decide::page(&asked),
        "/ui/confirm" => confirm::page(&asked),
        "/ui/label" => label::page(&asked),
        "/ui/settle" => settle::page(&asked),
        "/ui/feedback" => feedback::page(&asked),
        "/ui/row" => feedback::row(&asked),
        "/ui/experiment" => experiment::page(&asked),
        "/ui/models" => versions::page(&asked),
        "/ui/model" => models::model(&asked),
        "/ui/model.onnx" => models::onnx(&asked),
        "/ui/audit" => audit::page(&asked),
        "/ui/job" => job::page(&asked),
        "/ui/sign-in" => Ok(sign_in_page(dashboard, StatusCode::OK, "")),
        _ => Err(Oops::NotFound("there is no such page".to_owned())),
    }
}

/// What a page is made from.
struct Asked<'a> {
    dashboard: &'a Dashboard,
    viewer: &'a Viewer,
    fields: &'a Fields,
}

impl Asked<'_> {
    fn shell(&self, path: &str, title: &str) -> Result<super::shell::Shell, Oops> {
        super::shell::Shell::new(self.dashboard, self.viewer, path, title, self.fields)
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

/// The page that says why there is none.
pub(super) fn problem(oops: &Oops) -> Answer {
    let (status, title, what) = match oops {
        Oops::NotFound(what) => (StatusCode::NOT_FOUND, "Not found", what),
        Oops::Forbidden(what) => (StatusCode::FORBIDDEN, "Not allowed", what),
        Oops::Bad(what) => (StatusCode::BAD_REQUEST, "That cannot be used", what),
        Oops::Fault(what) => (StatusCode::INTERNAL_SERVER_ERROR, "The loop's files cannot be read", what),
    };
    let page = Problem { title, what: what.clone() };
    Answer::Page(status, page.render().unwrap_or_default())
}
