//! Resource limits of policies. `guest` and `sandbox` enforce them.

use std::time::Duration;

/// Resource limits of a policy.
///
/// All except the wall-clock deadline are deterministic: a policy that stays within them on one machine does so on
/// every machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Maximum size of a component file, bytes.
    pub file_bytes: u64,
    /// Maximum number of functions in all of a component's modules.
    pub functions: u64,
    /// Maximum code size of a function, bytes; compile time grows faster than linearly with it.
    pub function_bytes: u64,
    /// Maximum code size of all functions together, bytes.
    pub code_bytes: u64,
    /// Maximum sum of the squared function sizes, in KiB²: compile time grows quadratically at worst.
    pub code_squares: u64,
    /// Maximum compile time of a component.
    pub compile_time: Duration,
    /// Maximum size of a policy's settings, bytes of JSON.
    pub settings_bytes: usize,
    /// Maximum size of all linear memories of an instance together, bytes.
    pub memory_bytes: u64,
    /// Maximum number of elements of all tables of an instance together.
    pub table_elements: u64,
    /// Stack size of a call, bytes.
    pub stack_bytes: usize,
    /// Base fuel of a call (about one unit per instruction).
    pub fuel: u64,
    /// Additional fuel per input byte, so that more candidates or queries allow more work.
    pub fuel_per_byte: u64,
    /// Wall-clock deadline, for host time that fuel does not meter.
    pub wall_clock: Duration,
    /// Fuel consumed per second on a slow, busy machine; extends the wall-clock deadline.
    pub fuel_per_second: u64,
    /// Maximum size of an answer, in bytes of the core's memory. Logging since the instance was created, plus 16 bytes
    /// per line, is counted separately against the same limit.
    pub answer_bytes: usize,
    /// Maximum number of rounds in which a policy may ask before it decides. The caller that runs the loop enforces it,
    /// with [`crate::Router::too_many_rounds`] or [`crate::Selector::too_many_rounds`].
    pub rounds: u32,
}

impl Default for Limits {
    /// 32 MiB per file; 50 000 functions of at most 64 KiB each and 4 MiB together, with squared sizes (in KiB) that
    /// add up to at most 65 536; 30 s per compilation; 64 KiB of settings; 512 MiB of memory; 10⁵ table elements; 512
    /// KiB of stack; 5·10⁷ fuel plus 10⁴ per input byte; 10 s plus one second per 5·10⁷ fuel; 16 MiB per answer; 256
    /// rounds.
    fn default() -> Self {
        Self {
            file_bytes: 32 << 20,
            functions: 50_000,
            function_bytes: 64 << 10,
            code_bytes: 4 << 20,
            code_squares: 65_536,
            compile_time: Duration::from_secs(30),
            settings_bytes: 64 << 10,
            memory_bytes: 512 << 20,
            table_elements: 100_000,
            stack_bytes: 512 << 10,
            fuel: 50_000_000,
            fuel_per_byte: 10_000,
            wall_clock: Duration::from_secs(10),
            fuel_per_second: 50_000_000,
            answer_bytes: 16 << 20,
            rounds: 256,
        }
    }
}

impl Limits {
    /// Fuel of a call with this number of input bytes.
    pub(crate) fn fuel_for(&self, bytes: usize) -> u64 {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.fuel.saturating_add(self.fuel_per_byte.saturating_mul(bytes))
    }

    /// Wall-clock deadline of a call with this amount of fuel.
    pub(crate) fn time_for(&self, fuel: u64) -> Duration {
        self.wall_clock.saturating_add(Duration::from_secs(fuel / self.fuel_per_second.max(1)))
    }
}
