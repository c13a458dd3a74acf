//! Finding runs by what a person types: an id, the beginning of one, or a folder. Looks at names; opens no index.

use std::path::Path;

use cadre_store::RunLayout;

use crate::RunsError;
use crate::run_record::run_folders;

/// The run of this id, or every run whose id begins so, by id; a path that leads to a run's folder is that run.
///
/// # Errors
/// When there is none, or the folder cannot be read.
pub fn find_runs(runs: &Path, id: &str) -> Result<Vec<RunLayout>, RunsError> {
    let direct = Path::new(id);
    if direct.components().count() > 1 && direct.join("plan.json").is_file() {
        return Ok(vec![RunLayout::at(direct)]);
    }
    let mut known = Vec::new();
    for name in run_folders(runs)? {
        let run = RunLayout::at(&runs.join(&name));
        if (name.starts_with(id) || known.len() < 100) && run.plan().is_file() {
            if name == id {
                return Ok(vec![run]);
            }
            known.push(run);
        }
    }
    let found: Vec<RunLayout> = known.iter().filter(|run| run.id().starts_with(id)).cloned().collect();
    if !found.is_empty() && !id.is_empty() {
        return Ok(found);
    }
    let names: Vec<String> = known.iter().map(RunLayout::id).collect();
    let near = names
        .iter()
        .map(|name| (strsim::normalized_damerau_levenshtein(name, id), name))
        .filter(|(alike, _)| *alike >= 0.6)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    let advice = match (near, names.as_slice()) {
        (Some((_, near)), _) => format!("did you mean `{near}`?"),
        (None, []) => format!("there is none in {}; `cadre run RECIPE` makes one", runs.display()),
        (None, some) if some.len() <= 8 => format!("there are {}", some.join(", ")),
        (None, _) => "`cadre runs` lists them".to_owned(),
    };
    Err(RunsError::NoSuchRun { id: id.to_owned(), advice })
}

/// The one run of this id or beginning.
///
/// # Errors
/// When there is none or several begin so, or the folder cannot be read.
pub fn find_run(runs: &Path, id: &str) -> Result<RunLayout, RunsError> {
    let mut found = find_runs(runs, id)?;
    match found.len() {
        1 => Ok(found.remove(0)),
        _ => {
            Err(RunsError::Ambiguous { id: id.to_owned(), found: found.iter().map(RunLayout::id).collect() })
        }
    }
}
