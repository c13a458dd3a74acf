//! `sweep.html`: the data of its template.

mod axes;
mod curves;
mod maps;
mod names;
mod overview;
mod tables;
mod tasks;

use serde::Serialize;

use super::figures::{count, visible};
use super::page::{SCRIPT, STYLE, fill};
use super::sweep_latex::render_sweep_latex;
use super::units;
pub(super) use names::Names;
use tables::{Failure, Group, Heads, SettingLine};
pub(super) use tasks::task_names;

use crate::sweep::{MAIN, Shown, shown};
use crate::{Better, EvalError, PointState, SettingSummary, SweepReport, Unit};

/// Renders a sweep as one self-contained page that opens offline: settings with paired differences, scores per task, curves over
/// numeric keys, heat maps over pairs of keys, Pareto fronts, a LaTeX table, and every point with a link to its run's report.
///
/// # Errors
/// If points and settings do not match, or a plot cannot be drawn.
pub fn render_sweep_html(report: &SweepReport) -> Result<String, EvalError> {
    report.check()?;
    let page = Page::of(report)?;
    fill("sweep.html", include_str!("sweep_page/sweep.html"), &page)
}

#[derive(Serialize)]
struct Page {
    style: String,
    script: String,
    name: String,
    key: String,
    format_version: u32,
    facts: Vec<String>,
    cards: Vec<Card>,
    baseline: Option<String>,
    /// Why there are no differences to a baseline.
    no_differences: Option<String>,
    /// Whether an interval of an older file is too narrow.
    few_pairs: bool,
    heads: Heads,
    settings: Vec<SettingLine>,
    overview: Option<overview::Overview>,
    parallel: Option<overview::Parallel>,
    tasks: Option<tasks::Tasks>,
    keys: Vec<curves::KeySection>,
    maps: maps::Maps,
    fronts: Vec<curves::Front>,
    groups: Vec<Group>,
    failures: Vec<Failure>,
    /// The tables as LaTeX; `None` where they are too long for the page.
    latex: Option<String>,
    latex_file: String,
}

/// A main figure at the top of the page.
#[derive(Serialize)]
struct Card {
    label: &'static str,
    figure: String,
    note: String,
}

impl Page {
    fn of(report: &SweepReport) -> Result<Self, EvalError> {
        let figures = shown(report);
        let names = Names::of(report);
        let few = |setting: &SettingSummary| setting.differences.values().any(units::few);
        Ok(Self {
            style: format!("{STYLE}{}", include_str!("sweep_page/sweep.css")),
            script: format!("{SCRIPT}{}", include_str!("sweep_page/sweep.js")),
            name: visible(&report.name),
            key: visible(&report.key),
            format_version: report.format_version,
            facts: facts(report),
            cards: cards(report),
            baseline: report.baseline.as_deref().map(visible),
            no_differences: report.no_differences().as_deref().map(visible),
            few_pairs: report.settings.iter().any(few),
            heads: Heads::of(report, &names, &figures),
            settings: tables::settings(report, &names, &figures),
            overview: overview::overview(report, &names)?,
            parallel: overview::parallel(report, &names, &figures)?,
            tasks: tasks::Tasks::of(report)?,
            keys: curves::keys(report, &names, &figures)?,
            maps: maps::Maps::of(report, &names, &figures)?,
            fronts: curves::fronts(report, &figures)?,
            groups: tables::groups(report, &figures),
            failures: tables::failures(report),
            latex: (report.settings.len() <= LATEX && !figures.is_empty())
                .then(|| render_sweep_latex(report)),
            latex_file: "sweep.tex".to_owned(),
        })
    }
}

/// Most settings of the LaTeX table on the page; `sweep.tex` has all.
const LATEX: usize = 120;

