//! Root-mean-square normalisation (Zhang & Sennrich 2019): `y = x / sqrt(mean(x²) + ε) · w`.

use std::mem::MaybeUninit;

use burn::tensor::Tensor;
use rayon::prelude::*;

use super::fused::{self, FusedOp, Panel};
use super::rows_per_job;
use super::simd::{sum2, sum3, vectorised};

/// Normalises each row of `x` `[n, h]` and scales it by `weight` `[1, h]`.
pub(crate) fn rms_norm(x: Tensor<2>, weight: Tensor<2>, epsilon: f64) -> Tensor<2> {
    if fused::takes(&x) {
        return fused::apply(RmsNorm { epsilon: epsilon as f32 }, [x, weight]);
    }
    // In f32 whatever the activations' type, as the models were trained.
    let dtype = x.dtype();
    let wide = x.cast(burn::tensor::DType::F32);
    let mean = (wide.clone() * wide.clone()).mean_dim(1);
    let normal = wide * (mean + epsilon).sqrt().recip();
    normal.cast(dtype) * weight
}

#[derive(Clone, Debug)]
struct RmsNorm {
    epsilon: f32,
}

impl FusedOp<2> for RmsNorm {
    type Saved = (Panel, Panel, Vec<f32>);

    fn forward(&self, [x, weight]: [Panel; 2], _: [bool; 2]) -> (Panel, Self::Saved) {
        let (rows, width) = (x.rows, x.columns);
        let mut inverse = vec![0.0; rows];
        let job = rows_per_job(width);
        assert_eq!((weight.rows, weight.columns), (1, width), "weight of a norm");
        let fill = |y: &mut [MaybeUninit<f32>]| {
            y.par_chunks_mut(job * width)
                .zip(inverse.par_chunks_mut(job))
                .zip(x.data().par_chunks(job * width))
                .for_each(|((y, inverse), x)| forward(y, inverse, x, weight.data(), self.epsilon));
        };
        // SAFETY: `x` has as many elements as the output, `inverse` one per row; each job writes all elements of its
        // rows.
        let y = unsafe { Panel::filled(rows, width, fill) };
        (y, (x, weight, inverse))
    }

    fn backward(
        &self,
        (x, weight, inverse): Self::Saved,
        gradient: Panel,
        [to_x, to_weight]: [bool; 2],
    ) -> [Option<Panel>; 2] {
        let (rows, width) = (x.rows, x.columns);
        let job = rows_per_job(width);
        assert_eq!((rows, width), (gradient.rows, gradient.columns), "value and gradient");
        let dx = to_x.then(|| {
            let fill = |dx: &mut [MaybeUninit<f32>]| {
                dx.par_chunks_mut(job * width)
                    .zip(inverse.par_chunks(job))
                    .zip(x.data().par_chunks(job * width))
                    .zip(gradient.data().par_chunks(job * width))
                    .for_each(|(((dx, inverse), x), dy)| backward(dx, inverse, x, weight.data(), dy));
            };
            // SAFETY: `x` and the gradient have as many elements as the output; each job writes all elements of its
            // rows.
            unsafe { Panel::filled(rows, width, fill) }
        });
        let dw = to_weight.then(|| {
            let mut dw = vec![0.0; width];
            weight_gradient(&mut dw, &inverse, x.data(), gradient.data());
            Panel::new(dw, 1, width)
        });
        [dx, dw]
    }
}

vectorised! {
    fn forward(y: &mut [MaybeUninit<f32>], inverse: &mut [f32], x: &[f32], weight: &[f32], epsilon: f32) {
        let width = weight.len();
        for ((y, x), inverse) in y.chunks_exact_mut(width).zip(x.chunks_exact(width)).zip(inverse) {
            let mean = sum2(x, x, |a, b| a * b) / width as f32;
            *inverse = 1.0 / (mean + epsilon).sqrt();
            for ((y, x), w) in y.iter_mut().zip(x).zip(weight) {
                y.write(x * *inverse * w);
            }
        }
    }
}

vectorised! {
    fn backward(dx: &mut [MaybeUninit<f32>], inverse: &[f32], x: &[f32], weight: &[f32], dy: &[f32]) {
        let width = weight.len();
        let rows = dx.chunks_exact_mut(width).zip(x.chunks_exact(width)).zip(dy.chunks_exact(width));
        for (((dx, x), dy), inverse) in rows.zip(inverse) {
            let dot = sum3(dy, weight, x, |dy, w, x| dy * w * x);
            let back = dot * inverse * inverse * inverse / width as f32;
            for (((dx, dy), w), x) in dx.iter_mut().zip(dy).zip(weight).zip(x) {
                dx.write(dy * w * inverse - x * back);
            }
        }
    }
}

vectorised! {
    fn weight_gradient(dw: &mut [f32], inverse: &[f32], x: &[f32], dy: &[f32]) {
        let width = dw.len();
        for ((x, dy), inverse) in x.chunks_exact(width).zip(dy.chunks_exact(width)).zip(inverse) {
            for ((dw, x), dy) in dw.iter_mut().zip(x).zip(dy) {
                *dw += dy * x * inverse;
            }
        }
    }
}
