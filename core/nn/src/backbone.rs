//! A Llama-family decoder (Touvron et al. 2023), written once on top of [`Projection`]: grouped-query attention, rotary
//! embedding, RMSNorm, gated feed-forward, tied or untied head. Differences between families are read from the shape.
//! Experts appear only as updates to projections.

use std::sync::Arc;

use burn::tensor::Tensor;
use cadre_checkpoint::{BackboneShape, LayerKind, Part, TARGETS, weight_names};

use crate::adapter::{Mix, Site};
use crate::error::NnError;
use crate::generation::KvCache;
use crate::kernel::{HeadShape, RotaryTable, attention, gated, gather, rms_norm, rotate};
use crate::packed_batch::PackedBatch;
use crate::projection::{Products, Projection};

/// The weights of a decoder on a device.
#[derive(Clone, Debug)]
pub(crate) struct Backbone {
    pub(crate) shape: BackboneShape,
    embedding: Tensor<2>,
    layers: Vec<Layer>,
    norm: Tensor<2>,
    head: Option<Tensor<2>>,
    rotary: Rotary,
}

/// Rotary tables of the layers that use rotary embedding.
#[derive(Clone, Debug)]
pub(crate) struct Rotary {
    plain: RotaryTable,
    /// Table of windowed layers, if it differs.
    windowed: Option<RotaryTable>,
}

impl Rotary {
    pub(crate) fn new(shape: &BackboneShape) -> Self {
        let table = |windowed| RotaryTable::new(shape.context, &shape.frequencies(windowed));
        Self { plain: table(false), windowed: shape.variation.window_rope_theta.map(|_| table(true)) }
    }
}

#[derive(Clone, Debug)]
struct Layer {
    attention_norm: Tensor<2>,
    /// In the order of [`TARGETS`].
    projections: Vec<Projection>,
    /// Norms of a query head and of a key head.
    head_norms: Option<[Tensor<2>; 2]>,
    /// Norms after attention and after the feed-forward block.
    post_norms: Option<[Tensor<2>; 2]>,
    feed_norm: Tensor<2>,
    kind: LayerKind,
}

/// Inputs of a forward pass other than its tokens.
pub(crate) struct PassContext<'a> {
    /// Experts of the rows.
    pub(crate) mix: &'a Mix,
    /// Tokens whose last hidden state is needed; `None` means all tokens.
    pub(crate) needed: Option<&'a Arc<Vec<usize>>>,
    /// Keys and values of earlier tokens; the pass appends its own.
    pub(crate) cache: Option<&'a mut KvCache>,
    /// How matmuls are computed.
    pub(crate) products: Products<'a>,
}

/// Returns the weight with this name and shape.
pub(crate) type TakeTensor<'a> = dyn FnMut(&str, &[usize]) -> Result<Tensor<2>, NnError> + 'a;

impl Backbone {
    /// Builds a decoder, fetching weights one by one by name and shape.
    ///
    /// # Errors
    /// Errors of `take`.
    pub(crate) fn load(shape: &BackboneShape, take: &mut TakeTensor<'_>) -> Result<Self, NnError> {
        let mut tensors = Vec::new();
        for (name, sizes) in weight_names(shape) {
            let tensor = take(&name, &sizes)?;
            let unit_offset_norm = shape.variation.unit_offset_norms && name.ends_with("norm.weight");
            tensors.push(if unit_offset_norm { tensor + 1.0 } else { tensor });
        }
        Self::of(shape, &Rotary::new(shape), &tensors)
    }

    /// Builds a decoder from tensors in the order of [`weight_names`].
    ///
    /// # Errors
    /// The number of tensors differs from the number of names.
    pub(crate) fn of(shape: &BackboneShape, rotary: &Rotary, tensors: &[Tensor<2>]) -> Result<Self, NnError> {
        let parts = Part::all(shape);
        let expected = parts.len() * shape.layers + if shape.tied { 2 } else { 3 };
        let wrong = || NnError::TensorCount { found: tensors.len(), expected };
        if tensors.len() != expected {
            return Err(wrong());
        }
        let mut given = tensors.iter().cloned();
        let embedding = given.next().ok_or_else(wrong)?;
        let layers = (0..shape.layers)
            .map(|layer| {
                let own = parts.iter().copied().zip(given.by_ref().take(parts.len()));
                Layer::of(own, shape.layer_kind(layer)).ok_or_else(wrong)
            })
            .collect::<Result<_, _>>()?;
        let norm = given.next().ok_or_else(wrong)?;
        let head = given.next();
        Ok(Self { shape: shape.clone(), embedding, layers, norm, head, rotary: rotary.clone() })
    }

