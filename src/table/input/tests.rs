use super::*;
use std::io::Write;

fn text_of(input: Input) -> Result<String, TableError> {
    match input.unpack()? {
        Unpacked::Text(mut text) | Unpacked::Json(mut text) | Unpacked::Records(mut text) => {
            let mut all = String::new();
            text.reader.read_to_string(&mut all).at("t")?;
            Ok(all)
        }
        #[cfg(feature = "parquet")]
        Unpacked::Parquet(_) => Ok("parquet".to_owned()),
    }
}

fn gz(text: &str) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    out.write_all(text.as_bytes()).unwrap();
    out.finish().unwrap()
}

#[test]
fn unpacks_by_magic_bytes() {
    let plain = "a,b\n1,2\n";
    assert_eq!(text_of(Input::from_reader("t", plain.as_bytes())).unwrap(), plain);
    let members = [gz("a,b\n"), gz("1,2\n")].concat();
    assert_eq!(text_of(Input::from_reader("t", Cursor::new(members))).unwrap(), plain);
    let zst = zstd::encode_all(plain.as_bytes(), 3).unwrap();
    assert_eq!(text_of(Input::from_reader("t", Cursor::new(zst))).unwrap(), plain);
    assert_eq!(text_of(Input::from_reader("t", &b"PAR1xxxx"[..])).unwrap(), "parquet");
}

#[test]
fn a_pipe_of_one_endless_line_is_not_kept() {
    let kept = |text: &[u8]| {
        let mut kept = Vec::new();
        keep_lines(&mut text.chain(io::repeat(b'x').take(3 << 20)), &mut kept, 1 << 20).unwrap();
        kept.len()
    };
    assert_eq!(kept(b""), 4 + (1 << 20));
    for whole in [&b"a,b\n"[..], b"a\n", b"a long header\n", b"PAR1", b"\x1f\x8b", b"\x28\xb5\x2f\xfd"] {
        assert_eq!(kept(whole), whole.len() + (3 << 20));
    }
    // A late line feed is still found.
    let late = [vec![b'x'; 1_000_000], vec![b'\n']].concat();
    assert_eq!(kept(&late), late.len() + (3 << 20));
    let mut short = Vec::new();
    keep_lines(&mut &b"a"[..], &mut short, 1 << 20).unwrap();
    assert_eq!(short, b"a");
}

#[test]
fn truncated_packing_is_an_error_that_names_it() {
    let long: String = (0..5000).map(|i| format!("{i},{}\n", i * 7919 % 1013)).collect();
    let packed = gz(&long);
    let cut = packed[..packed.len() / 2].to_vec();
    let error = text_of(Input::from_reader("t", Cursor::new(cut))).unwrap_err().to_string();
    assert!(error.contains("gzip"), "{error}");
    let packed = zstd::encode_all(long.as_bytes(), 3).unwrap();
    let cut = packed[..packed.len() / 2].to_vec();
    let error = text_of(Input::from_reader("t", Cursor::new(cut))).unwrap_err().to_string();
    assert!(error.contains("zstd"), "{error}");
}

#[test]
fn unusable_files_are_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let error = Input::open(dir.path()).unwrap_err().to_string();
    assert!(error.contains("is a directory"), "{error}");
    let error = Input::open(&dir.path().join("none.csv")).unwrap_err().to_string();
    assert!(error.contains("none.csv"), "{error}");
    let path = dir.path().join("empty.csv");
    drop(tempfile::Builder::new().tempfile_in(dir.path()).unwrap().persist(&path).unwrap());
    let error = Input::open(&path).unwrap_err().to_string();
    assert!(error.ends_with("empty.csv: is empty"), "{error}");
    for (bytes, word) in [(&b"PK\x03\x04zip"[..], "zip"), (&[0xff, 0xfe, b'a', 0][..], "UTF-16")] {
        let error = text_of(Input::from_reader("t", bytes)).unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }
}
