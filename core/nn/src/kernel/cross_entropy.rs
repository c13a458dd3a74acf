//! Fused output head and cross-entropy. Logits exist for one block of rows at a time, and their gradient is computed in
//! place (as in Hsu et al. 2024, "Liger Kernel").

use std::sync::Arc;

use burn::tensor::activation::log_softmax;
use burn::tensor::{DType, Int, Tensor, TensorData};

use super::fused::{self, FusedOp, Panel};
use super::gemm::{View, new_product, product};
use super::half::HalfPanel;
use super::linear::view;
use super::simd::{exp, flush_small, max, sum_map, vectorised};

/// Logits per block: few enough to stay in the cache.
const LOGITS: usize = 1 << 21;

/// Minimum number of rows per block, whatever memory they take: each block packs the whole head for its matmuls, which
/// costs more for a large vocabulary than reading logits from memory.
const MIN_ROWS: usize = 128;

/// `Σ weight · -log softmax(h · [head; added]ᵀ)[target]`, in nats, as `[1, 1]`.
///
/// `hidden` is `[n, width]`, `head` is `[vocabulary, width]`, `added` is `[added tokens, width]` or `None`. Each target
/// is an id below vocabulary + added tokens.
pub(crate) fn cross_entropy(
    hidden: Tensor<2>,
    head: Tensor<2>,
    added: Option<Tensor<2>>,
    targets: &Arc<Vec<u32>>,
    weights: &Arc<Vec<f32>>,
) -> Tensor<2> {
    if fused::takes(&hidden) {
        let op = CrossEntropy { targets: Arc::clone(targets), weights: Arc::clone(weights) };
        return match (HalfPanel::of(&head), added) {
            (None, Some(added)) => fused::apply(op, [hidden, head, added]),
            (None, None) => fused::apply(Unadded(op), [hidden, head]),
            (Some(head), Some(added)) => fused::apply(Frozen { op, head }, [hidden, added]),
            (Some(head), None) => fused::apply(Frozen { op, head }, [hidden]),
        };
    }
    let device = hidden.device().inner();
    let mut logits = hidden.clone().matmul(head.transpose());
    if let Some(added) = added {
        logits = Tensor::cat(vec![logits, hidden.matmul(added.transpose())], 1);
    }
    let rows = targets.len();
    let targets: Vec<i64> = targets.iter().map(|&target| i64::from(target)).collect();
    let targets = Tensor::<2, Int>::from_data(TensorData::new(targets, [rows, 1]), &device);
    let weights = Tensor::<2>::from_data(TensorData::new(weights.to_vec(), [rows, 1]), &device);
    let picked = log_softmax(logits.cast(DType::F32), 1).gather(1, targets);
    (picked * weights).sum().neg().reshape([1, 1])
}

#[derive(Clone, Debug)]
struct CrossEntropy {
    targets: Arc<Vec<u32>>,
    weights: Arc<Vec<f32>>,
}

/// [`CrossEntropy`] without added tokens.
#[derive(Clone, Debug)]
struct Unadded(CrossEntropy);

/// [`CrossEntropy`] with a frozen head in bfloat16.
#[derive(Clone, Debug)]
struct Frozen {
    op: CrossEntropy,
    head: HalfPanel,
}

/// The head's weight matrix.
#[derive(Clone, Copy)]
enum Head<'a> {
    Single(&'a Panel),
    Half(&'a HalfPanel),
}

impl Head<'_> {
    fn rows(self) -> usize {
        match self {
            Self::Single(head) => head.rows,
            Self::Half(head) => head.rows,
        }
    }

    /// Logits of the given hidden states.
    fn logits(self, hidden: View<'_>) -> Vec<f32> {
        match self {
            Self::Single(head) => new_product(hidden, view(head).transposed(), 1.0),
            Self::Half(head) => head.times_transposed(hidden),
        }
    }

    /// Writes the gradient of the hidden states to `to`, given the gradient of their logits.
    fn back(self, to: &mut [f32], logits: View<'_>) {
        match self {
            Self::Single(head) => product(to, head.columns, logits, view(head), 1.0, false),
            Self::Half(head) => head.times(to, logits),
        }
    }
}

impl CrossEntropy {
    /// The loss, and the gradients of the tracked inputs for an output gradient of 1.
    fn compute(
        &self,
        hidden: &Panel,
        head: Head<'_>,
        added: Option<&Panel>,
        tracked: [bool; 3],
    ) -> (f64, [Option<Vec<f32>>; 3]) {
        let width = hidden.columns;
        let (vocabulary, extra) = (head.rows(), added.map_or(0, |added| added.rows));
        let zeros = |rows: usize| vec![0.0; rows * width];
        let [to_hidden, to_head, to_added] = tracked;
        let mut d_hidden = to_hidden.then(|| zeros(hidden.rows));
        let mut d_head = to_head.then(|| zeros(vocabulary));
        let mut d_added = (to_added && extra > 0).then(|| zeros(extra));
        let mut loss = 0.0;
        let block_rows = (LOGITS / vocabulary).clamp(MIN_ROWS, 1024);
        for first in (0..hidden.rows).step_by(block_rows) {
            let block = block_rows.min(hidden.rows - first);
            let h = View::dense(&hidden.data()[first * width..], block, width);
            let mut logits = head.logits(h);
            let mut more = added.map_or_else(Vec::new, |added| new_product(h, view(added).transposed(), 1.0));
            for row in 0..block {
                let at = first + row;
                let target = self.targets[at] as usize;
                let (logits, more) =
                    (&mut logits[row * vocabulary..][..vocabulary], &mut more[row * extra..][..extra]);
                let of_target = if target < vocabulary { logits[target] } else { more[target - vocabulary] };
                let weight = self.weights[at];
                let log_sum = softmax_times(logits, more, weight);
                loss += f64::from(weight) * (f64::from(log_sum) - f64::from(of_target));
                let slot =
                    if target < vocabulary { &mut logits[target] } else { &mut more[target - vocabulary] };
                *slot -= weight;
            }
            let d = View::dense(&logits, block, vocabulary);
            if let Some(to) = &mut d_hidden {
                head.back(&mut to[first * width..], d);
            }
            if let Some(to) = &mut d_head {
                product(to, width, d.transposed(), h, 1.0, true);
            }
            if let Some(added) = added.filter(|_| extra > 0) {
                let d = View::dense(&more, block, extra);
                if let Some(to) = &mut d_hidden {
                    product(&mut to[first * width..], width, d, view(added), 1.0, true);
                }
                if let Some(to) = &mut d_added {
                    product(to, width, d.transposed(), h, 1.0, true);
                }
            }
        }
        (loss, [d_hidden, d_head, d_added])
    }
}

