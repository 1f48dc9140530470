//! Versions and roles: trained models, and the one in production.
//!
//! ```text
//! candidate ──retrain──▶ challenger ──promote──▶ production ──promote(other)──▶ retired
//!                            └──reject──▶ rejected        ◀──────rollback──────────┘
//! ```
//! 1. At most one version is in production.
//! 2. A version's bytes never change: its directory is built beside and renamed into place.
//! 3. `roles.json` changes by rename, after the version it names is complete.

mod artifacts;
mod learned;
mod manifest;
mod profiles;
mod roles;
mod seal;

use crate::atomic::{At, AtPath};
pub use artifacts::{CURVES, artifacts, read_curves};
pub use learned::Learned;
pub use manifest::{DataDigest, Manifest, ModelFacts, RowCounts};
pub use profiles::{save_losses, save_profiles};
pub use roles::{Head, Role, Roles};
use seal::Sealed;
pub use seal::{Difference, Seals};

use crate::atomic;
use crate::pipeline::PipelineError;
use crate::wording::known_format;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Arc, Mutex};

/// The message that no version has a role, with the command that assigns it.
fn vacant(role: Role) -> &'static str {
    match role {
        Role::Production => "no version is in production: run `mlloop train` first",
        Role::Challenger => "there is no challenger: `mlloop retrain` trains one",
    }
}

/// Errors of a registry.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// A system error.
    #[error("{0}")]
    Io(#[from] AtPath),
    /// `roles.json` cannot be parsed.
    #[error("{}: {what}", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The problem.
        what: String,
    },
    /// A file of a version differs from the stored one.
    #[error(
        "{}: was changed after {version} was stored: its SHA-256 differs from the audit line; restore the file, or \
         train again (`mlloop audit verify --deep` lists every such file)",
        .path.display()
    )]
    Altered {
        /// The version.
        version: Version,
        /// The file.
        path: PathBuf,
    },
    /// A file in the directory of a version was not stored with it.
    #[error(
        "{}: was added after {version} was stored: the audit line does not list it; remove the file (`mlloop audit \
         verify --deep` lists every such file)",
        .path.display()
    )]
    Added {
        /// The version.
        version: Version,
        /// The file.
        path: PathBuf,
    },
    /// The pipeline of a version cannot be used.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    /// A version that was stored before profiles existed.
    #[error("{}: version {version} has no profile of its training rows", .path.display())]
    NoProfile {
        /// The version.
        version: Version,
        /// The missing file.
        path: PathBuf,
    },
    /// A version that does not exist.
    #[error("there is no version {version} in {}{}", .dir.display(), there_are(*.version, .have))]
    NoVersion {
        /// The requested version.
        version: Version,
        /// The models directory.
        dir: PathBuf,
        /// The versions that exist.
        have: Vec<Version>,
    },
    /// No version has the role.
    #[error("{}: {}", .dir.display(), vacant(*.role))]
    NoRole {
        /// The requested role.
        role: Role,
        /// The models directory.
        dir: PathBuf,
    },
    /// A name that is not that of a version.
    #[error("{0:?} is not a version: write v0001, v1 or 1")]
    NotAVersion(String),
}

fn there_are(version: Version, have: &[Version]) -> String {
    let names: Vec<String> = have.iter().map(ToString::to_string).collect();
    crate::wording::instead(&version.to_string(), names.iter().map(String::as_str))
}

/// The number of a version, written `v0001`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(try_from = "String", into = "String")]
pub struct Version(pub u32);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{:04}", self.0)
    }
}

impl FromStr for Version {
    type Err = RegistryError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.strip_prefix('v').unwrap_or(text);
        match digits.parse() {
            Ok(number) if number > 0 && digits.bytes().all(|b| b.is_ascii_digit()) => Ok(Self(number)),
            _ => Err(RegistryError::NotAVersion(text.to_owned())),
        }
    }
}

