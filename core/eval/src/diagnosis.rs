//! The diagnosis of a run: rules that check figures, claims and trainings, and report what went wrong, where, and what to try. A
//! rule reports nothing where its figures are too few.

mod answer_rules;
mod claim_rules;
mod damage;
mod evidence;
mod negative_rules;
mod routing_rules;
mod score_rules;
mod training_rules;
mod words;

use serde::{Deserialize, Serialize};

pub use evidence::{
    ClaimEvidence, Composition, ExpertEvidence, IndicatorForm, QueryEvidence, RunEvidence, TrainingEvidence,
};

use crate::Report;
use words::Case;

/// A problem of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Finding {
    /// The rule that found it.
    pub code: FindingCode,
    /// How bad it is.
    pub severity: Severity,
    /// Tasks concerned; empty where no single task is.
    pub tasks: Vec<String>,
    /// Experts concerned, by the names of their tasks.
    pub experts: Vec<String>,
    /// One or two sentences with figures.
    pub text: String,
    /// What to try, most promising first; recipe keys are between backticks.
    #[serde(rename = "try")]
    pub advice: Vec<String>,
}

/// Severity of a finding; worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// The run does not show what its method can do.
    Failure,
    /// It makes a figure of the run worse.
    Warning,
    /// It does not make any figure worse yet.
    Note,
}

impl Severity {
    /// The name in `report.json`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Failure => "failure",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// The rules. Findings of equal severity and damage are sorted in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum FindingCode {
    /// One expert, or the backbone, answers nearly all queries of other tasks.
    RoutingCollapse,
    /// An expert gives neither indicator any probability.
    SilentIndicators,
    /// An expert answers queries of a task that it was trained to reject.
    AcceptsRejectedTask,
    /// An expert was not trained to reject anything.
    NoNegatives,
    /// An expert was trained to reject an earlier task with few examples, or with none.
    FewNegatives,
    /// An expert was trained for few optimizer steps.
    TrainingShort,
    /// The warm-up takes most of the training.
    WarmUpLong,
    /// The loss of a training did not fall.
    LossNotFalling,
    /// An expert rejects queries of its own task.
    RejectsOwnTask,
    /// Queries from outside the stream are answered by experts.
    OutsideQueriesTaken,
    /// Many queries are answered by the expert of another task.
    RoutingInaccurate,
    /// A task scores nothing.
    TaskScoresZero,
    /// An expert answers with empty texts.
    EmptyAnswers,
    /// Nearly all queries of a task get the same answer.
    ConstantAnswers,
    /// The same experts would score much higher if each answered the queries of its own task.
    RoutingCostsScore,
    /// The backbone alone answers a task better than the ensemble.
    BackboneBetter,
    /// Scores drop much after later tasks.
    Forgetting,
    /// The loss of a training still falls steeply at its end.
    LossStillFalling,
}

/// All findings of a run, by severity, then by damage. The `findings` of `report` are not read.
pub fn diagnose(report: &Report, evidence: &RunEvidence) -> Vec<Finding> {
    let case = Case { report, evidence };
    let rules: [fn(&Case<'_>) -> Option<Finding>; 18] = [
        routing_rules::collapse,
        claim_rules::silent_indicators,
        claim_rules::accepts_rejected,
        negative_rules::no_negatives,
        negative_rules::few_negatives,
        training_rules::short,
        training_rules::long_warm_up,
        training_rules::not_falling,
        claim_rules::rejects_own,
        routing_rules::outside_taken,
        routing_rules::inaccurate,
        score_rules::scores_zero,
        score_rules::empty_answers,
        answer_rules::constant,
        score_rules::routing_costs_score,
        score_rules::backbone_better,
        score_rules::forgetting,
        training_rules::still_falling,
    ];
    let found = rules.iter().filter_map(|rule| rule(&case)).map(|finding| {
        let damage = damage::damage(&case, &finding);
        let severity = damage::severity(&case, &finding, damage);
        (damage, Finding { severity, ..finding })
    });
    let mut found: Vec<(f64, Finding)> = found.collect();
    // In whole points: a smaller difference says nothing, and causes come before what follows from them.
    found.sort_by_key(|(damage, finding)| (finding.severity, -(damage.round() as i64), finding.code));
    found.into_iter().map(|(_, finding)| finding).collect()
}

/// The advice of each finding, without advice that an earlier finding gives.
pub fn advice_once(findings: &[Finding]) -> Vec<Vec<&str>> {
    let mut given = std::collections::BTreeSet::new();
    let mut fresh = |finding: &'_ Finding| -> Vec<usize> {
        let new = |at: &usize| given.insert(finding.advice[*at].clone());
        (0..finding.advice.len()).filter(new).collect()
    };
    findings
        .iter()
        .map(|finding| fresh(finding).into_iter().map(|at| finding.advice[at].as_str()).collect())
        .collect()
}

#[cfg(test)]
mod tests;
