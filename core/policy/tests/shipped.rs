//! The components committed to the repository conform to the contract and behave like their sources, whether or not a
//! WebAssembly toolchain is installed.

#[cfg(test)]
mod guest;

use std::path::{Path, PathBuf};

use cadre_contract::{
    ExpertCard, NamedVector, RouterFinding, RouterObservation, RouterProbe, RouterStep, SelectorFinding,
    SelectorObservation, SelectorProbe, SelectorStep, Source,
};
use cadre_policy::{Limits, Plugin, PluginKind, PolicyError};
use guest::{Fixture, batch, candidates, cards, claim, order};

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../plugins/{name}/{name}.wasm"))
}
#[cfg(test)]
fn load(fixture: &Fixture, name: &str) -> Plugin {
    fixture.sandbox.load(&file(name)).unwrap()
}

fn picked(step: SelectorStep) -> Vec<u64> {
    let SelectorStep::Done(picks) = step else { panic!("asks: {step:?}") };
    picks
        .into_iter()
        .map(|pick| match pick.source {
            Source::Existing(id) => id,
            Source::Synthetic(example) => panic!("unexpected synthetic example: {example:?}"),
        })
        .collect()
}

#[test]
fn all_components_conform() {
    let fixture = Fixture::with(Limits::default());
    for (name, kind) in [
        ("see", PluginKind::Router),
        ("oracle", PluginKind::Router),
        ("nearest", PluginKind::Router),
        ("random", PluginKind::Selector),
        ("kmeans", PluginKind::Selector),
    ] {
        let report = fixture.sandbox.conformance(&file(name), "{}");
        assert!(report.passed(), "{report:#?}");
        assert_eq!(report.kind, Some(kind));
        assert_eq!(report.description.map(|said| said.name).as_deref(), Some(name));
        let warned = report
            .checks
            .iter()
            .find(|check| check.outcome != cadre_policy::ConformanceOutcome::Pass && check.name != "speed");
        assert_eq!(warned, None);
    }
}

