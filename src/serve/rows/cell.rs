//! One cell of a row in JSON.

use super::{Raw, Rows};
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// Reads one cell; a text is appended to the texts of `rows`.
pub(super) struct CellSeed<'a> {
    pub(super) rows: &'a mut Rows,
}

impl<'de> DeserializeSeed<'de> for CellSeed<'_> {
    type Value = Raw;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Raw, D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// Whole numbers up to this one are exact in an `f64`.
const EXACT: u64 = 1 << 53;

impl<'de> Visitor<'de> for CellSeed<'_> {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, a text, true, false or null")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
        Ok(if value <= EXACT { Raw::Number(value as f64) } else { self.rows.push_text(&value.to_string()) })
    }

    fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
        Ok(match value.unsigned_abs() <= EXACT {
            true => Raw::Number(value as f64),
            false => self.rows.push_text(&value.to_string()),
        })
    }

    fn visit_f64<E>(self, value: f64) -> Result<Raw, E> {
        Ok(Raw::Number(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Raw, E> {
        Ok(self.rows.push_text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Raw, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Raw::Nested)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Raw::Nested)
    }
}
