//! Findings about the run and the form of the table, besides those about single columns.

use super::arrive::Arrived;
use super::watch::Watch;
use super::{MonitorError, days};
use crate::drift::report::{Chunk, ChunkColumn, ColumnReport, ColumnVerdict, Finding, FindingKind};
use crate::drift::{ColumnPair, findings};
use crate::features::TextEncoder;
use crate::pipeline::unseen_name;
use crate::table::{Kind, place};

/// Why a missing column that production needs is not judged.
pub(super) const ABSENT: &str = "is not in the table";
/// Columns with a larger share of cells of another type are not judged.
pub(super) const MISFIT_SHARE: f64 = 0.05;

impl Watch<'_> {
    pub(super) fn findings(
        &self,
        pairs: &[ColumnPair],
        columns: &[ColumnReport],
        arrived: &Arrived,
    ) -> Result<Vec<Finding>, MonitorError> {
        let mut all = Vec::new();
        if arrived.profile.n_rows == 0 {
            let path = self.current_path();
            let text = match arrived.rejects.first.first() {
                Some(first) => {
                    format!("all {} rows of {} were left out; {first}", arrived.rejects.count, place::shown(&path))
                }
                None => format!("{} has no rows", place::shown(&path)),
            };
            all.push(finding(FindingKind::NothingArrived, None, text));
        }
        let run = if self.config.is_some() { self.workspace.last_run("monitor")? } else { None };
        if let Some(run) = run {
            let silence = days(run.at, self.request.now);
            if silence > self.settings.max_silence_days {
                let text = format!("monitor has not run since {} ({silence:.0} days)", run.at.strftime("%Y-%m-%d"));
                all.push(finding(FindingKind::NotRunSince, None, text));
            }
            all.extend(changes(&run.result["drifted"], columns));
        }
        all.extend(self.form(arrived));
        all.extend(self.skew()?);
        all.extend(self.coverage(arrived));
        all.extend(self.vocabulary(columns, arrived));
        // Shares of new words have their own finding; a score has no fixed range.
        let of_text = |name: &str| self.production.as_ref().is_some_and(|p| p.pipeline.text_of(name).is_some());
        let of_pair = |pair: &ColumnPair| {
            findings(pair)
                .into_iter()
                .filter(|found| found.kind != FindingKind::Range || !of_text(&pair.name))
                .collect::<Vec<_>>()
        };
        all.extend(pairs.iter().filter(|pair| pair.unfit.is_none()).flat_map(of_pair));
        Ok(all)
    }

    /// Texts with more new words (compared with training) than the gate rows have.
    fn vocabulary(&self, columns: &[ColumnReport], arrived: &Arrived) -> Vec<Finding> {
        let Some(production) = &self.production else { return Vec::new() };
        let found = |(column, _): (&str, &TextEncoder)| {
            let report = columns.iter().find(|report| report.name == unseen_name(column))?;
            let (now, then) = (report.current.mean?, report.reference.mean?);
            if report.verdict != ColumnVerdict::Drifted || now <= then {
                return None;
            }
            let such_as = arrived.words.named(column).map_or_else(String::new, |named| format!(", such as {named}"));
            let text = format!(
                "{:.1} % of the words are new (in fewer than two training rows), in the gate rows {:.1} %{such_as}",
                now * 100.0,
                then * 100.0
            );
            Some(finding(FindingKind::Vocabulary, Some(column), text))
        };
        production.pipeline.features.texts().filter_map(found).collect()
    }

    /// The share of a column's cells that have another type, and the message about them.
    pub(super) fn misfit(&self, column: &str, arrived: &Arrived) -> Option<(f64, String)> {
        let (count, first) = arrived.misfits.columns.get(column)?;
        let n = arrived.profile.n_rows.max(*count);
        let expected = match self.schema.column(column).map(|spec| spec.kind) {
            Some(Kind::Time) => "times written as in the reference",
            Some(Kind::Id) => "unambiguous ids",
            _ => "numbers",
        };
        let example = first.value.as_deref().unwrap_or_default();
        let text = format!("{count} of {n} cells are not {expected}, for example {example:?}, line {}", first.line);
        Some((*count as f64 / n as f64, text))
    }

    /// Whether so many cells of a column have another type that it cannot be judged.
    pub(super) fn is_misfit(&self, column: &str, arrived: &Arrived) -> bool {
        self.misfit(column, arrived).is_some_and(|(share, _)| share > MISFIT_SHARE)
    }

    /// Messages about columns that the table writes in another notation than the workspace reads, and that are judged
    /// nevertheless.
    pub(super) fn otherwise(&self) -> Vec<String> {
        self.written_otherwise().map(|(name, text)| format!("{name} {text}")).collect()
    }

    /// Messages about columns that the model reads and that cannot be judged because their cells have another type.
    pub(super) fn unfit(&self, arrived: &Arrived, columns: &[ColumnReport]) -> Vec<String> {
        let not_read = |name: &str| columns.iter().any(|column| column.name == name && column.not_read);
        let told = arrived
            .misfits
            .columns
            .keys()
            .filter(|name| !not_read(name))
            .filter_map(|name| Some((name, self.misfit(name, arrived)?)));
        let told =
            told.filter(|(_, (share, _))| *share > MISFIT_SHARE).map(|(name, (_, text))| format!("{name}: {text}"));
        arrived.absent.iter().map(|name| format!("{name}: {ABSENT}")).chain(told).collect()
    }

    /// Columns that are absent, new, or contain cells of another type.
    fn form(&self, arrived: &Arrived) -> Vec<Finding> {
        let mut all = Vec::new();
        if arrived.names.is_empty() {
            return all;
        }
        let target = self.config.as_ref().map_or("", |config| config.target.column.as_str());
        for column in self.schema.columns.iter().filter(|c| c.kind != Kind::Ignore && c.name != target) {
            if !arrived.names.contains(&column.name) {
                all.push(finding(FindingKind::MissingColumn, Some(&column.name), ABSENT.to_owned()));
            }
        }
        for name in arrived.names.iter().filter(|name| self.schema.column(name).is_none()) {
            all.push(finding(FindingKind::ExtraColumn, Some(name), "is not in the reference".to_owned()));
        }
        if arrived.unknown.n > 0 {
            let text = format!("{} outcomes are unknown to production: {}", arrived.unknown.n, arrived.unknown.first);
            all.push(finding(FindingKind::CategoricalValues, Some(target), text));
        }
        for (name, text) in self.written_otherwise() {
            all.push(finding(FindingKind::DataType, Some(name), text.to_owned()));
        }
        for name in arrived.misfits.columns.keys() {
            if let Some((_, text)) = self.misfit(name, arrived) {
                all.push(finding(FindingKind::DataType, Some(name), text));
            }
        }
        for column in &self.schema.columns {
            let bad = arrived.rejects.first.iter().filter(|reject| reject.column.as_ref() == Some(&column.name));
            let bad: Vec<_> = bad.collect();
            if let Some(first) = bad.first() {
                let text = format!("{} of the rejected rows do not fit its type, the first is {first}", bad.len());
                all.push(finding(FindingKind::DataType, Some(&column.name), text));
            }
        }
        all
    }
}

