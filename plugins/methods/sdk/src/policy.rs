//! What a policy implements, and what its hooks get and return.

use serde::de::DeserializeOwned;

use crate::bindings::exports::cadre::method::hooks;
pub use crate::bindings::exports::cadre::method::hooks::{
    Directive, Init, Owner, Phase, Scope, Shape, Site, Source,
};
use crate::{Case, Expert, Named, Played, Tensor};

/// A policy. The type itself holds the settings: it is read from the complete JSON object of the recipe, which the core has
/// checked against `policies.toml` and filled with defaults. Each hook is a pure function; a policy implements those that it
/// declares, the others return an error. An error is a text for the researcher.
pub trait Policy: DeserializeOwned {
    /// The parameters that the policy has at a site of these sizes.
    ///
    /// # Errors
    /// As of all hooks: a text for the researcher; the stage ends.
    fn parameters(&self, _site: Site) -> Result<Vec<Parameter>, String> {
        Ok(Vec::new())
    }

    /// At each adapted site, in training and in answering: how the experts share each token.
    fn gate(&self, _call: &Gate) -> Result<Gated, String> {
        no_hook("gate")
    }

    /// After a first pass without experts: tensors for the gates of the second pass.
    fn plan(&self, _call: &Plan) -> Result<Named, String> {
        no_hook("plan")
    }

    /// A term of the loss, `[1]`, already weighted: once per optimizer step and site. `trained`: the expert's tensors at the
    /// site; `earlier`: experts trained before it; `buffers`: those of the trained tensors, `fisher.a` for `fisher` of `a`.
    fn term(
        &self,
        _trained: &Named,
        _earlier: &[Expert],
        _buffers: &Named,
    ) -> Result<Option<Tensor>, String> {
        no_hook("term")
    }

    /// Before clipping: the gradient that the optimizer gets.
    fn gradient(&self, _weight: Tensor, _gradient: Tensor, _buffers: &Named) -> Result<Tensor, String> {
        no_hook("gradient")
    }

    /// After the optimizer's step: the weight to go on with, and new buffers.
    fn after_step(&self, _step: &Step) -> Result<Stepped, String> {
        no_hook("after-step")
    }

    /// In a pass over a task's examples without updates, once per example and tensor: new buffers.
    fn observe(&self, _weight: Tensor, _gradient: Tensor, _buffers: &Named) -> Result<Named, String> {
        no_hook("observe")
    }

    /// When an expert is complete: side tensors to store with it. `weight` `[in, out]`: the site's frozen weight.
    fn finish(&self, _site: Site, _weight: Tensor, _expert: &Expert) -> Result<Named, String> {
        no_hook("finish")
    }

    /// A whole expert: its tensors by name (`layers.0.q.a`), in; tensors of the same names and shapes, out.
    fn transform(&self, _tensors: &Named) -> Result<Named, String> {
        no_hook("transform")
    }

    /// One tensor of the model: the base and what each expert adds. The result is the merged tensor.
    fn merge(&self, _base: Tensor, _models: &[Model]) -> Result<Tensor, String> {
        no_hook("merge")
    }

    /// The logits that `decode` gets.
    fn streams(&self) -> Result<Vec<Stream>, String> {
        no_hook("streams")
    }

    /// For each generated token: logits `[rows, vocabulary]` of the streams in, logits to choose from out.
    fn decode(&self, _logits: &Named) -> Result<Tensor, String> {
        no_hook("decode")
    }

    /// When the recipe is planned: what is done for each task, in order. `seed` is the only source of chance. Tensors do
    /// not exist in this call.
    fn schedule(&self, _tasks: &[String], _model: &Shape, _seed: u64) -> Result<Vec<Vec<Directive>>, String> {
        no_hook("schedule")
    }

    /// Plays a case of a reference through the policy's own hooks: `cadre plugin check NAME --cases FILE`.
    fn play_case(_case: &Case) -> Result<Played, String> {
        no_hook("play-case")
    }
}

fn no_hook<T>(hook: &str) -> Result<T, String> {
    Err(format!("this policy has no hook `{hook}`"))
}

/// Reads the settings of a policy.
///
/// # Errors
/// What does not fit, without the place in the JSON, which means nothing to the author of a recipe.
pub(crate) fn settings<T: DeserializeOwned>(json: &str) -> Result<T, String> {
    serde_json::from_str(json).map_err(|error| {
        let message = error.to_string();
        match message.rsplit_once(" at line ") {
            Some((message, _)) => format!("the settings: {message}"),
            None => format!("the settings: {message}"),
        }
    })
}

