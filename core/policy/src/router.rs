//! An open router. Every call runs in a fresh instance opened with the same settings: no state leaks between calls, and
//! a trap ends only the call.

use std::fmt;
use std::sync::Arc;

use cadre_contract::{Evidence, ExpertCard, RouterStep};
use wasmtime::{Engine, Store};

use crate::bindings::router_world::{RouterPlugin, RouterPluginPre};
use crate::columns::Columns;
use crate::guest::{self, Guest};
use crate::{AnswerProblem, Call, Limits, PluginId, PolicyError, answer_check, convert};

/// A router with its settings and experts.
pub struct Router {
    engine: Engine,
    world: RouterPluginPre<Guest>,
    id: Arc<PluginId>,
    limits: Limits,
    settings: String,
    experts: Vec<ExpertCard>,
    last: Usage,
}

/// Resource usage of the last call.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    /// Fuel used by the call, without opening.
    pub(crate) fuel: u64,
    /// Fuel limit of the call.
    pub(crate) fuel_allowed: u64,
    /// Memory of the instance, bytes.
    pub(crate) memory: u64,
}

impl fmt::Debug for Router {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Router")
            .field("id", &self.id)
            .field("settings", &self.settings)
            .field("experts", &self.experts.len())
            .finish_non_exhaustive()
    }
}

impl Router {
    pub(crate) fn open(
        engine: Engine,
        world: RouterPluginPre<Guest>,
        id: Arc<PluginId>,
        limits: Limits,
        settings: &str,
        experts: &[ExpertCard],
    ) -> Result<Self, PolicyError> {
        let router = Self {
            engine,
            world,
            id,
            limits,
            settings: settings.to_owned(),
            experts: experts.to_vec(),
            last: Usage::default(),
        };
        router.fresh()?;
        Ok(router)
    }

    /// Returns one step per query, in the same order. Steps are validated: experts exist, probes are not in the
    /// evidence yet, weights are usable. The caller checks whether a probe is granted.
    ///
    /// # Errors
    /// If the router is stopped, refuses or returns an invalid answer; it can be called again.
    pub fn route(&mut self, batch: &[Evidence]) -> Result<Vec<RouterStep>, PolicyError> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        match self.call(batch, batch_call(batch)) {
            Err(error) if names_no_query(&error) => Err(self.narrowed(batch).unwrap_or(error)),
            done => done,
        }
    }

    /// The error for a router that keeps asking about this query beyond [`Limits::rounds`].
    #[must_use]
    pub fn too_many_rounds(&self, query: u64) -> PolicyError {
        PolicyError::TooManyRounds {
            plugin: Arc::clone(&self.id),
            call: Call::RouteQuery(query),
            rounds: self.limits.rounds,
        }
    }

    pub(crate) fn last_usage(&self) -> Usage {
        self.last
    }

    fn call(&mut self, batch: &[Evidence], call: Call) -> Result<Vec<RouterStep>, PolicyError> {
        let columns = Columns::of(batch).map_err(|(query, probe)| PolicyError::WrongFinding {
            query,
            probe: answer_check::router_probe_name(probe),
        })?;
        let (mut store, instance) = self.fresh()?;
        let bytes = convert::evidence_bytes(batch);
        let said = guest::run(&mut store, &self.id, call, bytes, |store| {
            instance.cadre_policy_router().call_route(store, columns.batch())
        })?;
        let fuel_allowed = self.limits.fuel_for(bytes);
        self.last = Usage {
            fuel: fuel_allowed - store.get_fuel().unwrap_or(0),
            fuel_allowed,
            memory: store.data().memory(),
        };
        let steps =
            said.map_err(|message| PolicyError::Refused { plugin: Arc::clone(&self.id), call, message })?;
        let broken = |call, problem: AnswerProblem| PolicyError::Answer {
            plugin: Arc::clone(&self.id),
            call,
            problem,
        };
        answer_check::step_count(steps.len(), batch.len()).map_err(|problem| broken(call, problem))?;
        let steps: Vec<RouterStep> = steps.into_iter().map(convert::router_step).collect();
        for (step, evidence) in steps.iter().zip(batch) {
            answer_check::router_step(step, evidence, self.experts.len())
                .map_err(|problem| broken(Call::RouteQuery(evidence.query.id), problem))?;
        }
        Ok(steps)
    }

    /// A router is pure, so the offending query is the first that fails when routed alone.
    fn narrowed(&mut self, batch: &[Evidence]) -> Option<PolicyError> {
        batch.iter().find_map(|evidence| {
            let alone = std::slice::from_ref(evidence);
            self.call(alone, batch_call(alone)).err()
        })
    }

    /// Creates a fresh, open instance.
    fn fresh(&self) -> Result<(Store<Guest>, RouterPlugin), PolicyError> {
        let mut store = Guest::store(&self.engine, &self.limits);
        let bytes = self.settings.len() + convert::card_bytes(&self.experts);
        let (instance, opened) = guest::run(&mut store, &self.id, Call::Open, bytes, |store| {
            let instance = self.world.instantiate(&mut *store)?;
            Guest::fits(store);
            let opened = convert::with_cards(&self.experts, |cards| {
                instance.cadre_policy_router().call_open(store, &self.settings, cards)
            })?;
            Ok((instance, opened))
        })?;
        opened.map_err(|message| PolicyError::Refused {
            plugin: Arc::clone(&self.id),
            call: Call::Open,
            message,
        })?;
        Ok((store, instance))
    }
}

fn names_no_query(error: &PolicyError) -> bool {
    matches!(
        error,
        PolicyError::Stopped { call: Call::RouteBatch(_), .. }
            | PolicyError::Refused { call: Call::RouteBatch(_), .. }
            | PolicyError::Answer { call: Call::RouteBatch(_), .. }
    )
}

fn batch_call(batch: &[Evidence]) -> Call {
    match batch {
        [only] => Call::RouteQuery(only.query.id),
        _ => Call::RouteBatch(batch.len()),
    }
}
