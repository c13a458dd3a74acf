//! Test fixture: a folder with data, plugins and a recipe that has every section.

use std::fs;
use std::path::PathBuf;

use cadre_checkpoint::{BackboneShape, Variation, weight_names};
use cadre_data::{Hub, HubSettings};
use cadre_recipe::{PluginCatalog, Recipe};
use cadre_store::FileDigests;
use serde_json::{Value, json};
use tempfile::TempDir;
use wasm_encoder::{Component, ComponentExportKind, ComponentExportSection, ComponentInstanceSection};

use crate::planning::plan::Plan;
use crate::stages::StageSpec;

pub(crate) struct Fixture {
    pub(crate) folder: TempDir,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        let fixture = Self { folder: tempfile::tempdir().unwrap() };
        for task in ["a", "b", "c"] {
            fixture.write_task("data", task, "row");
            fixture.write_task("other", task, "other row");
        }
        for (name, interface) in
            [("see", "router"), ("oracle", "router"), ("random", "selector"), ("kmeans", "selector")]
        {
            fixture.write(
                &format!("plugins/{name}.wasm"),
                &component(&format!("cadre:policy/{interface}@0.2.0"), name),
            );
        }
        fixture.write("plugins/merges.wasm", &collection());
        fixture.write("one.jinja", b"{{ instruction }}\n{{ input }}");
        fixture.write("two.jinja", b"{{ instruction }}\n\n{{ input }}");
        fixture.write("one.json", b"{}");
        fixture.write("two.json", b"{\"x\":1}");
        for adapter in ["adapter", "adapter-2"] {
            fixture.write(&format!("{adapter}/adapter_config.json"), b"{}");
            fixture.write(&format!("{adapter}/adapter_model.safetensors"), adapter.as_bytes());
        }
        for (model, hidden) in [("model", 8), ("model-2", 16)] {
            let shape = small_shape(hidden);
            fixture.write(&format!("{model}/config.json"), &shape.config_json());
            fixture.write(&format!("{model}/model.safetensors"), &weights(&shape));
            let tokenizer = cadre_data::Tokenizer::train_bpe(&mut [model].into_iter(), 259).unwrap();
            tokenizer.save(&fixture.at(model)).unwrap();
            fixture.write(&format!("{model}/README.md"), model.as_bytes());
        }
        fixture
    }

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.at(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    pub(crate) fn write_task(&self, folder: &str, task: &str, text: &str) {
        for split in ["train", "test"] {
            let row = |n: usize| {
                format!("{{\"instruction\":\"{split}\",\"input\":\"{text} {n}\",\"output\":\"{task}\"}}\n")
            };
            let rows: String = (0..40).map(row).collect();
            self.write(&format!("{folder}/{task}/{split}.jsonl"), rows.as_bytes());
        }
    }

    /// A recipe with every section: one expert per task, rehearsed negatives, a router, a pretrained backbone.
    pub(crate) fn recipe(&self) -> Value {
        let data = self.at("data");
        let source =
            json!({ "format": "jsonl", "path": data, "tasks": ["c"], "split": "train", "limit": 20 });
        let training =
            json!({ "epochs": 2, "batch": 4, "learning-rate": 1e-3, "max-prompt": 32, "max-response": 16 });
        json!({
            "name": "all",
            "seed": 1,
            "device": { "backend": "cpu", "precision": "f32", "threads": 1 },
            "backbone": { "pretrain": {
                "architecture": { "family": "llama", "hidden": 32, "layers": 2, "heads": 4, "kv-heads": 2,
                                  "feed-forward": 64, "context": 64 },
                "tokenizer": { "train-bpe": 300 },
                "corpus": [source],
                "training": { "steps": 10, "batch": 4, "max-prompt": 32, "max-response": 16 },
            } },
            "stream": { "format": "jsonl", "path": data, "order": ["a", "b", "c"], "limits": { "train": 30, "test": 10 },
                        "seed": 3 },
            "expert": { "per": "task", "adapter": {}, "training": training },
            "indicator": {},
            "rehearsal": { "selector": { "plugin": "random", "share": 0.1 }, "role": "negative",
                           "pseudo-negatives": { "format": "jsonl", "path": data, "tasks": ["b"], "count": 5 } },
            "routing": { "router": { "plugin": "see", "threshold": 0.5 }, "descriptors": ["prompt-centroid"] },
            "evaluation": { "decoding": { "max-new-tokens": 8 },
                            "out-of-distribution": { "format": "jsonl", "path": data, "tasks": ["a"], "split": "test" } },
        })
    }

    /// One expert per task, merged.
    pub(crate) fn merged(&self) -> Value {
        let mut recipe = self.recipe();
        for section in ["indicator", "rehearsal"] {
            recipe.as_object_mut().unwrap().shift_remove(section);
        }
        recipe["routing"] = json!({ "merge": { "plugin": "one", "factor": 0.5 } });
        recipe
    }

    /// One adapter trained on through the stream, without rehearsal.
    pub(crate) fn sequential(&self) -> Value {
        let mut recipe = self.recipe();
        for section in ["indicator", "rehearsal", "routing"] {
            recipe.as_object_mut().unwrap().shift_remove(section);
        }
        recipe["expert"]["per"] = json!("stream");
        recipe
    }

    pub(crate) fn plan(&self, recipe: &Value) -> Plan {
        let recipe: Recipe =
            serde_json::from_value(recipe.clone()).unwrap_or_else(|problem| panic!("{problem}: {recipe:#}"));
        let digests = FileDigests::in_memory();
        crate::planning::planner::plan(&recipe, &self.catalog(), &digests, &self.hub()).unwrap()
    }

    pub(crate) fn catalog(&self) -> PluginCatalog {
        PluginCatalog::scan(&[self.at("plugins")])
    }

    /// The Hub without a network; its cache is the folder `hub`.
    pub(crate) fn hub(&self) -> Hub {
        let endpoint = "http://nowhere.invalid".to_owned();
        Hub::new(HubSettings { cache: self.at("hub"), endpoint, token: None, offline: true })
    }
}

