//! Builds a program one operation at a time; every operation is checked as it is added.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::limits::{Cost, ProgramLimits};
use super::op::Op;
use super::typing::{self, ExpertType, TensorType};
use super::{Node, Output, Program, Source, Value};

/// Why an operation or a program was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Number of operations before it.
    pub operation: usize,
    /// The operation with the types of its arguments, and what is wrong.
    pub problem: String,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (operation {})", self.problem, self.operation)
    }
}

impl std::error::Error for Refused {}

/// A program under construction.
#[derive(Clone, Debug)]
pub struct Builder {
    limits: ProgramLimits,
    sources: Vec<Source>,
    experts: Vec<ExpertType>,
    types: Vec<TensorType>,
    nodes: Vec<Node>,
    constants: Vec<(Vec<u32>, Vec<u32>)>,
    constant_index: BTreeMap<(Vec<u32>, Vec<u32>), u32>,
    constant_bytes: u64,
    streams: BTreeSet<String>,
    cost: Cost,
}

impl Builder {
    /// A program with these inputs, for a site with these experts.
    ///
    /// # Errors
    /// An input has an impossible shape, or stands twice.
    pub fn new(
        inputs: impl IntoIterator<Item = (Source, TensorType)>,
        experts: Vec<ExpertType>,
        limits: ProgramLimits,
    ) -> Result<Self, Refused> {
        let (sources, types): (Vec<_>, Vec<_>) = inputs.into_iter().unzip();
        let builder = Self {
            limits,
            sources,
            experts,
            types,
            nodes: Vec::new(),
            constants: Vec::new(),
            constant_index: BTreeMap::new(),
            constant_bytes: 0,
            streams: BTreeSet::new(),
            cost: Cost::default(),
        };
        let mut seen = BTreeSet::new();
        for (source, found) in builder.sources.iter().zip(&builder.types) {
            if let Some(problem) = found.problem() {
                return Err(builder.refused(format!("input {source}: {problem}")));
            }
            if !seen.insert(source) {
                return Err(builder.refused(format!("input {source} stands twice")));
            }
        }
        Ok(builder)
    }

    /// Type of a value.
    ///
    /// # Errors
    /// The value does not exist in this program.
    pub fn type_of(&self, value: Value) -> Result<&TensorType, Refused> {
        self.types
            .get(value as usize)
            .ok_or_else(|| self.refused(format!("tensor %{value} does not exist in this call")))
    }

    /// Adds a float constant. Equal constants are stored once.
    ///
    /// # Errors
    /// The shape does not fit the number of values, a value is NaN, or there are too many bytes of constants.
    pub fn constant(&mut self, shape: Vec<u32>, values: &[f32]) -> Result<Value, Refused> {
        let expected = TensorType::float(shape.clone()).elements();
        if expected != values.len() as u64 {
            return Err(self.refused(format!("constant{shape:?} has {} values", values.len())));
        }
        if values.iter().any(|value| value.is_nan()) {
            return Err(self.refused(format!("constant{shape:?} contains NaN")));
        }
        let bits: Vec<u32> = values.iter().map(|value| value.to_bits()).collect();
        let key = (shape, bits);
        let index = match self.constant_index.get(&key) {
            Some(index) => *index,
            None => {
                self.constant_bytes += 4 * values.len() as u64;
                if self.constant_bytes > self.limits.constant_bytes {
                    return Err(self.over(
                        "bytes of constants",
                        self.constant_bytes,
                        self.limits.constant_bytes,
                    ));
                }
                let index = self.constants.len() as u32;
                self.constants.push(key.clone());
                self.constant_index.insert(key, index);
                index
            }
        };
        let added = self.apply(Op::Constant(index), &[])?;
        Ok(added[0])
    }

