//! The rows of a table or of a query, as the CSV that the server writes.

use super::address::{Address, Relation};
use super::connect::{Session, quoted};
use super::login::login;
use crate::wording::instead;
use futures_util::Stream;
use std::future::poll_fn;
use std::io::{self, Read};
use std::pin::pin;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// Bytes passed on together.
const PIECE: usize = 64 << 10;
/// Number of pieces that may wait for the reader.
const AHEAD: usize = 8;
/// Values have the same format for every user, and a table is read from its beginning.
const SETTINGS: &str = "BEGIN READ ONLY; SET LOCAL datestyle TO 'ISO, YMD'; SET LOCAL timezone TO 'UTC'; \
                        SET LOCAL intervalstyle TO 'iso_8601'; SET LOCAL extra_float_digits TO 1; \
                        SET LOCAL bytea_output TO 'hex'; SET LOCAL synchronize_seqscans TO off";

/// Rows as they arrive: a separate thread requests them, and is a few pieces ahead.
pub(crate) struct Rows {
    pieces: Receiver<io::Result<Vec<u8>>>,
    piece: Vec<u8>,
    at: usize,
    done: bool,
}

impl Rows {
    /// Connects and sends the query; the first rows may not have arrived.
    ///
    /// # Errors
    /// The reason why there are none, in one line.
    pub(crate) fn open(address: Address) -> Result<Self, String> {
        let (begun, begins) = sync_channel(1);
        let (out, pieces) = sync_channel(AHEAD);
        let work = move || match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime.block_on(send_rows(&address, &begun, &out)),
            Err(err) => drop(begun.send(Err(err.to_string()))),
        };
        std::thread::Builder::new().name("postgres".to_owned()).spawn(work).map_err(|err| err.to_string())?;
        begins.recv().map_err(|_| "the connection ended".to_owned())??;
        Ok(Self { pieces, piece: Vec::new(), at: 0, done: false })
    }
}

impl Read for Rows {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while self.at == self.piece.len() && !self.done {
            self.at = 0;
            // The end is an empty piece: a thread that ended without it has not sent everything.
            self.piece = self.pieces.recv().map_err(|_| io::Error::other("the connection ended"))??;
            self.done = self.piece.is_empty();
        }
        let n = buf.len().min(self.piece.len() - self.at);
        buf[..n].copy_from_slice(&self.piece[self.at..self.at + n]);
        self.at += n;
        Ok(n)
    }
}

async fn send_rows(address: &Address, begun: &SyncSender<Result<(), String>>, out: &SyncSender<io::Result<Vec<u8>>>) {
    let asked = async {
        let session = Session::connect(address, &login()).await?;
        session.within(session.client.batch_execute(SETTINGS)).await?;
        let query = query(&session, address).await?;
        let copy = format!("COPY (\n{query}\n) TO STDOUT (FORMAT csv, HEADER)");
        let rows = session.within(session.client.copy_out(&copy)).await?;
        Ok::<_, String>((session, rows))
    };
    let (session, rows) = match asked.await {
        Ok(asked) => asked,
        Err(what) => return drop(begun.send(Err(what))),
    };
    let _ = begun.send(Ok(()));
    let mut rows = pin!(rows);
    let mut piece = Vec::with_capacity(PIECE);
    // The reader may stop early: then no piece is received, and the connection ends.
    loop {
        let next = poll_fn(|cx| rows.as_mut().poll_next(cx).map(Option::transpose));
        match session.within(next).await {
            Ok(Some(row)) => piece.extend_from_slice(&row),
            Ok(None) => break,
            Err(what) => return drop(out.send(Err(io::Error::other(what)))),
        }
        if piece.len() >= PIECE && out.send(Ok(std::mem::replace(&mut piece, Vec::with_capacity(PIECE)))).is_err() {
            return;
        }
    }
    if !piece.is_empty() {
        let _ = out.send(Ok(piece));
    }
    let _ = out.send(Ok(Vec::new()));
}

/// The query: a table's rows in the order of its primary key, so that the same rows are the same bytes.
async fn query(session: &Session, address: &Address) -> Result<String, String> {
    const KEY: &str = "SELECT a.attname::text FROM pg_index i \
                       CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k(attnum, n) \
                       JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum \
                       WHERE i.indrelid = $1::text::regclass AND i.indisprimary ORDER BY k.n";
    match &address.relation {
        Relation::Query(query) => {
            // It must be one complete statement that returns rows, or it could end the enclosing COPY.
            let asked = session.within(session.client.prepare(query)).await?;
            match asked.columns().is_empty() {
                true => Err("the query returns no columns: use a SELECT".to_owned()),
                false => Ok(query.clone()),
            }
        }
        Relation::Table { schema, name } => {
            let table = table_name(schema.as_deref(), name);
            let all = format!("SELECT * FROM {table}");
            if let Err(what) = session.within(session.client.prepare(&all)).await {
                return Err(format!("{what}{}", others(address, name).await));
            }
            let keys = session.within(session.client.query(KEY, &[&table])).await?;
            let keys: Vec<String> = keys.iter().map(|row| quoted(row.get(0))).collect();
            Ok(if keys.is_empty() { all } else { format!("{all} ORDER BY {}", keys.join(", ")) })
        }
    }
}

/// A table's name quoted for SQL.
pub(super) fn table_name(schema: Option<&str>, name: &str) -> String {
    schema.map(|schema| quoted(schema) + ".").unwrap_or_default() + &quoted(name)
}

/// The most similar name among the readable tables; a new query, because the transaction has failed.
async fn others(address: &Address, name: &str) -> String {
    const NAMES: &str = "SELECT CASE WHEN pg_table_is_visible(c.oid) THEN '' ELSE n.nspname || '.' END || c.relname \
                         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
                         WHERE c.relkind IN ('r', 'v', 'm', 'f', 'p') AND n.nspname <> 'information_schema' \
                         AND n.nspname NOT LIKE 'pg\\_%' ORDER BY 1 LIMIT 500";
    let Ok(session) = Session::connect(address, &login()).await else { return String::new() };
    let Ok(rows) = session.within(session.client.query(NAMES, &[])).await else { return String::new() };
    let names: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    instead(name, names.iter().map(String::as_str))
}
