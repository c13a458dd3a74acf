//! Files that change between the plan and the stage that reads them: the stage fails, names the file, and stores
//! nothing under the key of the old content. Once the planned file is restored, the stage succeeds.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use cadre_data::Tokenizer;
use cadre_scheduler::{OpenRecipe, Plan, RecipeArgs, StageKind, WalkError, WalkOptions, walk};
use cadre_store::ArtifactStore;

use crate::error::EngineError;
use crate::resources::Resources;
use crate::terminal::NullSink;

const PRETRAINED: &str = r#"
name = "pretrained"
[backbone.pretrain]
architecture = { hidden = 16, layers = 1, heads = 2, kv-heads = 1, feed-forward = 32, context = 96 }
tokenizer = { file = "tok/tokenizer.json" }
corpus = [{ format = "jsonl", path = "corpus", tasks = ["t"] }]
training = { steps = 2, batch = 4, learning-rate = 1e-3, max-prompt = 40, max-response = 20 }
"#;

const STREAM: &str = r#"
[stream]
format = "jsonl"
path = "data"
order = ["t"]
template = { file = "prompt.jinja" }
[evaluation]
metrics = ["exact-match"]
decoding = { max-new-tokens = 3, batch = 4 }
"#;

const EXPERT: &str = r#"
[expert]
adapter = { rank = 2, alpha = 4, dropout = 0.0, targets = ["q"] }
training = { epochs = 1, batch = 4, learning-rate = 1e-3, max-prompt = 40, max-response = 20 }
"#;

const IMPORT: &str = r#"
import = [{ task = "t", adapter = "peft" }]
[routing]
router = { plugin = "oracle" }
grant = ["task"]
"#;

struct Fixture {
    folder: tempfile::TempDir,
}

impl Fixture {
    fn new() -> Self {
        let fixture = Self { folder: tempfile::tempdir().unwrap() };
        let plugins = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins").canonicalize().unwrap();
        std::os::unix::fs::symlink(plugins, fixture.at("plugins")).unwrap();
        let rows: String = (0..8)
            .map(|row| format!("{{\"instruction\":\"say {row}\",\"output\":\"it is {row}\"}}\n"))
            .collect();
        for folder in ["data", "corpus"] {
            for split in ["train", "test"] {
                fixture.write(&format!("{folder}/t/{split}.jsonl"), &rows);
            }
        }
        fixture.write("prompt.jinja", "{{ instruction }}{{ input }}:");
        let tokenizer = Tokenizer::train_bpe(&mut rows.lines(), 300).unwrap();
        std::fs::create_dir(fixture.at("tok")).unwrap();
        tokenizer.save(&fixture.at("tok")).unwrap();
        fixture
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::create_dir_all(self.at(name).parent().unwrap()).unwrap();
        std::fs::write(self.at(name), text).unwrap();
    }

    fn plan(&self, recipe: &str, store: &str) -> Plan {
        self.write("recipe.toml", recipe);
        let args = RecipeArgs { recipe: self.at("recipe.toml"), sets: Vec::new() };
        let open = match OpenRecipe::read(&args, None) {
            Ok(open) => open,
            Err(errors) => panic!("{}", errors.render(false)),
        };
        open.plan(&self.at(store)).unwrap().plan
    }

    fn walk(&self, plan: &Plan, store: &str) -> Result<Arc<ArtifactStore>, WalkError> {
        let store = Arc::new(ArtifactStore::open(&self.at(store)).unwrap());
        let executor = Resources::new(Arc::clone(&store));
        walk(plan, &store, &executor, &NullSink, &WalkOptions::default()).map(|_| store)
    }

    /// Walks `plan` while `file` is modified by `change`, and again after it is restored.
    fn refused(&self, plan: &Plan, store: &str, file: &str, change: impl FnOnce(&Path)) {
        let path = self.at(file);
        let before = std::fs::read(&path).ok();
        change(&path);
        let problem = self.walk(plan, store).unwrap_err();
        let WalkError::Stage { stage, source, .. } = problem else { panic!("{file}: {problem}") };
        let found = source.downcast_ref::<EngineError>();
        assert!(
            matches!(found, Some(EngineError::FileChanged { path: named, .. }) if *named == path),
            "{file}: {source}"
        );
        let kept = ArtifactStore::open(&self.at(store)).unwrap();
        let failed = plan.stage(&stage).unwrap();
        assert!(!kept.contains(&failed.key).unwrap(), "{file}: {stage} must not be stored");
        match before {
            Some(bytes) => std::fs::write(&path, bytes).unwrap(),
            None => std::fs::remove_file(&path).unwrap(),
        }
        self.walk(plan, store).unwrap();
        assert!(kept.contains(&failed.key).unwrap());
    }
}