    /// All weights, in the order of [`weight_names`].
    #[cfg(test)]
    pub(crate) fn tensors(&self) -> Vec<Tensor<2>> {
        let mut tensors = vec![self.embedding.clone()];
        let parts = Part::all(&self.shape);
        for layer in &self.layers {
            tensors.extend(parts.iter().filter_map(|part| layer.part(*part)));
        }
        tensors.push(self.norm.clone());
        tensors.extend(self.head.clone());
        tensors
    }

    /// The weight matrix of the head, `[vocabulary, hidden]`.
    pub(crate) fn head(&self) -> Tensor<2> {
        self.head.clone().unwrap_or_else(|| self.embedding.clone())
    }

    /// The embedding table, `[vocabulary, hidden]`.
    pub(crate) fn embedding(&self) -> Tensor<2> {
        self.embedding.clone()
    }

    /// The weight of a projection, `[out, in]`.
    pub(crate) fn weight(&self, site: Site) -> &Tensor<2> {
        let slot = TARGETS.iter().position(|entry| entry.target == site.target);
        match slot.and_then(|slot| self.layers.get(site.layer)?.projections.get(slot)) {
            Some(projection) => &projection.weight,
            None => unreachable!("the sites of an adapter are those of its backbone's shape"),
        }
    }

    /// Head layout of the attention in a layer.
    fn heads(&self, kind: LayerKind) -> HeadShape {
        let BackboneShape { heads, kv_heads, variation, .. } = &self.shape;
        let plain = HeadShape::new(*heads, *kv_heads, self.shape.head_width());
        HeadShape {
            scale: variation.score_scale.map_or(plain.scale, |scale| scale as f32),
            window: variation.window.filter(|_| kind.windowed),
            ..plain
        }
    }

    /// The last hidden states of the needed tokens, after the final norm: `[needed, hidden]`.
    pub(crate) fn forward(&self, pass: &PackedBatch, mut context: PassContext<'_>) -> Tensor<2> {
        let mut x = self.enter(pass, context.mix);
        for number in 0..self.layers.len() {
            x = self.layer(number, x, pass, &mut context);
        }
        self.leave(x)
    }

    /// The input of the first layer: `[tokens, hidden]`.
    pub(crate) fn enter(&self, pass: &PackedBatch, mix: &Mix) -> Tensor<2> {
        let x = mix.embed(gather(self.embedding.clone(), pass.indices()), pass);
        match self.shape.variation.embedding_scale {
            Some(scale) => x * scale,
            None => x,
        }
    }

    /// Applies the final norm to the output of the last layer.
    pub(crate) fn leave(&self, x: Tensor<2>) -> Tensor<2> {
        self.normed(x, &self.norm)
    }

    fn normed(&self, x: Tensor<2>, weight: &Tensor<2>) -> Tensor<2> {
        rms_norm(x, weight.clone(), self.shape.norm_epsilon)
    }

    /// Queries (`which` = 0) or keys (`which` = 1) as attention compares them: normalised per head and rotated by
    /// position, where the layer does so.
    fn placed(&self, layer: &Layer, which: usize, x: Tensor<2>, pass: &PackedBatch) -> Tensor<2> {
        let x = match &layer.head_norms {
            Some(norms) => {
                let [rows, wide] = x.dims();
                let width = self.shape.head_width();
                let heads = x.reshape([rows * wide / width, width]);
                self.normed(heads, &norms[which]).reshape([rows, wide])
            }
            None => x,
        };
        if !layer.kind.uses_rope {
            return x;
        }
        let own = self.rotary.windowed.as_ref().filter(|_| layer.kind.windowed);
        rotate(x, own.unwrap_or(&self.rotary.plain), pass.positions())
    }

