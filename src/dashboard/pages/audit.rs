//! The audit chain, and which version was in production on a given day.

use super::parts::Told;
use super::{Asked, rendered};
use crate::dashboard::shell::{Shell, when};
use crate::dashboard::web::{Answer, Oops};
use crate::journal::Window;
use crate::registry::Roles;
use crate::report::number::counted;
use crate::workspace::audit::Chain;
use crate::workspace::clock::Moved;
use askama::Template;

/// Lines per page.
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
    then: Vec<String>,
    /// Lines with an earlier time than a line before them.
    clocks: Vec<String>,
    /// Lines after the break, which cannot be verified.
    unchecked: Vec<Told>,
    n: String,
    lines: Vec<Told>,
    earlier: Option<usize>,
}

pub(super) fn page(asked: &Asked) -> Result<Answer, Oops> {
    let chain = asked.chain()?;
    let (event, by, on) = (asked.fields.get("event"), asked.fields.get("by"), asked.fields.get("on"));
    let then = match on {
        "" => Vec::new(),
        text => in_production(asked, &chain, text)?,
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
            None => format!(
                "The chain is intact: {}, every hash is correct.",
                counted(chain.entries.len() as u64, "line", "lines")
            ),
            Some(found) => format!("The chain is broken at line {}: {}", found.line, found.what),
        },
        kinds: kinds.into_iter().map(|kind| (kind.clone(), kind.replace('-', " "), kind == event)).collect(),
        event: event.to_owned(),
        by: by.to_owned(),
        on: on.to_owned(),
        then,
        clocks: clocks(&chain),
        unchecked: unchecked(asked, &chain)?,
        n: counted(found.len() as u64, "line", "lines"),
        earlier: (from + PER_PAGE < found.len()).then_some(from + PER_PAGE),
        lines,
    })
}

/// The versions in production on a day or at a time, given by `text`.
fn in_production(asked: &Asked, chain: &Chain, text: &str) -> Result<Vec<String>, Oops> {
    let from = Window::parse_instant(text).map_err(Oops::Bad)?;
    let now = asked.dashboard.now();
    if from > now {
        return Ok(vec![format!("{text} is in the future: it is {} now.", when(now))]);
    }
    // A day ranges from midnight to midnight, UTC.
    let is_day = text.len() == 10;
    let until = if is_day { from.checked_add(jiff::SignedDuration::from_hours(24))? } else { from };
    let name = |roles: &Roles| roles.production.map_or_else(|| "nothing".to_owned(), |version| version.to_string());
    let mut last = chain.roles_at(from, now).map_or_else(|| "nothing".to_owned(), |found| name(found.roles));
    let at = if is_day { format!("At the beginning of {text} (UTC)") } else { format!("At {}", when(from)) };
    let mut told = vec![format!("{at} {last} was in production.")];
    let within = chain.entries.iter().zip(chain.times(now)).filter(|(_, since)| *since > from && *since < until);
    for (entry, since) in within {
        let Some(roles) = &entry.roles else { continue };
        let then = name(roles);
        if then != last {
            told.push(format!("From {} on, {then} was in production (line {}).", when(since), entry.seq));
            last = then;
        }
    }
    let end = if is_day { until.min(now) } else { from };
    told.extend(chain.moved_at(end, now).iter().map(Moved::sentence));
    Ok(told)
}

fn clocks(chain: &Chain) -> Vec<String> {
    let back = chain.clock_went_back();
    let told = back.iter().take(20).map(|back| {
        format!(
            "The clock went back: line {} has the time {}, the earlier line {} has {}.",
            back.line,
            when(back.at),
            back.after_line,
            when(back.after)
        )
    });
    told.collect()
}

/// The entries from the break on, newest first.
fn unchecked(asked: &Asked, chain: &Chain) -> Result<Vec<Told>, Oops> {
    let Some(broken) = &chain.broken else { return Ok(Vec::new()) };
    let lines = asked.dashboard.workspace.audit_unchecked(broken.line, PER_PAGE)?;
    let told = lines.into_iter().rev().map(|(seq, entry)| match entry {
        Some(entry) => Told { seq, ..Told::of(&entry) },
        None => Told {
            seq,
            at: String::new(),
            by: String::new(),
            event: "damaged".to_owned(),
            text: "this is not a line of an audit chain".to_owned(),
        },
    });
    Ok(told.collect())
}
