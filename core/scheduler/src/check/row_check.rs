//! Reads the rows of a recipe's datasets, so that unreadable rows are found before any stage starts. Rows are not kept,
//! and reading stops at a limit: files of hundreds of megabytes are checked in part, with a warning.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use cadre_data::{Example, Looked, SourceSpec, Split, look_through};
use cadre_recipe::on_all_cores;
use cadre_store::chain;

/// Bytes of rows that are checked per recipe, divided among its sources.
const MAX_BYTES: usize = 1 << 30;
/// Minimum number of bytes per source.
const MIN_BYTES: usize = 128 << 20;

/// Rows to check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rows {
    /// The section of the recipe that refers to them.
    pub(crate) section: String,
    pub(crate) spec: SourceSpec,
    pub(crate) tasks: Vec<String>,
    pub(crate) split: Split,
}

/// The result of a check.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    /// The first error.
    pub(crate) mistake: Option<String>,
    /// Warnings about fields that are not read, and about how much was checked.
    pub(crate) notes: Vec<String>,
    /// The first row with turns before its query.
    pub(crate) with_turns: Option<Example>,
}

/// Checks all of these in parallel.
pub(crate) fn look(all: &[Rows]) -> Vec<Found> {
    let max_bytes = (MAX_BYTES / all.len().max(1)).max(MIN_BYTES);
    let found =
        on_all_cores(all, |some| some.iter().map(|rows| look_once(rows, max_bytes)).collect::<Vec<_>>());
    found.concat()
}

/// Checks rows, with a cache for unchanged files: the points of a sweep refer to the same rows many times.
fn look_once(rows: &Rows, max_bytes: usize) -> Found {
    static KNOWN: Mutex<BTreeMap<String, Found>> = Mutex::new(BTreeMap::new());
    let Some(stamp) = stamp(rows, max_bytes) else { return look_at(rows, max_bytes) };
    let held = KNOWN.lock().unwrap_or_else(PoisonError::into_inner).get(&stamp).cloned();
    if let Some(found) = held {
        return found;
    }
    let found = look_at(rows, max_bytes);
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner).insert(stamp, found.clone());
    found
}

/// A cache key: the rows, and the lengths and times of their files; `None` if the files cannot be listed.
fn stamp(rows: &Rows, max_bytes: usize) -> Option<String> {
    let Rows { spec, tasks, split, .. } = rows;
    let files = cadre_data::source_files(spec, tasks, *split).ok()?;
    let of = |file: &std::path::PathBuf| {
        let metadata = std::fs::metadata(file).ok()?;
        Some(format!("{}/{}/{:?}", file.display(), metadata.len(), metadata.modified().ok()?))
    };
    let files = files.iter().map(of).collect::<Option<Vec<_>>>()?;
    Some(format!("{spec:?}/{tasks:?}/{split:?}/{max_bytes}/{files:?}"))
}

fn look_at(rows: &Rows, max_bytes: usize) -> Found {
    match look_through(&rows.spec, &rows.tasks, rows.split, max_bytes) {
        Err(problem) => Found { mistake: Some(chain(&problem)), notes: Vec::new(), with_turns: None },
        Ok(Looked { rows: count, whole, with_turns, notes }) => {
            let mut notes: Vec<String> = notes.iter().map(ToString::to_string).collect();
            if !whole {
                let place = rows.spec.path.as_deref().map(|path| path.display().to_string());
                notes.push(format!(
                    "{}: the first {count} rows of {} were looked at; the rest is read when its stage runs",
                    place.unwrap_or_default(),
                    rows.split.name()
                ));
            }
            Found { mistake: None, notes, with_turns }
        }
    }
}

#[cfg(test)]
mod tests {
    use cadre_data::{FieldMap, SourceSpec, Split};

    use super::{Rows, look, look_at};

    fn rows(text: &str) -> (tempfile::TempDir, Rows) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("t.jsonl");
        std::fs::write(&file, text).unwrap();
        let spec = SourceSpec { format: "jsonl".into(), path: Some(file), fields: FieldMap::default() };
        (folder, Rows { section: "stream".into(), spec, tasks: Vec::new(), split: Split::Train })
    }

    #[test]
    fn a_row_that_cannot_be_read_is_found_and_found_again_when_the_file_changed() {
        let (_folder, broken) = rows("{\"input\": \"a\", \"output\": \"b\"}\n{\"input\": \"a\"}\n");
        let mistake = look(std::slice::from_ref(&broken)).remove(0).mistake.unwrap();
        assert!(mistake.contains("t.jsonl:2: expected field `output`"), "{mistake}");
        std::fs::write(broken.spec.path.as_ref().unwrap(), "{\"input\": \"a\", \"output\": \"b\"}").unwrap();
        let found = look(&[broken.clone(), broken]).remove(1);
        assert!(found.mistake.is_none() && found.notes.is_empty(), "{found:?}");
    }

    #[test]
    fn what_is_left_out_and_how_far_was_looked_is_said() {
        let row = "{\"input\": \"a\", \"output\": \"b\", \"system\": \"Be short.\"}\n";
        let (_folder, many) = rows(&row.repeat(100));
        let found = look_at(&many, 5000);
        assert!(found.notes[0].contains("t.jsonl:1: field `system` is not read by this format"), "{found:?}");
        assert!(found.notes[1].contains("rows of train were looked at; the rest is read when"), "{found:?}");
    }
}
