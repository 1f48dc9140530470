//! Settings besides `mlloop.toml`: `--set KEY=VALUE` and `MLLOOP_SECTION_KEY`, for one command.

use super::config::Config;
use crate::drift::DriftSettings;
use crate::table::place;
use crate::wording::{instead, nearest, plain};
use serde::Deserialize;
use std::path::Path;
use toml::{Table, Value};

/// The sections that can be set; nested ones come last.
const SECTIONS: [&str; 18] = [
    "data",
    "target",
    "split",
    "features",
    "model",
    "train",
    "trainer",
    "decision",
    "monitor",
    "labels",
    "retrain",
    "notify",
    "promote",
    "track",
    "monitor.triggers",
    "promote.guardrails",
    "notify.email",
    "notify.webhook",
];
/// The sections that a retrain takes from production unless they are set.
const RECIPE: [&str; 3] = ["model.", "features.", "decision."];

/// A key of `mlloop.toml` with another value for one command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// The key with its sections: `monitor.triggers.psi`.
    pub key: String,
    /// The value as given.
    pub value: String,
    /// Where from: `--set`, or the variable's name.
    pub from: String,
}

impl Setting {
    /// Parses `KEY=VALUE`; a key without a section is one of `[model]`.
    ///
    /// # Errors
    /// A sentence, if the syntax is wrong or there is no such section.
    pub fn parse(pair: &str) -> Result<Self, String> {
        let (key, value) = pair.split_once('=').ok_or_else(|| format!("--set {pair}: write KEY=VALUE"))?;
        let key = key.trim();
        let key = if key.contains('.') { key.to_owned() } else { format!("model.{key}") };
        let section = key.split('.').next().unwrap_or_default();
        if section == "columns" || key.starts_with("monitor.watch.") {
            return Err(format!(
                "--set {pair}: types of columns cannot be set for one command; change [{}] in mlloop.toml",
                key.rsplit_once('.').map_or("columns", |(section, _)| section)
            ));
        }
        if !SECTIONS.contains(&section) {
            return Err(format!("--set {pair}: no section {section:?}{}", instead(section, SECTIONS)));
        }
        Ok(Self { key, value: value.trim().to_owned(), from: "--set".to_owned() })
    }

    /// The setting of an environment variable such as `MLLOOP_MONITOR_DRIFT_SHARE`; `None` for others.
    #[must_use]
    pub fn of_variable(name: &str, value: &str) -> Option<Self> {
        let rest = name.strip_prefix("MLLOOP_")?.to_lowercase();
        let inside = |section: &&str| rest.strip_prefix(&format!("{}_", section.replace('.', "_"))).map(str::to_owned);
        // `monitor_triggers_psi` is a key of `monitor.triggers`, not of `monitor`.
        let section = SECTIONS.iter().rev().find(|section| inside(section).is_some_and(|key| !key.is_empty()))?;
        let key = format!("{section}.{}", inside(section)?);
        Some(Self { key, value: value.trim().to_owned(), from: name.to_owned() })
    }

    /// `model.max_depth = 4, by --set`.
    #[must_use]
    pub fn told(&self) -> String {
        format!("set: {} = {}, by {}", self.key, self.shown(), self.from)
    }

    /// The value, unless it may be a secret that belongs elsewhere: an address with a login, a password.
    fn shown(&self) -> String {
        const SECRET: [&str; 6] = ["uri", "url", "webhook", "pass", "user", "token"];
        let key = self.key.rsplit('.').next().unwrap_or_default();
        if SECRET.iter().any(|word| key.contains(word)) {
            "***".to_owned()
        } else {
            place::shown(Path::new(&self.value))
        }
    }

    /// `KEY=VALUE`.
    #[must_use]
    pub fn pair(&self) -> String {
        format!("{}={}", self.key, self.value)
    }

    /// `KEY=VALUE`, if it affects training.
    #[must_use]
    pub fn of_recipe(&self) -> Option<String> {
        RECIPE.iter().any(|section| self.key.starts_with(section)).then(|| self.pair())
    }
}

