//! Objects on a small test server: its requests, and broken connections.

use super::access::Access;
use super::{Condition, Object, Why};
use std::collections::{BTreeMap, HashMap};
use std::io::{BufRead, BufReader, Read, Seek, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

/// Objects by path, the first lines and headers of requests, and the number of bytes of a response before it breaks.
#[derive(Default)]
struct Kept {
    objects: HashMap<String, Vec<u8>>,
    asked: Vec<String>,
    breaks_after: Option<usize>,
    busy: u32,
    /// Parts of incomplete uploads, by upload name and part number.
    parts: BTreeMap<(String, u16), Vec<u8>>,
    n_uploads: u32,
    /// The first part that the server refuses.
    refuses: Option<u16>,
    /// The response to completing an upload.
    completes_with: Option<&'static str>,
}

/// The status and body for a request of an upload in parts; `None` for other requests.
fn upload(kept: &mut Kept, method: &str, url: &str, body: &[u8]) -> Option<(u16, String)> {
    let (path, query) = url.split_once('?')?;
    let value =
        |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')).map(str::to_owned);
    if value("uploads").is_some() {
        kept.n_uploads += 1;
        return Some((200, format!("<R xmlns=\"x\"><UploadId>up{}</UploadId></R>", kept.n_uploads)));
    }
    let id = value("uploadId")?;
    let number: Option<u16> = value("partNumber").map(|n| n.parse().unwrap());
    match (method, number) {
        ("PUT", Some(n)) if kept.refuses.is_some_and(|from| n >= from) => Some((403, String::new())),
        ("PUT", Some(n)) => {
            kept.parts.insert((id, n), body.to_vec());
            Some((200, String::new()))
        }
        ("POST", _) => match kept.completes_with {
            Some(said) => Some((200, said.to_owned())),
            None => {
                let all: Vec<u8> = kept
                    .parts
                    .range((id.clone(), 0)..=(id.clone(), u16::MAX))
                    .flat_map(|(_, part)| part.clone())
                    .collect();
                let told = String::from_utf8_lossy(body).matches("<PartNumber>").count();
                assert_eq!(told, kept.parts.keys().filter(|(of, _)| *of == id).count());
                kept.parts.retain(|(of, _), _| *of != id);
                kept.objects.insert(path.to_owned(), all);
                Some((200, "<R><ETag>x</ETag></R>".to_owned()))
            }
        },
        _ => {
            kept.parts.retain(|(of, _), _| *of != id);
            Some((204, String::new()))
        }
    }
}

fn server() -> (Access, Arc<Mutex<Kept>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let kept: Arc<Mutex<Kept>> = Arc::default();
    let access = Access {
        key: Some("AKID".to_owned()),
        secret: Some("very-secret".to_owned()),
        endpoint: Some(format!("http://{}", listener.local_addr().unwrap())),
        ..Access::default()
    };
    let ours = Arc::clone(&kept);
    std::thread::spawn(move || listener.incoming().for_each(|stream| answer(stream.unwrap(), &ours)));
    (access, kept)
}

fn answer(mut stream: TcpStream, kept: &Mutex<Kept>) {
    let mut lines = BufReader::new(stream.try_clone().unwrap());
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") && lines.read_line(&mut head).unwrap() > 0 {}
    let header = |name: &str| {
        let line = head.lines().find(|line| line.to_lowercase().starts_with(&format!("{name}:")))?;
        Some(line[name.len() + 1..].trim().to_owned())
    };
    let mut first = head.split(' ');
    let (method, url) = (first.next().unwrap_or_default(), first.next().unwrap_or_default());
    let path = url.split('?').next().unwrap_or_default().to_owned();
    let mut body = vec![0; header("content-length").and_then(|n| n.parse().ok()).unwrap_or(0)];
    lines.read_exact(&mut body).unwrap();
    let mut kept = kept.lock().unwrap();
    kept.asked.push(head.clone());
    let tag = |object: &[u8]| format!("\"{}\"", crate::digest::sha256(object));
    let old = kept.objects.get(&path).cloned();
    let same = header("if-match").is_none_or(|tag_wanted| old.as_ref().is_some_and(|old| tag(old) == tag_wanted));
    let new = header("if-none-match").is_none() || old.is_none();
    let passes = kept.busy == 0 && same && new;
    let uploads = if passes { upload(&mut kept, method, url, &body) } else { None };
    let is_upload = uploads.is_some();
    let (status, said): (u16, Vec<u8>) = match (method, old) {
        _ if kept.busy > 0 => (503, b"<Error><Code>SlowDown</Code></Error>".to_vec()),
        _ if !same || !new => (412, Vec::new()),
        _ if uploads.is_some() => uploads.map(|(status, said)| (status, said.into_bytes())).unwrap(),
        ("PUT", _) => (200, Vec::new()),
        (_, None) => (404, b"<Error><Code>NoSuchKey</Code></Error>".to_vec()),
        (_, Some(old)) => (if header("range").is_some() { 206 } else { 200 }, old),
    };
    kept.busy = kept.busy.saturating_sub(1);
    if (method, status, is_upload) == ("PUT", 200, false) {
        kept.objects.insert(path, body);
    }
    let from = header("range").map_or(0, |range| range["bytes=".len()..].trim_end_matches('-').parse().unwrap());
    let rest = &said[from.min(said.len())..];
    let mut head = format!("HTTP/1.1 {status} x\r\ncontent-length: {}\r\nconnection: close\r\n", rest.len());
    head += &format!("etag: {}\r\ncontent-range: bytes {from}-{}/{}\r\n\r\n", tag(&said), said.len(), said.len());
    let sent = if method == "HEAD" { 0 } else { rest.len().min(kept.breaks_after.unwrap_or(usize::MAX)) };
    drop(kept);
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&rest[..sent]));
}

