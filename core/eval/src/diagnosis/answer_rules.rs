//! Rules about the texts of answers: the same answer to nearly all queries of a task.

use std::collections::BTreeMap;

use super::words::{Case, finding, list, share};
use super::{Finding, FindingCode, Severity};

/// Fewest known answers to queries of a task.
const MIN_ANSWERS: usize = 10;
/// Share of the known answers that are the same text, and share of the references from which a task has only one answer.
const SAME_SHARE: f64 = 0.9;
/// Most characters of an answer in the text of the finding.
const SHOWN: usize = 40;

/// Tasks whose queries nearly all get the same answer, although their references differ.
pub(super) fn constant(case: &Case<'_>) -> Option<Finding> {
    let mut tasks = Vec::new();
    let mut parts = Vec::new();
    for task in 0..case.report.tasks.len() {
        let known: Vec<(&str, &str)> = case
            .queries_of(task)
            .filter_map(|query| Some((query.answer.as_deref()?.trim(), query.reference.as_deref()?.trim())))
            .collect();
        let (answer, answers) = commonest(known.iter().map(|(answer, _)| *answer));
        let (_, references) = commonest(known.iter().map(|(_, reference)| *reference));
        let constant = share(answers, known.len()) >= SAME_SHARE;
        let one_reference = share(references, known.len()) >= SAME_SHARE;
        // Empty answers have a rule of their own.
        if known.len() < MIN_ANSWERS || answer.is_empty() || !constant || one_reference {
            continue;
        }
        tasks.push(case.task(task));
        parts.push(format!(
            "“{}” to {answers} of {} queries of “{}”",
            shown(answer),
            known.len(),
            case.task(task)
        ));
    }
    if tasks.is_empty() {
        return None;
    }
    let text = format!(
        "The same answer to nearly all queries, although the expected answers differ: {}. The model answers without reading the \
         input: it has learned the most frequent response, or the input is not in its prompt.",
        list(&parts)
    );
    let advice = vec![
        "`cadre data show`: the prompts must contain the input (`stream.template`, `stream.fields`, \
         `expert.training.max-prompt`)"
            .to_owned(),
        "more `expert.training.epochs`; another `expert.training.learning-rate`: lower if the loss rose, else higher".to_owned(),
        "training rows in which no response is much more frequent than the others".to_owned(),
    ];
    Some(Finding { tasks, advice, ..finding(FindingCode::ConstantAnswers, Severity::Warning, text) })
}

/// The most frequent text and how often it occurs; of equals, the first in alphabetical order.
fn commonest<'a>(texts: impl Iterator<Item = &'a str>) -> (&'a str, usize) {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    texts.for_each(|text| *counts.entry(text).or_default() += 1);
    counts.into_iter().rev().max_by_key(|(_, count)| *count).unwrap_or(("", 0))
}

/// An answer on one line, shortened.
fn shown(answer: &str) -> String {
    let line = answer.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}
