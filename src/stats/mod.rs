//! Numbers in, numbers out.

pub mod moments;
pub mod normal;
pub mod quantiles;
pub mod random;
pub mod ranks;
pub mod sample;
pub mod pooled;
pub mod tails;
pub mod kolmogorov;
pub mod ks;
pub mod distances;
pub mod cramer;
pub mod anderson;
pub mod location;
pub mod epps;
pub mod shares;
pub mod binned;
pub mod levels;
pub mod tvd;
pub mod mmd;
pub mod psi;
pub mod bivariate;
pub mod contrast;
pub mod sequence;
pub mod agreement;
pub mod weighted;
