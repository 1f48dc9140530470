//! Label Studio's ML backend protocol: it requests predictions for tasks, and shows them to annotators.
//!
//! ```text
//! health ─▶ UP      setup {schema} ─▶ model_version      predict {tasks, label_config} ─▶ results
//! task: data.row (as `label-export` sends it), or the columns in data ─▶ row ─▶ common path ─▶ choices, or a number
//! ```
//! These requests are not logged: an annotator's view of a task is not traffic. Source: label_studio_ml/api.py
//! (HumanSignal/label-studio-ml-backend) and ml/api_connector.py of Label Studio 1.23.

use super::super::endpoint::Endpoint;
use super::super::predict::{self, INLINE_BYTES};
use super::super::problem::{self, Refusal};
use super::super::scoring::Wanted;
use super::super::snapshot::{Live, Snapshot};
use super::super::state::App;
use super::super::ticket::{read, seat};
use super::{One, told};
use crate::features::Task as Kind;
use axum::body::{Body, Bytes};
use axum::http::request::Parts;
use axum::http::{Response, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// The request; only the data of the tasks are used.
#[derive(Deserialize)]
struct Request {
    #[serde(default)]
    tasks: Vec<Task>,
    /// The labelling interface in a `predict` request.
    #[serde(default)]
    label_config: Option<String>,
    /// The labelling interface in a `setup` request.
    #[serde(default)]
    schema: Option<String>,
}

#[derive(Deserialize)]
struct Task {
    #[serde(default)]
    data: Map<String, Value>,
}

/// Answers a request of Label Studio.
///
/// # Errors
/// Without `--label-studio`, without a version in production, and for an unsuitable labelling interface or tasks.
pub(super) async fn answer(
    app: &Arc<App>,
    endpoint: Endpoint,
    parts: &Parts,
    body: Body,
    request_id: &str,
) -> Result<Response<Body>, Refusal> {
    is_open(app)?;
    let mut ticket = app.gate.ticket(seat(parts));
    let body = read(body, &mut ticket).await?;
    if endpoint == Endpoint::StudioWebhook {
        let why = "import answers with `mlloop label-import`, and train on them with `mlloop retrain`";
        return Ok(problem::json(StatusCode::OK, &json!({ "status": "ignored", "why": why })));
    }
    ticket.charge_values(&body)?;
    let is_large = body.len() > INLINE_BYTES;
    let snapshot = app.snapshot();
    let understand = move || understand(&snapshot, &body);
    let Understood { control, version, rows } = if is_large { app.lane.run(understand).await? } else { understand()? };
    if endpoint == Endpoint::StudioSetup {
        return Ok(problem::json(StatusCode::OK, &json!({ "model_version": version })));
    }
    ticket.take_place()?;
    drop(ticket);
    let told = score(app, parts, rows, request_id).await?;
    let results: Vec<Value> = told.iter().map(|one| one.as_ref().map_or(json!([]), |one| control.says(one))).collect();
    Ok(problem::json(StatusCode::OK, &json!({ "results": results, "model_version": version })))
}

/// Largest plausible labelling interface, in bytes.
const LARGEST_INTERFACE: usize = 100_000;

/// A parsed request.
struct Understood {
    control: Control,
    version: String,
    rows: Vec<Value>,
}

fn understand(snapshot: &Snapshot, body: &[u8]) -> Result<Understood, Refusal> {
    let wrong = |err| Refusal::Malformed(format!("the body is not a request of Label Studio: {err}"));
    // An object; serde would also accept an array of its values.
    let object: Map<String, Value> = serde_json::from_slice(body).map_err(wrong)?;
    let asked: Request = serde_json::from_value(Value::Object(object)).map_err(wrong)?;
    let none = || Refusal::Unavailable("no version is in production yet; train one with `mlloop train`".to_owned());
    let live = snapshot.production.as_ref().ok_or_else(none)?;
    let interface = asked.label_config.as_deref().or(asked.schema.as_deref());
    if interface.is_some_and(|text| text.len() > LARGEST_INTERFACE) {
        return Err(Refusal::TooLarge(format!("the labelling interface is larger than {LARGEST_INTERFACE} bytes")));
    }
    let control = Control::of(interface, live)?;
    let rows = asked.tasks.iter().map(|task| row(snapshot, live, task)).collect();
    Ok(Understood { control, version: live.model.name.clone(), rows })
}

/// Checks that the server accepts Label Studio's requests.
///
/// # Errors
/// [`Refusal::NotFound`].
pub(super) fn is_open(app: &App) -> Result<(), Refusal> {
    match app.label_studio {
        true => Ok(()),
        false => Err(Refusal::NotFound("requests of Label Studio need `mlloop serve --label-studio`".to_owned())),
    }
}

/// The row of a task: the columns known to the loop except the outcome, with the id of the task's row.
fn row(snapshot: &Snapshot, live: &Live, task: &Task) -> Value {
    let cells = task.data.get("row").and_then(Value::as_object).unwrap_or(&task.data);
    let target = &live.model.pipeline.target.name;
    let known = |name: &&String| *name != target && snapshot.form.find(name, 0).is_some();
    let mut row: Map<String, Value> =
        cells.iter().filter(|(name, _)| known(name)).map(|(name, cell)| (name.clone(), cell.clone())).collect();
    if let (Some(id), Some(value)) = (live.model.layout.id(), task.data.get("row_id")) {
        row.entry(id).or_insert_with(|| value.clone());
    }
    Value::Object(row)
}

/// Production's predictions for rows: for all together or, if some are invalid, for each separately.
///
/// # Errors
/// If none is valid, the error of the first; and any error of production.
async fn score(app: &Arc<App>, parts: &Parts, rows: Vec<Value>, request_id: &str) -> Result<Vec<Option<One>>, Refusal> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let ask = async |rows: &[Value]| {
        let mut ticket = app.gate.ticket(seat(parts));
        let body = Bytes::from(json!({ "rows": rows }).to_string());
        ticket.charge(body.len())?;
        ticket.take_place()?;
        let (json, ticket) =
            predict::compute(app, Endpoint::StudioPredict, parts, body, ticket, (request_id, Wanted::default()))
                .await?;
        let all = told(&json);
        drop(ticket);
        all
    };
    let first = match ask(&rows).await {
        Ok(all) => return Ok(all.into_iter().map(Some).collect()),
        Err(Refusal::Rows(problems)) => Refusal::Rows(problems),
        Err(other) => return Err(other),
    };
    let mut all = Vec::with_capacity(rows.len());
    for row in &rows {
        // Let other requests run between two rows.
        tokio::task::yield_now().await;
        all.push(match ask(std::slice::from_ref(row)).await {
            Ok(mut one) => one.pop(),
            Err(Refusal::Rows(_)) => None,
            Err(other) => return Err(other),
        });
    }
    if all.iter().all(Option::is_none) { Err(first) } else { Ok(all) }
}

