//! Writes rows to a table: all or none, idempotently.
//!
//! ```text
//! BEGIN ─▶ COPY into a temporary table ─▶ INSERT … ON CONFLICT (id) DO UPDATE ─▶ COMMIT
//! ```

use super::Written;
use super::address::{Address, Relation};
use super::connect::{Session, quoted};
use super::login::login;
use super::read::table_name;
use crate::table::time::write_iso;
use crate::table::write::push_field;
use crate::table::{MISSING_TIME, Table, TableError, Values, push_number};
use bytes::Bytes;
use futures_util::{Sink, SinkExt};
use std::path::Path;
use std::pin::pin;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// Number of pieces that may wait for the server.
const AHEAD: usize = 8;
/// The table that collects rows until all have arrived; it ends with the transaction.
const INCOMING: &str = "pg_temp.mlloop_incoming";

/// A column that is written.
#[derive(Debug, Clone)]
struct Wanted {
    name: String,
    /// The SQL type in a table created here.
    kind: &'static str,
}

enum Order {
    Begin(Vec<Wanted>),
    Rows(Vec<u8>),
    Finish,
}

/// Writes rows to a table of a database, in one transaction. Without [`finish`](Self::finish) nothing is written.
pub struct RowWriter {
    name: String,
    orders: SyncSender<Order>,
    answers: Receiver<Result<Written, String>>,
    begun: bool,
}

impl RowWriter {
    /// Connects to the database of an address; rows are identified by the column `id`.
    ///
    /// # Errors
    /// Errors in the address, or of the server.
    pub fn open(path: &Path, id: &str) -> Result<Self, TableError> {
        let address = Address::parse(path).map_err(|what| TableError::File { file: super::shown(path), what })?;
        let name = address.shown();
        let wrong = |what: String| TableError::File { file: name.clone(), what };
        if matches!(address.relation, Relation::Query(_)) {
            return Err(wrong("rows cannot be written to a query: name a table".to_owned()));
        }
        let (orders, taken) = sync_channel(AHEAD);
        let (answer, answers) = sync_channel(2);
        let id = id.to_owned();
        let work = move || {
            let done = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime.block_on(write(&address, &id, &taken, &answer)),
                Err(err) => Err(err.to_string()),
            };
            // A dropped writer has no receiver.
            let _ = answer.send(done);
        };
        let spawned = std::thread::Builder::new().name("postgres".to_owned()).spawn(work);
        spawned.map_err(|err| wrong(err.to_string()))?;
        let writer = Self { name: name.clone(), orders, answers, begun: false };
        writer.answer()?;
        Ok(writer)
    }

    /// Adds rows. All tables have the columns of the first.
    ///
    /// # Errors
    /// The server's message.
    pub fn push(&mut self, table: &Table) -> Result<(), TableError> {
        if !self.begun {
            let kind = |values: &Values| match values {
                Values::Number(_) => "double precision",
                Values::Time(_) => "timestamp with time zone",
                Values::Category(_) | Values::Text(_) => "text",
            };
            let wanted =
                |column: &crate::table::Column| Wanted { name: column.name.clone(), kind: kind(&column.values) };
            self.order(Order::Begin(table.columns().iter().map(wanted).collect()))?;
            self.begun = true;
        }
        let mut lines = Vec::new();
        push_rows(&mut lines, table);
        self.order(Order::Rows(lines))
    }

    /// Commits the rows to the table.
    ///
    /// # Errors
    /// The server's message; in this case no row is written.
    pub fn finish(self) -> Result<Written, TableError> {
        self.order(Order::Finish)?;
        self.answer()
    }

    fn order(&self, order: Order) -> Result<(), TableError> {
        match self.orders.send(order) {
            Ok(()) => Ok(()),
            // The worker has ended, and returned the reason.
            Err(_) => self.answer().map(drop),
        }
    }

    fn answer(&self) -> Result<Written, TableError> {
        let answer = self.answers.recv().unwrap_or_else(|_| Err("the connection ended".to_owned()));
        answer.map_err(|what| TableError::File { file: self.name.clone(), what })
    }
}

