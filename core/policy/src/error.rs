//! Errors of policies. They name the plugin, its digest, the call, the query and the limit, and include the policy's
//! own messages.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use cadre_contract::{ExpertIndex, Hook};
use cadre_store::{Digest, StoreError};

use cadre_contract::PluginKind;

/// Identifies a plugin by name, file and digest. Displayed as the name and the first 12 digits of the digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginId {
    /// The plugin's declared name; the file name until it has been read.
    pub name: String,
    /// The plugin's file.
    pub file: PathBuf,
    /// BLAKE3 of the file.
    pub digest: Digest,
}

impl fmt::Display for PluginId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "plugin `{}` ({})", self.name, self.digest.short())
    }
}

/// A call of one of a policy's functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// `describe`.
    Describe,
    /// `open`.
    Open,
    /// `route`, for one query that is known to cause the problem.
    RouteQuery(u64),
    /// `route`, for a batch of this number of queries.
    RouteBatch(usize),
    /// `select`, for the task at this index of the stream.
    Select(u32),
    /// A hook of a method.
    Hook(Hook),
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Describe => f.write_str("`describe`"),
            Self::Open => f.write_str("`open`"),
            Self::RouteQuery(id) => write!(f, "`route`, query {id}"),
            Self::RouteBatch(length) => write!(f, "`route`, a batch of {length} queries"),
            Self::Hook(hook) => write!(f, "`{hook}`"),
            Self::Select(task) => write!(f, "`select`, task {task} of the stream"),
        }
    }
}

/// Why a call did not return.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It exceeded the instruction limit.
    #[error("it used up its {limit} units of fuel (limit on instructions)")]
    Fuel {
        /// The limit.
        limit: u64,
    },
    /// It exceeded the time limit.
    #[error("it took longer than {} s (limit on time)", limit.as_secs_f64())]
    Time {
        /// The limit.
        limit: Duration,
    },
    /// It exceeded the memory limit.
    #[error("it requested {wanted} bytes of memory (limit {limit})")]
    Memory {
        /// The requested total over all memories.
        wanted: u64,
        /// The limit.
        limit: u64,
    },
    /// It exceeded the limit on table elements.
    #[error("it requested {wanted} table elements (limit {limit})")]
    Table {
        /// The requested total over all tables.
        wanted: u64,
        /// The limit.
        limit: u64,
    },
    /// It exceeded the stack limit.
    #[error("it used up its stack of {limit} bytes (endless recursion?)")]
    Stack {
        /// The limit.
        limit: usize,
    },
    /// Its answer is too large.
    #[error("it answered with more than {limit} bytes (limit on answers)")]
    AnswerSize {
        /// The limit.
        limit: usize,
    },
    /// Its log is too long.
    #[error("it logged more than {limit} bytes (limit on logs)")]
    LogSize {
        /// The limit.
        limit: usize,
    },
    /// Its answer is not a value of the contract: invalid UTF-8, a list that exceeds its memory, an unknown variant.
    #[error("its answer is not a valid value of the contract: {problem}")]
    NoValue {
        /// What is wrong with it.
        problem: String,
    },
    /// It aborted, or executed an operation that WebAssembly forbids.
    #[error("it trapped: {trap}")]
    Trap {
        /// WebAssembly's name of the trap.
        trap: String,
    },
}

