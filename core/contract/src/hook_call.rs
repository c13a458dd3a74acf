//! A call of a hook: everything that its program may depend on.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::declaration::Hook;
use crate::program::{ExpertType, Program, Source, TensorType};

/// When a gate is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// An expert is trained, the gate with it or not at all.
    Expert,
    /// The gate alone is trained.
    Gate,
    /// Experts and gate are trained together.
    Joint,
    /// Answering.
    Answer,
}

/// An expert as a hook sees it. Its tensors are inputs with [`Source::Expert`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct HookExpert {
    /// Its task.
    pub name: String,
    /// Widths of its site.
    pub sizes: ExpertType,
    /// Scale of a low-rank expert, whose inputs `a` and `b` are given; `None` for other kinds.
    pub scale: Option<f64>,
}

/// A call of a hook, except for its data.
#[derive(Clone, Debug, PartialEq)]
pub struct HookCall {
    /// Name of the policy.
    pub policy: String,
    /// The hook.
    pub hook: Hook,
    /// The complete settings ([`crate::PolicyDeclaration::complete`]), or for a case those of the case.
    pub settings: Map<String, Value>,
    /// Inputs with their types.
    pub inputs: Vec<(Source, TensorType)>,
    /// Experts of the site.
    pub experts: Vec<HookExpert>,
    /// Phase of a gate.
    pub phase: Phase,
    /// The expert that is trained.
    pub training: Option<u32>,
    /// Number of sequences in the batch.
    pub sequences: u32,
    /// Facts that the hook may ask for.
    pub facts: BTreeMap<String, String>,
    /// Numbers of the inputs of a case, by name.
    pub case_data: BTreeMap<String, Vec<f64>>,
    /// Whether gradients of the program are needed; operations without a gradient are then refused.
    pub differentiable: bool,
}

impl HookCall {
    /// A call without experts and facts.
    #[must_use]
    pub fn new(policy: &str, hook: Hook, settings: Map<String, Value>) -> Self {
        Self {
            policy: policy.to_owned(),
            hook,
            settings,
            inputs: Vec::new(),
            experts: Vec::new(),
            phase: Phase::Answer,
            training: None,
            sequences: 1,
            facts: BTreeMap::new(),
            case_data: BTreeMap::new(),
            differentiable: false,
        }
    }
}

/// A traced hook.
#[derive(Clone, Debug, PartialEq)]
pub struct Traced {
    /// The program.
    pub program: Program,
    /// The facts that the hook asked for: the program holds for calls in which they are the same.
    pub facts: BTreeMap<String, String>,
    /// Outputs of a case that are not arrays.
    pub others: Map<String, Value>,
}