/// Rows as CSV: a missing cell is an empty field, which COPY takes for NULL.
fn push_rows(lines: &mut Vec<u8>, table: &Table) {
    for row in 0..table.n_rows() {
        for (n, column) in table.columns().iter().enumerate() {
            if n > 0 {
                lines.push(b',');
            }
            match &column.values {
                Values::Number(values) if values[row].is_infinite() => {
                    lines.extend_from_slice(if values[row] > 0.0 { b"Infinity" } else { b"-Infinity" });
                }
                Values::Number(values) => push_number(lines, values[row]),
                Values::Time(values) if values[row] == MISSING_TIME => {}
                Values::Time(values) => {
                    let mut text = String::new();
                    write_iso(values[row], &mut text);
                    lines.extend_from_slice(text.as_bytes());
                    // Times are UTC here, whatever the session's time zone.
                    lines.extend_from_slice(if text.ends_with('Z') { b"" } else { b"Z" });
                }
                Values::Category(levels) => push_text(lines, levels.level(row).unwrap_or_default()),
                Values::Text(texts) => push_text(lines, texts.get(row)),
            }
        }
        lines.push(b'\n');
    }
}

fn push_text(lines: &mut Vec<u8>, text: &str) {
    match text {
        // Alone on a line, this would end the data.
        "\\." => lines.extend_from_slice(b"\"\\.\""),
        text => push_field(lines, text, b','),
    }
}

async fn write(
    address: &Address,
    id: &str,
    orders: &Receiver<Order>,
    ready: &SyncSender<Result<Written, String>>,
) -> Result<Written, String> {
    let session = Session::connect(address, &login()).await?;
    let Relation::Table { schema, name } = &address.relation else { return Err("names no table".to_owned()) };
    let target = table_name(schema.as_deref(), name);
    session
        .within(session.client.batch_execute("BEGIN; SET LOCAL datestyle TO 'ISO, YMD'; SET LOCAL timezone TO 'UTC'"))
        .await?;
    let exists = exists(&session, &target).await?;
    if exists {
        unique(&session, &target, id).await?;
    }
    let _ = ready.send(Ok(Written::default()));
    let Ok(Order::Begin(columns)) = orders.recv() else {
        // No rows.
        session.within(session.client.batch_execute("ROLLBACK")).await?;
        return Ok(Written::default());
    };
    if !columns.iter().any(|column| column.name == id) {
        return Err(format!("the rows have no {id:?} column, which identifies them"));
    }
    if exists {
        has_columns(&session, &target, &columns).await?
    } else {
        make(&session, &target, &columns, id).await?
    }
    let names: Vec<String> = columns.iter().map(|column| quoted(&column.name)).collect();
    let names = names.join(", ");
    let incoming =
        format!("CREATE TEMPORARY TABLE mlloop_incoming ON COMMIT DROP AS SELECT {names} FROM {target} WITH NO DATA");
    session.within(session.client.batch_execute(&incoming)).await?;
    let n_rows = copy(&session, &names, orders).await?;
    let n_ids = merge(&session, &target, &columns, id).await?;
    session.within(session.client.batch_execute("COMMIT")).await.map_err(|what| {
        format!("{what}; it is unknown whether the rows were written: run the command again, it replaces them by id")
    })?;
    Ok(Written { n_rows, n_ids, made: !exists })
}

async fn exists(session: &Session, target: &str) -> Result<bool, String> {
    const EXISTS: &str = "SELECT to_regclass($1::text) IS NOT NULL";
    session.within(session.client.query_one(EXISTS, &[&target])).await.map(|row| row.get(0))
}

