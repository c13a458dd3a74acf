//! Checks the nesting depth of a Parquet file's schema before the Parquet crate parses it. The crate parses it
//! recursively, and a deeply nested schema would overflow the stack.

use super::thrift::{INTEGER, Input, LIST, STRUCT};

/// The nesting depth of a file's schema. `None` if the file has no valid footer, which the crate then reports.
pub(super) fn schema_depth(bytes: &[u8]) -> Option<usize> {
    let end = bytes.len().checked_sub(8)?;
    let (length, mark) = bytes.get(end..)?.split_at(4);
    if mark != b"PAR1" {
        return None;
    }
    let length = u32::from_le_bytes(length.try_into().ok()?) as usize;
    let mut input = Input::new(bytes.get(end.checked_sub(length)?..end)?);
    let mut depth = None;
    input.fields(0, &mut |input, id, kind| {
        if (id, kind) != (2, LIST) {
            return input.pass(kind, 1);
        }
        // For each open group, the number of children still to come.
        let (mut open, mut deepest) = (Vec::<u64>::new(), 0);
        let (count, of) = input.list()?;
        for _ in 0..count {
            if of != STRUCT {
                return None;
            }
            let mut children = 0;
            input.fields(1, &mut |input, id, kind| match (id, kind) {
                (5, INTEGER) => {
                    children = u64::try_from(input.zigzag()?).ok()?;
                    Some(())
                }
                _ => input.pass(kind, 2),
            })?;
            while open.last() == Some(&0) {
                open.pop();
            }
            if let Some(left) = open.last_mut() {
                *left -= 1;
            }
            if children > 0 {
                open.push(children);
                deepest = deepest.max(open.len());
            }
        }
        depth = Some(deepest);
        Some(())
    })?;
    depth
}

#[cfg(test)]
pub(super) mod tests {
    use super::schema_depth;

    /// A file that contains only a schema: `depth` nested groups and a column.
    pub(in crate::format::parquet_file) fn nested(depth: usize) -> Vec<u8> {
        let mut footer = vec![0x15, 2, 0x19, 0xFC];
        let mut count = depth as u64 + 1;
        while count > 127 {
            footer.push((count & 0x7F) as u8 | 0x80);
            count >>= 7;
        }
        footer.push(count as u8);
        for _ in 0..depth {
            // {3: REQUIRED, 4: "a", 5: 1 child}
            footer.extend([0x35, 0, 0x18, 1, b'a', 0x15, 2, 0]);
        }
        // {1: INT32, 3: REQUIRED, 4: "b"}; then no rows, no row groups.
        footer.extend([0x15, 2, 0x25, 0, 0x18, 1, b'b', 0, 0x16, 0, 0x19, 0x0C, 0]);
        let mut file = b"PAR1".to_vec();
        file.extend(&footer);
        file.extend((footer.len() as u32).to_le_bytes());
        file.extend(b"PAR1");
        file
    }

    #[test]
    fn the_depth_of_a_schema() {
        assert_eq!(schema_depth(&nested(1)), Some(1));
        assert_eq!(schema_depth(&nested(500_000)), Some(500_000));
        assert_eq!(schema_depth(b"PAR1"), None);
        let fixture = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/parquet/messages.parquet");
        let bytes = std::fs::read(fixture).expect("the fixture");
        // The message, `messages`, its list, its element, `tool_calls`, its list, its element.
        assert_eq!(schema_depth(&bytes), Some(7));
    }
}
