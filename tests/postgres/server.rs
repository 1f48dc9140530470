//! A database server of the tests.

use crate::skipped::skipped;
use std::io::Read;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

pub const PASSWORD: &str = "hunter2-of-the-database";

/// Whom the server runs as where the tests run as root, which it refuses.
const NOBODY: u32 = 65534;

/// A server with the database `shop` and the user `ann`; it ends with this.
pub struct Server {
    dir: tempfile::TempDir,
    pub bin: PathBuf,
    process: Child,
    pub port: u16,
}

fn is_root(dir: &Path) -> bool {
    fs::metadata(dir).unwrap().uid() == 0
}

fn command(program: &Path, dir: &Path, as_nobody: bool) -> Command {
    let mut command = Command::new(program);
    command.current_dir(dir).env("LC_ALL", "C").stdin(Stdio::null());
    if as_nobody {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

impl Server {
    /// Somebody who holds a table, until killed.
    pub fn holds(&self, table: &str) -> Child {
        let holder = Command::new(self.bin.join("psql"))
            .args(["-X", "-q", "-h", "127.0.0.1", "-p", &self.port.to_string(), "-U", "ann", "-d", "shop"])
            .args(["-c", &format!("BEGIN; LOCK {table}; SELECT pg_sleep(60)")])
            .env("PGPASSWORD", PASSWORD)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        while self.sql("SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock'") == "0" {
            thread::sleep(Duration::from_millis(50));
        }
        holder
    }

    pub fn start() -> Option<Self> {
        let mut places = fs::read_dir("/usr/lib/postgresql").map_or_else(
            |_| Vec::new(),
            |found| found.filter_map(|entry| Some(entry.ok()?.path().join("bin"))).collect(),
        );
        places.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
        let Some(bin) =
            places.into_iter().find(|bin| ["initdb", "postgres", "psql"].iter().all(|p| bin.join(p).exists()))
        else {
            skipped("no PostgreSQL server is installed");
            return None;
        };
        let dir = tempfile::tempdir().unwrap();
        let root = is_root(dir.path());
        fs::write(dir.path().join("pw"), PASSWORD).unwrap();
        if root {
            chown(dir.path(), Some(NOBODY), Some(NOBODY)).unwrap();
            chown(dir.path().join("pw"), Some(NOBODY), Some(NOBODY)).unwrap();
        }
        let initdb = command(&bin.join("initdb"), dir.path(), root)
            .args([
                "-D",
                "data",
                "-U",
                "ann",
                "--pwfile=pw",
                "-A",
                "scram-sha-256",
                "-E",
                "UTF8",
                "--locale=C",
                "--no-sync",
            ])
            .output()
            .unwrap();
        assert!(initdb.status.success(), "{}", String::from_utf8_lossy(&initdb.stderr));
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let process = command(&bin.join("postgres"), dir.path(), root)
            .args([
                "-D",
                "data",
                "-p",
                &port.to_string(),
                "-k",
                "",
                "-c",
                "listen_addresses=127.0.0.1",
                "-c",
                "fsync=off",
            ])
            .stdout(Stdio::null())
            .stderr(fs::File::create(dir.path().join("log")).unwrap())
            .spawn()
            .unwrap();
        let server = Self { dir, bin, process, port };
        let end = Instant::now() + Duration::from_secs(60);
        while !server.psql("postgres", "SELECT 1").status.success() {
            assert!(Instant::now() < end, "{}", fs::read_to_string(server.dir.path().join("log")).unwrap());
            thread::sleep(Duration::from_millis(100));
        }
        assert!(server.psql("postgres", "CREATE DATABASE shop").status.success());
        Some(server)
    }

    fn psql(&self, database: &str, sql: &str) -> Output {
        Command::new(self.bin.join("psql"))
            .args([
                "-X",
                "-q",
                "-t",
                "-A",
                "-v",
                "ON_ERROR_STOP=1",
                "-h",
                "127.0.0.1",
                "-U",
                "ann",
                "-d",
                database,
                "-c",
                sql,
            ])
            .args(["-p", &self.port.to_string()])
            .env("PGPASSWORD", PASSWORD)
            .output()
            .unwrap()
    }

    /// What the statements print.
    #[track_caller]
    pub fn sql(&self, sql: &str) -> String {
        let done = self.psql("shop", sql);
        assert!(done.status.success(), "{sql}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap().trim_end().to_owned()
    }

    pub fn url(&self, rest: &str) -> String {
        self.url_at(self.port, rest)
    }

    pub fn url_at(&self, port: u16, rest: &str) -> String {
        format!("postgres://ann@127.0.0.1:{port}/shop{rest}")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A fast shutdown; its children go with it.
        let _ = Command::new("kill").args(["-INT", &self.process.id().to_string()]).status();
        let end = Instant::now() + Duration::from_secs(10);
        while Instant::now() < end && matches!(self.process.try_wait(), Ok(None)) {
            thread::sleep(Duration::from_millis(50));
        }
        let _ = self.process.kill();
    }
}

/// Passes everything on to a server, until it has answered with so many bytes; gives its port.
pub fn cut_after(bytes: usize, port: u16) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let own = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for client in listener.incoming() {
            let Ok(mut client) = client else { return };
            let mut server = TcpStream::connect(("127.0.0.1", port)).unwrap();
            let (mut asks, mut asked) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            thread::spawn(move || std::io::copy(&mut asks, &mut asked));
            thread::spawn(move || {
                let _ = std::io::copy(&mut (&mut server).take(bytes as u64), &mut client);
                let _ = client.shutdown(Shutdown::Both);
                let _ = server.shutdown(Shutdown::Both);
            });
        }
    });
    own
}
