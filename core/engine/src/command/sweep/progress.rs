//! Output of a sweep's status and summary.

use cadre_eval::{PointState, SweepReport};
use cadre_scheduler::{CommonArgs, StageState};
use cadre_store::ArtifactStore;
use serde_json::json;

use super::super::Done;
use crate::error::EngineError;
use crate::sweep::{SweepFolder, states, submitted};
use crate::terminal::{OutputMode, Terminal, duration, figure};

/// Maximum number of settings in the summary; the report has all of them.
const LISTED: usize = 24;

/// The summary at the end of a sweep.
pub(super) fn summary(report: &SweepReport, folder: &SweepFolder, seconds: Option<f64>, terminal: &Terminal) {
    match terminal.mode() {
        OutputMode::Quiet => {}
        OutputMode::Json => {
            terminal.print(&json!({ "sweep": folder.id(), "report": folder.json() }).to_string());
        }
        OutputMode::Human => terminal.print(&text(report, folder, seconds)),
    }
}

fn text(report: &SweepReport, folder: &SweepFolder, seconds: Option<f64>) -> String {
    let width = report.settings.iter().map(|setting| setting.name.chars().count()).max().unwrap_or(0);
    let mut text = String::from("\n");
    for setting in report.settings.iter().take(LISTED) {
        let score = setting.figures.get("average-score");
        let deviation = score.and_then(|score| score.deviation).map(|deviation| format!(" ± {deviation:.2}"));
        let difference = setting.differences.get("average-score").map(|difference| {
            let interval = difference.low.zip(difference.high);
            let interval =
                interval.map(|(low, high)| format!(" [{low:+.2}, {high:+.2}]")).unwrap_or_default();
            let method = difference.method.map(|method| format!("{}, ", method.label())).unwrap_or_default();
            format!(
                "   {:+.2}{interval} ({method}n = {}) to {}",
                difference.mean,
                difference.pairs,
                report.baseline.as_deref().unwrap_or_default()
            )
        });
        text.push_str(&format!(
            "{:width$}  AR {}{}{}{}\n",
            setting.name,
            figure(score.map(|score| score.mean)),
            deviation.unwrap_or_default(),
            difference.unwrap_or_default(),
            if setting.failed > 0 { format!("   {} failed", setting.failed) } else { String::new() },
        ));
    }
    if report.settings.len() > LISTED {
        text.push_str(&format!("… and {} more settings\n", report.settings.len() - LISTED));
    }
    let scored = report.settings.iter().any(|setting| setting.figures.contains_key("average-score"));
    if let Some(reason) = report.no_differences().filter(|_| scored) {
        text.push_str(&format!("no differences between settings are shown: {reason}\n"));
    }
    let count = |state| report.points.iter().filter(|point| point.state == state).count();
    let (done, failed, left) = (count(PointState::Done), count(PointState::Failed), count(PointState::Left));
    let mut tail = format!("{done} of {} points done", report.points.len());
    if failed > 0 {
        tail.push_str(&format!(", {failed} failed"));
    }
    if left > 0 {
        tail.push_str(&format!(", {left} left"));
    }
    if let Some(seconds) = seconds {
        tail.push_str(&format!(" in {}", duration(seconds)));
    }
    text.push_str(&format!("{tail}; report: {}\n", folder.page().display()));
    text
}

/// The progress of a sweep, from the store and, if it was submitted, from the queue.
pub(super) fn status(folder: &SweepFolder, common: &CommonArgs, terminal: &Terminal) -> Done {
    let plan = folder.plan()?;
    let store = ArtifactStore::open(&common.store)?;
    let status = plan.joint().status(&store)?;
    let there = folder.stages_there(&plan, &store)?;
    let failed = folder.failed_stages(&plan);
    let done = plan.points.iter().filter(|point| point.stages.iter().all(|index| there[*index])).count();
    let jobs = submitted(folder)?;
    let queue = match &jobs {
        Some(jobs) => states(jobs)?,
        None => Vec::new(),
    };
    let begun = status.count(StageState::Interrupted);
    if terminal.mode() == OutputMode::Json {
        let value = json!({
            "sweep": folder.id(),
            "points": { "all": plan.points.len(), "done": done },
            "stages": { "all": plan.stages.len(), "done": status.count(StageState::Cached), "begun": begun },
            "failed": failed.iter().map(|(stage, message, points)| json!({
                "stage": stage, "message": message, "points": points,
            })).collect::<Vec<_>>(),
            "jobs": queue.iter().map(|job| json!({
                "job": job.id, "name": job.name, "state": job.state, "reason": job.reason,
            })).collect::<Vec<_>>(),
        });
        terminal.print(&value.to_string());
        return Ok(());
    }
    let mut text = format!(
        "{}: {done} of {} points done, {} of {} stages{}\n",
        folder.id(),
        plan.points.len(),
        status.count(StageState::Cached),
        plan.stages.len(),
        if begun > 0 { format!(", {begun} begun") } else { String::new() },
    );
    for (stage, message, points) in &failed {
        text.push_str(&format!("failed: {stage} (of {points} points): {message}\n"));
    }
    for job in &queue {
        text.push_str(
            &format!("job {:>8}  {:10}  {}  {}\n", job.id, job.state, job.name, job.reason)
                .replace("  \n", "\n"),
        );
    }
    if folder.json().is_file() {
        text.push_str(&format!("report: {}\n", folder.page().display()));
    }
    terminal.print(&text);
    Ok::<(), EngineError>(())
}
