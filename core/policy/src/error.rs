//! What can go wrong with a policy, in words that name the plugin, its digest, the call, the query and
//! the limit. Never hides the policy's own words.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use cadre_contract::ExpertIndex;
use cadre_store::{Digest, StoreError};

use crate::PluginKind;

/// Which plugin: its name, its file and the digest of its bytes. Shown as its name and the first 12 digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginId {
    /// Its own name once it has been asked, until then the file's.
    pub name: String,
    /// Where it was read from.
    pub file: PathBuf,
    /// BLAKE3 of the file.
    pub digest: Digest,
}

impl fmt::Display for PluginId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "plugin `{}` ({})", self.name, self.digest.short())
    }
}

/// Which of a policy's functions was called, and for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// `describe`.
    Describe,
    /// `open`.
    Open,
    /// `route`, for one query that is known to be the trouble.
    RouteQuery(u64),
    /// `route`, for a batch of so many queries.
    RouteBatch(usize),
    /// `select`, for the task at this place of the stream.
    Select(u32),
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Describe => f.write_str("`describe`"),
            Self::Open => f.write_str("`open`"),
            Self::RouteQuery(id) => write!(f, "`route`, query {id}"),
            Self::RouteBatch(length) => write!(f, "`route`, a batch of {length} queries"),
            Self::Select(task) => write!(f, "`select`, task {task} of the stream"),
        }
    }
}

/// How a call ended that did not return.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// More instructions than allowed.
    #[error("it used up its {limit} units of fuel (limit on instructions)")]
    Fuel {
        /// What it had.
        limit: u64,
    },
    /// Longer than allowed.
    #[error("it took longer than {} s (limit on time)", limit.as_secs_f64())]
    Time {
        /// What it had.
        limit: Duration,
    },
    /// More memory than allowed.
    #[error("it wanted {wanted} bytes of memory (limit {limit})")]
    Memory {
        /// What it asked for, all memories together.
        wanted: u64,
        /// What it may have.
        limit: u64,
    },
    /// A larger table than allowed.
    #[error("it wanted {wanted} table elements (limit {limit})")]
    Table {
        /// What it asked for, all tables together.
        wanted: u64,
        /// What it may have.
        limit: u64,
    },
    /// Too deep a recursion.
    #[error("it used up its stack of {limit} bytes (endless recursion?)")]
    Stack {
        /// What it had.
        limit: usize,
    },
    /// A larger answer than allowed.
    #[error("it answered with more than {limit} bytes (limit on answers)")]
    AnswerSize {
        /// What it may say.
        limit: usize,
    },
    /// A longer log than allowed.
    #[error("it logged more than {limit} bytes (limit on logs)")]
    LogSize {
        /// What it may log.
        limit: usize,
    },
    /// Its answer is no value of the contract: text that is not UTF-8, a list beyond its memory, a case
    /// that does not exist.
    #[error("its answer is no value of the contract: {problem}")]
    NoValue {
        /// What is wrong with it.
        problem: String,
    },
    /// It stopped itself or did what WebAssembly forbids.
    #[error("it trapped: {trap}")]
    Trap {
        /// WebAssembly's name for it.
        trap: String,
    },
}

