//! Limits on external files, and how sizes are written in messages.

/// Maximum bytes of one row of text, and of one cell of a table.
pub(super) const MAX_ROW: usize = 64 << 20;
/// Maximum bytes of all rows held at once, including the overhead of holding them.
pub(super) const MAX_HELD: usize = 4 << 30;
/// Overhead of holding an example in addition to its texts: the struct and its allocations.
pub(super) const PER_EXAMPLE: usize = 400;
/// Maximum bytes of a file that is read as a whole.
pub(super) const MAX_WHOLE: usize = 1 << 30;
/// A compressed file may expand to this many bytes, plus [`MAX_RATIO`] times its own length.
pub(super) const MAX_EXPANDED: u64 = 1 << 30;
/// Maximum compression ratio beyond [`MAX_EXPANDED`]; text typically shrinks to a tenth.
pub(super) const MAX_RATIO: u64 = 100;

/// Formats a number of bytes, such as `64 MiB`.
pub(super) fn size(bytes: usize) -> String {
    const UNITS: [(usize, &str); 3] = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match UNITS.iter().find(|(unit, _)| bytes >= *unit) {
        Some((unit, name)) if bytes.is_multiple_of(*unit) => format!("{} {name}", bytes / unit),
        Some((unit, name)) => format!("{:.1} {name}", bytes as f64 / *unit as f64),
        None => format!("{bytes} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn sizes_for_people() {
        assert_eq!(size(64 << 20), "64 MiB");
        assert_eq!(size(1_500_000), "1.4 MiB");
        assert_eq!(size(12), "12 bytes");
    }
}
