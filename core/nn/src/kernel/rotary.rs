//! Rotary position embedding (Su et al. 2021) in Hugging Face's convention: the first and second half of a head hold
//! the two components of its pairs ("rotate half").

use std::mem::MaybeUninit;
use std::sync::{Arc, PoisonError, RwLock};

use burn::tensor::{Tensor, TensorData};
use rayon::prelude::*;

use super::fused::{self, FusedOp, Panel};
use super::rows_per_job;
use super::simd::vectorised;

/// Cosines and sines by position and pair. The table grows as far as positions are requested: a long context costs
/// nothing until it is used.
#[derive(Clone, Debug)]
pub(crate) struct RotaryTable {
    frequencies: Arc<Vec<f32>>,
    positions: usize,
    known: Arc<RwLock<Angles>>,
}

/// `[positions, head width / 2]` each.
#[derive(Clone, Debug, Default)]
struct Angles {
    cosines: Arc<Vec<f32>>,
    sines: Arc<Vec<f32>>,
    half: usize,
}

impl RotaryTable {
    /// A table for positions below `positions`. The angle of pair i at position p is `p · frequencies[i]`, in f32 as in
    /// Hugging Face.
    pub(crate) fn new(positions: usize, frequencies: &[f32]) -> Self {
        let half = frequencies.len();
        let known = Arc::new(RwLock::new(Angles { half, ..Angles::default() }));
        Self { frequencies: Arc::new(frequencies.to_vec()), positions, known }
    }

    /// Angles that cover at least these positions.
    fn angles(&self, positions: &[usize]) -> Angles {
        let needed = positions.iter().max().map_or(0, |last| last + 1);
        let half = self.frequencies.len();
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner).clone();
        if known.cosines.len() >= needed * half {
            return known;
        }
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let from = known.cosines.len() / half;
        let until = needed.next_power_of_two().max(256).min(self.positions.max(needed));
        let (mut cosines, mut sines) = (known.cosines.to_vec(), known.sines.to_vec());
        for position in from..until {
            for frequency in self.frequencies.iter() {
                let angle = f64::from(position as f32 * frequency);
                cosines.push(angle.cos() as f32);
                sines.push(angle.sin() as f32);
            }
        }
        *known = Angles { cosines: Arc::new(cosines), sines: Arc::new(sines), half };
        known.clone()
    }
}

impl Angles {
    fn columns(&self, from: &[f32], positions: &[usize]) -> Vec<f32> {
        positions
            .iter()
            .flat_map(|&position| from[position * self.half..][..self.half].iter().copied())
            .collect()
    }
}

/// Rotates each head of each row of `x` `[n, heads · width]` by the row's position.
pub(crate) fn rotate(x: Tensor<2>, table: &RotaryTable, positions: &Arc<Vec<usize>>) -> Tensor<2> {
    let table = table.angles(positions);
    if fused::takes(&x) {
        let op = Rotate { table, positions: Arc::clone(positions), sign: 1.0 };
        return fused::apply(op, [x]);
    }
    let [rows, width] = x.dims();
    let half = table.half;
    let heads = width / (2 * half);
    let (device, dtype) = (x.device().inner(), x.dtype());
    let angles = |from: &[f32]| {
        let data = TensorData::new(table.columns(from, positions), [rows, 1, half]);
        Tensor::<3>::from_data(data, &device).cast(dtype)
    };
    let (cosines, sines) = (angles(&table.cosines), angles(&table.sines));
    let x = x.reshape([rows, heads, 2 * half]);
    let first = x.clone().narrow(2, 0, half);
    let second = x.narrow(2, half, half);
    let rotated = Tensor::cat(
        vec![
            first.clone() * cosines.clone() - second.clone() * sines.clone(),
            second * cosines + first * sines,
        ],
        2,
    );
    rotated.reshape([rows, width])
}

#[derive(Clone, Debug)]
struct Rotate {
    table: Angles,
    positions: Arc<Vec<usize>>,
    sign: f32,
}

impl Rotate {
    fn rotated(&self, x: &Panel, sign: f32) -> Panel {
        let width = x.columns;
        let job = rows_per_job(width);
        assert_eq!(
            (x.rows, width % (2 * self.table.half)),
            (self.positions.len(), 0),
            "whole heads of every row"
        );
        let fill = |y: &mut [MaybeUninit<f32>]| {
            y.par_chunks_mut(job * width)
                .zip(x.data().par_chunks(job * width))
                .zip(self.positions.par_chunks(job))
                .for_each(|((y, x), positions)| rotate_rows(y, x, positions, &self.table, width, sign));
        };
        // SAFETY: there is a position for every row, and a row consists of whole heads (asserted above), so each job
        // writes both halves of every head of its rows.
        unsafe { Panel::filled(x.rows, width, fill) }
    }
}

impl FusedOp<1> for Rotate {
    type Saved = ();

    fn forward(&self, [x]: [Panel; 1], _: [bool; 1]) -> (Panel, ()) {
        (self.rotated(&x, self.sign), ())
    }

    fn backward(&self, (): (), gradient: Panel, _: [bool; 1]) -> [Option<Panel>; 1] {
        // The gradient of a rotation is the inverse rotation.
        [Some(self.rotated(&gradient, -self.sign))]
    }
}

vectorised! {
    fn rotate_rows(
        y: &mut [MaybeUninit<f32>],
        x: &[f32],
        positions: &[usize],
        table: &Angles,
        width: usize,
        sign: f32,
    ) {
        let half = table.half;
        for ((y, x), &position) in y.chunks_exact_mut(width).zip(x.chunks_exact(width)).zip(positions) {
            let cosines = &table.cosines[position * half..][..half];
            let sines = &table.sines[position * half..][..half];
            for (y, x) in y.chunks_exact_mut(2 * half).zip(x.chunks_exact(2 * half)) {
                let (y_first, y_second) = y.split_at_mut(half);
                let (x_first, x_second) = x.split_at(half);
                let outs = y_first.iter_mut().zip(y_second);
                let ins = x_first.iter().zip(x_second);
                for (((a, b), (p, q)), (c, s)) in outs.zip(ins).zip(cosines.iter().zip(sines)) {
                    let s = s * sign;
                    a.write(p * c - q * s);
                    b.write(q * c + p * s);
                }
            }
        }
    }
}
