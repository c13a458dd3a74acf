//! Training speed as measured on this machine. A walk appends one line per finished training stage to `speeds.jsonl` in
//! the store; a plan reads the lines of this machine, backend and model size, and estimates how long the stages to do
//! will train. A store without the file, or a line that cannot be read, only means that there is no estimate.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use cadre_checkpoint::{BackboneShape, weight_names};
use cadre_store::ArtifactStore;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::planning::plan::StageState;
use crate::stages::{
    BackboneWork, CheckpointWork, ModelWork, PretrainTokenizer, PretrainWork, StageSpec, StageWork,
};

/// The file in the folder of the store.
const FILE: &str = "speeds.jsonl";
/// Bytes of the file that are read, from its end; a longer file is cut to its newer half.
const MAX_BYTES: usize = 64 << 10;
/// Models whose sizes differ by no more than this factor are compared; speed is scaled by the ratio.
const SIMILAR: f64 = 2.0;
/// Least ratio between the ends of an estimate: rows of other lengths train at another speed.
const LEAST_SPREAD: f64 = 1.5;
/// The share of the measurements below the range, and the share above it.
const OUTLIERS: f64 = 0.1;

/// The fact of a training stage that holds the number of tokens it was trained on.
const TOKENS_FACT: &str = "training-tokens";

/// What decides how fast a stage trains.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Setting {
    /// Processor and number of its threads, and the GPUs.
    machine: String,
    /// The kind of the stage: adapters train faster than whole backbones.
    kind: String,
    backend: String,
    precision: String,
    threads: u32,
    gradient_checkpointing: bool,
}

/// A finished training stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Measurement {
    setting: Setting,
    /// Weights of the backbone.
    parameters: u64,
    tokens: u64,
    seconds: f64,
}

/// The time that the remaining training stages will take, estimated from measurements on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct TrainingTime {
    /// Lower end of the range, in seconds.
    pub low_seconds: u64,
    /// Upper end of the range, in seconds.
    pub high_seconds: u64,
    /// Number of earlier stages it was measured on.
    pub measured: usize,
}

/// Appends the speed of the stage at `place`, which took `seconds`. Does nothing for stages that do not train.
pub(crate) fn record(store: &ArtifactStore, stages: &[StageSpec], place: usize, facts: &Value, seconds: f64) {
    let Some(tokens) = facts[TOKENS_FACT].as_u64().filter(|tokens| *tokens > 0 && seconds > 0.0) else {
        return;
    };
    let Some((setting, parameters)) = setting(stages, place) else { return };
    let measurement = Measurement { setting, parameters, tokens, seconds };
    let path = store.root().join(FILE);
    if let Err(problem) = append(&path, &measurement) {
        tracing::debug!(%problem, path = %path.display(), "training speed is not recorded");
    }
}

fn append(path: &Path, measurement: &Measurement) -> std::io::Result<()> {
    let line = format!("{}\n", serde_json::to_string(measurement)?);
    if std::fs::metadata(path).is_ok_and(|file| file.len() > 2 * MAX_BYTES as u64) {
        let text = std::fs::read_to_string(path)?;
        let newer = text.get(text.len() / 2..).unwrap_or_default();
        let whole = newer.split_once('\n').map_or("", |(_, rest)| rest);
        std::fs::write(path, whole)?;
    }
    // One write: lines of several processes do not mix.
    OpenOptions::new().create(true).append(true).open(path)?.write_all(line.as_bytes())
}