    /// Applies a layer (counted from 0) to its input `[tokens, hidden]`. The last layer returns only the needed tokens.
    pub(crate) fn layer(
        &self,
        number: usize,
        x: Tensor<2>,
        pass: &PackedBatch,
        context: &mut PassContext<'_>,
    ) -> Tensor<2> {
        let layer = &self.layers[number];
        let mix = context.mix;
        let products = context.products;
        let project = |slot: usize, x: Tensor<2>, needed: Option<&Arc<Vec<usize>>>| {
            let update = mix.update(Site { layer: number, target: TARGETS[slot].target }, pass, needed);
            layer.projections[slot].forward(x, update.as_ref(), products)
        };
        let behind = |which: usize, x: Tensor<2>| match &layer.post_norms {
            Some(norms) => self.normed(x, &norms[which]),
            None => x,
        };

        let normal = self.normed(x.clone(), &layer.attention_norm);
        let q = self.placed(layer, 0, project(0, normal.clone(), None), pass);
        let k = self.placed(layer, 1, project(1, normal.clone(), None), pass);
        let v = project(2, normal, None);
        let heads = self.heads(layer.kind);
        let mixed = match &mut context.cache {
            Some(cache) => cache.attend(number, q, k, v, heads, pass.segments()),
            None => attention(q, k, v, heads, pass.segments()),
        };
        // After the last attention, only the needed tokens are processed further.
        let needed = context.needed.filter(|_| number + 1 == self.layers.len());
        let (x, mixed) = match needed {
            Some(needed) => (gather(x, needed), gather(mixed, needed)),
            None => (x, mixed),
        };
        let x = x + behind(0, project(3, mixed, needed));

        let normal = self.normed(x.clone(), &layer.feed_norm);
        let gate = project(4, normal.clone(), needed);
        let up = project(5, normal, needed);
        let inner = gated(gate, up, self.shape.variation.activation);
        x + behind(1, project(6, inner, needed))
    }
}

impl Layer {
    /// Builds a layer from its parts and their tensors; `None` if a norm or a matrix is missing.
    fn of(parts: impl Iterator<Item = (Part, Tensor<2>)>, kind: LayerKind) -> Option<Self> {
        let mut projections: Vec<Projection> = Vec::with_capacity(TARGETS.len());
        let mut norms: [Option<Tensor<2>>; 6] = Default::default();
        for (part, tensor) in parts {
            match part {
                Part::Weight(_) => projections.push(Projection { weight: tensor, bias: None }),
                Part::Bias(slot) => projections.get_mut(slot)?.bias = Some(tensor),
                Part::AttentionNorm => norms[0] = Some(tensor),
                Part::FeedNorm => norms[1] = Some(tensor),
                Part::QueryNorm => norms[2] = Some(tensor),
                Part::KeyNorm => norms[3] = Some(tensor),
                Part::NormBehindAttention => norms[4] = Some(tensor),
                Part::NormBehindFeed => norms[5] = Some(tensor),
            }
        }
        let pair = |one: Option<Tensor<2>>, other: Option<Tensor<2>>| Some([one?, other?]);
        let [attention_norm, feed_norm, query, key, attention_behind, feed_behind] = norms;
        (projections.len() == TARGETS.len()).then_some(())?;
        Some(Self {
            attention_norm: attention_norm?,
            projections,
            head_norms: pair(query, key),
            post_norms: pair(attention_behind, feed_behind),
            feed_norm: feed_norm?,
            kind,
        })
    }

    /// The tensor of a part, if the layer has it.
    #[cfg(test)]
    fn part(&self, part: Part) -> Option<Tensor<2>> {
        let of = |pair: &Option<[Tensor<2>; 2]>, which: usize| pair.as_ref().map(|pair| pair[which].clone());
        match part {
            Part::AttentionNorm => Some(self.attention_norm.clone()),
            Part::Weight(slot) => Some(self.projections[slot].weight.clone()),
            Part::Bias(slot) => self.projections[slot].bias.clone(),
            Part::QueryNorm => of(&self.head_norms, 0),
            Part::KeyNorm => of(&self.head_norms, 1),
            Part::NormBehindAttention => of(&self.post_norms, 0),
            Part::FeedNorm => Some(self.feed_norm.clone()),
            Part::NormBehindFeed => of(&self.post_norms, 1),
        }
    }
}
