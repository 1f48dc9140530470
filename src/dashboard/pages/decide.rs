//! What may be decided: promotions that wait, a retraining, a way back.

use super::parts::{Reading, readings};
use super::{Asked, rendered};
use crate::dashboard::actions;
use crate::dashboard::shell::{Shell, when};
use crate::dashboard::web::{Answer, Oops, may};
use crate::gate::{self, Asks, GateReport, Ticket};
use crate::registry::Version;
use crate::report::number::{clean, fixed, fixed_or, short};
use crate::score::Direction;
use askama::Template;

#[derive(Template)]
#[template(path = "ui_decide.html")]
struct Page {
    shell: Shell,
    requests: Vec<Request>,
    production: Option<String>,
    challenger: Option<String>,
    previous: Vec<String>,
    reasons: Vec<String>,
    last: Option<Verdict>,
}

/// A promotion or a retraining that waits.
struct Request {
    id: String,
    title: String,
    sentence: String,
    asked_by: String,
    asked_at: String,
    until: String,
    /// When a promotion that was announced is carried out.
    due: Option<String>,
    expired: bool,
    is_promotion: bool,
    /// Whether who looks asked for it: somebody else agrees.
    own: bool,
    digest: String,
    sides: Vec<(String, Vec<Reading>, String)>,
    changes: Vec<[String; 3]>,
    verdict: Option<Verdict>,
}

/// What the gate found.
struct Verdict {
    at: String,
    headline: String,
    sentence: String,
    metrics: Vec<[String; 4]>,
    guardrails: Vec<(String, bool, String)>,
    difference: String,
}

pub(super) fn page(asked: &Asked) -> Result<Answer, Oops> {
    let workspace = &asked.dashboard.workspace;
    let roles = workspace.registry().roles()?;
    let report = asked.verdict()?;
    let requests: Result<Vec<Request>, Oops> =
        gate::pending(workspace)?.iter().map(|ticket| request(asked, ticket, report.as_ref())).collect();
    let drift = asked.drift()?;
    let fired = drift.iter().flat_map(|report| report.triggers.iter().filter(|trigger| trigger.fired));
    let mut previous: Vec<String> = roles.previous.iter().rev().map(ToString::to_string).collect();
    previous.dedup();
    rendered(&Page {
        shell: asked.shell("/ui/decide", "Decide")?,
        requests: requests?,
        production: roles.production.map(|version| version.to_string()),
        challenger: roles.challenger.map(|version| version.to_string()),
        previous,
        reasons: fired.map(|trigger| short(&trigger.text, 240)).collect(),
        last: report.as_ref().map(verdict),
    })
}

fn request(asked: &Asked, ticket: &Ticket, report: Option<&GateReport>) -> Result<Request, Oops> {
    let side = |version: Version, title: &str| -> Result<(String, Vec<Reading>, String), Oops> {
        let registry = asked.dashboard.workspace.registry();
        let manifest = registry.manifest(version)?;
        let rows = format!("{} rows, trained {}", manifest.rows.total(), when(manifest.trained_at));
        let found = registry.gate(version, &manifest)?.map_or_else(Vec::new, |gate| readings(&gate));
        Ok((format!("{title} {version}"), found, rows))
    };
    let of = |version: Version| asked.dashboard.workspace.registry().manifest(version);
    let is_promotion = ticket.asks == Asks::Promotion;
    let (mut sides, mut changes) = (Vec::new(), Vec::new());
    if is_promotion {
        let (old, new) = (of(ticket.production)?, of(ticket.version)?);
        sides = vec![side(ticket.production, "production,")?, side(ticket.version, "challenger,")?];
        changes = vec![
            ("model", old.model.to_string(), new.model.to_string()),
            ("rows to learn from", old.rows.train.to_string(), new.rows.train.to_string()),
            ("made by", format!("mlloop {}", old.mlloop), format!("mlloop {}", new.mlloop)),
        ];
    }
    let fits = |report: &&GateReport| report.challenger == ticket.version && report.production == ticket.production;
    Ok(Request {
        id: ticket.id.clone(),
        title: match ticket.asks {
            Asks::Promotion => format!("{} instead of {}", ticket.version, ticket.production),
            Asks::Retraining => "Train a challenger".to_owned(),
        },
        sentence: clean(&ticket.sentence),
        asked_by: ticket.requested_by.as_deref().map_or_else(|| "nobody by name".to_owned(), |by| short(by, 60)),
        asked_at: when(ticket.requested_at),
        until: when(ticket.expires_at),
        due: ticket.due_at.map(when),
        is_promotion,
        expired: asked.dashboard.now() >= ticket.expires_at,
        own: asked.viewer.session.as_ref().is_some_and(|session| ticket.is_of(&session.name)),
        digest: ticket.digest.clone(),
        sides,
        changes: changes
            .iter()
            .map(|(name, old, new)| [(*name).to_owned(), short(old, 300), short(new, 300)])
            .collect(),
        verdict: report.filter(fits).filter(|_| is_promotion).map(verdict),
    })
}

