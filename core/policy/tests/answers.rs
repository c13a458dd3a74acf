//! Invalid answers: each is refused with the query and the problem.

#[cfg(test)]
mod guest;

use cadre_contract::RouterProbe;
use cadre_policy::{AnswerProblem, Call, PolicyError};
use guest::{Fixture, Guest, batch, candidates, cards, claim, order};

fn problem(error: &PolicyError) -> (Call, AnswerProblem) {
    match error {
        PolicyError::Answer { call, problem, .. } => (*call, problem.clone()),
        other => panic!("not a broken answer: {other}"),
    }
}

/// A router whose step for the last query is the given one; the others go to the backbone. The step's list is at
/// address 3000.
fn last_step(kind: u32, value: i64, more: u32, list: &str) -> Guest {
    Guest::router().globals(list).call(&format!(
        "(call $fill (local.get $length) (i32.const 2) (i32.const 0))
         (call $step (i32.sub (local.get $length) (i32.const 1))
           (i32.const {kind}) (i32.const {value}) (i32.const {more}))
         (call $done (i32.const 1048576) (local.get $length))"
    ))
}

const ASK: u32 = 0;
const CHOOSE: u32 = 1;
const MIX: u32 = 3;

#[test]
fn one_step_per_query() {
    let fixture = Fixture::new();
    for (given, body) in [
        (0, "(call $done (i32.const 1048576) (i32.const 0))"),
        (
            4,
            "(call $fill (i32.const 4) (i32.const 2) (i32.const 0)) (call $done (i32.const 1048576) (i32.const 4))",
        ),
    ] {
        let plugin = fixture.load(&Guest::router().call(body)).unwrap();
        let mut router = plugin.router("{}", &cards(3)).unwrap();
        let error = router.route(&batch(1)).unwrap_err();
        let (call, problem) = problem(&error);
        assert_eq!(problem, AnswerProblem::StepCount { given, wanted: 1 });
        assert_eq!(call, Call::RouteQuery(40));
    }
}

#[test]
fn experts_must_exist() {
    let fixture = Fixture::new();
    for index in [3_u32, u32::MAX] {
        let guest = last_step(CHOOSE, i64::from(index.cast_signed()), 0, "");
        let error = fixture.routing_error(&guest, 3);
        let wanted = AnswerProblem::ExpertIndex { index, experts: 3 };
        assert_eq!(problem(&error), (Call::RouteQuery(42), wanted));
    }
    // claim(7): kind 0, index 7.
    let list = "(data (i32.const 3000) \"\\00\\00\\00\\00\\07\\00\\00\\00\\00\\00\\00\\00\")";
    let error = fixture.routing_error(&last_step(ASK, 3000, 1, list), 2);
    assert_eq!(problem(&error).1, AnswerProblem::ExpertIndex { index: 7, experts: 3 });
}

#[test]
fn asking_must_make_sense() {
    let fixture = Fixture::new();
    let error = fixture.routing_error(&last_step(ASK, 3000, 0, ""), 2);
    assert_eq!(problem(&error), (Call::RouteQuery(41), AnswerProblem::EmptyAsk));

    let twice = "(data (i32.const 3000) \"\\00\\00\\00\\00\\01\\00\\00\\00\\00\\00\\00\\00\\00\\00\\00\\00\\01\\00\\00\\00\\00\\00\\00\\00\")";
    let error = fixture.routing_error(&last_step(ASK, 3000, 2, twice), 2);
    assert!(matches!(problem(&error).1, AnswerProblem::RepeatedProbe { .. }), "{error}");

    // A router that never decides fails when it repeats a probe.
    let plugin = fixture.load(&last_step(ASK, 3000, 1, twice)).unwrap();
    let mut router = plugin.router("{}", &cards(3)).unwrap();
    let mut evidence = batch(1);
    let steps = router.route(&evidence).unwrap();
    assert_eq!(steps, [cadre_contract::RouterStep::Ask(vec![RouterProbe::Claim(1)])]);
    evidence[0].observations.push(claim(1, 0.2));
    let error = router.route(&evidence).unwrap_err();
    assert!(error.to_string().contains("the claim of expert 1, which is in its evidence already"), "{error}");
}

#[test]
fn endless_asking_has_a_limit() {
    let fixture = Fixture::new();
    // A selector that asks for one more text whenever it gets one: text("", seed = number of observations).
    let asks = Guest::selector().call(
        "(memory.fill (i32.const 3000) (i32.const 0) (i32.const 80))
         (i32.store (i32.const 3000) (i32.const 2))
         (i32.store (i32.const 3024) (i32.const 5))
         (f32.store (i32.const 3032) (f32.const 1))
         (f32.store (i32.const 3036) (f32.const 1))
         (i64.store (i32.const 3040) (i64.extend_i32_u (local.get $known)))
         (i32.store (i32.const 260) (i32.const 0))
         (i32.store (i32.const 264) (i32.const 3000))
         (i32.store (i32.const 268) (i32.const 1))
         (i32.const 256)",
    );
    let file = asks.write(fixture.folder.path());
    let report = fixture.sandbox.conformance(&file, "{}");
    assert!(!report.passed());
    let last = report.checks.last().unwrap();
    assert!(last.detail.contains("asked 8 times in `select`, task 3"), "{last:?}");
}

