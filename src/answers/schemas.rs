//! `docs/schemas`, from the types of the answers: `MLLOOP_WRITE_SCHEMAS=1 cargo test --lib schemas` regenerates them.

use super::*;
use crate::ab;
use crate::depot;
use crate::drift;
use crate::feedback;
use crate::gate;
use crate::init;
use crate::labels;
use crate::lineage;
use crate::profile;
use crate::retrain;
use crate::serve;
use crate::simulate;
use crate::source;
use crate::summary;
use crate::track;
use crate::workspace::audit::Entry;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The schema of an answer, as serialized.
fn of<T: JsonSchema>() -> Value {
    let generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
    generator.into_root_schema_for::<T>().to_value()
}

/// The schema of an answer that has several forms.
fn any(of: Vec<Value>) -> Value {
    let mut definitions = serde_json::Map::new();
    let mut forms = Vec::new();
    for mut form in of {
        let inner = form.as_object_mut().and_then(|form| form.remove("$defs"));
        for (name, schema) in inner.as_ref().and_then(Value::as_object).into_iter().flatten() {
            let known = definitions.entry(name.clone()).or_insert_with(|| schema.clone());
            assert_eq!(known, schema, "{name} has two different schemas");
        }
        form.as_object_mut().map(|form| form.remove("$schema"));
        forms.push(form);
    }
    json!({ "$schema": "https://json-schema.org/draft/2020-12/schema", "anyOf": forms, "$defs": definitions })
}

/// Every answer, by the name of its schema.
fn answers() -> BTreeMap<&'static str, Value> {
    BTreeMap::from([
        ("ab-report", of::<ab::report::AbReport>()),
        ("ab-report-assign", of::<Vec<Placed>>()),
        ("ab-report-plan", of::<ab::power::Plan>()),
        ("ab-start", of::<Started>()),
        ("ab-status", any(vec![of::<ab::status::Status>(), of::<NoExperiment>()])),
        ("ab-step", of::<ab::rollout::Stepped>()),
        ("ab-stop", of::<ab::stop::Stopped>()),
        ("approve", any(vec![of::<gate::Decided>(), of::<Trained>(), of::<Judged>()])),
        ("audit", of::<Vec<Entry>>()),
        ("audit-accept", of::<Accepted>()),
        ("audit-at", of::<RolesAt>()),
        ("audit-for", of::<lineage::Lineage>()),
        ("audit-replay", of::<Replayed>()),
        ("audit-verify", of::<Verified>()),
        ("demo", of::<Demonstrated>()),
        ("doctor", of::<Examined>()),
        ("download", of::<source::Record>()),
        ("feedback", of::<feedback::Given>()),
        ("feedback-list", of::<Vec<feedback::Told>>()),
        ("feedback-stats", of::<feedback::Stats>()),
        ("init", of::<init::InitReport>()),
        ("label-export", of::<HandedOut>()),
        ("label-import", of::<labels::Imported>()),
        ("label-import-close", of::<Closed>()),
        ("monitor", of::<drift::report::DriftReport>()),
        ("profile", of::<profile::Profile>()),
        ("promote", of::<gate::Promotion>()),
        ("reject", any(vec![of::<gate::Decided>(), of::<TurnedDown>()])),
        ("pull", of::<depot::Pulled>()),
        ("push", of::<depot::Pushed>()),
        ("report", of::<summary::Summary>()),
        ("retrain", of::<retrain::Retrained>()),
        ("rollback", of::<gate::RolledBack>()),
        ("run", of::<Ran>()),
        ("serve", of::<Listening>()),
        ("serve-ab-status", of::<serve::answers::ExperimentStatus>()),
        ("serve-health", of::<serve::answers::Health>()),
        ("serve-info", of::<serve::answers::Info>()),
        ("serve-models", of::<serve::answers::Models>()),
        ("serve-predict", any(vec![of::<serve::answers::Answer>(), of::<serve::answers::Many>()])),
        ("serve-ready", of::<serve::answers::Readiness>()),
        ("serve-retrain-status", of::<serve::answers::Retraining>()),
        ("several", of::<Vec<OfLoop>>()),
        ("simulate", of::<simulate::Simulated>()),
        ("split", of::<source::Record>()),
        ("status", of::<Status>()),
        ("track", of::<track::Synced>()),
        ("train", of::<Listed>()),
    ])
}

/// Other titles are names of types, which are omitted.
fn titled(name: &str, mut schema: Value) -> Value {
    let title = match name.strip_prefix("serve-") {
        Some(page) => format!("mlloop serve: {page}"),
        None => {
            let verb = ["ab", "label"].iter().find(|first| name.starts_with(&format!("{first}-")));
            let (head, tail) = verb.map_or(("", name), |_| name.split_at(name.find('-').unwrap_or(0) + 1));
            format!("mlloop {head}{}", tail.replace('-', " "))
        }
    };
    if let Some(schema) = schema.as_object_mut() {
        schema.insert("title".to_owned(), json!(title));
    }
    schema
}

#[test]
#[expect(clippy::disallowed_methods, reason = "set by the developer")]
fn schemas_are_those_of_the_types() {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/schemas");
    let answers = answers();
    let mut wrong = Vec::new();
    for (name, schema) in &answers {
        let path = dir.join(format!("{name}.json"));
        let text = serde_json::to_string_pretty(&titled(name, schema.clone())).unwrap() + "\n";
        if std::env::var("MLLOOP_WRITE_SCHEMAS").is_ok() {
            std::fs::write(&path, &text).unwrap();
        }
        if std::fs::read_to_string(&path).unwrap_or_default() != text {
            wrong.push(format!("{name}.json differs from the type"));
        }
    }
    let files = std::fs::read_dir(&dir).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    wrong.extend(
        files
            .filter(|file| file != "README.md" && !answers.contains_key(file.trim_end_matches(".json")))
            .map(|file| format!("{file} belongs to no answer")),
    );
    assert!(wrong.is_empty(), "{}\nMLLOOP_WRITE_SCHEMAS=1 cargo test --lib schemas writes them", wrong.join("\n"));
}
