//! Which experts answer which rows of a batch, and with what weights. The matrices of all LoRA experts in use are
//! concatenated (`x · [A₁;A₂]ᵀ`, times the weights of each row, times `[B₁ B₂]ᵀ`), so a batch costs two thin matmuls
//! per projection, whatever its mixture. The updates of other kinds are computed one by one, each for its own tokens.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use burn::tensor::{Device, Tensor};

use super::expert::AdapterTensors;
use super::kind::Body;
use super::site::Site;
use crate::kernel::gather;
use crate::packed_batch::PackedBatch;
use crate::weights::upload;

/// The experts of the rows of a packed batch.
#[derive(Clone, Debug)]
pub(crate) struct Mix {
    experts: Vec<Arc<AdapterTensors>>,
    /// For each row: experts (as indices into `experts`) and weights.
    rows: Vec<Vec<(usize, f32)>>,
    slots: BTreeMap<Site, Slot>,
    added: Option<Added>,
    vocabulary: usize,
}

/// The updates of all experts to one projection.
#[derive(Clone, Debug)]
struct Slot {
    number: usize,
    /// The low-rank updates of all experts.
    joined: Option<JoinedSlot>,
    /// The updates of other kinds, in the order of the experts.
    apart: Vec<ApartSlot>,
}

#[derive(Clone, Debug)]
struct JoinedSlot {
    a: Tensor<2>,
    b: Tensor<2>,
    shares: SlotShares,
}

/// The update of one expert whose kind is not LoRA.
#[derive(Clone, Debug)]
struct ApartSlot {
    body: Body,
    /// Its weight in each row, or one weight in all.
    weights: RowWeights,
}

#[derive(Clone, Debug)]
enum RowWeights {
    Whole(f32),
    Rows(Vec<f32>),
}

#[derive(Clone, Debug)]
enum SlotShares {
    Whole(f32),
    Rows(Box<Tensor<2>>),
}

/// Rows of the added tokens of all experts.
#[derive(Clone, Debug)]
struct Added {
    embedding: Tensor<2>,
    head: Tensor<2>,
    /// Index of each expert's first row.
    starts: Vec<usize>,
}

/// The updates of one projection.
pub(crate) struct Update {
    /// The low-rank updates of all experts.
    pub(crate) joined: Option<JoinedUpdate>,
    /// The updates of other kinds.
    pub(crate) apart: Vec<ApartUpdate>,
    /// Index of the projection, which seeds its dropout.
    pub(crate) site: usize,
    /// Tokens that the rows of the input stand for; `None` means all tokens.
    pub(crate) needed: Option<Arc<Vec<usize>>>,
}

/// The low-rank updates of all experts.
pub(crate) struct JoinedUpdate {
    /// `[ranks, in]`, where `ranks` is the sum of the experts' ranks.
    pub(crate) a: Tensor<2>,
    /// `[out, ranks]`
    pub(crate) b: Tensor<2>,
    pub(crate) shares: Shares,
}

/// The update of one expert whose kind is not LoRA.
pub(crate) struct ApartUpdate {
    pub(crate) body: Body,
    pub(crate) tokens: Tokens,
}

/// The rows of an activation that get an update, and its weight.
pub(crate) enum Tokens {
    /// All rows.
    All(f32),
    /// Some rows: their indices, the index in these for each row of the activation (past the end for a row without the
    /// update), and the weights by row.
    Some { chosen: Arc<Vec<usize>>, place_of: Arc<Vec<usize>>, weights: Vec<f32> },
}

/// The factors of an update by token.
pub(crate) enum Shares {
    /// The same factor for all tokens.
    Whole(f32),
    /// Row `row_of[token]` of the table `[rows, ranks]`.
    Rows { table: Box<Tensor<2>>, row_of: Arc<Vec<usize>> },
}

impl Mix {
    /// No experts.
    pub(crate) fn none(vocabulary: usize) -> Self {
        Self { experts: vec![], rows: vec![], slots: BTreeMap::new(), added: None, vocabulary }
    }

    /// One expert, with weight 1, for all rows.
    pub(crate) fn single(expert: AdapterTensors, rows: usize, vocabulary: usize, device: &Device) -> Self {
        Self::new(vec![Arc::new(expert)], vec![vec![(0, 1.0)]; rows], vocabulary, device)
    }

