//! Hooks without tensors: parameters, streams of logits, and schedules.

use cadre_contract::Hook;
use cadre_contract::program::ExpertType;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Methods;
use crate::bindings::method_world::exports::cadre::method::hooks;
use crate::guest;
use crate::{Call, PolicyError};

/// Initial values of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ParameterInit {
    /// One number.
    Constant(f64),
    /// Normally distributed around 0 with this standard deviation.
    Normal(f64),
    /// Uniform within ± this number.
    Uniform(f64),
}

/// A parameter of a policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ParameterSpec {
    /// Its name.
    pub name: String,
    /// Its shape.
    pub shape: Vec<u32>,
    /// Initial values.
    pub init: ParameterInit,
    /// Whether it is trained; buffers are not.
    pub trained: bool,
    /// Whether it exists once per `site`, `layer` or `model`.
    pub scope: String,
    /// Whether it belongs to the `policy`, an `expert` or a `task`.
    pub owner: String,
}

/// The logits that a decoder wants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct LogitStream {
    /// Its name.
    pub name: String,
    /// The model.
    pub source: StreamSource,
    /// Text before the prompt.
    pub prefix: Option<String>,
}

/// A model of a stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StreamSource {
    /// The backbone.
    Base,
    /// The answer's own experts.
    Routed,
    /// The expert of a task.
    Expert(String),
}

/// The model, as a schedule sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ModelShape {
    /// Number of layers.
    pub layers: u32,
    /// Adapted projections: `q`, `v`, …
    pub targets: Vec<String>,
}

/// A part of a training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct TrainingPart {
    /// Share of the recipe's steps.
    pub steps: f64,
    /// Factor of the recipe's learning rate.
    pub rate: f64,
    /// Beginnings of the names of tensors that do not change.
    pub freeze: Vec<String>,
}

/// A step of a task's schedule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Directive {
    /// Train the task's expert.
    Train(TrainingPart),
    /// Train the gate's parameters.
    TrainGate(TrainingPart),
    /// Add the expert to the weights and start a new one.
    MergeAndRestart,
    /// Pass over the task's examples with the hook `observe`.
    Observe,
}

impl Methods {
    /// The parameters of a policy at a site of these sizes with this number of experts.
    ///
    /// # Errors
    /// If the policy is stopped or refuses, or an initial value is not finite.
    pub fn parameters(
        &self,
        policy: &str,
        settings: &Map<String, Value>,
        sizes: ExpertType,
        experts: u32,
    ) -> Result<Vec<ParameterSpec>, PolicyError> {
        self.policy(policy)?;
        let settings = Value::Object(settings.clone()).to_string();
        let (mut store, instance) = self.instance(Hook::Gate, settings.len(), None)?;
        let site = hooks::Site { input: sizes.input, output: sizes.output, experts };
        let found = guest::run(&mut store, &self.id, Call::Hook(Hook::Gate), settings.len(), |store| {
            instance.cadre_method_hooks().call_parameters(store, policy, &settings, site)
        })?;
        let refused = |message| self.refused(Hook::Gate, policy, message);
        let mut specs = Vec::new();
        for found in found.map_err(refused)? {
            let init = match found.init {
                hooks::Init::Zeros => ParameterInit::Constant(0.0),
                hooks::Init::Ones => ParameterInit::Constant(1.0),
                hooks::Init::Constant(number) => ParameterInit::Constant(number),
                hooks::Init::Normal(deviation) => ParameterInit::Normal(deviation),
                hooks::Init::Uniform(bound) => ParameterInit::Uniform(bound),
            };
            let (ParameterInit::Constant(number)
            | ParameterInit::Normal(number)
            | ParameterInit::Uniform(number)) = init;
            if !number.is_finite() || found.shape.is_empty() || found.shape.contains(&0) {
                return Err(refused(format!(
                    "the parameter `{}` has shape {:?} and starts with {number}",
                    found.name, found.shape
                )));
            }
            if specs.iter().any(|spec: &ParameterSpec| spec.name == found.name) {
                return Err(refused(format!("the parameter `{}` is declared twice", found.name)));
            }
            specs.push(ParameterSpec {
                name: found.name,
                shape: found.shape,
                init,
                trained: found.trained,
                scope: match found.scope {
                    hooks::Scope::Site => "site",
                    hooks::Scope::Layer => "layer",
                    hooks::Scope::Model => "model",
                }
                .to_owned(),
                owner: match found.owner {
                    hooks::Owner::Policy => "policy",
                    hooks::Owner::Expert => "expert",
                    hooks::Owner::Task => "task",
                }
                .to_owned(),
            });
        }
        Ok(specs)
    }

