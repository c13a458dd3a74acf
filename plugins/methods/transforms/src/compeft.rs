//! ComPEFT (Yadav et al., arXiv 2311.13171): an expert becomes the signs of its largest entries times one number, for all of
//! its tensors together.

use cadre_method_sdk::{Case, Named, Played, Policy, Tensor, cat};
use serde::Deserialize;

/// Settings of `compeft`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Compeft {
    density: f64,
    alpha: f64,
    deviation: Deviation,
}

/// Divisor of the standard deviation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Deviation {
    /// n.
    Population,
    /// n - 1.
    Sample,
}

impl Compeft {
    /// Signs of the entries that stay, of the shapes of the tensors, and the number that they are multiplied by.
    fn compressed(&self, tensors: &[Tensor]) -> (Vec<Tensor>, Tensor) {
        let flat: Vec<Tensor> = tensors.iter().map(|tensor| tensor.flatten()).collect();
        let all = cat(&flat, 0);
        let count = all.elements() as f64;
        let divisor = match self.deviation {
            Deviation::Population => count,
            Deviation::Sample => count - 1.0,
        };
        let squares = (all - all.mean_all()).square().sum_all();
        let scale = (squares / divisor).sqrt() * self.alpha;
        let kept = all.abs().largest((self.density * count) as u64).to_float();
        let signs = all.sign() * kept;
        let mut start = 0;
        let parts = tensors.iter().map(|tensor| {
            let end = start + tensor.elements() as u32;
            let part = signs.slice(0, start, end).reshape(&tensor.shape());
            start = end;
            part
        });
        (parts.collect(), scale)
    }
}

impl Policy for Compeft {
    fn transform(&self, tensors: &Named) -> Result<Named, String> {
        let all: Vec<Tensor> = tensors.iter().map(|(_, tensor)| tensor).collect();
        let (signs, scale) = self.compressed(&all);
        Ok(tensors.iter().zip(signs).map(|((name, _), signs)| (name.to_owned(), signs * scale)).collect())
    }

    fn play_case(case: &Case) -> Result<Played, String> {
        let policy = Self {
            density: case.setting("density")?,
            alpha: case.setting("alpha")?,
            deviation: match case.setting("sample_std")? {
                true => Deviation::Sample,
                false => Deviation::Population,
            },
        };
        let (signs, scale) = policy.compressed(&case.list("tensors"));
        let restored: Vec<Tensor> = signs.iter().map(|signs| *signs * scale).collect();
        let outputs =
            Named::new().with("scale", scale).with_list("signs", signs).with_list("restored", restored);
        Ok(Played::new(outputs))
    }
}
