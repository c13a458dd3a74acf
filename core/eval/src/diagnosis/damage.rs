//! The damage of a finding: the points of AR that its tasks lack. Findings are ordered by it, and it decides when a finding about
//! scores is a failure.

use super::evidence::QueryEvidence;
use super::words::Case;
use super::{Finding, FindingCode, Severity};

/// Points of AR from which a finding about scores is a failure.
const HEAVY: f64 = 25.0;

/// An upper bound of the points of AR, 0..=100, that a finding accounts for. Losses that the run has measured are counted as
/// measured; otherwise everything that the tasks concerned lack of 100 counts.
pub(super) fn damage(case: &Case<'_>, finding: &Finding) -> f64 {
    let tasks = case.report.tasks.len();
    if tasks == 0 {
        return 0.0;
    }
    let sum = match finding.code {
        FindingCode::Forgetting => (0..tasks).map(|task| forgotten(case, task)).sum::<f64>(),
        FindingCode::RoutingCostsScore => {
            (0..tasks).map(|task| advantage(case, task, |query| query.by_own_expert)).sum()
        }
        FindingCode::BackboneBetter => {
            named(case, &finding.tasks).map(|task| advantage(case, task, |query| query.by_backbone)).sum()
        }
        // These queries have no score: they count as those of one task.
        FindingCode::OutsideQueriesTaken => {
            let reached = case.report.out_of_distribution.as_ref().and_then(|outside| outside.to_backbone);
            100.0 * (1.0 - reached.unwrap_or(1.0))
        }
        // The expert that it names takes the queries of all other tasks.
        FindingCode::RoutingCollapse => (0..tasks).map(|task| missing(case, task)).sum(),
        _ => {
            let concerned: Vec<usize> = named(case, &finding.tasks).collect();
            if !concerned.is_empty() {
                concerned.into_iter().map(|task| missing(case, task)).sum()
            } else if !finding.experts.is_empty() && case.report.routing.is_some() {
                let claims = matches!(
                    finding.code,
                    FindingCode::SilentIndicators
                        | FindingCode::NoNegatives
                        | FindingCode::FewNegatives
                        | FindingCode::RejectsOwnTask
                );
                (0..tasks).map(|task| missing_by(case, task, &finding.experts, claims)).sum()
            } else {
                (0..tasks).map(|task| missing(case, task)).sum()
            }
        }
    };
    sum / tasks as f64
}

/// The severity of a finding with this damage: a finding about scores that costs much is a failure.
pub(super) fn severity(case: &Case<'_>, finding: &Finding, damage: f64) -> Severity {
    let of_scores = match finding.code {
        FindingCode::TaskScoresZero
        | FindingCode::EmptyAnswers
        | FindingCode::ConstantAnswers
        | FindingCode::RoutingCostsScore
        | FindingCode::BackboneBetter => true,
        // One adapter that learns task after task forgets: that is a result of its method.
        FindingCode::Forgetting => case.report.routing.is_some(),
        _ => false,
    };
    if of_scores && damage >= HEAVY { Severity::Failure } else { finding.severity }
}

fn named<'a>(case: &'a Case<'_>, names: &'a [String]) -> impl Iterator<Item = usize> + 'a {
    names.iter().filter_map(|name| case.report.tasks.iter().position(|task| task == name))
}

/// What a task lacks of 100 at the end; 0 where it was not evaluated.
fn missing(case: &Case<'_>, task: usize) -> f64 {
    at_the_end(case, task).map_or(0.0, |score| 100.0 - score)
}

/// What a task lacks of 100 in the queries that belong to one of these experts or were answered by one; of `claims`, only in
/// those that the expert of another task answered.
fn missing_by(case: &Case<'_>, task: usize, experts: &[String], claims: bool) -> f64 {
    let scored = case.queries_of(task).filter_map(|query| Some((query, query.score?)));
    let (mut queries, mut lost) = (0.0, 0.0);
    for (query, score) in scored {
        queries += 1.0;
        let by = query.chosen.is_some_and(|expert| experts.contains(&case.expert(expert)));
        let right = query.chosen.is_some_and(|expert| case.task_of(expert) == Some(task));
        if claims && right {
            continue;
        }
        if by || experts.contains(&case.task(task)) {
            lost += 100.0 - score;
        }
    }
    if queries > 0.0 { lost / queries } else { 0.0 }
}

fn at_the_end(case: &Case<'_>, task: usize) -> Option<f64> {
    let matrix = &case.report.score_matrix;
    matrix.get(matrix.stages().checked_sub(1)?, task)
}

fn forgotten(case: &Case<'_>, task: usize) -> f64 {
    let learned = case.report.score_matrix.get(task, task);
    learned.zip(at_the_end(case, task)).map_or(0.0, |(learned, end)| (learned - end).max(0.0))
}

/// Mean advantage of another answerer over the answers that counted, at least 0; 0 where no answer of it is known.
fn advantage(case: &Case<'_>, task: usize, rival: fn(&QueryEvidence) -> Option<f64>) -> f64 {
    let differences: Vec<f64> =
        case.queries_of(task).filter_map(|query| Some(rival(query)? - query.score?)).collect();
    let count = differences.len().max(1) as f64;
    (differences.into_iter().sum::<f64>() / count).max(0.0)
}
