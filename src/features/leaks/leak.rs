//! A suspected column or pair of columns, with the reason.

use serde::Serialize;
use std::fmt;

/// One or two columns that are suspected of revealing the target.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Leak {
    /// The columns.
    pub columns: Vec<String>,
    /// How they reveal it.
    pub how: How,
}

/// How columns reveal the target.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// The column is the target.
    Equal,
    /// The two columns make the target: `a + b`, `a - b`, `a * b` or `a / b`.
    Formula(String),
    /// The column alone separates the classes, with this ROC-AUC (mean over classes of one against the rest).
    Separates(f64),
    /// The column alone separates this class of several from the others, with this ROC-AUC.
    SeparatesClass(String, f64),
    /// The column separates these classes of several from the others.
    SeparatesClasses(Vec<String>),
    /// The column contains the target of the next row.
    NextRow,
    /// The values of a numeric target in the column's levels hardly overlap: this share of the pairs of rows of
    /// different levels has the same order.
    Sorts(f64),
    /// The column has a value in rows of this class only, in this many.
    FilledFor(String, usize),
    /// The column is empty in rows of this class only, in this many.
    EmptyFor(String, usize),
    /// The column alone explains this share of the variance of the target or of its ranks.
    Explains(f64),
}

impl fmt::Display for Leak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.columns.iter().map(|c| format!("{c:?}")).collect::<Vec<_>>().join(" and ");
        match &self.how {
            How::Equal => write!(f, "column {names} equals the target"),
            How::Formula(formula) => write!(f, "the target is computed from the columns {names}: it equals {formula}"),
            How::Separates(auc) => write!(f, "column {names} alone separates the target (roc_auc {auc:.3})"),
            How::SeparatesClass(class, auc) => {
                write!(f, "column {names} alone separates the class {class:?} from the others (roc_auc {auc:.3})")
            }
            How::SeparatesClasses(classes) => {
                let named: Vec<String> = classes.iter().map(|class| format!("{class:?}")).collect();
                write!(f, "column {names} alone separates the classes {} from the others", named.join(", "))
            }
            How::NextRow => write!(f, "column {names} contains the target of the next row"),
            How::Sorts(share) => write!(
                f,
                "column {names} alone orders the rows almost as the target does ({:.1} % of the pairs of rows)",
                100.0 * share
            ),
            How::FilledFor(class, rows) => {
                write!(f, "column {names} has a value only in rows of the class {class:?} ({rows} rows)")
            }
            How::EmptyFor(class, rows) => {
                write!(f, "column {names} is empty only in rows of the class {class:?} ({rows} rows)")
            }
            How::Explains(r2) => write!(f, "column {names} alone explains {:.1} % of the target", 100.0 * r2),
        }?;
        f.write_str("; is it available at prediction time?")
    }
}
