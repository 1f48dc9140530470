//! One transfer, over any number of connections.

use super::fetched::{Fetched, Place, discard};
use super::http::{self, Address};
use super::kaggle::Dataset;
use super::record::Record;
use super::{DownloadRequest, Progress, Source, SourceError};
use crate::atomic::{self, Partial};
use crate::atomic::{At, AtPath};
use crate::digest;
use crate::web::{fetcher, tls_trouble};
use crate::workspace::Workspace;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::io::{self, Read};
use std::path::PathBuf;
use std::time::Duration;
use ureq::http::{HeaderMap, Response};
use ureq::{Agent, Body};

/// Maximum number of redirects followed.
const HOPS: usize = 10;
/// Maximum pause that a server may request; a longer one ends the download.
const LONGEST_PAUSE: Duration = Duration::from_secs(600);
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// The metadata of a partial download.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
struct Meta {
    etag: Option<String>,
    last_modified: Option<String>,
    total: Option<u64>,
}

impl Meta {
    fn of(headers: &HeaderMap, total: Option<u64>) -> Self {
        let text = |name| http::header(headers, name).map(str::to_owned);
        Self { etag: text("etag"), last_modified: text("last-modified"), total }
    }

    /// The validator that ensures that the rest belongs to the part: a strong ETag, else the date.
    fn validator(&self) -> Option<&str> {
        self.etag.as_deref().filter(|etag| etag.starts_with('"')).or(self.last_modified.as_deref())
    }
}

/// Why a connection did not complete the transfer.
enum Stop {
    Fatal(SourceError),
    /// A retry may succeed.
    Again {
        why: String,
        pause: Option<Duration>,
    },
}

impl From<SourceError> for Stop {
    fn from(err: SourceError) -> Self {
        Self::Fatal(err)
    }
}

impl From<AtPath> for Stop {
    fn from(err: AtPath) -> Self {
        Self::Fatal(err.into())
    }
}

fn again(why: impl Into<String>) -> Stop {
    Stop::Again { why: why.into(), pause: None }
}

/// Downloads the source into a file beside `data/`; `None` if the server reports that `known` is current.
pub(super) fn fetch(
    workspace: &Workspace,
    request: &DownloadRequest,
    known: Option<&Record>,
) -> Result<Option<Fetched>, SourceError> {
    let (start, full) = match request.source {
        Source::Kaggle(dataset) => {
            let address = Address::parse(&Dataset::endpoint(request.kaggle_api));
            (address.map_err(|what| wrong_api(request.kaggle_api, what))?, dataset.to_string())
        }
        Source::Http(address) => (address.clone(), address.full()),
        Source::File(path) => return Fetched::local(path, request).map(Some),
        Source::Served(path) => return Fetched::served(path, request).map(Some),
    };
    check_scheme(&start, request)?;
    let key = digest::hex(&Sha256::digest(full.as_bytes())[..8]);
    let path = workspace.path("data/.partial").join(&key);
    let partial = Partial::open(&path).map_err(|err| match err.kind() {
        io::ErrorKind::WouldBlock => SourceError::Busy(request.source.public()),
        _ => AtPath::new(&path, err).into(),
    })?;
    let meta_path = path.with_extension("json");
    let meta = std::fs::read(&meta_path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
    let agent = fetcher(request.root_certificates);
    let mut transfer = Transfer { request, agent, start, partial, meta, meta_path, known, n_expired: 0 };
    match transfer.run() {
        Ok(true) => transfer.finish().map(Some),
        Ok(false) => discard(transfer.partial, &transfer.meta_path).map(|()| None),
        Err(err) => {
            // A resumable part is kept; anything else is removed.
            if matches!(err, SourceError::TooLarge { .. }) || transfer.partial.is_empty() {
                discard(transfer.partial, &transfer.meta_path)?;
            }
            Err(err)
        }
    }
}

fn wrong_api(api: &str, what: String) -> SourceError {
    SourceError::NotASource { text: api.to_owned(), what }
}

/// Plain http is allowed for the local machine, and for bytes with a checksum; credentials are never sent over it.
fn check_scheme(start: &Address, request: &DownloadRequest) -> Result<(), SourceError> {
    let checked = request.sha256.is_some() && matches!(request.source, Source::Http(_));
    if start.is_https() || start.is_loopback() || checked {
        return Ok(());
    }
    let what = match request.source {
        Source::Kaggle(_) => "is not encrypted: credentials are only sent to https addresses",
        _ => "is not encrypted, so the data could be changed in transit: give --sha256, or use https",
    };
    Err(SourceError::NotASource { text: start.public(), what: what.to_owned() })
}

struct Transfer<'a> {
    request: &'a DownloadRequest<'a>,
    agent: Agent,
    start: Address,
    partial: Partial,
    meta: Meta,
    meta_path: PathBuf,
    known: Option<&'a Record>,
    /// The number of consecutive times that a temporary address was rejected.
    n_expired: u32,
}

