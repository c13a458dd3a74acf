//! `cadre doctor`: reports what this build and this folder provide, what is missing, and the command that fixes it.

use std::path::{Path, PathBuf};
use std::process::Command;

use cadre_contract::CONTRACT_VERSION;
use cadre_policy::{Limits, Sandbox};
use cadre_recipe::{EnvSource, PluginCatalog, default_data};
use cadre_scheduler::CommonArgs;
use cadre_store::{ArtifactStore, STORE_FORMAT, chain};
use clap::Args;
use serde_json::json;

use super::Done;
use super::opened::capabilities;
use crate::error::EngineError;
use crate::resources::compiled_policies;
use crate::stage::BURN;
use crate::terminal::{OutputMode, Terminal};

#[derive(Debug, Args)]
pub(super) struct DoctorArgs {}

/// State of a finding.
#[derive(Clone, Copy, PartialEq)]
enum State {
    Good,
    Missing,
    Broken,
}

/// One checked item.
struct Finding {
    what: &'static str,
    state: State,
    detail: String,
    fix: Option<String>,
}

impl Finding {
    fn good(what: &'static str, detail: String) -> Self {
        Self { what, state: State::Good, detail, fix: None }
    }

    fn lacking(what: &'static str, state: State, detail: String, fix: &str) -> Self {
        Self { what, state, detail, fix: Some(fix.to_owned()) }
    }
}

pub(super) fn doctor(_: &DoctorArgs, common: &CommonArgs, terminal: &Terminal) -> Done {
    let env = EnvSource::process();
    let mut findings = vec![program(), processor()];
    findings.extend(backends());
    findings.push(store(common));
    findings.push(runs(common));
    findings.push(data(&env));
    findings.extend(policies(common, &env));
    findings.push(toolchain());
    for finding in &findings {
        match terminal.mode() {
            OutputMode::Json => terminal.print(&as_json(finding)),
            _ => terminal.print(&as_text(finding)),
        }
    }
    let broken: Vec<&str> = findings
        .iter()
        .filter(|finding| finding.state == State::Broken)
        .map(|finding| finding.what)
        .collect();
    if broken.is_empty() { Ok(()) } else { Err(EngineError::DoctorFailed { what: broken.join(", ") }) }
}

fn as_json(finding: &Finding) -> String {
    let state = match finding.state {
        State::Good => "good",
        State::Missing => "missing",
        State::Broken => "broken",
    };
    json!({ "what": finding.what, "state": state, "detail": finding.detail, "fix": finding.fix }).to_string()
}

fn as_text(finding: &Finding) -> String {
    let (mark, style) = match finding.state {
        State::Good => ("ok", anstyle::AnsiColor::Green.on_default()),
        State::Missing => ("–", anstyle::AnsiColor::Yellow.on_default()),
        State::Broken => ("!!", anstyle::AnsiColor::Red.on_default().bold()),
    };
    let fix = finding.fix.as_ref().map(|fix| format!("\n                  fix: {fix}")).unwrap_or_default();
    format!("{style}{mark:>3}{style:#}  {:12} {}{fix}", finding.what, finding.detail)
}

fn program() -> Finding {
    let detail = format!(
        "cadre {}, burn {BURN}, policy contract {CONTRACT_VERSION}, store format {STORE_FORMAT}",
        env!("CARGO_PKG_VERSION")
    );
    Finding::good("program", detail)
}

fn processor() -> Finding {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let detail = format!("{} threads on {}{}", threads, std::env::consts::ARCH, vectors());
    Finding::good("processor", detail)
}

#[cfg(target_arch = "x86_64")]
fn vectors() -> &'static str {
    if std::arch::is_x86_feature_detected!("avx512f") {
        ", AVX-512"
    } else if std::arch::is_x86_feature_detected!("avx2") {
        ", AVX2"
    } else {
        ", without AVX2: training will be slow"
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn vectors() -> &'static str {
    ""
}

fn backends() -> Vec<Finding> {
    let capabilities = capabilities();
    let names: Vec<&str> = capabilities.backends.iter().map(|backend| backend.name.as_str()).collect();
    let mut findings = vec![Finding::good("backends", names.join(", "))];
    let device = Path::new("/dev/nvidia0").exists() || Path::new("/dev/nvidiactl").exists();
    if device && !names.contains(&"cuda") {
        let fix = format!("{}cuda", capabilities.build_with);
        findings.push(Finding::lacking(
            "cuda",
            State::Missing,
            "there is an NVIDIA device, but this build has no CUDA support".to_owned(),
            &fix,
        ));
    }
    findings
}

