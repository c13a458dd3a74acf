//! The engine that policies run in, and how they get there: read, looked at, compiled or taken from the
//! cache, asked for their name. Grants nothing but the diagnostics of the contract.

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

/// How often the wall clock is looked at.
pub(crate) const TICK: Duration = Duration::from_millis(20);

/// Where a plugin's compiled code came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LoadedFrom {
    /// It was compiled now.
    Compilation,
    /// It was compiled before and kept.
    Cache,
}

/// Where policies run, and under which limits. Cheap calls may come from several threads.
pub struct Sandbox {
    engine: Engine,
    cache: CompiledCache,
    limits: Limits,
}

impl Sandbox {
    /// Makes an engine with settings under which the same component gives the same answers on every
    /// machine. Compiled policies are kept in `cache`, which is made if it is not there; a folder that
    /// others can write to is not used.
    ///
    /// # Errors
    /// When the folder cannot be made, or WebAssembly cannot be run here.
    pub fn new(cache: &Path, limits: Limits) -> Result<Self, PolicyError> {
        let engine = Engine::new(&settings(&limits))
            .map_err(|error| PolicyError::Engine { problem: error.to_string() })?;
        let cache = CompiledCache::open(cache, &engine)?;
        start_clock(&engine);
        Ok(Self { engine, cache, limits })
    }

    /// The limits under which policies run here.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Reads, checks and compiles a plugin (or takes it from the cache) and asks for its description.
    ///
    /// # Errors
    /// When the file cannot be read, is no component, is no policy, was built for another version of
    /// the contract, wants what is not granted, or does not say who it is.
    pub fn load(&self, file: &Path) -> Result<Plugin, PolicyError> {
        let bytes = self.read(file)?;
        let kind = component_info::kind_of(file, &bytes, &self.limits)?;
        let name = file.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
        let id = Arc::new(PluginId { name, file: file.to_owned(), digest: Digest::of_bytes(&bytes) });
        let (component, from) = match self.cache.get(&self.engine, &id.digest) {
            Some(component) => (component, LoadedFrom::Cache),
            None => (self.compile(&id, bytes)?, LoadedFrom::Compilation),
        };
        Plugin::of(&self.engine, &component, kind, id, self.limits.clone(), from)
    }

    fn read(&self, file: &Path) -> Result<Vec<u8>, PolicyError> {
        let failed = |source| PolicyError::Read { file: file.to_owned(), source };
        let limit = self.limits.file_bytes;
        let mut bytes = Vec::new();
        let open = File::open(file).map_err(failed)?;
        let told = open.metadata().map_err(failed)?.len();
        // One byte more than allowed: a file may grow, and some files have no length.
        open.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(failed)?;
        let length = bytes.len() as u64;
        if length > limit {
            return Err(PolicyError::FileSize { file: file.to_owned(), bytes: told.max(length), limit });
        }
        Ok(bytes)
    }

    /// Compiles on a thread of its own, since nothing bounds a compilation from within. How much there is to compile was
    /// bounded before (`surface`), so that a thread that nobody waits for any more ends soon.
    fn compile(&self, id: &Arc<PluginId>, bytes: Vec<u8>) -> Result<Component, PolicyError> {
        let (send, receive) = mpsc::channel();
        let engine = self.engine.clone();
        thread::spawn(move || {
            let code = engine.precompile_component(&bytes);
            // Nobody listens any more where the time was up.
            let _ = send.send(code.map_err(|error| error.root_cause().to_string()));
        });
        let limit = self.limits.compile_time;
        let malformed = |problem| PolicyError::Malformed { file: id.file.clone(), problem };
        let code = match receive.recv_timeout(limit) {
            Ok(code) => code.map_err(malformed)?,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                return Err(PolicyError::CompileTime { plugin: Arc::clone(id), limit });
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                return Err(malformed("the compiler broke down over it".into()));
            }
        };
        self.cache.put(&id.digest, &code)?;
        // SAFETY: this engine made the code a moment ago, and it has not left this function.
        unsafe { Component::deserialize(&self.engine, &code) }
            .map_err(|error| malformed(error.root_cause().to_string()))
    }
}

/// Every setting that could make two machines differ, or let a policy do more than compute.
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

/// Counts the engine's epochs, on which the wall-clock net hangs, as long as the engine lives.
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
