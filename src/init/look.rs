//! Infers the schema of the table, with the user's options for columns.

use super::{InitError, InitRequest, doubt};
use crate::table::{
    ColumnSpec, Doubt, Finding, InferOptions, Inference, Input, Kind, OneClass, ReadOptions, Table, TargetGuess,
    has_word, infer_fitting, read, schema,
};
use crate::wording::{instead, list};

/// Words in names of columns that identify a row, at any position.
pub(super) const NAMES_ROWS: [&str; 8] = ["id", "ids", "uuid", "guid", "key", "no", "nr", "number"];
/// Names that other tools give to a column of row numbers; the first is the empty name.
const COUNTERS: [&str; 8] = ["c1", "index", "idx", "row", "rowid", "rownames", "unnamed: 0", "level_0"];

impl InitRequest<'_> {
    /// The inferred schema, with the requested kinds.
    pub(super) fn look(&self) -> Result<Inference, InitError> {
        let open = || Input::open(self.table);
        let mut found = infer_fitting(open, self.infer_options(Vec::new()))?;
        self.set_kinds(&mut found)?;
        // Requested kinds can reject rows too.
        let asked = |spec: &&ColumnSpec| {
            matches!(spec.kind, Kind::Number | Kind::Time) && self.kinds.iter().any(|(name, _)| *name == spec.name)
        };
        let fitting: Vec<ColumnSpec> = found.schema.columns.iter().filter(asked).cloned().collect();
        if self.read.skip_invalid && !fitting.is_empty() {
            found = infer_fitting(open, self.infer_options(fitting))?;
            self.set_kinds(&mut found)?;
        }
        Ok(found)
    }

    pub(super) fn infer_options(&self, fitting: Vec<ColumnSpec>) -> InferOptions {
        let usual = schema::DEFAULT_MISSING.map(str::to_owned).into_iter();
        InferOptions {
            delimiter: self.read.delimiter,
            decimal: self.read.decimal,
            skip_lines: self.read.skip_lines,
            comment: self.read.comment,
            header: self.header,
            missing: Some(usual.chain(self.missing.iter().cloned()).collect()),
            target: self.target.clone(),
            skip_invalid: self.read.skip_invalid,
            fitting,
            levels: Some(
                self.kinds.iter().filter(|(_, kind)| *kind == Kind::Category).map(|(name, _)| name.clone()).collect(),
            ),
            ..InferOptions::default()
        }
    }

    /// Ignores the columns of `--ignore`, and keeps one id.
    pub(super) fn set_kinds(&self, inference: &mut Inference) -> Result<(), InitError> {
        for name in &self.ignore {
            self.check_column(inference, "--ignore", name)?;
            set_kind(inference, name, Kind::Ignore, "ignored by --ignore");
        }
        for (name, kind) in &self.kinds {
            self.check_column(inference, "--kind", name)?;
            match inference.doubts.iter().find(|doubt| doubt.column == *name && doubt.kind() == *kind) {
                // The most common kind, in the most common notation.
                Some(doubt) => {
                    let spec = doubt.spec();
                    set_kind(inference, name, *kind, "set by --kind");
                    inference.schema.columns.iter_mut().filter(|c| c.name == *name).for_each(|c| c.clone_from(&spec));
                }
                // If the inferred kind is the same, keep its notation.
                None if inference.schema.column(name).is_some_and(|column| column.kind == *kind) => {
                    let found = inference.columns.iter_mut().filter(|found| found.name == *name);
                    found.for_each(|found| found.reason = format!("set by --kind; {}", found.reason));
                }
                None => set_kind(inference, name, *kind, "set by --kind"),
            }
        }
        // A row counter identifies other rows in the next file, so any other id is preferred.
        let mut ids: Vec<&Finding> = inference.columns.iter().filter(|c| c.kind == Kind::Id).collect();
        let is_said =
            |column: &Finding| self.kinds.iter().any(|(name, kind)| *name == column.name && *kind == Kind::Id);
        ids.sort_by_key(|column| {
            (!is_said(column), u8::from(column.counts_rows) + u8::from(!has_word(&column.name, &NAMES_ROWS)))
        });
        let counter = ids.first().filter(|id| id.counts_rows && COUNTERS.contains(&id.name.to_lowercase().as_str())).map(|id| {
            format!(
                "the id {:?} is a row counter: in another file the same numbers mean other rows, and labels would be \
                 joined to wrong rows. Set the id column with --kind COLUMN=id, or exclude this one with --ignore",
                id.name
            )
        });
        let ids: Vec<String> = ids.into_iter().map(|id| id.name.clone()).collect();
        inference.notes.extend(counter);
        for name in ids.iter().skip(1) {
            set_kind(inference, name, Kind::Text, &format!("unique in every row, like the id {:?}", ids[0]));
        }
        Ok(())
    }

    /// Whether an option names a column of the table.
    fn check_column(&self, inference: &Inference, option: &str, name: &str) -> Result<(), InitError> {
        if inference.schema.column(name).is_some() {
            return Ok(());
        }
        let other = instead(name, inference.columns.iter().map(|c| c.name.as_str()));
        Err(InitError::Option(format!("{}: {option}: no column {name:?}{other}", self.table.display())))
    }

    /// A column that is nearly a number or a time needs the user's decision.
    pub(super) fn refuse_doubts(&self, inference: &Inference) -> Result<(), InitError> {
        let said = |name: &String| self.ignore.contains(name) || self.kinds.iter().any(|(known, _)| known == name);
        let open: Vec<&Doubt> = inference.doubts.iter().filter(|doubt| !said(&doubt.column)).collect();
        if let Some((what, ways_out)) = doubt::of_rows(&open) {
            return Err(InitError::Doubt { what: format!("{}: {what}", self.table.display()), ways_out });
        }
        let mut open = open.into_iter();
        let Some(first) = open.next() else { return Ok(()) };
        let more: Vec<String> = open.map(|doubt| format!("{:?}", doubt.column)).collect();
        let more = if more.is_empty() { String::new() } else { format!("; the same holds for {}", more.join(", ")) };
        Err(InitError::Doubt { what: format!("{}: {first}{more}", self.table.display()), ways_out: first.ways_out() })
    }

    /// Reads some columns. If rows may be rejected, all columns are read, because each can reject a row.
    pub(super) fn read_columns(&self, inference: &Inference, names: Vec<String>) -> Result<Table, InitError> {
        let skip_invalid = self.read.skip_invalid;
        let options =
            ReadOptions { columns: Some(names).filter(|_| !skip_invalid), skip_invalid, ..Default::default() };
        Ok(read(Input::open(self.table)?, &inference.schema, &options)?.table)
    }

    /// The column to predict, and why.
    pub(super) fn target(&self, inference: &Inference) -> Result<TargetGuess, InitError> {
        if let Some(OneClass { name, value, missing }) = &inference.one_class {
            let always = if value.is_empty() { "missing".to_owned() } else { format!("{value:?}") };
            let always = match (value.as_str(), missing.as_str()) {
                ("", _) | (_, "") => always,
                (_, missing) => format!("{always} ({missing})"),
            };
            let what = format!(
                "{}: {name:?} looks like the target, but it is always {always}. Use a table with rows of both classes, or \
                 name another column with --target",
                self.table.display()
            );
            return Err(InitError::Option(what));
        }
        inference.target.clone().ok_or_else(|| {
            InitError::Option(format!(
                "{}: no column looks like a target; name it with --target ({})",
                self.table.display(),
                list(inference.columns.iter().map(|c| c.name.as_str()))
            ))
        })
    }
}

/// Sets the kind of a column, with the reason.
pub(super) fn set_kind(inference: &mut Inference, name: &str, kind: Kind, reason: &str) {
    let found = inference.columns.iter_mut().find(|c| c.name == name);
    if let (Some(spec), Some(found)) = (inference.schema.columns.iter_mut().find(|c| c.name == name), &found) {
        spec.kind = kind;
        spec.number = match kind {
            Kind::Id => found.whole_ids.clone(),
            Kind::Number => found.as_number.clone(),
            _ => None,
        };
        spec.format = found.as_time.clone().filter(|_| kind == Kind::Time);
        if kind != Kind::Category {
            spec.spelling = Default::default();
        }
    }
    if let Some(finding) = found {
        finding.kind = kind;
        reason.clone_into(&mut finding.reason);
    }
}
