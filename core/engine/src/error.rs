//! Errors that stop a command or a stage, with what is needed to fix them.

use std::path::PathBuf;

use cadre_data::DataError;
use cadre_eval::EvalError;
use cadre_nn::NnError;
use cadre_policy::PolicyError;
use cadre_recipe::RecipeErrors;
use cadre_runs::RunsError;
use cadre_scheduler::{PlanError, WalkError};
use cadre_store::{Digest, StoreError};

/// Why a command or stage failed. Messages fit after "failed to".
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// A validation split that leaves nothing to learn.
    #[error(
        "hold out {count} of the {rows} training rows of `{task}` (`evaluation.validation.count`): none would be left to train on"
    )]
    HeldOut {
        /// The task.
        task: String,
        /// Its training rows.
        rows: usize,
        /// Rows to be held out.
        count: u32,
    },
    /// The recipe is invalid.
    #[error("read the recipe")]
    Recipe(#[source] Box<RecipeErrors>),
    /// The command line names something that does not exist.
    #[error("find {what} `{name}`: {advice}")]
    NotFound {
        /// Kind of thing.
        what: &'static str,
        /// Its name.
        name: String,
        /// What to do about it.
        advice: String,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An operation on runs failed.
    #[error(transparent)]
    Runs(#[from] RunsError),
    /// Data could not be read or tokenised.
    #[error("read data")]
    Data(#[from] DataError),
    /// An imported adapter lacks the indicator's tokens.
    #[error(
        "import {}: experts claim with 2 new tokens here, but the adapter has {found} (use `indicator.kind` \
         existing-token or text, or a router that does not probe claims)",
        adapter.display()
    )]
    NoIndicatorRows {
        /// Folder of the adapter.
        adapter: PathBuf,
        /// Number of tokens it adds.
        found: usize,
    },
    /// A model could not be opened, trained or run.
    #[error(transparent)]
    Model(NnError),
    /// A policy failed.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// A report could not be created.
    #[error(transparent)]
    Report(#[from] EvalError),
    /// The plan could not be created.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// A stage failed.
    #[error(transparent)]
    Walk(#[from] WalkError),
    /// A Slurm program is missing or failed.
    #[error("run Slurm's `{program}`: {problem}")]
    Slurm {
        /// The program.
        program: &'static str,
        /// Its error output, or the I/O error.
        problem: String,
    },
    /// A sweep is in the queue already.
    #[error(
        "submit {sweep}: {jobs} of its jobs are still in the queue (the first is {first}); wait, or cancel them with `cadre sweep cancel {sweep}`"
    )]
    AlreadyQueued {
        /// Id of the sweep.
        sweep: String,
        /// Number of jobs in the queue.
        jobs: usize,
        /// Id of the first one.
        first: String,
    },
    /// A launcher file is invalid.
    #[error("read {}: {problem}", path.display())]
    Launcher {
        /// The file.
        path: PathBuf,
        /// What is wrong, with the line.
        problem: String,
    },
    /// A worker could not be started.
    #[error("start worker {number}")]
    Worker {
        /// Number of the worker.
        number: usize,
        /// The underlying I/O error.
        source: std::io::Error,
    },
    /// A stage failed in another worker of the sweep.
    #[error("{message}")]
    FailedElsewhere {
        /// The error message.
        message: String,
    },
    /// A stage failed in a worker.
    #[error("do stage {stage}: {message}")]
    StageFailed {
        /// The stage.
        stage: String,
        /// The error message.
        message: String,
    },
    /// Some points of a sweep are not done.
    #[error("finish the sweep: {failed} of {all} points failed, {left} are left{}{why}", if why.is_empty() { "" } else { "; " })]
    SweepIncomplete {
        /// Points that failed.
        failed: usize,
        /// Points that were not reached.
        left: usize,
        /// All points.
        all: usize,
        /// Problems of workers.
        why: String,
    },
    /// The user asked to stop.
    #[error("finish: interrupted")]
    Interrupted,
    /// A file could not be written.
    #[error("write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The underlying I/O error.
        source: std::io::Error,
    },
    /// Standard output could not be written.
    #[error("write to standard output (the output is incomplete)")]
    Output {
        /// The underlying I/O error.
        source: std::io::Error,
    },
    /// The target of a command exists already.
    #[error("write {}: it already exists ({what}); pass --force to overwrite it", path.display())]
    WouldOverwrite {
        /// The file or folder.
        path: PathBuf,
        /// What it is or contains.
        what: String,
    },
    /// An export into the folder that it reads from.
    #[error("write {}: the backbone or expert is read from there; choose another folder", path.display())]
    OntoItself {
        /// The folder.
        path: PathBuf,
    },
    /// A file could not be read.
    #[error("read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The underlying I/O error.
        source: std::io::Error,
    },
    /// A file of a stage is malformed.
    #[error("read {}, line {line}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Line number, from 1.
        line: usize,
        /// The parser's error.
        source: serde_json::Error,
    },
    /// A file of a stage was written by a newer version.
    #[error("read {}: it has format-version {found}, but this program reads versions up to {known}", path.display())]
    NewerFile {
        /// The file.
        path: PathBuf,
        /// Its format version.
        found: u32,
        /// The newest version this program reads.
        known: u32,
    },
    /// A value cannot be serialized as JSON.
    #[error("write {what} as JSON")]
    NoJson {
        /// The value.
        what: &'static str,
        /// The serializer's error.
        source: serde_json::Error,
    },
    /// A segment of the evidence book cannot be parsed.
    #[error("read the evidence of {}", subject.short())]
    Page {
        /// The subject of the evidence.
        subject: Digest,
        /// The parser's error.
        source: serde_json::Error,
    },
    /// A segment of the evidence book has a newer version.
    #[error("read the evidence of {}: it has format-version {found}, which is newer than this program", subject.short())]
    NewerPage {
        /// The subject of the evidence.
        subject: Digest,
        /// The format version.
        found: u32,
    },
    /// A router exceeded the limit on rounds.
    #[error("route query {query}: {router} did not decide within {limit} rounds (routing.max-rounds)")]
    TooManyRounds {
        /// The router.
        router: String,
        /// Id of the query.
        query: u64,
        /// The limit on rounds.
        limit: u32,
    },
    /// A router returned the wrong number of steps.
    #[error("route queries: {router} returned {steps} steps for {queries} queries")]
    WrongStepCount {
        /// The router.
        router: String,
        /// Number of queries.
        queries: usize,
        /// Number of steps.
        steps: usize,
    },
    /// A router probed the true task without permission.
    #[error(
        "route query {query}: {router} probes the true task, which this recipe does not grant \
         (add routing.grant = [\"task\"])"
    )]
    TaskNotGranted {
        /// The router.
        router: String,
        /// Id of the query.
        query: u64,
    },
    /// A router probed claims of experts that have no indicator.
    #[error("route queries: {router} asks for claims, but the experts have no indicator (add [indicator])")]
    NoClaims {
        /// The router.
        router: String,
    },
    /// A router probed an expert that does not exist.
    #[error("route query {query}: {router} asks expert {expert}, but there are {experts}")]
    NoSuchExpert {
        /// The router.
        router: String,
        /// Id of the query.
        query: u64,
        /// Index of the expert.
        expert: u32,
        /// Number of experts.
        experts: u32,
    },
    /// A selector exceeded the limit on rounds.
    #[error("select for task {task}: {selector} did not decide within {limit} rounds")]
    SelectorRounds {
        /// The selector.
        selector: String,
        /// The task's index in the stream.
        task: u32,
        /// The limit on rounds.
        limit: u32,
    },
    /// A selector used a probe that is not available in this stage.
    #[error("select for task {task}: {selector} asks for {probe}, but {reason}")]
    SelectorProbe {
        /// The selector.
        selector: String,
        /// The task's index in the stream.
        task: u32,
        /// The probe.
        probe: String,
        /// Why it is not available.
        reason: &'static str,
    },
    /// A model returned too few findings.
    #[error("answer a policy's probes: {asked} questions, but fewer findings")]
    FindingsMissing {
        /// Number of questions.
        asked: usize,
    },
    /// A stage lacks an input that its plan should list.
    #[error("do stage {stage}: it has no input `{what}`")]
    InputMissing {
        /// The stage.
        stage: String,
        /// The missing input.
        what: String,
    },
    /// The backbone's context leaves no room for a prompt.
    #[error(
        "make prompts: the backbone's context of {context} tokens leaves no room for a prompt beside a response of up to {response}"
    )]
    NoRoom {
        /// The backbone's context length.
        context: usize,
        /// Maximum length of a response.
        response: usize,
    },
    /// A policy's file has changed since the plan was made.
    #[error("load plugin `{name}`: {} has changed since the plan was made (digest {found}, planned {planned}); run again", path.display())]
    PluginChanged {
        /// Name of the policy.
        name: String,
        /// The policy's file.
        path: PathBuf,
        /// Short digest of the file.
        found: String,
        /// Short digest in the plan.
        planned: String,
    },
    /// An input file of a stage has changed since the plan was made.
    #[error(
        "read {}: it has changed since the plan was made ({how}); nothing was stored. Restore the planned file, or run \
         again to plan with the current file", path.display()
    )]
    FileChanged {
        /// The file.
        path: PathBuf,
        /// The planned and the actual digest.
        how: String,
    },
    /// A checkpoint's file list was written by a newer version of Cadre.
    #[error("read {}: it has format version {found}, written by a newer version of cadre", path.display())]
    NewerListing {
        /// The list.
        path: PathBuf,
        /// Its format version.
        found: u32,
    },
    /// A plan names an unknown backend.
    #[error("open the device of a plan: unknown backend `{name}`, expected cpu, ndarray or cuda")]
    UnknownBackend {
        /// The name.
        name: String,
    },
    /// A selector generated an example for a task that it was not asked about.
    #[error("select for task {at}: {selector} generated an example of task {task}")]
    SyntheticTask {
        /// The selector.
        selector: String,
        /// The task's index in the stream.
        at: u32,
        /// The task of the example.
        task: u32,
    },
    /// A policy violates the contract.
    #[error("check {}: {failed} of its checks failed", file.display())]
    BreaksContract {
        /// The component.
        file: PathBuf,
        /// Number of failed checks.
        failed: usize,
    },
    /// A method computed a number that is not finite.
    #[error("run `{method}`: {what} is {value}")]
    NotFinite {
        /// The method.
        method: String,
        /// Where.
        what: String,
        /// The number.
        value: f32,
    },
    /// A file is not one of cases.
    #[error("read the cases in {}: {problem}", file.display())]
    NotCases {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A policy does not do what the cases of its reference say.
    #[error("hold `{policy}` to its cases: {failed} of {cases} fail; the worst is {worst}")]
    FailsCases {
        /// The policy.
        policy: String,
        /// Number of failed cases.
        failed: usize,
        /// Number of cases.
        cases: usize,
        /// The case with the largest difference, and what differs.
        worst: String,
    },
    /// Settings do not fit the policy's declaration.
    #[error("use the settings of `{policy}`: {problem}")]
    PolicySettings {
        /// The policy.
        policy: String,
        /// What is wrong.
        problem: String,
    },
    /// `cadre doctor` found problems.
    #[error("pass all checks: see {what} above")]
    DoctorFailed {
        /// The failed checks.
        what: String,
    },
    /// A policy could not be created or built.
    #[error("make the policy")]
    Workshop(#[from] cadre_plugin_build::PluginBuildError),
    /// A thread or signal handler could not be set up.
    #[error("listen for Ctrl-C")]
    Signals {
        /// The underlying I/O error.
        source: std::io::Error,
    },
    /// `--resume-only`, but there is no run to resume.
    #[error("resume: there is no run {}; leave --resume-only out to start it", folder.display())]
    NothingToResume {
        /// Where the run would be.
        folder: PathBuf,
    },
}

impl EngineError {
    /// Exit code of a command that fails with this error: 1 failed, 2 invalid recipe or command line, 130 interrupted.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Runs(
                RunsError::Query { .. }
                | RunsError::NotFound { .. }
                | RunsError::Ambiguous { .. }
                | RunsError::BadTag { .. },
            ) => 2,
            Self::Recipe(_)
            | Self::NotFound { .. }
            | Self::NothingToResume { .. }
            | Self::WouldOverwrite { .. }
            | Self::OntoItself { .. } => 2,
            Self::Interrupted => 130,
            _ => 1,
        }
    }
}

impl From<RecipeErrors> for EngineError {
    fn from(errors: RecipeErrors) -> Self {
        Self::Recipe(Box::new(errors))
    }
}

impl From<cadre_checkpoint::CheckpointError> for EngineError {
    fn from(error: cadre_checkpoint::CheckpointError) -> Self {
        Self::Model(NnError::Checkpoint(error))
    }
}

impl From<NnError> for EngineError {
    fn from(error: NnError) -> Self {
        match error {
            NnError::Stopped => Self::Interrupted,
            other => Self::Model(other),
        }
    }
}
