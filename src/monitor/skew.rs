//! Windows over a row's own past: their values for the current rows, and whether the served values agree.

use super::MonitorError;
use super::watch::Watch;
use crate::drift::report::{Finding, FindingKind};
use crate::journal::{Journal, Window};
use crate::past::{self, Beside, Skew};
use crate::table::Spool;

impl Watch<'_> {
    /// The values of production's windows in the rows of a table.
    pub(super) fn beside(&self, table: &Spool) -> Result<Beside, MonitorError> {
        let Some((windows, past)) = &self.past else { return Ok(Beside::default()) };
        let read = self.read_options();
        Ok(Beside::new(past::of_table(self.workspace, table.open()?, &self.schema, &read, (windows, past))?))
    }

    /// The same in logged rows.
    pub(super) fn beside_log(&self, window: &Window) -> Result<Beside, MonitorError> {
        let (Some((windows, past)), Some(production)) = (&self.past, &self.production) else {
            return Ok(Beside::default());
        };
        let log = (&production.pipeline.schema, &self.layout()?);
        Ok(Beside::new(past::of_log(self.workspace, window, log, (windows, past))?))
    }

    /// Windows whose logged values differ from those computed from all rows known by now: rows arrived late, or the
    /// serving program did not have them.
    pub(super) fn skew(&self) -> Result<Vec<Finding>, MonitorError> {
        let (Some((windows, _)), Some(production)) = (&self.past, &self.production) else { return Ok(Vec::new()) };
        let window = Window::since(production.manifest.trained_at);
        let mut beside = self.beside_log(&window)?;
        let mut found = vec![Skew::default(); windows.names().len()];
        Journal::of(self.workspace).scan(&window, &self.layout()?, true, |logged| {
            let Some(table) = &logged.features else { return Ok(()) };
            let computed = beside.next(table.n_rows());
            for (skew, computed) in found.iter_mut().zip(&computed) {
                if let Some(column) = table.column(&computed.name) {
                    skew.push(&column.values, &computed.values, |row| logged.version[row] == production.version);
                }
            }
            Ok::<(), MonitorError>(())
        })?;
        let told = |(name, skew): (&String, &Skew)| {
            let (logged, computed) = skew.first?;
            let text = format!(
                "{} of {} logged values differ from the values computed with all earlier rows; the first was logged \
                 as {} and is {}",
                skew.n_differ,
                skew.n,
                said(logged),
                said(computed)
            );
            let name = name.split(" = ").next().unwrap_or(name).to_owned();
            Some(Finding { kind: FindingKind::Skew, column: Some(name), text })
        };
        Ok(windows.names().iter().zip(&found).filter_map(told).collect())
    }
}

fn said(value: f64) -> String {
    if value.is_nan() { "missing".to_owned() } else { value.to_string() }
}
