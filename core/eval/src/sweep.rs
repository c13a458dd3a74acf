//! What a sweep of many runs gives: `sweep.json`, format-version 2. It compares finished runs and never runs one.
//!
//! A *point* is one run. Points that differ only in seed and named order are replicates of one *setting*: a recipe with values
//! of the varied keys.

mod csv;
mod figures;
mod front;
mod shown;
mod statistics;
mod stream_scores;
mod student;
mod summary;

pub use figures::{Better, FIGURES, FigureEntry, TIMES, Unit};
pub use statistics::{Difference, IntervalMethod, MIN_RESAMPLED, Spread};
pub use stream_scores::StreamScores;

pub(crate) use csv::{line as csv_line, plain, state};
pub(crate) use figures::{FRONT_COSTS, MAIN, OF_TASK};
pub(crate) use shown::{Shown, shown};

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::report::refuse_newer;
use crate::{EvalError, Report};

/// The `format-version` of `sweep.json` that is written, and the newest that is read. Version 2 says by which method an
/// interval was found, and finds those of few pairs by Student's t.
pub const SWEEP_FORMAT_VERSION: u32 = 2;

/// `sweep.json`. All of it is the same each time the same sweep is run, but for the `times` of points and of settings
/// ([`SweepReport::without_times`] leaves them out).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct SweepReport {
    /// [`SWEEP_FORMAT_VERSION`].
    pub format_version: u32,
    /// Name of the sweep.
    pub name: String,
    /// Key of the sweep, hex.
    pub key: String,
    /// Name of the setting that others are held against; null for none.
    pub baseline: Option<String>,
    /// The varied keys, in the order of the sweep.
    pub keys: Vec<String>,
    /// Every point, in the order of the sweep.
    pub points: Vec<SweepPoint>,
    /// Every setting, in the order of its first point.
    pub settings: Vec<SettingSummary>,
    /// What sharing saves.
    pub stages: SweepStages,
}

/// One run of a sweep.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct SweepPoint {
    /// Name, one of its kind in the sweep.
    pub name: String,
    /// Name of the setting it belongs to.
    pub setting: String,
    /// Name of the recipe it starts from.
    pub recipe: String,
    /// Values of varied keys, in the order of `keys`; a key that its recipe does not vary is absent.
    pub values: Map<String, Value>,
    /// Seed of the recipe.
    pub seed: u64,
    /// Name of the order of tasks; null where orders are not varied.
    pub order: Option<String>,
    /// Id of the run.
    pub run: String,
    /// Path of the run's `report.html` from where `sweep.json` lies, with `/`; null where there is none.
    pub report: Option<String>,
    /// What became of it.
    pub state: PointState,
    /// Why it failed; null where it did not.
    pub problem: Option<String>,
    /// By name: those of [`FIGURES`], `average-score.<metric>`, and `score.<task>` (score at the end of the stream), in the
    /// units of `report.json`: scores 0..=100, shares (routing-accuracy, out-of-distribution) 0..=1. Null where the run has
    /// none.
    pub scores: BTreeMap<String, Option<f64>>,
    /// By name, those of [`TIMES`]: they differ each time a run is made. Null where the run has none.
    pub times: BTreeMap<String, Option<f64>>,
}

/// What became of a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum PointState {
    /// It ran and has a report.
    Done,
    /// It ended in an error.
    Failed,
    /// It was not run.
    Left,
}

/// The replicates of one setting together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct SettingSummary {
    /// Name, one of its kind in the sweep.
    pub name: String,
    /// Name of the recipe.
    pub recipe: String,
    /// Values of varied keys, in the order of `keys`.
    pub values: Map<String, Value>,
    /// Points done.
    pub replicates: u32,
    /// Points failed.
    pub failed: u32,
    /// Points not run.
    pub left: u32,
    /// By name, figures that any replicate has.
    pub figures: BTreeMap<String, Spread>,
    /// By name, times that any replicate has.
    pub times: BTreeMap<String, Spread>,
    /// By name, figures minus those of the baseline, paired by seed and order; none for the baseline itself.
    pub differences: BTreeMap<String, Difference>,
    /// Names of the costs (`training-tokens`, `probes-per-query`) against which no other setting has both a mean
    /// average-score as high and a mean cost as low, one of them strictly better.
    pub on_front: Vec<String>,
    /// Mean R of the replicates, one entry per order of tasks; empty in files written before this field existed.
    #[serde(default)]
    pub streams: Vec<StreamScores>,
    /// AR after each task, over all replicates; null where any replicate was not evaluated at that stage.
    #[serde(default)]
    pub average_scores: Vec<Option<Spread>>,
}

