//! The contract from another language: `plugins/examples/surest-c` builds, conforms to the contract, and decides like
//! the template's Rust router. Skips with a message if no compiler here builds C for WebAssembly.

#[cfg(test)]
mod guest;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use cadre_contract::{Evidence, Query, RouterProbe, RouterStep};
use cadre_policy::{Limits, Plugin};
use guest::{Fixture, cards, claim};

/// A command that compiles C to WebAssembly like `zig cc`: `$CADRE_WASM_CC`, or an installed `zig`.
fn compiler() -> Option<Vec<String>> {
    let own = std::env::var("CADRE_WASM_CC").ok();
    let known = ["zig cc", "python3 -m ziglang cc"].map(str::to_owned);
    own.into_iter().chain(known).find_map(|line| {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        let (program, first) = words.split_first()?;
        let mut ask = Command::new(program);
        ask.args(first).arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
        ask.status().is_ok_and(|status| status.success()).then_some(words)
    })
}

#[cfg(test)]
fn build(compiler: &[String], folder: &Path) -> PathBuf {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins/examples/surest-c");
    let module = folder.join("surest-c.core.wasm");
    let done = Command::new(&compiler[0])
        .args(&compiler[1..])
        .args(["-target", "wasm32-wasi", "-mexec-model=reactor", "-O2", "-s", "-Wall", "-Wextra", "-Werror"])
        .arg("-Wl,-z,stack-size=65536")
        .arg("-o")
        .arg(&module)
        .args(["surest-c.c", "router_plugin.c"].map(|file| sources.join(file)))
        .status()
        .unwrap();
    assert!(done.success(), "{compiler:?} does not build {}", sources.display());
    cadre_plugin_build::make(&module, None).unwrap()
}

/// Queries with claims by some of the experts. The values are few, so that ties are common.
fn queries(experts: u32) -> Vec<Evidence> {
    let mut state = 1_u64;
    let mut draw = move |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    (0..500)
        .map(|id| Evidence {
            query: Query { id, prompt: "sort: 3 1 2".into(), prompt_tokens: 5 },
            observations: (0..draw(u64::from(experts) + 1))
                .map(|expert| claim(expert as u32, draw(9) as f32 / 8.0))
                .collect(),
        })
        .collect()
}

/// The decisions of `plugins/template/router`: probe all, then take the expert with the highest claim that reaches the
/// threshold; ties go to the last.
fn expected(evidence: &Evidence, experts: u32, threshold: f32) -> RouterStep {
    if evidence.observations.is_empty() && experts > 0 {
        return RouterStep::Ask((0..experts).map(RouterProbe::Claim).collect());
    }
    let claims = evidence.observations.iter().map(|seen| match (&seen.probe, &seen.finding) {
        (RouterProbe::Claim(expert), cadre_contract::RouterFinding::Claim(claim)) => (*expert, claim.accept),
        other => panic!("{other:?}"),
    });
    match claims.max_by(|a, b| a.1.total_cmp(&b.1)) {
        Some((expert, accept)) if accept >= threshold => RouterStep::Choose(expert),
        _ => RouterStep::Backbone,
    }
}

#[cfg(test)]
fn decides_as_the_template_does(plugin: &Plugin) {
    for (settings, threshold) in
        [("{}", 0.5), (r#"{"threshold": 0.75}"#, 0.75), (r#"{ "threshold" : 1 }"#, 1.0)]
    {
        for experts in [0, 1, 7] {
            let mut router = plugin.router(settings, &cards(experts)).unwrap();
            let batch = queries(experts);
            let steps = router.route(&batch).unwrap();
            for (step, evidence) in steps.iter().zip(&batch) {
                assert_eq!(*step, expected(evidence, experts, threshold), "{settings} {evidence:?}");
            }
        }
    }
}

#[test]
fn a_router_in_c_conforms_and_decides_like_the_one_in_rust() {
    let Some(compiler) = compiler() else {
        eprintln!(
            "skipped: no compiler here builds C for WebAssembly; run `pip install ziglang` or set CADRE_WASM_CC"
        );
        return;
    };
    let fixture = Fixture::with(Limits::default());
    let file = build(&compiler, fixture.folder.path());
    let report = fixture.sandbox.conformance(&file, "{}");
    assert!(report.passed(), "{report:#?}");
    assert_eq!(report.description.unwrap().name, "surest-c");
    let plugin = fixture.sandbox.load(&file).unwrap();
    decides_as_the_template_does(&plugin);
    for settings in [r#"{"thresold": 0.4}"#, r#"{"threshold": 2}"#, r#"{"threshold": "high"}"#] {
        let error = plugin.router(settings, &cards(2)).unwrap_err().to_string();
        assert!(error.contains("expected"), "{error}");
    }
}
