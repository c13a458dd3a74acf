//! The score matrix R of continual learning and its measures. A measure that needs a value which was not evaluated is `None`.

use serde::{Deserialize, Serialize};

use crate::EvalError;

/// R[i][j]: the score (0..=100) on task j after learning task i, both counted from 0; `None` where not evaluated.
///
/// T columns, and T rows for a finished stream (fewer for one that was stopped: then only the first `rows` tasks count as
/// learned). A run that learns all tasks at once (multi-task) or none (zero-shot) fills the last row only.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(try_from = "Vec<Vec<Option<f64>>>", into = "Vec<Vec<Option<f64>>>")]
pub struct ScoreMatrix {
    rows: Vec<Vec<Option<f64>>>,
}

impl ScoreMatrix {
    /// An empty matrix of `tasks` × `tasks`.
    pub fn new(tasks: usize) -> Self {
        Self { rows: vec![vec![None; tasks]; tasks] }
    }

    /// A matrix of given rows.
    ///
    /// # Errors
    /// Rows of unequal length, more rows than columns, a score that is not finite or not in 0..=100.
    pub fn from_rows(rows: Vec<Vec<Option<f64>>>) -> Result<Self, EvalError> {
        let tasks = rows.first().map_or(0, Vec::len);
        if rows.len() > tasks {
            return Err(EvalError::TooManyRows { rows: rows.len(), tasks });
        }
        for (stage, row) in rows.iter().enumerate() {
            if row.len() != tasks {
                return Err(EvalError::RowLength { row: stage, found: row.len(), expected: tasks });
            }
            for (task, score) in row.iter().enumerate() {
                check(stage, task, *score)?;
            }
        }
        Ok(Self { rows })
    }

    /// Sets R[`stage`][`task`], 0..=100 or `None`.
    ///
    /// # Errors
    /// An index outside the matrix, a score that is not finite or not in 0..=100.
    pub fn set(&mut self, stage: usize, task: usize, score: Option<f64>) -> Result<(), EvalError> {
        check(stage, task, score)?;
        let tasks = self.tasks();
        let cell = self.rows.get_mut(stage).and_then(|row| row.get_mut(task));
        *cell.ok_or(EvalError::OutsideMatrix { stage, task, tasks })? = score;
        Ok(())
    }

    /// R[`stage`][`task`]; `None` where not evaluated or outside the matrix.
    pub fn get(&self, stage: usize, task: usize) -> Option<f64> {
        self.rows.get(stage)?.get(task).copied().flatten()
    }

    /// The rows, one per stage.
    pub fn rows(&self) -> &[Vec<Option<f64>>] {
        &self.rows
    }

    /// Number of columns.
    pub fn tasks(&self) -> usize {
        self.rows.first().map_or(0, Vec::len)
    }

    /// Number of rows: the tasks learned so far.
    pub fn stages(&self) -> usize {
        self.rows.len()
    }

    /// AR (also OP): the mean of the last row over learned tasks, 0..=100.
    pub fn average_score(&self) -> Option<f64> {
        self.average_score_after(self.stages().checked_sub(1)?)
    }

    /// AR after learning task `stage`: the mean of that row over the tasks learned so far, 0..=100.
    pub fn average_score_after(&self, stage: usize) -> Option<f64> {
        mean((0..=stage).map(|task| self.get(stage, task)))
    }

    /// BWT: mean over i<T of R[T][i] − R[i][i], divisor T−1, signed. `None` for one task.
    pub fn backward_transfer(&self) -> Option<f64> {
        let last = self.stages().checked_sub(1)?;
        mean((0..last).map(|task| Some(self.get(last, task)? - self.get(task, task)?)))
    }

    /// BWT as TreeLoRA's code computes it: mean over all i≤T of min(R[T][i] − R[i][i], 0), divisor T, never positive. `None` for
    /// one task.
    pub fn backward_transfer_clipped(&self) -> Option<f64> {
        let last = self.stages().checked_sub(1).filter(|last| *last > 0)?;
        mean((0..=last).map(|task| Some((self.get(last, task)? - self.get(task, task)?).min(0.0))))
    }

    /// FWT: mean over i≥2 of R[i−1][i] (zero-shot on the next task, no baseline subtracted). `None` for one task, and where
    /// only seen tasks were evaluated.
    pub fn forward_transfer(&self) -> Option<f64> {
        mean((1..self.stages()).map(|task| self.get(task - 1, task)))
    }

    /// FWT as GEM defines it (Lopez-Paz and Ranzato 2017): mean over i≥2 of R[i−1][i] − b[i], signed; `baseline` holds b, the score
    /// of the model before any task, one per task. `None` for one task, and where a value is missing.
    pub fn forward_transfer_over(&self, baseline: &[Option<f64>]) -> Option<f64> {
        let baseline = |task: usize| baseline.get(task).copied().flatten();
        mean((1..self.stages()).map(|task| Some(self.get(task - 1, task)? - baseline(task)?)))
    }

    /// Forgetting: mean over i<T of max over t of R[t][i] − R[T][i], where t runs over every stage that evaluated task i;
    /// never negative. `None` for one task, and where R[i][i] was not evaluated (the maximum would be meaningless).
    pub fn forgetting(&self) -> Option<f64> {
        let last = self.stages().checked_sub(1)?;
        mean((0..last).map(|task| {
            self.get(task, task)?;
            let best = (0..=last).filter_map(|stage| self.get(stage, task)).fold(f64::NEG_INFINITY, f64::max);
            Some(best - self.get(last, task)?)
        }))
    }
}

impl TryFrom<Vec<Vec<Option<f64>>>> for ScoreMatrix {
    type Error = EvalError;

    fn try_from(rows: Vec<Vec<Option<f64>>>) -> Result<Self, EvalError> {
        Self::from_rows(rows)
    }
}

impl From<ScoreMatrix> for Vec<Vec<Option<f64>>> {
    fn from(matrix: ScoreMatrix) -> Self {
        matrix.rows
    }
}

fn check(stage: usize, task: usize, score: Option<f64>) -> Result<(), EvalError> {
    match score {
        Some(score) if !(0.0..=100.0).contains(&score) => {
            Err(EvalError::ScoreOutOfRange { stage, task, score })
        }
        _ => Ok(()),
    }
}

/// The mean; `None` if there are no values or one is missing.
fn mean(values: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    let values = values.collect::<Option<Vec<f64>>>()?;
    if values.is_empty() {
        return None;
    }
    Some(values.iter().sum::<f64>() / values.len() as f64)
}

#[cfg(test)]
mod tests;