/// The time that the remaining stages will train. `None` if a stage has no estimate of its tokens, or if nothing like it
/// was measured.
pub(crate) fn estimate(
    store: &ArtifactStore,
    stages: &[StageSpec],
    states: &[StageState],
) -> Option<TrainingTime> {
    let measurements = read(&store.root().join(FILE));
    if measurements.is_empty() {
        return None;
    }
    let (mut low, mut high, mut used) = (0.0, 0.0, 0);
    let to_do = (0..stages.len()).filter(|place| states.get(*place) != Some(&StageState::Cached));
    let mut known: Vec<(Setting, u64, (f64, f64, usize))> = Vec::new();
    for place in to_do {
        let Some((setting, parameters)) = setting(stages, place) else { continue };
        let tokens = stages[place].estimate.training_tokens? as f64;
        let found = known.iter().find(|(of, size, _)| *of == setting && *size == parameters);
        let (slow, fast, _) = match found {
            Some((.., range)) => *range,
            None => {
                let range = speeds(&measurements, &setting, parameters)?;
                used += range.2;
                known.push((setting, parameters, range));
                range
            }
        };
        low += tokens / fast;
        high += tokens / slow;
    }
    let range =
        TrainingTime { low_seconds: low.round() as u64, high_seconds: high.round() as u64, measured: used };
    (used > 0).then_some(range)
}

/// The lower and upper speed of measurements like this, in tokens per second, and their number.
fn speeds(measurements: &[Measurement], setting: &Setting, parameters: u64) -> Option<(f64, f64, usize)> {
    let scaled = |one: &Measurement| {
        let ratio = one.parameters as f64 / parameters.max(1) as f64;
        let similar = one.setting == *setting && (1.0 / SIMILAR..=SIMILAR).contains(&ratio);
        similar.then(|| one.tokens as f64 / one.seconds * ratio)
    };
    let mut speeds: Vec<f64> = measurements.iter().filter_map(scaled).collect();
    speeds.sort_by(f64::total_cmp);
    let outliers = (speeds.len() as f64 * OUTLIERS) as usize;
    let (slow, fast) = (*speeds.get(outliers)?, *speeds.get(speeds.len() - 1 - outliers)?);
    let widened = (LEAST_SPREAD / (fast / slow)).max(1.0).sqrt();
    Some((slow / widened, fast * widened, speeds.len()))
}

fn read(path: &Path) -> Vec<Measurement> {
    let text = std::fs::read(path).unwrap_or_default();
    let newer = &text[text.len().saturating_sub(MAX_BYTES)..];
    let lines = newer.split(|byte| *byte == b'\n');
    let usable = |one: &Measurement| one.seconds.is_finite() && one.seconds > 0.0 && one.tokens > 0;
    lines.filter_map(|line| serde_json::from_slice(line).ok()).filter(usable).collect()
}

/// What the speed of a training stage depends on, and the weights of its backbone; `None` for a stage that does not train.
fn setting(stages: &[StageSpec], place: usize) -> Option<(Setting, u64)> {
    let stage = stages.get(place)?;
    let (model, parameters) = match &stage.work {
        StageWork::Train(work) => (&work.model, backbone_parameters(stages, stage)?),
        StageWork::Backbone(BackboneWork::Pretrain(work)) => (&work.model, pretrained_parameters(work)?),
        _ => return None,
    };
    Some((of_model(model, stage.kind.name()), parameters))
}

fn of_model(model: &ModelWork, kind: &str) -> Setting {
    Setting {
        machine: machine(&model.backend),
        kind: kind.to_owned(),
        backend: model.backend.clone(),
        precision: format!("{:?}", model.precision).to_lowercase(),
        threads: match model.pace.threads {
            0 => cores(),
            threads => threads,
        },
        gradient_checkpointing: model.pace.gradient_checkpointing,
    }
}

fn cores() -> u32 {
    std::thread::available_parallelism().map_or(1, |count| u32::try_from(count.get()).unwrap_or(u32::MAX))
}

/// The weights of the backbone that is an input of this stage.
fn backbone_parameters(stages: &[StageSpec], stage: &StageSpec) -> Option<u64> {
    stage.inputs.iter().find_map(|input| match &stages.get(*input)?.work {
        StageWork::Backbone(BackboneWork::Pretrain(work)) => pretrained_parameters(work),
        StageWork::Backbone(BackboneWork::Checkpoint(CheckpointWork { path, .. })) => {
            BackboneShape::read(&path.join("config.json")).ok().map(|shape| parameters(&shape))
        }
        _ => None,
    })
}

