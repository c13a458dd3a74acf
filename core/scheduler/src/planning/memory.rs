//! Memory of a run, from the shape of its backbone and the recipe, before anything is loaded: a lower bound (weights
//! and trained parameters), and an estimate with the activations of the longest rows. Only the lower bound can reject a
//! recipe.

use std::path::Path;

use crate::stages::shapes::{pretrained_shape, slot};
use cadre_checkpoint::{BackboneShape, TARGETS, weight_names};
use cadre_recipe::{
    Adapter, AdapterKind, Backend, IndicatorKind, Precision, Pretrain, Recipe, Target, TokenizerSource,
    Training,
};

/// Bytes of an f32.
const F32: u64 = 4;
/// Bytes per trained weight: itself, its gradient, and two moments of AdamW, each an f32.
const TRAINED: u64 = 4 * F32;
/// Tokens of two micro-batches together if their size is chosen automatically.
const PAIR_TOKENS: u64 = 2048;
/// Rows of logits that a worker of the processor's backend holds together, and how many matrices of the logits of all
/// rows the others hold: the logits, their logarithms, the gradient.
const LOGIT_ROWS: u64 = 128;
const LOGIT_MATRICES: u64 = 3;
/// Program, tokenizer, examples: measured on small runs, rounded up.
const BESIDES: u64 = 150 << 20;

/// The memory of a run, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryNeed {
    /// Lower bound: the backbone, and the trained weights with their gradients and moments.
    pub least: u64,
    /// Estimate for the largest stage if every row has the maximum length.
    pub about: u64,
}

/// The memory of a recipe whose Hub names are resolved to folders. `None` if the shape of the backbone is unknown,
/// which is reported elsewhere.
pub(crate) fn need(recipe: &Recipe) -> Option<MemoryNeed> {
    let half = recipe.device.precision == Precision::Bf16;
    let mut needs = Vec::new();
    let shape = match (&recipe.backbone.checkpoint, &recipe.backbone.pretrain) {
        // Incomplete weights are reported elsewhere; the configuration suffices for the shape.
        (Some(folder), _) => BackboneShape::of_folder(folder)
            .or_else(|_| BackboneShape::read(&folder.join("config.json")))
            .ok()?,
        (None, Some(pretrain)) => {
            let shape = pretrained(pretrain)?;
            // Pretraining is f32 throughout.
            let all = weights(&shape, false).saturating_mul(TRAINED / F32);
            needs.push(total([all, all, 0], recipe, &shape, &pretrain.training));
            shape
        }
        (None, None) => return None,
    };
    let frozen = weights(&shape, half);
    match &recipe.expert {
        Some(expert) => {
            let trained = adapter(recipe, &shape).saturating_mul(TRAINED);
            let parts = [frozen.saturating_add(trained), trained, matrices(recipe, &shape)];
            needs.push(total(parts, recipe, &shape, &expert.training));
        }
        None => needs.push(MemoryNeed { least: frozen, about: frozen.saturating_add(BESIDES) }),
    }
    Some(MemoryNeed {
        least: needs.iter().map(|need| need.least).max()?,
        about: needs.iter().map(|need| need.about).max()?,
    })
}

/// Memory of training with `held` bytes of permanent data, of which `trained` have gradients in each worker, and
/// `matrices` more bytes in each worker.
fn total(
    [held, trained, matrices]: [u64; 3],
    recipe: &Recipe,
    shape: &BackboneShape,
    training: &Training,
) -> MemoryNeed {
    let row = u64::from(training.max_prompt) + u64::from(training.max_response) + 3;
    let row = row.min(shape.context as u64);
    let batch = row.saturating_mul(training.batch.into());
    let tokens = match training.micro_batch {
        0 => (PAIR_TOKENS / 2 + row).min(batch),
        rows => row.saturating_mul(rows.into()).min(batch),
    };
    let workers = match recipe.device.backend {
        Backend::Cuda { .. } => 1,
        Backend::Cpu | Backend::NdArray => threads(recipe).min(batch.div_ceil(tokens.max(1))),
    };
    let layers = shape.layers as u64;
    let activations = if recipe.device.gradient_checkpointing {
        tokens.saturating_mul(layers * shape.hidden as u64 * F32 + kept(shape))
    } else {
        tokens.saturating_mul(layers).saturating_mul(kept(shape))
    };
    let gradients = trained / (TRAINED / F32);
    let logits = match recipe.device.backend {
        Backend::Cpu => tokens.min(LOGIT_ROWS),
        Backend::NdArray | Backend::Cuda { .. } => tokens.saturating_mul(LOGIT_MATRICES),
    };
    let logits = logits.saturating_mul(shape.vocabulary as u64).saturating_mul(F32);
    let each = activations.saturating_add(gradients).saturating_add(logits).saturating_add(matrices);
    MemoryNeed {
        least: held,
        about: held.saturating_add(each.saturating_mul(workers)).saturating_add(BESIDES),
    }
}