fn verdict(report: &GateReport) -> Verdict {
    let metrics = report.metrics.iter().map(|pair| {
        let gain = pair.challenger.zip(pair.production).map(|(new, old)| match pair.metric.direction() {
            Direction::Higher => new - old,
            Direction::Lower => old - new,
        });
        let said = match gain {
            Some(gain) if gain > 0.0 => format!("better by {}", fixed(gain)),
            Some(gain) if gain < 0.0 => format!("worse by {}", fixed(-gain)),
            Some(_) => "the same".to_owned(),
            None => "–".to_owned(),
        };
        [pair.metric.name().to_owned(), fixed_or(pair.production), fixed_or(pair.challenger), said]
    });
    let j = &report.judgement;
    Verdict {
        at: when(report.at),
        headline: format!("{} against {}: {}", report.challenger, report.production, j.verdict.name()),
        sentence: clean(&report.sentence),
        metrics: metrics.collect(),
        guardrails: report
            .guardrails
            .iter()
            .map(|g| (clean(&g.name).replace('_', " "), g.broken, short(&g.text, 200)))
            .collect(),
        difference: j.improvement.as_ref().map_or_else(String::new, |found| {
            format!(
                "{} on {} gate rows that no version learned from: the gain is {} ({} to {} at the gate's level).",
                found.metric,
                j.n_rows,
                fixed(found.value),
                fixed(found.low),
                fixed(found.high),
            )
        }),
    }
}

#[derive(Template)]
#[template(path = "ui_confirm.html")]
struct Confirm {
    shell: Shell,
    action: String,
    title: String,
    consequence: &'static str,
    command: String,
    hidden: Vec<(&'static str, String)>,
    reason: bool,
    person: String,
    back: String,
}

/// What follows from an action, in a sentence, and whether it wants a reason.
fn consequence(action: &str) -> Option<(&'static str, bool)> {
    Some(match action {
        "approve" => (
            "What was asked for is done: a challenger answers from now on, and the version before stays stored, so that \
                you can roll back; or a challenger is trained, which changes nothing until it is promoted.",
            false,
        ),
        "reject" => (
            "Production stays. A challenger that was to be promoted stays stored and is the challenger no more; a retraining \
            is asked for again when there is more to learn from.",
            true,
        ),
        "rollback" => ("The version before answers from now on. Nothing is trained.", true),
        "retrain" => (
            "A new version is trained from the reference and the new labels, whatever was found, and the gate \
            judges it. With manual approval it then waits here.",
            false,
        ),
        "run" => ("The loop goes around once: compare, retrain when there is a reason, promote what earned it.", false),
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

/// The page that asks once more.
pub(super) fn confirm(asked: &Asked) -> Result<Answer, Oops> {
    let action = asked.fields.get("do");
    let (consequence, reason) =
        consequence(action).ok_or_else(|| Oops::NotFound("there is no such action".to_owned()))?;
    let need = actions::right(&format!("/ui/do/{action}"));
    let Some(session) = asked
        .viewer
        .session
        .as_ref()
        .filter(|session| may(Some(session), need.unwrap_or(crate::dashboard::Right::Approve)))
    else {
        return Err(Oops::Forbidden("sign in as somebody who may do this".to_owned()));
    };
    // The reason is asked on this page, so it is not there yet.
    let draft = asked.fields.with("reason", "…");
    let verb = actions::verb(asked.dashboard, session, action, &draft)?;
    let hidden = ["id", "version", "n", "of", "batch"].into_iter().filter(|name| asked.fields.has(name));
    rendered(&Confirm {
        shell: asked.shell("/ui/decide", &verb.title)?,
        action: action.to_owned(),
        title: verb.title.clone(),
        consequence,
        command: crate::dashboard::jobs::command(&verb.arguments),
        hidden: hidden.map(|name| (name, asked.fields.get(name).to_owned())).collect(),
        reason,
        person: session.name.clone(),
        back: verb.back,
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