/// All settings where there are at most `most`; else those with the highest average score and the baseline, in the order of the
/// table.
fn chosen(report: &SweepReport, most: usize) -> Vec<&SettingSummary> {
    if report.settings.len() <= most {
        return report.settings.iter().collect();
    }
    let score = |at: &usize| report.settings[*at].figures.get(MAIN).map_or(f64::NEG_INFINITY, |of| of.mean);
    let mut order: Vec<usize> = (0..report.settings.len()).collect();
    order.sort_by(|one, other| score(other).total_cmp(&score(one)));
    let baseline = report.settings.iter().position(|setting| Some(&setting.name) == report.baseline.as_ref());
    if let Some(baseline) = baseline.filter(|baseline| !order[..most].contains(baseline)) {
        order.insert(0, baseline);
    }
    order.truncate(most);
    order.sort_unstable();
    order.into_iter().map(|at| &report.settings[at]).collect()
}

/// `1 point`, `2 points`.
pub(super) fn counted(number: usize, word: &str) -> String {
    format!("{} {word}{}", count(number as u64), if number == 1 { "" } else { "s" })
}

/// Counts that describe the sweep.
pub(super) fn facts(report: &SweepReport) -> Vec<String> {
    let distinct = |of: fn(&crate::SweepPoint) -> String| {
        report.points.iter().map(of).collect::<std::collections::BTreeSet<_>>().len()
    };
    let mut facts = vec![counted(report.points.len(), "point"), counted(report.settings.len(), "setting")];
    let recipes = distinct(|point| point.recipe.clone());
    if recipes > 1 {
        facts.push(counted(recipes, "recipe"));
    }
    facts.push(counted(distinct(|point| point.seed.to_string()), "seed"));
    let orders = distinct(|point| point.order.clone().unwrap_or_default());
    if orders > 1 {
        facts.push(counted(orders, "order"));
    }
    facts
}

/// The setting with the best mean average score; the first of equal ones.
pub(super) fn best(report: &SweepReport) -> Option<&SettingSummary> {
    let scored = report.settings.iter().filter(|setting| setting.figures.contains_key(MAIN));
    scored.reduce(|best, other| if other.figures[MAIN].mean > best.figures[MAIN].mean { other } else { best })
}

fn cards(report: &SweepReport) -> Vec<Card> {
    let in_state = |state| report.points.iter().filter(|point| point.state == state).count();
    let (failed, left) = (in_state(PointState::Failed), in_state(PointState::Left));
    let mut cards = vec![Card {
        label: "Points done",
        figure: format!(
            "{} of {}",
            count(in_state(PointState::Done) as u64),
            count(report.points.len() as u64)
        ),
        note: format!("{} failed, {} not run", count(failed as u64), count(left as u64)),
    }];
    let score = |setting: &SettingSummary| units::spread(&setting.figures[MAIN], Unit::Score);
    let baseline = report.settings.iter().find(|setting| Some(&setting.name) == report.baseline.as_ref());
    if let Some(baseline) = baseline.filter(|setting| setting.figures.contains_key(MAIN)) {
        let note = format!("AR of {}", visible(&baseline.name));
        cards.push(Card { label: "Baseline", figure: score(baseline), note });
    }
    if let Some(best) = best(report) {
        let change = best.differences.get(MAIN).map(|change| units::difference(change, Unit::Score));
        let change = change.map_or_else(String::new, |change| format!(", {change} to the baseline"));
        let note = format!("AR of {}{change}", visible(&best.name));
        cards.push(Card { label: "Best average score", figure: score(best), note });
    }
    let stages = &report.stages;
    if stages.without_sharing > 0 {
        let saved = 1.0 - stages.distinct as f64 / stages.without_sharing as f64;
        cards.push(Card {
            label: "Stages",
            figure: count(stages.distinct),
            note: format!(
                "{} without sharing: {:.0} % saved",
                count(stages.without_sharing),
                saved.max(0.0) * 100.0
            ),
        });
    }
    cards
}

/// The figures that are drawn, in the order shown.
fn drawn(figures: &[Shown]) -> impl Iterator<Item = &Shown> {
    figures.iter().filter(|figure| figure.drawn)
}

/// Whether a high or a low figure is better, for a caption.
fn wish(better: Better) -> &'static str {
    match better {
        Better::More => "more is better",
        Better::Less => "less is better",
    }
}