    /// The streams of logits that a decoder wants.
    ///
    /// # Errors
    /// If the policy is stopped or refuses, or names a stream twice or none.
    pub fn streams(
        &self,
        policy: &str,
        settings: &Map<String, Value>,
    ) -> Result<Vec<LogitStream>, PolicyError> {
        self.declared(policy, Hook::Decode)?;
        let settings = Value::Object(settings.clone()).to_string();
        let (mut store, instance) = self.instance(Hook::Decode, settings.len(), None)?;
        let found = guest::run(&mut store, &self.id, Call::Hook(Hook::Decode), settings.len(), |store| {
            instance.cadre_method_hooks().call_streams(store, policy, &settings)
        })?;
        let refused = |message| self.refused(Hook::Decode, policy, message);
        let mut streams: Vec<LogitStream> = Vec::new();
        for found in found.map_err(refused)? {
            if streams.iter().any(|stream| stream.name == found.name) {
                return Err(refused(format!("the stream `{}` is named twice", found.name)));
            }
            let source = match found.source {
                hooks::Source::Base => StreamSource::Base,
                hooks::Source::Routed => StreamSource::Routed,
                hooks::Source::Expert(task) => StreamSource::Expert(task),
            };
            streams.push(LogitStream { name: found.name, source, prefix: found.prefix });
        }
        match streams.is_empty() {
            true => Err(refused("it wants no logits".to_owned())),
            false => Ok(streams),
        }
    }

    /// What is done for each task.
    ///
    /// # Errors
    /// If the policy is stopped or refuses, or its plan is not one: another number of tasks, a task whose expert is
    /// never trained, shares or rates that are not positive.
    pub fn schedule(
        &self,
        policy: &str,
        settings: &Map<String, Value>,
        tasks: &[String],
        model: &ModelShape,
        seed: u64,
    ) -> Result<Vec<Vec<Directive>>, PolicyError> {
        self.declared(policy, Hook::Schedule)?;
        let settings = Value::Object(settings.clone()).to_string();
        let bytes = settings.len() + tasks.iter().map(String::len).sum::<usize>();
        let (mut store, instance) = self.instance(Hook::Schedule, bytes, None)?;
        let shape = hooks::Shape { layers: model.layers, targets: model.targets.clone() };
        let found = guest::run(&mut store, &self.id, Call::Hook(Hook::Schedule), bytes, |store| {
            instance.cadre_method_hooks().call_schedule(store, policy, &settings, tasks, &shape, seed)
        })?;
        let refused = |message| self.refused(Hook::Schedule, policy, message);
        let found = found.map_err(refused)?;
        if found.len() != tasks.len() {
            return Err(refused(format!("it planned {} tasks of {}", found.len(), tasks.len())));
        }
        let part = |part: hooks::Training| match part.steps.is_finite()
            && part.steps > 0.0
            && part.rate.is_finite()
            && part.rate > 0.0
        {
            true => Ok(TrainingPart { steps: part.steps, rate: part.rate, freeze: part.freeze }),
            false => Err(refused(format!(
                "it trains {} of the steps at {} of the rate; both must be above 0",
                part.steps, part.rate
            ))),
        };
        let mut plan = Vec::new();
        for (task, directives) in tasks.iter().zip(found) {
            let mut own = Vec::new();
            for directive in directives {
                own.push(match directive {
                    hooks::Directive::Train(training) => Directive::Train(part(training)?),
                    hooks::Directive::TrainGate(training) => Directive::TrainGate(part(training)?),
                    hooks::Directive::MergeAndRestart => Directive::MergeAndRestart,
                    hooks::Directive::Observe => Directive::Observe,
                });
            }
            if !own.iter().any(|directive| matches!(directive, Directive::Train(_))) {
                return Err(refused(format!("it never trains the expert of `{task}`")));
            }
            plan.push(own);
        }
        Ok(plan)
    }
}
