use super::{Context, Outcome, Output};
use anyhow::{Context as _, Result};
use mlloop::dashboard::{Dashboard, DashboardSettings, People};
use mlloop::journal::Durability;
use mlloop::registry::Version;
use mlloop::serve::{self, App, Limits, ServeSettings, Tls};
use rand::RngCore as _;
use rand::rngs::OsRng;
use serde::Serialize;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// Answer predictions over HTTP, with what is in production
///
/// JSON in and out, one row or many; rows name their features as the training table did. Every prediction is in
/// predictions/ before its answer leaves. A promotion, a rollback or a change of the experiment is taken up within a
/// second, and no request fails for it. SIGTERM and SIGINT let requests finish. /docs describes the endpoints.
///
///   mlloop serve                                  on http://127.0.0.1:8080
///   curl -s localhost:8080/predict -H 'Content-Type: application/json' -d '{"months": 3, "contract": "monthly"}'
///   mlloop serve --port 0 -o serve.json           on any free port, which serve.json then names
///   MLLOOP_TOKEN=… mlloop serve --host 0.0.0.0 --tls-cert cert.pem --tls-key key.pem
///
/// Environment: MLLOOP_TOKEN is the bearer token of endpoints that change something (without one they are closed),
/// MLLOOP_PREDICT_TOKEN that of predictions (without one everybody may ask).
///
/// Exit status: 0 it was asked to stop, 2 error.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// The address to listen on
    #[arg(long, value_name = "HOST", default_value = "127.0.0.1")]
    host: String,
    /// The port (8080; of `dashboard` 8050); 0 takes a free one
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,
    /// Open the pages in a browser
    #[arg(long)]
    open: bool,
    /// Show pages only to who has signed in
    #[arg(long)]
    private: bool,
    /// Who may sign in to the pages beside the owner of MLLOOP_TOKEN: lines of name:role:sha256 of a token, with the roles
    /// viewer, labeller and approver
    #[arg(long, value_name = "FILE")]
    users: Option<PathBuf>,
    /// When a prediction is safe enough in the log to be answered: always (synced to the disk; what waits is synced
    /// together), batch (written; synced once a second), off (written)
    #[arg(long, value_enum, value_name = "WHEN", default_value = "always")]
    log_sync: LogSync,
    /// Do not log predictions
    #[arg(long, conflicts_with = "log_sync")]
    no_log: bool,
    /// Certificate chain in PEM form
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Its private key in PEM form
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Largest body in bytes; a larger one is answered with 413
    #[arg(long, value_name = "BYTES", default_value_t = Limits::default().max_body_bytes)]
    max_body: usize,
    /// Most rows of one request; more are answered with 413
    #[arg(long, value_name = "N", default_value_t = Limits::default().max_rows)]
    max_rows: usize,
    /// Most requests answered at once; the next is answered with 503 and Retry-After
    #[arg(long, value_name = "N", default_value_t = Limits::default().max_in_flight)]
    max_in_flight: usize,
    /// Most open connections
    #[arg(long, value_name = "N", default_value_t = Limits::default().max_connections)]
    max_connections: usize,
    /// Seconds that a client may take for its headers, its body or its answer, and that a connection may idle
    #[arg(long, value_name = "SECONDS", default_value_t = 30.0)]
    patience: f64,
}

