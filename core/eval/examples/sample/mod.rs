//! Made-up runs for examples and tests of the page.

mod dice;

use std::collections::BTreeMap;

use cadre_eval::{
    ClaimSample, ClaimScale, Cost, DataProvenance, EvalError, ExpertReport, ExpertValidation, Finding,
    FindingCode, LossCurve, MetricScores, Negatives, OutOfDistributionReport, PluginProvenance,
    PredictionRow, ProbeCost, Provenance, Report, ReportExtras, RouteDecision, RoutingReport, ScoreInterval,
    ScoreMatrix, Severity, StageCost, TrainingCurve,
};

use dice::Dice;

/// A run to show.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    /// Names of the tasks.
    pub(crate) tasks: &'static [&'static str],
    /// Whether there are experts and a router.
    pub(crate) routed: bool,
    /// Points that an old task loses per stage.
    pub(crate) loss_a_stage: f64,
    /// Queries of each task.
    pub(crate) queries: usize,
    /// Whether every query goes to the newest expert.
    pub(crate) collapsed: bool,
}

/// The beginning of a third of the prompts.
const SYSTEM: &str = "<|im_start|>system\nYou are a helpful assistant. Answer with the result alone, without any explanation.<|im_end|>\n";

/// Five tasks with a router.
pub(crate) const SEE: Sample = Sample {
    tasks: &["sorting", "copying", "sentiment", "arithmetic", "translation"],
    routed: true,
    loss_a_stage: 0.3,
    queries: 100,
    collapsed: false,
};
/// The same, but the newest expert answers everything.
pub(crate) const COLLAPSED: Sample = Sample { loss_a_stage: 20.0, collapsed: true, ..SEE };
/// The same without a router, and with forgetting.
pub(crate) const SEQUENTIAL: Sample = Sample { routed: false, loss_a_stage: 14.0, ..SEE };
/// One task.
pub(crate) const ONE: Sample = Sample { tasks: &["sorting"], ..SEE };
/// Ten tasks with long names.
pub(crate) const TEN: Sample = Sample {
    tasks: &[
        "task024_cosmosqa_answer_generation",
        "task074_squad1.1_question_generation",
        "task1312_amazonreview_polarity_classification",
        "task511_reddit_tifu_long_text_summarization",
        "task1219_ted_translation_en_es",
        "task574_air_dialogue_sentence_generation",
        "task192_hotpotqa_sentence_generation",
        "task177_para-nmt_paraphrasing",
        "task064_all_elements_except_first_i",
        "task346_hybridqa_classification",
    ],
    queries: 500,
    ..SEE
};

impl Sample {
    /// The report and the extras of its page.
    ///
    /// # Errors
    /// None for the samples below.
    pub(crate) fn make(&self) -> Result<(Report, ReportExtras), EvalError> {
        let mut dice = Dice(7);
        let matrix = self.scores(&mut dice)?;
        let decisions = self.decisions(&mut dice);
        let routing = if self.routed {
            Some(RoutingReport::from_decisions(self.tasks.len(), &decisions)?)
        } else {
            None
        };
        let mut per_metric = BTreeMap::new();
        per_metric.insert("exact-match".to_owned(), MetricScores { score_matrix: matrix.clone() });
        per_metric.insert("rouge-l".to_owned(), MetricScores { score_matrix: matrix.clone() });
        let strangers =
            self.routed.then_some(OutOfDistributionReport { queries: 60, to_backbone: Some(0.95) });
        let report = Report {
            format_version: cadre_eval::REPORT_FORMAT_VERSION,
            name: if self.routed { "see".to_owned() } else { "sequential".to_owned() },
            key: "4f1c0a93d2be7755c8d1e0".to_owned(),
            seed: 0,
            tasks: self.tasks.iter().map(|&task| task.to_owned()).collect(),
            findings: if self.collapsed { self.findings() } else { Vec::new() },
            average_score: matrix.average_score(),
            average_score_interval: self.interval(&matrix),
            backward_transfer: matrix.backward_transfer(),
            backward_transfer_clipped: matrix.backward_transfer_clipped(),
            forward_transfer: matrix.forward_transfer(),
            forward_transfer_over_baseline: None,
            baseline_scores: Vec::new(),
            forgetting: matrix.forgetting(),
            score_matrix: matrix,
            per_metric,
            routing,
            out_of_distribution: strangers,
            experts: self.experts(),
            cost: Cost {
                wall_seconds: 287.4,
                training_tokens: 6_812_448,
                tokens_per_second: Some(31_455.2),
                probes: ProbeCost { asked: 4_210, computed: 1_988 },
                stages: StageCost { run: 27, cached: 4 },
            },
            provenance: Provenance {
                cadre: "0.1.0".to_owned(),
                burn: "0.22.1".to_owned(),
                backend: "cpu".to_owned(),
                precision: "f32".to_owned(),
                plugins: ["see", "kmeans"].map(plugin).to_vec(),
                data: vec![DataProvenance { path: "synthetic".to_owned(), digest: "9c".repeat(32) }],
            },
        };
        let extras = ReportExtras {
            summary: Some("Sequential ensemble of experts: a new adapter for each task, and each decides by itself whether to answer.".to_owned()),
            reference: Some("arXiv 2504.06664".to_owned()),
            task_metrics: self.tasks.iter().map(|_| "exact-match".to_owned()).collect(),
            loss_curves: self.losses(&mut dice),
            training_curves: self.training_curves(),
            claims: if self.routed { self.claims(&mut dice) } else { Vec::new() },
            claim_scale: ClaimScale::Renormalised,
            threshold: self.routed.then_some(0.5),
            predictions: self.predictions(&mut dice),
            recipe: Some("name = \"see\"\nseed = 0\n\n[expert]\nper = \"task\"\n\n[routing]\nrouter = { plugin = \"see\", threshold = 0.5 }\n".to_owned()),
        };
        Ok((report, extras))
    }

