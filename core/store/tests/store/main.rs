//! Integration tests of the store: artifacts are complete or absent despite kills, damage, full disks and races.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod collection;
mod damage;
mod full_disk;
mod old_format;
mod processes;
mod segments;
mod whole;

use std::path::Path;

use cadre_store::{Artifact, ArtifactStore, Digest, Lookup, ManifestFacts};
use serde_json::json;

fn key(name: &str) -> Digest {
    Digest::of_bytes(name.as_bytes())
}

fn facts(stage: &str) -> ManifestFacts {
    ManifestFacts {
        stage: stage.to_owned(),
        kind: "train".to_owned(),
        made_by: "run".to_owned(),
        wall_seconds: 1.25,
        facts: json!({ "rows": 3, "loss": 0.1 }),
    }
}

fn commit(store: &ArtifactStore, name: &str, files: &[(&str, &[u8])]) -> Artifact {
    let draft = store.draft(&key(name)).unwrap();
    for (file, bytes) in files {
        draft.write(file, bytes).unwrap();
    }
    draft.commit(facts(name)).unwrap()
}

fn whole(store: &ArtifactStore, name: &str) -> Artifact {
    match store.get(&key(name)).unwrap() {
        Lookup::Whole(artifact) => artifact,
        other => panic!("{name}: {other:?}"),
    }
}

fn entries(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}
