//! Scores and reports of Cadre: text metrics, the score matrix R and its measures (average, backward and forward transfer,
//! forgetting), routing tallies, the diagnosis of failed runs, and the reports of runs and sweeps as JSON, Markdown, CSV, LaTeX and
//! self-contained HTML pages.
//!
//! The crate is pure: it must not depend on models, the file system or the clock.

#![forbid(unsafe_code)]

mod comparison;
mod diagnosis;
mod error;
mod measures;
mod metrics;
mod render;
mod report;
mod report_extras;
mod resampling;
mod routing;
mod score_interval;
mod score_matrix;
mod sweep;

pub use comparison::render_markdown_table;
pub use diagnosis::{
    ClaimEvidence, Composition, ExpertEvidence, Finding, FindingCode, IndicatorForm, QueryEvidence,
    RunEvidence, Severity, TrainingEvidence, advice_once, diagnose,
};
pub use error::EvalError;
pub use measures::{MEASURES, MeasureEntry, rounded};
pub use metrics::{METRICS, MetricEntry, metric};
pub use render::{
    bytes, render_html, render_markdown, render_sweep_html, render_sweep_latex, render_sweep_markdown,
};
pub use report::{
    Cost, DataProvenance, ExpertReport, ExpertValidation, MetricScores, Negatives, OutOfDistributionReport,
    PluginProvenance, ProbeCost, Provenance, REPORT_FORMAT_VERSION, Report, StageCost,
};
pub use report_extras::{ClaimSample, ClaimScale, LossCurve, PredictionRow, ReportExtras, TrainingCurve};
pub use routing::{RouteDecision, RoutingReport};
pub use score_interval::{IntervalOver, ScoreInterval, ScoreIntervalMethod};
pub use score_matrix::ScoreMatrix;
pub use sweep::{
    Better, Difference, FIGURES, FigureEntry, IntervalMethod, MIN_RESAMPLED, PointOutcome, PointState,
    SWEEP_FORMAT_VERSION, SettingSummary, Spread, StreamScores, SweepInput, SweepPoint, SweepReport,
    SweepRun, SweepStages, TIMES, Unit,
};
