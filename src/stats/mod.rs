//! Numbers in, numbers out.

pub mod random;