/// The part of a labelling interface that takes the answer.
struct Control {
    name: String,
    object: String,
    /// The interface's name for each class.
    classes: Vec<(String, String)>,
    is_number: bool,
}

impl Control {
    /// The control of an interface; without one, that of `label-export`.
    ///
    /// # Errors
    /// [`Refusal::Conflict`] if no control can hold the model's prediction.
    fn of(interface: Option<&str>, live: &Live) -> Result<Self, Refusal> {
        let target = &live.model.pipeline.target;
        let is_number = target.task == Kind::Regression;
        let classes = || target.classes.iter().map(|class| (class.clone(), class.clone())).collect();
        let Some(interface) = interface.filter(|text| !text.trim().is_empty()) else {
            let (name, object) = ("label".to_owned(), "row".to_owned());
            return Ok(Self { name, object, classes: classes(), is_number });
        };
        let wanted = if is_number { "Number" } else { "Choices" };
        let tags = tags(interface);
        let mut places = (0..tags.len()).filter(|&place| tags[place].name == wanted);
        let found = places.find_map(|place| {
            let tag = &tags[place];
            let inside = tags[place + 1..].iter().take_while(|tag| tag.name != "/Choices");
            let choices: Vec<&Tag> = inside.filter(|tag| tag.name == "Choice").collect();
            let called = |class: &String| {
                let same = |choice: &&&Tag| choice.of("value").is_some_and(|value| alike(value, class));
                let choice = choices.iter().find(same)?;
                Some((class.clone(), choice.of("alias").or(choice.of("value"))?.to_owned()))
            };
            let classes = target.classes.iter().map(called).collect::<Option<Vec<_>>>();
            let classes = if is_number { Vec::new() } else { classes? };
            let (name, object) = (tag.of("name")?.to_owned(), tag.of("toName")?.to_owned());
            Some(Self { name, object, classes, is_number })
        });
        found.ok_or_else(|| {
            Refusal::Conflict(match is_number {
                true => "the labelling interface has no <Number name=… toName=…>".to_owned(),
                false => {
                    format!(
                        "the labelling interface has no <Choices name=… toName=…> with {}",
                        target.classes.join(", ")
                    )
                }
            })
        })
    }

