//! Progress bars: one for the whole plan, one for each stage at work, a line for each that is done.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use cadre_scheduler::{Event, EventKind, EventSink, Plan};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::wording::duration;

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
    /// For the stages of this plan.
    pub(super) fn new(plan: &Plan) -> Self {
        let width = plan.stages.iter().map(|stage| stage.name.chars().count()).max().unwrap_or(0);
        let all = MultiProgress::new();
        let total = all.add(ProgressBar::new(plan.stages.len() as u64));
        total.set_style(style("{prefix} {bar:24.cyan/dim} {pos} of {len} stages, {elapsed} gone"));
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

    fn line(&self, text: String) {
        // A terminal that has gone away is no failure of the run.
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
                        "{{prefix}} {{bar:24.green/dim}} {{pos}} of {{len}} {}, {{per_sec}}, {{eta}} left{{msg}}",
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
                self.line(format!("{name:width$}   waits for process {pid}, which does it"))
            }
            EventKind::Damaged { file, problem, .. } => {
                self.line(format!("{name:width$}   was damaged ({file}: {problem}); set aside, made again"));
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

/// A style from words that stand in this file; a bar without a style is still a bar.
fn style(words: &str) -> ProgressStyle {
    ProgressStyle::with_template(words).unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("━━─")
}
