//! Rendering of a plan: a table of stages with keys, states and estimates, and a summary; or JSON.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::planning::memory::{MemoryNeed, bytes, machine_memory};
use crate::planning::plan::{Plan, PlanStatus, StageState};
use crate::planning::speed::TrainingTime;
use crate::stages::{PSEUDO_NEGATIVES, StageSpec, StageWork};

const BOLD: &str = "\x1b[1m";
const DIM: &str = "\x1b[2m";
const GREEN: &str = "\x1b[32m";
const YELLOW: &str = "\x1b[33m";
const CYAN: &str = "\x1b[36m";
const RESET: &str = "\x1b[0m";

/// The plan as a table and a summary, ending in a line break; with terminal colours if `coloured`.
#[must_use]
pub fn render(plan: &Plan, status: &PlanStatus, coloured: bool) -> String {
    let paint = |code: &str, text: &str| {
        if coloured { format!("{code}{text}{RESET}") } else { text.to_owned() }
    };
    let width = plan.stages.iter().map(|stage| stage.name.chars().count()).max().unwrap_or(0).max(5);
    let mut text = String::new();
    let title = format!("{}  run {}", plan.name, plan.run_key.short());
    let _ = writeln!(text, "{}  {}", paint(BOLD, &title), paint(DIM, &plan.tasks.join(" → ")));
    let head = format!(
        "{:width$}  {:12}  {:11}  {:>8}  {:>15}",
        "stage", "key", "state", "examples", "training tokens"
    );
    let _ = writeln!(text, "{}", paint(DIM, &head));
    for (stage, state) in plan.stages.iter().zip(&status.stages) {
        let (word, code) = match state {
            StageState::Cached => ("cached", GREEN),
            StageState::Interrupted => ("interrupted", YELLOW),
            StageState::ToDo => ("to do", CYAN),
        };
        let name = format!("{:width$}", stage.name);
        let name = if *state == StageState::Cached { paint(DIM, &name) } else { name };
        let line = format!(
            "{name}  {}  {}  {:>8}  {:>15}",
            paint(DIM, &stage.key.short()),
            paint(code, &format!("{word:11}")),
            figure(stage.estimate.examples),
            figure(stage.estimate.training_tokens),
        );
        let _ = writeln!(text, "{}", line.trim_end());
    }
    for line in remarks(plan) {
        let _ = writeln!(text, "{}", paint(DIM, &line));
    }
    let _ = writeln!(text, "{}", summary(plan, status));
    text
}

/// Remarks on the columns of the table: rows that are read but not all used, and the origin of the number of tokens.
fn remarks(plan: &Plan) -> Vec<String> {
    let mut lines = Vec::new();
    let count = plan.stages.iter().find_map(|stage| match &stage.work {
        StageWork::Compose(work) => work.pseudo_negatives.as_ref()?.count,
        _ => None,
    });
    let prepared = plan.stages.iter().find(|stage| stage.name == PSEUDO_NEGATIVES);
    let rows = prepared.and_then(|stage| stage.estimate.examples);
    if let Some((count, rows)) = count.zip(rows).filter(|(count, rows)| (*count as u64) < *rows) {
        lines.push(format!(
            "{PSEUDO_NEGATIVES}: all {} rows of its source are read; each training set draws {count} of them \
             (`rehearsal.pseudo-negatives.count`)",
            figure(Some(rows))
        ));
    }
    if plan.stages.iter().any(|stage| stage.estimate.training_tokens.is_some()) {
        lines.push(
            "training tokens: examples × epochs (or steps × batch) × tokens per row, of which 4 bytes of text count as one"
                .to_owned(),
        );
    }
    lines
}

/// A line on the memory of a run and of this machine.
#[must_use]
pub fn memory_line(need: &MemoryNeed) -> String {
    let here = machine_memory();
    let mut text =
        format!("memory: at least {}, about {} with the longest rows", bytes(need.least), bytes(need.about));
    if let Some(here) = here {
        let _ = write!(text, "; this machine has {}", bytes(here));
        if need.about > here {
            text.push_str(": set `device.gradient-checkpointing` or a smaller `expert.training.micro-batch`");
        }
    }
    text
}

