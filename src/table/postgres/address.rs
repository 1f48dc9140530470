//! The addresses of tables in PostgreSQL, and the user reading them.
//!
//! ```text
//! postgres://USER@HOST:PORT/DATABASE/SCHEMA.TABLE?sslmode=verify-full
//! postgres://USER@HOST:PORT/DATABASE?query=select …
//! ```

use super::login::Login;
use crate::digest;
use std::path::{Path, PathBuf};
use std::time::Duration;

const FORM: &str = "write postgres://USER@HOST/DATABASE/TABLE or \"postgres://USER@HOST/DATABASE?query=select …\"; SCHEMA.TABLE works too";
const NO_PASSWORD: &str = "contains a password, which would be stored in shell history, logs and files: put it into PGPASSWORD or \
     ~/.pgpass instead";

/// The table or query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Relation {
    /// A table or a view.
    Table {
        /// Its schema; without one, the user's search path decides.
        schema: Option<String>,
        /// Its name, as written.
        name: String,
    },
    /// The result of a query.
    Query(String),
}

/// Whether, and how, the connection is encrypted: the values of libpq.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum SslMode {
    /// Never.
    Disable,
    /// When the server can.
    #[default]
    Prefer,
    /// Always; the certificate is not checked.
    Require,
    /// The certificate must also come from a trusted authority.
    VerifyCa,
    /// The certificate must also be for this host.
    VerifyFull,
}

impl SslMode {
    const NAMES: [(&'static str, Self); 5] = [
        ("disable", Self::Disable),
        ("prefer", Self::Prefer),
        ("require", Self::Require),
        ("verify-ca", Self::VerifyCa),
        ("verify-full", Self::VerifyFull),
    ];

    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let found = Self::NAMES.iter().find(|(name, _)| *name == text).map(|(_, mode)| *mode);
        found.ok_or_else(|| "sslmode must be disable, prefer, require, verify-ca or verify-full".to_owned())
    }
}

/// A table in a database, without any password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    pub(super) user: Option<String>,
    pub(super) host: Option<String>,
    pub(super) port: Option<u16>,
    pub(super) database: String,
    pub(super) relation: Relation,
    pub(super) sslmode: Option<SslMode>,
    pub(super) sslrootcert: Option<PathBuf>,
    pub(super) connect_timeout: Option<Duration>,
    /// How long to wait for the server, if given.
    pub(super) timeout: Option<Duration>,
}

/// Whether a path is a database address rather than a file.
#[must_use]
pub fn is_address(path: &Path) -> bool {
    let text = path.as_os_str().as_encoded_bytes();
    let starts =
        |scheme: &str| text.len() >= scheme.len() && text[..scheme.len()].eq_ignore_ascii_case(scheme.as_bytes());
    starts("postgres://") || starts("postgresql://")
}

impl Address {
    /// Parses an address.
    ///
    /// # Errors
    /// The error, in a message without any part that may be secret.
    pub(crate) fn parse(path: &Path) -> Result<Self, String> {
        let fail = |what: &str| format!("the address of the database {what}");
        let text = path.to_str().ok_or_else(|| fail("is not UTF-8"))?;
        let (_, rest) = text.split_once("://").ok_or_else(|| fail(FORM))?;
        let (before, parameters) = rest.split_once('?').map_or((rest, ""), |(before, after)| (before, after));
        let (authority, path) = before.split_once('/').unwrap_or((before, ""));
        let (login, host) = authority.rsplit_once('@').map_or((None, authority), |(login, host)| (Some(login), host));
        if login.is_some_and(|login| login.contains(':')) {
            return Err(fail(NO_PASSWORD));
        }
        let decoded = |text: &str| decode(text).ok_or_else(|| fail("has a % without two hexadecimal digits after it"));
        let (host, port) = host_and_port(host).ok_or_else(|| fail("has a port that is not a number"))?;
        let (database, table) = path.split_once('/').unwrap_or((path, ""));
        let mut address = Self {
            user: login.filter(|user| !user.is_empty()).map(decoded).transpose()?,
            host: if host.is_empty() { None } else { Some(decoded(host)?) },
            port,
            database: decoded(database)?,
            relation: Relation::Query(String::new()),
            sslmode: None,
            sslrootcert: None,
            connect_timeout: None,
            timeout: None,
        };
        let query = address.take_parameters(parameters).map_err(|what| fail(&what))?;
        if address.database.is_empty() {
            return Err(format!("{}: {FORM}", fail("names no database")));
        }
        address.relation = match (table, query) {
            ("", None) => return Err(format!("{}: {FORM}", fail("names no table and no query"))),
            ("", Some(query)) => Relation::Query(query),
            (_, Some(_)) => return Err(fail("names a table and a query: leave one out")),
            (table, None) if table.contains('/') => {
                return Err(format!("{}: {FORM}", fail("has more parts than a database and a table")));
            }
            (table, None) => {
                // A dot that belongs to a name is written %2E.
                let (schema, name) = table.split_once('.').map_or((None, table), |(schema, name)| (Some(schema), name));
                if name.is_empty() || schema == Some("") || name.contains('.') {
                    return Err(fail("names a table that is neither TABLE nor SCHEMA.TABLE (a dot in a name is %2E)"));
                }
                Relation::Table { schema: schema.map(decoded).transpose()?, name: decoded(name)? }
            }
        };
        Ok(address)
    }

