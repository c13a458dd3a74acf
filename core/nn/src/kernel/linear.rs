//! A linear map whose weight is stored as `[out, in]`, as in checkpoints: `y = x · Wᵀ`.

use burn::tensor::Tensor;

use super::fused::{self, FusedOp, Panel};
use super::gemm::{View, new_product, rows_of_one_order};
use super::half::HalfPanel;

/// `x` `[n, in]` times the transpose of `weight` `[out, in]`: `[n, out]`.
pub(crate) fn linear(x: Tensor<2>, weight: Tensor<2>) -> Tensor<2> {
    if fused::takes(&x) {
        return match HalfPanel::of(&weight) {
            Some(weight) => fused::apply(HalfLinear { weight }, [x]),
            None => fused::apply(Linear, [x, weight]),
        };
    }
    x.matmul(weight.transpose())
}

/// [`linear`] without a gradient, where each output row is a function of its own row of `x`, to the last bit: on
/// burn-flex neither the number of rows nor the contents of the other rows change it. If there are few rows, rows of
/// zeros are appended until the matmul adds up in the same order as for any number of rows.
pub(crate) fn linear_by_row(x: Tensor<2>, weight: Tensor<2>) -> Tensor<2> {
    let [rows, into] = x.dims();
    let out = weight.dims()[0];
    if (1..=2).contains(&into) && fused::takes(&x) {
        // Sums of one or two terms (an adapter of rank 1 or 2 on its own) also use another order: padded with zeros,
        // they are computed as in longer sums.
        let longer = |tensor: Tensor<2>| {
            let zeros = Tensor::zeros([tensor.dims()[0], 2], (&tensor.device(), tensor.dtype()));
            Tensor::cat(vec![tensor, zeros], 1)
        };
        return linear_by_row(longer(x), longer(weight));
    }
    if out == 1 && fused::takes(&x) {
        // A product with a vector adds up in another order: with a second column it is the same as with many.
        return linear_by_row(x, Tensor::cat(vec![weight.clone(), weight], 0)).narrow(1, 0, 1);
    }
    let min_rows = rows_of_one_order(out, into);
    if !fused::takes(&x) || rows == 0 || rows >= min_rows {
        return linear(x, weight);
    }
    let x = fused::panel(x);
    let mut filled = Vec::with_capacity(min_rows * into);
    filled.extend_from_slice(x.data());
    filled.resize(min_rows * into, 0.0);
    linear(fused::tensor(Panel::new(filled, min_rows, into)), weight).narrow(0, 0, rows)
}

#[derive(Clone, Debug)]
struct Linear;

impl FusedOp<2> for Linear {
    type Saved = (Option<Panel>, Panel);

    fn forward(&self, [x, weight]: [Panel; 2], [_, to_weight]: [bool; 2]) -> (Panel, Self::Saved) {
        let y = new_product(view(&x), view(&weight).transposed(), 1.0);
        let y = Panel::new(y, x.rows, weight.rows);
        (y, (to_weight.then_some(x), weight))
    }

    fn backward(
        &self,
        (x, weight): Self::Saved,
        gradient: Panel,
        [to_x, _]: [bool; 2],
    ) -> [Option<Panel>; 2] {
        let dx = to_x.then(|| {
            let dx = new_product(view(&gradient), view(&weight), 1.0);
            Panel::new(dx, gradient.rows, weight.columns)
        });
        let dw = x.map(|x| {
            let dw = new_product(view(&gradient).transposed(), view(&x), 1.0);
            Panel::new(dw, weight.rows, weight.columns)
        });
        [dx, dw]
    }
}

/// [`Linear`] with a frozen weight in bfloat16.
#[derive(Clone, Debug)]
struct HalfLinear {
    weight: HalfPanel,
}

impl FusedOp<1> for HalfLinear {
    type Saved = ();

    fn forward(&self, [x]: [Panel; 1], _: [bool; 1]) -> (Panel, ()) {
        let y = self.weight.times_transposed(view(&x));
        (Panel::new(y, x.rows, self.weight.rows), ())
    }

    fn backward(&self, (): (), gradient: Panel, _: [bool; 1]) -> [Option<Panel>; 1] {
        let mut dx = vec![0.0; gradient.rows * self.weight.columns];
        self.weight.times(&mut dx, view(&gradient));
        [Some(Panel::new(dx, gradient.rows, self.weight.columns))]
    }
}

/// A panel as an operand of the matmul.
pub(crate) fn view(panel: &Panel) -> View<'_> {
    View::dense(panel.data(), panel.rows, panel.columns)
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};

    use super::*;

    fn waves(rows: usize, columns: usize, pace: f32) -> Tensor<2> {
        let values: Vec<f32> = (0..rows * columns).map(|at| (at as f32 * pace).sin()).collect();
        Tensor::from_data(TensorData::new(values, [rows, columns]), &Device::flex())
    }

    fn bits(tensor: Tensor<2>) -> Vec<u32> {
        let values = tensor.into_data().try_into_vec::<f32>().unwrap();
        values.into_iter().map(f32::to_bits).collect()
    }

    /// Shapes at which the matmul uses other kernels for few rows or columns, each with different last bits.
    #[test]
    fn a_row_is_the_same_among_any_number_of_rows() {
        const ROWS: [usize; 18] = [1, 2, 3, 5, 15, 16, 17, 31, 33, 48, 63, 64, 65, 100, 129, 150, 200, 257];
        let shapes = [
            (1, 600),
            (3, 24),
            (4, 2),
            (8, 576),
            (8, 2000),
            (64, 700),
            (65, 700),
            (130, 576),
            (576, 1),
            (1500, 600),
            (576, 1536),
            (4100, 520),
        ];
        for (out, into) in shapes {
            let (x, weight) = (waves(300, into, 0.37), waves(out, into, 0.61));
            let compare = || {
                let all = bits(linear_by_row(x.clone(), weight.clone()));
                for rows in ROWS {
                    let some = bits(linear_by_row(x.clone().narrow(0, 0, rows), weight.clone()));
                    assert!(some == all[..rows * out], "{rows} rows of [{out}, {into}]");
                    // The same rows at another position among the others.
                    let last = bits(linear_by_row(x.clone().narrow(0, 300 - rows, rows), weight.clone()));
                    assert!(last == all[(300 - rows) * out..], "last {rows} rows of [{out}, {into}]");
                }
            };
            compare();
            rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap().install(compare);
        }
    }
}
