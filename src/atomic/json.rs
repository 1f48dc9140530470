//! Files of one JSON value.

use serde::Serialize;
use std::io;
use std::path::Path;

/// Replaces `path` by a value as indented JSON, with a final newline. Creates its directory if missing.
///
/// # Errors
/// As [`super::replace`], and errors of serialization.
pub fn replace_json(path: &Path, value: &(impl Serialize + ?Sized)) -> io::Result<()> {
    let text = pretty(value)?;
    if let Some(dir) = path.parent() {
        super::make_dirs(dir)?;
    }
    super::replace(path, |out| out.write_all(&text))
}

/// A value as indented JSON, with a final newline.
///
/// # Errors
/// Errors of serialization.
pub fn pretty(value: &(impl Serialize + ?Sized)) -> io::Result<Vec<u8>> {
    let mut text = serde_json::to_vec_pretty(value)?;
    text.push(b'\n');
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_written_for_people_in_a_folder_that_is_made() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b/c.json");
        for value in [1, 2] {
            replace_json(&path, &[value]).unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("[\n  {value}\n]\n"));
        }
    }
}
