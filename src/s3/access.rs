//! Access to objects: credentials and server, from the environment and the files of Amazon's tools.

use super::profile::Section;
use rusty_s3::Credentials;
use std::fmt;
use std::path::PathBuf;
use std::sync::OnceLock;

/// The default region.
const REGION: &str = "us-east-1";

/// Settings besides the address. The binary reads them from the environment and passes them once.
#[derive(Clone, Default)]
pub struct Access {
    /// `AWS_ACCESS_KEY_ID`.
    pub key: Option<String>,
    /// `AWS_SECRET_ACCESS_KEY`.
    pub secret: Option<String>,
    /// `AWS_SESSION_TOKEN`.
    pub token: Option<String>,
    /// `AWS_REGION`, else `AWS_DEFAULT_REGION`.
    pub region: Option<String>,
    /// `AWS_ENDPOINT_URL_S3`, else `AWS_ENDPOINT_URL`: the server, if not Amazon's.
    pub endpoint: Option<String>,
    /// `AWS_PROFILE`: the section of the files to use.
    pub profile: Option<String>,
    /// `AWS_SHARED_CREDENTIALS_FILE`, else `~/.aws/credentials`.
    pub credentials_file: Option<PathBuf>,
    /// `AWS_CONFIG_FILE`, else `~/.aws/config`.
    pub config_file: Option<PathBuf>,
    /// `AWS_CA_BUNDLE`: certificate authorities (PEM) instead of the public ones.
    pub authorities: Option<PathBuf>,
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access").field("region", &self.region).field("profile", &self.profile).finish_non_exhaustive()
    }
}

static ACCESS: OnceLock<Access> = OnceLock::new();

/// Sets the access, once for the process: tables are opened in many places, and none of them may read the
/// environment.
pub fn reach_as(access: Access) {
    // The first setting wins.
    let _ = ACCESS.set(access);
}

pub(super) fn access() -> Access {
    ACCESS.get().cloned().unwrap_or_default()
}

/// The settings of a request.
pub(super) struct Resolved {
    /// `None` sends unsigned requests, which suffices for public objects.
    pub(super) credentials: Option<Credentials>,
    pub(super) region: String,
    /// The server, if not Amazon's.
    pub(super) endpoint: Option<String>,
}

impl Access {
    /// Reads the environment first, then the section of the profile in the two files.
    ///
    /// # Errors
    /// For a key without its secret, a missing profile, and a file that other users can read.
    pub(super) fn resolve(&self) -> Result<Resolved, String> {
        let profile = self.profile.as_deref().unwrap_or("default");
        let heading = [profile.to_owned(), format!("profile {profile}")];
        let config = Section::of(self.config_file.as_deref(), &heading, false)?;
        let region = self.region.clone().or_else(|| config.get("region")).unwrap_or_else(|| REGION.to_owned());
        let endpoint = self.endpoint.clone().or_else(|| config.get("endpoint_url"));
        let credentials = match (&self.key, &self.secret) {
            (Some(key), Some(secret)) => Some(pair(key, secret, self.token.clone())),
            (None, None) => {
                let kept = Section::of(self.credentials_file.as_deref(), &heading, true)?;
                let of = |name| kept.get(name).or_else(|| config.get(name));
                let both = of("aws_access_key_id").zip(of("aws_secret_access_key"));
                both.map(|(key, secret)| pair(&key, &secret, of("aws_session_token")))
            }
            (Some(_), None) => return Err("AWS_ACCESS_KEY_ID is set and AWS_SECRET_ACCESS_KEY is not".to_owned()),
            (None, Some(_)) => return Err("AWS_SECRET_ACCESS_KEY is set and AWS_ACCESS_KEY_ID is not".to_owned()),
        };
        if credentials.is_none() && self.profile.is_some() {
            return Err(format!(
                "AWS_PROFILE names {profile:?}, but ~/.aws/credentials has no keys for it: print the keys of a login \
                 with `aws configure export-credentials --format env`"
            ));
        }
        Ok(Resolved { credentials, region, endpoint })
    }
}

fn pair(key: &str, secret: &str, token: Option<String>) -> Credentials {
    match token {
        Some(token) => Credentials::new_with_token(key.to_owned(), secret.to_owned(), token),
        None => Credentials::new(key.to_owned(), secret.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_comes_before_the_files_and_halves_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = dir.path().join(name);
            crate::atomic::replace(&path, |out| out.write_all(text.as_bytes())).unwrap();
            std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
            Some(path)
        };
        let kept = Access {
            credentials_file: file("credentials", "[team]\naws_access_key_id=K\naws_secret_access_key=S\n"),
            config_file: file("config", "[profile team]\nregion=eu-west-1\nendpoint_url=http://h:9\n"),
            profile: Some("team".to_owned()),
            ..Access::default()
        };
        let found = kept.resolve().unwrap_or_else(|what| panic!("{what}"));
        assert_eq!((found.region.as_str(), found.endpoint.as_deref()), ("eu-west-1", Some("http://h:9")));
        assert_eq!(found.credentials.unwrap().key(), "K");
        let text = |text: &str| Some(text.to_owned());
        let ours = Access { key: text("E"), secret: text("T"), region: text("r"), ..kept.clone() };
        let found = ours.resolve().unwrap_or_else(|what| panic!("{what}"));
        assert_eq!((found.region.as_str(), found.credentials.unwrap().key()), ("r", "E"));

        let wrong = |access: Access| access.resolve().err().unwrap();
        assert!(wrong(Access { key: text("E"), ..Access::default() }).contains("AWS_SECRET_ACCESS_KEY is not"));
        assert!(wrong(Access { profile: text("none"), ..kept.clone() }).contains("\"none\""));
        assert!(Access::default().resolve().is_ok_and(|found| found.credentials.is_none()));
        assert!(!format!("{ours:?}").contains('T'));
    }
}
