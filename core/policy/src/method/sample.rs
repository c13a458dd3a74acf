//! Calls of hooks with sample shapes, for `cadre plugin check` and `cadre plugin show`.

use cadre_contract::program::{ExpertType, Source, TensorType};
use cadre_contract::{Hook, HookCall, HookExpert, Phase, PolicyDeclaration, SettingKind};
use serde_json::{Map, Value, json};

use super::{LogitStream, Methods, ParameterSpec};
use crate::PolicyError;

/// Sizes of a sample call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SampleShape {
    /// Tokens, or rows of logits.
    pub rows: u32,
    /// Input width of the site.
    pub input: u32,
    /// Output width of the site.
    pub output: u32,
    /// Number of experts.
    pub experts: u32,
    /// Rank of the experts.
    pub rank: u32,
    /// Size of the vocabulary.
    pub vocabulary: u32,
}

impl Default for SampleShape {
    /// 6 tokens, a site of 8 × 10, 3 experts of rank 2, a vocabulary of 12.
    fn default() -> Self {
        Self { rows: 6, input: 8, output: 10, experts: 3, rank: 2, vocabulary: 12 }
    }
}

/// Settings to try a policy with: those given, defaults, and for required ones the first choice or the smallest value.
#[must_use]
pub fn sample_settings(policy: &PolicyDeclaration, given: &Map<String, Value>) -> Map<String, Value> {
    let mut settings = given.clone();
    for setting in &policy.settings {
        if settings.contains_key(&setting.name) || setting.default.is_some() || setting.optional {
            continue;
        }
        let number = setting.min.or(setting.max).unwrap_or_else(|| match (setting.above, setting.below) {
            (Some(above), Some(below)) => (above + below) / 2.0,
            (Some(above), None) => above + 1.0,
            (None, Some(below)) => below - 1.0,
            (None, None) => 1.0,
        });
        let value = match setting.kind {
            SettingKind::Number | SettingKind::NumberPerExpert => json!(number),
            SettingKind::Integer => json!(number.ceil() as i64),
            SettingKind::Flag => json!(false),
            SettingKind::Text => json!(setting.choices.first().map_or("text", String::as_str)),
            SettingKind::Numbers => json!([number]),
            SettingKind::Texts => json!(setting.choices.first().map_or(vec![], |first| vec![first.clone()])),
        };
        settings.insert(setting.name.clone(), value);
    }
    settings
}

impl Methods {
    /// A call of a hook with sample inputs of these sizes, with the parameters and streams of logits that the policy asks
    /// for; `None` for hooks without tensors.
    ///
    /// # Errors
    /// If the policy is stopped or refuses when it is asked for its parameters or streams.
    pub fn sample(
        &self,
        policy: &PolicyDeclaration,
        hook: Hook,
        settings: &Map<String, Value>,
        shape: SampleShape,
    ) -> Result<Option<HookCall>, PolicyError> {
        let streams = match hook {
            Hook::Decode => self.streams(&policy.name, settings)?,
            _ => Vec::new(),
        };
        let sizes = ExpertType { input: shape.input, output: shape.output };
        let parameters = match hook {
            Hook::Gate | Hook::Plan => self.parameters(&policy.name, settings, sizes, shape.experts)?,
            _ => Vec::new(),
        };
        Ok(sample_call(policy, hook, settings.clone(), shape, &streams, &parameters))
    }
}

