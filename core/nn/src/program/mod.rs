//! Runs tensor programs (`cadre_contract::program::Program`), which hooks of methods are traced into. A program makes
//! the calls of burn that the same code would make natively, in the same order: the same bits.

mod decompositions;
mod draws;
mod host;
mod operations;
mod order;
mod runner;
mod timing;
mod value;

pub(crate) use runner::{Experts, NotFinite, Products, RunOptions, Runner, first_not_finite, run};
pub(crate) use value::AnyTensor;

pub use host::{Evaluated, HostTensor, HostValues, evaluate};
pub use timing::{ProgramTime, time_programs};

#[cfg(test)]
mod interpreter;
#[cfg(test)]
mod tests;
