//! A second line for errors that have a usual way out.

use mlloop::atomic::AtPath;
use mlloop::registry::RegistryError;
use mlloop::source::SourceError;
use mlloop::table::TableError;
use std::io::ErrorKind;

/// What to do about `err`, when that is known: the first error of its chain that has a hint.
pub(crate) fn of(err: &anyhow::Error) -> Option<&'static str> {
    err.chain().find_map(|cause| {
        let table = cause.downcast_ref::<TableError>().and_then(of_table);
        let source = || cause.downcast_ref::<SourceError>().and_then(of_source);
        let registry = || cause.downcast_ref::<RegistryError>().and_then(of_registry);
        let system = || cause.downcast_ref::<AtPath>().and_then(of_system);
        table.or_else(source).or_else(registry).or_else(system)
    })
}

fn of_system(err: &AtPath) -> Option<&'static str> {
    match err.source.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            Some("make room on that disk, then run the same command again")
        }
        ErrorKind::PermissionDenied => {
            Some("`ls -l` shows who may read and write it; run as that user, or change its mode")
        }
        ErrorKind::ReadOnlyFilesystem => Some("the loop must be on a disk that can be written to"),
        _ => None,
    }
}

fn of_registry(err: &RegistryError) -> Option<&'static str> {
    match err {
        RegistryError::NoVersion { .. } => Some("`mlloop status` lists the versions and their roles"),
        RegistryError::NoProfile { .. } => Some("train again, or give --reference TABLE"),
        _ => None,
    }
}

fn of_source(err: &SourceError) -> Option<&'static str> {
    match err {
        SourceError::Unauthorized { kaggle: true, sent: false, .. } => Some(
            "make a token at https://www.kaggle.com/settings/api (\"Generate New Token\"), then `export KAGGLE_API_TOKEN=…` or save it in ~/.kaggle/access_token",
        ),
        SourceError::Unauthorized { kaggle: true, status: 403, .. } => Some(
            "open the data set's page in a browser: it may be private, or its terms are not accepted yet; else the token lacks the right",
        ),
        SourceError::Unauthorized { kaggle: true, .. } => {
            Some("the token or key is not valid any more: make one at https://www.kaggle.com/settings/api")
        }
        SourceError::NotFound { .. } => Some("check the spelling of owner, data set, file and version"),
        SourceError::GaveUp { .. } => Some("what has arrived is kept: the same command goes on from there"),
        SourceError::TooLarge { .. } => Some("--max-size allows more"),
        _ => None,
    }
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
