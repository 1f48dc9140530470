//! The confirmation page: the consequences, and exactly what is approved.

use super::decide::{Request, request};
use super::reasons::{Bar, reasons};
use super::{Asked, rendered};
use crate::dashboard::actions;
use crate::dashboard::shell::{Shell, when};
use crate::dashboard::web::{Answer, Fields, Oops, may};
use crate::gate::{self, Asks, Status, Ticket};
use crate::registry::Version;
use crate::report::number::short;
use askama::Template;

#[derive(Template)]
#[template(path = "ui_confirm.html")]
struct Confirm {
    shell: Shell,
    action: String,
    title: String,
    consequence: String,
    command: String,
    hidden: Vec<(&'static str, String)>,
    reason: bool,
    /// The reason entered before the form was shown again.
    typed: String,
    /// Whether the action adds a line to the audit chain.
    audited: bool,
    person: String,
    back: String,
    request: Option<Request>,
    /// The current reasons for a retraining.
    reasons: Vec<Bar>,
    /// Why no decision is possible any more.
    over: String,
}

/// The consequence of an action, and whether it needs a reason.
fn consequence(action: &str) -> Option<(&'static str, bool)> {
    Some(match action {
        "approve" => ("", false),
        "reject" => ("", true),
        "rollback" => ("", true),
        "retrain" => (
            "You approve a retraining. A new version is trained from the reference and all labels, even if no \
             trigger fired, and the gate judges it at once. If it is not shown to be better, it stays a challenger. \
             If it is, it goes into production; where promotions need approval, another person must approve it, \
             because you requested it.",
            false,
        ),
        "run" => (
            "The loop runs once: compare, retrain if a trigger fired, promote if the new model is shown to be \
             better. If approval is needed, another person must give it, because you requested this.",
            false,
        ),
        "judge" => (
            "The gate compares the challenger with production. If the challenger is shown to be better, it becomes \
              production, or waits here for approval.",
            false,
        ),
        "reset-demo" => (
            "All versions, labels and reports of this demo are removed. The demo starts again and runs until drift \
             is found, with a new audit chain.",
            false,
        ),
        "monitor" => {
            ("The current data is compared with the reference. The report is written; nothing else changes.", false)
        }
        "import" => (
            "The answers become labels, which the next retraining uses. The batch stays open until every row \
             has all its answers.",
            false,
        ),
        "close" => ("Rows of the batch without an answer are withdrawn; they can be chosen again.", false),
        "export" => ("Rows are chosen, and a batch to label is created.", false),
        "ab-look" => ("The outcomes known so far are analysed by arm. The report is written.", false),
        "ab-step" => ("The rollout moves to its next share if it is due and no guardrail is broken.", false),
        "ab-stop" => ("The experiment ends. Production answers all requests.", false),
        "ab-promote" => (
            "The experiment ends only if an arm wins and its version passes the gate; that version then becomes \
             production.",
            false,
        ),
        _ => return None,
    })
}

/// The decision about `ticket`, as text.
fn of_request(action: &str, ticket: &Ticket) -> String {
    let (new, old) = (ticket.version, ticket.production);
    match (action, ticket.asks) {
        ("approve", Asks::Promotion) => format!(
            "{new} replaces {old} in production, and the training rows of {new} become the reference. {old} \
             stays stored, so you can roll back."
        ),
        ("approve", Asks::Retraining) => format!(
            "A challenger to {old} is trained from the reference and all current labels, and the gate judges it at \
             once. It goes into production only if the gate shows it to be better; where promotions need approval, \
             it then waits here."
        ),
        (_, Asks::Promotion) => format!(
            "{old} stays in production. {new} stays stored, but is no longer the \
                                         challenger."
        ),
        (_, Asks::Retraining) => {
            format!("{old} stays in production. A retraining is requested again when there are more labels.")
        }
    }
}

/// Why no decision on `ticket` is possible any more; empty if one is possible.
fn over(asked: &Asked, action: &str, ticket: &Ticket) -> String {
    let by = ticket.decided_by.as_deref().map_or_else(|| "an unnamed person".to_owned(), |by| short(by, 60));
    let at = ticket.decided_at.map(|at| format!(" {}", when(at))).unwrap_or_default();
    match ticket.status {
        Status::Approved => format!("It was approved by {by}{at}."),
        Status::Rejected => format!("It was rejected by {by}{at}."),
        Status::Superseded => "A later request replaced it.".to_owned(),
        Status::Pending if asked.dashboard.now() >= ticket.expires_at => {
            format!("It expired {}.", when(ticket.expires_at))
        }
        Status::Pending
            if action == "approve" && asked.viewer.session.as_ref().is_some_and(|who| ticket.is_of(&who.name)) =>
        {
            "You requested this, so another person must approve it.".to_owned()
        }
        Status::Pending => String::new(),
    }
}

/// The consequence of a rollback.
fn of_rollback(asked: &Asked, fields: &Fields) -> Result<String, Oops> {
    let registry = asked.dashboard.workspace.registry();
    let roles = registry.roles()?;
    let to = match fields.get("version").trim() {
        "" => roles.previous.last().copied(),
        _ => asked.version("version")?,
    };
    let (Some(to), Some(from)) = (to, roles.production) else {
        return Ok("The previous version becomes production again. Nothing is trained.".to_owned());
    };
    let decides = asked.dashboard.workspace.config()?.promote.metric;
    let told = |version: Version| -> Result<String, Oops> {
        let manifest = registry.manifest(version)?;
        Ok(format!("{version} ({}, trained {})", manifest.headline(decides), when(manifest.trained_at)))
    };
    if registry.path(to).is_err() {
        return Err(Oops::NotFound(format!("{to} is not stored (any more)")));
    }
    Ok(format!(
        "{} replaces {} in production. Nothing is trained; the replaced version stays stored.",
        told(to)?,
        told(from)?
    ))
}

/// The confirmation page.
pub(super) fn page(asked: &Asked) -> Result<Answer, Oops> {
    let action = asked.fields.get("do");
    let (general, reason) =
        consequence(action).ok_or_else(|| Oops::NotFound("this action does not exist".to_owned()))?;
    let need = actions::right(&format!("/ui/do/{action}"));
    let session = asked.viewer.session.as_ref();
    let Some(session) = session.filter(|session| may(Some(session), need.unwrap_or(crate::dashboard::Right::Approve)))
    else {
        return Err(Oops::Forbidden("sign in with a role that may do this".to_owned()));
    };
    let (mut text, mut wanted, mut done) = (general.to_owned(), None, String::new());
    if matches!(action, "approve" | "reject") {
        let ticket = gate::find(&asked.dashboard.workspace, asked.fields.get("id"))
            .map_err(|err| Oops::NotFound(format!("this request does not exist: {err}")))?;
        (text, done) = (of_request(action, &ticket), over(asked, action, &ticket));
        wanted = done.is_empty().then(|| request(asked, &ticket)).transpose()?;
    } else if action == "rollback" {
        text = of_rollback(asked, asked.fields)?;
    }
    let mut speaks = Vec::new();
    if action == "retrain" {
        let production = asked.dashboard.workspace.registry().roles()?.production;
        let found = reasons(asked, production, asked.drift()?.as_deref())?;
        speaks = found.bars.into_iter().filter(|bar| bar.fired).collect();
    }
    // The reason is entered on this page, so it is missing, or already entered and can be edited.
    let draft = asked.fields.but("reason", "…");
    let verb = actions::verb(asked.dashboard, session, action, &draft)?;
    let hidden = ["id", "version", "n", "of", "batch", "annotators", "overlap"]
        .into_iter()
        .filter(|name| asked.fields.has(name));
    rendered(&Confirm {
        shell: asked.shell("/ui/decide", &verb.title)?,
        action: action.to_owned(),
        title: verb.title.clone(),
        consequence: text,
        command: crate::dashboard::job::command(&verb.arguments),
        hidden: hidden.map(|name| (name, asked.fields.get(name).to_owned())).collect(),
        reason,
        typed: asked.fields.get("reason").to_owned(),
        // These leave no line with a name: comparisons, and a demo reset, which restarts the chain.
        audited: !matches!(action, "monitor" | "ab-look" | "reset-demo"),
        person: session.name.clone(),
        back: verb.back,
        request: wanted,
        reasons: speaks,
        over: done,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_page_links_to_is_asked_once_more() {
        let pages = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src/dashboard/templates")).unwrap();
        let texts: Vec<String> = pages.map(|page| std::fs::read_to_string(page.unwrap().path()).unwrap()).collect();
        let links = texts.iter().flat_map(|text| text.split("/ui/confirm?do=").skip(1));
        let mut actions: Vec<&str> = links.filter_map(|rest| rest.split(['"', '&']).next()).collect();
        actions.retain(|action| !action.starts_with('{'));
        assert!(actions.len() > 8, "{actions:?}");
        for action in actions {
            assert!(consequence(action).is_some(), "{action} is linked to and asks nothing");
            assert!(actions::right(&format!("/ui/do/{action}")).is_some(), "{action} is no form");
        }
    }
}
