//! Where a verb's answer goes: stdout or a file, as JSON, as a readable table, or nowhere.

use super::Global;
use super::args::Color;
use super::printable::{printable_json, printable_styled};
use anyhow::Result;
use mlloop::atomic;
use serde::Serialize;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};

/// The one way out for data.
pub(crate) struct Output {
    file: Option<PathBuf>,
    quiet: bool,
    readable: bool,
    json: bool,
    color: bool,
}

impl Output {
    /// The file that the answer goes to.
    pub(crate) fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// Whether JSON was asked for by name.
    pub(crate) fn wants_json(&self) -> bool {
        self.json
    }

    pub(crate) fn new(global: &Global) -> Self {
        // What stdout leads to may be a file that others hold open: it is written to, never replaced.
        let file = global.output.clone().filter(|path| path.as_os_str() != "-" && path != Path::new("/dev/stdout"));
        let terminal = file.is_none() && io::stdout().is_terminal();
        #[expect(clippy::disallowed_methods, reason = "the one place that asks for NO_COLOR")]
        let no_color = std::env::var("NO_COLOR").is_ok_and(|v| !v.is_empty());
        Self {
            quiet: global.quiet && global.output.is_none(),
            file,
            json: global.json,
            readable: global.text || (terminal && !global.json),
            color: match global.color {
                Color::Auto => terminal && !no_color,
                Color::Always => true,
                Color::Never => false,
            },
        }
    }

    /// Prints `value` as JSON, or `text` where people read.
    pub(crate) fn answer<T: Serialize>(&mut self, value: &T, text: impl FnOnce(Style) -> String) -> Result<()> {
        let rendered = match self.readable {
            true => printable_styled(&text(Style { color: self.color })),
            false => printable_json(serde_json::to_string_pretty(value)? + "\n"),
        };
        self.bytes(rendered.as_bytes())
    }

    /// Writes bytes that are all there.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<()> {
        self.write(|out| Ok(out.write_all(bytes)?))
    }

    /// Writes bytes as they come: stdout is streamed, a file appears when it is whole.
    pub(crate) fn write<T>(&mut self, write: impl FnOnce(&mut dyn Write) -> Result<T>) -> Result<T> {
        match &self.file {
            // What `write` says names its own place; what the system says about the file does not.
            Some(path) => atomic::replace(path, write).map_err(|err| match err.is::<io::Error>() {
                true => err.context(path.display().to_string()),
                false => err,
            }),
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

/// How readable text is set.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Style {
    color: bool,
}

impl Style {
    /// Text that stands out.
    pub(crate) fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    /// Text that steps back.
    pub(crate) fn dim(self, text: &str) -> String {
        self.paint("2", text)
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.color { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}
