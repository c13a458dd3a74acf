//! `tags.json` of a run: the tags the user gave it. They live in the run's folder; the index only mirrors them.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::Path;

use cadre_store::{RunLayout, write_atomic};
use serde::{Deserialize, Serialize};

use crate::RunsError;

/// Format version of `tags.json` that this build writes, and the newest it reads.
pub const TAGS_FORMAT: u64 = 1;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct TagsFile {
    format_version: u64,
    tags: BTreeSet<String>,
}

/// The tags of a run; empty if it has no `tags.json`.
///
/// # Errors
/// If the file cannot be read, is damaged or has a newer version.
pub fn read_tags(run: &RunLayout) -> Result<BTreeSet<String>, RunsError> {
    read(&run.tags())
}

/// Adds and removes tags of a run and returns the result. Adding an existing tag or removing a missing one is not an
/// error.
///
/// # Errors
/// If a tag is invalid (see [`RunsError::BadTag`]), or `tags.json` cannot be read or written; the file is then
/// unchanged.
pub fn change_tags(
    run: &RunLayout,
    added: &[String],
    removed: &[String],
) -> Result<BTreeSet<String>, RunsError> {
    for tag in added {
        check(tag)?;
    }
    let mut tags = read_tags(run)?;
    let before = tags.clone();
    tags.extend(added.iter().cloned());
    tags.retain(|tag| !removed.contains(tag));
    if tags != before {
        let file = TagsFile { format_version: TAGS_FORMAT, tags };
        let text = serde_json::to_vec_pretty(&file)
            .map_err(|source| RunsError::Malformed { path: run.tags(), source })?;
        write_atomic(&run.tags(), &text)?;
        return Ok(file.tags);
    }
    Ok(tags)
}

pub(crate) fn read(path: &Path) -> Result<BTreeSet<String>, RunsError> {
    let text = match std::fs::read(path) {
        Ok(text) => text,
        Err(problem) if problem.kind() == ErrorKind::NotFound => return Ok(BTreeSet::new()),
        Err(source) => return Err(RunsError::read(path)(source)),
    };
    let malformed = |source| RunsError::Malformed { path: path.to_owned(), source };
    let file: TagsFile = serde_json::from_slice(&text).map_err(malformed)?;
    if file.format_version > TAGS_FORMAT {
        let found = file.format_version;
        return Err(RunsError::NewerFormat { path: path.to_owned(), found, known: TAGS_FORMAT });
    }
    Ok(file.tags)
}

/// A tag must be typeable in a filter without quotes.
fn check(tag: &str) -> Result<(), RunsError> {
    let proper = (1..=64).contains(&tag.chars().count())
        && tag.starts_with(char::is_alphanumeric)
        && tag.chars().all(|c| c.is_alphanumeric() || "-_.:/".contains(c));
    if proper { Ok(()) } else { Err(RunsError::BadTag { tag: tag.to_owned() }) }
}
