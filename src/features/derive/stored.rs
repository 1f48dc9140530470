//! Derived features as they are stored with the model.

use super::program::Program;
use super::{Definitions, Derived, groups, wrong};
use crate::table::Kind;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    definitions: Definitions,
    reads: Vec<Read>,
    statistics: Vec<groups::Stored>,
}

/// A raw column that expressions read.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Read {
    column: String,
    kind: Kind,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    levels: Vec<String>,
}

impl Serialize for Derived {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let read = |(column, kind): &(String, Kind)| Read {
            column: column.clone(),
            kind: *kind,
            levels: self.levels.iter().find(|(name, _)| name == column).map(|(_, l)| l.clone()).unwrap_or_default(),
        };
        Stored {
            definitions: self.definitions.clone(),
            reads: self.program.reads.iter().map(read).collect(),
            statistics: self.learned.iter().cloned().map(groups::Stored::from).collect(),
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Derived {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error as _;
        let Stored { definitions, reads, statistics } = Stored::deserialize(deserializer)?;
        let columns: Vec<(&str, Kind)> = reads.iter().map(|read| (read.column.as_str(), read.kind)).collect();
        let program =
            Program::new(&definitions, &columns, "").map_err(|err| D::Error::custom(wrong(&definitions, err)))?;
        if program.n_slots != statistics.len() || program.reads.len() != reads.len() {
            return Err(D::Error::custom("[features.derived]: the stored statistics do not match the expressions"));
        }
        let learned = statistics.into_iter().map(groups::Stored::read).collect::<Result<_, _>>();
        let levels =
            reads.into_iter().filter(|read| read.kind == Kind::Category).map(|read| (read.column, read.levels));
        let window_columns = program.window_columns(&definitions);
        let (learned, levels) = (learned.map_err(D::Error::custom)?, levels.collect());
        Ok(Self { program, learned, levels, window_columns, definitions })
    }
}
