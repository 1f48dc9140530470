//! Real servers on loopback: SMTP with STARTTLS, TLS and AUTH, HTTP, and servers that hang or close the connection.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

/// The messages received by a server.
pub(super) type Heard = Arc<Mutex<Vec<String>>>;

/// Answers each connection with `serve` on its own thread; returns the port.
fn listen(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let serve = Arc::new(serve);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let serve = Arc::clone(&serve);
            thread::spawn(move || serve(stream));
        }
    });
    port
}

/// Accepts the connection and never answers.
pub(super) fn hanging() -> u16 {
    listen(|stream| {
        thread::sleep(Duration::from_secs(30));
        drop(stream);
    })
}

/// A port without a listener: the system does not assign it to our listeners.
pub(super) const REFUSING: u16 = 1;

/// An HTTP server that stores requests, head and body: it sends no response to the first, and half a response to
/// others.
pub(super) fn forgetful() -> (u16, Heard) {
    let heard = Heard::default();
    let asked = Arc::clone(&heard);
    let port = listen(move |mut stream| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut request = String::new();
        while !request.ends_with("\r\n\r\n") && reader.read_line(&mut request).unwrap() > 0 {}
        let length =
            request.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        reader.read_exact(&mut body).unwrap();
        request.push_str(&String::from_utf8(body).unwrap());
        let mut asked = asked.lock().unwrap();
        asked.push(request);
        if asked.len() > 1 {
            let _ = write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf of");
        }
    });
    (port, heard)
}

/// An HTTP server that answers `status` and remembers the bodies of POST requests.
pub(super) fn http(status: u16) -> (u16, Heard) {
    let heard = Heard::default();
    let bodies = Arc::clone(&heard);
    let port = listen(move |mut stream| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut length = 0;
        let mut first = String::new();
        reader.read_line(&mut first).unwrap();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            if let Some(n) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = n.trim().parse().unwrap();
            }
            if line.trim().is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        assert!(first.starts_with("POST /hook/secret-part "), "{first}");
        bodies.lock().unwrap().push(String::from_utf8(body).unwrap());
        let _ = write!(stream, "HTTP/1.1 {status} x\r\nlocation: /elsewhere\r\ncontent-length: 2\r\n\r\nok");
    });
    (port, heard)
}

/// How the SMTP server behaves.
#[derive(Clone, Default)]
pub(super) struct Smtp {
    /// Certificate and key; `None` without TLS.
    pub tls: Option<Arc<ServerConfig>>,
    /// TLS from the first byte.
    pub at_once: bool,
    /// Only this user with this password may send.
    pub login: Option<(String, String)>,
}

impl Smtp {
    /// Starts it; returns its port and the received mails.
    pub(super) fn start(self) -> (u16, Heard) {
        let heard = Heard::default();
        let mails = Arc::clone(&heard);
        let port = listen(move |stream| {
            let done = match (&self.tls, self.at_once) {
                (Some(tls), true) => Session { server: &self, mails: &mails, secured: true }.talk(secured(stream, tls)),
                _ => {
                    let plain = stream.try_clone().unwrap();
                    let session = Session { server: &self, mails: &mails, secured: false };
                    match (session.talk(stream), &self.tls) {
                        (End::StartTls, Some(tls)) => {
                            Session { server: &self, mails: &mails, secured: true }.talk(secured(plain, tls))
                        }
                        (end, _) => end,
                    }
                }
            };
            assert!(matches!(done, End::Quit));
        });
        (port, heard)
    }
}

fn secured(stream: TcpStream, tls: &Arc<ServerConfig>) -> StreamOwned<ServerConnection, TcpStream> {
    StreamOwned::new(ServerConnection::new(Arc::clone(tls)).unwrap(), stream)
}

enum End {
    Quit,
    StartTls,
}

struct Session<'a> {
    server: &'a Smtp,
    mails: &'a Heard,
    secured: bool,
}

