use super::{Context, Outcome, Output};
use anyhow::{Context as _, Result, bail};
use clap::builder::RangedU64ValueParser;
use mlloop::answers::Listening;
use mlloop::dashboard::{Dashboard, DashboardSettings, People};
use mlloop::journal::Durability;
use mlloop::printable;
use mlloop::retrain::standing;
use mlloop::serve::{self, App, JobSettings, Limits, ServeSettings, Tls};
use mlloop::workspace::Setting;
use rand::RngCore as _;
use rand::rngs::OsRng;
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// Serve predictions of the production version over HTTP
///
/// JSON in and out, one row or many; feature names are those of the training table. Every prediction is logged in
/// predictions/ before its response is sent. Promotions, rollbacks and changes of the experiment take effect within a
/// second, without a failed request. /docs describes the endpoints.
///
///   mlloop serve                                  on http://127.0.0.1:8080
///   curl -s localhost:8080/predict -H 'Content-Type: application/json' \
///       -d '{"months": 3, "contract": "monthly"}'
///   mlloop serve --port 0 -o serve.json
///       on any free port; serve.json has the address
///   mlloop serve --run-every 1h   and run the loop every hour
///   mlloop serve --run-at new_rows   and after enough new labelled rows
///   MLLOOP_PREDICT_TOKEN=… mlloop serve --host 0.0.0.0 --tls-cert cert.pem \
///       --tls-key key.pem
///
/// Environment: MLLOOP_TOKEN is the bearer token for endpoints that change something (without it they are closed).
/// MLLOOP_PREDICT_TOKEN is the token for all other endpoints except /health and /ready (without it every program on this
/// machine has access). If other machines can reach the server, one of the two must be set; MLLOOP_TOKEN alone covers both.
///
/// On SIGTERM or SIGINT: no new connections; running requests may finish within --grace. A second signal stops at once.
///
/// Exit status: 0 stopped by a signal, 2 error.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// The address to listen on
    #[arg(long, value_name = "HOST", default_value = "127.0.0.1")]
    host: String,
    /// The port (default: 8080; for `dashboard` 8050); 0 takes a free one
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,
    /// Open the pages in a browser
    #[arg(long)]
    open: bool,
    /// Show pages only after sign-in
    #[arg(long)]
    private: bool,
    /// More users who may sign in, besides the owner of MLLOOP_TOKEN: lines of name:role:sha256 of a token; the roles are
    /// viewer, labeller and approver
    #[arg(long, value_name = "FILE")]
    users: Option<PathBuf>,
    /// Another allowed host name of requests, such as that of a reverse proxy; may be repeated
    #[arg(long, value_name = "NAME", value_parser = host_name)]
    allow_host: Vec<String>,
    /// Allow requests of other machines without a token
    #[arg(long)]
    insecure: bool,
    /// Also run the loop (`mlloop run`) at this interval: 1h, 30m
    #[arg(long, value_name = "TIME", value_parser = interval)]
    run_every: Option<Duration>,
    /// Also run the loop when this trigger of [monitor.triggers] is reached; may be repeated
    #[arg(long, value_name = "TRIGGER", value_parser = standing::NAMES)]
    run_at: Vec<String>,
    /// When a response is sent: always (after the log is synced to disk; concurrent requests share a sync), batch (after
    /// writing the log; synced once a second), off (after writing; never synced)
    #[arg(long, value_enum, value_name = "WHEN", default_value = "always")]
    log_sync: LogSync,
    /// Do not log predictions
    #[arg(long, conflicts_with = "log_sync")]
    no_log: bool,
    /// About how many rows to keep in memory for windows over earlier rows, per version; the oldest are dropped
    #[arg(long, value_name = "N", value_parser = up_to(100_000_000), default_value_t = 1_000_000)]
    past_rows: usize,
    /// Also serve as ML backend of Label Studio, under /label-studio: predictions for annotators, not logged
    #[arg(long)]
    label_studio: bool,
    /// Certificate chain in PEM form
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Its private key in PEM form
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Maximum size of a request body in bytes; a larger one gets status 413
    #[arg(long, value_name = "BYTES", value_parser = up_to(1 << 30), default_value_t = Limits::default().max_body_bytes)]
    max_body: usize,
    /// Maximum rows per request; more get status 413
    #[arg(long, value_name = "N", value_parser = up_to(1_000_000), default_value_t = Limits::default().max_rows)]
    max_rows: usize,
    /// Maximum concurrent requests; further ones get status 503 with Retry-After
    #[arg(long, value_name = "N", value_parser = up_to(1_000_000), default_value_t = Limits::default().max_in_flight)]
    max_in_flight: usize,
    /// Maximum open connections
    #[arg(long, value_name = "N", value_parser = up_to(1_000_000), default_value_t = Limits::default().max_connections)]
    max_connections: usize,
    /// Maximum open connections per client address
    #[arg(long, value_name = "N", value_parser = up_to(1_000_000), default_value_t = Limits::default().max_per_address)]
    max_per_address: usize,
    /// Timeout for receiving headers or body, for sending the response, and for idle connections: 30s, 500ms, 2m
    #[arg(long, value_name = "TIME", value_parser = patience, default_value = "30s")]
    patience: Duration,
    /// Time that running requests may take after the first stop signal
    #[arg(long, value_name = "TIME", value_parser = grace, default_value = "10s")]
    grace: Duration,
}

