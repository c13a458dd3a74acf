//! What is trained: a whole backbone, or one expert on a frozen one. Each says how its leaves give
//! a loss; neither knows the optimizer.

use burn::tensor::{DType, Tensor};
use cadre_checkpoint::BackboneShape;

use super::micro::Micro;
use crate::adapter::{AdapterSpec, AdapterTensors, Mix};
use crate::backbone::{Around, Backbone, Rotary};
use crate::kernel::cross_entropy;

/// Something with trained weights.
pub(crate) trait Trainee: Sync {
    /// The loss of a micro-batch, [1, 1], with these leaves in place of the parameters.
    fn loss(&self, leaves: &[Tensor<2>], micro: &Micro) -> Tensor<2>;
}

/// Pretraining: every weight of the backbone.
pub(crate) struct WholeTrainee {
    pub(crate) shape: BackboneShape,
    pub(crate) rotary: Rotary,
    pub(crate) dtype: DType,
}

/// Fine-tuning: one expert; the backbone is plain and gets no gradient, so nothing below the first
/// update is on the tape.
pub(crate) struct ExpertTrainee<'a> {
    pub(crate) backbone: &'a Backbone,
    pub(crate) spec: &'a AdapterSpec,
    pub(crate) dtype: DType,
}

impl Trainee for WholeTrainee {
    fn loss(&self, leaves: &[Tensor<2>], micro: &Micro) -> Tensor<2> {
        let backbone = Backbone::of(&self.shape, &self.rotary, &cast(leaves, self.dtype));
        loss(&backbone, &Mix::none(self.shape.vocabulary), micro)
    }
}

impl Trainee for ExpertTrainee<'_> {
    fn loss(&self, leaves: &[Tensor<2>], micro: &Micro) -> Tensor<2> {
        let shape = &self.backbone.shape;
        let expert = AdapterTensors::of(self.spec, shape, &cast(leaves, self.dtype));
        let device = self.backbone.embedding().device();
        let mix = Mix::single(expert, micro.rows, shape.vocabulary, &device);
        loss(self.backbone, &mix, micro)
    }
}

fn cast(leaves: &[Tensor<2>], dtype: DType) -> Vec<Tensor<2>> {
    let to = |leaf: &Tensor<2>| if leaf.dtype() == dtype { leaf.clone() } else { leaf.clone().cast(dtype) };
    leaves.iter().map(to).collect()
}

fn loss(backbone: &Backbone, mix: &Mix, micro: &Micro) -> Tensor<2> {
    let around = Around { mix, needed: Some(&micro.positions), cache: None, dropout: micro.dropout.as_ref() };
    let hidden = backbone.forward(&micro.pass, around);
    cross_entropy(hidden, backbone.head(), mix.added_head(), &micro.targets, &micro.weights)
}
