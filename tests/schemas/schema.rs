//! A JSON Schema: where it is, and where a value is not what it says.

use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A schema, and where a value is not what it says.
pub(super) struct Schema {
    pub(super) root: Value,
}

impl Schema {
    /// Where `value` is not what the schema allows; empty when it is.
    pub(super) fn problems(&self, value: &Value, place: &str) -> Vec<String> {
        let mut found = Vec::new();
        self.fits(&self.root, value, place, &mut found);
        found
    }

    /// A value in its place: what it holds must be described.
    fn fits(&self, schema: &Value, value: &Value, place: &str, found: &mut Vec<String>) {
        let described = self.check(schema, value, place, found);
        for name in value.as_object().into_iter().flat_map(Map::keys).filter(|name| !described.contains(*name)) {
            found.push(format!("{place}: {name:?} is not known"));
        }
    }

    /// The same for one of several schemas of a value. Returns the properties that it describes.
    fn check(&self, schema: &Value, value: &Value, place: &str, found: &mut Vec<String>) -> BTreeSet<String> {
        const SAYING: [&str; 9] =
            ["type", "$ref", "anyOf", "oneOf", "allOf", "enum", "const", "properties", "additionalProperties"];
        let mut described = BTreeSet::new();
        if schema.as_object().is_none_or(|object| !object.keys().any(|key| SAYING.contains(&key.as_str()))) {
            // Anything goes.
            return value.as_object().into_iter().flat_map(Map::keys).cloned().collect();
        }
        if let Some(name) = schema["$ref"].as_str() {
            let inner = if name == "#" { Some(&self.root) } else { self.root.pointer(name.trim_start_matches('#')) };
            described.extend(self.check(inner.unwrap_or_else(|| panic!("{name}")), value, place, found));
        }
        if !is_of_type(&schema["type"], value) {
            found.push(format!("{place}: {value} is not of the type {}", schema["type"]));
            return described;
        }
        let one_of = schema["enum"].as_array().is_none_or(|known| known.contains(value));
        if !one_of || schema.get("const").is_some_and(|known| known != value) {
            found.push(format!("{place}: {value} is none of {}{}", schema["enum"], schema["const"]));
        }
        for inner in schema["allOf"].as_array().into_iter().flatten() {
            described.extend(self.check(inner, value, place, found));
        }
        for forms in [&schema["anyOf"], &schema["oneOf"]].into_iter().filter_map(Value::as_array) {
            described.extend(self.best(forms, value, place, found));
        }
        for (n, item) in value.as_array().into_iter().flatten().enumerate() {
            let inner = schema["prefixItems"].get(n).unwrap_or(&schema["items"]);
            self.fits(inner, item, &format!("{place}/{n}"), found);
        }
        let Some(object) = value.as_object() else { return described };
        for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !object.contains_key(name) {
                found.push(format!("{place}: has no {name:?}"));
            }
        }
        for (name, inner) in object {
            let others = schema.get("additionalProperties").filter(|others| **others != Value::Bool(false));
            if let Some(schema) = schema["properties"].get(name).or(others) {
                self.fits(schema, inner, &format!("{place}/{name}"), found);
                described.insert(name.clone());
            }
        }
        described
    }

    /// The form that fits a value and describes most of it; what is wrong with it by the form that comes nearest.
    fn best(&self, forms: &[Value], value: &Value, place: &str, found: &mut Vec<String>) -> BTreeSet<String> {
        let tried = forms.iter().map(|form| {
            let mut wrong = Vec::new();
            (self.check(form, value, place, &mut wrong), wrong)
        });
        let best = tried.min_by_key(|(described, wrong)| (wrong.len(), std::cmp::Reverse(described.len())));
        let (described, wrong) = best.unwrap_or_default();
        found.extend(wrong);
        described
    }
}

/// Whether a value is of a type, or of one of several.
fn is_of_type(allowed: &Value, value: &Value) -> bool {
    let is = |name: &str| match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        _ => value.is_object(),
    };
    match allowed {
        Value::String(one) => is(one),
        Value::Array(all) => all.iter().filter_map(Value::as_str).any(is),
        _ => true,
    }
}

pub(super) fn dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schemas")
}

#[test]
fn what_a_schema_does_not_allow_is_found() {
    let root = json!({
        "anyOf": [
            { "type": "object", "required": ["a", "b"], "properties": {
                "a": { "type": ["integer", "null"] },
                "b": { "type": "array", "items": { "type": "number" } },
                "c": { "anyOf": [{ "$ref": "#/$defs/C" }, { "type": "null" }] },
                "strata": { "type": "object", "additionalProperties": { "type": "integer" } },
                "free": { "description": "anything" },
            } },
            { "type": "object", "required": ["none"], "properties": { "none": { "const": true } } },
        ],
        "$defs": { "C": { "oneOf": [{ "enum": ["x", "y"], "type": "string" }, {
            "type": "object", "required": ["z"], "properties": { "z": { "type": "boolean" } },
        }] } },
    });
    let schema = Schema { root };
    let fitting = [
        json!({ "a": 7, "b": [1, 2.5], "c": "y", "strata": { "q": 3 }, "free": { "any": [1] } }),
        json!({ "a": null, "b": [], "c": null }),
        json!({ "a": 1, "b": [], "c": { "z": true } }),
        json!({ "none": true }),
    ];
    for fits in fitting {
        assert_eq!(schema.problems(&fits, ""), Vec::<String>::new(), "{fits}");
    }
    for (value, says) in [
        (json!({ "a": 1.5, "b": [] }), "/a: 1.5 is not of the type"),
        (json!({ "a": 1, "b": ["x"] }), "/b/0: "),
        (json!({ "a": 1 }), "has no \"b\""),
        (json!({ "a": 1, "b": [], "d": 1 }), "\"d\" is not known"),
        (json!({ "a": 1, "b": [], "c": "q" }), "/c: \"q\" is none of"),
        (json!({ "a": 1, "b": [], "c": { "z": true, "more": 1 } }), "/c: \"more\" is not known"),
        (json!({ "a": 1, "b": [], "strata": { "x": "y" } }), "/strata/x: "),
        (json!({ "none": false }), "/none: false is none of"),
    ] {
        let found = schema.problems(&value, "").join("\n");
        assert!(found.contains(says), "{value}: {found}");
    }
}
