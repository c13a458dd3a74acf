//! Integration tests of the crate: the index (always correct, never required), queries, tags, exports, and what the
//! store must keep.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod asking;
mod indexing;
mod keeping;
mod leaving;

use std::fs;
use std::path::{Path, PathBuf};

use cadre_runs::{RunIndex, Selection, Table, Value};
use cadre_store::RunLayout;

const RECIPE: &str = include_str!("../../samples/recipe.toml");
const REPORT: &str = include_str!("../../samples/report.json");

/// A temporary folder of runs.
struct Runs {
    folder: tempfile::TempDir,
}

impl Runs {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("runs")
    }

    fn run(&self, id: &str) -> RunLayout {
        RunLayout::at(&self.path().join(id))
    }

    /// A run of the sample recipe with this threshold, started but not finished.
    fn begin(&self, id: &str, threshold: f64) -> RunLayout {
        let run = self.run(id);
        run.create().unwrap();
        fs::write(run.plan(), "{\"format-version\": 1, \"stages\": []}").unwrap();
        let recipe = RECIPE.replace("threshold = 0.5 ", &format!("threshold = {threshold:?} "));
        fs::write(run.recipe(), recipe).unwrap();
        run
    }

    /// The same, finished with this average score.
    fn done(&self, id: &str, threshold: f64, score: f64) -> RunLayout {
        let run = self.begin(id, threshold);
        fs::write(run.report_json(), REPORT.replace("87.87380903100942", &format!("{score:?}"))).unwrap();
        run
    }

    fn open(&self) -> RunIndex {
        RunIndex::open(&self.path()).unwrap()
    }
}

/// The ids of the matching runs, in order.
fn ids(index: &mut RunIndex, filter: Option<&str>, sort: Option<&str>) -> Vec<String> {
    let table = index.select(&Selection {
        filter: filter.map(str::to_owned),
        sort: sort.map(str::to_owned),
        columns: Some("id".to_owned()),
        ..Selection::default()
    });
    table.unwrap().rows.iter().map(|row| row[0].as_ref().unwrap().exact()).collect()
}

/// One column of all runs, ordered by id.
fn column(index: &mut RunIndex, name: &str) -> Vec<Option<Value>> {
    let selection = Selection { columns: Some(name.to_owned()), ..Selection::default() };
    index.select(&selection).unwrap().rows.into_iter().map(|mut row| row.remove(0)).collect()
}

fn everything(index: &mut RunIndex) -> Table {
    index.select(&Selection { columns: Some("*".to_owned()), ..Selection::default() }).unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}
