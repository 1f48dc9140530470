//! The engine's model, which needs 44 bytes per node where scoring needs 8: a loaded model keeps it packed.

use crate::model::compact::Compact;
use crate::model::error::ModelError;
use hessboost::model::{BoostedModel, ModelFormat};
use std::sync::{Arc, OnceLock};

/// A model of the engine, open or packed, and its cached properties.
#[derive(Debug, Clone)]
pub(super) struct Engine {
    open: OnceLock<BoostedModel>,
    /// The model as bytes, when it was loaded.
    packed: Option<Arc<[u8]>>,
    /// Built when first scored; empty inside if only the engine can score it.
    compact: OnceLock<Option<Compact>>,
    pub(super) n_features: usize,
    pub(super) n_margins: usize,
    pub(super) n_trees: usize,
    pub(super) n_rounds: usize,
    pub(super) base_scores: Vec<f32>,
}

impl Engine {
    pub(super) fn new(model: BoostedModel) -> Self {
        Self {
            packed: None,
            compact: OnceLock::new(),
            n_features: model.n_features(),
            n_margins: model.n_outputs(),
            n_trees: model.num_trees(),
            n_rounds: if model.num_trees() == 0 { 0 } else { model.num_boost_rounds() },
            base_scores: model.base_scores().to_vec(),
            open: OnceLock::from(model),
        }
    }

    /// Reads only the compact layout; `packed` is kept for other uses.
    ///
    /// # Errors
    /// If `walk` was not written by [`walk_bytes`](Self::walk_bytes).
    pub(super) fn from_walk(walk: &[u8], packed: &[u8]) -> Result<Self, ModelError> {
        let read = Compact::from_bytes(walk);
        let (compact, n_rounds) = read.ok_or_else(|| ModelError::Format("its trees are damaged".to_owned()))?;
        Ok(Self {
            open: OnceLock::new(),
            packed: Some(packed.into()),
            n_features: compact.n_features,
            n_margins: compact.base.len(),
            n_trees: compact.trees.len(),
            n_rounds,
            base_scores: compact.base.clone(),
            compact: OnceLock::from(Some(compact)),
        })
    }

    /// Reads the bytes written by [`to_bytes`](Self::to_bytes).
    ///
    /// # Errors
    /// If the bytes are not those of a model.
    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, ModelError> {
        Ok(Self::new(decode(bytes)?))
    }

    /// The compact layout as bytes; empty if the trees are not supported by it.
    pub(super) fn walk_bytes(&self) -> Vec<u8> {
        self.compact().map_or_else(Vec::new, |compact| compact.to_bytes(self.n_rounds))
    }

    /// The model as bytes.
    ///
    /// # Errors
    /// When the engine cannot write its trees.
    pub(super) fn to_bytes(&self) -> Result<Vec<u8>, ModelError> {
        match &self.packed {
            Some(packed) => Ok(packed.to_vec()),
            None => Ok(self.open()?.encode(ModelFormat::Binary)?),
        }
    }

    /// The model itself; the first call unpacks it.
    ///
    /// # Errors
    /// When the packed bytes are not those of a model.
    pub(super) fn open(&self) -> Result<&BoostedModel, ModelError> {
        if let (None, Some(packed)) = (self.open.get(), &self.packed) {
            // If another thread was first, its result is used.
            let _ = self.open.set(decode(packed)?);
        }
        self.open.get().ok_or_else(|| ModelError::Format("there are no trees".to_owned()))
    }

    /// The compact layout, if it supports the trees.
    pub(super) fn compact(&self) -> Option<&Compact> {
        self.compact.get_or_init(|| Compact::of(self.open().ok()?)).as_ref()
    }
}

fn decode(bytes: &[u8]) -> Result<BoostedModel, ModelError> {
    BoostedModel::decode(bytes, ModelFormat::Binary).map_err(|error| ModelError::Format(error.to_string()))
}
