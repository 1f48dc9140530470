//! Authentication: tokens and their roles, sessions, and the CSRF proof of a form.
//!
//! Tokens are stored as SHA-256 only. For each session, `runs/sessions.json` stores two digests, so that it survives a
//! restart of the server: of its random cookie, and of the cookie with the token that opened it. Neither can be used to
//! sign in or to find a token, and rights are determined on each request, from the tokens valid now.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use subtle::ConstantTimeEq;

use crate::atomic;
use crate::digest::hex;
use crate::printable::steers;
use crate::wording::person_key;

/// How long a session lasts.
const LASTS: SignedDuration = SignedDuration::from_hours(12);
/// Maximum number of sessions; the oldest is removed.
const MAX_SESSIONS: usize = 1000;
/// Number of wrong tokens within [`TRIES_WITHIN`] that blocks sign-in for a while.
const MAX_TRIES: usize = 20;
const TRIES_WITHIN: SignedDuration = SignedDuration::from_mins(1);
/// Longest name of a person.
const MAX_NAME: usize = 80;

/// The rights of a user; each right includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Right {
    /// View pages.
    View,
    /// Answer batches and judge predictions.
    Label,
    /// Decide: approve, reject, roll back, run the loop, move an experiment.
    Approve,
}

impl Right {
    /// The role that has it, with its article: "an approver".
    pub(super) fn a_role(self) -> String {
        let role = self.role();
        format!("{} {role}", if role.starts_with('a') { "an" } else { "a" })
    }

    /// The name of the role that has it.
    #[must_use]
    pub fn role(self) -> &'static str {
        match self {
            Self::View => "viewer",
            Self::Label => "labeller",
            Self::Approve => "approver",
        }
    }
}

/// A token and its owner.
#[derive(Debug, Clone)]
struct Key {
    /// The name of the token's owner; `None` for a shared token, whose user enters a name.
    name: Option<String>,
    right: Right,
    digest: [u8; 32],
}

/// All users who may sign in.
#[derive(Debug, Clone, Default)]
pub struct People {
    keys: Vec<Key>,
}

impl People {
    /// Parses `name:role:sha256` lines; `#` begins a comment. The digest is that of the token, in hexadecimal.
    ///
    /// # Errors
    /// A message with the invalid line.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut keys = Vec::new();
        for (n, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            keys.push(parse_key(line).map_err(|what| format!("line {n}: {what}"))?);
        }
        Ok(Self { keys })
    }

    /// Adds the server's own token, which has all rights; its users enter their name.
    #[must_use]
    pub fn with_token(mut self, token: &str) -> Self {
        self.keys.push(Key { name: None, right: Right::Approve, digest: Sha256::digest(token.as_bytes()).into() });
        self
    }

    /// Whether sign-in is impossible.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Whether this name has its own token.
    fn has(&self, name: &str) -> bool {
        let name = person_key(name);
        self.keys.iter().filter_map(|key| key.name.as_ref()).any(|own| person_key(own) == name)
    }

    /// Compares every key, so that the time reveals nothing.
    fn find(&self, token: &str) -> Option<&Key> {
        let sent: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        self.keys.iter().fold(None, |found, key| if bool::from(key.digest.ct_eq(&sent)) { Some(key) } else { found })
    }
}

fn parse_key(line: &str) -> Result<Key, String> {
    let mut parts = line.splitn(3, ':').map(str::trim);
    let (name, role, digest) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""), parts.next().unwrap_or(""));
    let right = match role {
        "viewer" => Right::View,
        "labeller" => Right::Label,
        "approver" => Right::Approve,
        other => {
            return Err(format!("the role {other:?} must be viewer, labeller or approver; write name:role:sha256"));
        }
    };
    if name.is_empty() || name.chars().count() > MAX_NAME {
        return Err(format!("a name has 1 to {MAX_NAME} characters; write name:role:sha256"));
    }
    let digest =
        unhex(digest).ok_or("the SHA-256 of the token has 64 hexadecimal digits: printf %s \"$TOKEN\" | sha256sum")?;
    Ok(Key { name: Some(name.to_owned()), right, digest })
}

/// 32 bytes written as hexadecimal digits.
fn unhex(text: &str) -> Option<[u8; 32]> {
    let is_one = text.len() == 64 && text.is_ascii();
    let bytes = (0..64).step_by(2).map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok());
    bytes.collect::<Option<Vec<u8>>>().filter(|_| is_one)?.try_into().ok()
}

/// A signed-in user.
#[derive(Debug, Clone)]
pub(super) struct Session {
    /// Recorded in the audit chain.
    pub(super) name: String,
    pub(super) right: Right,
    /// The token that each of this session's forms must contain.
    pub(super) csrf: String,
}

/// The stored state of a session.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Open {
    /// SHA-256 of the cookie.
    cookie: String,
    /// SHA-256 of the cookie and the stored token: shows whether the token that opened it is still valid.
    token: String,
    /// The entered name, or that of the token's owner.
    name: String,
    until: Timestamp,
}

fn digest_of(parts: &[&[u8]]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hex(&hasher.finalize())
}

fn cookie_digest(cookie: &str) -> String {
    digest_of(&[b"cookie", cookie.as_bytes()])
}

