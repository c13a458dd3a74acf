//! What can go wrong with tensors, weights and training. Never a panic on bad input.

use cadre_checkpoint::CheckpointError;
use std::path::PathBuf;

/// Why a model could not be opened, trained or asked.
#[derive(Debug, thiserror::Error)]
pub enum NnError {
    /// A file of a checkpoint or an adapter cannot be read or is not what it should be.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// Writing a file of a checkpoint failed.
    #[error(transparent)]
    Store(#[from] cadre_store::StoreError),
    /// The order of the examples could not be laid out.
    #[error(transparent)]
    Data(#[from] cadre_data::DataError),
    /// An expert has no form in PEFT.
    #[error("export {}: {problem}", path.display())]
    NoPeftForm {
        /// Folder of the expert.
        path: PathBuf,
        /// Why.
        problem: &'static str,
    },
    /// A module of an adapter has another rank than its configuration says.
    #[error("{}: module `{module}` has rank {found}, the configuration says {expected}", path.display())]
    AdapterRank {
        /// The configuration.
        path: PathBuf,
        /// Name of the module.
        module: String,
        /// Rank of its matrices.
        found: usize,
        /// Rank in the configuration.
        expected: f64,
    },
    /// A configuration of an adapter chooses modules that are not there, or other ones than its weights are of.
    #[error("{}: {problem}", path.display())]
    AdapterTargets {
        /// The configuration, or the file of weights.
        path: PathBuf,
        /// What does not fit.
        problem: String,
    },
    /// A key of an adapter's configuration that may change what it computes.
    #[error(
        "{}: the key `{key}` = {value} is not known, and may change what the adapter computes (if it does not, take it \
         out)",
        path.display()
    )]
    AdapterKey {
        /// The configuration.
        path: PathBuf,
        /// The key.
        key: String,
        /// Its value, shortened.
        value: String,
    },
    /// A model was given more or fewer tensors than it has weights.
    #[error("make a model of {found} tensors: it has {expected} weights")]
    TensorCount {
        /// Tensors given.
        found: usize,
        /// Weights of the model.
        expected: usize,
    },
    /// A weight holds NaN or infinity.
    #[error("{}: tensor `{name}` holds a value that is not finite", path.display())]
    NotFinite {
        /// The file.
        path: PathBuf,
        /// Name of the tensor.
        name: String,
    },
    /// A file was written by a newer version.
    #[error("{} has format-version {found}; this program reads up to {supported}", path.display())]
    FormatVersion {
        /// The file.
        path: PathBuf,
        /// Version in the file.
        found: u32,
        /// Newest version read here.
        supported: u32,
    },
    /// The backend was not compiled in.
    #[error("the {backend} backend is not in this build; build it with `{command}`")]
    BackendMissing {
        /// The backend.
        backend: &'static str,
        /// What builds it.
        command: &'static str,
    },
    /// The backend does not compute in this precision.
    #[error("the {backend} backend does not compute in {precision}")]
    Precision {
        /// The backend.
        backend: &'static str,
        /// The precision asked for.
        precision: &'static str,
    },
    /// The device could not be opened.
    #[error("open device {device}: {problem}")]
    Device {
        /// The device.
        device: String,
        /// What the backend said.
        problem: String,
    },
    /// The worker threads could not be started.
    #[error("start worker threads: {source}")]
    Threads {
        /// What the pool said.
        source: rayon::ThreadPoolBuildError,
    },
    /// A number of a training or adapter description is out of range.
    #[error("{field} = {value} is out of range: {range}")]
    Setting {
        /// The field.
        field: &'static str,
        /// Its value.
        value: f64,
        /// What is allowed.
        range: &'static str,
    },
    /// There is nothing to train on.
    #[error("no example has a token to learn")]
    NothingToLearn,
    /// An example's ids and mask differ in length.
    #[error("example {example} has {ids} ids and a mask of {mask}")]
    Mask {
        /// Index of the example.
        example: usize,
        /// Number of ids.
        ids: usize,
        /// Length of the mask.
        mask: usize,
    },
    /// An empty row.
    #[error("row {row} is empty")]
    EmptyRow {
        /// Index of the row.
        row: usize,
    },
    /// A row is longer than the backbone's context.
    #[error("row {row} has {tokens} tokens, the backbone's context is {context}")]
    RowTooLong {
        /// Index of the row.
        row: usize,
        /// Its length in tokens.
        tokens: usize,
        /// Longest row the backbone takes.
        context: usize,
    },
    /// A token id that the row's answerer does not know.
    #[error("row {row} has token id {id}; its answerer knows ids below {known}")]
    TokenId {
        /// Index of the row.
        row: usize,
        /// The id.
        id: u32,
        /// Ids the answerer knows.
        known: usize,
    },
    /// A handle of an expert that is not mounted here.
    #[error("expert slot {slot} is not mounted; {mounted} experts are")]
    ExpertSlot {
        /// The slot.
        slot: usize,
        /// Number of mounted experts.
        mounted: usize,
    },
    /// A mix with a share that is not a number, or no share.
    #[error("row {row} mixes experts with weight {weight}; weights are finite and a mix has at least one")]
    MixWeight {
        /// Index of the row.
        row: usize,
        /// The weight.
        weight: f32,
    },
    /// The adapter was trained on another backbone.
    #[error("adapter {} belongs to another backbone: {field} is {found}, here {expected}", path.display())]
    ForeignAdapter {
        /// The adapter's folder.
        path: PathBuf,
        /// What differs.
        field: &'static str,
        /// In the adapter.
        found: usize,
        /// In the backbone.
        expected: usize,
    },
    /// The loss stopped being a number.
    #[error("the loss is {loss} at step {step}")]
    Diverged {
        /// The step, counted from one.
        step: u64,
        /// The loss.
        loss: f32,
    },
    /// A gradient stopped being a number.
    #[error("the gradient norm is {norm} at step {step}")]
    GradientDiverged {
        /// The step, counted from one.
        step: u64,
        /// The norm.
        norm: f64,
    },
    /// The backend failed while it computed.
    #[error("compute: {problem}")]
    Compute {
        /// What the backend said.
        problem: String,
    },
    /// A model gave logits that are not numbers.
    #[error("the logits of row {row} are not finite")]
    Logits {
        /// Index of the row.
        row: usize,
    },
    /// A caller asked to stop.
    #[error("stopped")]
    Stopped,
}
