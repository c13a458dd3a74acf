//! The state of a training in one file: weights, optimizer state, buffers, position and losses. Written atomically, so that the
//! file is either complete or absent.

use std::collections::HashMap;
use std::path::Path;

use cadre_checkpoint::CheckpointError;
use cadre_data::TokenExample;
use cadre_store::{Digest, write_atomic};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};

use super::objective::Objectives;
use super::parameters::{Parameter, Parameters, Role};
use super::spec::TrainingSpec;
use super::validation::TrainingData;
use crate::error::NnError;

/// Newest format version that is read and written.
const FORMAT_VERSION: u32 = 3;
const FILE: &str = "training.safetensors";
const STATE: &str = "training";

/// Position of a training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Progress {
    pub(crate) format_version: u32,
    /// Digest of everything that determines the training.
    pub(crate) identity: Digest,
    /// Number of finished steps.
    pub(crate) step: u64,
    pub(crate) tokens: u64,
    /// Loss of each finished step.
    pub(crate) losses: Vec<f32>,
    /// Sum of the objectives' loss terms of each finished step; empty without terms, and before version 3.
    #[serde(default)]
    pub(crate) added_losses: Vec<f32>,
    /// Norm of the gradient of each step done.
    pub(crate) gradient_norms: Vec<f32>,
    /// Validation losses measured: (step counted from one, nats per token).
    pub(crate) validation_losses: Vec<(u64, f32)>,
}

impl Progress {
    pub(crate) fn start(identity: Digest) -> Self {
        Self {
            format_version: FORMAT_VERSION,
            identity,
            step: 0,
            tokens: 0,
            losses: Vec::new(),
            added_losses: Vec::new(),
            gradient_norms: Vec::new(),
            validation_losses: Vec::new(),
        }
    }
}

/// Digest that identifies a training. The checkpoint of another training must not be resumed. A training without
/// objectives, buffers and frozen weights has the identity it had before version 3.
pub(crate) fn identity(
    spec: &TrainingSpec,
    about: &serde_json::Value,
    parameters: &Parameters,
    data: TrainingData<'_>,
    objectives: &Objectives<'_>,
) -> Digest {
    let mut bytes = Vec::new();
    for parameter in &parameters.0 {
        bytes.extend(parameter.name.as_bytes());
        bytes.extend(parameter.weight.values.iter().flat_map(|value| value.to_le_bytes()));
    }
    let start = Digest::of_bytes(&bytes);
    let validation = data.validation.map(|validation| (digest_of(validation.examples), validation.spec));
    let mut value = serde_json::json!({
        "training": spec,
        "about": about,
        "start": start,
        "examples": digest_of(data.examples),
        "validation": validation,
    });
    let plain = |parameter: &Parameter| parameter.role == Role::Trained;
    if !objectives.is_empty() || !parameters.0.iter().all(plain) {
        let tensor = |parameter: &Parameter| {
            serde_json::json!([parameter.key, parameter.role, parameter.weight.shape])
        };
        value["objectives"] = objectives.identity();
        value["tensors"] = parameters.0.iter().map(tensor).collect();
    }
    Digest::of_value("cadre-nn training", &value)
}

fn digest_of(examples: &[TokenExample]) -> Digest {
    let mut bytes = Vec::new();
    for example in examples {
        bytes.extend((example.ids.len() as u64).to_le_bytes());
        bytes.extend(example.ids.iter().flat_map(|id| id.to_le_bytes()));
        bytes.extend(example.mask.iter().map(|&counts| u8::from(counts)));
        bytes.extend(example.weight.to_le_bytes());
        bytes.extend((example.indicator as u64).to_le_bytes());
        bytes.extend(example.indicator_weight.to_le_bytes());
    }
    Digest::of_bytes(&bytes)
}

/// The tensors that a checkpoint holds, with their numbers. Frozen weights are part of the identity.
fn stored(parameters: &Parameters) -> impl Iterator<Item = (usize, &Parameter)> {
    parameters.0.iter().enumerate().filter(|(_, parameter)| parameter.role != Role::Frozen)
}

