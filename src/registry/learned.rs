//! `learned_ids.bin` or `learned_rows.bin`: the rows that a version was trained on, which must not be used to evaluate
//! it.
//!
//! ```text
//! "mlloop ids 1\n"                      XXH3 of an id    XXH3 of an id    …    64 bits each, little-endian, ascending
//! "mlloop rows 1\n" ["a","b","c"] "\n"  digest of a row  digest of a row  …    of these columns, where rows have no ids
//! ```
//! Rows of the gate part are excluded: they are not used for training. Two of a million ids share a hash with
//! probability 3e-8.

use super::{Registry, RegistryError, Version};
use crate::atomic::{self, At};
use crate::features::duplicates::row_digest;
use crate::stats::random::hash64;
use crate::table::{Table, Texts};
use std::io;
use std::path::Path;

const IDS: &str = "learned_ids.bin";
const ROWS: &str = "learned_rows.bin";
const IDS_MAGIC: &[u8] = b"mlloop ids 1\n";
const ROWS_MAGIC: &[u8] = b"mlloop rows 1\n";
const SEED: u64 = 0x1D5;
/// If a smaller share of the rows is unique, content does not identify rows. The share is also the probability that a
/// new row differs from all training rows (Good and Turing).
const MIN_UNLIKE: f64 = 0.95;
/// Larger files cannot be part of a version: they are refused before they are read.
const MAX_BYTES: u64 = 1 << 33;

/// The rows that a version was fitted or tuned on, by id, or by content without ids.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Learned {
    /// Columns whose cells identify a row; empty with ids.
    columns: Vec<String>,
    /// Sorted, without duplicates.
    hashes: Vec<u64>,
}

impl Learned {
    /// The rows with these ids; empty ids are ignored.
    pub fn new<'a>(ids: impl Iterator<Item = &'a str>) -> Self {
        let mut hashes: Vec<u64> = ids.filter(|id| !id.is_empty()).map(hash).collect();
        hashes.sort_unstable();
        hashes.dedup();
        Self { columns: Vec::new(), hashes }
    }

    /// These rows of a table, by the content of `columns`; `None` if too many of them are equal, or a column is
    /// missing.
    #[must_use]
    pub fn by_content(table: &Table, rows: impl Iterator<Item = u32>, columns: &[&str]) -> Option<Self> {
        let digests = row_digest(table, columns).ok().filter(|_| !columns.is_empty())?;
        let mut hashes: Vec<u64> = rows.map(|row| digests[row as usize]).collect();
        let n_rows = hashes.len();
        hashes.sort_unstable();
        let n_unlike = hashes.chunk_by(|a, b| a == b).filter(|alike| alike.len() == 1).count();
        hashes.dedup();
        let names = columns.iter().map(|&name| name.to_owned()).collect();
        (n_unlike as f64 >= MIN_UNLIKE * n_rows as f64).then_some(Self { columns: names, hashes })
    }

    /// Whether the row with this id was a training row.
    #[must_use]
    pub fn has(&self, id: &str) -> bool {
        self.columns.is_empty() && self.holds(hash(id))
    }

    /// The columns that identify rows without ids; empty with ids.
    #[must_use]
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    fn is_by_content(&self) -> bool {
        !self.columns.is_empty()
    }

    /// Which rows of a table it was trained on; `None` if the table lacks the identifying columns.
    #[must_use]
    pub fn among(&self, table: &Table, ids: Option<&Texts>) -> Option<Vec<bool>> {
        if self.is_by_content() {
            let columns: Vec<&str> = self.columns.iter().map(String::as_str).collect();
            let digests = row_digest(table, &columns).ok()?;
            return Some(digests.into_iter().map(|digest| self.holds(digest)).collect());
        }
        Some(ids?.iter().map(|id| self.has(id)).collect())
    }

    fn holds(&self, hash: u64) -> bool {
        self.hashes.binary_search(&hash).is_ok()
    }

    /// Writes them into a version directory that is not visible yet.
    ///
    /// # Errors
    /// I/O errors.
    pub fn save(&self, dir: &Path) -> io::Result<()> {
        let file = if self.is_by_content() { ROWS } else { IDS };
        atomic::replace(&dir.join(file), |out| {
            if self.is_by_content() {
                out.write_all(ROWS_MAGIC)?;
                serde_json::to_writer(&mut *out, &self.columns)?;
                out.write_all(b"\n")?;
            } else {
                out.write_all(IDS_MAGIC)?;
            }
            self.hashes.iter().try_for_each(|hash| out.write_all(&hash.to_le_bytes()))
        })
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let (columns, hashes) = match bytes.strip_prefix(ROWS_MAGIC) {
            Some(rest) => {
                let end = rest.iter().position(|&byte| byte == b'\n')?;
                let columns: Vec<String> = serde_json::from_slice(&rest[..end]).ok()?;
                (Some(columns).filter(|columns| !columns.is_empty())?, &rest[end + 1..])
            }
            None => (Vec::new(), bytes.strip_prefix(IDS_MAGIC)?),
        };
        let (hashes, []) = hashes.as_chunks::<8>() else { return None };
        let hashes: Vec<u64> = hashes.iter().map(|bytes| u64::from_le_bytes(*bytes)).collect();
        hashes.is_sorted_by(|a, b| a < b).then_some(Self { columns, hashes })
    }
}

