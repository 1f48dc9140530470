//! How the rows of a loop are distinguished.

use super::ReferenceError;
use crate::journal::Layout;
use crate::table::{Batch, Schema, Values};
use std::borrow::Cow;

/// What names a row: its id, or in a loop without an id column its content, as in the prediction log.
///
/// Rows of equal content are one row, and say different things of it at different times: a label of such a row comes to the
/// reference beside the rows that are there, and corrects none of them.
#[derive(Debug, Clone, PartialEq)]
pub enum RowNames {
    /// The cells of this column.
    Id(String),
    /// [`Layout::made_up_id`] of the cells of the columns of this layout.
    Content(Layout),
}

impl RowNames {
    /// What names the rows of a loop with this schema, whose target is left out of their content.
    #[must_use]
    pub fn of(schema: &Schema, target: &str) -> Self {
        let layout = Layout::of_columns(schema, target);
        match layout.id() {
            Some(id) => Self::Id(id.to_owned()),
            None => Self::Content(layout),
        }
    }

    /// The id column, where there is one.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        match self {
            Self::Id(column) => Some(column),
            Self::Content(_) => None,
        }
    }

    /// The names of the rows of a batch, whose records were kept unless an id column names them. `columns` are those of the
    /// records.
    ///
    /// # Errors
    /// Without the id column.
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
