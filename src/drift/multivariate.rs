//! Whether a classifier can tell the two tables apart, and by which columns.
//!
//! ```text
//! reference ─┐ thin   unite                 5 folds, by content                       DeLong
//! current   ─┴──────▶ levels ─▶ one table ─────────────────────▶ out-of-fold c, gain ────────▶ drifted?
//! ```
//! Methods that look at one column at a time do not see that two columns stopped going together; this one does
//! (D. Lopez-Paz, M. Oquab, "Revisiting Classifier Two-Sample Tests", 2017).

use super::folds::{FOLDS, folds};
use super::report::Multivariate;
use crate::features::{FeatureError, FeatureOptions, Features, Target, Task, row_digest};
use crate::model::{FitData, FitOptions, GrowPolicy, Model, ModelError, Params};
use crate::profile::entity_keys;
use crate::score::ScoreError;
use crate::score::paired::{area_of_groups, delong};
use crate::stats::normal;
use crate::stats::random::hash64;
use crate::stats::tails::student_above;
use crate::table::{Column, Kind, Schema, Table, TableError, Values};
use std::collections::{HashMap, HashSet};

/// Drifted when the lower bound of the interval is above this.
pub const THRESHOLD: f64 = 0.55;
/// With fewer rows on a side the interval is wider than ±.08, and the folds teach little.
pub const MIN_ROWS: usize = 100;
/// Things that the rows of a side are about: with fewer, what they have in common is chance.
const MIN_ENTITIES: usize = 20;
/// What few things have in common is also learned: over quiet tables of 50 customers the area scatters so many times as much as
/// its variance says, which takes what was learned as given, and more so above.
const LUCK: f64 = 1.6;
/// The interval is taken at this level then.
const ENTITY_ALPHA: f64 = 0.001;
/// Rows of a side that are used at most: with 20 000 on each the interval is ±.006.
pub const MAX_ROWS: usize = 20_000;
/// Why no classifier can be trained to distinguish the tables.
#[derive(Debug, thiserror::Error)]
pub enum MultivariateError {
    /// A side is too short.
    #[error("the {side} table has {have} rows; at least {need} are needed to distinguish two tables")]
    TooFewRows {
        /// `reference` or `current`.
        side: &'static str,
        /// Its rows.
        have: usize,
        /// Number of rows that are needed.
        need: usize,
    },
    /// A side is about too few things.
    #[error(
        "the rows of the {side} table belong to {have} entities; at least {MIN_ENTITIES} are needed to \
         distinguish two tables"
    )]
    TooFewEntities {
        /// `reference` or `current`.
        side: &'static str,
        /// How many.
        have: usize,
    },
    /// Nothing to tell them apart by.
    #[error("the tables share no number or category column that varies")]
    NoColumns,
    /// A table problem.
    #[error("{0}")]
    Table(#[from] TableError),
    /// A feature problem.
    #[error("{0}")]
    Features(#[from] FeatureError),
    /// A model problem.
    #[error("{0}")]
    Model(#[from] ModelError),
    /// A problem with the area's interval.
    #[error("{0}")]
    Score(#[from] ScoreError),
}

impl MultivariateError {
    /// Whether there is too little to judge, and nothing wrong.
    #[must_use]
    pub fn is_too_little(&self) -> bool {
        matches!(self, Self::TooFewRows { .. } | Self::TooFewEntities { .. } | Self::NoColumns)
    }
}

/// What is asked of two tables.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// Columns that are not looked at.
    pub ignore: &'a [String],
    /// The column that says what a row is about, where rows about the same thing are alike.
    pub entity: Option<&'a str>,
    /// Rows of a side that are used at most.
    pub most: usize,
    /// The random seed.
    pub seed: u64,
}

/// Whether boosted trees can tell `current` from `reference` rows by the columns that both hold: out-of-fold ROC-AUC
/// with DeLong's 95 % interval. .5 is "not at all"; drifted when the lower bound is above [`THRESHOLD`].
///
/// Numbers, categories and constants of `schema` are looked at (a constant need not stay one); ids, times, texts,
/// columns that are stored differently on the two sides, and those in `ignore` are not. The caller puts the target
/// into `ignore`. Missing values and unseen levels count as values. At most `most` rows of a side are used,
/// chosen by a hash of their place and `seed`.
///
/// Folds are dealt by the rows' content, so that copies of a row share a fold, on whichever side they are: identical files give
/// .5, not less, and no copy tells the side of another. Copies are no independent rows, so the interval's variance is
/// multiplied by the mean number of copies of a row (Σ m²∕Σ m over groups of m, of the side with more). Where columns have few
/// values, rows are equal without being copies: from 20 equal rows on average on, or a twentieth of a side, each is a row of
/// its own. With `entity`, rows about the same thing share a fold on both sides, and the variance is that of sums over them,
/// with Student's quantile at .001 for as many as the side with fewer has, and 1.6 times as wide for what was learned of them. `columns` are the shares of the gain, a mean over folds; where nothing drifted they mean nothing.
///
/// # Errors
/// [`MultivariateError::TooFewRows`] below [`MIN_ROWS`] on a side, [`MultivariateError::TooFewEntities`] where rows are about
/// few things, [`MultivariateError::NoColumns`] without a column that varies.
pub fn multivariate(
    reference: &Table,
    current: &Table,
    schema: &Schema,
    asked: &Asked,
) -> Result<Multivariate, MultivariateError> {
    let domain = Domain::learn(reference, current, schema, asked)?;
    let (area, half) = match &domain.about {
        Some(about) => {
            let (area, error) = area_of_groups(&domain.is_current(), &domain.scores, &about.keys)?;
            (area, student_above(ENTITY_ALPHA, about.least as f64 - 1.0) * LUCK * error)
        }
        None => {
            let area = delong(&domain.is_current(), &domain.scores, &domain.scores)?;
            (area.auc_a, normal::quantile(0.975) * area.error_a * domain.copies.sqrt())
        }
    };
    let (lower, upper) = ((area - half).max(0.0), (area + half).min(1.0));
    Ok(Multivariate {
        roc_auc: area,
        lower,
        upper,
        threshold: THRESHOLD,
        drifted: lower > THRESHOLD,
        columns: domain.shares()?,
        n_rows: (domain.kept[0].len() as u64, domain.kept[1].len() as u64),
    })
}

/// The probability c of each row of `current` to be a current and not a reference row, by trees that did not learn
/// from it.
///
/// The density ratio of the two tables at a row is c∕(1−c) · (reference rows used)∕(current rows used).
///
/// # Errors
/// As [`multivariate`].
pub fn domain_scores(
    reference: &Table,
    current: &Table,
    schema: &Schema,
    ignore: &[String],
    seed: u64,
) -> Result<Vec<f64>, MultivariateError> {
    let asked = Asked { ignore, entity: None, most: MAX_ROWS, seed };
    let domain = Domain::learn(reference, current, schema, &asked)?;
    let mut scores = vec![f64::NAN; current.n_rows()];
    let own = &domain.scores[domain.kept[0].len()..];
    for (&row, &score) in domain.kept[1].iter().zip(own) {
        scores[row as usize] = score;
    }
    // Rows that were thinned away taught nobody: each asks the trees of one fold.
    for (fold, (features, model)) in domain.fitted.iter().enumerate() {
        let n_rows = u32::try_from(scores.len()).unwrap_or(u32::MAX);
        let rest: Vec<u32> =
            (0..n_rows).filter(|&r| r as usize % FOLDS == fold && scores[r as usize].is_nan()).collect();
        let answers = model.scores(&features.transform(&current.take(&rest))?)?;
        rest.iter().zip(answers).for_each(|(&row, c)| scores[row as usize] = f64::from(c));
    }
    Ok(scores)
}

/// The two tables, and what was learned to tell them apart.
struct Domain {
    /// Rows of the reference and of the current table that were used.
    kept: [Vec<u32>; 2],
    /// Out-of-fold probability of a current row, reference rows first.
    scores: Vec<f64>,
    /// How many rows are equal to a row, itself among them, on average over the rows of the side with more.
    copies: f64,
    /// What the rows are about, where that is known.
    about: Option<About>,
    /// What each fold's other rows taught.
    fitted: Vec<(Features, Model)>,
}

impl Domain {
    fn learn(
        reference: &Table,
        current: &Table,
        schema: &Schema,
        &Asked { ignore, entity, most, seed }: &Asked,
    ) -> Result<Self, MultivariateError> {
        for (side, table) in [("reference", reference), ("current", current)] {
            if table.n_rows() < MIN_ROWS {
                return Err(MultivariateError::TooFewRows { side, have: table.n_rows(), need: MIN_ROWS });
            }
        }
        let kept = [thin(reference.n_rows(), most, seed), thin(current.n_rows(), most, seed)];
        let table = united(reference, current, &kept, schema, ignore)?;
        let names: Vec<&str> = table.columns().iter().map(|c| c.name.as_str()).collect();
        let about = match entity {
            Some(entity) => About::of([reference, current], &kept, entity)?,
            None => None,
        };
        let (folds, copies) = match &about {
            Some(about) => folds(&about.keys, kept[0].len(), (seed, true)),
            None => folds(&row_digest(&table, &names)?, kept[0].len(), (seed, false)),
        };
        let scores = vec![f64::NAN; table.n_rows()];
        let mut domain = Self { kept, scores, copies, about, fitted: Vec::with_capacity(FOLDS) };
        for fold in 0..FOLDS {
            domain.learn_fold(&table, &folds, fold, seed)?;
        }
        Ok(domain)
    }

    /// Learns from all folds but one, and scores that one.
    fn learn_fold(&mut self, table: &Table, folds: &[u8], fold: usize, seed: u64) -> Result<(), MultivariateError> {
        let all = 0..u32::try_from(folds.len()).unwrap_or(u32::MAX);
        let (held, taught): (Vec<u32>, Vec<u32>) = all.partition(|&row| folds[row as usize] as usize == fold);
        let from = self.kept[0].len();
        let y: Vec<f32> = taught.iter().map(|&row| if row as usize >= from { 1.0 } else { 0.0 }).collect();
        let (features, x) = Features::fit(&table.take(&taught), &side(table), &y, &FeatureOptions::default(), seed)?;
        let params = domain_params().check(Task::Binary)?.with_seed(seed);
        let options = FitOptions { params: &params, n_classes: 2, tune: None, progress: None };
        let model = Model::fit(&FitData { x: &x, y: &y, weights: None }, &options)?;
        let scores = model.scores(&features.transform(&table.take(&held))?)?;
        held.iter().zip(scores).for_each(|(&row, c)| self.scores[row as usize] = f64::from(c));
        self.fitted.push((features, model));
        Ok(())
    }

    fn is_current(&self) -> Vec<bool> {
        (0..self.scores.len()).map(|row| row >= self.kept[0].len()).collect()
    }

    /// Each raw column's share of the gain, the mean over folds, largest first; columns without any are left out.
    fn shares(&self) -> Result<Vec<(String, f64)>, MultivariateError> {
        let mut sums: HashMap<String, f64> = HashMap::new();
        for (features, model) in &self.fitted {
            let columns: Vec<&str> = features.columns().collect();
            for (&source, gain) in features.sources().iter().zip(model.gain()?) {
                *sums.entry(columns[source as usize].to_owned()).or_default() += gain;
            }
        }
        let total: f64 = sums.values().sum();
        let mut shares: Vec<(String, f64)> =
            sums.into_iter().filter(|(_, gain)| *gain > 0.0).map(|(column, gain)| (column, gain / total)).collect();
        shares.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        Ok(shares)
    }
}

/// What the rows of both sides are about.
struct About {
    /// A number for each thing, reference rows first.
    keys: Vec<u64>,
    /// How many different ones the side with fewer has.
    least: usize,
}

impl About {
    /// `None` where a table lacks the column.
    fn of(tables: [&Table; 2], kept: &[Vec<u32>; 2], entity: &str) -> Result<Option<Self>, MultivariateError> {
        let (mut keys, mut least) = (Vec::new(), usize::MAX);
        for (side, (table, rows)) in ["reference", "current"].into_iter().zip(tables.into_iter().zip(kept)) {
            let Some(column) = table.column(entity) else { return Ok(None) };
            let of_rows = entity_keys(&column.values.take(rows)).into_iter().enumerate();
            // A row of which nobody knows it is about something else.
            let own = |row: usize| hash64(&row.to_le_bytes(), if side == "current" { 2 } else { 1 });
            let of_rows: Vec<u64> = of_rows.map(|(row, key)| key.unwrap_or_else(|| own(row))).collect();
            let have = of_rows.iter().collect::<HashSet<_>>().len();
            if have < MIN_ENTITIES {
                return Err(MultivariateError::TooFewEntities { side, have });
            }
            least = least.min(have);
            keys.extend(of_rows);
        }
        Ok(Some(Self { keys, least }))
    }
}

/// Trees deep enough to see columns that no longer go together, and too few to learn rows by heart. Every tree sees
/// every column: of two columns that changed together, one alone shows nothing.
fn domain_params() -> Params {
    Params {
        n_estimators: Some(80),
        learning_rate: Some(0.1),
        max_depth: Some(4),
        grow_policy: Some(GrowPolicy::Depthwise),
        min_child_weight: Some(5.0),
        reg_lambda: Some(5.0),
        subsample: Some(0.8),
        colsample_bytree: Some(1.0),
        max_bin: Some(64),
        ..Params::default()
    }
}

/// What the classifier predicts: the side, under a name that no column has.
fn side(table: &Table) -> Target {
    let mut name = "side".to_owned();
    while table.column(&name).is_some() {
        name.push('_');
    }
    Target { name, task: Task::Binary, classes: vec!["reference".to_owned(), "current".to_owned()] }
}

/// At most `most` rows: those with the lowest hash of their place, so that two equal files keep the same.
fn thin(n_rows: usize, most: usize, seed: u64) -> Vec<u32> {
    let mut rows: Vec<u32> = (0..u32::try_from(n_rows).unwrap_or(u32::MAX)).collect();
    if n_rows > most {
        rows.sort_by_cached_key(|row| hash64(&row.to_le_bytes(), seed));
        rows.truncate(most);
        rows.sort_unstable();
    }
    rows
}

/// The kept rows of both tables in one, reference first, without columns that say nothing.
fn united(
    reference: &Table,
    current: &Table,
    kept: &[Vec<u32>; 2],
    schema: &Schema,
    ignore: &[String],
) -> Result<Table, MultivariateError> {
    let wanted = |column: &&Column| {
        let kind = schema.column(&column.name).map(|spec| spec.kind);
        matches!(kind, Some(Kind::Number | Kind::Category | Kind::Constant)) && !ignore.contains(&column.name)
    };
    let unite_column = |old: &Column| {
        let new = current.column(&old.name)?;
        let values = Values::stacked(&[&old.values.take(&kept[0]), &new.values.take(&kept[1])])?;
        varies(&values).then(|| Column::new(old.name.clone(), values))
    };
    let columns: Vec<Column> = reference.columns().iter().filter(wanted).filter_map(unite_column).collect();
    if columns.is_empty() {
        return Err(MultivariateError::NoColumns);
    }
    Ok(Table::new(columns)?)
}

/// Whether two cells differ, a missing one differing from every other.
fn varies(values: &Values) -> bool {
    match values {
        Values::Number(v) => v.iter().any(|x| *x != v[0] && !(x.is_nan() && v[0].is_nan())),
        Values::Category(c) => c.codes.iter().any(|code| *code != c.codes[0]),
        Values::Time(_) | Values::Text(_) => false,
    }
}
