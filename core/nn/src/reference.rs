//! The reference for tests: the decoder in plain f64 loops, written from the papers' formulas. Must stay independent of
//! the fast implementation.

use std::collections::BTreeMap;

use cadre_checkpoint::BackboneShape;
use cadre_data::TokenExample;

use crate::adapter::Adapter;
use crate::weights::WeightMap;

/// Weights in f64.
#[derive(Clone)]
pub(crate) struct Reference {
    pub(crate) shape: BackboneShape,
    pub(crate) weights: BTreeMap<String, Vec<f64>>,
    /// (scale, number of added tokens)
    pub(crate) adapter: Option<(f64, usize)>,
    /// For DoRA: norms of the rows of each module's changed weight, which are constants for the gradient.
    norms: BTreeMap<String, Vec<f64>>,
}

type Rows = Vec<Vec<f64>>;

impl Reference {
    pub(crate) fn new(shape: &BackboneShape, weights: &WeightMap, adapter: Option<&Adapter>) -> Self {
        let wide = |map: &WeightMap| -> BTreeMap<String, Vec<f64>> {
            map.iter()
                .map(|(name, weight)| (name.clone(), weight.values.iter().map(|v| f64::from(*v)).collect()))
                .collect()
        };
        let mut all = wide(weights);
        if let Some(adapter) = adapter {
            all.extend(wide(&adapter.weights));
            all.extend(wide(&adapter.side));
        }
        let adapter = adapter.map(|adapter| (f64::from(adapter.spec.scale()), adapter.spec.added_tokens));
        let mut new = Self { shape: shape.clone(), weights: all, adapter, norms: BTreeMap::new() };
        for at in new.weights.keys().filter_map(|name| name.strip_suffix(".lora_magnitude_vector")) {
            new.norms.insert(at.to_owned(), new.row_norms(at));
        }
        new
    }

    /// Norms of the rows of `W + scale · B A`.
    fn row_norms(&self, at: &str) -> Vec<f64> {
        let module = at.strip_prefix("base_model.model.").unwrap();
        let (weight, b) =
            (&self.weights[&format!("{module}.weight")], &self.weights[&format!("{at}.lora_B.weight")]);
        let a = &self.weights[&format!("{at}.lora_A.weight")];
        let out = self.weights[&format!("{at}.lora_magnitude_vector")].len();
        let (into, rank, scale) = (weight.len() / out, b.len() / out, self.adapter.unwrap().0);
        let value = |row: usize, column: usize| {
            let update: f64 = (0..rank).map(|r| b[row * rank + r] * a[r * into + column]).sum();
            weight[row * into + column] + scale * update
        };
        (0..out).map(|row| (0..into).map(|column| value(row, column).powi(2)).sum::<f64>().sqrt()).collect()
    }

    fn linear(&self, x: &Rows, module: &str) -> Rows {
        let weight = &self.weights[&format!("model.{module}.weight")];
        let at = format!("base_model.model.model.{module}");
        let own = |name: &str| self.weights.get(&format!("{at}.{name}"));
        let scaled = |rows: &Rows, by: &[f64]| -> Rows {
            rows.iter().map(|row| row.iter().zip(by).map(|(v, l)| v * l).collect()).collect()
        };
        if let Some(factors) = own("ia3_l") {
            return match module.ends_with("down_proj") {
                true => times(&scaled(x, factors), weight),
                false => scaled(&times(x, weight), factors),
            };
        }
        let mut base = times(x, weight);
        if let Some(delta) = own("delta") {
            return plus(&base, &times(x, delta));
        }
        if let (Some(values), Some(rows), Some(columns)) =
            (own("sparse_values"), own("sparse_rows"), own("sparse_columns"))
        {
            for (base, x) in base.iter_mut().zip(x) {
                for ((value, row), column) in values.iter().zip(rows).zip(columns) {
                    base[*row as usize] += value * x[*column as usize];
                }
            }
            return base;
        }
        let (Some((scale, _)), Some(a)) = (self.adapter, own("lora_A.weight")) else {
            return base;
        };
        let update = times(&times(x, a), &self.weights[&format!("{at}.lora_B.weight")]);
        let y: Rows = base
            .iter()
            .zip(&update)
            .map(|(b, u)| b.iter().zip(u).map(|(b, u)| b + scale * u).collect())
            .collect();
        match own("lora_magnitude_vector") {
            Some(magnitude) => {
                let ratio: Vec<f64> = magnitude.iter().zip(&self.norms[&at]).map(|(m, n)| m / n).collect();
                scaled(&y, &ratio)
            }
            None => y,
        }
    }

    fn norm(&self, x: &Rows, name: &str) -> Rows {
        let weight = &self.weights[name];
        x.iter()
            .map(|row| {
                let mean = row.iter().map(|v| v * v).sum::<f64>() / row.len() as f64;
                let root = (mean + self.shape.norm_epsilon).sqrt();
                row.iter().zip(weight).map(|(v, w)| v / root * w).collect()
            })
            .collect()
    }

