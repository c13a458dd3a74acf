//! Every rule on made-up runs: where it speaks, how loudly, and where it must stay silent.

use super::{
    ClaimEvidence, Composition, ExpertEvidence, Finding, FindingCode, IndicatorForm, QueryEvidence,
    RunEvidence, Severity, TrainingEvidence, diagnose,
};
use crate::{OutOfDistributionReport, Report, RouteDecision, RoutingReport, ScoreMatrix};

/// Four tasks of twenty queries each; experts are asked from the newest to the oldest.
struct Made {
    tasks: Vec<&'static str>,
    report: Report,
    evidence: RunEvidence,
}

/// What an expert claims of a query: accept and reject.
type Claims = fn(expert: usize, task: Option<usize>) -> (f64, f64);

fn right(expert: usize, task: Option<usize>) -> (f64, f64) {
    if task == Some(expert) { (0.98, 0.01) } else { (0.02, 0.97) }
}

impl Made {
    /// A healthy run, except for its claims.
    fn of(claims: Claims) -> Self {
        let tasks = vec!["sa", "trans", "para", "pos"];
        let count = tasks.len();
        let query = |task: Option<usize>| {
            let mut query = QueryEvidence { task, ..QueryEvidence::default() };
            for expert in (0..count).rev() {
                let (accept, reject) = claims(expert, task);
                query.claims.push(ClaimEvidence { expert, accept, reject });
                if accept >= reject {
                    query.chosen = Some(expert);
                    break;
                }
            }
            query.score = task.map(|task| if query.chosen == Some(task) { 80.0 } else { 10.0 });
            query.by_own_expert = task.map(|_| 80.0);
            query
        };
        let queries: Vec<QueryEvidence> =
            (0..count).flat_map(|task| std::iter::repeat_n(task, 20)).map(|task| query(Some(task))).collect();
        let outside: Vec<QueryEvidence> = (0..20).map(|_| query(None)).collect();
        let expert = |(at, name): (usize, &&str)| ExpertEvidence {
            name: (*name).to_owned(),
            composition: Some(Composition { own: 200, negatives: vec![40; at], outside: 50 }),
            training: Some(TrainingEvidence {
                losses: (0..200).map(|step| 2.5 * (-0.05 * f64::from(step)).exp() + 0.05).collect(),
                warmup: 10,
            }),
        };
        let experts = tasks.iter().enumerate().map(expert).collect();
        let evidence = RunEvidence { queries, outside, experts, indicator: Some(IndicatorForm::NewToken) };
        let mut made = Self {
            report: Report::from_json(include_str!("../../fixtures/report_v1.json")).unwrap(),
            tasks,
            evidence,
        };
        made.count();
        made
    }

    /// The figures of the report that follow from its queries.
    fn count(&mut self) {
        let tasks = self.tasks.len();
        let decisions = self.evidence.queries.iter();
        let decisions = decisions.map(|query| RouteDecision {
            task: query.task.unwrap(),
            expert: query.chosen,
            probes: 1,
        });
        let mut stages = vec![Vec::new(); tasks - 1];
        stages.push(decisions.collect());
        let mut matrix = ScoreMatrix::new(tasks);
        for task in 0..tasks {
            let scores: Vec<f64> = self
                .evidence
                .queries
                .iter()
                .filter(|query| query.task == Some(task))
                .filter_map(|query| query.score)
                .collect();
            matrix.set(task, task, Some(80.0)).unwrap();
            matrix.set(tasks - 1, task, Some(scores.iter().sum::<f64>() / scores.len() as f64)).unwrap();
        }
        let outside = &self.evidence.outside;
        let reached = outside.iter().filter(|query| query.chosen.is_none()).count();
        let report = &mut self.report;
        report.tasks = self.tasks.iter().map(|&task| task.to_owned()).collect();
        report.routing = Some(RoutingReport::from_decisions(tasks, &stages).unwrap());
        report.average_score = matrix.average_score();
        report.backward_transfer = matrix.backward_transfer();
        report.score_matrix = matrix;
        report.per_metric.clear();
        report.out_of_distribution = Some(OutOfDistributionReport {
            queries: outside.len() as u64,
            to_backbone: Some(reached as f64 / outside.len() as f64),
        });
    }

