//! An HTTP POST accepted by Slack, Mattermost and similar services; for programs, a signed event is added to the text.
//!
//! The signature is that of the Standard Webhooks specification (`webhook-id`, `webhook-timestamp`, `webhook-signature`), which
//! libraries of many languages verify.

use super::outbox::Message;
use super::settings::Secret;
use crate::web::tls_trouble;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::time::Duration;

/// The prefix allowed by the specification for a secret.
const PREFIX: &str = "whsec_";
/// Shorter secrets could be guessed.
const LEAST_BYTES: usize = 16;

/// A body and its destination.
pub(super) struct Post {
    url: Secret,
    body: String,
    /// Names and values of the signature.
    headers: Vec<(&'static str, String)>,
}

impl Post {
    /// The request at `now`; with a secret, the event is added to the text and the whole body is signed.
    ///
    /// # Errors
    /// Errors in the secret.
    pub(super) fn new(
        url: &Secret,
        secret: Option<&Secret>,
        message: &Message,
        now: jiff::Timestamp,
    ) -> Result<Self, String> {
        let rest = message.text.strip_prefix(&message.subject).unwrap_or(&message.text);
        let text = escape(&format!("{}{rest}", message.title()));
        let mut post =
            Self { url: url.clone(), body: serde_json::json!({ "text": text }).to_string(), headers: Vec::new() };
        let Some(secret) = secret else { return Ok(post) };
        let key = key(secret.text())?;
        let event = serde_json::json!({
            "text": text,
            "type": message.event.name(),
            "timestamp": message.at,
            "data": { "loop": message.name, "subject": message.subject, "text": message.text },
        });
        post.body = event.to_string();
        // The id lets a receiver recognise a message that is repeated after a lost response.
        let (id, at) = (format!("msg_{}", message.id()), now.as_second().to_string());
        let signature = signature(key, format!("{id}.{at}.{}", post.body).as_bytes());
        post.headers = vec![("webhook-id", id), ("webhook-timestamp", at), ("webhook-signature", signature)];
        Ok(post)
    }

    /// Posts it. Redirects are not followed, because the address is a secret.
    pub(super) fn send(self, timeout: Duration) -> Result<(), String> {
        let agent = ureq::Agent::config_builder()
            .timeout_global(Some(timeout))
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .build()
            .new_agent();
        let request = agent.post(self.url.text()).content_type("application/json");
        let request = self.headers.iter().fold(request, |request, (name, value)| request.header(*name, value));
        let status = request.send(&self.body).map_err(|err| trouble(&err))?.status();
        if status.is_success() { Ok(()) } else { Err(format!("the server answered {}", status.as_u16())) }
    }
}

/// The key from a secret.
fn key(secret: &str) -> Result<Hmac<Sha256>, String> {
    let bytes = BASE64.decode(secret.strip_prefix(PREFIX).unwrap_or(secret).trim()).unwrap_or_default();
    match bytes.len() {
        0..LEAST_BYTES => Err(format!(
            "MLLOOP_WEBHOOK_SECRET must be {PREFIX} followed by at least {LEAST_BYTES} bytes in base64: create one \
             with `echo {PREFIX}$(openssl rand -base64 32)`"
        )),
        _ => Hmac::new_from_slice(&bytes).map_err(|err| err.to_string()),
    }
}

/// The signature of a text, in version 1 of the specification.
fn signature(mut key: Hmac<Sha256>, text: &[u8]) -> String {
    key.update(text);
    format!("v1,{}", BASE64.encode(key.finalize().into_bytes()))
}

/// The error without the address, which some errors quote.
fn trouble(err: &ureq::Error) -> String {
    match err {
        ureq::Error::BadUri(_) | ureq::Error::Http(_) => "its address is not a URL".to_owned(),
        ureq::Error::Timeout(_) => "no answer in time".to_owned(),
        ureq::Error::HostNotFound => "its host is not found".to_owned(),
        ureq::Error::Io(err) => err.to_string(),
        ureq::Error::Protocol(_) => "the server does not speak HTTP".to_owned(),
        _ => tls_trouble(err).unwrap_or_else(|| "it cannot be reached".to_owned()),
    }
}

/// Mentions and links are escaped as plain text.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_that_of_the_specification() {
        // The example of https://github.com/standard-webhooks/standard-webhooks (spec, "Symmetric").
        let key = key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signed = signature(key, b"msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{\"test\": 2432232314}");
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        for wrong in ["", "whsec_", "whsec_c2hvcnQ=", "no base64!"] {
            assert!(super::key(wrong).is_err(), "{wrong}");
        }
    }
}
