//! Checks page headers of a Parquet file before the Parquet crate decompresses the pages, and refuses those that exceed
//! the limits. The crate allocates whatever a header states, and the codecs gzip and brotli expand to whatever they
//! contain.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use parquet::basic::{Compression, Encoding, Type as PhysicalType};
use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::schema::types::ColumnDescPtr;

use super::page_head::PageHead;
use crate::format::bounds::size;

/// Maximum decompressed bytes of a page.
const MAX_PAGE: usize = 256 << 20;
/// Maximum bytes of the pages held at once: one page and one dictionary per column.
const MAX_PAGES: usize = 512 << 20;
/// Maximum entries of a column of lists in a row group; the limit is the number of bits in the file if that is larger.
const MAX_ENTRIES: usize = 16_000_000;

/// Total bytes of a row group's pages that are held.
pub(super) type Held = Arc<AtomicUsize>;

/// The pages of a column in a row group, each checked before it is decompressed.
pub(super) struct Guard {
    pages: Box<dyn PageReader>,
    column: ColumnDescPtr,
    codec: Compression,
    bytes: Bytes,
    at: usize,
    end: usize,
    /// Number of entries that may still follow.
    entries: usize,
    held: Held,
    dictionary: usize,
    page: usize,
}

impl Guard {
    pub(super) fn new(
        pages: Box<dyn PageReader>,
        chunk: &ColumnChunkMetaData,
        rows: i64,
        bytes: &Bytes,
        held: &Held,
    ) -> Result<Self> {
        let (start, length) = chunk.byte_range();
        let place = |number: u64| usize::try_from(number).ok().filter(|place| *place <= bytes.len());
        let end = start.checked_add(length).and_then(place);
        let (Some(at), Some(end)) = (place(start), end) else {
            return Err(general("a column is outside the file"));
        };
        let rows = usize::try_from(rows).unwrap_or(0);
        let column = chunk.column_descr_ptr();
        let entries =
            if column.max_rep_level() > 0 { MAX_ENTRIES.max(bytes.len().saturating_mul(8)) } else { rows };
        Ok(Self {
            pages,
            column,
            codec: chunk.compression(),
            bytes: bytes.clone(),
            at,
            end,
            entries,
            held: Arc::clone(held),
            dictionary: 0,
            page: 0,
        })
    }

    /// Checks the header of the next page; `None` if there are no more pages.
    fn next_head(&mut self) -> Result<Option<PageHead>> {
        while self.at < self.end {
            let head = PageHead::read(&self.bytes[self.at..self.end])
                .ok_or_else(|| general("a page without a header"))?;
            let body = self.at + head.length;
            let next = body.checked_add(head.packed).filter(|next| *next <= self.end);
            let next = next.ok_or_else(|| general("a page that ends after its column"))?;
            self.at = next;
            // An index page, which the crate skips.
            if head.kind == 1 {
                continue;
            }
            self.check(&head, &self.bytes.slice(body..next))?;
            self.hold(&head)?;
            if head.kind != 2 {
                self.entries = self.entries.checked_sub(head.values).ok_or_else(|| {
                    general(&format!(
                        "column {} has more values than its rows or its length allow",
                        self.column.path()
                    ))
                })?;
            }
            return Ok(Some(head));
        }
        Ok(None)
    }

    fn check(&self, head: &PageHead, body: &[u8]) -> Result<()> {
        if head.unpacked > MAX_PAGE {
            return Err(general(&format!(
                "a page of column {} states a decompressed size of {}; the limit is {} per page",
                self.column.path(),
                size(head.unpacked),
                size(MAX_PAGE)
            )));
        }
        if head.kind == 2 && head.values > head.unpacked / self.least_width() {
            return Err(general(&format!(
                "the dictionary of column {} states that {} contain {} values",
                self.column.path(),
                size(head.unpacked),
                head.values
            )));
        }
        let (Some(inner), Some(most)) = (body.get(head.levels..), head.unpacked.checked_sub(head.levels))
        else {
            return Err(general("a page whose levels are longer than the page"));
        };
        if !head.is_packed {
            return Ok(());
        }
        let unpacked = match self.codec {
            Compression::GZIP(_) => unpacks(flate2::read::MultiGzDecoder::new(inner), most),
            Compression::BROTLI(_) => unpacks(brotli::Decompressor::new(inner, 4096), most),
            // The other codecs decompress into a buffer of the length given in the header.
            _ => most,
        };
        if unpacked > most {
            return Err(general(&format!(
                "a page of column {} decompresses to more than the {} it states",
                self.column.path(),
                size(most)
            )));
        }
        Ok(())
    }

