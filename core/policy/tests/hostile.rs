//! Hostile and broken policies: each ends in an error that describes the problem and affects nothing else.

#[cfg(test)]
mod guest;

use std::time::{Duration, Instant};

use cadre_policy::{Call, Fault, Limits, PolicyError};
use guest::{Fixture, Guest, batch, cards, tight};

const LOOP: &str = "(loop $on (br $on)) (unreachable)";

fn fault(error: &PolicyError) -> &Fault {
    match error {
        PolicyError::Stopped { fault, .. } => fault,
        other => panic!("not stopped: {other}"),
    }
}

fn call(error: &PolicyError) -> Call {
    match error {
        PolicyError::Stopped { call, .. } => *call,
        other => panic!("not stopped: {other}"),
    }
}

#[test]
fn an_endless_loop_ends_wherever_it_is() {
    let fixture = Fixture::new();
    let in_start = Guest::router().globals(&format!("(func $on {LOOP}) (start $on)"));
    let error = fixture.refusal(&in_start);
    assert_eq!((fault(&error), call(&error)), (&Fault::Fuel { limit: 20_000_000 }, Call::Describe));

    let error = fixture.refusal(&Guest::router().describe(LOOP));
    assert_eq!(call(&error), Call::Describe);

    let plugin = fixture.load(&Guest::router().open(LOOP)).unwrap();
    let error = plugin.router("{}", &cards(3)).unwrap_err();
    assert_eq!((fault(&error), call(&error)), (&Fault::Fuel { limit: 20_000_000 }, Call::Open));

    let error = fixture.routing_error(&Guest::router().call(LOOP), 3);
    assert_eq!(call(&error), Call::RouteQuery(40));
    let text = error.to_string();
    for part in ["`hostile`", "query 40", "20000000 units of fuel"] {
        assert!(text.contains(part), "{text}");
    }

    let plugin = fixture.load(&Guest::selector().call(LOOP)).unwrap();
    let error = plugin.selector("{}").unwrap().select(&guest::order(1), &guest::candidates(3), &[]);
    assert_eq!(call(&error.unwrap_err()), Call::Select(2));
}

#[test]
fn the_deadline_ends_what_fuel_does_not_meter() {
    // Filling memory costs almost no fuel, whatever its size.
    let limits = Limits {
        fuel: u64::MAX / 4,
        fuel_per_second: u64::MAX,
        wall_clock: Duration::from_millis(200),
        ..tight()
    };
    let fixture = Fixture::with(limits);
    let fills = Guest::router().call(
        "(loop $on (memory.fill (i32.const 4096) (i32.const 7) (i32.const 4000000)) (br $on))
         (unreachable)",
    );
    let start = Instant::now();
    let error = fixture.routing_error(&fills, 1);
    assert_eq!(fault(&error), &Fault::Time { limit: Duration::from_millis(200) });
    assert!(start.elapsed() < Duration::from_secs(30));
}

#[test]
fn memory_has_a_limit_at_the_start_and_later() {
    let fixture = Fixture::new();
    let limit = 16 << 20;
    let at_start = Guest::router().memory("(memory (export \"memory\") 1000)");
    assert_eq!(fault(&fixture.refusal(&at_start)), &Fault::Memory { wanted: 1000 * 65536, limit });
    let later = Guest::router().call(
        "(block $full (loop $on
           (br_if $full (i32.eq (memory.grow (i32.const 16)) (i32.const -1))) (br $on)))
         (unreachable)",
    );
    let error = fixture.routing_error(&later, 1);
    assert!(matches!(fault(&error), Fault::Memory { .. }), "{error}");
    assert!(error.to_string().contains("limit 16777216"), "{error}");
}

#[test]
fn tables_have_a_limit() {
    let fixture = Fixture::new();
    let error = fixture.refusal(&Guest::router().globals("(table 10000000 funcref)"));
    assert_eq!(fault(&error), &Fault::Table { wanted: 10_000_000, limit: 100_000 });
}

