//! Addresses, redirects and the headers that matter for a resumed transfer.

use jiff::fmt::rfc2822;
use std::time::Duration;
use ureq::http::{HeaderMap, Uri};

/// An `http:` or `https:` address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address(Uri);

impl Address {
    /// Parses a URL.
    ///
    /// # Errors
    /// A sentence, for an invalid URL, and for user names and passwords in it, which would end up in logs.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let text = text.split('#').next().unwrap_or(text);
        let uri: Uri = text.replace(' ', "%20").parse().map_err(|_| "is not an address".to_owned())?;
        let authority = uri.authority().ok_or("names no host")?;
        if authority.as_str().contains('@') {
            return Err(
                "contains a user name or password, which would end up in logs and in data/SOURCE.json".to_owned()
            );
        }
        Ok(Self(uri))
    }

    /// Scheme, host and port: credentials are sent only to the same ones.
    pub(super) fn origin(&self) -> (String, String, u16) {
        let scheme = self.0.scheme_str().unwrap_or_default().to_lowercase();
        let port = self.0.port_u16().unwrap_or(if scheme == "https" { 443 } else { 80 });
        (scheme, self.host().to_lowercase(), port)
    }

    pub(super) fn host(&self) -> &str {
        self.0.host().unwrap_or_default()
    }

    pub(super) fn is_https(&self) -> bool {
        self.0.scheme_str().is_some_and(|scheme| scheme.eq_ignore_ascii_case("https"))
    }

    /// Whether it is the local machine.
    pub(super) fn is_loopback(&self) -> bool {
        let host = self.host().trim_start_matches('[').trim_end_matches(']');
        host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }

    /// The address without its query, which can be a secret.
    pub(super) fn public(&self) -> String {
        let whole = self.0.to_string();
        match whole.split_once('?') {
            Some((before, _)) => format!("{before}?…"),
            None => whole,
        }
    }

    /// The whole address.
    pub(super) fn full(&self) -> String {
        self.0.to_string()
    }

    /// The last part of the path as a file's name.
    pub(super) fn file_name(&self) -> Option<String> {
        let last = self.0.path().rsplit('/').next().and_then(decode_percents)?;
        is_file_name(&last).then_some(last)
    }

    /// The absolute address that `location` refers to.
    ///
    /// # Errors
    /// A sentence, if it is invalid or leads from https to http.
    pub(super) fn redirected(&self, location: &str) -> Result<Self, String> {
        let (scheme, authority) =
            (self.0.scheme_str().unwrap_or("https"), self.0.authority().map_or("", |a| a.as_str()));
        let to = match location {
            _ if location.contains("://") => location.to_owned(),
            _ if location.starts_with("//") => format!("{scheme}:{location}"),
            _ if location.starts_with('/') => format!("{scheme}://{authority}{location}"),
            _ => {
                let dir = self.0.path().rsplit_once('/').map_or("", |(dir, _)| dir);
                format!("{scheme}://{authority}{dir}/{location}")
            }
        };
        let to = Self::parse(&to).map_err(|what| format!("redirects to an address that {what}"))?;
        match self.is_https() && !to.is_https() {
            true => Err(format!("redirects from https to {}, which is not encrypted", to.public())),
            false => Ok(to),
        }
    }
}

/// Whether `name` can be the name of a visible file.
pub(super) fn is_file_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 200
        && !name.starts_with('.')
        && !name.contains(|c: char| c == '/' || c.is_control())
}

/// Decodes `%20` and the like.
pub(crate) fn decode_percents(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        if first == b'%' {
            let digits = rest.get(..2).and_then(|two| std::str::from_utf8(two).ok())?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &rest[2..];
        } else {
            bytes.push(first);
        }
    }
    String::from_utf8(bytes).ok()
}

pub(super) fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim).filter(|value| !value.is_empty())
}

/// How long the server asks to wait: `Retry-After` as seconds, or as a date against the server's own `Date`.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = header(headers, "retry-after")?;
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let seconds = |text: &str| rfc2822::parse(text).ok().map(|at| at.timestamp().as_second());
    let wait = seconds(text)? - seconds(header(headers, "date")?)?;
    Some(Duration::from_secs(u64::try_from(wait).unwrap_or(0)))
}

/// `Content-Range: bytes 100-199/200` as (first byte, total if known); (None, total) for `bytes */200`.
pub(super) fn content_range(headers: &HeaderMap) -> Option<(Option<u64>, Option<u64>)> {
    let (range, total) = header(headers, "content-range")?.strip_prefix("bytes ")?.split_once('/')?;
    Some((range.split_once('-').and_then(|(first, _)| first.parse().ok()), total.parse().ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        Address::parse(text).unwrap()
    }

    #[test]
    fn redirects_lead_where_they_say() {
        let from = address("https://api.kaggle.com/v1/x?y=1");
        for (location, to) in [
            ("https://storage.example/a?sig=1", "https://storage.example/a?sig=1"),
            ("//storage.example/a", "https://storage.example/a"),
            ("/v2/b", "https://api.kaggle.com/v2/b"),
            ("b c", "https://api.kaggle.com/v1/b%20c"),
        ] {
            assert_eq!(from.redirected(location).unwrap().full(), to);
        }
        assert!(from.redirected("http://storage.example/a").unwrap_err().contains("not encrypted"));
        assert!(from.redirected("ftp://").is_err());
    }

    #[test]
    fn another_port_is_another_origin() {
        assert_eq!(address("https://a/x").origin(), address("https://A:443/y").origin());
        assert_ne!(address("https://a/x").origin(), address("https://a:444/x").origin());
        assert_ne!(address("https://a/x").origin(), address("http://a/x").origin());
        assert!(Address::parse("https://me:secret@a/x").is_err());
        assert!(address("http://127.0.0.1:80/x").is_loopback() && address("http://[::1]/x").is_loopback());
    }

    #[test]
    fn secrets_in_a_query_are_not_public_and_names_are_names() {
        assert_eq!(address("https://a/b.csv?token=1").public(), "https://a/b.csv?…");
        assert_eq!(address("https://a/b%20c.csv?x=/d").file_name().as_deref(), Some("b c.csv"));
        for odd in [
            "https://a/",
            "https://a/..",
            "https://a/%2e%2e%2fx",
            "https://a/.hidden",
            "https://a/%ff",
            "https://a/%0a",
        ] {
            assert_eq!(address(odd).file_name(), None, "{odd}");
        }
    }

    #[test]
    fn waits_are_seconds_or_dates() {
        let headers = |pairs: &[(&'static str, &str)]| {
            let mut map = HeaderMap::new();
            pairs.iter().for_each(|(name, value)| {
                map.insert(*name, value.parse().unwrap());
            });
            map
        };
        assert_eq!(retry_after(&headers(&[("retry-after", "7")])), Some(Duration::from_secs(7)));
        let date =
            headers(&[("retry-after", "Wed, 21 Oct 2015 07:28:30 GMT"), ("date", "Wed, 21 Oct 2015 07:28:00 GMT")]);
        assert_eq!(retry_after(&date), Some(Duration::from_secs(30)));
        assert_eq!(retry_after(&headers(&[("retry-after", "soon")])), None);
        assert_eq!(content_range(&headers(&[("content-range", "bytes 10-19/20")])), Some((Some(10), Some(20))));
        assert_eq!(content_range(&headers(&[("content-range", "bytes */20")])), Some((None, Some(20))));
        assert_eq!(content_range(&headers(&[("content-range", "rows 1-2/3")])), None);
    }
}
