//! An append-only table of lines: several machines write to it, and each reads new lines.
//!
//! ```text
//! lines ─▶ BEGIN ─▶ one writer at a time ─▶ INSERT … ON CONFLICT (sha256) DO NOTHING ─▶ COMMIT
//! ```
//! Writers take turns, so lines become visible in the order of their numbers: a reader that has read up to a number has
//! missed none before it.

use super::address::{Address, Relation};
use super::connect::Session;
use super::login::login;
use super::read::table_name;
use super::{NumberedLine, Refused};
use crate::digest::sha256;
use std::path::Path;
use std::time::Duration;

/// Lines sent or requested at a time.
const PIECE: usize = 2000;
/// How long to wait for the server, unless the address gives a limit: short, as a user waits.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The id of the advisory lock for writers, used together with the table's.
const TURN: i64 = 0x6D6C_6C6F;

/// A table of lines.
#[derive(Debug, Clone)]
pub struct Lines {
    address: Address,
    /// Its name in SQL.
    table: String,
}

impl Lines {
    /// The table at an address. Does not connect yet.
    ///
    /// # Errors
    /// Errors in the address.
    pub fn at(path: &Path) -> Result<Self, String> {
        let mut address = Address::of_database(path)?;
        let Relation::Table { schema, name } = &address.relation else {
            return Err("rows cannot be written to a query: name a table".to_owned());
        };
        let table = table_name(schema.as_deref(), name);
        address.timeout.get_or_insert(TIMEOUT);
        Ok(Self { address, table })
    }

    /// Its address, without secrets.
    #[must_use]
    pub fn name(&self) -> String {
        self.address.shown()
    }

    /// Adds lines: all or none. Existing lines are skipped; a missing table is created.
    ///
    /// # Errors
    /// The server's message, and whether the lines may have been stored despite it.
    pub fn add(&self, lines: &[String]) -> Result<(), Refused> {
        let digests: Vec<String> = lines.iter().map(|line| sha256(line.as_bytes())).collect();
        let mut is_asked = false;
        let added = on_own_thread(async || {
            let session = Session::connect(&self.address, &login()).await?;
            self.begin(&session).await?;
            let insert = format!(
                "INSERT INTO {} (sha256, line) SELECT sha256, line FROM unnest($1::text[], $2::text[]) WITH ORDINALITY \
                 AS t (sha256, line, n) ORDER BY n ON CONFLICT (sha256) DO NOTHING",
                self.table
            );
            for (digests, lines) in digests.chunks(PIECE).zip(lines.chunks(PIECE)) {
                session.within(session.client.execute(&insert, &[&digests, &lines])).await?;
            }
            is_asked = true;
            session.within(session.client.batch_execute("COMMIT")).await
        });
        added.map_err(|what| Refused { what, may_be_there: is_asked })
    }

    /// Begins a transaction in which only this session writes.
    async fn begin(&self, session: &Session) -> Result<(), String> {
        let limit = format!("BEGIN; SET LOCAL idle_in_transaction_session_timeout TO {}", TIMEOUT.as_millis());
        session.within(session.client.batch_execute(&limit)).await?;
        if !self.is_there(session).await? {
            let make = format!(
                "SELECT pg_advisory_xact_lock({TURN}); CREATE TABLE IF NOT EXISTS {} \
                 (number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, sha256 text NOT NULL UNIQUE, line text NOT NULL, \
                 written_at timestamp with time zone NOT NULL DEFAULT now())",
                self.table
            );
            session.within(session.client.batch_execute(&make)).await?;
        }
        let turn =
            format!("SELECT pg_advisory_xact_lock({TURN}::bigint * 4294967296 + $1::text::regclass::oid::bigint)");
        session.within(session.client.query(&turn, &[&self.table])).await.map(drop)
    }

    async fn is_there(&self, session: &Session) -> Result<bool, String> {
        const IS_THERE: &str = "SELECT to_regclass($1::text) IS NOT NULL";
        session.within(session.client.query_one(IS_THERE, &[&self.table])).await.map(|row| row.get(0))
    }

    /// Returns the lines after `last`, in order; all of them if the table has no such line. A missing table has
    /// none, unless something was read from it before.
    ///
    /// # Errors
    /// The server's message, or a modified line.
    pub fn after(
        &self,
        last: Option<(i64, &str)>,
        mut take: impl FnMut(NumberedLine) -> Result<(), String> + Send,
    ) -> Result<(), String> {
        on_own_thread(async || {
            let session = Session::connect(&self.address, &login()).await?;
            if !self.is_there(&session).await? {
                return match last {
                    None => Ok(()),
                    Some(_) => Err("the table no longer exists: restore it, or name another one".to_owned()),
                };
            }
            let mut number = match last {
                Some((number, digest)) if self.has(&session, number, digest).await? => number,
                _ => i64::MIN,
            };
            let ask = format!(
                "SELECT number::bigint, sha256::text, line::text FROM {} WHERE number > $1::bigint ORDER BY number LIMIT {PIECE}",
                self.table
            );
            loop {
                let rows = session.within(session.client.query(&ask, &[&number])).await?;
                let n = rows.len();
                for row in rows {
                    let empty = |_| "a line of the table has an empty cell".to_owned();
                    let line = NumberedLine {
                        number: row.try_get(0).map_err(empty)?,
                        sha256: row.try_get(1).map_err(empty)?,
                        text: row.try_get(2).map_err(empty)?,
                    };
                    number = line.number;
                    if sha256(line.text.as_bytes()) != line.sha256 {
                        return Err(format!(
                            "number {number}: the line was changed, its sha256 does not match: restore it"
                        ));
                    }
                    take(line)?;
                }
                if n < PIECE {
                    return Ok(());
                }
            }
        })
    }

    async fn has(&self, session: &Session, number: i64, digest: &str) -> Result<bool, String> {
        let ask = format!("SELECT sha256::text FROM {} WHERE number = $1::bigint", self.table);
        let rows = session.within(session.client.query(&ask, &[&number])).await?;
        Ok(rows.first().is_some_and(|row| row.try_get::<_, &str>(0).is_ok_and(|found| found == digest)))
    }
}

/// Runs work with a server on its own thread: the caller may be inside a runtime already.
fn on_own_thread<T: Send>(work: impl AsyncFnOnce() -> Result<T, String> + Send) -> Result<T, String> {
    let run = || match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(work()),
        Err(err) => Err(err.to_string()),
    };
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("postgres".to_owned()).spawn_scoped(scope, run);
        let thread = thread.map_err(|err| err.to_string())?;
        thread.join().unwrap_or_else(|_| Err("internal error during a database query".to_owned()))
    })
}
