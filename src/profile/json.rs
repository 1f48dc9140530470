//! The JSON of a profile: short lists are readable, long ones packed; input is validated.

use super::kll::Kll;
use super::{Distribution, FORMAT, Moments, Profile, ProfileError, Shape};
use crate::stats::sample::Sample;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::borrow::Cow;

/// Longer lists are packed: base64 of little-endian f64 (values), or of unsigned integers of 1, 2, 4 or 8 bytes (counts).
const READABLE: usize = 256;
/// No table has more rows. Counts up to here are exact as f64, and thousands of profiles can be added without overflow.
const MAX_ROWS: u64 = 1 << 53;

#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
enum Form<'a> {
    #[serde(rename = "exact")]
    Exact {
        #[serde(borrow)]
        values: List<'a, f64>,
        /// Absent for a long list whose values all differ.
        #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
        counts: Option<List<'a, u64>>,
    },
    /// Base64 of the binary form of Apache DataSketches.
    #[serde(borrow)]
    Kll(Cow<'a, str>),
}

/// A list as it is, or packed.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(untagged)]
enum List<'a, T> {
    // Tried first: for a string that is not a list, the error would quote it in full.
    #[serde(borrow)]
    Packed(Cow<'a, str>),
    Readable(Vec<T>),
}

impl<T: Copy> List<'_, T> {
    /// Packs long lists: the first `width` bytes of the eight of each value.
    fn new(all: &[T], width: usize, bytes: impl Fn(T) -> [u8; 8]) -> Self {
        if all.len() <= READABLE {
            return Self::Readable(all.to_vec());
        }
        let mut packed = Vec::with_capacity(all.len() * width);
        all.iter().for_each(|&v| packed.extend_from_slice(&bytes(v)[..width]));
        Self::Packed(STANDARD.encode(packed).into())
    }

    /// Unpacks a list; packed values are `width` bytes wide, which may depend on the number of bytes.
    fn open(self, width: impl Fn(usize) -> usize, value: impl Fn([u8; 8]) -> T) -> Result<Vec<T>, String> {
        let text = match self {
            Self::Readable(all) => return Ok(all),
            Self::Packed(text) => text,
        };
        let bytes = STANDARD.decode(text.as_bytes()).map_err(|err| format!("a packed list is not base64: {err}"))?;
        let width = width(bytes.len());
        if let (8, (all, [])) = (width, bytes.as_chunks::<8>()) {
            return Ok(all.iter().map(|&chunk| value(chunk)).collect());
        }
        if !matches!(width, 1 | 2 | 4 | 8) || bytes.len() % width != 0 {
            return Err("a packed list is cut short".to_owned());
        }
        let wide = |chunk: &[u8]| {
            let mut wide = [0; 8];
            wide[..width].copy_from_slice(chunk);
            value(wide)
        };
        Ok(bytes.chunks_exact(width).map(wide).collect())
    }
}

/// The number of bytes per count that fits the largest: 1, 2, 4 or 8.
fn count_width(counts: &[u64]) -> usize {
    match counts.iter().max().copied().unwrap_or(0) {
        0..=0xff => 1,
        0x100..=0xffff => 2,
        0x1_0000..=0xffff_ffff => 4,
        _ => 8,
    }
}

impl Serialize for Distribution {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let form = match self {
            Self::Exact(sample) => {
                let (values, counts) = (sample.values(), sample.counts());
                let all_differ = counts.len() > READABLE && counts.iter().all(|&count| count == 1);
                Form::Exact {
                    values: List::new(values, 8, f64::to_le_bytes),
                    counts: (!all_differ).then(|| List::new(counts, count_width(counts), u64::to_le_bytes)),
                }
            }
            Self::Sketch(sketch) => Form::Kll(STANDARD.encode(sketch.to_bytes()).into()),
        };
        form.serialize(to)
    }
}

#[cfg(test)]
impl schemars::JsonSchema for Distribution {
    fn schema_name() -> Cow<'static, str> {
        "Distribution".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        Form::json_schema(generator)
    }
}

