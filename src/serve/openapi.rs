//! The server's description, for machines (OpenAPI) and for people.

use super::endpoint::Endpoint;
use super::snapshot::Snapshot;
use crate::features::Task;
use crate::printable::{self, printable_json};
use crate::registry::Version;
use crate::table::Kind;
use askama::Template;
use serde::Serialize;
use serde_json::{Map, Value, json};

/// `openapi.json`.
pub(super) fn openapi(snapshot: &Snapshot) -> Value {
    let mut paths = Map::new();
    for endpoint in Endpoint::addressed() {
        paths.insert(endpoint.label().to_owned(), json!({ endpoint.method(): operation(endpoint) }));
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "mlloop",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Predictions of one loop. Rows name their features as the training table did.",
        },
        "paths": paths,
        "components": {
            "schemas": { "Row": row_schema(snapshot), "Prediction": prediction_schema(snapshot), "Error": error_schema() },
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
        },
    })
}

fn operation(endpoint: Endpoint) -> Value {
    let answer = |text: &str, schema: Value| json!({ "description": text, "content": { "application/json": { "schema": schema } } });
    if endpoint == Endpoint::Feedback {
        return feedback_operation();
    }
    if !endpoint.predicts() {
        return json!({ "summary": endpoint.summary(), "responses": { "200": { "description": "the answer" } } });
    }
    let row = json!({ "$ref": "#/components/schemas/Row" });
    let rows = json!({ "type": "array", "items": row });
    let wrapped = json!({ "type": "object", "properties": { "rows": rows }, "required": ["rows"] });
    let one = json!({ "$ref": "#/components/schemas/Prediction" });
    let many = json!({
        "type": "object",
        "properties": {
            "request_id": { "type": "string" },
            "experiment": { "type": "string" },
            "predictions": { "type": "array", "items": one },
        },
    });
    let error = json!({ "$ref": "#/components/schemas/Error" });
    let mut responses = Map::new();
    responses.insert("200".to_owned(), answer("one prediction, or one per row", json!({ "oneOf": [one, many] })));
    for (status, text) in ERRORS {
        responses.insert(status.to_owned(), answer(text, error.clone()));
    }
    json!({
        "summary": endpoint.summary(),
        "parameters": [
            { "name": "explain", "in": "query", "schema": { "type": "integer", "minimum": 0 },
              "description": "Number of contributions to return with each prediction" },
            { "name": "interval", "in": "query",
              "schema": { "type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1 },
              "description": "Coverage: the probability that lower and upper, or set, contain the true value" },
            { "name": "request_id", "in": "query", "schema": { "type": "string" },
              "description": "Request id, like the header X-Request-Id" },
        ],
        "requestBody": { "required": true, "content": { "application/json": { "schema": { "oneOf": [row, rows, wrapped] } } } },
        "responses": responses,
    })
}

/// `POST /feedback`.
fn feedback_operation() -> Value {
    let correction = json!({
        "type": "object",
        "properties": {
            "id": { "type": "string", "description": "the id of the prediction" },
            "verdict": { "enum": ["correct", "incorrect", "uncertain"] },
            "actual": { "type": ["string", "number", "boolean"], "description": "the correct value" },
            "by": { "type": "string" },
            "comment": { "type": "string" },
        },
        "required": ["id", "verdict"],
    });
    let schema = json!({ "oneOf": [correction, { "type": "array", "items": correction }] });
    json!({
        "summary": Endpoint::Feedback.summary(),
        "security": [{ "token": [] }],
        "requestBody": { "required": true, "content": { "application/json": { "schema": schema } } },
        "responses": {
            "200": { "description": "the number of new corrections, and the changes of the labels" },
            "202": { "description": "another process changes the loop: the corrections are saved and recorded later" },
            "401": { "description": "wrong or missing token" },
            "403": { "description": "the server was started without a token" },
            "422": { "description": "an invalid correction; none was recorded" },
        },
    })
}

/// The possible refusals of a request.
const ERRORS: [(&str, &str); 11] = [
    ("400", "not JSON, or an invalid option"),
    ("401", "a token is required"),
    (
        "403",
        "the server was started without a token and this is a change, or the request comes from a page of \
             another origin",
    ),
    ("408", "the body did not arrive in time"),
    ("409", "this arm does not exist"),
    ("413", "too large a body, or too many rows"),
    ("415", "not application/json, or packed (Content-Encoding)"),
    ("421", "the host name is not that of the server"),
    ("422", "unknown, missing or mistyped features, all of them named"),
    ("500", "internal error; see the server log (stderr)"),
    ("503", "no version yet, too many requests at once, or the log cannot be written; see Retry-After"),
];

/// The columns of a row; the inputs of production are required.
fn row_schema(snapshot: &Snapshot) -> Value {
    let Some(live) = &snapshot.production else { return json!({ "type": "object" }) };
    let pipeline = &live.model.pipeline;
    let mut properties = Map::new();
    for column in pipeline.schema.columns.iter().filter(|c| c.kind != Kind::Ignore && c.name != pipeline.target.name) {
        let (kind, format) = (column.kind, column.format.as_deref().unwrap_or("iso"));
        let schema = match kind {
            Kind::Number => json!({ "type": ["number", "string", "null"], "description": "number" }),
            Kind::Time => {
                json!({ "type": ["string", "number", "null"], "description": format!("time, written as {format}") })
            }
            kind => json!({ "type": ["string", "number", "boolean", "null"], "description": kind.name() }),
        };
        properties.insert(column.name.clone(), schema);
    }
    let levels = pipeline.features.encoders().iter().filter_map(|input| Some((&input.column, input.encoder.levels()?)));
    for (column, levels) in levels {
        // Other values are allowed: they are scored as unseen levels.
        let examples: Vec<&String> = levels.iter().take(20).collect();
        if let Some(schema) = properties.get_mut(column) {
            schema["examples"] = json!(examples);
        }
    }
    let required: Vec<&str> = pipeline.features.inputs().map(|(name, _)| name).collect();
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}

fn prediction_schema(snapshot: &Snapshot) -> Value {
    let task = snapshot.production.as_ref().map(|live| live.model.pipeline.target.task);
    let prediction = if task == Some(Task::Regression) { "number" } else { "string" };
    json!({
        "type": "object",
        "properties": {
            "request_id": { "type": "string" },
            "id": { "type": "string", "description": "id of the row in the prediction log" },
            "prediction": { "type": prediction },
            "score": { "type": "number", "description": "of the positive class, for two classes" },
            "scores": { "type": "object", "description": "of each class, for several" },
            "lower": { "type": "number", "description": "with interval, of a number" },
            "upper": { "type": "number", "description": "with interval, of a number" },
            "set": { "type": "array", "items": { "type": "string" }, "description": "with interval, the likely classes" },
            "version": { "type": "string" },
            "arm": { "type": ["string", "null"] },
            "experiment": { "type": "string" },
            "contributions": { "type": "array", "items": {
                "type": "object",
                "properties": {
                    "column": { "type": "string" },
                    "value": { "type": "number" },
                    "words": { "type": "array", "description": "for a text: contributions of its strongest words", "items": {
                        "type": "object",
                        "properties": { "term": { "type": "string" }, "value": { "type": "number" } },
                    } },
                },
            } },
        },
    })
}

fn error_schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "error": { "type": "string" },
            "problems": { "type": "array", "items": {
                "type": "object",
                "properties": {
                    "row": { "type": "integer" },
                    "column": { "type": "string" },
                    "problem": { "type": "string" },
                },
            } },
            "n_problems": { "type": "integer" },
            "request_id": { "type": "string" },
        },
    })
}

