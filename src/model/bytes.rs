//! The binary format of a model: versioned, checked, data only.
//!
//! ```text
//! "mlloopM\0"  version u32  header length u32  header (JSON)  walk length u64  walk bytes
//!               engine length u64  engine bytes  XXH3 of all before u64
//! ```
//!
//! Numbers are little-endian. Every length is compared with the available bytes before any allocation, and no part is
//! read before the checksum has matched. Scores need only the walk; the engine's part (compressed, checked and
//! validated by the engine) is read when explanations or other formats are requested. Version 1 had no walk.

use crate::model::engine::Engine;
use crate::model::error::ModelError;
use crate::model::plan::Plan;
use crate::model::{Head, Model};
use crate::stats::random::hash64;
use serde::{Deserialize, Serialize};

const MAGIC: &[u8; 8] = b"mlloopM\0";
const VERSION: u32 = 2;

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
    /// If the engine cannot write its trees.
    pub fn to_bytes(&self) -> Result<Vec<u8>, ModelError> {
        let header = Header { head: self.head.clone(), plan: self.plan.clone() };
        let header = serde_json::to_vec(&header).map_err(|error| ModelError::Format(error.to_string()))?;
        let (walk, engine) = (self.engine.walk_bytes(), self.engine.to_bytes()?);
        let mut bytes = Vec::with_capacity(40 + header.len() + walk.len() + engine.len());
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&(header.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&header);
        for part in [&walk, &engine] {
            bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
            bytes.extend_from_slice(part);
        }
        bytes.extend_from_slice(&hash64(&bytes, 0).to_le_bytes());
        Ok(bytes)
    }

    /// A model from the bytes written by [`to_bytes`](Self::to_bytes).
    ///
    /// # Errors
    ///
    /// [`ModelError::Format`] for other files or versions, and for missing, added or changed bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ModelError> {
        let damaged = |what: &str| ModelError::Format(what.to_string());
        let rest = bytes.strip_prefix(MAGIC).ok_or_else(|| damaged("the first bytes are not those of a model"))?;
        let (version, _) = rest.split_first_chunk::<4>().ok_or_else(|| damaged("it ends in its header"))?;
        let version = u32::from_le_bytes(*version);
        if !(1..=VERSION).contains(&version) {
            return Err(ModelError::Format(format!("format version {version}, this program reads up to {VERSION}")));
        }
        let (body, sum) = bytes.split_last_chunk::<8>().ok_or_else(|| damaged("it ends in its header"))?;
        if hash64(body, 0).to_le_bytes() != *sum {
            return Err(damaged("the checksum does not match: bytes are missing or changed"));
        }
        let rest = &body[(MAGIC.len() + 4).min(body.len())..];
        let (length, rest) = rest.split_first_chunk::<4>().ok_or_else(|| damaged("it ends in its header"))?;
        let (header, rest) = part(rest, u64::from(u32::from_le_bytes(*length)))?;
        let sized = |rest| {
            let (length, rest) = split_length(rest).ok_or_else(|| damaged("it ends before its trees"))?;
            part(rest, length)
        };
        let (walk, rest) = if version == 1 { (&[][..], rest) } else { sized(rest)? };
        let (engine, rest) = sized(rest)?;
        if !rest.is_empty() {
            return Err(damaged("bytes follow its trees"));
        }
        let header: Header = serde_json::from_slice(header).map_err(|error| ModelError::Format(error.to_string()))?;
        let engine = if walk.is_empty() { Engine::from_bytes(engine) } else { Engine::from_walk(walk, engine) };
        Self::of(engine?, header.head, header.plan)
    }
}

fn split_length(bytes: &[u8]) -> Option<(u64, &[u8])> {
    bytes.split_first_chunk::<8>().map(|(length, rest)| (u64::from_le_bytes(*length), rest))
}

/// The first `length` bytes, and the rest.
fn part(bytes: &[u8], length: u64) -> Result<(&[u8], &[u8]), ModelError> {
    usize::try_from(length)
        .ok()
        .and_then(|length| bytes.split_at_checked(length))
        .ok_or_else(|| ModelError::Format(format!("a part should have {length} bytes, but {} are left", bytes.len())))
}
