//! The recipes of the repository: each loads and plans, and none is left out.

use std::path::{Path, PathBuf};

use cadre_tests::{Workbench, repository};

#[test]
fn every_recipe_on_built_in_data_plans() {
    let bench = Workbench::new();
    let mut planned = 0;
    for recipe in recipes(&repository().join("recipes")) {
        let text = std::fs::read_to_string(&recipe).unwrap();
        let path = recipe.display().to_string();
        if path.contains("superni") || text.contains("CADRE_DATA") {
            continue;
        }
        bench.planner(&["plan", &path]).expect_code(0);
        planned += 1;
    }
    assert!(planned >= 8, "{planned}");
}

/// Every recipe except the fragments in `base/`.
pub(crate) fn recipes(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if path.file_name().is_some_and(|name| name != "base") {
                found.extend(recipes(&path));
            }
        } else if path.extension().is_some_and(|ending| ending == "toml") {
            found.push(path);
        }
    }
    found.sort();
    found
}
