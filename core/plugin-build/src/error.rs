//! What can go wrong while a policy is started or built, with what to do about it.

use std::path::PathBuf;

/// Why a policy cannot be started or built.
#[derive(Debug, thiserror::Error)]
pub enum PluginBuildError {
    /// Neither router nor selector.
    #[error("`{given}` is no kind of policy, expected `router` or `selector`")]
    Kind {
        /// What was given.
        given: String,
    },
    /// A name that cannot be a package.
    #[error(
        "`{given}` cannot be the name of a policy, expected 2 to 64 small letters, digits and hyphens that begin with a letter"
    )]
    Name {
        /// What was given.
        given: String,
    },
    /// There is something already.
    #[error("{} is there already", path.display())]
    Exists {
        /// Where.
        path: PathBuf,
    },
    /// A file cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The plugins' workspace does not look as it should.
    #[error("{} has no line `{expected}` to add the policy after", path.display())]
    Manifest {
        /// Which file.
        path: PathBuf,
        /// What was looked for.
        expected: &'static str,
    },
    /// No compiler here makes WebAssembly.
    #[error(
        "no Rust compiler here builds for wasm32-unknown-unknown; install the target with \
         `rustup target add wasm32-unknown-unknown`, or on Debian \
         `apt-get update && apt-get install -y --no-install-recommends rustc-web rust-web-src`"
    )]
    NoToolchain,
    /// A program cannot be run.
    #[error("cannot run `{program}`: {source}")]
    Program {
        /// Which one.
        program: String,
        /// Why not.
        source: std::io::Error,
    },
    /// Cargo said no; its own words went to the terminal.
    #[error("`{command}` failed in {}", folder.display())]
    Cargo {
        /// What was run.
        command: &'static str,
        /// Where.
        folder: PathBuf,
    },
    /// Cargo's words about the package cannot be read.
    #[error("cannot read what cargo says of {}: {source}", folder.display())]
    Metadata {
        /// Of which package.
        folder: PathBuf,
        /// Why not.
        source: serde_json::Error,
    },
    /// A package that makes no component.
    #[error("{} makes no `cdylib`: set `crate-type = [\"cdylib\", \"rlib\"]` in [lib]", folder.display())]
    NoLibrary {
        /// Which package.
        folder: PathBuf,
    },
    /// The contract itself cannot be read: a mistake in this build.
    #[error("cannot read the contract: {problem}")]
    Contract {
        /// The parser's words.
        problem: String,
    },
    /// A core module that exports no policy.
    #[error(
        "{} exports neither the functions of `cadre:policy/router` nor those of `cadre:policy/selector`",
        module.display()
    )]
    NotAPolicy {
        /// The core module.
        module: PathBuf,
    },
    /// A core module that cannot become a component.
    #[error("cannot make a component of {}: {problem}", module.display())]
    Component {
        /// The core module.
        module: PathBuf,
        /// The words of `wit-component`.
        problem: String,
    },
}
