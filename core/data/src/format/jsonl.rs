//! JSON lines with fields named by the recipe. Never guesses a field: what is named must be in every row.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::{FieldMap, SourceSpec, json_rows, path_of, task_folders};
use crate::error::DataError;
use crate::example::{Example, Split};

pub(super) const DOC: &str = "JSON lines: a folder of <task>/{train,test}.jsonl, a folder with train.jsonl and test.jsonl (one task, named as the folder), or one file (one task, named as the file, all rows in whichever split; not for a stream). `fields` names the fields of instruction, input and output; an output may be a list of right answers, the first of which is learnt";

const ENDING: &str = "jsonl";

pub(super) fn tasks(spec: &SourceSpec) -> Result<Vec<String>, DataError> {
    let path = path(spec)?;
    if path.is_file() {
        return Ok(vec![task_folders::name_of(path)]);
    }
    task_folders::tasks(path, ENDING)
}

pub(super) fn files(spec: &SourceSpec, task: &str, split: Split) -> Result<Vec<PathBuf>, DataError> {
    let path = path(spec)?;
    if path.is_file() {
        let name = task_folders::name_of(path);
        if name != task {
            return Err(super::unknown_task(task, path.display().to_string(), vec![name]));
        }
        return Ok(vec![path.to_owned()]);
    }
    Ok(vec![task_folders::file(path, task, split, ENDING)?])
}

pub(super) fn load(spec: &SourceSpec, task: &str, split: Split) -> Result<Vec<Example>, DataError> {
    let fields = &spec.fields;
    let mut examples = Vec::new();
    for file in files(spec, task, split)? {
        let bytes = json_rows::read(&file, "rows as JSON lines")?;
        examples.extend(parse(&file, &bytes, fields, task, split)?);
        if examples.is_empty() {
            return Err(DataError::Empty { file, expected: "rows as JSON lines".into() });
        }
    }
    Ok(examples)
}

pub(super) fn parse(
    file: &Path,
    bytes: &[u8],
    fields: &FieldMap,
    task: &str,
    split: Split,
) -> Result<Vec<Example>, DataError> {
    let rows = json_rows::parse_lines::<Map<String, Value>>(file, bytes, "a JSON object")?;
    let mut examples = Vec::with_capacity(rows.len());
    for (line, row) in rows {
        let place = Place { file, line, row: &row };
        let instruction = place.text(fields.instruction.as_deref(), "instruction")?;
        let input = place.text(fields.input.as_deref(), "input")?;
        if instruction.is_none() && input.is_none() {
            return Err(place.missing("`instruction` or `input` (or name them in `fields`)"));
        }
        let references = place.answers(fields.output.as_deref().unwrap_or("output"))?;
        let Some(output) = references.first().cloned() else {
            return Err(place.missing("at least one right answer"));
        };
        let id = match row.get("id") {
            Some(Value::String(id)) => id.clone(),
            Some(Value::Number(id)) => id.to_string(),
            _ => format!("{task}/{}/{line}", split.name()),
        };
        examples.push(Example {
            id,
            task: task.to_owned(),
            instruction: instruction.unwrap_or_default(),
            input: input.unwrap_or_default(),
            output,
            references,
        });
    }
    Ok(examples)
}

/// One row and where it stands.
struct Place<'a> {
    file: &'a Path,
    line: usize,
    row: &'a Map<String, Value>,
}

impl Place<'_> {
    /// The field as text; none only where it is neither named nor there.
    fn text(&self, named: Option<&str>, usual: &str) -> Result<Option<String>, DataError> {
        let name = named.unwrap_or(usual);
        match self.row.get(name) {
            None if named.is_none() => Ok(None),
            None => Err(self.missing(&format!("field `{name}`"))),
            Some(value) => match plain(value) {
                Some(text) => Ok(Some(text)),
                None => Err(self.missing(&format!("text in field `{name}`"))),
            },
        }
    }

    /// The field as a list of right answers.
    fn answers(&self, name: &str) -> Result<Vec<String>, DataError> {
        let value = self.row.get(name).ok_or_else(|| self.missing(&format!("field `{name}`")))?;
        let answers = match value {
            Value::Array(list) => list.iter().map(plain).collect::<Option<Vec<_>>>(),
            other => plain(other).map(|text| vec![text]),
        };
        answers.ok_or_else(|| self.missing(&format!("text or a list of texts in field `{name}`")))
    }

    fn missing(&self, expected: &str) -> DataError {
        let fields: Vec<&str> = self.row.keys().map(String::as_str).collect();
        json_rows::row_error(
            self.file,
            self.line,
            format!("{expected}; the row has {}", fields.join(", ")),
            &Value::Object(self.row.clone()).to_string(),
        )
    }
}

/// Strings as they are; numbers and truth values as JSON writes them, since labels are often such.
fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

fn path(spec: &SourceSpec) -> Result<&Path, DataError> {
    path_of(spec, "jsonl", "a folder of <task>/{train,test}.jsonl, or a file")
}
