//! Which experts answer which rows of a batch, and with what weights. The matrices of all experts in use are
//! concatenated (`x · [A₁;A₂]ᵀ`, times the weights of each row, times `[B₁ B₂]ᵀ`), so a batch costs two thin matmuls
//! per projection, whatever its mixture.

use std::collections::BTreeMap;
use std::sync::Arc;

use burn::tensor::{Device, Tensor};
use cadre_checkpoint::Target;

use super::lora::AdapterTensors;
use crate::kernel::gather;
use crate::packed_batch::PackedBatch;
use crate::weights::upload;

/// The experts of the rows of a packed batch.
#[derive(Clone, Debug)]
pub(crate) struct Mix {
    experts: Vec<Arc<AdapterTensors>>,
    /// For each row: experts (as indices into `experts`) and weights.
    rows: Vec<Vec<(usize, f32)>>,
    slots: BTreeMap<(usize, Target), Slot>,
    added: Option<Added>,
    vocabulary: usize,
}

/// The updates of all experts to one projection.
#[derive(Clone, Debug)]
struct Slot {
    number: usize,
    a: Tensor<2>,
    b: Tensor<2>,
    shares: SlotShares,
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

/// The update of one projection.
pub(crate) struct Update {
    /// `[ranks, in]`, where `ranks` is the sum of the experts' ranks.
    pub(crate) a: Tensor<2>,
    /// `[out, ranks]`
    pub(crate) b: Tensor<2>,
    pub(crate) shares: Shares,
    /// Index of the projection, which seeds its dropout.
    pub(crate) site: usize,
    /// Tokens that the rows of the input stand for; `None` means all tokens.
    pub(crate) needed: Option<Arc<Vec<usize>>>,
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
        let mut sites: BTreeMap<(usize, Target), Vec<usize>> = BTreeMap::new();
        for (number, expert) in experts.iter().enumerate() {
            for (layer, target, ..) in &expert.pairs {
                sites.entry((*layer, *target)).or_default().push(number);
            }
        }
        let alike = rows.windows(2).all(|pair| pair[0] == pair[1]);
        let whole = match rows.first().map(Vec::as_slice) {
            Some([(0, weight)]) if alike && experts.len() == 1 => Some(*weight),
            _ => None,
        };
        let mut slots = BTreeMap::new();
        for (site, who) in sites {
            let of_site = |number: &usize| {
                let expert = &experts[*number];
                match expert.pairs.iter().find(|(layer, target, ..)| (*layer, *target) == site) {
                    Some((_, _, a, b)) => (a.clone(), b.clone()),
                    None => unreachable!("the slot was listed for this expert"),
                }
            };
            let pairs: Vec<(Tensor<2>, Tensor<2>)> = who.iter().map(of_site).collect();
            let shares = match whole {
                Some(weight) => SlotShares::Whole(experts[0].scale * weight),
                None => {
                    let mut table = Vec::new();
                    for row in &rows {
                        for (number, (a, _)) in who.iter().zip(&pairs) {
                            let weight: f32 =
                                row.iter().filter(|(e, _)| e == number).map(|(_, weight)| weight).sum();
                            table.extend(std::iter::repeat_n(weight * experts[*number].scale, a.dims()[0]));
                        }
                    }
                    let width = table.len() / rows.len().max(1);
                    let table = upload(table, [rows.len(), width], device);
                    SlotShares::Rows(Box::new(table.cast(pairs[0].0.dtype())))
                }
            };
            let (a, b): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
            let number = slots.len();
            slots.insert(site, Slot { number, a: join(a, 0), b: join(b, 1), shares });
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
        if used.len() == self.experts.len()
            && self.slots.values().all(|slot| matches!(slot.shares, SlotShares::Whole(_)))
        {
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

    /// The update of a projection for the tokens of a packed batch, or for its `needed` tokens only.
    pub(crate) fn update(
        &self,
        layer: usize,
        target: Target,
        pass: &PackedBatch,
        needed: Option<&Arc<Vec<usize>>>,
    ) -> Option<Update> {
        let slot = self.slots.get(&(layer, target))?;
        let shares = match &slot.shares {
            SlotShares::Whole(scale) => Shares::Whole(*scale),
            SlotShares::Rows(table) => {
                let row_of = match needed {
                    Some(needed) => Arc::new(needed.iter().map(|&token| pass.rows()[token]).collect()),
                    None => Arc::clone(pass.rows()),
                };
                Shares::Rows { table: table.clone(), row_of }
            }
        };
        Some(Update {
            a: slot.a.clone(),
            b: slot.b.clone(),
            shares,
            site: slot.number,
            needed: needed.cloned(),
        })
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
