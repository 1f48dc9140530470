//! The names of arms in a table: spellings of the same arm, and arms with very few units.

use super::AbError;
use super::request::OutcomesRequest;
use crate::table::{Categories, MISSING_CODE, Table, Values};
use crate::wording::instead;

/// More arms than this indicate a wrong column.
const MAX_ARMS: usize = 100;

/// The arms of a table in the order of the report, and the arm of each row.
pub(super) struct Arms {
    pub(super) names: Vec<String>,
    /// The arm of each row; `MISSING_CODE` without an arm.
    pub(super) of_row: Vec<u32>,
    pub(super) shares: Vec<f64>,
}

impl Arms {
    pub(super) fn of(table: &Table, request: &OutcomesRequest, notes: &mut Vec<String>) -> Result<Self, AbError> {
        let Values::Category(column) = &table.require(request.arm)?.values else {
            return Err(AbError::Usage(format!("column {:?} contains no arms", request.arm)));
        };
        let spellings = Spellings::of(column, request)?;
        let names = ordered(&spellings.names(), request, notes)?;
        let place = |level: &String| {
            let name = spellings.name(level);
            names.iter().position(|arm| arm == name).map_or(MISSING_CODE, |at| at as u32)
        };
        let places: Vec<u32> = column.levels.iter().map(place).collect();
        let of = |&code: &u32| if code == MISSING_CODE { code } else { places[code as usize] };
        Ok(Self { of_row: column.codes.iter().map(of).collect(), shares: shares(&names, request.weights)?, names })
    }
}

fn ordered(levels: &[&str], request: &OutcomesRequest, notes: &mut Vec<String>) -> Result<Vec<String>, AbError> {
    let have = || levels.iter().take(12).map(|level| format!("{level:?}")).collect::<Vec<_>>().join(", ");
    let usage = |what: String| Err(AbError::Usage(what));
    if let Some(unknown) = request.arms.iter().map(String::as_str).chain(request.control).find(|a| !levels.contains(a))
    {
        let there = instead(unknown, levels.iter().copied());
        return usage(format!("no arm {unknown:?} in column {:?}{there}", request.arm));
    }
    if request.arms.is_empty() && levels.len() > MAX_ARMS {
        return usage(format!(
            "column {:?} has {} values, too many for arms: {}, …",
            request.arm,
            levels.len(),
            have()
        ));
    }
    let mut names: Vec<String> = match request.arms.is_empty() {
        true => levels.iter().map(|level| (*level).to_owned()).collect(),
        false => request.arms.to_vec(),
    };
    let mut seen = Vec::new();
    names.retain(|name| {
        !seen.contains(name) && {
            seen.push(name.clone());
            true
        }
    });
    if names.len() < 2 {
        return usage(format!(
            "column {:?} contains {} arm ({}): a comparison needs two",
            request.arm,
            names.len(),
            have()
        ));
    }
    let control = request.control.and_then(|control| names.iter().position(|name| name == control));
    let control = control.or_else(|| {
        // Explicitly listed arms have their order from the list.
        let guess = if request.arms.is_empty() { guess_control(&names) } else { Some(0) };
        let why = if guess.is_some() && request.arms.is_empty() { "its name says so" } else { "it comes first" };
        notes.push(format!("compared with {:?}: {why}; --control names another", names[guess.unwrap_or(0)]));
        guess
    });
    let first = names.remove(control.unwrap_or(0));
    names.insert(0, first);
    Ok(names)
}

/// The arm whose name indicates the control, if there is exactly one.
fn guess_control(names: &[String]) -> Option<usize> {
    let says_so = |name: &String| {
        let name = name.trim().to_lowercase();
        let word = |word: &str| name.split(|c: char| !c.is_alphanumeric()).any(|part| part == word);
        ["control", "placebo", "baseline", "psa"].into_iter().any(word)
            || ["no", "none", "0", "false", "old", "production", "champion"].contains(&name.as_str())
            || ["no ", "no-", "no_", "old ", "old-", "old_"].into_iter().any(|start| name.starts_with(start))
    };
    let mut found = names.iter().enumerate().filter(|(_, name)| says_so(name));
    match (found.next(), found.next()) {
        (Some((at, _)), None) => Some(at),
        _ => None,
    }
}

