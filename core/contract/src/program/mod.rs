//! Tensor programs: what the hook of a method computes, as plain data. A hook is called once with symbolic tensors; each
//! operation it calls becomes a [`Node`], and what it returns becomes the outputs. `cadre-policy` makes programs and
//! `cadre-nn` runs them; neither knows the other. (The idea is JAX's `jit`: trace once, run often.)
//!
//! ```
//! use cadre_contract::program::{Builder, Op, Output, OutputRole, ProgramLimits, Source, TensorType};
//! # fn main() -> Result<(), cadre_contract::program::Refused> {
//! let inputs = [
//!     (Source::X, TensorType::float([3, 4])),
//!     (Source::Parameter("router".into()), TensorType::float([4, 2])),
//! ];
//! let mut program = Builder::new(inputs, vec![], ProgramLimits::default())?;
//! let scores = program.apply(Op::Matmul, &[0, 1])?[0];
//! let weights = program.apply(Op::Softmax(1), &[scores])?[0];
//! let program = program.finish(vec![Output { role: OutputRole::Weights, value: weights }])?;
//! assert_eq!(program.cost().multiplications, 24);
//! # Ok(())
//! # }
//! ```

mod builder;
mod limits;
mod op;
mod print;
mod typing;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use builder::{Builder, Refused};
pub use limits::{Cost, ProgramLimits};
pub use op::{Binary, Number, Op, Reduction, Unary};
pub use typing::{ElementKind, ExpertType, MAX_RANK, TensorType};

/// Number of a value: the inputs first, then the results of the nodes in order.
pub type Value = u32;

/// An operation and its arguments.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Node {
    /// The operation.
    pub op: Op,
    /// Its arguments.
    pub args: Vec<Value>,
}

/// What an input is. The runner finds inputs by this, not by their place.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// Input of the site, `[tokens, in]`.
    X,
    /// Output of the site's frozen weight, `[tokens, out]`.
    BaseOut,
    /// Frozen weight of the site or tensor, `[in, out]`.
    Base,
    /// A tensor of an expert, such as `a` `[in, rank]` and `b` `[rank, out]`, `delta` `[in, out]` or a side tensor.
    Expert {
        /// Index of the expert.
        expert: u16,
        /// Name of the tensor.
        name: String,
    },
    /// A parameter of the policy.
    Parameter(String),
    /// A buffer of the policy.
    Buffer(String),
    /// A tensor of the context, such as `token-mask` or `step`.
    Context(String),
    /// The weight before a step, `weight`; its `gradient`; or the weight `after` it.
    Step(String),
    /// Next-token logits of a named stream, `[rows, vocabulary]`.
    Logits(String),
    /// An input of a case of a reference.
    Case(String),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::X => f.write_str("x"),
            Self::BaseOut => f.write_str("base-out"),
            Self::Base => f.write_str("base"),
            Self::Expert { expert, name } => write!(f, "expert[{expert}].{name}"),
            Self::Parameter(name) => write!(f, "parameter.{name}"),
            Self::Buffer(name) => write!(f, "buffer.{name}"),
            Self::Context(name) => write!(f, "context.{name}"),
            Self::Step(name) => write!(f, "step.{name}"),
            Self::Logits(name) => write!(f, "logits.{name}"),
            Self::Case(name) => write!(f, "case.{name}"),
        }
    }
}

/// What an output is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OutputRole {
    /// Output of the site, `[tokens, out]`.
    Output,
    /// Weights of the site's experts, `[tokens, experts]`.
    Weights,
    /// A term of the loss, `[1]`.
    LossTerm,
    /// A named statistic; it carries no gradient.
    Statistic(String),
    /// A new value of a buffer.
    Buffer(String),
    /// The merged tensor.
    Merged,
    /// A tensor of an expert, by name.
    Expert(String),
    /// The changed gradient.
    Gradient,
    /// The changed weight.
    Weight,
    /// Combined next-token logits, `[rows, vocabulary]`.
    Logits,
    /// An output of a case of a reference.
    Case(String),
}

impl fmt::Display for OutputRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Output => f.write_str("output"),
            Self::Weights => f.write_str("weights"),
            Self::LossTerm => f.write_str("loss-term"),
            Self::Statistic(name) => write!(f, "statistic.{name}"),
            Self::Buffer(name) => write!(f, "buffer.{name}"),
            Self::Merged => f.write_str("merged"),
            Self::Expert(name) => write!(f, "expert.{name}"),
            Self::Gradient => f.write_str("gradient"),
            Self::Weight => f.write_str("weight"),
            Self::Logits => f.write_str("logits"),
            Self::Case(name) => write!(f, "case.{name}"),
        }
    }
}

/// An output of a program.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Output {
    /// What it is.
    pub role: OutputRole,
    /// Its value.
    pub value: Value,
}

/// A pure function of tensors in static single assignment. Made by a [`Builder`] only, so that it is always valid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Program {
    inputs: Vec<Source>,
    experts: Vec<ExpertType>,
    /// Types of all values.
    types: Vec<TensorType>,
    nodes: Vec<Node>,
    /// Shapes and the bits of their f32 values.
    constants: Vec<(Vec<u32>, Vec<u32>)>,
    outputs: Vec<Output>,
}

