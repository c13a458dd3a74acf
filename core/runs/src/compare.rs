//! Side-by-side comparison of runs: the recipe keys in which they differ, and all figures.

use std::collections::BTreeMap;

use crate::{Origin, RunRecord, Table, Value};

/// Several runs side by side. The first column of each table holds the key, followed by one column per run, headed by
/// its id.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SideBySide {
    /// Recipe keys whose values differ; a gap means that the recipe does not have the key.
    pub recipe: Table,
    /// Every figure that at least one of the runs has.
    pub figures: Table,
}

/// Compares runs, in the given order.
#[must_use]
pub fn side_by_side(runs: &[RunRecord]) -> SideBySide {
    let rows = |origin: Origin, differing: bool| {
        // Key order: by the first run that has the key.
        let mut order: Vec<&str> = Vec::new();
        let mut cells: BTreeMap<&str, Vec<Option<&Value>>> = BTreeMap::new();
        for (index, run) in runs.iter().enumerate() {
            for (key, _, value) in run.values.iter().filter(|(_, from, _)| *from == origin) {
                let row = cells.entry(key).or_insert_with(|| {
                    order.push(key);
                    vec![None; runs.len()]
                });
                row[index] = Some(value);
            }
        }
        let rows = order.iter().filter_map(|key| {
            let row = cells.get(key)?;
            let same = row.iter().all(|cell| *cell == row[0]);
            (!differing || !same).then(|| {
                let name = Some(Value::Text((*key).to_owned()));
                std::iter::once(name).chain(row.iter().map(|cell| cell.cloned())).collect()
            })
        });
        let columns = std::iter::once("key".to_owned()).chain(runs.iter().map(|run| run.id.clone()));
        Table { columns: columns.collect(), rows: rows.collect() }
    };
    SideBySide { recipe: rows(Origin::Recipe, true), figures: rows(Origin::Figure, false) }
}
