//! When two spellings are one value: `True`, `true` and `TRUE`; `2`, `2.0` and `2e0`; `Yes` and `yes `; 1 for `yes`
//! if 0 is used for `no`.
//!
//! ```text
//! cell ─ written like a level, or listed under `same` ─▶ that level
//!      ─ equal without case, outer spaces, a last full stop, or as a number ─▶ that level, if it is the only one
//!      ─ the levels mean yes and no, and it means one of them ─▶ that level
//!      ─ else ─▶ a level of its own
//! ```
//! Numbers with leading zeros are codes, and an `f64` does not distinguish whole numbers from 2^53 on: both are
//! compared as texts, and so are columns of more than 100 000 levels. `same = false` in mlloop.toml keeps every
//! spelling apart.

mod word;

pub use word::number_text;
pub(crate) use word::{boolean, fold, parse, truth};

use self::word::{NO, YES, cases, key, number, numerals};
use icu_normalizer::DecomposingNormalizerBorrowed;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock};

use super::cell::shorten;
use super::{Categories, MISSING_CODE};

/// With more levels than this, a column is treated as ids: only equal texts are one value.
const MOST: usize = 100_000;
/// Levels that were written in several ways: the name, and the other spellings.
pub type Merged = Vec<(String, Vec<String>)>;

/// Which spellings count as one value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "true, false, or a table such as { Yes = [\"ja\", \"oui\"] }")]
pub enum Same {
    /// `true`: texts that differ in case, spaces or the notation of a number are equal; `false`: only identical texts.
    Rule(bool),
    /// The rule, and these other spellings of levels.
    Listed(BTreeMap<String, Vec<String>>),
}

impl Default for Same {
    fn default() -> Self {
        Self::Rule(true)
    }
}

impl Same {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// The levels of a column and their other spellings.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Spelling {
    /// The names of the levels; empty if not given yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    levels: Vec<String>,
    /// Which spellings count as one.
    #[serde(default, skip_serializing_if = "Same::is_default")]
    same: Same,
    #[serde(skip)]
    finder: OnceLock<Arc<LevelFinder>>,
}

impl PartialEq for Spelling {
    fn eq(&self, other: &Self) -> bool {
        (&self.levels, &self.same) == (&other.levels, &other.same)
    }
}

impl Eq for Spelling {}

impl Spelling {
    /// Levels and their other spellings.
    #[must_use]
    pub fn new(levels: Vec<String>, same: Same) -> Self {
        Self { levels, same, finder: OnceLock::new() }
    }

    /// The names of the levels.
    #[must_use]
    pub fn levels(&self) -> &[String] {
        &self.levels
    }

    /// Which spellings count as one.
    #[must_use]
    pub fn same(&self) -> &Same {
        &self.same
    }

    /// Whether nothing is specified.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.levels.is_empty() && self.same.is_default()
    }

    /// Adds levels that no spelling covers yet.
    pub fn know(&mut self, levels: &[String]) {
        let new: Vec<String> = match self.finder() {
            Some(finder) => levels.iter().filter(|level| finder.find(level).is_none()).cloned().collect(),
            None => levels.to_vec(),
        };
        if !new.is_empty() {
            self.levels.extend(new);
            self.finder = OnceLock::new();
        }
    }

    /// Finds a level by its spellings; `None` if no level is known.
    #[must_use]
    pub fn finder(&self) -> Option<&Arc<LevelFinder>> {
        let none = self.levels.is_empty() && !matches!(self.same, Same::Listed(_));
        if none || self.levels.len() > MOST {
            return None;
        }
        Some(self.finder.get_or_init(|| Arc::new(LevelFinder::new(&self.levels, &self.same))))
    }

    /// Renames the levels of a column to their names, and unnamed ones to their most frequent spelling. One (name,
    /// other spellings) per level with several spellings.
    pub fn unify(&self, categories: &mut Categories) -> Merged {
        let mut counts = vec![0_u64; categories.levels.len()];
        for &code in &categories.codes {
            if let Some(count) = counts.get_mut(code as usize) {
                *count += 1;
            }
        }
        let levels: Vec<(&str, u64)> =
            categories.levels.iter().map(String::as_str).zip(counts.iter().copied()).collect();
        let names = self.names(&levels);
        if names.iter().zip(&levels).all(|(name, (level, _))| name == level) {
            return Vec::new();
        }
        let merged = merged(&names, &levels);
        rename(categories, &names);
        merged
    }

    /// The name of each of `levels`, which are given with their frequencies.
    #[must_use]
    pub fn names(&self, levels: &[(&str, u64)]) -> Vec<String> {
        let known = |level: &str| {
            let finder = self.finder()?;
            finder.find(level).map(|found| finder.names[found.level].clone())
        };
        let mut names: Vec<Option<String>> = levels.iter().map(|(level, _)| known(level)).collect();
        let open: Vec<usize> = (0..levels.len()).filter(|&at| names[at].is_none()).collect();
        if self.same == Same::Rule(false) || levels.len() > MOST {
            return levels.iter().map(|(level, _)| (*level).to_owned()).collect();
        }
        let keys = group_keys(&open.iter().map(|&at| levels[at].0).collect::<Vec<_>>());
        let mut best: HashMap<&str, (u64, &str)> = HashMap::new();
        for (key, &at) in keys.iter().zip(&open) {
            let (level, n) = levels[at];
            let slot = best.entry(key).or_insert((n, level));
            // The most frequent one; of equals, the first by name.
            if n > slot.0 || (n == slot.0 && level < slot.1) {
                *slot = (n, level);
            }
        }
        for (key, &at) in keys.iter().zip(&open) {
            names[at] = Some(best[key.as_str()].1.to_owned());
        }
        names.into_iter().flatten().collect()
    }
}

