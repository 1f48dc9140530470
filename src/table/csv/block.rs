//! Reads a CSV file block by block and cuts each block into pieces at record ends.
//!
//! ```text
//! file   ───────────────────────────────────────────▶
//! block  [ piece │ piece │ piece │ carry )            carry: an incomplete record
//!                                [ carry │ piece …    goes in front of the next block
//! ```

use crate::atomic::AtPath;
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::before::{self, Uncommented};
use crate::table::input::Text;
use crate::table::record::{
    MAX_RECORD_BYTES, closing_quote, count_lines, fields_of, first_record_len, is_blank, opens_field, without_line_end,
};
use crate::table::{Ends, TableError};

/// How much is read at once and how finely it is cut.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    pub(crate) block: usize,
    pub(crate) piece: usize,
}

impl Default for Sizes {
    fn default() -> Self {
        Self { block: 8 << 20, piece: 256 << 10 }
    }
}

/// Whole records, cut into pieces.
pub(crate) struct Block {
    pub(crate) bytes: Vec<u8>,
    /// The end of each piece, and its first line number.
    pub(crate) pieces: Vec<PieceBounds>,
    /// Whether the file ends here.
    pub(crate) last: bool,
}

/// One piece of a block.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PieceBounds {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) line: u64,
}

/// The blocks of a file.
pub(crate) struct Blocks {
    name: String,
    reader: Box<dyn Read + Send>,
    /// Bytes of unpacked text, when known.
    pub(crate) size: Option<u64>,
    consumed: Arc<AtomicU64>,
    pub(crate) delimiter: u8,
    sizes: Sizes,
    /// The byte order mark and line ends of the file.
    pub(crate) ends: Ends,
    /// The delimiter in the first line.
    pub(crate) separator: Option<u8>,
    carry: Vec<u8>,
    spare: Vec<u8>,
    line: u64,
    eof: bool,
    done: bool,
    /// Lines of delimiters below the last row, and the number of the first.
    emptied: Option<(u64, u64)>,
}

impl Blocks {
    /// Reads the first block of bytes and drops a byte order mark. Lines that begin with `comment` are skipped,
    /// and so is a line `sep=;`, which names the delimiter.
    pub(crate) fn open(
        name: String,
        text: Text,
        delimiter: u8,
        comment: Option<u8>,
        sizes: Sizes,
    ) -> Result<Self, TableError> {
        let reader = match comment {
            Some(mark) => Box::new(Uncommented::new(text.reader, mark)),
            None => text.reader,
        };
        let mut blocks = Self {
            name,
            reader,
            size: text.size,
            consumed: text.consumed,
            delimiter,
            sizes,
            ends: Ends::default(),
            separator: None,
            carry: Vec::new(),
            spare: Vec::new(),
            line: text.first_line,
            eof: false,
            done: false,
            emptied: None,
        };
        let mut carry = Vec::new();
        blocks.fill(&mut carry, 0, sizes.block.max(4))?;
        blocks.ends = Ends::of(&carry[..carry.len().min(1 << 16)], delimiter);
        carry.drain(..blocks.ends.begin().len());
        if let Some((separator, len)) = before::separator(&carry) {
            carry.drain(..len);
            blocks.line += 1;
            (blocks.separator, blocks.delimiter) = (Some(separator), separator);
        }
        let head = &carry[..carry.len().min(1 << 16)];
        if before::ends_with_cr(head) {
            return Err(blocks.unusable("ends its lines with CR alone: convert them to LF (tr '\\r' '\\n')"));
        }
        if memchr::memchr(0, head).is_some() {
            return Err(blocks.unusable("holds zero bytes: it is not UTF-8 text"));
        }
        blocks.carry = carry;
        Ok(blocks)
    }

    /// Skips the lines before line `n + 1`.
    pub(crate) fn skip_lines(&mut self, n: u64) -> Result<(), TableError> {
        while n > 0 && self.line <= n {
            let Some(feed) = memchr::memchr(b'\n', &self.carry) else {
                return Err(self.unusable(&format!("has no line after the {n} skipped lines")));
            };
            self.carry.drain(..=feed);
            self.line += 1;
        }
        Ok(())
    }

    /// The line that follows.
    pub(crate) fn line(&self) -> u64 {
        self.line
    }

    /// The file's name in errors.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The number of lines without any cell after the last row, as where a spreadsheet emptied rows, and the line of
    /// the first; known after the last block.
    pub(crate) fn emptied(&self) -> Option<(u64, u64)> {
        self.emptied
    }

