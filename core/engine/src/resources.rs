//! Resources that stages share: open backbones with mounted experts, loaded policies, the evidence book.
//! Everything cached here must be determined by its key.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use cadre_data::Tokenizer;
use cadre_nn::{BackendKind, DeviceSpec, ExpertSlot, Learner, Precision};
use cadre_policy::{Limits, Methods, Plugin, Sandbox};
use cadre_scheduler::{ModelWork, PluginWork, PolicyWork};
use cadre_store::{Artifact, ArtifactStore, Digest, FileDigests, chain};

use crate::ensemble::EvidenceBook;
use crate::error::EngineError;
use crate::planned_files::read_backbone;

/// Tokenizer files that belong to a checkpoint and are copied with it.
const TOKENIZER_FILES: [&str; 5] = [
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "generation_config.json",
    "chat_template.jinja",
];

/// An open backbone, and the experts mounted on it so far.
pub(crate) struct OpenModel {
    /// The learner.
    pub(crate) learner: Learner,
    /// The backbone's tokenizer.
    pub(crate) tokenizer: Tokenizer,
    /// Key of the backbone.
    pub(crate) key: Digest,
    /// Backend and precision, which findings depend on in addition to the keys of weights.
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

    /// Mounts the expert of a `train` artifact, once per process.
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

/// Copies the tokenizer files of a checkpoint that are there.
pub(crate) fn copy_tokenizer(from: &Path, to: &Path) -> Result<(), EngineError> {
    for name in TOKENIZER_FILES {
        let (from, path) = (from.join(name), to.join(name));
        if from.is_file() {
            std::fs::copy(&from, &path).map_err(|source| EngineError::Write { path, source })?;
        }
    }
    Ok(())
}

/// The tokenizer in a folder, checked against the backbone's rows: a token without a row must not occur.
pub(crate) fn tokenizer_of(folder: &Path, learner: &Learner) -> Result<Tokenizer, EngineError> {
    let rows = u32::try_from(learner.shape().vocabulary).unwrap_or(u32::MAX);
    Ok(Tokenizer::from_file(folder)?.with_rows(rows)?)
}

/// The shared resources of a process.
pub(crate) struct Resources {
    /// The evidence book.
    pub(crate) book: EvidenceBook,
    /// Digests of files outside the store.
    pub(crate) digests: FileDigests,
    store: Arc<ArtifactStore>,
    /// Threads for models whose recipe does not limit them; 0 means all.
    threads: usize,
    sandbox: Mutex<Option<Arc<Sandbox>>>,
    models: Mutex<Vec<(ModelUse, Arc<OpenModel>)>>,
}

/// Identifies an open model: the backbone and its device.
#[derive(PartialEq)]
struct ModelUse {
    backbone: Digest,
    folder: PathBuf,
    work: ModelWork,
}

impl Resources {
    /// Resources on this store; nothing is opened yet.
    pub(crate) fn new(store: Arc<ArtifactStore>) -> Self {
        // The cache of digests only saves time.
        let digests = store.file_digests().unwrap_or_else(|problem| {
            tracing::warn!(
                problem = chain(&problem),
                "the cache of file digests cannot be read; recomputing digests"
            );
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

    /// Limits the threads of models whose recipe sets no limit: other workers share the machine.
    pub(crate) fn with_threads(self, threads: usize) -> Self {
        Self { threads, ..self }
    }

    /// Opens the backbone of an artifact, once per process, device and precision. Fails if its files have changed since
    /// the plan was made.
    pub(crate) fn model(&self, work: &ModelWork, backbone: &Artifact) -> Result<Arc<OpenModel>, EngineError> {
        let mut models = self.models.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = work.backbone_folder(backbone);
        let wanted = ModelUse { backbone: *backbone.key(), folder: folder.to_owned(), work: work.clone() };
        if let Some((_, model)) = models.iter().find(|(open, _)| *open == wanted) {
            return Ok(Arc::clone(model));
        }
        let device = self.device(work)?;
        let model = Arc::new(read_backbone(backbone, work.checkpoint.as_ref(), &self.digests, |folder| {
            OpenModel::open(folder, *backbone.key(), work, &device)
        })?);
        models.push((wanted, Arc::clone(&model)));
        Ok(model)
    }

    /// Loads a policy. Fails if its file has changed since the plan was made.
    pub(crate) fn plugin(&self, work: &PluginWork) -> Result<Plugin, EngineError> {
        self.planned(&work.plugin, &work.path, &work.digest)
    }

    /// Loads the collection of a method. Fails if its file has changed since the plan was made.
    pub(crate) fn method(&self, work: &PolicyWork) -> Result<Methods, EngineError> {
        Ok(self.planned(&work.policy, &work.path, &work.digest)?.methods()?)
    }

    fn planned(&self, name: &str, path: &Path, digest: &Digest) -> Result<Plugin, EngineError> {
        let plugin = self.sandbox()?.load(path)?;
        if plugin.digest() != digest {
            return Err(EngineError::PluginChanged {
                name: name.to_owned(),
                path: path.to_owned(),
                found: plugin.digest().short(),
                planned: digest.short(),
            });
        }
        Ok(plugin)
    }

    /// The device of a work, limited to this process's threads.
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

/// Converts the device of a work to the learner's type.
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

/// The cache of compiled policies: in the store, beside the artifacts; without a store, in the user's cache folder.
pub(crate) fn compiled_policies(store: &Path) -> PathBuf {
    if store.join("FORMAT").exists() && ArtifactStore::open(store).is_ok_and(|store| store.can_be_written()) {
        return store.join(COMPILED);
    }
    users_cache()
}

/// Folder name of compiled policies, in a store and in the user's cache folder.
const COMPILED: &str = "compiled-policies";

/// The cache of compiled policies outside a store.
fn users_cache() -> PathBuf {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.filter(|folder| folder.is_absolute());
    let home = || std::env::home_dir().map(|home| home.join(".cache"));
    cache.or_else(home).unwrap_or_else(std::env::temp_dir).join("cadre").join(COMPILED)
}
