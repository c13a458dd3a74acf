//! A linear map with its weight stored as [out, in], as checkpoints store it: `y = x · Wᵀ`.

use burn::tensor::Tensor;

use super::fused::{self, FusedOp, Panel};
use super::gemm::{View, new_product};
use super::half::HalfPanel;

/// `x` [n, in] times the transpose of `weight` [out, in].
pub(crate) fn linear(x: Tensor<2>, weight: Tensor<2>) -> Tensor<2> {
    if fused::takes(&x) {
        return match HalfPanel::of(&weight) {
            Some(weight) => fused::apply(HalfLinear { weight }, [x]),
            None => fused::apply(Linear, [x, weight]),
        };
    }
    x.matmul(weight.transpose())
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

/// The same with a frozen weight in bfloat16.
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

/// A panel as a matrix of the product.
pub(crate) fn view(panel: &Panel) -> View<'_> {
    View::dense(panel.data(), panel.rows, panel.columns)
}