vectorised! {
    /// Replaces the two parts of a row of logits with `weight` times their joint softmax. Returns the log-sum-exp.
    fn softmax_times(logits: &mut [f32], more: &mut [f32], weight: f32) -> f32 {
        let largest = max(logits);
        let largest = max(more).max(largest);
        let sum = sum_map(logits, |logit| exp(logit - largest)) + sum_map(more, |logit| exp(logit - largest));
        let share = weight / sum;
        for value in logits {
            *value = flush_small(*value * share);
        }
        for value in more {
            *value = flush_small(*value * share);
        }
        largest + sum.ln()
    }
}

/// Gradients of the inputs for an output gradient of 1; `None` for inputs that are not tracked.
type Gradients<const N: usize> = [Option<Panel>; N];

fn scaled<const N: usize>(gradients: Gradients<N>, gradient: &Panel) -> Gradients<N> {
    let factor = gradient.data()[0];
    gradients.map(|panel| {
        let panel = panel?;
        if factor.to_bits() == 1.0f32.to_bits() {
            return Some(panel);
        }
        let data = panel.data().iter().map(|value| value * factor).collect();
        Some(Panel::new(data, panel.rows, panel.columns))
    })
}

fn panels(gradients: [Option<Vec<f32>>; 3], width: usize) -> [Option<Panel>; 3] {
    gradients.map(|data| {
        let data = data?;
        let rows = data.len() / width;
        Some(Panel::new(data, rows, width))
    })
}

impl FusedOp<3> for CrossEntropy {
    type Saved = Gradients<3>;

    fn forward(&self, [hidden, head, added]: [Panel; 3], tracked: [bool; 3]) -> (Panel, Self::Saved) {
        let (loss, gradients) = self.compute(&hidden, Head::Single(&head), Some(&added), tracked);
        (Panel::new(vec![loss as f32], 1, 1), panels(gradients, hidden.columns))
    }

    fn backward(&self, saved: Self::Saved, gradient: Panel, _: [bool; 3]) -> Gradients<3> {
        scaled(saved, &gradient)
    }
}

impl FusedOp<2> for Unadded {
    type Saved = Gradients<2>;

    fn forward(&self, [hidden, head]: [Panel; 2], [to_hidden, to_head]: [bool; 2]) -> (Panel, Self::Saved) {
        let (loss, gradients) =
            self.0.compute(&hidden, Head::Single(&head), None, [to_hidden, to_head, false]);
        let [d_hidden, d_head, _] = panels(gradients, hidden.columns);
        (Panel::new(vec![loss as f32], 1, 1), [d_hidden, d_head])
    }

    fn backward(&self, saved: Self::Saved, gradient: Panel, _: [bool; 2]) -> Gradients<2> {
        scaled(saved, &gradient)
    }
}

impl FusedOp<2> for Frozen {
    type Saved = Gradients<2>;

    fn forward(&self, [hidden, added]: [Panel; 2], [to_hidden, to_added]: [bool; 2]) -> (Panel, Self::Saved) {
        let head = Head::Half(&self.head);
        let (loss, found) = self.op.compute(&hidden, head, Some(&added), [to_hidden, false, to_added]);
        let [d_hidden, _, d_added] = panels(found, hidden.columns);
        (Panel::new(vec![loss as f32], 1, 1), [d_hidden, d_added])
    }

    fn backward(&self, saved: Self::Saved, gradient: Panel, _: [bool; 2]) -> Gradients<2> {
        scaled(saved, &gradient)
    }
}

impl FusedOp<1> for Frozen {
    type Saved = Gradients<1>;

    fn forward(&self, [hidden]: [Panel; 1], [to_hidden]: [bool; 1]) -> (Panel, Self::Saved) {
        let head = Head::Half(&self.head);
        let (loss, found) = self.op.compute(&hidden, head, None, [to_hidden, false, false]);
        let [d_hidden, ..] = panels(found, hidden.columns);
        (Panel::new(vec![loss as f32], 1, 1), [d_hidden])
    }

    fn backward(&self, saved: Self::Saved, gradient: Panel, _: [bool; 1]) -> Gradients<1> {
        scaled(saved, &gradient)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gradients_of_confident_answers_are_never_subnormal() {
        let mut logits: Vec<f32> = (0..100).map(|id| -1.3 * id as f32).collect();
        let mut more = vec![-95.0, 1.0];
        let log_sum = softmax_times(&mut logits, &mut more, 1e-3);
        assert!((log_sum - 1.4093).abs() < 1e-3, "{log_sum}");
        let all = || logits.iter().chain(&more);
        assert!(all().all(|share| *share == 0.0 || *share > 1e-35), "{logits:?}");
        assert!((all().sum::<f32>() - 1e-3).abs() < 1e-8);
    }
}
