//! Conversations: `messages` of {role, content}, or ShareGPT's `conversations` of {from, value}. Every turn of the
//! assistant becomes an example whose prompt is the preceding turns. Tool messages are refused, and malformed
//! conversations must not be repaired.

use std::path::{Path, PathBuf};

use super::cell::Cell;
use super::field_rows::{Ids, visit_with};
use super::json_rows::shorten;
use super::rows::{ENDINGS, Row, Wanted, maybe, must};
use super::sink::Sink;
use super::task_files::{self, layout_doc};
use super::{FieldMap, SourceSpec, path_of};
use crate::error::DataError;
use crate::example::{Example, Split, Turn, TurnRole};

pub(super) const DOC: &str = concat!(
    "conversations as a JSON array, JSON lines or Parquet, one per row: `messages`, a list of {role, content} with the roles system, user and assistant, or `conversations`, a list of {from, value} with system, human and gpt (ShareGPT); `fields.messages` names another field. A system message may come first, in the list or in a field `system`; then user and assistant alternate. Content is text, or a list of parts that are text. An answer with `weight` 0 or `train` false is shown but not trained on. Every turn of the assistant becomes an example whose prompt is everything before it (`template = \"chat\"` shows it all). Layout: ",
    layout_doc!()
);

/// Default field names, in order of preference.
const USUAL: [&str; 2] = ["messages", "conversations"];

/// Role names used by datasets.
const ROLES: [(&str, TurnRole); 5] = [
    ("system", TurnRole::System),
    ("user", TurnRole::User),
    ("human", TurnRole::User),
    ("assistant", TurnRole::Assistant),
    ("gpt", TurnRole::Assistant),
];

/// Roles of tool messages, which are refused by name: each template shows them in its own way.
const TOOLS: [&str; 6] = ["tool", "function", "function_call", "observation", "ipython", "tool_calls"];

/// Fields of messages that contain tool calls.
const CALLS: [&str; 2] = ["tool_calls", "function_call"];

/// Fields of messages that are read.
const READ: [&str; 8] =
    ["role", "from", "content", "value", "weight", "train", "tool_calls", "function_call"];

/// All fields of messages that have a meaning here: the ones to read from a table.
pub(super) const MESSAGE_FIELDS: [&str; 18] = [
    "role",
    "from",
    "content",
    "value",
    "weight",
    "train",
    "tool_calls",
    "function_call",
    "type",
    "text",
    "name",
    "tool_call_id",
    "reasoning_content",
    "reasoning",
    "thinking",
    "images",
    "image",
    "audio",
];

pub(super) fn tasks(spec: &SourceSpec) -> Result<Vec<String>, DataError> {
    task_files::tasks(path(spec)?, ENDINGS)
}

pub(super) fn files(spec: &SourceSpec, task: &str, split: Split) -> Result<Vec<PathBuf>, DataError> {
    task_files::files(path(spec)?, task, split, ENDINGS)
}

pub(super) fn visit(spec: &SourceSpec, task: &str, split: Split, sink: &mut Sink) -> Result<(), DataError> {
    let files = files(spec, task, split)?;
    visit_with(&files, task, split, &wanted(&spec.fields), sink, &mut |row, ids, sink| {
        conversation(row, &spec.fields, ids, sink)
    })
}

/// Fields to read from a row.
pub(super) fn wanted(fields: &FieldMap) -> Vec<Wanted<'_>> {
    let mut wanted = match &fields.messages {
        Some(name) => vec![must(name)],
        None => USUAL.iter().map(|name| maybe(name)).collect(),
    };
    wanted.extend(["id", "system", "tools", "weight"].map(maybe));
    wanted
}

/// Passes the examples of a conversation to the sink.
pub(super) fn conversation(
    row: &Row,
    fields: &FieldMap,
    ids: &Ids,
    sink: &mut Sink,
) -> Result<(), DataError> {
    if row.left_out(sink) {
        return Ok(());
    }
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
    let Some(Cell::List(messages)) = row.get(name) else {
        return Err(row.wrong(&format!("a list of messages in field `{name}`")));
    };
    let said = said(row, name, messages, sink)?;
    let id = ids.of(row);
    let answers = said.iter().filter(|said| said.turn.role == TurnRole::Assistant).count();
    let (mut number, mut learned) = (0, 0);
    for index in 1..said.len() {
        let (before, [question, answer, ..]) = said.split_at(index - 1) else { continue };
        if answer.turn.role != TurnRole::Assistant {
            continue;
        }
        number += 1;
        if !answer.is_learned {
            continue;
        }
        learned += 1;
        let example = Example {
            id: if answers > 1 { format!("{id}#{number}") } else { id.clone() },
            task: ids.task.clone(),
            turns: before.iter().map(|said| said.turn.clone()).collect(),
            instruction: String::new(),
            input: question.turn.content.clone(),
            output: answer.turn.content.clone(),
            references: vec![answer.turn.content.clone()],
        };
        sink.take(row.file, example)?;
    }
    if learned == 0 {
        row.note(
            sink,
            "no answer in the conversation is trained on: `weight` is 0 or `train` is false for each of them",
        );
    }
    Ok(())
}

/// A message, and whether it is an answer to train on.
struct Said {
    turn: Turn,
    is_learned: bool,
}