/// Random bytes of the system.
pub(super) fn random() -> [u8; 32] {
    let mut bytes = [0; 32];
    OsRng.fill_bytes(&mut bytes);
    bytes
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum LogSync {
    Always,
    Batch,
    Off,
}

/// What is said when it is ready.
#[derive(Serialize)]
struct Listening {
    url: String,
    version: Option<Version>,
    pid: u32,
}

pub(crate) fn run(args: &Args, ctx: &Context, out: &mut Output) -> Result<Outcome> {
    serve(args, ctx, out, &Pages { port: 8080, own_token: None, open: args.open })
}

/// What differs between `serve` and `dashboard`.
pub(super) struct Pages {
    /// The port when none is named.
    pub(super) port: u16,
    /// A token for the pages of this run alone.
    pub(super) own_token: Option<String>,
    /// Whether a browser is to show the pages.
    pub(super) open: bool,
}

pub(super) fn serve(args: &Args, ctx: &Context, out: &mut Output, pages: &Pages) -> Result<Outcome> {
    let tls = match (&args.tls_cert, &args.tls_key) {
        (Some(cert), Some(key)) => Some(Tls::read(cert, key)?),
        _ => None,
    };
    let state = App::open(ctx.workspace.clone().waiting(Duration::ZERO), &args.settings(ctx)?)?;
    if state.production().is_none() {
        ctx.progress.note(format_args!("note: no version is in production yet; predictions are answered with 503"));
    }
    let threads = ctx.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    // This thread accepts; those that answer are the server's own.
    let runtime = tokio::runtime::Builder::new_current_thread().max_blocking_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let wanted = format!("{}:{}", args.host, args.port.unwrap_or(pages.port));
        let listener = TcpListener::bind(&wanted).await.with_context(|| format!("cannot listen on {wanted}"))?;
        let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let dashboard = args.dashboard(ctx, pages, listener.local_addr()?.ip().to_canonical().is_loopback())?;
        let told = Listening {
            url: url(listener.local_addr()?, tls.is_some()),
            version: state.production(),
            pid: std::process::id(),
        };
        let version = told.version.map_or_else(|| "no version yet".to_owned(), |version| version.to_string());
        let page = match &pages.own_token {
            Some(token) => format!("{}/ui/sign-in#token={token}", told.url),
            None => format!("{}/ui", told.url),
        };
        out.answer(&told, |style| {
            format!("{version} answers at {}\npages: {}\n", style.bold(&told.url), style.bold(&page))
        })?;
        if pages.open {
            browse(&page);
        }
        let router = dashboard.over(serve::app(Arc::clone(&state)));
        let stop = async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        serve::serve(listener, tls, (state, router), threads, stop).await?;
        Ok(Outcome::Yes)
    })
}

/// Opens a page in a browser, where there is one.
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

fn url(at: SocketAddr, is_tls: bool) -> String {
    format!("{}://{at}", if is_tls { "https" } else { "http" })
}

impl Args {
    fn dashboard(&self, ctx: &Context, pages: &Pages, is_local: bool) -> Result<Arc<Dashboard>> {
        let mut people = match &self.users {
            None => People::default(),
            Some(path) => {
                let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
                People::parse(&text).map_err(|what| anyhow::anyhow!("{}: {what}", path.display()))?
            }
        };
        #[expect(clippy::disallowed_methods, reason = "the binary reads the environment")]
        let shared = std::env::var("MLLOOP_TOKEN").ok().filter(|token| !token.is_empty());
        for token in shared.iter().chain(&pages.own_token) {
            people = people.with_token(token);
        }
        #[expect(clippy::disallowed_methods, reason = "a server lives on, so its clock must")]
        let now = jiff::Timestamp::now;
        let settings = DashboardSettings {
            now,
            secret: random(),
            people,
            program: std::env::current_exe().context("cannot find the program that runs")?,
            open: is_local && !self.private,
            secure: self.tls_cert.is_some(),
        };
        Ok(Dashboard::open(ctx.workspace.clone(), settings)?)
    }

    fn settings(&self, ctx: &Context) -> Result<ServeSettings> {
        anyhow::ensure!(
            self.patience > 0.0 && self.patience <= 86_400.0,
            "--patience takes a number of seconds above 0 and at most 86400"
        );
        anyhow::ensure!(self.max_rows > 0, "--max-rows takes a number of at least 1");
        let log = match self.log_sync {
            _ if self.no_log => None,
            LogSync::Always => Some(Durability::Always),
            LogSync::Batch => Some(Durability::Batch),
            LogSync::Off => Some(Durability::Off),
        };
        #[expect(clippy::disallowed_methods, reason = "the binary reads the environment")]
        let token = |name: &str| std::env::var(name).ok().filter(|token| !token.is_empty());
        #[expect(clippy::disallowed_methods, reason = "a server lives on, so its clock must")]
        let now = jiff::Timestamp::now;
        Ok(ServeSettings {
            now,
            // Two servers, or one after a restart, must not give two requests the same name.
            seed: (ctx.now.as_nanosecond() as u64) ^ u64::from(std::process::id()).rotate_left(32),
            limits: Limits {
                max_body_bytes: self.max_body,
                max_rows: self.max_rows,
                max_in_flight: self.max_in_flight,
                max_connections: self.max_connections,
                patience: std::time::Duration::from_secs_f64(self.patience),
                ..Limits::default()
            },
            log,
            token: token("MLLOOP_TOKEN"),
            predict_token: token("MLLOOP_PREDICT_TOKEN"),
        })
    }
}
