//! The backbone that a run pretrained, copied from its store as a checkpoint folder.

use std::path::{Path, PathBuf};

/// Copies the only backbone of a store to a new folder.
pub(crate) fn copy_backbone(store: &Path, to: &Path) {
    let mut found = Vec::new();
    folders_with(&store.join("objects"), "model.safetensors", &mut found);
    assert_eq!(found.len(), 1, "{found:?}");
    std::fs::create_dir(to).unwrap();
    for file in std::fs::read_dir(&found[0]).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}

fn folders_with(folder: &Path, name: &str, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            folders_with(&path, name, found);
        } else if path.file_name().is_some_and(|file| file == name) {
            found.push(folder.to_owned());
        }
    }
}
