use super::output::Style;
use super::{Context, Outcome, Output};
use anyhow::Result;
use mlloop::ab::Experiment;
use mlloop::answers::{LastMonitor, LastVerdict, Listed, RolledBack, Running, Share, Status};
use mlloop::gate::{self, Asks, Decision, Verdict};
use mlloop::printable::name;
use mlloop::registry::Version;
use mlloop::report::{grouped, p_value};
use mlloop::retrain::standing::{Progress, Standing, progress};
use mlloop::workspace::EventKind;
use mlloop::workspace::audit::Entry;
use mlloop::workspace::event::GateVerdict;
use std::fmt::Write as _;

/// Show the state of the loop: versions, roles, metrics, reasons to retrain, the last gate verdict, waiting approvals
///
///   mlloop status
///   mlloop status --json | jq .production
///
/// Exit status: 0 a version is in production, 1 none yet, 2 error.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {}

pub(crate) fn run(_args: &Args, ctx: &Context, out: &mut Output) -> Result<Outcome> {
    let config = ctx.workspace.config()?;
    let registry = ctx.workspace.registry();
    let roles = registry.roles()?;
    let mut versions = Vec::new();
    for version in registry.versions()? {
        let manifest = registry.manifest(version)?;
        versions.push(Listed { version, role: roles.role_of(version), manifest });
    }
    let chain = ctx.workspace.audit_chain()?;
    let judged = chain.last_of(|_, _: &GateVerdict| true)?;
    let since = judged.as_ref().map_or(0, |(entry, _)| entry.seq);
    let back = |entry: &&Entry| entry.seq > since && entry.event == EventKind::RolledBack;
    let status = Status {
        reference: config.data.reference.display().to_string(),
        target: config.target.column,
        production: roles.production,
        challenger: roles.challenger,
        versions,
        monitor: ctx.workspace.last_run("monitor")?.as_ref().map(LastMonitor::from),
        gate: judged.map(|(entry, said)| LastVerdict::of(entry, said)),
        since: chain.entries.iter().rfind(back).map(RolledBack::from),
        pending: gate::pending(&ctx.workspace)?,
        experiment: Experiment::load(&ctx.workspace)?
            .filter(|found| found.applies(roles.production))
            .as_ref()
            .map(Running::from),
        retrain: progress(&ctx.workspace, roles.production, ctx.now)?,
        decides: config.promote.metric,
    };
    out.answer(&status, |style| readable(&status, ctx.now, style))?;
    Ok(if roles.production.is_some() { Outcome::Yes } else { Outcome::No })
}

/// The experiment in one line.
fn experiment_line(experiment: &Running) -> String {
    let arm = |arm: &Share| format!("{} {} {:.1} %", arm.name, arm.version, 100.0 * arm.weight);
    let arms: Vec<String> = experiment.arms.iter().map(arm).collect();
    let what = if experiment.is_rollout { "rollout" } else { "experiment" };
    format!("{what} {} is running: {}; see `mlloop ab-status`\n", name(&experiment.name), arms.join(" · "))
}

/// The progress of each reason to retrain.
fn triggers(progress: &Progress) -> String {
    let mut text = String::from("\nreasons to retrain:\n");
    progress.notes.iter().for_each(|note| text.push_str(&format!("  note: {note}\n")));
    for trigger in &progress.triggers {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {:<16} {}", trigger.name, standing(trigger));
    }
    text
}

