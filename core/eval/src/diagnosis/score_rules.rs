//! Rules about scores: a task at zero, empty answers, the cost of wrong routing, a backbone that is better alone, forgetting.

use super::evidence::QueryEvidence;
use super::words::{Case, finding, list, names, share};
use super::{Finding, FindingCode, Severity};
use crate::render::{score, signed};

/// Fewest queries of a score.
const MIN_QUERIES: usize = 5;
/// Fewest answers of an expert, and the share of empty answers that is reported.
const MIN_ANSWERS: usize = 5;
const EMPTY_SHARE: f64 = 0.5;
/// Fewest known answers of the other answerer, as a share of the task's queries.
const KNOWN_SHARE: f64 = 0.5;
/// Least advantage of another answerer: in points, and in standard errors of the paired difference.
const BETTER_BY: f64 = 5.0;
const STANDARD_ERRORS: f64 = 2.0;
/// Backward transfer below which forgetting is reported.
const MUCH_FORGOTTEN: f64 = -10.0;

/// Learned tasks whose score at the end is exactly 0.
pub(super) fn scores_zero(case: &Case<'_>) -> Option<Finding> {
    let matrix = &case.report.score_matrix;
    let last = matrix.stages().checked_sub(1)?;
    let zero: Vec<usize> = (0..=last)
        .filter(|task| matrix.get(last, *task) == Some(0.0))
        .filter(|task| case.queries_of(*task).filter(|query| query.score.is_some()).count() >= MIN_QUERIES)
        .collect();
    if zero.is_empty() {
        return None;
    }
    let tasks: Vec<String> = zero.iter().map(|task| case.task(*task)).collect();
    let lost =
        zero.iter().filter(|task| matrix.get(**task, **task).is_some_and(|learned| learned > 0.0)).count();
    let mut text = format!("All answers to queries of {} score 0 at the end.", names(&tasks));
    let mut advice = Vec::new();
    if lost > 0 {
        text.push_str(&format!(" {lost} of them scored after being learned."));
    } else {
        text.push_str(" None of them scored after it was learned either, where that was evaluated.");
        advice.push("reading the predictions: answers may not have the form of the references".to_owned());
        advice.push("other `evaluation.metrics`, or another `evaluation.decoding.max-new-tokens`".to_owned());
        advice.push("more `expert.training.epochs`, or a higher `expert.training.learning-rate`".to_owned());
    }
    Some(Finding { tasks, advice, ..finding(FindingCode::TaskScoresZero, Severity::Warning, text) })
}

/// Answerers whose answers are mostly empty and score 0.
pub(super) fn empty_answers(case: &Case<'_>) -> Option<Finding> {
    let routed = case.report.routing.is_some();
    let answerers = (0..case.evidence.experts.len()).map(Some).chain([None]);
    let mut parts = Vec::new();
    let mut experts = Vec::new();
    for answerer in answerers {
        let answered = || case.evidence.queries.iter().filter(|query| query.chosen == answerer);
        let answers = answered().filter(|query| query.score.is_some()).count();
        let empty = answered().filter(|query| query.empty && query.score == Some(0.0)).count();
        if answers < MIN_ANSWERS || share(empty, answers) < EMPTY_SHARE {
            continue;
        }
        let who = match answerer {
            Some(expert) => {
                experts.push(case.expert(expert));
                format!("the expert of “{}”", case.expert(expert))
            }
            None if routed => "the backbone".to_owned(),
            None => "the model".to_owned(),
        };
        parts.push(format!("{empty} of {answers} answers of {who}"));
    }
    if parts.is_empty() {
        return None;
    }
    let text = format!("Empty answers with a score of 0: {}.", list(&parts));
    let advice = vec![
        "another `stream.template`, whose prompts end where the answer begins".to_owned(),
        "more `expert.training.epochs`".to_owned(),
    ];
    Some(Finding { experts, advice, ..finding(FindingCode::EmptyAnswers, Severity::Warning, text) })
}

/// Paired comparison of the answers that counted with those of another answerer.
struct Rival {
    /// Mean score of the answers that counted.
    ours: f64,
    /// Mean score of the other answerer.
    theirs: f64,
    /// Number of queries.
    queries: usize,
    /// Standard error of the mean difference.
    error: f64,
}

