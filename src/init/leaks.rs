//! Columns that the target is computed from.

use super::{InitError, InitRequest, set_kind};
use crate::features::Target;
use crate::features::leaks::{How, find_leaks};
use crate::table::{Finding, Inference, Input, Kind, ReadOptions, Table, stream};

/// Rows checked for columns that reveal the target.
const SAMPLE_ROWS: usize = 20_000;

/// A column that is ignored automatically.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LeftOut {
    column: String,
    /// The reason, as a clause.
    reason: String,
}

impl LeftOut {
    /// All ignored columns with the way to keep them, as the end of a message; empty if there are none.
    pub(super) fn told(all: &[Self]) -> String {
        let told: Vec<String> = all.iter().map(|left| format!("{} is ignored: {}", left.column, left.reason)).collect();
        if told.is_empty() {
            String::new()
        } else {
            format!("; {} (--kind NAME=number keeps a column)", told.join("; "))
        }
    }
}

/// The columns found to reveal the target.
pub(super) struct Leaks {
    /// The ignored columns.
    pub(super) left_out: Vec<LeftOut>,
    /// Notes on the other columns.
    pub(super) suspicions: Vec<String>,
}

impl InitRequest<'_> {
    /// Columns that make up the target are ignored; columns that nearly reveal it are reported.
    pub(super) fn leave_out_leaks(&self, inference: &mut Inference, target: &Target) -> Result<Leaks, InitError> {
        let sample = self.sample(inference)?;
        let labels = target.encode(sample.require(&target.name)?)?;
        let excluded = |c: &&Finding| matches!(c.kind, Kind::Id | Kind::Constant);
        let skip: Vec<String> = inference.columns.iter().filter(excluded).map(|c| c.name.clone()).collect();
        let leaks = find_leaks(&sample, target, &labels.y, &skip, 0);
        let (mut left_out, mut suspicions) = (Vec::new(), Vec::new());
        for leak in &leaks {
            let reason = match &leak.how {
                How::Formula(formula) => {
                    Some(format!("{} = {formula}, so it is not available at prediction time", target.name))
                }
                How::Equal => Some(format!("it equals {}", target.name)),
                _ => None,
            };
            // A column whose kind is given on the command line is kept.
            let is_asked = |column: &String| self.kinds.iter().any(|(name, _)| name == column);
            match reason.filter(|_| !leak.columns.iter().any(is_asked)) {
                Some(reason) => {
                    left_out.extend(
                        leak.columns.iter().map(|column| LeftOut { column: column.clone(), reason: reason.clone() }),
                    );
                }
                None => suspicions.push(leak),
            }
        }
        for LeftOut { column, reason } in &left_out {
            set_kind(inference, column, Kind::Ignore, &format!("ignored: {reason}"));
        }
        let ignored = |name: &String| inference.schema.column(name).is_some_and(|c| c.kind == Kind::Ignore);
        let suspicions = suspicions.into_iter().filter(|leak| !leak.columns.iter().any(ignored));
        Ok(Leaks { suspicions: suspicions.map(ToString::to_string).collect(), left_out })
    }

    /// The first rows of the table.
    pub(super) fn sample(&self, inference: &Inference) -> Result<Table, InitError> {
        let options = ReadOptions { skip_invalid: self.read.skip_invalid, ..Default::default() };
        match stream(Input::open(self.table)?, &inference.schema, &options)?.next() {
            Some(batch) => {
                let table = batch?.table;
                let rows: Vec<u32> = (0..u32::try_from(table.n_rows().min(SAMPLE_ROWS)).unwrap_or(0)).collect();
                Ok(table.take(&rows))
            }
            None => Err(InitError::Option(format!("{}: no rows", self.table.display()))),
        }
    }
}
