//! The addresses of the server, and what each is for.

/// What a request can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Endpoint {
    Info,
    Docs,
    OpenApi,
    Health,
    Ready,
    Metrics,
    Models,
    Predict,
    PredictA,
    PredictB,
    PredictAb,
    Feedback,
    RetrainStatus,
    AbStatus,
    /// An address that does not exist.
    Other,
}

impl Endpoint {
    /// All of them, in the order of the enum.
    pub(super) const ALL: [Self; 15] = [
        Self::Info,
        Self::Docs,
        Self::OpenApi,
        Self::Health,
        Self::Ready,
        Self::Metrics,
        Self::Models,
        Self::Predict,
        Self::PredictA,
        Self::PredictB,
        Self::PredictAb,
        Self::Feedback,
        Self::RetrainStatus,
        Self::AbStatus,
        Self::Other,
    ];

    /// Those that have an address.
    pub(super) fn addressed() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(|endpoint| *endpoint != Self::Other)
    }

    /// The address.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Info => "/",
            Self::Docs => "/docs",
            Self::OpenApi => "/openapi.json",
            Self::Health => "/health",
            Self::Ready => "/ready",
            Self::Metrics => "/metrics",
            Self::Models => "/models",
            Self::Predict => "/predict",
            Self::PredictA => "/predict_a",
            Self::PredictB => "/predict_b",
            Self::PredictAb => "/predict_ab",
            Self::Feedback => "/feedback",
            Self::RetrainStatus => "/retrain/status",
            Self::AbStatus => "/ab/status",
            Self::Other => "other",
        }
    }

    /// Whether it takes rows.
    pub(super) fn predicts(self) -> bool {
        matches!(self, Self::Predict | Self::PredictA | Self::PredictB | Self::PredictAb)
    }

    /// Whether it takes a body.
    pub(super) fn is_post(self) -> bool {
        self.predicts() || self == Self::Feedback
    }

    pub(super) fn method(self) -> &'static str {
        if self.is_post() { "post" } else { "get" }
    }

    pub(super) fn summary(self) -> &'static str {
        match self {
            Self::Info => "What this server is, and its endpoints",
            Self::Docs => "This page",
            Self::OpenApi => "The same for programs (OpenAPI 3.1)",
            Self::Health => "Is the process alive? 200 as long as it is",
            Self::Ready => "Can it predict? 200, or 503 with the reason; says when files on disk could not be loaded",
            Self::Metrics => "Counters and latencies as Prometheus reads them",
            Self::Models => "The versions of this loop with their roles and metrics",
            Self::Predict => "Score one row or many with the version in production",
            Self::PredictA => "Score with the first arm of the experiment; without one, with production",
            Self::PredictB => "Score with the second arm of the experiment; 409 without one",
            Self::PredictAb => {
                "Score each row with the arm that its unit belongs to (by hash, or that of the request id); without an \
                 experiment, with production"
            }
            Self::Feedback => "Say whether predictions were right; needs the server's token",
            Self::RetrainStatus => "How many new labels there are, and how many a retraining wants",
            Self::AbStatus => "The experiment: arms, weights, step",
            Self::Other => "",
        }
    }
}