/// A whole number from 1 to `most`.
fn up_to(most: u64) -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..=most)
}

/// A name or an address as in a `Host` header, without brackets and trailing dot.
fn host_name(text: &str) -> Result<String, String> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    if let Ok(address) = bare.parse::<std::net::Ipv6Addr>() {
        return Ok(format!("[{address}]"));
    }
    let name = text.strip_suffix('.').unwrap_or(text);
    let is_label = |label: &str| {
        (1..=63).contains(&label.len()) && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    match name.len() <= 253 && name.split('.').all(is_label) {
        true => Ok(name.to_owned()),
        false => Err("write a whole name such as shop.example.org: no port, no scheme, no *".to_owned()),
    }
}

fn patience(text: &str) -> Result<Duration, String> {
    super::args::duration(text, Duration::from_millis(100))
}

fn interval(text: &str) -> Result<Duration, String> {
    super::args::duration(text, Duration::from_secs(1))
}

fn grace(text: &str) -> Result<Duration, String> {
    super::args::duration(text, Duration::ZERO)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum LogSync {
    Always,
    Batch,
    Off,
}

pub(crate) fn run(args: &Args, ctx: &Context, out: &mut Output) -> Result<Outcome> {
    serve(args, ctx, out, &Pages { port: 8080, own_token: None, open: args.open })
}

/// The differences between `serve` and `dashboard`.
pub(super) struct Pages {
    /// The default port.
    pub(super) port: u16,
    /// A token for the pages of this run only.
    pub(super) own_token: Option<String>,
    /// Whether to open the pages in a browser.
    pub(super) open: bool,
}

impl Pages {
    /// The address of the start page; contains the token if one was created for this run.
    fn address(&self, url: &str) -> String {
        match &self.own_token {
            Some(token) => format!("{url}/ui/sign-in#token={token}"),
            None => format!("{url}/ui"),
        }
    }
}

/// Settings that glibc reads at start: free memory is returned to the system at once. By default glibc raises both
/// limits with each large allocation, and keeps the memory that a count over all labels needed. With these settings
/// training takes as long as without (two runs each on 32 561 rows: 10.6 and 10.5 s of CPU) and needs less memory.
const GIVE_BACK: [(&str, &str); 2] = [("MALLOC_TRIM_THRESHOLD_", "131072"), ("MALLOC_MMAP_THRESHOLD_", "131072")];

/// Restarts this program in the same process with settings that return memory, unless the user has set them.
fn give_back_memory() {
    let is_chosen = |(name, _): &(&str, &str)| std::env::var_os(name).is_some();
    if cfg!(not(target_env = "gnu")) || GIVE_BACK.iter().any(is_chosen) {
        return;
    }
    let mut args = std::env::args_os();
    let mut anew = std::process::Command::new("/proc/self/exe");
    if let Some(own) = args.next() {
        anew.arg0(own);
    }
    // `exec` returns only on failure: then memory is kept, which is harmless.
    let _ = anew.args(args).envs(GIVE_BACK).exec();
}

pub(super) fn serve(args: &Args, ctx: &Context, out: &mut Output, pages: &Pages) -> Result<Outcome> {
    give_back_memory();
    let tls = match (&args.tls_cert, &args.tls_key) {
        (Some(cert), Some(key)) => Some(Tls::read(cert, key)?),
        _ => None,
    };
    // This thread accepts connections; threads of the server answer.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let port = args.port.unwrap_or(pages.port);
        let wanted = format!("{}:{port}", args.host);
        let cannot = || format!("cannot listen on {wanted}");
        let found = tokio::net::lookup_host((args.host.as_str(), port)).await.with_context(cannot)?;
        let addresses: Vec<SocketAddr> = found.collect();
        let settings = args.settings(ctx, addresses.iter().all(|at| at.ip().to_canonical().is_loopback()))?;
        args.warn(ctx, &settings, tls.is_some());
        let state = App::open(ctx.workspace.clone().waiting(Duration::ZERO), &settings)?;
        if state.production().is_none() {
            ctx.progress.note("note: no version is in production yet; predictions get status 503");
        }
        let listener = TcpListener::bind(&addresses[..]).await.with_context(cannot)?;
        let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let (signals, seen) = tokio::sync::watch::channel(0_u32);
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
                signals.send_modify(|n| *n += 1);
            }
        });
        let router = args.dashboard(ctx, pages, &settings)?.over(&state);
        let told = Listening {
            url: url(listener.local_addr()?, tls.is_some()),
            version: state.production(),
            pid: std::process::id(),
        };
        let version = told.version.map_or_else(|| "no version yet".to_owned(), |version| version.to_string());
        let page = pages.address(&told.url);
        out.answer(&told, |style| {
            format!("{version} serves at {}\npages: {}\n", style.bold(&told.url), style.bold(&page))
        })?;
        if pages.own_token.is_some() && out.wants_json() {
            ctx.progress.note(
                "note: JSON output does not contain the token of this run, so nobody can sign in: set MLLOOP_TOKEN, \
                or use --text to print the address with the token",
            );
        }
        if pages.open {
            browse(&page);
        }
        let after = |n: u32| {
            let mut seen = seen.clone();
            async move {
                // The sender must live as long as the server.
                let _ = seen.wait_for(|count| *count >= n).await;
            }
        };
        serve::serve(listener, tls, (state, router), threads(ctx), (after(1), after(2))).await?;
        Ok(Outcome::Yes)
    })
}