#[test]
fn the_stack_has_a_limit() {
    let fixture = Fixture::new();
    let deep = Guest::router()
        .globals("(func $deep (param i32) (result i32) (i32.add (local.get 0) (call $deep (local.get 0))))")
        .call("(call $deep (i32.const 1))");
    let error = fixture.routing_error(&deep, 1);
    assert_eq!(fault(&error), &Fault::Stack { limit: 512 << 10 });
}

#[test]
fn traps_are_named() {
    let fixture = Fixture::new();
    for (body, name) in [
        ("(unreachable)", "`unreachable`"),
        ("(i32.div_u (i32.const 1) (i32.const 0))", "divide by zero"),
        ("(i32.load (i32.const -8))", "out of bounds memory access"),
    ] {
        let error = fixture.routing_error(&Guest::router().call(body), 1);
        assert!(matches!(fault(&error), Fault::Trap { .. }), "{error}");
        assert!(error.to_string().contains(name), "{error}");
    }
}

#[test]
fn the_last_log_lines_are_kept_and_cleaned() {
    let fixture = Fixture::new();
    let talks = Guest::router()
        .logs()
        .globals("(data (i32.const 2048) \"panicked: no \\1b[31mexpert\\0ain sight\")")
        .call("(call $log (i32.const 3) (i32.const 2048) (i32.const 33)) (unreachable)");
    let error = fixture.routing_error(&talks, 1);
    let PolicyError::Stopped { last_words, .. } = &error else { panic!("{error}") };
    assert_eq!(last_words, "panicked: no \u{fffd}[31mexpert in sight");
    assert!(error.to_string().ends_with(last_words.as_str()), "{error}");
}

#[test]
fn an_endless_log_ends_and_is_not_kept() {
    let fixture = Fixture::new();
    // Long lines and empty lines: each counts.
    for length in [900_000, 0] {
        let talks = Guest::router().logs().call(&format!(
            "(loop $on (call $log (i32.const 3) (i32.const 512) (i32.const {length})) (br $on)) (unreachable)"
        ));
        let error = fixture.routing_error(&talks, 1);
        assert_eq!(fault(&error), &Fault::LogSize { limit: 1 << 20 });
        assert_eq!(call(&error), Call::RouteQuery(40));
        let text = error.to_string();
        assert!(text.contains("`hostile`") && text.contains("logged more than 1048576 bytes"), "{text}");
        let PolicyError::Stopped { last_words, .. } = &error else { panic!("{error}") };
        assert!(last_words.len() <= 8 * 2_001 * 3, "{}", last_words.len());
    }
}

#[test]
fn a_log_within_its_limit_ends_nothing() {
    let fixture = Fixture::new();
    let talks = Guest::router().logs().call(
        "(call $log (i32.const 1) (i32.const 512) (i32.const 1000000))
             (call $fill (local.get $length) (i32.const 2) (i32.const 0))
             (call $done (i32.const 1048576) (local.get $length))",
    );
    let mut router = fixture.load(&talks).unwrap().router("{}", &cards(3)).unwrap();
    // The limit applies per call, not per router.
    for _ in 0..3 {
        assert_eq!(router.route(&batch(2)).unwrap().len(), 2);
    }
}

#[test]
fn answers_have_a_size_limit() {
    let fixture = Fixture::new();
    // Two million steps in memory would be 24 MB; the list only claims that length.
    let many = Guest::router()
        .memory("(memory (export \"memory\") 255)")
        .call("(call $done (i32.const 1048576) (i32.const 1200000))");
    let error = fixture.routing_error(&many, 1);
    assert_eq!(fault(&error), &Fault::AnswerSize { limit: 1 << 20 }, "{error}");
    // Beyond its memory.
    let beyond = Guest::router().call("(call $done (i32.const 1048576) (i32.const 2000000))");
    let error = fixture.routing_error(&beyond, 1);
    assert!(matches!(error, PolicyError::Stopped { .. }), "{error}");
}

