//! Prompt templates: how an example becomes a prompt. The blank line between instruction and input is omitted if one of
//! them is empty.

mod chat;
mod jinja;

use std::path::Path;

use minijinja::value::Value;
use minijinja::{UndefinedBehavior, context};

use crate::error::DataError;
use crate::example::{Example, Turn};
use crate::tokenizer::Tokenizer;
pub use chat::ChatTemplate;
use jinja::Jinja;

/// A prompt template. Cheap to clone.
#[derive(Debug, Clone)]
pub enum Template {
    /// Instruction, blank line, input, and nothing else (SSR's `vanilla`).
    Plain,
    /// The Alpaca prompt (<https://github.com/tatsu-lab/stanford_alpaca>), with and without input.
    Alpaca,
    /// The tokenizer's own chat template. Instruction and input, joined as in `Plain`, are one user message after the
    /// earlier turns.
    Chat(ChatTemplate),
    /// A Jinja file.
    File(FileTemplate),
}

/// A prompt in Jinja as in chat templates, with the variables `instruction`, `input`, `task` and `turns` (earlier
/// messages, each with `role` and `content`). An unknown variable is an error.
#[derive(Debug, Clone)]
pub struct FileTemplate {
    /// Whether the template uses `turns`.
    turns: bool,
    jinja: Jinja,
}

/// A rendered example.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// Everything before the response.
    pub prompt: String,
    /// The response, without the end token.
    pub response: String,
    /// The end token of the response, if the template writes a different one than the tokenizer's.
    pub end: Option<u32>,
}

impl Template {
    /// The chat template of a tokenizer.
    ///
    /// # Errors
    /// The tokenizer has none, or it does not parse, or its answered conversations do not begin with the generation
    /// prompt.
    pub fn chat(tokenizer: &Tokenizer) -> Result<Self, DataError> {
        ChatTemplate::new(tokenizer).map(Self::Chat)
    }

    /// Reads a Jinja file and tests it on a small example.
    ///
    /// # Errors
    /// A missing file, or Jinja that does not parse or uses an unknown variable.
    pub fn file(path: &Path) -> Result<Self, DataError> {
        let source = read_template(path, "a Jinja template of the prompt")?;
        // A byte-order mark at the beginning of a file is not part of the prompt.
        let source = source.strip_prefix('\u{FEFF}').unwrap_or(&source);
        let name = path.display().to_string();
        let jinja = Jinja::new(&name, source, UndefinedBehavior::Strict)?;
        let turns = jinja.reads("turns");
        if !turns && !jinja.reads("instruction") && !jinja.reads("input") {
            let problem =
                "it uses none of `instruction`, `input` and `turns`, so every prompt would be the same";
            return Err(DataError::Template { name, problem: problem.into() });
        }
        let template = Self::File(FileTemplate { turns, jinja });
        if template.prompt_of(&small_example())?.trim().is_empty() {
            return Err(DataError::Template { name, problem: EMPTY.into() });
        }
        Ok(template)
    }

    /// Whether prompts can show earlier turns of a conversation.
    pub fn shows_turns(&self) -> bool {
        match self {
            Self::Plain | Self::Alpaca => false,
            Self::Chat(_) => true,
            Self::File(file) => file.turns,
        }
    }

    /// The prompt of an example: everything before the response.
    ///
    /// # Errors
    /// A template that does not render, or an example with earlier turns that the template does not show.
    pub fn prompt(&self, example: &Example) -> Result<String, DataError> {
        self.fits(example)?;
        self.prompt_of(example).map_err(|error| of_example(example, error))
    }

    /// Checks that the prompt shows everything in the example.
    fn fits(&self, example: &Example) -> Result<(), DataError> {
        if example.turns.is_empty() || self.shows_turns() {
            return Ok(());
        }
        Err(DataError::TurnsNotShown {
            template: self.name(),
            id: example.id.clone(),
            turns: example.turns.len(),
        })
    }

