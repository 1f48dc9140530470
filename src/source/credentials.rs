//! Kaggle credentials, from the same places and in the same order as Kaggle's own client.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use std::fmt;
use std::path::{Path, PathBuf};

/// The content of the `Authorization` header.
#[derive(Clone, PartialEq, Eq)]
pub enum Credentials {
    /// An API token.
    Token(String),
    /// A user name and a legacy key.
    Key {
        /// The user name.
        username: String,
        /// The key.
        key: String,
    },
}

/// Secrets are not printed.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Token(_) => "Token(…)",
            Self::Key { .. } => "Key(…)",
        })
    }
}

/// Credentials and their location.
#[derive(Debug, PartialEq, Eq)]
pub struct Found {
    /// The credentials.
    pub credentials: Credentials,
    /// A variable or a file.
    pub place: String,
    /// A remark on the location.
    pub note: Option<String>,
}

#[derive(Deserialize)]
struct KaggleJson {
    username: String,
    key: String,
}

impl Credentials {
    /// Reads `KAGGLE_API_TOKEN` (a token, or a file with one), `~/.kaggle/access_token`, `KAGGLE_USERNAME` and
    /// `KAGGLE_KEY`, and `kaggle.json` in `secrets` (the workspace's), `KAGGLE_CONFIG_DIR`, `~/.kaggle` or
    /// `~/.config/kaggle`.
    ///
    /// `variable` gives the value of an environment variable.
    ///
    /// # Errors
    /// A sentence, if `kaggle.json` is invalid, or if it is in the workspace and readable for others.
    pub fn find(variable: &dyn Fn(&str) -> Option<String>, secrets: &Path) -> Result<Option<Found>, String> {
        let set = |name: &str| variable(name).map(|v| v.trim().to_owned()).filter(|v| !v.is_empty());
        let token = |token: String, place: &str| {
            Some(Found { credentials: Self::Token(token), place: place.to_owned(), note: None })
        };
        if let Some(value) = set("KAGGLE_API_TOKEN") {
            let value = match Path::new(&value).is_file() {
                true => first_line(Path::new(&value)).unwrap_or_default(),
                false => value,
            };
            if !value.is_empty() {
                return Ok(token(value, "KAGGLE_API_TOKEN"));
            }
        }
        let home = set("HOME").map(PathBuf::from);
        for name in ["access_token", "access_token.txt"] {
            let path = home.as_ref().map(|home| home.join(".kaggle").join(name));
            if let Some((path, value)) = path.and_then(|path| first_line(&path).map(|value| (path, value))) {
                return Ok(token(value, &path.display().to_string()));
            }
        }
        if let (Some(username), Some(key)) = (set("KAGGLE_USERNAME"), set("KAGGLE_KEY")) {
            let place = "KAGGLE_USERNAME and KAGGLE_KEY".to_owned();
            return Ok(Some(Found { credentials: Self::Key { username, key }, place, note: None }));
        }
        let ours = secrets.join("kaggle.json");
        if ours.is_file() {
            let found = from_json(&ours)?;
            return match found.note {
                Some(note) => Err(format!("a key in a project directory is easily published: {note}")),
                None => Ok(Some(found)),
            };
        }
        let config =
            set("XDG_CONFIG_HOME").map(PathBuf::from).or_else(|| home.as_ref().map(|home| home.join(".config")));
        let dirs = [
            set("KAGGLE_CONFIG_DIR").map(PathBuf::from),
            home.map(|home| home.join(".kaggle")),
            config.map(|config| config.join("kaggle")),
        ];
        match dirs.into_iter().flatten().map(|dir| dir.join("kaggle.json")).find(|path| path.is_file()) {
            Some(path) => from_json(&path).map(Some),
            None => Ok(None),
        }
    }

    /// The value of the `Authorization` header.
    pub(super) fn header(&self) -> String {
        match self {
            Self::Token(token) => format!("Bearer {token}"),
            Self::Key { username, key } => format!("Basic {}", STANDARD.encode(format!("{username}:{key}"))),
        }
    }
}

