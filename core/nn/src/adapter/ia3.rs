//! IA3 (Liu et al. 2022, "Few-shot parameter-efficient fine-tuning is better and cheaper than in-context learning"), as
//! in PEFT: a factor for each output of a projection, or, at the down-projection, for each of its inputs.

use burn::tensor::Tensor;
use cadre_checkpoint::Target;
use rand_chacha::ChaCha8Rng;

use super::kind::{Activation, Body, Kind, Named, PeftForm, TakeWeight};
use super::site::{Place, SideTensors};
use super::spec::AdapterSpec;
use crate::error::NnError;

pub(crate) const FACTORS: &str = "ia3_l";

pub(crate) struct Ia3;

/// Factors of a projection's outputs or inputs.
#[derive(Clone, Debug)]
pub(crate) struct Factors {
    /// The factors minus 1: `[1, out]`, or `[1, in]`.
    less_one: Tensor<2>,
    on_input: bool,
}

impl Factors {
    /// The update of the activation, `[n, out]`. As in PEFT, outputs are scaled with their bias.
    pub(super) fn act(&self, at: &Activation<'_>) -> Tensor<2> {
        if self.on_input {
            return (at.linear)(at.x.clone() * self.less_one.clone(), at.projection.weight.clone());
        }
        at.base.clone() * self.less_one.clone()
    }
}

/// Whether the inputs of a projection are scaled, not its outputs: PEFT's `feedforward_modules`.
pub(crate) fn on_input(target: Target) -> bool {
    target == Target::Down
}

impl Kind for Ia3 {
    fn trained(&self, _: &AdapterSpec, place: Place) -> Vec<Named> {
        vec![(FACTORS, vec![if on_input(place.site.target) { place.into } else { place.out }])]
    }

    fn start(
        &self,
        _: &str,
        sizes: &[usize],
        _: &Tensor<2>,
        _: &mut ChaCha8Rng,
    ) -> Result<Vec<f32>, NnError> {
        Ok(vec![1.0; sizes.iter().product()])
    }

    fn body(
        &self,
        _: &AdapterSpec,
        place: Place,
        _: &Tensor<2>,
        trained: &[Tensor<2>],
        _: &SideTensors,
    ) -> Body {
        Body::Vector(Factors { less_one: trained[0].clone() - 1.0, on_input: on_input(place.site.target) })
    }

    fn merge(
        &self,
        _: &AdapterSpec,
        place: Place,
        take: &TakeWeight<'_>,
        weight: &mut [f32],
    ) -> Result<(), NnError> {
        let factors = &take(FACTORS)?.values;
        for (row, factor) in weight.chunks_exact_mut(place.into).zip(0..) {
            for (column, value) in row.iter_mut().enumerate() {
                let index: usize = if on_input(place.site.target) { column } else { factor };
                *value *= factors[index];
            }
        }
        Ok(())
    }

    fn merge_bias(&self, place: Place, take: &TakeWeight<'_>, bias: &mut [f32]) -> Result<(), NnError> {
        if !on_input(place.site.target) {
            bias.iter_mut().zip(&take(FACTORS)?.values).for_each(|(bias, factor)| *bias *= factor);
        }
        Ok(())
    }

    /// PEFT stores a column of output factors, or a row of input factors.
    fn peft(&self) -> Option<PeftForm> {
        let shape = |place: Place, _: &str, sizes: &[usize]| {
            if on_input(place.site.target) { vec![1, sizes[0]] } else { vec![sizes[0], 1] }
        };
        Some(PeftForm { peft_type: "IA3", use_dora: false, shape })
    }
}
