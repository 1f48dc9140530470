//! Several loops at once: `mlloop -C 'loops/*' status`, one table for all.

use super::args::Global;
use super::{Outcome, Output};
use anyhow::{Context as _, Result, bail, ensure};
use mlloop::answers::OfLoop;
use mlloop::report::markdown_escaped;
use mlloop::workspace::CONFIG_FILE;
use serde_json::Value;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output as Called, Stdio};

/// The loops that match `-C` if it is a pattern: directories with a mlloop.toml, sorted by name.
pub(crate) fn loops(global: &Global) -> Option<Vec<PathBuf>> {
    let pattern = global.dir.as_ref()?;
    let is_pattern = pattern.to_str()?.contains(['*', '?', '[']) && !pattern.exists();
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

/// The entries of a directory that match a part of a pattern, by name.
fn below(dir: &Path, part: &str) -> Vec<PathBuf> {
    if !part.contains(['*', '?', '[']) {
        return vec![dir.join(part)];
    }
    let here = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
    let entries = std::fs::read_dir(here).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.filter(|name| !name.starts_with('.') && fits(name, part)).collect();
    names.sort();
    names.into_iter().map(|name| dir.join(name)).collect()
}

/// Whether a name fits a pattern of `*` (anything), `?` (one character) and `[a-c]` (one of these; `[!a]`: none of these).
fn fits(name: &str, pattern: &str) -> bool {
    let mut letters = pattern.chars();
    match letters.next() {
        None => name.is_empty(),
        Some('*') => {
            (0..=name.len()).filter(|&at| name.is_char_boundary(at)).any(|at| fits(&name[at..], letters.as_str()))
        }
        Some('[') if letters.as_str().contains(']') => {
            let (set, rest) = letters.as_str().split_once(']').unwrap_or_default();
            let (set, wanted) = set.strip_prefix('!').map_or((set, true), |set| (set, false));
            let mut name = name.chars();
            name.next().is_some_and(|first| holds(set, first) == wanted) && fits(name.as_str(), rest)
        }
        Some(letter) => {
            let mut rest = name.chars();
            rest.next().is_some_and(|first| letter == '?' || first == letter) && fits(rest.as_str(), letters.as_str())
        }
    }
}

/// Whether a letter is in a set such as `ac` or `a-c`.
fn holds(set: &str, letter: char) -> bool {
    let set: Vec<char> = set.chars().collect();
    let mut at = 0;
    while at < set.len() {
        if set.get(at + 1) == Some(&'-') && at + 2 < set.len() {
            if (set[at]..=set[at + 2]).contains(&letter) {
                return true;
            }
            at += 3;
        } else if set[at] == letter {
            return true;
        } else {
            at += 1;
        }
    }
    false
}

/// The result of one loop.
struct Answer {
    dir: String,
    status: i32,
    said: Value,
    text: String,
}

/// Runs `verb` in each loop, one after another, and summarises the results.
///
/// The exit status is 2 if any loop failed, else 4 if any waits for approval, else 0 if any says yes, else 3 if any
/// cannot tell, else 1.
pub(crate) fn run(verb: &str, dirs: &[PathBuf], global: &Global, out: &mut Output) -> Result<Outcome> {
    ensure!(
        ["status", "run", "report"].contains(&verb),
        "-C matches several loops: only status, run and report work on several"
    );
    if dirs.is_empty() {
        bail!(
            "-C {}: no matching directory has a mlloop.toml",
            global.dir.as_deref().unwrap_or(Path::new("")).display()
        );
    }
    let answers = dirs.iter().map(|dir| ask(dir, verb)).collect::<Result<Vec<_>>>()?;
    let json: Vec<OfLoop> = answers
        .iter()
        .map(|answer| OfLoop { dir: &answer.dir, exit_status: answer.status, answer: &answer.said })
        .collect();
    // As for one loop, a report written to a pipe or a file is a readable page, unless JSON is requested.
    let words = words();
    let is_page = verb == "report" && !out.wants_json() && !words.iter().any(|word| word.ends_with("json"));
    match is_page && !global.text && !out.is_terminal() {
        true => out.bytes(pages(dirs, &answers)?.as_bytes())?,
        false => out.answer(&json, |style| table(&answers, &|text| style.bold(text)))?,
    }
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

/// The words of the command line without the options for the loops, the output file and the output format.
fn words() -> Vec<String> {
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
    words
}

/// One table, and below it the page of each loop.
fn pages(dirs: &[PathBuf], answers: &[Answer]) -> Result<String> {
    let mut text = String::from("| loop | answer | |\n|---|---|---|\n");
    for answer in answers {
        let [dir, said] = [&answer.dir, &sentence(answer)].map(|text| markdown_escaped(text));
        // Writing to a String cannot fail.
        let _ = writeln!(text, "| {dir} | {} | {said} |", word(answer.status));
    }
    for dir in dirs {
        let page = call(dir, &words(), &[])?;
        text.push('\n');
        text.push_str(&String::from_utf8_lossy(&page.stdout));
    }
    Ok(text)
}

/// Runs mlloop in one loop with the same arguments.
fn ask(dir: &Path, verb: &str) -> Result<Answer> {
    let mut words = words();
    if verb == "report" {
        drop_format(&mut words);
    }
    let form: &[&str] = if verb == "report" { &["--format", "json"] } else { &["--json"] };
    let output = call(dir, &words, form)?;
    let said = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    let text = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Ok(Answer { dir: dir.display().to_string(), status: output.status.code().unwrap_or(2), said, text })
}

/// Removes `--format FORM`, which is added again.
fn drop_format(words: &mut Vec<String>) {
    words.retain(|word| !word.starts_with("--format="));
    if let Some(at) = words.iter().position(|word| word == "--format") {
        words.drain(at..(at + 2).min(words.len()));
    }
}

fn call(dir: &Path, words: &[String], form: &[&str]) -> Result<Called> {
    let mlloop = std::env::current_exe().context("finding mlloop itself")?;
    Command::new(mlloop)
        .arg("-C")
        .arg(dir)
        .args(words)
        .args(form)
        .stdin(Stdio::null())
        .output()
        .with_context(|| dir.display().to_string())
}

fn table(answers: &[Answer], bold: &dyn Fn(&str) -> String) -> String {
    let width = answers.iter().map(|answer| answer.dir.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for answer in answers {
        let word = word(answer.status);
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{:<width$}  {}  {}", answer.dir, bold(&format!("{word:<11}")), sentence(answer));
    }
    text
}

/// An exit status in words.
fn word(status: i32) -> &'static str {
    match status {
        0 => "yes",
        1 => "no",
        3 => "cannot tell",
        4 => "waiting",
        _ => "failed",
    }
}

/// A loop's result in one line.
fn sentence(answer: &Answer) -> String {
    let of = |path: &str| answer.said.pointer(path).and_then(Value::as_str).map(str::to_owned);
    let first = ["/sentence", "/verdict/sentence", "/monitor/sentence", "/headline"].into_iter().find_map(of);
    // `report` lists versions by role.
    let holder = |role: &str| {
        let versions = answer.said.pointer("/versions").and_then(Value::as_array)?;
        let version = versions.iter().find(|version| version["role"] == role)?;
        version["version"].as_str().map(str::to_owned)
    };
    let versions = || {
        let production = of("/production").or_else(|| holder("production"))?;
        let challenger = of("/challenger").or_else(|| holder("challenger"));
        let challenger = challenger.map(|version| format!(", challenger {version}")).unwrap_or_default();
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
            ("a1", "[ab]?", true),
            ("c1", "[ab]?", false),
            ("b", "[a-c]", true),
            ("d", "[a-c]", false),
            ("d", "[!a-c]", true),
            ("b", "[!a-c]", false),
            ("[x", "[x", true),
        ] {
            assert_eq!(fits(name, pattern), is, "{name} {pattern}");
        }
    }
}