fn store(common: &CommonArgs) -> Finding {
    let shown = common.store.display();
    if !common.store.exists() {
        return Finding::good("store", format!("{shown} does not exist yet; the first run creates it"));
    }
    match ArtifactStore::open(&common.store) {
        Ok(_) => {
            let (files, bytes) = size(&common.store);
            let mib = bytes as f64 / f64::from(1 << 20);
            Finding::good("store", format!("{shown}: {files} files, {mib:.1} MiB"))
        }
        Err(error) => Finding::lacking(
            "store",
            State::Broken,
            format!("failed to {}", chain(&error)),
            "choose another folder with --store DIR",
        ),
    }
}

/// Number of files below a folder and their total size; unreadable entries are skipped.
fn size(folder: &Path) -> (u64, u64) {
    let (mut files, mut bytes) = (0, 0);
    let mut left: Vec<PathBuf> = vec![folder.to_owned()];
    while let Some(next) = left.pop() {
        for entry in std::fs::read_dir(next).into_iter().flatten().flatten() {
            match entry.metadata() {
                Ok(found) if found.is_dir() => left.push(entry.path()),
                Ok(found) => {
                    files += 1;
                    bytes += found.len();
                }
                Err(_) => {}
            }
        }
    }
    (files, bytes)
}

fn runs(common: &CommonArgs) -> Finding {
    let is_run = |entry: &std::fs::DirEntry| entry.path().join("plan.json").is_file();
    let folders =
        std::fs::read_dir(&common.runs).map_or(0, |entries| entries.flatten().filter(is_run).count());
    Finding::good("runs", format!("{}: {folders}", common.runs.display()))
}

fn data(env: &EnvSource) -> Finding {
    match env.get("CADRE_DATA").map(PathBuf::from) {
        Some(folder) if folder.is_dir() => {
            Finding::good("data", format!("$CADRE_DATA is {}", folder.display()))
        }
        Some(folder) => Finding::lacking(
            "data",
            State::Broken,
            format!("$CADRE_DATA is {}, which is not a folder", folder.display()),
            "export CADRE_DATA=/path/to/data",
        ),
        None => match default_data(env, env.folder()) {
            Some(folder) => {
                Finding::good("data", format!("$CADRE_DATA is not set; {} is used instead", folder.display()))
            }
            None => Finding::lacking(
                "data",
                State::Missing,
                "$CADRE_DATA is not set; only recipes on real data need it".to_owned(),
                "export CADRE_DATA=/path/to/data",
            ),
        },
    }
}

fn policies(common: &CommonArgs, env: &EnvSource) -> Vec<Finding> {
    let folders = PluginCatalog::search_path(Path::new("recipes/any.toml"), env);
    let catalog = PluginCatalog::scan(&folders);
    let names: Vec<&str> = catalog.entries().iter().map(|entry| entry.name.as_str()).collect();
    let mut findings = match names.as_slice() {
        [] => {
            let looked: Vec<String> = folders.iter().map(|folder| folder.display().to_string()).collect();
            vec![Finding::lacking(
                "policies",
                State::Broken,
                format!("none in {}", looked.join(", ")),
                "run in Cadre's repository, or export CADRE_PLUGINS=/path/to/plugins",
            )]
        }
        names => vec![Finding::good("policies", names.join(", "))],
    };
    for folder in PluginCatalog::missing_folders(env) {
        findings.push(Finding::lacking(
            "policies",
            State::Broken,
            format!("$CADRE_PLUGINS names {}, and there is no such folder", folder.display()),
            "export CADRE_PLUGINS=/path/to/plugins",
        ));
    }
    for broken in catalog.broken() {
        findings.push(Finding::lacking(
            "policies",
            State::Broken,
            format!("{}: {}", broken.file.display(), broken.problem),
            "cargo xtask plugins",
        ));
    }
    if let Err(error) = Sandbox::new(&compiled_policies(&common.store), Limits::default()) {
        findings.push(Finding::lacking(
            "sandbox",
            State::Broken,
            chain(&error),
            "run on a CPU architecture that wasmtime compiles for",
        ));
    }
    findings
}

/// The WebAssembly target, which is only needed for writing policies.
fn toolchain() -> Finding {
    let targets = Command::new("rustup").args(["target", "list", "--installed"]).output();
    let there =
        targets.is_ok_and(|found| String::from_utf8_lossy(&found.stdout).contains("wasm32-unknown-unknown"));
    if there {
        return Finding::good("wasm target", "wasm32-unknown-unknown is installed".to_owned());
    }
    Finding::lacking(
        "wasm target",
        State::Missing,
        "not installed; only needed for building your own policies".to_owned(),
        "rustup target add wasm32-unknown-unknown",
    )
}