fn standing(trigger: &Standing) -> String {
    let plain = |value: f64| match value.fract() == 0.0 && value >= 0.0 {
        true if value < 1e9 => grouped(value as u64),
        // Huge values are shown without decimals.
        _ if value >= 1e6 => format!("{value:.1e}"),
        _ => format!("{value:.4}"),
    };
    let Standing { count, threshold, remaining, progress_percent, fired, as_of, .. } = trigger;
    // The value is beyond its limit, but not significant, too small to matter, or measured on too few rows.
    let is_held_back = !*fired && remaining.is_some_and(|remaining| remaining <= 0.0);
    let why = match &trigger.text {
        Some(text) if is_held_back => format!(" ({text})"),
        _ => String::new(),
    };
    if let (Some(value), Some(limit), true) = (count, threshold, trigger.is_on) {
        let (p, value, limit) = (p_value(Some(*value)), plain(*value), plain(*limit));
        let fired = if *fired { "fired" } else { "not fired" };
        match trigger.name.as_str() {
            // These two fire below their limit.
            "score_drift" => return format!("p {p}, can fire at {limit} or below: {fired}{why}"),
            "recent_accuracy" => return format!("accuracy {value}, can fire below {limit}: {fired}{why}"),
            _ => {}
        }
    }
    let evidence = trigger.name == "metric_drop";
    let number = |value: f64| if evidence { format!("evidence {}", plain(value)) } else { plain(value) };
    let limit = threshold.map_or_else(String::new, |threshold| format!(" of {}", plain(threshold)));
    let needs = threshold.map_or_else(String::new, |threshold| format!(", fires at {}", number(threshold)));
    match (count, remaining.zip(*progress_percent)) {
        _ if !trigger.is_on => "off".to_owned(),
        (None, _) if as_of.is_none() => format!("not measured yet{needs}"),
        (None, _) => format!("no data{needs}"),
        (Some(count), Some(_)) if *fired => format!("{}{limit} (100 %), fired", number(*count)),
        (Some(count), Some(_)) if is_held_back => format!("{}{limit}, not fired{why}", number(*count)),
        (Some(count), Some((remaining, percent))) => {
            format!("{}{limit} ({percent:.0} %), {} remain", number(*count), plain(remaining))
        }
        (Some(count), None) => format!("{}{limit}", number(*count)),
    }
}

/// The requests that wait for approval.
fn waiting(status: &Status, now: jiff::Timestamp, style: Style) -> String {
    let mut text = String::new();
    for ticket in &status.pending {
        let (until, state) = match ticket.due_at {
            _ if now >= ticket.expires_at => (ticket.expires_at, "expired"),
            Some(due) => (due, "goes into production, unless rejected, at"),
            None => (ticket.expires_at, "waits for approval until"),
        };
        let until = until.strftime("%Y-%m-%d %H:%M UTC");
        let id = style.bold(&ticket.id);
        let _ = match ticket.asks {
            Asks::Promotion => {
                writeln!(text, "{id} {state} {until}: {} instead of {}", ticket.version, ticket.production)
            }
            Asks::Retraining => writeln!(text, "{id} {state} {until}: {}", ticket.sentence),
        };
    }
    text
}

/// Width of the table of versions before the metric.
const BEFORE_METRIC: usize = 48;

