//! What a kind of adapter defines, the table of kinds, and how an update acts on an activation. A new kind is one file
//! beside this one, a line in [`kind`], and, if its form is new, one in [`Body::act`].
//!
//! The update of an expert is its output minus the backbone's, so that experts of any kinds can be added up with
//! weights.

use burn::tensor::Tensor;
use rand_chacha::ChaCha8Rng;

use super::site::{Place, SideTensors};
use super::spec::{AdapterKind, AdapterSpec};
use super::{delta, dora, ia3, lora, sparse_delta};
use crate::error::NnError;
use crate::projection::{Linear, Projection};
use crate::weights::Weight;

/// A tensor's name below its site, and its shape.
pub(crate) type Named = (&'static str, Vec<usize>);

/// Returns the weight of a site by its name below the site.
pub(crate) type TakeWeight<'a> = dyn Fn(&str) -> Result<&'a Weight, NnError> + 'a;

/// A kind of adapter.
pub(crate) trait Kind: Sync {
    /// The trained tensors of a site. Vectors (one dimension) are not decayed.
    fn trained(&self, spec: &AdapterSpec, place: Place) -> Vec<Named>;

    /// The side tensors that the kind needs at a site.
    fn side(&self, _: &AdapterSpec, _: Place) -> Vec<Named> {
        Vec::new()
    }

    /// Initial values of a trained tensor, given the frozen weight `[out, in]`. They must compute what the backbone
    /// computes.
    ///
    /// # Errors
    /// The backend failed, or the kind is not trained.
    fn start(
        &self,
        tensor: &str,
        sizes: &[usize],
        weight: &Tensor<2>,
        rng: &mut ChaCha8Rng,
    ) -> Result<Vec<f32>, NnError>;

    /// The side tensors of a new expert, in the order of [`Kind::side`].
    fn start_side(&self, _: &AdapterSpec, _: Place, _: &mut ChaCha8Rng) -> Vec<Weight> {
        Vec::new()
    }

    /// What is wrong with a site's side tensors, whose shapes have been checked.
    ///
    /// # Errors
    /// Errors of `take`.
    fn side_problem(&self, _: Place, _: &TakeWeight<'_>) -> Result<Option<String>, NnError> {
        Ok(None)
    }

    /// The update, from the site's trained tensors in the order of [`Kind::trained`], its side tensors and its frozen
    /// weight.
    fn body(
        &self,
        spec: &AdapterSpec,
        place: Place,
        weight: &Tensor<2>,
        trained: &[Tensor<2>],
        side: &SideTensors,
    ) -> Body;

    /// Merges the update into the weight `[out, in]`, row-major.
    ///
    /// # Errors
    /// Errors of `take`.
    fn merge(
        &self,
        spec: &AdapterSpec,
        place: Place,
        take: &TakeWeight<'_>,
        weight: &mut [f32],
    ) -> Result<(), NnError>;

    /// Merges the update into the bias `[out]`.
    ///
    /// # Errors
    /// Errors of `take`.
    fn merge_bias(&self, _: Place, _: &TakeWeight<'_>, _: &mut [f32]) -> Result<(), NnError> {
        Ok(())
    }

    /// The form in PEFT's files, if PEFT has the kind.
    fn peft(&self) -> Option<PeftForm> {
        None
    }
}

/// How PEFT stores a kind.
pub(crate) struct PeftForm {
    /// `peft_type` in the configuration.
    pub(crate) peft_type: &'static str,
    /// `use_dora` in the configuration.
    pub(crate) use_dora: bool,
    /// A tensor's shape in PEFT's file.
    pub(crate) shape: fn(place: Place, tensor: &str, sizes: &[usize]) -> Vec<usize>,
}

/// The kind of an adapter.
pub(crate) fn kind(kind: AdapterKind) -> &'static dyn Kind {
    match kind {
        AdapterKind::Lora => &lora::Lora,
        AdapterKind::Ia3 => &ia3::Ia3,
        AdapterKind::Dora => &dora::Dora,
        AdapterKind::Delta => &delta::Delta,
        AdapterKind::SparseDelta => &sparse_delta::SparseDelta,
    }
}

/// The update of a projection by one expert.
#[derive(Clone, Debug)]
pub(crate) enum Body {
    LowRank(Box<lora::LowRank>),
    Vector(ia3::Factors),
    Dora(Box<dora::Decomposed>),
    /// `[out, in]`
    Delta(Tensor<2>),
}

/// An activation at a projection.
pub(crate) struct Activation<'a> {
    /// Input of the projection, `[n, in]`.
    pub(crate) x: Tensor<2>,
    /// The input after dropout, if there is any.
    pub(crate) dropped: Option<Tensor<2>>,
    /// Output of the projection without experts, `[n, out]`.
    pub(crate) base: Tensor<2>,
    pub(crate) projection: &'a Projection,
    pub(crate) linear: Linear,
}

impl Activation<'_> {
    /// The input that an update gets: after dropout, if there is any.
    pub(crate) fn input(&self) -> Tensor<2> {
        self.dropped.as_ref().unwrap_or(&self.x).clone()
    }
}

impl Body {
    /// What the update adds to the output of the projection, `[n, out]`.
    pub(crate) fn act(&self, at: &Activation<'_>) -> Tensor<2> {
        match self {
            Self::LowRank(low) => low.act(at),
            Self::Vector(factors) => factors.act(at),
            Self::Dora(decomposed) => decomposed.act(at),
            Self::Delta(delta) => (at.linear)(at.input(), delta.clone()),
        }
    }

    /// The rank of an update that is computed together with those of other experts.
    pub(crate) fn joined_rank(&self) -> usize {
        match self {
            Self::LowRank(low) => low.a.dims()[0],
            Self::Vector(_) | Self::Dora(_) | Self::Delta(_) => 0,
        }
    }
}
