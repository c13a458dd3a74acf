//! Cases of a reference: inputs, settings and outputs of a case file, by the names that they have there.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::bindings::exports::cadre::method::hooks;
use crate::policy::{Context, Phase, Site};
use crate::{Expert, Gate, Kind, LowRank, Named, Tensor, tensor};

/// A case to be played. What a case file calls `deltas[1]` or `tree.leaf` is named `deltas/1` or `tree/leaf` here.
#[derive(Clone, Debug)]
pub struct Case {
    settings: Map<String, Value>,
    inputs: Named,
    data: Vec<(String, Vec<f64>)>,
}

impl Case {
    pub(crate) fn new(settings: &str, arrays: Vec<hooks::CaseArray>) -> Result<Self, String> {
        let settings =
            serde_json::from_str(settings).map_err(|error| format!("the settings of the case: {error}"))?;
        let mut inputs = Named::new();
        let mut data = Vec::new();
        for array in arrays {
            inputs.push(array.name.clone(), Tensor::of(array.value));
            data.push((array.name, array.data));
        }
        Ok(Self { settings, inputs, data })
    }

    /// A setting by its name in the case file; with `Option`, `null` and what is not there are `None`.
    ///
    /// # Errors
    /// It is not there, or is of another type.
    pub fn setting<T: DeserializeOwned>(&self, name: &str) -> Result<T, String> {
        let value = self.settings.get(name).cloned().unwrap_or(Value::Null);
        T::deserialize(value).map_err(|error| format!("the setting `{name}` of the case: {error}"))
    }

    /// Whether the case has an input with this name.
    pub fn has(&self, name: &str) -> bool {
        self.inputs.find(name).is_some()
    }

    /// An input.
    ///
    /// # Errors
    /// The case has no such input.
    pub fn tensor(&self, name: &str) -> Result<Tensor, String> {
        self.inputs.get(name)
    }

    /// The entries of an input that is a list; none if it is empty.
    pub fn list(&self, name: &str) -> Vec<Tensor> {
        (0..).map_while(|index| self.inputs.find(&format!("{name}/{index}"))).collect()
    }

    /// An input of truth values, in whatever kind they arrive.
    ///
    /// # Errors
    /// The case has no such input.
    pub fn mask(&self, name: &str) -> Result<Tensor, String> {
        let found = self.tensor(name)?;
        Ok(match found.kind() {
            Kind::Boolean => found,
            Kind::Integer | Kind::Floating => found.differs(0.0),
        })
    }

    /// The numbers of an input, row-major, for what a hook gets as numbers.
    ///
    /// # Errors
    /// The case has no such input.
    pub fn data(&self, name: &str) -> Result<&[f64], String> {
        match self.data.iter().find(|(found, _)| found == name) {
            Some((_, data)) => Ok(data),
            None => Err(format!("the case has no input `{name}`")),
        }
    }

    /// The experts of a gate's case: inputs `a` `[experts, in, rank]` and `b` `[experts, rank, out]`, setting `scales`.
    ///
    /// # Errors
    /// An input or the setting is missing, or their lengths differ.
    #[track_caller]
    pub fn experts(&self) -> Result<Vec<Expert>, String> {
        let (a, b) = (self.tensor("a")?, self.tensor("b")?);
        let scales: Vec<f64> = self.setting("scales")?;
        if a.size(0) as usize != scales.len() {
            return Err(format!("the case has {} scales for {} experts", scales.len(), a.size(0)));
        }
        Ok((0u32..)
            .zip(scales)
            .map(|(index, scale)| {
                let factors = LowRank { a: a.at(0, index), b: b.at(0, index), scale };
                Expert::of_case(&format!("expert-{index}"), factors)
            })
            .collect())
    }

    /// A gate's case as a call of the hook, in the phase `answer`: inputs `x` and `base_out`, and the experts. All tokens
    /// count and are of one sequence; what else the hook reads is set by the policy.
    ///
    /// # Errors
    /// An input is missing.
    #[track_caller]
    pub fn gate(&self, experts: Vec<Expert>, parameters: Named) -> Result<Gate, String> {
        let (x, base_out) = (self.tensor("x")?, self.tensor("base_out")?);
        let site = Site { input: x.size(1), output: base_out.size(1), experts: experts.len() as u32 };
        Ok(Gate { site, x, base_out, experts, parameters, context: self.context(x.size(0)) })
    }

    /// The context of a case with this number of tokens, in the phase `answer`.
    #[track_caller]
    pub fn context(&self, tokens: u32) -> Context {
        Context {
            phase: Phase::Answer,
            training: None,
            token_mask: tensor::ones(&[tokens, 1]),
            sequence: tensor::zeros(&[tokens]).to_int(),
            sequences: 1,
            step: tensor::zeros(&[1]),
            tags: Named::new(),
            plan: Named::new(),
        }
    }

    /// The loss whose gradients the gates' cases hold: `Σ output · cotangent + aux`.
    ///
    /// # Errors
    /// The case has no input `cotangent`.
    #[track_caller]
    pub fn loss(&self, output: Tensor, aux: Option<Tensor>) -> Result<Tensor, String> {
        let loss = (output * self.tensor("cotangent")?).sum_all();
        Ok(match aux {
            Some(aux) => loss + aux,
            None => loss,
        })
    }
}

/// What a case returns: outputs by their names in the case file.
#[derive(Clone, Debug, Default)]
pub struct Played {
    pub(crate) outputs: Named,
    pub(crate) loss: Option<Tensor>,
    pub(crate) others: Map<String, Value>,
}

impl Played {
    /// With these outputs.
    pub fn new(outputs: Named) -> Self {
        Self { outputs, loss: None, others: Map::new() }
    }

    /// With the number, `[1]`, whose gradients the case holds.
    #[must_use]
    pub fn loss(mut self, loss: Tensor) -> Self {
        self.loss = Some(loss);
        self
    }

    /// With an output that is not an array.
    #[must_use]
    pub fn other(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.others.insert(name.to_owned(), value.into());
        self
    }
}
