//! The chat template that comes with a tokenizer, rendered as Hugging Face's `apply_chat_template` does (but for
//! `strftime_now`, which is not there: a prompt does not depend on the day). Tells prompt from response by rendering
//! twice, never by looking for marks.

use std::io::Write;
use std::sync::Arc;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, Value};
use minijinja::{Environment, ErrorKind, context};
use regex::Regex;
use serde::Serialize;
use serde_json::ser::{Formatter, PrettyFormatter, Serializer};

use super::{Rendered, message, plain, said, small_example, template_error};
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

    /// The template of this Jinja text, tried out on a small example.
    pub(super) fn of(
        source: &str,
        bos: String,
        eos: String,
        stops: Vec<(String, u32)>,
    ) -> Result<Self, DataError> {
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
        environment.add_filter("tojson", to_json);
        environment
            .add_template_owned(NAME, without_generation_marks(source))
            .map_err(|error| template_error(NAME, &error))?;
        let chat = Self { environment: Arc::new(environment), bos, eos, stops };
        chat.render(&small_example())?;
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
                "an answered conversation does not begin with the generation prompt, so that prompt and response cannot be told apart; write the prompt as a template file",
            ));
        };
        // After the end token templates put a line break, which no generation reaches.
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
        self.environment
            .get_template(NAME)
            .and_then(|template| {
                let (tools, documents) = (Value::from(()), Value::from(()));
                template.render(
                    context! { messages, tools, documents, add_generation_prompt, bos_token, eos_token },
                )
            })
            .map_err(|error| template_error(NAME, &error))
    }
}

/// `{% generation %}` and its end only mark the answer for transformers' own mask. A condition that always holds keeps
/// the line breaks around them as they are.
fn without_generation_marks(source: &str) -> String {
    let mut text = source.to_owned();
    for (mark, instead) in [("generation", "if true"), ("endgeneration", "endif")] {
        if let Ok(regex) = Regex::new(&format!(r"\{{%([-+]?)\s*{mark}\s*([-+]?)%\}}")) {
            text = regex.replace_all(&text, format!("{{%${{1}} {instead} ${{2}}%}}")).into_owned();
        }
    }
    text
}

/// JSON as Python's `json.dumps` writes it, which is what templates were made with: no escapes for HTML.
fn to_json(value: &Value, options: Kwargs) -> Result<Value, minijinja::Error> {
    let indent: Option<usize> = options.get("indent")?;
    // `ensure_ascii`, `separators` and `sort_keys` as transformers sets them.
    let _: (Option<bool>, Option<Value>, Option<bool>) =
        (options.get("ensure_ascii")?, options.get("separators")?, options.get("sort_keys")?);
    options.assert_all_used()?;
    let mut bytes = Vec::new();
    let written = match indent {
        None => value.serialize(&mut Serializer::with_formatter(&mut bytes, OneLine)),
        Some(width) => {
            let spaces = " ".repeat(width);
            let pretty = PrettyFormatter::with_indent(spaces.as_bytes());
            value.serialize(&mut Serializer::with_formatter(&mut bytes, pretty))
        }
    };
    let wrong = |problem: String| minijinja::Error::new(ErrorKind::InvalidOperation, problem);
    written.map_err(|error| wrong(error.to_string()))?;
    String::from_utf8(bytes).map(Value::from).map_err(|error| wrong(error.to_string()))
}

/// One line with a space after commas and colons.
struct OneLine;

impl Formatter for OneLine {
    fn begin_array_value<W: ?Sized + Write>(&mut self, to: &mut W, first: bool) -> std::io::Result<()> {
        if first { Ok(()) } else { to.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, to: &mut W, first: bool) -> std::io::Result<()> {
        if first { Ok(()) } else { to.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, to: &mut W) -> std::io::Result<()> {
        to.write_all(b": ")
    }
}

/// What was said before, and the message that is to be answered.
fn asked(example: &Example) -> Vec<Value> {
    let mut messages = said(&example.turns);
    messages.push(message("user", &plain(example)));
    messages
}

fn problem(text: &str) -> DataError {
    DataError::Template { name: NAME.into(), problem: text.into() }
}
