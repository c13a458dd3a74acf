//! The router `oracle`: sends every query to the expert that learned its task. It asks for the truth,
//! so it serves as the upper bound of routing and needs `routing.grant = ["task"]`.

use cadre_policy_sdk::router::{Description, Evidence, ExpertCard, Probe, Router, Step};
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
        Ok(Self { experts: experts.len() as u32 })
    }

    fn route(&self, evidence: &Evidence) -> Result<Step, String> {
        match evidence.task() {
            None => Ok(Step::Ask(vec![Probe::Task])),
            Some(None) => Ok(Step::Backbone),
            Some(Some(expert)) if expert < self.experts => Ok(Step::Choose(expert)),
            Some(Some(expert)) => Err(format!(
                "query {} is said to belong to expert {expert}, but there are {}",
                evidence.id(),
                self.experts
            )),
        }
    }
}

export_router!(Oracle);

#[cfg(test)]
mod tests {
    //! It asks once, and believes what it is told.

    use cadre_policy_sdk::router::{ExpertCard, Probe, Router, Sample, Step};

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

    fn query() -> Sample {
        Sample::new("sort: 3 1 2").id(4)
    }

    #[test]
    fn asks_for_the_task_and_follows_it() {
        assert_eq!(oracle(3).route(&query().evidence()), Ok(Step::Ask(vec![Probe::Task])));
        assert_eq!(oracle(3).route(&query().task(Some(2)).evidence()), Ok(Step::Choose(2)));
    }

    #[test]
    fn what_no_expert_learned_the_backbone_answers() {
        assert_eq!(oracle(3).route(&query().task(None).evidence()), Ok(Step::Backbone));
    }

    #[test]
    fn a_truth_that_cannot_be_is_refused() {
        let error = oracle(3).route(&query().task(Some(3)).evidence()).unwrap_err();
        assert_eq!(error, "query 4 is said to belong to expert 3, but there are 3");
    }

    #[test]
    fn a_setting_is_refused() {
        let error = Oracle::open(r#"{"threshold": 0.5}"#, vec![]).err().unwrap();
        assert!(error.contains("unknown field `threshold`"), "{error}");
    }
}
