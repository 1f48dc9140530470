//! Access control: tokens, the names of the server, and the origins of pages.

use super::ServeSettings;
use super::endpoint::Endpoint;
use super::problem::{Refusal, shorten};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Version, header};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use sha2::{Digest, Sha256};
use std::net::IpAddr;
use subtle::ConstantTimeEq;

/// The access checks of a request. Tokens are stored as digests, compared in constant time.
pub(super) struct Access {
    change: Option<[u8; 32]>,
    predict: Option<[u8; 32]>,
    hosts: Vec<String>,
    is_local: bool,
}

impl Access {
    pub(super) fn new(settings: &ServeSettings) -> Self {
        let digest = |token: &Option<String>| token.as_ref().map(|token| Sha256::digest(token.as_bytes()).into());
        Self {
            change: digest(&settings.token),
            predict: digest(&settings.predict_token),
            hosts: settings.hosts.clone(),
            is_local: settings.is_local,
        }
    }

    /// Checks access to an endpoint.
    ///
    /// Health and readiness are public. All other endpoints require the prediction token, if there is one: answers
    /// about the models reveal the training data.
    ///
    /// # Errors
    /// As [`Access::admits`], [`Access::may_change`] and [`Access::may_predict`].
    pub(super) fn may(&self, endpoint: Endpoint, parts: &Parts) -> Result<(), Refusal> {
        self.admits(parts)?;
        match endpoint {
            Endpoint::Other => Ok(()),
            _ if endpoint.is_health() => Ok(()),
            Endpoint::Feedback => self.may_change(&parts.headers),
            _ => self.may_predict(&parts.headers),
        }
    }

    /// Checks the request's `Host`, and the origin of its page.
    ///
    /// A page whose host name resolves to this server (DNS rebinding) sends its own name as `Host`.
    ///
    /// # Errors
    /// [`Refusal::Misdirected`], [`Refusal::Foreign`], [`Refusal::Malformed`] without a usable `Host`.
    pub(super) fn admits(&self, parts: &Parts) -> Result<(), Refusal> {
        let mut named = parts.headers.get_all(header::HOST).iter();
        let host = match (named.next(), named.next()) {
            (Some(host), None) => Some(host.to_str().map_err(|_| no_host())?),
            (Some(_), Some(_)) => return Err(no_host()),
            (None, _) if parts.version == Version::HTTP_11 => return Err(no_host()),
            (None, _) => None,
        };
        let addressed = parts.uri.authority().map(axum::http::uri::Authority::as_str);
        for host in host.into_iter().chain(addressed) {
            if !self.answers_to(name_of(host)) {
                return Err(Refusal::Misdirected(shorten(host)));
            }
        }
        match parts.headers.get(header::ORIGIN) {
            Some(origin) if !self.is_own(origin.to_str().unwrap_or_default(), host) => Err(Refusal::Foreign),
            _ => Ok(()),
        }
    }

    /// Whether this is a name of the server: this machine's names, configured names, and, if it listens on a network,
    /// any IP address, because no foreign page can have an IP address as its host name.
    fn answers_to(&self, name: &str) -> bool {
        let name = name.strip_suffix('.').unwrap_or(name);
        let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
        match bare.parse::<IpAddr>() {
            Ok(address) if address.to_canonical().is_loopback() || !self.is_local => true,
            _ => name.eq_ignore_ascii_case("localhost") || self.was_told(name),
        }
    }

    fn was_told(&self, name: &str) -> bool {
        self.hosts.iter().any(|host| host.eq_ignore_ascii_case(name))
    }

    /// Whether a page is the server's own, or from a configured name.
    fn is_own(&self, origin: &str, host: Option<&str>) -> bool {
        let Some((_, authority)) = origin.split_once("://") else { return false };
        host.is_some_and(|host| host.eq_ignore_ascii_case(authority)) || self.was_told(name_of(authority))
    }

    /// Checks the right to make changes.
    ///
    /// # Errors
    /// [`Refusal::Closed`] if the server has no token, [`Refusal::Unauthorized`] for a wrong or missing one.
    fn may_change(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let token = self.change.as_ref().ok_or(Refusal::Closed)?;
        if bool::from(sent(headers).ct_eq(token)) { Ok(()) } else { Err(Refusal::Unauthorized) }
    }

    /// Checks the right to send outcomes: they are training data of the next model. On a server for this machine only
    /// and without a token, this is allowed: any client could as well write the file.
    ///
    /// # Errors
    /// As [`Access::may_change`].
    pub(super) fn may_record(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        if self.change.is_none() && self.is_local { Ok(()) } else { self.may_change(headers) }
    }

    /// Checks the right to request predictions and model information.
    ///
    /// # Errors
    /// [`Refusal::Unauthorized`] if a token is required and a wrong one or none was sent.
    pub(super) fn may_predict(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        match &self.predict {
            None => Ok(()),
            // The right to make changes includes predictions.
            Some(token) => {
                let sent = sent(headers);
                let fits = sent.ct_eq(token) | self.change.map_or(0.into(), |change| sent.ct_eq(&change));
                if bool::from(fits) { Ok(()) } else { Err(Refusal::Unauthorized) }
            }
        }
    }
}

fn no_host() -> Refusal {
    Refusal::Malformed("a request needs exactly one header `Host` that names this server".to_owned())
}

/// The name or address without its port: `[::1]:8080` is `[::1]`.
fn name_of(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !host.ends_with(']') => name,
        _ => host,
    }
}

/// Digest of the request's token: as a bearer token or, from programs that support nothing else, as a password.
fn sent(headers: &HeaderMap) -> [u8; 32] {
    let value = headers.get(header::AUTHORIZATION).map(|value| value.as_bytes()).unwrap_or_default();
    let after = |scheme: &[u8]| {
        value
            .split_at_checked(scheme.len())
            .filter(|(found, _)| found.eq_ignore_ascii_case(scheme))
            .map(|(_, rest)| rest)
    };
    let password = |pair: &[u8]| {
        let pair = BASE64_STANDARD.decode(pair.trim_ascii()).ok()?;
        let colon = pair.iter().position(|byte| *byte == b':')?;
        Some(pair[colon + 1..].to_vec())
    };
    let token = after(b"bearer ").map(<[u8]>::to_vec).or_else(|| password(after(b"basic ")?));
    Sha256::digest(token.unwrap_or_default()).into()
}
