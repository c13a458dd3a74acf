//! `docs/first-router.md` step by step: the page matches the output of `cadre plugin new`, and the policy builds,
//! passes its check and routes a run. Building is skipped with a message if no compiler here builds for WebAssembly.

use std::path::{Path, PathBuf};
use std::process::Command;

use cadre_tests::{Outcome, Workbench, repository};

use super::report_file::report;

/// The lines of the first code block after a heading or text, without indentation.
fn code_after(page: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    let (_, rest) = page.split_once(&fence).unwrap();
    let (code, _) = rest.split_once("```").unwrap();
    code.lines().map(|line| line.trim().to_owned()).collect()
}

#[test]
fn the_page_matches_a_new_router() {
    let bench = Workbench::new();
    bench.cadre(&["plugin", "new", "router", "lazy"]).expect_code(0);
    let source = std::fs::read_to_string(bench.path().join("lazy/src/lib.rs")).unwrap();
    let source: Vec<&str> = source.lines().map(str::trim).collect();
    let page = std::fs::read_to_string(repository().join("docs/first-router.md")).unwrap();
    let shown = code_after(&page, "rust");
    assert!(shown.len() > 8, "{shown:?}");
    assert!(
        source.windows(shown.len()).any(|window| window == shown.as_slice()),
        "docs/first-router.md shows different code than plugins/template/router/src/lib.rs"
    );
}

#[test]
fn a_new_router_builds_and_routes_a_run() {
    let bench = Workbench::new();
    bench.cadre(&["plugin", "new", "router", "lazy"]).expect_code(0);
    let folder = bench.path().join("lazy");
    let built = in_kept_target(bench.command("cadre", &["plugin", "build", "lazy"]));
    if built.stderr.contains("no Rust compiler here builds for wasm32-unknown-unknown") {
        eprintln!("skipped: {}", built.stderr.trim());
        return;
    }
    assert!(built.expect_code(0).stdout.contains("determinism"));
    let mut tests = Command::new("cargo");
    tests.arg("test").current_dir(&folder);
    assert!(in_kept_target(tests).expect_code(0).stdout.contains("3 passed"));

    std::fs::create_dir(bench.path().join("plugins")).unwrap();
    std::fs::copy(folder.join("lazy.wasm"), bench.path().join("plugins/lazy.wasm")).unwrap();
    let smoke = repository().join("recipes/smoke/see-tiny.toml");
    let recipe = format!(
        "name = \"see-surest\"\ninherit = [{smoke:?}]\n\n\
         [routing]\nrouter = {{ plugin = \"lazy\", threshold = 0.5 }}\n"
    );
    bench.write("mine.toml", &recipe);
    bench.cadre(&["run", "mine.toml", "--quiet"]).expect_code(0);
    let report = report(bench.path());
    let plugins = report["provenance"]["plugins"].as_array().unwrap();
    let lazy = plugins.iter().find(|plugin| plugin["name"] == "lazy").unwrap();
    assert_eq!(lazy["version"], "0.1.0");
}

#[test]
fn a_core_module_gets_the_version_that_it_declares() {
    let bench = Workbench::new();
    bench.write("plugins/note.txt", "policies of this test");
    std::fs::write(bench.path().join("mine.core.wasm"), super::hostile::selector("(nop)", 0)).unwrap();
    bench.cadre(&["plugin", "build", "mine.core.wasm", "--out", "plugins/mine.wasm"]);
    let list = bench.cadre(&["plugin", "list", "--json"]).expect_code(0);
    let entries = list.stdout.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let mine = entries.into_iter().find(|entry| entry["name"] == "mine").unwrap();
    assert_eq!(mine["version"], "0.1.0", "{mine}");
}

/// Runs a command with a cargo target folder that is kept between test runs.
fn in_kept_target(mut command: Command) -> Outcome {
    let own = std::env::current_exe().unwrap();
    let target: PathBuf = own.ancestors().nth(3).map(Path::to_owned).unwrap();
    command.env("CARGO_TARGET_DIR", target.join("policies")).env_remove("CARGO");
    Outcome::of(&command.output().unwrap())
}
