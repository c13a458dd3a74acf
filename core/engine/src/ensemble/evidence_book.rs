//! The evidence book: a cache of everything the ensemble has computed for queries (claims, answers, embeddings,
//! losses), shared between routers, rows of the score matrix and runs, and preserved across kills. A finding is a pure
//! function of the model's key, the query's tokens and the parameters of the question (indicator ids, decoding);
//! together they are its address.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use cadre_contract::RouterFinding;
use cadre_store::{ArtifactStore, Digest};
use serde::{Deserialize, Serialize};

use super::question::{Kind, Query, Question, Responder};
use super::routing_loop::ProbeSource;
use crate::error::EngineError;

/// Format version of the book's segments on disk.
const FORMAT_VERSION: u32 = 1;

/// Computes findings: a learner with mounted experts, or a fake in tests.
pub(crate) trait Probing: Sync {
    /// Identifies the responding model by the keys of its artifacts.
    fn subject(&self, responder: &Responder) -> Digest;
    /// Digest of the other parameters that determine this responder's findings.
    fn parameters(&self, kind: Kind, responder: &Responder) -> Digest;
    /// Number of questions per call; their findings form one segment. Must depend only on the recipe, not on the
    /// machine.
    fn rows_per_segment(&self, kind: Kind) -> usize;
    /// Returns one finding per row, in order. `progress` receives the number of finished rows and returns whether to
    /// continue; if not, the result is [`EngineError::Interrupted`].
    fn answer(
        &self,
        kind: Kind,
        rows: &[(&Responder, &Query)],
        progress: &mut dyn FnMut(usize) -> bool,
    ) -> Result<Vec<RouterFinding>, EngineError>;
}

/// Progress and cancellation while questions are answered.
pub(crate) trait Watch {
    /// Whether to stop now; the current segment is lost.
    fn stop_wanted(&self) -> bool;
    /// Reports that `done` of `total` questions of a kind are answered.
    fn progress(&self, kind: Kind, done: u64, total: u64);
    /// Reports that another process is computing for the same model.
    fn waiting(&self, pid: u32);
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Segment {
    format_version: u32,
    findings: Vec<(Digest, RouterFinding)>,
}

/// Findings of one subject, by entry.
type Findings = HashMap<Digest, RouterFinding>;

/// The book of a store. One per process, shared by its stages.
pub(crate) struct EvidenceBook {
    store: Arc<ArtifactStore>,
    known: Mutex<HashMap<Digest, Findings>>,
    /// Whether findings are saved; determined at the first write.
    kept: OnceLock<bool>,
}

/// Address of a finding in the book.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Address {
    subject: Digest,
    entry: Digest,
}

impl EvidenceBook {
    /// Opens the book of this store.
    pub(crate) fn open(store: Arc<ArtifactStore>) -> Self {
        Self { store, known: Mutex::new(HashMap::new()), kept: OnceLock::new() }
    }

    /// Returns one finding per question, in order. Missing findings are computed and saved segment by segment.
    ///
    /// Segments are cut from the missing questions sorted by responder, length and tokens. After a kill the remaining
    /// questions are cut in the same way, so that a question is computed in the same batch and gives the same bits.
    pub(crate) fn find(
        &self,
        probing: &dyn Probing,
        kind: Kind,
        asked: &[(Question, &Query)],
        watch: &dyn Watch,
    ) -> Result<Vec<RouterFinding>, EngineError> {
        let mut responders: HashMap<&Responder, (Digest, Digest)> = HashMap::new();
        let mut addresses = Vec::with_capacity(asked.len());
        for (question, query) in asked {
            let who = &question.responder;
            let (subject, parameters) = *responders
                .entry(who)
                .or_insert_with(|| (probing.subject(who), probing.parameters(kind, who)));
            addresses.push(Address { subject, entry: entry(kind, &parameters, query) });
        }
        let all: BTreeSet<Digest> = responders.values().map(|(subject, _)| *subject).collect();
        for subject in &all {
            self.load(subject, false)?;
        }
        if self.missing(&addresses).next().is_some() {
            // In digest order, so that two processes cannot deadlock.
            let mut locks = Vec::with_capacity(all.len());
            for subject in all.iter().filter(|_| self.keeps()) {
                let key = ArtifactStore::evidence_key(subject);
                locks.push(self.store.lock(&key, &mut |pid| watch.waiting(pid))?);
                self.load(subject, true)?;
            }
            let mut unknown: Vec<usize> = self.missing(&addresses).collect();
            unknown.sort_by(|&a, &b| {
                let order = |i: usize| (&asked[i].0.responder, asked[i].1.ids.len(), &asked[i].1.ids);
                order(a).cmp(&order(b))
            });
            unknown.dedup_by_key(|index| addresses[*index]);
            self.compute(probing, kind, asked, &addresses, &unknown, watch)?;
        }
        let known = self.lock_known();
        addresses
            .iter()
            .map(|address| {
                known.get(&address.subject).and_then(|findings| findings.get(&address.entry)).cloned()
            })
            .collect::<Option<Vec<_>>>()
            .ok_or(EngineError::FindingsMissing { asked: asked.len() })
    }