    /// Minimum bytes of a dictionary value.
    fn least_width(&self) -> usize {
        match self.column.physical_type() {
            PhysicalType::BOOLEAN => 1,
            PhysicalType::INT32 | PhysicalType::FLOAT | PhysicalType::BYTE_ARRAY => 4,
            PhysicalType::INT64 | PhysicalType::DOUBLE => 8,
            PhysicalType::INT96 => 12,
            PhysicalType::FIXED_LEN_BYTE_ARRAY => {
                usize::try_from(self.column.type_length()).unwrap_or(1).max(1)
            }
        }
    }

    /// Counts this page in place of the previous one.
    fn hold(&mut self, head: &PageHead) -> Result<()> {
        let before = if head.kind == 2 { &mut self.dictionary } else { &mut self.page };
        self.held.fetch_sub(*before, Ordering::Relaxed);
        *before = head.unpacked;
        let held = self.held.fetch_add(head.unpacked, Ordering::Relaxed) + head.unpacked;
        if held > MAX_PAGES {
            return Err(general(&format!(
                "pages that must be held together take {}; the limit is {}",
                size(held),
                size(MAX_PAGES)
            )));
        }
        Ok(())
    }

    /// Checks delta encodings, which state their own number of values: the crate allocates memory for that number.
    fn check_differences(&self, page: &Page) -> Result<()> {
        let (encoding, values, data) = match page {
            Page::DataPage { buf, num_values, encoding, .. } => {
                let mut data = buf.as_ref();
                for level in [self.column.max_rep_level(), self.column.max_def_level()] {
                    if level > 0 {
                        let length = data.get(..4).and_then(|head| <[u8; 4]>::try_from(head).ok());
                        let length = length.map(|head| u32::from_le_bytes(head) as usize);
                        data = length.and_then(|length| data.get(4..)?.get(length..)).unwrap_or_default();
                    }
                }
                (*encoding, *num_values, data)
            }
            Page::DataPageV2 {
                buf, num_values, encoding, def_levels_byte_len, rep_levels_byte_len, ..
            } => {
                let levels = *def_levels_byte_len as usize + *rep_levels_byte_len as usize;
                (*encoding, *num_values, buf.get(levels..).unwrap_or_default())
            }
            Page::DictionaryPage { .. } => return Ok(()),
        };
        let by_differences =
            [Encoding::DELTA_BINARY_PACKED, Encoding::DELTA_LENGTH_BYTE_ARRAY, Encoding::DELTA_BYTE_ARRAY];
        if !by_differences.contains(&encoding) {
            return Ok(());
        }
        // Block size, miniblocks per block, number of values. A page that contains only nulls has none of them.
        let said = third_varint(data).unwrap_or(0);
        if said > u64::from(values) {
            return Err(general(&format!(
                "a page of column {} has {values} values, but its encoding states {said}",
                self.column.path()
            )));
        }
        Ok(())
    }
}

/// The decompressed size, counted up to `most` + 1. Errors in the data are left to the crate.
fn unpacks(reader: impl Read, most: usize) -> usize {
    let mut bounded = reader.take(most as u64 + 1);
    let counted = std::io::copy(&mut bounded, &mut std::io::sink()).unwrap_or(0);
    usize::try_from(counted).unwrap_or(usize::MAX)
}

fn third_varint(bytes: &[u8]) -> Option<u64> {
    let mut bytes = bytes.iter();
    let mut number = 0;
    for _ in 0..3 {
        number = 0;
        for shift in (0..64).step_by(7) {
            let byte = *bytes.next()?;
            number |= u64::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                break;
            }
        }
    }
    Some(number)
}

fn general(problem: &str) -> ParquetError {
    ParquetError::General(problem.to_owned())
}

impl Iterator for Guard {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl PageReader for Guard {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        let head = self.next_head()?;
        let page = self.pages.get_next_page()?;
        match (head, &page) {
            (None, None) => {}
            (Some(head), Some(page)) if page.num_values() as usize == head.values => {
                self.check_differences(page)?;
            }
            _ => return Err(general("pages that do not match their headers")),
        }
        Ok(page)
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        self.pages.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Result<()> {
        self.next_head()?;
        self.pages.skip_next_page()
    }

    fn at_record_boundary(&mut self) -> Result<bool> {
        self.pages.at_record_boundary()
    }
}

#[cfg(test)]
mod tests;
