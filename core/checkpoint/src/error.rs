//! Errors of checkpoint files. Bad input must be reported as one of these errors, never as a panic.

use std::path::PathBuf;

/// An error in reading a checkpoint or a file of tensors.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// A file could not be read or written.
    #[error("access {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// A JSON file is malformed or has unexpected contents.
    #[error("read {}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// The parser's error.
        source: serde_json::Error,
    },
    /// A safetensors file is damaged.
    #[error("read weights from {}", path.display())]
    Weights {
        /// The file.
        path: PathBuf,
        /// The reader's error.
        source: safetensors::SafeTensorError,
    },
    /// A file exceeds the size limit.
    #[error("{} has {bytes} bytes; at most {most} are read", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size in bytes.
        bytes: u64,
        /// The limit in bytes.
        most: u64,
    },
    /// The checkpoint's model family is not supported.
    #[error("{}: model_type `{found}` is not supported; known are {}", path.display(), known.join(", "))]
    Family {
        /// The file.
        path: PathBuf,
        /// Its `model_type`.
        found: String,
        /// The supported families.
        known: Vec<&'static str>,
    },
    /// A key of a configuration has an invalid value.
    #[error("{}: `{key}` = {value}; expected {expected}", path.display())]
    ConfigValue {
        /// The file.
        path: PathBuf,
        /// The key.
        key: &'static str,
        /// Its value.
        value: String,
        /// The expected value.
        expected: &'static str,
    },
    /// The index and the shards of a checkpoint do not match.
    #[error("{}: shard `{shard}` {problem}", path.display())]
    Shard {
        /// The index.
        path: PathBuf,
        /// Name of the shard.
        shard: String,
        /// What is wrong with the shard.
        problem: &'static str,
    },
    /// Two files of a checkpoint hold the same tensor.
    #[error("{} has tensor `{name}`, which is also in another file", path.display())]
    TensorTwice {
        /// The second file.
        path: PathBuf,
        /// Name of the tensor.
        name: String,
    },
    /// A checkpoint has a tensor that its configuration does not use.
    #[error("{} has tensor `{name}`, for which the configuration has no place", path.display())]
    ExtraTensor {
        /// The file that has the tensor.
        path: PathBuf,
        /// Name of the tensor.
        name: String,
    },
    /// A weight that the model needs is missing.
    #[error("{} has no tensor `{name}`", path.display())]
    MissingTensor {
        /// The file.
        path: PathBuf,
        /// Name of the tensor.
        name: String,
    },
    /// The shape of a weight differs from the one that the configuration requires.
    #[error("{}: tensor `{name}` has shape {found:?}; the configuration requires {expected:?}", path.display())]
    TensorShape {
        /// The file.
        path: PathBuf,
        /// Name of the tensor.
        name: String,
        /// Shape in the file.
        found: Vec<usize>,
        /// Shape that the configuration requires.
        expected: Vec<usize>,
    },
    /// A folder has no weights in a supported format.
    #[error(
        "{}: no model.safetensors, and no model.safetensors.index.json with shards{}",
        folder.display(),
        instead(found)
    )]
    NoWeights {
        /// The folder.
        folder: PathBuf,
        /// Weights in the folder with other names or formats.
        found: Vec<String>,
    },
    /// A weight is stored in an unsupported number type.
    #[error(
        "{}: tensor `{name}` is stored as {dtype}; expected f32, f16 or bf16 (save the model again in one of these)",
        path.display()
    )]
    TensorType {
        /// The file.
        path: PathBuf,
        /// Name of the tensor.
        name: String,
        /// Its number type in the file.
        dtype: String,
    },
    /// Sizes of a backbone contradict each other.
    #[error("backbone {field} = {value}: {problem}")]
    Shape {
        /// Field of the configuration.
        field: &'static str,
        /// Its value.
        value: usize,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The configuration requires something that the decoder does not support.
    #[error("{}: `{key}` = {value} is not supported", path.display())]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// Key of the configuration.
        key: &'static str,
        /// Its value.
        value: String,
    },
    /// A value of a shape is out of range.
    #[error("backbone {field} = {value} is out of range: expected {range}")]
    Range {
        /// Field of the configuration.
        field: &'static str,
        /// Its value.
        value: f64,
        /// The allowed range.
        range: &'static str,
    },
}

/// Lists weights in unsupported formats, for the error about missing weights.
fn instead(found: &[String]) -> String {
    if found.is_empty() {
        return String::new();
    }
    format!("; found {} (`save_pretrained` of transformers writes safetensors)", found.join(", "))
}