/// What is wrong with an answer.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum AnswerProblem {
    /// Not one step a query.
    #[error("it gave {given} steps for {wanted} queries")]
    StepCount {
        /// What it gave.
        given: usize,
        /// How many queries there were.
        wanted: usize,
    },
    /// No such expert.
    #[error("it named expert {index}, but there are {experts} (counted from 0)")]
    ExpertIndex {
        /// What it named.
        index: ExpertIndex,
        /// How many there are.
        experts: usize,
    },
    /// It asks, but for nothing.
    #[error("it asked, but for nothing")]
    EmptyAsk,
    /// It asks for what is in the evidence.
    #[error("it asked for {probe}, which it has been told already")]
    KnownProbe {
        /// What it asked for.
        probe: String,
    },
    /// It asks for the same thing twice at once.
    #[error("it asked for {probe} twice at once")]
    RepeatedProbe {
        /// What it asked for.
        probe: String,
    },
    /// A mixture of nobody.
    #[error("it mixed no experts")]
    EmptyMix,
    /// The same expert twice in a mixture.
    #[error("it mixed expert {index} in twice")]
    RepeatedShare {
        /// Which one.
        index: ExpertIndex,
    },
    /// NaN, infinite or negative.
    #[error("it gave the weight {weight}, expected a finite number that is not negative")]
    Weight {
        /// What it gave.
        weight: f32,
    },
    /// All weights are 0.
    #[error("the weights of its mixture sum up to {sum}, expected a finite sum above 0")]
    WeightSum {
        /// Their sum.
        sum: f32,
    },
    /// No such candidate.
    #[error("it named candidate {id}, which it was not given")]
    CandidateId {
        /// What it named.
        id: u64,
    },
    /// The same candidate twice.
    #[error("it picked candidate {id} twice")]
    RepeatedPick {
        /// Which one.
        id: u64,
    },
    /// An example made for a task that is not learned yet.
    #[error("it made an example of task {task}, but the stream is at task {at}")]
    SyntheticTask {
        /// What it named.
        task: u32,
        /// Where the stream is.
        at: u32,
    },
    /// A wish for text that cannot be fulfilled.
    #[error("it wants text with {name} = {value}, expected {expected}")]
    Generation {
        /// Which of its numbers.
        name: &'static str,
        /// What it gave.
        value: f64,
        /// What would be right.
        expected: &'static str,
    },
    /// Its name or version cannot stand in a report.
    #[error("its {field} is {value:?}, expected {expected}")]
    Description {
        /// Which field.
        field: &'static str,
        /// What it gave, cut short.
        value: String,
        /// What would be right.
        expected: &'static str,
    },
}

