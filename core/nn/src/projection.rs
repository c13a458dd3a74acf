//! A linear projection: its weight, frozen or (in pretraining) trained, plus the updates of experts. Updates must be
//! added to the activation here, never to the weight.

use burn::tensor::Tensor;

use crate::adapter::{Shares, Update};
use crate::kernel::{gather, linear, linear_by_row};
use crate::training::Dropout;

/// A weight `[out, in]` and, in some families, a bias `[1, out]`.
#[derive(Clone, Debug)]
pub(crate) struct Projection {
    pub(crate) weight: Tensor<2>,
    pub(crate) bias: Option<Tensor<2>>,
}

/// Maps `x` and a weight to `x · Wᵀ`.
type Linear = fn(Tensor<2>, Tensor<2>) -> Tensor<2>;

/// How the matmuls of a pass are computed.
#[derive(Clone, Copy)]
pub(crate) enum Products<'a> {
    /// Each row independently, to the last bit: for inference, where results must not depend on other rows.
    ByRow,
    /// The fastest way, with a gradient, and with this dropout on the input of updates.
    Trained(Option<&'a Dropout>),
}

impl Projection {
    /// Applies the weight and the update to `x` `[n, in]`: `[n, out]`.
    pub(crate) fn forward(&self, x: Tensor<2>, update: Option<&Update>, products: Products<'_>) -> Tensor<2> {
        let (linear, dropout): (Linear, Option<&Dropout>) = match products {
            Products::ByRow => (linear_by_row, None),
            Products::Trained(dropout) => (linear, dropout),
        };
        let Some(update) = update else { return self.base(x, linear) };
        let base = self.base(x.clone(), linear);
        let x = match dropout {
            Some(dropout) => dropout.apply(x, update.site, update.needed.as_ref()),
            None => x,
        };
        let narrow = linear(x, update.a.clone());
        let narrow = match &update.shares {
            Shares::Whole(scale) => narrow * *scale,
            Shares::Rows { table, row_of } => narrow * gather(*table.clone(), row_of),
        };
        base + linear(narrow, update.b.clone())
    }

    fn base(&self, x: Tensor<2>, linear: Linear) -> Tensor<2> {
        let y = linear(x, self.weight.clone());
        match &self.bias {
            Some(bias) => y + bias.clone(),
            None => y,
        }
    }
}
