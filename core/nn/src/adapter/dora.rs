//! DoRA (Liu et al. 2024, "DoRA: weight-decomposed low-rank adaptation"), as in PEFT: with `V = W + scale · B A`, row i
//! of the weight is `mᵢ · Vᵢ / ‖Vᵢ‖`, where the magnitude m is trained. As in the paper's section 4.3, the norm is a
//! constant for the gradient.

use burn::tensor::{DType, Tensor};
use rand_chacha::ChaCha8Rng;

use super::kind::{Activation, Body, Kind, Named, PeftForm, TakeWeight};
use super::lora::{self, LowRank};
use super::site::{Place, SideTensors};
use super::spec::AdapterSpec;
use crate::error::NnError;
use crate::kernel::linear;
use crate::weights::download;

pub(crate) const MAGNITUDE: &str = "lora_magnitude_vector";

pub(crate) struct Dora;

/// A decomposed update.
#[derive(Clone, Debug)]
pub(crate) struct Decomposed {
    low: LowRank,
    /// `[1, out]`
    magnitude: Tensor<2>,
    /// Norms of the rows of V, without a gradient: `[1, out]`.
    norm: Tensor<2>,
}

impl Decomposed {
    /// The update of the activation, `[n, out]`. As in PEFT, dropout also applies to the input of the frozen weight
    /// within the update.
    pub(super) fn act(&self, at: &Activation<'_>) -> Tensor<2> {
        let base = match (&at.dropped, &at.projection.bias) {
            (Some(dropped), _) => (at.linear)(dropped.clone(), at.projection.weight.clone()),
            (None, Some(bias)) => at.base.clone() - bias.clone(),
            (None, None) => at.base.clone(),
        };
        let ratio = self.magnitude.clone() / self.norm.clone();
        base * (ratio.clone() - 1.0) + self.low.act(at) * ratio
    }
}

/// Norms of the rows of a matrix, `[1, rows]`.
fn row_norms(matrix: Tensor<2>) -> Tensor<2> {
    let rows = matrix.dims()[0];
    (matrix.clone() * matrix).sum_dim(1).sqrt().reshape([1, rows])
}

/// Norms of the rows of `weight + scale · b a`, untracked: `[1, out]`.
fn norms(weight: &Tensor<2>, low: &LowRank) -> Tensor<2> {
    let float = |tensor: &Tensor<2>| tensor.clone().inner().cast(DType::F32);
    let update = linear(float(&low.b), float(&low.a).transpose()) * low.scale;
    row_norms(float(weight) + update).cast(low.a.dtype())
}

impl Kind for Dora {
    fn trained(&self, spec: &AdapterSpec, place: Place) -> Vec<Named> {
        let mut tensors = lora::Lora.trained(spec, place);
        tensors.push((MAGNITUDE, vec![place.out]));
        tensors
    }

    /// The low-rank matrices as in LoRA; the magnitude is the norm of the weight's rows.
    fn start(
        &self,
        tensor: &str,
        sizes: &[usize],
        weight: &Tensor<2>,
        rng: &mut ChaCha8Rng,
    ) -> Result<Vec<f32>, NnError> {
        if tensor == MAGNITUDE {
            return download(row_norms(weight.clone().cast(DType::F32)));
        }
        Ok(lora::start(tensor, sizes, rng))
    }

    fn body(
        &self,
        spec: &AdapterSpec,
        _: Place,
        weight: &Tensor<2>,
        trained: &[Tensor<2>],
        _: &SideTensors,
    ) -> Body {
        let low = LowRank { a: trained[0].clone(), b: trained[1].clone(), scale: spec.scale() };
        let norm = norms(weight, &low);
        Body::Dora(Box::new(Decomposed { low, magnitude: trained[2].clone(), norm }))
    }

    fn merge(
        &self,
        spec: &AdapterSpec,
        place: Place,
        take: &TakeWeight<'_>,
        weight: &mut [f32],
    ) -> Result<(), NnError> {
        lora::merge(spec, place, take(lora::A)?, take(lora::B)?, weight);
        for (row, magnitude) in weight.chunks_exact_mut(place.into).zip(&take(MAGNITUDE)?.values) {
            let norm = row.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
            row.iter_mut().for_each(|value| *value *= magnitude / norm as f32);
        }
        Ok(())
    }

    fn peft(&self) -> Option<PeftForm> {
        Some(PeftForm { peft_type: "LORA", use_dora: true, shape: |_, _, sizes| sizes.to_vec() })
    }
}
