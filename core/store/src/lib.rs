//! Storage by key: immutable artifacts that are either complete or absent, locks that keep two processes from making
//! the same artifact, file digests, append-only evidence, and the layout of run folders. The store does not interpret
//! the bytes, and must never modify a committed artifact.

#![forbid(unsafe_code)]

mod artifact;
mod artifact_store;
mod atomic;
mod collection;
mod digest;
mod draft;
mod error;
mod error_chain;
mod file_digests;
mod file_stamp;
mod key_lock;
mod run_layout;
mod run_roots;
mod seed;
mod segments;

pub use digest::Digest;
pub use seed::Seed;

pub use artifact::{Artifact, FileEntry, Manifest, ManifestFacts};
pub use artifact_store::{ArtifactStore, Lookup, STORE_FORMAT};
pub use collection::{Amount, Collected, Collection, CollectionOptions, Garbage};
pub use draft::Draft;
pub use key_lock::KeyLock;
pub use segments::{DamagedSegment, Segments, SegmentsRead};

pub use atomic::write_atomic;
pub use file_digests::FileDigests;
pub use file_stamp::FileStamp;
pub use run_layout::RunLayout;

pub use error::StoreError;
pub use error_chain::chain;
