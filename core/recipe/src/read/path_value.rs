//! Paths in recipes: `$NAME`, `${NAME}` and `~`, and from where a relative path starts. Names on Hugging Face's Hub,
//! `hf://…`, stay as they are. It never touches what a path leads to.

use std::path::{Component, Path, PathBuf};

use crate::read::env_source::EnvSource;

/// A variable that a path names and nothing sets.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unset(pub(crate) String);

/// The absolute path that a recipe's text means; `folder` is that of the layer, `recipes` the main recipe's.
pub(crate) fn expand(text: &str, env: &EnvSource, folder: &Path, recipes: &Path) -> Result<PathBuf, Unset> {
    if text.starts_with("hf://") {
        return Ok(PathBuf::from(text));
    }
    let mut path = String::new();
    let mut rest = match text.strip_prefix('~') {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => {
            path.push_str(env.get("HOME").ok_or_else(|| Unset("HOME".to_owned()))?);
            rest
        }
        _ => text,
    };
    while let Some(at) = rest.find('$') {
        path.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        let (name, next) = match after.strip_prefix('{').and_then(|braced| braced.split_once('}')) {
            Some((name, next)) => (name, next),
            None => after.split_at(
                after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(after.len()),
            ),
        };
        if name.is_empty() {
            path.push('$');
        } else {
            path.push_str(&value(name, env, recipes).ok_or_else(|| Unset(name.to_owned()))?);
        }
        rest = next;
    }
    path.push_str(rest);
    Ok(clean(&folder.join(path)))
}

/// The value of a variable; `CADRE_DATA` has a default.
fn value(name: &str, env: &EnvSource, recipes: &Path) -> Option<String> {
    match env.get(name) {
        Some(value) => Some(value.to_owned()),
        None if name == "CADRE_DATA" => default_data(env, recipes)?.to_str().map(str::to_owned),
        None => None,
    }
}

/// What `$CADRE_DATA` means where it is not set: `../shared/data` beside the checkout that `recipes` lies in, or beside
/// the folder of the process, where such a folder is there.
pub fn default_data(env: &EnvSource, recipes: &Path) -> Option<PathBuf> {
    let checkout = checkout(recipes).map(|root| root.join("../shared/data"));
    let candidates = checkout.into_iter().chain([env.folder().join("../shared/data")]);
    candidates.map(|path| clean(&path)).find(|path| path.is_dir())
}

/// The folder above the one called `recipes` that a recipe lies in.
pub(crate) fn checkout(folder: &Path) -> Option<&Path> {
    recipes_folder(folder)?.parent()
}

/// The folder called `recipes` that a recipe lies in.
pub(crate) fn recipes_folder(folder: &Path) -> Option<&Path> {
    folder.ancestors().find(|folder| folder.file_name().is_some_and(|name| name == "recipes"))
}

/// A path without `.` and `..`, as far as they can be taken out of its text.
pub(crate) fn clean(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if matches!(clean.components().next_back(), Some(Component::Normal(_))) => {
                clean.pop();
            }
            part => clean.push(part),
        }
    }
    clean
}
