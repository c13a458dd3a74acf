//! From queries to answers: route all of them, then generate what the chosen ones say. Used by evaluation and
//! by `cadre ask` alike; scores nothing.

use cadre_contract::RouterFinding;

use super::evidence_book::{BookFinder, EvidenceBook, Probing, Watch};
use super::question::{Kind, Query, Question, Responder};
use super::route_trace::RouteTrace;
use super::routing_loop::{RouterBackend, RoutingBounds, route_all};
use crate::error::EngineError;

/// Who decides.
pub(crate) enum Routing<'a> {
    /// A router, within bounds.
    Router(&'a mut dyn RouterBackend, RoutingBounds),
    /// Nobody: every query goes here.
    Fixed(Responder),
}

/// A query's way and what it ended in.
#[derive(Debug, Clone)]
pub(crate) struct Answered {
    /// Its way.
    pub(crate) trace: RouteTrace,
    /// The answer.
    pub(crate) text: String,
}

/// Routes and answers all queries; one result each, in their order.
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
