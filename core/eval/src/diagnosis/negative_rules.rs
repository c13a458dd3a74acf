//! Rules about examples to reject: none, or too few.

use super::claim_rules::ENOUGH_NEGATIVES;
use super::words::{Case, finding, list, share, the_experts};
use super::{Finding, FindingCode, Severity};

/// Fewest queries that an expert was asked about for harm to count.
const MIN_ASKED: usize = 5;
/// Share of queries that an expert takes without having been trained to reject them: thresholds of warning and failure.
const HARM_WARNING: f64 = 0.1;
const HARM_FAILURE: f64 = 0.5;

/// Experts that were trained without an example to reject. The first expert of a stream has no earlier task, so only outside
/// examples could provide one.
pub(super) fn no_negatives(case: &Case<'_>) -> Option<Finding> {
    case.evidence.indicator?;
    let mut without = Vec::new();
    let mut worst = 0.0_f64;
    let mut parts = Vec::new();
    for (expert, made) in case.evidence.experts.iter().enumerate() {
        if made.composition.as_ref().is_none_or(|made| made.total() > 0) {
            continue;
        }
        let own = case.task_of(expert);
        let (mut asked, mut taken) = (0, 0);
        for task in (0..case.report.tasks.len()).filter(|task| Some(*task) != own) {
            let (more_asked, more_taken) = case.taken(expert, task);
            asked += more_asked;
            taken += more_taken;
        }
        let (outside, outside_taken) = case.taken_outside(expert);
        if asked + outside == 0 {
            continue;
        }
        if asked >= MIN_ASKED {
            worst = worst.max(share(taken, asked));
        }
        if outside >= MIN_ASKED {
            worst = worst.max(share(outside_taken, outside));
        }
        without.push(case.expert(expert));
        if asked > 0 {
            parts.push(format!("{taken} of {asked} queries of other tasks"));
        }
        if outside > 0 {
            parts.push(format!("{outside_taken} of {outside} queries from outside"));
        }
    }
    if without.is_empty() {
        return None;
    }
    let text = format!(
        "{} {} not trained to reject anything, and took {} that reached {}.",
        the_experts(&without),
        if without.len() == 1 { "was" } else { "were" },
        list(&parts),
        if without.len() == 1 { "it" } else { "them" }
    );
    let advice = vec![
        "`rehearsal.pseudo-negatives`: general instructions that every expert, including the first, is trained to reject"
            .to_owned(),
    ];
    Some(Finding { experts: without, advice, ..finding(FindingCode::NoNegatives, by_harm(worst), text) })
}

/// Experts with few or no examples to reject of an earlier task, or few in all.
pub(super) fn few_negatives(case: &Case<'_>) -> Option<Finding> {
    case.evidence.indicator?;
    let mut few: Vec<(u64, usize, Option<usize>)> = Vec::new();
    let mut worst = 0.0_f64;
    for (expert, made) in case.evidence.experts.iter().enumerate() {
        let Some(made) = made.composition.as_ref().filter(|made| made.total() > 0) else { continue };
        let earlier = 0..case.task_of(expert).unwrap_or(0);
        let least = earlier.clone().map(|task| (made.of(task), expert, Some(task))).min();
        let total = (made.total(), expert, None);
        let found = least.into_iter().chain([total]).find(|(seen, ..)| *seen < ENOUGH_NEGATIVES);
        let (outside, outside_taken) = case.taken_outside(expert);
        if found.is_some() && made.outside < ENOUGH_NEGATIVES && outside >= MIN_ASKED {
            worst = worst.max(share(outside_taken, outside));
        }
        few.extend(found);
        for task in earlier.filter(|task| made.of(*task) < ENOUGH_NEGATIVES) {
            let (asked, taken) = case.taken(expert, task);
            if asked >= MIN_ASKED {
                worst = worst.max(share(taken, asked));
            }
        }
    }
    let (seen, expert, task) = few.iter().min().copied()?;
    let experts: Vec<String> = few.iter().map(|(_, expert, _)| case.expert(*expert)).collect();
    let of = task.map_or_else(|| "in all".to_owned(), |task| format!("of “{}”", case.task(task)));
    let text = format!(
        "{} had few examples to reject (fewer than {ENOUGH_NEGATIVES}). The fewest: {seen} {of}, for the expert of “{}”.",
        the_experts(&experts),
        case.expert(expert)
    );
    let mut advice = vec![format!(
        "a higher `rehearsal.selector.share` (or `.count`): at least {ENOUGH_NEGATIVES} examples per earlier task"
    )];
    let compositions = || case.evidence.experts.iter().filter_map(|made| made.composition.as_ref());
    if compositions().any(|made| made.outside < ENOUGH_NEGATIVES) {
        advice.push("`rehearsal.pseudo-negatives`, which every expert is trained to reject".to_owned());
    }
    Some(Finding { experts, advice, ..finding(FindingCode::FewNegatives, by_harm(worst), text) })
}

fn by_harm(share: f64) -> Severity {
    match share {
        _ if share >= HARM_FAILURE => Severity::Failure,
        _ if share >= HARM_WARNING => Severity::Warning,
        _ => Severity::Note,
    }
}