impl Session<'_> {
    fn talk(&self, stream: impl Read + Write) -> End {
        let mut stream = BufReader::new(stream);
        // After STARTTLS the client sends first.
        if !self.secured || self.server.at_once {
            say(&mut stream, "220 test");
        }
        let mut known = self.server.login.is_none();
        loop {
            let Some(line) = hear(&mut stream) else { return End::Quit };
            let verb = line.split(' ').next().unwrap_or_default().to_ascii_uppercase();
            match verb.as_str() {
                "EHLO" => self.greet(&mut stream),
                "STARTTLS" => {
                    say(&mut stream, "220 go ahead");
                    return End::StartTls;
                }
                "AUTH" => {
                    let plain = STANDARD.decode(line.rsplit(' ').next().unwrap()).unwrap();
                    let wanted = self.server.login.as_ref().map(|(user, word)| format!("\0{user}\0{word}"));
                    known = wanted.is_some_and(|wanted| wanted.as_bytes() == plain);
                    // The server's reply quotes the password: it must not appear in the error.
                    let quoted = String::from_utf8_lossy(&plain).replace('\0', " ");
                    say(&mut stream, &if known { "235 ok".to_owned() } else { format!("535 not you:{quoted}") });
                }
                "MAIL" if !known => say(&mut stream, "530 log in first"),
                "DATA" => {
                    say(&mut stream, "354 go ahead");
                    let mut mail = String::new();
                    while let Some(line) = hear(&mut stream).filter(|line| line != ".") {
                        mail.push_str(&line);
                        mail.push('\n');
                    }
                    self.mails.lock().unwrap().push(mail);
                    say(&mut stream, "250 taken");
                }
                "QUIT" => {
                    say(&mut stream, "221 bye");
                    return End::Quit;
                }
                _ => say(&mut stream, "250 ok"),
            }
        }
    }

    fn greet(&self, stream: &mut BufReader<impl Read + Write>) {
        if self.server.tls.is_some() && !self.secured {
            say(stream, "250-STARTTLS");
        }
        if self.server.login.is_some() && (self.secured || self.server.tls.is_none()) {
            say(stream, "250-AUTH PLAIN");
        }
        say(stream, "250 8BITMIME");
    }
}

fn say(stream: &mut BufReader<impl Read + Write>, line: &str) {
    let stream = stream.get_mut();
    let _ = stream.write_all(format!("{line}\r\n").as_bytes());
    let _ = stream.flush();
}

fn hear(stream: &mut BufReader<impl Read + Write>) -> Option<String> {
    let mut line = String::new();
    match stream.read_line(&mut line) {
        Ok(n) if n > 0 => Some(line.trim_end_matches(['\r', '\n']).to_owned()),
        _ => None,
    }
}

/// A certificate for 127.0.0.1 and its authority `ca.pem`, both created in `dir`; without openssl `None`, with a note.
pub(super) fn certified(dir: &Path) -> Option<Arc<ServerConfig>> {
    let openssl = |line: &str| {
        let done = Command::new("openssl").args(line.split(' ')).current_dir(dir).output();
        done.is_ok_and(|output| output.status.success())
    };
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2";
    let made = openssl(&format!("req -x509 {key} -subj /CN=ca -keyout ca.key -out ca.pem"))
        && openssl(&format!(
            "req -x509 {key} -subj /CN=server -CA ca.pem -CAkey ca.key -addext basicConstraints=CA:FALSE \
             -addext subjectAltName=IP:127.0.0.1 -keyout server.key -out server.pem"
        ));
    if !made {
        crate::skipped::skipped("openssl made no certificate");
        return None;
    }
    let chain = vec![CertificateDer::from_pem_file(dir.join("server.pem")).unwrap()];
    let key = PrivateKeyDer::from_pem_file(dir.join("server.key")).unwrap();
    let config = ServerConfig::builder_with_provider(ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    Some(Arc::new(config))
}
