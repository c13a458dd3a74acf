//! The chat template that comes with a tokenizer, rendered as Hugging Face's `apply_chat_template` does. Tells
//! prompt from response by rendering twice, never by looking for marks.

use std::sync::Arc;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Value;
use minijinja::{Environment, ErrorKind, context};

use super::{Rendered, plain, small_example, template_error};
use crate::error::DataError;
use crate::example::Example;
use crate::tokenizer::Tokenizer;

const NAME: &str = "chat";

/// A tokenizer's chat template.
#[derive(Debug, Clone)]
pub struct ChatTemplate {
    environment: Arc<Environment<'static>>,
    bos: String,
    eos: String,
}

impl ChatTemplate {
    pub(super) fn new(tokenizer: &Tokenizer) -> Result<Self, DataError> {
        let Some(source) = tokenizer.chat_template() else {
            return Err(problem("the tokenizer's files have no chat_template"));
        };
        Self::of(source, tokenizer.bos_text().unwrap_or_default(), tokenizer.eos_text())
    }

    /// The template of this Jinja text, tried out on a small example.
    pub(super) fn of(source: &str, bos: String, eos: String) -> Result<Self, DataError> {
        let mut environment = Environment::new();
        // As transformers sets up its Jinja.
        let syntax = SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .build()
            .map_err(|error| template_error(NAME, &error))?;
        environment.set_syntax(syntax);
        environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_function("raise_exception", |message: String| -> Result<Value, _> {
            Err(minijinja::Error::new(ErrorKind::InvalidOperation, message))
        });
        environment
            .add_template_owned(NAME, source.to_owned())
            .map_err(|error| template_error(NAME, &error))?;
        let chat = Self { environment: Arc::new(environment), bos, eos };
        chat.render(&small_example())?;
        Ok(chat)
    }

    pub(super) fn prompt(&self, example: &Example) -> Result<String, DataError> {
        let user = message("user", &plain(example));
        self.text(vec![user], true)
    }

    pub(super) fn render(&self, example: &Example) -> Result<Rendered, DataError> {
        let user = message("user", &plain(example));
        let prompt = self.text(vec![user.clone()], true)?;
        let assistant = message("assistant", &example.output);
        let whole = self.text(vec![user, assistant], false)?;
        let Some(rest) = whole.strip_prefix(&prompt) else {
            return Err(problem(
                "an answered conversation does not begin with the generation prompt, so that prompt and response cannot be told apart; write the prompt as a template file",
            ));
        };
        // After the end token templates put a line break, which no generation reaches.
        let response = match rest.trim_end().strip_suffix(&self.eos) {
            Some(response) if !self.eos.is_empty() => response,
            _ => rest,
        };
        Ok(Rendered { prompt, response: response.to_owned() })
    }

    fn text(&self, messages: Vec<Value>, add_generation_prompt: bool) -> Result<String, DataError> {
        let bos_token = &self.bos;
        let eos_token = &self.eos;
        self.environment
            .get_template(NAME)
            .and_then(|template| {
                template.render(context! { messages, add_generation_prompt, bos_token, eos_token })
            })
            .map_err(|error| template_error(NAME, &error))
    }
}

fn message(role: &str, content: &str) -> Value {
    context! { role, content }
}

fn problem(text: &str) -> DataError {
    DataError::Template { name: NAME.into(), problem: text.into() }
}
