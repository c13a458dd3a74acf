//! The WebAssembly engine, and how plugins are loaded: read, inspected, compiled or taken from the cache, and asked for
//! their description. Must grant policies nothing but the contract's diagnostics.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use cadre_store::Digest;
use serde::{Deserialize, Serialize};
use wasmtime::component::Component;
use wasmtime::{Config, Engine};

use crate::compiled_cache::CompiledCache;
use crate::component_info;
use crate::{Limits, Plugin, PluginId, PolicyError};

/// Epoch tick interval.
pub(crate) const TICK: Duration = Duration::from_millis(20);

/// Source of a plugin's compiled code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LoadedFrom {
    /// Compiled for this load.
    Compilation,
    /// Compiled before and cached.
    Cache,
}

/// The engine and limits under which policies run. Can be shared between threads.
pub struct Sandbox {
    engine: Engine,
    cache: CompiledCache,
    limits: Limits,
}

impl Sandbox {
    /// Creates an engine whose settings make a component give the same answers on every machine. Compiled policies are
    /// cached in `cache`, which is created if it does not exist; a folder that other users can write to is not used.
    ///
    /// # Errors
    /// If the folder cannot be created, or WebAssembly cannot be run here.
    pub fn new(cache: &Path, limits: Limits) -> Result<Self, PolicyError> {
        let engine = Engine::new(&settings(&limits)).map_err(|error| {
            PolicyError::of_engine(error.root_cause().to_string(), |problem| PolicyError::Engine { problem })
        })?;
        let cache = CompiledCache::open(cache, &engine)?;
        start_clock(&engine);
        Ok(Self { engine, cache, limits })
    }

    /// The limits under which policies run.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Reads, checks and compiles a plugin (or takes it from the cache) and reads its description.
    ///
    /// # Errors
    /// If the file cannot be read, is not a component or not a policy, was built for another version of the contract,
    /// imports what is not granted, or has no valid description.
    pub fn load(&self, file: &Path) -> Result<Plugin, PolicyError> {
        let bytes = self.read(file)?;
        let (entry, facts) = component_info::read(file, &bytes, &self.limits)?;
        let name = file.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
        let id = Arc::new(PluginId { name, file: file.to_owned(), digest: Digest::of_bytes(&bytes) });
        let (component, from) = match self.cache.get(&self.engine, &id.digest) {
            Some(component) => (component, LoadedFrom::Cache),
            None => (self.compile(&id, bytes)?, LoadedFrom::Compilation),
        };
        Plugin::of(&self.engine, &component, (entry.kind, &facts), id, self.limits.clone(), from)
    }

    fn read(&self, file: &Path) -> Result<Vec<u8>, PolicyError> {
        let failed = |source| PolicyError::Read { file: file.to_owned(), source };
        let limit = self.limits.file_bytes;
        let mut bytes = Vec::new();
        let open = File::open(file).map_err(failed)?;
        let size = open.metadata().map_err(failed)?.len();
        // Read one byte more than allowed: a file may grow, and some files have no length.
        open.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(failed)?;
        let length = bytes.len() as u64;
        if length > limit {
            return Err(PolicyError::FileSize { file: file.to_owned(), bytes: size.max(length), limit });
        }
        Ok(bytes)
    }

    /// Compiles on a separate thread, since a compilation cannot be interrupted. The amount of code was limited before
    /// (`component_info`), so an abandoned thread ends soon.
    fn compile(&self, id: &Arc<PluginId>, bytes: Vec<u8>) -> Result<Component, PolicyError> {
        let (send, receive) = mpsc::channel();
        let engine = self.engine.clone();
        thread::spawn(move || {
            let code = engine.precompile_component(&bytes);
            // The receiver is gone if the time was up.
            let _ = send.send(code.map_err(|error| error.root_cause().to_string()));
        });
        let limit = self.limits.compile_time;
        let malformed = |problem: String| {
            PolicyError::of_engine(problem, |problem| PolicyError::Malformed {
                file: id.file.clone(),
                problem,
            })
        };
        let code = match receive.recv_timeout(limit) {
            Ok(code) => code.map_err(malformed)?,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                return Err(PolicyError::CompileTime { plugin: Arc::clone(id), limit });
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                return Err(malformed("the compiler panicked".into()));
            }
        };
        self.cache.put(&id.digest, &code)?;
        // SAFETY: this engine has just produced the code, and it has not left this function.
        unsafe { Component::deserialize(&self.engine, &code) }
            .map_err(|error| malformed(error.root_cause().to_string()))
    }
}

/// Settings that affect determinism across machines, and the enabled WebAssembly features.
fn settings(limits: &Limits) -> Config {
    let mut config = Config::new();
    config
        .consume_fuel(true)
        .epoch_interruption(true)
        .max_wasm_stack(limits.stack_bytes)
        .cranelift_nan_canonicalization(true)
        .wasm_relaxed_simd(true)
        .relaxed_simd_deterministic(true)
        .wasm_memory64(false)
        .wasm_multi_memory(false)
        .wasm_component_model_gc(false);
    config
}

/// Increments the engine's epoch, which wall-clock deadlines depend on, for the engine's lifetime.
fn start_clock(engine: &Engine) {
    let engine = engine.weak();
    thread::spawn(move || {
        loop {
            thread::sleep(TICK);
            match engine.upgrade() {
                Some(engine) => engine.increment_epoch(),
                None => return,
            }
        }
    });
}
