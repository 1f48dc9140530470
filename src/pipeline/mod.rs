//! Schema, features, model, calibration and threshold as one thing.
