//! Predictions and truth to metrics.
