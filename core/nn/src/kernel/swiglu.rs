//! The gated activation of the feed-forward block (Shazeer 2020): `silu(gate) · up`.

use burn::tensor::Tensor;
use burn::tensor::activation::silu;
use rayon::prelude::*;

use super::fused::{self, FusedOp, Panel};
use super::simd::{sigmoid, vectorised};

/// `silu(gate) · up`, element by element.
pub(crate) fn swiglu(gate: Tensor<2>, up: Tensor<2>) -> Tensor<2> {
    if fused::takes(&gate) {
        return fused::apply(Swiglu, [gate, up]);
    }
    silu(gate) * up
}

/// Elements of one parallel job.
const JOB: usize = 1 << 15;

#[derive(Clone, Debug)]
struct Swiglu;

impl FusedOp<2> for Swiglu {
    type Saved = (Panel, Panel);

    fn forward(&self, [gate, up]: [Panel; 2], _: [bool; 2]) -> (Panel, Self::Saved) {
        let mut y = vec![0.0; gate.rows * gate.columns];
        y.par_chunks_mut(JOB)
            .zip(gate.data().par_chunks(JOB))
            .zip(up.data().par_chunks(JOB))
            .for_each(|((y, gate), up)| forward(y, gate, up));
        (Panel::new(y, gate.rows, gate.columns), (gate, up))
    }

    fn backward(&self, (gate, up): Self::Saved, gradient: Panel, tracked: [bool; 2]) -> [Option<Panel>; 2] {
        let (rows, columns) = (gate.rows, gate.columns);
        let mut d_gate = vec![0.0; rows * columns];
        let mut d_up = vec![0.0; rows * columns];
        d_gate
            .par_chunks_mut(JOB)
            .zip(d_up.par_chunks_mut(JOB))
            .zip(gate.data().par_chunks(JOB))
            .zip(up.data().par_chunks(JOB))
            .zip(gradient.data().par_chunks(JOB))
            .for_each(|((((d_gate, d_up), gate), up), dy)| backward(d_gate, d_up, gate, up, dy));
        let [to_gate, to_up] = tracked;
        [to_gate.then(|| Panel::new(d_gate, rows, columns)), to_up.then(|| Panel::new(d_up, rows, columns))]
    }
}

vectorised! {
    fn forward(y: &mut [f32], gate: &[f32], up: &[f32]) {
        for ((y, gate), up) in y.iter_mut().zip(gate).zip(up) {
            *y = gate * sigmoid(*gate) * up;
        }
    }
}

vectorised! {
    fn backward(d_gate: &mut [f32], d_up: &mut [f32], gate: &[f32], up: &[f32], dy: &[f32]) {
        let rows = d_gate.iter_mut().zip(d_up).zip(gate).zip(up).zip(dy);
        for ((((d_gate, d_up), gate), up), dy) in rows {
            let s = sigmoid(*gate);
            *d_gate = dy * up * (s * (1.0 + gate * (1.0 - s)));
            *d_up = dy * gate * s;
        }
    }
}
