//! Paths in recipes: expands `$NAME`, `${NAME}` and `~`, and resolves relative paths. Names on Hugging Face's Hub,
//! `hf://…`, are not changed.

use std::path::{Component, Path, PathBuf};

use crate::read::env_source::EnvSource;

/// The name of an unset variable in a path.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unset(pub(crate) String);

/// The absolute path of a path value; `folder` is the base of the layer, `recipes` the folder of the main recipe.
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

/// The default of `$CADRE_DATA`: `../shared/data` beside the checkout that contains `recipes`, or beside the working
/// folder, if such a folder exists.
pub fn default_data(env: &EnvSource, recipes: &Path) -> Option<PathBuf> {
    let checkout = checkout(recipes).map(|root| root.join("../shared/data"));
    let candidates = checkout.into_iter().chain([env.folder().join("../shared/data")]);
    candidates.map(|path| clean(&path)).find(|path| path.is_dir())
}

/// The parent of the folder `recipes` that contains a recipe.
pub(crate) fn checkout(folder: &Path) -> Option<&Path> {
    recipes_folder(folder)?.parent()
}

/// The folder `recipes` that contains a recipe.
pub(crate) fn recipes_folder(folder: &Path) -> Option<&Path> {
    folder.ancestors().find(|folder| folder.file_name().is_some_and(|name| name == "recipes"))
}

/// A path without `.` and `..`, as far as they can be removed lexically.
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
