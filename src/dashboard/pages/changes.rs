//! What changes with another version: parameters, rows, labels, columns and settings, before and after.

use super::Asked;
use crate::dashboard::web::Oops;
use crate::registry::{Manifest, Version};
use crate::report::number::{counted, number, short};
use crate::workspace::event::Retrained;
use serde_json::Value;
use std::collections::BTreeMap;

/// Maximum number of lines shown.
const MAX_LINES: usize = 60;

/// A value before and after.
pub(super) struct Change {
    pub(super) what: String,
    pub(super) before: String,
    pub(super) after: String,
}

impl Change {
    fn of(what: &str, before: impl ToString, after: impl ToString) -> Self {
        Self { what: short(what, 120), before: short(&before.to_string(), 200), after: short(&after.to_string(), 200) }
    }
}

/// The differences of `new`, and a sentence about what is the same.
pub(super) fn changes(asked: &Asked, old: Version, new: Version) -> Result<(Vec<Change>, String), Oops> {
    let registry = asked.dashboard.workspace.registry();
    let (before, after) = (registry.manifest(old)?, registry.manifest(new)?);
    let mut all = vec![
        Change::of(
            "trained",
            crate::dashboard::shell::when(before.trained_at),
            crate::dashboard::shell::when(after.trained_at),
        ),
        Change::of("rows of the reference", reference_rows(&before), reference_rows(&after)),
        Change::of("training rows", learned(&before), learned(&after)),
        Change::of("gate rows", before.rows.gate, after.rows.gate),
    ];
    all.extend(labels(asked, new)?);
    let (columns_before, columns_after) = (columns(&before), columns(&after));
    for (title, from, than) in
        [("removed columns", &columns_before, &columns_after), ("new columns", &columns_after, &columns_before)]
    {
        let other: Vec<&str> = from.iter().filter(|name| !than.contains(name)).map(String::as_str).collect();
        if !other.is_empty() {
            let names = other.join(", ");
            let pair = if title == "removed columns" { (names.as_str(), "–") } else { ("–", names.as_str()) };
            all.push(Change::of(title, pair.0, pair.1));
        }
    }
    let mut n_same = 0;
    let mut compared = |before: &Value, after: &Value, name: &dyn Fn(&str) -> String| {
        let (before, after) = (flat(before), flat(after));
        let keys: Vec<&String> = before.keys().chain(after.keys().filter(|key| !before.contains_key(*key))).collect();
        for key in keys {
            let [old, new] = [&before, &after].map(|side| side.get(key).map_or("–", String::as_str));
            match old == new {
                true => n_same += 1,
                false => {
                    let (old, new) = told_apart(old, new);
                    all.push(Change::of(&name(key), old, new));
                }
            }
        }
    };
    compared(&before.model, &after.model, &|key| key.strip_prefix("parameters.").unwrap_or(key).replace('_', " "));
    compared(&before.recipe, &after.recipe, &|key| format!("mlloop.toml: {key}"));
    all.extend(settings_file(asked, old, new)?);
    if before.mlloop != after.mlloop {
        all.push(Change::of("made by", format!("mlloop {}", before.mlloop), format!("mlloop {}", after.mlloop)));
    }
    let hidden = all.len().saturating_sub(MAX_LINES);
    all.truncate(MAX_LINES);
    let same = counted(n_same, "parameter and setting is unchanged", "parameters and settings are unchanged");
    let more =
        if hidden > 0 { format!(" The manifests of both versions list {hidden} more changes.") } else { String::new() };
    Ok((all, format!("{same}.{more}")))
}

/// Two values for display: long decimals get as many digits as needed to distinguish them.
fn told_apart(old: &str, new: &str) -> (String, String) {
    let short = |text: &str| match text.parse::<f64>() {
        Ok(value) if text.len() > 8 && text.contains('.') => number(value),
        _ => text.to_owned(),
    };
    let (before, after) = (short(old), short(new));
    if before == after { (old.to_owned(), new.to_owned()) } else { (before, after) }
}

/// Number of rows a version was fitted on: train and tune rows, as `train` reports.
fn learned(manifest: &Manifest) -> u64 {
    manifest.rows.train + manifest.rows.tune
}

fn reference_rows(manifest: &Manifest) -> u64 {
    manifest.data.first().map_or(0, |data| data.n_rows)
}

fn columns(manifest: &Manifest) -> Vec<String> {
    manifest.importance.iter().map(|row| row.column.clone()).collect()
}

/// Labels used to train the version but not its parent.
fn labels(asked: &Asked, version: Version) -> Result<Vec<Change>, Oops> {
    let chain = asked.chain()?;
    let Some(made) = chain.maker_of(version)? else { return Ok(Vec::new()) };
    let Some(Retrained { from, .. }) = made.of()? else { return Ok(Vec::new()) };
    let counts = [
        (from.n_new, "new labels"),
        (from.n_added, "rows added by labels"),
        (from.n_replaced, "rows whose label was corrected"),
    ];
    Ok(counts.into_iter().filter_map(|(n, what)| Some(Change::of(what, "–", n?))).collect())
}

/// The settings file of each version, if they differ.
fn settings_file(asked: &Asked, old: Version, new: Version) -> Result<Option<Change>, Oops> {
    let chain = asked.chain()?;
    let digest = |version| -> Result<Option<String>, Oops> {
        let made = chain.maker_of(version)?.and_then(|made| made.config.as_deref());
        Ok(made.map(|digest| digest.chars().take(12).collect()))
    };
    let (Some(before), Some(after)) = (digest(old)?, digest(new)?) else { return Ok(None) };
    let what = "mlloop.toml (SHA-256)";
    Ok(Some(match before == after {
        true => Change::of(what, &before, "the same"),
        false => Change::of(what, before, after),
    }))
}

/// The values of an object by their paths.
fn flat(value: &Value) -> BTreeMap<String, String> {
    fn into(all: &mut BTreeMap<String, String>, path: &str, value: &Value) {
        match value {
            Value::Object(inner) => {
                for (key, value) in inner {
                    let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                    into(all, &path, value);
                }
            }
            Value::Null => {
                all.insert(path.to_owned(), "–".to_owned());
            }
            Value::String(text) => {
                all.insert(path.to_owned(), text.clone());
            }
            other => {
                all.insert(path.to_owned(), other.to_string());
            }
        }
    }
    let mut all = BTreeMap::new();
    into(&mut all, "", value);
    all
}

#[cfg(test)]
mod tests {
    use super::flat;
    use serde_json::json;

    #[test]
    fn what_is_nested_is_named_by_its_path() {
        let all = flat(&json!({ "a": { "b": 1, "c": [1, 2] }, "d": null, "e": "x" }));
        let all: Vec<(&str, &str)> = all.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        assert_eq!(all, [("a.b", "1"), ("a.c", "[1,2]"), ("d", "–"), ("e", "x")]);
    }
}
