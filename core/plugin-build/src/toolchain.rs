//! Finds a Rust compiler that can build for WebAssembly. It must have the target's standard library, or the sources of
//! the library, which is then built first. Installs nothing.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::PluginBuildError;

/// The target; it adds no imports to those that the policy declares.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

/// Candidates for rustc: the one on PATH, then that of Debian's package `rustc-web`.
const COMPILERS: &[&str] = &["rustc", "/usr/bin/rustc"];

/// A compiler that can build for WebAssembly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Toolchain {
    rustc: PathBuf,
    version: String,
    sysroot: PathBuf,
    /// Whether the standard library is built from its sources.
    builds_library: bool,
    /// A linker, if the compiler does not bundle one.
    linker: Option<PathBuf>,
}

impl fmt::Display for Toolchain {
    /// The compiler's version and the origin of its standard library, which determine the bytes of a component.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let library =
            if self.builds_library { "library built from its sources" } else { "library as it comes" };
        write!(f, "{}, {library}", self.version)
    }
}

impl Toolchain {
    /// The first suitable compiler on this machine.
    ///
    /// # Errors
    /// If there is none; the message explains how to install one.
    pub fn find() -> Result<Self, PluginBuildError> {
        let compilers: Vec<Compiler> = COMPILERS.iter().filter_map(|rustc| Compiler::ask(rustc)).collect();
        let ready = compilers.iter().find(|compiler| compiler.has_library());
        if let Some(compiler) = ready {
            return Ok(compiler.toolchain(false, None));
        }
        let linker = compilers.iter().find_map(Compiler::linker);
        compilers
            .iter()
            .find(|compiler| compiler.has_sources())
            .filter(|_| linker.is_some())
            .map(|compiler| compiler.toolchain(true, linker))
            .ok_or(PluginBuildError::NoToolchain)
    }

    /// Cargo with this compiler, and with file system paths removed from its output.
    pub(crate) fn cargo(&self, subcommand: &str, package: &Path) -> Command {
        let mut cargo = Command::new("cargo");
        cargo
            .arg(subcommand)
            .args(["--release", "--target", TARGET])
            .env("RUSTC", &self.rustc)
            .env("CARGO_ENCODED_RUSTFLAGS", self.flags(package))
            // Set by a parent cargo; they would select another compiler.
            .env_remove("RUSTUP_TOOLCHAIN")
            .env_remove("RUSTC_WRAPPER");
        if self.builds_library {
            cargo.arg("-Zbuild-std=std,panic_abort").env("RUSTC_BOOTSTRAP", "1");
        }
        if let Some(linker) = &self.linker {
            cargo.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
        }
        cargo
    }

    /// Remaps source paths, which panic messages contain, so that the bytes do not depend on the folder.
    fn flags(&self, package: &Path) -> OsString {
        let home = std::env::var_os("CARGO_HOME").map_or_else(
            || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cargo"),
            PathBuf::from,
        );
        let registry = home.join("registry/src");
        let mut cut: Vec<(PathBuf, &str)> = Vec::new();
        for index in std::fs::read_dir(&registry).into_iter().flatten().flatten() {
            cut.push((index.path(), ""));
        }
        cut.push((self.sysroot.join("lib/rustlib/src/rust"), "rust"));
        // The compiler may record the resolved path of a symlink to its sources.
        if let Ok(real) = self.sysroot.join("lib/rustlib/src/rust").canonicalize() {
            cut.push((real, "rust"));
        }
        cut.push((package.to_owned(), "policy"));
        let mut flags = OsString::from("-Ctarget-feature=+simd128");
        for (path, name) in cut {
            flags.push("\u{1f}--remap-path-prefix=");
            flags.push(path);
            flags.push("=");
            flags.push(name);
        }
        flags
    }
}

struct Compiler {
    rustc: PathBuf,
    version: String,
    sysroot: PathBuf,
}

impl Compiler {
    fn ask(rustc: &str) -> Option<Self> {
        let run = |argument: &[&str]| {
            let output = Command::new(rustc).args(argument).output().ok()?;
            let text = String::from_utf8(output.stdout).ok()?;
            output.status.success().then(|| text.trim().to_owned())
        };
        Some(Self {
            rustc: rustc.into(),
            version: run(&["--version"])?,
            sysroot: run(&["--print", "sysroot"])?.into(),
        })
    }

    fn has_library(&self) -> bool {
        let folder = self.sysroot.join("lib/rustlib").join(TARGET).join("lib");
        std::fs::read_dir(folder).is_ok_and(|entries| {
            entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with("libstd-"))
        })
    }

    fn has_sources(&self) -> bool {
        self.sysroot.join("lib/rustlib/src/rust/library/std/Cargo.toml").exists()
    }

    fn linker(&self) -> Option<PathBuf> {
        let lib = self.sysroot.join("lib/rustlib");
        std::fs::read_dir(lib)
            .ok()?
            .flatten()
            .map(|entry| entry.path().join("bin/rust-lld"))
            .find(|linker| linker.exists())
    }

    fn toolchain(&self, builds_library: bool, linker: Option<PathBuf>) -> Toolchain {
        Toolchain {
            rustc: self.rustc.clone(),
            version: self.version.clone(),
            sysroot: self.sysroot.clone(),
            builds_library,
            linker,
        }
    }
}
