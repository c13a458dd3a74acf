//! Everything that can stop a command or a stage, with what a person needs to fix it.

use std::path::PathBuf;

use cadre_data::DataError;
use cadre_eval::EvalError;
use cadre_nn::NnError;
use cadre_policy::PolicyError;
use cadre_recipe::RecipeErrors;
use cadre_runs::RunsError;
use cadre_scheduler::{PlanError, WalkError};
use cadre_store::{Digest, StoreError};

/// Why the engine could not do what it was asked. Messages fit after "failed to".
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
    /// The recipe is wrong.
    #[error("read the recipe: {0}")]
    Recipe(Box<RecipeErrors>),
    /// The command line asks for something that is not there.
    #[error("find {what} `{name}`: {advice}")]
    NotFound {
        /// What was looked for.
        what: &'static str,
        /// Its name.
        name: String,
        /// What to do about it.
        advice: String,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Runs could not be found, asked, compared, tagged, exported or deleted.
    #[error(transparent)]
    Runs(#[from] RunsError),
    /// Data could not be read or tokenised.
    #[error("read data: {0}")]
    Data(#[from] DataError),
    /// An adapter that was made elsewhere cannot claim.
    #[error(
        "take over {}: experts claim by new tokens here, and it brings {found}, not 2 (use `indicator.kind` \
         existing-token or text, or a router that asks for no claims)",
        adapter.display()
    )]
    NoIndicatorRows {
        /// Folder of the adapter.
        adapter: PathBuf,
        /// Tokens it brings.
        found: usize,
    },
    /// A model could not be opened, trained or asked.
    #[error(transparent)]
    Model(NnError),
    /// A policy failed.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// A report could not be made.
    #[error(transparent)]
    Report(#[from] EvalError),
    /// The plan could not be made.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// A stage failed.
    #[error(transparent)]
    Walk(#[from] WalkError),
    /// A program of Slurm is not there or failed.
    #[error("ask Slurm's `{program}`: {problem}")]
    Slurm {
        /// The program.
        program: &'static str,
        /// Its words, or the system's.
        problem: String,
    },
    /// A sweep is in the queue already.
    #[error(
        "submit {sweep}: {jobs} of its jobs are still in the queue (the first is {first}); wait, or cancel them with `cadre sweep cancel {sweep}`"
    )]
    AlreadyQueued {
        /// Id of the sweep.
        sweep: String,
        /// Jobs that are alive.
        jobs: usize,
        /// Id of one.
        first: String,
    },
    /// A launcher's file cannot be understood.
    #[error("read {}: {problem}", path.display())]
    Launcher {
        /// The file.
        path: PathBuf,
        /// What is wrong, with its line.
        problem: String,
    },
    /// A worker could not be started.
    #[error("start worker {number}: {source}")]
    Worker {
        /// Which.
        number: usize,
        /// What the system said.
        source: std::io::Error,
    },
    /// A stage failed for another worker of the sweep.
    #[error("{message}")]
    FailedElsewhere {
        /// Why.
        message: String,
    },
    /// A stage of a worker failed.
    #[error("do stage {stage}: {message}")]
    StageFailed {
        /// Its name.
        stage: String,
        /// Why.
        message: String,
    },
    /// Not every point of a sweep is done.
    #[error("finish the sweep: {failed} of {all} points failed, {left} are left{}{why}", if why.is_empty() { "" } else { "; " })]
    SweepIncomplete {
        /// Points that failed.
        failed: usize,
        /// Points that were not reached.
        left: usize,
        /// All points.
        all: usize,
        /// What became of a worker.
        why: String,
    },
    /// Somebody asked to stop.
    #[error("finish: interrupted")]
    Interrupted,
    /// A file could not be written.
    #[error("write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Standard output could not be written.
    #[error("write to standard output: {source}; what was to be shown is not complete")]
    Output {
        /// What the system said.
        source: std::io::Error,
    },
    /// What a command would write is there already.
    #[error("write {}: it is there already ({what}); --force writes over it", path.display())]
    WouldOverwrite {
        /// The file or folder.
        path: PathBuf,
        /// What it is or holds.
        what: String,
    },
    /// An export into the folder that it reads from.
    #[error("write {}: the backbone or expert is read from there; name another folder", path.display())]
    OntoItself {
        /// The folder.
        path: PathBuf,
    },
    /// A file could not be read.
    #[error("read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file of a stage does not hold what it should.
    #[error("read {}, line {line}: {source}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Counted from one.
        line: usize,
        /// What the parser said.
        source: serde_json::Error,
    },
    /// A file of a stage was written by a newer version.
    #[error("read {}: it has format-version {found}; this program reads up to {known}", path.display())]
    NewerFile {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The newest this program reads.
        known: u32,
    },
    /// A value has no JSON form.
    #[error("write {what} as JSON: {source}")]
    NoJson {
        /// What was to be written.
        what: &'static str,
        /// What the serializer said.
        source: serde_json::Error,
    },
    /// A page of the evidence book cannot be read or written.
    #[error("read the evidence of {}: {source}", subject.short())]
    Page {
        /// Whose evidence.
        subject: Digest,
        /// What the parser said.
        source: serde_json::Error,
    },
    /// A page of the evidence book is of a newer version.
    #[error("read the evidence of {}: format-version {found} is newer than this program", subject.short())]
    NewerPage {
        /// Whose evidence.
        subject: Digest,
        /// Version found.
        found: u32,
    },
    /// A router asked too often.
    #[error(
        "route query {query}: {router} was asked {limit} times and still does not decide (routing.max-rounds)"
    )]
    TooManyRounds {
        /// The router.
        router: String,
        /// The query's id.
        query: u64,
        /// The limit.
        limit: u32,
    },
    /// A router gave more or fewer steps than there are queries.
    #[error("route queries: {router} gave {steps} steps for {queries} queries")]
    WrongStepCount {
        /// The router.
        router: String,
        /// Queries given.
        queries: usize,
        /// Steps returned.
        steps: usize,
    },
    /// A router asked for the truth.
    #[error(
        "route query {query}: {router} asks for the true task, which this recipe does not grant \
         (routing.grant = [\"task\"] would)"
    )]
    TaskNotGranted {
        /// The router.
        router: String,
        /// The query's id.
        query: u64,
    },
    /// A router asked for claims of experts that cannot claim.
    #[error("route queries: {router} asks for claims, but the experts have no indicator (add [indicator])")]
    NoClaims {
        /// The router.
        router: String,
    },
    /// A router named an expert that is not there.
    #[error("route query {query}: {router} asks expert {expert}, but there are {experts}")]
    NoSuchExpert {
        /// The router.
        router: String,
        /// The query's id.
        query: u64,
        /// The index.
        expert: u32,
        /// How many there are.
        experts: u32,
    },
    /// A selector asked too often.
    #[error("select for task {task}: {selector} was asked {limit} times and still does not decide")]
    SelectorRounds {
        /// The selector.
        selector: String,
        /// The task's place in the stream.
        task: u32,
        /// The limit.
        limit: u32,
    },
    /// A selector asked for something that cannot be found out at this place.
    #[error("select for task {task}: {selector} asks for {probe}, but {reason}")]
    SelectorProbe {
        /// The selector.
        selector: String,
        /// The task's place in the stream.
        task: u32,
        /// What it asked for.
        probe: String,
        /// Why it cannot be had.
        reason: &'static str,
    },
    /// A model gave fewer findings than were asked for.
    #[error("find out what a policy asked: {asked} questions, fewer findings")]
    FindingsMissing {
        /// Questions.
        asked: usize,
    },
    /// A stage lacks an input that its plan should name.
    #[error("do stage {stage}: it has no input `{what}`")]
    InputMissing {
        /// The stage.
        stage: String,
        /// What it needs.
        what: String,
    },
    /// The backbone's context leaves no room for a prompt.
    #[error(
        "make prompts: the backbone's context of {context} tokens has no room beside a response of up to {response}"
    )]
    NoRoom {
        /// Longest row of the backbone.
        context: usize,
        /// Most tokens of a response.
        response: usize,
    },
    /// A policy's file is not the one the plan was made with.
    #[error("load plugin `{name}`: {} has changed since the plan was made (digest {found}, planned {planned}); run again", path.display())]
    PluginChanged {
        /// Its name.
        name: String,
        /// Its file.
        path: PathBuf,
        /// Short digest of the file.
        found: String,
        /// Short digest in the plan.
        planned: String,
    },
    /// A file that a stage reads is not the one the plan was made with.
    #[error(
        "read {}: it has changed since the plan was made ({how}); nothing was stored. Put the planned file back, or start \
         again to plan with what is there now", path.display()
    )]
    FileChanged {
        /// The file.
        path: PathBuf,
        /// What was planned, and what was found.
        how: String,
    },
    /// The list of a checkpoint's files was written by a newer Cadre.
    #[error("read {}: it has format version {found}, which a newer cadre wrote", path.display())]
    NewerListing {
        /// The list.
        path: PathBuf,
        /// Its version.
        found: u32,
    },
    /// A plan names a backend that this program does not know.
    #[error("open the device of a plan: it names the backend `{name}`, and cpu, ndarray and cuda are known")]
    UnknownBackend {
        /// The name.
        name: String,
    },
    /// A selector made an example for a task that it was not asked about.
    #[error("select for task {at}: {selector} made an example of task {task}")]
    SyntheticTask {
        /// The selector.
        selector: String,
        /// The task's place in the stream.
        at: u32,
        /// The task it named.
        task: u32,
    },
    /// A policy does not keep the contract.
    #[error("check {}: {failed} of its checks failed", file.display())]
    BreaksContract {
        /// The component.
        file: PathBuf,
        /// How many checks.
        failed: usize,
    },
    /// Something that Cadre stands on is broken.
    #[error("find everything in order: see {what} above")]
    DoctorFailed {
        /// What is broken.
        what: String,
    },
    /// A policy could not be started or built.
    #[error("make the policy: {0}")]
    Workshop(#[from] cadre_plugin_build::PluginBuildError),
    /// A thread or signal handler could not be set up.
    #[error("listen for Ctrl-C: {source}")]
    Signals {
        /// What the system said.
        source: std::io::Error,
    },
    /// `--resume-only` and nothing to resume.
    #[error("resume: there is no run {}; leave --resume-only out to start it", folder.display())]
    NothingToResume {
        /// Where it would lie.
        folder: PathBuf,
    },
}

impl EngineError {
    /// The exit code of a command that ends so: 1 failed, 2 the recipe or the command line is wrong, 130
    /// interrupted.
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
    fn from(mistakes: RecipeErrors) -> Self {
        Self::Recipe(Box::new(mistakes))
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
