//! E-mail over SMTP.

use super::address::mailbox;
use super::outbox::Message;
use super::settings::{Email, Secrets, Tls};
use crate::markup::escaped;
use lettre::message::header::{ContentType, MIME_VERSION_1_0};
use lettre::message::{Attachment, MultiPart, SinglePart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls as Wire, TlsParameters};
use lettre::{SmtpTransport, Transport};
use std::path::Path;
use std::time::{Duration, SystemTime};

/// The name of the picture in a mail.
const PICTURE: &str = "drift_report.png";

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
            .header(MIME_VERSION_1_0);
        for to in &email.to {
            mail = mail.to(mailbox(to)?);
        }
        let picture = message.picture.as_ref().and_then(|path| picture(&base.join(path)));
        let mail = mail.multipart(body(message, picture)).map_err(|err| err.to_string())?;
        let login = match (&secrets.smtp_user, &secrets.smtp_password) {
            (Some(user), Some(password)) => Some(Credentials::new(user.clone(), password.text().to_owned())),
            _ => None,
        };
        if login.is_some() && email.tls == Tls::None && !is_local(&email.host) {
            return Err("a password is not sent over an unencrypted connection: set tls".to_owned());
        }
        Ok(Self { mail, wire: wire(email, base)?, email: email.clone(), login })
    }

    /// Sends it; `timeout` limits each exchange with the server.
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

/// The text, and the same as HTML with the picture.
fn body(message: &Message, picture: Option<Vec<u8>>) -> MultiPart {
    let text = SinglePart::builder().header(ContentType::TEXT_PLAIN).body(format!("{}\n", message.text));
    let page = SinglePart::builder().header(ContentType::TEXT_HTML).body(html(message, picture.is_some()));
    match picture {
        None => MultiPart::alternative().singlepart(text).singlepart(page),
        Some(bytes) => {
            let png = ContentType::parse("image/png").unwrap_or(ContentType::TEXT_PLAIN);
            let shown = Attachment::new_inline(PICTURE.to_owned()).body(bytes, png);
            let related = MultiPart::related().singlepart(page).singlepart(shown);
            MultiPart::alternative().singlepart(text).multipart(related)
        }
    }
}

/// The bytes of the picture; `None` if it is missing or too large for mail.
fn picture(path: &Path) -> Option<Vec<u8>> {
    const LARGEST: u64 = 4 << 20;
    let facts = std::fs::metadata(path).ok()?;
    (facts.is_file() && facts.len() <= LARGEST).then(|| std::fs::read(path).ok()).flatten()
}

/// The message as HTML: the first line is the heading, lines that begin with `- ` are a list.
fn html(message: &Message, has_picture: bool) -> String {
    let mut lines = message.text.lines();
    let heading = escaped(lines.next().unwrap_or_default());
    let mut page = format!(
        "<!doctype html>\n<html><head><meta charset=\"utf-8\"><title>{}</title></head>\n<body>\n<h3>{heading}</h3>\n",
        escaped(&message.title())
    );
    let mut in_list = false;
    for line in lines {
        let item = line.strip_prefix("- ");
        if item.is_some() != in_list {
            page.push_str(if in_list { "</ul>\n" } else { "<ul>\n" });
            in_list = !in_list;
        }
        page.push_str(&match item {
            Some(item) => format!("<li>{}</li>\n", escaped(item)),
            None => format!("<p>{}</p>\n", escaped(line)),
        });
    }
    if in_list {
        page.push_str("</ul>\n");
    }
    if has_picture {
        page.push_str("<p><img src=\"cid:");
        page.push_str(PICTURE);
        page.push_str("\" alt=\"what drifted\" style=\"max-width: 100%\"></p>\n");
    }
    page.push_str("</body></html>\n");
    page
}

fn is_local(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// An error and its causes; a cause already mentioned is not repeated.
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
