//! Rules about trainings: too few steps, a warm-up that takes most of them, a loss that does not fall or is still falling at the
//! end.

use super::evidence::TrainingEvidence;
use super::words::{Case, finding, the_experts};
use super::{Finding, FindingCode, Severity};

/// Optimizer steps below which a training is short.
const FEW_STEPS: usize = 30;
/// Largest share of the steps for the warm-up.
const WARM_UP_SHARE: f64 = 0.5;
/// Routing accuracy below which a short training counts as the cause of a failure.
const FAILED_ROUTING: f64 = 0.6;
/// Fewest steps for rules about the loss; they compare its first, last and last but one fifth.
const MIN_COURSE: usize = 20;
/// Loss, nats per token, below which a falling loss is not reported.
const SMALL_LOSS: f64 = 0.2;
/// A loss has not fallen if the ratio of its end to its beginning is at least this.
const NOT_FALLEN: f64 = 0.95;
/// Least loss at the beginning, nats per token, for the rule about losses that do not fall.
const HIGH_LOSS: f64 = 0.5;
/// A loss is still falling steeply if its last fifth is lower than the fifth before by at least this share. Under a cosine
/// schedule the last fifth of a healthy training is up to 0.3 lower.
const STEEP: f64 = 0.35;

/// Experts whose training meets a condition.
fn experts_with(case: &Case<'_>, meets: impl Fn(&TrainingEvidence) -> bool) -> Vec<usize> {
    let trained = case.evidence.experts.iter().enumerate();
    let met = trained.filter(|(_, expert)| expert.training.as_ref().is_some_and(&meets));
    met.map(|(expert, _)| expert).collect()
}

/// The range of a count over experts, as text.
fn range(case: &Case<'_>, experts: &[usize], of: impl Fn(&TrainingEvidence) -> u64) -> String {
    let counts =
        || experts.iter().filter_map(|expert| case.evidence.experts[*expert].training.as_ref()).map(&of);
    match (counts().min().unwrap_or(0), counts().max().unwrap_or(0)) {
        (least, most) if least == most => least.to_string(),
        (least, most) => format!("{least} to {most}"),
    }
}

fn named(case: &Case<'_>, experts: &[usize]) -> Vec<String> {
    experts.iter().map(|expert| case.expert(*expert)).collect()
}

/// Few optimizer steps.
pub(super) fn short(case: &Case<'_>) -> Option<Finding> {
    let experts = experts_with(case, |training| training.losses.len() < FEW_STEPS);
    if experts.is_empty() {
        return None;
    }
    let severity = match case.accuracy() {
        Some(_) if case.routes_well() => Severity::Note,
        Some(accuracy) if accuracy < FAILED_ROUTING => Severity::Failure,
        _ => Severity::Warning,
    };
    let names = named(case, &experts);
    let text = format!(
        "{} {} trained for only {} optimizer steps.",
        the_experts(&names),
        if names.len() == 1 { "was" } else { "were" },
        range(case, &experts, |training| training.losses.len() as u64)
    );
    let advice = vec![
        "more `expert.training.epochs`, a smaller `expert.training.batch` or more training examples"
            .to_owned(),
    ];
    Some(Finding { experts: names, advice, ..finding(FindingCode::TrainingShort, severity, text) })
}

/// A warm-up that takes most of the training.
pub(super) fn long_warm_up(case: &Case<'_>) -> Option<Finding> {
    let long = |training: &TrainingEvidence| {
        training.warmup > 0 && training.warmup as f64 >= WARM_UP_SHARE * training.losses.len() as f64
    };
    let experts = experts_with(case, long);
    if experts.is_empty() {
        return None;
    }
    let severity = if case.routes_well() { Severity::Note } else { Severity::Warning };
    let names = named(case, &experts);
    let text = format!(
        "The warm-up of {} steps takes half of the training or more: {} trained for {} steps.",
        range(case, &experts, |training| training.warmup),
        the_experts(&names).replacen("The", "the", 1) + if names.len() == 1 { " was" } else { " were" },
        range(case, &experts, |training| training.losses.len() as u64)
    );
    let advice = vec!["a shorter `expert.training.warmup`, or more `expert.training.epochs`".to_owned()];
    Some(Finding { experts: names, advice, ..finding(FindingCode::WarmUpLong, severity, text) })
}

/// A loss that ends where it began.
pub(super) fn not_falling(case: &Case<'_>) -> Option<Finding> {
    let flat = |training: &TrainingEvidence| {
        course(training).is_some_and(|(first, _, last)| first >= HIGH_LOSS && last >= NOT_FALLEN * first)
    };
    let experts = experts_with(case, flat);
    if experts.is_empty() {
        return None;
    }
    let names = named(case, &experts);
    let courses =
        experts.iter().filter_map(|expert| course(case.evidence.experts[*expert].training.as_ref()?));
    let (first, _, last) = courses.max_by(|one, other| one.2.total_cmp(&other.2))?;
    let text = format!(
        "{} learned almost nothing: the loss went from {first:.2} to {last:.2} nats per token (means of the first and the \
         last fifth of the steps).",
        the_experts(&names)
    );
    let advice = vec![
        "a higher `expert.training.learning-rate`, or more `expert.training.epochs`".to_owned(),
        "more `expert.adapter.targets`, or a higher `expert.adapter.rank`".to_owned(),
    ];
    Some(Finding { experts: names, advice, ..finding(FindingCode::LossNotFalling, Severity::Warning, text) })
}

/// A loss that falls steeply when the training ends.
pub(super) fn still_falling(case: &Case<'_>) -> Option<Finding> {
    let steep = |training: &TrainingEvidence| {
        course(training).is_some_and(|(_, before, last)| last >= SMALL_LOSS && last <= (1.0 - STEEP) * before)
    };
    let experts = experts_with(case, steep);
    if experts.is_empty() {
        return None;
    }
    let severity = if case.routes_well() { Severity::Note } else { Severity::Warning };
    let names = named(case, &experts);
    let courses =
        experts.iter().filter_map(|expert| course(case.evidence.experts[*expert].training.as_ref()?));
    let (_, before, last) = courses.min_by(|one, other| (one.2 / one.1).total_cmp(&(other.2 / other.1)))?;
    let text = format!(
        "The training of {} ended while the loss was still falling: from {before:.2} to {last:.2} nats per token over the \
         last two fifths of the steps.",
        the_experts(&names).replacen("The", "the", 1)
    );
    let advice = vec!["more `expert.training.epochs`".to_owned()];
    Some(Finding { experts: names, advice, ..finding(FindingCode::LossStillFalling, severity, text) })
}

/// Mean losses of the first, the last but one and the last fifth of the steps; `None` for a short training.
fn course(training: &TrainingEvidence) -> Option<(f64, f64, f64)> {
    let losses = &training.losses;
    if losses.len() < MIN_COURSE || losses.iter().any(|loss| !loss.is_finite()) {
        return None;
    }
    let fifth = losses.len() / 5;
    let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
    let end = losses.len();
    Some((mean(&losses[..fifth]), mean(&losses[end - 2 * fifth..end - fifth]), mean(&losses[end - fifth..])))
}
