//! Rows of the log, column by column.

use super::{JournalError, Layout, Window};
use crate::registry::Version;
use crate::table::{
    Categories, Column, ColumnSpec, Kind, MISSING_CODE, MISSING_TIME, Table, Texts, Values, from_one_line,
};
use std::collections::HashMap;

/// Rows of the log, column by column.
#[derive(Debug, Clone, Default)]
pub struct Logged {
    /// The id of each row.
    pub id: Texts,
    /// When each was predicted, in microseconds since 1970-01-01 UTC.
    pub time: Vec<i64>,
    /// The version that predicted.
    pub version: Vec<Version>,
    /// The arm; empty outside experiments.
    pub arm: Texts,
    /// Score of the positive class or, with several classes, of the predicted one; `NaN` for a number.
    pub score: Vec<f64>,
    /// The class or number, as text.
    pub prediction: Texts,
    /// With several classes, the scores of each class; otherwise empty.
    pub class_scores: Vec<Vec<f64>>,
    /// The loop's columns in schema order, the id first, if requested. A column that a file lacks is missing in all its
    /// rows.
    pub features: Option<Table>,
}

impl Logged {
    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.time.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.time.is_empty()
    }

    /// The rows at `rows`, in that order.
    #[must_use]
    pub fn take(&self, rows: &[u32]) -> Self {
        let texts = |texts: &Texts| rows.iter().map(|&row| texts.get(row as usize)).collect();
        let numbers = |values: &[f64]| rows.iter().map(|&row| values[row as usize]).collect::<Vec<f64>>();
        Self {
            id: texts(&self.id),
            time: rows.iter().map(|&row| self.time[row as usize]).collect(),
            version: rows.iter().map(|&row| self.version[row as usize]).collect(),
            arm: texts(&self.arm),
            score: numbers(&self.score),
            prediction: texts(&self.prediction),
            class_scores: self.class_scores.iter().map(|scores| numbers(scores)).collect(),
            features: self.features.as_ref().map(|table| table.take(rows)),
        }
    }

    /// Adds rows without the loop's columns.
    pub(super) fn append(&mut self, other: &Self) {
        self.id.append(&other.id);
        self.time.extend(&other.time);
        self.version.extend(&other.version);
        self.arm.append(&other.arm);
        self.score.extend(&other.score);
        self.prediction.append(&other.prediction);
        self.class_scores.resize(other.class_scores.len(), Vec::new());
        for (all, more) in self.class_scores.iter_mut().zip(&other.class_scores) {
            all.extend(more);
        }
    }

    /// The rows within `window`, and the number of those without id, time or version.
    pub(super) fn of(
        table: Table,
        layout: &Layout,
        features: bool,
        window: &Window,
    ) -> Result<(Self, u64), JournalError> {
        let n_rows = table.n_rows();
        let mut by_name: HashMap<String, Values> =
            table.into_columns().into_iter().map(|column| (column.name, column.values)).collect();
        let mut logged = Self::default();
        let mut versions = Vec::new();
        for spec in layout.schema(false).columns {
            match (spec.name.as_str(), by_name.remove(&spec.name).unwrap_or_else(|| missing(spec.kind, n_rows))) {
                ("id", Values::Text(texts)) => logged.id = decoded(texts),
                ("time", Values::Time(times)) => logged.time = times,
                ("version", Values::Category(texts)) => versions = parse_versions(&texts),
                ("arm", Values::Text(texts)) => logged.arm = decoded(texts),
                ("score", Values::Number(scores)) => logged.score = scores,
                ("prediction", Values::Text(texts)) => logged.prediction = decoded(texts),
                (_, Values::Number(scores)) => logged.class_scores.push(scores),
                _ => {}
            }
        }
        if features {
            logged.features = Some(logged.features(layout, by_name)?);
        }
        let is_whole =
            |row: usize| versions[row].is_some() && logged.time[row] != MISSING_TIME && !logged.id.get(row).is_empty();
        let (whole, broken): (Vec<usize>, Vec<usize>) = (0..n_rows).partition(|&row| is_whole(row));
        logged.version = versions.iter().map(|version| version.unwrap_or(Version(0))).collect();
        let inside: Vec<u32> =
            whole.into_iter().filter(|&row| window.holds(logged.time[row])).map(|row| row as u32).collect();
        let logged = if inside.len() < n_rows { logged.take(&inside) } else { logged };
        Ok((logged, broken.len() as u64))
    }

    /// The loop's columns under the loop's names.
    fn features(&self, layout: &Layout, mut by_name: HashMap<String, Values>) -> Result<Table, JournalError> {
        let id = layout.id().map(|name| Column::new(name, Values::Text(self.id.clone())));
        let stored = layout.schema(true).columns.into_iter().skip(6 + layout.scored_classes().len());
        let columns = stored.zip(layout.specs()).map(|(stored, spec): (ColumnSpec, &ColumnSpec)| {
            let values = by_name.remove(&stored.name).unwrap_or_else(|| missing(spec.kind, self.len()));
            let values = match values {
                Values::Text(texts) => Values::Text(decoded(texts)),
                Values::Category(categories) => Values::Category(decoded_levels(categories)),
                other => other,
            };
            Column::new(spec.name.clone(), values)
        });
        Ok(Table::new(id.into_iter().chain(columns).collect())?)
    }
}

fn missing(kind: Kind, n_rows: usize) -> Values {
    match kind {
        Kind::Number => Values::Number(vec![f64::NAN; n_rows]),
        Kind::Time => Values::Time(vec![MISSING_TIME; n_rows]),
        Kind::Text | Kind::Id => Values::Text(std::iter::repeat_n("", n_rows).collect()),
        Kind::Category | Kind::Constant | Kind::Ignore => {
            Values::Category(Categories { codes: vec![MISSING_CODE; n_rows], levels: [].into() })
        }
    }
}

fn parse_versions(versions: &Categories) -> Vec<Option<Version>> {
    let levels: Vec<Option<Version>> = versions.levels.iter().map(|level| level.parse().ok()).collect();
    versions.codes.iter().map(|code| levels.get(*code as usize).copied().flatten()).collect()
}

fn decoded(texts: Texts) -> Texts {
    if !texts.iter().any(|text| text.starts_with('"')) {
        return texts;
    }
    let mut all = Texts::default();
    texts.iter().for_each(|text| all.push(&from_one_line(text)));
    all
}

fn decoded_levels(categories: Categories) -> Categories {
    if !categories.levels.iter().any(|level| level.starts_with('"')) {
        return categories;
    }
    let levels: Vec<_> = categories.levels.iter().map(|level| from_one_line(level)).collect();
    let text = |code: &u32| levels.get(*code as usize).map_or("", |level| level);
    Categories::from_texts(categories.codes.iter().map(text))
}
