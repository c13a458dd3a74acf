//! Tests of page headers that request too much, before a page is decompressed.

use std::io::Write;
use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::{BrotliLevel, Compression, GzipLevel};
use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::errors::Result;
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::SchemaDescriptor;

use super::{Guard, Held};

/// A page reader without pages, for cases that must be refused before it is called.
struct Nothing;

impl Iterator for Nothing {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        None
    }
}

impl PageReader for Nothing {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        Ok(None)
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        Ok(None)
    }

    fn skip_next_page(&mut self) -> Result<()> {
        Ok(())
    }
}

fn zigzag(number: usize) -> Vec<u8> {
    let mut number = (number as u64) << 1;
    let mut bytes = Vec::new();
    while number > 127 {
        bytes.push((number & 0x7F) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

/// A page of this kind with this header, and its body.
fn page(kind: usize, unpacked: usize, values: usize, body: &[u8]) -> Vec<u8> {
    let inner = if kind == 2 { 0x4C } else { 0x2C };
    let mut bytes = vec![0x15];
    bytes.extend(zigzag(kind));
    bytes.push(0x15);
    bytes.extend(zigzag(unpacked));
    bytes.push(0x15);
    bytes.extend(zigzag(body.len()));
    bytes.push(inner);
    bytes.push(0x15);
    bytes.extend(zigzag(values));
    bytes.extend([0, 0]);
    bytes.extend(body);
    bytes
}

/// The error for these pages of a column with ten rows.
fn refusal(codec: Compression, pages: &[Vec<u8>]) -> String {
    let schema =
        Arc::new(parse_message_type("message m { required binary text (UTF8); }").expect("a schema"));
    let column = SchemaDescriptor::new(schema).column(0);
    let bytes = Bytes::from(pages.concat());
    let chunk = ColumnChunkMetaData::builder(column)
        .set_compression(codec)
        .set_data_page_offset(0)
        .set_total_compressed_size(bytes.len() as i64)
        .build()
        .expect("a column");
    let mut guard = Guard::new(Box::new(Nothing), &chunk, 10, &bytes, &Held::default()).expect("a guard");
    loop {
        match guard.next_head() {
            Err(error) => return error.to_string(),
            Ok(None) => return String::new(),
            Ok(Some(_)) => {}
        }
    }
}

#[test]
fn pages_that_say_too_much() {
    let plain = |pages: &[Vec<u8>]| refusal(Compression::SNAPPY, pages);
    assert_eq!(plain(&[page(2, 100, 10, b"abc"), page(0, 100, 10, b"abc")]), "");
    let large = plain(&[page(0, 1 << 30, 10, b"abc")]);
    assert!(large.contains("states a decompressed size of 1 GiB; the limit is 256 MiB per page"), "{large}");
    let dictionary = plain(&[page(2, 1000, 2_000_000_000, b"abc")]);
    assert!(dictionary.contains("states that 1000 bytes contain 2000000000 values"), "{dictionary}");
    let values = plain(&[page(0, 100, 7, b"abc"), page(0, 100, 4, b"abc")]);
    assert!(values.contains("has more values than its rows or its length allow"), "{values}");
    let together =
        plain(&[page(2, 250 << 20, 10, b""), page(0, 250 << 20, 5, b""), page(2, 13 << 20, 5, b"")]);
    assert_eq!(together, "", "of two pages of a kind one is held");
    for broken in [vec![0x15], vec![0], page(0, 100, 10, b"abc")[..8].to_vec()] {
        assert!(!plain(&[broken]).is_empty());
    }
}

#[test]
fn pages_that_decompress_to_more_than_they_state() {
    let text = vec![b'x'; 10 << 20];
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&text).expect("packed");
    let gzip = gzip.finish().expect("packed");
    let mut packed = Vec::new();
    brotli::CompressorWriter::new(&mut packed, 4096, 5, 22).write_all(&text).expect("packed");
    for (codec, body) in [
        (Compression::GZIP(GzipLevel::default()), gzip),
        (Compression::BROTLI(BrotliLevel::default()), packed),
    ] {
        assert_eq!(refusal(codec, &[page(0, text.len(), 10, &body)]), "");
        let more = refusal(codec, &[page(0, 1000, 10, &body)]);
        assert!(more.contains("decompresses to more than the 1000 bytes it states"), "{more}");
    }
}
