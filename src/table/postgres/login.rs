//! The database login: from the environment variables of libpq and `~/.pgpass`.

use std::fmt;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

/// Settings besides the address. The binary reads them from the environment and passes them once.
#[derive(Clone, Default)]
pub struct Login {
    /// `PGUSER`, else the current user.
    pub user: Option<String>,
    /// `PGPASSWORD`.
    pub password: Option<String>,
    /// `PGHOST`, if the address has no host.
    pub host: Option<String>,
    /// `PGPORT`, if the address has no port.
    pub port: Option<u16>,
    /// `PGSSLMODE`.
    pub sslmode: Option<String>,
    /// `PGSSLROOTCERT`.
    pub sslrootcert: Option<PathBuf>,
    /// `PGPASSFILE`, else `~/.pgpass`.
    pub passfile: Option<PathBuf>,
    /// `PGCONNECT_TIMEOUT`.
    pub connect_timeout: Option<Duration>,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("user", &self.user).field("host", &self.host).finish_non_exhaustive()
    }
}

static LOGIN: OnceLock<Login> = OnceLock::new();

/// Sets the login, once for the process: tables are opened in many places, and none of them may read the
/// environment.
pub fn log_in_as(login: Login) {
    // The first call wins.
    let _ = LOGIN.set(login);
}

pub(super) fn login() -> Login {
    LOGIN.get().cloned().unwrap_or_default()
}

impl Login {
    /// The password for a place: the environment's, else that of the first line of the file which fits.
    ///
    /// # Errors
    /// When the file can be read by others, or not by us.
    pub(super) fn password(
        &self,
        (host, port, database, user): (&str, u16, &str, &str),
    ) -> Result<Option<String>, String> {
        if self.password.is_some() {
            return Ok(self.password.clone());
        }
        let Some(path) = self.passfile.as_ref().filter(|path| path.is_file()) else { return Ok(None) };
        let failed = |err: std::io::Error| format!("{}: {err}", path.display());
        let file = std::fs::File::open(path).map_err(failed)?;
        if file.metadata().map_err(failed)?.mode() & 0o077 != 0 {
            return Err(format!("{} can be read by others: chmod 600 it, or set PGPASSWORD", path.display()));
        }
        let port = port.to_string();
        // A socket means this machine.
        let host = if host.starts_with('/') { "localhost" } else { host };
        let wanted = [host, &port, database, user];
        for line in BufReader::new(file).lines() {
            let fields = fields(&line.map_err(failed)?);
            let fits = fields.len() == 5
                && wanted
                    .iter()
                    .zip(&fields)
                    .all(|(wanted, (field, escaped))| (field == "*" && !escaped) || field == wanted);
            if fits {
                return Ok(fields.into_iter().nth(4).map(|(password, _)| password));
            }
        }
        Ok(None)
    }
}

/// The five fields of a line, each with whether it was written with a backslash; empty for a comment.
fn fields(line: &str) -> Vec<(String, bool)> {
    if line.starts_with('#') {
        return Vec::new();
    }
    let mut fields = vec![(String::new(), false)];
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        let n = fields.len();
        let field = &mut fields[n - 1];
        match c {
            '\\' => {
                field.0.extend(chars.next());
                field.1 = true;
            }
            ':' if n < 5 => fields.push((String::new(), false)),
            c => field.0.push(c),
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn passwords_come_from_the_environment_then_from_the_file() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"# h:1:d:u:no\nh:1:other:u:no\n\\*:1:d:u:no\nh:*:d:a\\:b:p\\:w:\\\\x\n*:*:*:*:rest\n").unwrap();
        let login = Login { passfile: Some(file.path().to_owned()), ..Login::default() };
        let asked = |user| login.password(("h", 1, "d", user));
        assert_eq!(asked("a:b"), Ok(Some("p:w:\\x".to_owned())));
        assert_eq!(asked("u"), Ok(Some("rest".to_owned())));
        let own = Login { password: Some("env".to_owned()), ..login.clone() };
        assert_eq!(own.password(("h", 1, "d", "u")), Ok(Some("env".to_owned())));
        assert!(!format!("{own:?}").contains("env"));
        std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(asked("u").unwrap_err().contains("chmod 600"));
        let none = Login { passfile: Some("/no/such".into()), ..Login::default() };
        assert_eq!(none.password(("h", 1, "d", "u")), Ok(None));
    }
}