/// Changes one byte and keeps the length.
fn edit(path: &Path) {
    let text = std::fs::read_to_string(path).unwrap();
    let index = text.rfind(|letter: char| letter.is_ascii_lowercase()).unwrap();
    let mut bytes = text.into_bytes();
    bytes[index] = if bytes[index] == b'x' { b'y' } else { b'x' };
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn rows_templates_and_tokenizers_are_those_of_the_plan() {
    let fixture = Fixture::new();
    let recipe = format!("{PRETRAINED}{STREAM}");
    let files = [
        "data/t/train.jsonl",
        "data/t/test.jsonl",
        "corpus/t/train.jsonl",
        "prompt.jinja",
        "tok/tokenizer.json",
    ];
    for (number, file) in files.into_iter().enumerate() {
        let store = format!("store-{number}");
        let plan = fixture.plan(&recipe, &store);
        fixture.refused(&plan, &store, file, edit);
    }
    // Files beside a tokenizer that name or join its special tokens are part of it.
    for (number, file) in ["tok/tokenizer_config.json", "tok/generation_config.json"].into_iter().enumerate()
    {
        let store = format!("beside-{number}");
        let plan = fixture.plan(&recipe, &store);
        fixture
            .refused(&plan, &store, file, |path| std::fs::write(path, "{\"eos_token\": \"<eos>\"}").unwrap());
    }
}

#[test]
fn checkpoints_and_imported_adapters_are_those_of_the_plan() {
    let fixture = Fixture::new();
    let made = fixture.plan(&format!("{PRETRAINED}{STREAM}{EXPERT}per = \"stream\"\n"), "made");
    let store = fixture.walk(&made, "made").unwrap();
    let artifact = |kind: StageKind| {
        let stage = made.stages.iter().find(|stage| stage.kind == kind).unwrap();
        match store.get(&stage.key).unwrap() {
            cadre_store::Lookup::Whole(artifact) => artifact,
            other => panic!("{other:?}"),
        }
    };
    let (backbone, expert) = (artifact(StageKind::Backbone), artifact(StageKind::Train));
    std::fs::create_dir(fixture.at("model")).unwrap();
    for entry in std::fs::read_dir(backbone.folder()).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, fixture.at("model").join(path.file_name().unwrap())).unwrap();
    }
    cadre_nn::export_adapter(&fixture.at("model"), expert.folder(), &fixture.at("peft")).unwrap();

    let given = "name = \"given\"\n[backbone]\ncheckpoint = \"model\"\n";
    let recipe = format!("{given}{STREAM}{EXPERT}{IMPORT}");
    let flip = |path: &Path| {
        let mut bytes = std::fs::read(path).unwrap();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        std::fs::write(path, bytes).unwrap();
    };
    let files = [
        "model/model.safetensors",
        "model/config.json",
        "model/tokenizer.json",
        "peft/adapter_config.json",
        "peft/adapter_model.safetensors",
    ];
    for (number, file) in files.into_iter().enumerate() {
        let store = format!("store-{number}");
        let plan = fixture.plan(&recipe, &store);
        fixture.refused(&plan, &store, file, flip);
    }
    let plan = fixture.plan(&recipe, "joins");
    fixture.refused(&plan, "joins", "model/chat_template.jinja", |path| std::fs::write(path, "x").unwrap());

    // The backbone was checked earlier; a later stage opens the checkpoint again.
    let later = recipe.replace("max-new-tokens = 3", "max-new-tokens = 4");
    fixture.walk(&fixture.plan(&recipe, "later"), "later").unwrap();
    for file in ["model/model.safetensors", "model/tokenizer.json"] {
        let plan = fixture.plan(&later, "later");
        fixture.refused(&plan, "later", file, flip);
        // Its evaluation is done now, so the next file is tried with a different recipe.
        let answers = plan.stages.iter().find(|stage| stage.kind == StageKind::Evaluate).unwrap();
        let store = ArtifactStore::open(&fixture.at("later")).unwrap();
        let cadre_store::Lookup::Whole(done) = store.get(&answers.key).unwrap() else { panic!() };
        std::fs::remove_dir_all(done.folder()).unwrap();
        let report = plan.stages.iter().find(|stage| stage.kind == StageKind::Report).unwrap();
        let cadre_store::Lookup::Whole(done) = store.get(&report.key).unwrap() else { panic!() };
        std::fs::remove_dir_all(done.folder()).unwrap();
    }
}

/// Task names are arbitrary, including names of stages.
#[test]
fn a_task_with_the_name_of_a_part_of_the_plan_gets_its_own_rows() {
    let fixture = Fixture::new();
    for (task, word) in [("corpus", "own"), ("pseudo-negatives", "rows"), ("out-of-distribution", "here")] {
        let row = format!("{{\"instruction\":\"{word}\",\"output\":\"{word}\"}}\n");
        for split in ["train", "test"] {
            fixture.write(&format!("data/{task}/{split}.jsonl"), &row);
        }
    }
    let order = "order = [\"corpus\", \"pseudo-negatives\", \"out-of-distribution\"]";
    let outside = "out-of-distribution = { format = \"jsonl\", path = \"corpus\", tasks = [\"t\"], split = \"test\" }\n";
    let stream = STREAM.replace("order = [\"t\"]", order);
    let recipe = format!("{PRETRAINED}{stream}{outside}{EXPERT}per = \"stream\"\n");
    let plan = fixture.plan(&recipe, "store");
    let store = fixture.walk(&plan, "store").unwrap();
    for (task, word) in [("corpus", "own"), ("pseudo-negatives", "rows"), ("out-of-distribution", "here")] {
        let stage = plan.stage(&format!("compose/{task}")).unwrap();
        assert_eq!(stage.task(), Some(task));
        let cadre_store::Lookup::Whole(composed) = store.get(&stage.key).unwrap() else { panic!() };
        let rows = String::from_utf8(composed.read(super::TRAINING).unwrap()).unwrap();
        assert!(rows.contains(word) && !rows.contains("say"), "{task}: {rows}");
    }
    assert!(plan.stage("prepare-corpus").unwrap().task().is_none());
}
