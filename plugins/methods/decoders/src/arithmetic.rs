//! Arithmetic of log-probabilities. Inputs are logits; each becomes log-probabilities first, and results are normalised
//! again. With raw logits results would differ by a constant per row.

use cadre_method_sdk::{Case, Named, Played, Tensor, sum_of};

/// `large + strength · (tuned - base)` (Mitchell et al., arXiv 2310.12962, equation 3).
pub fn emulated(large: Tensor, tuned: Tensor, base: Tensor, strength: f64) -> Tensor {
    let shift = tuned.log_softmax(1) - base.log_softmax(1);
    (large.log_softmax(1) + shift * strength).log_softmax(1)
}

/// `start + gamma · (tuned - base)`, and with a negative model `+ eta · (start - negative)`.
pub fn contrast(
    start: Tensor,
    tuned: Tensor,
    base: Tensor,
    gamma: f64,
    negative: Option<(Tensor, f64)>,
) -> Tensor {
    let start = start.log_softmax(1);
    let mut mixed = start + (tuned.log_softmax(1) - base.log_softmax(1)) * gamma;
    if let Some((negative, eta)) = negative {
        mixed = mixed + (start - negative.log_softmax(1)) * eta;
    }
    mixed.log_softmax(1)
}

/// A product of experts: the weighted sum of log-probabilities.
fn product(logits: &[Tensor], weights: &[f64]) -> Tensor {
    let terms = logits.iter().zip(weights).map(|(logits, weight)| logits.log_softmax(1) * *weight);
    sum_of(terms).log_softmax(1)
}

/// The weighted sum of probabilities.
fn mixture(logits: &[Tensor], weights: &[f64]) -> Tensor {
    sum_of(logits.iter().zip(weights).map(|(logits, weight)| logits.softmax(1) * *weight)).log()
}

/// Plays the cases of all kinds: `eft`, `contrast`, `product`, `mixture`.
pub fn play(case: &Case) -> Result<Played, String> {
    let tensor = |name: &str| case.tensor(name);
    let kind: String = case.setting("kind")?;
    let log_probabilities = match kind.as_str() {
        "eft" => {
            emulated(tensor("large")?, tensor("small_tuned")?, tensor("small_base")?, case.setting("beta")?)
        }
        "contrast" => {
            let negative = match case.has("negative") {
                true => Some((tensor("negative")?, case.setting("eta")?)),
                false => None,
            };
            contrast(tensor("start")?, tensor("tuned")?, tensor("base")?, case.setting("gamma")?, negative)
        }
        "product" => product(&case.list("logits"), &case.setting::<Vec<f64>>("weights")?),
        "mixture" => mixture(&case.list("logits"), &case.setting::<Vec<f64>>("weights")?),
        other => return Err(format!("unknown kind of case: {other}")),
    };
    Ok(Played::new(Named::new().with("log_probabilities", log_probabilities)))
}
