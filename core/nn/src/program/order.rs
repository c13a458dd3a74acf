//! Top-k, sort, argmax and the mask of the largest: which elements, decided on the host, because no backend of burn
//! promises an order among equal elements. The elements are then gathered on the device, so that they carry their
//! gradient. The download makes an accelerator wait; a program that runs on one in every layer needs a version of this
//! file on the device.

use std::cmp::Ordering;

use burn::tensor::Device;

use super::value::AnyTensor;

/// Row-major values as lanes along a dimension.
struct Lanes {
    values: Vec<f32>,
    length: usize,
    /// Elements between two neighbours of a lane.
    stride: usize,
}

impl Lanes {
    fn of(value: &AnyTensor, dim: usize) -> Result<Self, String> {
        let shape = value.shape();
        let stride = shape[dim + 1..].iter().product();
        Ok(Self { values: value.to_floats()?, length: shape[dim], stride })
    }

    /// The first `k` indices of each lane in an order, as a tensor of the values' shape with size `k` along the lanes.
    fn first(&self, k: usize, descending: bool) -> Vec<i64> {
        let lanes = self.values.len() / self.length;
        let mut indices = vec![0; lanes * k];
        let mut order: Vec<u32> = Vec::with_capacity(self.length);
        let mut lane_values = Vec::with_capacity(self.length);
        for lane in 0..lanes {
            let (block, column) = (lane / self.stride, lane % self.stride);
            let start = block * self.length * self.stride + column;
            lane_values.clear();
            lane_values.extend((0..self.length).map(|at| self.values[start + at * self.stride]));
            select(&lane_values, k, descending, &mut order);
            for (at, index) in order[..k].iter().enumerate() {
                indices[(block * k + at) * self.stride + column] = i64::from(*index);
            }
        }
        indices
    }
}

/// Puts the indices of the first `k` values into the front of `order`, sorted.
fn select(values: &[f32], k: usize, descending: bool, order: &mut Vec<u32>) {
    order.clear();
    if k == 1 {
        let best = (1..values.len()).fold(0, |best, at| {
            if before(values[at], values[best], descending) == Ordering::Less { at } else { best }
        });
        order.push(best as u32);
        return;
    }
    order.extend(0..values.len() as u32);
    let compare = |a: &u32, b: &u32| {
        before(values[*a as usize], values[*b as usize], descending).then_with(|| a.cmp(b))
    };
    if k < values.len() {
        order.select_nth_unstable_by(k - 1, compare);
    }
    order[..k].sort_unstable_by(compare);
}

/// The order of two values: NaN last in both directions; -0 equals 0.
fn before(a: f32, b: f32, descending: bool) -> Ordering {
    let order = a.partial_cmp(&b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()));
    match descending && !a.is_nan() && !b.is_nan() {
        true => order.reverse(),
        false => order,
    }
}

/// Indices of the first `k` elements along a dimension; among equal elements the lowest index first.
pub(super) fn first(
    value: &AnyTensor,
    dim: usize,
    k: usize,
    descending: bool,
    device: &Device,
) -> Result<AnyTensor, String> {
    let indices = Lanes::of(value, dim)?.first(k, descending);
    let mut shape = value.shape();
    shape[dim] = k;
    Ok(AnyTensor::ints(indices, &shape, device))
}

/// A mask of the `k` largest elements of the whole tensor; among equal elements the lowest flat index first.
pub(super) fn largest(value: &AnyTensor, k: usize, device: &Device) -> Result<AnyTensor, String> {
    let values = value.to_floats()?;
    let mut mask = vec![k == values.len(); values.len()];
    if k > 0 && k < values.len() {
        let mut order: Vec<u32> = (0..values.len() as u32).collect();
        order.select_nth_unstable_by(k - 1, |a, b| {
            before(values[*a as usize], values[*b as usize], true).then_with(|| a.cmp(b))
        });
        order[..k].iter().for_each(|at| mask[*at as usize] = true);
    }
    Ok(AnyTensor::bools(mask, &value.shape(), device))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lowest_index_first_and_nan_last() {
        let values = [1.0, f32::NAN, 3.0, -0.0, 3.0, 0.0, f32::NEG_INFINITY, f32::NAN];
        let mut order = vec![];
        let mut sorted = |k: usize, descending| {
            select(&values, k, descending, &mut order);
            order[..k].to_vec()
        };
        assert_eq!(sorted(8, true), [2, 4, 0, 3, 5, 6, 1, 7]);
        assert_eq!(sorted(8, false), [6, 3, 5, 0, 2, 4, 1, 7]);
        assert_eq!(sorted(3, true), [2, 4, 0]);
        assert_eq!(sorted(1, true), [2]);
        select(&[f32::NAN, f32::NAN], 1, true, &mut order);
        assert_eq!(order, [0]);
        select(&[f32::NAN, -1.0], 1, true, &mut order);
        assert_eq!(order, [1]);
    }
}
