//! E-mail over SMTP.

use super::outbox::Message;
use super::settings::{Email, Secrets, Tls, mailbox};
use lettre::message::header::{ContentType, MIME_VERSION_1_0};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls as Wire, TlsParameters};
use lettre::{SmtpTransport, Transport};
use std::path::Path;
use std::time::{Duration, SystemTime};

/// A mail and how it is sent.
pub(super) struct Letter {
    mail: lettre::Message,
    email: Email,
    wire: Wire,
    login: Option<Credentials>,
}

impl Letter {
    /// Writes the mail.
    pub(super) fn new(email: &Email, secrets: &Secrets, base: &Path, message: &Message) -> Result<Self, String> {
        let subject: String = message.title().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let at = u64::try_from(message.at.as_second()).unwrap_or(0);
        let mut mail = lettre::Message::builder()
            .from(mailbox(&email.from)?)
            .message_id(Some(format!("<{}@mlloop>", message.id())))
            .date(SystemTime::UNIX_EPOCH + Duration::from_secs(at))
            .subject(subject)
            .header(MIME_VERSION_1_0)
            .header(ContentType::TEXT_PLAIN);
        for to in &email.to {
            mail = mail.to(mailbox(to)?);
        }
        let mail = mail.body(format!("{}\n", message.text)).map_err(|err| err.to_string())?;
        let login = match (&secrets.smtp_user, &secrets.smtp_password) {
            (Some(user), Some(password)) => Some(Credentials::new(user.clone(), password.text().to_owned())),
            _ => None,
        };
        if login.is_some() && email.tls == Tls::None && !is_local(&email.host) {
            return Err("a password is not sent over a connection that anybody can read: set tls".to_owned());
        }
        Ok(Self { mail, wire: wire(email, base)?, email: email.clone(), login })
    }

    /// Sends it; each exchange with the server may take `timeout`.
    pub(super) fn send(self, timeout: Duration) -> Result<(), String> {
        let mut server = SmtpTransport::builder_dangerous(&self.email.host)
            .port(self.email.port())
            .timeout(Some(timeout))
            .tls(self.wire);
        if let Some(login) = self.login {
            server = server.credentials(login);
        }
        server.build().send(&self.mail).map(|_| ()).map_err(|err| chain(&err))
    }
}

fn wire(email: &Email, base: &Path) -> Result<Wire, String> {
    if email.tls == Tls::None {
        return Ok(Wire::None);
    }
    let mut parameters = TlsParameters::builder(email.host.clone());
    if let Some(ca) = &email.ca {
        let path = base.join(ca);
        let pem = std::fs::read(&path).map_err(|err| format!("{}: {err}", path.display()))?;
        let certificate = Certificate::from_pem(&pem).map_err(|err| format!("{}: {}", path.display(), chain(&err)))?;
        parameters = parameters.add_root_certificate(certificate);
    }
    let parameters = parameters.build_rustls().map_err(|err| chain(&err))?;
    Ok(if email.tls == Tls::Tls { Wire::Wrapper(parameters) } else { Wire::Required(parameters) })
}

fn is_local(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// An error and its causes; a cause that was told already is not told again.
fn chain(err: &dyn std::error::Error) -> String {
    let mut text = err.to_string();
    let mut cause = err.source();
    while let Some(next) = cause {
        let more = next.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = next.source();
    }
    text
}
