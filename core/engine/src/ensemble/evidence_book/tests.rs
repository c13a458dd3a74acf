//! The evidence book with a fake model: nothing is computed twice or lost, and segments are the same after a stop.

use std::cell::Cell;
use std::sync::{Arc, Mutex};

use cadre_contract::{Claim, RouterFinding};
use cadre_store::{ArtifactStore, Digest};

use super::{EvidenceBook, Probing, Watch};
use crate::ensemble::question::{Kind, Query, Question, Responder};
use crate::error::EngineError;

/// Returns a number computed from expert and query; records every call.
struct FakeModel {
    rows: usize,
    indicators: &'static str,
    segments: Mutex<Vec<Vec<(Responder, u64)>>>,
}

impl FakeModel {
    fn new(rows: usize) -> Self {
        Self { rows, indicators: "accept reject", segments: Mutex::new(Vec::new()) }
    }
    fn segments(&self) -> Vec<Vec<(Responder, u64)>> {
        self.segments.lock().unwrap().clone()
    }
}

impl Probing for FakeModel {
    fn subject(&self, responder: &Responder) -> Digest {
        Digest::of_bytes(format!("{responder:?}").as_bytes())
    }
    fn parameters(&self, _: Kind, _: &Responder) -> Digest {
        Digest::of_bytes(self.indicators.as_bytes())
    }
    fn rows_per_segment(&self, _: Kind) -> usize {
        self.rows
    }
    fn answer(
        &self,
        _: Kind,
        rows: &[(&Responder, &Query)],
        progress: &mut dyn FnMut(usize) -> bool,
    ) -> Result<Vec<RouterFinding>, EngineError> {
        if !progress(rows.len()) {
            return Err(EngineError::Interrupted);
        }
        self.segments
            .lock()
            .unwrap()
            .push(rows.iter().map(|(who, query)| ((*who).clone(), query.id)).collect());
        Ok(rows.iter().map(|(who, query)| finding(who, query)).collect())
    }
}

fn finding(who: &Responder, query: &Query) -> RouterFinding {
    let expert = who.chosen().map_or(0.0, |expert| expert as f32);
    RouterFinding::Claim(Claim {
        accept: 1.0 / (expert + query.ids.len() as f32 + 3.0),
        reject: query.id as f32,
    })
}

struct Patient;

impl Watch for Patient {
    fn stop_wanted(&self) -> bool {
        false
    }
    fn progress(&self, _: Kind, _: u64, _: u64) {}
    fn waiting(&self, _: u32) {}
}

/// Requests a stop after this number of segments.
struct Impatient(Cell<u32>);

impl Watch for Impatient {
    fn stop_wanted(&self) -> bool {
        let left = self.0.get();
        self.0.set(left.saturating_sub(1));
        left == 0
    }
    fn progress(&self, _: Kind, _: u64, _: u64) {}
    fn waiting(&self, _: u32) {}
}

fn queries(count: u64) -> Vec<Query> {
    (0..count)
        .map(|id| {
            let ids = vec![id as u32; 3 + (id as usize * 7) % 5];
            Query::new(id, format!("query {id}"), ids, None)
        })
        .collect()
}

fn claims_of(expert: u32, queries: &[Query]) -> Vec<(Question, &Query)> {
    let question = Question { kind: Kind::Claim, responder: Responder::Expert(expert) };
    queries.iter().map(|query| (question.clone(), query)).collect()
}

fn book(folder: &tempfile::TempDir) -> EvidenceBook {
    EvidenceBook::open(Arc::new(ArtifactStore::open(&folder.path().join("store")).unwrap()))
}

#[test]
fn findings_come_in_the_order_of_the_questions() {
    let folder = tempfile::tempdir().unwrap();
    let (model, queries) = (FakeModel::new(4), queries(11));
    let found = book(&folder).find(&model, Kind::Claim, &claims_of(2, &queries), &Patient).unwrap();
    let expected: Vec<_> = queries.iter().map(|query| finding(&Responder::Expert(2), query)).collect();
    assert_eq!(found, expected);
    assert_eq!(model.segments().iter().map(Vec::len).collect::<Vec<_>>(), [4, 4, 3]);
}

