//! Converts the values of a Parquet column to cells: numbers with their logical type, texts, decimals.

use half::f16;
use parquet::basic::{ConvertedType, Type as PhysicalType};
use parquet::data_type::{ByteArray, FixedLenByteArray, Int96};
use parquet::schema::types::ColumnDescriptor;
use serde_json::Number;

use crate::format::cell::Cell;

/// The interpretation of a column's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Texts, booleans, floating-point numbers, signed integers.
    Plain,
    /// Unsigned integers.
    Unsigned,
    /// Integers with this many decimal places.
    Decimal(u32),
    /// Two-byte floating-point numbers.
    Half,
}

impl Meaning {
    pub(super) fn of(column: &ColumnDescriptor) -> Self {
        use ConvertedType as C;
        match column.converted_type() {
            C::DECIMAL => Self::Decimal(u32::try_from(column.type_scale()).unwrap_or(0)),
            C::UINT_8 | C::UINT_16 | C::UINT_32 | C::UINT_64 => Self::Unsigned,
            _ if column.physical_type() == PhysicalType::FIXED_LEN_BYTE_ARRAY => Self::Half,
            _ => Self::Plain,
        }
    }
}

/// A value as stored in a column.
pub(super) trait Value: Clone + Default {
    /// The value as a cell.
    fn cell(&self, meaning: Meaning) -> Cell;
    /// Number of bytes owned by the value.
    fn length(&self) -> usize {
        0
    }
}

impl Value for bool {
    fn cell(&self, _meaning: Meaning) -> Cell {
        Cell::Bool(*self)
    }
}

impl Value for i32 {
    fn cell(&self, meaning: Meaning) -> Cell {
        match meaning {
            Meaning::Unsigned => Cell::Number(self.cast_unsigned().to_string()),
            Meaning::Decimal(scale) => decimal(i128::from(*self), scale),
            _ => Cell::Number(self.to_string()),
        }
    }
}

impl Value for i64 {
    fn cell(&self, meaning: Meaning) -> Cell {
        match meaning {
            Meaning::Unsigned => Cell::Number(self.cast_unsigned().to_string()),
            Meaning::Decimal(scale) => decimal(i128::from(*self), scale),
            _ => Cell::Number(self.to_string()),
        }
    }
}

impl Value for f32 {
    /// The shortest decimal that represents this number: 0.1, not 0.10000000149.
    fn cell(&self, _meaning: Meaning) -> Cell {
        float(self.to_string().parse().unwrap_or(f64::from(*self)))
    }
}

impl Value for f64 {
    fn cell(&self, _meaning: Meaning) -> Cell {
        float(*self)
    }
}

impl Value for ByteArray {
    fn cell(&self, meaning: Meaning) -> Cell {
        match meaning {
            Meaning::Decimal(scale) => big_endian(self.data(), scale),
            _ => text(self.data()),
        }
    }

    fn length(&self) -> usize {
        self.len()
    }
}

impl Value for FixedLenByteArray {
    fn cell(&self, meaning: Meaning) -> Cell {
        match (meaning, self.data()) {
            (Meaning::Decimal(scale), bytes) => big_endian(bytes, scale),
            (Meaning::Half, &[low, high]) => half(f16::from_le_bytes([low, high])),
            (_, bytes) => text(bytes),
        }
    }
}

impl Value for Int96 {
    fn cell(&self, _meaning: Meaning) -> Cell {
        Cell::NoText("a time".to_owned())
    }
}

fn text(bytes: &[u8]) -> Cell {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cell::Text(text.to_owned()),
        Err(_) => Cell::NoText("bytes that are not UTF-8".to_owned()),
    }
}

fn float(number: f64) -> Cell {
    match Number::from_f64(number) {
        Some(number) => Cell::Number(number.to_string()),
        None if number.is_nan() => Cell::NoText("NaN".to_owned()),
        None => Cell::NoText(if number > 0.0 { "Infinity" } else { "-Infinity" }.to_owned()),
    }
}

/// The shortest decimal that represents this half-precision number; five digits distinguish all of them.
fn half(number: f16) -> Cell {
    let wide = number.to_f32();
    let shortest = (0..5).find_map(|digits| {
        let text = format!("{wide:.digits$e}");
        let value: f64 = text.parse().ok()?;
        (f16::from_f64(value) == number).then_some(value)
    });
    float(shortest.unwrap_or(f64::from(wide)))
}

fn big_endian(bytes: &[u8], scale: u32) -> Cell {
    if bytes.is_empty() || bytes.len() > 16 {
        return Cell::NoText(format!("a decimal of {} bytes", bytes.len()));
    }
    let first = if bytes[0] & 0x80 == 0 { 0 } else { -1_i128 };
    decimal(bytes.iter().fold(first, |number, byte| (number << 8) | i128::from(*byte)), scale)
}

/// An integer with this many decimal places, all of them written out.
fn decimal(number: i128, scale: u32) -> Cell {
    let scale = scale as usize;
    let digits = format!("{:0>width$}", number.unsigned_abs(), width = scale.saturating_add(1).min(64));
    let sign = if number < 0 { "-" } else { "" };
    let point = digits.len().saturating_sub(scale);
    Cell::Number(if scale == 0 {
        format!("{sign}{digits}")
    } else {
        format!("{sign}{}.{}", &digits[..point], &digits[point..])
    })
}

#[cfg(test)]
mod tests {
    use half::f16;

    use super::{Cell, Meaning, Value, big_endian, decimal, half};

    fn number(text: &str) -> Cell {
        Cell::Number(text.to_owned())
    }

    #[test]
    fn decimals_are_written_in_full() {
        assert_eq!(decimal(1234, 2), number("12.34"));
        assert_eq!(decimal(-5, 2), number("-0.05"));
        assert_eq!(decimal(100, 2), number("1.00"));
        assert_eq!(decimal(7, 0), number("7"));
        assert_eq!(big_endian(&[0xFF, 0xFE], 1), number("-0.2"));
        assert_eq!(big_endian(&[0x01, 0x00], 0), number("256"));
        assert!(matches!(big_endian(&[0; 17], 0), Cell::NoText(_)));
    }

    #[test]
    fn halves_are_the_shortest_decimals() {
        for text in ["0.5", "0.1", "-2.25", "65500.0", "6e-8", "1.001", "0.3333"] {
            let read = f16::from_f64(text.parse().expect("a number"));
            assert_eq!(half(read), number(text));
        }
        assert_eq!(half(f16::NAN), Cell::NoText("NaN".to_owned()));
        assert_eq!(half(f16::NEG_INFINITY), Cell::NoText("-Infinity".to_owned()));
    }

    #[test]
    fn numbers_without_a_sign() {
        assert_eq!((-1_i32).cell(Meaning::Unsigned), number("4294967295"));
        assert_eq!((-1_i64).cell(Meaning::Plain), number("-1"));
        assert_eq!(0.1_f32.cell(Meaning::Plain), number("0.1"));
    }
}
