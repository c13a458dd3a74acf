//! A sweep through Slurm: a real `slurmctld` and two `slurmd`, of which one is killed in the middle.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use cadre_tests::{Outcome, Workbench, repository};

use super::sweep::{figures, sweep_folder};

/// A cluster of two nodes on this machine, as long as this lives.
struct Cluster {
    scripts: PathBuf,
    folder: tempfile::TempDir,
}

impl Cluster {
    /// None, with a word why, where there is no Slurm.
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

    /// Ends a node and whatever runs on it, without a word to anybody.
    fn kill_node(&self, node: &str) {
        let daemon = std::fs::read_to_string(self.folder.path().join(format!("d-{node}.pid"))).unwrap();
        let _ = Command::new("kill").args(["-9", daemon.trim()]).status();
        // Steps carry their node's name only in their configuration; of the jobs on the node, the queue knows the ids.
        let jobs = self.ask("squeue", &["-h", "-t", "running", "-w", node, "-o", "%A"]);
        for job in jobs.split_whitespace() {
            let _ = Command::new("pkill").args(["-9", "-f", &format!("slurmstepd: \\[{job}\\.")]).status();
        }
    }

    /// Waits until nothing of the sweep is in the queue any more.
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
    let told = cluster.cadre(&bench, &slurm("launcher.toml")).expect_code(0);
    assert!(told.stdout.contains("jobs submitted"), "{}", told.stdout);
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
    // Here, what the jobs have done is there.
    let told = bench.cadre(&sweep).expect_code(0);
    assert!(told.stdout.contains("2 of 2 points done"), "{}", told.stdout);
    assert!(!told.stderr.contains("34 to do"), "{}", told.stderr);
}
