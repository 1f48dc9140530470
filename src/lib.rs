//! The learning loop on tabular data, as a library of nouns; the verbs are in the binary.
//!
//! The modules below are in the order of the data flow. **A module uses only modules above it**;
//! `tests/layers.rs` checks this.
//!
//! The library never prints, prompts, reads the environment or the clock: it gets these as arguments.

// ── tests ──
// How a test reports that it cannot run here; tests in `tests/` use the same function.
#[cfg(test)]
#[path = "../tests/skipped.rs"]
#[allow(clippy::disallowed_methods, reason = "a test may read the environment")]
mod skipped;
// ── numbers ──
// Numerical functions: seeded random numbers, moments, ranks, quantiles, the normal distribution.
pub mod stats;
// SHA-256 as text.
pub mod digest;
// Replace a file, append a line, take the lock: the only code that writes to a workspace.
pub mod atomic;
/// Error messages: misspelt names, short lists, and the types of TOML and JSON in plain words.
pub mod wording;
// Untrusted text, made safe for terminals.
pub mod printable;
// Untrusted text, escaped for HTML, SVG and XML.
pub mod markup;
/// Lengths of time as people write them: `30m`, `12h`, `7d`.
pub mod period;
// Work shared among threads: each small piece on one thread.
pub mod threads;
// Settings shared by all calls over HTTPS.
pub mod web;
// ── tables ──
// Objects of S3: read, and written as a whole.
pub mod s3;
// Columns, their schema, and the readers and writers of CSV and Parquet.
pub mod table;
// Column profiles: exact for small columns, sketches for large ones; mergeable.
pub mod profile;
// ── models ──
// Table to matrix: impute, encode, clip, scale; learned on training rows only.
pub mod features;
// Matrix to prediction: forest, boosting, single tree behind one type; contributions; other tools' formats.
pub mod model;
// From predictions and truth to metrics, intervals, calibration and thresholds.
pub mod score;
// Schema, features, model, calibration and threshold: fitted, stored and served together.
pub mod pipeline;
// Compare profiles: columns, target, score, performance; triggers and the verdict.
pub mod drift;
// Reports of `monitor`: a page, a picture and terminal text.
pub mod report;
// ── the loop ──
// Notifications: console, e-mail, webhook; queued, retried, and sent once.
pub mod notify;
// JSON over HTTP to other servers.
pub mod remote;
// Versions and their roles, such as production and challenger.
pub mod registry;
// `mlloop.toml`, the paths of a workspace, and the run log.
pub mod workspace;
// The prediction log: append, read a window, join with outcomes.
pub mod journal;
// Earlier rows for windows, and the values of windows for tables and the log.
pub mod past;
// Labelling: the rows to label, the answers, and the labels that result from them.
pub mod labels;
// Human feedback on single predictions: recorded, converted to labels, counted.
pub mod feedback;
// The history of one row: its predictions, labels, and the versions that were trained on it.
pub mod lineage;
// The reference: the training rows of production, and the rows that a challenger adds.
pub mod reference;
// From a table to `mlloop.toml`: the logic of `init`.
pub mod init;
// From a reference to a stored version: the logic of `train`.
pub mod train;
// Scores for a table of any length, in the order of its rows.
pub mod predict;
// Traffic generated from a table: the logic of `simulate`.
pub mod simulate;
// Is there a reason to retrain? The logic of `monitor`.
pub mod monitor;
// Is the challenger better than production? The logic of `promote`, `approve`, `reject` and `rollback`.
pub mod gate;
// From labels to a challenger: the logic of `retrain`.
pub mod retrain;
// Experiments: the arm of a unit, rollouts in steps, and whether one arm is better.
pub mod ab;
// Replays decisions from the files of the loop: the logic of `audit replay`.
pub mod replay;
// HTTP: predictions in JSON over a snapshot of the registry.
#[cfg(feature = "serve")]
pub mod serve;
// The state of a loop, on one page of Markdown.
pub mod summary;
// Is a loop in order? Checks each part separately.
pub mod doctor;
// Files that drive a loop: for make, cron, systemd, GitHub Actions.
pub mod scaffold;
// Fetch, check, unpack and split a table: the logic of `download`.
pub mod source;
// The whole loop once, as a scheduler would run it.
pub mod round;
// Sends the changes of the audit chain to an MLflow tracking server.
pub mod track;
// A copy of a loop in another place: the logic of `push` and `pull`.
pub mod depot;
// A small, seeded, drifting stream of card payments to try the loop on.
pub mod demo;
// The web pages for decisions, labelling and reports, served by `serve`.
#[cfg(feature = "serve")]
pub mod dashboard;
// JSON answers of verbs that combine several types; the schemas of every answer.
pub mod answers;
