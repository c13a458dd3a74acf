//! How much a policy may use. Enforced in `guest` and `sandbox`; nothing here measures anything.

use std::time::Duration;

/// How much a policy may use before it is stopped.
///
/// All but the wall clock are deterministic: a policy that keeps them on one machine keeps them on
/// every machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Largest component file, bytes.
    pub file_bytes: u64,
    /// Functions of all of a component's modules together.
    pub functions: u64,
    /// Code of a function, bytes: what a compiler takes grows faster than the function.
    pub function_bytes: u64,
    /// Code of all functions together, bytes.
    pub code_bytes: u64,
    /// The squares of the sizes of all functions, in KiB, together: as what a compiler takes grows at worst.
    pub code_squares: u64,
    /// Longest compilation of a component.
    pub compile_time: Duration,
    /// Settings that a policy is opened with, bytes of JSON.
    pub settings_bytes: usize,
    /// All linear memories of an instance together, bytes.
    pub memory_bytes: u64,
    /// Elements of all tables of an instance together.
    pub table_elements: u64,
    /// Stack of a call, bytes.
    pub stack_bytes: usize,
    /// Fuel of a call (about one unit an instruction) whatever it is given.
    pub fuel: u64,
    /// Fuel on top of it for every byte that a call is given, so that more candidates or queries get
    /// more work done.
    pub fuel_per_byte: u64,
    /// Wall-clock net under the fuel, for what little fuel does not see.
    pub wall_clock: Duration,
    /// Fuel that is taken to last a second on a slow, busy machine: stretches the wall-clock net.
    pub fuel_per_second: u64,
    /// Everything a policy answers in one call, bytes as they lie in the core's memory. What it logs since
    /// the instance was made, 16 bytes a line added, has a measure of its own and the same limit.
    pub answer_bytes: usize,
    /// How often a policy may ask before it decides. The one who runs the loop keeps it, with
    /// [`crate::Router::too_many_rounds`] or [`crate::Selector::too_many_rounds`].
    pub rounds: u32,
}

impl Default for Limits {
    /// 32 MiB a file, 50 000 functions of at most 64 KiB and 4 MiB together, whose squares (in KiB) add up to 65 536 at most, 30 s a compilation, 64 KiB of settings, 512 MiB of memory, 10⁵ table elements, 512 KiB of stack,
    /// 5·10⁷ fuel and 10⁴ a byte given, 10 s and a second more for every 5·10⁷ fuel, 16 MiB an answer,
    /// 256 rounds.
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
    /// Fuel of a call that is given so many bytes.
    pub(crate) fn fuel_for(&self, bytes: usize) -> u64 {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.fuel.saturating_add(self.fuel_per_byte.saturating_mul(bytes))
    }

    /// Wall-clock net of a call that has so much fuel.
    pub(crate) fn time_for(&self, fuel: u64) -> Duration {
        self.wall_clock.saturating_add(Duration::from_secs(fuel / self.fuel_per_second.max(1)))
    }
}
