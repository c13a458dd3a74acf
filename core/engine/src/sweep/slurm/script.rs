//! The batch script of a job. It says everything the job needs; nothing is taken from the environment of who submits
//! but what `sbatch` hands on.

use std::path::Path;

use super::Resources;

/// What a script is made of.
#[derive(Clone, Copy)]
pub(super) struct Script<'a> {
    /// The job's name in the queue.
    pub(super) name: &'a str,
    /// The number of the job, or of the first of its array.
    pub(super) first: usize,
    /// How many jobs the array has, at most as many as the cluster takes; 1 for a job of its own.
    pub(super) count: usize,
    /// What it comes after: the value of `--dependency`, where it comes after something.
    pub(super) dependency: Option<&'a str>,
    /// The program.
    pub(super) program: &'a Path,
    /// The sweep's folder, absolute.
    pub(super) folder: &'a Path,
    /// The store, absolute.
    pub(super) store: &'a Path,
    /// Folder of runs, absolute.
    pub(super) runs: &'a Path,
    /// Where its output goes.
    pub(super) logs: &'a Path,
}

impl Script<'_> {
    /// Where the output goes: a pattern, in which a `%` of the path itself is doubled.
    fn output(&self, pattern: &str) -> String {
        format!("{}/{pattern}.out", self.logs.display().to_string().replace('%', "%%"))
    }

    /// The text. A job that is asked to stop (by USR1, as its time runs out) lets its worker keep a checkpoint and queues
    /// itself again; one whose node is lost is queued again by Slurm. Either way it goes on from where it was.
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

/// An option on a line of its own. Slurm ends a value at a blank or a `#` that is not in quotes.
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

/// A path as one word of the shell.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_says_what_the_job_needs() {
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