#[test]
fn weights_must_be_numbers() {
    let fixture = Fixture::new();
    // Shares: expert, then the bytes of the weight.
    for (bytes, word) in
        [("\\00\\00\\c0\\7f", "NaN"), ("\\00\\00\\80\\7f", "inf"), ("\\00\\00\\80\\bf", "-1")]
    {
        let list = format!("(data (i32.const 3000) \"\\01\\00\\00\\00{bytes}\")");
        let error = fixture.routing_error(&last_step(MIX, 3000, 1, &list), 2);
        let (call, what) = problem(&error);
        assert_eq!(call, Call::RouteQuery(41));
        assert!(matches!(what, AnswerProblem::Weight { .. }), "{error}");
        assert!(error.to_string().contains(word), "{error}");
    }
    let zero = "(data (i32.const 3000) \"\\01\\00\\00\\00\\00\\00\\00\\00\")";
    let error = fixture.routing_error(&last_step(MIX, 3000, 1, zero), 2);
    assert_eq!(problem(&error).1, AnswerProblem::WeightSum { sum: 0.0 });
    let error = fixture.routing_error(&last_step(MIX, 3000, 0, ""), 2);
    assert_eq!(problem(&error).1, AnswerProblem::EmptyMix);
    let twice =
        "(data (i32.const 3000) \"\\01\\00\\00\\00\\00\\00\\80\\3f\\01\\00\\00\\00\\00\\00\\80\\3f\")";
    let error = fixture.routing_error(&last_step(MIX, 3000, 2, twice), 2);
    assert_eq!(problem(&error).1, AnswerProblem::RepeatedShare { index: 1 });
}

/// A selector that returns `count` picks from address 3000. A pick has 56 bytes: the source's kind, the id at 8, the
/// role at 48 and the weight at 52.
#[cfg(test)]
fn picks(count: u32, list: &str) -> Guest {
    Guest::selector().call(&format!(
        "(memory.fill (i32.const 3000) (i32.const 0) (i32.const 200))
         {list}
         (i32.store (i32.const 260) (i32.const 1))
         (i32.store (i32.const 264) (i32.const 3000))
         (i32.store (i32.const 268) (i32.const {count}))
         (i32.const 256)"
    ))
}

#[cfg(test)]
fn selection_problem(fixture: &Fixture, guest: &Guest) -> AnswerProblem {
    let plugin = fixture.load(guest).unwrap();
    let mut selector = plugin.selector("{}").unwrap();
    let error = selector.select(&order(2), &candidates(5), &[]).unwrap_err();
    let (call, problem) = problem(&error);
    assert_eq!(call, Call::Select(2));
    problem
}

#[test]
fn picks_must_make_sense() {
    let fixture = Fixture::new();
    let unknown = picks(1, "(i64.store (i32.const 3008) (i64.const 5))");
    assert_eq!(selection_problem(&fixture, &unknown), AnswerProblem::CandidateId { id: 5 });
    let twice = picks(2, "");
    assert_eq!(selection_problem(&fixture, &twice), AnswerProblem::RepeatedPick { id: 0 });
    let heavy = picks(1, "(f32.store (i32.const 3044) (f32.const nan))");
    assert!(matches!(selection_problem(&fixture, &heavy), AnswerProblem::Weight { .. }));
    let ahead =
        picks(1, "(i32.store (i32.const 3000) (i32.const 1)) (i32.store (i32.const 3008) (i32.const 3))");
    assert_eq!(selection_problem(&fixture, &ahead), AnswerProblem::SyntheticTask { task: 3, at: 2 });
}

#[test]
fn text_requests_must_make_sense() {
    let fixture = Fixture::new();
    // text("", at most 0 tokens)
    let wish = Guest::selector().call(
        "(memory.fill (i32.const 3000) (i32.const 0) (i32.const 80))
         (i32.store (i32.const 3000) (i32.const 2))
         (i32.store (i32.const 260) (i32.const 0))
         (i32.store (i32.const 264) (i32.const 3000))
         (i32.store (i32.const 268) (i32.const 1))
         (i32.const 256)",
    );
    assert!(matches!(
        selection_problem(&fixture, &wish),
        AnswerProblem::Generation { name: "max-new-tokens", .. }
    ));
    // embedding(9)
    let stranger = Guest::selector().call(
        "(i64.store (i32.const 3008) (i64.const 9))
         (i32.store (i32.const 264) (i32.const 3000))
         (i32.store (i32.const 268) (i32.const 1))
         (i32.const 256)",
    );
    assert_eq!(selection_problem(&fixture, &stranger), AnswerProblem::CandidateId { id: 9 });
}
