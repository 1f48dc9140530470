//! What every call over HTTPS shares: whom it trusts.

use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};

/// Certificate authorities (PEM) instead of the public ones. What is no certificate in them is passed over.
#[must_use]
pub fn trusting(authorities: &[u8]) -> TlsConfig {
    let certificates = parse_pem(authorities).filter_map(|item| match item {
        Ok(PemItem::Certificate(certificate)) => Some(certificate),
        _ => None,
    });
    TlsConfig::builder().root_certs(RootCerts::from(certificates)).build()
}
