//! One run, read from its folder: recipe keys, figures, tags, state and times. A damaged file is recorded as a
//! problem; it is not an error.

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use cadre_store::{RunLayout, chain};
use serde::Deserialize;

use crate::flatten::{Values, recipe_values, report_values};
use crate::{RunsError, Value, tags};

/// Maximum length of the first line of `events.jsonl` that is read, in bytes.
const LONGEST_EVENT: u64 = 64 * 1024;

/// Origin of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// The folder itself: id, state, times, tags.
    Run,
    /// `recipe.toml`.
    Recipe,
    /// `report.json`.
    Figure,
}

/// One run.
#[derive(Debug, Clone, PartialEq)]
pub struct RunRecord {
    /// Name of the run's folder.
    pub id: String,
    /// Values by dotted key; keys are unique.
    pub values: Vec<(String, Origin, Value)>,
    /// Its tags.
    pub tags: BTreeSet<String>,
    /// What could not be read, and why.
    pub problem: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct SweepFile {
    sweeps: Vec<String>,
}

impl RunRecord {
    /// Reads a run's folder. The state is `done` with a report, `begun` without one, and `damaged` if a file cannot be
    /// read; the values of the other files are still included.
    ///
    /// # Errors
    /// If the folder has no `plan.json`: it is not a run.
    pub fn read(run: &RunLayout) -> Result<Self, RunsError> {
        let plan = run.plan();
        let planned = fs::metadata(&plan).map_err(RunsError::read(&plan))?;
        let mut problems: Vec<String> = Vec::new();
        let recipe = part(&run.recipe(), &mut problems, |text| {
            recipe_values(text).map_err(|problem| {
                let line = problem.span().map_or(1, |span| text[..span.start].matches('\n').count() + 1);
                format!("line {line}: {}", problem.message())
            })
        });
        let report = part(&run.report_json(), &mut problems, |text| {
            report_values(text).map_err(|problem| problem.to_string())
        });
        let sweep = part(&run.sweeps(), &mut problems, |text| {
            serde_json::from_str::<SweepFile>(text).map_err(|problem| problem.to_string())
        });
        let tags = tags::read(&run.tags()).unwrap_or_else(|problem| {
            problems.push(chain(&problem));
            BTreeSet::new()
        });
        let reported = fs::metadata(run.report_json()).ok();
        let millis =
            |found: &fs::Metadata| found.mtime().saturating_mul(1000) + found.mtime_nsec() / 1_000_000;
        let changed = reported.as_ref().map_or(millis(&planned), millis);
        let created = first_event(&run.events()).unwrap_or_else(|| changed.min(millis(&planned)));
        let state = match (problems.is_empty(), reported.is_some()) {
            (false, _) => "damaged",
            (true, true) => "done",
            (true, false) => "begun",
        };
        let id = run.id();
        let mut own: Values = vec![
            ("id".to_owned(), Value::Text(id.clone())),
            ("state".to_owned(), Value::Text(state.to_owned())),
            ("created".to_owned(), Value::Time(created)),
            ("changed".to_owned(), Value::Time(changed)),
        ];
        if !tags.is_empty() {
            let joined = tags.iter().map(String::as_str).collect::<Vec<_>>().join(" ");
            own.push(("tags".to_owned(), Value::Text(joined)));
        }
        if let Some(sweep) = sweep {
            own.push(("sweep".to_owned(), Value::Text(sweep.sweeps.join(" "))));
        }
        let sources = [
            (Origin::Run, own),
            (Origin::Recipe, recipe.unwrap_or_default()),
            (Origin::Figure, report.unwrap_or_default()),
        ];
        let mut seen: HashSet<String> = HashSet::new();
        let mut values = Vec::new();
        for (origin, found) in sources {
            for (key, value) in found {
                // Keys that are in both recipe and report (name, seed) take the recipe's value.
                if seen.insert(key.clone()) {
                    values.push((key, origin, value));
                }
            }
        }
        let problem = (!problems.is_empty()).then(|| problems.join("; "));
        Ok(Self { id, values, tags, problem })
    }

    /// The value of a key, if the run has it.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.values.iter().find(|(name, ..)| name == key).map(|(.., value)| value)
    }
}

/// Reads a run's file if it exists; errors become problems of the record.
fn part<T>(
    path: &Path,
    problems: &mut Vec<String>,
    read: impl FnOnce(&str) -> Result<T, String>,
) -> Option<T> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(problem) if problem.kind() == ErrorKind::NotFound => return None,
        Err(problem) => {
            problems.push(format!("{name}: {problem}"));
            return None;
        }
    };
    read(&text).map_err(|problem| problems.push(format!("{name}: {problem}"))).ok()
}

/// Time of the first event, in milliseconds since 1970: when the run was first started.
fn first_event(path: &Path) -> Option<i64> {
    #[derive(Deserialize)]
    struct Event {
        time: i64,
    }
    let mut line = String::new();
    BufReader::with_capacity(1024, fs::File::open(path).ok()?.take(LONGEST_EVENT))
        .read_line(&mut line)
        .ok()?;
    serde_json::from_str::<Event>(&line).ok().map(|event| event.time)
}

/// Signature for change detection: time, length and inode of each file that is read.
pub(crate) fn signature(folder: &mut PathBuf, into: &mut Vec<u8>) -> bool {
    into.clear();
    for name in ["plan.json", "recipe.toml", "report.json", "tags.json", "sweeps.json"] {
        folder.push(name);
        let found = fs::metadata(&*folder);
        folder.pop();
        match found {
            Ok(found) => {
                let nanos = found.mtime().wrapping_mul(1_000_000_000).wrapping_add(found.mtime_nsec());
                into.extend_from_slice(&nanos.to_le_bytes());
                into.extend_from_slice(&found.size().to_le_bytes());
                into.extend_from_slice(&found.ino().to_le_bytes());
            }
            // Without a plan it is not a run.
            Err(_) if name == "plan.json" => return false,
            Err(_) => into.push(0),
        }
    }
    true
}

/// Ids of the run folders in a folder. Names that begin with a dot are reserved for Cadre's own files.
///
/// # Errors
/// If the folder exists and cannot be read.
pub(crate) fn run_folders(runs: &Path) -> Result<Vec<String>, RunsError> {
    let entries = match fs::read_dir(runs) {
        Ok(entries) => entries,
        Err(problem) if problem.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(RunsError::read(runs)(source)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(RunsError::read(runs))?;
        if entry.file_type().is_ok_and(|kind| kind.is_file()) {
            continue;
        }
        // Run ids are valid UTF-8, so other names are not runs.
        if let Some(name) = entry.file_name().to_str().filter(|name| !name.starts_with('.')) {
            found.push(name.to_owned());
        }
    }
    found.sort_unstable();
    Ok(found)
}