/// A parameter of a policy.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter(pub(crate) hooks::Parameter);

impl Parameter {
    /// A trained parameter of the policy, one per site, that starts at zero.
    pub fn new(name: &str, shape: &[u32]) -> Self {
        Self(hooks::Parameter {
            name: name.to_owned(),
            shape: shape.to_vec(),
            init: Init::Zeros,
            trained: true,
            scope: Scope::Site,
            owner: Owner::Policy,
        })
    }

    /// With other initial values.
    #[must_use]
    pub fn init(mut self, init: Init) -> Self {
        self.0.init = init;
        self
    }

    /// The usual initial values of a linear map with this many inputs: uniform within ± 1/√inputs.
    #[must_use]
    pub fn linear_init(self, inputs: u32) -> Self {
        self.init(Init::Uniform(1.0 / f64::from(inputs).sqrt()))
    }

    /// Once per site, layer or model.
    #[must_use]
    pub fn scope(mut self, scope: Scope) -> Self {
        self.0.scope = scope;
        self
    }

    /// Whom it belongs to. What an expert owns is stored with it, as a side tensor of this name.
    #[must_use]
    pub fn owner(mut self, owner: Owner) -> Self {
        self.0.owner = owner;
        self
    }
}

/// A call of the hook `gate`.
#[derive(Clone, Debug)]
pub struct Gate {
    /// Sizes of the site.
    pub site: Site,
    /// Input of the site, `[tokens, in]`.
    pub x: Tensor,
    /// Output of the site's frozen weight, `[tokens, out]`.
    pub base_out: Tensor,
    /// The experts of the site.
    pub experts: Vec<Expert>,
    /// The policy's parameters.
    pub parameters: Named,
    /// When and on what the gate is called.
    pub context: Context,
}

impl Gate {
    /// Number of tokens.
    #[track_caller]
    pub fn tokens(&self) -> u32 {
        self.x.size(0)
    }

    /// The expert that is being trained.
    ///
    /// # Errors
    /// None is.
    pub fn trained_expert(&self) -> Result<&Expert, String> {
        let index = self.context.training.ok_or("no expert is being trained")?;
        self.experts.get(index as usize).ok_or_else(|| format!("the site has no expert {index}"))
    }

    /// A tensor of each expert by name, such as a side tensor: `[experts, …]`.
    ///
    /// # Errors
    /// An expert has no such tensor; the message names the expert.
    #[track_caller]
    pub fn stacked(&self, name: &str) -> Result<Tensor, String> {
        let of = |expert: &Expert| {
            expert.tensors.get(name).map_err(|problem| format!("expert `{}`: {problem}", expert.name))
        };
        let tensors: Vec<Tensor> = self.experts.iter().map(of).collect::<Result<_, _>>()?;
        Ok(crate::stack(&tensors, 0))
    }

    /// `base_out + Σ weight_e · expert_e(x)` for weights `[tokens, experts]`. The core does the same with the weights that a
    /// gate returns, for those tokens only whose weight is not 0; this is for cases.
    #[track_caller]
    pub fn apply(&self, weights: Tensor) -> Tensor {
        (0u32..).zip(&self.experts).fold(self.base_out, |output, (index, expert)| {
            output + weights.slice(1, index, index + 1) * expert.apply(self.x)
        })
    }
}

/// When and on what a gate is called.
#[derive(Clone, Debug)]
pub struct Context {
    /// What is being trained, if anything.
    pub phase: Phase,
    /// Index of the expert that is being trained.
    pub training: Option<u32>,
    /// `[tokens, 1]`: 1 for tokens that count.
    pub token_mask: Tensor,
    /// Integers `[tokens]`: the sequence that each token belongs to, from 0.
    pub sequence: Tensor,
    /// Number of sequences.
    pub sequences: u32,
    /// `[1]`: optimizer steps so far.
    pub step: Tensor,
    /// Columns of the data, `[sequences]` each.
    pub tags: Named,
    /// What the hook `plan` returned.
    pub plan: Named,
}