    fn findings(&self) -> Vec<Finding> {
        diagnose(&self.report, &self.evidence)
    }

    fn of_code(&self, code: FindingCode) -> Option<Finding> {
        self.findings().into_iter().find(|finding| finding.code == code)
    }

    fn trainings(&mut self, losses: &[f64], warmup: u64) {
        for expert in &mut self.evidence.experts {
            expert.training = Some(TrainingEvidence { losses: losses.to_vec(), warmup });
        }
    }
}

#[test]
fn a_healthy_run_has_no_findings() {
    let made = Made::of(right);
    assert_eq!(made.report.routing.as_ref().unwrap().accuracy, Some(1.0));
    assert_eq!(made.findings(), []);
}

/// Five tasks of which the newest expert takes all, with indicators that are new tokens.
#[test]
fn a_collapse_names_its_expert_its_reasons_and_what_to_try() {
    let mut made = Made::of(|expert, _| if expert == 3 { (3e-5, 1e-5) } else { (1e-5, 3e-5) });
    for (at, expert) in made.evidence.experts.iter_mut().enumerate() {
        expert.composition = Some(Composition { own: 80, negatives: vec![8; at], outside: 0 });
    }
    made.trainings(&[3.0; 12], 10);
    let findings = made.findings();
    let codes: Vec<FindingCode> = findings.iter().map(|finding| finding.code).collect();
    use FindingCode::{
        AcceptsRejectedTask, FewNegatives, Forgetting, OutsideQueriesTaken, RoutingCollapse,
        RoutingCostsScore, SilentIndicators, TrainingShort, WarmUpLong,
    };
    assert_eq!(
        codes,
        [
            RoutingCollapse,
            TrainingShort,
            SilentIndicators,
            AcceptsRejectedTask,
            FewNegatives,
            RoutingCostsScore,
            Forgetting,
            OutsideQueriesTaken,
            WarmUpLong
        ]
    );
    assert_eq!(
        findings[0].text,
        "Routing has collapsed: the expert of “pos” answered 60 of the 60 queries of other tasks; routing accuracy is \
         25.0 %."
    );
    assert_eq!(
        (findings[0].severity, &findings[0].experts[..]),
        (Severity::Failure, &["pos".to_owned()][..])
    );
    assert!(findings[0].advice[0].starts_with("`indicator.kind = \"existing-token\"`"));
    assert!(findings[2].text.contains("4.0e-5"), "{}", findings[2].text);
    assert!(
        findings[3]
            .text
            .contains("that of “pos” answers 20 of 20 queries of “sa” after 8 examples to reject")
    );
    assert!(findings[3].advice[0].contains("`rehearsal.selector.share`"));
    assert!(findings[1].text.contains("only 12 optimizer steps"), "{}", findings[1].text);
    assert!(findings[..8].iter().all(|finding| finding.severity == Severity::Failure));
    assert!(findings[8..].iter().all(|finding| finding.severity == Severity::Warning));
}

