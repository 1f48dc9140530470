//! The address and login of Label Studio, for the verbs that send rows there and import answers.

use super::Context;
use anyhow::{Context as _, Result, ensure};
use mlloop::labels::Studio;
use mlloop::notify::Secret;
use std::time::Duration;

#[derive(Debug, clap::Args)]
pub(crate) struct StudioArgs {
    /// The address of Label Studio (default: LABEL_STUDIO_URL). The token is read from LABEL_STUDIO_API_KEY
    #[arg(long, value_name = "URL", env = "LABEL_STUDIO_URL", hide_env = true)]
    url: Option<String>,
    /// The project's title or number (default: the name of the loop's directory)
    #[arg(long, value_name = "NAME")]
    project: Option<String>,
    /// Timeout of each request to Label Studio, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    timeout: u64,
}

impl StudioArgs {
    /// The server; no request is sent yet, unless the token has to be exchanged.
    #[expect(clippy::disallowed_methods, reason = "the binary reads the environment")]
    pub(crate) fn connect(&self) -> Result<Studio> {
        let url = self.url.as_deref().context("no address of Label Studio: give --url or set LABEL_STUDIO_URL")?;
        let token = std::env::var("LABEL_STUDIO_API_KEY").unwrap_or_default();
        ensure!(
            !token.trim().is_empty(),
            "set LABEL_STUDIO_API_KEY to your token: see Account & Settings in Label Studio"
        );
        Ok(Studio::connect(url, &Secret::new(token), Duration::from_secs(self.timeout))?)
    }

    pub(crate) fn project(&self, ctx: &Context) -> String {
        let dir = ctx.workspace.dir();
        let dir = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
        let name = || dir.file_name().map_or_else(|| "mlloop".to_owned(), |name| name.to_string_lossy().into_owned());
        self.project.clone().unwrap_or_else(name)
    }
}