fn token_digest(cookie: &str, key: &Key) -> String {
    digest_of(&[b"token", cookie.as_bytes(), &key.digest])
}

/// Why a sign-in failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotIn {
    /// No such token.
    WrongToken,
    /// The token is shared, and no name was entered.
    NoName,
    /// The token is shared, and the name belongs to a user with their own token.
    NameTaken,
    /// Too many wrong tokens within the last minute.
    TooMany,
}

/// All signed-in users.
pub(super) struct Sessions {
    people: People,
    secret: [u8; 32],
    n: AtomicU64,
    open: Mutex<HashMap<String, Open>>,
    failures: Mutex<VecDeque<Timestamp>>,
    file: PathBuf,
}

impl Sessions {
    /// `secret` must come from the system's random number generator: cookies are derived from it. `file` stores the
    /// sessions across restarts.
    pub(super) fn new(people: People, secret: [u8; 32], file: PathBuf) -> Self {
        let open = Mutex::new(kept(&file));
        Self { people, secret, n: AtomicU64::new(0), open, failures: Mutex::default(), file }
    }

    /// Whether there are any tokens.
    pub(super) fn can_sign_in(&self) -> bool {
        !self.people.is_empty()
    }

    /// Whether any token has an owner.
    pub(super) fn has_named(&self) -> bool {
        self.people.keys.iter().any(|key| key.name.is_some())
    }

    /// Signs a user in, and returns the value of the cookie.
    pub(super) fn sign_in(&self, name: &str, token: &str, now: Timestamp) -> Result<String, NotIn> {
        let mut failures = lock(&self.failures);
        failures.retain(|at| now.duration_since(*at) < TRIES_WITHIN);
        if failures.len() >= MAX_TRIES {
            return Err(NotIn::TooMany);
        }
        let Some(key) = self.people.find(token) else {
            failures.push_back(now);
            return Err(NotIn::WrongToken);
        };
        let given: String = name.trim().chars().filter(|c| !steers(*c)).take(MAX_NAME).collect();
        if key.name.is_none() && self.people.has(&given) {
            return Err(NotIn::NameTaken);
        }
        let name = key.name.clone().unwrap_or(given);
        if name.is_empty() {
            return Err(NotIn::NoName);
        }
        let n = self.n.fetch_add(1, Ordering::Relaxed);
        let cookie = digest_of(&[&self.secret, &n.to_le_bytes(), &now.as_nanosecond().to_le_bytes()]);
        let until = now.checked_add(LASTS).unwrap_or(Timestamp::MAX);
        let mut open = lock(&self.open);
        open.retain(|_, session| session.until > now);
        if open.len() >= MAX_SESSIONS
            && let Some(oldest) =
                open.values().min_by_key(|session| session.until).map(|session| session.cookie.clone())
        {
            open.remove(&oldest);
        }
        let session = Open { cookie: cookie_digest(&cookie), token: token_digest(&cookie, key), name, until };
        open.insert(session.cookie.clone(), session);
        self.keep(&open);
        Ok(cookie)
    }

    /// The session of a cookie, if it has not expired and its token is still valid.
    pub(super) fn of(&self, cookie: &str, now: Timestamp) -> Option<Session> {
        let open = lock(&self.open).get(&cookie_digest(cookie)).filter(|session| session.until > now).cloned()?;
        let is_same = |key: &&Key| bool::from(token_digest(cookie, key).as_bytes().ct_eq(open.token.as_bytes()));
        let key = self.people.keys.iter().find(is_same)?;
        // A user with this name may have been added meanwhile.
        let name = match &key.name {
            Some(name) => name.clone(),
            None => Some(open.name).filter(|name| !self.people.has(name))?,
        };
        Some(Session { name, right: key.right, csrf: digest_of(&[b"form", cookie.as_bytes()]) })
    }

    pub(super) fn sign_out(&self, cookie: &str) {
        let mut open = lock(&self.open);
        open.remove(&cookie_digest(cookie));
        self.keep(&open);
    }

    /// Stores the sessions. If that fails, users must sign in again after a restart.
    fn keep(&self, open: &HashMap<String, Open>) {
        let mut all: Vec<&Open> = open.values().collect();
        all.sort_by(|a, b| (a.until, &a.cookie).cmp(&(b.until, &b.cookie)));
        let write = || {
            let text = serde_json::to_vec_pretty(&all)?;
            if let Some(dir) = self.file.parent() {
                atomic::make_dirs(dir)?;
            }
            atomic::replace_private(&self.file, |out| out.write_all(&text))
        };
        let _ = write();
    }
}

/// The sessions stored by an earlier server; empty if unreadable.
fn kept(file: &Path) -> HashMap<String, Open> {
    let read = atomic::read(file).ok().and_then(|bytes| serde_json::from_slice::<Vec<Open>>(&bytes).ok());
    read.unwrap_or_default().into_iter().map(|session| (session.cookie.clone(), session)).collect()
}

impl Session {
    /// Whether `csrf` is this session's token.
    pub(super) fn made(&self, csrf: &str) -> bool {
        bool::from(self.csrf.as_bytes().ct_eq(csrf.as_bytes()))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[path = "auth_tests.rs"]
#[expect(clippy::disallowed_methods, reason = "tests damage what is kept")]
mod tests;
