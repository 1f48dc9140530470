//! The URLs of the server, and their purposes.

/// The endpoint of a request.
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
    Ping,
    Invocations,
    V1Model,
    V1Predict,
    V2Server,
    V2Live,
    V2Ready,
    V2Model,
    V2ModelReady,
    V2Infer,
    StudioHealth,
    StudioSetup,
    StudioPredict,
    StudioWebhook,
    /// Any other address.
    Other,
}

impl Endpoint {
    /// All endpoints, in the order of the enum.
    pub(super) const ALL: [Self; 29] = [
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
        Self::Ping,
        Self::Invocations,
        Self::V1Model,
        Self::V1Predict,
        Self::V2Server,
        Self::V2Live,
        Self::V2Ready,
        Self::V2Model,
        Self::V2ModelReady,
        Self::V2Infer,
        Self::StudioHealth,
        Self::StudioSetup,
        Self::StudioPredict,
        Self::StudioWebhook,
        Self::Other,
    ];

    /// Those with an address.
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
            Self::Ping => "/ping",
            Self::Invocations => "/invocations",
            Self::V1Model => "/v1/models/{name}",
            Self::V1Predict => "/v1/models/{name}:predict",
            Self::V2Server => "/v2",
            Self::V2Live => "/v2/health/live",
            Self::V2Ready => "/v2/health/ready",
            Self::V2Model => "/v2/models/{name}",
            Self::V2ModelReady => "/v2/models/{name}/ready",
            Self::V2Infer => "/v2/models/{name}/infer",
            Self::StudioHealth => "/label-studio/health",
            Self::StudioSetup => "/label-studio/setup",
            Self::StudioPredict => "/label-studio/predict",
            Self::StudioWebhook => "/label-studio/webhook",
            Self::Other => "other",
        }
    }

    /// The paths of this endpoint: the address, and the same with a version.
    pub(super) fn paths(self) -> Vec<String> {
        let of_version = self.label().replace("{name}", "{name}/versions/{version}");
        match self {
            // Both have the same path; only the method differs.
            Self::V1Predict => vec![Self::V1Model.label().to_owned()],
            Self::V2Model | Self::V2ModelReady | Self::V2Infer => vec![self.label().to_owned(), of_version],
            _ => vec![self.label().to_owned()],
        }
    }

    /// Whether it accepts rows in our own format.
    pub(super) fn predicts(self) -> bool {
        matches!(self, Self::Predict | Self::PredictA | Self::PredictB | Self::PredictAb)
    }

    /// Whether it accepts rows in another server's format.
    pub(super) fn adapts(self) -> bool {
        matches!(self, Self::Invocations | Self::V1Predict | Self::V2Infer) || self.is_studio()
    }

    /// Whether Label Studio sends a body to it.
    pub(super) fn is_studio(self) -> bool {
        matches!(self, Self::StudioSetup | Self::StudioPredict | Self::StudioWebhook)
    }

    /// Whether it describes the server in another server's protocol.
    pub(super) fn describes(self) -> bool {
        matches!(
            self,
            Self::Ping
                | Self::V1Model
                | Self::V2Server
                | Self::V2Live
                | Self::V2Ready
                | Self::V2Model
                | Self::V2ModelReady
        )
    }

    /// Whether it reports health or readiness, and nothing about the model.
    pub(super) fn is_health(self) -> bool {
        matches!(self, Self::Health | Self::Ready | Self::Ping | Self::V2Live | Self::V2Ready | Self::StudioHealth)
    }

    /// Whether it takes a body.
    pub(super) fn is_post(self) -> bool {
        self.predicts() || self.adapts() || self == Self::Feedback
    }

    pub(super) fn method(self) -> &'static str {
        if self.is_post() { "post" } else { "get" }
    }

    pub(super) fn summary(self) -> &'static str {
        match self {
            Self::Info => "Description of this server and its endpoints",
            Self::Docs => "This page",
            Self::OpenApi => "The API description (OpenAPI 3.1)",
            Self::Health => "Liveness: 200 while the process runs",
            Self::Ready => {
                "Readiness: 200, or 503 with the reason; also reports files on disk that could not be \
                            loaded"
            }
            Self::Metrics => "Counters and latencies in the Prometheus format",
            Self::Models => "The versions of this loop with their roles and metrics",
            Self::Predict => "Score one row or many with the version in production",
            Self::PredictA => "Score with the first arm of the experiment; without one, with production",
            Self::PredictB => "Score with the second arm of the experiment; 409 without one",
            Self::PredictAb => {
                "Score each row with the arm of its unit (by a hash of the unit, or of the request id); without an \
                 experiment, with production"
            }
            Self::Feedback => "Report whether predictions were right; needs the server's token",
            Self::RetrainStatus => "The number of new labels, and the number needed for a retraining",
            Self::AbStatus => "The experiment: arms, weights, step",
            Self::Ping => "SageMaker, MLflow: is it ready?",
            Self::Invocations => "SageMaker, MLflow: score JSON or CSV",
            Self::V1Model => "KServe V1: is the model ready?",
            Self::V1Predict => "KServe V1: score instances",
            Self::V2Server => "KServe V2: description of this server",
            Self::V2Live => "KServe V2: is it alive?",
            Self::V2Ready => "KServe V2: is it ready?",
            Self::V2Model => "KServe V2: inputs and outputs of the model",
            Self::V2ModelReady => "KServe V2: is the model ready?",
            Self::V2Infer => "KServe V2: score tensors",
            Self::StudioHealth => "Label Studio (serve --label-studio): is it alive?",
            Self::StudioSetup => "Label Studio: does the labelling interface fit the model?",
            Self::StudioPredict => "Label Studio: predictions for tasks; nothing is logged",
            Self::StudioWebhook => "Label Studio: events; acknowledged and ignored",
            Self::Other => "",
        }
    }
}
