//! Common settings of HTTPS clients: trusted authorities and timeouts.

use std::time::Duration;
use ureq::Agent;
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};

/// A server that sends nothing for this long counts as gone.
const SILENCE: Duration = Duration::from_secs(60);

/// Certificate authorities (PEM) instead of the public ones. Other content is skipped.
#[must_use]
pub fn trusting(authorities: &[u8]) -> TlsConfig {
    let certificates = parse_pem(authorities).filter_map(|item| match item {
        Ok(PemItem::Certificate(certificate)) => Some(certificate),
        _ => None,
    });
    TlsConfig::builder().root_certs(RootCerts::from(certificates)).build()
}

/// A client for files of any length: it follows no redirects, does not decode the bytes, and has a timeout.
#[must_use]
pub fn fetcher(authorities: Option<&[u8]>) -> Agent {
    let mut config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .accept_encoding("identity")
        .user_agent(concat!("mlloop/", env!("CARGO_PKG_VERSION")))
        .timeout_resolve(Some(SILENCE / 2))
        .timeout_connect(Some(SILENCE / 2))
        .timeout_recv_response(Some(SILENCE * 2))
        .timeout_per_read(Some(SILENCE));
    if let Some(pem) = authorities {
        config = config.tls_config(trusting(pem));
    }
    config.build().new_agent()
}
