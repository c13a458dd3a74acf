//! A reader for the part of Thrift's compact protocol that Parquet headers and footers use
//! (https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md).

/// Maximum nesting depth of skipped values.
const MAX_DEPTH: usize = 16;

pub(super) const TRUE: u8 = 1;
pub(super) const FALSE: u8 = 2;
pub(super) const INTEGER: u8 = 5;
pub(super) const LIST: u8 = 9;
pub(super) const STRUCT: u8 = 12;

/// A position in encoded data.
pub(super) struct Input<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// Called with each field: the field's number and type. Returns `None` if the field is malformed.
pub(super) type Field<'a, 'b> = &'a mut dyn FnMut(&mut Input<'b>, i64, u8) -> Option<()>;

impl<'b> Input<'b> {
    pub(super) fn new(bytes: &'b [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Number of bytes read.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    fn byte(&mut self) -> Option<u8> {
        let byte = self.bytes.get(self.at).copied()?;
        self.at += 1;
        Some(byte)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    /// Reads a signed number.
    pub(super) fn zigzag(&mut self) -> Option<i64> {
        let number = self.varint()?;
        Some((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
    }

    /// Reads the fields of a struct.
    pub(super) fn fields(&mut self, depth: usize, field: Field<'_, 'b>) -> Option<()> {
        if depth > MAX_DEPTH {
            return None;
        }
        let mut id = 0_i64;
        loop {
            let head = self.byte()?;
            if head == 0 {
                return Some(());
            }
            id = match head >> 4 {
                0 => self.zigzag()?,
                step => id.checked_add(i64::from(step))?,
            };
            field(self, id, head & 0x0F)?;
        }
    }

    /// Reads the header of a list: the number of values, and their type.
    pub(super) fn list(&mut self) -> Option<(u64, u8)> {
        let head = self.byte()?;
        let count = if head >> 4 == 15 { self.varint()? } else { u64::from(head >> 4) };
        Some((count, head & 0x0F))
    }

    /// Skips a value of this type.
    pub(super) fn pass(&mut self, kind: u8, depth: usize) -> Option<()> {
        if depth > MAX_DEPTH {
            return None;
        }
        match kind {
            TRUE | FALSE => {}
            3 => drop(self.byte()?),
            4..=6 => drop(self.varint()?),
            7 => self.at = self.at.checked_add(8)?,
            8 => {
                let length = usize::try_from(self.varint()?).ok()?;
                self.at = self.at.checked_add(length)?;
            }
            LIST | 10 => {
                let (count, kind) = self.list()?;
                for _ in 0..count {
                    // In lists, booleans take one byte each.
                    self.pass(if kind <= FALSE { 3 } else { kind }, depth + 1)?;
                }
            }
            STRUCT => self.fields(depth + 1, &mut |input, _, kind| input.pass(kind, depth + 1))?,
            _ => return None,
        }
        (self.at <= self.bytes.len()).then_some(())
    }
}
