//! A loop in a temporary directory, and what is expected of each command in it.
//!
//! ```ignore
//! Loop::new().table("reference.csv", CALM).run("init reference.csv").answers(YES).json("/target", "churn");
//! ```

use crate::skipped::skipped;
use assert_cmd::Command;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Stdio;

/// Exit statuses (CONTRACT).
pub const YES: i32 = 0;
pub const NO: i32 = 1;
pub const ERROR: i32 = 2;
pub const CANNOT_TELL: i32 = 3;
pub const WAITING: i32 = 4;

/// A workspace that is deleted when dropped.
pub struct Loop {
    dir: tempfile::TempDir,
    /// What every command finds in its environment.
    variables: Vec<(String, String)>,
}

/// What a command said.
pub struct Said {
    line: String,
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
}

/// The write points at which a test stops a verb: the first eight, then each twentieth. With `MLLOOP_EVERY_POINT` set it
/// is each one, as in the nightly workflow: a round has more than a hundred, and dies at each for two seconds.
pub fn points() -> impl Iterator<Item = usize> {
    let step = if std::env::var_os("MLLOOP_EVERY_POINT").is_some() { 1 } else { 20 };
    (1..=8).chain((9..).step_by(step))
}

impl Loop {
    pub fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), variables: Vec::new() }
    }

    /// Sets an environment variable for every command from here on.
    pub fn set(&mut self, name: &str, value: &str) {
        self.variables.retain(|(set, _)| set != name);
        self.variables.push((name.to_owned(), value.to_owned()));
    }

    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Puts a file into the loop.
    pub fn table(self, name: &str, bytes: impl AsRef<[u8]>) -> Self {
        self.write(name, bytes);
        self
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    /// Runs `mlloop` in the loop's directory; the words are separated by spaces, `'…'` keeps spaces.
    pub fn run(&self, line: &str) -> Said {
        self.pipe(line, "")
    }

    /// Runs `mlloop` with this standard input.
    pub fn pipe(&self, line: &str, stdin: impl Into<Vec<u8>>) -> Said {
        self.pipe_with(line, stdin, "")
    }

    /// Runs `mlloop` with a fault planned: `die:3` ends it at its third write point, `full:3` fills the disk from there on.
    pub fn pipe_with(&self, line: &str, stdin: impl Into<Vec<u8>>, fault: &str) -> Said {
        self.start(line, stdin, &[("MLLOOP_FAULT", fault)])
    }

    /// Runs `mlloop` with these environment variables.
    pub fn run_with(&self, line: &str, variables: &[(&str, &str)]) -> Said {
        self.start(line, "", variables)
    }

    /// Runs `mlloop`, which must end within so many seconds, whatever it answers.
    pub fn run_within(&self, seconds: u64, line: &str) {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_mlloop"));
        command.args(words(line)).current_dir(self.dir.path()).env("NO_COLOR", "1");
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let end = std::time::Instant::now() + std::time::Duration::from_secs(seconds);
        while child.try_wait().unwrap().is_none() {
            if std::time::Instant::now() > end {
                child.kill().unwrap();
                panic!("mlloop {line} does not end");
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }

    fn start(&self, line: &str, stdin: impl Into<Vec<u8>>, variables: &[(&str, &str)]) -> Said {
        let output = Command::new(env!("CARGO_BIN_EXE_mlloop"))
            .args(words(line))
            .current_dir(self.dir.path())
            .env("NO_COLOR", "1")
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .envs(variables.iter().copied())
            .write_stdin(stdin)
            .output()
            .unwrap();
        let said = Said {
            line: line.to_owned(),
            status: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        };
        assert!(!said.stderr.contains("panicked"), "mlloop {line}\n{}", said.stderr);
        said
    }

    /// The same loop in a directory of its own.
    pub fn copy(&self) -> Self {
        let copy = Self { variables: self.variables.clone(), ..Self::new() };
        self.copy_to(copy.dir.path());
        copy
    }

    /// Puts the loop's files into a folder.
    pub fn copy_to(&self, dir: &Path) {
        for (path, bytes) in self.files() {
            let path = dir.join(path.strip_prefix(self.dir.path()).unwrap());
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
    }

    /// Runs `line` on a fresh copy of the loop for each of its write points (see [`points`]), where it dies, and has each
    /// copy checked. The answer is the last point at which it died.
    pub fn dies_everywhere(&self, line: &str, stdin: &str, check: impl Fn(&Self)) -> usize {
        let mut last = 0;
        for n in points() {
            let copy = self.copy();
            let said = copy.pipe_with(line, stdin, &format!("die:{n}"));
            if said.status != -1 {
                assert_eq!(said.status, YES, "mlloop {line}\n{}", said.stderr);
                return last;
            }
            last = n;
            copy.run("audit verify").answers(YES);
            copy.run("status").answers(YES);
            check(&copy);
        }
        unreachable!("a command has an end");
    }

    /// Changes lines of the audit chain, and chains all of them anew, as somebody can who may write all files.
    pub fn forge(&self, change: impl Fn(&mut Value)) {
        let mut prev = "0".repeat(64);
        let mut text = String::new();
        for line in self.read("audit.jsonl").lines() {
            let mut entry: Value = serde_json::from_str(line).unwrap();
            change(&mut entry);
            let fields = entry.as_object_mut().unwrap();
            fields.remove("hash");
            fields.remove("prev");
            let hash = mlloop::digest::sha256(format!("{prev}{}", sorted(&entry)).as_bytes());
            entry["prev"] = prev.into();
            entry["hash"] = hash.clone().into();
            text += &(sorted(&entry).to_string() + "\n");
            prev = hash;
        }
        let mut roles: Value = serde_json::from_str(&self.read("models/roles.json")).unwrap();
        roles["audit"]["hash"] = prev.into();
        self.write("audit.jsonl", text);
        self.write("models/roles.json", roles.to_string());
    }

    /// Exchanges a file of a version, as if it had been stored so: the chain has its digest.
    pub fn exchange(&self, version: &str, file: &str, write: impl FnOnce(&Path)) {
        let dir = self.path("models").join(version);
        write(&dir);
        let digest = mlloop::digest::sha256(&std::fs::read(dir.join(file)).unwrap());
        self.forge(|entry| {
            if entry["details"]["version"] == version && entry["details"]["files"].is_object() {
                entry["details"]["files"][file] = digest.clone().into();
            }
        });
    }

    /// Every file of the loop with its bytes, to show that nothing was changed; the lock, which says who holds it, is none.
    pub fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut files = Vec::new();
        collect(self.dir.path(), &mut files);
        files.retain(|(path, _)| !path.ends_with(".mlloop.lock"));
        files.sort();
        files
    }
}

fn collect(dir: &Path, files: &mut Vec<(PathBuf, Vec<u8>)>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else {
            let bytes = std::fs::read(&path).unwrap();
            files.push((path, bytes));
        }
    }
}

/// The same value with the keys of every object in order.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<(&String, &Value)> = fields.iter().collect();
            fields.sort_by_key(|(key, _)| *key);
            Value::Object(fields.into_iter().map(|(key, value)| (key.clone(), sorted(value))).collect())
        }
        Value::Array(values) => Value::Array(values.iter().map(sorted).collect()),
        other => other.clone(),
    }
}

