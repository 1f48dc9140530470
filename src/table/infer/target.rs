//! Guesses which column is the one to predict.
//!
//! | evidence for a column | points |
//! |---|---|
//! | its whole name says target (`churn`, `isFraud`, `FraudFound_P`) | 6, one such word among others 4 |
//! | … and it has two values | 3 more; up to 20 values 2 more |
//! | … and it is a quantity, not a class (`income`, `default` as an amount) | 4 less |
//! | it says yes or no, and its name is an event (`isChargeback`, `HeartDisease`, `bought_again`) | 7 |
//! | its whole name, or what its name ends with, is often a quantity to estimate (`price`, `salary_in_usd`) | 7; if it is as often a feature (`weight`) 4; one such word among others 2 |
//! | it has few values, and its name is often that of a target (`priority`, `activity`) | 6, one such word among others 4; if the name is vague (`type`) 6, as the last word 3; a state (`loan_status`) 5, of two values 6 |
//! | it is the only column of yes and no, and its name is not a trait of a person or a day | 3 |
//! | it is the last column | 3; with up to 20 values 4; with two values 5; at most 2 if its name says target |
//! | it is the first possible target, and has few values | 1 |
//!
//! | evidence against it | points |
//! |---|---|
//! | its name is a trait of a person, a thing or a day (`smoker`, `region`, `year`) and says nothing else | 2 less |
//! | it is one of four columns or more whose names begin, or end, with the same word, or differ in digits only | 3 less |
//!
//! Names of predictions, of the past and of times are left out. The points were fitted on one half of a panel of public
//! tables (`target/panel.txt`) and are checked on the other.

mod words;

use self::words::{
    ALONE, CLASSES, EVENTS, FILLERS, LIKELY, NOT_TARGET, OF_STATES, PARTS, QUANTITIES, SELDOM, STATES, TRAITS, UNITS,
    USUAL, VAGUE,
};
use super::names::{TIME_WORDS, words_of};
use crate::table::evidence::{Evidence, MAX_LEVELS};
use crate::table::level::truth;
use crate::table::{ColumnSpec, Kind};
use std::collections::HashMap;

/// A column to predict, with why it was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetGuess {
    /// Its name.
    pub name: String,
    /// Why, as a clause.
    pub reason: String,
}

/// Maximum number of values of a column of classes.
const FEW: u64 = 20;
/// This many other columns with similar names make a series.
const SERIES: usize = 3;
/// Minimum points for a column to be likely.
const MIN_POINTS: i32 = 2;
/// Points from which the name alone is evidence.
const NAMED: i32 = 3;
/// Points from which no other column is considered as likely.
const OUTRIGHT: i32 = 9;

/// A column that can be the target.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    at: usize,
    by_name: i32,
    by_place: i32,
    only_flag: bool,
    /// Points deducted.
    against: i32,
}

impl Candidate {
    fn points(&self) -> i32 {
        let flag = if self.only_flag { NAMED } else { 0 };
        // Beside a name that says target, the position only decides between names.
        let place = if self.by_name >= NAMED { self.by_place.min(2) } else { self.by_place };
        self.by_name.max(flag) + place - self.against
    }

    fn reason(&self) -> &'static str {
        match (self.by_name, self.by_place) {
            (NAMED.., NAMED..) => "the last column, and its name says so",
            (NAMED.., _) => "its name says so",
            (_, NAMED..) => "the last column",
            _ if self.only_flag => "the only column with yes and no",
            _ => "the likeliest of these columns",
        }
    }
}

/// The likeliest target, if any column qualifies.
pub(crate) fn guess(columns: &[ColumnSpec], seen: &[Evidence]) -> Option<TargetGuess> {
    let mut candidates = candidates(columns, seen);
    // On a tie, the column with the better name, then the last: targets are usually at the end.
    candidates.sort_by_key(|candidate| std::cmp::Reverse((candidate.points(), candidate.by_name, candidate.at)));
    let best = candidates.first().filter(|best| best.points() >= MIN_POINTS)?;
    let name = |candidate: &Candidate| columns[candidate.at].name.clone();
    let rival = candidates.get(1).filter(|next| next.points() + 1 >= best.points() && best.by_name < OUTRIGHT);
    let reason = match rival {
        Some(rival) => format!("{}; {} is about as likely: choose it with --target", best.reason(), name(rival)),
        None if best.by_name >= NAMED => best.reason().to_owned(),
        None => format!("{}; choose another with --target NAME", best.reason()),
    };
    Some(TargetGuess { name: name(best), reason })
}

