//! Distinct texts and their codes, in order of first appearance.

use xxhash_rust::xxh3::xxh3_64;

/// An interning table with all texts in one buffer.
///
/// ```text
/// slots  (tag, code+1) …      open addressing, half full at most; tag is the upper half of the hash
/// text   "DSLFiberNo"         ends  3 8 10
/// ```
#[derive(Debug, Clone, Default)]
pub(crate) struct Dictionary {
    slots: Vec<(u32, u32)>,
    text: String,
    ends: Vec<usize>,
}

impl Dictionary {
    /// The code of `text`, which is added if new.
    #[inline]
    pub(crate) fn intern(&mut self, text: &str) -> u32 {
        if self.ends.len() * 2 >= self.slots.len() {
            self.grow();
        }
        let mask = self.slots.len() - 1;
        let hash = xxh3_64(text.as_bytes());
        let tag = (hash >> 32) as u32;
        let mut slot = hash as usize & mask;
        loop {
            let (found, code) = self.slots[slot];
            if code == 0 {
                break;
            }
            if found == tag && self.get(code - 1) == text {
                return code - 1;
            }
            slot = (slot + 1) & mask;
        }
        self.text.push_str(text);
        self.ends.push(self.text.len());
        let code = self.ends.len() as u32;
        self.slots[slot] = (tag, code);
        code - 1
    }

    /// The text of a code.
    #[inline]
    pub(crate) fn get(&self, code: u32) -> &str {
        let code = code as usize;
        let start = if code == 0 { 0 } else { self.ends[code - 1] };
        &self.text[start..self.ends[code]]
    }

    /// Number of distinct texts.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The texts in order of first appearance.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.ends.len() as u32).map(|code| self.get(code))
    }

    fn grow(&mut self) {
        let len = (self.slots.len() * 2).max(16);
        let mut slots = vec![(0, 0); len];
        for code in 0..self.ends.len() as u32 {
            let hash = xxh3_64(self.get(code).as_bytes());
            let mut slot = hash as usize & (len - 1);
            while slots[slot].1 != 0 {
                slot = (slot + 1) & (len - 1);
            }
            slots[slot] = ((hash >> 32) as u32, code + 1);
        }
        self.slots = slots;
    }
}

/// The codes of recently seen short fields, by their bytes in the file.
///
/// A field of 1 to 16 bytes is identified by its length and two words: its first and last eight bytes, which may
/// overlap, or all bytes of a shorter field.
#[derive(Debug)]
pub(crate) struct Recent {
    places: Box<[Place; 256]>,
}

/// A field's words and length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct FieldKey {
    first: u64,
    last: u64,
    len: u32,
}

#[derive(Debug, Clone, Copy, Default)]
struct Place {
    key: FieldKey,
    code: u32,
}

impl Default for Recent {
    fn default() -> Self {
        Self { places: Box::new([Place::default(); 256]) }
    }
}

impl Recent {
    /// The key of `bytes[start..end]`; `None` if it is empty, long, or too close to the beginning.
    #[inline]
    pub(crate) fn key(&self, bytes: &[u8], start: usize, end: usize) -> Option<FieldKey> {
        let len = end - start;
        let word = |end: usize| Some(u64::from_le_bytes(bytes.get(end.checked_sub(8)?..end)?.try_into().ok()?));
        let (first, last) = match len {
            1..=7 => (word(end)? >> (8 * (8 - len)), 0),
            8..=16 => (word(start + 8)?, word(end)?),
            _ => return None,
        };
        Some(FieldKey { first, last, len: len as u32 })
    }

    #[inline]
    fn place(key: FieldKey) -> usize {
        let mixed = (key.first ^ key.last.rotate_left(31) ^ u64::from(key.len)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> 56) as usize
    }

    /// The code stored for a key.
    #[inline]
    pub(crate) fn code(&self, key: FieldKey) -> Option<u32> {
        let place = &self.places[Self::place(key)];
        (place.key == key).then_some(place.code)
    }

    /// Stores a code; it may replace another.
    #[inline]
    pub(crate) fn remember(&mut self, key: FieldKey, code: u32) {
        self.places[Self::place(key)] = Place { key, code };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_share_a_code_across_growth() {
        let mut dictionary = Dictionary::default();
        let codes: Vec<u32> = (0..5000).map(|i| dictionary.intern(&format!("level {}", i % 1000))).collect();
        assert_eq!(dictionary.len(), 1000);
        assert!(codes.iter().zip(0..5000).all(|(&code, i)| code == i % 1000));
        assert_eq!(dictionary.get(999), "level 999");
        assert_eq!(dictionary.intern(""), 1000);
        assert_eq!(dictionary.iter().last(), Some(""));
    }

    #[test]
    fn recent_fields_are_told_apart() {
        let text = "ab,abc,b,,abcdefgh,abcdefgi,abcdefghabcdefgh,abcdefgh_bcdefgh,0,00,a longer field than that,";
        let mut recent = Recent::default();
        let mut start = 0;
        for (code, field) in (0..).zip(text.split_terminator(',')) {
            let end = start + field.len();
            let key = recent.key(text.as_bytes(), start, end);
            assert_eq!(key.is_some(), (1..=16).contains(&field.len()) && end >= 8, "{field}");
            if let Some(key) = key {
                assert_eq!(recent.code(key), None, "{field}");
                recent.remember(key, code);
                assert_eq!(recent.code(key), Some(code));
            }
            start = end + 1;
        }
    }
}
