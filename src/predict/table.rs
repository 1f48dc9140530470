//! Scored rows as a typed table, for the formats that know types.

use super::error::PredictError;
use super::layout::{Answer, Field, Found, Layout, Said};
use super::options::Format;
use crate::pipeline::Pipeline;
use crate::table::{
    Batch, Cell, CellReader, Column, ColumnSpec, JsonType, Kind, MISSING_TIME, ParquetWriter, Stored, StoredType,
    Stream, Table, Texts, Values, push_json_lines,
};
use std::io::Write;

/// Writes batches of scored rows as typed tables.
pub(super) struct Typed {
    format: Format,
    columns: Vec<TypedColumn>,
    parquet: Option<ParquetWriter>,
}

/// A column of the output.
struct TypedColumn {
    name: String,
    field: Field,
    /// Reads the cells of numbers and times.
    reader: Option<CellReader>,
    /// Whether texts that read as numbers or booleans are such values.
    has_literals: bool,
    /// The column's type in the input, if it is kept: the cells are then never converted to text.
    stored: Option<StoredType>,
    /// The Parquet type for booleans from JSON, whose cells are read from text.
    boolean: Option<StoredType>,
}

impl Typed {
    /// Creates a writer for the columns of `layout`, with the fields of `rows`.
    pub(super) fn new(
        format: Format,
        layout: &Layout,
        rows: &Stream,
        pipeline: &Pipeline,
    ) -> Result<Self, PredictError> {
        let names = rows.names();
        let all = (0..names.len()).map(Field::Raw).chain((0..layout.answers.len()).map(Field::Answer));
        let fields: Vec<Field> = layout.fields.clone().unwrap_or_else(|| all.collect());
        let column = |field: Field| {
            let k = match field {
                Field::Raw(k) => k,
                Field::Answer(k) => return Ok(TypedColumn::answer(layout.answers[k].clone(), field)),
            };
            // JSON has no times: they stay texts in the column's format.
            let typed = |kind: Kind| kind == Kind::Number || (kind == Kind::Time && format != Format::JsonLines);
            // Types of JSON values are kept: texts stay texts even if the model reads them as numbers.
            let (json, is_parquet) = (rows.json_type(k), format == Format::Parquet);
            let stays = |spec: &&ColumnSpec| spec.kind == Kind::Number && json == Some(JsonType::Text);
            let number = ColumnSpec::new(&names[k], Kind::Number);
            let spec = pipeline.schema.column(&names[k]).filter(|spec| typed(spec.kind)).filter(|spec| !stays(spec));
            let spec = spec.or((is_parquet && json == Some(JsonType::Number)).then_some(&number));
            let boolean = Some(&names[k]).filter(|_| is_parquet && json == Some(JsonType::Boolean));
            let boolean = boolean.and_then(|name| StoredType::boolean(name));
            let spec = spec.filter(|_| boolean.is_none());
            let reader = spec.map(|spec| CellReader::new(spec, &pipeline.schema.dialect)).transpose();
            let reader = reader.map_err(crate::pipeline::PipelineError::Rows)?;
            let stored = rows.types().get(k).cloned().flatten().filter(|_| is_parquet);
            let has_literals = rows.has_literals(k);
            Ok(TypedColumn { name: names[k].clone(), field, reader, has_literals, stored, boolean })
        };
        let columns = fields.into_iter().map(column).collect::<Result<_, PredictError>>()?;
        Ok(Self { format, columns, parquet: None })
    }

    /// The rows of a batch; columns that keep their type are empty.
    pub(super) fn table(&self, batch: &Batch, delimiter: u8, found: &Found<'_>) -> Result<Table, PredictError> {
        let n_rows = found.scores.n_rows();
        let cells: Vec<_> = match batch.raw.is_empty() {
            true => Vec::new(),
            false => (0..n_rows).map(|row| batch.raw.cells(row, delimiter)).collect(),
        };
        let answer = |row: usize| Answer { found, row, delimiter };
        let cell =
            |row: usize, k: usize| cells.get(row).and_then(|cells| cells.get(k)).map_or("", |text| text.as_ref());
        let values = |column: &TypedColumn| match (column.field, &column.reader) {
            (Field::Raw(_), _) if column.stored.is_some() => Values::Text((0..n_rows).map(|_| "").collect::<Texts>()),
            (Field::Raw(k), Some(reader)) => typed((0..n_rows).map(|row| cell(row, k)), reader),
            (Field::Raw(k), None) => Values::Text((0..n_rows).map(|row| cell(row, k)).collect::<Texts>()),
            (Field::Answer(k), _) => said((0..n_rows).map(|row| answer(row).said(k))),
        };
        let columns = self.columns.iter().map(|column| Column::new(column.name.clone(), values(column)));
        Ok(Table::new(columns.collect())?)
    }

