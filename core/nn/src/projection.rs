//! A linear slot: its frozen (or, in pretraining, trained) weight, and the one place where
//! "output of the base + updates of the experts" is decided. Updates are added to the activation,
//! never to the weight.

use burn::tensor::Tensor;

use crate::adapter::{Shares, Update};
use crate::kernel::{gather, linear};
use crate::training::Dropout;

/// A weight [out, in] and, in some families, a bias [1, out].
#[derive(Clone, Debug)]
pub(crate) struct Projection {
    pub(crate) weight: Tensor<2>,
    pub(crate) bias: Option<Tensor<2>>,
}

impl Projection {
    /// `x` [n, in] through the weight and the update, as [n, out].
    pub(crate) fn forward(
        &self,
        x: Tensor<2>,
        update: Option<&Update>,
        dropout: Option<&Dropout>,
    ) -> Tensor<2> {
        let Some(update) = update else { return self.base(x) };
        let base = self.base(x.clone());
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

    fn base(&self, x: Tensor<2>) -> Tensor<2> {
        let y = linear(x, self.weight.clone());
        match &self.bias {
            Some(bias) => y + bias.clone(),
            None => y,
        }
    }
}