/// The configuration with the settings made in it.
pub(super) fn apply(text: &str, settings: &[Setting]) -> Result<Config, String> {
    let mut config = Config::parse(text)?;
    let columns = config.columns.clone();
    let mut table: Table = toml::from_str(text).map_err(|err| err.message().to_owned())?;
    for setting in settings {
        let wrong = |what: &str| format!("{} {}={}: {what}", setting.from, setting.key, setting.shown());
        set(&mut table, &setting.key, value_of(&setting.value)).map_err(|what| wrong(&what))?;
        let written = toml::to_string(&table).map_err(|err| wrong(&err.to_string()))?;
        config = Config::parse(&written).map_err(|what| {
            // The line number is that of an internal file.
            let what =
                what.split_once(": ").filter(|(place, _)| place.starts_with("line ")).map_or(&*what, |(_, what)| what);
            wrong(elsewhere(&setting.key, what).as_deref().unwrap_or(what))
        })?;
    }
    // The rewritten file has plain values before tables; columns keep the order of the original, which matters for a
    // table without a header.
    config.columns = columns;
    Ok(config)
}

/// `[monitor]` without `mlloop.toml`: the settings of this command only.
///
/// # Errors
/// An unknown key, an invalid value, or `--set` of another section.
pub fn monitor_alone(settings: &[Setting]) -> Result<DriftSettings, String> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Alone {
        monitor: DriftSettings,
    }
    let (mut table, mut alone) = (Table::new(), Alone::default());
    for setting in settings {
        let wrong = |what: &str| format!("{} {}={}: {what}", setting.from, setting.key, setting.shown());
        if !setting.key.starts_with("monitor.") {
            // An environment variable may be meant for other loops of this machine.
            if setting.from == "--set" {
                return Err(wrong("no loop here; only keys of [monitor] apply to a comparison of two tables"));
            }
            continue;
        }
        set(&mut table, &setting.key, value_of(&setting.value)).map_err(|what| wrong(&what))?;
        let written = toml::to_string(&table).map_err(|err| wrong(&err.to_string()))?;
        alone = toml::from_str(&written).map_err(|err| wrong(&plain(err.message())))?;
    }
    Ok(alone.monitor)
}

/// The message for an unknown key that exists in another section, or resembles a key there.
fn elsewhere(key: &str, what: &str) -> Option<String> {
    let (own, word) = key.rsplit_once('.')?;
    if !what.starts_with("unknown key") {
        return None;
    }
    let others = SECTIONS.iter().filter(|section| **section != own);
    let keys: Vec<(&str, String)> =
        others.flat_map(|section| keys_of(section).into_iter().map(move |key| (*section, key))).collect();
    let near = nearest(word, keys.iter().map(|(_, key)| key.as_str()))?.to_owned();
    if near != word && what.contains("did you mean") {
        return None;
    }
    let found: Vec<String> =
        keys.iter().filter(|(_, key)| *key == near).map(|(at, key)| format!("{at}.{key}")).collect();
    Some(format!("unknown key {word:?} in [{own}]: did you mean {}?", found.join(" or ")))
}

/// The keys of a section, taken from the error message for an unknown key.
fn keys_of(section: &str) -> Vec<String> {
    /// A name that is not a key.
    const NONE: &str = "no_such_key";
    let Err(err) = toml::from_str::<Config>(&format!("[{section}]\n{NONE} = 0\n")) else { return Vec::new() };
    let listed = err.message().split_once(NONE).map_or("", |(_, listed)| listed);
    listed.split('`').skip(2).step_by(2).map(str::to_owned).collect()
}

fn set(table: &mut Table, key: &str, value: Value) -> Result<(), String> {
    match key.split_once('.') {
        None => {
            table.insert(key.to_owned(), value);
            Ok(())
        }
        Some((section, rest)) => {
            let inner = table.entry(section).or_insert_with(|| Value::Table(Table::new()));
            match inner.as_table_mut() {
                Some(inner) => set(inner, rest, value),
                None => Err(format!("{section:?} is not a section")),
            }
        }
    }
}

