//! A model as bytes: versioned, checked, data only.
//!
//! ```text
//! "mlloopM\0"  version u32  header length u32  header (JSON)  engine length u64  engine bytes  XXH3 of all before u64
//! ```
//!
//! Numbers are little-endian. Every length is compared with what is there before anything is allocated, and the
//! engine reads its part (compressed, checked and validated by itself) only after the checksum has matched.

use crate::model::error::ModelError;
use crate::model::plan::Plan;
use crate::model::{Head, Model};
use crate::stats::random::hash64;
use hessboost::model::{BoostedModel, ModelFormat};
use serde::{Deserialize, Serialize};

const MAGIC: &[u8; 8] = b"mlloopM\0";
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    head: Head,
    plan: Option<Plan>,
}

impl Model {
    /// The model as bytes; the same model gives the same bytes.
    ///
    /// # Errors
    ///
    /// When the engine cannot write its trees.
    pub fn to_bytes(&self) -> Result<Vec<u8>, ModelError> {
        let header = Header { head: self.head.clone(), plan: self.plan.clone() };
        let header = serde_json::to_vec(&header).map_err(|error| ModelError::Format(error.to_string()))?;
        let engine = self.engine.encode(ModelFormat::Binary)?;
        let mut bytes = Vec::with_capacity(32 + header.len() + engine.len());
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&(header.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&header);
        bytes.extend_from_slice(&(engine.len() as u64).to_le_bytes());
        bytes.extend_from_slice(&engine);
        bytes.extend_from_slice(&hash64(&bytes, 0).to_le_bytes());
        Ok(bytes)
    }

    /// A model from what [`to_bytes`](Self::to_bytes) wrote.
    ///
    /// # Errors
    ///
    /// [`ModelError::Format`] for anything else: other files, other versions, missing, added or changed bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ModelError> {
        let damaged = |what: &str| ModelError::Format(what.to_string());
        let rest = bytes.strip_prefix(MAGIC).ok_or_else(|| damaged("the first bytes are not those of a model"))?;
        let (version, _) = rest.split_first_chunk::<4>().ok_or_else(|| damaged("it ends in its header"))?;
        let version = u32::from_le_bytes(*version);
        if version != VERSION {
            return Err(ModelError::Format(format!("format version {version}, this program reads {VERSION}")));
        }
        let (body, sum) = bytes.split_last_chunk::<8>().ok_or_else(|| damaged("it ends in its header"))?;
        if hash64(body, 0).to_le_bytes() != *sum {
            return Err(damaged("the checksum does not match: bytes are missing or changed"));
        }
        let rest = &body[(MAGIC.len() + 4).min(body.len())..];
        let (length, rest) = rest.split_first_chunk::<4>().ok_or_else(|| damaged("it ends in its header"))?;
        let (header, rest) = part(rest, u64::from(u32::from_le_bytes(*length)))?;
        let (length, rest) = rest.split_first_chunk::<8>().ok_or_else(|| damaged("it ends before its trees"))?;
        let (engine, rest) = part(rest, u64::from_le_bytes(*length))?;
        if !rest.is_empty() {
            return Err(damaged("bytes follow its trees"));
        }
        let header: Header = serde_json::from_slice(header).map_err(|error| ModelError::Format(error.to_string()))?;
        let engine =
            BoostedModel::decode(engine, ModelFormat::Binary).map_err(|error| ModelError::Format(error.to_string()))?;
        Self::from_engine(engine, header.head, header.plan)
    }
}

/// The first `length` bytes, and what follows.
fn part(bytes: &[u8], length: u64) -> Result<(&[u8], &[u8]), ModelError> {
    usize::try_from(length)
        .ok()
        .and_then(|length| bytes.split_at_checked(length))
        .ok_or_else(|| ModelError::Format(format!("a part of {length} bytes is announced, {} are left", bytes.len())))
}
