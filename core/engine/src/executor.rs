//! What stages share: opened backbones with experts mounted on them, loaded policies, the evidence book. Hands
//! each stage to its body. Keeps nothing that a key does not name.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use cadre_data::Tokenizer;
use cadre_nn::{BackendKind, DeviceSpec, ExpertSlot, Learner, Precision};
use cadre_policy::{Limits, Plugin, Sandbox};
use cadre_scheduler::{ModelWork, PluginWork, StageError, StageExecutor, StageJob, StageOutcome};
use cadre_store::{Artifact, ArtifactStore, Digest};

use crate::ensemble::EvidenceBook;
use crate::error::EngineError;
use crate::stage;

/// A backbone that is open, and the experts mounted on it so far.
pub(crate) struct OpenModel {
    /// The learner.
    pub(crate) learner: Learner,
    /// Its tokenizer.
    pub(crate) tokenizer: Tokenizer,
    /// Key of the backbone.
    pub(crate) key: Digest,
    mounted: Mutex<HashMap<Digest, ExpertSlot>>,
}

impl OpenModel {
    fn open(folder: &Path, key: Digest, device: &DeviceSpec) -> Result<Self, EngineError> {
        let learner = Learner::open(folder, device)?;
        let tokenizer = tokenizer_of(folder, &learner)?;
        Ok(Self { learner, tokenizer, key, mounted: Mutex::new(HashMap::new()) })
    }

    /// Mounts the expert of a train artifact, once a process.
    pub(crate) fn mount(&self, expert: &Artifact) -> Result<ExpertSlot, EngineError> {
        let mut mounted = self.mounted.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = mounted.get(expert.key()) {
            return Ok(*slot);
        }
        let slot = self.learner.mount(expert.folder())?;
        mounted.insert(*expert.key(), slot);
        Ok(slot)
    }
}

/// The tokenizer in a folder, for the rows of its backbone: a token without a row must not occur.
pub(crate) fn tokenizer_of(folder: &Path, learner: &Learner) -> Result<Tokenizer, EngineError> {
    let rows = u32::try_from(learner.shape().vocabulary).unwrap_or(u32::MAX);
    Ok(Tokenizer::from_file(folder)?.with_rows(rows)?)
}

/// Serves all stages of a process.
pub(crate) struct Executor {
    /// What was found out before.
    pub(crate) book: EvidenceBook,
    store: Arc<ArtifactStore>,
    /// Threads of models whose recipe takes all there are; 0 leaves them all.
    threads: usize,
    sandbox: Mutex<Option<Arc<Sandbox>>>,
    models: Mutex<HashMap<Digest, Arc<OpenModel>>>,
}

impl Executor {
    /// An executor on this store; nothing is opened yet.
    pub(crate) fn new(store: Arc<ArtifactStore>) -> Self {
        Self {
            book: EvidenceBook::open(Arc::clone(&store)),
            store,
            threads: 0,
            sandbox: Mutex::new(None),
            models: Mutex::new(HashMap::new()),
        }
    }

    /// Gives models whose recipe takes all threads so many: another worker wants some too.
    pub(crate) fn with_threads(self, threads: usize) -> Self {
        Self { threads, ..self }
    }

    /// The backbone of an artifact, opened once a process.
    pub(crate) fn model(&self, work: &ModelWork, backbone: &Artifact) -> Result<Arc<OpenModel>, EngineError> {
        let mut models = self.models.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(model) = models.get(backbone.key()) {
            return Ok(Arc::clone(model));
        }
        let model =
            Arc::new(OpenModel::open(work.backbone_folder(backbone), *backbone.key(), &self.device(work))?);
        models.insert(*backbone.key(), Arc::clone(&model));
        Ok(model)
    }

    /// A policy, if its file is still the one that was planned with.
    pub(crate) fn plugin(&self, work: &PluginWork) -> Result<Plugin, EngineError> {
        let plugin = self.sandbox()?.load(&work.path)?;
        if *plugin.digest() != work.digest {
            return Err(EngineError::PluginChanged {
                name: work.plugin.clone(),
                path: work.path.clone(),
                found: plugin.digest().short(),
                planned: work.digest.short(),
            });
        }
        Ok(plugin)
    }

    /// The device of a work, with this process's share of threads.
    pub(crate) fn device(&self, work: &ModelWork) -> DeviceSpec {
        let device = device(work);
        if device.threads == 0 { DeviceSpec { threads: self.threads, ..device } } else { device }
    }

    fn sandbox(&self) -> Result<Arc<Sandbox>, EngineError> {
        let mut sandbox = self.sandbox.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = &*sandbox {
            return Ok(Arc::clone(open));
        }
        let open = Arc::new(Sandbox::new(&compiled_policies(self.store.root()), Limits::default())?);
        *sandbox = Some(Arc::clone(&open));
        Ok(open)
    }
}

/// The device of a work in the words of the learner.
pub(crate) fn device(work: &ModelWork) -> DeviceSpec {
    DeviceSpec {
        backend: match work.backend.as_str() {
            "cuda" => BackendKind::Cuda(work.pace.index as usize),
            "ndarray" => BackendKind::NdArray,
            _ => BackendKind::Cpu,
        },
        precision: match work.precision {
            cadre_recipe::Precision::F32 => Precision::F32,
            cadre_recipe::Precision::Bf16 => Precision::Bf16,
        },
        threads: work.pace.threads as usize,
        gradient_checkpointing: work.pace.gradient_checkpointing,
    }
}

/// Where compiled policies are kept: beside the artifacts, as anything else that can be made again; where there is no
/// store (yet), in the user's cache.
pub(crate) fn compiled_policies(store: &Path) -> PathBuf {
    if store.join("FORMAT").exists() {
        return store.join("compiled-policies");
    }
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.filter(|folder| folder.is_absolute());
    let home = || std::env::home_dir().map(|home| home.join(".cache"));
    cache.or_else(home).unwrap_or_else(std::env::temp_dir).join("cadre/compiled-policies")
}

impl StageExecutor for Executor {
    fn execute(&self, job: &StageJob<'_>) -> Result<StageOutcome, StageError> {
        Ok(stage::execute(self, job)?)
    }
}
