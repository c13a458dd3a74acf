//! The trace of one query: its probes, their findings, and the responder. Stored with every row of the score matrix,
//! shown by `cadre ask`.

use std::collections::HashSet;

use cadre_contract::{RouterFinding, RouterObservation};
use cadre_store::Digest;
use serde::{Deserialize, Serialize};

use super::question::{Query, Question, Responder};

/// How one query was routed.
#[derive(Debug, Clone)]
pub(crate) struct RouteTrace {
    /// The query's digest.
    pub(crate) query: Digest,
    /// All probes and findings, in order.
    pub(crate) observations: Vec<RouterObservation>,
    /// Number of router calls for this query.
    pub(crate) rounds: u32,
    /// The responder that answers.
    pub(crate) responder: Responder,
}

/// An expert's claim on a query, as the router saw it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct SeenClaim {
    pub(crate) expert: u32,
    pub(crate) accept: f32,
    pub(crate) reject: f32,
}

impl SeenClaim {
    /// Renormalised claim: accept / (accept + reject), in 0..1; 0 if both are 0.
    pub(crate) fn share(&self) -> f64 {
        let (accept, reject) = (f64::from(self.accept), f64::from(self.reject));
        if accept + reject > 0.0 { accept / (accept + reject) } else { 0.0 }
    }
}

impl RouteTrace {
    /// The trace of a query without a router: it goes directly to `responder`.
    pub(crate) fn straight(query: &Query, responder: Responder) -> Self {
        Self { query: query.digest, observations: Vec::new(), rounds: 0, responder }
    }

    /// The claims among the observations, in the order of the probes.
    pub(crate) fn claims(&self) -> impl Iterator<Item = SeenClaim> {
        self.observations.iter().filter_map(|seen| match (&seen.probe, &seen.finding) {
            (cadre_contract::RouterProbe::Claim(expert), RouterFinding::Claim(claim)) => {
                Some(SeenClaim { expert: *expert, accept: claim.accept, reject: claim.reject })
            }
            _ => None,
        })
    }
}

/// Number of probes: `asked` counts requests, `computed` the distinct ones. Both ignore what was cached, so that they
/// are the same after a kill and in a second run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct ProbeCount {
    /// Requests made by the router.
    pub(crate) asked: u64,
    /// Distinct questions among them that a model has to answer.
    pub(crate) computed: u64,
}

/// Counts probes over many traces.
#[derive(Debug, Default)]
pub(crate) struct ProbeCounter {
    asked: u64,
    distinct: HashSet<(Digest, Question)>,
}

impl ProbeCounter {
    /// Adds one question about one query.
    pub(crate) fn add(&mut self, query: Digest, question: Option<Question>) {
        self.asked += 1;
        if let Some(question) = question {
            self.distinct.insert((query, question));
        }
    }

    /// The counts.
    pub(crate) fn count(&self) -> ProbeCount {
        ProbeCount { asked: self.asked, computed: self.distinct.len() as u64 }
    }
}
