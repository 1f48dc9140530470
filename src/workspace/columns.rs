//! The `[columns]` table, in the file's order: `name = "kind"`, `name = { kind = "time", format = "%d/%m/%Y" }` or
//! `name = { kind = "number", number = { decimal = ",", thousands = "." } }`.

use crate::table::{ColumnSpec, Kind, NumberFormat};
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::fmt;

#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "a kind (id, time, number, category, text, constant, ignore) or { kind, format, number }"
)]
enum Entry {
    Kind(Kind),
    Full(Full),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Full {
    kind: Kind,
    #[serde(default)]
    format: Option<String>,
    #[serde(default)]
    number: Option<NumberFormat>,
}

/// Reads the table, keeping the order in which the columns stand.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<ColumnSpec>, D::Error> {
    deserializer.deserialize_map(InOrder)
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
                Entry::Full(Full { kind, format, number }) => {
                    ColumnSpec { format, number, ..ColumnSpec::new(name, kind) }
                }
            });
        }
        Ok(columns)
    }
}