    /// Writes the rows of a batch; `table` is the typed part.
    pub(super) fn push(&mut self, table: &Table, batch: &Batch, out: &mut dyn Write) -> Result<(), PredictError> {
        if self.format == Format::JsonLines {
            let literals: Vec<bool> = self.columns.iter().map(|column| column.has_literals).collect();
            let mut lines = Vec::new();
            push_json_lines(&mut lines, table, &literals);
            out.write_all(&lines)?;
            return Ok(());
        }
        let booleans: Vec<Option<Stored>> = self.columns.iter().zip(table.columns()).map(booleans).collect();
        let cells = self.columns.iter().zip(&booleans).map(|(column, booleans)| match (column.field, &column.stored) {
            (Field::Raw(k), Some(_)) => batch.raw.stored(k),
            _ => booleans.as_ref(),
        });
        let stored: Vec<Option<&Stored>> = cells.collect();
        match &mut self.parquet {
            Some(parquet) => parquet.push_passing(table, &stored)?,
            None => {
                let mut parquet = ParquetWriter::passing(table, &self.types())?;
                parquet.push_passing(table, &stored)?;
                self.parquet = Some(parquet);
            }
        }
        Ok(())
    }

    fn types(&self) -> Vec<Option<StoredType>> {
        self.columns.iter().map(|column| column.stored.clone().or(column.boolean.clone())).collect()
    }

    /// Completes the file.
    pub(super) fn finish(mut self, out: &mut dyn Write) -> Result<(), PredictError> {
        match (self.format, self.parquet.take()) {
            (Format::Parquet, Some(parquet)) => Ok(parquet.finish(out)?),
            (Format::Parquet, None) => {
                // No row was scored: write the columns only.
                let empty = |column: &TypedColumn| Column::new(column.name.clone(), Values::Text(Texts::default()));
                let table = Table::new(self.columns.iter().map(empty).collect())?;
                Ok(ParquetWriter::passing(&table, &self.types())?.finish(out)?)
            }
            _ => Ok(()),
        }
    }
}

impl TypedColumn {
    fn answer(name: String, field: Field) -> Self {
        Self { name, field, reader: None, has_literals: false, stored: None, boolean: None }
    }
}

/// The cells of a column of booleans.
fn booleans((column, cells): (&TypedColumn, &Column)) -> Option<Stored> {
    match &cells.values {
        Values::Text(texts) if column.boolean.is_some() => Stored::booleans((0..texts.len()).map(|row| texts.get(row))),
        _ => None,
    }
}

/// Cells of a column of numbers or times. Cells that do not fit become missing; this happens only in columns that no
/// feature uses.
fn typed<'a>(cells: impl Iterator<Item = &'a str>, reader: &'a CellReader) -> Values {
    let cells: Vec<Option<Cell<'a>>> = cells.map(|text| reader.text(text)).collect();
    if reader.is_time() {
        let time = |cell: &Option<Cell>| if let Some(Cell::Time(at)) = cell { *at } else { MISSING_TIME };
        return Values::Time(cells.iter().map(time).collect());
    }
    let number = |cell: &Option<Cell>| if let Some(Cell::Number(value)) = cell { *value } else { f64::NAN };
    Values::Number(cells.iter().map(number).collect())
}

fn said<'a>(answers: impl Iterator<Item = Said<'a>>) -> Values {
    let answers: Vec<Said> = answers.collect();
    if answers.iter().any(|answer| matches!(answer, Said::Text(_))) {
        let text = |answer: &'_ Said<'a>| if let Said::Text(text) = answer { text.to_string() } else { String::new() };
        let texts: Vec<String> = answers.iter().map(text).collect();
        return Values::Text(texts.iter().map(String::as_str).collect::<Texts>());
    }
    // With as many digits as in CSV.
    let number = |answer: &Said| match answer {
        Said::Number(value) | Said::Target(value) => value.widened(),
        Said::Text(_) | Said::Nothing => f64::NAN,
    };
    Values::Number(answers.iter().map(number).collect())
}
