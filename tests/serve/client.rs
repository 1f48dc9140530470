//! A server of a test, and HTTP as plain as it gets.

use crate::support::Loop;
use serde_json::{Value, json};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{self, ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// A running server; it is killed when dropped.
pub struct Server {
    child: Child,
    pub url: String,
    pub address: String,
    /// What it said when it began to listen.
    pub said: Value,
}

/// A connection that is kept.
pub struct Client {
    stream: BufReader<TcpStream>,
}

/// A customer of the churn table.
pub fn row(id: &str, months: i64) -> String {
    json!({
        "customer": id, "contract": "monthly", "months": months, "internet": "dsl", "paperless": "yes",
        "monthly_charge": 63.9, "total_charge": 191.7, "support_calls": 0,
    })
    .to_string()
}

/// Sends a signal.
pub fn kill(signal: &str, pid: u32) {
    assert!(Command::new("kill").args([&format!("-{signal}"), &pid.to_string()]).status().unwrap().success());
}

impl Server {
    /// Starts `mlloop serve` on a free port and waits until it says where.
    pub fn start(work: &Loop, options: &str) -> Self {
        Self::start_with(work, options, &[])
    }

    /// The same with these environment variables.
    pub fn start_with(work: &Loop, options: &str, variables: &[(&str, &str)]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_mlloop"))
            .envs(variables.iter().copied())
            .args(["serve", "--port", "0"])
            .args(options.split_whitespace())
            .current_dir(work.path(""))
            .envs(variables.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let said: Value = serde_json::Deserializer::from_reader(child.stdout.take().unwrap())
            .into_iter()
            .next()
            .expect("it says where it listens")
            .unwrap();
        assert_eq!(said["pid"], child.id());
        let url = said["url"].as_str().unwrap().to_owned();
        let address = url.split("//").nth(1).unwrap().replace("0.0.0.0", "127.0.0.1");
        Self { child, url, address, said }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// What it said on stderr; it has ended.
    pub fn stderr(&mut self) -> String {
        let mut said = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        said
    }

    pub fn signal(&self, signal: &str) {
        kill(signal, self.pid());
    }

    /// Asks it to stop; its exit status.
    pub fn stop(&mut self) -> Option<i32> {
        self.signal("TERM");
        self.exit()
    }

    /// Waits for its end; `None` when a signal was the end.
    pub fn exit(&mut self) -> Option<i32> {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(started.elapsed() < Duration::from_secs(60), "it does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub fn client(&self) -> Client {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        Client { stream: BufReader::new(stream) }
    }

    /// The body at a path.
    pub fn get(&self, path: &str) -> String {
        self.client().ask("GET", path, "").unwrap().1
    }

    /// Waits until `/metrics` has a line that begins so.
    pub fn waits_for(&self, line: &str) {
        let started = Instant::now();
        while !self.get("/metrics").lines().any(|found| found.starts_with(line)) {
            assert!(started.elapsed() < Duration::from_secs(30), "{line}\n{}", self.get("/metrics"));
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// What a request gets over TLS, when the server has this certificate.
    pub fn over_tls(&self, cert: &str, request: &str) -> String {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(cert).unwrap()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from("localhost").unwrap();
        let connection = ClientConnection::new(Arc::new(config), name).unwrap();
        let mut stream = StreamOwned::new(connection, TcpStream::connect(&self.address).unwrap());
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8(answer).unwrap()
    }

    /// What `curl -s localhost:8080/… [-H …] [-d …]` prints, asked of this server; `-i` gives the status line before.
    pub fn curl(&self, command: &str) -> String {
        let words: Vec<&str> = command.split('\'').collect();
        let path = words[0].split_whitespace().find_map(|word| word.strip_prefix("localhost:8080")).unwrap();
        assert!(command.starts_with("curl -s"), "{command}");
        let body = words.iter().position(|word| word.ends_with("-d ")).map_or("", |at| words[at + 1]);
        let method = if command.contains(" -d ") { "POST" } else { "GET" };
        let (status, answer) = self.client().ask(method, path, body).unwrap();
        let status = if command.contains(" -i ") { format!("{status}\n") } else { String::new() };
        format!("{status}{}\n", answer.trim_end())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Client {
    /// Posts JSON.
    pub fn post(&mut self, path: &str, body: &str) -> io::Result<(u16, Value)> {
        let (status, answer) = self.ask("POST", path, body)?;
        Ok((status, serde_json::from_str(&answer).unwrap_or(Value::String(answer))))
    }

    /// The status and body of an answer.
    pub fn ask(&mut self, method: &str, path: &str, body: &str) -> io::Result<(u16, String)> {
        self.ask_with(method, path, body, "nothing")
    }

    /// The same with a token.
    pub fn ask_with(&mut self, method: &str, path: &str, body: &str, token: &str) -> io::Result<(u16, String)> {
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        self.stream.get_mut().write_all(request.as_bytes())?;
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.ok_or(io::ErrorKind::UnexpectedEof)?;
        let mut length = 0;
        loop {
            line.clear();
            if self.stream.read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if line == "\r\n" {
                break;
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
        }
        let mut bytes = vec![0; length];
        self.stream.read_exact(&mut bytes)?;
        Ok((status, String::from_utf8(bytes).unwrap()))
    }
}