    fn prompt_of(&self, example: &Example) -> Result<String, DataError> {
        match self {
            Self::Plain => Ok(plain(example)),
            Self::Alpaca => Ok(alpaca(example)),
            Self::Chat(chat) => chat.prompt(example),
            Self::File(file) => file.prompt(example),
        }
    }

    /// Renders the prompt and the response of an example.
    ///
    /// # Errors
    /// As [`Self::prompt`]; a chat template whose prompt changes when there is a response.
    pub fn render(&self, example: &Example) -> Result<Rendered, DataError> {
        match self {
            Self::Chat(chat) => chat.render(example).map_err(|error| of_example(example, error)),
            _ => Ok(Rendered { prompt: self.prompt(example)?, response: example.output.clone(), end: None }),
        }
    }

    /// Whether special tokens in the template's text are encoded as special tokens, including an opening token.
    pub(crate) fn writes_special_tokens(&self) -> bool {
        matches!(self, Self::Chat(_))
    }

    /// Name of the template for messages.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Plain => "plain".into(),
            Self::Alpaca => "alpaca".into(),
            Self::Chat(_) => "chat".into(),
            Self::File(file) => file.jinja.name().to_owned(),
        }
    }
}

impl FileTemplate {
    fn prompt(&self, example: &Example) -> Result<String, DataError> {
        let Example { instruction, input, task, .. } = example;
        let turns = said(&example.turns);
        self.jinja.render(context! { instruction, input, task, turns })
    }
}

/// Reads the text of a template file.
///
/// # Errors
/// A file that is missing or not UTF-8.
pub(crate) fn read_template(path: &Path, expected: &str) -> Result<String, DataError> {
    std::fs::read_to_string(path).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => {
            DataError::NotThere { file: path.to_owned(), expected: expected.to_owned() }
        }
        _ => DataError::Read { file: path.to_owned(), source },
    })
}

/// The messages of a conversation as template values.
fn said(turns: &[Turn]) -> Vec<Value> {
    turns.iter().map(|turn| message(turn.role.name(), &turn.content)).collect()
}

fn message(role: &str, content: &str) -> Value {
    context! { role, content }
}

fn plain(example: &Example) -> String {
    let Example { instruction, input, .. } = example;
    match (instruction.is_empty(), input.is_empty()) {
        (true, _) => input.clone(),
        (false, true) => instruction.clone(),
        (false, false) => format!("{instruction}\n\n{input}"),
    }
}

/// The text of stanford_alpaca's `train.py`. A text without a counterpart is used as the instruction.
fn alpaca(example: &Example) -> String {
    let Example { instruction, input, .. } = example;
    if instruction.is_empty() || input.is_empty() {
        let instruction = plain(example);
        return format!(
            "Below is an instruction that describes a task. Write a response that appropriately completes the request.\n\n### Instruction:\n{instruction}\n\n### Response:"
        );
    }
    format!(
        "Below is an instruction that describes a task, paired with an input that provides further context. Write a response that appropriately completes the request.\n\n### Instruction:\n{instruction}\n\n### Input:\n{input}\n\n### Response:"
    )
}

/// Adds the example to an error.
fn of_example(example: &Example, error: DataError) -> DataError {
    match error {
        DataError::Template { name, problem } => {
            DataError::Template { name, problem: format!("example `{}`: {problem}", example.id) }
        }
        error => error,
    }
}

/// The error for a template that renders no text.
const EMPTY: &str = "it is empty: the prompt of a small example has no text";

fn small_example() -> Example {
    Example {
        id: "probe".into(),
        task: "probe".into(),
        turns: Vec::new(),
        instruction: "Say it again.".into(),
        input: "sea".into(),
        output: "shore".into(),
        references: vec!["shore".into()],
    }
}

#[cfg(test)]
mod recorded;
#[cfg(test)]
mod tests;
