//! What a program costs, known before it runs, and how much is allowed.

use serde::{Deserialize, Serialize};

/// Static cost of a program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Cost {
    /// Number of operations.
    pub operations: u64,
    /// Elements of all results together.
    pub produced: u64,
    /// Multiplications of matrix products.
    pub multiplications: u64,
    /// Most elements that are needed at the same time: inputs and results before their last use. Exact without
    /// gradients; where a backward pass follows, all results may be kept ([`Cost::produced`]).
    pub peak: u64,
}

/// How much a program may cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramLimits {
    /// Operations.
    pub operations: u64,
    /// Arguments of one operation.
    pub arguments: usize,
    /// Elements of one result.
    pub elements: u64,
    /// Elements of all results.
    pub produced: u64,
    /// Multiplications of matrix products.
    pub multiplications: u64,
    /// Bytes of all constants.
    pub constant_bytes: u64,
    /// Length of a name (of a stream or an output), in bytes.
    pub name_bytes: usize,
    /// Number of outputs.
    pub outputs: usize,
    /// Whether operations without a gradient that run on the host are allowed.
    pub host_only: bool,
}

impl Default for ProgramLimits {
    /// 20 000 operations of up to 1024 arguments, 2³¹ elements per result, 2³⁴ over all, 2⁴² multiplications, 16 MiB
    /// of constants, names of 200 bytes, 4096 outputs.
    fn default() -> Self {
        Self {
            operations: 20_000,
            arguments: 1024,
            elements: 1 << 31,
            produced: 1 << 34,
            multiplications: 1 << 42,
            constant_bytes: 16 << 20,
            name_bytes: 200,
            outputs: 4096,
            host_only: true,
        }
    }
}
