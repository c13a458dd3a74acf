//! Reads the header of a Parquet page before the page itself: its kind, length and stated decompressed size. The crate
//! reads the same header only together with the page.

use super::thrift::{FALSE, INTEGER, Input, STRUCT, TRUE};

/// The contents of a page header.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct PageHead {
    /// 0 and 3 are data pages, 1 is an index, 2 is a dictionary.
    pub(super) kind: i64,
    /// Decompressed size in bytes.
    pub(super) unpacked: usize,
    /// Size in the file in bytes.
    pub(super) packed: usize,
    /// Number of values, including missing ones.
    pub(super) values: usize,
    /// Number of uncompressed bytes before the compressed data, in data pages of version 2.
    pub(super) levels: usize,
    /// Whether the data after the levels is compressed.
    pub(super) is_packed: bool,
    /// Length of the header itself in bytes.
    pub(super) length: usize,
}

impl PageHead {
    /// Parses the header at the beginning of these bytes; `None` if it is malformed.
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
        // A negative length, and a header without a kind.
        assert_eq!(PageHead::read(&[0x15, 0, 0x15, 1, 0]), None);
        assert_eq!(PageHead::read(&[0]), None);
    }
}
