//! `profile.json`, `scores.json`, `loss_*.bin`: the training data of a version, its scores on unseen rows, and its
//! errors on them.

use super::{Registry, RegistryError, Version};
use crate::atomic;
use crate::drift::Losses;
use crate::profile::Profile;
use std::io;
use std::path::Path;

const PROFILE: &str = "profile.json";
const SCORES: &str = "scores.json";
const LOSSES: [&str; 2] = ["loss_absolute.bin", "loss_squared.bin"];
/// Larger files cannot be part of a version: they are refused before they are read.
const MAX_BYTES: u64 = 1 << 30;

/// Writes both profiles into a version directory that is not visible yet.
///
/// # Errors
/// I/O errors.
pub fn save_profiles(dir: &Path, trained_on: &Profile, scores: &Profile) -> io::Result<()> {
    for (name, profile) in [(PROFILE, trained_on), (SCORES, scores)] {
        let json = profile.to_json()?;
        atomic::replace(&dir.join(name), |out| {
            out.write_all(&json)?;
            out.write_all(b"\n")
        })?;
    }
    Ok(())
}

/// Writes the error profile into a version directory that is not visible yet.
///
/// # Errors
/// I/O errors.
pub fn save_losses(dir: &Path, losses: &Losses) -> io::Result<()> {
    let bytes = losses.to_bytes().map_err(io::Error::other)?;
    for (name, bytes) in LOSSES.iter().zip(bytes) {
        atomic::replace(&dir.join(name), |out| out.write_all(&bytes))?;
    }
    Ok(())
}

impl Registry {
    /// The profile of the rows that `version` was trained on.
    ///
    /// # Errors
    /// [`RegistryError::NoProfile`] for a version stored before profiles existed, [`RegistryError::Damaged`].
    pub fn profile(&self, version: Version) -> Result<Profile, RegistryError> {
        self.read_profile(version, PROFILE)
    }

    /// The profile of the scores of `version` on its gate rows (its tune rows, if it had no gate).
    ///
    /// # Errors
    /// As [`Registry::profile`].
    pub fn score_profile(&self, version: Version) -> Result<Profile, RegistryError> {
        self.read_profile(version, SCORES)
    }

    /// The profile of the errors of `version`; `None` if it predicts classes or had too few gate rows.
    ///
    /// # Errors
    /// [`RegistryError::Damaged`].
    pub fn losses(&self, version: Version) -> Result<Option<Losses>, RegistryError> {
        let dir = self.path(version)?;
        let paths = LOSSES.map(|name| dir.join(name));
        if !paths[0].exists() {
            return Ok(None);
        }
        let [absolute, squared] = LOSSES.map(|name| self.read(version, name, MAX_BYTES));
        let (absolute, squared) = (absolute?, squared?);
        let losses = Losses::from_bytes([&absolute, &squared]);
        losses.map(Some).map_err(|err| RegistryError::Damaged { path: dir.join("loss_*.bin"), what: err.to_string() })
    }

    fn read_profile(&self, version: Version, name: &str) -> Result<Profile, RegistryError> {
        let path = self.path(version)?.join(name);
        match self.read(version, name, MAX_BYTES) {
            Err(RegistryError::Io(err)) if err.is_missing() => Err(RegistryError::NoProfile { version, path }),
            Err(err) => Err(err),
            Ok(bytes) => {
                Profile::from_json(&bytes).map_err(|err| RegistryError::Damaged { path, what: err.to_string() })
            }
        }
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests write what they damage")]
mod tests {
    use super::*;
    use crate::table::{Column, Table, Values};

    fn profile(values: &[f64]) -> Profile {
        Profile::of_table(&Table::new(vec![Column::new("x", Values::Number(values.to_vec()))]).unwrap())
    }

    #[test]
    fn both_profiles_are_read_as_they_were_written() {
        let dir = tempfile::tempdir().unwrap();
        let registry = Registry::new(dir.path());
        let (rows, scores) = (profile(&[1.0, 2.0, f64::NAN]), profile(&[0.5]));
        let version = registry.store(|_, dir| save_profiles(dir, &rows, &scores)).unwrap();
        let same = |read: Profile, written: &Profile| assert_eq!(read.to_json().unwrap(), written.to_json().unwrap());
        same(registry.profile(version).unwrap(), &rows);
        same(registry.score_profile(version).unwrap(), &scores);
        assert!(registry.losses(version).unwrap().is_none(), "it has no error profile");
        let at = |name: &str| dir.path().join("v0001").join(name);
        std::fs::write(at(PROFILE), "{").unwrap();
        assert!(matches!(registry.profile(version), Err(RegistryError::Damaged { .. })));
        std::fs::remove_file(at(SCORES)).unwrap();
        assert!(matches!(registry.score_profile(version), Err(RegistryError::NoProfile { .. })));
        // Damage does not look like absence.
        std::fs::write(at(LOSSES[0]), "x").unwrap();
        assert!(registry.losses(version).is_err());
    }

    #[test]
    fn what_is_known_of_errors_is_read_as_it_was_written() {
        let of = super::super::fitted::fitted(crate::features::Task::Regression);
        let (rows, y) = of.labelled.unwrap();
        let losses = Losses::learn(&of.pipeline, &rows, &y, 1).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let registry = Registry::new(dir.path());
        let version = registry.store(|_, dir| save_losses(dir, &losses)).unwrap();
        let read = registry.losses(version).unwrap().unwrap();
        assert_eq!(read.to_bytes().unwrap(), losses.to_bytes().unwrap());
        let [absolute, squared] = losses.to_bytes().unwrap();
        assert_ne!(absolute, squared);
        assert_eq!(std::fs::read(dir.path().join("v0001/loss_squared.bin")).unwrap(), squared);
    }
}
