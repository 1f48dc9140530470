//! Notifications that verbs send after their result. Nothing here makes a verb fail.

use super::Context;
use mlloop::drift::report::DriftReport;
use mlloop::gate::{GateReport, PromoteOutcome, Promotion, Ticket};
use mlloop::monitor::files::Format;
use mlloop::notify::{
    self, Changes, Channel, Delivery, Kind, Notice, NotifyError, Observation, Outbox, Secret, Secrets,
};
use mlloop::registry::Version;
use mlloop::report::change;
use mlloop::workspace::{Config, WorkspaceError};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

/// The attachment of mails.
const PICTURE: &str = "reports/drift_report.png";

/// Sends `notices`, and those still queued.
pub(crate) fn tell(ctx: &Context, mut notices: Vec<Notice>) -> Delivery {
    let Ok(config) = ctx.workspace.config() else { return Delivery::default() };
    illustrate(ctx, &mut notices);
    send(ctx, &config, |outbox| {
        outbox.queue(&config.notify, &notices, ctx.now)?;
        Ok(notices)
    })
}

/// Attaches the drift picture to notices about production, if the last drift report is about that version.
fn illustrate(ctx: &Context, notices: &mut [Notice]) {
    let wants = |notice: &&mut Notice| {
        let decides = [Kind::Retrained, Kind::GateVerdict, Kind::ApprovalWanted, Kind::WillPromote, Kind::Promoted];
        notice.picture.is_none() && decides.contains(&notice.kind)
    };
    if !notices.iter_mut().any(|notice| wants(&notice)) {
        return;
    }
    // An unreadable report must not suppress the notice.
    let report: Option<DriftReport> = ctx.workspace.report("drift_report.json").unwrap_or_default();
    let (Some(report), Ok(roles)) = (report, ctx.workspace.registry().roles()) else { return };
    let is_of = |version: Option<Version>| version.map(|version| version.to_string()) == report.version;
    let changed = |path: &Path| ctx.workspace.path(path).metadata().and_then(|meta| meta.modified()).ok();
    let picture = Path::new(PICTURE);
    // A report is written before its picture; a report without one has an older picture beside it.
    if report.version.is_none() || changed(picture) < changed(Path::new("reports/drift_report.json")) {
        return;
    }
    // A round may have promoted after monitoring.
    let is_changed = notices.iter().any(|notice| notice.kind == Kind::Promoted);
    let before = roles.previous.last().copied().filter(|_| is_changed);
    if is_of(roles.production) || (before.is_some() && is_of(before)) {
        notices.iter_mut().filter(wants).for_each(|notice| notice.picture = Some(picture.to_owned()));
    }
}

/// Notifies what began and what ended since the last report, which was written in these formats.
pub(crate) fn drift(ctx: &Context, report: &DriftReport, formats: &[Format]) -> Delivery {
    let Ok(config) = ctx.workspace.config() else { return Delivery::default() };
    let picture = formats.contains(&Format::Png).then(|| PathBuf::from(PICTURE));
    changes(ctx, &config, &notify::observations(report), |changes| {
        let notices = notify::drift_notices(changes, &report.verdict.sentence);
        notices.into_iter().map(|notice| Notice { picture: picture.clone(), ..notice }).collect()
    })
}

/// Notifies that a verb began to fail; recovery is recorded without a notice.
pub(crate) fn settle(ctx: &Context, verb: &'static str, err: Option<&anyhow::Error>) {
    let Ok(config) = ctx.workspace.config() else { return };
    let busy = err.and_then(|err| err.downcast_ref::<WorkspaceError>());
    if matches!(busy, Some(WorkspaceError::Locked { .. })) || (err.is_some() && std::io::stderr().is_terminal()) {
        // Another process holds the lock, or the user at the terminal has just read it.
        return;
    }
    let text = err.map_or_else(String::new, crate::one_line);
    let now = [Observation { key: format!("failed/{verb}"), open: Some(err.is_some()), text }];
    changes(ctx, &config, &now, |changes| {
        // Each cause contains the text of its own cause.
        let failed = |one: &Observation| Notice::new(Kind::Failed, verb, format!("{verb} failed")).with(&one.text);
        changes.began.iter().map(failed).collect()
    });
}

/// Notifies each change once.
fn changes(
    ctx: &Context,
    config: &Config,
    now: &[Observation],
    notices: impl FnOnce(&Changes) -> Vec<Notice>,
) -> Delivery {
    send(ctx, config, |outbox| {
        let changes = outbox.changes(now)?;
        let notices = notices(&changes);
        outbox.queue(&config.notify, &notices, ctx.now)?;
        outbox.remember(&changes, ctx.now)?;
        Ok(notices)
    })
}

