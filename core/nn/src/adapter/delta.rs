//! A dense change of a weight: `x (W + Δ)ᵀ`. Experts of this kind are read, merged and run; no stage makes them yet.

use burn::tensor::Tensor;
use rand_chacha::ChaCha8Rng;

use super::kind::{Body, Kind, Named, TakeWeight};
use super::site::{Place, SideTensors};
use super::spec::{AdapterKind, AdapterSpec};
use crate::error::NnError;

pub(crate) const DELTA: &str = "delta";

pub(crate) struct Delta;

impl Kind for Delta {
    fn trained(&self, _: &AdapterSpec, place: Place) -> Vec<Named> {
        vec![(DELTA, vec![place.out, place.into])]
    }

    fn start(&self, _: &str, _: &[usize], _: &Tensor<2>, _: &mut ChaCha8Rng) -> Result<Vec<f32>, NnError> {
        Err(NnError::NotTrained { kind: AdapterKind::Delta.name() })
    }

    fn body(&self, _: &AdapterSpec, _: Place, _: &Tensor<2>, trained: &[Tensor<2>], _: &SideTensors) -> Body {
        Body::Delta(trained[0].clone())
    }

    fn merge(
        &self,
        _: &AdapterSpec,
        _: Place,
        take: &TakeWeight<'_>,
        weight: &mut [f32],
    ) -> Result<(), NnError> {
        weight.iter_mut().zip(&take(DELTA)?.values).for_each(|(value, delta)| *value += delta);
        Ok(())
    }
}
