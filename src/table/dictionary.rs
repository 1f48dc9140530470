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
    /// The code of `text`, which is added when it is new.
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
}
