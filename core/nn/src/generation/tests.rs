//! Tests of answers, scores and embeddings against the f64 reference, and against themselves in other batches. Uses
//! small random models.

use super::*;
use crate::adapter::Adapter;
use crate::error::NnError;
use crate::fixture::{ALL, adapter, device, shaken, shape};
use crate::kernel::fused;
use crate::learner::Learner;
use crate::reference::Reference;
use crate::training::Flow;

struct Scene {
    learner: Learner,
    slot: crate::ExpertSlot,
    reference: Reference,
    _folder: tempfile::TempDir,
}

fn scene() -> Scene {
    let shape = shape(false);
    let learner = Learner::untrained(&shape, 4, &device(2)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    shaken(folder.path(), &learner, &adapter(&ALL, 2, 0.0), 5);
    let slot = learner.mount(folder.path()).unwrap();
    let expert = Adapter::read(folder.path(), &shape).unwrap();
    let names = cadre_checkpoint::weight_names(&shape);
    let weights = names
        .into_iter()
        .zip(learner.model.backbone.tensors())
        .map(|((name, sizes), tensor)| {
            (name, crate::weights::Weight { shape: sizes, values: crate::weights::download(tensor).unwrap() })
        })
        .collect();
    let reference = Reference::new(&shape, &weights, Some(&expert));
    Scene { learner, slot, reference, _folder: folder }
}

fn prompts() -> Vec<Vec<u32>> {
    vec![
        vec![1, 2, 3],
        vec![7],
        vec![30, 4, 4, 9, 10, 11, 12],
        vec![28, 27],
        (0..70).map(|i| i % 29).collect(),
    ]
}

fn decoding(strategy: Strategy, batch: usize) -> Decoding {
    Decoding { max_new_tokens: 12, stop: vec![5, 30], strategy, seeds: vec![], batch }
}

const SAMPLE: Strategy = Strategy::Sample { temperature: 0.9, top_p: 0.95, repetition_penalty: 1.1 };

fn answers(scene: &Scene, rows: &[Row], decoding: &Decoding) -> Vec<Generated> {
    scene.learner.generate(rows, decoding, &mut |_| Flow::Go).unwrap()
}

fn rows(answerer: &Answerer) -> Vec<Row> {
    prompts().into_iter().map(|ids| Row { ids, answerer: answerer.clone() }).collect()
}

#[test]
fn greedy_answers_are_those_of_the_reference_without_a_cache() {
    let scene = scene();
    let found = answers(&scene, &rows(&Answerer::Expert(scene.slot)), &decoding(Strategy::Greedy, 3));
    for (prompt, found) in prompts().iter().zip(&found) {
        let (mut ids, mut total, mut chosen, mut stopped) = (prompt.clone(), 0.0, 0, false);
        while ids.len() - prompt.len() < 12 && !stopped {
            let rows = scene.reference.log_probabilities(&ids);
            let last = &rows[ids.len() - 1];
            let best = (0..last.len()).max_by(|a, b| last[*a].total_cmp(&last[*b])).unwrap();
            total += last[best];
            chosen += 1;
            stopped = [5, 30].contains(&best);
            if !stopped {
                ids.push(best as u32);
            }
        }
        assert_eq!(found.ids, ids[prompt.len()..], "after {prompt:?}");
        assert_eq!(found.stopped, stopped);
        let mean = total / f64::from(chosen);
        assert!(
            (f64::from(found.mean_log_probability) - mean).abs() < 1e-4,
            "{} {mean}",
            found.mean_log_probability
        );
    }
}

#[test]
fn an_answer_does_not_depend_on_its_batch() {
    let scene = scene();
    let mut rows = rows(&Answerer::Expert(scene.slot));
    rows.extend(self::rows(&Answerer::Backbone).into_iter().filter(|row| row.ids.iter().all(|&id| id < 29)));
    rows.push(Row { ids: vec![3, 4], answerer: Answerer::Mix(vec![(scene.slot, 0.5)]) });
    for strategy in [Strategy::Greedy, SAMPLE] {
        let one = answers(&scene, &rows, &decoding(strategy, 1));
        for batch in [2, 4, 100] {
            let many = answers(&scene, &rows, &decoding(strategy, batch));
            for (a, b) in one.iter().zip(&many) {
                assert_eq!(a.ids, b.ids);
                assert!((a.mean_log_probability - b.mean_log_probability).abs() < 1e-5);
            }
        }
    }
}

#[test]
fn seeds_choose_and_repeat() {
    let scene = scene();
    let rows = vec![Row { ids: vec![1, 2], answerer: Answerer::Backbone }; 40];
    let wild = Strategy::Sample { temperature: 3.0, top_p: 1.0, repetition_penalty: 1.0 };
    let apart = answers(&scene, &rows, &decoding(wild, 8));
    assert!(apart.iter().any(|answer| answer.ids != apart[0].ids));
    assert_eq!(apart, answers(&scene, &rows, &decoding(wild, 8)));
    let equal = Decoding { seeds: vec![9; 40], ..decoding(wild, 8) };
    let same = answers(&scene, &rows, &equal);
    assert!(same.iter().all(|answer| answer.ids == same[0].ids));
}

#[test]
fn composed_operations_generate_the_same() {
    let scene = scene();
    let prompts: Vec<Vec<u32>> = prompts();
    let slices: Vec<&[u32]> = prompts.iter().map(Vec::as_slice).collect();
    let run = || {
        let experts = scene.learner.experts.read().unwrap().clone();
        let rows = vec![vec![(0, 1.0)]; slices.len()];
        let mix = crate::adapter::Mix::new(experts, rows, 29, &scene.learner.model.device);
        generate(&scene.learner.model, &slices, mix, &decoding(Strategy::Greedy, 5), &[0; 5]).unwrap()
    };
    let ours = run();
    let theirs = fused::composed(run);
    for (a, b) in ours.iter().zip(&theirs) {
        assert_eq!(a.ids, b.ids);
        assert!((a.mean_log_probability - b.mean_log_probability).abs() < 1e-4);
    }
}

#[test]
fn likelihoods_and_probabilities_are_those_of_the_reference() {
    let scene = scene();
    let row = |ids: &[u32]| Row { ids: ids.to_vec(), answerer: Answerer::Expert(scene.slot) };
    let scored = vec![
        ScoredRow { row: row(&[1, 2, 3, 30, 5]), from: 2 },
        ScoredRow { row: row(&[9, 8]), from: 1 },
        ScoredRow { row: row(&[29, 8, 7, 6, 5, 4, 3, 2, 1]), from: 8 },
    ];
    let found = scene.learner.mean_negative_log_likelihoods(&scored, 2, &mut |_| Flow::Go).unwrap();
    for (scored, found) in scored.iter().zip(&found) {
        let rows = scene.reference.log_probabilities(&scored.row.ids);
        let ids = &scored.row.ids;
        let total: f64 = (scored.from..ids.len()).map(|at| -rows[at - 1][ids[at] as usize]).sum();
        let exact = total / (ids.len() - scored.from) as f64;
        assert!((f64::from(*found) - exact).abs() < 1e-4, "{found} {exact}");
    }
    let asked =
        scene.learner.next_token_probabilities(&[row(&[4, 5, 6])], &[2, 30], 1, &mut |_| Flow::Go).unwrap();
    let rows = scene.reference.log_probabilities(&[4, 5, 6]);
    for (token, found) in [2usize, 30].iter().zip(&asked[0]) {
        let exact = rows[2][*token].exp();
        assert!((f64::from(*found) - exact).abs() < 1e-5, "{found} {exact}");
    }
}

#[test]
fn embeddings_have_length_one_and_stand_alone() {
    let scene = scene();
    let prompts = vec![vec![1, 2, 3], vec![4], (0..50).map(|i| i % 29).collect::<Vec<u32>>()];
    let together = scene.learner.embed(&prompts, 3, &mut |_| Flow::Go).unwrap();
    for (prompt, found) in prompts.iter().zip(&together) {
        let length: f32 = found.iter().map(|v| v * v).sum();
        assert!((length - 1.0).abs() < 1e-5);
        let alone = scene.learner.embed(std::slice::from_ref(prompt), 1, &mut |_| Flow::Go).unwrap();
        assert!(found.iter().zip(&alone[0]).all(|(a, b)| (a - b).abs() < 1e-5));
    }
}

#[test]
fn bad_rows_are_named() {
    let scene = scene();
    let ask =
        |rows: &[Row]| scene.learner.next_token_probabilities(rows, &[0], 4, &mut |_| Flow::Go).unwrap_err();
    let good = Row { ids: vec![1], answerer: Answerer::Backbone };
    let with = |ids: Vec<u32>, answerer| [good.clone(), Row { ids, answerer }];
    assert!(matches!(ask(&with(vec![], Answerer::Backbone)), NnError::EmptyRow { row: 1 }));
    assert!(matches!(
        ask(&with(vec![29], Answerer::Backbone)),
        NnError::TokenId { row: 1, id: 29, known: 29 }
    ));
    assert!(matches!(
        ask(&with(vec![1; 97], Answerer::Backbone)),
        NnError::RowTooLong { row: 1, tokens: 97, context: 96 }
    ));
    let far = Answerer::Expert(crate::ExpertSlot(7));
    assert!(matches!(ask(&with(vec![1], far)), NnError::ExpertSlot { slot: 7, mounted: 1 }));
    let heavy = Answerer::Mix(vec![(scene.slot, f32::NAN)]);
    assert!(matches!(ask(&with(vec![1], heavy)), NnError::MixWeight { row: 1, .. }));
    assert!(matches!(ask(&with(vec![1], Answerer::Mix(vec![]))), NnError::MixWeight { row: 1, .. }));
    let stopped =
        scene.learner.next_token_probabilities(&[good.clone(), good.clone()], &[0], 1, &mut |_| Flow::Stop);
    assert!(matches!(stopped, Err(NnError::Stopped)));
}

#[test]
fn the_context_ends_an_answer() {
    let scene = scene();
    let rows = [
        Row { ids: vec![1; 95], answerer: Answerer::Backbone },
        Row { ids: vec![1; 96], answerer: Answerer::Backbone },
    ];
    let endless = Decoding { stop: vec![], ..decoding(Strategy::Greedy, 2) };
    let found = answers(&scene, &rows, &endless);
    assert_eq!((found[0].ids.len(), found[1].ids.len()), (1, 1));
    assert!(!found[0].stopped);
    let none = Decoding { max_new_tokens: 0, ..endless };
    assert!(
        answers(&scene, &rows, &none)
            .iter()
            .all(|answer| answer.ids.is_empty() && answer.mean_log_probability == 0.0)
    );
}