/// The plan as JSON: each stage with its state, and sums.
#[must_use]
pub fn render_json(plan: &Plan, status: &PlanStatus, memory: Option<MemoryNeed>) -> Value {
    let stage = |(stage, state): (&StageSpec, &StageState)| {
        json!({
            "name": stage.name,
            "kind": stage.kind,
            "key": stage.key,
            "state": state,
            "inputs": stage.inputs.iter().map(|place| &plan.stages[*place].name).collect::<Vec<_>>(),
            "estimate": stage.estimate,
        })
    };
    json!({
        "format-version": plan.format_version,
        "name": plan.name,
        "run-key": plan.run_key,
        "tasks": plan.tasks,
        "stages": plan.stages.iter().zip(&status.stages).map(stage).collect::<Vec<_>>(),
        "cached": status.count(StageState::Cached),
        "to-do": plan.stages.len() - status.count(StageState::Cached),
        "training-tokens-to-do": tokens_to_do(&plan.stages, status).0,
        "training-time": status.training_time,
        "memory": memory.map(|need| json!({ "least": need.least, "about": need.about })),
    })
}

fn summary(plan: &Plan, status: &PlanStatus) -> String {
    let cached = status.count(StageState::Cached);
    let to_do = plan.stages.len() - cached;
    if to_do == 0 {
        return format!("all {cached} stages are cached");
    }
    let (tokens, complete) = tokens_to_do(&plan.stages, status);
    let mut text = format!("{} stages: {cached} cached, {to_do} to do", plan.stages.len());
    if tokens > 0 {
        let about = if complete { "about" } else { "at least" };
        let _ = write!(text, "; {about} {} training tokens left", figure(Some(tokens)));
        let _ = write!(text, "\n{}", time_line(status.training_time));
    }
    text
}

/// A line on how long training will take, or on how to find out.
pub(crate) fn time_line(time: Option<TrainingTime>) -> String {
    let Some(TrainingTime { low_seconds, high_seconds, measured }) = time else {
        return "training time: unknown until a stage like these has been trained on this machine".to_owned();
    };
    let stages = if measured == 1 { "1 earlier stage" } else { &format!("{measured} earlier stages") };
    format!(
        "training time: about {} on this machine (measured on {stages}), evaluation not included",
        duration(low_seconds, high_seconds)
    )
}

/// A range of seconds in the unit that suits its upper end: `20 to 40 s`, `3 to 6 min`, `1.5 to 3 h`.
fn duration(low: u64, high: u64) -> String {
    let (unit, seconds, decimals) = match high {
        0..100 => ("s", 1.0, 0),
        100..6_000 => ("min", 60.0, 0),
        _ => ("h", 3600.0, 1),
    };
    let shown = |value: u64| {
        let text =
            format!("{:.decimals$}", (value as f64 / seconds).max(if decimals == 0 { 1.0 } else { 0.1 }));
        text.trim_end_matches(".0").to_owned()
    };
    let (low, high) = (shown(low), shown(high));
    if low == high { format!("{high} {unit}") } else { format!("{low} to {high} {unit}") }
}

/// Training tokens of the stages that are not cached, and whether each of them has an estimate.
pub(crate) fn tokens_to_do(stages: &[StageSpec], status: &PlanStatus) -> (u64, bool) {
    use crate::stages::{BackboneWork, StageWork};
    let mut sum = 0;
    let mut complete = true;
    for (stage, state) in stages.iter().zip(&status.stages) {
        let trains =
            matches!(stage.work, StageWork::Train(_) | StageWork::Backbone(BackboneWork::Pretrain(_)));
        if *state == StageState::Cached || !trains {
            continue;
        }
        match stage.estimate.training_tokens {
            Some(tokens) => sum += tokens,
            None => complete = false,
        }
    }
    (sum, complete)
}

/// A number with three significant digits and its unit: `950`, `12.4 k`, `1.80 M`.
pub(crate) fn figure(value: Option<u64>) -> String {
    let Some(value) = value else { return "–".to_owned() };
    let (scaled, unit) = match value {
        0..1_000 => return value.to_string(),
        1_000..999_500 => (value as f64 / 1e3, "k"),
        999_500..999_500_000 => (value as f64 / 1e6, "M"),
        _ => (value as f64 / 1e9, "G"),
    };
    let decimals = match scaled {
        ..9.995 => 2,
        ..99.95 => 1,
        _ => 0,
    };
    format!("{scaled:.decimals$} {unit}")
}

#[cfg(test)]
mod tests;