fn pretrained_parameters(work: &PretrainWork) -> Option<u64> {
    let vocabulary = match &work.tokenizer {
        PretrainTokenizer::TrainBpe(size) => *size,
        PretrainTokenizer::File(file) => crate::check::tokenizers::opened(&file.path).ok()?.vocabulary(),
    };
    Some(parameters(&crate::stages::shapes::pretrained_shape(&work.architecture, vocabulary as usize)))
}

fn parameters(shape: &BackboneShape) -> u64 {
    let size = |sizes: &[usize]| sizes.iter().fold(1_u64, |all, size| all.saturating_mul(*size as u64));
    weight_names(shape).iter().map(|(_, sizes)| size(sizes)).fold(0, u64::saturating_add)
}

/// The processor and its threads, with the GPUs where the backend computes on one. No name of the host: containers have
/// a new one each time.
fn machine(backend: &str) -> String {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.trim_start().to_lowercase().starts_with(name))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let cpu = model(&cpu, "model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    let mut text = format!("{cpu} x {}", cores());
    if backend == "cuda" {
        let folders =
            std::fs::read_dir("/proc/driver/nvidia/gpus").into_iter().flatten().filter_map(Result::ok);
        let name = |folder: std::fs::DirEntry| {
            model(&std::fs::read_to_string(folder.path().join("information")).ok()?, "model")
        };
        let mut gpus: Vec<String> = folders.filter_map(name).collect();
        gpus.sort();
        text.push_str(&format!(", {}", gpus.join(", ")));
    }
    text
}

#[cfg(test)]
mod tests {
    use cadre_store::ArtifactStore;
    use serde_json::json;

    use super::{estimate, record};
    use crate::fixture::Fixture;
    use crate::planning::plan::StageState;

    #[test]
    fn a_range_comes_from_stages_of_this_machine_and_model() {
        let fixture = Fixture::new();
        let plan = fixture.plan(&fixture.recipe());
        let folder = tempfile::tempdir().unwrap();
        let store = ArtifactStore::open(folder.path()).unwrap();
        let place = |name: &str| plan.stages.iter().position(|stage| stage.name == name).unwrap();
        let trained = ["train/a", "train/b", "train/c"].map(place);
        let backbone = place("backbone");
        // Only what trains is left to do.
        let mut states = vec![StageState::Cached; plan.stages.len()];
        trained.iter().for_each(|place| states[*place] = StageState::ToDo);
        assert_eq!(estimate(&store, &plan.stages, &states), None);

        // Another kind of stage, and a stage that did not train, tell nothing of this one.
        record(&store, &plan.stages, backbone, &json!({ "training-tokens": 1000 }), 1.0);
        record(&store, &plan.stages, place("prepare/a"), &json!({ "training-tokens": 1000 }), 1.0);
        record(&store, &plan.stages, trained[0], &json!({ "training-examples": 3 }), 1.0);
        assert_eq!(estimate(&store, &plan.stages, &states), None);

        record(&store, &plan.stages, trained[0], &json!({ "training-tokens": 100 }), 10.0);
        record(&store, &plan.stages, trained[1], &json!({ "training-tokens": 100 }), 5.0);
        std::fs::OpenOptions::new()
            .append(true)
            .open(folder.path().join("speeds.jsonl"))
            .and_then(|mut file| std::io::Write::write_all(&mut file, b"half a li\n"))
            .unwrap();
        let tokens: u64 =
            trained.iter().filter_map(|place| plan.stages[*place].estimate.training_tokens).sum();
        let time = estimate(&store, &plan.stages, &states).unwrap();
        assert_eq!(time.measured, 2);
        assert_eq!(time.low_seconds, (tokens as f64 / 20.0).round() as u64);
        assert_eq!(time.high_seconds, (tokens as f64 / 10.0).round() as u64);

        // A model of another size is another matter.
        let mut larger = fixture.recipe();
        larger["backbone"]["pretrain"]["architecture"]["hidden"] = json!(128);
        let larger = fixture.plan(&larger);
        assert_eq!(estimate(&store, &larger.stages, &states), None);
    }
}