    fn rotate(&self, row: &[f64], position: usize) -> Vec<f64> {
        let width = self.shape.head_width();
        let half = width / 2;
        let mut out = row.to_vec();
        for head in 0..row.len() / width {
            for pair in 0..half {
                let angle = position as f64 * self.shape.rope_theta.powf(-2.0 * pair as f64 / width as f64);
                let (a, b) = (row[head * width + pair], row[head * width + half + pair]);
                out[head * width + pair] = a * angle.cos() - b * angle.sin();
                out[head * width + half + pair] = b * angle.cos() + a * angle.sin();
            }
        }
        out
    }

    /// Last hidden states of a row, after the final norm.
    pub(crate) fn hidden(&self, ids: &[u32]) -> Rows {
        let hidden = self.shape.hidden;
        let mut x: Rows = ids
            .iter()
            .map(|&id| {
                let id = id as usize;
                match id.checked_sub(self.shape.vocabulary) {
                    Some(added) => {
                        self.weights["added_tokens.embed_tokens.weight"][added * hidden..][..hidden].to_vec()
                    }
                    None => self.weights["model.embed_tokens.weight"][id * hidden..][..hidden].to_vec(),
                }
            })
            .collect();
        for layer in 0..self.shape.layers {
            let at = format!("layers.{layer}");
            let n = self.norm(&x, &format!("model.{at}.input_layernorm.weight"));
            let uses_rope = |rows: Rows| -> Rows {
                rows.iter().enumerate().map(|(p, row)| self.rotate(row, p)).collect()
            };
            let q = uses_rope(self.linear(&n, &format!("{at}.self_attn.q_proj")));
            let k = uses_rope(self.linear(&n, &format!("{at}.self_attn.k_proj")));
            let v = self.linear(&n, &format!("{at}.self_attn.v_proj"));
            let mixed = self.linear(&self.attend(&q, &k, &v), &format!("{at}.self_attn.o_proj"));
            x = plus(&x, &mixed);
            let n = self.norm(&x, &format!("model.{at}.post_attention_layernorm.weight"));
            let gate = self.linear(&n, &format!("{at}.mlp.gate_proj"));
            let up = self.linear(&n, &format!("{at}.mlp.up_proj"));
            let inner: Rows = gate
                .iter()
                .zip(&up)
                .map(|(g, u)| g.iter().zip(u).map(|(g, u)| g / (1.0 + (-g).exp()) * u).collect())
                .collect();
            x = plus(&x, &self.linear(&inner, &format!("{at}.mlp.down_proj")));
        }
        self.norm(&x, "model.norm.weight")
    }

    fn attend(&self, q: &Rows, k: &Rows, v: &Rows) -> Rows {
        let width = self.shape.head_width();
        let group = self.shape.heads / self.shape.kv_heads;
        (0..q.len())
            .map(|token| {
                let mut out = Vec::new();
                for head in 0..self.shape.heads {
                    let at = head / group * width;
                    let query = &q[token][head * width..][..width];
                    let scores: Vec<f64> = (0..=token)
                        .map(|key| {
                            query.iter().zip(&k[key][at..]).map(|(a, b)| a * b).sum::<f64>()
                                / (width as f64).sqrt()
                        })
                        .collect();
                    let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                    let sum: f64 = scores.iter().map(|s| (s - largest).exp()).sum();
                    for column in 0..width {
                        out.push(
                            (0..=token)
                                .map(|key| (scores[key] - largest).exp() / sum * v[key][at + column])
                                .sum(),
                        );
                    }
                }
                out
            })
            .collect()
    }

    /// Log-probabilities over the vocabulary and added tokens, after each token.
    pub(crate) fn log_probabilities(&self, ids: &[u32]) -> Rows {
        let hidden = self.hidden(ids);
        let head = if self.shape.tied { "model.embed_tokens.weight" } else { "lm_head.weight" };
        let mut logits = times(&hidden, &self.weights[head]);
        if let Some(added) = self.weights.get("added_tokens.lm_head.weight") {
            for (row, more) in logits.iter_mut().zip(times(&hidden, added)) {
                row.extend(more);
            }
        }
        for row in &mut logits {
            let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let sum = row.iter().map(|v| (v - largest).exp()).sum::<f64>().ln() + largest;
            row.iter_mut().for_each(|v| *v -= sum);
        }
        logits
    }

    /// `Σ weight · factor · nll / Σ factor` over the tokens with a loss. The factor is the indicator weight at the
    /// indicator and 1 elsewhere.
    pub(crate) fn loss(&self, examples: &[TokenExample]) -> f64 {
        let (mut total, mut count) = (0.0, 0.0);
        for example in examples {
            let rows = self.log_probabilities(&example.ids);
            let learnt = (1..example.ids.len()).filter(|&at| example.mask[at]);
            for (number, at) in learnt.enumerate() {
                let indicated = number < example.indicator;
                let factor = if indicated { f64::from(example.indicator_weight) } else { 1.0 };
                total -= f64::from(example.weight) * factor * rows[at - 1][example.ids[at] as usize];
                count += factor;
            }
        }
        total / count
    }
}

fn times(x: &Rows, weight: &[f64]) -> Rows {
    let into = x[0].len();
    x.iter()
        .map(|row| weight.chunks_exact(into).map(|w| w.iter().zip(row).map(|(a, b)| a * b).sum()).collect())
        .collect()
}

fn plus(a: &Rows, b: &Rows) -> Rows {
    a.iter().zip(b).map(|(a, b)| a.iter().zip(b).map(|(a, b)| a + b).collect()).collect()
}
