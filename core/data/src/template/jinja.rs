//! Jinja2 as transformers configures it for chat templates: trimmed blocks, Python's methods, printing and JSON, loop
//! controls, an immutable sandbox, and limits on the resources of a rendering. `strftime_now` is not available, because
//! a prompt must not depend on the day on which it is rendered.

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

/// Name of a template in its environment.
const NAME: &str = "template";

/// A parsed template. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Jinja {
    name: String,
    environment: Arc<Environment<'static>>,
}

impl Jinja {
    /// Parses a template; `name` is used in messages. Line ends are normalised to `\n`, as when Python reads a text
    /// file.
    ///
    /// # Errors
    /// Text that is too long or not valid Jinja.
    pub(super) fn new(name: &str, source: &str, undefined: UndefinedBehavior) -> Result<Self, DataError> {
        if source.len() > bounds::SOURCE {
            return Err(DataError::Template {
                name: name.to_owned(),
                problem: format!("it has {} bytes; the limit is {}", source.len(), bounds::SOURCE),
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
        // File names are up to the user; none of them must enable HTML escaping.
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

    /// Whether the template uses this variable.
    pub(super) fn reads(&self, variable: &str) -> bool {
        let template = self.environment.get_template(NAME);
        template.is_ok_and(|template| template.undeclared_variables(false).contains(variable))
    }

    /// Name of the template for messages.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Renders the template with these variables.
    ///
    /// # Errors
    /// Anything that Jinja2 refuses, and a rendering that exceeds the [`bounds`].
    pub(super) fn render(&self, variables: Value) -> Result<String, DataError> {
        let mut text = bounds::Output::default();
        self.environment
            .get_template(NAME)
            .and_then(|template| template.render_captured_to(variables, &mut text).map(drop))
            .map_err(|error| template_error(&self.name, &error))?;
        Ok(text.into_text())
    }
}

/// Replaces `{% generation %}` and its end tag, which only mark the answer for transformers' own mask, by a condition
/// that always holds. This keeps the line breaks around them.
fn without_generation_marks(source: &str) -> String {
    let mut text = source.to_owned();
    for (mark, instead) in [("generation", "if true"), ("endgeneration", "endif")] {
        if let Ok(regex) = Regex::new(&format!(r"\{{%([-+]?)\s*{mark}\s*([-+]?)%\}}")) {
            text = regex.replace_all(&text, format!("{{%${{1}} {instead} ${{2}}%}}")).into_owned();
        }
    }
    text
}

/// A template error with its line and reason.
fn template_error(name: &str, error: &minijinja::Error) -> DataError {
    let name = match error.line() {
        Some(line) => format!("{name}:{line}"),
        None => name.to_owned(),
    };
    let detail = error.detail().unwrap_or_default();
    let problem = match error.kind() {
        ErrorKind::OutOfFuel => format!(
            "its rendering takes more than {} steps (the limit); a prompt normally takes a few thousand; look for nested loops",
            bounds::STEPS
        ),
        ErrorKind::WriteFailure => bounds::too_much_text(),
        ErrorKind::UnknownFunction if detail.contains("strftime_now") => {
            "it calls strftime_now, which is not available: the same example must give the same prompt on every day; replace the call in the chat template by a fixed date, or write the whole prompt as a template file (stream.template = { file = \"…\" })".to_owned()
        }
        kind if detail.is_empty() => kind.to_string(),
        kind => format!("{kind}: {detail}"),
    };
    DataError::Template { name, problem }
}

#[cfg(test)]
mod tests;
