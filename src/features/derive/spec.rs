//! `[features.derived]`: names and expressions, in file order.

use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// A derived feature as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// The name of the column.
    pub name: String,
    /// Its formula.
    pub expression: String,
}

/// Derived features in file order: an expression may use those above it.
///
/// ```toml
/// [features.derived]
/// has_notes = "length(notes) > 0"
/// per_month = "TotalCharges / max(tenure, 1)"
/// of_plan   = "per_month / mean(per_month) by plan"
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Definitions(pub Vec<Definition>);

impl Definitions {
    /// Whether there are no derived features.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The definition with this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Definition> {
        self.0.iter().find(|definition| definition.name == name)
    }
}

#[cfg(test)]
impl schemars::JsonSchema for Definitions {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Definitions".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        std::collections::BTreeMap::<String, String>::json_schema(generator)
    }
}

impl Serialize for Definitions {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for Definition { name, expression } in &self.0 {
            map.serialize_entry(name, expression)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Definitions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(InOrder)
    }
}

struct InOrder;

impl<'de> Visitor<'de> for InOrder {
    type Value = Definitions;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table of names and expressions")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Definitions, A::Error> {
        let mut all = Vec::new();
        while let Some((name, expression)) = map.next_entry()? {
            all.push(Definition { name, expression });
        }
        Ok(Definitions(all))
    }
}
