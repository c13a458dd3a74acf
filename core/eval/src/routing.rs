//! Counts of which expert answered which query: routing accuracy, confusion, probes.

use serde::{Deserialize, Serialize};

use crate::EvalError;

/// One query of a known task and the expert that answered it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RouteDecision {
    /// True task of the query, counted from 0.
    pub task: usize,
    /// The expert that answered, by its task's index; `None` is the backbone. For a mix, the expert of the largest share.
    pub expert: Option<usize>,
    /// Number of probes requested for this query, whether computed or found in the evidence book.
    pub probes: u64,
}

/// `routing` of `report.json`. All fields but `by_stage` describe the last routed stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RoutingReport {
    /// Share of queries of learned tasks that their own task's expert answered, 0..=1; `None` without queries.
    pub accuracy: Option<f64>,
    /// The same after each stage; `None` where a stage was not evaluated.
    pub by_stage: Vec<Option<f64>>,
    /// Number of queries: T rows (true task) of T+1 columns (expert that answered; the last is the backbone).
    pub confusion: Vec<Vec<u64>>,
    /// Mean number of probes per query; `None` without queries.
    pub probes_per_query: Option<f64>,
}

impl RoutingReport {
    /// Counts the decisions of each stage (`stages[i]`: after learning task i; empty where not evaluated).
    ///
    /// Accuracy counts queries of learned tasks only (task ≤ stage), because a task that is not yet learned has no expert.
    /// The confusion counts every query of the last stage that has any.
    ///
    /// # Errors
    /// If a decision names a task or an expert outside the stream.
    pub fn from_decisions(tasks: usize, stages: &[Vec<RouteDecision>]) -> Result<Self, EvalError> {
        for decision in stages.iter().flatten() {
            if decision.task >= tasks {
                return Err(EvalError::OutsideStream { what: "task", index: decision.task, tasks });
            }
            if let Some(expert) = decision.expert.filter(|expert| *expert >= tasks) {
                return Err(EvalError::OutsideStream { what: "expert", index: expert, tasks });
            }
        }
        let by_stage: Vec<Option<f64>> =
            stages.iter().enumerate().map(|(stage, decisions)| accuracy(stage, decisions)).collect();
        let mut confusion = vec![vec![0; tasks + 1]; tasks];
        let last = stages.iter().rposition(|decisions| !decisions.is_empty());
        let decisions = last.map_or(&[][..], |last| &stages[last]);
        for decision in decisions {
            confusion[decision.task][decision.expert.unwrap_or(tasks)] += 1;
        }
        let probes: u64 = decisions.iter().map(|decision| decision.probes).sum();
        Ok(Self {
            accuracy: last.and_then(|last| by_stage[last]),
            by_stage,
            confusion,
            probes_per_query: share(probes, decisions.len() as u64),
        })
    }
}

fn accuracy(stage: usize, decisions: &[RouteDecision]) -> Option<f64> {
    let learned = decisions.iter().filter(|decision| decision.task <= stage);
    let right = learned.clone().filter(|decision| decision.expert == Some(decision.task)).count();
    share(right as u64, learned.count() as u64)
}

fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

#[cfg(test)]
mod tests;
