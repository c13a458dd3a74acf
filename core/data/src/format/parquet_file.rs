//! Reads Parquet files as rows of named fields: texts, numbers, booleans, and lists and records of them, which text
//! datasets consist of. A column of another type is reported by name, but only if it is requested. Reads no other
//! columns, holds the pages of only one row group's columns, and must not trust any size that the file states.

mod assembly;
mod footer;
mod page_guard;
mod page_head;
mod schema;
mod thrift;
mod value;

use std::path::Path;

use bytes::Bytes;
use parquet::errors::ParquetError;
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::schema::types::TypePtr;

use self::assembly::Assembly;
use super::json_rows::on_one_line;
use super::rows::{Each, MEANING, Place, Row, Wanted};
use super::sink::Sink;
use crate::contained::contain;
use crate::error::DataError;

/// Maximum number of rows of a file.
const MAX_ROWS: i64 = 100_000_000;
/// Maximum nesting depth of a schema.
const MAX_DEPTH: usize = 32;

/// Passes every row of a file to `act`, with the requested columns.
pub(super) fn each(
    file: &Path,
    bytes: Vec<u8>,
    wanted: &[Wanted],
    sink: &mut Sink,
    act: Each,
) -> Result<(), DataError> {
    contain(|| read(file, Bytes::from(bytes), wanted, sink, act))
        .unwrap_or_else(|problem| Err(broken(file, &problem)))
}

fn read(file: &Path, bytes: Bytes, wanted: &[Wanted], sink: &mut Sink, act: Each) -> Result<(), DataError> {
    let trouble = |error: ParquetError| broken(file, &error.to_string());
    if let Some(depth) = footer::schema_depth(&bytes).filter(|depth| *depth > MAX_DEPTH) {
        return Err(DataError::Bound {
            place: file.display().to_string(),
            found: format!("columns nested {depth} deep"),
            limit: MAX_DEPTH.to_string(),
        });
    }
    let reader = SerializedFileReader::new(bytes.clone()).map_err(trouble)?;
    let metadata = reader.metadata();
    let schema = metadata.file_metadata().schema();
    let columns: Vec<String> = schema.get_fields().iter().map(|field| on_one_line(field.name())).collect();
    let said = metadata.file_metadata().num_rows();
    let counted: i64 =
        metadata.row_groups().iter().fold(0, |sum, group| group.num_rows().saturating_add(sum));
    if counted != said {
        return Err(broken(file, &format!("the file states {said} rows, but its row groups have {counted}")));
    }
    if said > MAX_ROWS {
        return Err(DataError::Bound {
            place: file.display().to_string(),
            found: format!("the file states {said} rows"),
            limit: format!("{MAX_ROWS} rows per file; split the file"),
        });
    }
    let fields = projection(file, schema.get_fields(), &columns, wanted, sink, metadata.row_groups())?;
    let mut number = 0;
    for group in 0..metadata.num_row_groups() {
        let group_reader = reader.get_row_group(group).map_err(trouble)?;
        let rows = metadata.row_group(group).num_rows();
        let mut assembly = Assembly::new(&fields, &*group_reader, &bytes).map_err(trouble)?;
        for _ in 0..rows {
            number += 1;
            let cells = assembly.next_row().map_err(|problem| match problem {
                assembly::Trouble::Damaged(problem) => broken(file, &format!("row {number}: {problem}")),
                assembly::Trouble::TooMuch { found, limit } => {
                    DataError::Bound { place: format!("{}, row {number}", file.display()), found, limit }
                }
            })?;
            let mut row = Row::new(file, Place::Row(number), number, Some(&columns));
            for (field, cell) in fields.iter().zip(cells) {
                row.put(field.name().to_owned(), cell, wanted);
            }
            act(&row, sink)?;
            if sink.is_full() {
                return Ok(());
            }
        }
        if !assembly.is_over().map_err(trouble)? {
            return Err(broken(file, &format!("row group {group} has more rows than the {rows} it states")));
        }
    }
    Ok(())
}

/// The columns to read, each reduced to its readable part. Columns that have a meaning but are not read are noted.
fn projection(
    file: &Path,
    all: &[TypePtr],
    columns: &[String],
    wanted: &[Wanted],
    sink: &mut Sink,
    groups: &[RowGroupMetaData],
) -> Result<Vec<TypePtr>, DataError> {
    let mut fields: Vec<TypePtr> = Vec::new();
    for Wanted { name, must } in wanted {
        let Some(field) = all.iter().find(|field| field.name() == *name) else {
            if *must {
                let (wanted, columns) = ((*name).to_owned(), columns.to_vec());
                return Err(DataError::NoColumn { file: file.to_owned(), wanted, columns });
            }
            continue;
        };
        if fields.iter().any(|known| known.name() == *name) {
            continue;
        }
        match schema::readable(field) {
            Some(read) => fields.push(read),
            // A name of another type is not a name; rows are then named by their number.
            None if *name == "id" => {}
            None if !must && MEANING.contains(name) => {
                let what = format!("column `{name}` is {} and is ignored", schema::kind_of(field));
                sink.note(file, String::new(), &what);
            }
            None => {
                return Err(DataError::ColumnType {
                    file: file.to_owned(),
                    column: (*name).to_owned(),
                    found: schema::kind_of(field),
                });
            }
        }
    }
    let others = all.iter().filter(|field| MEANING.contains(&field.name()));
    for other in others.filter(|field| wanted.iter().all(|wanted| wanted.name != field.name())) {
        if groups.iter().any(|group| schema::may_hold(group, other.name())) {
            sink.note(file, String::new(), &format!("column `{}` is not read by this format", other.name()));
        }
    }
    if fields.iter().all(|field| wanted.iter().any(|wanted| wanted.name == field.name() && is_aside(wanted)))
    {
        let names: Vec<&str> =
            wanted.iter().filter(|wanted| !is_aside(wanted)).map(|wanted| wanted.name).collect();
        let (wanted, columns) = (names.join("` or `"), columns.to_vec());
        return Err(DataError::NoColumn { file: file.to_owned(), wanted, columns });
    }
    Ok(fields)
}

/// Whether a field alone does not make an example.
fn is_aside(wanted: &Wanted) -> bool {
    !wanted.must && (wanted.name == "id" || MEANING.contains(&wanted.name))
}

fn broken(file: &Path, problem: &str) -> DataError {
    DataError::Parquet { file: file.to_owned(), problem: shorten_line(problem) }
}

/// The first line of a message, shortened so that it does not contain a page of bytes.
fn shorten_line(problem: &str) -> String {
    let line = problem.lines().next().unwrap_or_default();
    match line.char_indices().nth(200) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests;
