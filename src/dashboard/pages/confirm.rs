//! The page that asks once more: what follows, and what exactly is approved.

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
    /// The reason that was typed before the form came back.
    typed: String,
    /// Whether it is a line of the audit chain.
    audited: bool,
    person: String,
    back: String,
    request: Option<Request>,
    /// What speaks for a retraining now.
    reasons: Vec<Bar>,
    /// Why there is nothing to decide any more.
    over: String,
}

/// What follows from an action, and whether it wants a reason.
fn consequence(action: &str) -> Option<(&'static str, bool)> {
    Some(match action {
        "approve" => ("", false),
        "reject" => ("", true),
        "rollback" => ("", true),
        "retrain" => (
            "You approve a retraining: a new version is trained from the reference and all labels, whatever was found, and \
             the gate judges it at once. One that is not better stays a challenger. One that is goes into production, or \
             waits for somebody else to approve it where promotions need approval, since you asked for it.",
            false,
        ),
        "run" => (
            "The loop goes around once: compare, retrain when there is a reason, promote what earned it. What needs \
             approval waits for somebody else, since you asked for it.",
            false,
        ),
        "judge" => {
            ("The gate compares the challenger with production. A better one becomes production, or waits here.", false)
        }
        "reset-demo" => (
            "All versions, labels and reports of this demo are removed. It begins again, up to where drift is found; the \
            audit chain begins anew.",
            false,
        ),
        "monitor" => {
            ("What arrived is compared with the reference. The report is written; nothing else changes.", false)
        }
        "import" => (
            "The answers become labels, which the next retraining learns from. The batch stays out until each row has the \
            answers that it is asked for.",
            false,
        ),
        "close" => ("Rows of the batch that have no answer are no longer asked; they can be chosen again.", false),
        "export" => ("Rows are chosen and handed out as a batch to label.", false),
        "ab-look" => ("The outcomes that are known by now are counted, arm by arm. The report is written.", false),
        "ab-step" => ("The rollout moves to its next share, when it is due and no guardrail broke.", false),
        "ab-stop" => ("The experiment ends. Production answers everybody.", false),
        "ab-promote" => (
            "The experiment ends only when an arm wins and its version passes the gate; then it becomes production.",
            false,
        ),
        _ => return None,
    })
}

/// What is decided about `ticket`, in words.
fn of_request(action: &str, ticket: &Ticket) -> String {
    let (new, old) = (ticket.version, ticket.production);
    match (action, ticket.asks) {
        ("approve", Asks::Promotion) => format!(
            "{new} answers from now on instead of {old}, and the reference becomes what {new} learned from. {old} stays \
             stored, so that you can roll back."
        ),
        ("approve", Asks::Retraining) => format!(
            "A challenger to {old} is trained from the reference and all labels that are there by now, and the gate judges \
             it at once. Nothing is in production by this approval unless the gate finds it better; where promotions need \
             approval, it then waits here."
        ),
        (_, Asks::Promotion) => format!("{old} stays in production. {new} stays stored and is the challenger no more."),
        (_, Asks::Retraining) => {
            format!("{old} stays as it is. A retraining is asked for again when there is more to learn from.")
        }
    }
}

/// Why nothing is to be decided about `ticket` any more; empty while something is.
fn over(asked: &Asked, action: &str, ticket: &Ticket) -> String {
    let by = ticket.decided_by.as_deref().map_or_else(|| "nobody by name".to_owned(), |by| short(by, 60));
    let at = ticket.decided_at.map(|at| format!(" {}", when(at))).unwrap_or_default();
    match ticket.status {
        Status::Approved => format!("It was approved by {by}{at}."),
        Status::Rejected => format!("It was rejected by {by}{at}."),
        Status::Superseded => "A later request took its place.".to_owned(),
        Status::Pending if asked.dashboard.now() >= ticket.expires_at => {
            format!("It expired {}.", when(ticket.expires_at))
        }
        Status::Pending
            if action == "approve" && asked.viewer.session.as_ref().is_some_and(|who| ticket.is_of(&who.name)) =>
        {
            "You asked for this, so somebody else has to agree.".to_owned()
        }
        Status::Pending => String::new(),
    }
}

/// What a way back leads to.
fn of_rollback(asked: &Asked, fields: &Fields) -> Result<String, Oops> {
    let registry = asked.dashboard.workspace.registry();
    let roles = registry.roles()?;
    let to = match fields.get("version").trim() {
        "" => roles.previous.last().copied(),
        _ => asked.version("version")?,
    };
    let (Some(to), Some(from)) = (to, roles.production) else {
        return Ok("The version before answers from now on. Nothing is trained.".to_owned());
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
        "{} answers from now on instead of {}. Nothing is trained; the version that is taken back stays stored.",
        told(to)?,
        told(from)?
    ))
}

/// The page that asks once more.
pub(super) fn page(asked: &Asked) -> Result<Answer, Oops> {
    let action = asked.fields.get("do");
    let (general, reason) = consequence(action).ok_or_else(|| Oops::NotFound("there is no such action".to_owned()))?;
    let need = actions::right(&format!("/ui/do/{action}"));
    let session = asked.viewer.session.as_ref();
    let Some(session) = session.filter(|session| may(Some(session), need.unwrap_or(crate::dashboard::Right::Approve)))
    else {
        return Err(Oops::Forbidden("sign in as somebody who may do this".to_owned()));
    };
    let (mut text, mut wanted, mut done) = (general.to_owned(), None, String::new());
    if matches!(action, "approve" | "reject") {
        let ticket = gate::find(&asked.dashboard.workspace, asked.fields.get("id"))
            .map_err(|err| Oops::NotFound(format!("there is no such request: {err}")))?;
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
    // The reason is asked on this page, so it is not there yet, or comes back to be written anew.
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
        // A comparison, and a demo whose chain begins anew, leave no line with a name.
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
