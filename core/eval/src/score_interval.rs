//! The confidence interval of the average score over test examples. It does not cover training seeds; a sweep over seeds does.

use serde::{Deserialize, Serialize};

use crate::resampling::{level, quantile, resampled_mean, seed_of};

/// Number of resamples.
const RESAMPLES: u32 = 2_000;

/// Fewest queries per task; the spread of fewer is a poor estimate.
const MIN_QUERIES: usize = 10;

/// A 95 % interval of AR over test examples: the AR that other examples of the same tasks would give, with the same experts.
/// Training seeds also change AR, often by more; this interval does not cover them.
///
/// The method is the percentile bootstrap, stratified by task. A resample draws n − 1 of the n scored queries of each task, with
/// replacement, and averages the means of all tasks. With n − 1 draws the variance is that of a mean of n (McCarthy and Snowden
/// 1985, "The bootstrap and finite population sampling"). The ends are the quantiles 2.5 % and 97.5 % of all resamples.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ScoreInterval {
    /// Lower end, 0..=100.
    pub low: f64,
    /// Upper end, 0..=100.
    pub high: f64,
    /// What varies.
    pub over: IntervalOver,
    /// The method.
    pub method: ScoreIntervalMethod,
    /// Number of scored queries.
    pub queries: u64,
    /// Number of resamples.
    pub resamples: u32,
}

/// What varies in an interval of a score.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum IntervalOver {
    /// Other test examples of the same tasks, with the same experts.
    TestExamples,
}

/// Method of an interval of a score.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ScoreIntervalMethod {
    /// The percentile bootstrap over the queries of each task.
    StratifiedBootstrap,
}

impl ScoreInterval {
    /// The interval of the mean over tasks of each task's mean score; `tasks` holds the scores (0..=100) of each task's
    /// queries, `key` seeds the draws.
    ///
    /// `None` without tasks, where a task has fewer than 10 queries, and where all queries of each task have the
    /// same score, which gives no estimate of the spread.
    pub fn of(tasks: &[Vec<f64>], key: &str) -> Option<Self> {
        let few = tasks.iter().any(|scores| scores.len() < MIN_QUERIES);
        if tasks.is_empty() || few || tasks.iter().all(|scores| level(scores)) {
            return None;
        }
        let mut state = seed_of([key, "average-score", "test-examples"]);
        let mut averages: Vec<f64> = (0..RESAMPLES)
            .map(|_| {
                let means = tasks.iter().map(|scores| resampled_mean(scores, scores.len() - 1, &mut state));
                means.sum::<f64>() / tasks.len() as f64
            })
            .collect();
        Some(Self {
            low: crate::rounded(quantile(&mut averages, 0.025)),
            high: crate::rounded(quantile(&mut averages, 0.975)),
            over: IntervalOver::TestExamples,
            method: ScoreIntervalMethod::StratifiedBootstrap,
            queries: tasks.iter().map(|scores| scores.len() as u64).sum(),
            resamples: RESAMPLES,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::ScoreInterval;
    use crate::resampling::below;

    fn uniform(state: &mut u64) -> f64 {
        below(state, 1 << 53) as f64 / (1_u64 << 53) as f64
    }

    #[test]
    fn what_says_nothing_has_no_interval() {
        assert_eq!(ScoreInterval::of(&[], "k"), None);
        assert_eq!(ScoreInterval::of(&[vec![0.0, 100.0, 50.0]], "k"), None, "three queries");
        assert_eq!(ScoreInterval::of(&[vec![100.0; 500]], "k"), None, "all alike");
        let mixed = [vec![100.0; 20], (0..20).map(|at| f64::from(at % 2) * 100.0).collect()];
        let found = ScoreInterval::of(&mixed, "k").unwrap();
        assert!(found.low < 75.0 && 75.0 < found.high, "{found:?}");
        assert_eq!(found.queries, 40);
        assert_eq!(ScoreInterval::of(&mixed, "k"), Some(found), "one key gives one interval");
    }

    /// The deviation of AR over tasks is √(Σ s²/n) / T.
    #[test]
    fn its_width_is_that_of_the_normal_approximation() {
        let tasks = [400_usize, 100].map(|queries| {
            (0..queries).map(|at| if at * 10 < queries * 3 { 100.0 } else { 0.0 }).collect::<Vec<f64>>()
        });
        let found = ScoreInterval::of(&tasks, "k").unwrap();
        let variance: f64 = [400.0, 100.0].iter().map(|n| 2100.0 * n / (n - 1.0) / n).sum::<f64>() / 4.0;
        let expected = 2.0 * 1.96 * variance.sqrt();
        assert!((found.high - found.low - expected).abs() < 0.06 * expected, "{found:?}, width {expected}");
    }

    #[test]
    fn it_holds_the_true_average_as_often_as_it_says() {
        let mut state = 5;
        for (queries, right) in [(10, 0.5), (20, 0.8)] {
            let trials = 600;
            let mut held = 0;
            for trial in 0..trials {
                let tasks: Vec<Vec<f64>> = (0..4)
                    .map(|_| {
                        let score = |state: &mut u64| if uniform(state) < right { 100.0 } else { 0.0 };
                        (0..queries).map(|_| score(&mut state)).collect()
                    })
                    .collect();
                let found = ScoreInterval::of(&tasks, &trial.to_string()).unwrap();
                held += u32::from((found.low..=found.high).contains(&(right * 100.0)));
            }
            let share = f64::from(held) / f64::from(trials);
            assert!(share >= 0.93, "{queries} queries of 4 tasks: {share}");
        }
    }
}
