//! The outcome of running a program: exit code and output.

use std::process::Output;

/// The outcome of a finished program.
#[derive(Debug)]
pub struct Outcome {
    /// Exit code; `None` if a signal ended the program.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Outcome {
    /// The outcome of a finished process.
    #[must_use]
    pub fn of(output: &Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Asserts the exit code; prints the output if it differs.
    #[track_caller]
    pub fn expect_code(self, code: i32) -> Self {
        assert_eq!(
            self.code,
            Some(code),
            "exit code\n── stdout\n{}\n── stderr\n{}",
            self.stdout,
            self.stderr
        );
        self
    }

    /// Asserts that standard error contains every fragment, and that nothing panicked.
    #[track_caller]
    pub fn expect_told(self, fragments: &[&str]) -> Self {
        for fragment in fragments {
            assert!(self.stderr.contains(fragment), "`{fragment}` is not in\n{}", self.stderr);
        }
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
        self
    }
}
