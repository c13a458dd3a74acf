//! What is trained: a whole backbone, or one expert on a frozen backbone, or a part of either. A trainee maps parameters
//! to a model; it must not depend on the optimizer.

use std::borrow::Cow;

use burn::tensor::{DType, Tensor};
use cadre_checkpoint::BackboneShape;

use super::micro::Micro;
use crate::adapter::{AdapterSpec, AdapterTensors, Mix, SitesSide};
use crate::backbone::{Backbone, PassContext, Rotary};
use crate::error::NnError;
use crate::kernel::cross_entropy;
use crate::projection::Products;

/// A model with trained weights.
pub(crate) trait Trainee: Sync {
    /// The model with these tensors as its parameters, for batches of `rows` rows. The tensors are used as they are:
    /// leaves of a tape, or plain tensors.
    ///
    /// # Errors
    /// The number of tensors differs from the number of parameters.
    fn model(&self, tensors: &[Tensor<2>], rows: usize) -> Result<Trained<'_>, NnError>;
}

/// A decoder, and the expert on it if one is trained.
pub(crate) struct Trained<'a> {
    backbone: Cow<'a, Backbone>,
    mix: Mix,
}

/// Pretraining: every weight of the backbone is trained.
pub(crate) struct WholeTrainee {
    pub(crate) shape: BackboneShape,
    pub(crate) rotary: Rotary,
    pub(crate) dtype: DType,
}

/// Fine-tuning: one expert is trained. The backbone is untracked and gets no gradient, so nothing below the first
/// update is on the tape.
pub(crate) struct ExpertTrainee<'a> {
    pub(crate) backbone: &'a Backbone,
    pub(crate) spec: &'a AdapterSpec,
    /// Side tensors of the expert; they are not trained.
    pub(crate) side: &'a SitesSide,
    pub(crate) dtype: DType,
}

impl Trainee for WholeTrainee {
    fn model(&self, tensors: &[Tensor<2>], _: usize) -> Result<Trained<'_>, NnError> {
        let backbone = Backbone::of(&self.shape, &self.rotary, &cast(tensors, self.dtype))?;
        Ok(Trained { backbone: Cow::Owned(backbone), mix: Mix::none(self.shape.vocabulary) })
    }
}

impl Trainee for ExpertTrainee<'_> {
    fn model(&self, tensors: &[Tensor<2>], rows: usize) -> Result<Trained<'_>, NnError> {
        let shape = &self.backbone.shape;
        let expert = AdapterTensors::of(self.spec, self.backbone, &cast(tensors, self.dtype), self.side)?;
        let device = self.backbone.embedding().device();
        let mix = Mix::single(expert, rows, shape.vocabulary, &device);
        Ok(Trained { backbone: Cow::Borrowed(self.backbone), mix })
    }
}

/// A trainee some of whose weights are frozen.
pub(crate) struct PartTrainee<'a> {
    pub(crate) whole: &'a dyn Trainee,
    /// One entry per weight of `whole`, in its order: the frozen tensor, or `None` if the weight is trained.
    pub(crate) frozen: Vec<Option<Tensor<2>>>,
}

impl Trainee for PartTrainee<'_> {
    fn model(&self, tensors: &[Tensor<2>], rows: usize) -> Result<Trained<'_>, NnError> {
        let mut trained = tensors.iter().cloned();
        let all: Vec<Tensor<2>> =
            self.frozen.iter().filter_map(|frozen| frozen.clone().or_else(|| trained.next())).collect();
        self.whole.model(&all, rows)
    }
}

fn cast(tensors: &[Tensor<2>], dtype: DType) -> Vec<Tensor<2>> {
    let to = |tensor: &Tensor<2>| {
        if tensor.dtype() == dtype { tensor.clone() } else { tensor.clone().cast(dtype) }
    };
    tensors.iter().map(to).collect()
}

impl Trained<'_> {
    /// Number of layers.
    pub(crate) fn layers(&self) -> usize {
        self.backbone.shape.layers
    }

    /// The loss of a micro-batch, `[1, 1]`.
    pub(crate) fn loss(&self, micro: &Micro) -> Tensor<2> {
        let x = (0..self.layers()).fold(self.enter(micro), |x, number| self.layer(number, x, micro));
        self.loss_of(x, micro)
    }

    /// The input of the first layer: `[tokens, hidden]`.
    pub(crate) fn enter(&self, micro: &Micro) -> Tensor<2> {
        self.backbone.enter(&micro.pass, &self.mix)
    }

    /// Applies a layer to its input. The last layer returns only the tokens with a loss.
    pub(crate) fn layer(&self, number: usize, x: Tensor<2>, micro: &Micro) -> Tensor<2> {
        let mut around = PassContext {
            mix: &self.mix,
            needed: Some(&micro.positions),
            cache: None,
            products: Products::Trained(micro.dropout.as_ref()),
        };
        self.backbone.layer(number, x, &micro.pass, &mut around)
    }

    /// The loss, `[1, 1]`, from the output of the last layer.
    pub(crate) fn loss_of(&self, x: Tensor<2>, micro: &Micro) -> Tensor<2> {
        let hidden = self.backbone.leave(x);
        let head = self.backbone.head();
        cross_entropy(hidden, head, self.mix.added_head(), &micro.targets, &micro.weights)
    }
}