    /// `rows` gives the experts (as indices into `experts`) and weights of each row.
    pub(crate) fn new(
        experts: Vec<Arc<AdapterTensors>>,
        rows: Vec<Vec<(usize, f32)>>,
        vocabulary: usize,
        device: &Device,
    ) -> Self {
        let sites: BTreeSet<Site> = experts.iter().flat_map(|expert| expert.sites.keys().copied()).collect();
        let alike = rows.windows(2).all(|pair| pair[0] == pair[1]);
        let whole = match rows.first().map(Vec::as_slice) {
            Some([(0, weight)]) if alike && experts.len() == 1 => Some(*weight),
            _ => None,
        };
        let weight = |row: &[(usize, f32)], number: usize| -> f32 {
            row.iter().filter(|(expert, _)| *expert == number).map(|(_, weight)| weight).sum()
        };
        let mut slots = BTreeMap::new();
        for (number, site) in sites.into_iter().enumerate() {
            let (mut low, mut apart) = (Vec::new(), Vec::new());
            for (expert, params) in experts.iter().enumerate() {
                match params.sites.get(&site).map(|params| &params.body) {
                    Some(Body::LowRank(update)) => low.push((expert, update)),
                    Some(body) => {
                        let weights = match whole {
                            Some(weight) => RowWeights::Whole(weight),
                            None => RowWeights::Rows(rows.iter().map(|row| weight(row, expert)).collect()),
                        };
                        apart.push(ApartSlot { body: body.clone(), weights });
                    }
                    None => {}
                }
            }
            let joined = low.first().map(|(_, first)| {
                let shares = match whole {
                    Some(weight) => SlotShares::Whole(first.scale * weight),
                    None => {
                        let mut table = Vec::new();
                        for row in &rows {
                            for (expert, update) in &low {
                                let factor = weight(row, *expert) * update.scale;
                                table.extend(std::iter::repeat_n(factor, update.a.dims()[0]));
                            }
                        }
                        let width = table.len() / rows.len().max(1);
                        let table = upload(table, [rows.len(), width], device);
                        SlotShares::Rows(Box::new(table.cast(first.a.dtype())))
                    }
                };
                let a = low.iter().map(|(_, update)| update.a.clone()).collect();
                let b = low.iter().map(|(_, update)| update.b.clone()).collect();
                JoinedSlot { a: join(a, 0), b: join(b, 1), shares }
            });
            slots.insert(site, Slot { number, joined, apart });
        }
        let added = Added::of(&experts);
        Self { experts, rows, slots, added, vocabulary }
    }

    /// The experts of a subset of the rows, in the given order.
    pub(crate) fn retain_rows(&self, rows: &[usize], device: &Device) -> Self {
        let retained: Vec<Vec<(usize, f32)>> = if self.rows.is_empty() {
            vec![]
        } else {
            rows.iter().map(|&row| self.rows[row].clone()).collect()
        };
        let mut used: Vec<usize> = retained.iter().flatten().map(|(expert, _)| *expert).collect();
        used.sort_unstable();
        used.dedup();
        if used.len() == self.experts.len() && self.slots.values().all(Slot::is_whole) {
            return Self { rows: retained, ..self.clone() };
        }
        let renumbered = |row: Vec<(usize, f32)>| {
            row.into_iter()
                .filter_map(|(expert, weight)| Some((used.binary_search(&expert).ok()?, weight)))
                .collect()
        };
        let retained = retained.into_iter().map(renumbered).collect();
        let experts = used.iter().map(|&expert| Arc::clone(&self.experts[expert])).collect();
        Self::new(experts, retained, self.vocabulary, device)
    }

    /// The updates of a projection for the tokens of a packed batch, or for its `needed` tokens only.
    pub(crate) fn update(
        &self,
        site: Site,
        pass: &PackedBatch,
        needed: Option<&Arc<Vec<usize>>>,
    ) -> Option<Update> {
        let slot = self.slots.get(&site)?;
        let row_of = || match needed {
            Some(needed) => Arc::new(needed.iter().map(|&token| pass.rows()[token]).collect()),
            None => Arc::clone(pass.rows()),
        };
        let joined = slot.joined.as_ref().map(|joined| {
            let shares = match &joined.shares {
                SlotShares::Whole(scale) => Shares::Whole(*scale),
                SlotShares::Rows(table) => Shares::Rows { table: table.clone(), row_of: row_of() },
            };
            JoinedUpdate { a: joined.a.clone(), b: joined.b.clone(), shares }
        });
        let apart = slot.apart.iter().filter_map(|apart| {
            let tokens = match &apart.weights {
                RowWeights::Whole(weight) => Tokens::All(*weight),
                RowWeights::Rows(weights) => Tokens::of(weights, &row_of())?,
            };
            Some(ApartUpdate { body: apart.body.clone(), tokens })
        });
        Some(Update { joined, apart: apart.collect(), site: slot.number, needed: needed.cloned() })
    }

