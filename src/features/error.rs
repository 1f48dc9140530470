//! Errors between a table and a matrix.

use crate::table::Kind;

/// A table that cannot be encoded, with the column and, if there is one, the row.
///
/// Rows are counted from 1; the header does not count.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum FeatureError {
    /// Columns that the model needs and the table lacks.
    #[error("missing column{} {}", if .columns.len() == 1 { "" } else { "s" }, list(.columns))]
    MissingColumns {
        /// Their names.
        columns: Vec<String>,
    },
    /// A column of another kind than in training.
    #[error("column {column:?} contains {found}, but training had {}; see its kind in the schema", plural(*.expected))]
    Kind {
        /// The column's name.
        column: String,
        /// The kind in training.
        expected: Kind,
        /// The kind in this table.
        found: &'static str,
    },
    /// A label that is not one of the classes.
    #[error("column {column:?}, row {row}: {value:?} is not one of the classes {}", list(.classes))]
    Label {
        /// The target's name.
        column: String,
        /// 1-based row.
        row: usize,
        /// The label as written in the table.
        value: String,
        /// The known classes.
        classes: Vec<String>,
    },
    /// A target that cannot be learned.
    #[error("target {column:?}: {what}")]
    Target {
        /// The target's name.
        column: String,
        /// The reason, and the remedy.
        what: String,
    },
    /// A value that the negative-value rule refuses.
    #[error("column {column:?}, row {row}: {value} is negative, and the rule for this column is negative = \"error\"")]
    Negative {
        /// The column's name.
        column: String,
        /// 1-based row.
        row: usize,
        /// The value.
        value: f64,
    },
    /// An option that does not fit the table or has no meaning.
    #[error("[features] {what}")]
    Option {
        /// The option, and the reason.
        what: String,
    },
    /// A derived feature that cannot be computed.
    #[error("{what}")]
    Derived {
        /// The feature, the position in its expression, and the reason.
        what: String,
    },
    /// Rows without the values of their windows.
    #[error("{window}: it needs earlier rows, which are not available here")]
    NoPast {
        /// The feature and its expression.
        window: String,
    },
    /// No column is left for training.
    #[error(
        "no column is left to learn from. These are left out: ids, texts of single words, constant columns, dropped \
         columns and the target"
    )]
    NoFeatures,
    /// Arguments whose lengths disagree.
    #[error("{what}: {found} where the table has {expected} rows")]
    Length {
        /// The argument.
        what: &'static str,
        /// Its length.
        found: usize,
        /// The table's rows.
        expected: usize,
    },
    /// Rows that a resampling method cannot work with.
    #[error("resampling: {what}")]
    Resample {
        /// The reason, and the remedy.
        what: String,
    },
    /// A stored encoder that contradicts itself.
    #[error("the stored features are damaged: column {column:?}: {what}")]
    Damaged {
        /// The column's name.
        column: String,
        /// The mismatch.
        what: &'static str,
    },
}

fn list(names: &[String]) -> String {
    const SHOWN: usize = 12;
    let mut text = names.iter().take(SHOWN).map(|n| format!("{n:?}")).collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN {
        text.push_str(&format!(" and {} more", names.len() - SHOWN));
    }
    text
}

fn plural(kind: Kind) -> &'static str {
    match kind {
        Kind::Number => "numbers",
        Kind::Time => "times",
        Kind::Category | Kind::Constant => "categories",
        Kind::Id | Kind::Text | Kind::Ignore => "texts",
    }
}

/// Why a single cell has no features.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Its kind differs from the column's kind in training.
    #[error("does not have the kind that it had in training")]
    Kind,
    /// The rule for this column is `negative = "error"`.
    #[error("is negative, and the rule for this column is negative = \"error\"")]
    Negative,
}
