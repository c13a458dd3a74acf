//! Made-up sweeps for examples and tests of the page.

#[path = "../sample/dice.rs"]
mod dice;

use cadre_eval::{
    EvalError, PointOutcome, Report, ScoreMatrix, SweepInput, SweepReport, SweepRun, SweepStages,
};
use serde_json::{Map, Value, json};

use dice::Dice;

/// Eight thresholds, three score rules, three seeds; one point failed, one was not run.
pub(crate) fn thresholds() -> Result<SweepReport, EvalError> {
    let mut sweep = Making::new("see-thresholds", &["routing.router.threshold", "routing.router.score"])?;
    for (rule, score) in ["product", "margin", "mean"].into_iter().enumerate() {
        for step in 1..=8 {
            let threshold = f64::from(step) / 10.0;
            let height = 88.0 + rule as f64 - 30.0 * (threshold - 0.45 - 0.05 * rule as f64).powi(2);
            let values = json!({ "routing.router.threshold": threshold, "routing.router.score": score });
            sweep.setting("see", values, height, 2.0 + 2.0 * threshold, 6_812_448, 3)?;
        }
    }
    let last = sweep.input.points.len() - 1;
    sweep.input.points[last].outcome = PointOutcome::Left;
    sweep.input.points[10].outcome = PointOutcome::Failed(
        "train task 3 “sentiment”: loss is not finite at step 212; lower `expert.learning-rate`".to_owned(),
    );
    sweep.finish("threshold 0.5, score product")
}

/// Eight recipes, three seeds, two orders of tasks.
pub(crate) fn recipes() -> Result<SweepReport, EvalError> {
    let mut sweep = Making::new("methods", &[])?;
    sweep.orders = &[Some("O1"), Some("O2")];
    let recipes = [
        ("sequential", 31.0, 1.0, 3_400_000),
        ("replay", 72.0, 1.0, 5_100_000),
        ("o-lora", 64.0, 1.0, 3_900_000),
        ("see", 89.0, 3.1, 6_812_448),
        ("see-nearest", 86.0, 1.4, 6_100_000),
        ("oracle", 92.0, 1.0, 5_100_000),
        ("multi-task", 90.0, 1.0, 17_300_000),
        ("zero-shot", 12.0, 0.0, 0),
    ];
    for (recipe, height, probes, tokens) in recipes {
        sweep.setting(recipe, json!({}), height, probes, tokens, 3)?;
    }
    sweep.finish("see")
}

/// Three keys over decades: `ranks` × `rates` × `shares` settings with as many seeds as given.
pub(crate) fn grid(ranks: i32, rates: i32, shares: i32, seeds: u64) -> Result<SweepReport, EvalError> {
    let mut sweep = Making::new("grid", &["expert.adapter.rank", "expert.learning-rate", "rehearsal.share"])?;
    for rank in 0..ranks {
        for rate in 0..rates {
            for share in 0..shares {
                let values = json!({
                    "expert.adapter.rank": 2_u64.pow(rank as u32),
                    "expert.learning-rate": 10_f64.powi(rate - 6),
                    "rehearsal.share": f64::from(share) / 50.0,
                });
                let height = 80.0 + f64::from(rank) - f64::from((rate - 3).pow(2)) + f64::from(share) * 0.2;
                sweep.setting("see", values, height, 2.5, 6_000_000 + 40_000 * share as u64, seeds)?;
            }
        }
    }
    let baseline = sweep.input.points[0].setting.clone();
    sweep.finish(&baseline)
}

/// The tasks of every run, in the order `O1`.
const TASKS: [&str; 5] = ["sorting", "copying", "sentiment", "arithmetic", "translation"];
/// Recipes that are evaluated once, at the end.
const ONE_ROW: [&str; 2] = ["multi-task", "zero-shot"];