impl Rival {
    /// Compares over a task's queries; `None` where too few answers are known.
    fn of<'a>(
        queries: impl Iterator<Item = &'a QueryEvidence>,
        rival: fn(&QueryEvidence) -> Option<f64>,
    ) -> Option<Self> {
        let all: Vec<&QueryEvidence> = queries.filter(|query| query.score.is_some()).collect();
        let pairs: Vec<(f64, f64)> =
            all.iter().filter_map(|query| Some((query.score?, rival(query)?))).collect();
        let n = pairs.len();
        if n < MIN_QUERIES.max(2) || share(n, all.len()) < KNOWN_SHARE {
            return None;
        }
        let mean = |of: fn(&(f64, f64)) -> f64| pairs.iter().map(of).sum::<f64>() / n as f64;
        let difference = mean(|pair| pair.1 - pair.0);
        let squares: f64 = pairs.iter().map(|pair| (pair.1 - pair.0 - difference).powi(2)).sum();
        Some(Self {
            ours: mean(|pair| pair.0),
            theirs: mean(|pair| pair.1),
            queries: n,
            error: (squares / (n - 1) as f64 / n as f64).sqrt(),
        })
    }

    fn is_better(&self) -> bool {
        let by = self.theirs - self.ours;
        by >= BETTER_BY && by >= STANDARD_ERRORS * self.error
    }
}

/// Compares the score with each query answered by the expert of its own task with the score as routed.
pub(super) fn routing_costs_score(case: &Case<'_>) -> Option<Finding> {
    case.report.routing.as_ref()?;
    let learned = case.report.score_matrix.stages();
    let rivals: Vec<Rival> = (0..learned)
        .map(|task| Rival::of(case.queries_of(task), |query| query.by_own_expert))
        .collect::<Option<_>>()?;
    let mean = |of: fn(&Rival) -> f64| rivals.iter().map(of).sum::<f64>() / rivals.len() as f64;
    let (ours, theirs) = (mean(|rival| rival.ours), mean(|rival| rival.theirs));
    // Independent tasks: the variances of their means add up.
    let error = rivals.iter().map(|rival| rival.error.powi(2)).sum::<f64>().sqrt() / rivals.len() as f64;
    let all = Rival { ours, theirs, queries: rivals.iter().map(|rival| rival.queries).sum(), error };
    if !all.is_better() {
        return None;
    }
    let known = case.evidence.queries.iter().filter(|query| query.score.is_some()).count();
    let text = format!(
        "The same experts would average {} if each answered the queries of its own task; as routed they average {} (on the \
         {} of {known} queries for which both answers are known). The loss is due to routing, not to the experts.",
        score(Some(theirs)),
        score(Some(ours)),
        all.queries
    );
    Some(Finding { advice: Vec::new(), ..finding(FindingCode::RoutingCostsScore, Severity::Warning, text) })
}

/// Tasks that the backbone alone answers better.
pub(super) fn backbone_better(case: &Case<'_>) -> Option<Finding> {
    case.report.routing.as_ref()?;
    let better: Vec<(usize, Rival)> = (0..case.report.tasks.len())
        .filter_map(|task| Some((task, Rival::of(case.queries_of(task), |query| query.by_backbone)?)))
        .filter(|(_, rival)| rival.is_better())
        .collect();
    if better.is_empty() {
        return None;
    }
    let part = |(task, rival): &(usize, Rival)| {
        format!(
            "on “{}” {} against {} ({} queries)",
            case.task(*task),
            score(Some(rival.theirs)),
            score(Some(rival.ours)),
            rival.queries
        )
    };
    let parts: Vec<String> = better.iter().map(part).collect();
    let text = format!("The backbone alone is better than the ensemble: {}.", list(&parts));
    let advice = vec![
        "a lower `expert.training.learning-rate` or fewer `expert.training.epochs`, if experts lose abilities of the \
         backbone"
            .to_owned(),
        "for queries at the wrong expert, the advice of the findings about routing".to_owned(),
    ];
    let tasks = better.iter().map(|(task, _)| case.task(*task)).collect();
    Some(Finding { tasks, advice, ..finding(FindingCode::BackboneBetter, Severity::Warning, text) })
}

/// Backward transfer is strongly negative.
pub(super) fn forgetting(case: &Case<'_>) -> Option<Finding> {
    let transfer = case.report.backward_transfer.filter(|transfer| *transfer < MUCH_FORGOTTEN)?;
    let matrix = &case.report.score_matrix;
    let last = matrix.stages().checked_sub(1)?;
    let changes = (0..last).filter_map(|task| {
        let learned = matrix.get(task, task)?;
        Some((task, learned, matrix.get(last, task)?))
    });
    let (task, learned, ended) =
        changes.min_by(|one, other| (one.2 - one.1).total_cmp(&(other.2 - other.1)))?;
    let mut text = format!(
        "Strong forgetting: BWT is {}; “{}” fell from {} to {}.",
        signed(Some(transfer)),
        case.task(task),
        score(Some(learned)),
        score(Some(ended))
    );
    let mut advice = Vec::new();
    if case.report.routing.is_some() {
        text.push_str(" Trained experts do not change, so the router sent their queries to other experts.");
        advice.push("the advice of the findings about routing".to_owned());
    } else {
        advice.push(
            "one expert per task with a router (`expert.per = \"task\"`), or `rehearsal` with `role = \"positive\"`".to_owned(),
        );
    }
    Some(Finding {
        tasks: vec![case.task(task)],
        advice,
        ..finding(FindingCode::Forgetting, Severity::Warning, text)
    })
}
