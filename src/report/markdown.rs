//! The report as Markdown, for a job summary or a comment on a pull request.

use super::number::{clean, fixed_or, p_value, percent, short};
use super::words;
use crate::drift::report::{ColumnReport, DriftReport};
use std::fmt::Write;

const MAX_COLUMNS: usize = 20;
const MAX_FINDINGS: usize = 10;

/// The verdict, the columns, the reasons and the findings.
pub(super) fn draw(report: &DriftReport) -> String {
    // Writing to a String cannot fail.
    let mut text = format!("**{}.** {}\n\n", words::headline(report), escaped(&report.verdict.sentence));
    let (share, of_what) = words::share(report);
    let share =
        share.map_or_else(|| "no column could be judged".to_owned(), |share| format!("{} {of_what}", percent(share)));
    let _ = writeln!(text, "| | |\n|---|---|\n| severity | {}: {share} |", words::severity(report.verdict.severity));
    for (name, side) in [("reference", &report.reference), ("current", &report.current)] {
        let _ = writeln!(text, "| {name} | {} |", escaped(&words::side(side)));
    }
    columns(report, &mut text);
    let fired: Vec<_> = report.triggers.iter().filter(|trigger| trigger.fired).collect();
    if !fired.is_empty() {
        text.push_str("\n### Reasons to retrain\n\n");
    }
    for trigger in fired {
        let limit = words::held(trigger);
        let _ = writeln!(text, "- {}{limit}: {}", code(&trigger.name), escaped(&trigger.text));
    }
    if !report.findings.is_empty() {
        text.push_str("\n### Findings\n\n");
    }
    for finding in report.findings.iter().take(MAX_FINDINGS) {
        let _ = writeln!(text, "- {}: {}", words::finding(finding.kind), escaped(&words::found(finding)));
    }
    if report.findings.len() > MAX_FINDINGS {
        let _ = writeln!(text, "- and {} more", report.findings.len() - MAX_FINDINGS);
    }
    text.replace('\u{a0}', " ").replace('−', "-")
}

fn columns(report: &DriftReport, text: &mut String) {
    let columns = words::drifted_first(report);
    if columns.is_empty() {
        return;
    }
    text.push_str("\n### Drift\n\n| column | verdict | method | statistic | p | PSI |\n|---|---|---|---:|---:|---:|\n");
    for column in columns.iter().take(MAX_COLUMNS) {
        row(column, text);
    }
    if columns.len() > MAX_COLUMNS {
        let _ = writeln!(text, "\nand {} more columns in the report", columns.len() - MAX_COLUMNS);
    }
}

fn row(column: &ColumnReport, text: &mut String) {
    let verdict = words::verdict_of(column).replace("drifted", "**drifted**");
    let _ = writeln!(
        text,
        "| {} | {verdict} | {} | {} | {} | {} |",
        code(&column.name),
        escaped(&column.method),
        fixed_or(column.statistic),
        escaped(&p_value(column.p_adjusted.or(column.p))),
        fixed_or(column.psi),
    );
}

/// A name as code, without links, mentions or tags.
pub(super) fn code(name: &str) -> String {
    // A vertical bar ends a table cell even inside code.
    format!("`{}`", short(name, 60).replace('`', "'").replace('|', "\\|"))
}

/// Text without Markdown, tags or mentions.
pub(super) fn escaped(text: &str) -> String {
    clean(text).chars().fold(String::new(), |mut out, c| {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '@' => out.push_str("&#64;"),
            '#' => out.push_str("&#35;"),
            '|' | '`' | '*' | '_' | '[' | ']' | '\\' | '~' => out.extend(['\\', c]),
            _ => out.push(c),
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_a_table_cannot_be_markup() {
        assert_eq!(escaped("a|b <img> @team #1 *x* [l](u)"), "a\\|b &lt;img&gt; &#64;team &#35;1 \\*x\\* \\[l\\](u)");
        assert_eq!(code("a`b|c"), "`a'b\\|c`");
        assert!(!escaped("\u{1b}[2J").contains('\u{1b}'));
    }
}
