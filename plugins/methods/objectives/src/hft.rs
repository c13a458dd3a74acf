//! Half fine-tuning (Hui et al., arXiv 2404.18466): in each round a new random half of the matrices is frozen. What is frozen
//! must not move at all: with zero gradients alone, Adam's momentum and weight decay still move it.

use cadre_method_sdk::serde_json::{Map, Value};
use cadre_method_sdk::{Case, Chance, Named, Played, Policy, Tensor, choose};
use cadre_method_sdk::{Directive, Shape, Step, Stepped, training};
use serde::Deserialize;

/// Settings of `hft`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Hft {}

const ATTENTION: [&str; 4] = ["q", "k", "v", "o"];
const FEED_FORWARD: [&str; 3] = ["gate", "up", "down"];
const NORMS: [&str; 2] = ["input_norm", "post_norm"];

/// Places of the numbers in ascending order; among equals the lowest place first.
fn order(numbers: &[f64]) -> Vec<usize> {
    let mut places: Vec<usize> = (0..numbers.len()).collect();
    places.sort_by(|one, other| numbers[*one].total_cmp(&numbers[*other]));
    places
}

/// Numbers drawn for one round, row-major by layer.
struct Draws<'a> {
    layers: &'a [f64],
    attention: &'a [f64],
    feed_forward: &'a [f64],
    norms: &'a [f64],
}

impl Draws<'_> {
    /// For each layer the names with whether they train: 2 of the attention's 4, 2 of the feed-forward block's 3 in half of the
    /// layers (rounded down) and 1 in the others, 1 of the 2 norms. The lowest numbers train.
    fn trained(&self) -> Vec<Vec<(&'static str, bool)>> {
        let layers = self.layers.len();
        let two = &order(self.layers)[..layers / 2];
        let group = |names: &[&'static str], numbers: &[f64], layer: usize, count: usize| {
            let chosen = order(&numbers[layer * names.len()..][..names.len()]);
            let trains = |at: usize| chosen[..count].contains(&at);
            names.iter().enumerate().map(|(at, name)| (*name, trains(at))).collect::<Vec<_>>()
        };
        let of = |layer: usize| {
            let mut all = group(&ATTENTION, self.attention, layer, 2);
            let count = if two.contains(&layer) { 2 } else { 1 };
            all.extend(group(&FEED_FORWARD, self.feed_forward, layer, count));
            all.extend(group(&NORMS, self.norms, layer, 1));
            all
        };
        (0..layers).map(of).collect()
    }
}

/// The weight after a step: the optimizer's where it trains, else as before.
fn kept(trains: Tensor, after: Tensor, before: Tensor) -> Tensor {
    choose(trains, after, before)
}

/// One step of AdamW: the new weight and both moments.
#[expect(clippy::too_many_arguments, reason = "the numbers of AdamW, as in the reference")]
fn adam(
    theta: Tensor,
    gradient: Tensor,
    m: Tensor,
    v: Tensor,
    step: f64,
    rate: f64,
    [beta1, beta2]: [f64; 2],
    [eps, decay]: [f64; 2],
) -> [Tensor; 3] {
    let m = m * beta1 + gradient * (1.0 - beta1);
    let v = v * beta2 + gradient.square() * (1.0 - beta2);
    let first = m / (1.0 - beta1.powf(step));
    let second = (v / (1.0 - beta2.powf(step))).sqrt() + eps;
    [theta * (1.0 - rate * decay) - first / second * rate, m, v]
}

impl Policy for Hft {
    /// Not declared: the schedule's freeze lists do the same before an optimizer state exists, and a buffer `trains` that
    /// starts at 0 would hold every weight. Cases are played through it.
    fn after_step(&self, step: &Step) -> Result<Stepped, String> {
        let trains = step.buffers.get("trains")?.differs(0.0);
        Ok(Stepped { weight: Some(kept(trains, step.after, step.before)), buffers: Named::new() })
    }

    fn schedule(&self, tasks: &[String], model: &Shape, seed: u64) -> Result<Vec<Vec<Directive>>, String> {
        let mut chance = Chance::new(seed);
        let layers = model.layers as usize;
        let mut plan = Vec::new();
        for _ in tasks {
            let mut draw = |count: usize| (0..count).map(|_| chance.fraction()).collect::<Vec<f64>>();
            let (of_layers, attention) = (draw(layers), draw(4 * layers));
            let (feed_forward, norms) = (draw(3 * layers), draw(2 * layers));
            let draws = Draws {
                layers: &of_layers,
                attention: &attention,
                feed_forward: &feed_forward,
                norms: &norms,
            };
            let mut freeze = Vec::new();
            for (layer, names) in draws.trained().into_iter().enumerate() {
                for (name, trains) in names {
                    if !trains && model.targets.iter().any(|target| target == name) {
                        freeze.push(format!("layers.{layer}.{name}"));
                    }
                }
            }
            let mut part = training(1.0, 1.0);
            part.freeze = freeze;
            plan.push(vec![Directive::Train(part)]);
        }
        Ok(plan)
    }

    fn play_case(case: &Case) -> Result<Played, String> {
        if !case.has("theta") {
            let draws = Draws {
                layers: case.data("layer_draw")?,
                attention: case.data("attention_draw")?,
                feed_forward: case.data("ffn_draw")?,
                norms: case.data("norm_draw")?,
            };
            let layer = |names: Vec<(&'static str, bool)>| {
                let map: Map<String, Value> =
                    names.into_iter().map(|(name, trains)| (name.to_owned(), Value::Bool(trains))).collect();
                Value::Object(map)
            };
            let trained: Vec<Value> = draws.trained().into_iter().map(layer).collect();
            return Ok(Played::new(Named::new()).other("trained", trained));
        }
        let (theta, gradient, base) = (case.tensor("theta")?, case.tensor("gradient")?, case.tensor("base")?);
        let (m, v, trains) = (case.tensor("m")?, case.tensor("v")?, case.mask("trains")?);
        let betas = [case.setting("beta1")?, case.setting("beta2")?];
        let rest = [case.setting("eps")?, case.setting("decay")?];
        let (step, rate) = (case.setting("step")?, case.setting("rate")?);
        let [after, new_m, new_v] = adam(theta, gradient, m, v, step, rate, betas, rest);
        let [wrong, _, _] = adam(theta, gradient * trains.to_float(), m, v, step, rate, betas, rest);
        let buffers = Named::new().with("trains", trains.to_float());
        let stepped = Self {}.after_step(&Step { before: theta, after, gradient, buffers })?;
        let outputs = Named::new()
            .with("theta", stepped.weight.ok_or("no weight")?)
            .with("m", new_m)
            .with("v", new_v)
            .with("gradient_only", wrong)
            .with("half_reset", kept(trains, theta, base));
        Ok(Played::new(outputs))
    }
}
