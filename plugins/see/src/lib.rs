//! The router `see`: distributed sequential routing. Experts are asked one after the other for their
//! claim; the first that accepts answers, and what none accepts the backbone answers.

use cadre_policy_sdk::router::{Claim, Description, Evidence, ExpertCard, Probe, Router, Step};
use cadre_policy_sdk::{export_router, settings};
use serde::Deserialize;

/// Who is asked first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Order {
    /// The expert learned last: it alone has seen negatives of every earlier task.
    NewestFirst,
    /// The expert learned first.
    OldestFirst,
}

/// How a claim becomes a score.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Score {
    /// accept / (accept + reject).
    Renormalised,
    /// The probability of the accepting token over the whole vocabulary.
    Raw,
    /// Accepted where the accepting token is the likelier of the two; the threshold is not used.
    Greedy,
}

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct Settings {
    /// Least score at which an expert takes a query, in 0..=1.
    threshold: f32,
    order: Order,
    score: Score,
    /// At most so many experts are asked about a query; 0 means all.
    max_probes: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self { threshold: 0.5, order: Order::NewestFirst, score: Score::Renormalised, max_probes: 0 }
    }
}

/// Sequential routing by the experts' own claims.
pub struct See {
    settings: Settings,
    experts: u32,
}

impl See {
    fn accepts(&self, claim: Claim) -> bool {
        match self.settings.score {
            Score::Renormalised => {
                let sum = claim.accept + claim.reject;
                sum > 0.0 && claim.accept / sum >= self.settings.threshold
            }
            Score::Raw => claim.accept >= self.settings.threshold,
            Score::Greedy => claim.accept > claim.reject,
        }
    }

    /// The expert asked in this turn, counted from 0; none when all were asked.
    fn expert_of_turn(&self, turn: u32) -> Option<u32> {
        let turns = match self.settings.max_probes {
            0 => self.experts,
            budget => budget.min(self.experts),
        };
        (turn < turns).then(|| match self.settings.order {
            Order::NewestFirst => self.experts - 1 - turn,
            Order::OldestFirst => turn,
        })
    }
}

impl Router for See {
    fn describe() -> Description {
        Description {
            name: "see".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            summary: "asks the experts one after the other whether the query is theirs".into(),
            reference: "SEE, arXiv 2504.06664".into(),
        }
    }

    fn open(text: &str, experts: Vec<ExpertCard>) -> Result<Self, String> {
        let settings: Settings = settings(text)?;
        if !(0.0..=1.0).contains(&settings.threshold) {
            return Err(format!("`threshold` is {}, expected a number in 0..=1", settings.threshold));
        }
        Ok(Self { settings, experts: experts.len() as u32 })
    }

    fn route(&self, evidence: &Evidence) -> Result<Step, String> {
        // Experts that were asked already stand in the evidence, whoever wanted to know: mostly in the
        // order of their turns.
        let mut known = evidence.claims();
        let mut turn = 0;
        while let Some(expert) = self.expert_of_turn(turn) {
            let in_turn = known.next().filter(|claim| claim.expert == expert);
            match in_turn.or_else(|| evidence.claim(expert)) {
                None => return Ok(Step::Ask(vec![Probe::Claim(expert)])),
                Some(claim) if self.accepts(claim) => return Ok(Step::Choose(expert)),
                Some(_) => turn += 1,
            }
        }
        Ok(Step::Backbone)
    }
}

export_router!(See);

#[cfg(test)]
mod tests;
