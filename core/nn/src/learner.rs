//! The public entry point of the crate: a backbone with its experts. The interface must use only ids, bytes and f32: no
//! text and no tensors.

use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use burn::tensor::{DType, Device, Tensor};
use cadre_checkpoint::{BackboneShape, CheckpointFolder, weight_names};
use cadre_data::TokenExample;
use cadre_store::{Seed, write_atomic};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::adapter::{Adapter, AdapterKind, AdapterSpec, AdapterTensors, ExpertSlot, normal};
use crate::backbone::{Backbone, Rotary};
use crate::device::DeviceSpec;
use crate::error::NnError;
use crate::model::Model;
use crate::training::{
    Activations, ExpertTrainee, NamedTensor, Objectives, Observed, Parameters, Statistic, TensorName,
    Training, TrainingControl, TrainingData, TrainingOutcome, TrainingSpec, WholeTrainee, usable_examples,
};
use crate::weights::{self, Weight, WeightMap};
use crate::workers::Workers;

/// A backbone on which experts are trained and mounted, and which answers rows.
pub struct Learner {
    pub(crate) model: Model,
    pub(crate) workers: Workers,
    pub(crate) experts: RwLock<Vec<Arc<AdapterTensors>>>,
    activations: Activations,
}

impl std::fmt::Debug for Learner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Learner").field("shape", &self.model.backbone.shape).finish_non_exhaustive()
    }
}

impl Learner {
    /// Opens a folder with `config.json` and `model.safetensors`, or shards with their index, in Hugging Face's layout.
    /// Weights are converted one by one from the mapped file.
    ///
    /// # Errors
    /// Missing or damaged files, an unsupported family or setting, a weight that is missing, has the wrong shape or is
    /// not used, or a backend that is not in this build.
    pub fn open(folder: &Path, device: &DeviceSpec) -> Result<Self, NnError> {
        let CheckpointFolder { shape, files, remarks } = CheckpointFolder::open(folder)?;
        for remark in remarks {
            tracing::warn!(remark, "checkpoint");
        }
        Self::of(&shape, device, &mut |name, sizes, device, dtype| {
            weights::load(&files, name, sizes, device, dtype)
        })
    }

    /// A backbone with the initial weights of [`Learner::pretrain`], without any training.
    ///
    /// # Errors
    /// Sizes that do not fit together, or a backend that is not in this build.
    pub fn untrained(shape: &BackboneShape, seed: u64, device: &DeviceSpec) -> Result<Self, NnError> {
        shape.check()?;
        let seed = Seed(seed).derive("backbone");
        Self::of(shape, device, &mut |name, sizes, device, dtype| {
            Ok(start_weight(shape, seed, name, sizes).tensor(device, dtype))
        })
    }

    fn of(shape: &BackboneShape, device: &DeviceSpec, take: &mut TakeWeight<'_>) -> Result<Self, NnError> {
        let burn_device = device.open()?;
        let numbers = device.numbers();
        let backbone =
            Backbone::load(shape, &mut |name, sizes| take(name, sizes, &burn_device, numbers.of(sizes)))?;
        Ok(Self {
            model: Model { backbone, device: burn_device, dtype: numbers.others },
            workers: Workers::new(device.worker_count())?,
            experts: RwLock::new(Vec::new()),
            activations: device.activations(),
        })
    }

    /// Sizes of the backbone.
    pub fn shape(&self) -> &BackboneShape {
        &self.model.backbone.shape
    }

