//! Published methods as native objectives. They are the reference for the same methods as plugins.

use burn::tensor::{Tensor, TensorData};

use super::{
    GradientTensors, Moments, Objective, StepContext, Stepped, SteppedTensors, TermTensors, WeightShape,
};
use crate::error::NnError;
use crate::training::named::{NamedTensor, TensorName, TensorsByName};

/// How O-LoRA measures the overlap of two experts at a site.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Overlap {
    /// Sum of absolute values: the released code.
    Absolute,
    /// Sum of squares: the paper.
    Square,
}

/// O-LoRA (Wang et al. 2023, arXiv:2310.14152): `orthogonality · Σ |A_old · Aᵀ| + size · Σ (‖A‖ + ‖B‖)` over all sites
/// and earlier experts, with the absolute value or the square.
pub(super) struct OLora {
    pub(super) orthogonality: f64,
    pub(super) size: f64,
    pub(super) overlap: Overlap,
}

impl Objective for OLora {
    fn name(&self) -> &str {
        "o-lora"
    }

    fn identity(&self) -> serde_json::Value {
        serde_json::json!([self.orthogonality, self.size, self.overlap == Overlap::Square])
    }

    fn moments(&self) -> Moments {
        Moments { term: true, ..Moments::default() }
    }

    fn term(&self, at: &StepContext<'_>, of: &TermTensors<'_>) -> Result<Option<Tensor<1>>, NnError> {
        let mut sum = number(0.0, at);
        for (name, new) in &of.trained.0 {
            if name.name == "a" {
                for old in of.earlier.iter().filter_map(|expert| expert.get(name)) {
                    let product = old.matmul(new.clone().transpose());
                    let overlap = match self.overlap {
                        Overlap::Absolute => product.abs(),
                        Overlap::Square => product.clone() * product,
                    };
                    sum = sum + overlap.sum().mul_scalar(self.orthogonality);
                }
            }
            if self.size != 0.0 && matches!(name.name.as_str(), "a" | "b") {
                sum = sum + norm(new.clone()).mul_scalar(self.size);
            }
        }
        Ok(Some(sum))
    }
}

/// Frobenius norm, `[1]`, with gradient 0 at 0.
fn norm(x: Tensor<2>) -> Tensor<1> {
    let squares = (x.clone() * x).sum();
    let zero = squares.clone().equal_elem(0.0);
    squares.mask_fill(zero.clone(), 1.0).sqrt().mask_fill(zero, 0.0)
}

fn number(value: f32, at: &StepContext<'_>) -> Tensor<1> {
    Tensor::from_data(TensorData::new(vec![value], [1]), at.device)
}

/// EWC (Kirkpatrick et al. 2016, arXiv:1612.00796): `strength / 2 · Σ F (θ − θ*)²`, one penalty per earlier task `k`,
/// with the buffers `<weight>.fisher.<k>` and `<weight>.anchor.<k>`. Without a Fisher buffer F is 1: L2-SP (Li et al.
/// 2018, arXiv:1802.01483).
pub(super) struct Ewc {
    pub(super) strength: f64,
}

impl Objective for Ewc {
    fn name(&self) -> &str {
        "ewc"
    }

    fn identity(&self) -> serde_json::Value {
        self.strength.into()
    }

    fn moments(&self) -> Moments {
        Moments { term: true, ..Moments::default() }
    }

    fn term(&self, at: &StepContext<'_>, of: &TermTensors<'_>) -> Result<Option<Tensor<1>>, NnError> {
        let mut sum = number(0.0, at);
        for (name, theta) in &of.trained.0 {
            for task in 0.. {
                let Some(anchor) = of.buffers.get(&name.about(&format!("anchor.{task}"))) else { break };
                let distance = theta.clone() - anchor;
                let squares = distance.clone() * distance;
                let weighted = match of.buffers.get(&name.about(&format!("fisher.{task}"))) {
                    Some(fisher) => fisher * squares,
                    None => squares,
                };
                sum = sum + weighted.sum().mul_scalar(0.5 * self.strength);
            }
        }
        Ok(Some(sum))
    }
}

