//! LoRA (Hu et al. 2021): `y + scale · x Aᵀ Bᵀ`.

use burn::tensor::Tensor;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::kind::{Activation, Body, Kind, Named, PeftForm, TakeWeight};
use super::site::{Place, SideTensors};
use super::spec::AdapterSpec;
use crate::error::NnError;
use crate::kernel::gemm::{View, product};
use crate::weights::Weight;

pub(crate) const A: &str = "lora_A.weight";
pub(crate) const B: &str = "lora_B.weight";

pub(crate) struct Lora;

/// A low-rank update.
#[derive(Clone, Debug)]
pub(crate) struct LowRank {
    /// `[rank, in]`
    pub(crate) a: Tensor<2>,
    /// `[out, rank]`
    pub(crate) b: Tensor<2>,
    pub(crate) scale: f32,
}

impl LowRank {
    /// The update of the activation, `[n, out]`. A mixture computes low-rank updates of all experts at once instead.
    pub(super) fn act(&self, at: &Activation<'_>) -> Tensor<2> {
        let narrow = (at.linear)(at.input(), self.a.clone());
        (at.linear)(narrow * self.scale, self.b.clone())
    }
}

impl Kind for Lora {
    fn trained(&self, spec: &AdapterSpec, place: Place) -> Vec<Named> {
        vec![(A, vec![spec.rank, place.into]), (B, vec![place.out, spec.rank])]
    }

    /// `A` is uniform within ±1/√in (Kaiming initialisation with a = √5, as in PEFT) and `B` is zero.
    fn start(
        &self,
        tensor: &str,
        sizes: &[usize],
        _: &Tensor<2>,
        rng: &mut ChaCha8Rng,
    ) -> Result<Vec<f32>, NnError> {
        Ok(start(tensor, sizes, rng))
    }

    fn body(
        &self,
        spec: &AdapterSpec,
        _: Place,
        _: &Tensor<2>,
        trained: &[Tensor<2>],
        _: &SideTensors,
    ) -> Body {
        Body::LowRank(Box::new(LowRank { a: trained[0].clone(), b: trained[1].clone(), scale: spec.scale() }))
    }

    fn merge(
        &self,
        spec: &AdapterSpec,
        place: Place,
        take: &TakeWeight<'_>,
        weight: &mut [f32],
    ) -> Result<(), NnError> {
        merge(spec, place, take(A)?, take(B)?, weight);
        Ok(())
    }

    fn peft(&self) -> Option<PeftForm> {
        Some(PeftForm { peft_type: "LORA", use_dora: false, shape: |_, _, sizes| sizes.to_vec() })
    }
}

/// Initial values of a matrix of a low-rank update.
pub(super) fn start(tensor: &str, sizes: &[usize], rng: &mut ChaCha8Rng) -> Vec<f32> {
    let count = sizes.iter().product();
    if tensor != A {
        return vec![0.0; count];
    }
    let bound = 1.0 / (sizes[1] as f32).sqrt();
    (0..count).map(|_| rng.random_range(-bound..bound)).collect()
}

/// Adds `scale · B A` to a weight.
pub(super) fn merge(spec: &AdapterSpec, place: Place, a: &Weight, b: &Weight, weight: &mut [f32]) {
    let ([rank, into], [wide, _]) = (a.sizes(), b.sizes());
    let (a, b) = (View::dense(&a.values, rank, into), View::dense(&b.values, wide, rank));
    product(weight, place.into, b, a, spec.scale(), true);
}
