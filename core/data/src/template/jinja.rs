//! Jinja2 as transformers sets it up for chat templates: blocks trimmed, Python's methods, printing and JSON, loop
//! controls, an immutable sandbox, and bounds on what a rendering may take. `strftime_now` is not there: a prompt does
//! not depend on the day it is made on. Knows no examples and no tokens.

mod arguments;
mod bounds;
mod filters;
mod json;
mod lists;
mod methods;
mod operators;
mod printing;
mod symbols;
mod text_filters;

use std::sync::Arc;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Value;
use minijinja::{Environment, ErrorKind, UndefinedBehavior};
use regex::Regex;

use crate::error::DataError;

/// The name under which a template stands in its environment.
const NAME: &str = "template";

/// A parsed template. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Jinja {
    name: String,
    environment: Arc<Environment<'static>>,
}

impl Jinja {
    /// Parses a template; `name` stands in messages. Line ends are those of a text that Python reads: `\n`.
    ///
    /// # Errors
    /// Text that is too long, or no Jinja.
    pub(super) fn new(name: &str, source: &str, undefined: UndefinedBehavior) -> Result<Self, DataError> {
        if source.len() > bounds::SOURCE {
            return Err(DataError::Template {
                name: name.to_owned(),
                problem: format!("it has {} bytes; at most {} are read", source.len(), bounds::SOURCE),
            });
        }
        let mut environment = Environment::new();
        let syntax = SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .build()
            .map_err(|error| template_error(name, &error))?;
        environment.set_syntax(syntax);
        environment.set_undefined_behavior(undefined);
        // Files are named as users like, and no name asks for HTML.
        environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
        environment.set_fuel(Some(bounds::STEPS));
        environment.set_recursion_limit(bounds::RECURSION);
        environment.set_formatter(printing::print);
        environment.set_unknown_method_callback(methods::call);
        operators::add_to(&mut environment);
        symbols::add_to(&mut environment);
        filters::add_to(&mut environment);
        text_filters::add_to(&mut environment);
        let source = source.replace("\r\n", "\n").replace('\r', "\n");
        let source = operators::rewritten(&without_generation_marks(&source));
        environment.add_template_owned(NAME, source).map_err(|error| template_error(name, &error))?;
        Ok(Self { name: name.to_owned(), environment: Arc::new(environment) })
    }

    /// Whether the template reads this variable anywhere.
    pub(super) fn reads(&self, variable: &str) -> bool {
        let template = self.environment.get_template(NAME);
        template.is_ok_and(|template| template.undeclared_variables(false).contains(variable))
    }

    /// The name in messages.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The text that the template makes of some variables.
    ///
    /// # Errors
    /// Whatever Jinja2 refuses, and a rendering that takes more than [`bounds`] allow.
    pub(super) fn render(&self, variables: Value) -> Result<String, DataError> {
        let mut text = bounds::Output::default();
        self.environment
            .get_template(NAME)
            .and_then(|template| template.render_captured_to(variables, &mut text).map(drop))
            .map_err(|error| template_error(&self.name, &error))?;
        Ok(text.into_text())
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

/// A template's error with its line and the reason.
fn template_error(name: &str, error: &minijinja::Error) -> DataError {
    let name = match error.line() {
        Some(line) => format!("{name}:{line}"),
        None => name.to_owned(),
    };
    let detail = error.detail().unwrap_or_default();
    let problem = match error.kind() {
        ErrorKind::OutOfFuel => format!(
            "its rendering takes more than {} steps, which is the limit; a prompt takes a few thousand: look for loops within loops",
            bounds::STEPS
        ),
        ErrorKind::WriteFailure => bounds::too_much_text(),
        ErrorKind::UnknownFunction if detail.contains("strftime_now") => {
            "it calls strftime_now, which is not available: the same example must give the same prompt on every day; write a fixed date in place of the call in the chat template, or the whole prompt as a template file (stream.template = { file = \"…\" })".to_owned()
        }
        kind if detail.is_empty() => kind.to_string(),
        kind => format!("{kind}: {detail}"),
    };
    DataError::Template { name, problem }
}

#[cfg(test)]
mod tests;
