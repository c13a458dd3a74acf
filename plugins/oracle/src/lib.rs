//! The router `oracle`: sends every query to the expert that learned its task. It asks for the truth,
//! so it serves as the upper bound of routing and needs `routing.grant = ["task"]`.

use cadre_policy_sdk::router::{
    Description, Evidence, ExpertCard, Finding, Probe, Router, Step,
};
use cadre_policy_sdk::{export_router, settings};
use serde::Deserialize;

/// This policy has no settings.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {}

/// Routing by the true task.
pub struct Oracle {
    experts: u32,
}

impl Router for Oracle {
    fn describe() -> Description {
        Description {
            name: "oracle".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            summary: "sends every query to the expert that learned its task".into(),
            reference: String::new(),
        }
    }

    fn open(text: &str, experts: Vec<ExpertCard>) -> Result<Self, String> {
        let Settings {} = settings(text)?;
        Ok(Self {
            experts: experts.len() as u32,
        })
    }

    fn route(&self, evidence: &Evidence) -> Result<Step, String> {
        let truth = evidence
            .observations
            .iter()
            .find_map(|seen| match seen.finding {
                Finding::Task(expert) => Some(expert),
                _ => None,
            });
        match truth {
            None => Ok(Step::Ask(vec![Probe::Task])),
            Some(None) => Ok(Step::Backbone),
            Some(Some(expert)) if expert < self.experts => Ok(Step::Choose(expert)),
            Some(Some(expert)) => Err(format!(
                "query {} is said to belong to expert {expert}, but there are {}",
                evidence.query.id, self.experts
            )),
        }
    }
}

export_router!(Oracle);

#[cfg(test)]
mod tests {
    //! It asks once, and believes what it is told.

    use cadre_policy_sdk::router::{
        Evidence, ExpertCard, Finding, Observation, Probe, Query, Router, Step,
    };

    use super::Oracle;

    fn oracle(experts: u32) -> Oracle {
        let cards = (0..experts).map(|index| ExpertCard {
            index,
            task: format!("task-{index}"),
            training_examples: 10,
            parameters: 100,
            descriptors: vec![],
        });
        Oracle::open("{}", cards.collect()).unwrap()
    }

    fn told(truth: Option<Option<u32>>) -> Evidence {
        Evidence {
            query: Query {
                id: 4,
                prompt: "sort: 3 1 2".into(),
                prompt_tokens: 5,
            },
            observations: truth
                .map(|expert| Observation {
                    probe: Probe::Task,
                    finding: Finding::Task(expert),
                })
                .into_iter()
                .collect(),
        }
    }

    #[test]
    fn asks_for_the_task_and_follows_it() {
        assert_eq!(oracle(3).route(&told(None)), Ok(Step::Ask(vec![Probe::Task])));
        assert_eq!(oracle(3).route(&told(Some(Some(2)))), Ok(Step::Choose(2)));
    }

    #[test]
    fn what_no_expert_learned_the_backbone_answers() {
        assert_eq!(oracle(3).route(&told(Some(None))), Ok(Step::Backbone));
    }

    #[test]
    fn a_truth_that_cannot_be_is_refused() {
        let error = oracle(3).route(&told(Some(Some(3)))).unwrap_err();
        assert_eq!(error, "query 4 is said to belong to expert 3, but there are 3");
    }

    #[test]
    fn a_setting_is_refused() {
        let error = Oracle::open(r#"{"threshold": 0.5}"#, vec![]).err().unwrap();
        assert!(error.contains("unknown field `threshold`"), "{error}");
    }
}
