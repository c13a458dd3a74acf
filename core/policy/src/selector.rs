//! An open selector. Every call runs in a fresh instance opened with the same settings.

use std::fmt;
use std::sync::Arc;

use cadre_contract::{Candidate, Order, SelectorObservation, SelectorStep};
use wasmtime::{Engine, Store};

use crate::bindings::selector_world::{SelectorPlugin, SelectorPluginPre};
use crate::guest::{self, Guest};
use crate::router::Usage;
use crate::{Call, Limits, PluginId, PolicyError, answer_check, convert};

/// A selector with its settings.
pub struct Selector {
    engine: Engine,
    world: SelectorPluginPre<Guest>,
    id: Arc<PluginId>,
    limits: Limits,
    settings: String,
    last: Usage,
}

impl fmt::Debug for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Selector")
            .field("id", &self.id)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl Selector {
    pub(crate) fn open(
        engine: Engine,
        world: SelectorPluginPre<Guest>,
        id: Arc<PluginId>,
        limits: Limits,
        settings: &str,
    ) -> Result<Self, PolicyError> {
        let selector =
            Self { engine, world, id, limits, settings: settings.to_owned(), last: Usage::default() };
        selector.fresh()?;
        Ok(selector)
    }

    /// Returns the next step. It is validated: candidates exist and are picked once, probes are not in the evidence
    /// yet, numbers are usable.
    ///
    /// # Errors
    /// If the selector is stopped, refuses or returns an invalid answer; it can be called again.
    pub fn select(
        &mut self,
        order: &Order,
        candidates: &[Candidate],
        observations: &[SelectorObservation],
    ) -> Result<SelectorStep, PolicyError> {
        let call = Call::Select(order.task);
        let (mut store, instance) = self.fresh()?;
        let bytes = convert::selection_bytes(candidates, observations);
        let said = guest::run(&mut store, &self.id, call, bytes, |store| {
            convert::with_selection(candidates, observations, |candidates, observations| {
                instance.cadre_policy_selector().call_select(
                    store,
                    convert::order(order),
                    candidates,
                    observations,
                )
            })
        })?;
        let fuel_allowed = self.limits.fuel_for(bytes);
        self.last = Usage {
            fuel: fuel_allowed - store.get_fuel().unwrap_or(0),
            fuel_allowed,
            memory: store.data().memory(),
        };
        let step =
            said.map_err(|message| PolicyError::Refused { plugin: Arc::clone(&self.id), call, message })?;
        let step = convert::selector_step(step);
        answer_check::selector_step(&step, order, candidates, observations)
            .map_err(|problem| PolicyError::Answer { plugin: Arc::clone(&self.id), call, problem })?;
        Ok(step)
    }

    /// The error for a selector that keeps asking beyond [`Limits::rounds`].
    #[must_use]
    pub fn too_many_rounds(&self, task: u32) -> PolicyError {
        PolicyError::TooManyRounds {
            plugin: Arc::clone(&self.id),
            call: Call::Select(task),
            rounds: self.limits.rounds,
        }
    }

    pub(crate) fn last_usage(&self) -> Usage {
        self.last
    }

    /// Creates a fresh, open instance.
    fn fresh(&self) -> Result<(Store<Guest>, SelectorPlugin), PolicyError> {
        let mut store = Guest::store(&self.engine, &self.limits);
        let (instance, opened) =
            guest::run(&mut store, &self.id, Call::Open, self.settings.len(), |store| {
                let instance = self.world.instantiate(&mut *store)?;
                Guest::fits(store);
                let opened = instance.cadre_policy_selector().call_open(store, &self.settings)?;
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
