//! Finds the texts of a UBJSON document (Universal Binary JSON, draft 12) without building it.

use std::ops::Range;

/// Maximum nesting depth of containers.
const MAX_DEPTH: usize = 64;

/// Calls `found` with every text of the document: the keys that lead to it, the text, and the bytes that its length
/// and contents take. Elements of an array have the array's keys.
///
/// # Errors
///
/// The position of the damage, in bytes.
pub(super) fn strings<'a>(
    bytes: &'a [u8],
    mut found: impl FnMut(&[&'a str], &'a str, Range<usize>),
) -> Result<(), String> {
    let mut walk = Walk { bytes, at: 0, path: Vec::new() };
    let marker = walk.marker()?;
    walk.value(marker, 0, &mut found)
}

struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
    path: Vec<&'a str>,
}

impl<'a> Walk<'a> {
    fn error<T>(&self, what: &str) -> Result<T, String> {
        Err(format!("byte {}: {what}", self.at))
    }

    fn take(&mut self, n: usize) -> Result<&'a [u8], String> {
        let bytes = self.bytes;
        match bytes.get(self.at..).and_then(|rest| rest.get(..n)) {
            Some(taken) => {
                self.at += n;
                Ok(taken)
            }
            None => self.error("the file ends here"),
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn byte(&mut self) -> Result<u8, String> {
        Ok(self.take(1)?[0])
    }

    /// The next marker; `N` is skipped.
    fn marker(&mut self) -> Result<u8, String> {
        loop {
            match self.byte()? {
                b'N' => {}
                marker => return Ok(marker),
            }
        }
    }

    fn length(&mut self) -> Result<usize, String> {
        let marker = self.byte()?;
        let Some(width) = width(marker).filter(|_| b"iUIlL".contains(&marker)) else {
            return self.error("a length is expected");
        };
        let bytes = self.take(width)?;
        let negative = marker != b'U' && bytes[0] >= 0x80;
        let length = bytes.iter().fold(0_u64, |sum, &b| (sum << 8) | u64::from(b));
        match usize::try_from(length) {
            Ok(length) if !negative => Ok(length),
            _ => self.error("a length is negative"),
        }
    }

    fn text(&mut self) -> Result<&'a str, String> {
        let length = self.length()?;
        let bytes = self.take(length)?;
        std::str::from_utf8(bytes).or_else(|_| self.error("a text is not UTF-8"))
    }

    fn value(
        &mut self,
        marker: u8,
        depth: usize,
        found: &mut impl FnMut(&[&'a str], &'a str, Range<usize>),
    ) -> Result<(), String> {
        match marker {
            b'Z' | b'T' | b'F' => Ok(()),
            b'S' | b'H' => {
                let start = self.at;
                let text = self.text()?;
                if marker == b'S' {
                    found(&self.path, text, start..self.at);
                }
                Ok(())
            }
            b'[' | b'{' if depth < MAX_DEPTH => self.container(marker == b'{', depth, found),
            b'[' | b'{' => self.error("containers are nested too deeply"),
            _ => match width(marker) {
                Some(width) => self.take(width).map(|_| ()),
                None => self.error("an unknown kind of value"),
            },
        }
    }

    /// An array or object: plain, counted (`#`), or typed and counted (`$` and `#`).
    fn container(
        &mut self,
        is_object: bool,
        depth: usize,
        found: &mut impl FnMut(&[&'a str], &'a str, Range<usize>),
    ) -> Result<(), String> {
        let element = if self.peek() == Some(b'$') {
            self.at += 1;
            Some(self.byte()?)
        } else {
            None
        };
        let count = if self.peek() == Some(b'#') {
            self.at += 1;
            Some(self.length()?)
        } else if element.is_some() {
            return self.error("a typed container without a count");
        } else {
            None
        };
        if let (Some(width), Some(count), false) = (element.and_then(width), count, is_object) {
            let Some(length) = width.checked_mul(count) else { return self.error("a count is too large") };
            return self.take(length).map(|_| ());
        }
        if element.is_some_and(|marker| b"ZTFN".contains(&marker)) {
            return self.error("a container of nothing");
        }
        let end = if is_object { b'}' } else { b']' };
        let mut n = 0;
        loop {
            match count {
                Some(count) if n == count => return Ok(()),
                Some(_) => {}
                None => {
                    while self.peek() == Some(b'N') {
                        self.at += 1;
                    }
                    if self.peek() == Some(end) {
                        self.at += 1;
                        return Ok(());
                    }
                }
            }
            if is_object {
                let key = self.text()?;
                self.path.push(key);
            }
            let marker = element.map_or_else(|| self.marker(), Ok)?;
            self.value(marker, depth + 1, found)?;
            if is_object {
                self.path.pop();
            }
            n += 1;
        }
    }
}

/// The bytes that a value of fixed size takes after its marker.
fn width(marker: u8) -> Option<usize> {
    match marker {
        b'i' | b'U' | b'C' => Some(1),
        b'I' => Some(2),
        b'l' | b'd' => Some(4),
        b'L' | b'D' => Some(8),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(bytes: &[u8]) -> Result<Vec<(String, String)>, String> {
        let mut all = Vec::new();
        strings(bytes, |path, text, range| {
            assert!(bytes[range].ends_with(text.as_bytes()));
            all.push((path.join("/"), text.to_owned()));
        })?;
        Ok(all)
    }

    #[test]
    fn texts_are_found_under_their_keys() {
        let bytes = b"{i\x01a{i\x01bSi\x02hii\x01cNi\x07}i\x01d[#i\x02Si\x01xSi\x01yi\x01e[$d#i\x01\0\0\0\0i\x01fZ}";
        let expected = [("a/b", "hi"), ("d", "x"), ("d", "y")];
        let expected: Vec<_> = expected.iter().map(|&(p, t)| (p.to_owned(), t.to_owned())).collect();
        assert_eq!(found(bytes), Ok(expected));
    }

    #[test]
    fn damage_is_an_error() {
        let whole = b"{i\x01a[#i\x02Si\x01xSi\x01y}";
        for end in 0..whole.len() {
            assert!(found(&whole[..end]).is_err(), "{end}");
        }
        assert!(found(b"{i\x01a[#L\x7f\xff\xff\xff\xff\xff\xff\xff").is_err());
        assert!(found(b"{i\x01a[$d#L\x7f\xff\xff\xff\xff\xff\xff\xff").is_err());
        assert!(found(b"{i\x01a[$Z#L\x7f\xff\xff\xff\xff\xff\xff\xff").is_err());
        assert!(found(b"{i\xffa").is_err());
        assert!(found(&b"[".repeat(100_000)).is_err());
    }
}
