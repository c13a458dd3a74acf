//! The routing loop with fake routers and a fake probe source: the probes, their batches, and what is rejected.

use cadre_contract::{Claim, Evidence, RouterFinding, RouterProbe, RouterStep, Share};
use cadre_recipe::Fallback;

use super::{ProbeSource, RouterBackend, RoutingBounds, route_all};
use crate::ensemble::question::{Kind, Query, Question, Responder};
use crate::error::EngineError;

struct Fake<F>(F);

impl<F: FnMut(&Evidence) -> RouterStep> RouterBackend for Fake<F> {
    fn decide(&mut self, batch: &[Evidence]) -> Result<Vec<RouterStep>, EngineError> {
        Ok(batch.iter().map(&mut self.0).collect())
    }
    fn name(&self) -> &str {
        "fake"
    }
}

/// Accepts a query only for expert `id % 3`; records the size of each pass.
#[derive(Default)]
struct Finder {
    passes: Vec<(Kind, usize)>,
}

impl ProbeSource for Finder {
    fn find_out(&mut self, asked: &[(Question, &Query)]) -> Result<Vec<RouterFinding>, EngineError> {
        self.passes.push((asked[0].0.kind, asked.len()));
        Ok(asked
            .iter()
            .map(|(question, query)| match (&question.kind, &question.responder) {
                (Kind::Claim, Responder::Expert(expert)) => {
                    let accept = if u64::from(*expert) == query.id % 3 { 0.9 } else { 0.1 };
                    RouterFinding::Claim(Claim { accept, reject: 1.0 - accept })
                }
                (Kind::Embedding, _) => RouterFinding::Embedding(vec![1.0]),
                _ => RouterFinding::Surprise(0.5),
            })
            .collect())
    }
}

const BOUNDS: RoutingBounds = RoutingBounds {
    max_rounds: 8,
    grant_task: false,
    experts: 3,
    claims: true,
    fallback: Fallback::Backbone,
};

fn queries(count: u64) -> Vec<Query> {
    (0..count)
        .map(|id| Query::new(id, format!("query {id}"), vec![1, id as u32], Some((id % 3) as u32)))
        .collect()
}

/// From newest to oldest, like SEE.
fn sequential(evidence: &Evidence) -> RouterStep {
    if let Some(seen) = evidence.observations.last()
        && let (RouterProbe::Claim(expert), RouterFinding::Claim(claim)) = (&seen.probe, &seen.finding)
        && claim.accept >= 0.5
    {
        return RouterStep::Choose(*expert);
    }
    match 2_u32.checked_sub(evidence.observations.len() as u32) {
        Some(next) => RouterStep::Ask(vec![RouterProbe::Claim(next)]),
        None => RouterStep::Backbone,
    }
}

#[test]
fn all_pending_queries_go_through_one_expert_together() {
    let mut finder = Finder::default();
    let traces = route_all(&mut Fake(sequential), &queries(300), BOUNDS, &mut finder).unwrap();
    assert_eq!(finder.passes, [(Kind::Claim, 300), (Kind::Claim, 200), (Kind::Claim, 100)]);
    for (id, trace) in traces.iter().enumerate() {
        assert_eq!(trace.responder, Responder::Expert(id as u32 % 3));
        assert_eq!(trace.claims().count(), 3 - id % 3);
        assert_eq!(trace.rounds as usize, 4 - id % 3);
    }
}

#[test]
fn one_round_is_one_pass_per_kind() {
    let mut finder = Finder::default();
    let step = |evidence: &Evidence| match evidence.observations.len() {
        0 => RouterStep::Ask(vec![
            RouterProbe::Claim(0),
            RouterProbe::Embedding,
            RouterProbe::Claim(2),
            RouterProbe::Surprise(None),
        ]),
        _ => RouterStep::Backbone,
    };
    let traces = route_all(&mut Fake(step), &queries(2), BOUNDS, &mut finder).unwrap();
    assert_eq!(finder.passes, [(Kind::Embedding, 2), (Kind::Claim, 4), (Kind::Surprise, 2)]);
    let kinds: Vec<_> = traces[1].observations.iter().map(|seen| seen.probe.clone()).collect();
    let asked =
        [RouterProbe::Claim(0), RouterProbe::Embedding, RouterProbe::Claim(2), RouterProbe::Surprise(None)];
    assert_eq!(kinds, asked);
}