    /// Adds the embeddings of added tokens to `x`, whose rows for them are zero.
    pub(crate) fn embed(&self, mut x: Tensor<2>, pass: &PackedBatch) -> Tensor<2> {
        let Some(added) = &self.added else { return x };
        if pass.indices().iter().all(|&id| id < self.vocabulary) {
            return x;
        }
        let most = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        for place in 0..most {
            let mut weights = Vec::with_capacity(pass.indices().len());
            let mut indices = Vec::with_capacity(pass.indices().len());
            for (&id, &row) in pass.indices().iter().zip(pass.rows().iter()) {
                let share = self.rows[row].get(place);
                let found = share.and_then(|(expert, weight)| {
                    let local = id.checked_sub(self.vocabulary)?;
                    (local < self.experts[*expert].added_tokens)
                        .then_some((added.starts[*expert] + local, *weight))
                });
                let (index, weight) = found.unwrap_or((usize::MAX, 1.0));
                indices.push(index);
                weights.push(weight);
            }
            let mut rows = gather(added.embedding.clone(), &Arc::new(indices));
            if weights.iter().any(|&weight| weight != 1.0) {
                let device = x.device().inner();
                let count = weights.len();
                rows = rows * upload(weights, [count, 1], &device).cast(x.dtype());
            }
            x = x + rows;
        }
        x
    }

    /// Head rows of all experts' added tokens, `[added tokens, hidden]`.
    pub(crate) fn added_head(&self) -> Option<Tensor<2>> {
        self.added.as_ref().map(|added| added.head.clone())
    }

    /// Number of added tokens in the vocabulary of a row's experts.
    pub(crate) fn added_tokens(&self, row: usize) -> usize {
        let shares = self.rows.get(row).map_or(&[][..], Vec::as_slice);
        shares.iter().map(|(expert, _)| self.experts[*expert].added_tokens).max().unwrap_or(0)
    }

    /// Logits of a row's added tokens, given its products with all rows of [`Mix::added_head`].
    pub(crate) fn added_logits(&self, row: usize, products: &[f32]) -> Vec<f32> {
        let mut logits = vec![0.0; self.added_tokens(row)];
        let Some(added) = &self.added else { return logits };
        for (expert, weight) in &self.rows[row] {
            let own = &products[added.starts[*expert]..][..self.experts[*expert].added_tokens];
            for (logit, product) in logits.iter_mut().zip(own) {
                *logit += weight * product;
            }
        }
        logits
    }
}

impl Slot {
    /// Whether one expert serves all rows with one weight.
    fn is_whole(&self) -> bool {
        let joined = self.joined.as_ref().is_none_or(|slot| matches!(slot.shares, SlotShares::Whole(_)));
        joined && self.apart.iter().all(|slot| matches!(slot.weights, RowWeights::Whole(_)))
    }
}

impl Tokens {
    /// The tokens of rows whose weight is not 0; `None` if there are none.
    fn of(weights: &[f32], row_of: &[usize]) -> Option<Self> {
        let chosen: Vec<usize> = (0..row_of.len()).filter(|token| weights[row_of[*token]] != 0.0).collect();
        let mut place_of = vec![usize::MAX; row_of.len()];
        for (place, token) in chosen.iter().enumerate() {
            place_of[*token] = place;
        }
        let weights = chosen.iter().map(|token| weights[row_of[*token]]).collect();
        (!chosen.is_empty()).then(|| Self::Some { chosen: chosen.into(), place_of: place_of.into(), weights })
    }
}

impl Added {
    fn of(experts: &[Arc<AdapterTensors>]) -> Option<Self> {
        let mut starts = Vec::with_capacity(experts.len());
        let (mut embeddings, mut heads, mut count) = (vec![], vec![], 0);
        for expert in experts {
            starts.push(count);
            if let Some((embedding, head)) = &expert.added {
                count += expert.added_tokens;
                embeddings.push(embedding.clone());
                heads.push(head.clone());
            }
        }
        (count > 0).then(|| Self { embedding: join(embeddings, 0), head: join(heads, 0), starts })
    }
}

/// Concatenates tensors. A single tensor is returned unchanged, so that it stays a leaf of the tape.
fn join(mut tensors: Vec<Tensor<2>>, dim: usize) -> Tensor<2> {
    match (tensors.len(), tensors.pop()) {
        (1, Some(only)) => only,
        (_, Some(last)) => {
            tensors.push(last);
            Tensor::cat(tensors, dim)
        }
        (_, None) => unreachable!("nothing to join"),
    }
}
