//! Parquet files as rows of named fields: texts, numbers, truth values, lists of them, and lists of records of them,
//! which is what datasets of text are made of. A column of another type is told by its name, and only if it is wanted.
//! Reads no other column.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::{ConvertedType, Repetition, Type as PhysicalType};
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::{Field, Row};
use parquet::schema::types::{Type, TypePtr};
use serde_json::{Map, Number, Value};

use super::json_rows::{on_one_line, shorten};
use super::rows::Wanted;
use crate::error::DataError;

/// Fields of records in lists that any reader asks for; others, which may be of any type, are left out.
const RECORD_FIELDS: [&str; 4] = ["role", "content", "from", "value"];

/// What a file has: the names of all its columns, and the rows with those that were wanted.
type Contents = (Vec<String>, Vec<Map<String, Value>>);

/// The columns there are, and the wanted ones of every row.
pub(super) fn parse(file: &Path, bytes: Vec<u8>, wanted: &[Wanted]) -> Result<Contents, DataError> {
    // The crate checks much, but not everything, of what a file says of itself before it relies on it: a damaged one can
    // end in a failed assertion there. Here that is a damaged file like any other.
    let read = catch_unwind(AssertUnwindSafe(|| read(file, bytes, wanted)));
    read.unwrap_or_else(|panic| {
        let words = panic.downcast_ref::<String>().map(String::as_str);
        let words = words.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no reason given");
        Err(broken(file, &format!("damaged: {words}")))
    })
}

fn read(file: &Path, bytes: Vec<u8>, wanted: &[Wanted]) -> Result<Contents, DataError> {
    let trouble = |error: ParquetError| broken(file, &error.to_string());
    let reader = SerializedFileReader::new(Bytes::from(bytes)).map_err(trouble)?;
    let schema = reader.metadata().file_metadata().schema();
    let columns: Vec<String> = schema.get_fields().iter().map(|field| on_one_line(field.name())).collect();
    let mut fields = Vec::new();
    for Wanted { name, must } in wanted {
        let Some(field) = schema.get_fields().iter().find(|field| field.name() == *name) else {
            if *must {
                let wanted = (*name).to_owned();
                return Err(DataError::NoColumn { file: file.to_owned(), wanted, columns });
            }
            continue;
        };
        let read = readable(field).ok_or_else(|| DataError::ColumnType {
            file: file.to_owned(),
            column: (*name).to_owned(),
            found: kind_of(field),
        })?;
        if !fields.iter().any(|known: &TypePtr| known.name() == *name) {
            fields.push(read);
        }
    }
    if fields.is_empty() {
        let names: Vec<&str> = wanted.iter().map(|wanted| wanted.name).filter(|name| *name != "id").collect();
        return Err(DataError::NoColumn { file: file.to_owned(), wanted: names.join("` or `"), columns });
    }
    let projection = Type::group_type_builder(schema.name()).with_fields(fields).build().map_err(trouble)?;
    let iterator = reader.get_row_iter(Some(projection)).map_err(trouble)?;
    let mut rows = Vec::new();
    for row in iterator {
        let number = rows.len() + 1;
        let row = row.map_err(|error| broken(file, &format!("row {number}: {error}")))?;
        rows.push(object(&row).map_err(|column| DataError::TableRow {
            file: file.to_owned(),
            row: number,
            expected: format!("UTF-8 text in column `{column}`"),
            snippet: "other bytes".to_owned(),
        })?);
    }
    let said = reader.metadata().file_metadata().num_rows();
    if i64::try_from(rows.len()) != Ok(said) {
        return Err(broken(file, &format!("it says that it has {said} rows and has {}", rows.len())));
    }
    Ok((columns, rows))
}

fn broken(file: &Path, problem: &str) -> DataError {
    DataError::Parquet { file: file.to_owned(), problem: shorten_line(problem) }
}

/// The first line of a message, and not a page of bytes.
fn shorten_line(problem: &str) -> String {
    let line = problem.lines().next().unwrap_or_default();
    match line.char_indices().nth(200) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line.to_owned(),
    }
}

/// A column as it is read, without the fields of records that nobody asks for; none where its type is not read. The
/// crate's own record reader ends the program at types it does not know, so they never reach it.
fn readable(column: &TypePtr) -> Option<TypePtr> {
    if scalar(column) {
        return Some(column.clone());
    }
    let info = column.get_basic_info();
    let is_list = info.has_repetition()
        && info.repetition() != Repetition::REPEATED
        && !column.is_primitive()
        && info.converted_type() == ConvertedType::LIST;
    let [repeated] = column.is_group().then(|| column.get_fields()).filter(|_| is_list)? else {
        return None;
    };
    if repeated.get_basic_info().repetition() != Repetition::REPEATED {
        return None;
    }
    let repeated = match repeated.is_group().then(|| repeated.get_fields()) {
        // The old layout: elements without a group around each.
        None => plain_type(repeated).then(|| repeated.clone())?,
        Some([element]) if scalar(element) => repeated.clone(),
        Some([element]) => with_fields(repeated, vec![record(element)?])?,
        Some(_) => record(repeated)?,
    };
    with_fields(column, vec![repeated])
}

