//! Bars and messages on stderr; bars only on a terminal.

use super::wrap;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use mlloop::printable;
use mlloop::table::Rejects;
use std::io::{IsTerminal, Write};
use std::sync::{Mutex, PoisonError};

/// Where a verb reports its progress.
pub(crate) struct Progress {
    quiet: bool,
    terminal: bool,
}

impl Progress {
    pub(crate) fn new(quiet: bool) -> Self {
        Self { quiet, terminal: std::io::stderr().is_terminal() }
    }

    /// One line on stderr.
    pub(crate) fn note(&self, message: impl std::fmt::Display) {
        if !self.quiet {
            // A closed stderr must not fail the command.
            let told = printable::message(&message.to_string());
            let _ = writeln!(std::io::stderr(), "{}", wrap::message(&told, wrap::width(self.terminal)));
        }
    }

    /// Reports the rows skipped in a table, with the first reasons.
    pub(crate) fn rejects(&self, rejects: &Rejects) {
        self.rejects_of("", rejects);
    }

    /// The same for one of several tables; `of` is a phrase such as " of the reference".
    pub(crate) fn rejects_of(&self, of: &str, rejects: &Rejects) {
        const SHOWN: usize = 5;
        if rejects.count == 0 {
            return;
        }
        let (rows, were) = if rejects.count == 1 { ("row", "was") } else { ("rows", "were") };
        self.note(format_args!("note: {} {rows}{of} {were} skipped", rejects.count));
        for reject in rejects.first.iter().take(SHOWN) {
            self.note(format_args!("  {reject}"));
        }
        if rejects.count > SHOWN as u64 {
            self.note(format_args!("  and {} more", rejects.count - SHOWN as u64));
        }
    }

    /// A bar for received bytes, with their rate; hidden unless stderr is a terminal.
    pub(crate) fn transfer(&self) -> Transfer<'_> {
        let hidden = self.quiet || !self.terminal;
        let target = if hidden { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        Transfer { bar: ProgressBar::with_draw_target(None, target), progress: self }
    }

    /// A bar that names the current step; hidden unless stderr is a terminal.
    pub(crate) fn steps(&self) -> Steps {
        let hidden = self.quiet || !self.terminal;
        let bar = ProgressBar::with_draw_target(
            Some(0),
            if hidden { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() },
        );
        if let Ok(style) = ProgressStyle::with_template("{msg:<18} {bar:32} {pos}/{len} {elapsed}") {
            bar.set_style(style);
        }
        Steps { bar, lines: (lines_wanted() && !self.quiet).then(Default::default) }
    }
}

/// Whether to print progress as lines on stderr, for a page that shows the log.
fn lines_wanted() -> bool {
    #[expect(clippy::disallowed_methods, reason = "the binary reads the environment")]
    let wanted = std::env::var("MLLOOP_PROGRESS");
    wanted.is_ok_and(|wanted| wanted == "lines")
}

/// A bar for several steps that are done one after another.
pub(crate) struct Steps {
    bar: ProgressBar,
    /// The last line printed, if lines are printed: the step and its quarter.
    lines: Option<Mutex<(String, u64)>>,
}

impl Steps {
    /// Shows that `done` of `total` steps of `what` are done.
    pub(crate) fn at(&self, what: &str, done: u64, total: u64) {
        if let Some(said) = &self.lines {
            let quarter = 4 * done / total.max(1);
            let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
            if (said.0.as_str(), said.1) != (what, quarter) {
                *said = (what.to_owned(), quarter);
                let _ = writeln!(std::io::stderr(), "{what} {done}/{total}");
            }
        }
        if self.bar.is_hidden() {
            return;
        }
        if self.bar.message() != what {
            self.bar.set_message(what.to_owned());
            self.bar.set_length(total);
        }
        self.bar.set_position(done);
    }

    /// Removes the bar.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// A bar for received bytes.
pub(crate) struct Transfer<'a> {
    bar: ProgressBar,
    progress: &'a Progress,
}

impl Transfer<'_> {
    /// Sets the number of received bytes, and the total.
    pub(crate) fn bytes(&self, n: u64, all: u64) {
        self.at(mlloop::source::Progress::Bytes(n, Some(all)));
    }

    /// Shows the progress; a pause is printed even without a bar.
    pub(crate) fn at(&self, step: mlloop::source::Progress<'_>) {
        match step {
            mlloop::source::Progress::Bytes(n, total) => {
                if self.bar.length() != total || self.bar.position() == 0 {
                    let form = match total {
                        Some(_) => "{bar:32} {bytes}/{total_bytes} {binary_bytes_per_sec} {eta}",
                        None => "{spinner} {bytes} {binary_bytes_per_sec} {elapsed}",
                    };
                    if let Ok(style) = ProgressStyle::with_template(form) {
                        self.bar.set_style(style);
                    }
                    total.into_iter().for_each(|total| self.bar.set_length(total));
                }
                self.bar.set_position(n);
            }
            mlloop::source::Progress::Again { why, pause } => self.bar.suspend(|| {
                self.progress.note(format_args!("{why}; trying again in {:.1} s", pause.as_secs_f64()));
            }),
        }
    }

    /// Removes the bar.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
