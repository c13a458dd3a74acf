//! Conversations: `messages` of {role, content}, or ShareGPT's `conversations` of {from, value}. Every turn of the
//! assistant becomes an example, and what was said before is its prompt. Reads no tool messages and repairs nothing.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::field_rows::{Ids, load_with};
use super::rows::{ENDINGS, Row, Table, Wanted, plain};
use super::task_files::{self, layout_doc};
use super::{FieldMap, SourceSpec, path_of};
use crate::error::DataError;
use crate::example::{Example, Split, Turn, TurnRole};

pub(super) const DOC: &str = concat!(
    "conversations as a JSON array, JSON lines or Parquet, a row each: `messages`, a list of {role, content} with the roles system, user and assistant, or `conversations`, a list of {from, value} with system, human and gpt (ShareGPT); `fields.messages` names another field. A system message may come first, then user and assistant take turns. Every turn of the assistant is an example of its own, what stands before it is its prompt (`template = \"chat\"` shows it all). Lies as ",
    layout_doc!()
);

/// Fields that are looked for where none is named.
const USUAL: [&str; 2] = ["messages", "conversations"];

/// Who speaks, by the words for it in data.
const ROLES: [(&str, TurnRole); 5] = [
    ("system", TurnRole::System),
    ("user", TurnRole::User),
    ("human", TurnRole::User),
    ("assistant", TurnRole::Assistant),
    ("gpt", TurnRole::Assistant),
];

/// Roles of tools, which are refused by name: a template shows them in ways of its own.
const TOOLS: [&str; 6] = ["tool", "function", "function_call", "observation", "ipython", "tool_calls"];

pub(super) fn tasks(spec: &SourceSpec) -> Result<Vec<String>, DataError> {
    task_files::tasks(path(spec)?, ENDINGS)
}

pub(super) fn files(spec: &SourceSpec, task: &str, split: Split) -> Result<Vec<PathBuf>, DataError> {
    task_files::files(path(spec)?, task, split, ENDINGS)
}

pub(super) fn load(spec: &SourceSpec, task: &str, split: Split) -> Result<Vec<Example>, DataError> {
    let files = files(spec, task, split)?;
    let of_table = |table: &Table, ids: &Ids| of_table(table, &spec.fields, ids);
    load_with(&files, task, split, &wanted(&spec.fields), of_table)
}

/// The fields to read.
pub(super) fn wanted(fields: &FieldMap) -> Vec<Wanted<'_>> {
    let mut wanted = match &fields.messages {
        Some(name) => vec![Wanted { name, must: true }],
        None => USUAL.iter().map(|name| Wanted { name, must: false }).collect(),
    };
    wanted.push(Wanted { name: "id", must: false });
    wanted
}

/// The examples of all conversations of a table.
pub(super) fn of_table(table: &Table, fields: &FieldMap, ids: &Ids) -> Result<Vec<Example>, DataError> {
    let mut examples = Vec::new();
    for row in table.rows() {
        conversation(&row, fields, ids, &mut examples)?;
    }
    Ok(examples)
}

fn conversation(row: &Row, fields: &FieldMap, ids: &Ids, to: &mut Vec<Example>) -> Result<(), DataError> {
    let name = match &fields.messages {
        Some(name) => name.as_str(),
        None => match USUAL.iter().find(|name| row.get(name).is_some()) {
            Some(name) => name,
            None => {
                return Err(row.wrong(
                    "a list of messages in field `messages` or `conversations` (or name it in `fields`)",
                ));
            }
        },
    };
    let Some(Value::Array(messages)) = row.get(name) else {
        return Err(row.wrong(&format!("a list of messages in field `{name}`")));
    };
    let mut turns: Vec<Turn> = Vec::with_capacity(messages.len());
    for (place, message) in messages.iter().enumerate() {
        let wrong = |expected: &str| row.wrong(&format!("{expected} (message {} of `{name}`)", place + 1));
        let turn = turn(message).map_err(|expected| wrong(&expected))?;
        let before = turns.last().map(|turn| turn.role);
        let fits = match turn.role {
            TurnRole::System => before.is_none(),
            TurnRole::User => before != Some(TurnRole::User),
            TurnRole::Assistant => before == Some(TurnRole::User),
        };
        if !fits {
            return Err(wrong(match turn.role {
                TurnRole::System => "a system message only in front",
                TurnRole::User => "an answer of the assistant between two messages of the user",
                TurnRole::Assistant => "a message of the user before each of the assistant",
            }));
        }
        turns.push(turn);
    }
    if turns.last().map(|turn| turn.role) != Some(TurnRole::Assistant) {
        return Err(row.wrong(&format!("an answer of the assistant at the end of `{name}`")));
    }
    let id = ids.of(row);
    let answers = turns.iter().filter(|turn| turn.role == TurnRole::Assistant).count();
    let mut number = 0;
    for place in 1..turns.len() {
        let (before, [question, answer, ..]) = turns.split_at(place - 1) else { continue };
        if answer.role != TurnRole::Assistant {
            continue;
        }
        number += 1;
        to.push(Example {
            id: if answers > 1 { format!("{id}#{number}") } else { id.clone() },
            task: ids.task.clone(),
            turns: before.to_vec(),
            instruction: String::new(),
            input: question.content.clone(),
            output: answer.content.clone(),
            references: vec![answer.content.clone()],
        });
    }
    Ok(())
}

/// One message, or what should stand there instead.
fn turn(message: &Value) -> Result<Turn, String> {
    let Value::Object(fields) = message else {
        return Err("a message as an object of role and content, or of from and value".to_owned());
    };
    let field = |one: &str, other: &str| fields.get(one).or_else(|| fields.get(other));
    let role = field("role", "from").and_then(Value::as_str);
    let Some(role) = role else {
        return Err("a role in `role` or `from`".to_owned());
    };
    if TOOLS.contains(&role) {
        return Err(format!("no messages of tools, which are not read, here of `{role}`"));
    }
    if fields.get("tool_calls").and_then(Value::as_array).is_some_and(|calls| !calls.is_empty()) {
        return Err("no calls of tools, which are not read, here in `tool_calls`".to_owned());
    }
    let Some((_, known)) = ROLES.iter().find(|(name, _)| *name == role) else {
        let names: Vec<&str> = ROLES.iter().map(|(name, _)| *name).collect();
        return Err(format!("a role of {}, not `{role}`", names.join(", ")));
    };
    let content = field("content", "value").filter(|value| value.is_string()).and_then(plain);
    match content {
        Some(content) if !content.trim().is_empty() => Ok(Turn { role: *known, content }),
        Some(_) => Err(format!("a message that is not empty from `{role}`")),
        None => Err(format!("text in `content` or `value` of the message from `{role}`")),
    }
}

fn path(spec: &SourceSpec) -> Result<&Path, DataError> {
    path_of(spec, "chat", "a folder of <task>/{train,test}.jsonl of conversations, or a file")
}
