//! The header of a Parquet page, read before the page itself: what it is, how long, how much it says to unpack to. The
//! crate reads the same header, but only together with the page.

use super::thrift::{FALSE, INTEGER, Input, STRUCT, TRUE};

/// What a header says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct PageHead {
    /// 0 and 3 are data, 1 an index, 2 a dictionary.
    pub(super) kind: i64,
    /// Bytes after unpacking.
    pub(super) unpacked: usize,
    /// Bytes in the file.
    pub(super) packed: usize,
    /// Values, with those that are missing.
    pub(super) values: usize,
    /// Bytes in front of what is packed, for the second kind of data page.
    pub(super) levels: usize,
    /// Whether what is behind the levels is packed at all.
    pub(super) is_packed: bool,
    /// Bytes of the header itself.
    pub(super) length: usize,
}

impl PageHead {
    /// The header at the beginning of these bytes; none where there is no well-formed one.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let mut input = Input::new(bytes);
        let mut head = Self { kind: -1, is_packed: true, ..Self::default() };
        let size = |number: i64| usize::try_from(number).ok();
        input.fields(0, &mut |input, id, kind| {
            match (id, kind) {
                (1, INTEGER) => head.kind = input.zigzag()?,
                (2, INTEGER) => head.unpacked = size(input.zigzag()?)?,
                (3, INTEGER) => head.packed = size(input.zigzag()?)?,
                (5 | 7 | 8, STRUCT) => {
                    let of = id;
                    input.fields(1, &mut |input, id, kind| {
                        match (of, id, kind) {
                            (_, 1, INTEGER) => head.values = size(input.zigzag()?)?,
                            (8, 5 | 6, INTEGER) => head.levels += size(input.zigzag()?)?,
                            (8, 7, TRUE | FALSE) => head.is_packed = kind == TRUE,
                            _ => input.pass(kind, 2)?,
                        }
                        Some(())
                    })?;
                }
                _ => input.pass(kind, 1)?,
            }
            Some(())
        })?;
        head.length = input.at();
        (head.kind >= 0).then_some(head)
    }
}

#[cfg(test)]
mod tests {
    use super::PageHead;

    #[test]
    fn a_header_of_each_kind() {
        // {1: 0, 2: 200, 3: 100, 5: {1: 7, 2: 0, 3: 3, 4: 3, 5: {1: "x"}}}
        let data = [
            0x15, 0, 0x15, 0x90, 3, 0x15, 0xC8, 1, 0x2C, 0x15, 14, 0x15, 0, 0x15, 6, 0x15, 6, 0x1C, 0x18, 1,
            b'x', 0, 0, 0,
        ];
        let head = PageHead::read(&data).expect("a header");
        assert_eq!((head.kind, head.unpacked, head.packed, head.values), (0, 200, 100, 7));
        assert_eq!((head.levels, head.is_packed, head.length), (0, true, data.len()));
        // {1: 3, 2: 20, 3: 10, 8: {1: 4, 2: 0, 3: 4, 4: 0, 5: 2, 6: 1, 7: false}}
        let second = [
            0x15, 6, 0x15, 40, 0x15, 20, 0x5C, 0x15, 8, 0x15, 0, 0x15, 8, 0x15, 0, 0x15, 4, 0x15, 2, 0x12, 0,
            0,
        ];
        let head = PageHead::read(&second).expect("a header");
        assert_eq!((head.kind, head.values, head.levels, head.is_packed), (3, 4, 3, false));
        for end in 0..second.len() {
            assert_eq!(PageHead::read(&second[..end]), None);
        }
        // A length below zero, and no kind.
        assert_eq!(PageHead::read(&[0x15, 0, 0x15, 1, 0]), None);
        assert_eq!(PageHead::read(&[0]), None);
    }
}
