//! What a person (or a program) sees: errors, notes, answers, progress. Progress and notes go to standard
//! error, what was asked for goes to standard output. Never changes what a run does.

mod bars;
mod event_log;
mod format;
mod json_lines;
mod output;
mod plain_lines;

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::sync::Arc;

use cadre_recipe::{RecipeError, render_warnings};
use cadre_scheduler::{EventSink, Plan};

use crate::error::EngineError;

pub(crate) use event_log::Nobody;
pub(crate) use format::{duration, figure, findings, signed_figure};
pub(crate) use output::failure;

/// How much is said, and in which form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OutputMode {
    /// Progress and notes, for a person.
    Human,
    /// Errors and what was asked for.
    Quiet,
    /// One JSON value a line on standard output.
    Json,
}

/// The terminal, or what stands in for one.
#[derive(Debug)]
pub(crate) struct Terminal {
    mode: OutputMode,
}

impl Terminal {
    /// A terminal with these manners.
    pub(crate) fn new(mode: OutputMode) -> Self {
        Self { mode }
    }

    /// How it speaks.
    pub(crate) fn mode(&self) -> OutputMode {
        self.mode
    }

    /// Prints what was asked for. Colours are dropped where standard output is no terminal. What cannot be printed ends
    /// the command with an error, when it is done.
    pub(crate) fn print(&self, text: &str) {
        let end = if text.ends_with('\n') { "" } else { "\n" };
        let mut out = anstream::stdout().lock();
        output::keep_failure(write!(out, "{text}{end}").and_then(|()| out.flush()));
    }

    /// Says something that nobody asked for.
    pub(crate) fn note(&self, text: &str) {
        if self.mode == OutputMode::Human {
            let mut out = anstream::stderr().lock();
            let _ = writeln!(out, "{text}");
        }
    }

    /// Says what a person should know about a recipe before it runs, beside what was asked for.
    pub(crate) fn warn(&self, warnings: &[RecipeError]) {
        if self.mode != OutputMode::Quiet {
            let _ = write!(anstream::stderr().lock(), "{}", render_warnings(warnings, true));
        }
    }

    /// Warns of something that no line of a recipe stands for.
    pub(crate) fn caution(&self, text: &str) {
        if self.mode != OutputMode::Quiet {
            let _ = writeln!(anstream::stderr().lock(), "warning: {text}");
        }
    }

    /// Says what went wrong, in every mode.
    pub(crate) fn error(&self, error: &EngineError) {
        match error {
            // Located mistakes have a form of their own.
            EngineError::Recipe(mistakes) => {
                let _ = write!(anstream::stderr().lock(), "{}", mistakes.render(true));
            }
            EngineError::Interrupted => {
                self.note("interrupted; what was done is kept, the same command goes on from there");
            }
            other => {
                let _ = writeln!(anstream::stderr().lock(), "{RED}error{RED:#}: failed to {}", chain(other));
            }
        }
    }

    /// What listens to a walk over `plan`; everything that happens is also written to `log`, if there is one.
    pub(crate) fn listen(&self, plan: &Plan, log: Option<&Path>) -> Result<Listening, EngineError> {
        let mut announce: Announcer = Arc::new(|_| {});
        let shown: Box<dyn EventSink> = match self.mode {
            OutputMode::Quiet => Box::new(Nobody),
            OutputMode::Json => Box::new(json_lines::JsonLines),
            OutputMode::Human if std::io::stderr().is_terminal() => {
                let bars = bars::Bars::new(plan);
                announce = bars.announcer();
                Box::new(bars)
            }
            OutputMode::Human => {
                announce = Arc::new(|text| {
                    let _ = writeln!(std::io::stderr().lock(), "{text}");
                });
                Box::new(plain_lines::PlainLines::new(plan))
            }
        };
        let events: Box<dyn EventSink> = match log {
            Some(path) => Box::new(event_log::EventLog::open(path, shown)?),
            None => shown,
        };
        Ok(Listening { events, announce })
    }
}

/// Says something beside the progress of a walk, from any thread.
pub(crate) type Announcer = Arc<dyn Fn(&str) + Send + Sync>;

/// A walk's audience.
pub(crate) struct Listening {
    /// Takes its events.
    pub(crate) events: Box<dyn EventSink>,
    /// Says what is no event.
    pub(crate) announce: Announcer,
}

const RED: anstyle::Style = anstyle::AnsiColor::Red.on_default().bold();

/// An error and its causes on one line, each said once.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let words = cause.to_string();
        if !text.contains(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        next = cause.source();
    }
    text
}