/// The key of each level: equal keys are one value. Words for yes or no, and 1 and 0, become two values
/// if all levels mean one or the other.
fn group_keys(levels: &[&str]) -> Vec<String> {
    let keys: Vec<String> = levels.iter().map(|level| key(level)).collect();
    let says: Option<Vec<bool>> = levels.iter().map(|level| truth(level)).collect();
    let Some(says) = says.filter(|says| says.contains(&true) && says.contains(&false)) else { return keys };
    // `y` and `t` together are codes, not two words for yes.
    let letters = |side: bool| {
        let of_side =
            keys.iter().zip(&says).filter(|(key, says)| **says == side && key.len() == 1 && parse(key).is_none());
        of_side.map(|(key, _)| key.as_str()).collect::<std::collections::HashSet<_>>().len()
    };
    if letters(true) > 1 || letters(false) > 1 {
        return keys;
    }
    says.into_iter().map(|says| if says { "yes" } else { "no" }.to_owned()).collect()
}

/// The levels that were written in several ways, by name.
pub(crate) fn merged(names: &[String], levels: &[(&str, u64)]) -> Merged {
    let mut others: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (name, (level, n)) in names.iter().zip(levels) {
        if name != level && *n > 0 {
            others.entry(name).or_default().push((*level).to_owned());
        }
    }
    others.into_iter().map(|(name, others)| (name.to_owned(), others)).collect()
}

/// The note on a column with several spellings of a level.
pub(crate) fn note(column: &str, merged: &[(String, Vec<String>)]) -> Option<String> {
    const SHOWN: usize = 3;
    let (first, rest) = merged.split_at(merged.len().min(SHOWN));
    let said: Vec<String> = first.iter().map(|(name, others)| said(name, others)).collect();
    let more = if rest.is_empty() { String::new() } else { format!(" and {} more levels", rest.len()) };
    (!merged.is_empty()).then(|| format!("column {column:?}: {}{more}: one value each", said.join(", ")))
}

/// `"yes", "YES" are read as "Yes"`.
pub(crate) fn said(name: &str, others: &[String]) -> String {
    const SHOWN: usize = 4;
    let shown: Vec<String> = others.iter().take(SHOWN).map(|other| format!("{:?}", shorten(other))).collect();
    let more = if others.len() > SHOWN { ", …" } else { "" };
    let are = if others.len() == 1 { "is" } else { "are" };
    format!("{}{more} {are} read as {:?}", shown.join(", "), shorten(name))
}

/// Renames the levels; codes are updated.
fn rename(categories: &mut Categories, names: &[String]) {
    let mut sorted: Vec<&String> = names.iter().collect();
    sorted.sort_unstable();
    sorted.dedup();
    let map: Vec<u32> = names.iter().map(|name| sorted.partition_point(|s| *s < name) as u32).collect();
    for code in categories.codes.iter_mut().filter(|code| **code != MISSING_CODE) {
        *code = map[*code as usize];
    }
    categories.levels = sorted.into_iter().cloned().collect();
}

/// A level that was found, and whether the text is its exact name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// Index of the level.
    pub level: usize,
    /// Whether the text is the level's name.
    pub exact: bool,
}

/// Finds levels by their spellings.
#[derive(Debug)]
pub struct LevelFinder {
    names: Vec<String>,
    exact: HashMap<String, u32>,
    /// By [`key`]; `None`: ambiguous.
    folded: HashMap<String, Option<u32>>,
    /// The levels for no and yes, if there are exactly these two.
    truths: Option<[u32; 2]>,
}

