//! Rendering of the plan of a sweep: its points, and the stages that they share.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::planning::plan::{PlanStatus, StageState};
use crate::show::render::{figure, time_line, tokens_to_do};
use crate::stages::StageKind;
use crate::sweep::sweep_plan::{PlannedPoint, SweepPlan};

/// Maximum number of points that are listed.
const LISTED: usize = 40;

/// The number of cached stages of a point, and of all its stages.
fn progress(point: &PlannedPoint, status: &PlanStatus) -> (usize, usize) {
    let there = |place: &&usize| status.stages[**place] == StageState::Cached;
    (point.stages.iter().filter(there).count(), point.stages.len())
}

/// The points of a sweep with their progress, and sums; ends in a line break.
#[must_use]
pub fn render_sweep(plan: &SweepPlan, status: &PlanStatus) -> String {
    let width = plan.points.iter().map(|point| point.name.chars().count()).max().unwrap_or(0);
    let mut text = format!("{}  sweep {}\n", plan.name, plan.key.short());
    for point in plan.points.iter().take(LISTED) {
        let (there, all) = progress(point, status);
        let _ = writeln!(text, "{:width$}  {there} of {all} stages cached", point.name);
    }
    if plan.points.len() > LISTED {
        let _ = writeln!(text, "… and {} more points", plan.points.len() - LISTED);
    }
    let cached = status.count(StageState::Cached);
    let to_do = plan.stages.len() - cached;
    let _ = writeln!(
        text,
        "\n{} points, {} stages without sharing: {} distinct, {} of them shared; {cached} cached, {to_do} to do",
        plan.points.len(),
        plan.without_sharing(),
        plan.stages.len(),
        plan.shared(),
    );
    for (kind, count) in to_do_by_kind(plan, status) {
        let _ = writeln!(text, "  {count:>6}  {}", kind.name());
    }
    let (tokens, complete) = tokens_to_do(&plan.stages, status);
    if tokens > 0 {
        let about = if complete { "about" } else { "at least" };
        let _ = writeln!(text, "{about} {} training tokens left", figure(Some(tokens)));
        let _ = writeln!(text, "{}", time_line(status.training_time));
    }
    text
}

/// The plan of a sweep as JSON: its points and sums.
#[must_use]
pub fn render_sweep_json(plan: &SweepPlan, status: &PlanStatus) -> Value {
    let point = |point: &PlannedPoint| {
        let (there, all) = progress(point, status);
        json!({
            "name": point.name,
            "setting": point.setting,
            "recipe": point.recipe,
            "values": point.values,
            "seed": point.seed,
            "order": point.order,
            "run-key": point.run_key,
            "stages": all,
            "cached": there,
        })
    };
    let kinds =
        to_do_by_kind(plan, status).into_iter().map(|(kind, count)| (kind.name().to_owned(), count.into()));
    let cached = status.count(StageState::Cached);
    json!({
        "format-version": plan.format_version,
        "name": plan.name,
        "key": plan.key,
        "baseline": plan.baseline,
        "keys": plan.keys,
        "points": plan.points.iter().map(point).collect::<Vec<_>>(),
        "stages": {
            "without-sharing": plan.without_sharing(),
            "distinct": plan.stages.len(),
            "shared": plan.shared(),
            "cached": cached,
            "to-do": plan.stages.len() - cached,
            "to-do-by-kind": Value::Object(kinds.collect()),
        },
        "training-tokens-to-do": tokens_to_do(&plan.stages, status).0,
        "training-time": status.training_time,
    })
}

/// The number of stages to do, by kind, in the order of a run.
fn to_do_by_kind(plan: &SweepPlan, status: &PlanStatus) -> Vec<(StageKind, usize)> {
    let count = |kind: StageKind| {
        let open = plan.stages.iter().zip(&status.stages).filter(|(_, state)| **state != StageState::Cached);
        (kind, open.filter(|(stage, _)| stage.kind == kind).count())
    };
    StageKind::ALL.into_iter().map(count).filter(|(_, count)| *count > 0).collect()
}
