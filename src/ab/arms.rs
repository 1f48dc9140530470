//! The names of arms in a table: one arm under two spellings, and arms that hardly anybody is in.

use super::AbError;
use super::table::OutcomesRequest;
use crate::table::{Categories, MISSING_CODE};

/// More arms are a mistake in the column's name.
pub(super) const MAX_ARMS: usize = 100;

/// The levels of the arm's column that occur, and which of them are one arm.
pub(super) struct Spellings {
    /// Each level, the name it goes by, and its rows.
    levels: Vec<(String, String, u64)>,
}

impl Spellings {
    /// Looks for arms that are spelt in two ways, or are too small to be meant.
    ///
    /// # Errors
    /// Names both, and what to do; never when the arms are listed.
    pub(super) fn of(column: &Categories, request: &OutcomesRequest) -> Result<Self, AbError> {
        let mut rows = vec![0_u64; column.levels.len()];
        column.codes.iter().filter(|&&code| code != MISSING_CODE).for_each(|&code| rows[code as usize] += 1);
        let mut found = Self { levels: Vec::new() };
        let stands = column.levels.iter().zip(rows).filter(|(_, n)| *n > 0);
        let mut by_rows: Vec<(&String, u64)> = stands.collect();
        // The spelling of most rows is the name.
        by_rows.sort_by(|a, b| b.1.cmp(&a.1));
        for (level, n) in by_rows {
            let listed = request.arms.contains(level) || request.control == Some(level);
            let twin = found.levels.iter().find(|(other, _, _)| key(other) == key(level)).cloned();
            let name = match twin {
                Some((_, name, _)) if request.same_arms && !listed => name,
                Some((other, _, m)) if request.arms.is_empty() && !request.same_arms => {
                    return Err(AbError::Usage(format!(
                        "column {:?} holds {other:?} in {m} rows and {level:?} in {n}: if they are one arm, --same-arms \
                         makes them one; else list the arms: --arms {other},{level}",
                        request.arm
                    )));
                }
                _ => level.clone(),
            };
            found.levels.push((level.clone(), name, n));
        }
        if request.arms.is_empty() && request.weights.is_empty() {
            found.refuse_stray(request)?;
        }
        // As the column has them.
        found.levels.sort_by_key(|(level, _, _)| column.levels.iter().position(|other| other == level));
        Ok(found)
    }

    /// An arm of a few rows is a mistake of the table: it would stop the report for its share alone.
    fn refuse_stray(&self, request: &OutcomesRequest) -> Result<(), AbError> {
        let names = self.names();
        let rows = |name: &str| self.levels.iter().filter(|level| level.1 == name).map(|level| level.2).sum::<u64>();
        let all: u64 = self.levels.iter().map(|level| level.2).sum();
        let stray = |name: &&&str| (rows(name) as f64) < request.min_share * all as f64;
        if names.len() > MAX_ARMS {
            return Ok(());
        }
        let Some(found) = names.iter().find(stray) else { return Ok(()) };
        let rest: Vec<&str> = names.iter().filter(|name| !stray(name)).copied().collect();
        Err(AbError::Usage(format!(
            "column {:?} holds {found:?} in {} of {all} rows, less than {} of them: leave it out with --arms {}, or keep it \
             with --min-share 0",
            request.arm,
            rows(found),
            request.min_share,
            rest.join(",")
        )))
    }

    /// The arms, each once.
    pub(super) fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for (_, name, _) in &self.levels {
            if !names.contains(&name.as_str()) {
                names.push(name);
            }
        }
        names
    }

    /// The arm of a level.
    pub(super) fn name<'a>(&'a self, level: &'a str) -> &'a str {
        self.levels.iter().find(|(other, _, _)| other == level).map_or(level, |(_, name, _)| name)
    }
}

/// What two spellings of one arm have in common.
fn key(level: &str) -> String {
    let text = level.trim().to_lowercase();
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => number.to_string(),
        _ => text,
    }
}
