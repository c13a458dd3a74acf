//! The gated activation of the feed-forward block (Shazeer 2020): `gate · sigmoid(u(gate)) · up`. For SwiGLU, `u(x) =
//! x`; for GeGLU, `u` is the polynomial that makes it the tanh-approximated GELU.

use std::mem::MaybeUninit;

use burn::tensor::Tensor;
use burn::tensor::activation::{gelu_approximate, silu};
use cadre_checkpoint::Activation;
use rayon::prelude::*;

use super::fused::{self, FusedOp, Panel};
use super::simd::{sigmoid, vectorised};

/// `activation(gate) · up`, elementwise.
pub(crate) fn gated(gate: Tensor<2>, up: Tensor<2>, activation: Activation) -> Tensor<2> {
    if fused::takes(&gate) {
        return fused::apply(Gated { activation }, [gate, up]);
    }
    match activation {
        Activation::Silu => silu(gate) * up,
        Activation::GeluTanh => gelu_approximate(gate) * up,
    }
}

/// `0.5 (1 + tanh(√(2/π) (x + 0.044715 x³)))` is `sigmoid(SLOPE (x + CUBE x³))`.
const SLOPE: f32 = 1.595_769_2;
const CUBE: f32 = 0.044_715;

/// Elements per parallel job.
const JOB: usize = 1 << 15;

#[derive(Clone, Debug)]
struct Gated {
    activation: Activation,
}

impl FusedOp<2> for Gated {
    type Saved = (Panel, Panel);

    fn forward(&self, [gate, up]: [Panel; 2], _: [bool; 2]) -> (Panel, Self::Saved) {
        assert_eq!((gate.rows, gate.columns), (up.rows, up.columns), "gate and up");
        let fill = |y: &mut [MaybeUninit<f32>]| {
            y.par_chunks_mut(JOB).zip(gate.data().par_chunks(JOB)).zip(up.data().par_chunks(JOB)).for_each(
                |((y, gate), up)| match self.activation {
                    Activation::Silu => forward(y, gate, up),
                    Activation::GeluTanh => forward_gelu(y, gate, up),
                },
            );
        };
        // SAFETY: the output and both inputs have the same number of elements; each job writes all of its elements.
        let y = unsafe { Panel::filled(gate.rows, gate.columns, fill) };
        (y, (gate, up))
    }

    fn backward(&self, (gate, up): Self::Saved, gradient: Panel, tracked: [bool; 2]) -> [Option<Panel>; 2] {
        let (rows, columns) = (gate.rows, gate.columns);
        assert_eq!((rows, columns), (gradient.rows, gradient.columns), "value and gradient");
        let mut d_gate = None;
        let fill_both = |d_up: &mut [MaybeUninit<f32>]| {
            let fill = |d_gate: &mut [MaybeUninit<f32>]| {
                d_gate
                    .par_chunks_mut(JOB)
                    .zip(d_up.par_chunks_mut(JOB))
                    .zip(gate.data().par_chunks(JOB))
                    .zip(up.data().par_chunks(JOB))
                    .zip(gradient.data().par_chunks(JOB))
                    .for_each(|((((d_gate, d_up), gate), up), dy)| match self.activation {
                        Activation::Silu => backward(d_gate, d_up, gate, up, dy),
                        Activation::GeluTanh => backward_gelu(d_gate, d_up, gate, up, dy),
                    });
            };
            // SAFETY: all five have the same number of elements; each job writes all of its elements.
            d_gate = Some(unsafe { Panel::filled(rows, columns, fill) });
        };
        // SAFETY: as above.
        let d_up = unsafe { Panel::filled(rows, columns, fill_both) };
        let [to_gate, to_up] = tracked;
        [d_gate.filter(|_| to_gate), to_up.then_some(d_up)]
    }
}

vectorised! {
    fn forward(y: &mut [MaybeUninit<f32>], gate: &[f32], up: &[f32]) {
        for ((y, gate), up) in y.iter_mut().zip(gate).zip(up) {
            y.write(gate * sigmoid(*gate) * up);
        }
    }
}

vectorised! {
    fn backward(d_gate: &mut [MaybeUninit<f32>], d_up: &mut [MaybeUninit<f32>], gate: &[f32], up: &[f32], dy: &[f32]) {
        let rows = d_gate.iter_mut().zip(d_up).zip(gate).zip(up).zip(dy);
        for ((((d_gate, d_up), gate), up), dy) in rows {
            let s = sigmoid(*gate);
            d_gate.write(dy * up * (s * (1.0 + gate * (1.0 - s))));
            d_up.write(dy * gate * s);
        }
    }
}

vectorised! {
    fn forward_gelu(y: &mut [MaybeUninit<f32>], gate: &[f32], up: &[f32]) {
        for ((y, gate), up) in y.iter_mut().zip(gate).zip(up) {
            y.write(gate * sigmoid(SLOPE * (gate + CUBE * gate * gate * gate)) * up);
        }
    }
}

vectorised! {
    fn backward_gelu(d_gate: &mut [MaybeUninit<f32>], d_up: &mut [MaybeUninit<f32>], gate: &[f32], up: &[f32], dy: &[f32]) {
        let rows = d_gate.iter_mut().zip(d_up).zip(gate).zip(up).zip(dy);
        for ((((d_gate, d_up), gate), up), dy) in rows {
            let s = sigmoid(SLOPE * (gate + CUBE * gate * gate * gate));
            let slope = SLOPE * (1.0 + 3.0 * CUBE * gate * gate);
            d_gate.write(dy * up * (s * (1.0 + gate * slope * (1.0 - s))));
            d_up.write(dy * gate * s);
        }
    }
}
