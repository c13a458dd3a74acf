//! Cache of compiled policies. An entry is used only if this program wrote it, for these bytes, this engine and these
//! settings, and if it is intact; otherwise the policy is compiled again. Compiled code must never be loaded from
//! anywhere else.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use cadre_store::{Digest, write_atomic};
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::PolicyError;

/// Header of an entry: file type and layout version.
const HEADER: &[u8; 24] = b"cadre compiled policy 1\n";

/// A cache folder.
pub(crate) struct CompiledCache {
    folder: PathBuf,
    /// Whether only this user can write to the folder; compiled code is native code.
    trusted: bool,
    /// Hash of everything except the component's bytes that determines the compiled code.
    engine_mark: u64,
}

impl CompiledCache {
    pub(crate) fn open(folder: &Path, engine: &Engine) -> Result<Self, PolicyError> {
        let failed = |source| PolicyError::CacheFolder { folder: folder.to_owned(), source };
        if let Some(parent) = folder.parent() {
            fs::create_dir_all(parent).map_err(failed)?;
        }
        match fs::DirBuilder::new().mode(0o700).create(folder) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                return Err(failed(error));
            }
            _ => {}
        }
        let trusted = is_ours_alone(folder).map_err(failed)?;
        if !trusted {
            tracing::warn!(
                folder = %folder.display(),
                "other users can write to the folder of compiled policies; not using it"
            );
        }
        // DefaultHasher is fixed for a given compiler; a different compiler causes a recompilation.
        let mut mark = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut mark);
        Ok(Self { folder: folder.to_owned(), trusted, engine_mark: mark.finish() })
    }

    fn path(&self, component: &Digest) -> PathBuf {
        let mut name = component.as_bytes().to_vec();
        name.extend(self.engine_mark.to_le_bytes());
        self.folder.join(Digest::of_bytes(&name).to_string())
    }

    /// The compiled component, if there is an intact entry.
    pub(crate) fn get(&self, engine: &Engine, digest: &Digest) -> Option<Component> {
        if !self.trusted {
            return None;
        }
        let path = self.path(digest);
        let bytes = fs::read(&path).ok()?;
        let component = Self::payload(&bytes, digest).ok_or_else(|| "damaged".to_owned()).and_then(|code| {
            // SAFETY: only this user can write to the folder, the header shows that this program wrote the entry for
            // these bytes, and the digest shows that it is intact; wasmtime itself refuses code of another version,
            // other settings or another CPU.
            unsafe { Component::deserialize(engine, code) }.map_err(|error| error.to_string())
        });
        match component {
            Ok(component) => Some(component),
            Err(problem) => {
                tracing::warn!(file = %path.display(), problem, "recompiling a policy");
                None
            }
        }
    }

    /// Stores a compiled component.
    pub(crate) fn put(&self, digest: &Digest, code: &[u8]) -> Result<(), PolicyError> {
        if !self.trusted {
            return Ok(());
        }
        let mut bytes = Vec::with_capacity(HEADER.len() + 64 + code.len());
        bytes.extend(HEADER);
        bytes.extend(digest.as_bytes());
        bytes.extend(Digest::of_bytes(code).as_bytes());
        bytes.extend(code);
        write_atomic(&self.path(digest), &bytes)
            .map_err(|source| PolicyError::Cache { folder: self.folder.clone(), source })
    }

    fn payload<'a>(bytes: &'a [u8], digest: &Digest) -> Option<&'a [u8]> {
        let rest = bytes.strip_prefix(HEADER)?;
        let rest = rest.strip_prefix(digest.as_bytes())?;
        let (whole, code) = rest.split_at_checked(32)?;
        (Digest::of_bytes(code).as_bytes() == whole).then_some(code)
    }
}

/// Whether the folder belongs to this user and no other user can write to it.
fn is_ours_alone(folder: &Path) -> std::io::Result<bool> {
    let facts = fs::symlink_metadata(folder)?;
    let ours = facts.uid() == rustix::process::geteuid().as_raw();
    Ok(facts.is_dir() && ours && facts.mode() & 0o022 == 0)
}
