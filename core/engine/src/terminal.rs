//! Output for the user or a program: errors, notes, results, progress. Progress and notes go to standard error, results
//! to standard output. Must not influence a run.

mod bars;
mod event_log;
mod format;
mod json_lines;
mod output;
mod plain_lines;
mod point_names;

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::sync::Arc;

use cadre_recipe::{RecipeError, render_warnings};
use cadre_scheduler::{EventSink, Plan, SweepPlan};
use cadre_store::chain;

use crate::error::EngineError;

pub(crate) use event_log::NullSink;
pub(crate) use format::{duration, figure, findings, signed_figure};
pub(crate) use output::failure;

/// How much is printed, and in which form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OutputMode {
    /// Progress and notes, as text.
    Human,
    /// Only errors and results.
    Quiet,
    /// One JSON value per line on standard output.
    Json,
}

/// The output of a command.
#[derive(Debug)]
pub(crate) struct Terminal {
    mode: OutputMode,
}

impl Terminal {
    /// Output in this mode.
    pub(crate) fn new(mode: OutputMode) -> Self {
        Self { mode }
    }

    /// The output mode.
    pub(crate) fn mode(&self) -> OutputMode {
        self.mode
    }

    /// Prints a result. Colours are removed if standard output is not a terminal. If printing fails, the command ends
    /// with an error after it is done.
    pub(crate) fn print(&self, text: &str) {
        let end = if text.ends_with('\n') { "" } else { "\n" };
        let mut out = anstream::stdout().lock();
        output::keep_failure(write!(out, "{text}{end}").and_then(|()| out.flush()));
    }

    /// Prints a note, in human mode only.
    pub(crate) fn note(&self, text: &str) {
        if self.mode == OutputMode::Human {
            let mut out = anstream::stderr().lock();
            let _ = writeln!(out, "{text}");
        }
    }

    /// Prints warnings about a recipe before it runs.
    pub(crate) fn warn(&self, warnings: &[RecipeError]) {
        if self.mode != OutputMode::Quiet {
            let _ = write!(anstream::stderr().lock(), "{}", render_warnings(warnings, true));
        }
    }

    /// Prints a warning that has no location in a recipe.
    pub(crate) fn caution(&self, text: &str) {
        if self.mode != OutputMode::Quiet {
            let _ = writeln!(anstream::stderr().lock(), "warning: {text}");
        }
    }

    /// Prints an error, in every mode.
    pub(crate) fn error(&self, error: &EngineError) {
        match error {
            // Errors with a location are rendered separately.
            EngineError::Recipe(errors) => {
                let _ = write!(anstream::stderr().lock(), "{}", errors.render(true));
            }
            EngineError::Interrupted => {
                self.note("interrupted; finished work is kept, and the same command resumes from there");
            }
            other => {
                let _ = writeln!(anstream::stderr().lock(), "{RED}error{RED:#}: failed to {}", chain(other));
            }
        }
    }

    /// The listeners for a walk over a sweep: as [`Self::listen`], but a person reads the point with each stage.
    pub(crate) fn listen_to_sweep(
        &self,
        plan: &SweepPlan,
        log: Option<&Path>,
    ) -> Result<Listening, EngineError> {
        let named = point_names::named(plan);
        let Listening { events, announce } = self.listen(&named, None)?;
        let shown: Box<dyn EventSink> = match self.mode {
            OutputMode::Human => Box::new(point_names::PointNames::new(&named, events)),
            OutputMode::Quiet | OutputMode::Json => events,
        };
        Ok(Listening { events: logged(shown, log)?, announce })
    }

    /// The listeners for a walk over `plan`. If there is a `log`, all events are also written to it.
    pub(crate) fn listen(&self, plan: &Plan, log: Option<&Path>) -> Result<Listening, EngineError> {
        let mut announce: Announcer = Arc::new(|_| {});
        let shown: Box<dyn EventSink> = match self.mode {
            OutputMode::Quiet => Box::new(NullSink),
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
        Ok(Listening { events: logged(shown, log)?, announce })
    }
}

fn logged(shown: Box<dyn EventSink>, log: Option<&Path>) -> Result<Box<dyn EventSink>, EngineError> {
    Ok(match log {
        Some(path) => Box::new(event_log::EventLog::open(path, shown)?),
        None => shown,
    })
}

/// Prints a message beside the progress of a walk, from any thread.
pub(crate) type Announcer = Arc<dyn Fn(&str) + Send + Sync>;

/// The listeners of a walk.
pub(crate) struct Listening {
    /// Receives its events.
    pub(crate) events: Box<dyn EventSink>,
    /// Prints messages that are not events.
    pub(crate) announce: Announcer,
}

const RED: anstyle::Style = anstyle::AnsiColor::Red.on_default().bold();
