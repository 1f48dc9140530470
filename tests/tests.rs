//! One binary for all tests from outside, one module per subject.

mod interchange;
