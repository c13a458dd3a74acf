//! R averaged over replicates, and AR after each task.

use serde::{Deserialize, Serialize};

use super::Spread;
use crate::measures::without_noise;
use crate::{Report, ScoreMatrix, rounded};

/// The mean scores of replicates that learned the same tasks in the same order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct StreamScores {
    /// Names of the tasks, in the order learned.
    pub tasks: Vec<String>,
    /// Replicates, at least 1.
    pub replicates: u32,
    /// Mean R, 0..=100; null where any replicate was not evaluated.
    pub score_matrix: ScoreMatrix,
}

/// Tasks and R of a run.
pub(super) struct RunScores {
    tasks: Vec<String>,
    matrix: ScoreMatrix,
}

impl RunScores {
    pub(super) fn of(report: &Report) -> Self {
        Self { tasks: report.tasks.clone(), matrix: report.score_matrix.clone() }
    }
}

/// One entry per order of tasks, in the order of first runs.
pub(super) fn streams(runs: &[&RunScores]) -> Vec<StreamScores> {
    let mut groups: Vec<Vec<&RunScores>> = Vec::new();
    for run in runs {
        match groups.iter_mut().find(|group| group[0].tasks == run.tasks) {
            Some(group) => group.push(run),
            None => groups.push(vec![run]),
        }
    }
    let stream = |group: &Vec<&RunScores>| {
        // A run that was stopped early has fewer rows.
        let stages = group.iter().map(|run| run.matrix.stages()).min().unwrap_or(0);
        let tasks = group[0].tasks.len();
        let mean = |stage: usize, task: usize| {
            let scores: Option<Vec<f64>> = group.iter().map(|run| run.matrix.get(stage, task)).collect();
            scores.map(|scores| rounded(scores.iter().sum::<f64>() / scores.len() as f64))
        };
        let rows = (0..stages).map(|stage| (0..tasks).map(|task| mean(stage, task)).collect()).collect();
        // Means of scores are scores, so only a matrix without columns is refused.
        let score_matrix = ScoreMatrix::from_rows(rows).unwrap_or_default();
        StreamScores { tasks: group[0].tasks.clone(), replicates: group.len() as u32, score_matrix }
    };
    groups.iter().map(stream).collect()
}

/// AR after each task, over runs of all orders.
pub(super) fn average_scores(runs: &[&RunScores]) -> Vec<Option<Spread>> {
    let stages = runs.iter().map(|run| run.matrix.stages()).min().unwrap_or(0);
    let spread = |stage: usize| {
        let scores: Option<Vec<f64>> = runs.iter().map(|run| run.matrix.average_score_after(stage)).collect();
        Spread::of(&scores?.into_iter().map(without_noise).collect::<Vec<_>>())
    };
    (0..stages).map(spread).collect()
}
