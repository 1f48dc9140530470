//! A second line for errors that have a usual way out.

use mlloop::pipeline::PipelineError;
use mlloop::registry::RegistryError;
use mlloop::table::TableError;

/// What to do about `err`, when that is known.
pub(crate) fn of(err: &anyhow::Error) -> Option<&'static str> {
    err.chain().find_map(|cause| {
        if let Some(table) = cause.downcast_ref::<TableError>() {
            return of_table(table);
        }
        if let Some(PipelineError::Table(table)) = cause.downcast_ref() {
            return of_table(table);
        }
        match cause.downcast_ref()? {
            RegistryError::NoVersion { .. } => Some("`mlloop status` lists the versions and their roles"),
            _ => None,
        }
    })
}

fn of_table(err: &TableError) -> Option<&'static str> {
    match err {
        TableError::Cell { .. } => Some(
            "correct the cell, declare the text under [data] missing in mlloop.toml, or leave such rows out with --skip-invalid",
        ),
        TableError::Record { .. } => Some("correct the record, or leave such rows out with --skip-invalid"),
        TableError::MissingColumns { .. } => Some(
            "the columns are those of [columns] in mlloop.toml; set one to \"ignore\" there if it is gone for good",
        ),
        _ => None,
    }
}