    /// Adds an operation and returns its results.
    ///
    /// # Errors
    /// Arguments of the wrong kind or shape or of another program, a stream that is used twice, or a limit.
    pub fn apply(&mut self, op: Op, args: &[Value]) -> Result<Vec<Value>, Refused> {
        let limits = &self.limits;
        if args.len() > limits.arguments {
            return Err(self.over("arguments of an operation", args.len() as u64, limits.arguments as u64));
        }
        if op.is_host_only() && !limits.host_only {
            return Err(self.refused(format!("{op} has no gradient and is not available in this hook")));
        }
        if let Op::Uniform { stream, .. } = &op {
            if stream.len() > limits.name_bytes {
                return Err(self.over("bytes of a name", stream.len() as u64, limits.name_bytes as u64));
            }
            if self.streams.contains(stream) {
                return Err(self.refused(format!("{op}: the stream is used twice")));
            }
        }
        let mut given = Vec::with_capacity(args.len());
        for arg in args {
            given.push(self.type_of(*arg)?);
        }
        let results = typing::results(&op, &given, &self.experts, &self.constants).map_err(|problem| {
            let listed: Vec<String> = given.iter().map(ToString::to_string).collect();
            self.refused(format!("{op} of ({}): {problem}", listed.join(", ")))
        })?;
        let mut cost = self.cost;
        cost.operations += 1;
        for result in &results {
            if result.elements() > limits.elements {
                return Err(self.over("elements of a tensor", result.elements(), limits.elements));
            }
            cost.produced = cost.produced.saturating_add(result.elements());
        }
        cost.multiplications = cost.multiplications.saturating_add(multiplications(&op, &given, &results));
        for (what, found, limit) in [
            ("operations", cost.operations, limits.operations),
            ("elements of all results", cost.produced, limits.produced),
            ("multiplications", cost.multiplications, limits.multiplications),
        ] {
            if found > limit {
                return Err(self.over(what, found, limit));
            }
        }
        self.cost = cost;
        if let Op::Uniform { stream, .. } = &op {
            self.streams.insert(stream.clone());
        }
        let first = self.types.len() as Value;
        let count = results.len() as Value;
        self.types.extend(results);
        self.nodes.push(Node { op, args: args.to_vec() });
        Ok((first..first + count).collect())
    }

    /// Ends the program. Operations that no output depends on are removed.
    ///
    /// # Errors
    /// An output does not exist, stands twice, or has a name that is too long; or there are too many outputs.
    pub fn finish(self, outputs: Vec<Output>) -> Result<Program, Refused> {
        let limits = &self.limits;
        if outputs.len() > limits.outputs {
            return Err(self.over("outputs", outputs.len() as u64, limits.outputs as u64));
        }
        let mut seen = BTreeSet::new();
        for output in &outputs {
            self.type_of(output.value)?;
            let text = output.role.to_string();
            if text.len() > limits.name_bytes {
                return Err(self.over("bytes of a name", text.len() as u64, limits.name_bytes as u64));
            }
            if !seen.insert(text.clone()) {
                return Err(self.refused(format!("output {text} stands twice")));
            }
        }
        let inputs = self.sources.len();
        let mut needed = vec![false; self.types.len()];
        for output in &outputs {
            needed[output.value as usize] = true;
        }
        let firsts: Vec<usize> = self
            .nodes
            .iter()
            .scan(inputs, |next, node| {
                let first = *next;
                *next += node.op.results();
                Some(first)
            })
            .collect();
        let mut kept = vec![false; self.nodes.len()];
        for (number, node) in self.nodes.iter().enumerate().rev() {
            kept[number] = (firsts[number]..firsts[number] + node.op.results()).any(|value| needed[value]);
            if kept[number] {
                node.args.iter().for_each(|arg| needed[*arg as usize] = true);
            }
        }
        let mut renumbered: Vec<Value> = (0..self.types.len() as Value).collect();
        let mut types: Vec<TensorType> = self.types[..inputs].to_vec();
        let mut nodes = Vec::new();
        let mut constants = Vec::new();
        let mut constant_numbers: BTreeMap<u32, u32> = BTreeMap::new();
        for (number, mut node) in self.nodes.into_iter().enumerate() {
            if !kept[number] {
                continue;
            }
            for result in 0..node.op.results() {
                renumbered[firsts[number] + result] = types.len() as Value;
                types.push(self.types[firsts[number] + result].clone());
            }
            if let Op::Constant(index) = &mut node.op {
                *index = *constant_numbers.entry(*index).or_insert_with(|| {
                    constants.push(self.constants[*index as usize].clone());
                    constants.len() as u32 - 1
                });
            }
            node.args.iter_mut().for_each(|arg| *arg = renumbered[*arg as usize]);
            nodes.push(node);
        }
        let outputs = outputs
            .into_iter()
            .map(|output| Output { value: renumbered[output.value as usize], ..output })
            .collect();
        Ok(Program { inputs: self.sources, experts: self.experts, types, nodes, constants, outputs })
    }

    fn refused(&self, problem: String) -> Refused {
        Refused { operation: self.nodes.len(), problem }
    }

    fn over(&self, what: &str, found: u64, limit: u64) -> Refused {
        self.refused(format!("the program has {found} {what}; the limit is {limit}"))
    }
}

/// Multiplications of matrix products.
pub(super) fn multiplications(op: &Op, args: &[&TensorType], results: &[TensorType]) -> u64 {
    match op {
        Op::Matmul => {
            let inner = args[0].shape.last().copied().unwrap_or(1);
            results[0].elements().saturating_mul(u64::from(inner))
        }
        Op::Svd | Op::Qr | Op::Solve => {
            let longest = args[0].shape.iter().copied().max().unwrap_or(1);
            args[0].elements().saturating_mul(u64::from(longest))
        }
        _ => 0,
    }
}
