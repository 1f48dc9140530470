//! Whether a classifier distinguishes the current rows from the reference.

use super::MonitorError;
use super::arrive::Arrived;
use super::reference::Reference;
use super::watch::Watch;
use crate::drift::multivariate;
use crate::drift::multivariate::{Asked, MAX_ROWS};
use crate::drift::report::Multivariate;
use crate::drift::settings::Preset;
use crate::table::{Input, Schema, read};
use std::path::Path;

/// Largest number of cells of both tables for which a classifier is trained without a request.
const QUICK_CELLS: u64 = 10_000_000;
/// Maximum number of cells in the rows that it then learns from.
const TAUGHT_CELLS: u64 = 1_000_000;
/// Maximum number of rows per side that it then learns from.
const QUICK_ROWS: usize = 5_000;

impl Watch<'_> {
    /// Whether a classifier distinguishes the two tables. Too little data is a note, not an error: the rest of the
    /// report remains valid.
    pub(super) fn multivariate(
        &self,
        compared_with: &Reference,
        arrived: &Arrived,
        notes: &mut Vec<String>,
    ) -> Result<Option<Multivariate>, MonitorError> {
        let Self { request, config, schema, .. } = self;
        let asked = request.multivariate;
        let configured = config.as_ref().map(|config| self.workspace.path(&config.data.reference));
        let current = self.current_path();
        let paths =
            request.reference.map(Path::to_owned).or(configured).filter(|path| {
                path != Path::new("-") && current != Path::new("-") && request.current_profile.is_none()
            });
        let reference = match paths {
            Some(path) if asked || self.is_quick(compared_with, arrived, [&path, &current]) => path,
            None if asked => {
                return Err(MonitorError::Usage("--multivariate reads both tables: name files".to_owned()));
            }
            _ => return Ok(None),
        };
        let options = self.read_options();
        let rows = |input: Input, schema: &Schema| Ok::<_, MonitorError>(read(input, schema, &options)?.table);
        let arrived = match request.current {
            // The content of a pipe, or of a database at one moment, is stored.
            Some(table) => table.open()?,
            None => Input::open(&current)?,
        };
        let names = schema.columns.iter().map(|column| &column.name);
        let target = config.as_ref().map(|config| &config.target.column);
        let entity = self.entity();
        let is_left_out = |name: &&String| Some(*name) == target || Some(name.as_str()) == entity || !self.reads(name);
        let ignored: Vec<String> = names.filter(is_left_out).cloned().collect();
        let most = if asked { MAX_ROWS } else { QUICK_ROWS };
        // The reference may have rows of a version that was rolled back: the classifier uses the same rows as the
        // columns.
        let reference = match (request.reference, config, &self.production) {
            (None, Some(config), Some(production)) => self.workspace.table_of(config, production.version)?,
            _ => Input::open(&reference)?,
        };
        let asked_of = Asked { ignore: &ignored, entity, most, seed: request.seed };
        match multivariate(&rows(reference, schema)?, &rows(arrived, self.current_schema())?, schema, &asked_of) {
            Err(err) if !asked && err.is_too_little() => Ok(None),
            Err(err) if err.is_too_little() => {
                notes.push(format!("--multivariate cannot tell: {err}"));
                Ok(None)
            }
            found => Ok(Some(found?)),
        }
    }

    /// Whether a classifier that was not requested is cheap: both tables are files that can be read again, the current
    /// rows are the whole file, and neither table is large.
    fn is_quick(&self, compared_with: &Reference, arrived: &Arrived, files: [&Path; 2]) -> bool {
        let Self { request, settings, .. } = self;
        let n_rows = [compared_with.profile.n_rows, arrived.profile.n_rows];
        let cells = |n: u64| n.saturating_mul(self.schema.columns.len() as u64);
        // It learns from a sample, so larger tables alone do not rule it out.
        let n_taught = n_rows.map(|n| n.min(QUICK_ROWS as u64));
        settings.preset == Preset::Default
            && settings.triggers.multivariate
            && (request.rolling, request.last) == (None, None)
            && n_rows.iter().all(|&n| n >= settings.min_rows)
            && cells(n_rows.iter().sum()) <= QUICK_CELLS
            && cells(n_taught.iter().sum()) <= TAUGHT_CELLS
            && files.iter().all(|path| path.is_file())
    }
}
