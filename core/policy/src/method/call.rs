//! Arguments of hooks from the inputs of a call, and outputs of the program from what a hook returns.

use std::collections::BTreeMap;

use cadre_contract::program::{Builder, ElementKind, Output, OutputRole, Source, TensorType, Value};
use cadre_contract::{Hook, HookCall, Phase};
use wasmtime::Store;

use super::expected;
use crate::bindings::method_world::Methods as Instance;
use crate::bindings::method_world::cadre::method::tensors::Named;
use crate::bindings::method_world::exports::cadre::method::hooks;
use crate::guest::Guest;

/// Outputs of a hook, and those of a case that are not arrays; or the hook's own error.
type Returned = Result<(Vec<Output>, String), String>;

/// Size of the arguments, in bytes.
pub(super) fn input_bytes(call: &HookCall) -> usize {
    let names: usize = call.inputs.iter().map(|(source, _)| source.to_string().len() + 16).sum();
    let data: usize = call.case_data.values().map(|data| 8 * data.len()).sum();
    names + data
}

/// Inputs of a call by what they are.
struct Inputs<'a> {
    call: &'a HookCall,
    values: BTreeMap<&'a Source, Value>,
}

impl<'a> Inputs<'a> {
    fn of(call: &'a HookCall) -> Self {
        let values = call.inputs.iter().zip(0..).map(|((source, _), value)| (source, value)).collect();
        Self { call, values }
    }

    fn one(&self, source: &Source) -> Result<Value, String> {
        self.values.get(source).copied().ok_or_else(|| format!("the core gave no input {source}"))
    }

    /// Inputs of one group, by name, in the order of the call.
    fn named(&self, name_of: impl Fn(&'a Source) -> Option<&'a str>) -> Vec<Named> {
        let inputs = self.call.inputs.iter().zip(0..);
        inputs
            .filter_map(|((source, _), value)| Some(Named { name: name_of(source)?.to_owned(), value }))
            .collect()
    }

    fn parameters(&self) -> Vec<Named> {
        self.named(|source| match source {
            Source::Parameter(name) => Some(name),
            _ => None,
        })
    }

    fn buffers(&self) -> Vec<Named> {
        self.named(|source| match source {
            Source::Buffer(name) => Some(name),
            _ => None,
        })
    }

    /// Tensors of an expert, except for its factors if it has a scale.
    fn tensors(&self, expert: usize, factors: bool) -> Vec<Named> {
        self.named(|source| match source {
            Source::Expert { expert: of, name } if usize::from(*of) == expert => {
                (!factors || (name != "a" && name != "b")).then_some(name.as_str())
            }
            _ => None,
        })
    }

    fn of_expert(&self, expert: usize, name: &str) -> Result<Value, String> {
        self.one(&Source::Expert { expert: expert as u16, name: name.to_owned() })
    }

    fn experts(&self) -> Result<Vec<hooks::Expert>, String> {
        let experts = self.call.experts.iter().enumerate();
        experts
            .map(|(index, expert)| {
                let factors = match expert.scale {
                    Some(scale) => Some(hooks::LowRank {
                        a: self.of_expert(index, "a")?,
                        b: self.of_expert(index, "b")?,
                        scale,
                    }),
                    None => None,
                };
                let tensors = self.tensors(index, expert.scale.is_some());
                Ok(hooks::Expert { name: expert.name.clone(), factors, tensors })
            })
            .collect()
    }

    fn context(&self, name: &str) -> Result<Value, String> {
        self.one(&Source::Context(name.to_owned()))
    }

    fn whole_context(&self) -> Result<hooks::Context, String> {
        let prefixed = |prefix: &'static str| {
            self.named(move |source| match source {
                Source::Context(name) => name.strip_prefix(prefix),
                _ => None,
            })
        };
        Ok(hooks::Context {
            phase: match self.call.phase {
                Phase::Expert => hooks::Phase::Expert,
                Phase::Gate => hooks::Phase::Gate,
                Phase::Joint => hooks::Phase::Joint,
                Phase::Answer => hooks::Phase::Answer,
            },
            training: self.call.training,
            token_mask: self.context("token-mask")?,
            sequence: self.context("sequence")?,
            sequences: self.call.sequences,
            step: self.context("step")?,
            tags: prefixed("tag/"),
            plan: prefixed("plan/"),
        })
    }

    fn site(&self) -> Result<hooks::Site, String> {
        let Some(first) = self.call.experts.first() else {
            return Err("the site has no experts".to_owned());
        };
        let experts = self.call.experts.len() as u32;
        Ok(hooks::Site { input: first.sizes.input, output: first.sizes.output, experts })
    }
}