fn readable(status: &Status, now: jiff::Timestamp, style: Style) -> String {
    // Writing to a String cannot fail.
    let mut text = format!("target {}, reference {}\n", style.bold(&name(&status.target)), name(&status.reference));
    if status.versions.is_empty() {
        text.push_str("no version yet: run `mlloop train`\n");
        return text;
    }
    // If the table is wider than the terminal, omit the times.
    let metrics: Vec<String> = status.versions.iter().map(|listed| listed.manifest.headline(status.decides)).collect();
    let longest = metrics.iter().map(|metric| metric.chars().count()).max().unwrap_or(0);
    let with_times = style.width().is_none_or(|width| width >= BEFORE_METRIC + longest);
    let trained = if with_times { format!("{:<18}", "trained (UTC)") } else { String::new() };
    let _ = writeln!(text, "{}", style.dim(&format!("version  role        {trained}   rows  metric")));
    for (Listed { version, role, manifest }, metric) in status.versions.iter().zip(metrics) {
        let role = role.map_or_else(|| "-".to_owned(), |role| role.to_string());
        let at = manifest.trained_at.strftime("%Y-%m-%d %H:%M  ").to_string();
        let at = if with_times { at } else { String::new() };
        let _ = writeln!(text, "{version}    {role:<10}  {at}{:>7}  {metric}", grouped(manifest.rows.total()));
    }
    let day = |at: jiff::Timestamp| at.strftime("%Y-%m-%d %H:%M UTC").to_string();
    if let Some(found) = &status.monitor {
        let answer = match found.retrain.as_deref() {
            Some("yes") => "a reason to retrain",
            Some("no") => "no reason to retrain",
            _ => "cannot tell",
        };
        let of = found.version.as_deref().unwrap_or("no version");
        let other = status.production.filter(|production| production.to_string() != of);
        let other =
            other.map_or_else(String::new, |now| format!("; {now} is now in production and was not monitored yet"));
        let (n_drifted, at) = (found.n_drifted.unwrap_or(0), day(found.at));
        let columns = if n_drifted == 1 { "column" } else { "columns" };
        let _ = writeln!(text, "\nlast monitor: {of}: {answer}, {n_drifted} {columns} drifted, {at}{other}");
    }
    if let Some(gate) = &status.gate {
        let since = status.since.as_ref().map(|since| {
            let now = since.production.map(|version| version.to_string()).unwrap_or_default();
            format!("; rolled back to {now}, {}", day(since.at))
        });
        let version = |version: Option<Version>| version.map(|version| version.to_string()).unwrap_or_default();
        let (old, new) = (version(gate.production), version(gate.challenger));
        let verdict = gate.verdict.map_or("", Verdict::name);
        let decision = gate.decision.map_or("", Decision::name);
        let (at, since) = (day(gate.at), since.unwrap_or_default());
        let is_refused = (gate.verdict, gate.decision) == (Some(Verdict::Superior), Some(Decision::Refuse));
        let why = if is_refused { " (reports/gate_report.txt says why)" } else { "" };
        let line = format!("last gate: {new} against {old}: {verdict}, {decision}{why}, {at}{since}");
        let _ = writeln!(text, "{}{line}", if status.monitor.is_some() { "" } else { "\n" });
    }
    if status.production.is_some() {
        text.push_str(&triggers(&status.retrain));
    }
    text.push_str(&status.experiment.as_ref().map(experiment_line).unwrap_or_default());
    text.push_str(&waiting(status, now, style));
    text
}

#[cfg(test)]
mod tests {
    use super::standing;
    use mlloop::retrain::standing::Standing;

    #[test]
    fn what_is_beyond_all_doubt_needs_no_digits() {
        let of = |count: f64, fired| Standing {
            name: "metric_drop".to_owned(),
            is_on: true,
            count: Some(count),
            threshold: Some(20.0),
            remaining: Some(0.0),
            progress_percent: Some(100.0),
            fired,
            as_of: None,
            text: None,
        };
        assert_eq!(standing(&of(3.25e57, true)), "evidence 3.2e57 of 20 (100 %), fired");
        assert_eq!(standing(&of(1e300, false)), "evidence 1.0e300 of 20, not fired");
        assert_eq!(standing(&of(21.5, true)), "evidence 21.5000 of 20 (100 %), fired");
        assert_eq!(standing(&of(321.0, true)), "evidence 321 of 20 (100 %), fired");
        // An accuracy fires below its limit.
        let accuracy = |count: f64, fired| Standing {
            name: "recent_accuracy".to_owned(),
            threshold: Some(0.7),
            ..of(count, fired)
        };
        assert_eq!(standing(&accuracy(0.9039, false)), "accuracy 0.9039, can fire below 0.7000: not fired");
        assert_eq!(standing(&accuracy(0.5, true)), "accuracy 0.5000, can fire below 0.7000: fired");
        let p =
            |count: f64, fired| Standing { name: "score_drift".to_owned(), threshold: Some(0.01), ..of(count, fired) };
        assert_eq!(standing(&p(0.0396, false)), "p 0.040, can fire at 0.0100 or below: not fired");
        assert_eq!(standing(&p(0.0004, true)), "p < 0.001, can fire at 0.0100 or below: fired");
        let few = "the scores could not be compared: the reference has only 150 rows; 200 are needed in each table";
        let held_back = Standing { remaining: Some(0.0), text: Some(few.to_owned()), ..p(0.00001, false) };
        assert_eq!(standing(&held_back), format!("p < 0.001, can fire at 0.0100 or below: not fired ({few})"));
        let unknown = Standing { count: None, remaining: None, progress_percent: None, ..of(0.0, false) };
        assert_eq!(standing(&unknown), "not measured yet, fires at evidence 20");
    }
}
