//! `learned_ids.bin`: the rows that a version learned from, so that their outcomes are never held against it.
//!
//! ```text
//! "mlloop ids 1\n"  XXH3 of an id  XXH3 of an id  …        64 bits each, little-endian, ascending
//! ```
//! Rows of the gate part are not among them: nothing is learned from those. Two of a million ids share a hash with
//! probability 3e-8.

use super::{Registry, RegistryError, Version};
use crate::atomic;
use crate::stats::random::hash64;
use std::io;
use std::path::Path;

const FILE: &str = "learned_ids.bin";
const MAGIC: &[u8] = b"mlloop ids 1\n";
const SEED: u64 = 0x1D5;
/// Files larger than this are not a version's: refused before they are read.
const MAX_BYTES: u64 = 1 << 33;

/// The ids of the rows that a version was fitted or tuned on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Learned {
    /// Ascending, each once.
    hashes: Vec<u64>,
}

impl Learned {
    /// These rows; an empty id names none.
    pub fn new<'a>(ids: impl Iterator<Item = &'a str>) -> Self {
        let mut hashes: Vec<u64> = ids.filter(|id| !id.is_empty()).map(hash).collect();
        hashes.sort_unstable();
        hashes.dedup();
        Self { hashes }
    }

    /// Whether the version learned from the row of this id.
    #[must_use]
    pub fn has(&self, id: &str) -> bool {
        self.hashes.binary_search(&hash(id)).is_ok()
    }

    /// Writes them into a version directory that nobody can see yet.
    ///
    /// # Errors
    /// Whatever the system says.
    pub fn save(&self, dir: &Path) -> io::Result<()> {
        atomic::replace(&dir.join(FILE), |out| {
            out.write_all(MAGIC)?;
            self.hashes.iter().try_for_each(|hash| out.write_all(&hash.to_le_bytes()))
        })
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let (hashes, []) = bytes.strip_prefix(MAGIC)?.as_chunks::<8>() else { return None };
        let hashes: Vec<u64> = hashes.iter().map(|bytes| u64::from_le_bytes(*bytes)).collect();
        hashes.is_sorted_by(|a, b| a < b).then_some(Self { hashes })
    }
}

fn hash(id: &str) -> u64 {
    hash64(id.as_bytes(), SEED)
}

impl Registry {
    /// The rows that `version` learned from; `None` when they have no ids, or the version is not there any more.
    ///
    /// # Errors
    /// [`RegistryError::Damaged`], or what the system says.
    pub fn learned(&self, version: Version) -> Result<Option<Learned>, RegistryError> {
        let path = self.dir.join(version.to_string()).join(FILE);
        let bytes = match atomic::read_at_most(&path, MAX_BYTES) {
            Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(None),
            read => read.map_err(|source| RegistryError::Io { path: path.clone(), source })?,
        };
        self.check(version, &[FILE])?;
        let learned = Learned::parse(&bytes);
        learned.map(Some).ok_or_else(|| RegistryError::Damaged { path, what: "is not a list of ids".to_owned() })
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests write what they damage")]
mod tests {
    use super::*;

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
        let path = of_version.join(FILE);
        let whole = std::fs::read(&path).unwrap();
        assert_eq!(whole.len(), MAGIC.len() + 3 * 8);
        let mut moved = whole.clone();
        moved[MAGIC.len()..].reverse();
        for damaged in [&whole[..whole.len() - 1], &whole[1..], &moved] {
            std::fs::write(&path, damaged).unwrap();
            let message = registry.learned(version).unwrap_err().to_string();
            assert!(message.ends_with("learned_ids.bin: is not a list of ids"), "{message}");
        }
    }
}