fn first_line(path: &Path) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    text.lines().map(str::trim).find(|line| !line.is_empty()).map(str::to_owned)
}

fn from_json(path: &Path) -> Result<Found, String> {
    use std::os::unix::fs::PermissionsExt;
    let text = std::fs::read_to_string(path).map_err(|err| format!("{}: {err}", path.display()))?;
    let KaggleJson { username, key } = serde_json::from_str(&text)
        .map_err(|_| format!("{}: should be {{\"username\": …, \"key\": …}}", path.display()))?;
    let open = path.metadata().is_ok_and(|meta| meta.permissions().mode() & 0o077 != 0);
    let place = path.display().to_string();
    let note = open.then(|| format!("other users can read {place}: chmod 600 {place}"));
    Ok(Found { credentials: Credentials::Key { username, key }, place, note })
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests write what is found")]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn find(home: &Path, variables: &[(&str, &str)]) -> Result<Option<Found>, String> {
        let variable = |name: &str| match name {
            "HOME" => Some(home.display().to_string()),
            _ => variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()),
        };
        Credentials::find(&variable, &home.join("loop/secrets"))
    }

    #[test]
    fn places_are_looked_at_in_the_order_of_kaggles_client() {
        let home = tempfile::tempdir().unwrap();
        let path = |name: &str| home.path().join(name);
        assert_eq!(find(home.path(), &[]).unwrap(), None);
        std::fs::create_dir_all(path(".config/kaggle")).unwrap();
        std::fs::write(path(".config/kaggle/kaggle.json"), r#"{"username":"ada","key":"k1"}"#).unwrap();
        let found = find(home.path(), &[]).unwrap().unwrap();
        assert_eq!(found.credentials.header(), "Basic YWRhOmsx");
        assert!(found.note.unwrap().contains("chmod 600"));
        let open = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(path(".config/kaggle/kaggle.json"), open).unwrap();
        assert_eq!(find(home.path(), &[]).unwrap().unwrap().note, None);
        let pair = [("KAGGLE_USERNAME", "bob"), ("KAGGLE_KEY", "k2")];
        assert_eq!(find(home.path(), &pair).unwrap().unwrap().credentials.header(), "Basic Ym9iOmsy");
        std::fs::create_dir_all(path(".kaggle")).unwrap();
        std::fs::write(path(".kaggle/access_token"), "t1\n").unwrap();
        assert_eq!(find(home.path(), &pair).unwrap().unwrap().credentials.header(), "Bearer t1");
        assert_eq!(
            find(home.path(), &[("KAGGLE_API_TOKEN", "t2")]).unwrap().unwrap().credentials.header(),
            "Bearer t2"
        );
        std::fs::write(path("token"), "t3\n").unwrap();
        let file = path("token").display().to_string();
        assert_eq!(
            find(home.path(), &[("KAGGLE_API_TOKEN", &file)]).unwrap().unwrap().credentials.header(),
            "Bearer t3"
        );
    }

    #[test]
    fn the_loops_own_key_is_taken_when_nobody_else_can_read_it() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("loop/secrets/kaggle.json");
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, r#"{"username":"ada","key":"k1"}"#).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let message = find(home.path(), &[]).unwrap_err();
        assert!(message.contains("chmod 600") && !message.contains("k1"), "{message}");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(find(home.path(), &[]).unwrap().unwrap().credentials.header(), "Basic YWRhOmsx");
    }

    #[test]
    fn a_damaged_file_is_named_and_secrets_are_not_shown() {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(home.path().join(".kaggle")).unwrap();
        std::fs::write(home.path().join(".kaggle/kaggle.json"), r#"{"key":"SECRET"}"#).unwrap();
        let message = find(home.path(), &[]).unwrap_err();
        assert!(message.contains("kaggle.json") && !message.contains("SECRET"), "{message}");
        assert!(!format!("{:?}", Credentials::Token("SECRET".to_owned())).contains("SECRET"));
    }
}
