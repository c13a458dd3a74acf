//! Experts: those of the core, and those that a case of a reference gives as plain tensors.

use crate::bindings::exports::cadre::method::hooks;
use crate::{Named, Tensor, tensor};

/// Factors of a low-rank adapter: it adds `scale · (x A) B`.
#[derive(Clone, Copy, Debug)]
pub struct LowRank {
    /// `[in, rank]`.
    pub a: Tensor,
    /// `[rank, out]`.
    pub b: Tensor,
    /// α / rank, or what the adapter has in its place.
    pub scale: f64,
}

/// Where an expert is computed.
#[derive(Clone, Copy, Debug)]
enum Body {
    /// By the core, from the index at the site.
    Core(u32),
    /// By operations of the program, since a case has no experts in the core.
    Case(LowRank),
}

/// An expert of a site.
#[derive(Clone, Debug)]
pub struct Expert {
    /// Its task.
    pub name: String,
    /// Factors, if it is a low-rank adapter.
    pub factors: Option<LowRank>,
    /// Side tensors that the policy declares to need.
    pub tensors: Named,
    body: Body,
}

impl Expert {
    /// An expert of a case.
    pub fn of_case(name: &str, factors: LowRank) -> Self {
        Self {
            name: name.to_owned(),
            factors: Some(factors),
            tensors: Named::new(),
            body: Body::Case(factors),
        }
    }

    /// With a side tensor.
    #[must_use]
    pub fn with(mut self, name: &str, tensor: Tensor) -> Self {
        self.tensors.push(name, tensor);
        self
    }

    /// What it adds for x `[tokens, in]`: `[tokens, out]`, its scale included.
    #[track_caller]
    pub fn apply(&self, x: Tensor) -> Tensor {
        match self.body {
            Body::Core(index) => tensor::expert(index, x),
            Body::Case(LowRank { a, b, scale }) => x.matmul(a).matmul(b) * scale,
        }
    }

    /// The factors.
    ///
    /// # Errors
    /// The adapter is of another kind.
    pub fn low_rank(&self) -> Result<LowRank, String> {
        self.factors.ok_or_else(|| format!("expert `{}` is not a low-rank adapter", self.name))
    }

    pub(crate) fn of_core(raw: Vec<hooks::Expert>) -> Vec<Self> {
        (0u32..).zip(raw).map(|(index, raw)| Self::one_of_core(index, raw)).collect()
    }

    pub(crate) fn one_of_core(index: u32, raw: hooks::Expert) -> Self {
        let low_rank = |factors: hooks::LowRank| LowRank {
            a: Tensor::of(factors.a),
            b: Tensor::of(factors.b),
            scale: factors.scale,
        };
        Self {
            name: raw.name,
            factors: raw.factors.map(low_rank),
            tensors: raw.tensors.into(),
            body: Body::Core(index),
        }
    }
}
