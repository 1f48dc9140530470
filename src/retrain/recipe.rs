//! The parameters of a challenger: those of production, unless the user changed them.

use super::RetrainError;
use crate::pipeline::Recipe;
use crate::registry::{Manifest, Version};
use crate::wording::{instead, plain};
use crate::workspace::audit::Chain;
use crate::workspace::{Config, Workspace};
use serde_json::Value;

/// The sections of `mlloop.toml` that `--set` reaches.
const SECTIONS: [&str; 3] = ["model", "features", "decision"];

/// The parameters, and a remark for the user.
///
/// `mlloop.toml` is used if it was edited since production was trained; else the parameters stored with
/// production, which may have come from the command line. `set` overrides both.
pub(super) fn choose(
    workspace: &Workspace,
    config: &Config,
    production: Version,
    manifest: &Manifest,
    chain: &Chain,
    set: &[String],
) -> Result<(Recipe, Vec<String>), RetrainError> {
    let written = config.recipe();
    let digest = workspace.config_digest()?;
    let trained = chain.maker_of(production)?;
    let is_edited = trained.is_none_or(|entry| entry.config != digest);
    let mut notes = Vec::new();
    let stored = workspace.registry().recipe(production, manifest)?;
    let mut recipe = match is_edited {
        true => written,
        // Parts are permanent: the split never changes. The search effort is set per run.
        false => Recipe {
            target: written.target,
            split: written.split,
            quality: written.quality,
            search: written.search,
            weight: written.weight,
            ..stored.clone()
        },
    };
    if (&stored.model, &stored.features, &stored.decision) != (&recipe.model, &recipe.features, &recipe.decision) {
        notes.push(format!("mlloop.toml was changed since {production} was trained: the new settings are used"));
    }
    for pair in set {
        recipe = with(&recipe, pair)?;
        notes.push(format!("set: {pair}"));
    }
    Ok((recipe, notes))
}

/// The recipe with one parameter set: `max_depth=4` for the model, `decision.imbalance=weights` for other sections.
fn with(recipe: &Recipe, pair: &str) -> Result<Recipe, RetrainError> {
    let wrong = |what: String| RetrainError::Usage(format!("--set {pair}: {what}"));
    let (key, value) = pair.split_once('=').ok_or_else(|| wrong("write key=value".to_owned()))?;
    let (section, name) = key.trim().split_once('.').unwrap_or(("model", key.trim()));
    if !SECTIONS.contains(&section) {
        return Err(wrong(format!("unknown section {section:?}{}", instead(section, SECTIONS))));
    }
    let mut json = serde_json::to_value(recipe).map_err(|err| wrong(err.to_string()))?;
    json[section][name] = value_of(value.trim());
    serde_json::from_value(json).map_err(|err| wrong(plain(&err.to_string())))
}

/// A value as in `mlloop.toml`; a word needs no quotation marks.
fn value_of(text: &str) -> Value {
    let parsed = toml::from_str::<toml::Table>(&format!("value = {text}"));
    let value = parsed.ok().and_then(|mut table| table.remove("value"));
    value.and_then(|value| serde_json::to_value(value).ok()).unwrap_or_else(|| Value::from(text))
}
