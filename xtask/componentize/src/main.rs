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

fn chosen(plugins: &Path, names: &[&str]) -> Result<Vec<String>> {
    let all = plugin_names(plugins)?;
    for name in names {
        if !all.iter().any(|known| known == name) {
            bail!("there is no policy `{name}` (there are: {})", all.join(", "));
        }
    }
    Ok(match names {
        [] => all,
        names => names.iter().map(|name| (*name).to_owned()).collect(),
    })
}

/// Builds components and writes them, with the sources and compiler they were built from.
fn rebuild(names: &[&str]) -> Result<()> {
    let plugins = plugins();
    let toolchain = Toolchain::find()?;
    eprintln!("{toolchain}");
    let mut prebuilt = Prebuilt::read(&plugins)?;
    for name in chosen(&plugins, names)? {
        let folder = plugins.join(&name);
        let built = build(&toolchain, &folder, true)?;
        let file = folder.join(format!("{name}.wasm"));
        std::fs::write(&file, &built.bytes).with_context(|| format!("writing {}", file.display()))?;
        println!("{name}: {} bytes", built.bytes.len());
        prebuilt.set(&name, &built.bytes, source_digest(&plugins, &name)?, &toolchain);
    }
    prebuilt.write(&plugins)
}

/// Checks that the components match their sources: by the sources' digests, and by a rebuild if this compiler is the
/// one that built them.
fn check(names: &[&str]) -> Result<()> {
    let plugins = plugins();
    let prebuilt = Prebuilt::read(&plugins)?;
    let names = chosen(&plugins, names)?;
    for name in &names {
        prebuilt.verify(&plugins, name)?;
    }
    println!("{} components match their sources", names.len());
    let toolchain = match Toolchain::find() {
        Ok(toolchain) => toolchain,
        Err(PluginBuildError::NoToolchain) => {
            println!("not rebuilt: no compiler here builds for WebAssembly");
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    };
    for name in &names {
        let made_by = prebuilt.made_by(name)?;
        if made_by != toolchain.to_string() {
            println!("{name}: not compared; it was built by {made_by}, and this machine has {toolchain}");
            continue;
        }
        let built = build(&toolchain, &plugins.join(name), true)?;
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
