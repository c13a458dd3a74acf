//! Runs that share a store give the same answers as with separate stores: evidence is reused only by runs that would
//! compute the same. Also: an unwritable store or standard output is reported as such.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use cadre_tests::{Outcome, Workbench, repository};
use serde_json::Value;

use super::backbone_folder::copy_backbone;
use super::report_file::run_folder;

fn smoke(name: &str) -> String {
    repository().join("recipes/smoke").join(name).display().to_string()
}

/// A workbench with a small f32 checkpoint in `model`, and `given.toml`: SEE on it.
fn bench_with_model() -> Workbench {
    let bench = Workbench::new();
    let made = ["--quiet", "--store", "made", "--runs", "made-runs"];
    let zero_shot = smoke("zero-shot-tiny.toml");
    bench.cadre(&[&["run", zero_shot.as_str()], &made[..]].concat()).expect_code(0);
    copy_backbone(&bench.path().join("made"), &bench.path().join("model"));
    let recipe = repository().join("recipes/smoke/see-tiny.toml");
    bench.write(
        "given.toml",
        &format!("name = \"given\"\ninherit = [{recipe:?}]\n[backbone]\ncheckpoint = \"model\"\n"),
    );
    bench
}

/// Everything that a run stored about its answers, by file: predictions, routes and claims.
fn answers(runs: &Path) -> BTreeMap<String, Vec<Value>> {
    let folder = run_folder_of(runs).join("predictions");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files
        .map(|path| {
            let text = std::fs::read_to_string(&path).unwrap();
            let rows = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            (path.file_name().unwrap().display().to_string(), rows)
        })
        .collect()
}

fn run_folder_of(runs: &Path) -> std::path::PathBuf {
    let folders = std::fs::read_dir(runs).unwrap().map(|entry| entry.unwrap().path());
    folders.into_iter().find(|path| path.join("report.json").is_file()).unwrap()
}

fn run(bench: &Workbench, recipe: &str, precision: &str, store: &str) -> BTreeMap<String, Vec<Value>> {
    let runs = format!("runs-{precision}-{store}-{}", recipe.trim_end_matches(".toml"));
    let set = format!("device.precision={precision}");
    let args = ["run", recipe, "--quiet", "--set", &set, "--store", store, "--runs", &runs];
    bench.cadre(&args).expect_code(0);
    answers(&bench.path().join(runs))
}

#[test]
fn precisions_that_share_a_store_answer_as_in_separate_stores() {
    let bench = bench_with_model();
    // The backbone alone, whose sampled answers reveal small differences, and an ensemble on it.
    let alone = format!(
        "name = \"alone\"\ninherit = [{:?}]\n[backbone]\ncheckpoint = \"model\"\n\
         [evaluation.decoding.strategy.sample]\ntemperature = 3.0\n",
        smoke("zero-shot-tiny.toml")
    );
    bench.write("alone.toml", &alone);
    for recipe in ["alone.toml", "given.toml"] {
        let own =
            ["f32", "bf16"].map(|precision| run(&bench, recipe, precision, &format!("own-{precision}")));
        assert_ne!(
            own[0], own[1],
            "{recipe}: the precision changes nothing here, so that this test shows nothing"
        );
        let first = format!("f32-first-{recipe}");
        assert_eq!(run(&bench, recipe, "f32", &first), own[0], "{recipe}");
        assert_eq!(run(&bench, recipe, "bf16", &first), own[1], "{recipe}: bf16 after f32");
        let first = format!("bf16-first-{recipe}");
        assert_eq!(run(&bench, recipe, "bf16", &first), own[1], "{recipe}");
        assert_eq!(run(&bench, recipe, "f32", &first), own[0], "{recipe}: f32 after bf16");
    }
}

#[test]
fn the_batch_size_changes_no_answer() {
    let bench = bench_with_model();
    let with = |batch: u32| {
        let runs = format!("runs-{batch}");
        let set = format!("evaluation.decoding.batch={batch}");
        let store = format!("store-{batch}");
        bench
            .cadre(&["run", "given.toml", "--quiet", "--set", &set, "--store", &store, "--runs", &runs])
            .expect_code(0);
        answers(&bench.path().join(runs))
    };
    let one = with(1);
    assert_eq!(with(3), one);
    assert_eq!(with(64), one);
}

#[test]
fn a_checkpoint_that_changed_since_the_run_is_not_used() {
    let bench = bench_with_model();
    bench.cadre(&["run", "given.toml", "--quiet"]).expect_code(0);
    let id = run_folder(bench.path()).display().to_string();
    let path = bench.path().join("model/model.safetensors");
    let good = std::fs::read(&path).unwrap();
    let mut bad = good.clone();
    *bad.last_mut().unwrap() ^= 1;
    std::fs::write(&path, bad).unwrap();
    let messages = ["model.safetensors", "has changed since the plan was made"];
    bench.cadre(&["ask", &id, "how is it?"]).expect_code(1).expect_told(&messages);
    let task = super::report_file::report(bench.path())["tasks"][0].as_str().unwrap().to_owned();
    bench.cadre(&["export", &id, "--expert", &task, "--to", "peft"]).expect_code(1).expect_told(&messages);
    std::fs::write(&path, good).unwrap();
    bench.cadre(&["ask", &id, "how is it?"]).expect_code(0);
}

