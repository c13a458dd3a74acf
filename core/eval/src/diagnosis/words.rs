//! Shared by the rules: the data of a case, lists of names for sentences, common advice.

use super::evidence::{IndicatorForm, QueryEvidence, RunEvidence};
use super::{Finding, FindingCode, Severity};
use crate::Report;

/// Routing accuracy from which a possible cause of bad routing is only a note.
pub(super) const HEALTHY_ROUTING: f64 = 0.9;

/// Input of a rule.
pub(super) struct Case<'a> {
    pub(super) report: &'a Report,
    pub(super) evidence: &'a RunEvidence,
}

impl<'a> Case<'a> {
    /// Name of a task.
    pub(super) fn task(&self, index: usize) -> String {
        self.report.tasks.get(index).cloned().unwrap_or_else(|| format!("task {}", index + 1))
    }

    /// Name of an expert.
    pub(super) fn expert(&self, index: usize) -> String {
        let named = self.evidence.experts.get(index).map(|expert| expert.name.clone());
        named.unwrap_or_else(|| format!("expert {}", index + 1))
    }

    /// The task that an expert was trained on; `None` for an expert of the whole stream.
    pub(super) fn task_of(&self, expert: usize) -> Option<usize> {
        let name = &self.evidence.experts.get(expert)?.name;
        self.report.tasks.iter().position(|task| task == name)
    }

    /// Routing accuracy, where something is routed.
    pub(super) fn accuracy(&self) -> Option<f64> {
        self.report.routing.as_ref()?.accuracy
    }

    /// Whether routing is known to work.
    pub(super) fn routes_well(&self) -> bool {
        self.accuracy().is_some_and(|accuracy| accuracy >= HEALTHY_ROUTING)
    }

    /// Queries of a task.
    pub(super) fn queries_of(&self, task: usize) -> impl Iterator<Item = &'a QueryEvidence> {
        self.evidence.queries.iter().filter(move |query| query.task == Some(task))
    }

    /// Of a task's queries: how many the expert was asked about, and how many of those it answered.
    pub(super) fn taken(&self, expert: usize, task: usize) -> (usize, usize) {
        count_taken(self.queries_of(task), expert)
    }

    /// The same for queries from outside.
    pub(super) fn taken_outside(&self, expert: usize) -> (usize, usize) {
        count_taken(self.evidence.outside.iter(), expert)
    }

    /// Common first advice where indicators do not work.
    pub(super) fn indicator_advice(&self) -> Vec<String> {
        let mut advice = Vec::new();
        if self.evidence.indicator == Some(IndicatorForm::NewToken) {
            advice.push(
                "`indicator.kind = \"existing-token\"` with two words of the backbone's vocabulary, such as `Yes` and `No`"
                    .to_owned(),
            );
        }
        if self.evidence.indicator.is_some() {
            advice.push("a higher `indicator.loss-weight`".to_owned());
        }
        advice
    }
}

fn count_taken<'a>(queries: impl Iterator<Item = &'a QueryEvidence>, expert: usize) -> (usize, usize) {
    queries
        .filter(|query| query.claim(expert).is_some())
        .fold((0, 0), |(asked, taken), query| (asked + 1, taken + usize::from(query.chosen == Some(expert))))
}

/// A finding about tasks and experts.
pub(super) fn finding(code: FindingCode, severity: Severity, text: String) -> Finding {
    Finding { code, severity, tasks: Vec::new(), experts: Vec::new(), text, advice: Vec::new() }
}

/// Most names in a sentence.
const LISTED: usize = 4;

/// `“a”, “b” and “c”`; of many, the first four and the number of the others.
pub(super) fn names(names: &[String]) -> String {
    list(&names.iter().map(|name| format!("“{name}”")).collect::<Vec<_>>())
}

/// The same without quotes.
pub(super) fn list(parts: &[String]) -> String {
    let shown = &parts[..parts.len().min(LISTED)];
    match (shown, parts.len() - shown.len()) {
        ([], _) => String::new(),
        ([one], 0) => one.clone(),
        ([begin @ .., last], 0) => format!("{} and {last}", begin.join(", ")),
        (_, more) => format!("{} and {more} more", shown.join(", ")),
    }
}

/// `The expert of “a”`, `The experts of “a” and “b”`.
pub(super) fn the_experts(experts: &[String]) -> String {
    format!("The {} of {}", if experts.len() == 1 { "expert" } else { "experts" }, names(experts))
}

/// `part` / `whole`, 0..=1; 0 if `whole` is 0.
pub(super) fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// The median of finite values; `None` without values.
pub(super) fn median(mut values: Vec<f64>) -> Option<f64> {
    (!values.is_empty()).then(|| crate::resampling::quantile(&mut values, 0.5))
}