impl<'de> Deserialize<'de> for Distribution {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        open(Form::deserialize(from)?).map_err(de::Error::custom)
    }
}

fn open(form: Form<'_>) -> Result<Distribution, String> {
    match form {
        Form::Exact { values, counts } => {
            let values = values.open(|_| 8, f64::from_le_bytes)?;
            let n = values.len();
            let counts = match counts {
                Some(counts) => counts.open(|n_bytes| n_bytes / n.max(1), u64::from_le_bytes)?,
                None => vec![1; n],
            };
            if n != counts.len() {
                return Err(format!("{n} values have {} counts", counts.len()));
            }
            let sample = Sample::from_counts(values, counts);
            let what = "values are not finite, sorted and distinct, or one has the count 0";
            Ok(Distribution::Exact(sample.ok_or(what)?))
        }
        Form::Kll(text) => {
            let bytes = STANDARD.decode(text.as_bytes()).map_err(|err| format!("a sketch is not base64: {err}"))?;
            Ok(Distribution::Sketch(Kll::from_bytes(&bytes).map_err(|what| format!("a sketch {what}"))?))
        }
    }
}

impl Profile {
    /// Reads a profile and checks that its numbers belong together.
    ///
    /// # Errors
    /// [`ProfileError::Damaged`], with the place.
    pub fn from_json(bytes: &[u8]) -> Result<Self, ProfileError> {
        let profile: Self = serde_json::from_slice(bytes).map_err(|err| ProfileError::Damaged(err.to_string()))?;
        profile.check().map_err(ProfileError::Damaged)?;
        Ok(profile)
    }

    /// The profile as JSON on one line per file.
    ///
    /// # Errors
    /// Errors of serde; a profile causes none.
    pub fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(self)
    }

    fn check(&self) -> Result<(), String> {
        if self.format != FORMAT {
            return Err(format!("is of format {}; this mlloop reads format {FORMAT}", self.format));
        }
        if self.n_rows > MAX_ROWS {
            return Err(format!("has the row count {}", self.n_rows));
        }
        let mut seen = std::collections::HashSet::new();
        for column in &self.columns {
            let name = &column.name;
            if !seen.insert(name) {
                return Err(format!("duplicate column {name:?}"));
            }
            let counted = match &column.shape {
                Shape::Numbers(numbers) => {
                    let Moments { n, min, max, .. } = numbers.moments;
                    let (total, least, greatest) = extent(&numbers.distribution);
                    if total != Some(n) || (n > 0 && (least != min || greatest != max)) {
                        return Err(format!("column {name:?}: moments and distribution do not agree"));
                    }
                    let calendar = numbers.calendar.as_ref();
                    if numbers.n_minus_infinite > numbers.n_infinite || calendar.is_some_and(|c| !c.adds_up_to(n)) {
                        return Err(format!("column {name:?}: infinite numbers or the calendar do not add up"));
                    }
                    n.checked_add(numbers.n_infinite)
                }
                Shape::Levels(levels) => {
                    total(levels.counts.values().copied()).and_then(|n| n.checked_add(levels.other))
                }
                Shape::Text => self.n_rows.checked_sub(column.n_missing),
            };
            if counted.and_then(|n| n.checked_add(column.n_missing)) != Some(self.n_rows) {
                return Err(format!("column {name:?}: cells do not add up to {} rows", self.n_rows));
            }
        }
        Ok(())
    }
}

/// The number of values, the smallest and the largest.
fn extent(distribution: &Distribution) -> (Option<u64>, f64, f64) {
    match distribution {
        Distribution::Exact(sample) => {
            let end = |v: Option<&f64>| v.copied().unwrap_or(0.0);
            (total(sample.counts().iter().copied()), end(sample.values().first()), end(sample.values().last()))
        }
        Distribution::Sketch(sketch) => (Some(sketch.n), sketch.min, sketch.max),
    }
}

fn total(mut counts: impl Iterator<Item = u64>) -> Option<u64> {
    counts.try_fold(0_u64, u64::checked_add)
}