/// R with a last row around `average`; earlier rows show what forgetting has cost.
fn matrix(average: f64, all_rows: bool) -> Result<ScoreMatrix, EvalError> {
    let tasks = TASKS.len();
    let room = average.min(100.0 - average).min(9.0);
    let mut matrix = ScoreMatrix::new(tasks);
    for stage in (0..tasks).filter(|stage| all_rows || stage + 1 == tasks) {
        for task in 0..tasks {
            let last = average + room * [0.4, -0.9, 0.7, -0.6, 0.4][task];
            let learned = last + (98.0 - last).max(0.0) * 0.8;
            let score = match stage.checked_sub(task) {
                None => 11.0 + 3.0 * (task as f64 - stage as f64),
                Some(age) => learned + (last - learned) * age as f64 / (tasks - 1 - task).max(1) as f64,
            };
            matrix.set(stage, task, Some(if stage + 1 == tasks { last } else { score }.clamp(0.0, 100.0)))?;
        }
    }
    Ok(matrix)
}

pub(crate) struct Making {
    pub(crate) input: SweepInput,
    pub(crate) orders: &'static [Option<&'static str>],
    pattern: Report,
    dice: Dice,
}

impl Making {
    pub(crate) fn new(name: &str, keys: &[&str]) -> Result<Self, EvalError> {
        Ok(Self {
            input: SweepInput {
                name: name.to_owned(),
                key: "77aa01c4e95b2f60d1".to_owned(),
                baseline: None,
                keys: keys.iter().map(|&key| key.to_owned()).collect(),
                stages: SweepStages::default(),
                points: Vec::new(),
            },
            orders: &[None],
            pattern: Report::from_json(include_str!("../../fixtures/report_v1.json"))?,
            dice: Dice(11),
        })
    }

    /// Adds a setting with `seeds` seeds in every order, its average score about `height`.
    pub(crate) fn setting(
        &mut self,
        recipe: &str,
        values: Value,
        height: f64,
        probes: f64,
        tokens: u64,
        seeds: u64,
    ) -> Result<(), EvalError> {
        let values: Map<String, Value> = values.as_object().cloned().unwrap_or_default();
        let words: Vec<String> = values
            .iter()
            .map(|(key, value)| {
                let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                format!("{} {value}", key.rsplit('.').next().unwrap_or(key))
            })
            .collect();
        let setting = if words.is_empty() { recipe.to_owned() } else { words.join(", ") };
        for seed in 1..=seeds {
            for order in self.orders {
                let mut report = self.pattern.clone();
                let luck = self.dice.roll() * 2.0 - 1.0;
                let average = (height + luck * 1.5).clamp(0.0, 100.0);
                report.tasks = TASKS.iter().map(|&task| task.to_owned()).collect();
                if order == &Some("O2") {
                    report.tasks.reverse();
                }
                report.score_matrix = matrix(average, !ONE_ROW.contains(&recipe))?;
                report.per_metric.clear();
                report.average_score = Some(average);
                report.backward_transfer = Some(-(100.0 - height) / 4.0 + luck);
                report.forgetting = Some((100.0 - height) / 4.0 - luck * 0.7);
                if let Some(routing) = &mut report.routing {
                    routing.accuracy = Some((height / 95.0 + 0.01 * luck).clamp(0.0, 1.0));
                    routing.probes_per_query = Some(probes + 0.05 * luck);
                }
                if probes <= 1.0 {
                    report.routing = None;
                    report.out_of_distribution = None;
                }
                if tokens == 0 {
                    report.experts.clear();
                    report.cost.tokens_per_second = None;
                }
                report.cost.training_tokens = tokens;
                report.cost.wall_seconds = 200.0 + 90.0 * self.dice.roll();
                let at = self.input.points.len();
                let run = format!("{recipe}-{:08x}", 0x9e37_79b9_u32.wrapping_mul(at as u32 + 7));
                self.input.stages.without_sharing += 16;
                self.input.stages.distinct += if at == 0 { 16 } else { 5 };
                self.input.points.push(SweepRun {
                    name: format!(
                        "{setting}, seed {seed}{}",
                        order.map_or(String::new(), |o| format!(", {o}"))
                    ),
                    setting: setting.clone(),
                    recipe: recipe.to_owned(),
                    values: values.clone(),
                    seed,
                    order: order.map(str::to_owned),
                    report: Some(format!("../{run}/report.html")),
                    run,
                    outcome: PointOutcome::Done(Box::new(report)),
                });
            }
        }
        Ok(())
    }

    pub(crate) fn finish(mut self, baseline: &str) -> Result<SweepReport, EvalError> {
        self.input.baseline = Some(baseline.to_owned());
        SweepReport::of(self.input)
    }
}
