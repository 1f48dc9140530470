//! Several loops at once: `mlloop -C 'loops/*' status`, one table for all.

use super::args::Global;
use super::{Outcome, Output};
use anyhow::{Context as _, Result, bail, ensure};
use mlloop::workspace::CONFIG_FILE;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The loops that `-C` names, when it is a pattern: directories with a mlloop.toml, in the order of their names.
pub(crate) fn loops(global: &Global) -> Option<Vec<PathBuf>> {
    let pattern = global.dir.as_ref()?;
    let is_pattern = pattern.to_str()?.contains(['*', '?']) && !pattern.exists();
    is_pattern.then(|| {
        let mut found = vec![PathBuf::new()];
        for part in pattern.components() {
            let part = part.as_os_str().to_string_lossy().into_owned();
            found = found.iter().flat_map(|dir| below(dir, &part)).collect();
        }
        found.retain(|dir| dir.join(CONFIG_FILE).is_file());
        found
    })
}

/// What a part of a pattern stands for in a directory, by name.
fn below(dir: &Path, part: &str) -> Vec<PathBuf> {
    if !part.contains(['*', '?']) {
        return vec![dir.join(part)];
    }
    let here = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
    let entries = std::fs::read_dir(here).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.filter(|name| !name.starts_with('.') && fits(name, part)).collect();
    names.sort();
    names.into_iter().map(|name| dir.join(name)).collect()
}

/// Whether a name fits a pattern of `*` (anything) and `?` (one character).
fn fits(name: &str, pattern: &str) -> bool {
    let mut letters = pattern.chars();
    match letters.next() {
        None => name.is_empty(),
        Some('*') => {
            (0..=name.len()).filter(|&at| name.is_char_boundary(at)).any(|at| fits(&name[at..], letters.as_str()))
        }
        Some(letter) => {
            let mut rest = name.chars();
            rest.next().is_some_and(|first| letter == '?' || first == letter) && fits(rest.as_str(), letters.as_str())
        }
    }
}

/// What came of one loop.
struct Answer {
    dir: String,
    status: i32,
    said: Value,
    text: String,
}

/// Runs `verb` in each loop, one after another, and sums up.
///
/// The exit status is 2 when any loop failed, else 4 when any waits for a person, else 0 when any said yes, else 3 when
/// any cannot tell, else 1.
pub(crate) fn run(verb: &str, dirs: &[PathBuf], global: &Global, out: &mut Output) -> Result<Outcome> {
    ensure!(
        ["status", "run", "report"].contains(&verb),
        "-C names several loops: status, run and report work on several"
    );
    if dirs.is_empty() {
        bail!("-C {}: no directory with a mlloop.toml fits", global.dir.as_deref().unwrap_or(Path::new("")).display());
    }
    let answers = dirs.iter().map(|dir| ask(dir, verb)).collect::<Result<Vec<_>>>()?;
    let json: Vec<Value> = answers
        .iter()
        .map(|answer| json!({ "loop": answer.dir, "exit_status": answer.status, "answer": answer.said }))
        .collect();
    out.answer(&json, |style| table(&answers, &|text| style.bold(text)))?;
    let any = |status: i32| answers.iter().any(|answer| answer.status == status);
    let failed = answers.iter().any(|answer| !matches!(answer.status, 0 | 1 | 3 | 4));
    Ok(match () {
        () if failed => Outcome::Error,
        () if any(4) => Outcome::Waiting,
        () if any(0) => Outcome::Yes,
        () if any(3) => Outcome::CannotTell,
        () => Outcome::No,
    })
}

/// Calls mlloop in one loop with the same words.
fn ask(dir: &Path, verb: &str) -> Result<Answer> {
    let mlloop = std::env::current_exe().context("finding mlloop itself")?;
    let mut words: Vec<String> = Vec::new();
    let mut given = std::env::args().skip(1);
    while let Some(word) = given.next() {
        match word.as_str() {
            "-C" | "--dir" | "-o" | "--output" => drop(given.next()),
            "--text" | "--json" | "-q" | "--quiet" => {}
            _ if word.starts_with("--dir=") || word.starts_with("--output=") => {}
            _ => words.push(word),
        }
    }
    let form: &[&str] = if verb == "report" { &["--format", "json"] } else { &["--json"] };
    let output = Command::new(mlloop)
        .arg("-C")
        .arg(dir)
        .args(words)
        .args(form)
        .stdin(Stdio::null())
        .output()
        .with_context(|| dir.display().to_string())?;
    let said = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    let text = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Ok(Answer { dir: dir.display().to_string(), status: output.status.code().unwrap_or(2), said, text })
}

fn table(answers: &[Answer], bold: &dyn Fn(&str) -> String) -> String {
    let width = answers.iter().map(|answer| answer.dir.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for answer in answers {
        let word = match answer.status {
            0 => "yes",
            1 => "no",
            3 => "cannot tell",
            4 => "waiting",
            _ => "failed",
        };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{:<width$}  {}  {}", answer.dir, bold(&format!("{word:<11}")), sentence(answer));
    }
    text
}

/// What a loop said, in one line.
fn sentence(answer: &Answer) -> String {
    let of = |path: &str| answer.said.pointer(path).and_then(Value::as_str).map(str::to_owned);
    let first = ["/sentence", "/verdict/sentence", "/monitor/sentence", "/headline"].into_iter().find_map(of);
    let versions = || {
        let production = of("/production")?;
        let challenger = of("/challenger").map(|version| format!(", challenger {version}")).unwrap_or_default();
        Some(format!("production {production}{challenger}"))
    };
    let failed = || answer.text.lines().find(|line| line.starts_with("mlloop: ")).map(str::to_owned);
    failed().filter(|_| answer.status == 2).or(first).or_else(versions).unwrap_or_else(|| "no version yet".to_owned())
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn patterns_are_those_of_a_shell() {
        for (name, pattern, is) in [
            ("churn", "*", true),
            ("churn", "ch*n", true),
            ("churn", "c?urn", true),
            ("churn", "c?rn", false),
            ("churn", "fraud*", false),
            ("", "*", true),
            ("é", "?", true),
        ] {
            assert_eq!(fits(name, pattern), is, "{name} {pattern}");
        }
    }
}
