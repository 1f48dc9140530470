//! How mlloop speaks HTTP.

use super::DownloadRequest;
use crate::web::trusting;
use std::time::Duration;
use ureq::Agent;

/// A server that sends nothing for so long is taken for gone.
const SILENCE: Duration = Duration::from_secs(60);

/// A client that follows no redirects, takes bytes as they are, and waits for nobody for ever.
pub(super) fn agent(request: &DownloadRequest) -> Agent {
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
    if let Some(pem) = request.root_certificates {
        config = config.tls_config(trusting(pem));
    }
    config.build().new_agent()
}
