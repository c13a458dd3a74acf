//! Keeps the components that lie in the repository: builds them, says when they are out of date, and
//! starts new ones. `cargo xtask plugins` and `cargo xtask new` run it. Never runs a policy.

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

/// Builds components and writes them, with what they were built from and by.
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

/// Whether the components are those of the sources: by the sources' digests everywhere, by a rebuild
/// where the compiler is the one that made them.
fn check(names: &[&str]) -> Result<()> {
    let plugins = plugins();
    let prebuilt = Prebuilt::read(&plugins)?;
    let names = chosen(&plugins, names)?;
    for name in &names {
        prebuilt.verify(&plugins, name)?;
    }
    println!("{} components, of these sources", names.len());
    let toolchain = match Toolchain::find() {
        Ok(toolchain) => toolchain,
        Err(PluginBuildError::NoToolchain) => {
            println!("not rebuilt: no compiler here makes WebAssembly");
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    };
    for name in &names {
        let made_by = prebuilt.made_by(name)?;
        if made_by != toolchain.to_string() {
            println!("{name}: not compared, made by {made_by}; here is {toolchain}");
            continue;
        }
        let built = build(&toolchain, &plugins.join(name), true)?;
        if !prebuilt.is(name, &built.bytes)? {
            bail!("{name}.wasm is not what its sources give; `cargo xtask plugins {name}` makes it again");
        }
        println!("{name}: the same, byte for byte");
    }
    Ok(())
}

fn new(kind: &str, name: &str) -> Result<()> {
    let kind: PolicyKind = kind.parse()?;
    let new = start_in_tree(kind, name, &plugins().canonicalize()?)?;
    println!("started {}", new.folder.display());
    println!("edit {}", new.source.display());
    println!("test it: cargo test --manifest-path plugins/Cargo.toml -p {name}");
    println!("build it: cargo xtask plugins {name}");
    Ok(())
}
