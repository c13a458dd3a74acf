//! From finished runs to settings: replicates gathered, differences to the baseline paired, fronts marked. It reads reports
//! and never changes one.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::figures::{FRONT_COSTS, MAIN, figures_of, times_of};
use super::front::on_front;
use super::statistics::{Difference, Spread};
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
    /// A name twice, a baseline that is no setting, replicates of one setting with different recipes or values or with the
    /// same seed and order, a value of a key that is not varied.
    pub fn of(input: SweepInput) -> Result<Self, EvalError> {
        let SweepInput { name, key, baseline, keys, stages, points } = input;
        let metrics: BTreeSet<String> = points
            .iter()
            .filter_map(|run| match &run.outcome {
                PointOutcome::Done(report) => Some(report.per_metric.keys().cloned()),
                PointOutcome::Failed(_) | PointOutcome::Left => None,
            })
            .flatten()
            .collect();
        let points: Vec<SweepPoint> = points.into_iter().map(|run| point(run, &keys, &metrics)).collect();
        let settings = settings(&points);
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

fn point(run: SweepRun, keys: &[String], metrics: &BTreeSet<String>) -> SweepPoint {
    let SweepRun { name, setting, recipe, values, seed, order, run, report: link, outcome } = run;
    let (state, problem, report) = match outcome {
        PointOutcome::Done(report) => (PointState::Done, None, Some(report)),
        PointOutcome::Failed(problem) => (PointState::Failed, Some(problem), None),
        PointOutcome::Left => (PointState::Left, None, None),
    };
    SweepPoint {
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
        scores: figures_of(report.as_deref(), metrics),
        times: times_of(report.as_deref()),
    }
}

/// The values in the order of the sweep's keys; those of other keys stay behind them, for the check to find.
fn in_order(mut values: Map<String, Value>, keys: &[String]) -> Map<String, Value> {
    let mut ordered: Map<String, Value> = keys.iter().filter_map(|key| values.remove_entry(key)).collect();
    ordered.extend(values);
    ordered
}

/// One summary a setting, in the order of first points; differences and fronts still to be filled.
fn settings(points: &[SweepPoint]) -> Vec<SettingSummary> {
    let mut order: Vec<&str> = Vec::new();
    let mut members: BTreeMap<&str, Vec<&SweepPoint>> = BTreeMap::new();
    for point in points {
        let of = members.entry(&point.setting).or_default();
        if of.is_empty() {
            order.push(&point.setting);
        }
        of.push(point);
    }
    order.into_iter().map(|name| summary(name, &members[name])).collect()
}

/// The summary of at least one point.
fn summary(name: &str, points: &[&SweepPoint]) -> SettingSummary {
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
