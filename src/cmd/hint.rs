//! A second line for errors with a known remedy.

use mlloop::atomic::AtPath;
use mlloop::labels::LabelError;
use mlloop::registry::RegistryError;
use mlloop::source::SourceError;
use mlloop::table::TableError;
use std::io::ErrorKind;

/// The hint of the first error in the chain of `err` that has one.
pub(crate) fn of(err: &anyhow::Error) -> Option<&'static str> {
    err.chain().find_map(|cause| {
        let table = cause.downcast_ref::<TableError>().and_then(of_table);
        let label = || cause.downcast_ref::<LabelError>().and_then(of_label);
        let source = || cause.downcast_ref::<SourceError>().and_then(of_source);
        let registry = || cause.downcast_ref::<RegistryError>().and_then(of_registry);
        let system = || cause.downcast_ref::<AtPath>().and_then(of_system);
        table.or_else(label).or_else(source).or_else(registry).or_else(system)
    })
}

fn of_system(err: &AtPath) -> Option<&'static str> {
    match err.source.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            Some("free space on that disk, then run the same command again")
        }
        ErrorKind::PermissionDenied => {
            Some("`ls -l` shows who may read and write it; run as that user, or change its permissions")
        }
        ErrorKind::ReadOnlyFilesystem => Some("put the loop on a writable disk"),
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
            "create a token at https://www.kaggle.com/settings/api (\"Generate New Token\"), then `export KAGGLE_API_TOKEN=…` or save it in ~/.kaggle/access_token",
        ),
        SourceError::Unauthorized { kaggle: true, status: 403, .. } => Some(
            "open the data set's page in a browser: it may be private, or you have not accepted its terms yet; otherwise the token lacks permission",
        ),
        SourceError::Unauthorized { kaggle: true, .. } => {
            Some("the token or key is no longer valid: create one at https://www.kaggle.com/settings/api")
        }
        SourceError::NotFound { .. } => Some("check the spelling of the owner, data set, file and version"),
        SourceError::GaveUp { .. } => Some("the downloaded part is kept: the same command resumes there"),
        SourceError::TooLarge { .. } => Some("raise the limit with --max-size"),
        _ => None,
    }
}

fn of_label(err: &LabelError) -> Option<&'static str> {
    match err {
        LabelError::Answer { .. } => Some(
            "correct the cell, or leave such answers out with --skip-invalid: label_inbox/rejected.csv lists them; an empty cell is no answer",
        ),
        _ => None,
    }
}

fn of_table(err: &TableError) -> Option<&'static str> {
    match err {
        TableError::Cell { .. } => Some(
            "correct the cell, add the text to [data] missing in mlloop.toml, or skip such rows with --skip-invalid",
        ),
        TableError::Record { .. } => Some("correct the record, or skip such rows with --skip-invalid"),
        TableError::MissingColumns { .. } => {
            Some("[columns] in mlloop.toml lists the columns; set one to \"ignore\" there if it no longer exists")
        }
        _ => None,
    }
}
