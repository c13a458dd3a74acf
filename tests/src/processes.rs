//! Lists and kills processes of the tests.

use std::path::Path;
use std::process::Command;

/// Child processes of any thread of a process that have not been waited for.
#[must_use]
pub fn children(parent: u32) -> Vec<u32> {
    let threads = std::fs::read_dir(Path::new("/proc").join(parent.to_string()).join("task"));
    let lists = threads.into_iter().flatten().flatten().map(|thread| thread.path().join("children"));
    let texts = lists.map(|list| std::fs::read_to_string(list).unwrap_or_default());
    texts
        .flat_map(|text| text.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>())
        .collect()
}

/// Kills a process with SIGKILL.
pub fn kill(pid: u32) {
    // It may have ended meanwhile.
    let _ = Command::new("kill").args(["-9", &pid.to_string()]).status();
}
