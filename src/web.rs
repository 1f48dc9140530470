//! Common settings of HTTPS clients: trusted authorities and timeouts.

use std::time::Duration;
use ureq::Agent;
use ureq::config::ConfigBuilder;
#[cfg(feature = "tls")]
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::typestate::AgentScope;

/// A server that sends nothing for this long counts as gone.
const SILENCE: Duration = Duration::from_secs(60);

/// Settings with certificate authorities (PEM) instead of the public ones, if any are given. Other content is skipped.
#[must_use]
pub fn trusting(config: ConfigBuilder<AgentScope>, authorities: Option<&[u8]>) -> ConfigBuilder<AgentScope> {
    #[cfg(feature = "tls")]
    if let Some(pem) = authorities {
        let certificates = parse_pem(pem).filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        });
        return config.tls_config(TlsConfig::builder().root_certs(RootCerts::from(certificates)).build());
    }
    let _ = authorities;
    config
}

/// The problem of the encryption, if that is the error.
#[must_use]
pub fn tls_trouble(err: &ureq::Error) -> Option<String> {
    match err {
        ureq::Error::Tls(what) => Some(format!("TLS: {what}")),
        #[cfg(feature = "tls")]
        ureq::Error::Rustls(err) => Some(format!("TLS: {err}")),
        ureq::Error::TlsRequired => {
            Some("this mlloop was built without HTTPS: build it with the feature tls".to_owned())
        }
        _ => None,
    }
}

/// A client for files of any length: it follows no redirects, does not decode the bytes, and has a timeout.
#[must_use]
pub fn fetcher(authorities: Option<&[u8]>) -> Agent {
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .accept_encoding("identity")
        .user_agent(concat!("mlloop/", env!("CARGO_PKG_VERSION")))
        .timeout_resolve(Some(SILENCE / 2))
        .timeout_connect(Some(SILENCE / 2))
        .timeout_recv_response(Some(SILENCE * 2))
        .timeout_per_read(Some(SILENCE));
    trusting(config, authorities).build().new_agent()
}
