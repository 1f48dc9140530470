//! The frame of each page: navigation, user and messages.

use super::auth::{Right, Session};
use super::web::{Fields, Oops, may};
use super::{Dashboard, events};
use crate::gate;
use askama::Template;
use jiff::Timestamp;

/// The viewer of a page.
pub(super) struct Viewer {
    pub(super) session: Option<Session>,
    /// The requested page, with its query.
    pub(super) address: String,
    /// The error of the form.
    pub(super) alert: Option<String>,
}

impl Viewer {
    pub(super) fn new(session: Option<Session>, address: &str) -> Self {
        Self { session, address: address.to_owned(), alert: None }
    }
}

/// A link of the navigation.
pub(super) struct Link {
    pub(super) to: &'static str,
    pub(super) name: &'static str,
    pub(super) here: bool,
    /// Number of open tasks there.
    pub(super) n: usize,
}

const LINKS: [(&str, &str); 8] = [
    ("/ui", "Overview"),
    ("/ui/drift", "Drift"),
    ("/ui/decide", "Decide"),
    ("/ui/label", "Label"),
    ("/ui/feedback", "Feedback"),
    ("/ui/experiment", "Experiment"),
    ("/ui/models", "Models"),
    ("/ui/audit", "Audit"),
];

/// The job shown on a page.
pub(super) struct Said {
    pub(super) id: u64,
    pub(super) title: String,
    pub(super) state: &'static str,
    pub(super) running: bool,
    pub(super) good: bool,
    pub(super) text: String,
}

/// The frame around a page.
pub(super) struct Shell {
    pub(super) title: String,
    pub(super) loop_name: String,
    pub(super) links: Vec<Link>,
    pub(super) person: Option<String>,
    pub(super) role: &'static str,
    pub(super) can_sign_in: bool,
    pub(super) can_label: bool,
    pub(super) can_approve: bool,
    pub(super) csrf: String,
    pub(super) address: String,
    pub(super) alert: Option<String>,
    pub(super) running: Option<(u64, String)>,
    pub(super) said: Option<Said>,
    pub(super) stamp: String,
    pub(super) made_at: String,
    pub(super) mlloop: &'static str,
}

impl Shell {
    /// The frame of the page at `path`; `fields` may name a job whose result it shows.
    pub(super) fn new(
        dashboard: &Dashboard,
        viewer: &Viewer,
        path: &str,
        title: &str,
        fields: &Fields,
    ) -> Result<Self, Oops> {
        let workspace = &dashboard.workspace;
        let dir = workspace.dir().canonicalize().unwrap_or_else(|_| workspace.dir().to_owned());
        let waiting = gate::pending(workspace)?.len();
        let count = |to: &str| if to == "/ui/decide" { waiting } else { 0 };
        let session = viewer.session.as_ref();
        Ok(Self {
            title: title.to_owned(),
            loop_name: dir.file_name().map_or_else(|| "loop".to_owned(), |name| name.to_string_lossy().into_owned()),
            links: LINKS.map(|(to, name)| Link { to, name, here: to == path, n: count(to) }).into(),
            person: session.map(|session| session.name.clone()),
            role: session.map_or("", |session| session.right.role()),
            can_sign_in: dashboard.sessions.can_sign_in(),
            can_label: may(session, Right::Label),
            can_approve: may(session, Right::Approve),
            csrf: session.map_or_else(String::new, |session| session.csrf.clone()),
            address: viewer.address.clone(),
            alert: viewer.alert.clone(),
            running: dashboard.jobs.running().map(|job| (job.id, job.title)),
            said: fields.number("job").and_then(|id| said(dashboard, id)),
            stamp: events::stamp(workspace.dir()),
            made_at: when(dashboard.now()),
            mlloop: env!("CARGO_PKG_VERSION"),
        })
    }
}

/// The result of a job, as shown on pages.
pub(super) fn said(dashboard: &Dashboard, id: u64) -> Option<Said> {
    let job = dashboard.jobs.get(id)?;
    let status = job.ended.as_ref().map(|ended| ended.status);
    let mut text = dashboard.jobs.answer(id);
    text.push_str(&dashboard.jobs.log(id));
    if let Some(ended) = &job.ended {
        text.push_str(&ended.note);
    }
    Some(Said {
        id,
        title: job.title.clone(),
        state: job.state(),
        running: status.is_none(),
        good: matches!(status, Some(Some(0 | 1 | 3 | 4))),
        text,
    })
}

/// A time as pages show it.
pub(super) fn when(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// The sign-in page.
#[derive(Template)]
#[template(path = "ui_sign_in.html")]
pub(super) struct SignIn {
    pub(super) said: String,
    pub(super) can_sign_in: bool,
    /// The typed name.
    pub(super) name: String,
    /// The page to show after signing in.
    pub(super) next: String,
    /// Whether there are tokens with an owner.
    pub(super) named: bool,
    /// A form sent without a session: its path and its fields.
    pub(super) kept: Option<(String, String)>,
}
