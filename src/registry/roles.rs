//! `roles.json`: pointers to versions.

use super::Version;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A role that at most one version holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The version that answers requests.
    Production,
    /// The version that may replace it.
    Challenger,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Production => "production",
            Self::Challenger => "challenger",
        })
    }
}

/// Which version holds which role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Roles {
    /// Version of this file's format: 1.
    pub format: u32,
    /// The version in production.
    pub production: Option<Version>,
    /// The challenger.
    pub challenger: Option<Version>,
    /// Previous production versions, latest last.
    pub previous: Vec<Version>,
    /// The last line of the audit chain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit: Option<Head>,
}

/// Where the audit chain ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// Number of the last line, from 1.
    pub seq: u64,
    /// Its hash.
    pub hash: String,
}

impl Default for Roles {
    fn default() -> Self {
        Self { format: 1, production: None, challenger: None, previous: Vec::new(), audit: None }
    }
}

impl Roles {
    /// The version with `role`.
    #[must_use]
    pub fn holder(&self, role: Role) -> Option<Version> {
        match role {
            Role::Production => self.production,
            Role::Challenger => self.challenger,
        }
    }

    /// The role of `version`, when it has one.
    #[must_use]
    pub fn role_of(&self, version: Version) -> Option<Role> {
        [Role::Production, Role::Challenger].into_iter().find(|&role| self.holder(role) == Some(version))
    }

    /// How these roles differ from those recorded in the audit line `line`, as a clause; `None` if they are the same.
    #[must_use]
    pub fn differ(&self, line: u64, recorded: &Self) -> Option<String> {
        let name =
            |version: Option<Version>| version.map_or_else(|| "no version".to_owned(), |version| version.to_string());
        let of = |role: Role| {
            let (here, there) = (self.holder(role), recorded.holder(role));
            (here != there).then(|| format!("{role} is {} here and {}", name(here), name(there)))
        };
        let previous =
            || (self.previous != recorded.previous).then(|| "previous versions differ from those".to_owned());
        let what = of(Role::Production).or_else(|| of(Role::Challenger)).or_else(previous)?;
        Some(format!(
            "was changed: {what} in line {line} of audit.jsonl; remove the file, and the next command restores it from \
             the chain"
        ))
    }

    /// The roles after a new version was stored: it is production if there is none and it is `fit`, else the
    /// challenger.
    #[must_use]
    pub fn admit(mut self, version: Version, fit: bool) -> (Self, Role) {
        if self.production.is_none() && fit {
            self.production = Some(version);
            (self, Role::Production)
        } else {
            self.challenger = Some(version);
            (self, Role::Challenger)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_role_that_differs_is_named_with_both_versions() {
        let roles = |production: u32, challenger: Option<u32>, previous: &[u32]| Roles {
            production: Some(Version(production)),
            challenger: challenger.map(Version),
            previous: previous.iter().copied().map(Version).collect(),
            ..Roles::default()
        };
        let recorded = roles(2, Some(3), &[1]);
        assert_eq!(roles(2, Some(3), &[1]).differ(7, &recorded), None);
        for (changed, says) in [
            (roles(4, None, &[]), "production is v0004 here and v0002 in line 7"),
            (roles(2, None, &[]), "challenger is no version here and v0003 in line 7"),
            (roles(2, Some(3), &[]), "previous versions differ from those in line 7"),
        ] {
            let said = changed.differ(7, &recorded).unwrap();
            assert!(said.contains(says) && said.contains("remove the file"), "{said}");
        }
    }
}