/// Writes the state of a training.
///
/// # Errors
/// The file cannot be written.
pub(crate) fn write(folder: &Path, progress: &Progress, parameters: &Parameters) -> Result<(), NnError> {
    let path = folder.join(FILE);
    let wrong = |source| CheckpointError::Weights { path: path.clone(), source };
    let mut raw = Vec::new();
    for (number, parameter) in stored(parameters) {
        let parts = [
            ("weight", &parameter.weight.values),
            ("first", &parameter.first),
            ("second", &parameter.second),
            ("best", &parameter.best),
        ];
        for (part, values) in parts.into_iter().filter(|(_, values)| !values.is_empty()) {
            let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            raw.push((format!("{number}.{part}"), values.len(), bytes));
        }
    }
    let mut views = Vec::with_capacity(raw.len());
    for (name, length, bytes) in &raw {
        views.push((name.as_str(), TensorView::new(Dtype::F32, vec![*length], bytes).map_err(wrong)?));
    }
    let state = serde_json::to_string(progress)
        .map_err(|source| CheckpointError::Json { path: path.clone(), source })?;
    let bytes =
        safetensors::serialize(views, Some(HashMap::from([(STATE.to_owned(), state)]))).map_err(wrong)?;
    Ok(write_atomic(&path, &bytes)?)
}

/// Reads the state of exactly this training into `parameters`. Returns `None` if there is no checkpoint, or if it is
/// damaged or belongs to another training; the training then starts from the beginning, and a warning gives the reason.
pub(crate) fn read(folder: &Path, identity: &Digest, parameters: &mut Parameters) -> Option<Progress> {
    let path = folder.join(FILE);
    let bytes = std::fs::read(&path).ok()?;
    let found = parse(&path, &bytes, identity, parameters);
    if let Err(problem) = &found {
        tracing::warn!(file = %path.display(), problem, "ignoring the checkpoint; training starts from the beginning");
    }
    found.ok()
}

fn parse(
    path: &Path,
    bytes: &[u8],
    identity: &Digest,
    parameters: &mut Parameters,
) -> Result<Progress, String> {
    let text = |error: safetensors::SafeTensorError| format!("{}: {error}", path.display());
    let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(text)?;
    let state =
        metadata.metadata().as_ref().and_then(|map| map.get(STATE)).ok_or("it has no training state")?;
    let mut progress: Progress = serde_json::from_str(state).map_err(|error| error.to_string())?;
    if progress.format_version > FORMAT_VERSION {
        return Err(format!("its format-version is {}", progress.format_version));
    }
    if progress.identity != *identity {
        return Err("it belongs to another training".into());
    }
    let file = SafeTensors::deserialize(bytes).map_err(text)?;
    progress.format_version = FORMAT_VERSION;
    let trained = parameters.trained().count();
    let buffers = stored(parameters).count() - trained;
    let has_best = file.len() == 4 * trained + buffers;
    if !has_best && file.len() != 3 * trained + buffers {
        return Err(format!("it has {} tensors, expected {}", file.len(), 3 * trained + buffers));
    }
    let mut loaded = parameters.clone();
    let stored = loaded.0.iter_mut().enumerate().filter(|(_, parameter)| parameter.role != Role::Frozen);
    for (number, parameter) in stored {
        if has_best && parameter.role == Role::Trained {
            parameter.best = vec![0.0; parameter.weight.values.len()];
        }
        let parts = [
            ("weight", &mut parameter.weight.values),
            ("first", &mut parameter.first),
            ("second", &mut parameter.second),
            ("best", &mut parameter.best),
        ];
        for (part, values) in parts.into_iter().filter(|(_, values)| !values.is_empty()) {
            let name = format!("{number}.{part}");
            let view = file.tensor(&name).map_err(text)?;
            let (chunks, rest) = view.data().as_chunks::<4>();
            if view.dtype() != Dtype::F32 || chunks.len() != values.len() || !rest.is_empty() {
                return Err(format!("`{name}` has the wrong size"));
            }
            for (value, bytes) in values.iter_mut().zip(chunks) {
                *value = f32::from_le_bytes(*bytes);
            }
        }
    }
    *parameters = loaded;
    Ok(progress)
}
