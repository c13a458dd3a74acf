//! Builds a [`SweepReport`] from finished runs: groups replicates into settings, pairs differences to the baseline, marks fronts.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::figures::{FRONT_COSTS, MAIN, figures_of, times_of};
use super::front::on_front;
use super::statistics::{Difference, Spread};
use super::stream_scores::{RunScores, average_scores, streams};
use super::{
    PointOutcome, PointState, SWEEP_FORMAT_VERSION, SettingSummary, SweepInput, SweepPoint, SweepReport,
    SweepRun,
};
use crate::EvalError;
use crate::resampling::seed_of;

impl SweepReport {
    /// Compares the points of a sweep.
    ///
    /// # Errors
    /// If a name is not unique, the baseline is not a setting, replicates of a setting differ in recipe or values or have the same
    /// seed and order, or a point has a value of a key that the sweep does not vary.
    pub fn of(input: SweepInput) -> Result<Self, EvalError> {
        let SweepInput { name, key, baseline, keys, stages, points } = input;
        let reports = || {
            points.iter().filter_map(|run| match &run.outcome {
                PointOutcome::Done(report) => Some(report),
                PointOutcome::Failed(_) | PointOutcome::Left => None,
            })
        };
        let metrics: BTreeSet<String> =
            reports().flat_map(|report| report.per_metric.keys().cloned()).collect();
        let tasks: BTreeSet<String> = reports().flat_map(|report| report.tasks.iter().cloned()).collect();
        let (points, runs): (Vec<SweepPoint>, Vec<Option<RunScores>>) =
            points.into_iter().map(|run| point(run, &keys, &metrics, &tasks)).unzip();
        let settings = settings(&points, &runs);
        let mut report = Self {
            format_version: SWEEP_FORMAT_VERSION,
            name,
            key,
            baseline,
            keys,
            points,
            settings,
            stages,
        };
        report.check()?;
        report.pair();
        report.mark_fronts();
        Ok(report)
    }

    /// Fills the differences of every setting but the baseline.
    fn pair(&mut self) {
        let Some(baseline) = &self.baseline else { return };
        let replicates = |name: &str| -> BTreeMap<(u64, Option<&str>), &SweepPoint> {
            // Points that are not done have no figures, so they pair with nothing.
            let own = self.points.iter().filter(|point| point.setting == name);
            own.map(|point| ((point.seed, point.order.as_deref()), point)).collect()
        };
        let others = replicates(baseline);
        let differences_of = |setting: &SettingSummary| -> BTreeMap<String, Difference> {
            let own = replicates(&setting.name);
            let pairs: Vec<(&SweepPoint, &SweepPoint)> =
                own.iter().filter_map(|(of, point)| Some((*point, *others.get(of)?))).collect();
            let difference = |figure: &String| {
                let of = |point: &SweepPoint| point.scores.get(figure).copied().flatten();
                let differences: Vec<f64> =
                    pairs.iter().filter_map(|(own, other)| Some(of(own)? - of(other)?)).collect();
                let seed = seed_of([&self.key, &setting.name, figure]);
                Some((figure.clone(), Difference::of(&differences, seed)?))
            };
            setting.figures.keys().filter_map(difference).collect()
        };
        let differences: Vec<_> = self
            .settings
            .iter()
            .map(|setting| if setting.name == *baseline { BTreeMap::new() } else { differences_of(setting) })
            .collect();
        for (setting, differences) in self.settings.iter_mut().zip(differences) {
            setting.differences = differences;
        }
    }

    fn mark_fronts(&mut self) {
        for cost in FRONT_COSTS {
            let mean = |setting: &SettingSummary, name: &str| setting.figures.get(name).map(|of| of.mean);
            let pairs: Vec<Option<(f64, f64)>> =
                self.settings.iter().map(|of| Some((mean(of, cost)?, mean(of, MAIN)?))).collect();
            for (setting, on) in self.settings.iter_mut().zip(on_front(&pairs)) {
                if on {
                    setting.on_front.push(cost.to_owned());
                }
            }
        }
    }
}

fn point(
    run: SweepRun,
    keys: &[String],
    metrics: &BTreeSet<String>,
    tasks: &BTreeSet<String>,
) -> (SweepPoint, Option<RunScores>) {
    let SweepRun { name, setting, recipe, values, seed, order, run, report: link, outcome } = run;
    let (state, problem, report) = match outcome {
        PointOutcome::Done(report) => (PointState::Done, None, Some(report)),
        PointOutcome::Failed(problem) => (PointState::Failed, Some(problem), None),
        PointOutcome::Left => (PointState::Left, None, None),
    };
    let point = SweepPoint {
        name,
        setting,
        recipe,
        values: in_order(values, keys),
        seed,
        order,
        run,
        report: link,
        state,
        problem,
        scores: figures_of(report.as_deref(), metrics, tasks),
        times: times_of(report.as_deref()),
    };
    (point, report.as_deref().map(RunScores::of))
}

/// The values in the order of the sweep's keys; values of other keys follow, so that the check reports them.
fn in_order(mut values: Map<String, Value>, keys: &[String]) -> Map<String, Value> {
    let mut ordered: Map<String, Value> = keys.iter().filter_map(|key| values.remove_entry(key)).collect();
    ordered.extend(values);
    ordered
}

/// One summary per setting, in the order of first points; differences and fronts are filled later.
fn settings(points: &[SweepPoint], runs: &[Option<RunScores>]) -> Vec<SettingSummary> {
    let mut order: Vec<&str> = Vec::new();
    let mut members: BTreeMap<&str, (Vec<&SweepPoint>, Vec<&RunScores>)> = BTreeMap::new();
    for (point, run) in points.iter().zip(runs) {
        let (points, runs) = members.entry(&point.setting).or_default();
        if points.is_empty() {
            order.push(&point.setting);
        }
        points.push(point);
        runs.extend(run);
    }
    order.into_iter().map(|name| summary(name, &members[name])).collect()
}

/// The summary of at least one point.
fn summary(name: &str, (points, runs): &(Vec<&SweepPoint>, Vec<&RunScores>)) -> SettingSummary {
    let count = |state| points.iter().filter(|point| point.state == state).count() as u32;
    SettingSummary {
        name: name.to_owned(),
        recipe: points[0].recipe.clone(),
        values: points[0].values.clone(),
        replicates: count(PointState::Done),
        failed: count(PointState::Failed),
        left: count(PointState::Left),
        figures: spreads(points, |point| &point.scores),
        times: spreads(points, |point| &point.times),
        differences: BTreeMap::new(),
        on_front: Vec::new(),
        streams: streams(runs),
        average_scores: average_scores(runs),
    }
}

fn spreads(
    points: &[&SweepPoint],
    figures: fn(&SweepPoint) -> &BTreeMap<String, Option<f64>>,
) -> BTreeMap<String, Spread> {
    let spread = |name: &String| {
        let values: Vec<f64> =
            points.iter().filter_map(|point| figures(point).get(name).copied().flatten()).collect();
        Some((name.clone(), Spread::of(&values)?))
    };
    // All points of a sweep have the same figures.
    figures(points[0]).keys().filter_map(spread).collect()
}
