//! A temporary folder for a test, and the programs to run in it. Must not touch the repository's folders.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::Outcome;

/// The repository's root.
#[must_use]
pub fn repository() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_owned()
}

/// The version of the policy contract, such as `0.1.0`.
///
/// # Panics
/// If the contract has no version.
#[must_use]
#[expect(clippy::expect_used, reason = "a test without a contract cannot say anything")]
pub fn contract() -> String {
    let file = repository().join("core/contract/wit/policy.wit");
    let text = std::fs::read_to_string(file).expect("the contract");
    let package = text.lines().find_map(|line| line.strip_prefix("package cadre:policy@"));
    package.and_then(|version| version.strip_suffix(';')).expect("a version").to_owned()
}

/// The folder of real data, if this machine has it; prints a message if the test skips.
#[must_use]
pub fn data_folder(test: &str) -> Option<PathBuf> {
    let folder =
        std::env::var_os("CADRE_DATA").map_or_else(|| repository().join("../shared/data"), PathBuf::from);
    if folder.join("superni").is_dir() {
        return Some(folder);
    }
    eprintln!("skipped: {test} needs the real data; set CADRE_DATA to its folder");
    None
}

/// A temporary folder in which programs are run; they create `store/` and `runs/` in it.
#[derive(Debug)]
pub struct Workbench {
    folder: TempDir,
}

impl Workbench {
    /// Creates an empty workbench.
    ///
    /// # Panics
    /// If no temporary folder can be created.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a test without a folder cannot say anything")]
    pub fn new() -> Self {
        let folder = TempDir::with_prefix("cadre-test-").expect("a temporary folder");
        Self { folder }
    }

    /// The path of the folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file below the folder, creating intermediate folders.
    ///
    /// # Panics
    /// If it cannot be written.
    #[expect(clippy::expect_used, reason = "a test that cannot lay out its files cannot say anything")]
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).expect("folders");
        }
        std::fs::write(&path, text).expect("a file");
        path
    }

    /// Runs `cadre` with these arguments and waits for it.
    pub fn cadre(&self, args: &[&str]) -> Outcome {
        self.finish(&mut self.command("cadre", args))
    }

    /// Runs `cadre-plan` with these arguments and waits for it.
    pub fn planner(&self, args: &[&str]) -> Outcome {
        self.finish(&mut self.command("cadre-plan", args))
    }

    /// Starts `cadre` without waiting for it; its output is discarded.
    ///
    /// # Panics
    /// If it cannot be started.
    #[expect(clippy::expect_used, reason = "a test without its program cannot say anything")]
    pub fn start(&self, args: &[&str]) -> Child {
        let mut command = self.command("cadre", args);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().expect("cadre starts")
    }

    /// A command for one of the programs, with these arguments, in this folder.
    ///
    /// # Panics
    /// If the program has not been built.
    #[must_use]
    pub fn command(&self, program: &str, args: &[&str]) -> Command {
        let path = program_path(program);
        assert!(
            path.exists(),
            "{} does not exist; run the tests with `cargo xtask test`, which builds it",
            path.display()
        );
        let mut command = Command::new(path);
        command
            .args(args)
            .current_dir(self.path())
            .env("CADRE_PLUGINS", repository().join("plugins"))
            // Compiled policies without a store go here, not to the user's cache folder.
            .env("XDG_CACHE_HOME", program_path("test-cache"))
            .stdin(Stdio::null());
        command
    }

    #[expect(clippy::expect_used, reason = "a test without its program cannot say anything")]
    fn finish(&self, command: &mut Command) -> Outcome {
        Outcome::of(&command.output().expect("the program starts"))
    }
}

impl Default for Workbench {
    fn default() -> Self {
        Self::new()
    }
}

/// The programs are beside the folder of the test's own executable.
fn program_path(program: &str) -> PathBuf {
    let own = std::env::current_exe().unwrap_or_default();
    let folder = own.parent().and_then(Path::parent).unwrap_or(Path::new("."));
    folder.join(program)
}
