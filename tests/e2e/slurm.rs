//! A sweep through Slurm: a real `slurmctld` and two `slurmd`, one of which is killed midway.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use cadre_tests::{Outcome, Workbench, repository};

use super::sweep::{figures, sweep_folder};

/// A cluster of two nodes on this machine that lives as long as this value.
struct Cluster {
    scripts: PathBuf,
    folder: tempfile::TempDir,
}

impl Cluster {
    /// `None`, with a message, if Slurm is not installed.
    fn started() -> Option<Self> {
        let scripts = std::env::var_os("CADRE_SLURM")
            .map_or_else(|| repository().join("../shared/slurm"), PathBuf::from);
        let installed = Command::new("sh").args(["-c", "command -v slurmctld munged sbatch"]).output();
        if !scripts.join("start.sh").is_file() || !installed.is_ok_and(|output| output.status.success()) {
            eprintln!(
                "skipped: no Slurm here (slurm-wlm and munge, and a script that starts a cluster in $CADRE_SLURM)"
            );
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let started = Command::new("bash")
            .arg(scripts.join("start.sh"))
            .arg(folder.path())
            .stdout(std::process::Stdio::null())
            .status()
            .unwrap();
        if !started.success() {
            eprintln!("skipped: Slurm is installed, but a cluster does not start here");
            return None;
        }
        Some(Self { scripts, folder })
    }

    fn conf(&self) -> PathBuf {
        self.folder.path().join("slurm.conf")
    }

    fn cadre(&self, bench: &Workbench, args: &[&str]) -> Outcome {
        let output = bench.command("cadre", args).env("SLURM_CONF", self.conf()).output().unwrap();
        Outcome::of(&output)
    }

    fn ask(&self, program: &str, args: &[&str]) -> String {
        let output = Command::new(program).args(args).env("SLURM_CONF", self.conf()).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Kills a node and everything that runs on it.
    fn kill_node(&self, node: &str) {
        let daemon = std::fs::read_to_string(self.folder.path().join(format!("d-{node}.pid"))).unwrap();
        let _ = Command::new("kill").args(["-9", daemon.trim()]).status();
        // Step processes contain their node's name only in their configuration; the queue has the ids of the node's
        // jobs.
        let jobs = self.ask("squeue", &["-h", "-t", "running", "-w", node, "-o", "%A"]);
        for job in jobs.split_whitespace() {
            let _ = Command::new("pkill").args(["-9", "-f", &format!("slurmstepd: \\[{job}\\.")]).status();
        }
    }

    /// Waits until none of the sweep's jobs are in the queue.
    fn wait(&self) {
        let begun = Instant::now();
        while !self.ask("squeue", &["-h"]).trim().is_empty() {
            assert!(begun.elapsed() < Duration::from_secs(600), "{}", self.ask("squeue", &["-r"]));
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = Command::new("bash").arg(self.scripts.join("stop.sh")).arg(self.folder.path()).status();
    }
}

fn something_is_trained(bench: &Path) -> bool {
    let logs = sweep_folder(bench).join("slurm");
    std::fs::read_dir(logs).into_iter().flatten().flatten().any(|entry| {
        let text = std::fs::read_to_string(entry.path()).unwrap_or_default();
        text.lines().any(|line| line.contains("\"train/") && line.contains("\"finished\""))
    })
}

#[test]
fn a_sweep_runs_through_slurm() {
    let Some(cluster) = Cluster::started() else { return };
    cancelled_it_goes_on_later(&cluster);
    it_gets_to_its_end_though_a_node_dies(&cluster);
}

fn it_gets_to_its_end_though_a_node_dies(cluster: &Cluster) {
    let see = repository().join("recipes/smoke/see-tiny.toml").display().to_string();
    let sweep = ["sweep", &see, "--grid", "routing.router.threshold=0.1,0.9", "--grid", "seed=0,1"];
    let alone = Workbench::new();
    alone.cadre(&sweep).expect_code(0);

    let bench = Workbench::new();
    bench.write("wrong.toml", "[launcher.slurm]\npartiton = \"main\"\n");
    let slurm = |file: &'static str| [&sweep[..], &["--launcher", "slurm", "--launcher-file", file]].concat();
    cluster.cadre(&bench, &slurm("wrong.toml")).expect_code(1).expect_told(&["partiton", "line 2"]);
    bench.write("nowhere.toml", "[launcher.slurm]\npartition = \"nowhere\"\n");
    cluster.cadre(&bench, &slurm("nowhere.toml")).expect_code(1).expect_told(&["sbatch", "partition"]);
    bench.write("launcher.toml", "[launcher.slurm]\npartition = \"main\"\ntime = \"10\"\ngrace = 20\n");
    let outcome = cluster.cadre(&bench, &slurm("launcher.toml")).expect_code(0);
    assert!(outcome.stdout.contains("jobs submitted"), "{}", outcome.stdout);
    cluster
        .cadre(&bench, &slurm("launcher.toml"))
        .expect_code(1)
        .expect_told(&["still in the queue", "cancel"]);

    while !something_is_trained(bench.path()) {
        assert!(
            !cluster.ask("squeue", &["-h"]).trim().is_empty(),
            "the sweep was over before a node could die"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    cluster.kill_node("n1");
    let status = cluster.cadre(&bench, &["sweep", "status", "see-tiny"]).expect_code(0);
    assert!(status.stdout.contains("job "), "{}", status.stdout);
    cluster.wait();
    let status = cluster.cadre(&bench, &["sweep", "status", "see-tiny"]).expect_code(0);
    assert!(status.stdout.contains("4 of 4 points done"), "{}", status.stdout);
    assert_eq!(figures(bench.path()), figures(alone.path()));
    assert_eq!(std::fs::read_dir(bench.path().join("store/locks")).map_or(0, Iterator::count), 0);
}

fn cancelled_it_goes_on_later(cluster: &Cluster) {
    let see = repository().join("recipes/smoke/see-tiny.toml").display().to_string();
    let sweep = ["sweep", &see, "--grid", "routing.router.threshold=0.1,0.9"];
    let bench = Workbench::new();
    cluster.cadre(&bench, &[&sweep[..], &["--launcher", "slurm"]].concat()).expect_code(0);
    while !something_is_trained(bench.path()) {
        std::thread::sleep(Duration::from_millis(20));
    }
    cluster.cadre(&bench, &["sweep", "cancel", "see-tiny"]).expect_code(0);
    cluster.wait();
    // Outside the queue, the finished stages are found.
    let outcome = bench.cadre(&sweep).expect_code(0);
    assert!(outcome.stdout.contains("2 of 2 points done"), "{}", outcome.stdout);
    assert!(!outcome.stderr.contains("34 to do"), "{}", outcome.stderr);
}

/// Programs that imitate Slurm's: `sbatch` records its scripts and refuses further ones after this number.
fn stand_ins(bench: &Workbench, takes: usize) -> String {
    use std::os::unix::fs::PermissionsExt;
    let folder = bench.path().join("bin");
    let noted = bench.path().join("noted");
    std::fs::create_dir_all(&noted).unwrap();
    let noted = noted.display();
    let programs = [
        ("scontrol", "echo 'MaxArraySize            = 3'; echo 'MaxJobCount             = 50'".to_owned()),
        ("squeue", "exit 0".to_owned()),
        ("sacct", "exit 1".to_owned()),
        ("scancel", format!("echo \"$@\" >> '{noted}/cancelled'")),
        (
            "sbatch",
            format!(
                "n=$(ls '{noted}' | grep -c job)\nif [ $n -ge {takes} ]; then echo 'sbatch: error: no more' >&2; exit 1; fi\n\
                 cp \"${{@: -1}}\" '{noted}/job-'$n'.sh'; echo $((100 + n))"
            ),
        ),
    ];
    for (name, text) in programs {
        let file = bench.write(&format!("bin/{name}"), &format!("#!/bin/bash\n{text}\n"));
        std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    format!("{}:{}", folder.display(), std::env::var("PATH").unwrap())
}

#[test]
fn a_sweep_within_the_clusters_limits_is_queued_completely_or_not_at_all() {
    let recipe = repository().join("recipes/smoke/sequential-tiny.toml").display().to_string();
    let submit = |bench: &Workbench, takes: usize, seeds: &str| {
        let seeds = format!("seed={seeds}");
        let args =
            ["--sweeps", "my sweeps", "sweep", &recipe, "--launcher", "slurm", "--grid", seeds.as_str()];
        let output = bench.command("cadre", &args).env("PATH", stand_ins(bench, takes)).output().unwrap();
        Outcome::of(&output)
    };
    let bench = Workbench::new();
    submit(&bench, 100, "0,1,2,3,4").expect_code(0);
    let script = |n: usize| std::fs::read_to_string(bench.path().join(format!("noted/job-{n}.sh"))).unwrap();
    // Five seeds in arrays of three and two; each job of a later array depends on its counterpart.
    let lines = |n: usize| -> Vec<String> {
        script(n)
            .lines()
            .filter(|line| line.contains("--array") || line.contains("--dep"))
            .map(str::to_owned)
            .collect()
    };
    assert_eq!(lines(1), ["#SBATCH --dependency=afterok:100", "#SBATCH --array=0-2"]);
    assert_eq!(lines(2), ["#SBATCH --dependency=afterok:100", "#SBATCH --array=0-1"]);
    assert_eq!(lines(3), ["#SBATCH --dependency=aftercorr:101", "#SBATCH --array=0-2"]);
    assert_eq!(lines(4), ["#SBATCH --dependency=aftercorr:102", "#SBATCH --array=0-1"]);
    assert!(script(2).contains("--job $((4 + SLURM_ARRAY_TASK_ID))"), "{}", script(2));
    assert!(
        script(1).contains("my sweeps/") && script(1).contains("/slurm/logs/%x-%A_%a.out\"\n"),
        "{}",
        script(1)
    );

    let refused = Workbench::new();
    submit(&refused, 3, "0,1,2,3,4")
        .expect_code(1)
        .expect_told(&["sbatch: error: no more", "the 6 jobs that were submitted before it are cancelled"]);
    let cancelled = std::fs::read_to_string(refused.path().join("noted/cancelled")).unwrap();
    assert_eq!(cancelled, "--full 100 101 102\n");

    let large = Workbench::new();
    submit(&large, 100, "0,1,2,3,4,5,6,7,8,9")
        .expect_code(1)
        .expect_told(&["52 jobs", "takes 50 (MaxJobCount)"]);
    assert_eq!(std::fs::read_dir(large.path().join("noted")).unwrap().count(), 0, "nothing was submitted");
}