/// The words of a line; `'…'` keeps spaces.
pub fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (n, part) in line.split('\'').enumerate() {
        if n % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words
}

impl Said {
    /// The exit status; -1 when the process was ended.
    pub fn status(&self) -> i32 {
        self.status
    }

    /// The exit status must be this one; an error must have been said in one line (and perhaps a hint).
    #[track_caller]
    pub fn answers(self, status: i32) -> Self {
        assert_eq!(self.status, status, "mlloop {}\nstdout: {}\nstderr: {}", self.line, self.stdout, self.stderr);
        if status == ERROR {
            assert!(self.stdout.is_empty(), "an error leaves stdout empty: {}", self.stdout);
        }
        self
    }

    /// Whether the exit status is this one.
    pub fn is(&self, status: i32) -> bool {
        self.status == status
    }

    /// Whether it came to an answer, and did not die on the way.
    pub fn answered(&self) -> bool {
        self.status != -1
    }

    /// The JSON on stdout.
    #[track_caller]
    pub fn value(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|err| panic!("mlloop {}: {err}\n{}", self.line, self.stdout))
    }

    /// The JSON on stdout has this value at the pointer.
    #[track_caller]
    pub fn json(self, pointer: &str, expected: impl Into<Value>) -> Self {
        let value = self.value();
        assert_eq!(value.pointer(pointer), Some(&expected.into()), "mlloop {} {pointer}\n{value:#}", self.line);
        self
    }

    /// stderr contains this text.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(
            self.stderr.contains(text),
            "mlloop {}\nexpected on stderr: {text}\nstderr: {}",
            self.line,
            self.stderr
        );
        self
    }

    /// stdout contains this text.
    #[track_caller]
    pub fn prints(self, text: &str) -> Self {
        assert!(self.stdout.contains(text), "mlloop {}\nexpected: {text}\nstdout: {}", self.line, self.stdout);
        self
    }
}

/// A table of `shared/data`, or `None` with a visible line when the folder is not there.
pub fn shared(name: &str) -> Option<PathBuf> {
    beside(&format!("data/{name}"))
}

/// The reference values of statistics, or `None` with a visible line when they are not there.
pub fn oracle() -> Option<PathBuf> {
    beside("oracle")
}

fn beside(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared").join(name);
    if path.exists() {
        return Some(path.canonicalize().unwrap());
    }
    skipped(format_args!("../shared/{name} is not there"));
    None
}

/// A number in [0, 1) that depends on both arguments and on nothing else.
pub fn noise(row: u32, column: u32) -> f64 {
    let mut bits = row.wrapping_mul(0x9e37_79b1) ^ column.wrapping_mul(0x85eb_ca6b);
    for _ in 0..3 {
        bits = (bits ^ bits >> 15).wrapping_mul(0x2c1b_3c6d);
        bits = (bits ^ bits >> 12).wrapping_mul(0x297a_2d39);
    }
    f64::from(bits >> 8) / f64::from(1 << 24)
}
