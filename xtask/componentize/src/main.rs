//! Maintains the components committed to the repository: builds them, checks whether they are out of date, and creates
//! new policies. `cargo xtask plugins` and `cargo xtask new` run it.

mod prebuilt;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use cadre_plugin_build::{PluginBuildError, PolicyKind, Toolchain, build, make, start_in_tree};

use prebuilt::{Prebuilt, plugin_names, source_digest};

const USAGE: &str =
    "usage: componentize build [--check] [NAME…] | new router|selector NAME | make FOLDER|MODULE";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match args.as_slice() {
        ["build", "--check", names @ ..] => check(names),
        ["build", names @ ..] => rebuild(names),
        ["new", kind, name] => new(kind, name),
        ["make", from] => make(Path::new(from), None).map_err(Into::into).map(|file| {
            println!("{}", file.display());
        }),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn plugins() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins")
}

/// The workspaces of policies: routers and selectors, and collections of methods. Each records its own components.
fn workspaces() -> [PathBuf; 2] {
    [plugins(), plugins().join("methods")]
}

/// The policies of a workspace that were named, or all.
fn chosen(workspace: &Path, names: &[&str]) -> Result<Vec<String>> {
    let mut all = plugin_names(workspace)?;
    all.retain(|name| names.is_empty() || names.contains(&name.as_str()));
    Ok(all)
}

/// Every name must be that of a policy.
fn known(names: &[&str]) -> Result<()> {
    let mut all = Vec::new();
    for workspace in workspaces() {
        all.extend(plugin_names(&workspace)?);
    }
    for name in names {
        if !all.iter().any(|known| known == name) {
            bail!("there is no policy `{name}` (there are: {})", all.join(", "));
        }
    }
    Ok(())
}

/// Builds components and writes them, with the sources and compiler they were built from.
fn rebuild(names: &[&str]) -> Result<()> {
    known(names)?;
    let toolchain = Toolchain::find()?;
    eprintln!("{toolchain}");
    for workspace in workspaces() {
        let mut prebuilt = Prebuilt::read(&workspace)?;
        for name in chosen(&workspace, names)? {
            let folder = workspace.join(&name);
            let built = build(&toolchain, &folder, true)?;
            let file = folder.join(format!("{name}.wasm"));
            std::fs::write(&file, &built.bytes).with_context(|| format!("writing {}", file.display()))?;
            println!("{name}: {} bytes", built.bytes.len());
            prebuilt.set(&name, &built.bytes, source_digest(&workspace, &name)?, &toolchain);
        }
        prebuilt.write(&workspace)?;
    }
    Ok(())
}

/// Checks that the components match their sources: by the sources' digests, and by a rebuild if this compiler is the
/// one that built them.
fn check(names: &[&str]) -> Result<()> {
    known(names)?;
    let mut all = Vec::new();
    for workspace in workspaces() {
        let prebuilt = Prebuilt::read(&workspace)?;
        for name in chosen(&workspace, names)? {
            prebuilt.verify(&workspace, &name)?;
            all.push((workspace.clone(), name));
        }
    }
    println!("{} components match their sources", all.len());
    let toolchain = match Toolchain::find() {
        Ok(toolchain) => toolchain,
        Err(PluginBuildError::NoToolchain) => {
            println!("not rebuilt: no compiler here builds for WebAssembly");
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    };
    for (workspace, name) in &all {
        let prebuilt = Prebuilt::read(workspace)?;
        let made_by = prebuilt.made_by(name)?;
        if made_by != toolchain.to_string() {
            println!("{name}: not compared; it was built by {made_by}, and this machine has {toolchain}");
            continue;
        }
        let built = build(&toolchain, &workspace.join(name), true)?;
        if !prebuilt.is(name, &built.bytes)? {
            bail!("{name}.wasm differs from a rebuild of its sources; run `cargo xtask plugins {name}`");
        }
        println!("{name}: identical to a rebuild");
    }
    Ok(())
}

fn new(kind: &str, name: &str) -> Result<()> {
    let kind: PolicyKind = kind.parse()?;
    let new = start_in_tree(kind, name, &plugins().canonicalize()?)?;
    println!("created {}", new.folder.display());
    println!("edit {}", new.source.display());
    println!("test it: cargo test --manifest-path plugins/Cargo.toml -p {name}");
    println!("build it: cargo xtask plugins {name}");
    Ok(())
}