    fn compute(
        &self,
        probing: &dyn Probing,
        kind: Kind,
        asked: &[(Question, &Query)],
        addresses: &[Address],
        unknown: &[usize],
        watch: &dyn Watch,
    ) -> Result<(), EngineError> {
        let total = unknown.len() as u64;
        let mut done = 0;
        watch.progress(kind, done, total);
        for segment in unknown.chunks(probing.rows_per_segment(kind).max(1)) {
            let rows: Vec<(&Responder, &Query)> =
                segment.iter().map(|&index| (&asked[index].0.responder, asked[index].1)).collect();
            let findings = probing.answer(kind, &rows, &mut |rows| {
                watch.progress(kind, done + rows as u64, total);
                !watch.stop_wanted()
            })?;
            if findings.len() != segment.len() {
                return Err(EngineError::FindingsMissing { asked: segment.len() });
            }
            self.write(segment.iter().map(|&index| addresses[index]).zip(findings))?;
            done += segment.len() as u64;
        }
        Ok(())
    }

    /// Saves findings, one segment per subject, and adds them to memory.
    fn write(&self, found: impl Iterator<Item = (Address, RouterFinding)>) -> Result<(), EngineError> {
        let mut segments: Vec<(Digest, Vec<(Digest, RouterFinding)>)> = Vec::new();
        for (address, finding) in found {
            match segments.iter_mut().find(|(subject, _)| *subject == address.subject) {
                Some((_, findings)) => findings.push((address.entry, finding)),
                None => segments.push((address.subject, vec![(address.entry, finding)])),
            }
        }
        for (subject, findings) in segments {
            let segment = Segment { format_version: FORMAT_VERSION, findings };
            let bytes =
                serde_json::to_vec(&segment).map_err(|source| EngineError::Page { subject, source })?;
            if self.keeps() {
                self.store.segments(&subject).append(&bytes)?;
            }
            self.lock_known().entry(subject).or_default().extend(segment.findings);
        }
        Ok(())
    }

    /// Reads a subject's segments if they were not read yet, or if `again` is set: another process may have added some.
    fn load(&self, subject: &Digest, again: bool) -> Result<(), EngineError> {
        if !again && self.lock_known().contains_key(subject) {
            return Ok(());
        }
        let mut findings = Findings::new();
        let read = self.store.segments(subject).read_all()?;
        for damaged in &read.damaged {
            tracing::warn!(
                subject = %subject.short(), bytes = damaged.bytes, moved_to = %damaged.moved_to.display(),
                "damaged evidence moved to quarantine; recomputing it"
            );
        }
        for bytes in read.segments {
            let segment: Segment = serde_json::from_slice(&bytes)
                .map_err(|source| EngineError::Page { subject: *subject, source })?;
            if segment.format_version > FORMAT_VERSION {
                return Err(EngineError::NewerPage { subject: *subject, found: segment.format_version });
            }
            findings.extend(segment.findings);
        }
        self.lock_known().entry(*subject).or_default().extend(findings);
        Ok(())
    }

    fn missing(&self, addresses: &[Address]) -> impl Iterator<Item = usize> {
        let known = self.lock_known();
        let missing: Vec<usize> = addresses
            .iter()
            .enumerate()
            .filter(|(_, address)| {
                !known.get(&address.subject).is_some_and(|findings| findings.contains_key(&address.entry))
            })
            .map(|(index, _)| index)
            .collect();
        missing.into_iter()
    }

    /// Whether findings are saved. If the store is read-only, they are kept in memory only.
    fn keeps(&self) -> bool {
        *self.kept.get_or_init(|| {
            let kept = self.store.can_be_written();
            if !kept {
                tracing::warn!(store = %self.store.root().display(), "the store cannot be written; answers are not saved");
            }
            kept
        })
    }

    fn lock_known(&self) -> MutexGuard<'_, HashMap<Digest, Findings>> {
        // A poisoned map is consistent: each finding is inserted in one step.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Key of a finding among those of its subject.
fn entry(kind: Kind, parameters: &Digest, query: &Query) -> Digest {
    Digest::of_bytes(format!("{} {parameters} {}", kind.name(), query.digest).as_bytes())
}

/// A probe source that uses the book: looks findings up, or computes them.
pub(crate) struct BookFinder<'a> {
    /// The book.
    pub(crate) book: &'a EvidenceBook,
    /// Computes missing findings.
    pub(crate) probing: &'a dyn Probing,
    /// Progress and cancellation.
    pub(crate) watch: &'a dyn Watch,
}

impl ProbeSource for BookFinder<'_> {
    fn find_out(&mut self, asked: &[(Question, &Query)]) -> Result<Vec<RouterFinding>, EngineError> {
        match asked.first() {
            Some((question, _)) => self.book.find(self.probing, question.kind, asked, self.watch),
            None => Ok(Vec::new()),
        }
    }
}

#[cfg(test)]
mod tests;