#[test]
fn the_true_task_is_revealed_only_where_granted() {
    let step = |evidence: &Evidence| match evidence.observations.first().map(|seen| &seen.finding) {
        Some(RouterFinding::Task(Some(expert))) => RouterStep::Choose(*expert),
        Some(_) => RouterStep::Backbone,
        None => RouterStep::Ask(vec![RouterProbe::Task]),
    };
    let refused = route_all(&mut Fake(step), &queries(4), BOUNDS, &mut Finder::default());
    assert!(matches!(refused, Err(EngineError::TaskNotGranted { .. })));
    let granted = RoutingBounds { grant_task: true, ..BOUNDS };
    let traces = route_all(&mut Fake(step), &queries(4), granted, &mut Finder::default()).unwrap();
    assert_eq!(traces[2].responder, Responder::Expert(2));
    assert_eq!(traces[3].responder, Responder::Expert(0));
}

#[test]
fn endless_asking_ends() {
    let step = |_: &Evidence| RouterStep::Ask(vec![RouterProbe::Embedding]);
    let error = route_all(&mut Fake(step), &queries(1), BOUNDS, &mut Finder::default()).unwrap_err();
    assert!(matches!(error, EngineError::TooManyRounds { limit: 8, .. }), "{error}");
}

#[test]
fn a_router_may_use_all_its_rounds() {
    let step = |evidence: &Evidence| match evidence.observations.len() {
        0..8 => RouterStep::Ask(vec![RouterProbe::Surprise(None)]),
        _ => RouterStep::Backbone,
    };
    let traces = route_all(&mut Fake(step), &queries(1), BOUNDS, &mut Finder::default()).unwrap();
    assert_eq!(traces[0].rounds, 9);
}

#[test]
fn an_unknown_expert_is_refused() {
    let step = |_: &Evidence| RouterStep::Ask(vec![RouterProbe::Claim(3)]);
    let error = route_all(&mut Fake(step), &queries(1), BOUNDS, &mut Finder::default()).unwrap_err();
    assert!(matches!(error, EngineError::NoSuchExpert { expert: 3, experts: 3, .. }), "{error}");
}

#[test]
fn claims_need_an_indicator() {
    let bounds = RoutingBounds { claims: false, ..BOUNDS };
    let error = route_all(&mut Fake(sequential), &queries(1), bounds, &mut Finder::default()).unwrap_err();
    assert!(matches!(error, EngineError::NoClaims { .. }), "{error}");
}

#[test]
fn shares_are_normalised_and_one_share_is_that_expert() {
    let share = |expert, weight| Share { expert, weight };
    let step = |evidence: &Evidence| match evidence.query.id {
        0 => RouterStep::Mix(vec![share(0, 1.0), share(2, 3.0)]),
        _ => RouterStep::Mix(vec![share(1, 2.0), share(2, 0.0)]),
    };
    let traces = route_all(&mut Fake(step), &queries(2), BOUNDS, &mut Finder::default()).unwrap();
    assert_eq!(traces[0].responder, Responder::Mix(vec![(0, 0.25_f32.to_bits()), (2, 0.75_f32.to_bits())]));
    assert_eq!(traces[0].responder.chosen(), Some(2));
    assert_eq!(traces[1].responder, Responder::Expert(1));
}

#[test]
fn a_step_too_few_is_an_error() {
    struct Short;
    impl RouterBackend for Short {
        fn decide(&mut self, batch: &[Evidence]) -> Result<Vec<RouterStep>, EngineError> {
            Ok(vec![RouterStep::Backbone; batch.len() - 1])
        }
        fn name(&self) -> &str {
            "short"
        }
    }
    let error = route_all(&mut Short, &queries(3), BOUNDS, &mut Finder::default()).unwrap_err();
    assert!(matches!(error, EngineError::WrongStepCount { queries: 3, steps: 2, .. }), "{error}");
}