/// The Fisher information as TRACE's code computes it: the square of every step's gradient, divided by the number of
/// steps per epoch, is added to the buffer `<weight>.fisher`.
pub(super) struct RunningFisher {
    pub(super) steps_per_epoch: f64,
}

impl Objective for RunningFisher {
    fn name(&self) -> &str {
        "running-fisher"
    }

    fn identity(&self) -> serde_json::Value {
        self.steps_per_epoch.into()
    }

    fn moments(&self) -> Moments {
        Moments { after_step: true, ..Moments::default() }
    }

    fn buffers(&self, trained: &[WeightShape<'_>]) -> Vec<NamedTensor> {
        let zeros = |weight: &WeightShape<'_>| NamedTensor {
            name: weight.name.about("fisher"),
            shape: weight.shape.to_vec(),
            values: vec![0.0; weight.shape.iter().product()],
        };
        trained.iter().map(zeros).collect()
    }

    fn after_step(&self, _: &StepContext<'_>, of: &SteppedTensors<'_>) -> Result<Stepped, NnError> {
        let name = of.name.about("fisher");
        let more = (of.gradient.clone() * of.gradient.clone()).div_scalar(self.steps_per_epoch);
        let fisher = buffer(self, of.buffers, &name)? + more;
        Ok(Stepped { weight: None, buffers: vec![(name, fisher)] })
    }
}

/// HFT (Hui et al. 2024, arXiv:2404.18466): elements whose buffer `<weight>.trains` is 0 keep their value; a weight
/// without that buffer trains.
pub(super) struct Hft;

impl Objective for Hft {
    fn name(&self) -> &str {
        "hft"
    }

    fn identity(&self) -> serde_json::Value {
        serde_json::Value::Null
    }

    fn moments(&self) -> Moments {
        Moments { after_step: true, ..Moments::default() }
    }

    fn after_step(&self, _: &StepContext<'_>, of: &SteppedTensors<'_>) -> Result<Stepped, NnError> {
        let masked = of.buffers.get(&of.name.about("trains")).map(|trains| {
            let trains = trains.greater_elem(0.5);
            of.before.clone().mask_where(trains, of.after.clone())
        });
        Ok(Stepped { weight: masked, buffers: Vec::new() })
    }
}

/// OSF's projection of gradients (Nayak et al. 2025, arXiv:2504.07097) out of the subspaces in the buffers `left` (its
/// columns, for a weight `u`) and `right` (its rows, for a weight `vt`).
pub(super) struct Osf;

impl Objective for Osf {
    fn name(&self) -> &str {
        "osf"
    }

    fn identity(&self) -> serde_json::Value {
        serde_json::Value::Null
    }

    fn moments(&self) -> Moments {
        Moments { gradient: true, ..Moments::default() }
    }

    fn gradient(&self, _: &StepContext<'_>, of: &GradientTensors<'_>) -> Result<Option<Tensor<2>>, NnError> {
        let of_site = |name: &str| TensorName { site: of.name.site, name: name.into() };
        let g = of.gradient.clone();
        Ok(match of.name.name.as_str() {
            "u" => {
                let left = buffer(self, of.buffers, &of_site("left"))?;
                Some(g.clone() - left.clone().matmul(left.transpose().matmul(g)))
            }
            "vt" => {
                let right = buffer(self, of.buffers, &of_site("right"))?;
                Some(g.clone() - g.matmul(right.clone().transpose()).matmul(right))
            }
            _ => None,
        })
    }
}

fn buffer(
    objective: &dyn Objective,
    buffers: &TensorsByName,
    name: &TensorName,
) -> Result<Tensor<2>, NnError> {
    let missing = || NnError::Objective {
        objective: objective.name().into(),
        problem: format!("the buffer `{name}` is missing"),
    };
    buffers.get(name).ok_or_else(missing)
}