/// A record of scalar fields, less those that nobody asks for.
fn record(group: &TypePtr) -> Option<TypePtr> {
    if !group.is_group() || group.get_basic_info().converted_type() != ConvertedType::NONE {
        return None;
    }
    let asked = group.get_fields().iter().filter(|field| RECORD_FIELDS.contains(&field.name()));
    let fields: Vec<TypePtr> = asked.cloned().collect();
    (fields.len() >= 2 && fields.iter().all(scalar)).then(|| with_fields(group, fields))?
}

fn with_fields(group: &TypePtr, fields: Vec<TypePtr>) -> Option<TypePtr> {
    let info = group.get_basic_info();
    Type::group_type_builder(group.name())
        .with_repetition(info.repetition())
        .with_converted_type(info.converted_type())
        .with_logical_type(info.logical_type_ref().cloned())
        .with_fields(fields)
        .build()
        .ok()
        .map(Arc::new)
}

fn scalar(column: &TypePtr) -> bool {
    let info = column.get_basic_info();
    info.has_repetition() && info.repetition() != Repetition::REPEATED && plain_type(column)
}

fn plain_type(column: &TypePtr) -> bool {
    use ConvertedType as C;
    if !column.is_primitive() {
        return false;
    }
    let meaning = column.get_basic_info().converted_type();
    match column.get_physical_type() {
        PhysicalType::BOOLEAN | PhysicalType::FLOAT | PhysicalType::DOUBLE => meaning == C::NONE,
        PhysicalType::INT32 => matches!(
            meaning,
            C::NONE | C::INT_8 | C::INT_16 | C::INT_32 | C::UINT_8 | C::UINT_16 | C::UINT_32
        ),
        PhysicalType::INT64 => matches!(meaning, C::NONE | C::INT_64 | C::UINT_64),
        PhysicalType::BYTE_ARRAY => matches!(meaning, C::NONE | C::UTF8 | C::ENUM | C::JSON),
        PhysicalType::INT96 | PhysicalType::FIXED_LEN_BYTE_ARRAY => false,
    }
}

/// A column's type in few words.
fn kind_of(column: &TypePtr) -> String {
    let meaning = match column.get_basic_info().converted_type() {
        ConvertedType::NONE => String::new(),
        meaning => format!(" ({meaning})"),
    };
    if column.is_primitive() {
        format!("{}{meaning}", column.get_physical_type())
    } else {
        let fields: Vec<&str> = column.get_fields().iter().map(|field| field.name()).collect();
        format!("a group{meaning} of {}", shorten(&fields.join(", ")))
    }
}

/// A row as JSON; the name of the field whose bytes are no text.
fn object(row: &Row) -> Result<Map<String, Value>, String> {
    let fields = row.get_column_iter();
    fields.map(|(name, field)| Ok((name.clone(), value(field).ok_or_else(|| name.clone())?))).collect()
}

fn value(field: &Field) -> Option<Value> {
    Some(match field {
        Field::Bool(flag) => Value::Bool(*flag),
        Field::Byte(number) => Value::from(*number),
        Field::Short(number) => Value::from(*number),
        Field::Int(number) => Value::from(*number),
        Field::Long(number) => Value::from(*number),
        Field::UByte(number) => Value::from(*number),
        Field::UShort(number) => Value::from(*number),
        Field::UInt(number) => Value::from(*number),
        Field::ULong(number) => Value::from(*number),
        // The shortest decimal that means this number: 0.1 and not 0.10000000149.
        Field::Float(number) => float(number.to_string().parse().unwrap_or(f64::from(*number))),
        Field::Double(number) => float(*number),
        Field::Str(text) => Value::String(text.clone()),
        Field::Bytes(bytes) => Value::String(String::from_utf8(bytes.data().to_vec()).ok()?),
        Field::Group(row) => Value::Object(object(row).ok()?),
        Field::ListInternal(list) => {
            Value::Array(list.elements().iter().map(value).collect::<Option<Vec<_>>>()?)
        }
        // What `readable` does not let through has no value here.
        _ => Value::Null,
    })
}

/// Numbers without a value, which JSON has no word for, are missing ones.
fn float(number: f64) -> Value {
    Number::from_f64(number).map_or(Value::Null, Value::Number)
}

#[cfg(test)]
mod tests;
