//! Whether a classifier can distinguish the two tables, and by which columns.
//!
//! ```text
//! reference ─┐ thin   unite                 5 folds, by content                       DeLong
//! current   ─┴──────▶ levels ─▶ one table ─────────────────────▶ out-of-fold c, gain ────────▶ drifted?
//! ```
//! Methods that compare one column at a time miss that two columns are no longer correlated; this one detects it (D.
//! Lopez-Paz, M. Oquab, "Revisiting Classifier Two-Sample Tests", 2017).

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
/// With fewer rows on a side the interval is wider than ±.08, and the folds are too small to learn from.
pub const MIN_ROWS: usize = 100;
/// Minimum number of entities of a side: with fewer, their common properties are chance.
const MIN_ENTITIES: usize = 20;
/// The classifier also learns chance properties of few entities. Over quiet tables of 50 customers, the standard
/// deviation of the area is this many times what its variance implies (it treats the learned model as fixed), and even
/// more on the upper side.
const LUCK: f64 = 1.6;
/// The level of the interval in that case.
const ENTITY_ALPHA: f64 = 0.001;
/// Maximum number of rows of a side: with 20 000 on each, the interval is ±.006.
pub const MAX_ROWS: usize = 20_000;
/// Why no classifier can be trained to distinguish the tables.
#[derive(Debug, thiserror::Error)]
pub enum MultivariateError {
    /// A side has too few rows.
    #[error("the {side} table has {have} rows; at least {need} are needed to distinguish two tables")]
    TooFewRows {
        /// `reference` or `current`.
        side: &'static str,
        /// Its number of rows.
        have: usize,
        /// Number of rows that are needed.
        need: usize,
    },
    /// A side has too few entities.
    #[error(
        "the rows of the {side} table belong to {have} entities; at least {MIN_ENTITIES} are needed to \
         distinguish two tables"
    )]
    TooFewEntities {
        /// `reference` or `current`.
        side: &'static str,
        /// Number of entities.
        have: usize,
    },
    /// No common column varies.
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
    /// Whether the error only means too little data.
    #[must_use]
    pub fn is_too_little(&self) -> bool {
        matches!(self, Self::TooFewRows { .. } | Self::TooFewEntities { .. } | Self::NoColumns)
    }
}

/// The settings of the comparison of two tables.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// Columns to ignore.
    pub ignore: &'a [String],
    /// The entity column, if rows of one entity are similar.
    pub entity: Option<&'a str>,
    /// Maximum number of rows used per side.
    pub most: usize,
    /// The random seed.
    pub seed: u64,
}

/// Whether boosted trees can distinguish `current` from `reference` rows by the columns that both contain: out-of-fold
/// ROC-AUC with DeLong's 95 % interval. .5 means "not at all"; drifted if the lower bound is above [`THRESHOLD`].
///
/// Numbers, categories and constants of `schema` are used (a constant may start to vary); ids, times, texts, columns
/// stored differently on the two sides, and those in `ignore` are not. The caller puts the target into `ignore`.
/// Missing values and unseen levels count as values. At most `most` rows of a side are used, chosen by a hash of their
/// position and `seed`.
///
/// Folds are assigned by the rows' content, so copies of a row share a fold, on either side: identical files give .5,
/// not less, and a copy does not reveal the side of another. Copies are not independent rows, so the interval's
/// variance is multiplied by the mean number of copies of a row (Σ m²∕Σ m over groups of m, of the side with more). If
/// columns have few values, rows are equal without being copies: groups of 20 equal rows on average, or of a twentieth
/// of a side, count as separate rows. With `entity`, rows of one entity share a fold on both sides, and the variance is
/// that of sums over entities, with Student's quantile at .001 for the number of entities of the side with fewer; the
/// interval is then 1.6 times as wide to account for learned chance properties. `columns` are the shares of the gain, a
/// mean over folds; without drift they mean nothing.
///
/// # Errors
/// [`MultivariateError::TooFewRows`] below [`MIN_ROWS`] on a side, [`MultivariateError::TooFewEntities`] if rows have
/// too few entities, [`MultivariateError::NoColumns`] if no column varies.
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

/// The probability c that each row of `current` is a current rather than a reference row, by trees that were not
/// trained on it.
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
    // Rows that were not sampled are in no training set: each is scored by the trees of one fold.
    for (fold, (features, model)) in domain.fitted.iter().enumerate() {
        let n_rows = u32::try_from(scores.len()).unwrap_or(u32::MAX);
        let rest: Vec<u32> =
            (0..n_rows).filter(|&r| r as usize % FOLDS == fold && scores[r as usize].is_nan()).collect();
        let answers = model.scores(&features.transform(&current.take(&rest))?)?;
        rest.iter().zip(answers).for_each(|(&row, c)| scores[row as usize] = f64::from(c));
    }
    Ok(scores)
}

/// The two tables, and the classifier that distinguishes them.
struct Domain {
    /// The rows of the reference and of the current table that were used.
    kept: [Vec<u32>; 2],
    /// Out-of-fold probability of a current row, reference rows first.
    scores: Vec<f64>,
    /// Mean number of copies of a row, including itself, on the side with more.
    copies: f64,
    /// The entities of the rows, if known.
    about: Option<About>,
    /// The model trained on the other folds, for each fold.
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

    /// Trains on all folds but one, and scores that one.
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

    /// Each raw column's share of the gain, as the mean over folds, largest first; columns without gain are omitted.
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

/// The entities of the rows of both sides.
struct About {
    /// A number for each row's entity, reference rows first.
    keys: Vec<u64>,
    /// The number of distinct entities on the side with fewer.
    least: usize,
}

impl About {
    /// `None` if a table lacks the column.
    fn of(tables: [&Table; 2], kept: &[Vec<u32>; 2], entity: &str) -> Result<Option<Self>, MultivariateError> {
        let (mut keys, mut least) = (Vec::new(), usize::MAX);
        for (side, (table, rows)) in ["reference", "current"].into_iter().zip(tables.into_iter().zip(kept)) {
            let Some(column) = table.column(entity) else { return Ok(None) };
            let of_rows = entity_keys(&column.values.take(rows)).into_iter().enumerate();
            // A row without a known entity is its own entity.
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

/// The trees are deep enough to detect that columns are no longer correlated, and too few to memorise rows. Every tree
/// uses every column: if two columns changed together, one alone shows nothing.
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

/// What the classifier predicts: the side, under a name that is not a column.
fn side(table: &Table) -> Target {
    let mut name = "side".to_owned();
    while table.column(&name).is_some() {
        name.push('_');
    }
    Target { name, task: Task::Binary, classes: vec!["reference".to_owned(), "current".to_owned()] }
}

/// At most `most` rows: those with the lowest hash of their position, so that equal files keep the same rows.
fn thin(n_rows: usize, most: usize, seed: u64) -> Vec<u32> {
    let mut rows: Vec<u32> = (0..u32::try_from(n_rows).unwrap_or(u32::MAX)).collect();
    if n_rows > most {
        rows.sort_by_cached_key(|row| hash64(&row.to_le_bytes(), seed));
        rows.truncate(most);
        rows.sort_unstable();
    }
    rows
}

/// The sampled rows of both tables in one table, reference first, without uninformative columns.
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

/// Whether two cells differ; a missing cell differs from every other.
fn varies(values: &Values) -> bool {
    match values {
        Values::Number(v) => v.iter().any(|x| *x != v[0] && !(x.is_nan() && v[0].is_nan())),
        Values::Category(c) => c.codes.iter().any(|code| *code != c.codes[0]),
        Values::Time(_) | Values::Text(_) => false,
    }
}