    fn scores(&self, dice: &mut Dice) -> Result<ScoreMatrix, EvalError> {
        let tasks = self.tasks.len();
        let mut matrix = ScoreMatrix::new(tasks);
        for task in 0..tasks {
            let learned = 99.6 - 9.0 * dice.roll();
            for stage in 0..tasks {
                let score = match stage.checked_sub(task) {
                    None => 4.0 + 20.0 * dice.roll(),
                    Some(age) => (learned - self.loss_a_stage * age as f64 * (0.5 + dice.roll())).max(0.0),
                };
                matrix.set(stage, task, Some(score))?;
            }
        }
        Ok(matrix)
    }

    /// As if each query scored 0 or 100.
    fn interval(&self, matrix: &ScoreMatrix) -> Option<ScoreInterval> {
        let last = matrix.rows().last()?;
        let right = |score: f64| (score / 100.0 * self.queries as f64).round() as usize;
        let scores = |score: &Option<f64>| {
            let right = right(score.unwrap_or(0.0));
            (0..self.queries).map(|query| if query < right { 100.0 } else { 0.0 }).collect()
        };
        ScoreInterval::of(&last.iter().map(scores).collect::<Vec<_>>(), "sample")
    }

    fn findings(&self) -> Vec<Finding> {
        let newest = self.tasks.last().copied().unwrap_or_default();
        let others = (self.tasks.len() - 1) * self.queries;
        vec![
            Finding {
                code: FindingCode::RoutingCollapse,
                severity: Severity::Failure,
                tasks: Vec::new(),
                experts: vec![newest.to_owned()],
                text: format!(
                    "Routing has collapsed: the expert of “{newest}” answered {others} of the {others} queries of other \
                     tasks; routing accuracy is 20.0 %."
                ),
                advice: vec![
                    "`indicator.kind = \"existing-token\"` with two words of the backbone's vocabulary, such as `Yes` and `No`"
                        .to_owned(),
                    "a higher `indicator.loss-weight`".to_owned(),
                ],
            },
            Finding {
                code: FindingCode::TrainingShort,
                severity: Severity::Warning,
                tasks: Vec::new(),
                experts: self.tasks.iter().map(|&task| task.to_owned()).collect(),
                text: "The experts of all tasks were trained for only 12 optimizer steps.".to_owned(),
                advice: vec!["more `expert.training.epochs`".to_owned()],
            },
        ]
    }

    fn decisions(&self, dice: &mut Dice) -> Vec<Vec<RouteDecision>> {
        let tasks = self.tasks.len();
        let mut one = |stage: usize, task: usize| {
            let expert = match dice.roll() {
                _ if self.collapsed => Some(stage),
                roll if task > stage || roll < 0.01 => None,
                roll if roll < 0.03 => Some((task + 1) % (stage + 1)),
                _ => Some(task),
            };
            RouteDecision { task, expert, probes: (stage + 1).saturating_sub(task).max(1) as u64 }
        };
        (0..tasks)
            .map(|stage| (0..tasks * self.queries).map(|query| one(stage, query % tasks)).collect())
            .collect()
    }

    fn experts(&self) -> Vec<ExpertReport> {
        let expert = |(at, task): (usize, &&str)| ExpertReport {
            task: (*task).to_owned(),
            parameters: 184_832,
            bytes: 741_216,
            training_examples: 400 + 40 * at as u64,
            negatives: Some(Negatives {
                of_tasks: self.tasks[..at].iter().map(|&task| (task.to_owned(), 40)).collect(),
                from_outside: 50,
            }),
            steps: Some(400),
            final_loss: Some(0.021 + 0.008 * at as f64),
            validation: Some(ExpertValidation {
                kept_step: 300,
                loss: 0.052 + 0.008 * at as f64,
                stopped_early: Some(false),
            }),
        };
        if self.routed {
            return self.tasks.iter().enumerate().map(expert).collect();
        }
        vec![ExpertReport {
            task: "stream".to_owned(),
            parameters: 184_832,
            bytes: 741_216,
            training_examples: 2_000,
            negatives: Some(Negatives::default()),
            steps: Some(400),
            final_loss: Some(0.03),
            validation: None,
        }]
    }