impl LevelFinder {
    /// A finder of `levels`.
    #[must_use]
    pub fn new(levels: &[String], same: &Same) -> Self {
        let mut names = levels.to_vec();
        let mut exact: HashMap<String, u32> = levels.iter().cloned().zip(0..).collect();
        if let Same::Listed(listed) = same {
            for (name, others) in listed {
                let level = *exact.entry(name.clone()).or_insert_with(|| {
                    names.push(name.clone());
                    names.len() as u32 - 1
                });
                for other in others {
                    exact.entry(other.clone()).or_insert(level);
                }
            }
        }
        let mut folded: HashMap<String, Option<u32>> = HashMap::new();
        let mut truths = None;
        if *same != Same::Rule(false) {
            for (text, &level) in &exact {
                let slot = folded.entry(key(text)).or_insert(Some(level));
                if *slot != Some(level) {
                    *slot = None;
                }
            }
            truths = match names.as_slice() {
                [a, b] => match (truth(a), truth(b)) {
                    (Some(false), Some(true)) => Some([0, 1]),
                    (Some(true), Some(false)) => Some([1, 0]),
                    _ => None,
                },
                _ => None,
            };
        }
        Self { names, exact, folded, truths }
    }

    /// The level that a text means; `None` if it means none, or is ambiguous.
    #[must_use]
    pub fn find(&self, text: &str) -> Option<Found> {
        if let Some(&level) = self.exact.get(text) {
            return Some(Found { level: level as usize, exact: self.names[level as usize] == text });
        }
        if self.folded.is_empty() {
            return None;
        }
        let level = match self.folded.get(&key(text)) {
            Some(&level) => level?,
            None => self.truths?[usize::from(truth(text)?)],
        };
        Some(Found { level: level as usize, exact: false })
    }

    /// Whether a level has this name.
    #[must_use]
    pub fn has_name(&self, text: &str) -> bool {
        self.exact.get(text).is_some_and(|&level| self.names[level as usize] == text)
    }

    /// The name of the level that a text means; the text itself if it means none.
    #[must_use]
    pub fn name<'a>(&'a self, text: &'a str) -> &'a str {
        self.find(text).map_or(text, |found| self.names[found.level].as_str())
    }

    /// The cells with their levels' names; `None` if unchanged.
    pub(crate) fn rename(&self, categories: &Categories) -> Option<Categories> {
        let wrong = |level: &String| self.name(level) != level;
        let any = if categories.codes.len() < categories.levels.len() {
            categories.codes.iter().filter_map(|&code| categories.levels.get(code as usize)).any(wrong)
        } else {
            categories.levels.iter().any(wrong)
        };
        any.then(|| {
            let names: Vec<String> = categories.levels.iter().map(|level| self.name(level).to_owned()).collect();
            let mut renamed = categories.clone();
            rename(&mut renamed, &names);
            renamed
        })
    }

    /// Common spellings of the levels besides their names, with the level that each means: for programs that can only
    /// compare texts. Those with a space or a full stop are omitted if there are many levels.
    #[must_use]
    pub fn spellings(&self) -> Vec<(String, String)> {
        /// With more levels, their spellings would fill a graph.
        const FEW: usize = 200;
        let mut texts: Vec<String> = self.exact.keys().cloned().collect();
        for name in &self.names {
            texts.extend(cases(name));
            if !name.is_ascii() {
                texts.push(DecomposingNormalizerBorrowed::new_nfd().normalize(name).into_owned());
            }
            if let Some(value) = number(&name.to_lowercase()) {
                texts.extend(numerals(value));
            }
        }
        if self.truths.is_some() {
            texts.extend(YES.iter().chain(&NO).flat_map(|word| cases(word)));
            texts.extend([1.0, 0.0].into_iter().flat_map(numerals));
        }
        if self.names.len() <= FEW {
            let beside = |text: &String| {
                [
                    format!(" {text}"),
                    format!("{text} "),
                    format!(" {text} "),
                    format!("{text}."),
                    format!("{text}\u{a0}"),
                ]
            };
            texts.extend(texts.iter().flat_map(beside).collect::<Vec<_>>());
        }
        texts.sort_unstable();
        texts.dedup();
        let found = texts.into_iter().filter_map(|text| self.find(&text).map(|found| (text, found)));
        found.filter(|(_, found)| !found.exact).map(|(text, found)| (text, self.names[found.level].clone())).collect()
    }
}

#[cfg(test)]
mod tests;