/// `streams` are the logits that a decoder wants, `parameters` those of a gate.
fn sample_call(
    policy: &PolicyDeclaration,
    hook: Hook,
    settings: Map<String, Value>,
    shape: SampleShape,
    streams: &[LogitStream],
    parameters: &[ParameterSpec],
) -> Option<HookCall> {
    let mut call = HookCall::new(&policy.name, hook, settings);
    let SampleShape { rows, input, output, experts, rank, vocabulary } = shape;
    let sizes = ExpertType { input, output };
    let experts = if hook == Hook::Finish { 1 } else { experts };
    let weight = || TensorType::float([input, output]);
    let expert = |index: u32, name: &str| Source::Expert { expert: index as u16, name: name.to_owned() };
    let context = |name: &str| Source::Context(name.to_owned());
    let step = |name: &str| Source::Step(name.to_owned());
    call.facts = [
        ("layer", "1"),
        ("layers", "4"),
        ("target", "q"),
        ("tensor", "layers.1.q"),
        ("task", "0"),
        ("tasks", "3"),
        ("name", "task-0"),
        ("sites", "2"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    let buffers = |call: &mut HookCall, like: &TensorType| {
        for name in &policy.buffers {
            call.inputs.push((Source::Buffer(name.clone()), like.clone()));
        }
    };
    let factors = |call: &mut HookCall, scale: Option<f64>| {
        for index in 0..experts {
            call.experts.push(HookExpert { name: format!("task-{index}"), sizes, scale });
            if scale.is_some() {
                call.inputs.push((expert(index, "a"), TensorType::float([input, rank])));
                call.inputs.push((expert(index, "b"), TensorType::float([rank, output])));
            }
            for side in &policy.needs {
                call.inputs.push((expert(index, side), TensorType::float([input])));
            }
        }
    };
    let passes = |call: &mut HookCall| {
        call.sequences = 2.min(rows);
        call.inputs.push((context("token-mask"), TensorType::float([rows, 1])));
        call.inputs.push((context("sequence"), TensorType::int([rows])));
        call.inputs.push((context("step"), TensorType::float([1])));
        for ParameterSpec { name, shape, .. } in parameters {
            call.inputs.push((Source::Parameter(name.clone()), TensorType::float(shape.clone())));
        }
    };
    match hook {
        Hook::Gate => {
            call.inputs.push((Source::X, TensorType::float([rows, input])));
            call.inputs.push((Source::BaseOut, TensorType::float([rows, output])));
            factors(&mut call, Some(2.0));
            passes(&mut call);
            if policy.hooks.contains(&Hook::Plan) {
                call.inputs.push((context("plan/scalings"), TensorType::float([rows, experts])));
            }
            call.phase = Phase::Answer;
        }
        Hook::Plan => {
            call.inputs.push((context("hidden"), TensorType::float([rows, input])));
            factors(&mut call, None);
            passes(&mut call);
        }
        Hook::Term => {
            for (name, shape) in [("a", [input, rank]), ("b", [rank, output])] {
                call.inputs.push((Source::Parameter(name.to_owned()), TensorType::float(shape)));
                for buffer in &policy.buffers {
                    let source = Source::Buffer(format!("{buffer}.{name}"));
                    call.inputs.push((source, TensorType::float(shape)));
                }
            }
            factors(&mut call, Some(2.0));
            call.differentiable = true;
        }
        Hook::Gradient | Hook::Observe | Hook::AfterStep => {
            call.inputs.push((step("weight"), weight()));
            call.inputs.push((step("gradient"), weight()));
            if hook == Hook::AfterStep {
                call.inputs.push((step("after"), weight()));
            }
            buffers(&mut call, &weight());
        }
        Hook::Finish => {
            call.inputs.push((Source::Base, weight()));
            factors(&mut call, Some(2.0));
        }
        Hook::Transform => {
            for name in ["layers.0.q.a", "layers.0.q.b", "layers.1.q.a", "layers.1.q.b"] {
                let shape = if name.ends_with('a') { [input, rank] } else { [rank, output] };
                call.inputs.push((expert(0, name), TensorType::float(shape)));
            }
            call.experts.push(HookExpert { name: "task-0".to_owned(), sizes, scale: None });
        }
        Hook::Merge => {
            call.inputs.push((Source::Base, weight()));
            for index in 0..experts {
                call.experts.push(HookExpert { name: format!("task-{index}"), sizes, scale: None });
                call.inputs.push((expert(index, "delta"), weight()));
            }
        }
        Hook::Decode => {
            for stream in streams {
                let source = Source::Logits(stream.name.clone());
                call.inputs.push((source, TensorType::float([rows, vocabulary])));
            }
        }
        Hook::Schedule | Hook::PlayCase => return None,
    }
    Some(call)
}
