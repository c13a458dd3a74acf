//! What stages share: opened backbones with experts mounted on them, loaded policies, the evidence book. Hands
//! each stage to its body. Keeps nothing that a key does not name.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use cadre_data::Tokenizer;
use cadre_nn::{BackendKind, DeviceSpec, ExpertSlot, Learner, Precision};
use cadre_policy::{Limits, Plugin, Sandbox};
use cadre_scheduler::{ModelWork, PluginWork};
use cadre_store::{Artifact, ArtifactStore, Digest, FileDigests};

use crate::ensemble::EvidenceBook;
use crate::error::EngineError;
use crate::planned_files::read_checkpoint;

/// A backbone that is open, and the experts mounted on it so far.
pub(crate) struct OpenModel {
    /// The learner.
    pub(crate) learner: Learner,
    /// Its tokenizer.
    pub(crate) tokenizer: Tokenizer,
    /// Key of the backbone.
    pub(crate) key: Digest,
    /// What its answers depend on beside the keys of weights: an artifact of weights is one whatever it is computed in.
    pub(crate) computed_in: String,
    mounted: Mutex<HashMap<Digest, ExpertSlot>>,
}

impl OpenModel {
    fn open(folder: &Path, key: Digest, work: &ModelWork, device: &DeviceSpec) -> Result<Self, EngineError> {
        let learner = Learner::open(folder, device)?;
        let tokenizer = tokenizer_of(folder, &learner)?;
        let computed_in = format!("{} {:?}", work.backend, work.precision);
        Ok(Self { learner, tokenizer, key, computed_in, mounted: Mutex::new(HashMap::new()) })
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
pub(crate) struct Resources {
    /// What was found out before.
    pub(crate) book: EvidenceBook,
    /// Digests of files outside the store.
    pub(crate) digests: FileDigests,
    store: Arc<ArtifactStore>,
    /// Threads of models whose recipe takes all there are; 0 leaves them all.
    threads: usize,
    sandbox: Mutex<Option<Arc<Sandbox>>>,
    models: Mutex<Vec<(ModelUse, Arc<OpenModel>)>>,
}

/// Which backbone, and on what: what one open model serves.
#[derive(PartialEq)]
struct ModelUse {
    backbone: Digest,
    folder: PathBuf,
    work: ModelWork,
}

impl Resources {
    /// An executor on this store; nothing is opened yet.
    pub(crate) fn new(store: Arc<ArtifactStore>) -> Self {
        // What is remembered saves time and nothing else.
        let digests = store.file_digests().unwrap_or_else(|problem| {
            tracing::warn!(%problem, "digests of files are made again");
            FileDigests::in_memory()
        });
        Self {
            book: EvidenceBook::open(Arc::clone(&store)),
            digests,
            store,
            threads: 0,
            sandbox: Mutex::new(None),
            models: Mutex::new(Vec::new()),
        }
    }

    /// Gives models whose recipe takes all threads so many: another worker wants some too.
    pub(crate) fn with_threads(self, threads: usize) -> Self {
        Self { threads, ..self }
    }

    /// The backbone of an artifact, opened once a process for each device and precision, if its files are still those
    /// that were planned with.
    pub(crate) fn model(&self, work: &ModelWork, backbone: &Artifact) -> Result<Arc<OpenModel>, EngineError> {
        let mut models = self.models.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = work.backbone_folder(backbone);
        let wanted = ModelUse { backbone: *backbone.key(), folder: folder.to_owned(), work: work.clone() };
        if let Some((_, model)) = models.iter().find(|(open, _)| *open == wanted) {
            return Ok(Arc::clone(model));
        }
        let device = self.device(work)?;
        let open = || OpenModel::open(folder, *backbone.key(), work, &device);
        let model = Arc::new(match &work.checkpoint {
            Some(_) => read_checkpoint(backbone, folder, &self.digests, open)?,
            None => open()?,
        });
        models.push((wanted, Arc::clone(&model)));
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
    pub(crate) fn device(&self, work: &ModelWork) -> Result<DeviceSpec, EngineError> {
        let device = device(work)?;
        Ok(if device.threads == 0 { DeviceSpec { threads: self.threads, ..device } } else { device })
    }

    fn sandbox(&self) -> Result<Arc<Sandbox>, EngineError> {
        let mut sandbox = self.sandbox.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = &*sandbox {
            return Ok(Arc::clone(open));
        }
        let folder = match self.store.can_be_written() {
            true => self.store.root().join(COMPILED),
            false => users_cache(),
        };
        let open = Arc::new(Sandbox::new(&folder, Limits::default())?);
        *sandbox = Some(Arc::clone(&open));
        Ok(open)
    }
}

/// The device of a work in the words of the learner.
fn device(work: &ModelWork) -> Result<DeviceSpec, EngineError> {
    Ok(DeviceSpec {
        backend: match work.backend.as_str() {
            "cpu" => BackendKind::Cpu,
            "cuda" => BackendKind::Cuda(work.pace.index as usize),
            "ndarray" => BackendKind::NdArray,
            other => return Err(EngineError::UnknownBackend { name: other.to_owned() }),
        },
        precision: match work.precision {
            cadre_recipe::Precision::F32 => Precision::F32,
            cadre_recipe::Precision::Bf16 => Precision::Bf16,
        },
        threads: work.pace.threads as usize,
        gradient_checkpointing: work.pace.gradient_checkpointing,
    })
}

/// Where compiled policies are kept: beside the artifacts, as anything else that can be made again; where there is no
/// store (yet), in the user's cache.
pub(crate) fn compiled_policies(store: &Path) -> PathBuf {
    if store.join("FORMAT").exists() && ArtifactStore::open(store).is_ok_and(|store| store.can_be_written()) {
        return store.join(COMPILED);
    }
    users_cache()
}

/// The folder of compiled policies, in a store and in a user's cache.
const COMPILED: &str = "compiled-policies";

/// Where compiled policies are kept that no store takes.
fn users_cache() -> PathBuf {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.filter(|folder| folder.is_absolute());
    let home = || std::env::home_dir().map(|home| home.join(".cache"));
    cache.or_else(home).unwrap_or_else(std::env::temp_dir).join("cadre").join(COMPILED)
}