/// What is wrong with an answer.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum AnswerProblem {
    /// Wrong number of steps.
    #[error("it gave {given} steps for {wanted} queries")]
    StepCount {
        /// Number of steps in the answer.
        given: usize,
        /// Number of queries.
        wanted: usize,
    },
    /// Unknown expert.
    #[error("it named expert {index}, but there are {experts} (counted from 0)")]
    ExpertIndex {
        /// Index in the answer.
        index: ExpertIndex,
        /// Number of experts.
        experts: usize,
    },
    /// Empty list of probes.
    #[error("it asked with an empty list of probes")]
    EmptyAsk,
    /// A probe that is already in the evidence.
    #[error("it asked for {probe}, which is in its evidence already")]
    KnownProbe {
        /// The probe.
        probe: String,
    },
    /// Duplicate probe.
    #[error("it asked for {probe} twice in one step")]
    RepeatedProbe {
        /// The probe.
        probe: String,
    },
    /// Empty mixture.
    #[error("its mixture has no experts")]
    EmptyMix,
    /// Duplicate expert in a mixture.
    #[error("its mixture has expert {index} twice")]
    RepeatedShare {
        /// Index of the expert.
        index: ExpertIndex,
    },
    /// Weight that is NaN, infinite or negative.
    #[error("it gave the weight {weight}, expected a finite number that is not negative")]
    Weight {
        /// The weight.
        weight: f32,
    },
    /// Weights without a positive, finite sum.
    #[error("the weights of its mixture sum up to {sum}, expected a finite sum above 0")]
    WeightSum {
        /// The sum.
        sum: f32,
    },
    /// Unknown candidate.
    #[error("it named candidate {id}, which is not among its candidates")]
    CandidateId {
        /// Id in the answer.
        id: u64,
    },
    /// Duplicate candidate.
    #[error("it picked candidate {id} twice")]
    RepeatedPick {
        /// Id of the candidate.
        id: u64,
    },
    /// Example generated for a task that is not learned yet.
    #[error("it made an example of task {task}, but the stream is at task {at}")]
    SyntheticTask {
        /// Task in the answer.
        task: u32,
        /// Current index in the stream.
        at: u32,
    },
    /// Invalid parameters of a text request.
    #[error("it wants text with {name} = {value}, expected {expected}")]
    Generation {
        /// The parameter.
        name: &'static str,
        /// Its value.
        value: f64,
        /// The valid range.
        expected: &'static str,
    },
    /// A name or version that cannot be used in a report.
    #[error("its {field} is {value:?}, expected {expected}")]
    Description {
        /// The field.
        field: &'static str,
        /// Its value, truncated.
        value: String,
        /// The valid form.
        expected: &'static str,
    },
}

