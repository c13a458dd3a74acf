//! A hostile policy ends its stage with a plain error, and finished work is kept. (The crate `cadre-policy` tests the
//! individual kinds of hostile behaviour.)

use cadre_tests::{Workbench, contract, repository};

/// A selector that picks nothing, and executes `harm` if it gets more than `from` candidates.
pub(crate) fn selector(harm: &str, from: usize) -> Vec<u8> {
    let interface = format!("cadre:policy/selector@{}", contract());
    let text = format!(
        r#"(module
          (memory (export "memory") 4)
          (global $top (mut i32) (i32.const 131072))
          (data (i32.const 512) "hostile") (data (i32.const 1024) "0.1.0")
          ;; describe: name, version, two empty texts
          (data (i32.const 128) "\00\02\00\00\07\00\00\00\00\04\00\00\05\00\00\00")
          ;; select: ok, done, no picks
          (data (i32.const 256) "\00\00\00\00\01\00\00\00")
          (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (local $at i32)
            (local.set $at (i32.and (i32.add (global.get $top) (i32.const 15)) (i32.const -16)))
            (global.set $top (i32.add (local.get $at) (local.get 3)))
            (local.get $at))
          (func (export "{interface}#describe") (result i32) (i32.const 128))
          ;; open: ok
          (func (export "{interface}#open") (param i32 i32) (result i32) (i32.const 192))
          ;; order (purpose, role, task, budget, seed), candidates, observations
          (func (export "{interface}#select")
              (param i32 i32 i32 i32 i32 i64 i32) (param $candidates i32) (param i32 i32) (result i32)
            (if (i32.gt_u (local.get $candidates) (i32.const {from})) (then {harm}))
            (i32.const 256)))"#
    );
    wat::parse_str(text).unwrap()
}

/// A workbench with `plugins/hostile.wasm` and a recipe that uses it for rehearsal.
fn bench_with(harm: &str, from: usize) -> Workbench {
    let bench = Workbench::new();
    bench.write("plugins/note.txt", "policies of this test");
    std::fs::write(bench.path().join("hostile-core.wasm"), selector(harm, from)).unwrap();
    let out = "plugins/hostile.wasm";
    // Its check is expected to fail: it is hostile.
    let built = bench.cadre(&["plugin", "build", "hostile-core.wasm", "--out", out]);
    assert!(bench.path().join(out).exists(), "{}", built.stderr);
    let smoke = repository().join("recipes/smoke/see-tiny.toml");
    bench.write(
        "hostile.toml",
        &format!("inherit = [{smoke:?}]\n[rehearsal]\nselector = {{ plugin = \"hostile\", share = 0.5 }}\n"),
    );
    bench
}

/// More candidates than a dry run has, fewer than a task has.
const LATER: usize = 12;

#[test]
fn a_policy_that_traps_fails_only_its_stage() {
    let bench = bench_with("(unreachable)", LATER);
    bench.cadre(&["run", "hostile.toml"]).expect_code(1).expect_told(&[
        "do stage remember/",
        "plugin `hostile` (",
        "`select`, task 0",
        "trapped",
    ]);
    let planned = bench.cadre(&["plan", "hostile.toml"]).expect_code(0);
    let done =
        |stage: &str| planned.stdout.lines().any(|line| line.starts_with(stage) && line.contains("cached"));
    assert!(done("backbone") && done("train/"), "{}", planned.stdout);
    assert!(!done("remember/"), "{}", planned.stdout);
}

#[test]
fn an_endless_policy_is_stopped() {
    let bench = bench_with("(loop $on (br $on))", LATER);
    bench.cadre(&["run", "hostile.toml"]).expect_code(1).expect_told(&[
        "do stage remember/",
        "plugin `hostile` (",
        "`select`, task 0",
        "limit on",
    ]);
}

#[test]
fn a_hostile_policy_is_detected_in_the_dry_run() {
    let bench = bench_with("(unreachable)", 0);
    bench.cadre(&["run", "hostile.toml"]).expect_code(2).expect_told(&[
        "hostile.toml:3",
        "plugin `hostile` (",
        "trapped",
        "nothing was run",
    ]);
    assert!(!bench.path().join("runs").exists());
}
