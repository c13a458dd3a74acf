//! A Llama-family decoder (Touvron et al. 2023), written once on [`Projection`]: grouped-query
//! attention, rotary embedding, RMSNorm, SwiGLU, tied or untied head. It trains nothing, and knows
//! experts only as updates of its projections.

use std::path::Path;
use std::sync::Arc;

use burn::tensor::{DType, Device, Tensor};

use crate::adapter::{Mix, TARGETS, Target};
use crate::error::NnError;
use crate::generation::KvCache;
use crate::kernel::{HeadShape, RotaryTable, attention, gather, rms_norm, rotate, swiglu};
use crate::pass::Pass;
use crate::projection::Projection;
use crate::shape::BackboneShape;
use crate::training::Dropout;
use crate::weights::{self, WeightMap};

/// Weights of a decoder on a device.
#[derive(Clone, Debug)]
pub(crate) struct Backbone {
    pub(crate) shape: BackboneShape,
    embedding: Tensor<2>,
    layers: Vec<Layer>,
    norm: Tensor<2>,
    head: Option<Tensor<2>>,
    rotary: RotaryTable,
}

#[derive(Clone, Debug)]
struct Layer {
    attention_norm: Tensor<2>,
    /// In the order of [`TARGETS`].
    projections: Vec<Projection>,
    feed_norm: Tensor<2>,
}

/// What a forward pass carries besides its tokens.
pub(crate) struct Around<'a> {
    /// Experts of the rows.
    pub(crate) mix: &'a Mix,
    /// Tokens whose last hidden state is wanted; all without it.
    pub(crate) needed: Option<&'a Arc<Vec<usize>>>,
    /// Keys and values of earlier tokens; the pass adds its own.
    pub(crate) cache: Option<&'a mut KvCache>,
    /// Dropout on the updates' input, in training.
    pub(crate) dropout: Option<&'a Dropout>,
}

impl Backbone {
    /// Names and shapes of all weights, in the order of the forward pass.
    pub(crate) fn names(shape: &BackboneShape) -> Vec<(String, Vec<usize>)> {
        let mut names = vec![("model.embed_tokens.weight".to_owned(), vec![shape.vocabulary, shape.hidden])];
        for layer in 0..shape.layers {
            let at = format!("model.layers.{layer}");
            names.push((format!("{at}.input_layernorm.weight"), vec![shape.hidden]));
            for entry in TARGETS {
                let (out, into) = (entry.widths)(shape);
                if entry.target == Target::Gate {
                    names.push((format!("{at}.post_attention_layernorm.weight"), vec![shape.hidden]));
                }
                names.push((format!("{at}.{}.weight", entry.module), vec![out, into]));
            }
        }
        names.push(("model.norm.weight".to_owned(), vec![shape.hidden]));
        if !shape.tied {
            names.push(("lm_head.weight".to_owned(), vec![shape.vocabulary, shape.hidden]));
        }
        names
    }

    /// Puts weights of these names and shapes on a device.
    ///
    /// # Errors
    /// A weight that is missing or has another shape; `path` is named in the message.
    pub(crate) fn load(
        shape: &BackboneShape,
        weights: &WeightMap,
        path: &Path,
        device: &Device,
        dtype: DType,
    ) -> Result<Self, NnError> {
        let mut tensors = Vec::new();
        for (name, sizes) in Self::names(shape) {
            tensors.push(weights::expect(weights, &name, &sizes, path)?.tensor(device, dtype));
        }
        Ok(Self::of(shape, &RotaryTable::new(shape.context, shape.head_width(), shape.rope_theta), &tensors))
    }

