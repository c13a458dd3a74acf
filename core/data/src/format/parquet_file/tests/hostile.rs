//! Tests of small files that claim to be large: each must be refused with the size and the limit, using little memory.

use std::path::Path;
use std::sync::Arc;

use parquet::basic::{Compression, Encoding};
use parquet::data_type::{ByteArray, ByteArrayType, Int32Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

use super::super::super::rows::must;
use super::super::super::sink::Sink;
use super::super::each;
use super::cells;

/// A file with one row group and one column, written by `write`.
fn file(schema: &str, write: impl FnOnce(&mut parquet::file::writer::SerializedColumnWriter)) -> Vec<u8> {
    let schema = Arc::new(parse_message_type(schema).expect("a schema"));
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(parquet::basic::ZstdLevel::default()))
        .set_dictionary_page_size_limit(64 << 20)
        .set_statistics_enabled(parquet::file::properties::EnabledStatistics::None)
        .set_data_page_row_count_limit(usize::MAX)
        .build();
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties)).expect("a writer");
    let mut group = writer.next_row_group().expect("a group");
    let mut column = group.next_column().expect("a column").expect("a column");
    write(&mut column);
    column.close().expect("closed");
    group.close().expect("closed");
    writer.into_inner().expect("a file")
}

#[test]
fn a_dictionary_entry_repeated_in_one_row() {
    let entry = ByteArray::from("x".repeat(1 << 16).as_str());
    let count = 20_000;
    let bytes = file(
        "message m { optional group output (LIST) { repeated group list { optional binary element (UTF8); } } }",
        |column| {
            let mut repetition = vec![1_i16; count];
            repetition[0] = 0;
            let values = vec![entry; count];
            let typed = column.typed::<ByteArrayType>();
            typed.write_batch(&values, Some(&vec![3; count]), Some(&repetition)).expect("written");
        },
    );
    assert!(bytes.len() < 10_000, "{}", bytes.len());
    let error = cells(&bytes, &[must("output")]).expect_err("1 GB").to_string();
    assert_eq!(error, "t.parquet, row 1: texts of more than 64 MiB in one row; the limit is 64 MiB");
}

#[test]
fn a_dictionary_entry_repeated_over_rows() {
    let entry = ByteArray::from("x".repeat(1 << 16).as_str());
    let count = 20_000;
    let bytes = file("message m { required binary output (UTF8); }", |column| {
        let typed = column.typed::<ByteArrayType>();
        typed.write_batch(&vec![entry; count], None, None).expect("written");
    });
    assert!(bytes.len() < 10_000, "{}", bytes.len());
    let example = |text: String| crate::Example {
        id: String::new(),
        task: String::new(),
        turns: Vec::new(),
        instruction: String::new(),
        input: String::new(),
        output: text,
        references: Vec::new(),
    };
    let mut take =
        |row: &super::super::Row, sink: &mut Sink| sink.take(row.file, example(row.text("output")?));
    let mut looked = Sink::count(50 << 20);
    each(Path::new("t.parquet"), bytes.clone(), &[must("output")], &mut looked, &mut take).expect("a look");
    assert!(looked.is_full() && looked.seen() < 1000, "{looked:?}");
    let mut kept = Sink::keep_within(50 << 20);
    let error =
        each(Path::new("t.parquet"), bytes, &[must("output")], &mut kept, &mut take).expect_err("1 GB");
    let error = error.to_string();
    assert!(
        error.starts_with("t.parquet: the rows up to number 796 take more than 50 MiB of memory"),
        "{error}"
    );
}

/// A small file whose only row is a list of this many nulls.
fn one_list(count: usize) -> Vec<u8> {
    let bytes = file(
        "message m { optional group output (LIST) { repeated group list { optional int32 element; } } }",
        |column| {
            let mut repetition = vec![1_i16; count];
            repetition[0] = 0;
            let typed = column.typed::<Int32Type>();
            typed.write_batch(&[], Some(&vec![2; count]), Some(&repetition)).expect("written");
        },
    );
    assert!(bytes.len() < 10_000, "{}", bytes.len());
    bytes
}

#[test]
fn a_list_of_more_values_than_a_row_may_have() {
    let bytes = one_list(3_000_000);
    let error = cells(&bytes, &[must("output")]).expect_err("3 M values").to_string();
    assert_eq!(error, "t.parquet, row 1: more than 1000000 values in one row; the limit is 1000000");
}

#[test]
fn a_list_of_more_values_than_a_column_may_have() {
    let bytes = one_list(17_000_000);
    let error = cells(&bytes, &[must("output")]).expect_err("17 M values").to_string();
    assert!(error.contains("has more values than its rows or its length allow"), "{error}");
}

#[test]
fn a_schema_that_is_nested_to_no_end() {
    let bytes = super::super::footer::tests::nested(500_000);
    let error = cells(&bytes, &[must("a")]).expect_err("deep").to_string();
    assert_eq!(error, "t.parquet: columns nested 500000 deep; the limit is 32");
}

#[test]
fn encodings_are_read_as_they_are_written() {
    // Sanity check: a valid delta encoding passes.
    let schema = Arc::new(parse_message_type("message m { required int32 output; }").expect("a schema"));
    let properties = WriterProperties::builder()
        .set_dictionary_enabled(false)
        .set_encoding(Encoding::DELTA_BINARY_PACKED)
        .build();
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties)).expect("a writer");
    let mut group = writer.next_row_group().expect("a group");
    let mut column = group.next_column().expect("a column").expect("a column");
    column.typed::<Int32Type>().write_batch(&[1, 2, 3], None, None).expect("written");
    column.close().expect("closed");
    group.close().expect("closed");
    let whole = writer.into_inner().expect("a file");
    assert_eq!(cells(&whole, &[must("output")]).expect("rows").0.len(), 3);
    // 128 values per block, 4 miniblocks per block, 3 values; the test raises the number of values.
    let head = [0x80, 0x01, 0x04, 0x03];
    let at = whole.windows(4).position(|bytes| bytes == head).expect("the head of the differences");
    let mut damaged = whole;
    damaged[at + 3] = 0x7F;
    let error = cells(&damaged, &[must("output")]).expect_err("127 values").to_string();
    assert!(
        error.contains("a page of column \"output\" has 3 values, but its encoding states 127"),
        "{error}"
    );
}