fn candidates(columns: &[ColumnSpec], seen: &[Evidence]) -> Vec<Candidate> {
    let fits = |i: &usize| {
        let few = seen[*i].distinct.count() <= MAX_LEVELS as u64;
        columns[*i].kind == Kind::Number || (columns[*i].kind == Kind::Category && few)
    };
    // A column that was cleared is not the last one.
    let last = (0..columns.len()).rev().find(|&i| seen[i].missing < seen[i].n).or(columns.len().checked_sub(1));
    let mut flags = (0..columns.len()).filter(|i| fits(i) && says_yes_or_no(&seen[*i]));
    let only_flag = flags.next().filter(|_| flags.next().is_none());
    let only_flag = only_flag.filter(|&i| !is_trait(&columns[i].name));
    let series = Series::of(columns);
    let can_be = |i: &usize| fits(i) && !about_target(&columns[*i].name);
    let first = (0..columns.len()).find(can_be);
    let candidate = |at: usize| {
        let (name, n_distinct) = (&columns[at].name, seen[at].distinct.count());
        let size = is_size(name, columns) && Some(at) != last;
        let by_name = if size { 0 } else { by_name(&columns[at], &seen[at]) };
        let by_place = match () {
            () if Some(at) == last => by_place(name, n_distinct),
            () if Some(at) == first && n_distinct <= FEW => 1,
            () => 0,
        };
        let named = by_name >= NAMED;
        let against = match named {
            false if series.has(name) => 3,
            false if is_trait(name) => 2,
            _ => 0,
        };
        Candidate { at, by_name, by_place, only_flag: only_flag == Some(at) && Some(at) != last, against }
    };
    (0..columns.len()).filter(can_be).map(candidate).collect()
}

/// A column whose whole name says that it is the target, although it has only one value.
pub(crate) fn with_one_class(columns: &[ColumnSpec], seen: &[Evidence]) -> Option<usize> {
    let says = |i: &usize| {
        let name = &columns[*i].name;
        columns[*i].kind == Kind::Constant
            && seen[*i].distinct.count() <= 1
            && says_class(name) == Says::Whole
            && !is_size(name, columns)
            && !about_target(name)
    };
    (0..columns.len()).rev().find(says)
}

/// Whether the name contains a word for a trait of a person or a thing.
fn is_trait(name: &str) -> bool {
    words_of(name).iter().any(|word| is_in(word, TRAITS))
}

/// Whether there are cells for yes and for no, and no others.
fn says_yes_or_no(seen: &Evidence) -> bool {
    let says: Vec<Option<bool>> = seen.levels.iter().map(truth).collect();
    says.contains(&Some(true)) && says.contains(&Some(false)) && !says.contains(&None)
}

/// Whether the guess rests on the whole name of the column.
pub(crate) fn is_outright(column: &ColumnSpec) -> bool {
    says_class(&column.name) == Says::Whole || says(&column.name, QUANTITIES, FILLERS) == Says::Whole
}

/// `x`, `y` and `z` together are sizes or coordinates.
fn is_size(name: &str, columns: &[ColumnSpec]) -> bool {
    let among = |other: &str| columns.iter().any(|column| column.name.eq_ignore_ascii_case(other));
    name.eq_ignore_ascii_case("y") && among("x")
}

/// Columns with similar names: `pixel0` to `pixel783`, `radius_mean` and `area_mean`.
struct Series {
    first: HashMap<String, usize>,
    last: HashMap<String, usize>,
    letters: HashMap<String, usize>,
}

impl Series {
    fn of(columns: &[ColumnSpec]) -> Self {
        let mut series = Self { first: HashMap::new(), last: HashMap::new(), letters: HashMap::new() };
        for column in columns {
            let words = words_of(&column.name);
            if let ([first, _, ..], Some(last)) = (words.as_slice(), words.last()) {
                *series.first.entry(first.clone()).or_default() += 1;
                *series.last.entry(last.clone()).or_default() += 1;
            }
            *series.letters.entry(letters(&column.name)).or_default() += 1;
        }
        series
    }

    fn has(&self, name: &str) -> bool {
        let words = words_of(name);
        let n = |counts: &HashMap<String, usize>, key: &str| counts.get(key).copied().unwrap_or(0);
        let by_words = match words.as_slice() {
            [first, .., last] => n(&self.first, first).max(n(&self.last, last)),
            _ => 0,
        };
        by_words.max(n(&self.letters, &letters(name))) > SERIES
    }
}

/// A name without its digits.
fn letters(name: &str) -> String {
    name.chars().filter(|c| !c.is_ascii_digit()).collect()
}

/// How a name matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Says {
    /// The name is that word, or that word with a filler.
    Whole,
    /// The word is one of several.
    Part,
    Nothing,
}

