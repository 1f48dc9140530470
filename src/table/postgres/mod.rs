//! Tables of PostgreSQL, by their address: `postgres://USER@HOST/DATABASE/TABLE`.
//!
//! ```text
//! COPY (SELECT …) TO STDOUT ─▶ CSV ─▶ the reader of every table: types and errors are the same as for a file
//! scored rows ─▶ COPY into a temporary table ─▶ INSERT … ON CONFLICT (id) DO UPDATE ─▶ COMMIT
//! ```
//! An address contains no password, so it may be in `mlloop.toml`, in reports and in the log.

#[cfg(not(feature = "postgres"))]
mod absent;
#[cfg_attr(not(feature = "postgres"), allow(dead_code, reason = "addresses are only refused"))]
mod address;
#[cfg(feature = "postgres")]
mod connect;
#[cfg_attr(not(feature = "postgres"), allow(dead_code, reason = "nobody logs in"))]
mod login;
#[cfg(feature = "postgres")]
mod lines;
#[cfg(feature = "postgres")]
mod read;
#[cfg(feature = "postgres")]
mod tls;
#[cfg(feature = "postgres")]
mod write;

#[cfg(not(feature = "postgres"))]
pub use absent::{Lines, RowWriter};
pub use address::is_address;
#[cfg(feature = "postgres")]
pub use lines::Lines;
pub use login::{Login, log_in_as};
#[cfg(feature = "postgres")]
pub use write::RowWriter;

use super::{Input, TableError};
use address::Address;
use std::path::Path;

#[cfg(not(feature = "postgres"))]
const ABSENT: &str = "this mlloop was built without PostgreSQL: build it with --features postgres";

/// The result of writing rows to a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Written {
    /// Rows received.
    pub n_rows: u64,
    /// Rows of the table that are new or replaced; fewer if an id was received more than once.
    pub n_ids: u64,
    /// Whether the table was created for them.
    pub made: bool,
}

/// A line of a table of lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumberedLine {
    /// Its number: later lines have higher numbers.
    pub number: i64,
    /// SHA-256 of its text.
    pub sha256: String,
    /// The text.
    pub text: String,
}

/// Why lines were not added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The server's message.
    pub what: String,
    /// Whether they may be stored nevertheless: the connection was lost during the commit.
    pub may_be_there: bool,
}

/// An address in a form without secrets; a file name unchanged.
#[must_use]
pub fn shown(path: &Path) -> String {
    match (is_address(path), Address::parse(path)) {
        (false, _) => path.display().to_string(),
        (true, Ok(address)) => address.shown(),
        // An invalid address may contain a password anywhere.
        (true, Err(_)) => "postgres://…".to_owned(),
    }
}

/// The name for a file with the rows.
#[must_use]
pub fn file_name(path: &Path) -> Option<String> {
    Address::parse(path).ok().map(|address| address.file_name())
}

/// Opens the table at an address.
///
/// # Errors
/// Errors in the address, or of the server.
pub(crate) fn open(path: &Path) -> Result<Input, TableError> {
    let address = Address::parse(path).map_err(|what| TableError::File { file: shown(path), what })?;
    let name = address.shown();
    let wrong = |what| TableError::File { file: name.clone(), what };
    #[cfg(feature = "postgres")]
    return read::Rows::open(address).map(|rows| Input::from_records(&name, rows)).map_err(wrong);
    #[cfg(not(feature = "postgres"))]
    Err(wrong(ABSENT.to_owned()))
}