/// Bytes per token that a layer keeps for the backward pass: the inputs of its matmuls, norms, attention and
/// activation.
fn kept(shape: &BackboneShape) -> u64 {
    let wide = 5 * shape.hidden + 2 * shape.query_width() + 2 * shape.kv_width() + 3 * shape.feed_forward;
    F32 * wide as u64
}

fn threads(recipe: &Recipe) -> u64 {
    match recipe.device.threads {
        0 => std::thread::available_parallelism().map_or(1, |count| count.get() as u64),
        threads => threads.into(),
    }
}

/// Bytes of a backbone's weights. Half precision applies to matrices, not to vectors.
fn weights(shape: &BackboneShape, half: bool) -> u64 {
    let bytes = |(_, sizes): &(String, Vec<usize>)| {
        let width = if half && sizes.len() == 2 { F32 / 2 } else { F32 };
        sizes.iter().fold(width, |all, size| all.saturating_mul(*size as u64))
    };
    weight_names(shape).iter().map(bytes).fold(0, u64::saturating_add)
}

/// The widths of the projections that an expert changes, in all layers.
fn changed(recipe: &Recipe, shape: &BackboneShape) -> Vec<(Target, u64, u64)> {
    let targets = recipe.expert.iter().flat_map(|expert| &expert.adapter.targets);
    let widths = targets.filter_map(|target| {
        let entry = TARGETS.iter().find(|entry| entry.target == slot(*target))?;
        let (out, into) = (entry.widths)(shape);
        Some((*target, out as u64, into as u64))
    });
    let widths: Vec<_> = widths.collect();
    widths.repeat(shape.layers)
}

/// Number of weights that an expert trains.
fn adapter(recipe: &Recipe, shape: &BackboneShape) -> u64 {
    let Some(expert) = &recipe.expert else { return 0 };
    let Adapter { kind, rank, density, .. } = &expert.adapter;
    let trained = |(target, out, into): (Target, u64, u64)| match kind {
        AdapterKind::Lora => (out + into) * u64::from(*rank),
        AdapterKind::Dora => (out + into) * u64::from(*rank) + out,
        AdapterKind::Ia3 if target == Target::Down => into,
        AdapterKind::Ia3 => out,
        AdapterKind::SparseDelta => (density.unwrap_or(0.0) * (out * into) as f64).round().max(1.0) as u64,
    };
    let rows = recipe.indicator.as_ref().is_some_and(|indicator| indicator.kind == IndicatorKind::NewToken);
    let added = if rows { 4 * shape.hidden as u64 } else { 0 };
    changed(recipe, shape).into_iter().map(trained).fold(added, u64::saturating_add)
}

/// Bytes of matrices as large as a projection's weight that a worker makes in training: for a sparse delta, the dense
/// form of every site and one gradient; for DoRA, those whose row norms are taken.
fn matrices(recipe: &Recipe, shape: &BackboneShape) -> u64 {
    let Some(expert) = &recipe.expert else { return 0 };
    let sizes = changed(recipe, shape).into_iter().map(|(_, out, into)| out * into);
    let largest = sizes.clone().max().unwrap_or(0);
    let elements = match expert.adapter.kind {
        AdapterKind::Lora | AdapterKind::Ia3 => 0,
        AdapterKind::Dora => 3 * largest,
        AdapterKind::SparseDelta => sizes.fold(2 * largest, u64::saturating_add),
    };
    elements.saturating_mul(F32)
}

/// The shape of a pretrained backbone. Of a tokenizer file, only the vocabulary size is used.
fn pretrained(pretrain: &Pretrain) -> Option<BackboneShape> {
    let vocabulary = match &pretrain.tokenizer {
        TokenizerSource::TrainBpe(size) => *size as usize,
        TokenizerSource::File(path) => crate::check::tokenizers::opened(path).ok()?.vocabulary() as usize,
    };
    let shape = pretrained_shape(&pretrain.architecture, vocabulary);
    shape.check().ok().map(|()| shape)
}

/// The memory available to this process, in bytes: that of the machine, or the limit of its control group if lower.
/// `None` if the system does not report it.
#[must_use]
pub fn machine_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let machine = line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)?;
    Some(group_limits().fold(machine, u64::min))
}

/// The limits of this process's control group and its ancestors (version 2).
fn group_limits() -> impl Iterator<Item = u64> {
    let group = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let path = group.lines().find_map(|line| line.strip_prefix("0::/")).unwrap_or_default().to_owned();
    let folders: Vec<_> = Path::new("/sys/fs/cgroup").join(path).ancestors().map(Path::to_path_buf).collect();
    folders.into_iter().filter_map(|folder| {
        std::fs::read_to_string(folder.join("memory.max")).ok()?.trim().parse::<u64>().ok()
    })
}

/// A number of bytes with a decimal unit.
#[must_use]
pub fn bytes(count: u64) -> String {
    let units = ["B", "kB", "MB", "GB", "TB", "PB"];
    let mut value = count as f64;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < units.len() {
        value /= 1000.0;
        unit += 1;
    }
    if value < 9.95 && unit > 0 {
        format!("{value:.1} {}", units[unit])
    } else {
        format!("{value:.0} {}", units[unit])
    }
}

#[cfg(test)]
mod tests;
