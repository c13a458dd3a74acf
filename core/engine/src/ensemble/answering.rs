//! Answers queries: routes all of them, then generates answers from the chosen responders. Used by evaluation and by
//! `cadre ask`.

use cadre_contract::RouterFinding;

use super::evidence_book::{BookFinder, EvidenceBook, Probing, Watch};
use super::question::{Kind, Query, Question, Responder};
use super::route_trace::RouteTrace;
use super::routing_loop::{RouterBackend, RoutingBounds, route_all};
use crate::error::EngineError;

/// How the responder of a query is chosen.
pub(crate) enum Routing<'a> {
    /// By a router, within bounds.
    Router(&'a mut dyn RouterBackend, RoutingBounds),
    /// Fixed: the same responder for every query.
    Fixed(Responder),
}

/// A routed query and its answer.
#[derive(Debug, Clone)]
pub(crate) struct Answered {
    /// How the query was routed.
    pub(crate) trace: RouteTrace,
    /// The answer.
    pub(crate) text: String,
}

/// Routes and answers all queries; returns one result per query, in order.
pub(crate) fn answer_all(
    guide: Routing<'_>,
    queries: &[Query],
    book: &EvidenceBook,
    probing: &dyn Probing,
    watch: &dyn Watch,
) -> Result<Vec<Answered>, EngineError> {
    let traces = match guide {
        Routing::Router(router, bounds) => {
            route_all(router, queries, bounds, &mut BookFinder { book, probing, watch })?
        }
        Routing::Fixed(responder) => {
            queries.iter().map(|query| RouteTrace::straight(query, responder.clone())).collect()
        }
    };
    let asked: Vec<(Question, &Query)> = traces
        .iter()
        .zip(queries)
        .map(|(trace, query)| (Question::answer(trace.responder.clone()), query))
        .collect();
    let findings = book.find(probing, Kind::Answer, &asked, watch)?;
    traces
        .into_iter()
        .zip(findings)
        .map(|(trace, finding)| match finding {
            RouterFinding::Answer(answer) => Ok(Answered { trace, text: answer.text }),
            _ => Err(EngineError::FindingsMissing { asked: queries.len() }),
        })
        .collect()
}
