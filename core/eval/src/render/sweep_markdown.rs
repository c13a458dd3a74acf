//! `sweep.md`: the comparison for a terminal or a pull request, without plots and successful points.

use std::fmt::Write;

use super::figures::{count, shortened};
use super::markdown::cell;
use super::sweep_page::{best, counted, facts};
use super::units;
use crate::sweep::{MAIN, Shown, shown};
use crate::{MIN_RESAMPLED, PointState, SettingSummary, SweepReport, Unit};

/// Most rows of the tables.
const MAX_SETTINGS: usize = 40;
const MAX_FAILURES: usize = 10;

/// Renders a sweep for a terminal or a pull request: counts, the best setting, one row per setting (mean ± deviation, paired
/// difference of the average score with its interval, an asterisk where it excludes 0), and failures with their error. At most
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
    write_settings(text, report)?;
    write_failures(text, report)
}

fn write_settings(text: &mut String, report: &SweepReport) -> std::fmt::Result {
    let figures: Vec<Shown> = shown(report).into_iter().filter(|figure| figure.drawn).collect();
    if figures.is_empty() {
        return Ok(());
    }
    let mut settings: Vec<&SettingSummary> = report.settings.iter().collect();
    if settings.len() > MAX_SETTINGS {
        let score = |setting: &SettingSummary| setting.figures.get(MAIN).map_or(f64::MIN, |of| of.mean);
        settings.sort_by(|one, other| score(other).total_cmp(&score(one)));
        settings.truncate(MAX_SETTINGS);
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
    for setting in &settings {
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
