//! How much is read of files that anybody may have written: the figures, and how they are written in messages.

/// Most bytes of one row of text, and of one cell of a table.
pub(super) const MAX_ROW: usize = 64 << 20;
/// Most bytes of all rows that are held at once, with what it takes to hold them.
pub(super) const MAX_HELD: usize = 4 << 30;
/// What holding an example takes beside its texts: the struct and its allocations.
pub(super) const PER_EXAMPLE: usize = 400;
/// Most bytes of a file that is read as a whole.
pub(super) const MAX_WHOLE: usize = 1 << 30;
/// A compressed file may hold this much, and [`MAX_RATIO`] times its own length beyond it.
pub(super) const MAX_EXPANDED: u64 = 1 << 30;
/// Most bytes that a byte of a compressed file may stand for beyond [`MAX_EXPANDED`]: text shrinks to a tenth.
pub(super) const MAX_RATIO: u64 = 100;

/// A number of bytes for people: `64 MiB`.
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
