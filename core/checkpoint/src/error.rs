//! What can be wrong with a checkpoint's files. Never a panic on bad input.

use std::path::PathBuf;

/// Why a checkpoint, or a file of tensors, cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// A file could not be read or written.
    #[error("access {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
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
    /// A folder has no weights of a kind that is read.
    #[error(
        "{}: no model.safetensors, and no model.safetensors.index.json with shards{}",
        folder.display(),
        instead(found)
    )]
    NoWeights {
        /// The folder.
        folder: PathBuf,
        /// Weights of other names or formats.
        found: Vec<String>,
    },
    /// A weight is stored in a type that is not read.
    #[error(
        "{}: tensor `{name}` is stored as {dtype}; f32, f16 and bf16 are read (save the model again in one of these)",
        path.display()
    )]
    TensorType {
        /// The file.
        path: PathBuf,
        /// Name of the tensor.
        name: String,
        /// Its type in the file.
        dtype: String,
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
    /// A number of a shape is out of range.
    #[error("backbone {field} = {value} is out of range: {range}")]
    Range {
        /// Field of the configuration.
        field: &'static str,
        /// Its value.
        value: f64,
        /// What is allowed.
        range: &'static str,
    },
}

/// What a folder has in place of weights that are read.
fn instead(found: &[String]) -> String {
    if found.is_empty() {
        return String::new();
    }
    format!("; there are {} (`save_pretrained` of transformers writes safetensors)", found.join(", "))
}
