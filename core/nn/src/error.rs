//! Errors of models, weights and training. Bad input must be reported as one of these errors, never as a panic.

use cadre_checkpoint::CheckpointError;
use std::path::PathBuf;

/// An error in opening, training or evaluating a model.
#[derive(Debug, thiserror::Error)]
pub enum NnError {
    /// A file of a checkpoint or adapter cannot be read or is invalid.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A file cannot be written.
    #[error(transparent)]
    Store(#[from] cadre_store::StoreError),
    /// The order of the examples could not be computed.
    #[error(transparent)]
    Data(#[from] cadre_data::DataError),
    /// An expert that is to be merged with others has tokens of its own.
    #[error("merge {}: the expert adds {tokens} tokens, which a merged model has no rows for", path.display())]
    MergedTokens {
        /// The expert's folder.
        path: PathBuf,
        /// Number of added tokens.
        tokens: usize,
    },
    /// An expert that is to be merged with others changes a bias.
    #[error("merge {}: the expert scales the bias of `{name}`, and merges see weights only", path.display())]
    MergedBias {
        /// The expert's folder.
        path: PathBuf,
        /// The weight.
        name: String,
    },
    /// A merge returned a weight of another size.
    #[error("merge `{name}`: got {found} elements, expected {expected}")]
    MergedSize {
        /// The weight.
        name: String,
        /// Number of elements.
        found: usize,
        /// The right number.
        expected: usize,
    },
    /// An expert cannot be represented in PEFT's format.
    #[error("export {}: {problem}", path.display())]
    NoPeftForm {
        /// The expert's folder.
        path: PathBuf,
        /// The reason.
        problem: &'static str,
    },
    /// The rank of an adapter's module differs from the one in its configuration.
    #[error("{}: module `{module}` has rank {found}, but its configuration gives {expected}", path.display())]
    AdapterRank {
        /// The configuration file.
        path: PathBuf,
        /// Name of the module.
        module: String,
        /// Rank of the module's matrices.
        found: usize,
        /// Rank in the configuration.
        expected: f64,
    },
    /// An adapter's configuration selects modules that do not exist, or that are not those of its weights.
    #[error("{}: {problem}", path.display())]
    AdapterTargets {
        /// The configuration or the weights file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// An unknown key in an adapter's configuration, which may change what the adapter computes.
    #[error(
        "{}: the key `{key}` = {value} is not known and may change what the adapter computes; remove it if it \
         does not",
        path.display()
    )]
    AdapterKey {
        /// The configuration file.
        path: PathBuf,
        /// The key.
        key: String,
        /// Its value, shortened.
        value: String,
    },
    /// The description of an expert contradicts itself or its weights.
    #[error("{}: {problem}", path.display())]
    AdapterFile {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A kind of adapter that is not trained.
    #[error("adapters of kind \"{kind}\" are not trained: merges make them")]
    NotTrained {
        /// The kind.
        kind: &'static str,
    },
    /// The number of tensors differs from the number of the model's weights.
    #[error("build a model: got {found} tensors, expected {expected}")]
    TensorCount {
        /// Number of tensors given.
        found: usize,
        /// Number of the model's weights.
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
    /// A file was written by a newer version of the program.
    #[error("{} has format-version {found}; this program reads up to {supported}", path.display())]
    FormatVersion {
        /// The file.
        path: PathBuf,
        /// Version in the file.
        found: u32,
        /// Newest supported version.
        supported: u32,
    },
    /// The backend is not compiled in.
    #[error("the {backend} backend is not in this build; build it with `{command}`")]
    BackendMissing {
        /// The backend.
        backend: &'static str,
        /// The command that builds it.
        command: &'static str,
    },
    /// The backend does not support this precision.
    #[error("the {backend} backend does not compute in {precision}")]
    Precision {
        /// The backend.
        backend: &'static str,
        /// The requested precision.
        precision: &'static str,
    },
    /// The device could not be opened.
    #[error("open device {device}: {problem}")]
    Device {
        /// The device.
        device: String,
        /// The backend's error.
        problem: String,
    },
    /// The worker threads could not be started.
    #[error("start worker threads")]
    Threads {
        /// The thread pool's error.
        source: rayon::ThreadPoolBuildError,
    },
    /// A setting of a training or an adapter is out of range.
    #[error("{field} = {value} is out of range: expected {range}")]
    Setting {
        /// The field.
        field: &'static str,
        /// Its value.
        value: f64,
        /// The allowed range.
        range: &'static str,
    },
    /// No example has a token with a loss.
    #[error("no example has a token with a loss, so there is nothing to train on")]
    NothingToLearn,
    /// The ids and the mask of an example differ in length.
    #[error("example {example} has {ids} token ids, but its mask has {mask} entries")]
    Mask {
        /// Index of the example.
        example: usize,
        /// Number of ids.
        ids: usize,
        /// Length of the mask.
        mask: usize,
    },
    /// A row has no tokens.
    #[error("row {row} is empty")]
    EmptyRow {
        /// Index of the row.
        row: usize,
    },
    /// A row is longer than the backbone's context.
    #[error("row {row} has {tokens} tokens; the backbone's context is {context}")]
    RowTooLong {
        /// Index of the row.
        row: usize,
        /// Length of the row in tokens.
        tokens: usize,
        /// Maximum length of a row in tokens.
        context: usize,
    },
    /// A token id is outside the vocabulary of the row's answerer.
    #[error("row {row} has token id {id}; expected an id below {known}")]
    TokenId {
        /// Index of the row.
        row: usize,
        /// The id.
        id: u32,
        /// Number of ids that the answerer has.
        known: usize,
    },
    /// The handle of an expert that is not mounted on this learner.
    #[error("expert slot {slot} is not mounted: this learner has {mounted} experts")]
    ExpertSlot {
        /// The slot.
        slot: usize,
        /// Number of mounted experts.
        mounted: usize,
    },
    /// A mix with a weight that is not finite, or a mix without experts.
    #[error("row {row} mixes experts with weight {weight}; expected at least one expert and finite weights")]
    MixWeight {
        /// Index of the row.
        row: usize,
        /// The weight.
        weight: f32,
    },
    /// The adapter was trained on another backbone.
    #[error("adapter {} was trained on another backbone: {field} is {found}, expected {expected}", path.display())]
    ForeignAdapter {
        /// The adapter's folder.
        path: PathBuf,
        /// The size that differs.
        field: &'static str,
        /// Its value in the adapter.
        found: usize,
        /// Its value in the backbone.
        expected: usize,
    },
    /// The loss is not finite.
    #[error("training diverged: the loss is {loss} at step {step}")]
    Diverged {
        /// The step, counted from one.
        step: u64,
        /// The loss.
        loss: f32,
    },
    /// A gradient is not finite.
    #[error("training diverged: the gradient norm is {norm} at step {step}")]
    GradientDiverged {
        /// The step, counted from one.
        step: u64,
        /// The gradient norm.
        norm: f64,
    },
    /// A tensor given to a training or returned by an objective is invalid.
    #[error("tensor `{name}`: {problem}")]
    NamedTensor {
        /// Name of the tensor.
        name: String,
        /// What is wrong.
        problem: String,
    },
    /// An objective failed, or returned something else than the contract allows.
    #[error("objective `{objective}`: {problem}")]
    Objective {
        /// Name of the objective.
        objective: String,
        /// What is wrong.
        problem: String,
    },
    /// The backend failed during a computation.
    #[error("compute: {problem}")]
    Compute {
        /// The backend's error.
        problem: String,
    },
    /// A program of a method cannot be run.
    #[error("run a program: {place}: {problem}")]
    Program {
        /// The input, the operation or the output.
        place: String,
        /// What is wrong.
        problem: String,
    },
    /// The model's logits are not finite.
    #[error("the logits of row {row} are not finite")]
    Logits {
        /// Index of the row.
        row: usize,
    },
    /// The caller requested a stop.
    #[error("stopped")]
    Stopped,
}
