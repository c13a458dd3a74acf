//! Methods that compute with tensors: their hooks are traced into programs. A trace runs in a fresh instance, so that no
//! state leaks from one call into the next.

mod call;
mod sample;
mod schedule;
mod tracer;

pub(crate) use tracer::Trace;

use std::fmt;
use std::sync::Arc;

use cadre_contract::program::{ProgramLimits, TensorType};
use cadre_contract::{Declarations, Hook, HookCall, PolicyDeclaration, Traced};
use serde_json::Value;
use wasmtime::{Engine, Store};

use crate::bindings::method_world::{Methods as Instance, MethodsPre};
use crate::guest::{self, Guest};
use crate::{Call, Limits, PluginId, PolicyError};

pub use sample::{SampleShape, sample_settings};
pub use schedule::{
    Directive, LogitStream, ModelShape, ParameterInit, ParameterSpec, StreamSource, TrainingPart,
};

/// A loaded collection of methods.
#[derive(Clone)]
pub struct Methods {
    engine: Engine,
    world: MethodsPre<Guest>,
    declarations: Arc<Declarations>,
    id: Arc<PluginId>,
    limits: Limits,
    program_limits: ProgramLimits,
}

impl fmt::Debug for Methods {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Methods").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Methods {
    pub(crate) fn open(
        engine: Engine,
        world: MethodsPre<Guest>,
        declarations: Arc<Declarations>,
        id: Arc<PluginId>,
        limits: Limits,
    ) -> Self {
        Self { engine, world, declarations, id, limits, program_limits: ProgramLimits::default() }
    }

    /// The same collection with other limits on programs.
    #[must_use]
    pub fn with_program_limits(self, program_limits: ProgramLimits) -> Self {
        Self { program_limits, ..self }
    }

    /// The policies.
    #[must_use]
    pub fn declarations(&self) -> &Declarations {
        &self.declarations
    }

    /// Name, file and digest.
    #[must_use]
    pub fn id(&self) -> &PluginId {
        &self.id
    }

    /// Calls a hook with symbolic tensors and returns its program.
    ///
    /// # Errors
    /// If the policy does not declare the hook, refuses, applies an operation to tensors that do not fit it, exceeds a
    /// limit, or returns something of the wrong shape.
    pub fn trace(&self, call: &HookCall) -> Result<Traced, PolicyError> {
        self.declared(&call.policy, call.hook)?;
        let settings = Value::Object(call.settings.clone()).to_string();
        let limits = ProgramLimits { host_only: !call.differentiable, ..self.program_limits.clone() };
        let trace =
            Trace::new(call, limits).map_err(|problem| self.refused(call.hook, &call.policy, problem))?;
        let bytes = settings.len() + call::input_bytes(call);
        let (mut store, instance) = self.instance(call.hook, bytes, Some(trace))?;
        let returned = guest::run(&mut store, &self.id, Call::Hook(call.hook), bytes, |store| {
            call::call(store, &instance, call, &settings)
        });
        let words = store.data().last_words();
        let fuller = |problem: String| match words.is_empty() {
            true => problem,
            // A panic of the SDK repeats the problem and adds file and line.
            false if words.contains(&problem) => words.clone(),
            false => format!("{problem}; its last log lines: {words}"),
        };
        let trace = store.data_mut().trace.take();
        let refusal = trace.as_ref().and_then(|trace| trace.refusal().map(str::to_owned));
        if let Some(refusal) = refusal {
            return Err(self.refused(call.hook, &call.policy, fuller(refusal)));
        }
        let returned = returned?;
        let (outputs, others) = returned.map_err(|message| self.refused(call.hook, &call.policy, message))?;
        let Some(trace) = trace else { unreachable!("the trace is taken here only") };
        let (builder, facts) = trace.into_parts();
        call::check(call, &builder, &outputs)
            .map_err(|problem| self.refused(call.hook, &call.policy, problem))?;
        let program = builder
            .finish(outputs)
            .map_err(|refused| self.refused(call.hook, &call.policy, refused.to_string()))?;
        let others = match others.trim() {
            "" => serde_json::Map::new(),
            text => serde_json::from_str(text).map_err(|error| {
                self.refused(
                    call.hook,
                    &call.policy,
                    format!("its other outputs are not a JSON object: {error}"),
                )
            })?,
        };
        Ok(Traced { program, facts, others })
    }

    /// The declaration of a policy.
    ///
    /// # Errors
    /// The collection has no policy of this name.
    pub fn policy(&self, name: &str) -> Result<&PolicyDeclaration, PolicyError> {
        self.declarations.find(name).ok_or_else(|| {
            let names: Vec<&str> =
                self.declarations.policies.iter().map(|policy| policy.name.as_str()).collect();
            PolicyError::NoPolicy {
                plugin: Arc::clone(&self.id),
                name: name.to_owned(),
                known: names.join(", "),
            }
        })
    }

    fn declared(&self, policy: &str, hook: Hook) -> Result<(), PolicyError> {
        let declaration = self.policy(policy)?;
        match hook == Hook::PlayCase || declaration.hooks.contains(&hook) {
            true => Ok(()),
            false => Err(self.refused(hook, policy, "the policy does not declare this hook".to_owned())),
        }
    }

    /// A fresh instance.
    fn instance(
        &self,
        hook: Hook,
        bytes: usize,
        trace: Option<Trace>,
    ) -> Result<(Store<Guest>, Instance), PolicyError> {
        let mut store = Guest::store(&self.engine, &self.limits);
        store.data_mut().trace = trace;
        let instance = guest::run(&mut store, &self.id, Call::Hook(hook), bytes, |store| {
            let instance = self.world.instantiate(&mut *store)?;
            Guest::fits(store);
            Ok(instance)
        })?;
        Ok((store, instance))
    }

    fn refused(&self, hook: Hook, policy: &str, message: String) -> PolicyError {
        PolicyError::Refused {
            plugin: Arc::clone(&self.id),
            call: Call::Hook(hook),
            message: format!("`{policy}`: {message}"),
        }
    }
}

/// A type and where it is expected.
fn expected(what: &str, found: &TensorType, wanted: &TensorType) -> Result<(), String> {
    match found == wanted {
        true => Ok(()),
        false => Err(format!("it returned {what} {found}, expected {wanted}")),
    }
}