/// A value as in `mlloop.toml`; a word needs no quotation marks.
fn value_of(text: &str) -> Value {
    let parsed = toml::from_str::<Table>(&format!("value = {text}"));
    parsed.ok().and_then(|mut table| table.remove("value")).unwrap_or_else(|| Value::String(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOML: &str =
        "[data]\nreference = \"r.csv\"\n[target]\ncolumn = \"y\"\n[columns]\ny = \"number\"\nx = \"number\"\n";

    fn with(pair: &str) -> Result<Config, String> {
        apply(TOML, &[Setting::parse(pair)?])
    }

    #[test]
    fn every_section_can_be_set() {
        assert_eq!(with("max_depth=4").unwrap().model.max_depth, Some(4));
        assert_eq!(with("monitor.drift_share=0.5").unwrap().monitor.drift_share, Some(0.5));
        assert_eq!(with("split.gate = 0.3").unwrap().split.gate, 0.3);
        assert_eq!(with("monitor.triggers.new_rows=false").unwrap().monitor.triggers.new_rows.at(), None);
        let set = Setting::of_variable("MLLOOP_MONITOR_TRIGGERS_PSI", "0.4").unwrap();
        assert_eq!(
            (set.key.as_str(), set.told().as_str()),
            ("monitor.triggers.psi", "set: monitor.triggers.psi = 0.4, by MLLOOP_MONITOR_TRIGGERS_PSI")
        );
        assert_eq!(apply(TOML, &[set]).unwrap().monitor.triggers.psi.at(), Some(0.4));
        for other in ["MLLOOP_SMTP_USER", "MLLOOP_NOTIFY", "MLLOOP_FAULT", "HOME"] {
            assert_eq!(Setting::of_variable(other, "x"), None, "{other}");
        }
    }

    #[test]
    fn columns_stay_in_their_order() {
        let text = TOML.replace("x = ", "when = { kind = \"time\", format = \"unix\" }\nx = ");
        let names = |config: Config| config.columns.into_iter().map(|column| column.name).collect::<Vec<_>>();
        assert_eq!(names(Config::parse(&text).unwrap()), ["y", "when", "x"]);
        assert_eq!(names(apply(&text, &[Setting::parse("max_depth=4").unwrap()]).unwrap()), ["y", "when", "x"]);
    }

    #[test]
    fn what_cannot_be_set_is_said_with_its_place() {
        for (pair, says) in [
            ("max_dept=4", "--set model.max_dept=4: unknown key \"max_dept\": did you mean \"max_depth\"?"),
            (
                "treshold=.3",
                "--set model.treshold=.3: unknown key \"treshold\" in [model]: did you mean decision.threshold?",
            ),
            ("imbalance=none", "in [model]: did you mean decision.imbalance?"),
            ("drift_share=.3", "in [model]: did you mean monitor.drift_share or monitor.triggers.drift_share?"),
            ("calibration=false", "in [model]: did you mean decision.calibration or promote.guardrails.calibration?"),
            (
                "columns.tenure=ignore",
                "--set columns.tenure=ignore: types of columns cannot be set for one command; change [columns] in mlloop.toml",
            ),
            ("modl.max_depth=4", "--set modl.max_depth=4: no section \"modl\": did you mean \"model\"?"),
            ("split.gate=half", "expected a number such as 0.15, found the text \"half\""),
            ("split.gate=0.95", "[split] tune = 0.15 and gate = 0.95"),
            ("depth", "write KEY=VALUE"),
        ] {
            let said = with(pair).unwrap_err();
            assert!(said.contains(says), "{pair}: {said}");
        }
    }

    #[test]
    fn without_a_loop_only_the_comparison_can_be_set() {
        let alone = |pairs: &[&str]| {
            let settings: Vec<Setting> = pairs.iter().map(|pair| Setting::parse(pair).unwrap()).collect();
            monitor_alone(&settings).map(|monitor| monitor.drift_share)
        };
        assert_eq!(alone(&[]).unwrap(), DriftSettings::default().drift_share);
        assert_eq!(alone(&["monitor.drift_share=0.5"]).unwrap(), Some(0.5));
        let said = alone(&["split.gate=0.3"]).unwrap_err();
        assert!(said.starts_with("--set split.gate=0.3: no loop here; only keys of [monitor] apply"), "{said}");
        // An environment variable may be meant for other loops of this machine.
        let variable = Setting::of_variable("MLLOOP_SPLIT_GATE", "0.3").unwrap();
        let share = Setting::of_variable("MLLOOP_MONITOR_DRIFT_SHARE", "0.4").unwrap();
        assert_eq!(monitor_alone(&[variable, share]).unwrap().drift_share, Some(0.4));
        assert!(alone(&["monitor.drift_shar=0.5"]).unwrap_err().starts_with("--set monitor.drift_shar=0.5: "));
        assert!(alone(&["monitor.drift_share.x=1"]).is_err() && with("data.reference.x=1").is_err());
    }

    #[test]
    fn what_decides_what_is_learned_is_told_apart_and_secrets_are_not_shown() {
        let of_recipe = |pair: &str| Setting::parse(pair).unwrap().of_recipe();
        assert_eq!(of_recipe("max_depth = 4"), Some("model.max_depth=4".to_owned()));
        assert_eq!(of_recipe("monitor.drift_share=0.5"), None);
        assert!(!Setting::parse("track.uri=https://ann:pw@host").unwrap().told().contains("pw"));
    }
}
