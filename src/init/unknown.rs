//! Detects a class that means "class unknown".

use super::InitError;
use crate::features::{Target, Task};
use crate::table::{Table, Values};
use std::path::Path;

/// Words for "unknown", in lower case; texts such as `NA` and `?` are missing anyway, and `none` is a class (no
/// disease, no internet).
const NOT_KNOWN: [&str; 39] = [
    "unknown",
    "unk",
    "not known",
    "not available",
    "not applicable",
    "not specified",
    "not stated",
    "no answer",
    "no data",
    "no info",
    "undefined",
    "undetermined",
    "unclear",
    "unsure",
    "uncertain",
    "unlabeled",
    "unlabelled",
    "pending",
    "tbd",
    "missing",
    "don't know",
    "unbekannt",
    "keine angabe",
    "k.a.",
    "k. a.",
    "unklar",
    "offen",
    "ausstehend",
    "fehlt",
    "inconnu",
    "inconnue",
    "non renseigné",
    "sconosciuto",
    "desconocido",
    "desconhecido",
    "onbekend",
    "nieznany",
    "okänd",
    "неизвестно",
];

/// Refuses a third class that means "unknown": training on it would give a model of three classes.
pub(super) fn refuse(table: &Path, target: &Target, labels: &Table) -> Result<(), InitError> {
    let is_unknown = |class: &&String| NOT_KNOWN.contains(&class.trim().to_lowercase().as_str());
    let unknown: Vec<&String> = target.classes.iter().filter(is_unknown).collect();
    let known: Vec<&String> = target.classes.iter().filter(|class| !is_unknown(class)).collect();
    let (Task::Multiclass, [one, other], false) = (target.task, known.as_slice(), unknown.is_empty()) else {
        return Ok(());
    };
    let Values::Category(values) = &labels.require(&target.name)?.values else { return Ok(()) };
    let count = |class: &String| {
        let level = values.levels.iter().position(|level| level == class);
        values.codes.iter().filter(|&&code| Some(code as usize) == level).count()
    };
    let said: Vec<String> = unknown.iter().map(|class| format!("{class:?} ({} rows)", count(class))).collect();
    let options: Vec<String> = unknown.iter().map(|class| format!("--missing {}", quoted(class))).collect();
    Err(InitError::Option(format!(
        "{}: the target {:?} is {one:?} or {other:?}, and {} seems to mean that it is not known: {} leaves such rows without a \
         label (missing under [data] in mlloop.toml), --task multiclass makes it a separate class",
        table.display(),
        target.name,
        said.join(" and "),
        options.join(" ")
    )))
}

/// A text as a shell takes it for one argument.
fn quoted(text: &str) -> String {
    if text.bytes().all(|b| b.is_ascii_alphanumeric()) { text.to_owned() } else { format!("{text:?}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{ColumnSpec, Input, Kind, ReadOptions, Schema, read};

    fn told(classes: &[&str]) -> Result<(), String> {
        let text: String = (0..40).map(|row| format!("{row},{}\n", classes[row % classes.len()])).collect();
        let columns = vec![ColumnSpec::new("id", Kind::Id), ColumnSpec::new("bought", Kind::Category)];
        let schema = Schema { columns, ..Schema::default() };
        let text = std::io::Cursor::new(format!("id,bought\n{text}"));
        let labels = read(Input::from_reader("t.csv", text), &schema, &ReadOptions::default()).unwrap().table;
        let (target, _) = Target::choose(labels.require("bought").unwrap(), None, None).unwrap();
        refuse(Path::new("t.csv"), &target, &labels).map_err(|err| err.to_string())
    }

    #[test]
    fn a_class_that_says_unknown_beside_two_is_asked_about() {
        let asked = told(&["yes", "no", "Unknown", "yes"]).unwrap_err();
        assert!(asked.contains("the target \"bought\" is \"no\" or \"yes\", and \"Unknown\" (10 rows)"), "{asked}");
        assert!(asked.contains("--missing Unknown leaves") && asked.contains("--task multiclass"), "{asked}");
        let several = told(&["ja", "nein", "unbekannt", "keine Angabe"]).unwrap_err();
        assert!(several.contains("--missing \"keine Angabe\" --missing unbekannt"), "{several}");
        assert!(told(&["1", "0", "pending"]).is_err(), "numbers beside a text");
        for classes in
            [&["yes", "no"][..], &["gold", "silver", "bronze"], &["a", "b", "c", "unknown"], &["yes", "unknown"]]
        {
            assert_eq!(told(classes), Ok(()), "{classes:?}");
        }
        assert_eq!(told(&["yes", "no", "n/a", ""]), Ok(()), "texts that mean missing");
    }
}
