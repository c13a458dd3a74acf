//! A sparse change of a weight: trained values at places that are drawn before training, uniformly and without
//! repetition, from the adapter's seed, and then stored as side tensors. An expert that continues from another keeps
//! its places.

use std::collections::BTreeSet;

use burn::tensor::{IndexingUpdateOp, Int, Tensor};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::kind::{Body, Kind, Named, TakeWeight};
use super::site::{Place, SideTensors};
use super::spec::AdapterSpec;
use crate::error::NnError;
use crate::weights::Weight;

/// Trained values, `[places, 1]`.
pub(crate) const VALUES: &str = "sparse_values";
/// Side tensors: row and column of each value, whole numbers.
pub(crate) const ROWS: &str = "sparse_rows";
pub(crate) const COLUMNS: &str = "sparse_columns";

pub(crate) struct SparseDelta;

/// Number of changed elements of a weight, at least 1.
fn count(spec: &AdapterSpec, place: Place) -> usize {
    let all = place.out * place.into;
    ((spec.density * all as f64).round() as usize).clamp(1, all)
}

impl Kind for SparseDelta {
    fn trained(&self, spec: &AdapterSpec, place: Place) -> Vec<Named> {
        vec![(VALUES, vec![count(spec, place), 1])]
    }

    fn side(&self, spec: &AdapterSpec, place: Place) -> Vec<Named> {
        vec![(ROWS, vec![count(spec, place)]), (COLUMNS, vec![count(spec, place)])]
    }

    fn start(
        &self,
        _: &str,
        sizes: &[usize],
        _: &Tensor<2>,
        _: &mut ChaCha8Rng,
    ) -> Result<Vec<f32>, NnError> {
        Ok(vec![0.0; sizes.iter().product()])
    }

    fn start_side(&self, spec: &AdapterSpec, place: Place, rng: &mut ChaCha8Rng) -> Vec<Weight> {
        let (all, count) = ((place.out * place.into) as u64, count(spec, place) as u64);
        // Floyd's algorithm: each set of places is drawn with the same probability.
        let mut places = BTreeSet::new();
        for last in all - count..all {
            let drawn = rng.random_range(0..=last);
            if !places.insert(drawn) {
                places.insert(last);
            }
        }
        let of = |part: fn(u64, u64) -> u64| {
            let values: Vec<f32> = places.iter().map(|at| part(*at, place.into as u64) as f32).collect();
            Weight { shape: vec![values.len()], values }
        };
        vec![of(|at, into| at / into), of(|at, into| at % into)]
    }

    fn side_problem(&self, place: Place, take: &TakeWeight<'_>) -> Result<Option<String>, NnError> {
        let (rows, columns) = (&take(ROWS)?.values, &take(COLUMNS)?.values);
        let mut seen = BTreeSet::new();
        for (row, column) in rows.iter().zip(columns) {
            let inside =
                |index: f32, size: usize| index >= 0.0 && index.fract() == 0.0 && index < size as f32;
            if !inside(*row, place.out) || !inside(*column, place.into) {
                let [out, into] = [place.out, place.into];
                return Ok(Some(format!(
                    "row {row}, column {column} is no place of a matrix [{out}, {into}]"
                )));
            }
            if !seen.insert((*row as usize, *column as usize)) {
                return Ok(Some(format!("row {row}, column {column} occurs twice")));
            }
        }
        Ok(None)
    }

    /// The dense matrix of the values: `[out, in]` elements for each body, so that products are the fast ones.
    fn body(
        &self,
        _: &AdapterSpec,
        place: Place,
        _: &Tensor<2>,
        trained: &[Tensor<2>],
        side: &SideTensors,
    ) -> Body {
        let index = |name: &str| -> Tensor<1, Int> {
            let side = side[name].clone();
            let count = side.dims()[1];
            side.reshape([count]).int()
        };
        let values = trained[0].clone();
        let places = index(ROWS) * place.into as i64 + index(COLUMNS);
        let zeros = Tensor::<1>::zeros([place.out * place.into], (&values.device().inner(), values.dtype()));
        let zeros = if values.is_autodiff() { zeros.autodiff() } else { zeros };
        let values = values.flatten::<1>(0, 1);
        let dense = zeros.select_assign(0, places, values, IndexingUpdateOp::Add);
        Body::Delta(dense.reshape([place.out, place.into]))
    }

    fn merge(
        &self,
        _: &AdapterSpec,
        place: Place,
        take: &TakeWeight<'_>,
        weight: &mut [f32],
    ) -> Result<(), NnError> {
        let (rows, columns) = (&take(ROWS)?.values, &take(COLUMNS)?.values);
        for ((row, column), value) in rows.iter().zip(columns).zip(&take(VALUES)?.values) {
            weight[*row as usize * place.into + *column as usize] += value;
        }
        Ok(())
    }
}
