//! SHA-256 as text: what binds versions, batches, approvals, downloads and the audit chain to bytes.

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
    let mut hasher = Sha256::new();
    let n_bytes = io::copy(&mut from, &mut hasher)?;
    Ok((n_bytes, hex(&hasher.finalize())))
}
