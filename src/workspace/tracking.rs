//! `[track]` of `mlloop.toml`: the MLflow server that receives changes of the loop.

use serde::Deserialize;

/// The section as a whole.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrackRules {
    /// The server's address; `MLFLOW_TRACKING_URI` overrides it. No server if both are absent.
    pub uri: Option<String>,
    /// The experiment; the name of the loop's directory when absent.
    pub experiment: Option<String>,
    /// The registered model; the name of the loop's directory when absent.
    pub model: Option<String>,
    /// How long a verb may wait for the server, in seconds.
    pub timeout_seconds: f64,
}

impl Default for TrackRules {
    fn default() -> Self {
        Self { uri: None, experiment: None, model: None, timeout_seconds: 10.0 }
    }
}

impl TrackRules {
    pub(super) fn check(&self) -> Result<(), String> {
        if !(0.1..=300.0).contains(&self.timeout_seconds) {
            return Err(format!("[track] timeout_seconds = {} must be between 0.1 and 300", self.timeout_seconds));
        }
        // The part between the scheme and the host is a login; the value is not repeated.
        let authority =
            self.uri.as_deref().and_then(|uri| uri.split("://").nth(1)).and_then(|rest| rest.split('/').next());
        if authority.is_some_and(|authority| authority.contains('@')) {
            return Err(
                "[track] uri holds a login, a secret, which does not belong in mlloop.toml: remove it, and set \
                        MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD in the environment"
                    .to_owned(),
            );
        }
        for (key, name) in [("experiment", &self.experiment), ("model", &self.model)] {
            let Some(name) = name else { continue };
            if name.trim().is_empty() || name.len() > 250 || name.chars().any(char::is_control) {
                return Err(format!("[track] {key} must be a name of 1 to 250 bytes without control characters"));
            }
        }
        if self.model.as_ref().is_some_and(|name| name.contains(['/', ':'])) {
            return Err(
                "[track] model must not contain \"/\" or \":\", which MLflow refuses in names of models".to_owned()
            );
        }
        Ok(())
    }
}
