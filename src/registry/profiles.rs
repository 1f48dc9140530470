//! `profile.json` and `scores.json`: what a version was trained on, and how it scored rows it never saw.

use super::{Registry, RegistryError, Version};
use crate::atomic;
use crate::profile::Profile;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

const PROFILE: &str = "profile.json";
const SCORES: &str = "scores.json";
/// Files larger than this are not a version's: refused before they are read.
const MAX_BYTES: u64 = 1 << 30;

/// Writes both profiles into a version directory that nobody can see yet.
///
/// # Errors
/// Whatever the system says.
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

impl Registry {
    /// The profile of the rows that `version` was trained on.
    ///
    /// # Errors
    /// [`RegistryError::NoProfile`] for a version stored before there were any, [`RegistryError::Damaged`].
    pub fn profile(&self, version: Version) -> Result<Profile, RegistryError> {
        self.read_profile(version, PROFILE)
    }

    /// The profile of the scores that `version` gave its gate rows (its tune rows, when it had no gate).
    ///
    /// # Errors
    /// As [`Registry::profile`].
    pub fn score_profile(&self, version: Version) -> Result<Profile, RegistryError> {
        self.read_profile(version, SCORES)
    }

    fn read_profile(&self, version: Version, name: &str) -> Result<Profile, RegistryError> {
        let path = self.path(version)?.join(name);
        let file = match File::open(&path) {
            Err(err) if err.kind() == io::ErrorKind::NotFound => {
                return Err(RegistryError::NoProfile { version, path });
            }
            opened => opened,
        };
        let mut bytes = Vec::new();
        match file.and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes)) {
            Err(source) => Err(RegistryError::Io { path, source }),
            Ok(n) if n as u64 > MAX_BYTES => {
                Err(RegistryError::Damaged { path, what: format!("is larger than {MAX_BYTES} bytes") })
            }
            Ok(_) => Profile::from_json(&bytes).map_err(|err| RegistryError::Damaged { path, what: err.to_string() }),
        }
    }
}