fn threads(ctx: &Context) -> usize {
    ctx.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from))
}

/// Opens a page in a browser, if there is one.
fn browse(page: &str) {
    for program in ["xdg-open", "open"] {
        let quiet = std::process::Stdio::null;
        let started =
            std::process::Command::new(program).arg(page).stdin(quiet()).stdout(quiet()).stderr(quiet()).spawn();
        if started.is_ok() {
            return;
        }
    }
}

/// Random bytes of the system.
pub(super) fn random() -> [u8; 32] {
    let mut bytes = [0; 32];
    OsRng.fill_bytes(&mut bytes);
    bytes
}

fn url(at: SocketAddr, is_tls: bool) -> String {
    format!("{}://{at}", if is_tls { "https" } else { "http" })
}

impl Args {
    fn dashboard(&self, ctx: &Context, pages: &Pages, settings: &ServeSettings) -> Result<Arc<Dashboard>> {
        let mut people = match &self.users {
            None => People::default(),
            Some(path) => {
                let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
                People::parse(&text).map_err(|what| anyhow::anyhow!("{}: {what}", path.display()))?
            }
        };
        for token in settings.token.iter().chain(&pages.own_token) {
            people = people.with_token(token);
        }
        let settings = DashboardSettings {
            now: settings.now,
            secret: random(),
            people,
            program: std::env::current_exe().context("cannot find the program that runs")?,
            open: settings.is_local && !self.private && settings.predict_token.is_none(),
            secure: self.tls_cert.is_some(),
        };
        Ok(Dashboard::open(ctx.workspace.clone(), settings)?)
    }

