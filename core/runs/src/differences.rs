//! The recipe keys in which listed runs of the same name differ: what tells the points of a sweep apart in a list.

use std::collections::BTreeMap;

use crate::{Origin, RunIndex, RunsError, Selection, Table, Value};

/// Lists longer than this are not looked through.
const MAX_ROWS: usize = 500;
/// Keys that describe a recipe, or are columns already.
const SHOWN: [&str; 4] = ["name", "reference", "seed", "summary"];

/// The recipe keys in which runs of the same name differ, sorted. Empty for lists of more than 500 runs.
///
/// # Errors
/// Those of [`RunIndex::select`].
pub fn differing_keys(index: &mut RunIndex, selection: &Selection) -> Result<Vec<String>, RunsError> {
    let keys = index.keys()?.into_iter().filter(|(key, origin)| {
        *origin == Origin::Recipe && !SHOWN.contains(&key.as_str()) && !key.contains(',')
    });
    let keys: Vec<String> = keys.map(|(key, _)| key).collect();
    if keys.is_empty() {
        return Ok(keys);
    }
    let columns = Some(format!("name,{}", keys.join(",")));
    let limit = Some(selection.limit.unwrap_or(MAX_ROWS + 1).min(MAX_ROWS + 1));
    let table = index.select(&Selection { columns, limit, ..selection.clone() })?;
    Ok(if table.rows.len() > MAX_ROWS { Vec::new() } else { differing(&table) })
}

/// The columns, without the first, in which rows with the same first cell differ.
fn differing(table: &Table) -> Vec<String> {
    let mut groups: BTreeMap<String, Vec<&[Option<Value>]>> = BTreeMap::new();
    for row in &table.rows {
        let name = row.first().and_then(Option::as_ref).map(Value::exact).unwrap_or_default();
        groups.entry(name).or_default().push(row);
    }
    let differs = |column: usize| {
        groups.values().any(|rows| rows.iter().any(|row| row.get(column) != rows[0].get(column)))
    };
    let columns = table.columns.iter().enumerate().skip(1);
    columns.filter(|(column, _)| differs(*column)).map(|(_, name)| name.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::differing;
    use crate::{Table, Value};

    #[test]
    fn only_runs_of_the_same_name_are_compared() {
        let row = |name: &str, a: i64, b: i64| {
            vec![Some(Value::Text(name.into())), Some(Value::Int(a)), Some(Value::Int(b))]
        };
        let table = Table {
            columns: ["name", "a", "b"].map(String::from).to_vec(),
            rows: vec![row("see", 1, 5), row("see", 2, 5), row("oracle", 2, 6)],
        };
        assert_eq!(differing(&table), ["a"]);
    }
}
