//! Writes a verb's result to stdout or a file, as JSON or readable text, or not at all.

use super::Global;
use super::args::Color;
use super::ending;
use super::wrap::{self, wrapped};
use anyhow::{Result, bail};
use mlloop::atomic;
use mlloop::printable::{Screen, printable, printable_json, printable_styled};
use mlloop::s3::{self, Condition, Object};
use mlloop::table::postgres::is_address;
use serde::Serialize;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// The single writer of results.
pub(crate) struct Output {
    file: Option<PathBuf>,
    terminal: bool,
    quiet: bool,
    readable: bool,
    json: bool,
    color: bool,
    width: Option<usize>,
}

impl Output {
    /// The output file.
    pub(crate) fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// Columns of the terminal; `None` without one.
    pub(crate) fn width(&self) -> Option<usize> {
        self.width
    }

    /// Whether the output goes to a terminal.
    pub(crate) fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// Whether `--json` was given.
    pub(crate) fn wants_json(&self) -> bool {
        self.json
    }

    pub(crate) fn new(global: &Global) -> Self {
        // Other processes may hold stdout's file open: it is written to, never replaced.
        let file = global.output.clone().filter(|path| path.as_os_str() != "-" && path != Path::new("/dev/stdout"));
        let terminal = file.is_none() && io::stdout().is_terminal();
        #[expect(clippy::disallowed_methods, reason = "the one place that asks for NO_COLOR")]
        let no_color = std::env::var("NO_COLOR").is_ok_and(|v| !v.is_empty());
        Self {
            quiet: global.quiet && global.output.is_none(),
            file,
            terminal,
            json: global.json,
            readable: global.text || (terminal && !global.json),
            width: wrap::width(terminal),
            color: match global.color {
                Color::Auto => terminal && !no_color,
                Color::Always => true,
                Color::Never => false,
            },
        }
    }

    /// Prints `value` as JSON, or `text` on a terminal.
    pub(crate) fn answer<T: Serialize>(&mut self, value: &T, text: impl FnOnce(Style) -> String) -> Result<()> {
        let rendered = match self.readable {
            true => {
                let text = text(Style { color: self.color, width: self.width });
                let text = if self.color { printable_styled(&text, &MARK) } else { printable(&text) };
                // Pages use the typographic character, a terminal the typed one.
                let text = text.replace('−', "-");
                self.width.map_or_else(|| text.clone(), |width| wrapped(&text, width))
            }
            false => return self.json(value),
        };
        self.send(|out| Ok(out.write_all(rendered.as_bytes())?))
    }

    /// Prints `value` as JSON.
    pub(crate) fn json<T: Serialize>(&mut self, value: &T) -> Result<()> {
        self.bytes(printable_json(serde_json::to_string_pretty(value)? + "\n").as_bytes())
    }

    /// Writes complete bytes.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<()> {
        self.write(|out| Ok(out.write_all(bytes)?))
    }

    /// Streams bytes to stdout; a file appears when it is complete. On a terminal, control characters are shown instead
    /// of executed; a pipe and a file get the bytes.
    pub(crate) fn write<T>(&mut self, write: impl FnOnce(&mut dyn Write) -> Result<T>) -> Result<T> {
        if !self.terminal || self.quiet {
            return self.send(write);
        }
        self.send(|out| {
            let mut screen = Screen::new(out);
            let written = write(&mut screen)?;
            screen.finish()?;
            Ok(written)
        })
    }

    fn send<T>(&mut self, write: impl FnOnce(&mut dyn Write) -> Result<T>) -> Result<T> {
        match &self.file {
            Some(path) if is_address(path) => {
                bail!("-o: only predict writes to a database; name a file")
            }
            Some(path) if s3::is_address(path) => {
                let object = Object::at(path)?;
                let mut kept = tempfile::tempfile()?;
                let mut out = BufWriter::new(&mut kept);
                let written = ending::packed(path, &mut out, write)?;
                out.flush()?;
                drop(out);
                object.put(&mut kept, Condition::Always)?;
                Ok(written)
            }
            // Errors of `write` name their own path; errors of the system about the file do not.
            Some(path) => {
                let named = |err: anyhow::Error| match err.is::<io::Error>() {
                    true => err.context(path.display().to_string()),
                    false => err,
                };
                atomic::replace(path, |out| ending::packed(path, out, write)).map_err(named)
            }
            None if self.quiet => write(&mut io::sink()),
            None => {
                let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
                let written = write(&mut out)?;
                out.flush()?;
                Ok(written)
            }
        }
    }
}

/// Marks our own colour codes until the text is written: names in a text come from others, who cannot guess the mark.
static MARK: LazyLock<String> = LazyLock::new(|| format!("\x1b{:016x};", RandomState::new().build_hasher().finish()));

/// The style of readable text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Style {
    color: bool,
    width: Option<usize>,
}

impl Style {
    /// Bold text.
    pub(crate) fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    /// Dimmed text.
    pub(crate) fn dim(self, text: &str) -> String {
        self.paint("2", text)
    }

    /// A verdict in red, green or amber; the words themselves say the same.
    pub(crate) fn verdict(self, tone: &str, text: &str) -> String {
        self.paint(
            match tone {
                "drifted" | "bad" => "31",
                "stable" | "good" => "32",
                _ => "33",
            },
            text,
        )
    }

    /// Columns of the terminal; `None` without one.
    pub(crate) fn width(self) -> Option<usize> {
        self.width
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.color { format!("{}{code}m{text}{}0m", *MARK, *MARK) } else { text.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::{MARK, Style, printable_styled};

    #[test]
    fn verdicts_are_red_green_or_amber_and_plain_without_colour() {
        let style = |color| Style { color, width: None };
        for (tone, code) in [("drifted", 31), ("bad", 31), ("stable", 32), ("good", 32), ("unknown", 33)] {
            let said = printable_styled(&style(true).verdict(tone, "said"), &MARK);
            assert_eq!(said, format!("\x1b[{code}msaid\x1b[0m"));
            assert_eq!(style(false).verdict(tone, "said"), "said");
        }
    }
}
