//! One block after another, with the bytes of every record, for scoring in constant memory.

use super::block::{Block, Sizes};
use super::{Parsed, Reader};
use crate::table::batch::{Batch, RawRecords};
use crate::table::build::Builder;
use crate::table::evidence::Watched;
use crate::table::input::Text;
use crate::table::stream::Batches;
use crate::table::{Column, Ends, Misfits, ReadOptions, Rejects, Schema, Table, TableError};

/// Bytes of text in a batch.
const SIZES: Sizes = Sizes { block: 4 << 20, piece: 256 << 10 };

/// The batches of a CSV file.
pub(crate) struct CsvStream<'a> {
    reader: Reader<'a>,
    block: Option<Block>,
}

impl<'a> CsvStream<'a> {
    pub(crate) fn open(name: &str, text: Text, schema: &Schema, options: &'a ReadOptions) -> Result<Self, TableError> {
        let mut reader = Reader::open(name, text, schema, options, SIZES)?;
        let block = reader.blocks.next()?;
        Ok(Self { reader, block })
    }

    fn batch(&mut self, block: Block, parsed: Vec<Parsed>) -> Result<Batch, TableError> {
        let n_rows = parsed.iter().map(|p| p.n_rows).sum();
        let wanted = &self.reader.plan.columns;
        let columns = wanted.iter().enumerate().map(|(idx, wanted)| {
            let mut builder = Builder::new(&wanted.storage, n_rows);
            parsed.iter().for_each(|piece| builder.append(&piece.parts[idx]));
            Column::new(wanted.name.clone(), builder.finish())
        });
        let table = Table::new(columns.collect())?;
        if self.reader.options.no_raw {
            self.reader.blocks.recycle(block);
            return Ok(Batch { table, raw: RawRecords::default() });
        }
        let spans = parsed.into_iter().flat_map(|p| p.spans).collect();
        Ok(Batch { table, raw: RawRecords::new(block.bytes, spans) })
    }
}

impl Batches for CsvStream<'_> {
    fn header(&self) -> Option<&[u8]> {
        (!self.reader.header.is_empty()).then_some(&self.reader.header)
    }

    fn delimiter(&self) -> u8 {
        self.reader.blocks.delimiter
    }

    fn ends(&self) -> Ends {
        self.reader.blocks.ends
    }

    fn names(&self) -> &[String] {
        &self.reader.plan.names
    }

    fn notes(&self) -> &[String] {
        &self.reader.plan.notes
    }

    fn left_out(&self) -> Vec<String> {
        self.reader.left_out()
    }

    fn watched(&self) -> Option<&Watched> {
        Some(&self.reader.watched)
    }

    fn misfits(&self) -> &Misfits {
        &self.reader.misfits
    }

    fn rejects(&self) -> &Rejects {
        &self.reader.rejects
    }

    fn next(&mut self) -> Result<Option<Batch>, TableError> {
        while let Some(block) = self.block.take() {
            let (parsed, next) = self.reader.parse_and_read_on(&block, !self.reader.options.no_raw)?;
            self.block = next;
            if parsed.iter().any(|p| p.n_rows > 0) {
                return self.batch(block, parsed).map(Some);
            }
        }
        Ok(None)
    }
}