/// A collection with two merges.
fn collection() -> Vec<u8> {
    let merge = |name: &str| {
        json!({ "name": name, "slot": "merge", "summary": "s", "hooks": ["merge"], "setting": [
            { "name": "factor", "kind": "number-per-expert", "doc": "d", "default": 1.0 },
            { "name": "some-setting", "kind": "number", "doc": "d", "default": 1.0 },
            { "name": "list", "kind": "numbers", "doc": "d", "optional": true },
        ] })
    };
    let declared = json!({ "version": "0.1.0", "policy": [merge("one"), merge("two")] }).to_string();
    let mut component = component("cadre:method/hooks@0.1.0", "0.1.0");
    let section = wasm_encoder::CustomSection {
        name: cadre_contract::DECLARATIONS_SECTION.into(),
        data: declared.as_bytes().into(),
    };
    wasm_encoder::ComponentSection::append_to_component(&section, &mut component);
    component
}

/// A component that exports an empty instance.
fn component(export: &str, version: &str) -> Vec<u8> {
    let mut component = Component::new();
    let mut instances = ComponentInstanceSection::new();
    instances.export_items(std::iter::empty::<(&str, ComponentExportKind, u32)>());
    component.section(&instances);
    let mut exports = ComponentExportSection::new();
    exports.export(export, ComponentExportKind::Instance, 0, None);
    component.section(&exports);
    component
        .section(&wasm_encoder::CustomSection { name: "version".into(), data: version.as_bytes().into() });
    component.finish()
}

pub(crate) fn names(plan: &Plan) -> Vec<&str> {
    plan.stages.iter().map(|stage| stage.name.as_str()).collect()
}

pub(crate) fn stage<'a>(plan: &'a Plan, name: &str) -> &'a StageSpec {
    plan.stage(name).unwrap_or_else(|| panic!("no stage {name} in {:?}", names(plan)))
}

/// Sets the value at a dotted key, making tables on the way; `corpus` is the first of its list.
pub(crate) fn set(recipe: &mut Value, key: &str, new: Value) {
    let mut place = recipe;
    for part in key.split('.') {
        if place.is_array() {
            place = &mut place[0];
        }
        if !place.is_object() {
            *place = json!({});
        }
        place = &mut place[part];
    }
    *place = new;
}

fn small_shape(hidden: usize) -> BackboneShape {
    BackboneShape {
        vocabulary: 12,
        hidden,
        layers: 2,
        heads: 2,
        kv_heads: 1,
        feed_forward: 12,
        context: 64,
        tied: true,
        rope_theta: 1e4,
        norm_epsilon: 1e-6,
        variation: Variation::default(),
    }
}

/// A safetensors file of zeros for a shape: the length of its head, the head, the numbers.
fn weights(shape: &BackboneShape) -> Vec<u8> {
    let mut head = serde_json::Map::new();
    let mut end = 0;
    for (name, sizes) in weight_names(shape) {
        let start = end;
        end += 4 * sizes.iter().product::<usize>();
        head.insert(name, json!({ "dtype": "F32", "shape": sizes, "data_offsets": [start, end] }));
    }
    let head = Value::Object(head).to_string();
    let mut bytes = (head.len() as u64).to_le_bytes().to_vec();
    bytes.extend(head.as_bytes());
    bytes.resize(bytes.len() + end, 0);
    bytes
}
