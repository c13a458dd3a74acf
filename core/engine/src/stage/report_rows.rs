//! Builds matrices from rows: R by every metric, and the responders per task.

use std::collections::BTreeMap;

use cadre_eval::{MetricScores, RouteDecision, RoutingReport, ScoreInterval, ScoreMatrix, rounded};

use super::report::RoutedRow;
use crate::error::EngineError;

/// R by each task's first metric, and by every metric.
pub(super) fn matrices(
    tasks: &[String],
    rows: &[RoutedRow],
) -> Result<(ScoreMatrix, BTreeMap<String, MetricScores>), EngineError> {
    let mut first = ScoreMatrix::new(tasks.len());
    let mut by_metric: BTreeMap<String, ScoreMatrix> = BTreeMap::new();
    for routed in rows {
        let stage = routed.stage(tasks.len());
        for scored in &routed.row.tasks {
            let Some(column) = tasks.iter().position(|task| *task == scored.task) else { continue };
            for (index, (metric, score)) in scored.scores.iter().enumerate() {
                // The mean of many scores may miss 100 by rounding; larger deviations are rejected by the matrix.
                let score = Some(rounded(*score));
                if index == 0 {
                    first.set(stage, column, score)?;
                }
                let matrix = by_metric.entry(metric.clone()).or_insert_with(|| ScoreMatrix::new(tasks.len()));
                matrix.set(stage, column, score)?;
            }
        }
    }
    let per_metric =
        by_metric.into_iter().map(|(metric, score_matrix)| (metric, MetricScores { score_matrix })).collect();
    Ok((first, per_metric))
}

/// The interval of AR over test examples: from the scored queries of every task in the last row of R.
pub(super) fn interval(tasks: &[String], rows: &[RoutedRow], run: &str) -> Option<ScoreInterval> {
    let last = rows.iter().rfind(|routed| routed.stage(tasks.len()) + 1 == tasks.len())?;
    let scores: Vec<Vec<f64>> = tasks
        .iter()
        .map(|task| {
            let of_task = last.routes.iter().filter(|route| route.task.as_ref() == Some(task));
            of_task.filter_map(|route| Some(route.outcome?.score)).collect()
        })
        .collect();
    ScoreInterval::of(&scores, run)
}

/// The responders after each stage; `None` without a router.
pub(super) fn routing(tasks: &[String], rows: &[RoutedRow]) -> Result<Option<RoutingReport>, EngineError> {
    if !rows.iter().any(|routed| routed.row.routed) {
        return Ok(None);
    }
    let mut stages: Vec<Vec<RouteDecision>> = vec![Vec::new(); tasks.len()];
    for routed in rows {
        let decisions = routed.routes.iter().filter_map(|route| {
            let name = route.task.as_ref()?;
            let task = tasks.iter().position(|task| task == name)?;
            // Experts are learned in stream order: an expert's index is its task's.
            let expert = route.chosen.map(|expert| expert as usize);
            Some(RouteDecision { task, expert, probes: route.asked.len() as u64 })
        });
        stages[routed.stage(tasks.len())].extend(decisions);
    }
    Ok(Some(RoutingReport::from_decisions(tasks.len(), &stages)?))
}

#[cfg(test)]
mod tests {
    use cadre_contract::RouterProbe;
    use cadre_store::Digest;

    use super::{interval, matrices, routing};
    use crate::error::EngineError;
    use crate::records::{Outcome, RouteRow};
    use crate::stage::evaluate::{Row, ScoredTask};
    use crate::stage::report::RoutedRow;

    fn row(learned: &[&str], scores: &[(&str, f64, f64)], chosen: &[(&str, Option<u32>)]) -> RoutedRow {
        let tasks = scores.iter().map(|(task, first, second)| ScoredTask {
            task: (*task).to_owned(),
            queries: 1,
            scores: vec![("rouge-l".to_owned(), *first), ("exact-match".to_owned(), *second)],
        });
        let routes = chosen.iter().map(|(task, chosen)| RouteRow {
            id: String::new(),
            task: Some((*task).to_owned()),
            query: Digest::of_bytes(task.as_bytes()),
            asked: vec![RouterProbe::Claim(0); 2],
            claims: Vec::new(),
            chosen: *chosen,
            mix: Vec::new(),
            outcome: None,
        });
        RoutedRow {
            row: Row {
                format_version: 1,
                learned: learned.iter().map(|task| (*task).to_owned()).collect(),
                routed: !chosen.is_empty(),
                tasks: tasks.collect(),
            },
            routes: routes.collect(),
        }
    }