impl TryFrom<String> for Version {
    type Error = RegistryError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Version> for String {
    fn from(version: Version) -> Self {
        version.to_string()
    }
}

/// The `models/` directory of a workspace.
#[derive(Debug, Clone)]
pub struct Registry {
    dir: PathBuf,
    /// The audit file, whose lines contain the digests of the versions' files.
    audit: Option<PathBuf>,
    /// The result of its last read.
    sealed: Arc<Mutex<Option<Sealed>>>,
}

impl Registry {
    /// The registry in `dir`, which need not exist yet.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into(), audit: None, sealed: Arc::default() }
    }

    /// The same registry, whose files are verified by the digests in this audit file.
    #[must_use]
    pub fn audited(self, audit: impl Into<PathBuf>) -> Self {
        Self { audit: Some(audit.into()), ..self }
    }

    /// Every version, ascending.
    ///
    /// # Errors
    /// When the directory cannot be listed; a directory that does not exist has no version.
    pub fn versions(&self) -> Result<Vec<Version>, RegistryError> {
        let Some(entries) = std::fs::read_dir(&self.dir).if_there().at(&self.dir)? else { return Ok(Vec::new()) };
        let mut versions = Vec::new();
        for entry in entries {
            let name = entry.at(&self.dir)?.file_name();
            let Some(name) = name.to_str().filter(|n| n.starts_with('v')) else { continue };
            versions.extend(name.parse::<Version>().ok());
        }
        versions.sort_unstable();
        Ok(versions)
    }

    /// The directory of `version`.
    ///
    /// # Errors
    /// [`RegistryError::NoVersion`].
    pub fn path(&self, version: Version) -> Result<PathBuf, RegistryError> {
        let path = self.dir.join(version.to_string());
        match path.symlink_metadata().if_there().at(&path)? {
            Some(_) => Ok(path),
            None => Err(RegistryError::NoVersion { version, dir: self.dir.clone(), have: self.versions()? }),
        }
    }

    /// Stores the files written by `fill` as the next version, without a role. Call it under the workspace's lock.
    ///
    /// # Errors
    /// Errors of `fill` and I/O errors; nothing is left behind then.
    pub fn store(&self, fill: impl FnOnce(Version, &Path) -> io::Result<()>) -> Result<Version, RegistryError> {
        atomic::make_dirs(&self.dir).at(&self.dir)?;
        atomic::remove_leftovers(&self.dir).at(&self.dir)?;
        let version = Version(self.versions()?.last().map_or(0, |v| v.0) + 1);
        let path = self.dir.join(version.to_string());
        atomic::new_dir(&path, |dir| fill(version, dir)).at(path)?;
        Ok(version)
    }

    /// The versions that are production, challenger and predecessor, verified by the audit line that `roles.json`
    /// names.
    ///
    /// # Errors
    /// When `roles.json` exists and cannot be read, or was changed.
    pub fn roles(&self) -> Result<Roles, RegistryError> {
        self.held(self.roles_as_written()?)
    }

    /// The same, without verification by the audit file.
    ///
    /// # Errors
    /// When `roles.json` exists and cannot be read.
    pub fn roles_as_written(&self) -> Result<Roles, RegistryError> {
        let path = self.roles_path();
        let Some(bytes) = atomic::read(&path).if_there().at(&path)? else { return Ok(Roles::default()) };
        serde_json::from_slice(&bytes)
            .map_err(|err| format!("not the roles of a loop: {err}"))
            .and_then(|roles: Roles| known_format(roles.format, 1).map(|()| roles))
            .map_err(|what| RegistryError::Damaged { path, what })
    }

    /// The version with `role`.
    ///
    /// # Errors
    /// [`RegistryError::NoRole`] if there is none.
    pub fn holder(&self, role: Role) -> Result<Version, RegistryError> {
        self.roles()?.holder(role).ok_or_else(|| RegistryError::NoRole { role, dir: self.dir.clone() })
    }