#[derive(Template)]
#[template(path = "docs.html")]
struct Docs {
    mlloop: &'static str,
    predicts: Option<String>,
    endpoints: Vec<[&'static str; 3]>,
    columns: Vec<[String; 3]>,
    errors: [(&'static str, &'static str); 11],
    example: String,
}

/// `/docs`.
pub(super) fn docs(snapshot: &Snapshot) -> Result<String, askama::Error> {
    let schema = row_schema(snapshot);
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    let mut columns = Vec::new();
    let mut example = Map::new();
    for (name, column) in schema["properties"].as_object().into_iter().flatten() {
        let is_required = required.iter().any(|r| r.as_str() == Some(name));
        let kind = column["description"].as_str().unwrap_or_default();
        if is_required {
            let value = match column["examples"].get(0) {
                Some(level) => level.clone(),
                None if kind == "number" => json!(1),
                None => Value::Null,
            };
            example.insert(name.clone(), value);
        }
        columns.push([name.clone(), kind.to_owned(), if is_required { "yes" } else { "" }.to_owned()]);
    }
    let page = Docs {
        mlloop: env!("CARGO_PKG_VERSION"),
        predicts: snapshot.production.as_ref().map(|live| live.model.pipeline.target.name.clone()),
        endpoints: Endpoint::addressed()
            .map(|e| [if e.is_post() { "POST" } else { "GET" }, e.label(), e.summary()])
            .collect(),
        columns,
        errors: ERRORS,
        // Escapes quotes inside the shell's single quotes.
        example: printable_json(Value::Object(example).to_string()).replace('\'', "'\\''"),
    };
    page.render().map(printable::page)
}

/// `/`.
pub(super) fn info(snapshot: &Snapshot) -> Info {
    Info {
        status: "alive",
        mlloop: env!("CARGO_PKG_VERSION"),
        predicts: snapshot.production.as_ref().map(|live| live.model.pipeline.target.name.clone()),
        version: snapshot.roles.production,
        experiment: snapshot.running.as_ref().map(|running| running.experiment.name.clone()),
        endpoints: Endpoint::addressed()
            .map(|endpoint| (endpoint.label().to_owned(), endpoint.summary().into()))
            .collect(),
    }
}

/// The answer of `/`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Info {
    /// `alive`, which clients of KServe V1 look for.
    status: &'static str,
    /// The version of mlloop.
    mlloop: &'static str,
    /// The target column.
    predicts: Option<String>,
    /// The version in production.
    version: Option<Version>,
    /// The experiment that chooses the arms.
    experiment: Option<String>,
    /// The endpoints.
    #[cfg_attr(test, schemars(with = "std::collections::BTreeMap<String, String>"))]
    endpoints: Map<String, Value>,
}