#[test]
fn nothing_is_computed_twice_not_even_by_another_process() {
    let folder = tempfile::tempdir().unwrap();
    let queries = queries(9);
    let first = FakeModel::new(4);
    let before = book(&folder).find(&first, Kind::Claim, &claims_of(0, &queries), &Patient).unwrap();
    // A new book on the same store stands in for another process.
    let second = FakeModel::new(4);
    let again = book(&folder);
    assert_eq!(again.find(&second, Kind::Claim, &claims_of(0, &queries), &Patient).unwrap(), before);
    assert!(second.segments().is_empty());
    // A different expert, indicator or query has different findings.
    again.find(&second, Kind::Claim, &claims_of(1, &queries[..1]), &Patient).unwrap();
    assert_eq!(second.segments().len(), 1);
    let other = FakeModel { indicators: "yes no", ..FakeModel::new(4) };
    again.find(&other, Kind::Claim, &claims_of(0, &queries[..1]), &Patient).unwrap();
    assert_eq!(other.segments().len(), 1);
}

#[test]
fn equal_prompts_are_one_query() {
    let folder = tempfile::tempdir().unwrap();
    let twins = [Query::new(0, "a".into(), vec![5, 6], None), Query::new(1, "a".into(), vec![5, 6], None)];
    let model = FakeModel::new(8);
    let found = book(&folder).find(&model, Kind::Claim, &claims_of(0, &twins), &Patient).unwrap();
    assert_eq!(found[0], found[1]);
    assert_eq!(model.segments(), [[(Responder::Expert(0), 0)]]);
}

#[test]
fn after_a_stop_the_rest_is_cut_into_the_same_segments() {
    let queries = queries(40);
    let undisturbed = FakeModel::new(8);
    let whole = tempfile::tempdir().unwrap();
    book(&whole).find(&undisturbed, Kind::Claim, &claims_of(1, &queries), &Patient).unwrap();

    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (FakeModel::new(8), FakeModel::new(8));
    let stopped = book(&folder).find(&first, Kind::Claim, &claims_of(1, &queries), &Impatient(Cell::new(2)));
    assert!(matches!(stopped, Err(EngineError::Interrupted)));
    book(&folder).find(&second, Kind::Claim, &claims_of(1, &queries), &Patient).unwrap();
    let both: Vec<_> = first.segments().into_iter().chain(second.segments()).collect();
    assert_eq!(both, undisturbed.segments());
}

#[test]
fn rows_of_one_segment_may_be_on_different_experts() {
    let folder = tempfile::tempdir().unwrap();
    let queries = queries(4);
    let asked: Vec<(Question, &Query)> = queries
        .iter()
        .map(|query| (Question::answer(Responder::Expert(query.id as u32 % 2)), query))
        .collect();
    let model = FakeModel::new(8);
    let found = book(&folder).find(&model, Kind::Answer, &asked, &Patient).unwrap();
    assert_eq!(model.segments().len(), 1);
    assert_eq!(found[3], finding(&Responder::Expert(1), &queries[3]));
}

#[test]
fn damaged_evidence_is_recomputed() {
    let folder = tempfile::tempdir().unwrap();
    let queries = queries(5);
    let before =
        book(&folder).find(&FakeModel::new(8), Kind::Claim, &claims_of(0, &queries), &Patient).unwrap();
    let mut segments = Vec::new();
    let mut folders = vec![folder.path().join("store/evidence")];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { segments.push(path) }
        }
    }
    let mut bytes = std::fs::read(&segments[0]).unwrap();
    let last = bytes.len() - 5;
    bytes[last] ^= 0x55;
    std::fs::write(&segments[0], bytes).unwrap();
    let model = FakeModel::new(8);
    assert_eq!(book(&folder).find(&model, Kind::Claim, &claims_of(0, &queries), &Patient).unwrap(), before);
    assert_eq!(model.segments().len(), 1);
}