/// The expert of the second task takes fifteen of twenty queries of the first after eight negatives.
#[test]
fn an_expert_that_accepts_what_it_was_taught_to_reject() {
    let mut made = Made::of(right);
    made.evidence.experts[1].composition.as_mut().unwrap().negatives = vec![8];
    for query in made.evidence.queries.iter_mut().filter(|query| query.task == Some(0)).take(15) {
        query.chosen = Some(1);
        query.claims.retain(|claim| claim.expert > 0);
        query.score = Some(10.0);
    }
    made.count();
    let findings = made.findings();
    assert_eq!(findings[0].code, FindingCode::AcceptsRejectedTask);
    assert_eq!(findings[0].severity, Severity::Failure);
    assert_eq!(
        (&findings[0].experts, &findings[0].tasks),
        (&vec!["trans".to_owned()], &vec!["sa".to_owned()])
    );
    assert_eq!(
        findings[0].text,
        "Experts accept queries that they were trained to reject: that of “trans” answers 15 of 20 queries of “sa” after 8 examples \
         to reject."
    );
    // With enough negatives, the count is not a finding.
    assert_eq!(findings[1].code, FindingCode::FewNegatives);
    assert!(
        findings[1].text.contains("The fewest: 8 of “sa”, for the expert of “trans”."),
        "{}",
        findings[1].text
    );
    made.evidence.experts[1].composition.as_mut().unwrap().negatives = vec![16];
    assert_eq!(made.of_code(FindingCode::FewNegatives), None);
    assert!(made.of_code(FindingCode::AcceptsRejectedTask).is_some());
    // Four of twenty is below the bound, five is a warning.
    let few = |taken: usize| {
        let mut made = Made::of(right);
        for query in made.evidence.queries.iter_mut().filter(|query| query.task == Some(0)).take(taken) {
            query.chosen = Some(1);
        }
        made.count();
        made.of_code(FindingCode::AcceptsRejectedTask).map(|finding| finding.severity)
    };
    assert_eq!((few(4), few(5), few(10)), (None, Some(Severity::Warning), Some(Severity::Failure)));
}

#[test]
fn few_negatives_without_harm_are_a_note() {
    let mut made = Made::of(right);
    made.evidence.experts[2].composition =
        Some(Composition { own: 80, negatives: vec![15, 40], outside: 50 });
    let found = made.of_code(FindingCode::FewNegatives).unwrap();
    assert_eq!((found.severity, &found.experts[..]), (Severity::Note, &["para".to_owned()][..]));
    // The first expert has no earlier task; what it saw in all counts.
    let mut made = Made::of(right);
    made.evidence.experts[0].composition = Some(Composition { own: 80, negatives: vec![], outside: 9 });
    let found = made.of_code(FindingCode::FewNegatives).unwrap();
    assert!(found.text.contains("The fewest: 9 in all, for the expert of “sa”."), "{}", found.text);
    assert_eq!(found.severity, Severity::Note);
    // Two of twenty queries from outside: a warning.
    made.evidence.outside.iter_mut().take(2).for_each(|query| query.chosen = Some(0));
    assert_eq!(made.of_code(FindingCode::FewNegatives).unwrap().severity, Severity::Warning);
}

#[test]
fn an_expert_without_negatives_takes_what_comes_from_outside() {
    let mut made = Made::of(|expert, task| if expert == 0 { (0.9, 0.01) } else { right(expert, task) });
    made.evidence.experts[0].composition = Some(Composition { own: 80, ..Composition::default() });
    let found = made.of_code(FindingCode::NoNegatives).unwrap();
    assert_eq!(found.severity, Severity::Failure);
    assert_eq!(
        found.text,
        "The expert of “sa” was not trained to reject anything, and took 20 of 20 queries from outside that reached it."
    );
    assert!(found.advice[0].contains("`rehearsal.pseudo-negatives`"));
    let outside = made.of_code(FindingCode::OutsideQueriesTaken).unwrap();
    assert_eq!(
        outside.text,
        "Only 0.0 % of the queries from outside the stream reached the backbone; the expert of “sa” answered 20 of 20, and \
         was not trained to reject anything from outside."
    );
    // It rejects them anyway: a note.
    let mut made = Made::of(right);
    made.evidence.experts[0].composition = Some(Composition { own: 80, ..Composition::default() });
    assert_eq!(made.of_code(FindingCode::NoNegatives).unwrap().severity, Severity::Note);
    assert_eq!(made.of_code(FindingCode::OutsideQueriesTaken), None);
    // The training set of an imported expert is unknown.
    made.evidence.experts[0].composition = None;
    assert_eq!(made.of_code(FindingCode::NoNegatives), None);
}

#[test]
fn outside_queries_are_judged_by_their_share() {
    let of = |taken: usize| {
        let mut made = Made::of(right);
        made.evidence.outside.iter_mut().take(taken).for_each(|query| query.chosen = Some(2));
        made.count();
        made.of_code(FindingCode::OutsideQueriesTaken).map(|finding| finding.severity)
    };
    assert_eq!((of(6), of(7), of(11)), (None, Some(Severity::Warning), Some(Severity::Failure)));
}

