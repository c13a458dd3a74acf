//! Tests of opening checkpoints: single files, shards, and weights that are not finite.

use std::path::Path;

use cadre_checkpoint::weight_names;
use serde_json::json;

use crate::fixture::{device, shape};
use crate::learner::Learner;
use crate::weights::{self, Weight, WeightMap, download};

/// Writes a model of the test shape to a folder, as one file or as shards.
fn written(folder: &Path, shards: usize) -> Vec<String> {
    let shape = shape(false);
    let names = weight_names(&shape);
    std::fs::write(folder.join("config.json"), shape.config_json()).unwrap();
    let mut parts = vec![WeightMap::new(); shards];
    let mut map = serde_json::Map::new();
    for (number, (name, sizes)) in names.iter().enumerate() {
        let count: usize = sizes.iter().product();
        let values = (0..count).map(|at| ((number * 31 + at) as f32 * 0.7).sin() * 0.1).collect();
        let shard = number * shards / names.len();
        parts[shard].insert(name.clone(), Weight { shape: sizes.clone(), values });
        map.insert(name.clone(), json!(file_name(shard, shards)));
    }
    for (shard, part) in parts.iter().enumerate() {
        let path = folder.join(file_name(shard, shards));
        std::fs::write(&path, weights::bytes(part, &path).unwrap()).unwrap();
    }
    if shards > 1 {
        let index = json!({ "metadata": {}, "weight_map": map });
        std::fs::write(folder.join("model.safetensors.index.json"), index.to_string()).unwrap();
    }
    names.into_iter().map(|(name, _)| name).collect()
}

fn file_name(shard: usize, shards: usize) -> String {
    match shards {
        1 => "model.safetensors".to_owned(),
        _ => format!("model-{:05}-of-{shards:05}.safetensors", shard + 1),
    }
}

#[test]
fn shards_are_the_same_model_as_one_file() {
    let (one, many) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    written(one.path(), 1);
    written(many.path(), 3);
    let open = |folder: &Path| Learner::open(folder, &device(1)).unwrap();
    let values = |learner: &Learner| -> Vec<Vec<f32>> {
        learner.model.backbone.tensors().into_iter().map(|tensor| download(tensor).unwrap()).collect()
    };
    assert_eq!(values(&open(one.path())), values(&open(many.path())));
}

fn warnings(work: impl FnOnce()) -> String {
    use std::io::Write;
    use std::sync::{Arc, Mutex};
    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);
    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    tracing::subscriber::with_default(subscriber, work);
    let bytes = lines.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn a_weight_that_is_not_finite_is_reported_by_name() {
    let folder = tempfile::tempdir().unwrap();
    written(folder.path(), 1);
    let file = folder.path().join("model.safetensors");
    let mut bytes = std::fs::read(&file).unwrap();
    let end = bytes.len();
    bytes[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    std::fs::write(&file, bytes).unwrap();
    let said = warnings(|| drop(Learner::open(folder.path(), &device(1)).unwrap()));
    assert!(said.contains("model.norm.weight") && said.contains("not finite"), "{said}");
}
