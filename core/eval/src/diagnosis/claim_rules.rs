//! Rules about claims: indicators without probability, experts that accept queries of tasks that they were trained to reject,
//! experts that reject queries of their own task.

use super::words::{Case, finding, list, median, names, share, the_experts};
use super::{Finding, FindingCode, Severity};

/// Median probability of both indicators together below which claims are ratios of noise.
const SILENT: f64 = 0.1;
/// Fewest claims of a median.
const MIN_CLAIMS: usize = 10;
/// Fewest queries that an expert was asked about.
const MIN_ASKED: usize = 5;
/// Share of a rejected task's queries that an expert takes: thresholds of warning and failure.
const TAKEN_WARNING: f64 = 0.25;
const TAKEN_FAILURE: f64 = 0.5;
/// Share of its own queries that an expert rejects: thresholds of warning and failure.
const REJECTED_WARNING: f64 = 0.3;
const REJECTED_FAILURE: f64 = 0.5;
/// Examples per earlier task that suffice for training an expert to reject it.
pub(super) const ENOUGH_NEGATIVES: u64 = 16;

/// Experts whose indicators have almost no probability on queries of tasks that they were trained on.
pub(super) fn silent_indicators(case: &Case<'_>) -> Option<Finding> {
    case.evidence.indicator?;
    let silent: Vec<(usize, f64)> = (0..case.evidence.experts.len())
        .filter_map(|expert| Some((expert, mass(case, expert)?)))
        .filter(|(_, mass)| *mass < SILENT)
        .collect();
    let least = silent.iter().map(|(_, mass)| *mass).reduce(f64::min)?;
    let experts: Vec<String> = silent.iter().map(|(expert, _)| case.expert(*expert)).collect();
    let severity = if case.routes_well() { Severity::Warning } else { Severity::Failure };
    let text = format!(
        "{} {} the two indicators together almost no probability: {}{} in the median query. Neither the backbone nor the \
         training makes them likely there, so a claim is a ratio of two very small numbers.",
        the_experts(&experts),
        if experts.len() == 1 { "gives" } else { "give" },
        if experts.len() == 1 { "" } else { "as little as " },
        if least < 1e-3 { format!("{least:.1e}") } else { format!("{least:.3}") },
    );
    let mut advice = case.indicator_advice();
    advice.push("more `expert.training.epochs`, or a higher `expert.training.learning-rate`".to_owned());
    Some(Finding { experts, advice, ..finding(FindingCode::SilentIndicators, severity, text) })
}

/// Median probability of both indicators together over the queries of tasks that an expert was trained on.
fn mass(case: &Case<'_>, expert: usize) -> Option<f64> {
    let own = case.task_of(expert);
    let made = case.evidence.experts[expert].composition.as_ref();
    let known = |task: usize| own == Some(task) || made.is_none_or(|made| made.of(task) > 0);
    let queries = case.evidence.queries.iter().filter(|query| query.task.is_some_and(known));
    let masses: Vec<f64> = queries
        .filter_map(|query| query.claim(expert))
        .map(|claim| claim.accept + claim.reject)
        .filter(|mass| mass.is_finite())
        .collect();
    if masses.len() < MIN_CLAIMS { None } else { median(masses) }
}

