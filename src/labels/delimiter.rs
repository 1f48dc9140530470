//! What separates the fields of the tables that people fill in.

use crate::workspace::Config;

/// Delimiters of tables that people fill in.
pub(super) const DELIMITERS: [u8; 4] = *b",;\t|";

/// The delimiter of the loop's table, if it is one of them; otherwise a comma.
pub(super) fn delimiter(config: &Config) -> u8 {
    DELIMITERS.into_iter().find(|byte| char::from(*byte) == config.data.delimiter).unwrap_or(b',')
}
