//! The format of an output file, by the ending of its name.
//!
//! | ending | form |
//! |---|---|
//! | `.gz`, `.zst` behind any other | packed |
//! | `.csv`, `.tsv`, `.jsonl`, `.ndjson`, `.parquet` | a table of that form |
//! | of a table or an archive that is not written here | refused, with what is possible |
//! | any other, or none | what the verb writes by default |

use anyhow::{Result, bail};
use flate2::write::GzEncoder;
use mlloop::predict::Format;
use mlloop::table::postgres::is_address;
use std::io::Write;
use std::path::Path;

/// Endings of tables and archives that are not written here.
const NOT_WRITTEN: [&str; 27] = [
    "xlsx", "xls", "xlsm", "xlsb", "ods", "numbers", "feather", "arrow", "ipc", "avro", "orc", "zip", "bz2", "xz",
    "7z", "lz4", "br", "tar", "tgz", "sqlite", "db", "pkl", "pickle", "dta", "sav", "rds", "h5",
];

/// How a file is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Packing {
    Gzip,
    Zstd,
}

/// The name without the ending of the compression, and the compression.
fn unpacked(path: &Path) -> (&Path, Option<Packing>) {
    let name = path.file_name().map(Path::new).unwrap_or(path);
    let packing = match ending(name).as_str() {
        "gz" => Packing::Gzip,
        "zst" => Packing::Zstd,
        _ => return (name, None),
    };
    (name.file_stem().map(Path::new).unwrap_or(name), Some(packing))
}

fn ending(name: &Path) -> String {
    name.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_lowercase()
}

/// Refuses a name whose format cannot be written.
///
/// # Errors
/// Lists the possible formats.
pub(super) fn check(path: &Path) -> Result<()> {
    if is_address(path) {
        return Ok(());
    }
    let (name, packing) = unpacked(path);
    let told = ending(name);
    let file = path.display();
    if NOT_WRITTEN.contains(&told.as_str()) {
        bail!("-o {file}: cannot write .{told}; use .csv, .tsv, .jsonl or .parquet (also .csv.gz, .csv.zst)");
    }
    if packing.is_some() && told == "parquet" {
        bail!("-o {file}: Parquet is already compressed; use .parquet");
    }
    Ok(())
}

/// The format of rows: by --format, by --json, or by the file's ending.
///
/// # Errors
/// When the file's ending contradicts the requested format, or is `.json`: rows are not one JSON value.
pub(crate) fn format_of(asked: Option<Format>, json: bool, output: Option<&Path>) -> Result<Format> {
    let asked = asked.or(json.then_some(Format::JsonLines));
    let Some(path) = output else { return Ok(asked.unwrap_or_default()) };
    let told = ending(unpacked(path).0);
    let by_name = match told.as_str() {
        "csv" => Some(Format::Csv),
        "tsv" | "tab" => Some(Format::Tsv),
        "jsonl" | "ndjson" => Some(Format::JsonLines),
        "parquet" | "pq" => Some(Format::Parquet),
        "json" if asked.is_none() => {
            bail!("-o {}: rows are written as JSON lines, one object per line; use .jsonl", path.display())
        }
        _ => None,
    };
    match (asked, by_name) {
        (Some(asked), Some(named)) if asked != named => {
            bail!("-o {}: the name ends in .{told}, but the requested format is {}", path.display(), name_of(asked))
        }
        (asked, named) => Ok(asked.or(named).unwrap_or_default()),
    }
}

fn name_of(format: Format) -> &'static str {
    match format {
        Format::Csv => "csv",
        Format::Tsv => "tsv",
        Format::JsonLines => "jsonl",
        Format::Parquet => "parquet",
    }
}

pub(crate) fn parse_format(name: &str) -> Result<Format, String> {
    let known = [Format::Csv, Format::Tsv, Format::JsonLines, Format::Parquet];
    known
        .into_iter()
        .find(|format| name_of(*format) == name)
        .ok_or_else(|| "choose csv, tsv, jsonl or parquet".to_owned())
}

/// Writes into `out`, compressed as the file's name says.
pub(super) fn packed<T>(
    path: &Path,
    out: &mut dyn Write,
    write: impl FnOnce(&mut dyn Write) -> Result<T>,
) -> Result<T> {
    match unpacked(path).1 {
        None => write(out),
        Some(Packing::Gzip) => {
            let mut packer = GzEncoder::new(out, flate2::Compression::default());
            let written = write(&mut packer)?;
            packer.finish()?;
            Ok(written)
        }
        Some(Packing::Zstd) => {
            let mut packer = zstd::stream::write::Encoder::new(out, zstd::DEFAULT_COMPRESSION_LEVEL)?;
            let written = write(&mut packer)?;
            packer.finish()?;
            Ok(written)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_the_form() {
        let told = |name: &str| format_of(None, false, Some(Path::new(name))).map_err(|err| err.to_string());
        for (format, names) in [
            (Format::Csv, &["a.csv", "a.csv.gz", "a.CSV.zst", "a", "a.txt", "v1.2"][..]),
            (Format::Tsv, &["a.tsv", "a.tsv.gz", "a.tab"]),
            (Format::JsonLines, &["a.jsonl", "b.ndjson.gz"]),
            (Format::Parquet, &["a.parquet"]),
        ] {
            for name in names {
                assert_eq!(told(name), Ok(format), "{name}");
                assert!(check(Path::new(name)).is_ok(), "{name}");
            }
        }
        assert!(told("a.json").unwrap_err().contains("use .jsonl"));
        for name in ["a.xlsx", "a.parquet.gz", "a.csv.bz2", "a.zip", "a.feather"] {
            assert!(check(Path::new(name)).is_err(), "{name}");
        }
    }

    #[test]
    fn what_is_asked_for_must_not_be_denied_by_the_name() {
        let asked = |format, json, name: &str| format_of(format, json, Some(Path::new(name))).ok();
        assert_eq!(asked(None, true, "b.parquet"), None);
        assert_eq!(asked(Some(Format::Csv), false, "b.jsonl.gz"), None);
        assert_eq!(asked(None, true, "b.json"), Some(Format::JsonLines));
        assert_eq!(asked(Some(Format::Parquet), false, "scores"), Some(Format::Parquet));
    }

    #[test]
    fn packed_files_unpack() {
        let pack = |name: &str| {
            let mut bytes = Vec::new();
            packed(Path::new(name), &mut bytes, |out| Ok(out.write_all(b"a,b\n1,2\n")?)).unwrap();
            bytes
        };
        let mut text = String::new();
        std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&pack("a.csv.gz")[..]), &mut text).unwrap();
        assert_eq!(text, "a,b\n1,2\n");
        assert_eq!(zstd::stream::decode_all(&pack("a.csv.zst")[..]).unwrap(), b"a,b\n1,2\n");
        assert_eq!(pack("a.csv"), b"a,b\n1,2\n");
    }
}
