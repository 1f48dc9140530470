//! One binary for all tests from outside, one module per subject: linking is what takes long.

mod support;

mod cli;
mod interchange;
mod layers;
mod readme;
mod real_tables;
mod train;
