//! The host's side of symbolic tensors: every operation that a hook applies is added to the program under construction.

use std::collections::BTreeMap;

use cadre_contract::HookCall;
use cadre_contract::program::{Binary, Builder, ElementKind, Op, ProgramLimits, Reduction, Unary, Value};

use crate::bindings::method_world::cadre::method::facts;
use crate::bindings::method_world::cadre::method::tensors::{
    self, BinaryOp, Kind, Operation, Reduction as WitReduction, UnaryOp,
};
use crate::guest::Guest;

/// A program under construction, and the facts that its hook may ask for.
pub(crate) struct Trace {
    builder: Builder,
    known: BTreeMap<String, String>,
    asked: BTreeMap<String, String>,
    refusal: Option<String>,
}

impl Trace {
    pub(super) fn new(call: &HookCall, limits: ProgramLimits) -> Result<Self, String> {
        let experts = call.experts.iter().map(|expert| expert.sizes).collect();
        let builder =
            Builder::new(call.inputs.clone(), experts, limits).map_err(|refused| refused.to_string())?;
        Ok(Self { builder, known: call.facts.clone(), asked: BTreeMap::new(), refusal: None })
    }

    /// The first operation that was refused. A hook that goes on regardless has failed nevertheless.
    pub(super) fn refusal(&self) -> Option<&str> {
        self.refusal.as_deref()
    }

    pub(super) fn into_parts(self) -> (Builder, BTreeMap<String, String>) {
        (self.builder, self.asked)
    }

    fn apply(&mut self, op: Operation, args: &[Value]) -> Result<Vec<Value>, String> {
        let applied = match op {
            Operation::Constant(constant) => {
                self.builder.constant(constant.shape, &constant.values).map(|value| vec![value])
            }
            other => match converted(other) {
                Ok(op) => self.builder.apply(op, args),
                Err(problem) => return self.refuse(problem),
            },
        };
        match applied {
            Ok(values) => Ok(values),
            Err(refused) => self.refuse(refused.problem),
        }
    }

    fn refuse<T>(&mut self, problem: String) -> Result<T, String> {
        self.refusal.get_or_insert_with(|| problem.clone());
        Err(problem)
    }
}

/// Maps an operation of the contract to that of programs. Dimensions and counts that do not fit are refused.
fn converted(op: Operation) -> Result<Op, String> {
    let dim = |dim: u32| u8::try_from(dim).map_err(|_| format!("there is no dimension {dim}"));
    Ok(match op {
        Operation::Unary(op) => Op::Unary(unary(op)),
        Operation::Binary(op) => Op::Binary(binary(op)),
        Operation::Scalar((op, number)) => Op::Scalar(binary(op), number.into()),
        Operation::Matmul => Op::Matmul,
        Operation::Reduce((op, at)) => Op::Reduce(reduction(op), dim(at)?),
        Operation::ReduceAll(op) => Op::ReduceAll(reduction(op)),
        Operation::Softmax(at) => Op::Softmax(dim(at)?),
        Operation::LogSoftmax(at) => Op::LogSoftmax(dim(at)?),
        Operation::LayerNorm(epsilon) => Op::LayerNorm(epsilon.into()),
        Operation::Cumsum(at) => Op::CumSum(dim(at)?),
        Operation::Transpose((one, other)) => Op::Transpose(dim(one)?, dim(other)?),
        Operation::Reshape(shape) => Op::Reshape(shape),
        Operation::Expand(shape) => Op::Expand(shape),
        Operation::Slice(span) => Op::Slice { dim: dim(span.dim)?, start: span.start, end: span.end },
        Operation::Cat(at) => Op::Cat(dim(at)?),
        Operation::Topk(top) => Op::TopK { k: top.k, dim: dim(top.dim)? },
        Operation::Sort(order) => Op::Sort { dim: dim(order.dim)?, descending: order.descending },
        Operation::Largest(k) => Op::Largest(k),
        Operation::Argmax(at) => Op::ArgMax(dim(at)?),
        Operation::Gather(at) => Op::Gather(dim(at)?),
        Operation::ScatterAdd(at) => Op::ScatterAdd(dim(at)?),
        Operation::Select(at) => Op::Select(dim(at)?),
        Operation::Choose => Op::Choose,
        Operation::Full(filled) => Op::Full(filled.shape, filled.number.into()),
        Operation::Constant(_) => unreachable!("constants are added by the builder"),
        Operation::Arange(count) => Op::Arange(count),
        Operation::Uniform(draws) => Op::Uniform { stream: draws.name, shape: draws.shape },
        Operation::Expert(index) => {
            Op::Expert(u16::try_from(index).map_err(|_| format!("there is no expert {index}"))?)
        }
        Operation::Svd => Op::Svd,
        Operation::Qr => Op::Qr,
        Operation::Solve => Op::Solve,
    })
}

