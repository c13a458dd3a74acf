//! The ensemble at run time: experts on a backbone, the loops that serve routers and selectors, and the evidence book.
//! Must not depend on recipes, stages or commands.

mod answering;
mod evidence_book;
mod expert_library;
mod learner_probing;
mod question;
mod route_trace;
mod routing_loop;
mod selecting_loop;

pub(crate) use answering::{Answered, Routing, answer_all};
pub(crate) use evidence_book::{BookFinder, EvidenceBook, Watch};
pub(crate) use expert_library::{ExpertLibrary, MountedExpert};
pub(crate) use learner_probing::LearnerProbing;
pub(crate) use question::{Kind, Query, Question, Responder};
pub(crate) use route_trace::{ProbeCounter, RouteTrace, SeenClaim};
pub(crate) use routing_loop::{RouterBackend, RoutingBounds, route_all};
pub(crate) use selecting_loop::{CandidateProbes, Refused, SelectorBackend, select_all};
