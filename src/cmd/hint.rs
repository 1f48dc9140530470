//! A second line for errors that have a usual way out.

use mlloop::ab::AbError;
use mlloop::gate::GateError;
use mlloop::init::InitError;
use mlloop::pipeline::PipelineError;
use mlloop::predict::PredictError;
use mlloop::profile::ProfileError;
use mlloop::registry::RegistryError;
use mlloop::source::SourceError;
use mlloop::table::TableError;
use mlloop::train::TrainError;

/// What to do about `err`, when that is known.
pub(crate) fn of(err: &anyhow::Error) -> Option<&'static str> {
    if let Some(table) = table_error(err) {
        return of_table(table);
    }
    if let Some(source) = err.downcast_ref() {
        return of_source(source);
    }
    let registry = err.downcast_ref::<RegistryError>().or_else(|| match (err.downcast_ref(), err.downcast_ref()) {
        (Some(TrainError::Registry(registry)), _) | (_, Some(GateError::Registry(registry))) => Some(registry),
        _ => None,
    });
    match registry? {
        RegistryError::NoVersion { .. } => Some("`mlloop status` lists the versions and their roles"),
        RegistryError::NoProfile { .. } => Some("train again, or give --reference TABLE"),
        _ => None,
    }
}

/// The table problem inside `err`: the library's errors hand it on as it is.
fn table_error(err: &anyhow::Error) -> Option<&TableError> {
    if let Some(InitError::Table(table)) = err.downcast_ref() {
        return Some(table);
    }
    if let Some(AbError::Table(table)) = err.downcast_ref() {
        return Some(table);
    }
    if let Some(ProfileError::Table(table)) = err.downcast_ref() {
        return Some(table);
    }
    if let Some(SourceError::Table(table)) = err.downcast_ref() {
        return Some(table);
    }
    let pipeline = match (err.downcast_ref(), err.downcast_ref(), err.downcast_ref()) {
        (Some(TrainError::Pipeline(pipeline)), _, _)
        | (_, Some(PredictError::Pipeline(pipeline)), _)
        | (_, _, Some(GateError::Pipeline(pipeline))) => pipeline,
        _ => err.downcast_ref::<PipelineError>()?,
    };
    match pipeline {
        PipelineError::Table(table) => Some(table),
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
