use super::output::Style;
use super::{Context, Outcome, Output};
use anyhow::{Context as _, Result, anyhow};
use mlloop::printable::name;
use mlloop::source::{By, Credentials, DownloadRequest, Downloaded, Source, SourceError, Split, download};
use mlloop::table::TableOptions;
use serde_json::json;
use std::fmt::Write as _;
use std::path::PathBuf;

/// Fetch a table into data/, check it, unpack it, and split it into reference and current
///
/// SOURCE is kaggle:owner/dataset[/file][@version], https://…, postgres://…, s3://…, file:… or a path. zip and gzip are
/// unpacked. The source and its SHA-256 are written to data/SOURCE.json and to the audit chain. An interrupted transfer is
/// resumed, also by the next run. data/ changes only when everything is complete; files that differ are overwritten only
/// with --force.
///
/// Many data sets of Kaggle need a token: create one at https://www.kaggle.com/settings/api and export it as
/// KAGGLE_API_TOKEN, or save it in ~/.kaggle/access_token. kaggle.json (also in the loop's secrets/, readable only by you)
/// and KAGGLE_USERNAME with KAGGLE_KEY work too.
///
///   mlloop download kaggle:blastchar/telco-customer-churn --split hash
///   mlloop download kaggle:ealaxi/paysim1 --split time --by step \
///       --reference 0.8
///   mlloop download https://example.org/churn.csv.gz --sha256 16320c9c…
///   mlloop download export.csv --split time && mlloop init data/reference.csv
///   mlloop download 'postgres://ann@db/shop?query=select * from orders'
///
/// Never write a password into an address: set PGPASSWORD or ~/.pgpass (docs/databases.md).
///
/// Exit status: 0 something new was fetched, 1 nothing new, 2 error.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// kaggle:owner/dataset[/file][@version], https://…, postgres://USER@HOST/DB/TABLE, s3://BUCKET/KEY,
    /// file:… or a path
    pub(super) source: Source,
    /// Split into data/reference.csv and data/current.csv: the earliest rows (time) or a hash of the key (hash) become the reference
    #[arg(long, value_name = "WAY", value_parser = super::args::one_of(["time", "hash"], str::parse::<By>))]
    pub(super) split: Option<By>,
    /// The column with the time (or a number), or with the key that keeps rows together (default: detected)
    #[arg(long, value_name = "COLUMN", requires = "split")]
    pub(super) by: Option<String>,
    /// Share of rows for the reference
    #[arg(long, value_name = "SHARE", default_value_t = 0.7, requires = "split")]
    pub(super) reference: f64,
    /// The file to split, when there are several
    #[arg(long, value_name = "FILE", requires = "split")]
    pub(super) table: Option<String>,
    /// Skip invalid rows
    #[arg(long, requires = "split")]
    pub(super) skip_invalid: bool,
    /// Skip the first N lines of the table, before the header (titles and the like)
    #[arg(long, value_name = "N", requires = "split")]
    pub(super) skip_lines: Option<u64>,
    /// Skip lines of the table that begin with this character
    #[arg(long, value_name = "CHAR", requires = "split")]
    pub(super) comment: Option<char>,
    /// The expected SHA-256 of the download
    #[arg(long, value_name = "HEX", value_parser = parse_sha256)]
    pub(super) sha256: Option<String>,
    /// Overwrite files that differ
    #[arg(long)]
    pub(super) force: bool,
    /// Maximum size of the download, and of the unpacked files, in bytes; K, M or G may follow the number
    #[arg(long, value_name = "SIZE", default_value = "4G", value_parser = parse_size)]
    pub(super) max_size: u64,
    /// Number of retries without progress
    #[arg(long, value_name = "N", default_value_t = 6)]
    pub(super) retries: u32,
    /// Address of Kaggle's API, or of a mirror
    #[arg(long, value_name = "URL", env = "MLLOOP_KAGGLE_API", default_value = "https://api.kaggle.com/v1")]
    pub(super) kaggle_api: String,
    /// Trust these certificates (PEM) instead of the public ones
    #[arg(long, value_name = "FILE")]
    pub(super) ca_cert: Option<PathBuf>,
}

impl Args {
    /// The format of the table.
    pub(super) fn read(&self) -> TableOptions {
        let Self { skip_invalid, skip_lines, comment, .. } = *self;
        TableOptions { skip_invalid, skip_lines, comment, ..TableOptions::default() }
    }

    /// A download of `source` with default options.
    pub(super) fn of(source: Source) -> Self {
        Self {
            source,
            split: None,
            by: None,
            reference: 0.7,
            table: None,
            skip_invalid: false,
            skip_lines: None,
            comment: None,
            sha256: None,
            force: false,
            max_size: 4 << 30,
            retries: 0,
            kaggle_api: String::new(),
            ca_cert: None,
        }
    }
}

