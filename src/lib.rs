//! The learning loop on tabular data, as a library of nouns; the verbs are in the binary.
//!
//! The modules below stand in the order in which data flows. **A module uses only modules above it**;
//! `tests/layers.rs` holds the source to that.
//!
//! The library never prints, prompts, reads the environment or asks for the time: those arrive as arguments.

// ── tests ──
// How a test says that it cannot run here; those from outside use the same.
#[cfg(test)]
#[path = "../tests/skipped.rs"]
#[allow(clippy::disallowed_methods, reason = "a test may ask the environment")]
mod skipped;
// ── numbers ──
// Numbers in, numbers out: seeded random, moments, ranks, quantiles, the normal distribution.
pub mod stats;
// SHA-256 as text.
pub mod digest;
// Replace a file, append a line, take the lock: the only code that writes to a workspace.
pub mod atomic;
/// Errors in words: misspelt names, lists that stay short, what TOML and JSON say of types.
pub mod wording;
// Text of others as a terminal may be given it.
pub mod printable;
// Text of others in HTML, SVG and XML.
pub mod markup;
/// Lengths of time as people write them: `30m`, `12h`, `7d`.
pub mod period;
// What every call over HTTPS shares.
pub mod web;
// ── tables ──
// Objects of S3, read and written whole.
pub mod s3;
// Columns, their schema, and the readers and writers of CSV and Parquet.
pub mod table;
// What a table looks like, column by column: exact while that is small, sketched beyond, and mergeable.
pub mod profile;
// ── models ──
// Table to matrix: impute, encode, clip, scale; learned on training rows only.
pub mod features;
// Matrix to prediction: forest, boosting, single tree behind one type; contributions; other tools' formats.
pub mod model;
// Predictions and truth to metrics, intervals, calibration and operating thresholds.
pub mod score;
// Schema, features, model, calibration and threshold: fitted, stored and served as one thing.
pub mod pipeline;
// Compare profiles: columns, target, score, performance; triggers and the verdict.
pub mod drift;
// What `monitor` found, for people: a page, a picture and a terminal's worth of text.
pub mod report;
// ── the loop ──
// Messages to people: console, e-mail, webhook; queued, tried again, and told once.
pub mod notify;
// Servers of others, asked in JSON over HTTP.
pub mod remote;
// Versions and roles: what was trained, and which of it is in production.
pub mod registry;
// `mlloop.toml`, the paths of a workspace, and the run log.
pub mod workspace;
// The prediction log: append, read a window, join what became of the rows.
pub mod journal;
// The rows that windows look back on, and the values of windows for tables and the log.
pub mod past;
// Which rows people should look at, what they said, and which of it holds.
pub mod labels;
// What people said of single predictions: taken in, made into labels, counted.
pub mod feedback;
// What became of one row: its predictions, its labels, and the versions that learned from them.
pub mod lineage;
// The rows that production was trained on, and what a challenger adds to them.
pub mod reference;
// From a table to `mlloop.toml`: what `init` does.
pub mod init;
// From a reference to a stored version: what `train` does.
pub mod train;
// Scores for a table of any length, in the order of its rows.
pub mod predict;
// Traffic made from a table: what `simulate` does.
pub mod simulate;
// Is there a reason to retrain? What `monitor` does.
pub mod monitor;
// Does the challenger deserve production? What `promote`, `approve`, `reject` and `rollback` do.
pub mod gate;
// From labels to a challenger: what `retrain` does.
pub mod retrain;
// Experiments: which arm a unit is in, rollouts by steps, and whether one arm is better.
pub mod ab;
// Decisions made again from the files of the loop: what `audit replay` does.
pub mod replay;
// HTTP: predictions in JSON over a snapshot of the registry.
#[cfg(feature = "serve")]
pub mod serve;
// Where a loop stands, on one page of Markdown.
pub mod summary;
// Is a loop in order? Each part looked at by itself.
pub mod doctor;
// Files that drive a loop: for make, cron, systemd, GitHub Actions.
pub mod scaffold;
// Fetch, check, unpack and split a table: what `download` does.
pub mod source;
// The whole loop once, as a scheduler would run it.
pub mod round;
// The changes of the audit chain, told to an MLflow tracking server.
pub mod track;
// A copy of a loop in another place: what `push` and `pull` do.
pub mod depot;
// A small, seeded, drifting stream of card payments to try the loop on.
pub mod demo;
// The pages where people decide, label and look; in front of `serve`.
#[cfg(feature = "serve")]
pub mod dashboard;
// What verbs print as JSON where several nouns are put together; the schemas of every answer.
pub mod answers;