    /// Bytes read from the file so far.
    pub(crate) fn consumed(&self) -> u64 {
        self.consumed.load(Ordering::Relaxed)
    }

    /// The bytes that have been read but are not in a block yet.
    pub(crate) fn ahead(&self) -> &[u8] {
        &self.carry
    }

    /// Takes the first record that is not blank: its bytes without the line ending, and its line.
    pub(crate) fn take_record(&mut self) -> Result<Option<(Vec<u8>, u64)>, TableError> {
        let Some((start, end)) = self.first_record()? else { return Ok(None) };
        let line = self.line + count_lines(&self.carry[..start]);
        let record = without_line_end(&self.carry[start..end]).to_vec();
        self.line += count_lines(&self.carry[..end]);
        self.carry.drain(..end);
        Ok(Some((record, line)))
    }

    /// The number of fields of the first record that is not blank; the record is not consumed.
    pub(crate) fn first_width(&mut self) -> Result<Option<usize>, TableError> {
        let Some((start, end)) = self.first_record()? else { return Ok(None) };
        let record = without_line_end(&self.carry[start..end]);
        Ok(Some(fields_of(record, self.delimiter).len()))
    }

    /// The position in `carry` of the first record that is not blank.
    fn first_record(&mut self) -> Result<Option<(usize, usize)>, TableError> {
        let mut start = 0;
        loop {
            if start == self.carry.len() && self.eof {
                return Ok(None);
            }
            let Some(len) = first_record_len(&self.carry[start..], self.delimiter, self.eof) else {
                if self.eof || self.carry.len() >= MAX_RECORD_BYTES {
                    return Err(self.unfinished());
                }
                let mut carry = std::mem::take(&mut self.carry);
                let (filled, target) = (carry.len(), carry.len() * 2);
                self.fill(&mut carry, filled, target)?;
                self.carry = carry;
                continue;
            };
            if !is_blank(without_line_end(&self.carry[start..start + len]), self.delimiter) {
                return Ok(Some((start, start + len)));
            }
            start += len;
        }
    }

    /// The next block; `None` after the last.
    pub(crate) fn next(&mut self) -> Result<Option<Block>, TableError> {
        if self.done {
            return Ok(None);
        }
        let mut bytes = std::mem::take(&mut self.spare);
        let mut filled = self.carry.len();
        if bytes.len() < filled {
            std::mem::swap(&mut bytes, &mut self.carry);
        } else {
            // The rest is overwritten by reading: it need not be zeroed first.
            bytes[..filled].copy_from_slice(&self.carry);
        }
        self.carry.clear();
        let mut target = self.sizes.block;
        let ends = loop {
            self.fill(&mut bytes, filled, target)?;
            filled = bytes.len();
            let mut ends = cut(&bytes, self.delimiter, self.sizes.piece, self.eof);
            // Lines without a cell are rows if a row follows. If there are too many, they are kept as rows.
            let rows = filled_part(&bytes[..ends.last().copied().unwrap_or(0)], self.delimiter);
            if self.eof || bytes.len() < MAX_RECORD_BYTES {
                ends.retain(|&end| end < rows);
                ends.extend((rows > 0).then_some(rows));
            }
            if self.eof {
                self.emptied = emptied(&bytes, rows, self.line, self.delimiter);
                bytes.truncate(rows);
            }
            if self.eof || !ends.is_empty() {
                break ends;
            }
            if bytes.len() >= MAX_RECORD_BYTES {
                return Err(self.unfinished());
            }
            target = bytes.len() * 2;
        };
        let end = ends.last().copied().unwrap_or(0);
        self.carry.extend_from_slice(&bytes[end..]);
        bytes.truncate(end);
        let pieces = self.bounds(&bytes, &ends);
        self.done = self.eof && self.carry.is_empty();
        Ok(Some(Block { bytes, pieces, last: self.done }))
    }

    /// Reuses a block's memory for the next one.
    pub(crate) fn recycle(&mut self, block: Block) {
        self.spare = block.bytes;
    }

    fn bounds(&mut self, bytes: &[u8], ends: &[usize]) -> Vec<PieceBounds> {
        let mut start = 0;
        ends.iter()
            .map(|&end| {
                let piece = PieceBounds { start, end, line: self.line };
                self.line += count_lines(&bytes[start..end]);
                start = end;
                piece
            })
            .collect()
    }