#[test]
fn silent_indicators_go_by_the_median_of_known_tasks() {
    let faint: Claims = |expert, task| {
        let (accept, reject) = right(expert, task);
        (accept * 0.05, reject * 0.05)
    };
    let mut made = Made::of(faint);
    let found = made.of_code(FindingCode::SilentIndicators).unwrap();
    // Routing is accurate anyway.
    assert_eq!((found.severity, found.experts.len()), (Severity::Warning, 4));
    assert!(found.advice[0].contains("existing-token"));
    made.evidence.indicator = Some(IndicatorForm::ExistingToken);
    let found = made.of_code(FindingCode::SilentIndicators).unwrap();
    assert!(found.advice[0].contains("`indicator.loss-weight`"));
    // Without indicators there are no claims.
    made.evidence.indicator = None;
    assert_eq!(made.of_code(FindingCode::SilentIndicators), None);
    // Half of the probability is enough.
    assert_eq!(
        Made::of(|expert, task| {
            let (accept, reject) = right(expert, task);
            (accept * 0.12, reject * 0.12)
        })
        .of_code(FindingCode::SilentIndicators),
        None
    );
    // Low on tasks that it was not trained on, which does not count.
    let later: Claims = |expert, task| match task {
        Some(task) if task > expert => (1e-6, 2e-6),
        task => right(expert, task),
    };
    assert_eq!(Made::of(later).of_code(FindingCode::SilentIndicators), None);
}

#[test]
fn an_expert_that_rejects_its_own_queries() {
    let made = Made::of(|_, _| (0.1, 0.9));
    let collapse = made.of_code(FindingCode::RoutingCollapse).unwrap();
    assert!(collapse.text.starts_with("Routing has collapsed: the backbone answered 80 of the 80 queries"));
    assert!(collapse.experts.is_empty());
    let found = made.of_code(FindingCode::RejectsOwnTask).unwrap();
    assert_eq!((found.severity, found.experts.len()), (Severity::Failure, 4));
    assert!(found.text.contains("that of “sa” 20 of 20"), "{}", found.text);
}

#[test]
fn inaccurate_routing_names_the_worst_pair() {
    let mut made = Made::of(right);
    for query in made.evidence.queries.iter_mut().filter(|query| query.task < Some(2)).skip(10).take(25) {
        query.chosen = Some(2);
    }
    made.count();
    let found = made.of_code(FindingCode::RoutingInaccurate).unwrap();
    assert_eq!(
        found.text,
        "Routing accuracy is 68.8 %. Most often wrong: 15 queries of “trans” were answered by the expert of “para”."
    );
    assert_eq!(made.of_code(FindingCode::RoutingCollapse), None);
}

#[test]
fn short_trainings_and_long_warm_ups() {
    let mut made = Made::of(right);
    made.trainings(&[1.0; 29], 14);
    let found = made.of_code(FindingCode::TrainingShort).unwrap();
    assert_eq!((found.severity, found.experts.len()), (Severity::Note, 4), "routing is well all the same");
    assert_eq!(made.of_code(FindingCode::WarmUpLong), None);
    made.trainings(&[1.0; 30], 15);
    assert_eq!(made.of_code(FindingCode::TrainingShort), None);
    let found = made.of_code(FindingCode::WarmUpLong).unwrap();
    assert_eq!(
        found.text,
        "The warm-up of 15 steps takes half of the training or more: the experts of “sa”, “trans”, “para” and “pos” were \
         trained for 30 steps."
    );
}