    /// An address that must be that of a database.
    ///
    /// # Errors
    /// As [`parse`](Self::parse), and if it is a file or something on another server.
    pub(super) fn of_database(path: &Path) -> Result<Self, String> {
        match is_address(path) {
            true => Self::parse(path),
            false => Err(format!("is not a database address: {FORM}")),
        }
    }

    /// Reads the parameters after the question mark; returns the query.
    fn take_parameters(&mut self, text: &str) -> Result<Option<String>, String> {
        let mut rest = text;
        while !rest.is_empty() {
            // A typed query has spaces and extends to the end; a generated one is encoded.
            if let Some(query) = rest.strip_prefix("query=").filter(|query| query.contains(char::is_whitespace)) {
                return one_query(query).map(Some);
            }
            let (pair, after) = rest.split_once('&').unwrap_or((rest, ""));
            rest = after;
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = match key {
                "query" => decode(&value.replace('+', " ")),
                _ => decode(value),
            };
            let value = value.ok_or("has a % without two hexadecimal digits after it")?;
            match key {
                "query" if !rest.is_empty() => return Err("must have its query last".to_owned()),
                "query" => return one_query(&value).map(Some),
                "sslmode" => self.sslmode = Some(SslMode::parse(&value)?),
                "sslrootcert" => self.sslrootcert = Some(PathBuf::from(value)),
                "connect_timeout" => self.connect_timeout = Some(seconds(key, &value)?),
                "timeout" => self.timeout = Some(seconds(key, &value)?),
                "password" | "passfile" | "sslpassword" => return Err(NO_PASSWORD.to_owned()),
                _ => {
                    return Err("has an unknown parameter: use sslmode, sslrootcert, connect_timeout, timeout and, \
                                last, query"
                        .to_owned());
                }
            }
        }
        Ok(None)
    }

    /// The address without secrets; of a query, which may contain some, only its SHA-256.
    #[must_use]
    pub(crate) fn shown(&self) -> String {
        let encoded = |text: &str| encode(text, b".");
        let user = self.user.as_deref().map(|user| encoded(user) + "@").unwrap_or_default();
        let host =
            self.host.as_deref().map(|host| if host.contains(':') { format!("[{host}]") } else { encoded(host) });
        let port = self.port.map(|port| format!(":{port}")).unwrap_or_default();
        let what = match &self.relation {
            Relation::Query(query) => format!("?query=sha256:{}", &digest::sha256(query.as_bytes())[..16]),
            Relation::Table { schema, name } => {
                // A dot separates the two, so dots inside of them are encoded.
                let schema = schema.as_deref().map(|schema| encode(schema, b"") + ".").unwrap_or_default();
                format!("/{schema}{}", encode(name, b""))
            }
        };
        format!("postgres://{user}{}{port}/{}{what}", host.unwrap_or_default(), encoded(&self.database))
    }

    /// The name for a file with the rows.
    #[must_use]
    pub(crate) fn file_name(&self) -> String {
        let name = match &self.relation {
            Relation::Query(_) => "query",
            Relation::Table { name, .. } => name,
        };
        let plain = |c: char| if c.is_alphanumeric() || c == '-' { c } else { '_' };
        let name: String = name.chars().map(plain).take(60).collect();
        format!("{name}.csv")
    }

    /// The host, from the address or else from the environment.
    pub(super) fn host<'a>(&'a self, login: &'a Login) -> &'a str {
        self.host.as_deref().or(login.host.as_deref()).unwrap_or("localhost")
    }

    pub(super) fn port(&self, login: &Login) -> u16 {
        self.port.or(login.port).unwrap_or(5432)
    }

    pub(super) fn user<'a>(&'a self, login: &'a Login) -> Option<&'a str> {
        self.user.as_deref().or(login.user.as_deref())
    }
}

fn one_query(text: &str) -> Result<String, String> {
    let query = text.trim().trim_end_matches(|c: char| c == ';' || c.is_whitespace());
    if query.is_empty() { Err("has an empty query".to_owned()) } else { Ok(query.to_owned()) }
}

fn seconds(key: &str, value: &str) -> Result<Duration, String> {
    let n = value.parse::<u64>().ok().filter(|n| (1..=86_400).contains(n));
    n.map(Duration::from_secs).ok_or_else(|| format!("has a {key} that is not a number of seconds from 1 to 86400"))
}