fn file(bytes: &[u8]) -> std::fs::File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file.rewind().unwrap();
    file
}

#[test]
fn what_is_written_is_read_back_over_broken_connections() {
    let (access, kept) = server();
    let object = Object::asked_by(Path::new("s3://bucket/tables/a b.csv"), &access).unwrap();
    assert_eq!(object.look().unwrap(), None);
    assert_eq!(object.open().err().unwrap().to_string(), "s3://bucket/tables/a b.csv: the object does not exist");
    let bytes: Vec<u8> = (0..100_000u32).flat_map(u32::to_le_bytes).collect();
    kept.lock().unwrap().busy = 2;
    object.put(&mut file(&bytes), Condition::New).unwrap();
    assert_eq!(kept.lock().unwrap().objects["/bucket/tables/a%20b.csv"], bytes);
    assert_eq!(object.look().unwrap().unwrap().bytes, Some(400_000));

    kept.lock().unwrap().breaks_after = Some(150_000);
    let before = kept.lock().unwrap().asked.len();
    assert_eq!(object.read(1 << 20).unwrap().1, bytes);
    let asked = kept.lock().unwrap().asked[before..].join("");
    assert!(asked.contains("bytes=150000-") && asked.contains("bytes=300000-"), "{asked}");
    assert!(object.read(1000).unwrap_err().to_string().contains("longer than 1000"));
    // The URL of each request is signed; none contains the secret.
    let all = kept.lock().unwrap().asked.join("");
    assert!(all.contains("X-Amz-Signature=") && all.contains("AKID") && !all.contains("very-secret"));
}

#[test]
fn an_object_that_changes_is_no_mixture_and_conditions_hold() {
    let (access, kept) = server();
    let object = Object::asked_by(Path::new("s3://bucket/k"), &access).unwrap();
    object.put(&mut file(&[1; 90_000]), Condition::New).unwrap();
    assert_eq!(object.put(&mut file(b"x"), Condition::New).unwrap_err().why, Why::Changed);
    let etag = object.look().unwrap().unwrap().etag.unwrap();
    object.put(&mut file(&[2; 90_000]), Condition::Same(&etag)).unwrap();
    assert_eq!(object.put(&mut file(b"x"), Condition::Same(&etag)).unwrap_err().why, Why::Changed);
    object.put(&mut file(&[3; 90_000]), Condition::Always).unwrap();

    kept.lock().unwrap().breaks_after = Some(40_000);
    let (_, mut bytes) = object.open().unwrap();
    bytes.read_exact(&mut vec![0; 30_000]).unwrap();
    kept.lock().unwrap().objects.insert("/bucket/k".to_owned(), vec![4; 90_000]);
    let told = bytes.read_to_end(&mut Vec::new()).unwrap_err().to_string();
    assert!(told.contains("rewritten while it was read"), "{told}");
    // Without any progress, the client gives up.
    kept.lock().unwrap().breaks_after = Some(0);
    let told = object.read(1 << 20).unwrap_err().to_string();
    assert!(told.contains("s3://bucket/k") && !told.contains("Signature"), "{told}");
}

#[test]
fn a_large_object_is_sent_in_parts_and_is_whole_or_as_it_was() {
    let (access, kept) = server();
    let object = Object::asked_by(Path::new("s3://bucket/large table"), &access).unwrap();
    let bytes: Vec<u8> = (0..25_000u32).flat_map(u32::to_le_bytes).collect();
    let put = |part, condition| object.put_parts(&mut file(&bytes), bytes.len() as u64, part, condition);
    let there = || kept.lock().unwrap().objects.get("/bucket/large%20table").cloned();
    // A failure in the middle leaves no part, and no object.
    kept.lock().unwrap().refuses = Some(3);
    let told = put(30_000, Condition::New).unwrap_err().to_string();
    assert!(told.ends_with("do not have the permission (403)"), "{told}");
    assert!(there().is_none() && kept.lock().unwrap().parts.is_empty());
    kept.lock().unwrap().refuses = None;
    // A part that a busy server refuses is sent again.
    kept.lock().unwrap().busy = 1;
    put(30_000, Condition::New).unwrap();
    assert_eq!(there().unwrap(), bytes);
    let parts = |kept: &Kept| kept.asked.iter().filter(|head| head.contains("partNumber=")).count();
    assert_eq!(parts(&kept.lock().unwrap()), 3 + 4);
    // A length that is a multiple of the part size.
    put(50_000, Condition::Always).unwrap();
    assert_eq!((there().unwrap() == bytes, parts(&kept.lock().unwrap())), (true, 9));
    // Conditions apply when the parts are completed; an error in a success response is an error.
    assert_eq!(put(50_000, Condition::New).unwrap_err().why, Why::Changed);
    assert!(kept.lock().unwrap().parts.is_empty());
    for (said, why) in [
        ("<Error><Code>InternalError</Code></Error>", "InternalError"),
        ("<Error><Code>PreconditionFailed</Code></Error>", "another process wrote it"),
    ] {
        kept.lock().unwrap().completes_with = Some(said);
        let told = put(50_000, Condition::Always).unwrap_err().to_string();
        assert!(told.contains(why) && !told.contains("Signature"), "{told}");
        assert!(kept.lock().unwrap().parts.is_empty());
    }
    assert_eq!(there().unwrap(), bytes);
}