fn unary(op: UnaryOp) -> Unary {
    match op {
        UnaryOp::Neg => Unary::Neg,
        UnaryOp::Abs => Unary::Abs,
        UnaryOp::Sign => Unary::Sign,
        UnaryOp::Exp => Unary::Exp,
        UnaryOp::Log => Unary::Log,
        UnaryOp::Log1p => Unary::Log1p,
        UnaryOp::Sqrt => Unary::Sqrt,
        UnaryOp::Square => Unary::Square,
        UnaryOp::Recip => Unary::Recip,
        UnaryOp::Sigmoid => Unary::Sigmoid,
        UnaryOp::Tanh => Unary::Tanh,
        UnaryOp::Relu => Unary::Relu,
        UnaryOp::Silu => Unary::Silu,
        UnaryOp::Gelu => Unary::Gelu,
        UnaryOp::Floor => Unary::Floor,
        UnaryOp::Round => Unary::Round,
        UnaryOp::Cos => Unary::Cos,
        UnaryOp::Sin => Unary::Sin,
        UnaryOp::LogicalNot => Unary::Not,
        UnaryOp::ToFloat => Unary::ToFloat,
        UnaryOp::ToInt => Unary::ToInt,
        UnaryOp::Detach => Unary::Detach,
    }
}

fn binary(op: BinaryOp) -> Binary {
    match op {
        BinaryOp::Add => Binary::Add,
        BinaryOp::Sub => Binary::Sub,
        BinaryOp::Mul => Binary::Mul,
        BinaryOp::Div => Binary::Div,
        BinaryOp::Pow => Binary::Pow,
        BinaryOp::Maximum => Binary::Maximum,
        BinaryOp::Minimum => Binary::Minimum,
        BinaryOp::LogicalAnd => Binary::And,
        BinaryOp::LogicalOr => Binary::Or,
        BinaryOp::Eq => Binary::Eq,
        BinaryOp::Ne => Binary::Ne,
        BinaryOp::Gt => Binary::Gt,
        BinaryOp::Ge => Binary::Ge,
        BinaryOp::Lt => Binary::Lt,
        BinaryOp::Le => Binary::Le,
    }
}

fn reduction(op: WitReduction) -> Reduction {
    match op {
        WitReduction::Sum => Reduction::Sum,
        WitReduction::Mean => Reduction::Mean,
        WitReduction::Max => Reduction::Max,
        WitReduction::Min => Reduction::Min,
        WitReduction::Norm => Reduction::Norm,
    }
}

/// A call in which no program is built (`schedule`, `parameters`) has no tensors.
const NO_TENSORS: &str = "there are no tensors in this call";

impl tensors::Host for Guest {
    fn apply(&mut self, op: Operation, args: Vec<Value>) -> Result<Vec<Value>, String> {
        match &mut self.trace {
            Some(trace) => trace.apply(op, &args),
            None => Err(NO_TENSORS.to_owned()),
        }
    }

    fn shape(&mut self, of: Value) -> Vec<u32> {
        let Some(trace) = &mut self.trace else { return Vec::new() };
        match trace.builder.type_of(of) {
            Ok(found) => found.shape.clone(),
            Err(refused) => {
                trace.refusal.get_or_insert(refused.problem);
                Vec::new()
            }
        }
    }

    fn kind_of(&mut self, of: Value) -> Kind {
        let Some(trace) = &mut self.trace else { return Kind::Floating };
        match trace.builder.type_of(of).map(|found| found.kind) {
            Ok(ElementKind::Float) => Kind::Floating,
            Ok(ElementKind::Int) => Kind::Integer,
            Ok(ElementKind::Bool) => Kind::Boolean,
            Err(refused) => {
                trace.refusal.get_or_insert(refused.problem);
                Kind::Floating
            }
        }
    }
}

impl facts::Host for Guest {
    fn fact(&mut self, name: String) -> Result<String, String> {
        let Some(trace) = &mut self.trace else { return Err("there are no facts in this call".to_owned()) };
        match trace.known.get(&name) {
            Some(value) => {
                trace.asked.insert(name, value.clone());
                Ok(value.clone())
            }
            None => {
                let known: Vec<&str> = trace.known.keys().map(String::as_str).collect();
                Err(format!("the fact `{name}` is not known in this call (known: {})", known.join(", ")))
            }
        }
    }
}