/// Stages of all points together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct SweepStages {
    /// Stages with keys of their own: what a sweep that starts from nothing does.
    pub distinct: u64,
    /// Sum of the stages of every point: what runs that share nothing would do.
    pub without_sharing: u64,
}

/// What a comparison is made of.
#[derive(Debug, Clone)]
pub struct SweepInput {
    /// Name of the sweep.
    pub name: String,
    /// Key of the sweep, hex. Together with names it seeds the resampling.
    pub key: String,
    /// Name of the setting that others are held against.
    pub baseline: Option<String>,
    /// The varied keys, in the order of the sweep.
    pub keys: Vec<String>,
    /// What sharing saves.
    pub stages: SweepStages,
    /// The points, in the order of the sweep.
    pub points: Vec<SweepRun>,
}

/// One point and what became of it; fields as in [`SweepPoint`].
#[derive(Debug, Clone)]
pub struct SweepRun {
    /// Name, one of its kind in the sweep.
    pub name: String,
    /// Name of the setting it belongs to.
    pub setting: String,
    /// Name of the recipe it starts from.
    pub recipe: String,
    /// Values of varied keys, in any order.
    pub values: Map<String, Value>,
    /// Seed of the recipe.
    pub seed: u64,
    /// Name of the order of tasks.
    pub order: Option<String>,
    /// Id of the run.
    pub run: String,
    /// Path of its `report.html` from where `sweep.json` is put, with `/`.
    pub report: Option<String>,
    /// What became of it.
    pub outcome: PointOutcome,
}

/// What became of a point, with what it left.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum PointOutcome {
    /// It ran.
    Done(Box<Report>),
    /// It ended in this error.
    Failed(String),
    /// It was not run.
    Left,
}

impl SweepReport {
    /// Reads `sweep.json`. Keys that are not known are passed over: a later version of the same number may add some.
    ///
    /// # Errors
    /// Not a sweep's report, a newer `format-version`, points and settings that do not fit each other.
    pub fn from_json(json: &str) -> Result<Self, EvalError> {
        refuse_newer(json, SWEEP_FORMAT_VERSION)?;
        let mut report: Self = serde_json::from_str(json).map_err(EvalError::Malformed)?;
        for difference in report.settings.iter_mut().flat_map(|setting| setting.differences.values_mut()) {
            // Version 1 knew one method and did not name it.
            if difference.low.is_some() && difference.method.is_none() {
                difference.method = Some(IntervalMethod::PercentileBootstrap);
            }
        }
        report.check()?;
        Ok(report)
    }

    /// The text of `sweep.json`: indented, a line feed at the end.
    ///
    /// # Errors
    /// Points and settings that do not fit each other.
    pub fn to_json(&self) -> Result<String, EvalError> {
        self.check()?;
        crate::render::json(self)
    }

    /// `sweep.csv`: a head and one line a point; recipe, setting, every varied key, seed, order, run, state, every figure and
    /// time in the units of `sweep.json`, and how the average score of its setting differs from the baseline (mean, 95 %
    /// interval, method, pairs). Quoted as RFC 4180 says, lines end in a line feed, an empty field is missing.
    pub fn to_csv(&self) -> String {
        csv::write(self)
    }

    /// The same without what differs each time: `times` of points and settings are empty.
    pub fn without_times(mut self) -> Self {
        self.points.iter_mut().for_each(|point| point.times.clear());
        self.settings.iter_mut().for_each(|setting| setting.times.clear());
        self
    }

    /// Whether points and settings fit each other.
    pub(crate) fn check(&self) -> Result<(), EvalError> {
        let mut settings: BTreeMap<&str, &SettingSummary> = BTreeMap::new();
        for setting in &self.settings {
            if settings.insert(&setting.name, setting).is_some() {
                return Err(EvalError::SettingTwice { setting: setting.name.clone() });
            }
        }
        if let Some(baseline) = self.baseline.as_deref().filter(|name| !settings.contains_key(name)) {
            return Err(EvalError::UnknownBaseline { baseline: baseline.to_owned() });
        }
        let (mut names, mut replicates) = (BTreeSet::new(), BTreeSet::new());
        for point in &self.points {
            let unfit = |problem| Err(EvalError::UnfitPoint { point: point.name.clone(), problem });
            let Some(setting) = settings.get(point.setting.as_str()) else {
                return unfit("its setting is not there");
            };
            if setting.recipe != point.recipe || setting.values != point.values {
                return unfit("recipe or values are not those of its setting");
            }
            if point.values.keys().any(|key| !self.keys.contains(key)) {
                return unfit("it has a value of a key that the sweep does not vary");
            }
            if !names.insert(&point.name) {
                return unfit("its name is taken by another point");
            }
            if !replicates.insert((&point.setting, point.seed, &point.order)) {
                return unfit("another point of its setting has the same seed and order");
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
