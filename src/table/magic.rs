//! The first bytes that identify file formats; defined only here.

pub(crate) const PARQUET: &[u8] = b"PAR1";
pub(crate) const GZIP: &[u8] = &[0x1f, 0x8b];
pub(crate) const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
/// An archive with files, and one without.
const ZIP: [&[u8]; 2] = [b"PK\x03\x04", b"PK\x05\x06"];

/// Whether a file is compressed or binary, so that it has no lines.
pub(crate) fn is_packed(head: &[u8]) -> bool {
    [PARQUET, GZIP, ZSTD].iter().any(|magic| head.starts_with(magic))
}

/// Whether a file is a zip archive; spreadsheets are, too.
pub(crate) fn is_zip(head: &[u8]) -> bool {
    ZIP.iter().any(|magic| head.starts_with(magic))
}

/// Whether a text begins like a JSON object.
pub(crate) fn is_json_lines(head: &[u8]) -> bool {
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    // A JSON array of objects is rejected where lines are read.
    let first = text.strip_prefix(b"[").unwrap_or(text).trim_ascii_start();
    first.first() == Some(&b'{')
}