    /// Reads on from `filled` until `bytes` has length `target` or the file ends; detects the end of the file at once.
    /// Bytes beyond `filled` are undefined.
    fn fill(&mut self, bytes: &mut Vec<u8>, filled: usize, target: usize) -> Result<(), TableError> {
        /// Memory is used in such steps, so that a small file needs little of it.
        const STEP: usize = 256 << 10;
        let mut filled = filled;
        // One byte beyond the target distinguishes a full block from the end of the file.
        let wanted = target + 1;
        while !self.eof && filled < wanted {
            if bytes.len() == filled {
                bytes.reserve(wanted - filled);
                bytes.resize(wanted.min(filled + STEP), 0);
            }
            let room = wanted.min(bytes.len());
            match self.reader.read(&mut bytes[filled..room]) {
                Ok(0) => self.eof = true,
                Ok(n) => filled += n,
                Err(err) if err.kind() == std::io::ErrorKind::Interrupted => {}
                Err(source) => return Err(AtPath::new(&self.name, source).into()),
            }
        }
        bytes.truncate(filled);
        Ok(())
    }

    fn unfinished(&self) -> TableError {
        TableError::Record {
            file: self.name.clone(),
            line: self.line,
            what: "the record that begins here does not end; probably a quote is never closed".to_owned(),
        }
    }

    fn unusable(&self, what: &str) -> TableError {
        TableError::File { file: self.name.clone(), what: what.to_owned() }
    }
}

/// The length of the text up to the end of its last record with a cell.
fn filled_part(bytes: &[u8], delimiter: u8) -> usize {
    let is_cell = |&byte: &u8| byte != delimiter && !matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
    let Some(last) = bytes.iter().rposition(is_cell) else { return 0 };
    memchr::memchr(b'\n', &bytes[last..]).map_or(bytes.len(), |feed| last + feed + 1)
}

/// Number of lines of delimiters from `at`, and the line of the first.
fn emptied(bytes: &[u8], at: usize, line: u64, delimiter: u8) -> Option<(u64, u64)> {
    let has_fields = |line: &&[u8]| memchr::memchr(delimiter, line).is_some();
    let lines = || bytes[at..].split(|&byte| byte == b'\n');
    let first = lines().position(|line| has_fields(&line))?;
    let n = lines().filter(has_fields).count() as u64;
    Some((n, line + count_lines(&bytes[..at]) + first as u64))
}

/// Ends of pieces of at least `piece` bytes, each just after a line feed that ends a record (or at the end of the
/// file). The rest after the last end is incomplete.
fn cut(bytes: &[u8], delimiter: u8, piece: usize, eof: bool) -> Vec<usize> {
    let mut cutter = Cutter { bytes, piece: piece.max(1), ends: Vec::new(), last_end: 0 };
    let mut at = 0;
    let mut complete = true;
    while let Some(found) = memchr::memchr(b'"', &bytes[at..]) {
        let quote = at + found;
        cutter.outside(at, quote);
        if !opens_field(bytes, quote, delimiter) {
            at = quote + 1;
            continue;
        }
        match closing_quote(bytes, quote + 1, eof) {
            Some(after) => at = after,
            None => {
                complete = false;
                break;
            }
        }
    }
    if complete {
        cutter.outside(at, bytes.len());
    }
    cutter.finish(eof)
}

/// Collects piece ends while scanning text outside quotes.
struct Cutter<'a> {
    bytes: &'a [u8],
    piece: usize,
    ends: Vec<usize>,
    /// After the last line feed seen outside quotes.
    last_end: usize,
}

impl Cutter<'_> {
    /// Scans `from..to`, which is outside quotes.
    fn outside(&mut self, from: usize, to: usize) {
        let mut from = from;
        loop {
            let wanted = self.ends.last().copied().unwrap_or(0) + self.piece - 1;
            let search = wanted.max(from);
            if search >= to {
                break;
            }
            match memchr::memchr(b'\n', &self.bytes[search..to]) {
                Some(found) => {
                    self.last_end = search + found + 1;
                    self.ends.push(self.last_end);
                    from = self.last_end;
                }
                None => break,
            }
        }
        if let Some(found) = self.bytes.get(from..to).and_then(|text| memchr::memrchr(b'\n', text)) {
            self.last_end = self.last_end.max(from + found + 1);
        }
    }

    fn finish(mut self, eof: bool) -> Vec<usize> {
        let end = if eof { self.bytes.len() } else { self.last_end };
        if end > self.ends.last().copied().unwrap_or(0) {
            self.ends.push(end);
        }
        self.ends
    }
}

#[cfg(test)]
mod tests;
