//! Options of every verb, and options that several verbs share.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};
use mlloop::journal::Window;
use mlloop::table::TableOptions;
use std::path::PathBuf;
use std::time::Duration;

/// When output is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// Use the loop in DIR (default: the current directory, or its nearest parent with a mlloop.toml). status, run and
    /// report also take a pattern such as 'loops/*'. Other paths stay relative to the current directory
    #[arg(short = 'C', long = "dir", value_name = "DIR", global = true)]
    pub(crate) dir: Option<PathBuf>,
    /// Print JSON, also on a terminal (export, man and completions have their own formats)
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Print readable text, also into a pipe or a file
    #[arg(long, global = true, conflicts_with = "json")]
    pub(crate) text: bool,
    /// Write the result to FILE (atomically) instead of stdout. Also s3://BUCKET/KEY; for predict also
    /// postgres://USER@HOST/DB/TABLE
    #[arg(short, long, value_name = "FILE", global = true)]
    pub(crate) output: Option<PathBuf>,
    /// Print nothing; only the exit status tells the result
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// Colour the readable text
    #[arg(long, value_enum, default_value = "auto", value_name = "WHEN", global = true)]
    pub(crate) color: Color,
    /// Random seed; the same seed and input give the same bytes
    #[arg(long, default_value_t = 0, value_name = "N", global = true)]
    pub(crate) seed: u64,
    /// Use at most N threads (default: all cores); results are the same for any N
    #[arg(long, value_name = "N", global = true, value_parser = parse_threads)]
    pub(crate) threads: Option<usize>,
    /// Use this instant as the current time (RFC 3339), to replay a run
    #[arg(long, value_name = "TIME", global = true)]
    pub(crate) now: Option<jiff::Timestamp>,
    /// Wait up to SECONDS for another mlloop that is changing the loop; the wait restarts with each new lock holder
    #[arg(long, value_name = "SECONDS", default_value_t = 5, global = true, value_parser = clap::value_parser!(u64).range(..=86_400))]
    pub(crate) wait: u64,
    /// Override a key of mlloop.toml for this command; a key without a section belongs to [model]. Also by
    /// environment variable: MLLOOP_SECTION_KEY
    #[arg(long, value_name = "KEY=VALUE", global = true)]
    pub(crate) set: Vec<String>,
    /// Exit with 0 instead of 1, 3 and 4
    #[arg(long, global = true)]
    pub(crate) exit_zero: bool,
}

/// How a table on the command line is read.
#[derive(Debug, Args)]
pub(crate) struct TableArgs {
    /// Field separator (default: detected automatically)
    #[arg(long, value_name = "CHAR", value_parser = parse_delimiter)]
    pub(crate) delimiter: Option<char>,
    /// Skip invalid rows, and report them
    #[arg(long)]
    pub(crate) skip_invalid: bool,
    /// Skip the first N lines, before the header (titles and the like)
    #[arg(long, value_name = "N")]
    pub(crate) skip_lines: Option<u64>,
    /// Skip lines that begin with this character
    #[arg(long, value_name = "CHAR")]
    pub(crate) comment: Option<char>,
}

impl TableArgs {
    /// The options given for the table.
    pub(crate) fn options(&self) -> TableOptions {
        let Self { delimiter, skip_invalid, skip_lines, comment } = *self;
        TableOptions { delimiter, decimal: None, skip_lines, comment, skip_invalid }
    }
}

/// The format of a table that mlloop.toml does not describe.
#[derive(Debug, Args)]
pub(crate) struct UnknownTableArgs {
    #[command(flatten)]
    pub(crate) table: TableArgs,
    /// Decimal separator, . or , needed where numbers are ambiguous, such as 1,234
    #[arg(long, value_name = "CHAR", value_parser = parse_decimal)]
    pub(crate) decimal: Option<char>,
}

impl UnknownTableArgs {
    /// The options given for the table.
    pub(crate) fn options(&self) -> TableOptions {
        TableOptions { decimal: self.decimal, ..self.table.options() }
    }
}

/// A period of the log.
#[derive(Debug, Args)]
pub(crate) struct WindowArgs {
    /// Only from this day (midnight UTC) or instant on
    #[arg(long, value_name = "TIME", value_parser = Window::parse_instant)]
    since: Option<jiff::Timestamp>,
    /// Only the most recent period: 90m, 12h, 28d or 4w
    #[arg(long, value_name = "LENGTH", value_parser = Window::parse_length, conflicts_with = "since")]
    last: Option<jiff::SignedDuration>,
}

impl WindowArgs {
    /// The window; unlimited without options.
    pub(crate) fn window(&self, now: jiff::Timestamp) -> Window {
        match (self.since, self.last) {
            (Some(since), _) => Window::since(since),
            (None, Some(length)) => Window::last(length, now),
            (None, None) => Window::default(),
        }
    }
}

/// More threads than this only wait for each other.
const MAX_THREADS: usize = 1024;

fn parse_threads(text: &str) -> Result<usize, String> {
    let n = text.parse().ok().filter(|n| (1..=MAX_THREADS).contains(n));
    n.ok_or_else(|| format!("a whole number from 1 to {MAX_THREADS}"))
}

fn parse_decimal(text: &str) -> Result<char, String> {
    match text {
        "." => Ok('.'),
        "," => Ok(','),
        _ => Err("decimals begin with . or ,".to_owned()),
    }
}

/// One of several names; help and completion list them.
pub(crate) fn one_of<T: Clone + Send + Sync + 'static, E: Into<Box<dyn std::error::Error + Send + Sync>> + 'static>(
    names: impl IntoIterator<Item = &'static str>,
    parse: fn(&str) -> Result<T, E>,
) -> impl TypedValueParser<Value = T> {
    PossibleValuesParser::new(names).try_map(move |name: String| parse(&name))
}

fn parse_delimiter(text: &str) -> Result<char, String> {
    match text {
        "\\t" | "tab" => Ok('\t'),
        _ => {
            let mut chars = text.chars();
            match (chars.next(), chars.next()) {
                (Some(c), None) if c.is_ascii() && !c.is_ascii_alphanumeric() && !matches!(c, '"' | '\n' | '\r') => {
                    Ok(c)
                }
                _ => Err("a delimiter is one ASCII character such as , ; | or tab".to_owned()),
            }
        }
    }
}

/// The name of a person, for the audit chain: at least one visible character, and no invisible ones.
pub(crate) fn person(text: &str) -> Result<String, String> {
    mlloop::wording::person(text)
}

/// `10s`, `500ms`, `2m`, or a number of seconds; at most a day.
pub(super) fn duration(text: &str, least: Duration) -> Result<Duration, String> {
    const DAY: Duration = Duration::from_secs(86_400);
    let seconds = text.parse::<f64>().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let written = || text.parse::<jiff::SignedDuration>().ok().and_then(|length| Duration::try_from(length).ok());
    seconds.or_else(written).filter(|length| (least..=DAY).contains(length)).ok_or_else(|| match least.is_zero() {
        true => "write a time of at most a day, such as 10s".to_owned(),
        false => format!("write a time from {least:?} to a day, such as 30s"),
    })
}