#[test]
fn exports_overwrite_only_with_force() {
    let bench = bench_with_model();
    bench.cadre(&["run", "given.toml", "--quiet"]).expect_code(0);
    let id = run_folder(bench.path()).display().to_string();
    let task = super::report_file::report(bench.path())["tasks"][0].as_str().unwrap().to_owned();
    let mine = bench.write("full/config.json", "mine");
    for more in [&[][..], &["--merged"][..]] {
        let args = [&["export", &id, "--expert", &task, "--to", "full"], more].concat();
        bench.cadre(&args).expect_code(2).expect_told(&["full", "already exists", "--force"]);
        assert_eq!(std::fs::read_to_string(&mine).unwrap(), "mine");
        bench.cadre(&[&args[..], &["--force"]].concat()).expect_code(0);
        std::fs::write(&mine, "mine").unwrap();
    }
    bench
        .cadre(&["export", &id, "--expert", &task, "--to", "full/config.json"])
        .expect_code(2)
        .expect_told(&["a file"]);
    let weights = std::fs::read(bench.path().join("model/model.safetensors")).unwrap();
    let onto = ["export", &id, "--expert", &task, "--to", "model", "--merged", "--force"];
    bench.cadre(&onto).expect_code(2).expect_told(&["another folder"]);
    assert_eq!(std::fs::read(bench.path().join("model/model.safetensors")).unwrap(), weights);

    for (file, format) in [("all.csv", "csv"), ("all.parquet", "parquet"), ("board/events", "tensorboard")] {
        let mine = bench.write(file, "mine");
        let to = file.trim_end_matches("/events");
        let args = ["runs", "export", "--to", to, "--format", format];
        bench.cadre(&args).expect_code(2).expect_told(&[to, "--force"]);
        assert_eq!(std::fs::read_to_string(mine).unwrap(), "mine");
        bench.cadre(&[&args[..], &["--force"]].concat()).expect_code(0);
    }
}

#[test]
fn an_unwritable_standard_output_is_an_error() {
    let bench = Workbench::new();
    let recipe = smoke("see-tiny.toml");
    bench.cadre(&["run", &recipe, "--quiet"]).expect_code(0);
    let id = run_folder(bench.path()).display().to_string();
    let commands: [(&str, &[&str]); 8] = [
        ("cadre", &["plan", &recipe]),
        ("cadre", &["plan", &recipe, "--json"]),
        ("cadre-plan", &["plan", &recipe]),
        ("cadre", &["expand", &recipe]),
        ("cadre", &["runs"]),
        ("cadre", &["report", &id]),
        ("cadre", &["schema"]),
        ("cadre", &["run", &recipe, "--json"]),
    ];
    for (program, args) in commands {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let output = bench.command(program, args).stdout(full).output().unwrap();
        Outcome::of(&output).expect_code(1).expect_told(&["standard output"]);

        // A reader that closes the pipe before anything is written.
        let mut reader = Command::new("true").stdin(Stdio::piped()).spawn().unwrap();
        let pipe = reader.stdin.take().unwrap();
        reader.wait().unwrap();
        let output = bench.command(program, args).stdout(pipe).output().unwrap();
        Outcome::of(&output).expect_code(1).expect_told(&["standard output"]);
    }
}

#[test]
fn a_run_in_a_read_only_store_can_be_shown() {
    // A read-only mount in a new user namespace: permissions do not restrict root.
    let namespace = ["--user", "--map-root-user", "--mount"];
    let there = Command::new("unshare").args(namespace).arg("true").stderr(Stdio::null()).status();
    let mounts = Command::new("unshare")
        .args(namespace)
        .args(["sh", "-c", "mount --bind /tmp /tmp && mount -o remount,ro,bind /tmp"])
        .stderr(Stdio::null())
        .status();
    if !there.is_ok_and(|status| status.success()) || !mounts.is_ok_and(|status| status.success()) {
        eprintln!("skipped: a_run_in_a_read_only_store_can_be_shown needs `unshare` and `mount`");
        return;
    }
    let bench = bench_with_model();
    bench.cadre(&["run", "given.toml", "--quiet"]).expect_code(0);
    let id = run_folder(bench.path()).file_name().unwrap().display().to_string();
    let task = super::report_file::report(bench.path())["tasks"][0].as_str().unwrap().to_owned();
    let to = tempfile::tempdir().unwrap();
    let out = to.path().join("peft").display().to_string();
    let looks: [&[&str]; 8] = [
        &["report", &id],
        &["runs"],
        &["runs", "show", &id],
        &["plan", "given.toml"],
        // A query without cached evidence is answered too.
        &["ask", &id, "what was never asked before"],
        &["expand", "given.toml"],
        &["export", &id, "--expert", &task, "--to", &out],
        &["store", "gc", "--dry-run"],
    ];
    for args in looks {
        let folder = bench.path().display();
        let script = format!(
            "mount --bind {folder} {folder} && mount -o remount,ro,bind {folder} && cd {folder} && exec \"$@\""
        );
        let cadre = bench.command("cadre", args);
        let mut command = Command::new("unshare");
        command.args(namespace).args(["sh", "-c", &script, "sh"]).arg(cadre.get_program()).args(args);
        command
            .envs(cadre.get_envs().filter_map(|(name, value)| Some((name, value?))))
            .current_dir(bench.path());
        command.env("XDG_CACHE_HOME", to.path());
        let outcome = Outcome::of(&command.output().unwrap()).expect_code(0);
        assert!(!outcome.stdout.is_empty(), "{args:?}: {}", outcome.stderr);
    }
    assert_eq!(bench.cadre(&["plan", "given.toml", "--json"]).expect_code(0).code, Some(0));
}