#[test]
fn losses_are_judged_by_their_fifths() {
    let mut made = Made::of(right);
    made.trainings(&[1.5; 40], 0);
    let found = made.of_code(FindingCode::LossNotFalling).unwrap();
    assert!(found.text.contains("from 1.50 to 1.50 nats per token"));
    // A loss that begins low is not reported.
    made.trainings(&[0.4; 40], 0);
    assert_eq!(made.of_code(FindingCode::LossNotFalling), None);
    // A straight line from 4 to 0.5.
    let line: Vec<f64> = (0..40).map(|step| 4.0 - 3.5 * f64::from(step) / 39.0).collect();
    made.trainings(&line, 0);
    let found = made.of_code(FindingCode::LossStillFalling).unwrap();
    assert!(found.text.contains("from 1.53 to 0.81"), "{}", found.text);
    assert_eq!(made.of_code(FindingCode::LossNotFalling), None);
    // The same line, 100 times smaller.
    made.trainings(&line.iter().map(|loss| loss / 100.0).collect::<Vec<_>>(), 0);
    assert_eq!(made.of_code(FindingCode::LossStillFalling), None);
    made.trainings(&[f64::NAN; 40], 0);
    assert_eq!(made.of_code(FindingCode::LossStillFalling), None);
}

#[test]
fn a_better_backbone_and_costly_routing_need_a_clear_difference() {
    let mut made = Made::of(right);
    for (at, query) in made.evidence.queries.iter_mut().enumerate() {
        query.score = Some(if at % 2 == 0 { 100.0 } else { 40.0 });
        query.by_own_expert = Some(if at % 3 == 0 { 100.0 } else { 60.0 });
        query.by_backbone = (query.task == Some(1)).then_some(if at % 2 == 0 { 100.0 } else { 90.0 });
    }
    made.count();
    let found = made.of_code(FindingCode::BackboneBetter).unwrap();
    assert_eq!(
        found.text,
        "The backbone alone is better than the ensemble: on “trans” 95.0 against 70.0 (20 queries)."
    );
    assert_eq!(made.of_code(FindingCode::RoutingCostsScore), None, "73.3 against 70: within the error");
    // Known of fewer than half of the queries.
    let of_task = made.evidence.queries.iter_mut().filter(|query| query.task == Some(1));
    of_task.take(11).for_each(|query| query.by_backbone = None);
    assert_eq!(made.of_code(FindingCode::BackboneBetter), None);
    made.evidence.queries.iter_mut().for_each(|query| query.by_own_expert = Some(90.0));
    let found = made.of_code(FindingCode::RoutingCostsScore).unwrap();
    assert!(found.text.contains(
        "would average 90.0 if each answered the queries of its own task; as routed they average 70.0"
    ));
}

#[test]
fn zeros_empty_answers_and_forgetting() {
    let mut made = Made::of(right);
    for query in made.evidence.queries.iter_mut().filter(|query| query.task == Some(2)) {
        query.score = Some(0.0);
        query.by_own_expert = Some(0.0);
        query.empty = true;
    }
    made.count();
    let zero = made.of_code(FindingCode::TaskScoresZero).unwrap();
    assert_eq!(
        zero.text,
        "All answers to queries of “para” score 0 at the end. 1 of them scored after being learned."
    );
    let empty = made.of_code(FindingCode::EmptyAnswers).unwrap();
    assert_eq!(empty.text, "Empty answers with a score of 0: 20 of 20 answers of the expert of “para”.");
    let lost = made.of_code(FindingCode::Forgetting).unwrap();
    assert!(lost.text.contains("BWT is −26.7; “para” fell from 80.0 to 0.0."), "{}", lost.text);
    // A correct empty answer is not a finding.
    made.evidence.queries.iter_mut().for_each(|query| query.score = Some(100.0));
    assert_eq!(made.of_code(FindingCode::EmptyAnswers), None);
}

