//! SHA-256 as text: identifies the bytes of versions, batches, approvals, downloads and the audit chain.

use sha2::{Digest, Sha256};
use std::io::{self, Read};

/// The bytes in lower-case hexadecimal digits, two for each.
///
/// ```
/// assert_eq!(mlloop::digest::hex(&[0, 10, 255]), "000aff");
/// ```
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// SHA-256 of `bytes`, in 64 hexadecimal digits.
///
/// ```
/// assert!(mlloop::digest::sha256(b"abc").starts_with("ba7816bf8f01cfea"));
/// ```
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Length and SHA-256 of all bytes of `from`, read in pieces.
///
/// # Errors
/// Errors of reading.
pub fn of(mut from: impl Read) -> io::Result<(u64, String)> {
    let (mut hasher, mut n_bytes, mut piece) = (Sha256::new(), 0, vec![0; 1 << 16]);
    loop {
        match from.read(&mut piece) {
            Ok(0) => return Ok((n_bytes, hex(&hasher.finalize()))),
            Ok(n) => {
                hasher.update(&piece[..n]);
                n_bytes += n as u64;
            }
            Err(err) if err.kind() == io::ErrorKind::Interrupted => {}
            Err(err) => return Err(err),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns few bytes at a time, and is interrupted before each read.
    struct Slow(Vec<u8>, bool);

    impl Read for Slow {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            self.1 = !self.1;
            if self.1 {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let n = self.0.len().min(7000).min(into.len());
            into[..n].copy_from_slice(&self.0[..n]);
            self.0.drain(..n);
            Ok(n)
        }
    }

    #[test]
    fn the_digest_of_a_stream_is_that_of_its_bytes() {
        for n in [0, 1, 6999, 7000, 200_000] {
            let bytes: Vec<u8> = (0..n).map(|i: u32| (i % 251) as u8).collect();
            assert_eq!(of(Slow(bytes.clone(), false)).unwrap(), (u64::from(n), sha256(&bytes)));
        }
        // The digest of "abc" in FIPS 180-4.
        assert_eq!(sha256(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
