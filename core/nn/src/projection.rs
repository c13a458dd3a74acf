//! A linear projection: its weight, frozen or (in pretraining) trained, plus the updates of experts. Updates must be
//! added to the activation here, never to the weight.

use burn::tensor::Tensor;

use crate::adapter::{Activation, ApartUpdate, JoinedUpdate, Shares, Tokens, Update};
use crate::kernel::{gather, linear, linear_by_row};
use crate::training::Dropout;
use crate::weights::upload;

/// A weight `[out, in]` and, in some families, a bias `[1, out]`.
#[derive(Clone, Debug)]
pub(crate) struct Projection {
    pub(crate) weight: Tensor<2>,
    pub(crate) bias: Option<Tensor<2>>,
}

/// Maps `x` and a weight to `x · Wᵀ`.
pub(crate) type Linear = fn(Tensor<2>, Tensor<2>) -> Tensor<2>;

/// How the matmuls of a pass are computed.
#[derive(Clone, Copy)]
pub(crate) enum Products<'a> {
    /// Each row independently, to the last bit: for inference, where results must not depend on other rows.
    ByRow,
    /// The fastest way, with a gradient, and with this dropout on the input of updates.
    Trained(Option<&'a Dropout>),
}

impl Projection {
    /// Applies the weight and the updates to `x` `[n, in]`: `[n, out]`.
    pub(crate) fn forward(&self, x: Tensor<2>, update: Option<&Update>, products: Products<'_>) -> Tensor<2> {
        let (linear, dropout): (Linear, Option<&Dropout>) = match products {
            Products::ByRow => (linear_by_row, None),
            Products::Trained(dropout) => (linear, dropout),
        };
        let Some(update) = update else { return self.base(x, linear) };
        let base = self.base(x.clone(), linear);
        let dropped = dropout.map(|dropout| dropout.apply(x.clone(), update.site, update.needed.as_ref()));
        if update.apart.is_empty() {
            return joined(base, update.joined.as_ref(), dropped.unwrap_or(x), linear);
        }
        let at = Activation { x, dropped, base, projection: self, linear };
        let y = joined(at.base.clone(), update.joined.as_ref(), at.input(), linear);
        update.apart.iter().fold(y, |y, update| y + apart(update, &at))
    }

    fn base(&self, x: Tensor<2>, linear: Linear) -> Tensor<2> {
        let y = linear(x, self.weight.clone());
        match &self.bias {
            Some(bias) => y + bias.clone(),
            None => y,
        }
    }
}

/// Adds the low-rank updates of all experts to `base`.
fn joined(base: Tensor<2>, update: Option<&JoinedUpdate>, x: Tensor<2>, linear: Linear) -> Tensor<2> {
    let Some(update) = update else { return base };
    let narrow = linear(x, update.a.clone());
    let narrow = match &update.shares {
        Shares::Whole(scale) => narrow * *scale,
        Shares::Rows { table, row_of } => narrow * gather(*table.clone(), row_of),
    };
    base + linear(narrow, update.b.clone())
}

/// The weighted update of one expert, `[n, out]`; zero for tokens of other experts.
fn apart(update: &ApartUpdate, at: &Activation<'_>) -> Tensor<2> {
    match &update.tokens {
        Tokens::All(weight) => scaled(update.body.act(at), *weight),
        Tokens::Some { chosen, place_of, weights } => {
            let of = |tensor: &Tensor<2>| gather(tensor.clone(), chosen);
            let own = Activation {
                x: of(&at.x),
                dropped: at.dropped.as_ref().map(of),
                base: of(&at.base),
                projection: at.projection,
                linear: at.linear,
            };
            let y = update.body.act(&own);
            let y = if weights.iter().any(|weight| *weight != 1.0) {
                let device = y.device().inner();
                let weights = upload(weights.clone(), [weights.len(), 1], &device).cast(y.dtype());
                y * weights
            } else {
                y
            };
            gather(y, place_of)
        }
    }
}

fn scaled(y: Tensor<2>, weight: f32) -> Tensor<2> {
    if weight == 1.0 { y } else { y * weight }
}