    /// Trains a backbone from scratch and writes `config.json` and `model.safetensors` to `out`.
    ///
    /// Initial weights are normally distributed: matrices with standard deviation 1/√(3·in) (that of PyTorch's linear
    /// layers), those that write to the residual stream with that divided by √(2·layers) (Radford et al. 2019),
    /// embeddings with 0.02; norms start at 1. Weights and optimizer state are f32 whatever the precision, and so is
    /// the file; on the CPU everything is computed in f32.
    ///
    /// # Errors
    /// Sizes or settings out of range, invalid examples, a loss that is not finite, or a file that cannot be written.
    pub fn pretrain(
        shape: &BackboneShape,
        examples: &[TokenExample],
        training: &TrainingSpec,
        control: &mut TrainingControl<'_>,
        out: &Path,
        device: &DeviceSpec,
    ) -> Result<TrainingOutcome, NnError> {
        shape.check()?;
        let burn_device = device.open()?;
        let workers = Workers::new(device.worker_count())?;
        let names = weight_names(shape);
        let mut parameters =
            Parameters::new(&names, start_weights(shape, &names, Seed(training.seed).derive("backbone")));
        let rotary = Rotary::new(shape);
        let trainee = WholeTrainee { shape: shape.clone(), rotary, dtype: device.numbers().others };
        let run = Training {
            trainee: &trainee,
            spec: training,
            objectives: Objectives::none(),
            dropout: 0.0,
            about: serde_json::json!({ "pretrain": shape }),
            context: shape.context,
            known_ids: shape.vocabulary,
            workers: &workers,
            device: &burn_device,
            activations: device.activations(),
        };
        let outcome = run.run(&mut parameters, examples.into(), control)?;
        if !outcome.stopped {
            let path = out.join("model.safetensors");
            write_atomic(&path, &weights::bytes(&parameters.into_weights(), &path)?)?;
            write_atomic(&out.join("config.json"), &shape.config_json())?;
        }
        Ok(outcome)
    }

    /// Trains one expert on this backbone, which does not change, and writes `adapter.json` and `adapter.safetensors`
    /// to `out`. `start` is the folder of an expert with the same spec, whose weights are the initial weights; without
    /// it, the expert initially computes the same as the backbone.
    ///
    /// The loss of a step is `Σ weight · nll / loss tokens`. The weights are not normalised: they have an effect even
    /// if they are all equal.
    ///
    /// # Errors
    /// Settings out of range, an incompatible `start`, invalid examples, a loss that is not finite, or a file that
    /// cannot be written.
    pub fn train_expert<'a>(
        &self,
        spec: &AdapterSpec,
        start: Option<&Path>,
        data: impl Into<TrainingData<'a>>,
        training: &TrainingSpec,
        control: &mut TrainingControl<'_>,
        out: &Path,
    ) -> Result<TrainingOutcome, NnError> {
        let (outcome, parameters, side) =
            self.fit(spec, start, data.into(), training, Objectives::none(), control)?;
        if !outcome.stopped {
            Adapter { spec: spec.clone(), weights: parameters.into_weights(), side }
                .write(out, self.shape())?;
        }
        Ok(outcome)
    }

    /// [`Learner::train_expert`] with objectives, without writing the expert: returns its weights and the buffers, and
    /// its side tensors. If the training was stopped, they are those of the last step.
    ///
    /// # Errors
    /// Those of [`Learner::train_expert`], and those of the objectives and their tensors.
    pub(crate) fn fit(
        &self,
        spec: &AdapterSpec,
        start: Option<&Path>,
        data: TrainingData<'_>,
        training: &TrainingSpec,
        objectives: Objectives<'_>,
        control: &mut TrainingControl<'_>,
    ) -> Result<(TrainingOutcome, Parameters, WeightMap), NnError> {
        spec.check()?;
        if spec.kind == AdapterKind::Delta {
            return Err(NnError::NotTrained { kind: spec.kind.name() });
        }
        let shape = self.shape();
        let names = Adapter::names(spec, shape);
        let first = match start {
            Some(folder) => {
                let earlier = Adapter::read(folder, shape)?;
                if earlier.spec.kind != spec.kind {
                    let (found, expected) = (earlier.spec.kind.name(), spec.kind.name());
                    let problem = format!("the expert to start from is \"{found}\", expected \"{expected}\"");
                    return Err(NnError::AdapterFile { path: folder.into(), problem });
                }
                for (name, sizes) in &names {
                    weights::expect(&earlier.weights, name, sizes, folder)?;
                }
                Adapter { spec: spec.clone(), ..earlier }
            }
            None => Adapter::start(spec, &self.model.backbone)?,
        };
        let side = first.side_tensors(shape, &self.model.device);
        let mut parameters = Parameters::new(&names, first.weights);
        let (backbone, dtype) = (&self.model.backbone, self.model.dtype);
        let trainee = ExpertTrainee { backbone, spec, side: &side, dtype };
        let run = Training {
            trainee: &trainee,
            spec: training,
            objectives,
            dropout: spec.dropout,
            about: serde_json::json!({ "expert": spec, "backbone": shape }),
            context: shape.context,
            known_ids: shape.vocabulary + spec.added_tokens,
            workers: &self.workers,
            device: &self.model.device,
            activations: self.activations,
        };
        let outcome = run.run(&mut parameters, data, control)?;
        Ok((outcome, parameters, first.side))
    }

    /// Computes statistics of the gradients of single examples with respect to the weights of the expert in `folder`,
    /// without changing it: the pass at the end of a task that EWC and others need. The loss of an example is
    /// `Σ weight · nll / loss tokens`, without dropout. Skips examples that have no token with a loss.
    ///
    /// # Errors
    /// Missing or damaged files, an expert of another backbone, invalid examples, or a value that is not finite.
    pub fn observe(
        &self,
        folder: &Path,
        examples: &[TokenExample],
        statistics: &[Statistic<'_>],
    ) -> Result<Vec<NamedTensor>, NnError> {
        let shape = self.shape();
        let adapter = Adapter::read(folder, shape)?;
        let side = adapter.side_tensors(shape, &self.model.device);
        let Adapter { spec, weights, .. } = adapter;
        let usable = usable_examples(examples, shape.context, shape.vocabulary + spec.added_tokens)?;
        let examples: Vec<&TokenExample> = usable.into_iter().map(|row| &examples[row]).collect();
        let parameters = Parameters::new(&Adapter::names(&spec, shape), weights);
        let trainee = ExpertTrainee {
            backbone: &self.model.backbone,
            spec: &spec,
            side: &side,
            dtype: self.model.dtype,
        };
        let observed = Observed {
            trainee: &trainee,
            parameters: &parameters,
            workers: &self.workers,
            device: &self.model.device,
            activations: self.activations,
        };
        observed.statistics(&examples, statistics)
    }

    /// The weights of an expert by projection and name, for [`crate::TrainingInputs`].
    ///
    /// # Errors
    /// Missing or damaged files, or an expert of another backbone.
    pub fn expert_tensors(&self, folder: &Path) -> Result<Vec<NamedTensor>, NnError> {
        let adapter = Adapter::read(folder, self.shape())?;
        let named = |(name, weight): (String, Weight)| NamedTensor {
            name: TensorName::of_weight(&name),
            shape: weight.shape,
            values: weight.values,
        };
        Ok(adapter.weights.into_iter().map(named).collect())
    }

    /// Mounts an expert. The handle is valid for this learner only.
    ///
    /// # Errors
    /// Missing or damaged files, or an expert of another backbone.
    pub fn mount(&self, folder: &Path) -> Result<ExpertSlot, NnError> {
        let adapter = Adapter::read(folder, self.shape())?;
        let tensors = adapter.tensors(&self.model.backbone, &self.model.device, self.model.dtype)?;
        let mut experts = self.experts.write().unwrap_or_else(PoisonError::into_inner);
        experts.push(Arc::new(tensors));
        Ok(ExpertSlot(experts.len() - 1))
    }
}

