//! The chain of changes, and what was in production on a day.

use super::parts::Told;
use super::{Asked, rendered};
use crate::dashboard::shell::Shell;
use crate::dashboard::web::{Answer, Oops};
use crate::journal::Window;
use crate::registry::Roles;
use crate::workspace::clock::{InForce, Moved};
use askama::Template;
use std::iter;

/// Lines of one page.
const PER_PAGE: usize = 100;

#[derive(Template)]
#[template(path = "ui_audit.html")]
struct Page {
    shell: Shell,
    whole: bool,
    state: String,
    kinds: Vec<(String, String, bool)>,
    event: String,
    by: String,
    on: String,
    then: Option<String>,
    n: usize,
    lines: Vec<Told>,
    earlier: Option<usize>,
}

pub(super) fn page(asked: &Asked) -> Result<Answer, Oops> {
    let chain = asked.chain()?;
    let (event, by, on) = (asked.fields.get("event"), asked.fields.get("by"), asked.fields.get("on"));
    let then = match on {
        "" => None,
        text => {
            let at = Window::parse_instant(text).map_err(Oops::Bad)?;
            // A day is asked for as it ended.
            let at = if text.len() == 10 { at.checked_add(jiff::SignedDuration::from_hours(24))? } else { at };
            let now = asked.dashboard.now();
            let when = match at > now {
                true => "Now, before that day is over".to_owned(),
                false => format!("At the end of {text} (UTC)"),
            };
            let said = match chain.roles_at(at, now) {
                Some(InForce { entry, roles: Roles { production: Some(version), .. }, .. }) => {
                    format!("{when}: {version} was in production; line {} put it there or kept it.", entry.seq)
                }
                _ => format!("{when}: nothing was in production."),
            };
            let moved: Vec<String> = chain.moved_at(at, now).iter().map(Moved::sentence).collect();
            Some(iter::once(said).chain(moved).collect::<Vec<_>>().join(" "))
        }
    };
    let mut kinds: Vec<String> = chain.entries.iter().map(|entry| entry.event.to_string()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let fits = |entry: &&crate::workspace::audit::Entry| {
        (event.is_empty() || entry.event.to_string() == event)
            && (by.is_empty() || entry.by.as_deref().unwrap_or_default().contains(by))
    };
    let found: Vec<_> = chain.entries.iter().rev().filter(fits).collect();
    let from = usize::try_from(asked.fields.number("from").unwrap_or(0)).unwrap_or(0);
    let lines: Vec<Told> = found.iter().skip(from).take(PER_PAGE).map(|entry| Told::of(entry)).collect();
    rendered(&Page {
        shell: asked.shell("/ui/audit", "Audit")?,
        whole: chain.broken.is_none(),
        state: match &chain.broken {
            None => format!("The chain is whole: {} lines, each hash is right.", chain.entries.len()),
            Some(found) => format!("The chain is broken at line {}: {}", found.line, found.what),
        },
        kinds: kinds.into_iter().map(|kind| (kind.clone(), kind.replace('-', " "), kind == event)).collect(),
        event: event.to_owned(),
        by: by.to_owned(),
        on: on.to_owned(),
        then,
        n: found.len(),
        earlier: (from + PER_PAGE < found.len()).then_some(from + PER_PAGE),
        lines,
    })
}