/// Whether the table itself prevents duplicate ids.
async fn unique(session: &Session, target: &str, id: &str) -> Result<(), String> {
    const UNIQUE: &str = "SELECT EXISTS (SELECT FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid \
                          WHERE i.indrelid = $1::text::regclass AND i.indisunique AND i.indnkeyatts = 1 \
                          AND i.indpred IS NULL AND i.indexprs IS NULL AND a.attnum = i.indkey[0] AND a.attname = $2::text)";
    let found: bool = session.within(session.client.query_one(UNIQUE, &[&target, &id])).await?.get(0);
    match found {
        true => Ok(()),
        false => Err(format!(
            "no unique index on {id:?}, which identifies the rows: CREATE UNIQUE INDEX ON {target} ({})",
            quoted(id)
        )),
    }
}

async fn has_columns(session: &Session, target: &str, columns: &[Wanted]) -> Result<(), String> {
    const NAMES: &str = "SELECT attname::text FROM pg_attribute \
                         WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped";
    let rows = session.within(session.client.query(NAMES, &[&target])).await?;
    let names: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    let missing: Vec<String> = columns
        .iter()
        .filter(|column| !names.contains(&column.name))
        .map(|column| format!("{:?}", column.name))
        .collect();
    match missing.is_empty() {
        true => Ok(()),
        false => Err(format!(
            "the table has no column {}: add it with ALTER TABLE, or choose the columns with --columns",
            missing.join(", ")
        )),
    }
}

async fn make(session: &Session, target: &str, columns: &[Wanted], id: &str) -> Result<(), String> {
    let column = |column: &Wanted| match column.name == id {
        true => format!("{} text PRIMARY KEY", quoted(id)),
        false => format!("{} {}", quoted(&column.name), column.kind),
    };
    let columns: Vec<String> = columns.iter().map(column).collect();
    let make = format!("CREATE TABLE {target} ({})", columns.join(", "));
    session.within(session.client.batch_execute(&make)).await
}

/// Receives rows until the order to finish; a channel closed without it is not the end of the rows.
async fn copy(session: &Session, names: &str, orders: &Receiver<Order>) -> Result<u64, String> {
    let copy = format!("COPY {INCOMING} ({names}) FROM STDIN (FORMAT csv)");
    let rows = session.within(session.client.copy_in::<_, Bytes>(&copy)).await?;
    let mut rows = pin!(rows);
    loop {
        match orders.recv() {
            Ok(Order::Rows(lines)) => session.within(feed(&mut rows, lines)).await?,
            Ok(Order::Finish) => break,
            Ok(Order::Begin(_)) => {}
            Err(_) => return Err("the rows ended early".to_owned()),
        }
    }
    session.within(rows.finish()).await
}

async fn feed<S: Sink<Bytes> + Unpin>(rows: &mut S, lines: Vec<u8>) -> Result<(), S::Error> {
    rows.send(Bytes::from(lines)).await
}

/// Rows replace those with the same id; of several rows with one id, the last wins.
async fn merge(session: &Session, target: &str, columns: &[Wanted], id: &str) -> Result<u64, String> {
    let key = quoted(id);
    let nameless = format!("SELECT count(*) FROM {INCOMING} WHERE {key} IS NULL");
    let nameless: i64 = session.within(session.client.query_one(&nameless, &[])).await?.get(0);
    if nameless > 0 {
        return Err(format!("{nameless} rows have no {id:?}, which identifies them"));
    }
    let names: Vec<String> = columns.iter().map(|column| quoted(&column.name)).collect();
    let others: Vec<String> =
        names.iter().filter(|name| **name != key).map(|name| format!("{name} = EXCLUDED.{name}")).collect();
    let then = if others.is_empty() { "DO NOTHING".to_owned() } else { format!("DO UPDATE SET {}", others.join(", ")) };
    let names = names.join(", ");
    let merge = format!(
        "INSERT INTO {target} ({names}) SELECT DISTINCT ON ({key}) {names} FROM {INCOMING} ORDER BY {key}, ctid DESC \
         ON CONFLICT ({key}) {then}"
    );
    session.within(session.client.execute(&merge, &[])).await
}