pub(crate) fn run(args: &Args, ctx: &Context, out: &mut Output) -> Result<Outcome> {
    split(args, args.read(), ctx, out)
}

/// As [`run`], for a table in this format.
pub(super) fn split(args: &Args, read: TableOptions, ctx: &Context, out: &mut Output) -> Result<Outcome> {
    let done = fetch(args, read, ctx)?;
    out.answer(&done.record, |style| readable(&done, style))?;
    Ok(if done.new { Outcome::Yes } else { Outcome::No })
}

/// Downloads, and adds it to the run log.
pub(super) fn fetch(args: &Args, table: TableOptions, ctx: &Context) -> Result<Downloaded> {
    let started = std::time::Instant::now();
    #[expect(clippy::disallowed_methods, reason = "the binary reads the environment")]
    let variable = |name: &str| std::env::var(name).ok();
    let found = match &args.source {
        Source::Kaggle(_) => {
            let secrets = ctx.workspace.path("secrets");
            Credentials::find(&variable, &secrets).map_err(|what| anyhow!(what))?
        }
        _ => None,
    };
    if let Some(note) = found.as_ref().and_then(|found| found.note.as_ref()) {
        ctx.progress.note(format_args!("note: {note}"));
    }
    let read = |path: &PathBuf| std::fs::read(path).with_context(|| path.display().to_string());
    let root_certificates = args.ca_cert.as_ref().map(read).transpose()?;
    let split = args.split.map(|by| Split { by, column: args.by.clone(), share: args.reference });
    let transfer = ctx.progress.transfer();
    let done = download(
        &ctx.workspace,
        &DownloadRequest {
            source: &args.source,
            kaggle_api: &args.kaggle_api,
            credentials: found.as_ref().map(|found| &found.credentials),
            sha256: args.sha256.as_deref(),
            max_bytes: args.max_size,
            retries: args.retries,
            root_certificates: root_certificates.as_deref(),
            force: args.force,
            split: split.as_ref(),
            table: args.table.as_deref(),
            read: table,
            now: ctx.now,
            wait: &std::thread::sleep,
            progress: &|step| transfer.at(step),
        },
    );
    transfer.finish();
    let done = done.map_err(|err| match err {
        SourceError::Workspace(err) => anyhow::Error::from(err),
        err => err.into(),
    })?;
    done.notes.iter().for_each(|note| ctx.progress.note(format_args!("note: {note}")));
    let result = json!({ "source": done.record.source, "sha256": done.record.sha256, "new": done.new });
    ctx.log("download", started, result)?;
    Ok(done)
}

fn readable(done: &Downloaded, style: Style) -> String {
    let record = &done.record;
    let (state, sha256) = (if done.new { "" } else { "nothing new: " }, &record.sha256[..record.sha256.len().min(16)]);
    // Writing to a String cannot fail.
    let mut text = format!("{state}{}, {} bytes, SHA-256 {sha256}…\n", style.bold(&name(&record.source)), record.bytes);
    for file in &record.files {
        let _ = writeln!(text, "  {}  {}", name(&file.file), style.dim(&format!("{} bytes", file.bytes)));
    }
    if let Some(split) = &record.split {
        let key = split.column.as_ref().map_or_else(|| "the whole row".to_owned(), |column| format!("{column:?}"));
        let from = split.cut.as_ref().map(|cut| format!(", current from {cut} on")).unwrap_or_default();
        let _ = writeln!(
            text,
            "reference: {} rows, current: {} rows, split by {key}{from}",
            split.reference, split.current
        );
        text.push_str("next: mlloop init data/reference.csv\n");
    }
    text
}

fn parse_sha256(text: &str) -> Result<String, String> {
    match text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit()) {
        true => Ok(text.to_owned()),
        false => Err("a SHA-256 is 64 hexadecimal digits".to_owned()),
    }
}

fn parse_size(text: &str) -> Result<u64, String> {
    let (digits, shift) = match text.to_uppercase().trim_end_matches("IB").trim_end_matches('B') {
        t if t.ends_with('K') => (t.trim_end_matches('K').to_owned(), 10),
        t if t.ends_with('M') => (t.trim_end_matches('M').to_owned(), 20),
        t if t.ends_with('G') => (t.trim_end_matches('G').to_owned(), 30),
        t => (t.to_owned(), 0),
    };
    let size = digits.parse::<u64>().ok().and_then(|n| n.checked_mul(1 << shift)).filter(|n| *n > 0);
    size.ok_or_else(|| "a size is a number, with K, M or G: 500M".to_owned())
}
