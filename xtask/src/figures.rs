//! `figures`: runs the studies behind `docs/results.md`, writes what they end in to `results/*.json`, and the tables of the
//! page from those files.

pub(crate) mod page;
mod studies;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value, json};

use crate::shell;
use studies::{Measured, STUDIES, Study};

/// Runs the named studies (all, if none is named) and writes their tables into the page. With `--page` it runs nothing
/// and only writes the page; with `--check` it compares the page with the files.
pub(crate) fn figures(args: &[String]) -> Result<ExitCode> {
    match args {
        [only] if only == "--page" => page::write().map(|()| ExitCode::SUCCESS),
        [only] if only == "--check" => page::check().map(|()| ExitCode::SUCCESS),
        names => {
            for study in selected(names)? {
                run(study)?;
                page::write()?;
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn selected(names: &[String]) -> Result<Vec<&'static Study>> {
    if names.is_empty() {
        return Ok(STUDIES.iter().collect());
    }
    let find = |name: &String| {
        let known = || STUDIES.iter().map(|study| study.name).collect::<Vec<_>>().join(", ");
        STUDIES
            .iter()
            .find(|study| study.name == name)
            .with_context(|| format!("there is no study `{name}`; there are {}", known()))
    };
    names.iter().map(find).collect()
}

/// The file of a study.
fn file_of(study: &Study) -> PathBuf {
    shell::root().join("results").join(format!("{}.json", study.name))
}

/// Measures the figures of one run from its arguments.
type Measure = dyn Fn(&[&str]) -> Result<Value>;

fn run(study: &Study) -> Result<()> {
    let measure: Box<Measure> = match study.measured {
        Measured::Report => {
            let program = shell::built("cadre", &[])?;
            Box::new(move |args| report(&program, args))
        }
        Measured::Lines(keep) => Box::new(move |args| lines(keep, args)),
    };
    let mut rows = Vec::new();
    for row in study.rows {
        let mut runs = Vec::new();
        for replicate in study.replicates {
            let args: Vec<&str> = row.args.iter().chain(*replicate).copied().collect();
            eprintln!("── {}: {} {}", study.name, row.label, replicate.join(" "));
            runs.push(measure(&args)?);
        }
        rows.push(json!({ "label": row.label, "command": row.args, "runs": runs }));
    }
    let replicates: Vec<String> = study.replicates.iter().map(|replicate| replicate.join(" ")).collect();
    let file = file_of(study);
    let result = json!({
        "study": study.name,
        "date": output("date", &["-I"])?,
        "commit": commit()?,
        "machine": machine(),
        "replicates": replicates,
        "rows": rows,
    });
    std::fs::create_dir_all(shell::root().join("results"))?;
    std::fs::write(&file, format!("{result:#}\n"))
        .with_context(|| format!("failed to write {}", file.display()))
}

/// The lines of a program's output that contain `keep`.
fn lines(keep: &str, args: &[&str]) -> Result<Value> {
    let mut program = shell::cargo();
    let output = program.args(args).stderr(std::process::Stdio::inherit()).output();
    let output = output.context("failed to start cargo")?;
    if !output.status.success() {
        bail!("cargo {} failed ({})", args.join(" "), output.status);
    }
    let text = String::from_utf8(output.stdout)?;
    let lines: Vec<&str> = text.lines().filter(|line| line.contains(keep)).collect();
    if lines.is_empty() {
        bail!("cargo {} printed no line with `{keep}`", args.join(" "));
    }
    Ok(json!(lines))
}

/// The figures of the report of a run.
fn report(program: &Path, args: &[&str]) -> Result<Value> {
    let folder = shell::target().join("figures");
    let mut command = Command::new(program);
    command.current_dir(shell::root());
    command.arg("--store").arg(folder.join("store")).arg("--runs").arg(folder.join("runs"));
    command.args(["--json", "run"]).args(args).stderr(std::process::Stdio::inherit());
    let output = command.output().context("failed to start cadre")?;
    if !output.status.success() {
        bail!("cadre run {} failed ({})", args.join(" "), output.status);
    }
    let text = String::from_utf8(output.stdout)?;
    let path = text.lines().rev().find_map(report_path).context("`cadre run --json` names no report")?;
    let json = std::fs::read(path.with_extension("json")).context("failed to read the report")?;
    Ok(picked(&serde_json::from_slice(&json)?))
}

/// The report that the last event of a run names.
fn report_path(line: &str) -> Option<PathBuf> {
    let event: Value = serde_json::from_str(line).ok()?;
    event.get("report").and_then(Value::as_str).map(PathBuf::from)
}

/// What of a report the tables show.
fn picked(report: &Value) -> Value {
    const PICKED: [(&str, &str, f64); 7] = [
        ("average-score", "/average-score", 1.0),
        ("backward-transfer", "/backward-transfer", 1.0),
        ("forward-transfer", "/forward-transfer", 1.0),
        ("routing-accuracy", "/routing/accuracy", 100.0),
        ("outside-to-backbone", "/out-of-distribution/to-backbone", 100.0),
        ("probes-per-query", "/routing/probes-per-query", 1.0),
        ("training-tokens", "/cost/training-tokens", 1.0),
    ];
    let mut figures = Map::new();
    figures.insert("seed".into(), report["seed"].clone());
    figures.insert("tasks".into(), report["tasks"].clone());
    for (name, pointer, factor) in PICKED {
        if let Some(value) = report.pointer(pointer).and_then(Value::as_f64) {
            figures.insert(name.into(), json!(value * factor));
        }
    }
    Value::Object(figures)
}

/// The commit, marked if the code or the recipes differ from it.
fn commit() -> Result<String> {
    let commit = output("git", &["rev-parse", "--short", "HEAD"])?;
    let changed = output("git", &["status", "--porcelain", "--", "core", "plugins", "recipes"])?;
    Ok(if changed.is_empty() { commit } else { format!("{commit} with changes") })
}

fn machine() -> String {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let name = name.map_or("an unknown processor", |(_, name)| name.trim());
    let flags = cpu.lines().find(|line| line.starts_with("flags")).unwrap_or_default();
    let vectors = ["amx_tile", "avx512f", "avx2"].into_iter().find(|flag| flags.contains(flag));
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    format!("{cores} cores, {name}{}", vectors.map(|flag| format!(", {flag}")).unwrap_or_default())
}

fn output(program: &str, args: &[&str]) -> Result<String> {
    let output = Command::new(program)
        .args(args)
        .current_dir(shell::root())
        .output()
        .with_context(|| format!("failed to start {program}"))?;
    if !output.status.success() {
        bail!("{program} {} failed ({})", args.join(" "), output.status);
    }
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

fn read(path: &Path) -> Result<Value> {
    let text = std::fs::read(path).with_context(|| format!("failed to read {}", path.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("failed to read {}", path.display()))
}
