//! The `[columns]` table, in the file's order: `name = "kind"`, `name = { kind = "time", format = "%d/%m/%Y" }` or
//! `name = { kind = "number", number = { decimal = ",", thousands = "." } }`.

use super::{ColumnSpec, Kind, NumberFormat, Same, Spelling};
use crate::wording::instead;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serializer};
use std::fmt;

enum Entry {
    Kind(Kind),
    Full(Full),
}

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyEntry)
    }
}

struct AnyEntry;

impl<'de> Visitor<'de> for AnyEntry {
    type Value = Entry;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a kind such as \"number\", or { kind = \"time\", format = \"%d/%m/%Y\" }")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Entry, E> {
        kind_of(text).map(Entry::Kind).map_err(E::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Entry, A::Error> {
        Full::deserialize(MapAccessDeserializer::new(map)).map(Entry::Full)
    }
}

/// The kinds, and synonyms for them.
const KINDS: [(Kind, &[&str]); 7] = [
    (Kind::Id, &["key", "identifier", "index"]),
    (Kind::Time, &["date", "datetime", "timestamp"]),
    (Kind::Number, &["numeric", "numerical", "num", "float", "double", "int", "integer", "continuous"]),
    (Kind::Category, &["categorical", "cat", "factor", "enum", "bool", "boolean", "nominal", "ordinal"]),
    (Kind::Text, &["string", "str", "prose"]),
    (Kind::Constant, &["const"]),
    (Kind::Ignore, &["ignored", "drop", "skip", "none", "exclude"]),
];

/// The kind of that name.
///
/// # Errors
/// A suggestion of the kind meant.
pub fn kind_of(text: &str) -> Result<Kind, String> {
    if let Some((kind, _)) = KINDS.iter().find(|(kind, _)| kind.name() == text) {
        return Ok(*kind);
    }
    let lower = text.to_lowercase();
    let meant = KINDS.iter().find(|(kind, others)| kind.name() == lower || others.contains(&lower.as_str()));
    Err(match meant {
        Some((kind, _)) => format!("{text:?} is not a kind, use {:?}", kind.name()),
        None => format!("{text:?} is not a kind{}", instead(text, KINDS.map(|(kind, _)| kind.name()))),
    })
}

/// A kind inside braces.
fn kind<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Kind, D::Error> {
    kind_of(&String::deserialize(deserializer)?).map_err(D::Error::custom)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Full {
    #[serde(deserialize_with = "kind")]
    kind: Kind,
    #[serde(default)]
    format: Option<String>,
    #[serde(default)]
    number: Option<NumberFormat>,
    #[serde(default)]
    levels: Vec<String>,
    #[serde(default)]
    same: Same,
}

/// Reads the table, keeping the file order of the columns.
///
/// # Errors
/// An unknown kind or key.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<ColumnSpec>, D::Error> {
    deserializer.deserialize_map(InOrder)
}

/// Names and kinds.
///
/// # Errors
/// Those of the serializer.
pub fn serialize<S: Serializer>(columns: &[ColumnSpec], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(columns.iter().map(|column| (&column.name, column.kind)))
}

struct InOrder;

impl<'de> Visitor<'de> for InOrder {
    type Value = Vec<ColumnSpec>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table of column names and kinds")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut columns = Vec::new();
        while let Some((name, entry)) = map.next_entry::<String, Entry>()? {
            columns.push(match entry {
                Entry::Kind(kind) => ColumnSpec::new(name, kind),
                Entry::Full(Full { kind, format, number, levels, same }) => {
                    let spelling = Spelling::new(levels, same);
                    ColumnSpec { format, number, spelling, ..ColumnSpec::new(name, kind) }
                }
            });
        }
        Ok(columns)
    }
}
