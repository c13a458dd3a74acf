//! Tests of imported PEFT adapters against the logits that PEFT computed with them. Also exports experts for a check in
//! Python (`tests/parity/check_exports.py`).

use std::path::Path;
use std::sync::Arc;

use cadre_checkpoint::TensorFiles;
use cadre_data::TokenExample;
use safetensors::tensor::{Dtype, TensorView};
use serde::Deserialize;

use super::{Case, fixtures, formula};
use crate::adapter::{Adapter, AdapterKind, AdapterSpec, Mix};
use crate::device::Precision;
use crate::exchange::{export_adapter, export_merged, import_adapter};
use crate::fixture::ALL;
use crate::learner::Learner;
use crate::packed_batch::PackedBatch;
use crate::training::{Activations, ExpertTrainee, Parameters, divide, gradient};
use crate::weights::{self, Weight};
use crate::workers::Workers;

#[derive(Deserialize)]
struct Recorded {
    model: String,
    row: Vec<u32>,
}

/// Logits of every token of a row with an expert, those of its added tokens last: `[tokens][ids]`.
fn logits(learner: &Learner, expert: &Path, row: &[u32]) -> Vec<f32> {
    let shape = learner.shape();
    let model = &learner.model;
    let tensors =
        Adapter::read(expert, shape).unwrap().tensors(&model.backbone, &model.device, model.dtype).unwrap();
    let mix = Mix::single(tensors, 1, shape.vocabulary, &model.device);
    let pass = PackedBatch::new([(row, 0)]);
    let needed = Arc::new((0..row.len()).collect());
    let mut all = Vec::new();
    model.logits(&pass, &mix, &needed, None, &mut |_, logits| all.extend_from_slice(logits)).unwrap();
    all
}

fn case(name: &str) -> Case {
    Case::open(&fixtures().join("families").join(format!("{name}.json")), Precision::F32)
}

#[test]
fn adapters_of_peft_compute_the_same_here() {
    let mut seen = 0;
    for entry in std::fs::read_dir(fixtures().join("adapters")).unwrap() {
        let folder = entry.unwrap().path();
        let text = std::fs::read(folder.join("recorded.json")).unwrap();
        let Recorded { model, row } = serde_json::from_slice(&text).unwrap();
        let case = case(&model);
        let out = tempfile::tempdir().unwrap();
        import_adapter(case.folder.path(), &folder, out.path()).unwrap();
        let found = logits(&case.learner, out.path(), &row);
        let file = TensorFiles::of(vec![folder.join("recorded.safetensors")]).unwrap();
        let sizes = file.shape("logits").unwrap().to_vec();
        let recorded = file.values("logits", &sizes).unwrap();
        assert_eq!(found.len(), recorded.len());
        let largest = recorded.iter().fold(0.0f32, |max, value| max.max(value.abs()));
        let apart = found.iter().zip(&recorded).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max) / largest;
        println!("{}: {apart:.1e}", folder.display());
        assert!(apart <= 1e-5, "{}: {apart}", folder.display());
        seen += 1;
    }
    assert!(seen >= 10);
}