#[test]
fn an_answer_that_is_not_a_value_of_its_type_is_refused() {
    let fixture = Fixture::new();
    // A step of kind 9.
    let odd = Guest::router().call(
        "(call $fill (local.get $length) (i32.const 9) (i32.const 0))
         (call $done (i32.const 1048576) (local.get $length))",
    );
    let error = fixture.routing_error(&odd, 1);
    assert!(matches!(error, PolicyError::Stopped { .. }), "{error}");
    assert!(error.to_string().contains("query 40"), "{error}");
    // A name that is not UTF-8.
    let error = fixture.refusal(&Guest::router().name("\\ff\\fe\\fd"));
    assert!(error.to_string().contains("hostile"), "{error}");
}

#[test]
fn a_trap_ends_only_the_call() {
    let fixture = Fixture::new();
    // Query 41 causes the problem.
    let picky = Guest::router().call(
        "(local $place i32)
         (block $end (loop $next
           (br_if $end (i32.ge_u (local.get $place) (local.get $length)))
           (if (i64.eq (i64.const 41)
                 (i64.load (i32.add (local.get $ids) (i32.mul (local.get $place) (i32.const 8)))))
             (then (unreachable)))
           (local.set $place (i32.add (local.get $place) (i32.const 1)))
           (br $next)))
         (call $fill (local.get $length) (i32.const 2) (i32.const 0))
         (call $done (i32.const 1048576) (local.get $length))",
    );
    let plugin = fixture.load(&picky).unwrap();
    let mut router = plugin.router("{}", &cards(3)).unwrap();
    let error = router.route(&batch(3)).unwrap_err();
    assert_eq!(call(&error), Call::RouteQuery(41));
    assert_eq!(router.route(&batch(1)).unwrap().len(), 1);
}

#[test]
fn nothing_leaks_from_call_to_call() {
    let fixture = Fixture::new();
    let counts = Guest::router().globals("(global $calls (mut i32) (i32.const 0))").call(
        "(global.set $calls (i32.add (global.get $calls) (i32.const 1)))
             (call $fill (local.get $length) (i32.const 1) (global.get $calls))
             (call $done (i32.const 1048576) (local.get $length))",
    );
    let plugin = fixture.load(&counts).unwrap();
    let mut router = plugin.router("{}", &cards(3)).unwrap();
    let first = router.route(&batch(2)).unwrap();
    assert_eq!(router.route(&batch(2)).unwrap(), first);
}

#[test]
fn the_check_detects_leaks_between_queries() {
    let fixture = Fixture::new();
    let whole = fixture.sandbox.conformance(&Guest::router().write(fixture.folder.path()), "{}");
    assert!(whole.passed(), "{whole:?}");
    // If there are experts, the first query of a batch goes to expert 0.
    let leaks = Guest::router()
        .globals("(global $experts (mut i32) (i32.const 0))")
        .open("(global.set $experts (local.get 3)) (i32.const 192)")
        .call(
            "(call $fill (local.get $length) (i32.const 2) (i32.const 0))
             (if (global.get $experts)
               (then (call $step (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 0))))
             (call $done (i32.const 1048576) (local.get $length))",
        );
    let report = fixture.sandbox.conformance(&leaks.write(fixture.folder.path()), "{}");
    let failed =
        |check: &&cadre_policy::ConformanceCheck| check.outcome == cadre_policy::ConformanceOutcome::Fail;
    let failed: Vec<&str> = report.checks.iter().filter(failed).map(|check| check.name.as_str()).collect();
    assert_eq!(failed, ["batch"], "{report:?}");
}

#[test]
fn a_refusal_contains_the_policys_message() {
    let fixture = Fixture::new();
    // err(string at 512).
    let refuses = Guest::router().open(
        "(call $word (i32.const 256) (i32.const 1)) (call $word (i32.const 260) (i32.const 512))
         (call $word (i32.const 264) (i32.const 7)) (i32.const 256)",
    );
    let error = fixture.load(&refuses).unwrap().router("{}", &[]).unwrap_err();
    assert!(matches!(error, PolicyError::Refused { call: Call::Open, .. }), "{error}");
    assert!(error.to_string().ends_with("refused `open`: hostile"), "{error}");
}
