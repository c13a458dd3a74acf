//! Errors of creating and building policies, with what to do about them.

use std::path::PathBuf;

/// Why a policy cannot be created or built.
#[derive(Debug, thiserror::Error)]
pub enum PluginBuildError {
    /// Neither `router` nor `selector`.
    #[error("`{given}` is not a kind of policy, expected `router` or `selector`")]
    Kind {
        /// The kind that was given.
        given: String,
    },
    /// A name that is not a valid package name.
    #[error(
        "`{given}` cannot be the name of a policy, expected 2 to 64 lower-case letters, digits and hyphens that begin with a letter"
    )]
    Name {
        /// The name that was given.
        given: String,
    },
    /// The target exists already.
    #[error("{} already exists", path.display())]
    Exists {
        /// The path.
        path: PathBuf,
    },
    /// A file cannot be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The underlying I/O error.
        source: std::io::Error,
    },
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The underlying I/O error.
        source: std::io::Error,
    },
    /// The manifest of the plugins' workspace has an unexpected form.
    #[error("{} has no line `{expected}` to add the policy after", path.display())]
    Manifest {
        /// The file.
        path: PathBuf,
        /// The line that was expected.
        expected: &'static str,
    },
    /// No installed compiler supports WebAssembly.
    #[error(
        "no Rust compiler here builds for wasm32-unknown-unknown; install the target with \
         `rustup target add wasm32-unknown-unknown`, or on Debian \
         `apt-get update && apt-get install -y --no-install-recommends rustc-web rust-web-src`"
    )]
    NoToolchain,
    /// A program cannot be run.
    #[error("cannot run `{program}`")]
    Program {
        /// The program.
        program: String,
        /// The underlying I/O error.
        source: std::io::Error,
    },
    /// Cargo failed; its output went to the terminal.
    #[error("`{command}` failed in {}", folder.display())]
    Cargo {
        /// The command.
        command: &'static str,
        /// The folder it ran in.
        folder: PathBuf,
    },
    /// The output of `cargo metadata` cannot be parsed.
    #[error("cannot read the metadata that cargo prints for {}", folder.display())]
    Metadata {
        /// The package's folder.
        folder: PathBuf,
        /// The parser's error.
        source: serde_json::Error,
    },
    /// A package without a `cdylib` target.
    #[error("{} has no `cdylib` target: set `crate-type = [\"cdylib\", \"rlib\"]` in [lib]", folder.display())]
    NoLibrary {
        /// The package's folder.
        folder: PathBuf,
    },
    /// The contract itself cannot be parsed: a bug in this build.
    #[error("cannot read the contract: {problem}")]
    Contract {
        /// The parser's message.
        problem: String,
    },
    /// A core module that exports no policy.
    #[error(
        "{} exports none of `cadre:policy/router`, `cadre:policy/selector` and `cadre:method/hooks`",
        module.display()
    )]
    NotAPolicy {
        /// The core module.
        module: PathBuf,
    },
    /// A gate cannot be created in the repository.
    #[error(
        "in the repository a gate is a file of the collection `plugins/methods/gates`: its source, its table in policies.toml and its line in src/lib.rs; outside, `cadre plugin new gate NAME` creates one"
    )]
    Collection,
    /// The declarations of a collection are invalid.
    #[error("{}: {problem}", path.display())]
    Declarations {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A core module that cannot be turned into a component.
    #[error("cannot make a component of {}: {problem}", module.display())]
    Component {
        /// The core module.
        module: PathBuf,
        /// The message of `wit-component`.
        problem: String,
    },
}
