//! Selects rows of a table by index, with a gradient: used for the embedding and for the positions that have a loss.

use std::sync::Arc;

use burn::tensor::{Int, Tensor, TensorData};

use super::fused::{self, FusedOp, Panel};
use super::half::HalfPanel;

/// Rows `indices` of `table` `[rows, width]`, as `[indices, width]`. An index past the end of the table (a token that
/// the table does not hold) gives a row of zeros. For a frozen bfloat16 table on burn-flex the result is f32.
pub(crate) fn gather(table: Tensor<2>, indices: &Arc<Vec<usize>>) -> Tensor<2> {
    if let Some(table) = HalfPanel::of(&table) {
        return widened(&table, indices);
    }
    if fused::takes(&table) {
        return fused::apply(Gather { indices: Arc::clone(indices) }, [table]);
    }
    let [rows, _] = table.dims();
    let device = table.device().inner();
    let dtype = table.dtype();
    let inside: Vec<i64> = indices.iter().map(|&index| if index < rows { index as i64 } else { 0 }).collect();
    let picked =
        table.select(0, Tensor::<1, Int>::from_data(TensorData::new(inside, [indices.len()]), &device));
    if indices.iter().all(|&index| index < rows) {
        return picked;
    }
    let keep: Vec<f32> = indices.iter().map(|&index| if index < rows { 1.0 } else { 0.0 }).collect();
    let keep = Tensor::<2>::from_data(TensorData::new(keep, [indices.len(), 1]), &device).cast(dtype);
    picked * keep
}

fn widened(table: &HalfPanel, indices: &[usize]) -> Tensor<2> {
    let mut rows = Vec::with_capacity(indices.len() * table.columns);
    for &index in indices {
        if index < table.rows {
            table.push_row(index, &mut rows);
        } else {
            rows.resize(rows.len() + table.columns, 0.0);
        }
    }
    fused::tensor(Panel::new(rows, indices.len(), table.columns))
}

#[derive(Clone, Debug)]
struct Gather {
    indices: Arc<Vec<usize>>,
}

impl FusedOp<1> for Gather {
    type Saved = usize;

    fn forward(&self, [table]: [Panel; 1], _: [bool; 1]) -> (Panel, usize) {
        let width = table.columns;
        let mut rows = Vec::with_capacity(self.indices.len() * width);
        for &index in self.indices.iter() {
            if index < table.rows {
                rows.extend_from_slice(&table.data()[index * width..][..width]);
            } else {
                rows.resize(rows.len() + width, 0.0);
            }
        }
        (Panel::new(rows, self.indices.len(), width), table.rows)
    }

    fn backward(&self, rows: usize, gradient: Panel, _: [bool; 1]) -> [Option<Panel>; 1] {
        let width = gradient.columns;
        let mut table = vec![0.0; rows * width];
        for (&index, from) in self.indices.iter().zip(gradient.data().chunks_exact(width)) {
            if index < rows {
                let to = &mut table[index * width..][..width];
                for (to, from) in to.iter_mut().zip(from) {
                    *to += from;
                }
            }
        }
        [Some(Panel::new(table, rows, width))]
    }
}
