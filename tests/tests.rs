//! One binary for all tests from outside, one module per subject: linking is what takes long.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::print_stderr,
    clippy::too_many_lines,
    reason = "tests may stop at once, write files as they like, and say what they skip"
)]

mod mock;
mod modes;
mod skipped;
mod support;

mod asked_by;
mod asked_before;
mod audit;
mod ab;
mod ab_loop;
mod arm64;
mod browser;
mod cli;
mod coming_from;
mod completion;
mod dashboard;
mod depot;
mod fuzz;
mod gate;
mod gate_faults;
mod download;
mod download_hostile;
mod download_split;
mod features;
mod feedback;
mod drivers;
mod hostile_names;
mod init;
mod install;
mod interchange;
mod intervals;
mod journal;
mod levels;
mod limits;
mod labels;
mod layers;
mod monitor;
mod pages;
mod monitor_columns;
mod notify;
mod passed_on;
mod plans;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "postgres")]
mod label_store;
mod preset;
mod profile;
mod readme;
mod real_tables;
mod serve;
mod replay;
mod retrain;
mod run;
mod run_step;
mod schemas;
mod seals;
mod track;
mod texts;
mod simulate;
mod standing;
mod train;
mod weights;
mod windows;
mod sheets;
mod written;
