//! Matrix to prediction: forest, boosting and single tree behind one type.
//!
//! Nothing but this module names the engine.

pub mod params;

pub use params::{Algorithm, Params};
