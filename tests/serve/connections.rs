//! Connections: slow clients, clients that ask nothing, tokens, and the end of the server.

use super::client::{Server, row};
use super::{logged_ids, trained};
use crate::support::ERROR;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// Whoever is refused while the body is still on its way gets the answer, and no broken connection.
#[test]
fn a_client_that_is_still_sending_gets_its_refusal() {
    let work = trained(1);
    let mut server = Server::start(&work, "--max-body 100000");
    let piece = vec![b' '; 1 << 16];
    for n in 0..5 {
        let mut stream = TcpStream::connect(&server.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let length = 20_000_000;
        let how =
            if n % 2 == 0 { format!("Content-Length: {length}") } else { "Transfer-Encoding: chunked".to_owned() };
        let head =
            format!("POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{how}\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        let mut left = length;
        while left > 0 {
            let bytes = left.min(piece.len());
            if n % 2 == 1 {
                stream.write_all(format!("{bytes:x}\r\n").as_bytes()).unwrap();
            }
            stream.write_all(&piece[..bytes]).unwrap_or_else(|err| panic!("{left} of {length} left: {err}"));
            if n % 2 == 1 {
                stream.write_all(b"\r\n").unwrap();
            }
            left -= bytes;
        }
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"HTTP/1.1 413");
    }
    // What is packed is not taken for what it is not, and a mark at its beginning is no part of the text.
    let ask = |header: &str, body: &str| {
        let mut stream = TcpStream::connect(&server.address).unwrap();
        let length =
            if header.starts_with("Transfer") { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        let head =
            "POST /predict HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n";
        stream.write_all(format!("{head}{header}\r\n{length}\r\n{body}").as_bytes()).unwrap();
        let mut said = String::new();
        stream.read_to_string(&mut said).unwrap();
        said[9..12].to_owned()
    };
    let one = row("C1", 3);
    assert_eq!(ask("Content-Encoding: gzip", &one), "415");
    assert_eq!(ask("Content-Encoding: identity", &one), "200");
    assert_eq!(ask("X: y", &format!("\u{feff}{one}")), "200");
    assert_eq!(ask("Transfer-Encoding: gzip, chunked", &format!("{:x}\r\n{one}\r\n0\r\n\r\n", one.len())), "400");
    assert_eq!(ask("Transfer-Encoding: chunked", &format!("{:x}\r\n{one}\r\n0\r\n\r\n", one.len())), "200");
    server.stop();
}

#[test]
fn requests_that_began_are_finished() {
    let work = trained(1);
    let mut server = Server::start(&work, "");
    let body = row("late", 3);
    let mut stream = TcpStream::connect(&server.address).unwrap();
    let (first, rest) = body.split_at(20);
    write!(
        stream,
        "POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{first}",
        body.len()
    )
    .unwrap();
    // The server has seen the beginning once it counts the request.
    server.waits_for("mlloop_arriving 1");
    server.signal("TERM");
    let refused = Instant::now();
    while TcpStream::connect(&server.address).is_ok() {
        assert!(refused.elapsed() < Duration::from_secs(20), "it takes no new connections");
    }
    stream.write_all(rest.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert_eq!(server.exit(), Some(0));
    assert!(logged_ids(&work).contains("late"));
}

#[test]
fn a_request_that_does_not_end_keeps_nobody_from_stopping() {
    let work = trained(1);
    let began = |server: &Server| {
        let mut stream = TcpStream::connect(&server.address).unwrap();
        let head = "POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";
        write!(stream, "{head}content-length: 100\r\n\r\n{{").unwrap();
        server.waits_for("mlloop_arriving 1");
        stream
    };
    let mut server = Server::start(&work, "--grace 300ms");
    let open = began(&server);
    assert_eq!(server.stop(), Some(0));
    drop(open);
    let mut server = Server::start(&work, "--grace 1h --patience 1h");
    let open = began(&server);
    server.signal("TERM");
    while TcpStream::connect(&server.address).is_ok() {}
    std::thread::sleep(Duration::from_millis(300));
    assert!(server.is_running(), "the first signal waits");
    assert_eq!(server.stop(), Some(0), "the second does not");
    drop(open);
}

#[test]
fn other_machines_need_a_token_or_are_let_in_aloud() {
    let work = trained(1);
    let mut server = Server::start_with(&work, "--host 0.0.0.0", &[("MLLOOP_TOKEN", "m4ster")]);
    let mut client = server.client();
    assert_eq!(client.ask("GET", "/health", "").unwrap().0, 200);
    for path in ["/metrics", "/docs", "/openapi.json", "/models", "/retrain/status", "/ab/status", "/"] {
        assert_eq!(client.ask("GET", path, "").unwrap().0, 401, "{path}");
    }
    assert_eq!(client.post("/predict", &row("C1", 3)).unwrap().0, 401);
    assert_eq!(server.stop(), Some(0));
    let mut server = Server::start_with(&work, "--host 0.0.0.0 --insecure", &[]);
    assert_eq!(server.client().post("/predict", &row("C1", 3)).unwrap().0, 200);
    assert_eq!(server.stop(), Some(0));
    let said = server.stderr();
    assert!(said.contains("warning: --insecure: every machine"), "{said}");
}

#[test]
fn pages_are_shown_under_our_own_name_only() {
    let work = trained(1);
    let mut server = Server::start(&work, "");
    for (lines, status) in [
        ("host: localhost", " 200 "),
        ("host: evil.example", " 421 "),
        ("host: localhost\r\norigin: http://evil.example", " 403 "),
    ] {
        let mut stream = TcpStream::connect(&server.address).unwrap();
        write!(stream, "GET /ui HTTP/1.1\r\n{lines}\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.lines().next().is_some_and(|line| line.contains(status)), "{lines}: {answer}");
    }
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn slow_clients_lose_their_patience_and_harm_nobody() {
    let work = trained(1);
    let mut server = Server::start(&work, "--patience 0.7 --log-sync off");
    let sent = |text: &str| {
        let mut stream = TcpStream::connect(&server.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream.write_all(text.as_bytes()).unwrap();
        stream
    };
    let head = "POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";
    let mut silent = sent("");
    let mut in_the_head = sent(head);
    let mut in_the_body = sent(&format!("{head}content-length: 500\r\n\r\n{{\"months\""));
    let idle = Instant::now();
    let mut kept = server.client();
    assert_eq!(kept.post("/predict", &row("quick", 3)).unwrap().0, 200);
    let mut answer = String::new();
    in_the_body.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    for stream in [&mut silent, &mut in_the_head] {
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        assert!(!String::from_utf8_lossy(&rest).contains(" 200 "));
    }
    assert!(idle.elapsed() < Duration::from_secs(25));
    assert_eq!(server.client().post("/predict", &row("after", 3)).unwrap().0, 200);
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn connections_that_ask_nothing_keep_nobody_out() {
    let work = trained(1);
    let mut server = Server::start(&work, "--max-connections 20 --log-sync off --patience 1h");
    let silent: Vec<TcpStream> = (0..60).map(|_| TcpStream::connect(&server.address).unwrap()).collect();
    let head = "POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";
    let mut half: Vec<TcpStream> = (0..20).map(|_| TcpStream::connect(&server.address).unwrap()).collect();
    // Whoever was turned away has lost the connection.
    half.iter_mut().for_each(|stream| drop(write!(stream, "{head}content-length: 100\r\n\r\n{{")));
    let started = Instant::now();
    let answered = |method: &str, path: &str, body: &str| {
        while !matches!(server.client().ask(method, path, body), Ok((200, _))) {
            assert!(started.elapsed() < Duration::from_secs(30), "{path}");
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    answered("GET", "/health", "");
    answered("POST", "/predict", &row("among them", 3));
    answered("GET", "/ready", "");
    drop((silent, half));
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn a_head_with_two_lengths_is_refused_and_closed() {
    let work = trained(1);
    let mut server = Server::start(&work, "--log-sync off");
    let body = row("C1", 3);
    let head = "POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";
    let (length, chunked) = (format!("content-length: {}\r\n", body.len()), "transfer-encoding: chunked\r\n");
    let chunks = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    let smuggled = "GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n";
    for (lengths, status) in [
        (format!("{length}{chunked}"), " 400 "),
        (format!("{chunked}{length}"), " 400 "),
        (chunked.to_owned(), " 200 "),
    ] {
        let mut stream = TcpStream::connect(&server.address).unwrap();
        write!(stream, "{head}{lengths}\r\n{chunks}{smuggled}").unwrap();
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        assert!(answer.lines().next().is_some_and(|line| line.contains(status)), "{lengths}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "what follows is not answered: {answer}");
    }
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn tls_is_spoken_with_a_certificate() {
    let work = trained(1);
    let tls = |name: &str| format!("{}/fixtures/tls/{name}", env!("CARGO_MANIFEST_DIR"));
    let (cert, key) = (tls("cert.pem"), tls("key.pem"));
    let mut server = Server::start(&work, &format!("--tls-cert {cert} --tls-key {key}"));
    assert!(server.url.starts_with("https://127.0.0.1:"));
    let answer = server.over_tls(&cert, "GET /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert_eq!(server.stop(), Some(0));
    work.run(&format!("serve --tls-cert {cert} --tls-key {cert}")).answers(ERROR).says("cert.pem: not a private key");
    work.run(&format!("serve --tls-cert {key} --tls-key {key}")).answers(ERROR).says("key.pem: holds no certificate");
    work.run(&format!("serve --tls-cert nobody.pem --tls-key {key}")).answers(ERROR).says("nobody.pem: ");
}
