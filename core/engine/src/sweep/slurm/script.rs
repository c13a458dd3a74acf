//! The batch script of a job. It is self-contained: apart from what `sbatch` passes on, nothing is taken from the
//! submitter's environment.

use std::path::Path;

use super::Resources;

/// Inputs of a script.
#[derive(Clone, Copy)]
pub(super) struct Script<'a> {
    /// The job's name in the queue.
    pub(super) name: &'a str,
    /// Number of the job, or of the first in its array.
    pub(super) first: usize,
    /// Size of the array, within the cluster's limit; 1 for a single job.
    pub(super) count: usize,
    /// The value of `--dependency`, if the job depends on others.
    pub(super) dependency: Option<&'a str>,
    /// The program.
    pub(super) program: &'a Path,
    /// The sweep's folder, absolute.
    pub(super) folder: &'a Path,
    /// The store, absolute.
    pub(super) store: &'a Path,
    /// The folder of runs, absolute.
    pub(super) runs: &'a Path,
    /// The folder of output files.
    pub(super) logs: &'a Path,
}

impl Script<'_> {
    /// The output path: a pattern in which a `%` in the path itself is doubled.
    fn output(&self, pattern: &str) -> String {
        format!("{}/{pattern}.out", self.logs.display().to_string().replace('%', "%%"))
    }

    /// The script's text. When its time runs out, a job receives USR1, lets its worker save a checkpoint, and requeues
    /// itself; if its node is lost, Slurm requeues it. In both cases it resumes.
    pub(super) fn text(&self, resources: &Resources) -> String {
        let array = self.count > 1;
        let mut head = vec![
            format!("--job-name={}", self.name),
            "--requeue".to_owned(),
            "--open-mode=append".to_owned(),
            "--kill-on-invalid-dep=yes".to_owned(),
            option("output", &self.output(if array { "%x-%A_%a" } else { "%x-%j" })),
        ];
        head.extend(self.dependency.map(|after| format!("--dependency={after}")));
        if array {
            let most = resources.at_once.map(|most| format!("%{most}")).unwrap_or_default();
            head.push(format!("--array=0-{}{most}", self.count - 1));
        }
        head.extend(resources.options());
        let mut text = String::from("#!/bin/bash\n");
        for option in head {
            text.push_str(&format!("#SBATCH {option}\n"));
        }
        for line in &resources.setup {
            text.push_str(line);
            text.push('\n');
        }
        let number =
            if array { format!("$(({} + SLURM_ARRAY_TASK_ID))", self.first) } else { self.first.to_string() };
        text.push_str(&format!(
            "{program} sweep worker {folder} --job {number} --store {store} --runs {runs} --json &\n\
             worker=$!\n\
             again=\n\
             trap 'again=yes; kill -TERM $worker 2>/dev/null' USR1\n\
             trap 'kill -TERM $worker 2>/dev/null' TERM INT\n\
             wait $worker; code=$?\n\
             # A signal ends a wait, not the worker: wait until it has ended by itself.\n\
             while kill -0 $worker 2>/dev/null; do wait $worker; code=$?; done\n\
             if [ -n \"$again\" ] && [ $code -eq 130 ]; then scontrol requeue $SLURM_JOB_ID; fi\n\
             exit $code\n",
            program = quoted(self.program),
            folder = quoted(self.folder),
            store = quoted(self.store),
            runs = quoted(self.runs),
        ));
        text
    }
}

/// An option on its own line. Slurm ends an unquoted value at a space or `#`.
pub(super) fn option(name: &str, value: &str) -> String {
    let plain = |letter: char| letter.is_alphanumeric() || "-_./:,=%+@*&|!()[]{}^~".contains(letter);
    if value.chars().all(plain) {
        return format!("--{name}={value}");
    }
    let escaped: String = value
        .chars()
        .flat_map(|letter| ['"', '\\'].contains(&letter).then_some('\\').into_iter().chain([letter]))
        .collect();
    format!("--{name}=\"{escaped}\"")
}

/// A path, quoted for the shell.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_contains_what_the_job_needs() {
        let script = Script {
            name: "cadre-see-train",
            first: 3,
            count: 4,
            dependency: Some("afterok:17:18_2"),
            program: Path::new("/opt/cadre"),
            folder: Path::new("/shared/it's here/see"),
            store: Path::new("/shared/store"),
            runs: Path::new("/shared/runs"),
            logs: Path::new("/shared/logs"),
        };
        let resources =
            Resources { at_once: Some(2), setup: vec!["module load cuda".into()], ..Default::default() };
        let text = script.text(&resources);
        for line in [
            "#SBATCH --array=0-3%2",
            "#SBATCH --dependency=afterok:17:18_2",
            "#SBATCH --requeue",
            "module load cuda",
            "'/opt/cadre' sweep worker '/shared/it'\\''s here/see' --job $((3 + SLURM_ARRAY_TASK_ID)) --store '/shared/store'",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
        let alone = Script { count: 1, dependency: None, ..script }.text(&Resources::default());
        assert!(
            alone.contains("--job 3 ") && !alone.contains("--array") && !alone.contains("--dependency"),
            "{alone}"
        );
        let blank = Script { count: 2, logs: Path::new("/my sweeps/50% #1/logs"), ..script };
        let line = blank.text(&Resources::default());
        let line = line.lines().find(|line| line.contains("--output")).unwrap().to_owned();
        assert_eq!(line, "#SBATCH --output=\"/my sweeps/50%% #1/logs/%x-%A_%a.out\"");
        assert_eq!(option("account", "a \"b\" \\"), r#"--account="a \"b\" \\""#);
        let checked = std::process::Command::new("bash").args(["-n", "-c", &alone]).status().unwrap();
        assert!(checked.success(), "the script is shell");
    }
}
