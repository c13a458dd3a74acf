//! What recipes must do, from files to meaning or to messages.

mod bounds;
mod expanding;
mod layering;
mod mistakes;
mod newcomers;
mod random_text;
mod schema;
mod shipped;
mod surroundings;
mod sweeps;
mod written_values;

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use crate::{EnvSource, Loaded, Recipe, RecipeErrors, Surroundings};

/// A whole recipe of SEE's shape, to be changed by tests.
const WHOLE: &str = r#"name = "study"

[backbone]
checkpoint = "/models/llama"

[stream]
format = "synthetic"

[expert]
adapter = { rank = 8, alpha = 32 }
training = { epochs = 3, batch = 32 }

[indicator]

[rehearsal]
selector = { plugin = "random", share = 0.1 }
role = "negative"

[routing]
router = { plugin = "see", threshold = 0.5 }
"#;

/// A folder of recipes and how one of them is loaded.
struct Case {
    folder: TempDir,
    sets: Vec<String>,
    grids: Vec<String>,
    env: EnvSource,
    surroundings: Surroundings,
}

impl Case {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (sets, grids, surroundings) = (Vec::new(), Vec::new(), Surroundings::default());
        let case = Self { folder, sets, grids, env: EnvSource::empty(), surroundings };
        let root = case.path("");
        fs::create_dir(&root).unwrap();
        Self { env: EnvSource::empty().at(root), ..case }
    }

    /// The whole recipe with one piece of it replaced.
    fn changed(from: &str, to: &str) -> Self {
        assert!(WHOLE.contains(from), "the recipe holds no {from:?}");
        Self::new().file("study.toml", &WHOLE.replacen(from, to, 1))
    }

    fn file(self, name: &str, text: &str) -> Self {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    fn set(mut self, set: &str) -> Self {
        self.sets.push(set.to_owned());
        self
    }

    fn grid(mut self, grid: &str) -> Self {
        self.grids.push(grid.to_owned());
        self
    }

    fn env(mut self, name: &str, value: &str) -> Self {
        self.env = self.env.with(name, value);
        self
    }

    fn within(mut self, surroundings: Surroundings) -> Self {
        self.surroundings = surroundings;
        self
    }

    /// One folder below the temporary one: what lies beside other temporary folders is not `../shared/data` of this.
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join("case").join(name)
    }

    fn load_file(&self, name: &str) -> Result<Loaded, RecipeErrors> {
        Recipe::load_swept(&self.path(name), &self.sets, &self.grids, &self.env, &self.surroundings)
    }

    fn load(&self) -> Loaded {
        self.load_file("study.toml").unwrap_or_else(|errors| panic!("{errors}"))
    }

    /// The rendered mistakes, with paths from the test's folder.
    fn mistakes(&self) -> String {
        self.relative(&self.load_file("study.toml").expect_err("the recipe is wrong").render(false))
    }

    fn relative(&self, text: &str) -> String {
        text.replace(&format!("{}/", self.path("").display().to_string().trim_end_matches('/')), "")
    }
}

/// Compares a text with the one kept under `golden/`; `CADRE_BLESS=1` writes it.
fn golden(name: &str, text: &str) {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/tests/golden").join(format!("{name}.txt"));
    if std::env::var_os("CADRE_BLESS").is_some() {
        fs::write(&file, text).unwrap();
    }
    let kept = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    assert_eq!(text, kept, "{}", file.display());
}