/// Whether a word is in a list; there `churn*` matches any word that begins so, `*preis` any that ends so.
fn is_in(word: &str, list: &str) -> bool {
    list.split_ascii_whitespace().any(|known| match (known.strip_suffix('*'), known.strip_prefix('*')) {
        (Some(stem), _) => word.starts_with(stem),
        (_, Some(end)) => word.ends_with(end),
        _ => word == known,
    })
}

fn says(name: &str, list: &str, fillers: &str) -> Says {
    let words = words_of(name);
    // `isfraud` is also written as one word.
    let is_one = |word: &String| is_in(word, list) || word.strip_prefix("is").is_some_and(|word| is_in(word, list));
    if !words.iter().any(is_one) {
        return Says::Nothing;
    }
    match words.iter().all(|word| is_one(word) || is_in(word, fillers)) {
        true => Says::Whole,
        false => Says::Part,
    }
}

fn says_class(name: &str) -> Says {
    match says(name, ALONE, FILLERS) {
        Says::Whole => Says::Whole,
        _ => says(name, CLASSES, FILLERS),
    }
}

/// Predictions and similar; `default.payment.next.month` is about the next month, not about the target.
fn about_target(name: &str) -> bool {
    let words = words_of(name);
    let has = |list: &str| words.iter().any(|word| is_in(word, list));
    let is_of_later = words.iter().any(|word| word == "next") && has("default target");
    !is_of_later && words.len() > 1 && has(NOT_TARGET)
        || words.len() == 1 && has("pred prediction proba probability predicted prob estimate")
}

fn by_name(column: &ColumnSpec, seen: &Evidence) -> i32 {
    let (name, n_distinct) = (&column.name, seen.distinct.count());
    let class = match says_class(name) {
        Says::Whole => 6,
        Says::Part => 4,
        Says::Nothing => 0,
    };
    // Incomes by bracket are a feature; incomes above and below a bound are a target.
    let bracket = n_distinct > 2 && words_of(name).contains(&"income".to_owned());
    let quantity = bracket || (n_distinct > FEW && column.kind == Kind::Number);
    if class > 0 && !quantity {
        // Of several conditions, the one called binary was made as the target.
        let made = words_of(name).iter().any(|word| ["binary", "target", "label"].contains(&word.as_str()));
        let few = if n_distinct == 2 { 3 } else { 2 };
        return class + few + i32::from(made);
    }
    let outright = if says(name, QUANTITIES, FILLERS) == Says::Whole { 6 } else { 0 };
    let usual = if column.kind == Kind::Number && n_distinct > 2 { by_quantity(name) } else { 0 };
    let event = match says(name, EVENTS, FILLERS) {
        Says::Nothing => 0,
        _ if !says_yes_or_no(seen) => 0,
        _ if words_of(name).contains(&"binary".to_owned()) => OUTRIGHT + 1,
        _ => 7,
    };
    let few = (2..=FEW).contains(&n_distinct);
    let likely = match (few, says(name, LIKELY, FILLERS)) {
        (true, Says::Whole) => 6,
        (true, Says::Part) => 4,
        _ => 0,
    };
    let words = words_of(name);
    let vague = match (few, says(name, VAGUE, FILLERS)) {
        (true, Says::Whole) => 6,
        (true, Says::Part) if words.last().is_some_and(|word| is_in(word, VAGUE)) => 3,
        _ => 0,
    };
    let is_state =
        words.last().is_some_and(|word| is_in(word, STATES)) && !words.iter().any(|word| is_in(word, OF_STATES));
    let state = if few && is_state { if n_distinct == 2 { 6 } else { 5 } } else { 0 };
    outright.max(usual).max((class - 4).max(0)).max(event).max(likely).max(vague).max(state)
}

/// The points of a quantity: `price` and `yield_t_ha` are targets, `price_per_room` and `avg_price` are parts of
/// others.
fn by_quantity(name: &str) -> i32 {
    let words = words_of(name);
    let is_unit = |word: &String| is_in(word, UNITS);
    let points = |at: usize| {
        let is_head = words[at + 1..].iter().all(is_unit)
            || words.get(at + 1).is_some_and(|word| ["of", "in"].contains(&word.as_str()));
        let is_part = words[..at].iter().any(|word| is_in(word, PARTS));
        match (is_head && !is_part, is_in(&words[at], SELDOM)) {
            (true, false) => 7,
            (true, true) => 4,
            (false, false) => 2,
            (false, true) => 1,
        }
    };
    (0..words.len()).filter(|&at| is_in(&words[at], USUAL)).map(points).max().unwrap_or(0)
}

fn by_place(name: &str, n_distinct: u64) -> i32 {
    if words_of(name).iter().any(|word| TIME_WORDS.contains(&word.as_str())) {
        return 0;
    }
    match n_distinct {
        2 => 5,
        ..=FEW => 4,
        _ => 3,
    }
}

#[cfg(test)]
mod tests;