/// Calls the hook.
pub(super) fn call(
    store: &mut Store<Guest>,
    instance: &Instance,
    call: &HookCall,
    settings: &str,
) -> wasmtime::Result<Returned> {
    match called(store, instance, call, settings)? {
        Ok(returned) => Ok(returned),
        Err(missing) => Ok(Err(missing)),
    }
}

/// The inner error says which input the core did not give.
fn called(
    store: &mut Store<Guest>,
    instance: &Instance,
    call: &HookCall,
    settings: &str,
) -> wasmtime::Result<Result<Returned, String>> {
    let inputs = Inputs::of(call);
    let policy = call.policy.as_str();
    let guest = instance.cadre_method_hooks();
    let plain = |outputs: Vec<Output>| (outputs, String::new());
    let single = |role: OutputRole| move |value: Value| plain(vec![Output { role, value }]);
    macro_rules! given {
        ($input:expr) => {
            match $input {
                Ok(input) => input,
                Err(missing) => return Ok(Err(missing)),
            }
        };
    }
    let step = |name: &str| inputs.one(&Source::Step(name.to_owned()));
    Ok(Ok(match call.hook {
        Hook::Gate => {
            let site = given!(inputs.site());
            let (x, base) = (given!(inputs.one(&Source::X)), given!(inputs.one(&Source::BaseOut)));
            let (experts, context) = (given!(inputs.experts()), given!(inputs.whole_context()));
            let parameters = inputs.parameters();
            guest
                .call_gate(store, policy, settings, site, x, base, &experts, &parameters, &context)?
                .map(|gated| plain(gated_outputs(gated)))
        }
        Hook::Plan => {
            let hidden = given!(inputs.context("hidden"));
            let context = given!(inputs.whole_context());
            let sites = given!(fact(call, "sites"));
            let experts = call.experts.len() as u32;
            guest
                .call_plan(store, policy, settings, hidden, sites, experts, &inputs.parameters(), &context)?
                .map(|named| plain(roles(named, OutputRole::Statistic)))
        }
        Hook::Term => {
            let earlier = given!(inputs.experts());
            let trained = inputs.parameters();
            guest.call_term(store, policy, settings, &trained, &earlier, &inputs.buffers())?.map(|term| {
                plain(term.map(|value| Output { role: OutputRole::LossTerm, value }).into_iter().collect())
            })
        }
        Hook::Gradient => {
            let (weight, gradient) = (given!(step("weight")), given!(step("gradient")));
            guest
                .call_gradient(store, policy, settings, weight, gradient, &inputs.buffers())?
                .map(single(OutputRole::Gradient))
        }
        Hook::AfterStep => {
            let (before, after) = (given!(step("weight")), given!(step("after")));
            let gradient = given!(step("gradient"));
            guest.call_after_step(store, policy, settings, before, after, gradient, &inputs.buffers())?.map(
                |stepped| {
                    let mut outputs = roles(stepped.buffers, OutputRole::Buffer);
                    outputs.extend(stepped.weight.map(|value| Output { role: OutputRole::Weight, value }));
                    plain(outputs)
                },
            )
        }
        Hook::Observe => {
            let (weight, gradient) = (given!(step("weight")), given!(step("gradient")));
            guest
                .call_observe(store, policy, settings, weight, gradient, &inputs.buffers())?
                .map(|named| plain(roles(named, OutputRole::Buffer)))
        }
        Hook::Finish => {
            let site = given!(inputs.site());
            let weight = given!(inputs.one(&Source::Base));
            let mut experts = given!(inputs.experts());
            if experts.len() != 1 {
                return Ok(Err("the core gave not one expert".to_owned()));
            }
            let expert = experts.remove(0);
            guest
                .call_finish(store, policy, settings, site, weight, &expert)?
                .map(|named| plain(roles(named, OutputRole::Expert)))
        }
        Hook::Transform => {
            let tensors = inputs.named(|source| match source {
                Source::Expert { name, .. } => Some(name),
                _ => None,
            });
            guest
                .call_transform(store, policy, settings, &tensors)?
                .map(|named| plain(roles(named, OutputRole::Expert)))
        }
        Hook::Merge => {
            let base = given!(inputs.one(&Source::Base));
            let mut models = Vec::new();
            for (index, expert) in call.experts.iter().enumerate() {
                let delta = given!(inputs.of_expert(index, "delta"));
                let mut tensors = inputs.tensors(index, false);
                tensors.retain(|named| named.name != "delta");
                models.push(hooks::Model { name: expert.name.clone(), delta, tensors });
            }
            guest.call_merge(store, policy, settings, base, &models)?.map(single(OutputRole::Merged))
        }
        Hook::Decode => {
            let logits = inputs.named(|source| match source {
                Source::Logits(name) => Some(name),
                _ => None,
            });
            guest.call_decode(store, policy, settings, &logits)?.map(single(OutputRole::Logits))
        }
        Hook::PlayCase => {
            let mut arrays = Vec::new();
            for ((source, _), value) in call.inputs.iter().zip(0..) {
                if let Source::Case(name) = source {
                    let data = call.case_data.get(name).cloned().unwrap_or_default();
                    arrays.push(hooks::CaseArray { name: name.clone(), value, data });
                }
            }
            guest.call_play_case(store, policy, settings, &arrays)?.map(|played| {
                let mut outputs = roles(played.outputs, OutputRole::Case);
                outputs.extend(played.loss.map(|value| Output { role: OutputRole::LossTerm, value }));
                (outputs, played.others)
            })
        }
        Hook::Schedule => return Ok(Err("a schedule has no tensors".to_owned())),
    }))
}

