//! TLS for connections to PostgreSQL, as strict as `sslmode` says.

use super::address::SslMode;
use std::future::Future;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect};
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::client::{WebPkiServerVerifier, verify_server_name};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::server::ParsedCertificate;
use tokio_rustls::rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};
use tokio_rustls::{TlsConnector, client};

/// Makes TLS connections.
#[derive(Clone)]
pub(super) struct Tls {
    connector: TlsConnector,
    verifies_host: bool,
}

impl Tls {
    /// Creates a connector for a mode and the authorities in a file; without a file, the public ones.
    ///
    /// # Errors
    /// If the file contains no certificates.
    pub(super) fn new(mode: SslMode, authorities: Option<&Path>) -> Result<Self, String> {
        // As in libpq: if an authority is given, it is checked.
        let mode = if mode == SslMode::Require && authorities.is_some() { SslMode::VerifyCa } else { mode };
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|err| format!("TLS: {err}"))?;
        let verifies_host = mode == SslMode::VerifyFull;
        let (inner, pinned) = match mode {
            SslMode::VerifyCa | SslMode::VerifyFull => {
                let (roots, pinned) = roots(authorities)?;
                let built = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build();
                (Some(built.map_err(|err| format!("TLS: {err}"))?), pinned)
            }
            _ => (None, Vec::new()),
        };
        let as_said = Arc::new(AsSaid { inner, pinned, verifies_host, provider });
        let config = builder.dangerous().with_custom_certificate_verifier(as_said).with_no_client_auth();
        let connector = TlsConnector::from(Arc::new(config));
        Ok(Self { connector, verifies_host })
    }
}

/// The authorities, and the certificates of the file themselves.
fn roots(authorities: Option<&Path>) -> Result<(RootCertStore, Vec<CertificateDer<'static>>), String> {
    let Some(path) = authorities else {
        return Ok((RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() }, Vec::new()));
    };
    let wrong = |what: String| format!("{}: not certificates in PEM form: {what}", path.display());
    let (mut store, mut pinned) = (RootCertStore::empty(), Vec::new());
    let certificates = CertificateDer::pem_file_iter(path).map_err(|err| wrong(err.to_string()))?;
    for certificate in certificates {
        let certificate = certificate.map_err(|err| wrong(err.to_string()))?;
        pinned.push(certificate.clone());
        store.add(certificate).map_err(|err| wrong(err.to_string()))?;
    }
    if store.is_empty() { Err(wrong("it holds none".to_owned())) } else { Ok((store, pinned)) }
}

/// Checks what `sslmode` requires: any certificate, a certificate of an authority, or also the host's name in it.
#[derive(Debug)]
struct AsSaid {
    /// `None` accepts any certificate.
    inner: Option<Arc<WebPkiServerVerifier>>,
    /// Certificates that are trusted directly: a server with a self-signed certificate is its own authority.
    pinned: Vec<CertificateDer<'static>>,
    verifies_host: bool,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for AsSaid {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(inner) = &self.inner else { return Ok(ServerCertVerified::assertion()) };
        match inner.verify_server_cert(certificate, between, name, ocsp, now) {
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if !self.verifies_host => Ok(ServerCertVerified::assertion()),
            // It claims to be an authority, which is not required of a server.
            Err(Error::InvalidCertificate(CertificateError::Other(_)))
                if self.pinned.iter().any(|own| own == certificate) =>
            {
                if self.verifies_host {
                    verify_server_name(&ParsedCertificate::try_from(certificate)?, name)?;
                }
                Ok(ServerCertVerified::assertion())
            }
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> MakeTlsConnect<S> for Tls {
    type Stream = Encrypted<S>;
    type TlsConnect = Connect;
    type Error = io::Error;

    fn make_tls_connect(&mut self, host: &str) -> Result<Connect, io::Error> {
        let name = ServerName::try_from(host.to_owned());
        let name = match name {
            Err(err) if self.verifies_host => return Err(io::Error::new(io::ErrorKind::InvalidInput, err)),
            // A name that no certificate can contain, such as db_1, is not checked.
            Err(_) => ServerName::try_from("postgres.invalid").map_err(io::Error::other)?,
            Ok(name) => name,
        };
        Ok(Connect { connector: self.connector.clone(), name })
    }
}

pub(super) struct Connect {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> TlsConnect<S> for Connect {
    type Stream = Encrypted<S>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Encrypted<S>>> + Send>>;

    fn connect(self, stream: S) -> Self::Future {
        Box::pin(async move { self.connector.connect(self.name, stream).await.map(|inner| Encrypted(Box::new(inner))) })
    }
}

/// An encrypted connection.
pub(super) struct Encrypted<S>(Box<client::TlsStream<S>>);

impl<S: AsyncRead + AsyncWrite + Unpin> tokio_postgres::tls::TlsStream for Encrypted<S> {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Encrypted<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0).poll_read(cx, buf)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Encrypted<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0).poll_shutdown(cx)
    }
}