/// A response, and whether it came from another host than the requested one.
struct Answer {
    response: Response<Body>,
    elsewhere: bool,
}

impl Transfer<'_> {
    fn public(&self) -> String {
        self.request.source.public()
    }

    /// Retries until everything is there (`true`) or the server reports no change (`false`).
    fn run(&mut self) -> Result<bool, SourceError> {
        let mut tries = 0;
        loop {
            let before = self.partial.len();
            let (why, pause) = match self.once() {
                Ok(done) => return Ok(done),
                Err(Stop::Fatal(err)) => return Err(err),
                Err(Stop::Again { why, pause }) => (why, pause),
            };
            if self.partial.len() > before {
                tries = 0;
            }
            tries += 1;
            if tries > self.request.retries {
                return Err(SourceError::GaveUp { from: self.public(), tries, why });
            }
            let pause = pause.unwrap_or_else(|| FIRST_PAUSE * 2_u32.saturating_pow(tries - 1)).min(LONGEST_PAUSE);
            (self.request.progress)(Progress::Again { why: &why, pause });
            (self.request.wait)(pause);
        }
    }

    /// One request with its redirects; receives as much of the response's body as possible.
    fn once(&mut self) -> Result<bool, Stop> {
        let validator = self.meta.validator().filter(|_| !self.partial.is_empty()).map(str::to_owned);
        let mut headers = Vec::new();
        match &validator {
            Some(validator) => {
                headers.push(("range", format!("bytes={}-", self.partial.len())));
                headers.push(("if-range", validator.clone()));
            }
            None => {
                self.restart()?;
                let known = self.known.map(|known| (known.etag.clone(), known.last_modified.clone()));
                match known {
                    Some((Some(etag), _)) => headers.push(("if-none-match", etag)),
                    Some((None, Some(date))) => headers.push(("if-modified-since", date)),
                    _ => {}
                }
            }
        }
        let answer = self.follow(&headers)?;
        let status = answer.response.status().as_u16();
        match status {
            200 => {
                self.restart()?;
                let total = answer.response.body().content_length();
                self.begin(Meta::of(answer.response.headers(), total))?;
                self.receive(answer.response)
            }
            206 if validator.is_some() => match http::content_range(answer.response.headers()) {
                Some((Some(first), total)) if first == self.partial.len() && self.fits(total) => {
                    self.meta.total = total.or(self.meta.total);
                    self.receive(answer.response)
                }
                _ => self.start_over("the server sent the wrong part"),
            },
            304 if self.known.is_some() => Ok(false),
            416 => match http::content_range(answer.response.headers()) {
                Some((None, Some(total))) if total == self.partial.len() && self.fits(Some(total)) => Ok(true),
                _ => self.start_over("the server no longer has the missing part"),
            },
            _ => Err(self.refused(answer)),
        }
    }

    fn fits(&self, total: Option<u64>) -> bool {
        total.is_none() || self.meta.total.is_none() || total == self.meta.total
    }

    fn start_over(&mut self, why: &str) -> Result<bool, Stop> {
        self.restart()?;
        Err(again(why))
    }

    fn restart(&mut self) -> Result<(), Stop> {
        self.meta = Meta::default();
        Ok(self.partial.restart().at(&self.meta_path)?)
    }

    /// Stores the metadata of the following bytes.
    fn begin(&mut self, meta: Meta) -> Result<(), Stop> {
        self.meta = meta;
        let write = |out: &mut dyn io::Write| -> io::Result<()> { Ok(serde_json::to_writer(out, &self.meta)?) };
        Ok(atomic::replace(&self.meta_path, write).at(&self.meta_path)?)
    }

    fn receive(&mut self, response: Response<Body>) -> Result<bool, Stop> {
        let max = self.request.max_bytes;
        let too_large = || SourceError::TooLarge { from: self.request.source.public(), max };
        if self.meta.total.is_some_and(|total| total > max) {
            return Err(too_large().into());
        }
        let mut reader = response.into_body().into_reader();
        let mut piece = vec![0; 1 << 16];
        loop {
            (self.request.progress)(Progress::Bytes(self.partial.len(), self.meta.total));
            let n = match reader.read(&mut piece) {
                Ok(0) => break,
                Ok(n) => n,
                Err(err) if err.kind() == io::ErrorKind::Interrupted => continue,
                Err(err) => return Err(again(format!("the transfer was cut: {err}"))),
            };
            if self.partial.len() + n as u64 > max {
                return Err(too_large().into());
            }
            self.partial.push(&piece[..n]).at(&self.meta_path)?;
            self.n_expired = 0;
        }
        match self.meta.total {
            Some(total) if total != self.partial.len() => {
                Err(again(format!("the transfer was cut after {} of {total} bytes", self.partial.len())))
            }
            _ => Ok(true),
        }
    }

    /// Sends the request and follows redirects; credentials are sent only to their own host.
    fn follow(&self, headers: &[(&str, String)]) -> Result<Answer, Stop> {
        let (mut address, home) = (self.start.clone(), self.start.origin());
        let mut body = match self.request.source {
            Source::Kaggle(dataset) => Some(dataset.body().at(&self.meta_path)?),
            _ => None,
        };
        for _ in 0..=HOPS {
            let at_home = address.origin() == home;
            let response = self.send(&address, headers, body.as_deref(), at_home)?;
            let status = response.status().as_u16();
            if !matches!(status, 301 | 302 | 303 | 307 | 308) {
                return Ok(Answer { response, elsewhere: !at_home });
            }
            let answer_of = |what: String| SourceError::Answer { from: self.public(), what };
            let location = http::header(response.headers(), "location")
                .ok_or_else(|| answer_of(format!("redirects (status {status}) without an address")))?;
            address = address.redirected(location).map_err(answer_of)?;
            if matches!(status, 301..=303) || address.origin() != home {
                body = None;
            }
        }
        Err(SourceError::Answer { from: self.public(), what: format!("redirects more than {HOPS} times") }.into())
    }

    fn send(
        &self,
        address: &Address,
        headers: &[(&str, String)],
        body: Option<&[u8]>,
        at_home: bool,
    ) -> Result<Response<Body>, Stop> {
        let kaggle = matches!(self.request.source, Source::Kaggle(_));
        let authorization =
            self.request.credentials.filter(|_| kaggle && at_home).map(|who| ("authorization", who.header()));
        let headers = headers.iter().cloned().chain(authorization);
        let sent = match body {
            Some(body) => {
                let post = self.agent.post(address.full()).header("content-type", "application/json");
                headers.fold(post, |request, (name, value)| request.header(name, value)).send(body)
            }
            None => headers.fold(self.agent.get(address.full()), |r, (name, value)| r.header(name, value)).call(),
        };
        sent.map_err(|err| match err {
            ureq::Error::BadUri(_) | ureq::Error::Http(_) => {
                Stop::Fatal(SourceError::Answer { from: address.public(), what: err.to_string() })
            }
            err => match tls_trouble(&err) {
                Some(what) => Stop::Fatal(SourceError::Answer { from: address.public(), what }),
                // A proxy, a name or a port that is unavailable now may be available soon.
                None => again(format!("{}: {err}", address.public())),
            },
        })
    }

    /// The meaning of a response without the bytes.
    fn refused(&mut self, answer: Answer) -> Stop {
        let status = answer.response.status().as_u16();
        let pause = http::retry_after(answer.response.headers());
        let from = self.public();
        if answer.elsewhere && matches!(status, 400 | 401 | 403 | 404 | 410) && self.n_expired < 2 {
            // Storage addresses are signed for some minutes; the service issues new ones.
            self.n_expired += 1;
            return again(format!("the temporary address has expired (status {status})"));
        }
        let said = message(answer.response);
        match status {
            408 | 425 | 429 | 500..=599 => match pause {
                Some(pause) if pause > LONGEST_PAUSE => {
                    let what = format!("asks to retry in {} s (status {status}){said}", pause.as_secs());
                    Stop::Fatal(SourceError::Answer { from, what })
                }
                _ => Stop::Again { why: format!("the server answers with status {status}{said}"), pause },
            },
            401 | 403 if !answer.elsewhere => Stop::Fatal(SourceError::Unauthorized {
                from,
                status,
                said,
                kaggle: matches!(self.request.source, Source::Kaggle(_)),
                sent: self.request.credentials.is_some(),
            }),
            404 | 410 => Stop::Fatal(SourceError::NotFound { from, status, said }),
            _ => Stop::Fatal(SourceError::Answer { from, what: format!("answers with status {status}{said}") }),
        }
    }

    fn finish(self) -> Result<Fetched, SourceError> {
        let (bytes, sha256) = self.partial.reader().and_then(digest::of).at(&self.meta_path)?;
        let name = match self.request.source {
            Source::Kaggle(dataset) => Some(dataset.file_name()),
            _ => self.start.file_name(),
        };
        Ok(Fetched {
            name: name.unwrap_or_else(|| "download".to_owned()),
            bytes,
            sha256,
            etag: self.meta.etag,
            last_modified: self.meta.last_modified,
            place: Place::Partial { partial: self.partial, meta: self.meta_path },
        })
    }
}

/// The server's reason for a refusal, after a colon, in one line.
fn message(response: Response<Body>) -> String {
    #[derive(Deserialize)]
    struct Said {
        message: String,
    }
    let html = http::header(response.headers(), "content-type").is_some_and(|kind| kind.contains("html"));
    let mut bytes = Vec::new();
    let read = response.into_body().into_reader().take(4096).read_to_end(&mut bytes);
    let text = match serde_json::from_slice::<Said>(&bytes) {
        Ok(said) => said.message,
        Err(_) if html || read.is_err() => String::new(),
        Err(_) => String::from_utf8_lossy(&bytes).into_owned(),
    };
    let line = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(200).collect::<String>();
    match line.trim() {
        "" => String::new(),
        line => format!(": {line}"),
    }
}