/// Returns the weight with this name and shape.
type TakeWeight<'a> = dyn FnMut(&str, &[usize], &Device, DType) -> Result<Tensor<2>, NnError> + 'a;

fn start_weights(shape: &BackboneShape, names: &[(String, Vec<usize>)], seed: Seed) -> WeightMap {
    names.iter().map(|(name, sizes)| (name.clone(), start_weight(shape, seed, name, sizes))).collect()
}

fn start_weight(shape: &BackboneShape, seed: Seed, name: &str, sizes: &[usize]) -> Weight {
    let residual = (2.0 * shape.layers as f32).sqrt();
    let mut rng = ChaCha8Rng::seed_from_u64(seed.derive(name).0);
    let count: usize = sizes.iter().product();
    let values = match sizes {
        [_, into] => {
            let spread = if name.contains("embed_tokens") || name.contains("lm_head") {
                0.02
            } else if name.contains("o_proj") || name.contains("down_proj") {
                1.0 / (3.0 * *into as f32).sqrt() / residual
            } else {
                1.0 / (3.0 * *into as f32).sqrt()
            };
            (0..count).map(|_| spread * normal(&mut rng)).collect()
        }
        _ if name.ends_with(".bias") || shape.variation.unit_offset_norms => vec![0.0; count],
        _ => vec![1.0; count],
    };
    Weight { shape: sizes.to_vec(), values }
}