/// Why a policy cannot be loaded, or was stopped.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// The file cannot be read.
    #[error("cannot read plugin {}: {source}", file.display())]
    Read {
        /// Which file.
        file: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The file is too large.
    #[error("plugin {} has {bytes} bytes (limit {limit})", file.display())]
    FileSize {
        /// Which file.
        file: PathBuf,
        /// Its length.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// There is more to compile than allowed.
    #[error("plugin {} has {found} {what} (limit {limit})", file.display())]
    CodeSize {
        /// Which file.
        file: PathBuf,
        /// What is counted.
        what: &'static str,
        /// How much there is.
        found: u64,
        /// The limit.
        limit: u64,
    },
    /// Its settings are too large.
    #[error("{plugin} is to be opened with {bytes} bytes of settings (limit {limit})")]
    SettingsSize {
        /// Which plugin.
        plugin: Arc<PluginId>,
        /// Their length.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The file is something else.
    #[error("plugin {} is {found}, expected a WebAssembly component", file.display())]
    NotAComponent {
        /// Which file.
        file: PathBuf,
        /// What it is.
        found: &'static str,
    },
    /// The file is a component, but a broken one or one that uses what is not granted (threads,
    /// memory64, …).
    #[error("plugin {} is not a valid component: {problem}", file.display())]
    Malformed {
        /// Which file.
        file: PathBuf,
        /// The validator's words.
        problem: String,
    },
    /// A component that exports no policy.
    #[error(
        "plugin {} exports neither `cadre:policy/router` nor `cadre:policy/selector` (it exports: {})",
        file.display(), listed(exports)
    )]
    NotAPolicy {
        /// Which file.
        file: PathBuf,
        /// What it exports.
        exports: Vec<String>,
    },
    /// A policy that exports both a router and a selector.
    #[error("plugin {} exports a router and a selector, expected one of them", file.display())]
    TwoPolicies {
        /// Which file.
        file: PathBuf,
    },
    /// Built for a contract that this build does not speak.
    #[error(
        "plugin {} was built for version {found} of the contract, this build speaks {supported}",
        file.display()
    )]
    ContractVersion {
        /// Which file.
        file: PathBuf,
        /// What it was built for.
        found: String,
        /// What this build speaks.
        supported: &'static str,
    },
    /// It wants what no policy gets.
    #[error(
        "plugin {} imports {}, which is not granted to policies (granted: `cadre:policy/diagnostics`)",
        file.display(), listed(imports)
    )]
    UngrantedImport {
        /// Which file.
        file: PathBuf,
        /// What it imports beyond what is granted.
        imports: Vec<String>,
    },
    /// Its functions have another shape than the contract's.
    #[error("{plugin} does not keep the contract {}: {problem}", cadre_contract::CONTRACT_VERSION)]
    Shape {
        /// Which plugin.
        plugin: Arc<PluginId>,
        /// Where it differs.
        problem: String,
    },
    /// The compiler took too long.
    #[error("{plugin} was not compiled within {} s (limit)", limit.as_secs_f64())]
    CompileTime {
        /// Which plugin.
        plugin: Arc<PluginId>,
        /// The limit.
        limit: Duration,
    },
    /// WebAssembly cannot be run on this machine.
    #[error("cannot start the WebAssembly engine: {problem}")]
    Engine {
        /// The engine's words.
        problem: String,
    },
    /// Compiled code cannot be kept.
    #[error("cannot keep compiled policies in {}: {source}", folder.display())]
    Cache {
        /// Which folder.
        folder: PathBuf,
        /// Why not.
        source: StoreError,
    },
    /// The cache's folder cannot be made.
    #[error("cannot make the folder {} for compiled policies: {source}", folder.display())]
    CacheFolder {
        /// Which folder.
        folder: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A router where a selector is wanted, or the other way round.
    #[error("{plugin} is a {found}, expected a {wanted}")]
    Kind {
        /// Which plugin.
        plugin: Arc<PluginId>,
        /// What it is.
        found: PluginKind,
        /// What was wanted.
        wanted: PluginKind,
    },
    /// A call did not return.
    #[error("{plugin} was stopped in {call}: {fault}{}", quoted(last_words))]
    Stopped {
        /// Which plugin.
        plugin: Arc<PluginId>,
        /// What was called.
        call: Call,
        /// How it ended.
        fault: Fault,
        /// What it logged in this call, the panic's message among it; may be empty.
        last_words: String,
    },
    /// The policy itself says that something is wrong, such as a setting.
    #[error("{plugin} refused {call}: {message}")]
    Refused {
        /// Which plugin.
        plugin: Arc<PluginId>,
        /// What was called.
        call: Call,
        /// Its own words.
        message: String,
    },
    /// It returned nonsense.
    #[error("{plugin} broke the contract in {call}: {problem}")]
    Answer {
        /// Which plugin.
        plugin: Arc<PluginId>,
        /// What was called.
        call: Call,
        /// What is wrong.
        problem: AnswerProblem,
    },
    /// It asks and asks and never decides.
    #[error("{plugin} asked {rounds} times in {call} and did not decide (limit on rounds)")]
    TooManyRounds {
        /// Which plugin.
        plugin: Arc<PluginId>,
        /// What was called.
        call: Call,
        /// The limit.
        rounds: u32,
    },
    /// A finding that does not answer its probe: a mistake of the core, not of the policy.
    #[error("what was found for {probe} of query {query} is of another kind than the probe")]
    WrongFinding {
        /// Of which query.
        query: u64,
        /// What was asked.
        probe: String,
    },
}

fn listed(names: &[String]) -> String {
    if names.is_empty() {
        return "nothing".into();
    }
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

fn quoted(words: &str) -> String {
    if words.is_empty() { String::new() } else { format!("; its last words: {words}") }
}
