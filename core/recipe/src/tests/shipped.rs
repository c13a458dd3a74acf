//! The recipes of the repository all load, and say what the literature says.

use std::fs;
use std::path::{Path, PathBuf};

use crate::{EnvSource, Loaded, Per, Recipe};

fn recipes() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../recipes")
}

fn load(name: &str) -> Loaded {
    let env = EnvSource::empty().with("CADRE_DATA", "/data").with("HOME", "/home/me");
    Recipe::load(&recipes().join(name), &[], &env).unwrap_or_else(|errors| panic!("{errors}"))
}

/// All recipes but the fragments in `base`.
fn whole_recipes(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut found = Vec::new();
    for path in entries {
        if path.is_dir() && path.file_name().is_some_and(|name| name != "base" && name != "plugins") {
            found.extend(whole_recipes(&path));
        } else if path.extension().is_some_and(|ending| ending == "toml") {
            found.push(path);
        }
    }
    found
}

#[test]
fn all_load_and_expand_to_themselves() {
    let recipes = recipes();
    let found = whole_recipes(&recipes);
    assert!(found.len() >= 14, "{found:?}");
    for path in found {
        let loaded = load(path.strip_prefix(&recipes).unwrap().to_str().unwrap());
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("again.toml");
        fs::write(&file, loaded.expand()).unwrap();
        let again = Recipe::load(&file, &[], &EnvSource::empty()).unwrap_or_else(|errors| panic!("{errors}"));
        assert_eq!(again.recipe, loaded.recipe);
    }
}

#[test]
fn baselines_differ_from_see_in_their_method_only() {
    for (see, folder) in [("see.toml", "baseline"), ("see-superni.toml", "baseline-superni")] {
        let see = load(see).recipe;
        for (name, per) in [
            ("sequential", Some(Per::Stream)),
            ("replay-random", Some(Per::Stream)),
            ("replay-kmeans", Some(Per::Stream)),
            ("multi-task", Some(Per::Union)),
            ("single-task", Some(Per::Task)),
            ("zero-shot", None),
        ] {
            let other = load(&format!("{folder}/{name}.toml")).recipe;
            assert_eq!(other.backbone, see.backbone, "{name}");
            assert_eq!(other.stream, see.stream, "{name}");
            assert_eq!(other.evaluation.metrics, see.evaluation.metrics, "{name}");
            assert_eq!(other.expert.as_ref().map(|expert| expert.per), per, "{name}");
            if let (Some(other), Some(see)) = (&other.expert, &see.expert) {
                assert_eq!((&other.adapter, &other.training), (&see.adapter, &see.training), "{name}");
            }
        }
    }
}
