//! How the rows of a workspace are identified.

use super::ReferenceError;
use crate::journal::Layout;
use crate::table::{Batch, Schema, Values};
use std::borrow::Cow;

/// What identifies a row: its id, or without an id column its content, as in the prediction log.
///
/// Rows of equal content count as one row, but may have different labels at different times. A label of such a row is
/// added to the reference as another row, and corrects none.
#[derive(Debug, Clone, PartialEq)]
pub enum RowNames {
    /// The cells of this column.
    Id(String),
    /// [`Layout::made_up_id`] of the cells in the columns of this layout.
    Content(Layout),
}

impl RowNames {
    /// What identifies the rows of a workspace with this schema; the target is not part of their content.
    #[must_use]
    pub fn of(schema: &Schema, target: &str) -> Self {
        let layout = Layout::of_columns(schema, target);
        match layout.id() {
            Some(id) => Self::Id(id.to_owned()),
            None => Self::Content(layout),
        }
    }

    /// The id column, if there is one.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        match self {
            Self::Id(column) => Some(column),
            Self::Content(_) => None,
        }
    }

    /// The names of the rows of a batch, whose records must be kept unless there is an id column. `columns` are those
    /// of the records.
    ///
    /// # Errors
    /// If the id column is missing.
    pub(super) fn of_batch(
        &self,
        batch: &Batch,
        columns: &[String],
        delimiter: u8,
    ) -> Result<Vec<String>, ReferenceError> {
        let content = match self {
            Self::Id(column) => {
                let Values::Text(ids) = &batch.table.require(column)?.values else {
                    return Err(ReferenceError::Usage("the id column is not text".to_owned()));
                };
                return Ok(ids.iter().map(str::to_owned).collect());
            }
            Self::Content(content) => content,
        };
        let places: Vec<Option<usize>> =
            content.features().map(|name| columns.iter().position(|column| column == name)).collect();
        let name = |row: usize| {
            let mut cells = batch.raw.cells(row, delimiter);
            let take = |place: &Option<usize>| place.and_then(|at| cells.get_mut(at)).map(std::mem::take);
            content.made_up_id(&places.iter().map(take).map(Option::unwrap_or_default).collect::<Vec<Cow<str>>>())
        };
        Ok((0..batch.table.n_rows()).map(name).collect())
    }
}
