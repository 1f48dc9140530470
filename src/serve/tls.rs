//! TLS with a certificate chain and a key from PEM files.

use super::ServeError;
use std::path::Path;
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Converts a TCP connection to TLS.
#[derive(Clone)]
pub struct Tls {
    pub(super) acceptor: TlsAcceptor,
}

impl Tls {
    /// Reads a certificate chain (the server's own first) and its private key.
    ///
    /// # Errors
    /// [`ServeError::Tls`] if a file cannot be read or the two do not match.
    pub fn read(cert: &Path, key: &Path) -> Result<Self, ServeError> {
        let wrong = |path: &Path, what: String| ServeError::Tls { path: path.to_owned(), what };
        let chain = CertificateDer::pem_file_iter(cert).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let chain = chain.map_err(|err| wrong(cert, format!("not certificates in PEM form: {err}")))?;
        if chain.is_empty() {
            return Err(wrong(cert, "holds no certificate in PEM form".to_owned()));
        }
        let private = PrivateKeyDer::from_pem_file(key);
        let private = private.map_err(|err| wrong(key, format!("not a private key in PEM form: {err}")))?;
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, private));
        let mut config = config.map_err(|err| wrong(cert, format!("cannot be used with {}: {err}", key.display())))?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)) })
    }
}