/// Queues, prints for the console, and delivers.
fn send(ctx: &Context, config: &Config, queue: impl FnOnce(&Outbox) -> Result<Vec<Notice>, NotifyError>) -> Delivery {
    let settings = &config.notify;
    if settings.channels.is_empty() {
        return Delivery::default();
    }
    let outbox = ctx.workspace.outbox();
    let sent = queue(&outbox).and_then(|notices| {
        let wanted = notices.iter().filter(|notice| settings.has(Channel::Console) && settings.wants(notice.kind));
        wanted.for_each(|notice| ctx.progress.note(&notice.text));
        outbox.deliver(settings, &secrets(), ctx.workspace.dir(), ctx.now)
    });
    match sent {
        Ok(delivery) => {
            delivery.trouble.iter().for_each(|what| ctx.progress.note(format_args!("note: {what}")));
            delivery
        }
        Err(err) => troubled(ctx, &err),
    }
}

fn troubled(ctx: &Context, err: &NotifyError) -> Delivery {
    ctx.progress.note(format_args!("note: could not send notifications: {err}"));
    Delivery { trouble: vec![err.to_string()], ..Delivery::default() }
}

#[expect(clippy::disallowed_methods, reason = "the binary reads the environment")]
fn secrets() -> Secrets {
    let set = |name| std::env::var(name).ok().filter(|text: &String| !text.is_empty());
    Secrets {
        smtp_user: set("MLLOOP_SMTP_USER"),
        smtp_password: set("MLLOOP_SMTP_PASSWORD").map(Secret::new),
        webhook: set("MLLOOP_WEBHOOK_URL").map(Secret::new),
        webhook_secret: set("MLLOOP_WEBHOOK_SECRET").map(Secret::new),
    }
}

/// The notice of a decision of the gate.
pub(crate) fn of_promotion(ctx: &Context, found: &Promotion) -> Vec<Notice> {
    let about = found.version.map_or_else(String::new, |version| version.to_string());
    let notice = |kind| {
        let title = match kind {
            Kind::Promoted => format!("{about} is now in production"),
            Kind::WillPromote => format!("{about} will go into production soon"),
            Kind::ApprovalWanted => format!("{about} waits for approval"),
            _ => format!("{about} was compared with production"),
        };
        let told = found.report.as_ref().map_or_else(String::new, |report| format!("\n{}", measured(report)));
        Notice::new(kind, about.clone(), title).with(&format!("{}{told}", found.sentence))
    };
    match (found.done, &found.request) {
        (PromoteOutcome::Promoted, Some(ticket)) => vec![promoted(ctx, ticket, &found.sentence)],
        _ => of_decision(found, notice),
    }
}

/// The notice of a promotion that was requested or announced, with the metrics by which the gate decided.
pub(crate) fn promoted(ctx: &Context, ticket: &Ticket, sentence: &str) -> Notice {
    // An unreadable report must not suppress the notice.
    let report: Option<GateReport> = ctx.workspace.report("gate_report.json").unwrap_or_default();
    let report = report.filter(|r| (r.challenger, r.production) == (ticket.version, ticket.production));
    let told = report.map_or_else(String::new, |report| format!("\n{}", measured(&report)));
    let title = format!("{} is production now", ticket.version);
    Notice::new(Kind::Promoted, ticket.version.to_string(), title).with(&format!("{sentence}{told}"))
}

fn of_decision(found: &Promotion, notice: impl Fn(Kind) -> Notice) -> Vec<Notice> {
    match found.done {
        PromoteOutcome::Promoted => vec![notice(Kind::Promoted)],
        // A promotion is notified once.
        PromoteOutcome::Waiting if found.request.as_ref().is_some_and(|ticket| ticket.due_at.is_some()) => {
            found.report.iter().map(|_| notice(Kind::WillPromote)).collect()
        }
        PromoteOutcome::Waiting => vec![notice(Kind::ApprovalWanted)],
        PromoteOutcome::Refused | PromoteOutcome::Inconclusive => vec![notice(Kind::GateVerdict)],
        PromoteOutcome::Already | PromoteOutcome::Would | PromoteOutcome::Nothing => Vec::new(),
    }
}

/// Every metric of both versions, and the broken guardrails.
fn measured(report: &GateReport) -> String {
    let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.4}"));
    let metrics = report.metrics.iter().map(|pair| {
        let change = pair
            .challenger
            .zip(pair.production)
            .map_or_else(String::new, |(new, old)| format!(" ({})", change(new - old)));
        format!("- {}: {} to {}{change}", pair.metric, number(pair.production), number(pair.challenger))
    });
    let broken = report.guardrails.iter().filter(|rail| rail.broken);
    let broken = broken.map(|rail| format!("- guardrail {}: {}", rail.name, rail.text));
    let head = format!("{} against {}, on {} gate rows", report.challenger, report.production, report.judgement.n_rows);
    std::iter::once(head).chain(metrics).chain(broken).collect::<Vec<_>>().join("\n")
}

/// The notice of a retraining that waits for approval.
pub(crate) fn of_retraining(ticket: &Ticket) -> Notice {
    Notice::new(Kind::ApprovalWanted, "retraining", "a retraining waits for approval").with(&format!(
        "{}\nmlloop approve {} --by NAME, until {}",
        ticket.sentence,
        ticket.id,
        ticket.expires_at.strftime("%Y-%m-%d %H:%M UTC")
    ))
}
