//! Weighted sums of deltas, with or without the election of signs. Shared by TIES, DARE and Breadcrumbs.

use cadre_method_sdk::{Tensor, choose, ones, sum_of};
use serde::Deserialize;

/// Whether entries whose sign is not the elected one are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Consensus {
    /// All entries are added.
    None,
    /// Entries are added whose sign is that of the weighted sum; a sum of 0 elects plus.
    Sign,
}

/// `base + scale · Σ w_i D_i`, or with `normalize` the sum divided by the sum of the weights that entered it. A divisor of 0
/// leaves the sum as it is.
pub fn add(
    base: Tensor,
    deltas: &[Tensor],
    weights: &[f64],
    scale: f64,
    normalize: bool,
    consensus: Consensus,
) -> Tensor {
    let weighted: Vec<Tensor> = deltas.iter().zip(weights).map(|(delta, weight)| *delta * *weight).collect();
    let mixed = match consensus {
        Consensus::None => {
            let divisor: f64 = weights.iter().sum();
            let mixed = sum_of(weighted);
            if normalize && divisor.abs() >= 1e-8 { mixed / divisor } else { mixed }
        }
        Consensus::Sign => {
            let plus = sum_of(weighted.iter().copied()).ge(0.0);
            let elected = choose(plus, 1.0, -1.0);
            let agrees: Vec<Tensor> =
                weighted.iter().map(|entry| entry.sign().equals(elected).to_float()).collect();
            let mixed = sum_of(weighted.iter().zip(&agrees).map(|(entry, agrees)| *entry * *agrees));
            match normalize {
                true => {
                    mixed
                        / or_one(sum_of(agrees.iter().zip(weights).map(|(agrees, weight)| *agrees * *weight)))
                }
                false => mixed,
            }
        }
    };
    base + mixed * scale
}

/// The divisor, with 1 in the place of 0.
pub fn or_one(divisor: Tensor) -> Tensor {
    choose(divisor.equals(0.0), ones(&divisor.shape()), divisor)
}
