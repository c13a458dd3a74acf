//! What is asked, how clusters are found and shared out, and that the seed alone decides.

use cadre_policy_sdk::Chance;
use cadre_policy_sdk::selector::{
    Candidate, Finding, Observation, Order, Probe, Purpose, Role, Selector, Source, Step,
};

use crate::KMeans;
use crate::clustering::{Clusters, Search};

fn candidate(id: u64, task: u32) -> Candidate {
    Candidate {
        id,
        task,
        instruction: "sort".into(),
        input: format!("{id}"),
        response: format!("{id}"),
        tokens: 3,
    }
}

fn order(budget: Option<u32>) -> Order {
    Order { purpose: Purpose::Remember, role: Role::Positive, task: 0, budget, seed: 5 }
}

fn embedded(points: &[(u64, Vec<f32>)]) -> Vec<Observation> {
    points
        .iter()
        .map(|(id, values)| Observation {
            probe: Probe::Embedding(*id),
            finding: Finding::Embedding(values.clone()),
        })
        .collect()
}

fn ids(step: Step) -> Vec<u64> {
    let Step::Done(picks) = step else { panic!("asks instead of picking: {step:?}") };
    picks
        .into_iter()
        .map(|pick| match pick.source {
            Source::Existing(id) => id,
            Source::Synthetic(_) => panic!("makes an example up"),
        })
        .collect()
}

/// Clouds around far-apart points: `counts[c]` candidates near (10 c, 0, …), the first of each nearest
/// to the middle.
fn clouds(counts: &[usize]) -> Vec<(u64, Vec<f32>)> {
    let mut chance = Chance::new(1);
    let mut points = Vec::new();
    for (cloud, count) in counts.iter().enumerate() {
        for place in 0..*count {
            let mut values = vec![0.0_f32; 20];
            values[0] = 10.0 * cloud as f32;
            // Pairs on opposite sides keep the mean in the middle.
            let side = if place % 2 == 0 { 1.0 } else { -1.0 };
            values[1] = side * (0.1 + 0.01 * (place / 2) as f32);
            values[2] = 1e-4 * chance.fraction() as f32;
            points.push(((cloud * 1000 + place) as u64, values));
        }
    }
    points
}

#[test]
fn asks_for_every_embedding_once() {
    let candidates: Vec<Candidate> = (0..30).map(|id| candidate(id, 0)).collect();
    let kmeans = KMeans::open("{}").unwrap();
    let step = kmeans.select(&order(Some(5)), &candidates, &[]).unwrap();
    assert_eq!(step, Step::Ask((0..30).map(Probe::Embedding).collect()));
}

#[test]
fn every_cluster_gives_its_share_nearest_first() {
    let points = clouds(&[60, 40, 20]);
    let candidates: Vec<Candidate> = points.iter().map(|(id, _)| candidate(*id, 0)).collect();
    let kmeans = KMeans::open(r#"{"clusters": 3, "n-init": 4}"#).unwrap();
    let step = kmeans.select(&order(Some(12)), &candidates, &embedded(&points)).unwrap();
    // 6, 4 and 2 of 60, 40 and 20; within a cloud the first pairs lie nearest to the middle.
    assert_eq!(ids(step), [0, 1, 2, 3, 4, 5, 1000, 1001, 1002, 1003, 2000, 2001]);
}

#[test]
fn rounded_shares_may_miss_the_budget_exact_ones_do_not() {
    let points = clouds(&[10, 10, 10]);
    let candidates: Vec<Candidate> = points.iter().map(|(id, _)| candidate(*id, 0)).collect();
    let picked = |quota: &str| {
        let settings = format!(r#"{{"clusters": 3, "n-init": 4, "quota": "{quota}"}}"#);
        let kmeans = KMeans::open(&settings).unwrap();
        ids(kmeans.select(&order(Some(10)), &candidates, &embedded(&points)).unwrap()).len()
    };
    assert_eq!(picked("rounded"), 9); // three times 3.33
    assert_eq!(picked("exact"), 10);
}

#[test]
fn tasks_are_clustered_each_for_itself() {
    let points = clouds(&[20, 20]);
    let candidates: Vec<Candidate> =
        points.iter().map(|(id, _)| candidate(*id, (*id / 1000) as u32)).collect();
    let kmeans = KMeans::open(r#"{"clusters": 1, "quota": "exact"}"#).unwrap();
    let composing = Order { purpose: Purpose::Compose, ..order(Some(4)) };
    let step = kmeans.select(&composing, &candidates, &embedded(&points)).unwrap();
    assert_eq!(ids(step), [0, 1, 1000, 1001]);
}

#[test]
fn all_are_taken_where_there_is_nothing_to_choose() {
    let candidates: Vec<Candidate> = (0..3).map(|id| candidate(id, 0)).collect();
    let kmeans = KMeans::open("{}").unwrap();
    for budget in [None, Some(3), Some(9)] {
        assert_eq!(ids(kmeans.select(&order(budget), &candidates, &[]).unwrap()), [0, 1, 2]);
    }
    assert!(ids(kmeans.select(&order(Some(0)), &candidates, &[]).unwrap()).is_empty());
    assert!(ids(kmeans.select(&order(Some(5)), &[], &[]).unwrap()).is_empty());
}

#[test]
fn points_that_coincide_make_fewer_clusters() {
    let same = [1.0_f32, 2.0];
    let points: Vec<&[f32]> = vec![&same; 7];
    let search = Search { clusters: 3, starts: 2, iterations: 10, seed: 0 };
    let Clusters { members } = search.run(&points);
    assert_eq!(members, [[0, 1, 2, 3, 4, 5, 6]]);
}

#[test]
fn the_seed_decides_and_the_clouds_are_found() {
    let points = clouds(&[50, 40, 30, 20, 10]);
    let slices: Vec<&[f32]> = points.iter().map(|(_, values)| values.as_slice()).collect();
    let found = |seed| Search { clusters: 5, starts: 10, iterations: 300, seed }.run(&slices);
    assert_eq!(found(3), found(3));
    for seed in 0..20 {
        let mut sizes: Vec<usize> = found(seed).members.iter().map(Vec::len).collect();
        sizes.sort_unstable();
        assert_eq!(sizes, [10, 20, 30, 40, 50]);
    }
}

#[test]
fn what_cannot_be_is_refused() {
    let refused = |settings: &str| KMeans::open(settings).err().unwrap();
    assert_eq!(refused(r#"{"clusters": 0}"#), "`clusters` is 0, expected at least 1");
    assert_eq!(
        refused(r#"{"cluster": 3}"#),
        "unknown field `cluster`, expected one of `clusters`, `n-init`, `max-iterations`, `quota`"
    );
    let candidates: Vec<Candidate> = (0..3).map(|id| candidate(id, 0)).collect();
    let kmeans = KMeans::open("{}").unwrap();
    let select = |points: &[(u64, Vec<f32>)]| {
        kmeans.select(&order(Some(2)), &candidates, &embedded(points)).unwrap_err()
    };
    assert!(select(&[(0, vec![1.0])]).contains("not all embeddings"));
    assert!(
        select(&[(0, vec![1.0]), (1, vec![f32::NAN]), (2, vec![1.0])]).contains("candidate 1 is not finite")
    );
    assert!(select(&[(0, vec![1.0]), (1, vec![1.0, 2.0]), (2, vec![1.0])]).contains("differ in length"));
}
