//! The chat template of a tokenizer, rendered like Hugging Face's `apply_chat_template` (except for `strftime_now`,
//! which is not available, because a prompt must not depend on the day). Prompt and response are separated by rendering
//! twice, never by searching for markers.

use minijinja::value::Value;
use minijinja::{UndefinedBehavior, context};

use super::jinja::Jinja;
use super::{EMPTY, Rendered, message, plain, said, small_example};
use crate::error::DataError;
use crate::example::Example;
use crate::tokenizer::Tokenizer;

const NAME: &str = "chat";

/// A tokenizer's chat template.
#[derive(Debug, Clone)]
pub struct ChatTemplate {
    jinja: Jinja,
    bos: String,
    eos: String,
    /// Texts and ids of the tokens that end an answer.
    stops: Vec<(String, u32)>,
}

impl ChatTemplate {
    pub(super) fn new(tokenizer: &Tokenizer) -> Result<Self, DataError> {
        let Some(source) = tokenizer.chat_template() else {
            return Err(problem("the tokenizer's files have no chat_template"));
        };
        let named = |&id: &u32| Some((tokenizer.token(id)?, id));
        let stops = tokenizer.stops().iter().filter_map(named).collect();
        Self::of(source, tokenizer.bos_text().unwrap_or_default(), tokenizer.eos_text(), stops)
    }

    /// Parses a chat template and tests it on a small example.
    pub(super) fn of(
        source: &str,
        bos: String,
        eos: String,
        stops: Vec<(String, u32)>,
    ) -> Result<Self, DataError> {
        let jinja = Jinja::new(NAME, source, UndefinedBehavior::Lenient)?;
        let chat = Self { jinja, bos, eos, stops };
        if chat.render(&small_example())?.prompt.trim().is_empty() {
            return Err(problem(EMPTY));
        }
        Ok(chat)
    }

    pub(super) fn prompt(&self, example: &Example) -> Result<String, DataError> {
        self.text(asked(example), true)
    }

    pub(super) fn render(&self, example: &Example) -> Result<Rendered, DataError> {
        let mut messages = asked(example);
        let prompt = self.text(messages.clone(), true)?;
        messages.push(message("assistant", &example.output));
        let whole = self.text(messages, false)?;
        let Some(rest) = whole.strip_prefix(&prompt) else {
            return Err(problem(
                "an answered conversation does not begin with the generation prompt, so prompt and response cannot be separated; write the prompt as a template file",
            ));
        };
        // Templates write a line break after the end token, which generation never reaches.
        let trimmed = rest.trim_end();
        let ended = |(text, id): &(String, u32)| Some((trimmed.strip_suffix(text.as_str())?, *id));
        let (response, end) = match self.stops.iter().filter(|(text, _)| !text.is_empty()).find_map(ended) {
            Some((response, id)) => (response, Some(id)),
            None => (rest, None),
        };
        Ok(Rendered { prompt, response: response.to_owned(), end })
    }

    fn text(&self, messages: Vec<Value>, add_generation_prompt: bool) -> Result<String, DataError> {
        let bos_token = &self.bos;
        let eos_token = &self.eos;
        let (tools, documents) = (Value::from(()), Value::from(()));
        self.jinja
            .render(context! { messages, tools, documents, add_generation_prompt, bos_token, eos_token })
    }
}

/// The earlier turns, and the message to answer.
fn asked(example: &Example) -> Vec<Value> {
    let mut messages = said(&example.turns);
    messages.push(message("user", &plain(example)));
    messages
}

fn problem(text: &str) -> DataError {
    DataError::Template { name: NAME.into(), problem: text.into() }
}