impl From<hooks::Context> for Context {
    fn from(raw: hooks::Context) -> Self {
        Self {
            phase: raw.phase,
            training: raw.training,
            token_mask: Tensor::of(raw.token_mask),
            sequence: Tensor::of(raw.sequence),
            sequences: raw.sequences,
            step: Tensor::of(raw.step),
            tags: raw.tags.into(),
            plan: raw.plan.into(),
        }
    }
}

/// What a gate returns.
#[derive(Clone, Debug)]
pub struct Gated {
    /// `[tokens, experts]`, which the core applies to the experts.
    pub weights: Option<Tensor>,
    /// `[tokens, out]`, where a policy computes the site's output itself.
    pub output: Option<Tensor>,
    /// `[1]`, already weighted; added to the loss in training.
    pub loss_term: Option<Tensor>,
    /// Named statistics.
    pub statistics: Named,
}

impl Gated {
    /// Weights `[tokens, experts]`: the output is `base_out + Σ weight_e · expert_e(x)`. Preferred, since the core computes
    /// only what has a weight.
    pub fn weights(weights: Tensor) -> Self {
        Self { weights: Some(weights), output: None, loss_term: None, statistics: Named::new() }
    }

    /// The site's output `[tokens, out]`.
    pub fn output(output: Tensor) -> Self {
        Self { weights: None, output: Some(output), loss_term: None, statistics: Named::new() }
    }

    /// With a term of the loss, `[1]`, already weighted.
    #[must_use]
    pub fn loss_term(mut self, term: Option<Tensor>) -> Self {
        self.loss_term = term;
        self
    }

    /// With a statistic.
    #[must_use]
    pub fn statistic(mut self, name: &str, value: Tensor) -> Self {
        self.statistics.push(name, value);
        self
    }

    /// The site's output, whichever of both was returned.
    #[track_caller]
    pub fn output_of(&self, call: &Gate) -> Tensor {
        match (self.output, self.weights) {
            (Some(output), _) => output,
            (None, Some(weights)) => call.apply(weights),
            (None, None) => call.base_out,
        }
    }
}

/// A call of the hook `plan`.
#[derive(Clone, Debug)]
pub struct Plan {
    /// `[tokens, hidden]` after the final norm of the first pass.
    pub hidden: Tensor,
    /// Number of adapted sites of the model.
    pub sites: u32,
    /// Number of experts.
    pub experts: u32,
    /// The policy's parameters.
    pub parameters: Named,
    /// When and on what the hook is called.
    pub context: Context,
}

/// A call of the hook `after-step`.
#[derive(Clone, Debug)]
pub struct Step {
    /// The weight before the optimizer's step.
    pub before: Tensor,
    /// The weight after it.
    pub after: Tensor,
    /// The gradient that the optimizer got.
    pub gradient: Tensor,
    /// Buffers of the weight.
    pub buffers: Named,
}

/// What `after-step` returns.
#[derive(Clone, Debug, Default)]
pub struct Stepped {
    /// The weight to go on with, if it is not the optimizer's.
    pub weight: Option<Tensor>,
    /// New values of buffers; those left out stay as they are.
    pub buffers: Named,
}

/// An expert in a merge of one tensor.
#[derive(Clone, Debug)]
pub struct Model {
    /// Its task.
    pub name: String,
    /// What it adds to the base.
    pub delta: Tensor,
    /// Side tensors that the policy declares to need.
    pub tensors: Named,
}

/// Logits that a decoder wants.
#[derive(Clone, Debug, PartialEq)]
pub struct Stream {
    /// Its name in `decode`.
    pub name: String,
    /// The model that they are of.
    pub source: Source,
    /// Text before the prompt.
    pub prefix: Option<String>,
}

impl Stream {
    /// Logits of a model for the prompt as it is. The source is `base`, `routed`, or the name of an expert's task.
    pub fn new(name: &str, source: &str) -> Self {
        let source = match source {
            "base" => Source::Base,
            "routed" => Source::Routed,
            task => Source::Expert(task.to_owned()),
        };
        Self { name: name.to_owned(), source, prefix: None }
    }

    /// With text before the prompt.
    #[must_use]
    pub fn prefix(mut self, prefix: &str) -> Self {
        self.prefix = Some(prefix.to_owned());
        self
    }
}

/// A part of a training: a share of the recipe's steps, with all tensors free to change.
pub fn training(steps: f64, rate: f64) -> hooks::Training {
    hooks::Training { steps, rate, freeze: Vec::new() }
}