#[test]
fn the_same_answer_to_all_queries_of_a_task_is_reported() {
    let mut made = Made::of(right);
    let mut number = 0;
    for query in &mut made.evidence.queries {
        number += 1;
        query.reference = Some(format!("answer {number}"));
        query.answer = Some(match query.task {
            Some(1) if number % 10 > 0 => "the  same\nanswer".to_owned(),
            _ => format!("another {number}"),
        });
    }
    let found = made.of_code(FindingCode::ConstantAnswers).unwrap();
    assert!(
        found.text.contains("differ: “the same answer” to 18 of 20 queries of “trans”. The model"),
        "{}",
        found.text
    );
    assert_eq!((&found.tasks[..], found.severity), (&["trans".to_owned()][..], Severity::Warning));
    assert!(found.advice[0].contains("`stream.template`"));
    // One more answer that differs: 85 %.
    let queries = &mut made.evidence.queries;
    let first = queries.iter_mut().find(|query| query.task == Some(1)).unwrap();
    first.answer = Some("another".to_owned());
    assert_eq!(made.of_code(FindingCode::ConstantAnswers), None);
    // A task with one answer.
    for query in &mut made.evidence.queries {
        (query.answer, query.reference) = (Some("yes".to_owned()), Some("yes".to_owned()));
    }
    assert_eq!(made.of_code(FindingCode::ConstantAnswers), None);
    // Too few recorded answers, and empty ones.
    for (at, query) in made.evidence.queries.iter_mut().enumerate() {
        query.reference = Some(at.to_string());
    }
    assert!(made.of_code(FindingCode::ConstantAnswers).is_some());
    made.evidence.queries.iter_mut().for_each(|query| query.answer = Some(" ".to_owned()));
    assert_eq!(made.of_code(FindingCode::ConstantAnswers), None);
    for (at, query) in made.evidence.queries.iter_mut().enumerate() {
        query.answer = (at % 20 < 9).then(|| "yes".to_owned());
    }
    assert_eq!(made.of_code(FindingCode::ConstantAnswers), None);
}

#[test]
fn what_costs_more_comes_first_and_much_lost_is_a_failure() {
    let zero = |tasks: usize| {
        let mut made = Made::of(right);
        for query in made.evidence.queries.iter_mut().filter(|query| query.task < Some(tasks)) {
            query.score = Some(0.0);
            query.by_own_expert = Some(0.0);
        }
        // A training that is short although its run routes well is a note.
        made.trainings(&[1.0; 12], 0);
        made.count();
        made
    };
    let made = zero(2);
    let order: Vec<_> = made.findings().iter().map(|finding| (finding.severity, finding.code)).collect();
    let expected = [
        (Severity::Failure, FindingCode::TaskScoresZero),
        (Severity::Failure, FindingCode::Forgetting),
        (Severity::Note, FindingCode::TrainingShort),
    ];
    assert_eq!(order, expected);
    // BWT of −26.7, 20 points of AR.
    assert_eq!(zero(1).of_code(FindingCode::Forgetting).unwrap().severity, Severity::Warning);
    let mut alone = zero(2);
    alone.report.routing = None;
    assert_eq!(alone.of_code(FindingCode::Forgetting).unwrap().severity, Severity::Warning);
    // Of two warnings of the same severity, the one that costs more.
    let mut made = Made::of(right);
    for query in made.evidence.queries.iter_mut().filter(|query| query.task == Some(1)) {
        query.by_backbone = Some(100.0);
        query.score = Some(20.0);
        query.by_own_expert = Some(80.0);
    }
    made.count();
    let order: Vec<_> = made.findings().iter().map(|finding| finding.code).collect();
    // 60 points of one task of four to the backbone, 15 lost to forgetting, 15 by routing: 20 come first.
    assert_eq!(order[0], FindingCode::BackboneBetter, "{order:?}");
}

#[test]
fn runs_without_routing_are_judged_by_their_scores() {
    let mut made = Made::of(right);
    made.report.routing = None;
    made.report.out_of_distribution = None;
    made.evidence.indicator = None;
    made.evidence.experts.truncate(1);
    made.evidence.experts[0].name = "stream".to_owned();
    for query in &mut made.evidence.queries {
        query.claims.clear();
        query.chosen = None;
    }
    made.report.backward_transfer = Some(-10.0);
    assert_eq!(made.findings(), []);
    made.report.backward_transfer = Some(-10.5);
    let findings = made.findings();
    assert_eq!(findings.len(), 1);
    assert!(findings[0].advice[0].contains("`expert.per = \"task\"`"));
    // No data.
    assert_eq!(diagnose(&Report { tasks: Vec::new(), ..made.report }, &RunEvidence::default()).len(), 1);
}
