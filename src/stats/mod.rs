//! Numbers in, numbers out.

pub mod moments;
pub mod normal;
pub mod quantiles;
pub mod random;
pub mod ranks;
pub mod sample;