    /// Warns about what other machines can access.
    fn warn(&self, ctx: &Context, settings: &ServeSettings, is_tls: bool) {
        if settings.is_local {
            return;
        }
        if settings.predict_token.is_none() {
            let host = &self.host;
            ctx.progress.note(format_args!(
                "warning: --insecure: every machine that reaches {host} can request predictions and read the server's \
                 information about its models"
            ));
        }
        if !is_tls {
            ctx.progress.note("warning: without --tls-cert, rows, predictions and tokens are readable on the network");
        }
    }

    fn settings(&self, ctx: &Context, is_local: bool) -> Result<ServeSettings> {
        let triggers = ctx.workspace.config()?.monitor;
        if let Some(name) = self.run_at.iter().find(|name| !standing::is_on(&triggers, name)) {
            let key = if name == "age" { "max_age_days" } else { name };
            bail!("--run-at {name}: that trigger is off; set {key} under [monitor.triggers] in mlloop.toml");
        }
        let log = match self.log_sync {
            _ if self.no_log => None,
            LogSync::Always => Some(Durability::Always),
            LogSync::Batch => Some(Durability::Batch),
            LogSync::Off => Some(Durability::Off),
        };
        #[expect(clippy::disallowed_methods, reason = "the binary reads the environment")]
        let token = |name: &str| std::env::var(name).ok().filter(|token| !token.trim().is_empty());
        let change = token("MLLOOP_TOKEN");
        // MLLOOP_TOKEN also covers predictions, if other machines can reach the server.
        let predict = token("MLLOOP_PREDICT_TOKEN").or_else(|| change.clone().filter(|_| !is_local && !self.insecure));
        anyhow::ensure!(
            is_local || predict.is_some() || self.insecure,
            "--host {}: other machines can reach it, so it needs a token: set MLLOOP_PREDICT_TOKEN (or --insecure, to allow \
             everybody)",
            self.host
        );
        #[expect(clippy::disallowed_methods, reason = "a server keeps running, so it needs the real clock")]
        let now = jiff::Timestamp::now;
        let is_name = self.host.parse::<std::net::IpAddr>().is_err();
        Ok(ServeSettings {
            now,
            // Two servers, or one after a restart, must not give two requests the same id.
            seed: (ctx.now.as_nanosecond() as u64) ^ u64::from(std::process::id()).rotate_left(32),
            limits: Limits {
                max_body_bytes: self.max_body,
                max_rows: self.max_rows,
                max_in_flight: self.max_in_flight,
                max_connections: self.max_connections,
                max_per_address: self.max_per_address,
                patience: self.patience,
                grace: self.grace,
                ..Limits::default()
            },
            log,
            token: change,
            predict_token: predict,
            hosts: self.allow_host.iter().chain(is_name.then_some(&self.host)).cloned().collect(),
            is_local,
            n_threads: threads(ctx),
            past_rows: self.past_rows,
            label_studio: self.label_studio,
            job: JobSettings {
                every: self.run_every,
                at: self.run_at.clone(),
                program: std::env::current_exe().context("the path of this program")?,
                set: ctx.workspace.settings().iter().filter(|set| set.from == "--set").map(Setting::pair).collect(),
            },
            tell: |fault| {
                // A closed stderr must not fail the command.
                let _ = writeln!(std::io::stderr(), "mlloop: {}", printable::message(fault));
            },
        })
    }
}