/// The stored form of a program, before it is checked.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Unchecked {
    inputs: Vec<Source>,
    experts: Vec<ExpertType>,
    types: Vec<TensorType>,
    nodes: Vec<Node>,
    constants: Vec<(Vec<u32>, Vec<u32>)>,
    outputs: Vec<Output>,
}

impl Program {
    /// Reads a stored program (its serde form) and checks every operation.
    ///
    /// # Errors
    /// The text is not a program, or an operation is refused.
    pub fn from_json(text: &str, limits: ProgramLimits) -> Result<Self, Refused> {
        let broken = |problem: String| Refused { operation: 0, problem };
        let stored: Unchecked = serde_json::from_str(text).map_err(|error| broken(error.to_string()))?;
        if stored.types.len() < stored.inputs.len() {
            return Err(broken("inputs without types".into()));
        }
        let inputs = stored.inputs.into_iter().zip(stored.types.iter().cloned());
        let mut builder = Builder::new(inputs, stored.experts, limits)?;
        for node in stored.nodes {
            match node.op {
                Op::Constant(index) => {
                    let (shape, bits) = stored
                        .constants
                        .get(index as usize)
                        .ok_or_else(|| broken(format!("there is no constant {index}")))?;
                    let values: Vec<f32> = bits.iter().map(|bits| f32::from_bits(*bits)).collect();
                    builder.constant(shape.clone(), &values)?;
                }
                op => drop(builder.apply(op, &node.args)?),
            }
        }
        builder.finish(stored.outputs)
    }

    /// What the inputs are; the values from 0 in this order.
    #[must_use]
    pub fn inputs(&self) -> &[Source] {
        &self.inputs
    }

    /// Sizes of the experts that the program may call.
    #[must_use]
    pub fn experts(&self) -> &[ExpertType] {
        &self.experts
    }

    /// The operations.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Types of all values.
    #[must_use]
    pub fn types(&self) -> &[TensorType] {
        &self.types
    }

    /// The outputs.
    #[must_use]
    pub fn outputs(&self) -> &[Output] {
        &self.outputs
    }

    /// Shape and values of a constant.
    #[must_use]
    pub fn constant(&self, index: u32) -> Option<(&[u32], Vec<f32>)> {
        let (shape, bits) = self.constants.get(index as usize)?;
        Some((shape, bits.iter().map(|bits| f32::from_bits(*bits)).collect()))
    }

    /// For every value, the node after which it is not used again; outputs are used until the end. `None` for inputs
    /// that are not used.
    #[must_use]
    pub fn last_uses(&self) -> Vec<Option<usize>> {
        let mut last = vec![None; self.types.len()];
        let mut next = self.inputs.len();
        for (number, node) in self.nodes.iter().enumerate() {
            last[next..next + node.op.results()].fill(Some(number));
            next += node.op.results();
            node.args.iter().for_each(|arg| last[*arg as usize] = Some(number));
        }
        for output in &self.outputs {
            last[output.value as usize] = Some(self.nodes.len());
        }
        last
    }

    /// The static cost.
    #[must_use]
    pub fn cost(&self) -> Cost {
        let mut cost = Cost { operations: self.nodes.len() as u64, ..Cost::default() };
        let last = self.last_uses();
        let size = |value: usize| self.types[value].elements();
        let mut live: u64 = (0..self.inputs.len()).filter(|value| last[*value].is_some()).map(size).sum();
        cost.peak = live;
        let mut next = self.inputs.len();
        for (number, node) in self.nodes.iter().enumerate() {
            let results = next..next + node.op.results();
            next = results.end;
            let args: Vec<&TensorType> = node.args.iter().map(|arg| &self.types[*arg as usize]).collect();
            let made: u64 = results.clone().map(size).sum();
            cost.produced = cost.produced.saturating_add(made);
            cost.multiplications = cost.multiplications.saturating_add(builder::multiplications(
                &node.op,
                &args,
                &self.types[results.clone()],
            ));
            live = live.saturating_add(made);
            cost.peak = cost.peak.max(live);
            let mut ended: Vec<usize> = node.args.iter().map(|arg| *arg as usize).chain(results).collect();
            ended.sort_unstable();
            ended.dedup();
            ended.retain(|value| last[*value] == Some(number));
            live = live.saturating_sub(ended.into_iter().map(size).sum());
        }
        cost
    }

    /// For each input, whether a gradient of this output (by index) reaches it.
    #[must_use]
    pub fn reaches(&self, output: usize) -> Vec<bool> {
        let mut reached = vec![false; self.types.len()];
        if let Some(output) = self.outputs.get(output) {
            reached[output.value as usize] = true;
        }
        let mut next = self.types.len();
        for node in self.nodes.iter().rev() {
            next -= node.op.results();
            let passes = (0..node.op.results())
                .any(|result| reached[next + result] && node.op.passes_gradient(result));
            if passes {
                for arg in &node.args {
                    let arg = *arg as usize;
                    reached[arg] |= self.types[arg].kind == ElementKind::Float;
                }
            }
        }
        reached.truncate(self.inputs.len());
        reached
    }

    /// The experts that the program calls.
    #[must_use]
    pub fn called_experts(&self) -> Vec<u16> {
        let mut called: Vec<u16> = self
            .nodes
            .iter()
            .filter_map(|node| match node.op {
                Op::Expert(index) => Some(index),
                _ => None,
            })
            .collect();
        called.sort_unstable();
        called.dedup();
        called
    }
}

#[cfg(test)]
mod tests;