/// Experts that answer queries of a task although they were trained to reject its examples.
pub(super) fn accepts_rejected(case: &Case<'_>) -> Option<Finding> {
    case.evidence.indicator?;
    struct Pair {
        expert: usize,
        task: usize,
        asked: usize,
        taken: usize,
        negatives: u64,
    }
    let mut pairs = Vec::new();
    for (expert, made) in case.evidence.experts.iter().enumerate() {
        let Some(made) = &made.composition else { continue };
        for task in (0..case.report.tasks.len()).filter(|task| made.of(*task) > 0) {
            let (asked, taken) = case.taken(expert, task);
            if asked >= MIN_ASKED && share(taken, asked) >= TAKEN_WARNING {
                pairs.push(Pair { expert, task, asked, taken, negatives: made.of(task) });
            }
        }
    }
    let share_of = |pair: &Pair| share(pair.taken, pair.asked);
    pairs.sort_by(|one, other| share_of(other).total_cmp(&share_of(one)));
    let worst = pairs.first()?;
    let severity = if share_of(worst) >= TAKEN_FAILURE { Severity::Failure } else { Severity::Warning };
    let part = |pair: &Pair| {
        format!(
            "that of “{}” answers {} of {} queries of “{}” after {} examples to reject",
            case.expert(pair.expert),
            pair.taken,
            pair.asked,
            case.task(pair.task),
            pair.negatives
        )
    };
    let parts: Vec<String> = pairs.iter().map(part).collect();
    let text = format!("Experts accept queries that they were trained to reject: {}.", list(&parts));
    let mut advice = Vec::new();
    if pairs.iter().any(|pair| pair.negatives < ENOUGH_NEGATIVES) {
        advice.push(format!(
            "a higher `rehearsal.selector.share` (or `.count`): at least {ENOUGH_NEGATIVES} examples per earlier task, \
             several hundred for similar tasks"
        ));
    }
    advice.extend(case.indicator_advice());
    advice.push("more `expert.training.epochs`".to_owned());
    if pairs.iter().all(|pair| pair.negatives >= ENOUGH_NEGATIVES) {
        advice.push("a higher `rehearsal.selector.share`".to_owned());
    }
    let unique = |mut names: Vec<String>| {
        let mut seen = std::collections::BTreeSet::new();
        names.retain(|name| seen.insert(name.clone()));
        names
    };
    Some(Finding {
        tasks: unique(pairs.iter().map(|pair| case.task(pair.task)).collect()),
        experts: unique(pairs.iter().map(|pair| case.expert(pair.expert)).collect()),
        advice,
        ..finding(FindingCode::AcceptsRejectedTask, severity, text)
    })
}

/// Experts that reject queries of their own task.
pub(super) fn rejects_own(case: &Case<'_>) -> Option<Finding> {
    case.evidence.indicator?;
    let mut rejecting = Vec::new();
    for expert in 0..case.evidence.experts.len() {
        let Some(task) = case.task_of(expert) else { continue };
        let asked: Vec<_> = case.queries_of(task).filter(|query| query.claim(expert).is_some()).collect();
        let rejected = asked.iter().filter(|query| {
            query.chosen != Some(expert)
                && query.claim(expert).is_some_and(|claim| claim.accept <= claim.reject)
        });
        let rejected = rejected.count();
        if asked.len() >= MIN_ASKED && share(rejected, asked.len()) >= REJECTED_WARNING {
            rejecting.push((expert, rejected, asked.len()));
        }
    }
    let worst = rejecting.iter().map(|(_, rejected, asked)| share(*rejected, *asked)).reduce(f64::max)?;
    let severity = if worst >= REJECTED_FAILURE { Severity::Failure } else { Severity::Warning };
    let part = |(expert, rejected, asked): &(usize, usize, usize)| {
        format!("that of {} {rejected} of {asked}", names(&[case.expert(*expert)]))
    };
    let parts: Vec<String> = rejecting.iter().map(part).collect();
    let text = format!("Experts reject queries of their own task: {}.", list(&parts));
    let mut advice = case.indicator_advice();
    advice.push("more `expert.training.epochs`, or a higher `expert.training.learning-rate`".to_owned());
    advice.push(
        "fewer `rehearsal.pseudo-negatives`, if examples to reject outnumber those of the task".to_owned(),
    );
    Some(Finding {
        experts: rejecting.iter().map(|(expert, ..)| case.expert(*expert)).collect(),
        advice,
        ..finding(FindingCode::RejectsOwnTask, severity, text)
    })
}
