//! Measures the `gemm` crate on weights stored as `[out, in]`: the direct product, the transposed product and the
//! backward product, in GFLOP/s on one thread. These figures are the basis for the choices in `kernel/gemm.rs`. Takes
//! the best of five rounds, over more copies of the weight than fit in the cache.
//!
//! ```text
//! cargo run --example products -- 128
//! ```

use std::time::Instant;

/// Inputs and outputs: the projections and the head of SmolLM-135M, and squares of a larger model.
const SHAPES: [(usize, usize); 6] =
    [(576, 576), (576, 1536), (1536, 576), (576, 49152), (2048, 2048), (2048, 8192)];

/// A matrix, with its steps from column to column and from row to row.
struct Matrix<'a> {
    data: &'a [f32],
    steps: [usize; 2],
}

/// Writes `a` `[rows, inner]` times `b` `[inner, columns]` to `to` `[rows, columns]`, whose steps are `steps`.
fn multiply([rows, inner, columns]: [usize; 3], to: &mut [f32], steps: [usize; 2], a: &Matrix, b: &Matrix) {
    let reach =
        |[across, down]: [usize; 2], rows: usize, columns: usize| (rows - 1) * down + (columns - 1) * across;
    assert!(reach(steps, rows, columns) < to.len(), "the output does not fit");
    assert!(reach(a.steps, rows, inner) < a.data.len() && reach(b.steps, inner, columns) < b.data.len());
    let [to_across, to_down] = steps.map(|step| step as isize);
    let [a_across, a_down] = a.steps.map(|step| step as isize);
    let [b_across, b_down] = b.steps.map(|step| step as isize);
    // SAFETY: the last element of each matrix is within its slice (asserted above).
    unsafe {
        gemm::gemm(
            rows,
            columns,
            inner,
            to.as_mut_ptr(),
            to_across,
            to_down,
            false,
            a.data.as_ptr(),
            a_across,
            a_down,
            b.data.as_ptr(),
            b_across,
            b_down,
            0.0,
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

fn main() {
    let tokens = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(128);
    println!("{tokens} tokens, GFLOP/s: direct, transposed (without transposing the result), backward");
    for (inputs, outputs) in SHAPES {
        let size = inputs * outputs;
        let copies = ((64 << 20) / size).clamp(1, 40);
        let wave = |length: usize| (0..length).map(|at| (at as f32 * 0.37).sin()).collect::<Vec<f32>>();
        let (weights, x, dy) = (wave(size * copies), wave(tokens * inputs), wave(tokens * outputs));
        let mut y = vec![0.0; tokens * outputs];
        let mut dx = vec![0.0; tokens * inputs];
        let mut best = [f64::INFINITY; 3];
        for _ in 0..5 {
            let mut spent = [0.0; 3];
            for weight in weights.chunks_exact(size) {
                let rows = Matrix { data: &x, steps: [1, inputs] };
                let x_t = Matrix { data: &x, steps: [tokens, 1] };
                let weight_t = Matrix { data: weight, steps: [inputs, 1] };
                let mut timed = |way: usize, work: &mut dyn FnMut()| {
                    let begun = Instant::now();
                    work();
                    spent[way] += begun.elapsed().as_secs_f64();
                };
                let sizes = [tokens, inputs, outputs];
                timed(0, &mut || multiply(sizes, &mut y, [1, outputs], &rows, &weight_t));
                timed(1, &mut || multiply(sizes, &mut y, [tokens, 1], &x_t, &weight_t));
                let dy = Matrix { data: &dy, steps: [1, outputs] };
                let weight = Matrix { data: weight, steps: [1, inputs] };
                timed(2, &mut || multiply([tokens, outputs, inputs], &mut dx, [1, inputs], &dy, &weight));
            }
            for (best, spent) in best.iter_mut().zip(spent) {
                *best = best.min(spent);
            }
        }
        let flop = 2.0 * (tokens * size * copies) as f64;
        let [direct, transposed, backward] = best.map(|seconds| flop / seconds / 1e9);
        println!("{inputs:>5} -> {outputs:<6} {direct:>6.1} {transposed:>6.1} {backward:>6.1}");
    }
}