/// Why a policy could not be loaded, or was stopped.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// The file cannot be read.
    #[error("cannot read plugin {}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// The underlying I/O error.
        source: std::io::Error,
    },
    /// The file is too large.
    #[error("plugin {} has {bytes} bytes (limit {limit})", file.display())]
    FileSize {
        /// The file.
        file: PathBuf,
        /// Its size.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// The component contains more code than allowed.
    #[error("plugin {} has {found} {what} (limit {limit})", file.display())]
    CodeSize {
        /// The file.
        file: PathBuf,
        /// The quantity that is limited.
        what: &'static str,
        /// Its value.
        found: u64,
        /// The limit.
        limit: u64,
    },
    /// The settings are too large.
    #[error("{plugin} was given {bytes} bytes of settings (limit {limit})")]
    SettingsSize {
        /// The plugin.
        plugin: Arc<PluginId>,
        /// Their size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The file is not a component.
    #[error("plugin {} is {found}, expected a WebAssembly component", file.display())]
    NotAComponent {
        /// The file.
        file: PathBuf,
        /// What it is instead.
        found: &'static str,
    },
    /// The component is invalid, or uses a feature that is not granted (threads, memory64, …).
    #[error("plugin {} is not a valid component: {problem}", file.display())]
    Malformed {
        /// The file.
        file: PathBuf,
        /// The validator's message.
        problem: String,
    },
    /// A component that exports no policy.
    #[error(
        "plugin {} exports none of `cadre:policy/router`, `cadre:policy/selector` and `cadre:method/hooks` (it exports: {})",
        file.display(), listed(exports)
    )]
    NotAPolicy {
        /// The file.
        file: PathBuf,
        /// The exports.
        exports: Vec<String>,
    },
    /// A component that exports more than one kind.
    #[error("plugin {} exports several kinds of policies, expected one", file.display())]
    TwoPolicies {
        /// The file.
        file: PathBuf,
    },
    /// The component was built for an unsupported version of the contract.
    #[error(
        "plugin {} was built for version {found} of the contract; this build supports {supported}",
        file.display()
    )]
    ContractVersion {
        /// The file.
        file: PathBuf,
        /// Version it was built for.
        found: String,
        /// Version that this build supports.
        supported: &'static str,
    },
    /// The component imports more than policies are granted.
    #[error(
        "plugin {} imports {}, which is not granted to policies (granted: the interfaces of their own contract)",
        file.display(), listed(imports)
    )]
    UngrantedImport {
        /// The file.
        file: PathBuf,
        /// The imports that are not granted.
        imports: Vec<String>,
    },
    /// Its functions have other types than the contract's.
    #[error("{plugin} does not keep the contract {}: {problem}", cadre_contract::CONTRACT_VERSION)]
    Shape {
        /// The plugin.
        plugin: Arc<PluginId>,
        /// The difference.
        problem: String,
    },
    /// Compilation took too long.
    #[error("{plugin} was not compiled within {} s (limit)", limit.as_secs_f64())]
    CompileTime {
        /// The plugin.
        plugin: Arc<PluginId>,
        /// The limit.
        limit: Duration,
    },
    /// WebAssembly cannot be run on this machine.
    #[error("cannot start the WebAssembly engine: {problem}")]
    Engine {
        /// The engine's message.
        problem: String,
    },
    /// The address space of the process is too small.
    #[error(
        "cannot reserve address space for a policy ({problem}): WebAssembly reserves more than 4 GiB of it, of which little \
         is used; raise the limit of this shell (`ulimit -v unlimited`) or of the queue's job"
    )]
    AddressSpace {
        /// The system's message.
        problem: String,
    },
    /// Compiled code cannot be cached.
    #[error("cannot cache compiled policies in {}", folder.display())]
    Cache {
        /// The folder.
        folder: PathBuf,
        /// The underlying error.
        source: StoreError,
    },
    /// The cache folder cannot be created.
    #[error("cannot create the folder {} for compiled policies", folder.display())]
    CacheFolder {
        /// The folder.
        folder: PathBuf,
        /// The underlying I/O error.
        source: std::io::Error,
    },
    /// A router where a selector is expected, or vice versa.
    #[error("{plugin} is a {found}, expected a {wanted}")]
    Kind {
        /// The plugin.
        plugin: Arc<PluginId>,
        /// Its kind.
        found: PluginKind,
        /// The expected kind.
        wanted: PluginKind,
    },
    /// A collection has no policy of this name.
    #[error("{plugin} has no policy `{name}` (it has: {known})")]
    NoPolicy {
        /// The plugin.
        plugin: Arc<PluginId>,
        /// The name.
        name: String,
        /// All names.
        known: String,
    },
    /// A call did not return.
    #[error("{plugin} was stopped in {call}: {fault}{}", quoted(last_words))]
    Stopped {
        /// The plugin.
        plugin: Arc<PluginId>,
        /// The call.
        call: Call,
        /// Why it did not return.
        fault: Fault,
        /// The log of this call, including a panic message; may be empty.
        last_words: String,
    },
    /// The policy reports an error, such as an invalid setting.
    #[error("{plugin} refused {call}: {message}")]
    Refused {
        /// The plugin.
        plugin: Arc<PluginId>,
        /// The call.
        call: Call,
        /// The policy's message.
        message: String,
    },
    /// The policy returned an invalid answer.
    #[error("{plugin} broke the contract in {call}: {problem}")]
    Answer {
        /// The plugin.
        plugin: Arc<PluginId>,
        /// The call.
        call: Call,
        /// What is wrong.
        problem: AnswerProblem,
    },
    /// The policy kept asking and did not decide.
    #[error("{plugin} asked {rounds} times in {call} and did not decide (limit on rounds)")]
    TooManyRounds {
        /// The plugin.
        plugin: Arc<PluginId>,
        /// The call.
        call: Call,
        /// The limit.
        rounds: u32,
    },
    /// A finding whose kind does not match its probe: a bug in the core, not in the policy.
    #[error("the finding for {probe} of query {query} does not have the probe's kind")]
    WrongFinding {
        /// The query.
        query: u64,
        /// The probe.
        probe: String,
    },
}

impl PolicyError {
    /// The error for a message of the engine: too little address space has an error of its own.
    pub(crate) fn of_engine(problem: String, other: impl FnOnce(String) -> Self) -> Self {
        // The system's text for ENOMEM; wasmtime passes it on as text.
        if problem.contains("Cannot allocate memory") || problem.contains("os error 12") {
            return Self::AddressSpace { problem };
        }
        other(problem)
    }
}

fn listed(names: &[String]) -> String {
    if names.is_empty() {
        return "nothing".into();
    }
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

fn quoted(words: &str) -> String {
    if words.is_empty() { String::new() } else { format!("; its last log lines: {words}") }
}

#[cfg(test)]
mod tests {
    use super::PolicyError;

    #[test]
    fn too_little_address_space_names_its_limit() {
        let of = |problem: &str| {
            PolicyError::of_engine(problem.to_owned(), |problem| PolicyError::Engine { problem }).to_string()
        };
        let text = of("Cannot allocate memory (os error 12)");
        assert!(text.contains("address space") && text.contains("`ulimit -v unlimited`"), "{text}");
        assert_eq!(of("no such feature"), "cannot start the WebAssembly engine: no such feature");
    }
}
