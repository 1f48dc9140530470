//! An HTTP POST that Slack, Mattermost and their like take.

use super::outbox::Message;
use super::settings::Secret;
use std::time::Duration;

/// A body and where it goes.
pub(super) struct Post {
    url: Secret,
    body: String,
}

impl Post {
    pub(super) fn new(url: &Secret, message: &Message) -> Self {
        let rest = message.text.strip_prefix(&message.subject).unwrap_or(&message.text);
        let text = escape(&format!("{}{rest}", message.title()));
        Self { url: url.clone(), body: serde_json::json!({ "text": text }).to_string() }
    }

    /// Posts it. Redirects are not followed: the address is the secret, and it is told to nobody else.
    pub(super) fn send(self, timeout: Duration) -> Result<(), String> {
        let agent = ureq::Agent::config_builder()
            .timeout_global(Some(timeout))
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .build()
            .new_agent();
        let sent = agent.post(self.url.text()).content_type("application/json").send(&self.body);
        let status = sent.map_err(|err| trouble(&err))?.status();
        if status.is_success() { Ok(()) } else { Err(format!("the server answered {}", status.as_u16())) }
    }
}

/// The error without the address, which some of them quote.
fn trouble(err: &ureq::Error) -> String {
    match err {
        ureq::Error::BadUri(_) | ureq::Error::Http(_) => "its address is not a URL".to_owned(),
        ureq::Error::Timeout(_) => "no answer in time".to_owned(),
        ureq::Error::HostNotFound => "its host is not found".to_owned(),
        ureq::Error::Io(err) => err.to_string(),
        ureq::Error::Tls(what) => format!("TLS: {what}"),
        ureq::Error::Rustls(err) => format!("TLS: {err}"),
        ureq::Error::Protocol(_) => "the server does not speak HTTP".to_owned(),
        _ => "it cannot be reached".to_owned(),
    }
}

/// What would mention somebody or make a link is text.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
