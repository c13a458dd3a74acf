//! Draws examples of a source without holding more rows than the draw needs, or scans its rows up to a limit. A draw
//! must give the same rows as [`sample`] on all rows.

use cadre_store::Seed;

use crate::error::DataError;
use crate::example::{Example, Split, sample, shuffled_places};
use crate::format::{Note, Sink, SourceSpec};
use crate::stream::visit_source;

/// If the rows take less memory than this, they are held at once instead of being read twice.
const HELD_AT_FIRST: usize = 256 << 20;

/// At most `limit` rows of these tasks (of all tasks, if none is given), drawn by `seed` like [`sample`]. If there are
/// many rows and the limit is lower, the files are read twice and only the drawn rows are held.
///
/// # Errors
/// As [`load_source`](crate::load_source); rows that exceed the memory limit; files that change between the two reads.
pub fn draw_source(
    spec: &SourceSpec,
    tasks: &[String],
    split: Split,
    limit: Option<usize>,
    seed: Seed,
) -> Result<Vec<Example>, DataError> {
    draw_holding(spec, tasks, split, limit, seed, HELD_AT_FIRST)
}

fn draw_holding(
    spec: &SourceSpec,
    tasks: &[String],
    split: Split,
    limit: Option<usize>,
    seed: Seed,
    held_at_first: usize,
) -> Result<Vec<Example>, DataError> {
    let first = if limit.is_some() { Sink::keep_up_to(held_at_first) } else { Sink::keep() };
    let all = visit_source(spec, tasks, split, first)?;
    if !all.spilled() {
        return Ok(sample(all.rows(), limit, seed));
    }
    let before = all.seen();
    let mut places = shuffled_places(before, seed);
    places.truncate(limit.unwrap_or(before));
    let drawn = visit_source(spec, tasks, split, Sink::pick(&places))?;
    let after = drawn.seen();
    if after != before {
        let place = spec.path.clone().unwrap_or_default();
        return Err(DataError::Changed { place, before, after });
    }
    Ok(drawn.rows())
}

/// The result of a scan of a source's rows.
#[derive(Debug, Clone)]
pub struct Looked {
    /// Number of rows scanned: all of them, or as many as the limit allows.
    pub rows: usize,
    /// Whether all rows were scanned.
    pub whole: bool,
    /// The first example that has turns before its query.
    pub with_turns: Option<Example>,
    /// Notes for the user.
    pub notes: Vec<Note>,
}

/// Scans the rows of a source without holding them. Stops after `most` bytes of rows.
///
/// # Errors
/// As [`load_source`](crate::load_source).
pub fn look_through(
    spec: &SourceSpec,
    tasks: &[String],
    split: Split,
    most: usize,
) -> Result<Looked, DataError> {
    let mut sink = visit_source(spec, tasks, split, Sink::count(most))?;
    Ok(Looked {
        rows: sink.seen(),
        whole: !sink.is_full(),
        with_turns: sink.with_turns(),
        notes: sink.notes(),
    })
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use cadre_store::Seed;

    use super::{draw_holding, draw_source, look_through};
    use crate::example::{Split, sample};
    use crate::format::{FieldMap, SourceSpec};
    use crate::stream::load_source;

    fn source(rows: usize) -> (tempfile::TempDir, SourceSpec) {
        let folder = tempfile::tempdir().expect("a folder");
        let mut text = String::new();
        for row in 0..rows {
            let _ = writeln!(text, "{{\"input\": \"{row}\", \"output\": \"{}\"}}", "x".repeat(50));
        }
        let file = folder.path().join("t.jsonl");
        std::fs::write(&file, text).expect("written");
        (folder, SourceSpec { format: "jsonl".into(), path: Some(file), fields: FieldMap::default() })
    }

    #[test]
    fn a_draw_is_the_same_whether_all_rows_are_held_or_not() {
        let (_folder, spec) = source(200);
        let all = load_source(&spec, &[], Split::Train).expect("rows");
        for limit in [None, Some(0), Some(7), Some(200), Some(500)] {
            let expected = sample(all.clone(), limit, Seed(5));
            assert_eq!(draw_source(&spec, &[], Split::Train, limit, Seed(5)).expect("a draw"), expected);
            let few = draw_holding(&spec, &[], Split::Train, limit, Seed(5), 1000).expect("a draw");
            assert_eq!(few, expected, "{limit:?}");
        }
    }

    #[test]
    fn a_look_ends_at_its_bound() {
        let (_folder, spec) = source(200);
        let whole = look_through(&spec, &[], Split::Train, 1 << 20).expect("rows");
        assert!(whole.whole && whole.rows == 200);
        let part = look_through(&spec, &[], Split::Train, 10_000).expect("rows");
        assert!(!part.whole && part.rows < 50, "{part:?}");
    }
}
