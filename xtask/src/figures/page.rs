//! The tables of `docs/results.md`, between `<!-- figures: NAME -->` and `<!-- end -->`, from `results/NAME.json`.

use std::fmt::Write;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::studies::{Measured, STUDIES, Study};
use super::{file_of, read};
use crate::shell;

const OPENING: &str = "<!-- figures: ";
const END: &str = "<!-- end -->";

/// A column: its key in the file, its title, digits behind the point, a unit.
type Column = (&'static str, &'static str, usize, &'static str);

const COLUMNS: [Column; 6] = [
    ("average-score", "AR", 1, ""),
    ("backward-transfer", "BWT", 2, ""),
    ("forward-transfer", "FWT", 1, ""),
    ("routing-accuracy", "routing accuracy", 1, " %"),
    ("outside-to-backbone", "out of distribution to the backbone", 1, " %"),
    ("probes-per-query", "probes per query", 2, ""),
];

fn path() -> PathBuf {
    shell::root().join("docs/results.md")
}

/// Writes the tables into the page.
pub(crate) fn write() -> Result<()> {
    let (old, new) = filled()?;
    if old != new {
        std::fs::write(path(), new).with_context(|| format!("failed to write {}", path().display()))?;
    }
    Ok(())
}

/// Compares the page with the files.
pub(crate) fn check() -> Result<()> {
    let (old, new) = filled()?;
    if old != new {
        bail!("docs/results.md is not what results/*.json give; `cargo xtask figures --page` writes it");
    }
    Ok(())
}

fn filled() -> Result<(String, String)> {
    let page =
        std::fs::read_to_string(path()).with_context(|| format!("failed to read {}", path().display()))?;
    let table = |name: &str| {
        let study = STUDIES.iter().find(|study| study.name == name);
        let study = study.with_context(|| format!("docs/results.md: there is no study `{name}`"))?;
        let file = file_of(study);
        if file.exists() { Ok(block(study, &read(&file)?)) } else { Ok("Not measured yet.\n".to_owned()) }
    };
    let new = fill(&page, table)?;
    Ok((page, new))
}

/// The page with the table of each place.
fn fill(page: &str, mut table: impl FnMut(&str) -> Result<String>) -> Result<String> {
    let mut new = String::with_capacity(page.len());
    let mut rest = page;
    while let Some(at) = rest.find(OPENING) {
        let (before, from) = rest.split_at(at);
        let opening =
            from.find(" -->").context("docs/results.md: a place of figures does not end in ` -->`")?;
        let name = &from[OPENING.len()..opening];
        let end = from
            .find(END)
            .with_context(|| format!("docs/results.md: the place of `{name}` has no `{END}`"))?;
        let _ = write!(new, "{before}{OPENING}{name} -->\n{}{END}", table(name)?);
        rest = &from[end + END.len()..];
    }
    new.push_str(rest);
    Ok(new)
}

/// The table of a study, and where it is from.
fn block(study: &Study, result: &Value) -> String {
    let text = |key: &str| result[key].as_str().unwrap_or_default().to_owned();
    let mut out = format!(
        "`cargo xtask figures {}`: {}, commit {}, {}.\n\n",
        study.name,
        text("date"),
        text("commit"),
        text("machine")
    );
    let rows = result["rows"].as_array().map(Vec::as_slice).unwrap_or_default();
    match study.measured {
        Measured::Report => out.push_str(&scores(rows)),
        Measured::Lines(_) => {
            let lines = rows.iter().flat_map(|row| row["runs"].as_array().into_iter().flatten());
            let lines = lines.flat_map(|run| run.as_array().into_iter().flatten()).filter_map(Value::as_str);
            let _ = write!(out, "```\n{}\n```\n", lines.collect::<Vec<_>>().join("\n"));
        }
    }
    out
}

/// Mean and standard deviation of each figure over the runs of a row.
fn scores(rows: &[Value]) -> String {
    let values = |row: &Value, key: &str| -> Vec<f64> {
        let runs = row["runs"].as_array().map(Vec::as_slice).unwrap_or_default();
        runs.iter().filter_map(|run| run[key].as_f64()).collect()
    };
    let used: Vec<&Column> =
        COLUMNS.iter().filter(|(key, ..)| rows.iter().any(|row| !values(row, key).is_empty())).collect();
    let titles: Vec<&str> = used.iter().map(|(_, title, ..)| *title).collect();
    let mut out = format!("| | runs | {} |\n|---|---:|{}\n", titles.join(" | "), "---:|".repeat(used.len()));
    for row in rows {
        let runs = row["runs"].as_array().map_or(0, Vec::len);
        let _ = write!(out, "| {} | {runs} |", row["label"].as_str().unwrap_or_default());
        for (key, _, digits, unit) in &used {
            let _ = write!(out, " {} |", spread(&values(row, key), *digits, unit));
        }
        out.push('\n');
    }
    out
}

/// `mean ± standard deviation`, the latter of the sample and only from two values on.
fn spread(values: &[f64], digits: usize, unit: &str) -> String {
    let count = values.len() as f64;
    if values.is_empty() {
        return "–".into();
    }
    let mean = values.iter().sum::<f64>() / count;
    let number = |value: f64| {
        let text = format!("{value:.digits$}");
        // No minus before a zero, and the sign that the page uses before other numbers.
        match text.strip_prefix('-') {
            Some(zero) if zero.chars().all(|c| matches!(c, '0' | '.')) => zero.to_owned(),
            Some(positive) => format!("−{positive}"),
            None => text,
        }
    };
    if values.len() == 1 {
        return format!("{}{unit}", number(mean));
    }
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    format!("{} ± {}{unit}", number(mean), number((squares / (count - 1.0)).sqrt()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{fill, scores, spread};

    #[test]
    fn places_are_filled_and_the_rest_stays() {
        let page =
            "# A\n<!-- figures: a -->\nold\n<!-- end -->\ntext\n<!-- figures: b -->\n<!-- end -->\nend\n";
        let filled = fill(page, |name| Ok(format!("table {name}\n"))).unwrap();
        let expected = "# A\n<!-- figures: a -->\ntable a\n<!-- end -->\ntext\n<!-- figures: b -->\ntable b\n<!-- end -->\nend\n";
        assert_eq!(filled, expected);
        assert_eq!(fill(&filled, |name| Ok(format!("table {name}\n"))).unwrap(), filled);
        assert!(fill("<!-- figures: a -->\n", |_| Ok(String::new())).is_err());
    }

    #[test]
    fn a_mean_stands_with_its_deviation() {
        assert_eq!(spread(&[1.0, 2.0, 3.0], 1, ""), "2.0 ± 1.0");
        assert_eq!(spread(&[-73.0, -71.0], 1, ""), "−72.0 ± 1.4");
        assert_eq!(spread(&[-0.001], 2, " %"), "0.00 %");
        assert_eq!(spread(&[], 1, ""), "–");
    }

    #[test]
    fn a_column_without_values_is_left_out() {
        let rows =
            [json!({ "label": "`see`", "runs": [{ "average-score": 86.0 }, { "average-score": 88.0 }] })];
        assert_eq!(scores(&rows), "| | runs | AR |\n|---|---:|---:|\n| `see` | 2 | 87.0 ± 1.4 |\n");
    }
}
