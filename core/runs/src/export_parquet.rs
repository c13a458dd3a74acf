//! Exports a table as a Parquet file for pandas and polars. The column type (boolean, integer, float, time or text)
//! follows from the values; gaps are nulls. One row group, Snappy compression, no Arrow dependency.

use std::path::Path;
use std::sync::Arc;

use cadre_store::write_atomic;
use parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::types::Type;

use crate::{RunsError, Table, Value};

/// Writes a table to a Parquet file. A column that mixes integers and floats becomes float; one that mixes numbers and
/// text, or is empty, becomes text.
///
/// # Errors
/// If the file cannot be written.
pub fn export_parquet(table: &Table, path: &Path) -> Result<(), RunsError> {
    let bytes = parquet(table)
        .map_err(|problem| RunsError::Export { path: path.to_owned(), problem: problem.to_string() })?;
    Ok(write_atomic(path, &bytes)?)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Bool,
    Int,
    Float,
    Time,
    Text,
}

/// The narrowest type that holds every value of a column.
fn kind<'a>(mut cells: impl Iterator<Item = &'a Value>) -> Kind {
    let of = |value: &Value| match value {
        Value::Bool(_) => Kind::Bool,
        Value::Int(_) => Kind::Int,
        Value::Float(_) => Kind::Float,
        Value::Time(_) => Kind::Time,
        Value::Text(_) => Kind::Text,
    };
    let Some(first) = cells.next().map(of) else { return Kind::Text };
    cells.map(of).fold(first, |so_far, next| match (so_far, next) {
        (a, b) if a == b => a,
        (Kind::Int, Kind::Float) | (Kind::Float, Kind::Int) => Kind::Float,
        _ => Kind::Text,
    })
}

fn parquet(table: &Table) -> Result<Vec<u8>, ParquetError> {
    let kinds: Vec<Kind> = (0..table.columns.len())
        .map(|index| kind(table.rows.iter().filter_map(|row| row.get(index)?.as_ref())))
        .collect();
    let mut fields = Vec::with_capacity(kinds.len());
    for (name, kind) in table.columns.iter().zip(&kinds) {
        let (physical, logical) = match kind {
            Kind::Bool => (Physical::BOOLEAN, None),
            Kind::Int => (Physical::INT64, None),
            Kind::Float => (Physical::DOUBLE, None),
            Kind::Time => (Physical::INT64, Some(LogicalType::timestamp(true, TimeUnit::MILLIS))),
            Kind::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
        };
        let field = Type::primitive_type_builder(name, physical)
            .with_repetition(Repetition::OPTIONAL)
            .with_logical_type(logical)
            .build()?;
        fields.push(Arc::new(field));
    }
    let schema = Arc::new(Type::group_type_builder("runs").with_fields(fields).build()?);
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let mut bytes = Vec::new();
    let mut file = SerializedFileWriter::new(&mut bytes, schema, Arc::new(properties))?;
    let mut group = file.next_row_group()?;
    let mut index = 0;
    while let Some(column) = group.next_column()? {
        let cells = table.rows.iter().map(|row| row.get(index).and_then(Option::as_ref));
        write_column(column, kinds.get(index).copied().unwrap_or(Kind::Text), cells)?;
        index += 1;
    }
    group.close()?;
    file.close()?;
    Ok(bytes)
}

fn write_column<'a>(
    mut column: SerializedColumnWriter<'_>,
    kind: Kind,
    cells: impl Iterator<Item = Option<&'a Value>> + Clone,
) -> Result<(), ParquetError> {
    // Definition levels: 1 for a value, 0 for a null. The values follow without the gaps.
    let levels: Vec<i16> = cells.clone().map(|cell| i16::from(cell.is_some())).collect();
    let levels = Some(levels.as_slice());
    let values = cells.flatten();
    match kind {
        Kind::Bool => {
            let values: Vec<bool> = values.map(|value| *value == Value::Bool(true)).collect();
            column.typed::<BoolType>().write_batch(&values, levels, None)?;
        }
        Kind::Int | Kind::Time => {
            let whole = |value: &Value| match value {
                Value::Int(whole) | Value::Time(whole) => *whole,
                _ => 0,
            };
            let values: Vec<i64> = values.map(whole).collect();
            column.typed::<Int64Type>().write_batch(&values, levels, None)?;
        }
        Kind::Float => {
            let float = |value: &Value| match value {
                Value::Float(float) => *float,
                Value::Int(whole) => *whole as f64,
                _ => f64::NAN,
            };
            let values: Vec<f64> = values.map(float).collect();
            column.typed::<DoubleType>().write_batch(&values, levels, None)?;
        }
        Kind::Text => {
            let values: Vec<ByteArray> =
                values.map(|value| ByteArray::from(value.exact().as_str())).collect();
            column.typed::<ByteArrayType>().write_batch(&values, levels, None)?;
        }
    }
    column.close()
}

#[cfg(test)]
mod tests {
    use parquet::file::reader::{FileReader, SerializedFileReader};

    use super::*;

    #[test]
    fn columns_take_the_narrowest_type() {
        let of = |values: &[Value]| kind(values.iter());
        assert_eq!(of(&[Value::Int(1), Value::Float(0.5)]), Kind::Float);
        assert_eq!(of(&[Value::Int(1), Value::Text("x".to_owned())]), Kind::Text);
        assert_eq!(of(&[Value::Bool(true), Value::Int(1)]), Kind::Text);
        assert_eq!(of(&[]), Kind::Text);
    }

    #[test]
    fn what_is_written_is_read_back() {
        let text = |text: &str| Some(Value::Text(text.to_owned()));
        let table = Table {
            columns: ["id", "a.b", "seed", "tied", "changed"].map(str::to_owned).to_vec(),
            rows: vec![
                vec![text("x"), Some(Value::Float(0.1)), Some(Value::Int(3)), Some(Value::Bool(true)), None],
                vec![text("ü"), None, None, Some(Value::Bool(false)), Some(Value::Time(1000))],
            ],
        };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("runs.parquet");
        export_parquet(&table, &path).unwrap();
        let file = SerializedFileReader::new(std::fs::File::open(&path).unwrap()).unwrap();
        let rows: Vec<String> =
            file.get_row_iter(None).unwrap().map(|row| row.unwrap().to_string()).collect();
        assert_eq!(rows[0], "{id: \"x\", a.b: 0.1, seed: 3, tied: true, changed: null}");
        assert!(
            rows[1].starts_with("{id: \"ü\", a.b: null, seed: null, tied: false, changed: 1970"),
            "{rows:?}"
        );
        assert_eq!(file.metadata().file_metadata().num_rows(), 2);
        export_parquet(&Table::default(), &path).unwrap_or_default();
    }
}