fn finding(kind: FindingKind, column: Option<&str>, text: String) -> Finding {
    Finding { kind, column: column.map(str::to_owned), text }
}

/// Columns that are drifted in the last piece but not in an earlier one, with the piece in which this began.
pub(super) fn onsets(history: &[Chunk]) -> Vec<Finding> {
    let drifted = |piece: &Chunk, name: &str| {
        piece.columns.iter().find(|column| column.name == name).and_then(|column| column.drifted)
    };
    let last = history.last().map_or(&[][..], |piece| &piece.columns);
    let onset = |column: &ChunkColumn| {
        // A piece that cannot be judged neither starts nor ends a drift.
        let judged = history.iter().filter_map(|piece| Some((piece, drifted(piece, &column.name)?))).rev();
        let mut first = None;
        for (piece, drifts) in judged {
            if !drifts {
                return first.map(|since: &Chunk| {
                    finding(FindingKind::Onset, Some(&column.name), format!("drifted since {}", since.name))
                });
            }
            first = Some(piece);
        }
        None
    };
    last.iter().filter(|column| column.drifted == Some(true)).filter_map(onset).collect()
}

/// Columns that started or stopped drifting since the last run.
fn changes(before: &serde_json::Value, columns: &[ColumnReport]) -> Vec<Finding> {
    let before: Vec<&str> = before.as_array().into_iter().flatten().filter_map(serde_json::Value::as_str).collect();
    let change = |column: &ColumnReport| match (&column.verdict, before.contains(&column.name.as_str())) {
        (ColumnVerdict::Drifted, false) => {
            Some(finding(FindingKind::Onset, Some(&column.name), "drifted; not drifted at the last run".to_owned()))
        }
        (ColumnVerdict::Stable, true) => {
            let text = "no longer drifted; drifted at the last run".to_owned();
            Some(finding(FindingKind::Recovery, Some(&column.name), text))
        }
        _ => None,
    };
    columns.iter().filter(|column| !column.not_read).filter_map(change).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drift_begins_with_the_first_piece_of_its_last_stretch() {
        let piece = |name: &str, drifted: [Option<bool>; 3]| Chunk {
            name: name.to_owned(),
            n_rows: 500,
            share: None,
            reason: None,
            columns: ["a", "b", "always"]
                .into_iter()
                .zip(drifted)
                .map(|(name, drifted)| ChunkColumn { name: name.to_owned(), statistic: None, drifted })
                .collect(),
        };
        let (yes, no) = (Some(true), Some(false));
        let history = [
            piece("1", [yes, no, yes]),
            piece("2", [no, no, yes]),
            piece("3", [yes, no, yes]),
            piece("4", [None, yes, yes]),
            piece("5", [yes, no, yes]),
        ];
        let found = onsets(&history);
        let told: Vec<(&str, &str)> = found.iter().map(|f| (f.column.as_deref().unwrap(), f.text.as_str())).collect();
        assert_eq!(told, [("a", "drifted since 3")]);
        assert!(onsets(&[]).is_empty());
    }
}
