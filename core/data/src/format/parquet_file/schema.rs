//! Decides by type which columns of a Parquet file are read, and to what depth.

use std::sync::Arc;

use parquet::basic::{ConvertedType, LogicalType, Repetition, Type as PhysicalType};
use parquet::file::metadata::RowGroupMetaData;
use parquet::schema::types::{Type, TypePtr};

use super::MAX_DEPTH;
use crate::format::chat::MESSAGE_FIELDS;
use crate::format::json_rows::shorten;

/// The readable part of a column: without message fields that have no meaning here, and without nested values of
/// unsupported types. `None` if the column's own type is unsupported: a top-level record, a map, a date, bytes.
pub(super) fn readable(column: &TypePtr) -> Option<TypePtr> {
    if is_scalar(column) {
        return Some(column.clone());
    }
    list(column, 0)
}

/// The readable part of a list.
fn list(column: &TypePtr, depth: usize) -> Option<TypePtr> {
    if depth > MAX_DEPTH {
        return None;
    }
    let repeated = repeated_of(column)?;
    let repeated = match element_of(repeated) {
        // The old layout: elements without a group around each.
        None if repeated.is_primitive() => is_plain(repeated).then(|| repeated.clone())?,
        None => record(repeated, depth)?,
        Some(element) => with_fields(repeated, vec![value(element, depth)?])?,
    };
    with_fields(column, vec![repeated])
}

/// The readable part of a value inside a list or record.
fn value(column: &TypePtr, depth: usize) -> Option<TypePtr> {
    if is_scalar(column) {
        return Some(column.clone());
    }
    list(column, depth + 1).or_else(|| record(column, depth + 1))
}

/// The readable part of a record. For records in a list, only message fields are read.
fn record(group: &TypePtr, depth: usize) -> Option<TypePtr> {
    if depth > MAX_DEPTH
        || !group.is_group()
        || group.get_basic_info().converted_type() != ConvertedType::NONE
    {
        return None;
    }
    let asked = |field: &&TypePtr| depth > 1 || MESSAGE_FIELDS.contains(&field.name());
    let fields: Vec<TypePtr> =
        group.get_fields().iter().filter(asked).filter_map(|field| value(field, depth)).collect();
    (!fields.is_empty()).then(|| with_fields(group, fields))?
}

/// The repeated child of a group that is a list.
pub(super) fn repeated_of(column: &TypePtr) -> Option<&TypePtr> {
    let info = column.get_basic_info();
    let is_list = column.is_group()
        && info.has_repetition()
        && info.repetition() != Repetition::REPEATED
        && info.converted_type() == ConvertedType::LIST;
    match column.is_group().then(|| column.get_fields()).filter(|_| is_list)? {
        [repeated] if repeated.get_basic_info().repetition() == Repetition::REPEATED => Some(repeated),
        _ => None,
    }
}

/// The only field of a list's repeated group, if that group stands only for the element.
pub(super) fn element_of(repeated: &TypePtr) -> Option<&TypePtr> {
    match repeated.is_group().then(|| repeated.get_fields())? {
        [element] if element.get_basic_info().repetition() != Repetition::REPEATED => Some(element),
        _ => None,
    }
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

fn is_scalar(column: &TypePtr) -> bool {
    let info = column.get_basic_info();
    info.has_repetition() && info.repetition() != Repetition::REPEATED && is_plain(column)
}

fn is_plain(column: &TypePtr) -> bool {
    use ConvertedType as C;
    let Type::PrimitiveType { basic_info, physical_type, type_length, precision, .. } = &**column else {
        return false;
    };
    let meaning = basic_info.converted_type();
    let decimal = meaning == C::DECIMAL && (1..=38).contains(precision);
    match physical_type {
        PhysicalType::BOOLEAN | PhysicalType::FLOAT | PhysicalType::DOUBLE => meaning == C::NONE,
        PhysicalType::INT32 => {
            decimal
                || matches!(
                    meaning,
                    C::NONE | C::INT_8 | C::INT_16 | C::INT_32 | C::UINT_8 | C::UINT_16 | C::UINT_32
                )
        }
        // Without a converted type, a nanosecond timestamp can be recognised only by its logical type.
        PhysicalType::INT64 => {
            decimal
                || (matches!(meaning, C::NONE | C::INT_64 | C::UINT_64)
                    && !matches!(
                        basic_info.logical_type_ref(),
                        Some(LogicalType::Timestamp(..) | LogicalType::Time(..))
                    ))
        }
        PhysicalType::BYTE_ARRAY => decimal || matches!(meaning, C::NONE | C::UTF8 | C::ENUM | C::JSON),
        PhysicalType::FIXED_LEN_BYTE_ARRAY => {
            (decimal && (1..=16).contains(type_length))
                || (*type_length == 2 && matches!(basic_info.logical_type_ref(), Some(LogicalType::Float16)))
        }
        PhysicalType::INT96 => false,
    }
}

/// Whether a column may have content, according to the statistics of a row group.
pub(super) fn may_hold(group: &RowGroupMetaData, name: &str) -> bool {
    let chunks = group
        .columns()
        .iter()
        .filter(|chunk| chunk.column_path().parts().first().is_some_and(|part| part == name));
    let mut chunks = chunks.filter(|chunk| {
        let nulls = chunk.statistics().and_then(|statistics| statistics.null_count_opt());
        nulls.is_none_or(|nulls| i64::try_from(nulls) != Ok(chunk.num_values()))
    });
    chunks.next().is_some()
}

/// A short description of a column's type.
pub(super) fn kind_of(column: &TypePtr) -> String {
    let info = column.get_basic_info();
    let meaning = match (info.converted_type(), info.logical_type_ref()) {
        (ConvertedType::NONE, None) => String::new(),
        (ConvertedType::NONE, Some(meaning)) => format!(" ({})", shorten(&format!("{meaning:?}"))),
        (meaning, _) => format!(" ({meaning})"),
    };
    if column.is_primitive() {
        format!("{}{meaning}", column.get_physical_type())
    } else {
        let fields: Vec<&str> = column.get_fields().iter().map(|field| field.name()).collect();
        format!("a group{meaning} of {}", shorten(&fields.join(", ")))
    }
}