    /// Replaces `roles.json`. Changes of roles go through the audit chain (`Workspace::record`), which calls this.
    pub(crate) fn set_roles(&self, roles: &Roles) -> Result<(), RegistryError> {
        let path = self.roles_path();
        Ok(atomic::replace_json(&path, roles).at(path)?)
    }

    fn roles_path(&self) -> PathBuf {
        self.dir.join("roles.json")
    }
}

#[cfg(test)]
#[path = "fitted_tests.rs"]
mod fitted;
#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests write what they damage")]
mod tests {
    use super::*;

    fn store(registry: &Registry) -> (Version, Role) {
        let version = registry.store(|version, dir| std::fs::write(dir.join("name"), version.to_string())).unwrap();
        let (roles, role) = registry.roles().unwrap().admit(version, true);
        registry.set_roles(&roles).unwrap();
        (version, role)
    }

    #[test]
    fn the_first_version_is_production_and_the_next_a_challenger() {
        let dir = tempfile::tempdir().unwrap();
        let registry = Registry::new(dir.path().join("models"));
        assert_eq!(store(&registry), (Version(1), Role::Production));
        assert_eq!(store(&registry), (Version(2), Role::Challenger));
        assert_eq!(store(&registry), (Version(3), Role::Challenger));
        assert_eq!(registry.versions().unwrap(), [Version(1), Version(2), Version(3)]);
        assert_eq!(registry.holder(Role::Production).unwrap(), Version(1));
        assert_eq!(registry.holder(Role::Challenger).unwrap(), Version(3));
    }

    #[test]
    fn versions_are_in_order_however_the_directory_lists_them_and_each_has_its_role() {
        let dir = tempfile::tempdir().unwrap();
        let registry = Registry::new(dir.path().join("models"));
        for n in [12, 3, 10_000, 1, 7, 9_999, 2] {
            std::fs::create_dir_all(dir.path().join("models").join(Version(n).to_string())).unwrap();
        }
        let found: Vec<u32> = registry.versions().unwrap().iter().map(|version| version.0).collect();
        assert_eq!(found, [1, 2, 3, 7, 12, 9_999, 10_000]);
        assert_eq!(store(&registry).0, Version(10_001));
        let roles = Roles { production: Some(Version(3)), challenger: Some(Version(7)), ..Roles::default() };
        let found = [3, 7, 12].map(|n| roles.role_of(Version(n)));
        assert_eq!(found, [Some(Role::Production), Some(Role::Challenger), None]);
        // Storing the first version creates the directory, and so does writing roles.
        let other = Registry::new(dir.path().join("another/models"));
        other.set_roles(&roles).unwrap();
        assert_eq!(other.roles().unwrap(), roles);
    }

    #[test]
    fn a_failed_store_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let registry = Registry::new(dir.path());
        let failed = registry.store(|_, dir| {
            std::fs::write(dir.join("model.bin"), "half")?;
            Err(io::Error::other("disk full"))
        });
        assert!(failed.unwrap_err().to_string().ends_with("disk full"));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
        // A process that dies while it stores a version leaves no version either.
        std::fs::create_dir(dir.path().join(".mlloop-half")).unwrap();
        registry.store(|_, dir| std::fs::write(dir.join("model.bin"), "whole")).unwrap();
        let left: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["v0001"]);
    }

    #[test]
    fn versions_are_written_in_several_ways() {
        for text in ["v0007", "v7", "7"] {
            assert_eq!(text.parse::<Version>().unwrap(), Version(7));
        }
        for text in ["", "v", "0", "v0", "+7", "vv7", "latest"] {
            assert!(text.parse::<Version>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_damaged_roles_file_is_an_error_with_its_path() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("roles.json"), "{").unwrap();
        let message = Registry::new(dir.path()).roles().unwrap_err().to_string();
        assert!(message.contains("roles.json: not the roles of a loop"), "{message}");
    }
}
