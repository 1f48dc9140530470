//! One connection to PostgreSQL, and its error messages.

use super::address::{Address, SslMode};
use super::login::Login;
use super::tls::Tls;
use std::error::Error as _;
use std::future::Future;
use std::time::Duration;
use tokio_postgres::config::SslMode as Wanted;
use tokio_postgres::{Client, Config, Error};

/// Time limit for connecting.
const CONNECT: Duration = Duration::from_secs(10);

/// How long to wait for the server, unless the address gives a limit.
const TIMEOUT: Duration = Duration::from_secs(300);

/// A connection with the data for its messages.
pub(super) struct Session {
    pub(super) client: Client,
    pub(super) timeout: Duration,
    tls: Tls,
    password: Option<String>,
}

impl Session {
    /// Connects, and drives the connection on this runtime.
    ///
    /// # Errors
    /// One line with a remedy.
    pub(super) async fn connect(address: &Address, login: &Login) -> Result<Self, String> {
        let mode = match (address.sslmode, &login.sslmode) {
            (Some(mode), _) => mode,
            (None, Some(mode)) => SslMode::parse(mode).map_err(|what| format!("PGSSLMODE: {what}"))?,
            (None, None) => SslMode::default(),
        };
        let (host, port) = (address.host(login), address.port(login));
        let user = address.user(login).ok_or("names no user: write USER@HOST, or set PGUSER")?;
        let password = login.password((host, port, &address.database, user))?;
        let tls = Tls::new(mode, address.sslrootcert.as_deref().or(login.sslrootcert.as_deref()))?;
        let limit = address.connect_timeout.or(login.connect_timeout).unwrap_or(CONNECT);
        let mut config = Config::new();
        config
            .host(host)
            .port(port)
            .user(user)
            .dbname(&address.database)
            .application_name(concat!("mlloop ", env!("CARGO_PKG_VERSION")))
            .ssl_mode(match mode {
                SslMode::Disable => Wanted::Disable,
                SslMode::Prefer => Wanted::Prefer,
                _ => Wanted::Require,
            });
        if let Some(password) = &password {
            config.password(password);
        }
        let silent = || format!("no answer from {host}:{port} within {} s", limit.as_secs());
        let connected = tokio::time::timeout(limit, config.connect(tls.clone())).await.map_err(|_| silent())?;
        let (client, connection) =
            connected.map_err(|err| unreachable(&err, (host, port, user), password.as_deref()))?;
        // It ends with the client; its errors are returned to the pending request.
        tokio::spawn(async move { drop(connection.await) });
        Ok(Self { client, timeout: address.timeout.unwrap_or(TIMEOUT), tls, password })
    }

    /// Waits for an answer up to the limit; a server that is still busy is asked to cancel.
    pub(super) async fn within<T>(&self, answer: impl Future<Output = Result<T, Error>>) -> Result<T, String> {
        match tokio::time::timeout(self.timeout, answer).await {
            Ok(answer) => answer.map_err(|err| self.told(&err)),
            Err(_) => {
                let cancel = self.client.cancel_token();
                // This request may get no answer either.
                let _ = tokio::time::timeout(Duration::from_secs(2), cancel.cancel_query(self.tls.clone())).await;
                Err(format!(
                    "no response for {} s; to wait longer, add ?timeout=SECONDS to the address",
                    self.timeout.as_secs()
                ))
            }
        }
    }

    /// The server's message, in one line.
    pub(super) fn told(&self, err: &Error) -> String {
        told(err, self.password.as_deref())
    }
}

/// The reason for a failed connection.
fn unreachable(err: &Error, (host, port, user): (&str, u16, &str), password: Option<&str>) -> String {
    let said = told(err, password);
    match err.code().map(tokio_postgres::error::SqlState::code) {
        Some("28P01" | "28000") if password.is_none() => format!("{said}: set PGPASSWORD, or write it into ~/.pgpass"),
        Some("28P01") => format!("{said}: check that PGPASSWORD, or the line of ~/.pgpass, is for {user}"),
        Some(_) => said,
        None if said.contains("password missing") => {
            format!("a password is required for {user}: set PGPASSWORD, or write it into ~/.pgpass")
        }
        None => format!("{said} ({host}:{port})"),
    }
}

/// An error in one line, which never contains a password.
fn told(err: &Error, password: Option<&str>) -> String {
    let said = match err.as_db_error() {
        Some(err) => {
            let more = [err.detail(), err.where_(), err.hint()];
            let more = more.into_iter().flatten().map(|text| format!("; {}", text.trim_end_matches('.')));
            format!("{}{}", err.message(), more.collect::<String>())
        }
        None if err.is_closed() => "the connection was lost".to_owned(),
        None => {
            let mut said = err.to_string();
            let mut cause = err.source();
            while let Some(inner) = cause {
                // The system's message is enough.
                said = inner.to_string();
                cause = inner.source();
            }
            said
        }
    };
    let said = match password.filter(|password| !password.is_empty()) {
        Some(password) => said.replace(password, "***"),
        None => said,
    };
    said.chars().map(|c| if c.is_control() { ' ' } else { c }).take(500).collect()
}

/// A name quoted for SQL.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
