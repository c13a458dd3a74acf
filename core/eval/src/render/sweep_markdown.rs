//! `sweep.md`: the comparison for a terminal or a pull request, without plots and successful points.

use std::fmt::Write;

use super::figures::{count, shortened};
use super::markdown::cell;
use super::sweep_page::{best, counted, facts, task_names};
use super::units;
use crate::sweep::{MAIN, OF_TASK, Shown, shown};
use crate::{MIN_RESAMPLED, PointState, SettingSummary, SweepReport, Unit};

/// Most rows of the tables.
const MAX_SETTINGS: usize = 40;
const MAX_FAILURES: usize = 10;
/// Most columns of the table of tasks.
const MAX_TASKS: usize = 24;

/// Renders a sweep for a terminal or a pull request: counts, the best setting, one row per setting (mean ± deviation, paired
/// difference of the average score with its interval, an asterisk where it excludes 0), scores per task, and failures with their error. At most
/// the 40 settings with the highest average scores and the first 10 failures are listed, with the number of the others.
pub fn render_sweep_markdown(report: &SweepReport) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write(&mut text, report);
    text
}

fn write(text: &mut String, report: &SweepReport) -> std::fmt::Result {
    writeln!(text, "# {}\n", cell(&report.name))?;
    let in_state = |state| report.points.iter().filter(|point| point.state == state).count();
    writeln!(
        text,
        "{}: {} done, {} failed, {} not run · {} stages, {} without sharing\n",
        facts(report).join(" · "),
        in_state(PointState::Done),
        in_state(PointState::Failed),
        in_state(PointState::Left),
        count(report.stages.distinct),
        count(report.stages.without_sharing),
    )?;
    if let Some(best) = best(report) {
        write!(text, "**AR {}** of {}", units::spread(&best.figures[MAIN], Unit::Score), cell(&best.name))?;
        if let Some(change) = best.differences.get(MAIN) {
            write!(text, " · {} to the baseline", units::difference(change, Unit::Score))?;
        }
        writeln!(text, "\n")?;
    }
    let settings = listed(report);
    write_settings(text, report, &settings)?;
    write_tasks(text, report, &settings)?;
    write_failures(text, report)
}

/// The settings of the tables.
fn listed(report: &SweepReport) -> Vec<&SettingSummary> {
    let mut settings: Vec<&SettingSummary> = report.settings.iter().collect();
    if settings.len() > MAX_SETTINGS {
        let score = |setting: &SettingSummary| setting.figures.get(MAIN).map_or(f64::MIN, |of| of.mean);
        settings.sort_by(|one, other| score(other).total_cmp(&score(one)));
        settings.truncate(MAX_SETTINGS);
    }
    settings
}

fn write_settings(text: &mut String, report: &SweepReport, settings: &[&SettingSummary]) -> std::fmt::Result {
    let figures: Vec<Shown> = shown(report).into_iter().filter(|figure| figure.drawn).collect();
    if figures.is_empty() {
        return Ok(());
    }
    let paired = report.settings.iter().any(|setting| setting.differences.contains_key(MAIN));
    write!(text, "| setting | n |")?;
    for figure in &figures {
        write!(text, " {} |", cell(&figure.label))?;
        if paired && figure.name == MAIN {
            write!(text, " to the baseline |")?;
        }
    }
    writeln!(text, "\n|---|---:|{}", "---:|".repeat(figures.len() + usize::from(paired)))?;
    for setting in settings {
        write!(text, "| {} | {} |", cell(&setting.name), setting.replicates)?;
        for figure in &figures {
            let spread = setting.figures.get(&figure.name);
            let spread = spread.map_or_else(|| "–".to_owned(), |of| units::spread(of, figure.unit));
            write!(text, " {spread} |")?;
            if paired && figure.name == MAIN {
                write!(text, " {} |", change(report, setting))?;
            }
        }
        writeln!(text)?;
    }
    if report.settings.iter().flat_map(|setting| setting.figures.values()).any(|of| of.deviation.is_some()) {
        writeln!(
            text,
            "\na ± b: mean and sample standard deviation (divisor n − 1) of the n finished runs of a setting, which differ in \
             seed and order of tasks."
        )?;
    }
    if let Some(reason) = report.no_differences() {
        writeln!(text, "\nNo differences between settings are shown: {}.", cell(&reason))?;
    }
    if paired {
        writeln!(
            text,
            "\nDifferences to the baseline: paired by seed and order, with 95 % intervals over replicates (Student's t for \
             fewer than {MIN_RESAMPLED} pairs, the bootstrap otherwise); an asterisk marks intervals that exclude 0."
        )?;
    }
    let rest = report.settings.len() - settings.len();
    if rest > 0 {
        writeln!(text, "\n{} with a lower average score are left out.", counted(rest, "setting"))?;
    }
    writeln!(text)
}

/// Scores per task at the end of the stream.
fn write_tasks(text: &mut String, report: &SweepReport, settings: &[&SettingSummary]) -> std::fmt::Result {
    let tasks = task_names(report);
    if tasks.len() < 2 {
        return Ok(());
    }
    let left_out = tasks.len().saturating_sub(MAX_TASKS);
    let tasks = &tasks[..tasks.len() - left_out];
    let names: Vec<String> = tasks.iter().map(|task| cell(task)).collect();
    writeln!(text, "Scores per task at the end of the stream:\n")?;
    writeln!(text, "| setting | {} |", names.join(" | "))?;
    writeln!(text, "|---|{}", "---:|".repeat(names.len()))?;
    for setting in settings {
        write!(text, "| {} |", cell(&setting.name))?;
        for task in tasks {
            let spread = setting.figures.get(&format!("{OF_TASK}{task}"));
            let spread = spread.map_or_else(|| "–".to_owned(), |of| units::spread(of, Unit::Score));
            write!(text, " {spread} |")?;
        }
        writeln!(text)?;
    }
    if left_out > 0 {
        writeln!(text, "\n{} left out; sweep.csv has all.", counted(left_out, "task"))?;
    }
    writeln!(text)
}

fn change(report: &SweepReport, setting: &SettingSummary) -> String {
    if Some(&setting.name) == report.baseline.as_ref() {
        return "baseline".to_owned();
    }
    match setting.differences.get(MAIN) {
        None => "–".to_owned(),
        Some(change) => {
            let mark = if change.excludes_zero() { " \\*" } else { "" };
            format!("{}{mark}", units::difference(change, Unit::Score))
        }
    }
}

fn write_failures(text: &mut String, report: &SweepReport) -> std::fmt::Result {
    let failed: Vec<_> = report.points.iter().filter(|point| point.state == PointState::Failed).collect();
    for point in failed.iter().take(MAX_FAILURES) {
        let problem = point.problem.as_deref().unwrap_or("–");
        writeln!(text, "- failed: {}: {}", cell(&point.name), cell(&shortened(problem, 200)))?;
    }
    if failed.len() > MAX_FAILURES {
        writeln!(text, "- and {} more", failed.len() - MAX_FAILURES)?;
    }
    Ok(())
}
