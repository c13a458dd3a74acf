//! Tests of experts: mixtures, initial values, files, and damaged files. Uses small random models.

use super::*;
use crate::error::NnError;
use crate::fixture::{ALL, adapter, device, examples, kinds, shaken, shape, train, training};
use crate::generation::{Answerer, Row};
use crate::learner::Learner;
use crate::training::Flow;
use crate::weights::download;
use cadre_checkpoint::{CheckpointError, Target};

fn probabilities(learner: &Learner, rows: &[Row], tokens: &[u32], batch: usize) -> Vec<Vec<f32>> {
    learner.next_token_probabilities(rows, tokens, batch, &mut |_| Flow::Go).unwrap()
}

fn row(ids: &[u32], answerer: Answerer) -> Row {
    Row { ids: ids.to_vec(), answerer }
}

fn close(a: &[Vec<f32>], b: &[Vec<f32>]) {
    for (a, b) in a.iter().flatten().zip(b.iter().flatten()) {
        assert!((a - b).abs() < 1e-6 + 1e-5 * b, "{a} {b}");
    }
}

#[test]
fn rows_of_one_batch_go_to_their_own_experts() {
    let learner = Learner::untrained(&shape(true), 3, &device(2)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut slots = Vec::new();
    for (number, (targets, added)) in [(&ALL[..], 2), (&ALL[..2], 1), (&ALL[5..], 0)].into_iter().enumerate()
    {
        let at = folder.path().join(number.to_string());
        shaken(&at, &learner, &adapter(targets, added, 0.0), number as u64);
        slots.push(learner.mount(&at).unwrap());
    }
    let answerers = [
        Answerer::Expert(slots[0]),
        Answerer::Backbone,
        Answerer::Expert(slots[2]),
        Answerer::Mix(vec![(slots[0], 0.5), (slots[1], 0.25)]),
        Answerer::Expert(slots[1]),
        Answerer::Expert(slots[0]),
    ];
    let ids: [&[u32]; 6] = [&[1, 2, 30, 4], &[5], &[7, 8, 9], &[29, 3, 29], &[29, 1, 2, 3, 4], &[30, 29]];
    let rows: Vec<Row> =
        ids.iter().zip(&answerers).map(|(ids, answerer)| row(ids, answerer.clone())).collect();
    let tokens: Vec<u32> = (0..32).collect();
    let together = probabilities(&learner, &rows, &tokens, 6);
    let alone: Vec<Vec<f32>> =
        rows.iter().flat_map(|row| probabilities(&learner, std::slice::from_ref(row), &tokens, 1)).collect();
    close(&together, &alone);
    let total = |row: &Vec<f32>| row.iter().map(|p| f64::from(*p)).sum::<f64>();
    assert!(together.iter().all(|row| (total(row) - 1.0).abs() < 1e-5));
    assert_eq!((together[1][29], together[1][30]), (0.0, 0.0), "the backbone knows no added token");
    assert!(together[4][29] > 0.0 && together[4][30] == 0.0);
}

/// An expert of every kind answers the same, to the last bit, alone and in a batch with experts of other kinds.
#[test]
fn kinds_of_one_batch_do_not_change_each_other() {
    let learner = Learner::untrained(&shape(true), 3, &device(2)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut answerers = vec![Answerer::Backbone];
    let mut slots = Vec::new();
    for (number, spec) in kinds(1).into_iter().enumerate() {
        let at = folder.path().join(number.to_string());
        shaken(&at, &learner, &spec, number as u64);
        slots.push(learner.mount(&at).unwrap());
        answerers.push(Answerer::Expert(slots[number]));
    }
    answerers.push(Answerer::Mix(slots.iter().map(|slot| (*slot, 0.2)).collect()));
    answerers.push(Answerer::Mix(vec![(slots[4], -0.5), (slots[1], 1.0)]));
    let rows: Vec<Row> = answerers
        .iter()
        .cycle()
        .take(3 * answerers.len())
        .enumerate()
        .map(|(number, answerer)| row(&[7, 3, 28, 5, 11][..1 + number % 5], answerer.clone()))
        .collect();
    let tokens: Vec<u32> = (0..30).collect();
    let bits = |found: Vec<Vec<f32>>| -> Vec<Vec<u32>> {
        found.iter().map(|row| row.iter().map(|value| value.to_bits()).collect()).collect()
    };
    let together = bits(probabilities(&learner, &rows, &tokens, rows.len()));
    for (row, found) in rows.iter().zip(&together) {
        let alone = bits(probabilities(&learner, std::slice::from_ref(row), &tokens, 1));
        assert_eq!(alone[0], *found, "{:?}", row.answerer);
    }
    let decoding = crate::generation::Decoding {
        max_new_tokens: 6,
        stop: vec![],
        strategy: crate::generation::Strategy::Greedy,
        seeds: vec![],
        batch: rows.len(),
    };
    let together = learner.generate(&rows, &decoding, &mut |_| Flow::Go).unwrap();
    let single = crate::generation::Decoding { batch: 1, ..decoding };
    assert_eq!(together, learner.generate(&rows, &single, &mut |_| Flow::Go).unwrap());
}

#[test]
fn every_kind_answers_as_the_reference() {
    let learner = Learner::untrained(&shape(true), 3, &device(1)).unwrap();
    let weights = cadre_checkpoint::weight_names(learner.shape())
        .into_iter()
        .zip(learner.model.backbone.tensors())
        .map(|((name, shape), tensor)| {
            (name, crate::weights::Weight { shape, values: download(tensor).unwrap() })
        })
        .collect();
    for spec in kinds(1) {
        let folder = tempfile::tempdir().unwrap();
        shaken(folder.path(), &learner, &spec, 9);
        let expert = Adapter::read(folder.path(), learner.shape()).unwrap();
        let reference = crate::reference::Reference::new(learner.shape(), &weights, Some(&expert));
        let slot = learner.mount(folder.path()).unwrap();
        let ids = [4, 5, 29, 7];
        let tokens: Vec<u32> = (0..30).collect();
        let found = probabilities(&learner, &[row(&ids, Answerer::Expert(slot))], &tokens, 1);
        let mut apart = 0.0f64;
        for (found, exact) in found[0].iter().zip(&reference.log_probabilities(&ids)[3]) {
            apart = apart.max((f64::from(*found) - exact.exp()).abs());
        }
        println!("{:?}: probabilities {apart:.1e}", spec.kind);
        assert!(apart < 2e-6, "{:?}: {apart}", spec.kind);
    }
}

#[test]
fn the_scale_divides_by_the_rank_or_its_root() {
    let spec = AdapterSpec { rank: 16, alpha: 8.0, ..AdapterSpec::default() };
    assert_eq!(spec.scale(), 0.5);
    assert_eq!(AdapterSpec { scaling: Scaling::RootRank, ..spec }.scale(), 2.0);
}

#[test]
fn side_tensors_are_listed_and_belong_to_a_site() {
    let learner = Learner::untrained(&shape(true), 3, &device(1)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let spec = adapter(&[Target::Q], 0, 0.0);
    shaken(folder.path(), &learner, &spec, 1);
    let mut expert = Adapter::read(folder.path(), learner.shape()).unwrap();
    let site = Site { layer: 1, target: Target::Q };
    let side = crate::weights::Weight { shape: vec![2], values: vec![3.0, 4.0] };
    expert.side.insert(site.name("gate"), side);
    expert.write(folder.path(), learner.shape()).unwrap();
    let read = Adapter::read(folder.path(), learner.shape()).unwrap();
    assert_eq!(read, expert);
    let model = &learner.model;
    let mounted = read.tensors(&model.backbone, &model.device, model.dtype).unwrap();
    assert_eq!(download(mounted.sites[&site].side["gate"].clone()).unwrap(), [3.0, 4.0]);

    let json = folder.path().join("adapter.json");
    let good = std::fs::read_to_string(&json).unwrap();
    let refused = |from: &str, to: &str| {
        assert!(good.contains(from), "{good}");
        std::fs::write(&json, good.replace(from, to)).unwrap();
        cadre_store::chain(&Adapter::read(folder.path(), learner.shape()).unwrap_err())
    };
    let name = site.name("gate");
    for (from, to, part) in [
        (format!("\"{name}\""), String::new(), "adapter.safetensors"),
        (name.clone(), site.name("gated"), "gated"),
        (name.clone(), "elsewhere".into(), "belongs to no site"),
        ("\"kind\": \"lora\"".into(), "\"kind\": \"vera\"".into(), "unknown variant `vera`"),
        ("\"kind\": \"lora\"".into(), "\"kind\": \"ia3\"".into(), "describes \"lora\""),
        ("\"format-version\": 2".into(), "\"format-version\": 1".into(), "format-version 1"),
    ] {
        let error = refused(&from, &to);
        assert!(error.contains(part) && error.contains(folder.path().to_str().unwrap()), "{error}");
    }
}

#[test]
fn places_of_a_sparse_delta_are_checked() {
    let learner = Learner::untrained(&shape(true), 3, &device(1)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let spec = &kinds(0)[4];
    let expert = Adapter::start(spec, &learner.model.backbone).unwrap();
    let rows = Site { layer: 0, target: Target::K }.name("sparse_rows");
    let count = expert.side[&rows].values.len();
    assert_eq!(count, (0.2f64 * 12.0 * 24.0).round() as usize);
    for (wrong, part) in [(12.0, "no place"), (0.5, "no place"), (-1.0, "no place"), (0.0, "twice")] {
        let mut changed = expert.clone();
        match wrong {
            0.0 => {
                for part in ["sparse_rows", "sparse_columns"] {
                    let name = Site { layer: 0, target: Target::K }.name(part);
                    let values = &mut changed.side.get_mut(&name).unwrap().values;
                    values[1] = values[0];
                }
            }
            _ => changed.side.get_mut(&rows).unwrap().values[3] = wrong,
        }
        changed.write(folder.path(), learner.shape()).unwrap();
        let error = learner.mount(folder.path()).unwrap_err().to_string();
        assert!(error.contains(part) && error.contains("self_attn.k_proj"), "{error}");
    }
    let mut less = expert;
    less.side.remove(&rows);
    less.write(folder.path(), learner.shape()).unwrap();
    let error = learner.mount(folder.path()).unwrap_err().to_string();
    assert!(error.contains("sparse_rows"), "{error}");
}

#[test]
fn a_mix_of_one_is_that_expert_and_of_none_the_backbone() {
    let learner = Learner::untrained(&shape(true), 3, &device(1)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    shaken(folder.path(), &learner, &adapter(&ALL, 0, 0.0), 1);
    let slot = learner.mount(folder.path()).unwrap();
    let tokens: Vec<u32> = (0..29).collect();
    let of = |answerer| probabilities(&learner, &[row(&[4, 5, 6, 7], answerer)], &tokens, 1);
    close(&of(Answerer::Mix(vec![(slot, 1.0)])), &of(Answerer::Expert(slot)));
    close(&of(Answerer::Mix(vec![(slot, 0.75), (slot, 0.25)])), &of(Answerer::Expert(slot)));
    close(&of(Answerer::Mix(vec![(slot, 0.0)])), &of(Answerer::Backbone));
    assert!((of(Answerer::Expert(slot))[0][3] - of(Answerer::Backbone)[0][3]).abs() > 1e-6);
}

#[test]
fn an_expert_starts_as_the_backbone() {
    let learner = Learner::untrained(&shape(false), 3, &device(1)).unwrap();
    for spec in kinds(0).into_iter().filter(|spec| spec.kind != AdapterKind::Delta) {
        let out = tempfile::tempdir().unwrap();
        let still = crate::TrainingSpec { learning_rate: 0.0, ..training(1) };
        train(&learner, &spec, &examples(4, 29, 1), &still, out.path());
        let slot = learner.mount(out.path()).unwrap();
        let tokens: Vec<u32> = (0..29).collect();
        let of = |answerer| probabilities(&learner, &[row(&[4, 5, 6, 7], answerer)], &tokens, 1);
        close(&of(Answerer::Expert(slot)), &of(Answerer::Backbone));
    }
}

#[test]
fn training_can_start_from_an_expert() {
    let learner = Learner::untrained(&shape(true), 3, &device(1)).unwrap();
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let spec = adapter(&[Target::Q], 1, 0.0);
    shaken(first.path(), &learner, &spec, 1);
    let still = crate::TrainingSpec { learning_rate: 0.0, ..training(1) };
    let mut on_step = |_: &_| Flow::Go;
    let mut control = crate::TrainingControl { checkpoint: None, on_step: &mut on_step };
    let rows = examples(4, 30, 1);
    learner.train_expert(&spec, Some(first.path()), &rows, &still, &mut control, second.path()).unwrap();
    let read = |folder: &std::path::Path| std::fs::read(folder.join("adapter.safetensors")).unwrap();
    assert_eq!(read(first.path()), read(second.path()));
    let wider = AdapterSpec { rank: 4, ..spec };
    let error = learner.train_expert(&wider, Some(first.path()), &rows, &still, &mut control, second.path());
    assert!(matches!(error, Err(NnError::Checkpoint(CheckpointError::TensorShape { .. }))));
}

#[test]
fn broken_adapters_are_refused() {
    let learner = Learner::untrained(&shape(true), 3, &device(1)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(learner.mount(folder.path()), Err(NnError::Checkpoint(CheckpointError::File { .. }))));
    shaken(folder.path(), &learner, &adapter(&[Target::Q], 0, 0.0), 1);
    let json = folder.path().join("adapter.json");
    let good = std::fs::read_to_string(&json).unwrap();
    std::fs::write(&json, good.replace("\"format-version\": 2", "\"format-version\": 9")).unwrap();
    assert!(matches!(
        learner.mount(folder.path()),
        Err(NnError::FormatVersion { found: 9, supported: 2, .. })
    ));
    std::fs::write(&json, good.replace("\"hidden\": 24", "\"hidden\": 32")).unwrap();
    assert!(matches!(learner.mount(folder.path()), Err(NnError::ForeignAdapter { field: "hidden", .. })));
    std::fs::write(&json, &good).unwrap();
    let weights = folder.path().join("adapter.safetensors");
    let mut bytes = std::fs::read(&weights).unwrap();
    let end = bytes.len();
    bytes[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    std::fs::write(&weights, &bytes).unwrap();
    assert!(matches!(learner.mount(folder.path()), Err(NnError::NotFinite { .. })));
    std::fs::write(&weights, &bytes[..end / 2]).unwrap();
    assert!(matches!(
        learner.mount(folder.path()),
        Err(NnError::Checkpoint(CheckpointError::Weights { .. }))
    ));
}

#[test]
fn added_tokens_start_at_the_mean_of_the_rows_that_are_named() {
    let learner = Learner::untrained(&shape(false), 3, &device(1)).unwrap();
    let spec = AdapterSpec { added_start: vec![vec![5], vec![1, 2, 2]], ..adapter(&[Target::V], 2, 0.0) };
    let backbone = &learner.model.backbone;
    let (embedding, head) = (backbone.embedding(), backbone.head());
    let expert = Adapter::start(&spec, backbone).unwrap();
    for (name, table) in
        [("added_tokens.embed_tokens.weight", &embedding), ("added_tokens.lm_head.weight", &head)]
    {
        let table = download(table.clone()).unwrap();
        let row = |id: usize| &table[id * 24..][..24];
        let values = &expert.weights[name].values;
        assert_eq!(&values[..24], row(5));
        for (at, value) in values[24..].iter().enumerate() {
            assert!((value - (row(1)[at] + 2.0 * row(2)[at]) / 3.0).abs() < 1e-7);
        }
    }
    let outside = AdapterSpec { added_start: vec![vec![5], vec![9999]], ..spec.clone() };
    let found = Adapter::start(&outside, backbone);
    assert!(matches!(found, Err(NnError::TokenId { row: 1, id: 9999, .. })));
    assert!(AdapterSpec { added_start: vec![vec![5]], ..spec }.check().is_err());
}

#[test]
fn the_first_format_is_still_read() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/adapter-1");
    let learner = Learner::untrained(&shape(true), 3, &device(1)).unwrap();
    let sample = Adapter::read(&folder, &shape(true)).unwrap();
    assert_eq!(sample.spec, adapter(&[Target::V], 1, 0.0));
    let of = |name: &str| &sample.weights[name];
    assert_eq!(of("added_tokens.embed_tokens.weight").shape, [1, 24]);
    let b = of("base_model.model.model.layers.1.self_attn.v_proj.lora_B.weight");
    assert_eq!(b.shape, [12, 3]);
    assert!(b.values.iter().all(|value| value.abs() <= 0.3 && *value != 0.0));
    learner.mount(&folder).unwrap();
}

#[test]
fn the_second_format_is_read() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/adapter-2");
    let learner = Learner::untrained(&shape(true), 3, &device(1)).unwrap();
    let kind = AdapterKind::SparseDelta;
    let spec = AdapterSpec { kind, density: 0.01, ..adapter(&[Target::V], 0, 0.0) };
    if std::env::var_os("CADRE_BLESS").is_some() {
        shaken(&folder, &learner, &spec, 1);
    }
    let sample = Adapter::read(&folder, &shape(true)).unwrap();
    assert_eq!(sample.spec, spec);
    // The places that a seed draws must not change either.
    assert_eq!(sample.side, Adapter::start(&spec, &learner.model.backbone).unwrap().side);
    learner.mount(&folder).unwrap();
}