/// The turns of a conversation, in an order that a prompt can have.
fn said(row: &Row, name: &str, messages: &[Cell], sink: &mut Sink) -> Result<Vec<Said>, DataError> {
    let mut all: Vec<Said> = Vec::with_capacity(messages.len() + 1);
    if let Some(content) = row.text_if_any("system")?.filter(|text| !text.trim().is_empty()) {
        all.push(Said { turn: Turn { role: TurnRole::System, content }, is_learned: false });
    }
    if row.get("tools").is_some_and(has_tools) {
        row.note(sink, "`tools` are not shown to the model");
    }
    for (index, message) in messages.iter().enumerate() {
        let wrong = |expected: &str| row.wrong(&format!("{expected} (message {} of `{name}`)", index + 1));
        let said = message_of(message, |what| row.note(sink, what)).map_err(|expected| wrong(&expected))?;
        let before = all.last().map(|said| said.turn.role);
        let fits = match said.turn.role {
            TurnRole::System => before.is_none(),
            TurnRole::User => before != Some(TurnRole::User),
            TurnRole::Assistant => before == Some(TurnRole::User),
        };
        if !fits {
            return Err(wrong(match said.turn.role {
                TurnRole::System if index == 0 => "a system message in field `system` or here, not in both",
                TurnRole::System => "a system message only at the beginning",
                TurnRole::User => "an assistant message between two user messages",
                TurnRole::Assistant => "a user message before each assistant message",
            }));
        }
        all.push(said);
    }
    if all.last().map(|said| said.turn.role) != Some(TurnRole::Assistant) {
        return Err(row.wrong(&format!("an assistant message at the end of `{name}`")));
    }
    Ok(all)
}

/// Whether there are any tools, given as a list or as the JSON text of one.
fn has_tools(tools: &Cell) -> bool {
    match tools {
        Cell::Text(text) => !matches!(text.trim(), "" | "[]" | "{}" | "null" | "None"),
        other => other.is_filled(),
    }
}

/// Reads one message; the error describes what was expected instead.
fn message_of(message: &Cell, mut note: impl FnMut(&str)) -> Result<Said, String> {
    let Cell::Record(fields) = message else {
        return Err("a message as an object with role and content, or with from and value".to_owned());
    };
    let filled = |name: &str| message.field(name).filter(|value| **value != Cell::Null);
    let role = match filled("role").or_else(|| filled("from")) {
        Some(Cell::Text(role)) => shorten(role),
        _ => return Err("a role in `role` or `from`".to_owned()),
    };
    if TOOLS.contains(&role.as_str()) {
        return Err(format!("no tool messages, which are not supported, but the role is `{role}`"));
    }
    let is_call = |call: &Cell| call.is_filled() || matches!(call, Cell::List(list) if !list.is_empty());
    if let Some(calls) = CALLS.iter().find(|name| filled(name).is_some_and(is_call)) {
        return Err(format!("no tool calls, which are not supported, but there are some in `{calls}`"));
    }
    let Some((_, known)) = ROLES.iter().find(|(name, _)| *name == role) else {
        let names: Vec<&str> = ROLES.iter().map(|(name, _)| *name).collect();
        return Err(format!("one of the roles {}, not `{role}`", names.join(", ")));
    };
    let content = filled("content").or_else(|| filled("value"));
    let content = text_of(content)
        .map_err(|found| format!("text in `content` or `value` of the `{role}` message, not {found}"))?;
    if content.trim().is_empty() {
        return Err(format!("a non-empty `{role}` message"));
    }
    for (name, value) in fields {
        if value.is_filled() && !READ.contains(&name.as_str()) {
            note(&format!("the message field `{}` is ignored", shorten(name)));
        }
    }
    let is_learned = learned(filled("weight"), filled("train"))?;
    Ok(Said { turn: Turn { role: *known, content }, is_learned })
}

/// The text of a message: a text, or a list of parts that are all texts, concatenated without a separator as in
/// templates that accept parts. The error describes what was found instead.
fn text_of(content: Option<&Cell>) -> Result<String, String> {
    match content {
        Some(Cell::Text(text)) => Ok(text.clone()),
        Some(Cell::List(parts)) => {
            parts.iter().enumerate().map(|(index, part)| part_of(part, index + 1)).collect()
        }
        Some(other) => Err(other.kind()),
        None => Err("null".to_owned()),
    }
}

fn part_of(part: &Cell, number: usize) -> Result<String, String> {
    match (part.field("type"), part.field("text")) {
        (Some(Cell::Text(kind)), Some(Cell::Text(text))) if kind == "text" => Ok(text.clone()),
        (Some(Cell::Text(kind)), _) => Err(format!("part {number} of type `{}`", shorten(kind))),
        _ => Err(format!("part {number}, which is not {{\"type\": \"text\", \"text\": …}}")),
    }
}

/// Whether an answer is trained on, according to OpenAI's `weight` (0 or 1) and axolotl's `train`.
fn learned(weight: Option<&Cell>, train: Option<&Cell>) -> Result<bool, String> {
    let by_weight =
        match weight.map(|weight| (weight, weight.plain().and_then(|text| text.parse::<f64>().ok()))) {
            None | Some((_, Some(1.0))) => true,
            Some((_, Some(0.0))) => false,
            Some((weight, _)) => {
                let mut found = String::new();
                weight.show(&mut found, 20);
                return Err(format!("a `weight` of 0 or 1, not {found}"));
            }
        };
    match train {
        None => Ok(by_weight),
        Some(Cell::Bool(train)) => Ok(by_weight && *train),
        Some(other) => Err(format!("true or false in `train`, not {}", other.kind())),
    }
}

fn path(spec: &SourceSpec) -> Result<&Path, DataError> {
    path_of(spec, "chat", "a folder of <task>/{train,test}.jsonl of conversations, or a file")
}