fn fact(call: &HookCall, name: &str) -> Result<u32, String> {
    let value = call.facts.get(name).and_then(|text| text.parse().ok());
    value.ok_or_else(|| format!("the core gave no number of {name}"))
}

fn roles(named: Vec<Named>, role: fn(String) -> OutputRole) -> Vec<Output> {
    named.into_iter().map(|named| Output { role: role(named.name), value: named.value }).collect()
}

fn gated_outputs(gated: hooks::Gated) -> Vec<Output> {
    let mut outputs = Vec::new();
    outputs.extend(gated.weights.map(|value| Output { role: OutputRole::Weights, value }));
    outputs.extend(gated.output.map(|value| Output { role: OutputRole::Output, value }));
    outputs.extend(gated.loss_term.map(|value| Output { role: OutputRole::LossTerm, value }));
    outputs.extend(roles(gated.statistics, OutputRole::Statistic));
    outputs
}

/// Checks kinds and shapes of what a hook returned.
pub(super) fn check(call: &HookCall, builder: &Builder, outputs: &[Output]) -> Result<(), String> {
    let inputs = Inputs::of(call);
    let of = |source: &Source| inputs.one(source).and_then(|value| type_of(builder, value));
    for output in outputs {
        let found = type_of(builder, output.value)?;
        let wanted = match &output.role {
            OutputRole::LossTerm => TensorType::float([1]),
            OutputRole::Output => of(&Source::BaseOut)?,
            OutputRole::Weights => {
                let rows = of(&Source::X)?.shape[0];
                TensorType::float([rows, call.experts.len() as u32])
            }
            OutputRole::Merged => of(&Source::Base)?,
            OutputRole::Gradient | OutputRole::Weight => of(&Source::Step("weight".to_owned()))?,
            OutputRole::Logits => match call.inputs.first() {
                Some((_, logits)) => logits.clone(),
                None => return Err("the core gave no logits".to_owned()),
            },
            OutputRole::Buffer(name) => match of(&Source::Buffer(name.clone())) {
                Ok(wanted) => wanted,
                Err(_) => return Err(format!("it returned a buffer `{name}` that it does not have")),
            },
            OutputRole::Expert(name) if call.hook == Hook::Transform => {
                match of(&Source::Expert { expert: 0, name: name.clone() }) {
                    Ok(wanted) => wanted,
                    Err(_) => {
                        return Err(format!("it returned a tensor `{name}` that the expert does not have"));
                    }
                }
            }
            OutputRole::Expert(_) | OutputRole::Statistic(_) | OutputRole::Case(_) => found.clone(),
        };
        expected(&output.role.to_string(), &found, &wanted)?;
        if matches!(output.role, OutputRole::Expert(_)) && found.kind != ElementKind::Float {
            return Err(format!("it returned {} as {found}, expected floats", output.role));
        }
    }
    let has = |role: &OutputRole| outputs.iter().any(|output| output.role == *role);
    if call.hook == Hook::Gate && has(&OutputRole::Weights) == has(&OutputRole::Output) {
        return Err("a gate returns either weights or an output".to_owned());
    }
    Ok(())
}

fn type_of(builder: &Builder, value: Value) -> Result<TensorType, String> {
    builder.type_of(value).cloned().map_err(|refused| refused.problem)
}
