//! One key of an object that may be a row.

use crate::serve::form::Form;
use serde::de::{DeserializeSeed, Visitor};
use std::fmt;

/// The meaning of an object's key.
pub(super) enum Key {
    Kept(usize),
    Allowed,
    Unknown(String),
}

pub(super) struct KeySeed<'a> {
    pub(super) form: &'a Form,
    pub(super) next: usize,
}

impl<'de> DeserializeSeed<'de> for KeySeed<'_> {
    type Value = Key;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Key, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for KeySeed<'_> {
    type Value = Key;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a column's name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Key, E> {
        Ok(match self.form.find(name, self.next) {
            Some(Some(place)) => Key::Kept(place),
            Some(None) => Key::Allowed,
            None => Key::Unknown(name.to_owned()),
        })
    }
}