/// The host, without the brackets of IPv6, and the port.
fn host_and_port(text: &str) -> Option<(&str, Option<u16>)> {
    if let Some((host, rest)) = text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        let port = rest.strip_prefix(':').map(str::parse).transpose().ok()?;
        return (rest.is_empty() || port.is_some()).then_some((host, port));
    }
    match text.split_once(':') {
        None => Some((text, None)),
        Some((host, "")) => Some((host, None)),
        Some((host, port)) => Some((host, Some(port.parse().ok()?))),
    }
}

fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte == b'%' {
            let digits =
                std::str::from_utf8(rest.get(..2)?).ok().filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()))?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &rest[2..];
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok().filter(|text| !text.contains('\0'))
}

fn encode(text: &str, kept: &[u8]) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_~".contains(&byte) || kept.contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Address, String> {
        Address::parse(Path::new(text))
    }

    fn table(schema: Option<&str>, name: &str) -> Relation {
        Relation::Table { schema: schema.map(str::to_owned), name: name.to_owned() }
    }

    #[test]
    fn addresses_are_taken_apart() {
        let all = parse("postgres://ann@db.example.org:5433/shop/sales.orders?sslmode=verify-full&timeout=7").unwrap();
        assert_eq!(
            (all.user.as_deref(), all.host.as_deref(), all.port),
            (Some("ann"), Some("db.example.org"), Some(5433))
        );
        assert_eq!((all.database.as_str(), &all.relation), ("shop", &table(Some("sales"), "orders")));
        assert_eq!(all.shown(), "postgres://ann@db.example.org:5433/shop/sales.orders");
        assert_eq!((all.sslmode, all.timeout), (Some(SslMode::VerifyFull), Some(Duration::from_secs(7))));
        let hostile = parse("PostgreSQL://a%40b@[::1]/d%2Fb/T%2E%22x%20%C3%BC").unwrap();
        assert_eq!((hostile.user.as_deref(), hostile.host.as_deref()), (Some("a@b"), Some("::1")));
        assert_eq!((hostile.database.as_str(), &hostile.relation), ("d/b", &table(None, "T.\"x ü")));
        assert_eq!(hostile.shown(), "postgres://a%40b@[::1]/d%2Fb/T%2E%22x%20%C3%BC");
        assert_eq!(parse(&hostile.shown()).unwrap(), hostile, "what is shown is an address");
        assert_eq!(hostile.file_name(), "T__x_ü.csv");
        assert_eq!(parse("postgres:///d/t").unwrap().host, None);
    }

    #[test]
    fn a_query_is_as_it_was_typed_or_encoded() {
        let query = |text: &str| match parse(text).map(|address| address.relation) {
            Ok(Relation::Query(query)) => query,
            other => panic!("{text}: {other:?}"),
        };
        assert_eq!(
            query("postgres://h/d?query=select a+b from t where c like '%ab&x=1' ;\n"),
            "select a+b from t where c like '%ab&x=1'"
        );
        assert_eq!(query("postgres://h/d?sslmode=disable&query=select%20a%2Bb+from+t"), "select a+b from t");
        assert_eq!(query("postgres://h/d?query=table+t"), "table t");
        let shown = parse("postgres://h/d?query=select pgp_sym_decrypt(c, 's3cret') from t").unwrap().shown();
        assert!(shown.starts_with("postgres://h/d?query=sha256:") && !shown.contains("s3cret"), "{shown}");
    }

    #[test]
    fn what_is_no_address_is_refused_and_no_secret_is_told() {
        for (text, what) in [
            ("postgres://ann:s3cret@h/d/t", "PGPASSWORD or ~/.pgpass"),
            ("postgres://ann:s3cret@x@h/d/t", "PGPASSWORD"),
            ("postgres://:s3cret@h/d/t", "PGPASSWORD"),
            ("postgres://h/d/t?password=s3cret", "PGPASSWORD"),
            ("postgres://h/d/t?s3cret=1", "an unknown parameter"),
            ("postgres://h:s3cret/d/t", "a port that is not a number"),
            ("postgres://h/d", "no table and no query"),
            ("postgres://h", "no database"),
            ("postgres://h/d/a/b", "more parts"),
            ("postgres://h/d/a.b.c", "%2E"),
            ("postgres://h/d/t?query=select 1", "leave one out"),
            ("postgres://h/d?query=", "empty query"),
            ("postgres://h/d/%zz", "hexadecimal"),
            ("postgres://h/d/t?timeout=0", "timeout"),
            ("postgres://h/d/t?sslmode=on", "verify-full"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(what) && !error.contains("s3cret"), "{text}: {error}");
        }
        assert!(!is_address(Path::new("postgres.csv")) && is_address(Path::new("POSTGRES://h/d/t")));
    }
}