#[test]
fn gradients_of_other_kinds_are_those_of_peft() {
    for name in ["ia3", "dora"] {
        let folder = fixtures().join("adapters").join(name);
        let text = std::fs::read(folder.join("recorded.json")).unwrap();
        let Recorded { model, row } = serde_json::from_slice(&text).unwrap();
        let case = case(&model);
        let out = tempfile::tempdir().unwrap();
        import_adapter(case.folder.path(), &folder, out.path()).unwrap();
        let (shape, model) = (case.learner.shape(), &case.learner.model);
        let adapter = Adapter::read(out.path(), shape).unwrap();
        let side = adapter.side_tensors(shape, &model.device);
        let parameters = Parameters::new(&Adapter::names(&adapter.spec, shape), adapter.weights);
        let trainee =
            ExpertTrainee { backbone: &model.backbone, spec: &adapter.spec, side: &side, dtype: model.dtype };
        // The loss was recorded over the tokens after the first eight.
        let example = TokenExample::new(row[..8].to_vec(), &row[8..]);
        let micros = divide(&[&example], 0, example.loss_tokens() as f64, None);
        let workers = Workers::new(1).unwrap();
        let tensors = parameters.upload(&model.device);
        let found = gradient(&trainee, &tensors, &micros, &workers, Activations::Kept).unwrap();
        let file = TensorFiles::of(vec![folder.join("recorded.safetensors")]).unwrap();
        let recorded = |name: &str| file.values(name, file.shape(name).unwrap()).unwrap();
        let loss = f64::from(recorded("loss")[0]);
        assert!((found.loss - loss).abs() < 1e-5 * loss, "{name}: {} {loss}", found.loss);
        let mut worst = 0.0f32;
        for (parameter, gradient) in parameters.0.iter().zip(&found.gradients) {
            let recorded = recorded(&format!("gradient.{}", parameter.name.trim_end_matches(".weight")));
            let largest = recorded.iter().fold(0.0f32, |max, value| max.max(value.abs()));
            let apart = gradient.iter().zip(&recorded).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(apart <= 1e-4 * largest, "{name}: {} {apart} of {largest}", parameter.name);
            worst = worst.max(apart / largest);
        }
        println!("{name}: gradients {worst:.1e}");
    }
}

#[test]
#[ignore = "writes what tests/parity/check_exports.py reads"]
fn exports_for_python() {
    let Some(to) = std::env::var_os("CADRE_PARITY_EXPORTS") else {
        panic!("CADRE_PARITY_EXPORTS says where to")
    };
    for (name, added, kind) in [
        ("llama-2", 2, AdapterKind::Lora),
        ("llama-3.2", 2, AdapterKind::Lora),
        ("qwen2", 0, AdapterKind::Lora),
        ("qwen3", 2, AdapterKind::Lora),
        ("smollm3", 0, AdapterKind::Lora),
        ("gemma-3", 2, AdapterKind::Lora),
        ("llama-biased", 0, AdapterKind::Ia3),
        ("gemma-3", 0, AdapterKind::Ia3),
        ("llama-biased", 0, AdapterKind::Dora),
        ("qwen3", 2, AdapterKind::Dora),
    ] {
        let folder = Path::new(&to).join(format!("{name}-{}", kind.name()));
        let (backbone, expert) = (folder.join("backbone"), folder.join("expert"));
        let case = case(name);
        std::fs::create_dir_all(&backbone).unwrap();
        super::write_model(&backbone, &super::Facts { file_dtype: "F32".into(), ..case.facts });
        let shape = case.learner.shape();
        let spec = AdapterSpec {
            kind,
            rank: 3,
            alpha: 5.0,
            dropout: 0.1,
            targets: ALL.to_vec(),
            added_tokens: added,
            added_start: Vec::new(),
            seed: 0,
            ..AdapterSpec::default()
        };
        let one = |(name, shape): (String, Vec<usize>)| {
            // Factors of IA3 and magnitudes of DoRA: around 1.
            let middle = if shape.len() == 1 { 1.0 } else { 0.0 };
            let units = formula::units(&name, shape.iter().product());
            let values = units.iter().map(|v| middle + v / 4.0).collect();
            (name, Weight { shape, values })
        };
        let weights = Adapter::names(&spec, shape).into_iter().map(one).collect();
        Adapter { spec, weights, side: weights::WeightMap::new() }.write(&expert, shape).unwrap();
        export_adapter(&backbone, &expert, &folder.join("peft")).unwrap();
        export_merged(&backbone, &expert, &folder.join("merged")).unwrap();
        let known = shape.vocabulary + added;
        let row: Vec<u32> = (0..20).map(|at| ((at * 17 + 5) % known) as u32).collect();
        let found = logits(&case.learner, &expert, &row);
        let bytes: Vec<u8> = found.iter().flat_map(|value| value.to_le_bytes()).collect();
        let view = TensorView::new(Dtype::F32, vec![row.len(), known], &bytes).unwrap();
        let file = safetensors::serialize([("logits", view)], None).unwrap();
        std::fs::write(folder.join("expected.safetensors"), file).unwrap();
        std::fs::write(folder.join("expected.json"), serde_json::json!({ "row": row }).to_string()).unwrap();
    }
}
