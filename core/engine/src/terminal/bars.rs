//! Progress bars: one for the whole plan, one per running stage, and a line for each finished stage.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cadre_scheduler::{Event, EventKind, EventSink, Plan};
use indicatif::{MultiProgress, ProgressBar, ProgressState, ProgressStyle};

use super::Announcer;
use super::format::duration;

/// Draws on standard error.
pub(super) struct Bars {
    all: MultiProgress,
    total: ProgressBar,
    stages: Mutex<HashMap<String, Stage>>,
    width: usize,
}

struct Stage {
    bar: ProgressBar,
    unit: String,
    loss: Option<f64>,
}

impl Bars {
    /// Bars for the stages of this plan.
    pub(super) fn new(plan: &Plan) -> Self {
        let width = plan.stages.iter().map(|stage| stage.name.chars().count()).max().unwrap_or(0);
        let all = MultiProgress::new();
        let total = all.add(ProgressBar::new(plan.stages.len() as u64));
        total.set_style(style("{prefix} {wide_bar:.cyan/dim} {pos} of {len} stages, {elapsed} elapsed"));
        total.set_prefix(format!("{:width$}", "all"));
        total.enable_steady_tick(Duration::from_millis(200));
        Self { all, total, stages: Mutex::new(HashMap::new()), width }
    }

    fn start(&self, name: &str) -> Stage {
        let width = self.width;
        let bar = self.all.insert_before(&self.total, ProgressBar::no_length());
        bar.set_style(style("{prefix} {spinner} {elapsed}"));
        bar.set_prefix(format!("{name:width$}"));
        bar.enable_steady_tick(Duration::from_millis(200));
        Stage { bar, unit: String::new(), loss: None }
    }

    /// Prints messages above the bars.
    pub(super) fn announcer(&self) -> Announcer {
        let all = self.all.clone();
        Arc::new(move |text: &str| {
            let _ = all.println(text);
        })
    }

    fn line(&self, text: String) {
        // A closed terminal is not an error of the run.
        let _ = self.all.println(text);
    }
}

impl EventSink for Bars {
    fn send(&self, event: &Event) {
        let mut stages = self.stages.lock().unwrap_or_else(PoisonError::into_inner);
        let (name, width) = (&event.stage, self.width);
        match &event.kind {
            EventKind::Started => {
                stages.insert(name.clone(), self.start(name));
            }
            EventKind::Progress { done, total, unit } => {
                let Some(stage) = stages.get_mut(name) else { return };
                if stage.unit != *unit {
                    stage.unit.clone_from(unit);
                    let words = format!(
                        "{{prefix}} {{wide_bar:.green/dim}} {{pos}} of {{len}} {}, {{rate}}, {{eta}} left{{msg}}",
                        unit.replace(['{', '}'], "")
                    );
                    stage.bar.set_style(style(&words));
                    stage.bar.reset_eta();
                }
                stage.bar.set_length(*total);
                stage.bar.set_position(*done);
            }
            EventKind::Metric { name: metric, value, .. } => {
                if let Some(stage) = stages.get_mut(name).filter(|_| metric == "loss") {
                    stage.loss = Some(*value);
                    stage.bar.set_message(format!(", loss {value:.3}"));
                }
            }
            EventKind::Cached => self.total.inc(1),
            EventKind::Waiting { pid } => {
                self.line(format!("{name:width$}   waiting for process {pid}, which is doing it"))
            }
            EventKind::Damaged { file, problem, .. } => {
                self.line(format!(
                    "{name:width$}   was damaged ({file}: {problem}); moved to quarantine, making it again"
                ));
            }
            EventKind::Finished { seconds } => {
                let loss = stages.remove(name).and_then(|stage| {
                    stage.bar.finish_and_clear();
                    stage.loss
                });
                let loss = loss.map(|loss| format!("   loss {loss:.3}")).unwrap_or_default();
                self.line(format!("{name:width$} {:>8}{loss}", duration(*seconds)));
                self.total.inc(1);
            }
            EventKind::Stopped | EventKind::Failed { .. } => {
                if let Some(stage) = stages.remove(name) {
                    stage.bar.finish_and_clear();
                }
            }
        }
    }
}

impl Drop for Bars {
    fn drop(&mut self) {
        self.total.finish_and_clear();
    }
}

/// A style from a template in this file; without a valid template, the default style.
fn style(words: &str) -> ProgressStyle {
    ProgressStyle::with_template(words)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .with_key("rate", |state: &ProgressState, out: &mut dyn Write| {
            let _ = out.write_str(&rate(state.per_sec()));
        })
        .progress_chars("━━─")
}

/// Units per second, or seconds per unit if they are slow.
fn rate(per_second: f64) -> String {
    match per_second {
        fast if fast >= 10.0 => format!("{fast:.0}/s"),
        some if some >= 1.0 => format!("{some:.1}/s"),
        slow if slow > 0.001 => format!("{:.1} s each", 1.0 / slow),
        _ => "–".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::rate;

    #[test]
    fn rates_are_readable() {
        assert_eq!([51.61, 9.96, 1.0, 0.4, 0.0].map(rate), ["52/s", "10.0/s", "1.0/s", "2.5 s each", "–"]);
    }
}