    fn losses(&self, dice: &mut Dice) -> Vec<LossCurve> {
        let mut curve = |task: &&str| {
            let fall = 0.01 + 0.02 * dice.roll();
            let mut point = |step: u64| {
                (
                    step,
                    2.6 * (-fall * step as f64).exp()
                        + 0.03
                        + 0.25 * dice.roll() * (-0.01 * step as f64).exp(),
                )
            };
            LossCurve { task: (*task).to_owned(), points: (1..=400).map(&mut point).collect() }
        };
        self.tasks.iter().map(&mut curve).collect()
    }

    /// Warm-up and cosine; a norm that falls.
    fn training_curves(&self) -> Vec<TrainingCurve> {
        let mut dice = Dice(5);
        let rate = |step: u64| {
            let warm = step as f64 / 40.0;
            let cosine = 0.5 + 0.5 * (std::f64::consts::PI * (step as f64 - 40.0) / 360.0).cos();
            3e-4 * if warm < 1.0 { warm } else { cosine }
        };
        let mut curve = |task: &&str| TrainingCurve {
            task: (*task).to_owned(),
            learning_rate: (1..=400).map(|step| (step, rate(step))).collect(),
            gradient_norm: (1..=400)
                .map(|step| (step, 0.2 + (1.5 + dice.roll()) * (-0.012 * step as f64).exp()))
                .collect(),
            validation_loss: (1..=20)
                .map(|index| (20 * index, 0.1 + (2.4 + 0.2 * dice.roll()) * (-0.3 * index as f64).exp()))
                .collect(),
        };
        self.tasks.iter().map(&mut curve).collect()
    }

    fn claims(&self, dice: &mut Dice) -> Vec<ClaimSample> {
        let mut claims = Vec::new();
        for expert in 0..self.tasks.len() {
            for at in 0..self.queries * 2 {
                let task = match at % 8 {
                    0..4 => Some(expert),
                    7 => None,
                    _ => Some(at % self.tasks.len()),
                };
                let sure = dice.roll().powi(4);
                let score = if task == Some(expert) { 1.0 - sure * 0.6 } else { sure * 0.7 };
                claims.push(ClaimSample { task, expert, score });
            }
        }
        claims
    }

    fn predictions(&self, dice: &mut Dice) -> Vec<PredictionRow> {
        let texts = [
            (
                "Put these words into the order of the alphabet.\n\nplum, apple, fig",
                "apple, fig, plum",
                "apple, fig, plum",
            ),
            (
                "Is the mood of this sentence good or bad?\n\nThe soup was cold and the waiter laughed.",
                "good",
                "bad",
            ),
            ("Add: 17 + 25", "42", "42"),
            (
                "Write <b>bold</b> & \"quotes\".\n\n<script>alert(1)</script>",
                "<img src=x onerror=alert(1)>",
                "<b>x</b>",
            ),
            ("ترجم هذه الجملة", "الجو جميل", "الجو جميل اليوم"),
            ("", "", "something"),
        ];
        let long = "A long passage about the harbour, its ferries, the ice of two winters and what the captain said about all of it. ".repeat(9);
        let mut rows = Vec::new();
        for (at, (prompt, prediction, reference)) in texts.iter().cycle().take(72).enumerate() {
            let task = (at % 7 != 6).then_some(at % self.tasks.len());
            let expert = if dice.roll() < 0.15 { None } else { task };
            let claims = expert.map(|expert| {
                (0..=expert).rev().map(|asked| (asked, if asked == expert { 0.98 } else { 0.03 })).collect()
            });
            rows.push(PredictionRow {
                id: format!("{}-{at:04}", task.map_or("ood", |task| self.tasks[task])),
                task,
                prompt: if at % 5 == 4 {
                    format!("Sum up.\n\n{long}")
                } else if at % 3 == 1 {
                    format!("{SYSTEM}<|im_start|>user\n{prompt}<|im_end|>\n<|im_start|>assistant\n")
                } else {
                    (*prompt).to_owned()
                },
                references: vec![(*reference).to_owned()],
                prediction: (*prediction).to_owned(),
                expert,
                score: task.map(|_| {
                    if prediction == reference {
                        100.0
                    } else if at % 4 == 0 {
                        57.1
                    } else {
                        0.0
                    }
                }),
                claims: claims.unwrap_or_default(),
            });
        }
        rows
    }
}

fn plugin(name: &str) -> PluginProvenance {
    PluginProvenance { name: name.to_owned(), version: "0.1.0".to_owned(), digest: "1b".repeat(32) }
}