    fn stream() -> Vec<String> {
        vec!["a".to_owned(), "b".to_owned()]
    }

    #[test]
    fn rows_and_columns_are_matched_by_name() {
        let rows = [
            row(&["a"], &[("a", 90.0, 80.0)], &[]),
            row(&["a", "b"], &[("b", 70.0, 60.0), ("a", 85.0, 75.0)], &[]),
        ];
        let (first, per_metric) = matrices(&stream(), &rows).unwrap();
        assert_eq!(first.rows(), [vec![Some(90.0), None], vec![Some(85.0), Some(70.0)]]);
        assert_eq!(first.backward_transfer(), Some(-5.0));
        assert_eq!(per_metric["exact-match"].score_matrix.get(1, 1), Some(60.0));
        assert_eq!(routing(&stream(), &rows).unwrap(), None);
    }

    #[test]
    fn a_rounding_error_is_corrected_and_more_is_refused() {
        let of =
            |score: f64| matrices(&stream(), &[row(&["a", "b"], &[("a", score, 0.0), ("b", 1.0, 0.0)], &[])]);
        for (score, expected) in
            [(100.000_000_000_000_01, 100.0), (99.999_999_5, 100.0), (200.0 / 3.0, 66.666_667)]
        {
            assert_eq!(of(score).unwrap().0.get(1, 0), Some(expected));
        }
        for wrong in [100.1, -0.1, f64::NAN] {
            let error = of(wrong).unwrap_err();
            assert!(matches!(error, EngineError::Report(_)), "{error}");
        }
    }

    #[test]
    fn the_interval_is_based_on_the_last_row() {
        let outcomes = |learned: &[&str], scores: [f64; 2]| {
            let chosen: Vec<(&str, Option<u32>)> =
                (0..40).map(|query| (if query % 2 == 0 { "a" } else { "b" }, Some(0))).collect();
            let mut row = row(learned, &[], &chosen);
            for (index, route) in row.routes.iter_mut().enumerate() {
                route.outcome = Some(Outcome { score: scores[index / 2 % 2], empty: false });
            }
            row
        };
        let first = outcomes(&["a"], [0.0, 0.0]);
        let last = outcomes(&["a", "b"], [40.0, 100.0]);
        let found = interval(&stream(), &[first, last], "run").unwrap();
        assert_eq!(found.queries, 40);
        assert!(55.0 < found.low && found.low < 70.0 && 70.0 < found.high && found.high < 85.0, "{found:?}");
        // The last row was not evaluated; nothing was scored.
        assert_eq!(interval(&stream(), &[outcomes(&["a"], [0.0, 100.0])], "run"), None);
        assert_eq!(interval(&stream(), &[row(&["a", "b"], &[], &[("a", None)])], "run"), None);
    }

    #[test]
    fn a_backbone_that_learned_nothing_is_in_the_last_row() {
        let (first, _) = matrices(&stream(), &[row(&[], &[("a", 5.0, 0.0), ("b", 7.0, 0.0)], &[])]).unwrap();
        assert_eq!(first.average_score(), Some(6.0));
        assert_eq!(first.backward_transfer(), None);
    }

    #[test]
    fn decisions_are_counted_by_stage() {
        let rows = [
            row(&["a"], &[("a", 1.0, 1.0)], &[("a", Some(0)), ("b", None)]),
            row(&["a", "b"], &[("a", 1.0, 1.0)], &[("a", Some(1)), ("b", Some(1))]),
        ];
        let found = routing(&stream(), &rows).unwrap().unwrap();
        assert_eq!(found.by_stage, [Some(1.0), Some(0.5)]);
        assert_eq!(found.confusion, [[0, 1, 0], [0, 1, 0]]);
        assert_eq!(found.probes_per_query, Some(2.0));
    }
}
