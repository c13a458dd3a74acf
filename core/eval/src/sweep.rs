//! The comparison of many runs: `sweep.json`, format-version 2.
//!
//! A *point* is one run. Points that differ only in seed and order of tasks are replicates of one *setting*: a recipe with
//! values of the varied keys.

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

/// The `format-version` of `sweep.json` that is written, and the newest that is read. Version 2 names the method of each
/// interval, and uses Student's t for few pairs.
pub const SWEEP_FORMAT_VERSION: u32 = 2;

/// `sweep.json`. It is deterministic except for the `times` of points and settings ([`SweepReport::without_times`] removes
/// them).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct SweepReport {
    /// [`SWEEP_FORMAT_VERSION`].
    pub format_version: u32,
    /// Name of the sweep.
    pub name: String,
    /// Key of the sweep, hex.
    pub key: String,
    /// Name of the setting that others are compared with; null for none.
    pub baseline: Option<String>,
    /// The varied keys, in the order of the sweep.
    pub keys: Vec<String>,
    /// Every point, in the order of the sweep.
    pub points: Vec<SweepPoint>,
    /// Every setting, in the order of its first point.
    pub settings: Vec<SettingSummary>,
    /// Number of stages with and without sharing.
    pub stages: SweepStages,
}

/// One run of a sweep.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct SweepPoint {
    /// Unique name.
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
    /// Path of the run's `report.html` relative to the folder of `sweep.json`, with `/`; null where there is none.
    pub report: Option<String>,
    /// Whether it is done, failed or was not run.
    pub state: PointState,
    /// The error of a failed point; else null.
    pub problem: Option<String>,
    /// By name: those of [`FIGURES`], `average-score.<metric>`, and `score.<task>` (score at the end of the stream), in the
    /// units of `report.json`: scores 0..=100, shares (routing-accuracy, out-of-distribution) 0..=1. Null where the run has
    /// none.
    pub scores: BTreeMap<String, Option<f64>>,
    /// By name, those of [`TIMES`], which differ between repetitions. Null where the run has none.
    pub times: BTreeMap<String, Option<f64>>,
}

/// State of a point.
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

/// Figures over the replicates of one setting.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct SettingSummary {
    /// Unique name.
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
    /// Names of the costs (`training-tokens`, `probes-per-query`) for which the setting is on the Pareto front: no other
    /// setting has a mean average-score as high and a mean cost as low, with one of them strictly better.
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
    /// Stages with distinct keys: those that a sweep with an empty store runs.
    pub distinct: u64,
    /// Sum of the stages of all points: those that runs without sharing would run.
    pub without_sharing: u64,
}

/// Input of a comparison.
#[derive(Debug, Clone)]
pub struct SweepInput {
    /// Name of the sweep.
    pub name: String,
    /// Key of the sweep, hex. Key and names seed the resampling.
    pub key: String,
    /// Name of the setting that others are compared with.
    pub baseline: Option<String>,
    /// The varied keys, in the order of the sweep.
    pub keys: Vec<String>,
    /// Number of stages with and without sharing.
    pub stages: SweepStages,
    /// The points, in the order of the sweep.
    pub points: Vec<SweepRun>,
}

/// One point and its outcome; fields as in [`SweepPoint`].
#[derive(Debug, Clone)]
pub struct SweepRun {
    /// Unique name.
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
    /// Path of its `report.html` relative to the folder of `sweep.json`, with `/`.
    pub report: Option<String>,
    /// Its report, its error, or that it was not run.
    pub outcome: PointOutcome,
}

/// Outcome of a point.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum PointOutcome {
    /// It ran and has this report.
    Done(Box<Report>),
    /// It ended in this error.
    Failed(String),
    /// It was not run.
    Left,
}

impl SweepReport {
    /// Reads `sweep.json`. Unknown keys are ignored: a later Cadre may add keys without changing the format version.
    ///
    /// # Errors
    /// If the text is not a sweep's report, its `format-version` is newer, or points and settings do not match.
    pub fn from_json(json: &str) -> Result<Self, EvalError> {
        refuse_newer(json, SWEEP_FORMAT_VERSION)?;
        let mut report: Self = serde_json::from_str(json).map_err(EvalError::Malformed)?;
        for difference in report.settings.iter_mut().flat_map(|setting| setting.differences.values_mut()) {
            // Version 1 had one method and did not name it.
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
    /// If points and settings do not match.
    pub fn to_json(&self) -> Result<String, EvalError> {
        self.check()?;
        crate::render::json(self)
    }

    /// `sweep.csv`: a header and one record per point with recipe, setting, every varied key, seed, order, run, state, every
    /// figure and time in the units of `sweep.json`, and the difference of its setting's average score to the baseline (mean,
    /// 95 % interval, method, pairs). Quoted as in RFC 4180; lines end with a line feed; missing values are empty fields.
    pub fn to_csv(&self) -> String {
        csv::write(self)
    }

    /// Why no setting has a difference to a baseline, as the end of a sentence; `None` where one has, or where there is only one
    /// setting.
    pub fn no_differences(&self) -> Option<String> {
        if self.settings.len() < 2 || self.settings.iter().any(|setting| !setting.differences.is_empty()) {
            return None;
        }
        Some(match &self.baseline {
            None => {
                "the sweep has no baseline (--baseline SETTING or the recipe key sweep.baseline names one)"
                    .to_owned()
            }
            Some(name) => format!(
                "no other setting has a finished run with the seed and order of a finished run of the baseline {name}"
            ),
        })
    }

    /// The report without the `times` of points and settings, which differ between repetitions.
    pub fn without_times(mut self) -> Self {
        self.points.iter_mut().for_each(|point| point.times.clear());
        self.settings.iter_mut().for_each(|setting| setting.times.clear());
        self
    }

    /// Checks that points and settings match.
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
                return unfit("its setting does not exist");
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
