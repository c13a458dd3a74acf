//! A table of runs: named columns, one row per run, gaps where a run lacks a value.

use crate::Value;

/// Columns by dotted key, and rows with one cell per column.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Table {
    /// The keys.
    pub columns: Vec<String>,
    /// One cell per column; `None` if the run has no such value.
    pub rows: Vec<Vec<Option<Value>>>,
}

impl Table {
    /// Renders the table for a terminal: a header, then one line per row; numbers are right-aligned, `–` marks a gap,
    /// text is cut at 60 characters. Ends with a newline.
    #[must_use]
    pub fn to_text(&self) -> String {
        const WIDEST: usize = 60;
        let shown = |cell: &Option<Value>| {
            let text = cell.as_ref().map_or_else(|| "–".to_owned(), Value::shown);
            // Line feeds and control characters in a recipe's text would break the layout.
            let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
            if text.chars().count() <= WIDEST {
                return text;
            }
            text.chars().take(WIDEST - 1).chain(['…']).collect()
        };
        let rows: Vec<Vec<String>> = self.rows.iter().map(|row| row.iter().map(shown).collect()).collect();
        let mut text = String::new();
        let columns: Vec<(usize, bool)> = (0..self.columns.len())
            .map(|index| {
                let cells = rows.iter().filter_map(|row| row.get(index)).map(|cell| cell.chars().count());
                let head = self.columns.get(index).map_or(0, |name| name.chars().count());
                let mut found = self.rows.iter().filter_map(|row| row.get(index)?.as_ref()).peekable();
                let right = found.peek().is_some() && found.all(Value::is_number);
                (cells.max().unwrap_or(0).max(head), right)
            })
            .collect();
        let mut line = |cells: &[String]| {
            let mut whole = String::new();
            for (cell, (width, right)) in cells.iter().zip(&columns) {
                let gap = " ".repeat(width.saturating_sub(cell.chars().count()));
                let (before, after) = if *right { (gap.as_str(), "") } else { ("", gap.as_str()) };
                whole.push_str(&format!("{before}{cell}{after}  "));
            }
            text.push_str(whole.trim_end());
            text.push('\n');
        };
        line(&self.columns);
        for row in &rows {
            line(row);
        }
        text
    }

    /// A row as a JSON object; gaps are null.
    #[must_use]
    pub fn row_json(&self, row: &[Option<Value>]) -> serde_json::Value {
        let cells = self.columns.iter().zip(row).map(|(name, cell)| {
            let json = cell.as_ref().map_or(serde_json::Value::Null, Value::to_json);
            (name.clone(), json)
        });
        serde_json::Value::Object(cells.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_aligned_and_never_broken() {
        let text = |text: &str| Some(Value::Text(text.to_owned()));
        let table = Table {
            columns: vec!["name".to_owned(), "ar".to_owned()],
            rows: vec![vec![text("sée"), Some(Value::Float(8.5))], vec![text("a\nb\x1b"), None]],
        };
        assert_eq!(table.to_text(), "name   ar\nsée   8.5\na b     –\n");
        assert_eq!(table.row_json(&table.rows[1]).to_string(), r#"{"name":"a\nb\u001b","ar":null}"#);
        let long = Table { columns: vec!["x".to_owned()], rows: vec![vec![text(&"ü".repeat(80))]] };
        assert_eq!(long.to_text().lines().last().unwrap().chars().count(), 60);
    }
}
