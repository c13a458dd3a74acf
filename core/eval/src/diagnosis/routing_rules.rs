//! Rules about routing: collapse, inaccuracy, and queries from outside that experts answer.

use super::words::{Case, finding, names, share};
use super::{Finding, FindingCode, Severity};
use crate::render::percent;

/// Routing accuracy below which routing may have collapsed.
const COLLAPSED_ACCURACY: f64 = 0.6;
/// Share of other tasks' queries that one answerer takes in a collapse.
const COLLAPSE_SHARE: f64 = 0.8;
/// Routing accuracy below which inaccurate routing is reported.
const LOW_ACCURACY: f64 = 0.75;
/// Fewest queries of a share.
const MIN_QUERIES: u64 = 10;
/// Share of outside queries that reach the backbone: thresholds of warning and failure.
const OUTSIDE_WARNING: f64 = 0.7;
const OUTSIDE_FAILURE: f64 = 0.5;

/// One answerer takes nearly all queries of other tasks.
pub(super) fn collapse(case: &Case<'_>) -> Option<Finding> {
    let (answerer, taken, others) = collapsed(case)?;
    let tasks = case.report.tasks.len();
    let accuracy = percent(case.accuracy());
    let backbone = answerer == tasks;
    let text = if backbone {
        format!(
            "Routing has collapsed: the backbone answered {taken} of the {others} queries of the stream, because \
             experts do not accept queries of their own tasks; routing accuracy is {accuracy}."
        )
    } else {
        format!(
            "Routing has collapsed: the expert of “{}” answered {taken} of the {others} queries of other tasks; routing \
             accuracy is {accuracy}.",
            case.expert(answerer)
        )
    };
    let mut advice = case.indicator_advice();
    if case.evidence.indicator.is_some() && !backbone {
        advice.push(
            "more examples to reject: a higher `rehearsal.selector.share`, and `rehearsal.pseudo-negatives`"
                .to_owned(),
        );
    }
    if case.evidence.indicator.is_some() {
        advice.push("more `expert.training.epochs`, or a higher `expert.training.learning-rate`".to_owned());
    } else {
        advice.push("other settings of `routing.router`, or other `routing.descriptors`".to_owned());
    }
    let experts = if backbone { Vec::new() } else { vec![case.expert(answerer)] };
    Some(Finding { experts, advice, ..finding(FindingCode::RoutingCollapse, Severity::Failure, text) })
}

/// The answerer (the number of tasks for the backbone), the number of queries of other tasks that it took, and their total.
fn collapsed(case: &Case<'_>) -> Option<(usize, u64, u64)> {
    let routing = case.report.routing.as_ref()?;
    let tasks = routing.confusion.len();
    if tasks < 2 || routing.accuracy? >= COLLAPSED_ACCURACY {
        return None;
    }
    (0..=tasks).find_map(|answerer| {
        let rows = || routing.confusion.iter().enumerate().filter(|(task, _)| *task != answerer);
        let others: u64 = rows().map(|(_, row)| row.iter().sum::<u64>()).sum();
        let taken: u64 = rows().map(|(_, row)| row[answerer]).sum();
        let most = others >= MIN_QUERIES && taken as f64 >= COLLAPSE_SHARE * others as f64;
        most.then_some((answerer, taken, others))
    })
}

/// Many queries go to the wrong expert, but not all to one.
pub(super) fn inaccurate(case: &Case<'_>) -> Option<Finding> {
    let routing = case.report.routing.as_ref()?;
    let accuracy = routing.accuracy.filter(|accuracy| *accuracy < LOW_ACCURACY)?;
    let all: u64 = routing.confusion.iter().flatten().sum();
    if all < MIN_QUERIES || collapsed(case).is_some() {
        return None;
    }
    let wrong = routing.confusion.iter().enumerate().flat_map(|(task, row)| {
        row.iter()
            .enumerate()
            .filter(move |(answerer, _)| *answerer != task)
            .map(move |(answerer, queries)| (*queries, task, answerer))
    });
    let (most, task, answerer) = wrong.max_by_key(|(queries, ..)| *queries)?;
    let backbone = answerer == routing.confusion.len();
    let by = if backbone {
        "the backbone".to_owned()
    } else {
        format!("the expert of “{}”", case.expert(answerer))
    };
    let text = format!(
        "Routing accuracy is {}. Most often wrong: {most} queries of “{}” were answered by {by}.",
        percent(Some(accuracy)),
        case.task(task),
    );
    let advice = if case.evidence.indicator.is_some() {
        let first = if backbone {
            // Its own expert rejected them: more examples to reject would make it worse.
            "fewer examples to reject in relation to the task's own: a lower `rehearsal.pseudo-negatives.count`"
        } else {
            "more examples to reject: a higher `rehearsal.selector.share`"
        };
        vec![
            first.to_owned(),
            "a higher `indicator.loss-weight`, or more `expert.training.epochs`".to_owned(),
        ]
    } else {
        vec!["other settings of `routing.router`, or other `routing.descriptors`".to_owned()]
    };
    Some(Finding {
        tasks: vec![case.task(task)],
        advice,
        ..finding(FindingCode::RoutingInaccurate, Severity::Warning, text)
    })
}

/// Experts answer queries that belong to the backbone.
pub(super) fn outside_taken(case: &Case<'_>) -> Option<Finding> {
    let outside = case.report.out_of_distribution.as_ref()?;
    let reached = outside.to_backbone.filter(|share| *share < OUTSIDE_WARNING)?;
    if outside.queries < MIN_QUERIES {
        return None;
    }
    let severity = if reached < OUTSIDE_FAILURE { Severity::Failure } else { Severity::Warning };
    let asked = case.evidence.outside.len();
    let taken =
        |expert: usize| case.evidence.outside.iter().filter(|query| query.chosen == Some(expert)).count();
    let mut text = format!(
        "Only {} of the queries from outside the stream reached the backbone",
        percent(Some(reached))
    );
    let most = (0..case.evidence.experts.len()).map(|expert| (taken(expert), expert)).max();
    let mut experts = Vec::new();
    let mut without = false;
    if let Some((most, expert)) = most.filter(|(most, _)| share(*most, asked) >= 0.1) {
        let name = case.expert(expert);
        text.push_str(&format!(
            "; the expert of {} answered {most} of {asked}",
            names(std::slice::from_ref(&name))
        ));
        if let Some(made) = &case.evidence.experts[expert].composition {
            without = made.outside == 0;
            text.push_str(&match made.outside {
                0 => ", and was not trained to reject anything from outside".to_owned(),
                1 => ", although it was trained to reject 1 example from outside".to_owned(),
                seen => format!(", although it was trained to reject {seen} examples from outside"),
            });
        }
        experts.push(name);
    }
    text.push('.');
    let mut advice = Vec::new();
    if case.evidence.indicator.is_some() {
        advice.push(if without {
            "`rehearsal.pseudo-negatives`: general instructions that every expert is trained to reject"
                .to_owned()
        } else {
            "more, and more varied, `rehearsal.pseudo-negatives`".to_owned()
        });
    }
    advice.push("a stricter threshold of `routing.router`".to_owned());
    Some(Finding { experts, advice, ..finding(FindingCode::OutsideQueriesTaken, severity, text) })
}