fn shares(names: &[String], weights: &[(String, f64)]) -> Result<Vec<f64>, AbError> {
    if weights.is_empty() {
        return Ok(vec![1.0 / names.len() as f64; names.len()]);
    }
    let of = |name: &String| weights.iter().find(|(arm, _)| arm == name).map(|(_, weight)| *weight);
    let found: Option<Vec<f64>> = names.iter().map(of).collect();
    let sum: f64 = weights.iter().map(|(_, weight)| weight).sum();
    match found {
        Some(found)
            if found.len() == weights.len() && sum > 0.0 && sum.is_finite() && found.iter().all(|w| *w >= 0.0) =>
        {
            Ok(found.into_iter().map(|weight| weight / sum).collect())
        }
        _ => Err(AbError::Usage(format!(
            "--weights: give one weight of at least 0 for each of the arms {}",
            names.join(", ")
        ))),
    }
}

/// The levels of the arm's column that occur, and which of them are the same arm.
struct Spellings {
    /// Each level, its displayed name, and its number of rows.
    levels: Vec<(String, String, u64)>,
}

impl Spellings {
    /// Checks for arms with two spellings, or with too few rows to be intended.
    ///
    /// # Errors
    /// Names both, and a remedy; no check if the arms are listed.
    fn of(column: &Categories, request: &OutcomesRequest) -> Result<Self, AbError> {
        let mut rows = vec![0_u64; column.levels.len()];
        column.codes.iter().filter(|&&code| code != MISSING_CODE).for_each(|&code| rows[code as usize] += 1);
        let mut found = Self { levels: Vec::new() };
        let stands = column.levels.iter().zip(rows).filter(|(_, n)| *n > 0);
        let mut by_rows: Vec<(&String, u64)> = stands.collect();
        // The most frequent spelling is the name.
        by_rows.sort_by_key(|level| std::cmp::Reverse(level.1));
        for (level, n) in by_rows {
            let listed = request.arms.contains(level) || request.control == Some(level);
            let twin = found.levels.iter().find(|(other, _, _)| key(other) == key(level)).cloned();
            let name = match twin {
                Some((_, name, _)) if request.same_arms && !listed => name,
                Some((other, _, m)) if request.arms.is_empty() && !request.same_arms => {
                    return Err(AbError::Usage(format!(
                        "column {:?} contains {other:?} in {m} rows and {level:?} in {n}: if they are the same arm, \
                         merge them with --same-arms; otherwise list the arms: --arms {other},{level}",
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
        // In the order of the column.
        found.levels.sort_by_key(|(level, _, _)| column.levels.iter().position(|other| other == level));
        Ok(found)
    }

    /// An arm with a few rows is an error in the table: it alone would cause a sample ratio mismatch.
    fn refuse_stray(&self, request: &OutcomesRequest) -> Result<(), AbError> {
        let names = self.names();
        let rows = |name: &str| self.levels.iter().filter(|level| level.1 == name).map(|level| level.2).sum::<u64>();
        let all: u64 = self.levels.iter().map(|level| level.2).sum();
        let least = request.min_share * all as f64 / names.len() as f64;
        let stray = |name: &&&str| (rows(name) as f64) < least;
        if names.len() > MAX_ARMS {
            return Ok(());
        }
        let Some(found) = names.iter().find(stray) else { return Ok(()) };
        let rest: Vec<&str> = names.iter().filter(|name| !stray(name)).copied().collect();
        Err(AbError::Usage(format!(
            "column {:?} contains {found:?} in {} of {all} rows, less than {} % of an equal share: leave it out with \
             --arms {}, or keep it with --min-share 0",
            request.arm,
            rows(found),
            100.0 * request.min_share,
            rest.join(",")
        )))
    }

    /// The arms, each once.
    fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for (_, name, _) in &self.levels {
            if !names.contains(&name.as_str()) {
                names.push(name);
            }
        }
        names
    }

    /// The arm of a level.
    fn name<'a>(&'a self, level: &'a str) -> &'a str {
        self.levels.iter().find(|(other, _, _)| other == level).map_or(level, |(_, name, _)| name)
    }
}

/// The common form of all spellings of an arm.
fn key(level: &str) -> String {
    let text = level.trim().to_lowercase();
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => number.to_string(),
        _ => text,
    }
}