    /// A decoder of tensors in the order of [`Backbone::names`].
    pub(crate) fn of(shape: &BackboneShape, rotary: &RotaryTable, tensors: &[Tensor<2>]) -> Self {
        let mut tensors = tensors.iter().cloned();
        let mut next = || match tensors.next() {
            Some(tensor) => tensor,
            None => unreachable!("fewer tensors than names"),
        };
        let embedding = next();
        let mut layers = Vec::with_capacity(shape.layers);
        for _ in 0..shape.layers {
            let attention_norm = next();
            let mut projections: Vec<Projection> = (0..4).map(|_| Projection { weight: next() }).collect();
            let feed_norm = next();
            projections.extend((0..3).map(|_| Projection { weight: next() }));
            layers.push(Layer { attention_norm, projections, feed_norm });
        }
        let norm = next();
        let head = (!shape.tied).then(next);
        Self { shape: shape.clone(), embedding, layers, norm, head, rotary: rotary.clone() }
    }

    /// All weights, in the order of [`Backbone::names`].
    #[cfg(test)]
    pub(crate) fn tensors(&self) -> Vec<Tensor<2>> {
        let mut tensors = vec![self.embedding.clone()];
        for layer in &self.layers {
            tensors.push(layer.attention_norm.clone());
            tensors.extend(layer.projections[..4].iter().map(|projection| projection.weight.clone()));
            tensors.push(layer.feed_norm.clone());
            tensors.extend(layer.projections[4..].iter().map(|projection| projection.weight.clone()));
        }
        tensors.push(self.norm.clone());
        tensors.extend(self.head.clone());
        tensors
    }

    /// The matrix of the head, [vocabulary, hidden].
    pub(crate) fn head(&self) -> Tensor<2> {
        self.head.clone().unwrap_or_else(|| self.embedding.clone())
    }

    /// The embedding, [vocabulary, hidden].
    pub(crate) fn embedding(&self) -> Tensor<2> {
        self.embedding.clone()
    }

    /// Sizes of the attention heads.
    pub(crate) fn heads(&self) -> HeadShape {
        HeadShape { heads: self.shape.heads, kv_heads: self.shape.kv_heads, width: self.shape.head_width() }
    }

    /// The last hidden states, after the last norm, of the needed tokens: [needed, hidden].
    pub(crate) fn forward(&self, pass: &Pass, mut around: Around<'_>) -> Tensor<2> {
        let mut x = around.mix.embed(gather(self.embedding.clone(), pass.indices()), pass);
        for (number, layer) in self.layers.iter().enumerate() {
            x = self.layer(number, layer, x, pass, &mut around);
        }
        rms_norm(x, self.norm.clone(), self.shape.norm_epsilon)
    }

    fn layer(
        &self,
        number: usize,
        layer: &Layer,
        x: Tensor<2>,
        pass: &Pass,
        around: &mut Around<'_>,
    ) -> Tensor<2> {
        let mix = around.mix;
        let dropout = around.dropout;
        let project = |slot: usize, x: Tensor<2>, needed: Option<&Arc<Vec<usize>>>| {
            let update = mix.update(number, TARGETS[slot].target, pass, needed);
            layer.projections[slot].forward(x, update.as_ref(), dropout)
        };
        let epsilon = self.shape.norm_epsilon;

        let normal = rms_norm(x.clone(), layer.attention_norm.clone(), epsilon);
        let q = rotate(project(0, normal.clone(), None), &self.rotary, pass.positions());
        let k = rotate(project(1, normal.clone(), None), &self.rotary, pass.positions());
        let v = project(2, normal, None);
        let mixed = match &mut around.cache {
            Some(cache) => cache.attend(number, q, k, v, self.heads(), pass.segments()),
            None => attention(q, k, v, self.heads(), pass.segments()),
        };
        // Behind the last attention only the needed tokens go on.
        let needed = around.needed.filter(|_| number + 1 == self.layers.len());
        let (x, mixed) = match needed {
            Some(needed) => (gather(x, needed), gather(mixed, needed)),
            None => (x, mixed),
        };
        let x = x + project(3, mixed, needed);

        let normal = rms_norm(x.clone(), layer.feed_norm.clone(), epsilon);
        let gate = project(4, normal.clone(), needed);
        let up = project(5, normal, needed);
        x + project(6, swiglu(gate, up), needed)
    }
}