    /// A prediction in Label Studio's format; its score is that of the prediction, so that ordering tasks by it
    /// puts the least certain ones first.
    fn says(&self, one: &One) -> Value {
        let said = one.prediction.as_str().unwrap_or_default();
        let (kind, value) = match self.is_number {
            true => ("number", json!({ "number": one.prediction })),
            false => {
                let class = self.classes.iter().find(|(class, _)| class == said).map_or(said, |(_, called)| called);
                ("choices", json!({ "choices": [class] }))
            }
        };
        let result = json!([{ "from_name": self.name, "to_name": self.object, "type": kind, "value": value }]);
        let is_positive = self.classes.get(1).is_some_and(|(class, _)| class == said);
        let score = match (&one.scores, one.score) {
            (Some(scores), _) => scores.get(said).and_then(Value::as_f64),
            (None, Some(score)) => Some(if is_positive { score } else { 1.0 - score }),
            (None, None) => None,
        };
        let mut prediction = json!({ "result": result, "model_version": one.version });
        if let Some(score) = score {
            prediction["score"] = json!(score);
        }
        prediction
    }
}

/// Whether a choice is a class.
fn alike(choice: &str, class: &str) -> bool {
    choice == class || choice.trim().to_lowercase() == class.trim().to_lowercase()
}

/// A tag of a labelling interface.
#[derive(Debug, PartialEq)]
struct Tag {
    /// Its name; that of an end tag begins with `/`.
    name: String,
    attributes: Vec<(String, String)>,
}

impl Tag {
    fn of(&self, attribute: &str) -> Option<&str> {
        self.attributes.iter().find(|(name, _)| name == attribute).map(|(_, value)| value.as_str())
    }
}

/// The tags of an interface in order; other text is skipped.
fn tags(interface: &str) -> Vec<Tag> {
    let (mut tags, mut rest) = (Vec::new(), interface);
    while let Some((_, inside)) = rest.split_once('<') {
        if let Some(comment) = inside.strip_prefix("!--") {
            rest = comment.split_once("-->").map_or("", |(_, after)| after);
            continue;
        }
        let blank = |c: char| c.is_whitespace();
        let end = inside.find(|c: char| c.is_whitespace() || c == '>' || (c == '/' && !inside.starts_with('/')));
        let end = end.unwrap_or(inside.len());
        let mut tag = Tag { name: inside[..end].to_owned(), attributes: Vec::new() };
        rest = inside[end..].trim_start_matches(blank);
        while !rest.is_empty() && !rest.starts_with(['>', '/', '<']) {
            let Some((name, after)) = rest.split_once('=') else { break };
            let after = after.trim_start_matches(blank);
            let Some(quote) = after.chars().next().filter(|c| matches!(c, '"' | '\'')) else { break };
            let Some((value, after)) = after[1..].split_once(quote) else { break };
            tag.attributes.push((name.trim().to_owned(), unescaped(value)));
            rest = after.trim_start_matches(blank);
        }
        tags.push(tag);
    }
    tags
}

fn unescaped(text: &str) -> String {
    let mut text = text.to_owned();
    for (written, meant) in
        [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&#10;", "\n"), ("&#9;", "\t")]
    {
        text = text.replace(written, meant);
    }
    text.replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_read_whatever_is_between_them() {
        let text = "<View>\n<!-- <Choices name=\"no\"/> -->\n<Choices  name = 'a&amp;b'\n toName=\"row\" required=\"true\">\
                    <Choice value=\"x > y\" alias=\"&quot;z&quot;\"/></Choices> 1 < 2 <Broken name=";
        let found: Vec<(String, usize)> = tags(text).into_iter().map(|tag| (tag.name, tag.attributes.len())).collect();
        let expected = [("View", 0), ("Choices", 3), ("Choice", 2), ("/Choices", 0), ("", 0), ("Broken", 0)];
        assert_eq!(found, expected.map(|(name, n)| (name.to_owned(), n)));
        let all = tags(text);
        assert_eq!(
            (all[1].of("name"), all[2].of("alias"), all[2].of("value")),
            (Some("a&b"), Some("\"z\""), Some("x > y"))
        );
    }
}