fn hash(id: &str) -> u64 {
    hash64(id.as_bytes(), SEED)
}

impl Registry {
    /// The rows that `version` was trained on; `None` if they are not recorded, or the version was removed.
    ///
    /// # Errors
    /// [`RegistryError::Damaged`], or I/O errors.
    pub fn learned(&self, version: Version) -> Result<Option<Learned>, RegistryError> {
        for file in [IDS, ROWS] {
            let path = self.dir.join(version.to_string()).join(file);
            let Some(bytes) = atomic::read_at_most(&path, MAX_BYTES).if_there().at(&path)? else { continue };
            self.check(version, &[file])?;
            let learned = Learned::parse(&bytes).filter(|learned| learned.is_by_content() == (file == ROWS));
            let what = if file == ROWS { "is not a list of rows" } else { "is not a list of ids" };
            return learned.map(Some).ok_or_else(|| RegistryError::Damaged { path, what: what.to_owned() });
        }
        Ok(None)
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests write what they damage")]
mod tests {
    use super::*;
    use crate::table::{Column, Values};

    #[test]
    fn ids_are_found_again_and_damage_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let registry = Registry::new(dir.path());
        let version = Version(1);
        assert_eq!(registry.learned(version).unwrap(), None);
        let learned = Learned::new(["b", "", "a", "b", "ü"].into_iter());
        let of_version = dir.path().join("v0001");
        std::fs::create_dir(&of_version).unwrap();
        learned.save(&of_version).unwrap();
        let read = registry.learned(version).unwrap().unwrap();
        assert_eq!(["a", "b", "ü", "", "c", "A"].map(|id| read.has(id)), [true, true, true, false, false, false]);
        let path = of_version.join(IDS);
        let whole = std::fs::read(&path).unwrap();
        assert_eq!(whole.len(), IDS_MAGIC.len() + 3 * 8);
        let mut moved = whole.clone();
        moved[IDS_MAGIC.len()..].reverse();
        for damaged in [&whole[..whole.len() - 1], &whole[1..], &moved] {
            std::fs::write(&path, damaged).unwrap();
            let message = registry.learned(version).unwrap_err().to_string();
            assert!(message.ends_with("learned_ids.bin: is not a list of ids"), "{message}");
        }
    }

    fn table(x: &[f64], y: &[f64]) -> Table {
        let number = |name, values: &[f64]| Column::new(name, Values::Number(values.to_vec()));
        Table::new(vec![number("x", x), number("y", y), number("t", y)]).unwrap()
    }

    #[test]
    fn rows_without_ids_are_found_by_their_content() {
        let dir = tempfile::tempdir().unwrap();
        let registry = Registry::new(dir.path());
        let x: Vec<f64> = (0..40).map(f64::from).collect();
        let learned = Learned::by_content(&table(&x, &x), 0..30, &["x", "y"]).unwrap();
        let of_version = dir.path().join("v0001");
        std::fs::create_dir(&of_version).unwrap();
        learned.save(&of_version).unwrap();
        let read = registry.learned(Version(1)).unwrap().unwrap();
        assert_eq!(read, learned);
        // A gate row, a row that differs in one cell, and a row with another target: only the last one was a training
        // row.
        let mut arrived = table(&[3.0, 35.0, 4.0, 5.0], &[3.0, 35.0, 4.5, 5.0]);
        assert_eq!(read.among(&arrived, None).unwrap(), [true, false, false, true]);
        assert!(!read.has("3"), "no id names a row here");
        arrived = Table::new(arrived.into_columns().into_iter().take(1).collect()).unwrap();
        assert_eq!(read.among(&arrived, None), None, "y is not there");
        assert_eq!(Learned::new(["a"].into_iter()).among(&arrived, None), None, "no ids");
    }

    #[test]
    fn content_names_no_row_where_many_are_alike() {
        // Two of 40 rows are equal: 38 are unique, which is just enough.
        let mut x: Vec<f64> = (0..40).map(f64::from).collect();
        x[1] = 0.0;
        assert!(Learned::by_content(&table(&x, &x), 0..40, &["x", "y"]).is_some());
        x[2] = 0.0;
        assert_eq!(Learned::by_content(&table(&x, &x), 0..40, &["x", "y"]), None);
        assert_eq!(Learned::by_content(&table(&x, &x), 0..40, &[]), None);
    }
}