#[test]
fn see_asks_from_the_newest_to_the_oldest() {
    let fixture = Fixture::with(Limits::default());
    let see = load(&fixture, "see");
    let mut router = see.router(r#"{"threshold": 0.75}"#, &cards(3)).unwrap();
    let mut evidence = batch(1);
    for expert in [2, 1] {
        let steps = router.route(&evidence).unwrap();
        assert_eq!(steps, [RouterStep::Ask(vec![RouterProbe::Claim(expert)])]);
        evidence[0].observations.push(claim(expert, 0.7));
    }
    assert_eq!(router.route(&evidence).unwrap(), [RouterStep::Ask(vec![RouterProbe::Claim(0)])]);
    evidence[0].observations.push(claim(0, 0.8));
    assert_eq!(router.route(&evidence).unwrap(), [RouterStep::Choose(0)]);
    evidence[0].observations[2] = claim(0, 0.1);
    assert_eq!(router.route(&evidence).unwrap(), [RouterStep::Backbone]);
}

#[test]
fn oracle_and_nearest_choose_by_their_evidence() {
    let fixture = Fixture::with(Limits::default());
    let observe = |probe, finding| {
        let mut evidence = batch(1);
        evidence[0].observations.push(RouterObservation { probe, finding });
        evidence
    };
    let mut oracle = load(&fixture, "oracle").router("{}", &cards(3)).unwrap();
    assert_eq!(oracle.route(&batch(1)).unwrap(), [RouterStep::Ask(vec![RouterProbe::Task])]);
    let truth = |expert| observe(RouterProbe::Task, RouterFinding::Task(expert));
    assert_eq!(oracle.route(&truth(Some(1))).unwrap(), [RouterStep::Choose(1)]);
    assert_eq!(oracle.route(&truth(None)).unwrap(), [RouterStep::Backbone]);

    let experts: Vec<ExpertCard> = cards(2)
        .into_iter()
        .map(|card| ExpertCard {
            descriptors: vec![NamedVector {
                name: "prompt-centroid".into(),
                values: if card.index == 0 { vec![1.0, 0.0] } else { vec![0.0, 1.0] },
            }],
            ..card
        })
        .collect();
    let nearest = load(&fixture, "nearest");
    let mut router = nearest.router(r#"{"min-similarity": 0.5}"#, &experts).unwrap();
    assert_eq!(router.route(&batch(1)).unwrap(), [RouterStep::Ask(vec![RouterProbe::Embedding])]);
    let embedded = |x, y| observe(RouterProbe::Embedding, RouterFinding::Embedding(vec![x, y]));
    assert_eq!(router.route(&embedded(0.6, 0.8)).unwrap(), [RouterStep::Choose(1)]);
    assert_eq!(router.route(&embedded(-0.6, -0.8)).unwrap(), [RouterStep::Backbone]);
}

#[test]
fn random_draws_by_the_seed() {
    let fixture = Fixture::with(Limits::default());
    let mut random = load(&fixture, "random").selector("{}").unwrap();
    let ids = picked(random.select(&order(4), &candidates(20), &[]).unwrap());
    // As the native code draws them: see plugins/random.
    assert_eq!(ids.len(), 4);
    assert!(ids.is_sorted());
    assert_eq!(picked(random.select(&order(4), &candidates(20), &[]).unwrap()), ids);
}

#[test]
fn kmeans_picks_from_every_cluster() {
    let fixture = Fixture::with(Limits::default());
    let plugin = load(&fixture, "kmeans");
    let mut kmeans = plugin.selector(r#"{"clusters": 2, "n-init": 3}"#).unwrap();
    let all = candidates(20);
    let SelectorStep::Ask(probes) = kmeans.select(&order(4), &all, &[]).unwrap() else {
        panic!("picks without looking")
    };
    let observed: Vec<SelectorObservation> = probes
        .into_iter()
        .map(|probe| {
            let SelectorProbe::Embedding(id) = probe else { panic!("wants {probe:?}") };
            // Two clusters; in each, the first example is at the centre.
            let near = if id % 10 == 0 { 0.0 } else { 0.01 * id as f32 };
            let cloud = if id < 10 { 0.0 } else { 8.0 };
            SelectorObservation {
                finding: SelectorFinding::Embedding(vec![cloud, near * if id % 2 == 0 { 1.0 } else { -1.0 }]),
                probe: SelectorProbe::Embedding(id),
            }
        })
        .collect();
    let ids = picked(kmeans.select(&order(4), &all, &observed).unwrap());
    assert_eq!(ids.len(), 4);
    assert_eq!(ids.iter().filter(|id| **id < 10).count(), 2);
    assert!(ids.contains(&0) && ids.contains(&10), "{ids:?}");
}

#[test]
fn wrong_settings_are_refused_with_the_plugins_message() {
    let fixture = Fixture::with(Limits::default());
    for (name, settings, words) in [
        ("see", r#"{"thresold": 0.4}"#, "unknown field `thresold`, expected one of `threshold`"),
        ("see", r#"{"threshold": 2}"#, "`threshold` is 2, expected a number in 0..=1"),
        ("oracle", r#"{"threshold": 2}"#, "unknown field `threshold`"),
    ] {
        let error = load(&fixture, name).router(settings, &cards(2)).unwrap_err();
        assert!(matches!(error, PolicyError::Refused { .. }), "{error}");
        assert!(error.to_string().contains(words), "{error}");
    }
    let error = load(&fixture, "kmeans").selector(r#"{"clusters": 0}"#).unwrap_err();
    assert!(error.to_string().contains("expected at least 1"), "{error}");
    let error = load(&fixture, "nearest").router("{}", &cards(1)).unwrap_err();
    assert!(error.to_string().contains("no descriptor `prompt-centroid`"), "{error}");
}
