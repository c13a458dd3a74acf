//! What can go wrong with tensors, weights and training. Never a panic on bad input.

use std::path::PathBuf;

/// Why a model could not be opened, trained or asked.
#[derive(Debug, thiserror::Error)]
pub enum NnError {
    /// A file could not be read or written.
    #[error("access {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Writing a file of a checkpoint failed.
    #[error(transparent)]
    Store(#[from] cadre_store::StoreError),
    /// The order of the examples could not be laid out.
    #[error(transparent)]
    Data(#[from] cadre_data::DataError),
    /// A JSON file does not hold what it should.
    #[error("read {}: {source}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// What the parser said.
        source: serde_json::Error,
    },
    /// A safetensors file is damaged.
    #[error("read weights from {}: {source}", path.display())]
    Weights {
        /// The file.
        path: PathBuf,
        /// What the reader said.
        source: safetensors::SafeTensorError,
    },
    /// A file is larger than any real one.
    #[error("{} has {bytes} bytes; at most {most} are read", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
        /// The largest that is read.
        most: u64,
    },
    /// A checkpoint is of a family that this decoder does not know.
    #[error("{}: model_type `{found}` is not supported; known are {}", path.display(), known.join(", "))]
    Family {
        /// The file.
        path: PathBuf,
        /// What it says.
        found: String,
        /// What is read.
        known: Vec<&'static str>,
    },
    /// A key of a configuration has a value that cannot be read.
    #[error("{}: `{key}` = {value}; expected {expected}", path.display())]
    ConfigValue {
        /// The file.
        path: PathBuf,
        /// The key.
        key: &'static str,
        /// Its value.
        value: String,
        /// What is read there.
        expected: &'static str,
    },
    /// Index and shards of a checkpoint do not fit each other.
    #[error("{}: shard `{shard}` {problem}", path.display())]
    Shard {
        /// The index.
        path: PathBuf,
        /// Name of the shard.
        shard: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Two files of a checkpoint hold the same tensor.
    #[error("{} has tensor `{name}`, which another file has too", path.display())]
    TensorTwice {
        /// The second file.
        path: PathBuf,
        /// Name of the tensor.
        name: String,
    },
    /// A checkpoint has a weight that its configuration has no place for.
    #[error("{} has tensor `{name}`, for which the configuration has no place", path.display())]
    ExtraTensor {
        /// The folder.
        path: PathBuf,
        /// Name of the tensor.
        name: String,
    },
    /// A weight the model needs is not in the file.
    #[error("{} has no tensor `{name}`", path.display())]
    MissingTensor {
        /// The file.
        path: PathBuf,
        /// Name of the tensor.
        name: String,
    },
    /// A weight has another shape than the configuration says.
    #[error("{}: tensor `{name}` has shape {found:?}, the configuration needs {expected:?}", path.display())]
    TensorShape {
        /// The file.
        path: PathBuf,
        /// Name of the tensor.
        name: String,
        /// Shape in the file.
        found: Vec<usize>,
        /// Shape that is needed.
        expected: Vec<usize>,
    },
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
    /// A weight is stored in a type that is not read.
    #[error("tensor `{name}` is stored as {dtype}; f32, f16 and bf16 are read")]
    TensorType {
        /// Name of the tensor.
        name: String,
        /// Its type in the file.
        dtype: String,
    },
    /// A weight holds NaN or infinity.
    #[error("tensor `{name}` holds a value that is not finite")]
    NotFinite {
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
    /// The shape of a backbone contradicts itself.
    #[error("backbone {field} = {value}: {problem}")]
    Shape {
        /// Field of the configuration.
        field: &'static str,
        /// Its value.
        value: usize,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The configuration asks for something this decoder does not do.
    #[error("{}: `{key}` = {value} is not supported", path.display())]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// Key of the configuration.
        key: &'static str,
        /// Its value.
        value: String,
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
